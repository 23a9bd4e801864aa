//! What the parts of one running sweep share.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::clock::went_on;
use super::gate::Stop;
use super::sweep::{Engine, SweepError};
use super::tally::Tally;
use super::throttle::{Leave, Throttle};
use crate::model::{BatchAddress, BatchKey, BreakerKind, ClockMark, FileId, PolicyName, SweepId};
use crate::rules::policy::RuleSet;

/// A batch of this sweep.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) key: BatchKey,
    pub(super) address: Arc<BatchAddress>,
    /// Its files are linked copies: they do not count against limits.
    pub(super) is_copy: bool,
}

/// A list that was answered by 500: one of its files may be the cause.
#[derive(Debug)]
pub(super) struct Suspect {
    pub(super) batch: Batch,
    pub(super) files: Vec<FileId>,
}

/// Requests that bisection may cost in one sweep; the rest waits for the next.
pub(super) const BISECTION_REQUESTS: u32 = 64;

/// So many failures in a row without a success, and the API counts as unavailable.
const FAILURES_IN_A_ROW: u32 = 3;

/// First files that may be refused before the sweep stops.
const CANARY_TRIES: u32 = 3;

/// Setting: the account that has shown a batch of this ledger.
const ACCOUNT_SEEN: &str = "account.seen";

/// One running sweep of one policy.
pub(super) struct Run<'a> {
    pub(super) engine: &'a Engine,
    pub(super) rules: &'a RuleSet,
    pub(super) policy: &'a PolicyName,
    pub(super) sweep: SweepId,
    /// Most files that this sweep may send, over restarts too.
    pub(super) budget: u64,
    /// The approval that let this sweep's plan through.
    pub(super) approval: Option<String>,
    pub(super) tally: Tally,
    pub(super) throttle: Throttle,
    pub(super) suspects: Mutex<Vec<Suspect>>,
    pub(super) bisections: AtomicU32,
    /// Most files a request: falls when the API finds a list too long.
    pub(super) chunk: AtomicUsize,
    /// This account has shown a batch of the ledger, or confirmed a deletion. Until then "does not
    /// exist" may only mean that the key is somebody else's.
    proven: AtomicBool,
    /// One deletion of this sweep was verified: the rest may follow.
    canary: AtomicBool,
    canary_tries: AtomicU32,
    /// The reading that the clock witnesses vouched for when the sweep began.
    base: Mutex<Option<ClockMark>>,
    /// Files that could not be settled for a technical reason.
    left: AtomicU64,
    /// The API asked all of this sweep to wait until then.
    quiet_until: Mutex<Option<tokio::time::Instant>>,
    cancel: &'a CancellationToken,
    halt: Mutex<Option<Stop>>,
    failures: AtomicU32,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        rules: &'a RuleSet,
        policy: &'a PolicyName,
        sweep: SweepId,
        cancel: &'a CancellationToken,
    ) -> Self {
        Self {
            engine,
            rules,
            policy,
            sweep,
            budget: 0,
            approval: None,
            tally: Tally::default(),
            throttle: Throttle::new(engine.settings.concurrency),
            suspects: Mutex::default(),
            bisections: AtomicU32::new(0),
            chunk: AtomicUsize::new(engine.settings.files_per_request),
            proven: AtomicBool::new(false),
            canary: AtomicBool::new(false),
            canary_tries: AtomicU32::new(0),
            base: Mutex::default(),
            left: AtomicU64::new(0),
            quiet_until: Mutex::default(),
            cancel,
            halt: Mutex::default(),
            failures: AtomicU32::new(0),
        }
    }

    /// Whether this key has shown before that it sees the ledger's batches.
    pub(super) async fn learn_account(&self) -> Result<(), SweepError> {
        let seen = self.engine.ledger.setting(ACCOUNT_SEEN).await?;
        self.proven
            .store(seen == Some(self.engine.remote.account()), Ordering::SeqCst);
        Ok(())
    }

    /// This key sees what the ledger knows: "does not exist" may be believed from now on.
    pub(super) async fn account_is_proven(&self) -> Result<(), SweepError> {
        if !self.proven.swap(true, Ordering::SeqCst) {
            let account = self.engine.remote.account();
            self.engine
                .ledger
                .set_setting(ACCOUNT_SEEN, Some(&account))
                .await?;
        }
        Ok(())
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

    /// The time, if the wall clock went on from the vouched reading as it should; otherwise the sweep
    /// stops. A sweep may last hours: the clock is not believed for longer than it takes to look.
    pub(super) async fn trusted_mark(&self) -> Result<Option<ClockMark>, SweepError> {
        let mark = self.engine.clock.mark();
        let base = self.base.lock().expect("no holder of this lock panics").clone();
        if base.is_some_and(|base| went_on(&base, &mark)) {
            return Ok(Some(mark));
        }
        self.engine.watch_clock().await?;
        let reason = "the wall clock jumped while the sweep was under way".to_owned();
        self.halt(Stop::Breaker {
            kind: BreakerKind::Clock,
            reason,
        });
        Ok(None)
    }

    /// Files that the sweep has to come back for.
    pub(super) fn leave_behind(&self, files: usize) {
        self.left.fetch_add(files as u64, Ordering::SeqCst);
    }

    /// Exactly so many files are left behind so far.
    pub(super) fn left_behind_so_far(&self, files: u64) {
        self.left.store(files, Ordering::SeqCst);
    }

    /// Files left behind until now.
    pub(super) fn left_so_far(&self) -> u64 {
        self.left.load(Ordering::SeqCst)
    }

    /// Why the sweep is not done although nothing stopped it.
    pub(super) fn incomplete(&self) -> Option<Stop> {
        let files = self.left.load(Ordering::SeqCst);
        (files > 0).then_some(Stop::Incomplete { files })
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

    /// Waits for the next delete's turn, or for the end of the process.
    pub(super) async fn turn_to_delete(&self) {
        tokio::select! {
            () = self.engine.remote.turn_to_delete() => {}
            () = self.cancel.cancelled() => {}
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

    /// Opens a breaker and stops the sweep.
    pub(super) async fn trip(&self, kind: BreakerKind, reason: &str) -> Result<(), SweepError> {
        self.engine.open_breaker(kind, reason).await?;
        self.halt(Stop::Breaker {
            kind,
            reason: reason.to_owned(),
        });
        Ok(())
    }

    /// Something worked: the API is there.
    pub(super) fn note_success(&self) {
        self.failures.store(0, Ordering::SeqCst);
    }

    /// Something failed without a clear answer; three in a row are an outage.
    pub(super) async fn note_failure(&self, reason: &str) -> Result<(), SweepError> {
        if self.failures.fetch_add(1, Ordering::SeqCst) + 1 >= FAILURES_IN_A_ROW {
            self.trip(
                BreakerKind::Api,
                &format!("several requests in a row failed, the last: {reason}"),
            )
            .await?;
        }
        Ok(())
    }

    /// Waits, unless the sweep is asked to end meanwhile; whether it waited to the end.
    pub(super) async fn pause(&self, wait: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(wait) => true,
            () = self.cancel.cancelled() => false,
        }
    }

    /// Outside of the policy's window, or on a blackout day, the sweep stops; what is left goes on at the next
    /// opening.
    pub(super) fn closes(&self) -> Option<Stop> {
        let closed = self.rules.closed(self.policy, self.engine.clock.now())?;
        let stop = Stop::OutsideWindow { opens: closed.opens };
        self.halt(stop.clone());
        Some(stop)
    }

    /// Whether another request may be made: as [`look_around`](Self::look_around), and inside the window.
    pub(super) async fn may_delete(&self) -> Result<bool, SweepError> {
        Ok(self.look_around().await?.is_none() && self.closes().is_none())
    }

    /// A pause from another process (`retentiond pause`) or a breaker stops a sweep between chunks.
    pub(super) async fn look_around(&self) -> Result<Option<Stop>, SweepError> {
        if let Some(stop) = self.halted() {
            return Ok(Some(stop));
        }
        if let Some(stop) = self.engine.standing_stop().await? {
            self.halt(stop.clone());
            return Ok(Some(stop));
        }
        Ok(None)
    }
}
