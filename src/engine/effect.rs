//! What a start event does to the due times of the files that it covers, told before it is recorded.
//!
//! Advice for whoever records it: the claim decides on the facts of its own moment.

use std::sync::Arc;

use serde::Serialize;

use crate::ledger::{Ledger, LedgerError};
use crate::model::{FileKey, FileRecord, NewEvent, Timestamp};
use crate::rules::decide::hint;
use crate::rules::policy::RuleSet;

/// Files a page.
const PAGE: u32 = 5_000;

/// Live and unknown files by what becomes of their due time; counts in files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// They had no due time and get one.
    pub dated: u64,
    /// They become due earlier than they were.
    pub earlier: u64,
    /// They become due later than they were.
    pub later: u64,
    /// They lose their due time.
    pub undated: u64,
    /// Nothing changes for them.
    pub unchanged: u64,
    /// Of those that are dated or earlier: due at once.
    pub due_at_once: u64,
}

/// The effect of `event` under `rules` at `now`. Reads only.
///
/// # Errors
/// The ledger's.
pub async fn effect_of(
    ledger: &dyn Ledger,
    rules: &RuleSet,
    event: &NewEvent,
    now: Timestamp,
) -> Result<Effect, LedgerError> {
    let mut effect = Effect::default();
    let mut after: Option<FileKey> = None;
    loop {
        let page = ledger.in_scope(&event.scope, after.as_ref(), PAGE).await?;
        for file in &page {
            effect.count(file, rules, event, now);
        }
        after = match page.into_iter().last() {
            Some(last) => Some(last.key),
            None => return Ok(effect),
        };
    }
}

impl Effect {
    fn count(&mut self, file: &FileRecord, rules: &RuleSet, event: &NewEvent, now: Timestamp) {
        let told = FileRecord {
            occurred: Arc::new(file.occurred.with(event)),
            ..file.clone()
        };
        let (before, then) = (hint(file, rules).due_at, hint(&told, rules).due_at);
        let sooner = match (before, then) {
            (None, Some(_)) => &mut self.dated,
            (Some(before), Some(then)) if then < before => &mut self.earlier,
            (Some(before), Some(then)) if then > before => {
                self.later += 1;
                return;
            }
            (Some(_), None) => {
                self.undated += 1;
                return;
            }
            (Some(_), Some(_)) | (None, None) => {
                self.unchanged += 1;
                return;
            }
        };
        *sooner += 1;
        let was_due = before.is_some_and(|due| due <= now);
        if !was_due && then.is_some_and(|due| due <= now) {
            self.due_at_once += 1;
        }
    }
}
