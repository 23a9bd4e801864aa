//! What everything that one process does in one sweep has in common: when to stop, to wait, to slow down, what to believe.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::stop::Stop;
use super::sweep::Settings;
use super::throttle::{Leave, Throttle};
use crate::model::ClockMark;

/// First files that may be refused before the sweep stops.
const CANARY_TRIES: u32 = 3;

/// The course of one sweep in this process.
pub(super) struct Course<'a> {
    pub(super) throttle: Throttle,
    pub(super) bisections: AtomicU32,
    /// Most files a request: falls when the API finds a list too long.
    pub(super) chunk: AtomicUsize,
    /// This account has shown a batch of the ledger, or confirmed a deletion. Until then "does not
    /// exist" may only mean that the key is somebody else's.
    pub(super) proven: AtomicBool,
    pub(super) failures: AtomicU32,
    /// Others do, or did, some of it: the ledger shows what it all came to.
    pub(super) with_others: AtomicBool,
    /// One deletion of this sweep was verified: the rest may follow.
    canary: AtomicBool,
    canary_tries: AtomicU32,
    /// The reading that the clock witnesses vouched for when the sweep began.
    base: Mutex<Option<ClockMark>>,
    /// The API asked all of this sweep to wait until then.
    quiet_until: Mutex<Option<tokio::time::Instant>>,
    pub(super) cancel: &'a CancellationToken,
    halt: Mutex<Option<Stop>>,
}

impl<'a> Course<'a> {
    pub(super) fn new(settings: &Settings, cancel: &'a CancellationToken) -> Self {
        Self {
            throttle: Throttle::new(settings.concurrency),
            bisections: AtomicU32::new(0),
            chunk: AtomicUsize::new(settings.files_per_request),
            proven: AtomicBool::new(false),
            failures: AtomicU32::new(0),
            with_others: AtomicBool::new(false),
            canary: AtomicBool::new(false),
            canary_tries: AtomicU32::new(0),
            base: Mutex::default(),
            quiet_until: Mutex::default(),
            cancel,
            halt: Mutex::default(),
        }
    }

    /// Whether "does not exist" may be believed.
    pub(super) fn believes_absence(&self) -> bool {
        let proven = self.proven.load(Ordering::SeqCst);
        if !proven {
            tracing::warn!(
                "the API does not know a batch of the ledger, and this key has not shown any other: is it the right account?"
            );
        }
        proven
    }

    /// From here on the time is what this reading says, plus what CLOCK_BOOTTIME adds.
    pub(super) fn vouch(&self, mark: ClockMark) {
        *self.base.lock().expect("no holder of this lock panics") = Some(mark);
    }

    /// That reading.
    pub(super) fn vouched(&self) -> Option<ClockMark> {
        self.base.lock().expect("no holder of this lock panics").clone()
    }

    /// Nothing of this sweep is sent for so long.
    pub(super) fn quiet_for(&self, wait: Duration) {
        let until = tokio::time::Instant::now() + wait;
        let mut quiet = self.quiet_until.lock().expect("no holder of this lock panics");
        *quiet = Some(quiet.map_or(until, |old| old.max(until)));
    }

    /// Waits while the API wants to be left alone.
    pub(super) async fn keep_quiet(&self) {
        let until = *self.quiet_until.lock().expect("no holder of this lock panics");
        if let Some(until) = until {
            self.pause(until.saturating_duration_since(tokio::time::Instant::now()))
                .await;
        }
    }

    /// Waits until one more request may be under way.
    pub(super) async fn room_to_delete(&self) -> Option<Leave<'_>> {
        tokio::select! {
            leave = self.throttle.enter() => Some(leave),
            () = self.cancel.cancelled() => None,
        }
    }

    /// Whether one deletion of this sweep has been borne out.
    pub(super) fn has_canary(&self) -> bool {
        self.canary.load(Ordering::SeqCst)
    }

    pub(super) fn canary_sang(&self) {
        self.canary.store(true, Ordering::SeqCst);
    }

    /// A first file was refused; three of them stop the sweep. Whether it is stopped.
    pub(super) fn canary_failed(&self) -> bool {
        let stops = self.canary_tries.fetch_add(1, Ordering::SeqCst) + 1 >= CANARY_TRIES;
        if stops {
            let reason = format!("none of the first {CANARY_TRIES} files could be deleted");
            self.halt(Stop::Canary { reason });
        }
        stops
    }

    /// Stops the sweep; the first reason stays.
    pub(super) fn halt(&self, stop: Stop) {
        self.halt
            .lock()
            .expect("no holder of this lock panics")
            .get_or_insert(stop);
    }

    /// Why the sweep has to stop, if it has.
    pub(super) fn halted(&self) -> Option<Stop> {
        let halt = self.halt.lock().expect("no holder of this lock panics").clone();
        halt.or_else(|| self.cancel.is_cancelled().then_some(Stop::Shutdown))
    }

    /// Something worked: the API is there.
    pub(super) fn note_success(&self) {
        self.failures.store(0, Ordering::SeqCst);
    }

    /// Waits, unless the sweep is asked to end meanwhile; whether it waited to the end.
    pub(super) async fn pause(&self, wait: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(wait) => true,
            () = self.cancel.cancelled() => false,
        }
    }
}
