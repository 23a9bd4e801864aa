//! Bare texts are no ids.
use retentiond::extracta::DeleteFiles;
use retentiond::model::{BatchId, ClassificationId};

fn unchecked(classification: ClassificationId, batch: BatchId) {
    let _ = DeleteFiles::new(classification, batch, vec![String::new()]);
}

fn main() {}
