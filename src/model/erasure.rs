//! Erasure requests: a person's right to have files deleted before their time (Art. 17 GDPR).

use std::collections::HashMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{BatchId, FileId, FileRecord, Timestamp};

/// Number of an erasure request, as shown to operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ErasureId(pub i64);

/// What an erasure request covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErasureScope {
    /// Every file of this data subject: the keyed HMAC in lower-case hex, never the person in clear.
    Subject(String),
    /// Every file with this id (in whichever batch), and its linked copies.
    File(FileId),
    /// Every file of each batch with this id, and their linked copies.
    Batch(BatchId),
}

/// An erasure request as it comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewErasure {
    /// What it covers.
    pub scope: ErasureScope,
    /// The operator's own reference, such as a case number: one request each.
    pub reference: String,
    /// The civil date on which it was received: the time for the answer counts from it.
    pub received: Date,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum Closing {
    /// Every copy that the ledger knows was verified gone.
    Verified,
    /// By an operator.
    ByOperator {
        /// Why, as a code of the operator's own.
        reason: String,
    },
}

/// An erasure request in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Erasure {
    /// Its number.
    pub id: ErasureId,
    /// What it covers.
    pub scope: ErasureScope,
    /// The operator's own reference.
    pub reference: String,
    /// The civil date on which it was received.
    pub received: Date,
    /// When it was entered: nothing is deleted on its strength before.
    pub placed_at: Timestamp,
    /// When it was closed; from then on it covers nothing.
    pub closed_at: Option<Timestamp>,
    /// How it was closed.
    pub closing: Option<Closing>,
}

impl Erasure {
    /// Whether `file` is in its scope. A copy is covered where its original is.
    #[must_use]
    pub fn covers(&self, file: &FileRecord) -> bool {
        let origin = file.copy_of.as_ref();
        match &self.scope {
            ErasureScope::Subject(subject) => file.subject.as_ref() == Some(subject),
            ErasureScope::File(id) => file.key.file == *id || origin.is_some_and(|o| o.file == *id),
            ErasureScope::Batch(id) => {
                file.batch.batch == *id || origin.is_some_and(|o| o.batch.batch == *id)
            }
        }
    }

    /// Whether it orders anything at `now`: entered and not closed.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.placed_at <= now && self.closed_at.is_none()
    }
}

/// Open erasure requests, indexed so that one question costs what its answer does.
#[derive(Debug, Clone, Default)]
pub struct Erasures {
    all: Vec<Erasure>,
    /// Places in `all`.
    by_subject: HashMap<String, Vec<usize>>,
    by_file: HashMap<FileId, Vec<usize>>,
    by_batch: HashMap<BatchId, Vec<usize>>,
}

impl Erasures {
    /// Indexes `requests`; closed ones may be among them.
    #[must_use]
    pub fn new(requests: impl IntoIterator<Item = Erasure>) -> Self {
        let mut index = Self::default();
        for (at, request) in requests.into_iter().enumerate() {
            match &request.scope {
                ErasureScope::Subject(subject) => {
                    index.by_subject.entry(subject.clone()).or_default().push(at);
                }
                ErasureScope::File(id) => index.by_file.entry(id.clone()).or_default().push(at),
                ErasureScope::Batch(id) => index.by_batch.entry(id.clone()).or_default().push(at),
            }
            index.all.push(request);
        }
        index
    }

    /// The requests, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &Erasure> {
        self.all.iter()
    }

    /// The oldest open request that covers `file` at `now`.
    #[must_use]
    pub fn covering(&self, file: &FileRecord, now: Timestamp) -> Option<&Erasure> {
        if self.all.is_empty() {
            return None;
        }
        let origin = file.copy_of.as_ref();
        let files = [Some(&file.key.file), origin.map(|o| &o.file)];
        let batches = [Some(&file.batch.batch), origin.map(|o| &o.batch.batch)];
        let by_subject = file.subject.iter().filter_map(|s| self.by_subject.get(s));
        let by_file = files.into_iter().flatten().filter_map(|id| self.by_file.get(id));
        let by_batch = batches
            .into_iter()
            .flatten()
            .filter_map(|id| self.by_batch.get(id));
        by_subject
            .chain(by_file)
            .chain(by_batch)
            .flatten()
            .map(|at| &self.all[*at])
            .filter(|request| request.is_open(now) && request.covers(file))
            .min_by_key(|request| request.id)
    }
}
