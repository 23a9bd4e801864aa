//! Holds: while one covers a file, the file is never sent.

use serde::{Deserialize, Serialize};

use super::{BatchId, Erasure, Erasures, FileId, FileRecord, Labels, PolicyName, Timestamp};

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

/// What of a file the scopes of holds speak of.
#[derive(Debug, Clone, Copy)]
pub struct Holdable<'f> {
    /// Its id.
    pub file: &'f FileId,
    /// Its batch.
    pub batch: &'f BatchId,
    /// File and batch of its original, if it is a linked copy.
    pub original: Option<(&'f FileId, &'f BatchId)>,
    /// Its labels.
    pub labels: &'f Labels,
    /// The policy that owns it.
    pub owner: Option<&'f PolicyName>,
}

impl<'f> Holdable<'f> {
    /// Of `file`, owned by `owner`.
    #[must_use]
    pub fn of(file: &'f FileRecord, owner: Option<&'f PolicyName>) -> Self {
        Self {
            file: &file.key.file,
            batch: &file.batch.batch,
            original: file.copy_of.as_ref().map(|o| (&o.file, &o.batch.batch)),
            labels: &file.labels,
            owner,
        }
    }
}

impl HoldScope {
    /// Whether `file` is in it. A copy is covered where its original is.
    #[must_use]
    pub fn covers(&self, file: &Holdable<'_>) -> bool {
        match self {
            Self::File(id) => file.file == id || file.original.is_some_and(|(of, _)| of == id),
            Self::Batch(id) => file.batch == id || file.original.is_some_and(|(_, of)| of == id),
            Self::Label { key, value } => file.labels.get(key).is_some_and(|v| v == value),
            Self::Policy(name) => file.owner == Some(name),
        }
    }
}

impl Hold {
    /// Whether it still covers at `now`: also during the cool-down after a release.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.ends_at.is_none_or(|end| now < end)
    }

    /// Whether it covered at some time from `from` on and before `until`.
    #[must_use]
    pub fn stood_between(&self, from: Timestamp, until: Timestamp) -> bool {
        self.placed_at < until && self.is_active(from)
    }

    /// Whether `file`, owned by `owner`, is in its scope.
    #[must_use]
    pub fn covers(&self, file: &FileRecord, owner: Option<&PolicyName>) -> bool {
        self.scope.covers(&Holdable::of(file, owner))
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
        self.candidates(&Holdable::of(file, owner))
            .filter(|hold| hold.is_active(now) && hold.covers(file, owner))
            .min_by_key(|hold| hold.id)
    }

    /// Whether any hold covered `file` at some time from `from` on and before `until`.
    #[must_use]
    pub fn covered_between(&self, file: &Holdable<'_>, from: Timestamp, until: Timestamp) -> bool {
        self.candidates(file)
            .any(|hold| hold.stood_between(from, until) && hold.scope.covers(file))
    }

    /// All that may cover it.
    fn candidates<'h>(&'h self, file: &Holdable<'_>) -> impl Iterator<Item = &'h Hold> {
        let files = [Some(file.file), file.original.map(|(file, _)| file)];
        let batches = [Some(file.batch), file.original.map(|(_, batch)| batch)];
        let [by_file, by_original] = files.map(|id| id.and_then(|id| self.by_file.get(id)));
        let [by_batch, by_its] = batches.map(|id| id.and_then(|id| self.by_batch.get(id)));
        [by_file, by_original, by_batch, by_its]
            .into_iter()
            .flatten()
            .flatten()
            .chain(&self.wide)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(hours * 3_600_000).unwrap()
    }

    #[test]
    fn a_hold_of_the_past_is_found_by_every_scope_within_its_time_alone() {
        let id = |text: &str| FileId::new(text).unwrap();
        let batch = |text: &str| BatchId::new(text).unwrap();
        let (file, of, own, its) = (id("f"), id("o"), batch("b"), batch("ob"));
        let labels = Labels::from([("tenant".to_owned(), "acme".to_owned())]);
        let owner = PolicyName::new("p").unwrap();
        let held = Holdable {
            file: &file,
            batch: &own,
            original: Some((&of, &its)),
            labels: &labels,
            owner: Some(&owner),
        };
        let label = |value: &str| HoldScope::Label {
            key: "tenant".to_owned(),
            value: value.to_owned(),
        };
        let scopes = [
            (HoldScope::File(id("f")), true),
            (HoldScope::File(id("o")), true),
            (HoldScope::File(id("b")), false),
            (HoldScope::Batch(batch("b")), true),
            (HoldScope::Batch(batch("ob")), true),
            (HoldScope::Batch(batch("f")), false),
            (label("acme"), true),
            (label("other"), false),
            (HoldScope::Policy(owner.clone()), true),
            (HoldScope::Policy(PolicyName::new("q").unwrap()), false),
        ];
        for (scope, covers) in scopes {
            let hold = Hold {
                id: HoldId(1),
                scope,
                reason: "litigation".to_owned(),
                reference: None,
                owner: None,
                review_by: None,
                placed_at: at(10),
                released_at: Some(at(15)),
                ends_at: Some(at(20)),
            };
            let holds = Holds::new([hold.clone()]);
            for (from, until, stood) in [(0, 10, false), (0, 11, true), (19, 30, true), (20, 30, false)] {
                assert_eq!(
                    holds.covered_between(&held, at(from), at(until)),
                    covers && stood,
                    "{:?} from {from} until {until}",
                    hold.scope
                );
            }
        }
    }
}
