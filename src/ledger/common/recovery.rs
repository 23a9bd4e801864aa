//! Where a recovery stands, and what a lost request said.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ledger::{BroughtBack, LostLine, UnderWay};
use crate::model::{FileAddress, FileState, Timestamp};
use crate::outcome::{FileEvent, next_state};

/// Numbers that the lost line gave, and those that the facts have now.
pub(in crate::ledger) type Numbers = BTreeMap<i64, i64>;

/// Where a recovery stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::ledger) struct Standing {
    pub(in crate::ledger) line: LostLine,
    pub(in crate::ledger) next: u64,
    pub(in crate::ledger) holds: Numbers,
    pub(in crate::ledger) erasures: Numbers,
    pub(in crate::ledger) sweeps: Numbers,
    /// Only those without an outcome yet.
    pub(in crate::ledger) attempts: Numbers,
    /// Requests that were closed as verified, and when.
    pub(in crate::ledger) verified: Vec<(i64, Timestamp)>,
    pub(in crate::ledger) done: BroughtBack,
}

impl Standing {
    pub(in crate::ledger) fn under_way(&self) -> UnderWay {
        UnderWay {
            line: self.line.clone(),
            next: self.next,
        }
    }
}

/// What an outcome of then said.
pub(in crate::ledger) struct Said<'s> {
    pub(in crate::ledger) outcome: &'s str,
    pub(in crate::ledger) http_status: Option<u16>,
    pub(in crate::ledger) files: &'s [(FileAddress, FileState)],
    pub(in crate::ledger) at: Timestamp,
}

pub(in crate::ledger) fn ended(events: impl Iterator<Item = FileEvent>) -> u64 {
    let ends = |event: &FileEvent| {
        next_state(FileState::Deleting, *event)
            .is_ok_and(|to| matches!(to, FileState::Deleted | FileState::Gone))
    };
    events.filter(ends).count() as u64
}

/// `Outcome::label` of then; one that is not known says nothing.
pub(in crate::ledger) fn label(outcome: &str) -> &'static str {
    const LABELS: [&str; 8] = [
        "not-sent",
        "confirmed",
        "gone",
        "auth",
        "too-large",
        "refused",
        "wait",
        "server-error",
    ];
    LABELS
        .into_iter()
        .find(|label| *label == outcome)
        .unwrap_or("unknown")
}
