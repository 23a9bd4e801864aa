//! The log's own retention, `[evidence] keep`: once a day, at a sweep's end, what is over goes from the record.

use super::stop::Stop;
use super::sweep::{Engine, SweepError};
use crate::ledger::{Gone, LedgerError, RedactionStep};
use crate::model::Timestamp;
use crate::rules::policy::RuleSet;

/// A redaction that ended less than so long ago is not begun again.
const DAILY_MS: i64 = 24 * 3_600_000;

/// Steps after one sweep. The rest goes after the next: the first redaction of an old ledger is long, and other
/// policies wait to be swept.
const STEPS: u32 = 200;

/// How a redaction ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redacting {
    /// All that was over has gone.
    Done(Gone),
    /// So much has gone, and there is more.
    More(Gone),
    /// Nothing went, for it goes by the clock and for good: what stops deletion stops it too.
    Stopped(Stop),
    /// The record is kept for ever.
    KeptForEver,
}

/// Before which instant everything is over for as long as the rules ask for; `None`: they ask for ever.
#[must_use]
pub fn cut(rules: &RuleSet, now: Timestamp) -> Option<Timestamp> {
    rules.keep_evidence?.over_before(now, &rules.zone)
}

impl Engine {
    /// Takes away what is over, at most `steps` of it, each a transaction of its own; `heard` is told how much has
    /// gone so far. The witnesses of the clock, the API's among them, are asked first.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn redact(
        &self,
        rules: &RuleSet,
        steps: u32,
        heard: &(dyn Fn(Gone) + Sync),
    ) -> Result<Redacting, SweepError> {
        if rules.keep_evidence.is_none() {
            return Ok(Redacting::KeptForEver);
        }
        if let Some(stop) = self.guard(true).await? {
            return Ok(Redacting::Stopped(stop));
        }
        let now = self.clock.now();
        let Some(before) = cut(rules, now) else {
            return Ok(Redacting::Done(Gone::default()));
        };
        let (mut gone, mut step) = (Gone::default(), Some(RedactionStep::FIRST));
        for _ in 0..steps {
            let Some(next) = step else { break };
            let (went, after) = self.ledger.redact(next, before, now).await?;
            gone += went;
            step = after;
            heard(gone);
        }
        if gone.is_something() {
            tracing::info!(
                leaves = gone.leaves,
                files = gone.files,
                records = gone.records,
                before = %before,
                "redacted what was over"
            );
        }
        Ok(match step {
            None => Redacting::Done(gone),
            Some(_) => Redacting::More(gone),
        })
    }

    /// The same after a sweep, where the last one is a day old. A failure is said, and the next sweep tries again.
    ///
    /// # Errors
    /// A damaged or replaced ledger: that ends the sweep as anywhere else.
    pub(super) async fn redact_daily(&self, rules: &RuleSet) -> Result<(), SweepError> {
        if rules.keep_evidence.is_none() || !self.redaction_is_due().await? {
            return Ok(());
        }
        match self.redact(rules, STEPS, &|_| {}).await {
            Ok(Redacting::Done(gone) | Redacting::More(gone)) => {
                if gone.is_something() {
                    // What has gone from the ledger still stands in its log.
                    self.ledger.tidy().await?;
                }
                Ok(())
            }
            Ok(Redacting::Stopped(_) | Redacting::KeptForEver) => Ok(()),
            Err(error @ (SweepError::Replaced | SweepError::Ledger(LedgerError::Damaged { .. }))) => {
                Err(error)
            }
            Err(error) => {
                tracing::error!(%error, "what is over could not be redacted; the next sweep tries again");
                Ok(())
            }
        }
    }

    async fn redaction_is_due(&self) -> Result<bool, SweepError> {
        let now = self.clock.now();
        let finished = self.ledger.redaction_finished().await?;
        // One in the future is from a clock that ran ahead.
        Ok(finished.is_none_or(|at| !(0..DAILY_MS).contains(&now.millis_since(at))))
    }
}
