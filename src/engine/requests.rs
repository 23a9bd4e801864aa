//! How erasure requests end: every copy looked for once more, then closed.
//!
//! What is deleted for them goes the way of every sweep; this is what comes after.

mod standing;

pub use standing::{Bound, Doubtful, Held, Obstacles, Standing, obstacles, standing};

use super::change::goes;
use super::run::Run;
use super::stop::Stop;
use super::sweep::{Engine, SweepError};
use crate::model::FileRecord;
use crate::rules::check::Purpose;
use crate::rules::decide::Decision;

/// Files looked at in one sweep, at most; the rest next time.
const PAGE: u32 = 5_000;

impl Run<'_> {
    /// Whether this sweep carries out erasure requests.
    pub(super) fn is_of_requests(&self) -> bool {
        self.rules.is_erasure(self.policy)
    }

    /// What this sweep sends its requests for.
    pub(super) fn purpose(&self) -> Purpose {
        if self.is_of_requests() {
            Purpose::Erase
        } else {
            Purpose::Send
        }
    }

    /// Whether this sweep may send a file that was decided so.
    pub(super) fn takes(&self, decision: &Decision) -> Result<(), String> {
        if !goes(&decision.verdict, self.purpose()) {
            return Err(format!("not due any more: {:?}", decision.verdict));
        }
        if self.is_of_requests() {
            return match decision.erasure {
                Some(_) => Ok(()),
                None => Err("no erasure request covers it any more".to_owned()),
            };
        }
        if decision.owner.as_ref() == Some(self.policy) {
            Ok(())
        } else {
            Err("another policy owns it now".to_owned())
        }
    }
}

impl Engine {
    /// Looks at what was deleted for requests and never verified, however long ago, and closes the
    /// requests of which nothing is left. Without looks (`verify = false`) nothing is known to be gone,
    /// and none closes by itself.
    pub(super) async fn settle_requests(&self, run: &Run<'_>) -> Result<(), SweepError> {
        if run.halted().is_some() || !run.way.settings.verify {
            return Ok(());
        }
        let unverified = self.erased_unverified().await?;
        if !unverified.is_empty() {
            if self.guard_in(run.account, true).await?.is_some() {
                return Ok(());
            }
            run.look_at(unverified).await?;
            if run.halted() == Some(Stop::Shutdown) {
                return Ok(());
            }
        }
        self.close_requests().await
    }

    /// What was deleted for requests and never verified.
    pub(super) async fn erased_unverified(&self) -> Result<Vec<FileRecord>, SweepError> {
        Ok(self.ledger.erased_unverified(PAGE).await?)
    }

    /// Closes the requests of which nothing is left.
    pub(super) async fn close_requests(&self) -> Result<(), SweepError> {
        for closed in self.ledger.close_erased(self.clock.now()).await? {
            tracing::info!(
                erasure = closed.0,
                "an erasure request is closed: every copy is verified gone"
            );
        }
        Ok(())
    }
}
