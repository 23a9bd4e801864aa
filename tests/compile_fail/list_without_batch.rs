//! A delete takes parent, batch and files, not two of the three.
use retentiond::extracta::DeleteFiles;
use retentiond::model::{ClassificationId, FileId};

fn wider(classification: ClassificationId, files: Vec<FileId>) {
    let _ = DeleteFiles::new(classification, files);
}

fn main() {}
