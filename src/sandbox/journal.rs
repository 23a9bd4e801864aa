//! What was asked and what was removed: the sandbox's own account, which tests hold against the ledger's.
//!
//! Knows nothing of HTTP; written by the exchange and by every removal.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::Serialize;

use super::route::{Endpoint, Module};
use super::state::Place;

/// How much of a request's real operation took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Applied {
    /// All of it (or there was nothing to apply: a read, a refusal).
    Yes,
    /// The first half of the list.
    Half,
    /// Nothing, by a fault's wish.
    No,
    /// Nothing yet: it takes place after the answer.
    Later,
}

/// One request, in the order in which requests were decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestRecord {
    /// Number, from 1.
    pub sequence: u64,
    /// When, in ms UTC on the sandbox's clock.
    pub at_ms: i64,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The module the endpoint belongs to.
    pub module: Module,
    /// Method and path as received.
    pub line: String,
    /// Bytes of body received; 0 when the body was never read.
    pub body_bytes: u64,
    /// The parent id in the request, if it was a text.
    pub parent_id: Option<String>,
    /// The batch id in the request, if it was a text.
    pub batch_id: Option<String>,
    /// The file ids in the request, in order.
    pub file_ids: Vec<String>,
    /// The status answered; `None` when the connection was reset instead.
    pub status: Option<u16>,
    /// How much of the operation took place.
    pub applied: Applied,
    /// Files removed by it, neighbours and linked copies included.
    pub removed: usize,
    /// The fault that was played, if any.
    pub fault: Option<u64>,
}

/// Why a file was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The request named this file.
    Listed,
    /// The request meant a whole batch, classification or template, and named it.
    Parent,
    /// The request lacked an id, so the server reached for more: the hazard.
    Widened,
    /// A scripted fault took a file that nobody had named.
    Neighbour,
    /// The linked copy went with its classification file.
    LinkedCopy,
    /// A test removed it through the handle.
    Handle,
}

/// One removed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeletedFile {
    /// The request that did it; 0 for none.
    pub request: u64,
    /// When, in ms UTC on the sandbox's clock.
    pub at_ms: i64,
    /// The module it was in.
    pub module: Module,
    /// Its classification or template.
    pub parent_id: String,
    /// Its batch.
    pub batch_id: String,
    /// Its id.
    pub file_id: String,
    /// Why.
    pub cause: Cause,
}

/// A removed file as kept: shared ids instead of copies.
#[derive(Debug)]
pub(super) struct Removed {
    pub(super) request: u64,
    pub(super) at_ms: i64,
    pub(super) place: Place,
    pub(super) file: Arc<str>,
    pub(super) cause: Cause,
}

impl From<&Removed> for DeletedFile {
    fn from(removed: &Removed) -> Self {
        Self {
            request: removed.request,
            at_ms: removed.at_ms,
            module: removed.place.module,
            parent_id: removed.place.parent.to_string(),
            batch_id: removed.place.batch.to_string(),
            file_id: removed.file.to_string(),
            cause: removed.cause,
        }
    }
}

/// Requests (the last so many), counters (all), removals (all).
#[derive(Debug)]
pub(super) struct Journal {
    limit: usize,
    last_sequence: u64,
    requests: VecDeque<RequestRecord>,
    counts: BTreeMap<Endpoint, u64>,
    removed: Vec<Removed>,
}

impl Journal {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            last_sequence: 0,
            requests: VecDeque::new(),
            counts: BTreeMap::new(),
            removed: Vec::new(),
        }
    }

    /// The number of the request about to be decided.
    pub(super) fn next_sequence(&self) -> u64 {
        self.last_sequence + 1
    }

    pub(super) fn request(&mut self, record: RequestRecord) {
        self.last_sequence = record.sequence;
        *self.counts.entry(record.endpoint).or_default() += 1;
        self.requests.push_back(record);
        while self.requests.len() > self.limit {
            self.requests.pop_front();
        }
    }

    /// Completes the record of an operation that took place after its answer.
    pub(super) fn applied_late(&mut self, sequence: u64, removed: usize) {
        if let Some(record) = self
            .requests
            .iter_mut()
            .rev()
            .find(|record| record.sequence == sequence)
        {
            record.applied = Applied::Yes;
            record.removed = removed;
        }
    }

    pub(super) fn removed(&mut self, removed: Removed) {
        self.removed.push(removed);
    }

    pub(super) fn requests(&self) -> &VecDeque<RequestRecord> {
        &self.requests
    }

    pub(super) fn counts(&self) -> &BTreeMap<Endpoint, u64> {
        &self.counts
    }

    pub(super) fn count(&self, endpoint: Endpoint) -> u64 {
        self.counts.get(&endpoint).copied().unwrap_or(0)
    }

    pub(super) fn removals(&self) -> &[Removed] {
        &self.removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sequence: u64) -> RequestRecord {
        RequestRecord {
            sequence,
            at_ms: 0,
            endpoint: Endpoint::Credits,
            module: Module::Extraction,
            line: String::new(),
            body_bytes: 0,
            parent_id: None,
            batch_id: None,
            file_ids: Vec::new(),
            status: Some(200),
            applied: Applied::Later,
            removed: 0,
            fault: None,
        }
    }

    #[test]
    fn the_oldest_requests_go_first_but_stay_counted() {
        let mut journal = Journal::new(2);
        for _ in 0..3 {
            journal.request(record(journal.next_sequence()));
        }
        assert_eq!(
            journal
                .requests()
                .iter()
                .map(|record| record.sequence)
                .collect::<Vec<_>>(),
            [2, 3]
        );
        assert_eq!(journal.count(Endpoint::Credits), 3);
    }

    #[test]
    fn a_late_operation_completes_its_own_record() {
        let mut journal = Journal::new(9);
        journal.request(record(1));
        journal.request(record(2));
        journal.applied_late(1, 4);
        let applied: Vec<_> = journal
            .requests()
            .iter()
            .map(|record| (record.applied, record.removed))
            .collect();
        assert_eq!(applied, [(Applied::Yes, 4), (Applied::Later, 0)]);
    }
}
