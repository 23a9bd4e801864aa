//! An id is made by its check alone.
use retentiond::model::FileId;

fn main() {
    let _ = FileId(String::new().into_boxed_str());
}
