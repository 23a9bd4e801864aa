//! No delete is read from a text that nobody has checked.
use retentiond::extracta::DeleteFiles;

fn main() {
    let _ = serde_json::from_str::<DeleteFiles>("{}");
}
