//! Dates that come near: erasure requests to be answered, holds to be looked at again.

use std::time::Duration;

use tokio::time::Instant;

use super::service::Daemon;
use crate::engine::requests::standing;
use crate::ledger::LedgerError;
use crate::model::Timestamp;

/// The log is told so often; `status` says it at any time.
const EVERY: Duration = Duration::from_secs(6 * 3600);

impl Daemon {
    /// Says in the log, a few times a day, what somebody has to look at before its date.
    pub(super) async fn warn_of_dates(&mut self, now: Timestamp) -> Result<(), LedgerError> {
        if self.warned_at.is_some_and(|at| at.elapsed() < EVERY) {
            return Ok(());
        }
        self.warned_at = Some(Instant::now());
        let ledger = self.parts.ledger.as_ref();
        for request in standing(ledger, &self.rules.rules, true).await? {
            if !request.is_near(&self.rules.rules, now) {
                continue;
            }
            let answer_by = request.answer_by.map(|by| by.to_string()).unwrap_or_default();
            let (erasure, files_left) = (request.request.id.0, request.files.left());
            if request.is_late(now) {
                tracing::error!(
                    erasure,
                    files_left,
                    answer_by,
                    "an erasure request is past the date for its answer: `retentiond erase list` says what stops it"
                );
            } else {
                tracing::warn!(
                    erasure,
                    files_left,
                    answer_by,
                    "an erasure request has to be answered soon: `retentiond erase list` says what stops it"
                );
            }
        }
        let holds = ledger.holds(Some(now)).await?;
        let overdue = holds
            .iter()
            .filter(|hold| hold.released_at.is_none() && hold.review_by.is_some_and(|by| by <= now));
        for hold in overdue {
            tracing::warn!(
                hold = hold.id.0,
                "the review of a hold is overdue: `retentiond hold list` names it"
            );
        }
        Ok(())
    }
}
