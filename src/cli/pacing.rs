//! Between the client and a ledger in a server: whoever works for an account waits for the turns of all.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::extracta::{ExtractaClient, Pacer, Remote, Start};
use crate::ledger::{CallStart, Lane, Pacing, Place};

/// The starts of one account's calls, from the ledger.
#[derive(Debug)]
struct FromLedger {
    pacing: Arc<dyn Pacing>,
    account: String,
}

impl FromLedger {
    fn lane(&self, endpoint: &'static str) -> Lane {
        Lane {
            account: self.account.clone(),
            endpoint,
        }
    }
}

#[async_trait]
impl Pacer for FromLedger {
    async fn next(&self, endpoint: &'static str, interval: Duration, patience: Duration) -> Option<Start> {
        let lane = self.lane(endpoint);
        match self.pacing.next_call(&lane, interval, patience).await {
            Ok(CallStart::In(wait)) => Some(Start::In(wait)),
            Ok(CallStart::NotFor(wait)) => Some(Start::NotFor(wait)),
            Err(error) => {
                tracing::debug!(%error, endpoint, "the shared spacing cannot be asked: a whole interval instead");
                None
            }
        }
    }

    async fn put_off(&self, endpoint: &'static str, wait: Duration) {
        if let Err(error) = self.pacing.put_off_calls(&self.lane(endpoint), wait).await {
            tracing::debug!(%error, endpoint, "the others could not be asked to wait");
        }
    }
}

/// The client as it is for this ledger: beside a file it paces itself.
pub(super) fn paced(
    client: ExtractaClient,
    place: &Place,
) -> Result<ExtractaClient, crate::ledger::LedgerError> {
    let Some(pacing) = place.pacing()? else {
        return Ok(client);
    };
    let account = client.account();
    let pacer: Arc<dyn Pacer> = Arc::new(FromLedger { pacing, account });
    Ok(client.paced_by(&pacer))
}
