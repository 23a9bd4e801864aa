//! Nor filled up with defaults.
use retentiond::extracta::DeleteExtractionFile;
use retentiond::model::{BatchId, ExtractionId};

fn wider(extraction: ExtractionId, batch: BatchId) -> DeleteExtractionFile {
    DeleteExtractionFile { extraction, batch, ..Default::default() }
}

fn main() {}
