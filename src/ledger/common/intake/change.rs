//! What changes of a live file that was known, when it is recorded again.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::merge::{Facts, merge_attributes};
use super::prepare::{Row, RowHint};
use crate::ledger::LedgerError;
use crate::ledger::common::Attributes;
use crate::ledger::common::problem::damaged;

/// The rule set of a file whose hints were found for other facts than it has now.
pub(in crate::ledger) const UNDECIDED: i64 = 0;

/// The ledger's numbers for the indexes of a [`Prepared`].
#[derive(Debug)]
pub(in crate::ledger) struct Numbers {
    pub(in crate::ledger) batches: Vec<i64>,
    pub(in crate::ledger) attributes: Vec<i64>,
    pub(in crate::ledger) policies: Vec<i64>,
    pub(in crate::ledger) rule_set: i64,
}

pub(in crate::ledger) fn rule_set(row: &Row, numbers: &Numbers) -> i64 {
    if row.hint.exact {
        numbers.rule_set
    } else {
        UNDECIDED
    }
}

/// Place in the page, then uploaded, processed, attributes, subject, original's batch and file.
pub(in crate::ledger) type KnownRow = (
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<String>,
);

/// A known file whose facts change. All indexes in it are numbers of the ledger.
pub(in crate::ledger) struct Change<'a> {
    pub(in crate::ledger) row: &'a Row,
    pub(in crate::ledger) facts: Facts,
    /// `None`: what the caller found was for other facts than these.
    pub(in crate::ledger) hint: Option<RowHint>,
}

pub(in crate::ledger) fn change<'a>(
    known: KnownRow,
    page: &[&'a Row],
    numbers: &Numbers,
    values: &mut Values,
) -> Result<Option<Change<'a>>, LedgerError> {
    let (at, uploaded, processed, attributes, subject, original_batch, original_file) = known;
    let row = usize::try_from(at)
        .ok()
        .and_then(|at| page.get(at).copied())
        .ok_or_else(|| damaged("a list of files was counted beyond its end"))?;
    let known = Facts {
        uploaded,
        processed,
        attributes: attributes.map(index).transpose()?,
        subject,
        original: match original_batch.zip(original_file) {
            Some((batch, file)) => Some((index(batch)?, file)),
            None => None,
        },
    };
    let new = numbered(&row.facts, numbers)?;
    let facts = known.merged(&new, |a, b| values.merge(a, b));
    if facts == known {
        return Ok(None);
    }
    let exact = row.hint.exact && facts == new;
    Ok(Some(Change {
        row,
        facts,
        hint: exact.then_some(row.hint),
    }))
}

fn numbered(facts: &Facts, numbers: &Numbers) -> Result<Facts, LedgerError> {
    Ok(Facts {
        attributes: facts
            .attributes
            .map(|at| index(numbers.attributes[at]))
            .transpose()?,
        original: match &facts.original {
            Some((batch, file)) => Some((index(numbers.batches[*batch])?, file.clone())),
            None => None,
        },
        ..facts.clone()
    })
}

pub(in crate::ledger) fn index(number: i64) -> Result<usize, LedgerError> {
    usize::try_from(number).map_err(|_| damaged(format!("{number} is no number of a row")))
}

impl Change<'_> {
    /// `[batch, file, uploaded, processed, attributes, subject, original batch, original file, has
    /// hint, policy, due, deadline, rule set]`
    pub(in crate::ledger) fn list(&self, numbers: &Numbers) -> Value {
        let original = self.facts.original.as_ref();
        let hint = self.hint;
        json!([
            numbers.batches[self.row.batch],
            self.row.file,
            self.facts.uploaded,
            self.facts.processed,
            self.facts.attributes,
            self.facts.subject,
            original.map(|o| o.0),
            original.map(|o| &o.1),
            hint.is_some(),
            hint.map(|h| h.policy.map_or(0, |at| numbers.policies[at])),
            hint.and_then(|h| h.due),
            hint.and_then(|h| h.deadline),
            hint.map_or(UNDECIDED, |_| numbers.rule_set),
        ])
    }
}

/// Attributes by number, and those that only merging made, which have none yet.
pub(in crate::ledger) struct Values {
    by_number: HashMap<usize, Attributes>,
    made: Vec<Attributes>,
}

impl Values {
    /// Numbers from here on stand for `made`: far beyond any row number.
    const MADE: usize = usize::MAX / 2;

    pub(in crate::ledger) fn new(by_number: HashMap<usize, Attributes>) -> Self {
        Self {
            by_number,
            made: Vec::new(),
        }
    }

    fn merge(&mut self, known: usize, new: usize) -> usize {
        // Both were loaded or interned in this transaction.
        let (a, b) = (&self.by_number[&known], &self.by_number[&new]);
        let merged = merge_attributes(a, b);
        if merged == *a {
            return known;
        }
        if merged == *b {
            return new;
        }
        if self.made.last() != Some(&merged) {
            self.made.push(merged);
        }
        Self::MADE + self.made.len() - 1
    }

    /// Those that need numbers.
    pub(in crate::ledger) fn made(&self) -> &[Attributes] {
        &self.made
    }

    /// Gives the made ones their numbers, in the order of [`Self::made`].
    pub(in crate::ledger) fn settle(made: &[i64], changes: &mut [Change<'_>]) -> Result<(), LedgerError> {
        for change in changes {
            let Some(attributes) = &mut change.facts.attributes else {
                continue;
            };
            if let Some(at) = attributes.checked_sub(Self::MADE) {
                *attributes = index(made[at])?;
            }
        }
        Ok(())
    }
}
