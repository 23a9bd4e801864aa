//! One sweep as this process carries it out, or a part of it.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use super::course::Course;
use super::remotes::{Way, setting_of};
use super::stop::{Stop, Whose};
use super::sweep::{Engine, SweepError};
use super::tally::Tally;
use super::witnesses::went_on;
use crate::model::{
    AccountName, BatchAddress, BatchKey, BreakerKind, ClockMark, FileId, PolicyName, SweepId,
};
use crate::rules::policy::{Policy, RuleSet};

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

/// Setting: the account that has shown a batch of this ledger.
const ACCOUNT_SEEN: &str = "account.seen";

/// One running sweep of one policy, or a part of it that is counted apart.
pub(super) struct Run<'a> {
    pub(super) engine: &'a Engine,
    pub(super) rules: &'a RuleSet,
    pub(super) policy: &'a PolicyName,
    /// The account that it deletes in.
    pub(super) account: Option<&'a AccountName>,
    /// The way there.
    pub(super) way: &'a Way,
    pub(super) sweep: SweepId,
    /// Most files that this sweep may send, over restarts too.
    pub(super) budget: u64,
    /// The approval that let this sweep's plan through.
    pub(super) approval: Option<String>,
    pub(super) tally: Tally,
    pub(super) suspects: Mutex<Vec<Suspect>>,
    /// Files that could not be settled for a technical reason.
    left: AtomicU64,
    course: Arc<Course<'a>>,
}

impl<'a> Deref for Run<'a> {
    type Target = Course<'a>;

    fn deref(&self) -> &Course<'a> {
        &self.course
    }
}

impl<'a> Run<'a> {
    /// `None` where the policy file does not have the policy's account.
    pub(super) fn new(
        engine: &'a Engine,
        rules: &'a RuleSet,
        policy: &'a Policy,
        sweep: SweepId,
        cancel: &'a CancellationToken,
    ) -> Option<Self> {
        let account = policy.account.as_ref();
        // Requests have none: where the account without a name is not there, any will do to begin with.
        let of_requests = rules.is_erasure(&policy.name);
        let any = || engine.remotes.any().filter(|_| of_requests);
        let way = engine.remotes.of(account).or_else(any)?;
        Some(Self {
            engine,
            rules,
            policy: &policy.name,
            account,
            way,
            sweep,
            budget: 0,
            approval: None,
            tally: Tally::default(),
            suspects: Mutex::default(),
            left: AtomicU64::new(0),
            course: Arc::new(Course::new(&way.settings, cancel)),
        })
    }

    /// The same sweep in another account, on a course of its own: what stops one does not stop the other.
    pub(super) fn leg(&self, account: Option<&'a AccountName>, way: &'a Way) -> Self {
        Self {
            account,
            way,
            course: Arc::new(Course::new(&way.settings, self.cancel)),
            ..self.part()
        }
    }

    /// The same sweep on the same course, with counts of its own.
    pub(super) fn part(&self) -> Self {
        Self {
            engine: self.engine,
            rules: self.rules,
            policy: self.policy,
            account: self.account,
            way: self.way,
            sweep: self.sweep,
            budget: self.budget,
            approval: None,
            tally: Tally::default(),
            suspects: Mutex::default(),
            left: AtomicU64::new(0),
            course: Arc::clone(&self.course),
        }
    }

    /// What a small value is called that this account has of its own.
    pub(super) fn setting(&self, name: &str) -> String {
        setting_of(self.account, name)
    }

    /// Whether this key has shown before that it sees the ledger's batches.
    pub(super) async fn learn_account(&self) -> Result<(), SweepError> {
        let seen = self.engine.ledger.setting(&self.setting(ACCOUNT_SEEN)).await?;
        self.proven
            .store(seen == Some(self.way.remote.account()), Ordering::SeqCst);
        Ok(())
    }

    /// This key sees what the ledger knows: "does not exist" may be believed from now on.
    pub(super) async fn account_is_proven(&self) -> Result<(), SweepError> {
        if !self.proven.swap(true, Ordering::SeqCst) {
            let account = self.way.remote.account();
            self.engine
                .ledger
                .set_setting(&self.setting(ACCOUNT_SEEN), Some(&account))
                .await?;
        }
        Ok(())
    }

    /// The time, if the wall clock went on from the vouched reading as it should; otherwise the sweep
    /// stops. A sweep may last hours: the clock is not believed for longer than it takes to look.
    pub(super) async fn trusted_mark(&self) -> Result<Option<ClockMark>, SweepError> {
        let mark = self.engine.clock.mark();
        if self.vouched().is_some_and(|base| went_on(&base, &mark)) {
            return Ok(Some(mark));
        }
        self.engine.watch_clock().await?;
        let reason = "the wall clock jumped while the sweep was under way".to_owned();
        self.halt(Stop::Breaker {
            kind: BreakerKind::Clock,
            account: None,
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

    /// Waits for the next delete's turn, or for the end of the process.
    pub(super) async fn turn_to_delete(&self) {
        tokio::select! {
            () = self.way.remote.turn_to_delete() => {}
            () = self.cancel.cancelled() => {}
        }
    }

    /// Opens a breaker and stops the sweep.
    pub(super) async fn trip(&self, kind: BreakerKind, reason: &str) -> Result<(), SweepError> {
        let account = self.account.filter(|_| kind.is_of_account());
        self.engine.open_breaker(kind, account, reason).await?;
        self.halt(Stop::Breaker {
            kind,
            account: account.cloned(),
            reason: reason.to_owned(),
        });
        Ok(())
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

    /// A pause from another process (`retentiond pause`), a breaker or rules that somebody else adopted stop a sweep
    /// between chunks.
    pub(super) async fn look_around(&self) -> Result<Option<Stop>, SweepError> {
        if let Some(stop) = self.halted() {
            return Ok(Some(stop));
        }
        let whose = Whose::Account(self.account);
        if let Some(stop) = self.engine.standing_stop(whose, &self.rules.digest).await? {
            self.halt(stop.clone());
            return Ok(Some(stop));
        }
        Ok(None)
    }
}
