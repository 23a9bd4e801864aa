//! A text becomes an id by a check that can fail, never by itself.
use retentiond::model::BatchId;

fn unchecked(text: String) -> BatchId {
    BatchId::from(text)
}

fn main() {}
