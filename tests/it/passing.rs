//! A remote that passes each call on to the real client, for tests that have something to do around one.

use async_trait::async_trait;
use retentiond::extracta::ExtractaClient;
use retentiond::extracta::remote::{DeleteExtractionFile, DeleteFiles, Listing, Probe, Remote};
use retentiond::model::BatchAddress;
use retentiond::outcome::Reply;

/// What happens around calls; nothing, unless it says so.
#[async_trait]
pub trait Around: Send + Sync {
    /// Before the claim of a delete.
    async fn before_turn(&self) {}

    /// After its claim, before it leaves.
    async fn before_delete(&self, _request: &DeleteFiles) {}

    /// Before its outcome is written.
    async fn after_delete(&self, _request: &DeleteFiles) {}

    /// Before a batch is looked at.
    async fn before_look(&self, _batch: &BatchAddress) {}
}

pub struct Passing<A> {
    pub client: ExtractaClient,
    pub around: A,
}

#[async_trait]
impl<A: Around> Remote for Passing<A> {
    async fn turn_to_delete(&self) {
        self.around.before_turn().await;
    }

    async fn delete_files(&self, request: &DeleteFiles) -> Reply {
        self.around.before_delete(request).await;
        let reply = self.client.delete_files(request).await;
        self.around.after_delete(request).await;
        reply
    }

    async fn delete_extraction_file(&self, request: &DeleteExtractionFile) -> Reply {
        self.client.delete_extraction_file(request).await
    }

    async fn list(&self, batch: &BatchAddress) -> Listing {
        self.around.before_look(batch).await;
        self.client.list(batch).await
    }

    fn account(&self) -> String {
        self.client.account()
    }

    async fn probe(&self) -> Probe {
        self.client.probe().await
    }
}
