//! Start events: what happened outside, from which rules count.

use async_trait::async_trait;
use serde::Serialize;

use crate::ledger::LedgerError;
use crate::model::{EventScope, FileKey, FileRecord, NewEvent, RecordedEvent, Timestamp};

/// What became of an event that the ledger was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum EventNoted {
    /// It is on record now.
    New {
        /// Files in its scope that are to be decided again.
        files: u64,
    },
    /// It was on record with the same time: nothing changed.
    Known,
    /// Its time replaced another one, which is kept.
    Corrected {
        /// The time before.
        before: Timestamp,
        /// Files in its scope that are to be decided again.
        files: u64,
    },
}

/// Start events. Every [`FileRecord`] that the ledger gives carries those in force that cover it, also where
/// they were recorded before the file, and inside a claim as they are then.
#[async_trait]
pub trait Events: Send + Sync {
    /// Takes an event in. Idempotent by name, scope and time. Another time for the same name and scope is
    /// a correction: it needs a reason (`Conflict` otherwise), and the old time is kept. In the same
    /// transaction every file in its scope that is neither deleted nor gone loses the mark that its hint
    /// is current: `hints_are_current` says no, and `rehint` decides it again.
    async fn add_event(&self, event: &NewEvent, at: Timestamp) -> Result<EventNoted, LedgerError>;

    /// Events in the order recorded; with `replaced`, those that a correction replaced too.
    async fn events(&self, replaced: bool) -> Result<Vec<RecordedEvent>, LedgerError>;

    /// Files in state `live` or `unknown` that an event with this scope covers, by id and batch, after the
    /// one given, at most `page`.
    async fn in_scope(
        &self,
        scope: &EventScope,
        after: Option<&FileKey>,
        page: u32,
    ) -> Result<Vec<FileRecord>, LedgerError>;
}
