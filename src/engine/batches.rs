//! A plan's files by batch: places into the plan instead of copies, since a plan may hold a million files.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::batch::Target;
use super::run::Batch;
use crate::model::AccountName;
use crate::rules::plan::{Plan, PlannedFile};

/// Batches in the order of their first appearance in the plan, each one's files in the plan's order.
pub(super) struct ByBatch<'p> {
    plan: &'p Plan,
    /// Places in the plan, batch after batch.
    places: Vec<u32>,
    /// Where in `places` each batch lies; none is empty.
    batches: Vec<Range<usize>>,
}

impl<'p> ByBatch<'p> {
    /// Those of one account: nothing of another's is ever worked on with its key.
    pub(super) fn new(plan: &'p Plan, account: Option<&AccountName>) -> Self {
        let is_ours = |file: &PlannedFile| file.batch().account.as_ref() == account;
        let mut counts: Vec<usize> = Vec::new();
        let mut numbers = HashMap::new();
        for file in plan.files.iter().filter(|file| is_ours(file)) {
            let number = *numbers.entry(file.key()).or_insert(counts.len());
            if number == counts.len() {
                counts.push(0);
            }
            counts[number] += 1;
        }
        let mut batches = Vec::with_capacity(counts.len());
        let mut ends = Vec::with_capacity(counts.len());
        let mut begin = 0;
        for count in counts {
            batches.push(begin..begin + count);
            ends.push(begin);
            begin += count;
        }
        let mut places = vec![0; begin];
        for (place, file) in (0_u32..).zip(&plan.files).filter(|(_, file)| is_ours(file)) {
            let end = &mut ends[numbers[&file.key()]];
            places[*end] = place;
            *end += 1;
        }
        Self {
            plan,
            places,
            batches,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.batches.len()
    }

    /// One batch and what is to be deleted in it, by its number below [`count`](Self::count).
    pub(super) fn get(&self, number: usize) -> (Batch, Vec<Target>) {
        let files = || {
            self.places[self.batches[number].clone()]
                .iter()
                .map(|place| self.file(*place))
        };
        let first = files().next().expect("no batch of a plan is empty");
        let batch = Batch {
            key: first.key(),
            address: Arc::clone(first.batch()),
            is_copy: false,
        };
        let targets = files().map(|file| Target {
            file: file.file(),
            deadline_at: file.deadline_at,
        });
        (batch, targets.collect())
    }

    fn file(&self, place: u32) -> &'p PlannedFile {
        &self.plan.files[place as usize]
    }
}
