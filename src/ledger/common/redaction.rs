//! What a redaction goes by, and what a step of it did.

use std::collections::HashSet;

use crate::ledger::{Gone, RedactionStep};
use crate::model::{BatchKey, FileId, Timestamp};

/// A file, by the ledger's numbers.
pub(in crate::ledger) type Named = (BatchKey, FileId);

/// What a redaction goes by.
#[derive(Debug, Clone, Copy)]
pub(in crate::ledger) struct Cut {
    /// What was over before this instant goes.
    pub(in crate::ledger) before: Timestamp,
    pub(in crate::ledger) now: Timestamp,
}

/// What a step did.
pub(in crate::ledger) struct Done {
    pub(in crate::ledger) gone: Gone,
    /// The last leaf that lost its bytes.
    pub(in crate::ledger) last: Option<u64>,
    pub(in crate::ledger) next: Option<RedactionStep>,
}

/// A leaf to be judged: place, time, kind, bytes.
pub(in crate::ledger) type LeafRow = (i64, i64, String, Option<String>);

pub(in crate::ledger) fn young(row: &LeafRow, cut: Cut) -> bool {
    row.1 >= cut.before.as_millis()
}

/// The first leaf of our time ends it; one from the future is passed over, or it would keep all behind it.
pub(in crate::ledger) fn old_ones(rows: Vec<LeafRow>, cut: Cut) -> Vec<LeafRow> {
    let mut old: Vec<LeafRow> = rows
        .into_iter()
        .take_while(|row| !young(row, cut) || row.1 > cut.now.as_millis())
        .collect();
    // Behind the last old one there are none but those from the future.
    let end = old
        .iter()
        .rposition(|row| !young(row, cut))
        .map_or(0, |at| at + 1);
    old.truncate(end);
    old
}

/// Leaves of one step, as they were judged.
#[derive(Default)]
pub(in crate::ledger) struct Judged {
    pub(in crate::ledger) gone: Vec<u64>,
    pub(in crate::ledger) kept: Vec<(u64, HashSet<Named>)>,
    /// They last for ever, and are not looked at again.
    pub(in crate::ledger) lasting: u64,
    /// The place after the last of them; `None`: there was none.
    pub(in crate::ledger) next: Option<u64>,
}

impl Judged {
    pub(in crate::ledger) fn done(&self, next: RedactionStep) -> Done {
        Done {
            gone: Gone {
                leaves: self.gone.len() as u64,
                ..Gone::default()
            },
            last: self.gone.last().copied(),
            next: Some(next),
        }
    }
}

impl Done {
    pub(in crate::ledger) fn with_files(files: u64, next: RedactionStep) -> Self {
        Self {
            gone: Gone {
                files,
                ..Gone::default()
            },
            last: None,
            next: Some(next),
        }
    }
}
