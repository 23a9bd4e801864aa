//! What a sweep counts while several batches run side by side.

use std::sync::Mutex;

use crate::model::SweepSummary;

/// A summary that several batches add to.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<SweepSummary>);

impl Tally {
    pub(super) fn add(&self, change: impl FnOnce(&mut SweepSummary)) {
        change(&mut self.0.lock().expect("no holder of this lock panics"));
    }

    pub(super) fn read(&self) -> SweepSummary {
        self.0.lock().expect("no holder of this lock panics").clone()
    }
}
