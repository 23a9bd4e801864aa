//! One kind of id is no other: a batch cannot stand where the classification belongs.
use retentiond::extracta::DeleteFiles;
use retentiond::model::{BatchId, FileId};

fn confused(batch: BatchId, files: Vec<FileId>) {
    let _ = DeleteFiles::new(batch.clone(), batch, files);
}

fn main() {}
