//! The remote has no call that deletes more than files.
use retentiond::extracta::Remote;
use retentiond::model::BatchAddress;

async fn wider(remote: &dyn Remote, batch: &BatchAddress) {
    remote.delete_files(batch).await;
}

fn main() {}
