//! There is no list of files by default.
use retentiond::extracta::DeleteFiles;

fn main() {
    let _ = <DeleteFiles as Default>::default();
}
