//! Start events: what happened outside (a contract ended, a document was dated), and when. A rule whose
//! clock is `event:NAME` counts from it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{BatchId, FileId, FileRecord, Timestamp};

/// Longest name of an event, in bytes.
pub const MAX_EVENT_NAME_BYTES: usize = 64;

/// The name of an event, as the policy file spells it after `event:`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventName(Arc<str>);

/// Why a text is no name of an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no name of an event: 1 to {MAX_EVENT_NAME_BYTES} letters, digits, `-`, `_` and `.`, such as contract-ended"
)]
pub struct InvalidEventName {
    /// What was given, shortened to 64 characters.
    text: String,
}

impl EventName {
    /// Accepts 1 to [`MAX_EVENT_NAME_BYTES`] ASCII letters, digits, `-`, `_` and `.`.
    ///
    /// # Errors
    /// [`InvalidEventName`] for any other text.
    pub fn new(text: &str) -> Result<Self, InvalidEventName> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.is_empty() || text.len() > MAX_EVENT_NAME_BYTES || !text.chars().all(plain) {
            let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
            return Err(InvalidEventName {
                text: text.chars().take(64).map(shown).collect(),
            });
        }
        Ok(Self(text.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventName({:?})", &self.0)
    }
}

impl TryFrom<String> for EventName {
    type Error = InvalidEventName;
    fn try_from(text: String) -> Result<Self, InvalidEventName> {
        Self::new(&text)
    }
}

impl std::str::FromStr for EventName {
    type Err = InvalidEventName;
    fn from_str(text: &str) -> Result<Self, InvalidEventName> {
        Self::new(text)
    }
}

impl From<EventName> for String {
    fn from(name: EventName) -> String {
        name.0.to_string()
    }
}

/// Which files an event is recorded for; files that are recorded later are among them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventScope {
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
}

impl EventScope {
    /// Every scope that `file` is in: its id, its batch, its labels, and where it is a linked copy its
    /// original's id and batch.
    #[must_use]
    pub fn of(file: &FileRecord) -> BTreeSet<Self> {
        let origin = file.copy_of.as_ref();
        let files = [Some(&file.key.file), origin.map(|o| &o.file)];
        let batches = [Some(&file.batch.batch), origin.map(|o| &o.batch.batch)];
        let labels = file.labels.iter().map(|(key, value)| Self::Label {
            key: key.clone(),
            value: value.clone(),
        });
        labels
            .chain(files.into_iter().flatten().cloned().map(Self::File))
            .chain(batches.into_iter().flatten().cloned().map(Self::Batch))
            .collect()
    }
}

impl fmt::Display for EventScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(id) => write!(f, "file {id}"),
            Self::Batch(id) => write!(f, "batch {id}"),
            Self::Label { key, value } => write!(f, "label {key}={value}"),
        }
    }
}

/// An event as it is told to the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// What happened.
    pub name: EventName,
    /// To which files.
    pub scope: EventScope,
    /// When.
    pub at: Timestamp,
    /// Why this time replaces the one on record: a code of the operator's own.
    pub reason: Option<String>,
}

/// An event in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordedEvent {
    /// Its number.
    pub id: i64,
    /// What happened.
    pub name: EventName,
    /// To which files.
    pub scope: EventScope,
    /// When.
    pub at: Timestamp,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Why it replaced the one before.
    pub reason: Option<String>,
    /// When a correction replaced it; `None`: it is in force.
    pub replaced_at: Option<Timestamp>,
}

/// One record of an event that covers a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// What happened.
    pub name: EventName,
    /// For which files it was recorded.
    pub scope: EventScope,
    /// When it happened.
    pub at: Timestamp,
}

/// The events in force that cover one file.
///
/// Several records may speak of one event (for the file, its batch, a label). **The latest time counts**,
/// whichever scope it was recorded for: of two answers the later one is never early.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Occurred(Vec<Occurrence>);

impl Occurred {
    /// From the records that cover a file.
    #[must_use]
    pub fn new(records: Vec<Occurrence>) -> Self {
        Self(records)
    }

    /// Every record, in no particular order.
    #[must_use]
    pub fn all(&self) -> &[Occurrence] {
        &self.0
    }

    /// The record of `name` that counts: the latest.
    #[must_use]
    pub fn latest(&self, name: &EventName) -> Option<&Occurrence> {
        self.of(name).max_by_key(|record| record.at)
    }

    /// How many records speak of `name`.
    #[must_use]
    pub fn count(&self, name: &EventName) -> usize {
        self.of(name).count()
    }

    /// As it would be with `event` on record: in place of the one of the same name and scope.
    #[must_use]
    pub fn with(&self, event: &NewEvent) -> Self {
        let mut records = self.0.clone();
        records.retain(|record| record.name != event.name || record.scope != event.scope);
        records.push(Occurrence {
            name: event.name.clone(),
            scope: event.scope.clone(),
            at: event.at,
        });
        Self(records)
    }

    fn of(&self, name: &EventName) -> impl Iterator<Item = &Occurrence> {
        self.0.iter().filter(move |record| record.name == *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(scope: EventScope, at: &str) -> NewEvent {
        NewEvent {
            name: EventName::new("contract-ended").unwrap(),
            scope,
            at: at.parse().unwrap(),
            reason: None,
        }
    }

    #[test]
    fn names_are_plain_words() {
        for good in ["contract-ended", "a", "DOC_date.2", &"x".repeat(64)] {
            assert!(EventName::new(good).is_ok(), "{good}");
        }
        for bad in ["", " ", "two words", "a:b", "ä", "a\n", &"x".repeat(65)] {
            assert!(EventName::new(bad).is_err(), "{bad:?}");
        }
        assert!(!EventName::new("a\nb").unwrap_err().to_string().contains('\n'));
    }

    #[test]
    fn of_several_records_the_latest_counts_whatever_its_scope() {
        let file = EventScope::File(FileId::new("f1").unwrap());
        let batch = EventScope::Batch(BatchId::new("b1").unwrap());
        let late = event(batch, "2026-03-01T00:00:00Z");
        let early = event(file.clone(), "2026-02-01T00:00:00Z");
        let both = Occurred::default().with(&late).with(&early);
        assert_eq!(both.count(&late.name), 2);
        assert_eq!(both.latest(&late.name).unwrap().at, late.at);
        // A correction takes the place of the record with the same scope, and of no other.
        let corrected = both.with(&event(file, "2026-04-01T00:00:00Z"));
        assert_eq!(corrected.count(&late.name), 2);
        assert_eq!(
            corrected.latest(&late.name).unwrap().at.to_string(),
            "2026-04-01T00:00:00Z"
        );
        assert!(both.latest(&EventName::new("other").unwrap()).is_none());
    }
}
