//! Without its batch id a delete of a copy would reach the whole template.
use retentiond::extracta::DeleteExtractionFile;
use retentiond::model::{ExtractionId, FileId};

fn wider(extraction: ExtractionId, file: FileId) -> DeleteExtractionFile {
    DeleteExtractionFile { extraction, file }
}

fn main() {}
