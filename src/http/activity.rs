//! What the service has done since it began, counted as it happens: the rest of the metrics' source.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::SweepState;

/// Counters that only rise, until the process ends.
#[derive(Debug)]
pub struct Activity {
    requests: Vec<(&'static str, AtomicU64)>,
    sweeps: [(SweepState, AtomicU64); SweepState::ALL.len()],
    deleted: AtomicU64,
    gone: AtomicU64,
    failures: AtomicU64,
}

impl Activity {
    /// Everything at zero; `outcomes` are the names of what a delete request can come to.
    #[must_use]
    pub fn new(outcomes: &[&'static str]) -> Self {
        Self {
            requests: outcomes.iter().map(|name| (*name, AtomicU64::new(0))).collect(),
            sweeps: SweepState::ALL.map(|state| (state, AtomicU64::new(0))),
            deleted: AtomicU64::new(0),
            gone: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    /// A delete request for `files` files is settled: `deleted`, `gone`, or neither.
    pub fn settled(&self, outcome: &str, deleted: u64, gone: u64) {
        if let Some((_, count)) = self.requests.iter().find(|(name, _)| *name == outcome) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.deleted.fetch_add(deleted, Ordering::Relaxed);
        self.gone.fetch_add(gone, Ordering::Relaxed);
    }

    /// A sweep ended.
    pub fn swept(&self, state: SweepState) {
        if let Some((_, count)) = self.sweeps.iter().find(|(of, _)| *of == state) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A turn or a sweep failed as a whole.
    pub fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn requests(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let read = |(name, count): &(&'static str, AtomicU64)| (*name, count.load(Ordering::Relaxed));
        self.requests.iter().map(read)
    }

    /// Without `open`: a sweep that ended is not open.
    pub(super) fn sweeps(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let ended = self.sweeps.iter().filter(|(state, _)| *state != SweepState::Open);
        ended.map(|(state, count)| (state.name(), count.load(Ordering::Relaxed)))
    }

    pub(super) fn deleted(&self) -> u64 {
        self.deleted.load(Ordering::Relaxed)
    }

    pub(super) fn gone(&self) -> u64 {
        self.gone.load(Ordering::Relaxed)
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
}
