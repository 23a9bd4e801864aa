//! Files that wait for a start beyond the deadline that their upload would have given them: kept, and a
//! breach in the making.

use std::collections::BTreeMap;

use crate::ledger::{AfterUpload, Ledger, LedgerError};
use crate::model::{BatchAddress, Holds, Timestamp};
use crate::rules::decide::{can_be_missing, overdue_without_start};
use crate::rules::policy::{Policy, RuleSet};
use crate::snapshot::{BatchFiles, WithoutStart};

/// Files a page.
const PAGE: u32 = 5_000;

/// Pages looked at for one policy. What lies beyond is not counted: the alarm is on long before.
const PAGES: usize = 10;

/// Batches named for one policy.
const NAMED: usize = 5;

/// `None` where no such file is found. Held ones are not late.
///
/// # Errors
/// The ledger's.
pub(super) async fn without_start(
    ledger: &dyn Ledger,
    rules: &RuleSet,
    policy: &Policy,
    holds: &Holds,
    now: Timestamp,
) -> Result<Option<WithoutStart>, LedgerError> {
    let mut clocks = std::iter::once(&policy.clock).chain(rules.floors.iter().map(|floor| &floor.clock));
    if !clocks.any(can_be_missing) {
        return Ok(None);
    }
    let Some(until) = now.checked_add_millis(-policy.delete_after.shortest_millis()) else {
        return Ok(None);
    };
    let mut after: Option<AfterUpload> = None;
    let mut batches: BTreeMap<BatchAddress, u64> = BTreeMap::new();
    for _ in 0..PAGES {
        let page = ledger
            .without_due(&policy.name, until, after.as_ref(), PAGE)
            .await?;
        let Some(last) = page.last() else { break };
        after = Some(AfterUpload {
            uploaded_at: last.uploaded_at,
            key: last.key.clone(),
        });
        let late = page.iter().filter(|file| {
            overdue_without_start(file, rules).is_some_and(|deadline| deadline < now)
                && holds.covering(file, Some(&policy.name), now).is_none()
        });
        for file in late {
            *batches.entry((*file.batch).clone()).or_default() += 1;
        }
    }
    let overdue = batches.values().sum();
    let mut batches: Vec<BatchFiles> = batches
        .into_iter()
        .map(|(batch, files)| BatchFiles { batch, files })
        .collect();
    batches.sort_by(|a, b| b.files.cmp(&a.files).then_with(|| a.batch.cmp(&b.batch)));
    batches.truncate(NAMED);
    Ok((overdue > 0).then(|| WithoutStart {
        policy: policy.name.to_string(),
        start: policy.clock.start.to_string(),
        overdue,
        batches,
    }))
}
