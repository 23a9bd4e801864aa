//! A changed policy file: what it changes, in files.

use serde::Serialize;

use crate::ledger::{Ledger, LedgerError};
use crate::model::Timestamp;
use crate::rules::policy::RuleSet;

/// What a changed rule set means for the files at hand: the counts before and after it took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Impact {
    /// Live files due under the old rules.
    pub due_before: u64,
    /// Live files due under the new rules.
    pub due_after: u64,
    /// Live files without an owner under the old rules.
    pub unowned_before: u64,
    /// Live files without an owner under the new rules.
    pub unowned_after: u64,
}

/// Live files that are due, and live files that nobody owns.
pub(super) async fn counts(ledger: &dyn Ledger, now: Timestamp) -> Result<(u64, u64), LedgerError> {
    let tallies = ledger.tallies(now).await?;
    let due = tallies
        .iter()
        .filter(|(owner, _)| owner.is_some())
        .map(|(_, tally)| tally.due)
        .sum();
    let unowned = tallies
        .get(&None)
        .and_then(|tally| tally.by_state.get("live"))
        .copied()
        .unwrap_or(0);
    Ok((due, unowned))
}

/// What must not change while the daemon runs.
pub(super) fn needs_restart(old: &crate::config::Checked, new: &crate::config::Checked) -> Vec<&'static str> {
    let mut fixed = Vec::new();
    if old.ledger.path != new.ledger.path {
        fixed.push("[ledger] url");
    }
    if old.extracta != new.extracta {
        fixed.push("[extracta]");
    }
    if old.log != new.log {
        fixed.push("[log]");
    }
    fixed
}

/// Whether two rule sets can differ in what is due when.
pub(super) fn same_rules(old: &RuleSet, new: &RuleSet) -> bool {
    old.digest == new.digest
}
