//! From the ledger to a plan: the same road for a dry run and for a sweep, and no remote on it.

use super::change::objects;
use crate::ledger::{After, Ledger, LedgerError};
use crate::model::{FileKey, Holds, PolicyName, Timestamp};
use crate::rules::check::{Purpose, Violation};
use crate::rules::decide::hint;
use crate::rules::plan::{Plan, PlanBuilder};
use crate::rules::policy::{Mode, Policy, RuleSet};

/// Files a page when candidates are read.
const PAGE: u32 = 5_000;

/// Files a page when hints are renewed.
const REHINT_PAGE: u32 = 8_000;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The independent checker contradicts the decision: a defect; nothing may be deleted.
    #[error("the checker refuses the plan: {0}")]
    Check(#[from] Violation),
    /// No such policy.
    #[error("the policy file has no policy called `{0}`")]
    NoPolicy(PolicyName),
}

/// Brings every live file's hints to these rules, which are in force from then on. Cheap when they are;
/// resumable when not. Whether they may be is asked before: [`super::change::ask_leave`].
///
/// `progress` hears the number of files decided so far, and how many they will be.
///
/// # Errors
/// The ledger's.
pub async fn refresh_hints(
    ledger: &dyn Ledger,
    rules: &RuleSet,
    now: Timestamp,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<u64, LedgerError> {
    if !rules.source.is_empty() {
        ledger.keep_rule_text(&rules.digest, &rules.source, now).await?;
    }
    if ledger.adopt_rules(&rules.digest, &rules.describe(), now).await? {
        return Ok(0);
    }
    let mut seen = 0;
    loop {
        let page = ledger
            .rehint(&rules.digest, REHINT_PAGE, &|file| hint(file, rules))
            .await?;
        seen += page.seen;
        progress(seen, seen + page.left);
        if page.left == 0 {
            return Ok(seen);
        }
    }
}

/// Decides again what was marked for it, under rules that a sweep has adopted. Whether every live file
/// carries their hints then: not, where other rules are in force.
///
/// # Errors
/// The ledger's.
pub async fn renew_hints(ledger: &dyn Ledger, rules: &RuleSet) -> Result<bool, LedgerError> {
    loop {
        let page = ledger
            .rehint(&rules.digest, REHINT_PAGE, &|file| hint(file, rules))
            .await;
        match page {
            Ok(page) if page.left > 0 => {}
            Ok(_) => return Ok(true),
            Err(LedgerError::Conflict { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// What stands beside the rules at `now`: the holds in force and the open erasure requests.
///
/// # Errors
/// The ledger's.
pub async fn in_force(ledger: &dyn Ledger, now: Timestamp) -> Result<Holds, LedgerError> {
    let holds = ledger.holds(Some(now)).await?;
    Ok(Holds::new(holds).with_erasures(ledger.erasures(true).await?))
}

/// What a sweep of `policy`, or of the erasure requests, would do at `now`.
///
/// The hints must be current ([`refresh_hints`]); each candidate is decided anew all the same.
///
/// # Errors
/// The ledger's, and [`PlanError::Check`] when the independent checker disagrees.
pub async fn make_plan(
    ledger: &dyn Ledger,
    rules: &RuleSet,
    policy: &Policy,
    now: Timestamp,
) -> Result<Plan, PlanError> {
    let holds = in_force(ledger, now).await?;
    if rules.is_erasure(&policy.name) {
        return plan_of_requests(ledger, rules, &holds, now).await;
    }
    let live = ledger.live(&policy.name).await?;
    let mut builder = PlanBuilder::new(policy, rules, &holds, live, now);
    let mut after: Option<After> = None;
    loop {
        let page = ledger.due(&policy.name, now, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        let due_at = last.due_at.unwrap_or(now);
        after = Some(After {
            due_at,
            key: last.key.clone(),
        });
        for file in &page {
            if policy.mode == Mode::Observe || !objects(rules, file, &holds, now, Purpose::Send) {
                builder.consider(file);
            }
        }
    }
    Ok(builder.finish()?)
}

/// The files of all open erasure requests, held against all live files of the ledger: a request knows no
/// policy.
async fn plan_of_requests(
    ledger: &dyn Ledger,
    rules: &RuleSet,
    holds: &Holds,
    now: Timestamp,
) -> Result<Plan, PlanError> {
    let live = ledger.live_in_all().await?;
    let mut builder = PlanBuilder::new(&rules.erasure.sweep, rules, holds, live, now);
    let mut after: Option<FileKey> = None;
    loop {
        let page = ledger.erasable(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        for file in &page {
            if !objects(rules, file, holds, now, Purpose::Erase) {
                builder.consider(file);
            }
        }
    }
    Ok(builder.finish()?)
}
