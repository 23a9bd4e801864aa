//! How erasure requests end: every copy looked for once more, then closed.
//!
//! What is deleted for them goes the way of every sweep; this is what comes after.

use super::gate::Stop;
use super::run::Run;
use super::sweep::{Engine, SweepError};
use crate::ledger::{ErasureFiles, Ledger, LedgerError};
use crate::model::{Erasure, Timestamp};
use crate::rules::decide::{Decision, Verdict};
use crate::rules::policy::RuleSet;

/// Files looked at in one sweep, at most; the rest next time.
const PAGE: u32 = 5_000;

impl Run<'_> {
    /// Whether this sweep carries out erasure requests.
    pub(super) fn is_of_requests(&self) -> bool {
        self.rules.is_erasure(self.policy)
    }

    /// Whether such a file is to be deleted as far as this sweep is concerned.
    pub(super) fn goes(&self, verdict: &Verdict) -> bool {
        match verdict {
            Verdict::Due => true,
            Verdict::Erasure { .. } => self.is_of_requests(),
            Verdict::DueObserved
            | Verdict::NotYet
            | Verdict::Held { .. }
            | Verdict::Bound { .. }
            | Verdict::KeptForever { .. }
            | Verdict::Unowned
            | Verdict::NotEligible(_) => false,
        }
    }

    /// Whether this sweep may send a file that was decided so.
    pub(super) fn takes(&self, decision: &Decision) -> Result<(), String> {
        if !self.goes(&decision.verdict) {
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
        if run.halted().is_some() || !self.settings.verify {
            return Ok(());
        }
        let unverified = self.ledger.erased_unverified(PAGE).await?;
        if !unverified.is_empty() {
            if self.guard(true).await?.is_some() {
                return Ok(());
            }
            run.look_at(unverified).await?;
            if run.halted() == Some(Stop::Shutdown) {
                return Ok(());
            }
        }
        for closed in self.ledger.close_erased(self.clock.now()).await? {
            tracing::info!(
                erasure = closed.0,
                "an erasure request is closed: every copy is verified gone"
            );
        }
        Ok(())
    }
}

/// A request, where its files stand, and what stops them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The request.
    pub request: Erasure,
    /// Where its files stand.
    pub files: ErasureFiles,
    /// The first instant after the time for the answer; `None` at the calendar's end.
    pub answer_by: Option<Timestamp>,
}

impl Standing {
    /// Whether the time for the answer has passed and the request is open.
    #[must_use]
    pub fn is_late(&self, now: Timestamp) -> bool {
        self.request.closed_at.is_none() && self.answer_by.is_some_and(|by| by <= now)
    }

    /// Whether it is open, and its date near enough to warn of, or passed.
    #[must_use]
    pub fn is_near(&self, rules: &RuleSet, now: Timestamp) -> bool {
        let warn = rules
            .answer_by(self.request.received)
            .and_then(|by| by.warn_from(rules.erasure.warn_before, &rules.zone));
        self.request.closed_at.is_none() && warn.is_some_and(|from| from <= now)
    }
}

/// Every request, the open ones or all, with where it stands.
///
/// # Errors
/// The ledger's.
pub async fn standing(
    ledger: &dyn Ledger,
    rules: &RuleSet,
    open_only: bool,
) -> Result<Vec<Standing>, LedgerError> {
    let requests = ledger.erasures(open_only).await?;
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let counted = ledger.erasure_progress(open_only).await?;
    Ok(requests
        .into_iter()
        .map(|request| Standing {
            files: counted
                .iter()
                .find(|(id, _)| *id == request.id)
                .map(|(_, files)| *files)
                .unwrap_or_default(),
            answer_by: rules.answer_by(request.received).map(|by| by.ends_at),
            request,
        })
        .collect())
}
