//! There is no id by default: it would be empty.
use retentiond::model::FileId;

fn main() {
    let _ = <FileId as Default>::default();
}
