//! A changed rule set: what it changes, and whether it may take the place of the one in force.
//!
//! Whoever is about to adopt rules asks here first. A set under which a file might go sooner than under the
//! one in force waits for `retentiond approve`; while it waits, a file goes only if **both** sets say so
//! ([`RuleSet::awaiting`]).

use super::planning::refresh_hints;
use crate::ledger::{Ledger, LedgerError, RuleChange};
use crate::model::{FileRecord, Holds, Timestamp};
use crate::rules::check::Purpose;
use crate::rules::decide::{Verdict, decide, hint};
use crate::rules::impact::{Impact, Weighing};
use crate::rules::policy::{Hint, RuleSet};

/// Files a page when two sets are held against each other.
const PAGE: u32 = 8_000;

/// Whether a rule set may be adopted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leave {
    /// It is in force, or may be; what it changes, where another one is in force.
    Given(Option<Box<Impact>>),
    /// It waits for an approval.
    Waits(Box<RuleChange>),
}

/// Whether `new` may be adopted at `now`. A set that has to wait is written down as the one that waits.
///
/// `old` is the set in force, where it can still be compiled: it knows which policies only observed, and
/// whether it wanted to be asked. The hints in the ledger are what it decided.
///
/// # Errors
/// The ledger's.
pub async fn ask_leave(
    ledger: &dyn Ledger,
    new: &RuleSet,
    old: Option<&RuleSet>,
    now: Timestamp,
) -> Result<Leave, LedgerError> {
    let Some(in_force) = ledger.rules_in_force().await? else {
        return Ok(Leave::Given(None));
    };
    if in_force.digest == new.digest {
        return Ok(Leave::Given(None));
    }
    if let Some(change) = ledger.waiting_change().await?
        && change.before == in_force.digest
        && change.after == new.digest
        && change.is_approved(now)
    {
        return Ok(Leave::Given(Some(Box::new(change.impact))));
    }
    let impact = weigh(ledger, new, old).await?;
    if impact.shortened == 0 {
        return Ok(Leave::Given(Some(Box::new(impact))));
    }
    let change = ledger.propose(&new.digest, &impact, now).await?;
    Ok(Leave::Waits(Box::new(change)))
}

/// Makes `rules` the set in force and brings every live file's hints to it, if they may be: the only road by
/// which the engine and the daemon adopt any. Otherwise what waits.
///
/// # Errors
/// The ledger's.
pub async fn adopt(
    ledger: &dyn Ledger,
    rules: &RuleSet,
    now: Timestamp,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<Result<u64, Box<RuleChange>>, LedgerError> {
    match ask_leave(ledger, rules, None, now).await? {
        Leave::Given(_) => Ok(Ok(refresh_hints(ledger, rules, now, progress).await?)),
        Leave::Waits(change) => Ok(Err(change)),
    }
}

/// What `new` changes for the files at hand, against what the rules in force have decided.
///
/// # Errors
/// The ledger's.
pub async fn weigh(ledger: &dyn Ledger, new: &RuleSet, old: Option<&RuleSet>) -> Result<Impact, LedgerError> {
    let mut weighing = Weighing::new(old, new);
    let mut page = ledger.decided(None, PAGE).await?;
    while let Some(last) = page.last() {
        let after = last.key.clone();
        // The ledger reads the next page while this one is decided.
        let (next, ()) = tokio::join!(ledger.decided(Some(&after), PAGE), async {
            for file in &page {
                let less_binding = weighing.less_binding(file);
                weighing.consider(&decided(file), &hint(file, new), less_binding);
            }
        });
        page = next?;
    }
    Ok(weighing.finish(ledger.undecided().await?))
}

/// Whether the set that waits, if there is one, lets the file go as well. An erasure request is an order of
/// its own under both sets: there the one that waits speaks for its holds and binding floors only.
pub(super) fn agrees(
    rules: &RuleSet,
    file: &FileRecord,
    holds: &Holds,
    now: Timestamp,
    purpose: Purpose,
) -> bool {
    rules.awaiting.as_deref().is_none_or(|waits| {
        let decision = decide(file, waits, holds, now);
        goes(&decision.verdict, purpose) && (purpose != Purpose::Erase || decision.erasure.is_some())
    })
}

/// Whether it is the set that waits, and nothing else, that keeps the file.
pub(super) fn objects(
    rules: &RuleSet,
    file: &FileRecord,
    holds: &Holds,
    now: Timestamp,
    purpose: Purpose,
) -> bool {
    !agrees(rules, file, holds, now, purpose) && goes(&decide(file, rules, holds, now).verdict, purpose)
}

/// Whether a file that was decided so is to be deleted for that purpose.
pub(super) const fn goes(verdict: &Verdict, purpose: Purpose) -> bool {
    match verdict {
        Verdict::Due => true,
        Verdict::DueObserved => matches!(purpose, Purpose::Show),
        Verdict::Erasure { .. } => matches!(purpose, Purpose::Erase),
        Verdict::NotYet
        | Verdict::Held { .. }
        | Verdict::Bound { .. }
        | Verdict::KeptForever { .. }
        | Verdict::Unowned
        | Verdict::NotEligible(_) => false,
    }
}

/// What the rules in force have decided of a file.
fn decided(file: &FileRecord) -> Hint {
    Hint {
        owner: file.owner.clone(),
        due_at: file.due_at,
        deadline_at: file.deadline_at,
    }
}
