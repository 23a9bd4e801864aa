//! Holds: while one covers a file, the file is never sent.

use serde::{Deserialize, Serialize};

use super::{BatchId, Erasure, Erasures, FileId, FileRecord, PolicyName, Timestamp};

/// Number of a hold, as shown to operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HoldId(pub i64);

/// What a hold covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldScope {
    /// Every file with this id (in whichever batch), and its linked copies.
    File(FileId),
    /// Every file of each batch with this id, and their linked copies.
    Batch(BatchId),
    /// Every file whose label `key` has this value.
    Label {
        /// Label key.
        key: String,
        /// Label value.
        value: String,
    },
    /// Every file that this policy owns.
    Policy(PolicyName),
}

/// A hold as it is placed. Reason and reference are codes of the operator's own, never names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHold {
    /// What it covers.
    pub scope: HoldScope,
    /// Reason code, such as `litigation`.
    pub reason: String,
    /// The operator's own reference, such as a case number.
    pub reference: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// When it has to be looked at again.
    pub review_by: Option<Timestamp>,
}

/// A hold in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// Its number.
    pub id: HoldId,
    /// What it covers.
    pub scope: HoldScope,
    /// Reason code.
    pub reason: String,
    /// The operator's own reference.
    pub reference: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// When it has to be looked at again.
    pub review_by: Option<Timestamp>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When somebody released it.
    pub released_at: Option<Timestamp>,
    /// When it stops covering: the release plus its cool-down.
    pub ends_at: Option<Timestamp>,
}

impl Hold {
    /// Whether it still covers at `now`: also during the cool-down after a release.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.ends_at.is_none_or(|end| now < end)
    }

    /// Whether `file`, owned by `owner`, is in its scope. A copy is covered where its original is.
    #[must_use]
    pub fn covers(&self, file: &FileRecord, owner: Option<&PolicyName>) -> bool {
        let origin = file.copy_of.as_ref();
        match &self.scope {
            HoldScope::File(id) => file.key.file == *id || origin.is_some_and(|o| o.file == *id),
            HoldScope::Batch(id) => file.batch.batch == *id || origin.is_some_and(|o| o.batch.batch == *id),
            HoldScope::Label { key, value } => file.labels.get(key).is_some_and(|v| v == value),
            HoldScope::Policy(name) => owner == Some(name),
        }
    }
}

/// What stands beside the rules: the holds in force and the open erasure requests, indexed so that one
/// question costs what its answer does.
#[derive(Debug, Clone, Default)]
pub struct Holds {
    erasures: Erasures,
    by_file: std::collections::HashMap<FileId, Vec<Hold>>,
    by_batch: std::collections::HashMap<BatchId, Vec<Hold>>,
    wide: Vec<Hold>,
}

impl Holds {
    /// Indexes `holds`; ended ones may be among them.
    #[must_use]
    pub fn new(holds: impl IntoIterator<Item = Hold>) -> Self {
        let mut index = Self::default();
        for hold in holds {
            match &hold.scope {
                HoldScope::File(id) => index.by_file.entry(id.clone()).or_default().push(hold),
                HoldScope::Batch(id) => index.by_batch.entry(id.clone()).or_default().push(hold),
                HoldScope::Label { .. } | HoldScope::Policy(_) => index.wide.push(hold),
            }
        }
        index
    }

    /// The same holds, and these erasure requests; closed ones may be among them.
    #[must_use]
    pub fn with_erasures(self, requests: impl IntoIterator<Item = Erasure>) -> Self {
        Self {
            erasures: Erasures::new(requests),
            ..self
        }
    }

    /// The erasure requests. A hold always comes before them.
    #[must_use]
    pub const fn erasures(&self) -> &Erasures {
        &self.erasures
    }

    /// An active hold on all files of `policy`.
    #[must_use]
    pub fn on_policy(&self, policy: &PolicyName, now: Timestamp) -> Option<&Hold> {
        self.wide
            .iter()
            .find(|hold| hold.is_active(now) && hold.scope == HoldScope::Policy(policy.clone()))
    }

    /// The oldest active hold that covers `file`, owned by `owner`, at `now`.
    #[must_use]
    pub fn covering(&self, file: &FileRecord, owner: Option<&PolicyName>, now: Timestamp) -> Option<&Hold> {
        let origin = file.copy_of.as_ref();
        let files = [Some(&file.key.file), origin.map(|o| &o.file)];
        let batches = [Some(&file.batch.batch), origin.map(|o| &o.batch.batch)];
        let by_file = files
            .into_iter()
            .flatten()
            .filter_map(|id| self.by_file.get(id))
            .flatten();
        let by_batch = batches
            .into_iter()
            .flatten()
            .filter_map(|id| self.by_batch.get(id))
            .flatten();
        by_file
            .chain(by_batch)
            .chain(&self.wide)
            .filter(|hold| hold.is_active(now) && hold.covers(file, owner))
            .min_by_key(|hold| hold.id)
    }
}
