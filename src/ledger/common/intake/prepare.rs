//! What can be done before the database: shared names become indexes, a file named twice one row.

use std::collections::HashMap;
use std::hash::Hash;

use super::merge::{Facts, merge_attributes};
use crate::ledger::common::Attributes;
use crate::ledger::{Hinted, Recorded};
use crate::model::{BatchAddress, FileId, NewFile, PolicyName};
use crate::rules::policy::Hint;

/// A hint with its policy as an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) struct RowHint {
    pub(in crate::ledger) policy: Option<usize>,
    pub(in crate::ledger) due: Option<i64>,
    pub(in crate::ledger) deadline: Option<i64>,
    /// Whether it was found for the very facts beside it; if not, `rehint` looks again.
    pub(in crate::ledger) exact: bool,
}

/// One file, its shared names as indexes.
#[derive(Debug)]
pub(in crate::ledger) struct Row {
    pub(in crate::ledger) batch: usize,
    pub(in crate::ledger) file: FileId,
    pub(in crate::ledger) facts: Facts,
    pub(in crate::ledger) hint: RowHint,
}

/// A list of uploads, ready for the database.
#[derive(Debug, Default)]
pub(in crate::ledger) struct Prepared {
    pub(in crate::ledger) batches: Vec<BatchAddress>,
    pub(in crate::ledger) attributes: Vec<Attributes>,
    pub(in crate::ledger) policies: Vec<PolicyName>,
    /// By batch and file, none twice.
    pub(in crate::ledger) rows: Vec<Row>,
    /// Counts of the rows that repeated an earlier one of the same list.
    pub(in crate::ledger) folded: Recorded,
}

impl Prepared {
    pub(in crate::ledger) fn new(list: &[Hinted]) -> Self {
        let mut batches = Shared::default();
        let mut attributes = Shared::default();
        let mut policies = Shared::default();
        let mut rows: Vec<Row> = list
            .iter()
            .map(|hinted| {
                let file = &hinted.file;
                Row {
                    batch: batches.index(&file.address.batch),
                    file: file.address.file.clone(),
                    facts: Facts {
                        uploaded: file.uploaded_at.as_millis(),
                        processed: file.processed_at.map(|at| at.as_millis()),
                        attributes: attributes_of(file).map(|a| attributes.index(&a)),
                        subject: file.subject.clone(),
                        original: file
                            .copy_of
                            .as_ref()
                            .map(|o| (batches.index(&o.batch), o.file.as_str().to_owned())),
                    },
                    hint: row_hint(&hinted.hint, &mut policies),
                }
            })
            .collect();
        // Stable: of rows for one file the earlier one counts as known to the later one.
        rows.sort_by(|a, b| (a.batch, a.file.as_str()).cmp(&(b.batch, b.file.as_str())));
        let mut prepared = Self {
            batches: batches.list,
            attributes: Vec::new(),
            policies: policies.list,
            rows: Vec::with_capacity(rows.len()),
            folded: Recorded::default(),
        };
        for row in rows {
            prepared.fold(row, &mut attributes);
        }
        prepared.attributes = attributes.list;
        prepared
    }

    fn fold(&mut self, row: Row, attributes: &mut Shared<Attributes>) {
        let earlier = match self.rows.last_mut() {
            Some(last) if last.batch == row.batch && last.file == row.file => last,
            Some(_) | None => {
                self.rows.push(row);
                return;
            }
        };
        let merged = earlier.facts.merged(&row.facts, |a, b| {
            let merged = merge_attributes(&attributes.list[a], &attributes.list[b]);
            attributes.index(&merged)
        });
        if merged == earlier.facts {
            self.folded.known += 1;
            return;
        }
        self.folded.updated += 1;
        earlier.hint = RowHint {
            exact: merged == row.facts,
            ..row.hint
        };
        earlier.facts = merged;
    }
}

/// Values in the order first seen.
#[derive(Debug)]
struct Shared<T> {
    list: Vec<T>,
    index: HashMap<T, usize>,
    /// Neighbours in a list mostly share: comparing with the last is cheaper than hashing.
    last: usize,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            index: HashMap::new(),
            last: 0,
        }
    }
}

impl<T: Clone + Eq + Hash> Shared<T> {
    fn index(&mut self, value: &T) -> usize {
        if self.list.get(self.last) == Some(value) {
            return self.last;
        }
        let next = self.list.len();
        self.last = match self.index.get(value) {
            Some(known) => *known,
            None => {
                self.list.push(value.clone());
                self.index.insert(value.clone(), next);
                next
            }
        };
        self.last
    }
}

fn attributes_of(file: &NewFile) -> Option<Attributes> {
    let document_type = file.document_type.clone().filter(|text| !text.is_empty());
    if document_type.is_none() && file.labels.is_empty() {
        return None;
    }
    Some(Attributes {
        document_type,
        labels: file.labels.clone(),
    })
}

fn row_hint(hint: &Hint, policies: &mut Shared<PolicyName>) -> RowHint {
    RowHint {
        policy: hint.owner.as_ref().map(|name| policies.index(name)),
        due: hint.due_at.map(|at| at.as_millis()),
        // Nothing can be overdue that is never due.
        deadline: hint.due_at.and(hint.deadline_at).map(|at| at.as_millis()),
        exact: true,
    }
}
