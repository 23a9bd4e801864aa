//! Erasure requests, as figures.

use crate::engine::requests::standing;
use crate::ledger::{Ledger, LedgerError};
use crate::model::Timestamp;
use crate::rules::policy::RuleSet;
use crate::snapshot::ErasuresView;

/// The figures at `now`.
///
/// # Errors
/// The ledger's.
pub(super) async fn view(
    ledger: &dyn Ledger,
    rules: &RuleSet,
    now: Timestamp,
) -> Result<ErasuresView, LedgerError> {
    let open = standing(ledger, rules, true).await?;
    let sweep = &rules.erasure.sweep;
    let last_sweep = ledger.sweeps(Some(&sweep.name), 1).await?.into_iter().next();
    if open.is_empty() {
        return Ok(ErasuresView {
            last_sweep,
            ..ErasuresView::default()
        });
    }
    let count = |which: &dyn Fn(&crate::engine::requests::Standing) -> bool| {
        open.iter().filter(|request| which(request)).count() as u64
    };
    Ok(ErasuresView {
        open: open.len() as u64,
        without_files: count(&|request| request.files.known() == 0),
        files_left: open.iter().map(|request| request.files.left()).sum(),
        answer_by: open.iter().filter_map(|request| request.answer_by).min(),
        near: count(&|request| request.is_near(rules, now)),
        late: count(&|request| request.is_late(now)),
        next_run: sweep.schedule.next_after(now, &rules.zone),
        last_sweep,
    })
}
