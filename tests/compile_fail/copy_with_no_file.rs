//! Nor may the file id be absent.
use retentiond::extracta::DeleteExtractionFile;
use retentiond::model::{BatchId, ExtractionId};

fn wider(extraction: ExtractionId, batch: BatchId) -> DeleteExtractionFile {
    DeleteExtractionFile { extraction, batch, file: None }
}

fn main() {}
