//! The fields of a list of files are private: an empty one cannot be put together by hand.
use retentiond::extracta::DeleteFiles;
use retentiond::model::{BatchId, ClassificationId};

fn unchecked(classification: ClassificationId, batch: BatchId) -> DeleteFiles {
    DeleteFiles { classification, batch, files: Vec::new() }
}

fn main() {}
