//! No bare list of ids becomes a delete.
use retentiond::extracta::DeleteFiles;
use retentiond::model::FileId;

fn unchecked(files: Vec<FileId>) -> DeleteFiles {
    files.into()
}

fn main() {}
