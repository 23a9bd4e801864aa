//! A ledger that was closed by a copy, taken back.

use super::Reopened;
use crate::ledger::anchor::Anchor;
use crate::ledger::common::problem::conflict;
use crate::ledger::{LedgerError, Place};

pub(super) async fn reopen(place: &Place) -> Result<Reopened, LedgerError> {
    let name = place.name()?;
    let mut source = place.source().await?;
    let _right = place.lock_alone().await?;
    let line = source.line().await?;
    let Some(closed) = line.closed() else {
        return Err(conflict(name, "it is not closed"));
    };
    let doubt = closed.whole.then(|| {
        format!(
            "the ledger went on as {} since {}, and was opened here again: what happened there may be missing. `retentiond reconcile --from EXPORT` brings it back from an `audit export --with-ids` of that one; if it was never in use, `retentiond breaker reset rollback`",
            closed.to, closed.since
        )
    });
    let line = source.mark(doubt.as_deref(), &line.position).await?;
    line.follow(&Anchor::beside(place.beside()));
    Ok(Reopened {
        ledger: name,
        copy: closed.to,
        was_whole: closed.whole,
    })
}
