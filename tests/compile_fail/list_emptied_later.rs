//! A list that was checked cannot be emptied afterwards.
use retentiond::extracta::DeleteFiles;

fn emptied(mut request: DeleteFiles) -> DeleteFiles {
    request.files.clear();
    request
}

fn main() {}
