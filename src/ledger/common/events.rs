//! Start events as rows, and which of them cover which file.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::problem::damaged;
use super::values::{file_id, optional, timestamp};
use crate::ledger::LedgerError;
use crate::model::{
    BatchAddress, BatchId, EventName, EventScope, Labels, Occurred, Occurrence, RecordedEvent,
};

/// Kind, label key, value: how a scope lies in the table.
pub(in crate::ledger) fn columns(scope: &EventScope) -> (&'static str, Option<&str>, &str) {
    match scope {
        EventScope::File(id) => ("file", None, id.as_str()),
        EventScope::Batch(id) => ("batch", None, id.as_str()),
        EventScope::Label { key, value } => ("label", Some(key), value),
    }
}

pub(in crate::ledger) fn scope(
    kind: &str,
    key: Option<String>,
    value: String,
) -> Result<EventScope, LedgerError> {
    let bad = |error: crate::model::InvalidId| damaged(format!("start_events: {error}"));
    match (kind, key) {
        ("file", None) => Ok(EventScope::File(file_id(value)?)),
        ("batch", None) => Ok(EventScope::Batch(BatchId::new(value).map_err(bad)?)),
        ("label", Some(key)) => Ok(EventScope::Label { key, value }),
        (other, _) => Err(damaged(format!("start_events: `{other}` is no scope"))),
    }
}

pub(in crate::ledger) fn event_name(text: &str) -> Result<EventName, LedgerError> {
    EventName::new(text).map_err(|error| damaged(format!("start_events: {error}")))
}

/// The events that cover files of one page.
#[derive(Debug, Default)]
pub(in crate::ledger) struct Index {
    by_scope: HashMap<EventScope, Vec<Occurrence>>,
    none: Arc<Occurred>,
}

/// Name, kind of scope, label key, value, time.
pub(in crate::ledger) type Row = (String, String, Option<String>, String, i64);

impl Index {
    pub(in crate::ledger) fn new(rows: Vec<Row>) -> Result<Self, LedgerError> {
        let mut by_scope: HashMap<EventScope, Vec<Occurrence>> = HashMap::new();
        for (name, kind, key, value, happened_at) in rows {
            let scope = scope(&kind, key, value)?;
            let occurrence = Occurrence {
                name: event_name(&name)?,
                scope: scope.clone(),
                at: timestamp(happened_at)?,
            };
            by_scope.entry(scope).or_default().push(occurrence);
        }
        Ok(Self {
            by_scope,
            none: Arc::default(),
        })
    }

    /// Those that cover one file: by its id and batch, by its original's, by its labels.
    pub(in crate::ledger) fn of(
        &self,
        file: &str,
        batch: &BatchAddress,
        original: Option<(&str, &BatchAddress)>,
        labels: &Labels,
    ) -> Result<Arc<Occurred>, LedgerError> {
        if self.by_scope.is_empty() {
            return Ok(Arc::clone(&self.none));
        }
        let mut scopes: BTreeSet<EventScope> = labels
            .iter()
            .map(|(key, value)| EventScope::Label {
                key: key.clone(),
                value: value.clone(),
            })
            .collect();
        for (file, batch) in [(file, batch)].into_iter().chain(original) {
            scopes.insert(EventScope::File(file_id(file.to_owned())?));
            scopes.insert(EventScope::Batch(batch.batch.clone()));
        }
        let records: Vec<Occurrence> = scopes
            .iter()
            .filter_map(|scope| self.by_scope.get(scope))
            .flatten()
            .cloned()
            .collect();
        if records.is_empty() {
            return Ok(Arc::clone(&self.none));
        }
        Ok(Arc::new(Occurred::new(records)))
    }
}

pub(in crate::ledger) type EventRow = (
    i64,
    String,
    String,
    Option<String>,
    String,
    i64,
    i64,
    Option<String>,
    Option<i64>,
);

pub(in crate::ledger) fn event(row: EventRow) -> Result<RecordedEvent, LedgerError> {
    let (id, name, kind, key, value, happened_at, recorded_at, reason, replaced_at) = row;
    Ok(RecordedEvent {
        id,
        name: event_name(&name)?,
        scope: scope(&kind, key, value)?,
        at: timestamp(happened_at)?,
        recorded_at: timestamp(recorded_at)?,
        reason,
        replaced_at: optional(replaced_at)?,
    })
}
