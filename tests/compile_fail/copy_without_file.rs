//! Without its file id a delete of a copy would reach the batch.
use retentiond::extracta::DeleteExtractionFile;
use retentiond::model::{BatchId, ExtractionId};

fn wider(extraction: ExtractionId, batch: BatchId) -> DeleteExtractionFile {
    DeleteExtractionFile { extraction, batch }
}

fn main() {}
