//! What is kept when a known file is recorded again: gaps are filled, the upload only moves later.

use crate::ledger::common::Attributes;

/// The facts of one file; `attributes` and the original's batch are indexes or numbers of the
/// caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ledger) struct Facts {
    pub(in crate::ledger) uploaded: i64,
    pub(in crate::ledger) processed: Option<i64>,
    pub(in crate::ledger) attributes: Option<usize>,
    pub(in crate::ledger) subject: Option<String>,
    pub(in crate::ledger) original: Option<(usize, String)>,
}

impl Facts {
    /// These facts, with the gaps filled from `new` and a later upload taken over.
    pub(in crate::ledger) fn merged(&self, new: &Self, mut both: impl FnMut(usize, usize) -> usize) -> Self {
        Self {
            // Recording again may postpone a deletion, never advance it.
            uploaded: self.uploaded.max(new.uploaded),
            processed: self.processed.or(new.processed),
            attributes: match (self.attributes, new.attributes) {
                (Some(a), Some(b)) if a != b => Some(both(a, b)),
                (known, other) => known.or(other),
            },
            subject: self.subject.clone().or_else(|| new.subject.clone()),
            original: self.original.clone().or_else(|| new.original.clone()),
        }
    }
}

/// What is known stays; only missing labels and a missing document type are added.
pub(in crate::ledger) fn merge_attributes(known: &Attributes, new: &Attributes) -> Attributes {
    let mut labels = new.labels.clone();
    labels.extend(known.labels.clone());
    Attributes {
        document_type: known.document_type.clone().or_else(|| new.document_type.clone()),
        labels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(document_type: Option<&str>, labels: &[(&str, &str)]) -> Attributes {
        Attributes {
            document_type: document_type.map(str::to_owned),
            labels: labels
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn known_labels_win_and_missing_ones_are_added() {
        let known = attributes(None, &[("tenant", "acme")]);
        let new = attributes(Some("resume"), &[("tenant", "other"), ("department", "hr")]);
        assert_eq!(
            merge_attributes(&known, &new),
            attributes(Some("resume"), &[("tenant", "acme"), ("department", "hr")])
        );
    }

    #[test]
    fn merging_facts_with_themselves_changes_nothing() {
        let facts = Facts {
            uploaded: 5,
            processed: None,
            attributes: Some(1),
            subject: Some("ab".to_owned()),
            original: None,
        };
        assert_eq!(facts.merged(&facts, |a, _| a), facts);
    }
}
