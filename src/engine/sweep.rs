//! One sweep of one policy: gates → recover → plan → limits → canary → batches → summary.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::change::adopt;
use super::clock::Clock;
use super::ending::{Ending, SweepReport, halted};
use super::planning::{PlanError, make_plan};
use super::progress::{Listener, Progress};
use super::remotes::{Remotes, Way};
use super::run::Run;
use super::stop::{Stop, Whose};
use crate::evidence::SecretKey;
use crate::extracta::Remote;
use crate::ledger::{Ledger, LedgerError, OpenSweep, Opened};
use crate::model::{HoldScope, PolicyName, SweepId, SweepSummary, Timestamp, Trigger};
use crate::rules::plan::Plan;
use crate::rules::policy::{Mode, Policy, RuleSet};

/// Unknown files that a sweep's summary counts, at most.
const COUNTED_UNKNOWN: u32 = 10_000;

/// How the engine goes about it; from `[extracta]` of the policy file.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Most file ids in one request.
    pub files_per_request: usize,
    /// Batches side by side.
    pub concurrency: usize,
    /// Look at each batch before and after.
    pub verify: bool,
    /// Look for linked extraction copies and delete them first.
    pub linked_copies: bool,
    /// First back-off; doubled at each try.
    pub backoff: Duration,
    /// Hears how far a sweep has come.
    pub progress: Listener,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            files_per_request: 100,
            concurrency: 4,
            verify: true,
            linked_copies: true,
            backoff: Duration::from_secs(1),
            progress: Listener::default(),
        }
    }
}

/// The part of the house that deletes. Whoever builds one holds the deleter's lock.
pub struct Engine {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) remotes: Remotes,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: Settings,
    pub(super) audit_key: Option<SecretKey>,
    /// When it was last asked whether a checkpoint is due, in ms UTC.
    pub(super) checkpoint_asked: AtomicI64,
}

/// A sweep that is asked for.
#[derive(Debug, Clone)]
pub struct SweepRequest {
    /// The policy.
    pub policy: PolicyName,
    /// The scheduled instant; `None` for a manual one.
    pub occurrence: Option<Timestamp>,
    /// What asks.
    pub trigger: Trigger,
}

/// Why a sweep could not go on at all.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The ledger failed; what was under way is found at the next start.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No plan can be made, or the checker refuses it.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Another file lies where the ledger was.
    #[error("the ledger file was replaced or removed while in use: nothing more is deleted until a restart")]
    Replaced,
}

impl Engine {
    /// The engine over an open ledger, for the account without a name. `lock` is the right to delete.
    #[must_use]
    pub fn new(
        ledger: Arc<dyn Ledger>,
        remote: Arc<dyn Remote>,
        clock: Arc<dyn Clock>,
        settings: Settings,
        lock: &crate::ledger::DeleterLock,
    ) -> Self {
        let way = Way {
            remote,
            settings: settings.clone(),
        };
        Self::over(ledger, Remotes::new().with(None, way), clock, settings, lock)
    }

    /// The engine over several accounts; `settings` is for what belongs to none of them.
    #[must_use]
    pub fn over(
        ledger: Arc<dyn Ledger>,
        remotes: Remotes,
        clock: Arc<dyn Clock>,
        settings: Settings,
        _lock: &crate::ledger::DeleterLock,
    ) -> Self {
        Self {
            ledger,
            remotes,
            clock,
            settings,
            audit_key: None,
            checkpoint_asked: AtomicI64::new(i64::MIN),
        }
    }

    /// Under the lock every `deleting` file is an orphan of a crash: it becomes `unknown`.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn recover(&self) -> Result<u64, SweepError> {
        let orphans = self.ledger.recover_orphans(self.clock.now()).await?;
        if orphans > 0 {
            tracing::warn!(
                files = orphans,
                "an earlier run was interrupted; its outcomes are unknown and will be probed"
            );
        }
        Ok(orphans)
    }

    /// For whoever is at nothing: what is left of a piece of work that failed or was broken off goes to whoever is free.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn let_go(&self) -> Result<(), SweepError> {
        Ok(self.ledger.let_go(self.clock.now()).await?)
    }

    /// Runs one sweep to its end, or until `cancel`.
    ///
    /// # Errors
    /// [`SweepError`]; a sweep that was begun stays open, led by nobody, and is resumed.
    pub async fn sweep(
        &self,
        rules: &RuleSet,
        request: &SweepRequest,
        cancel: &CancellationToken,
    ) -> Result<SweepReport, SweepError> {
        let policy = rules
            .swept(&request.policy)
            .ok_or_else(|| PlanError::NoPolicy(request.policy.clone()))?;
        let open = OpenSweep {
            policy: request.policy.clone(),
            occurrence: request.occurrence,
            trigger: request.trigger,
            at: self.clock.now(),
            digest: rules.digest.clone(),
        };
        let (sweep, resumed) = match self.ledger.open_sweep(&open).await? {
            Opened::New(sweep) => (sweep, None),
            Opened::Resumed { sweep, sent } => (sweep, Some(sent)),
            Opened::Elsewhere { sweep, by } => {
                return Ok(not_begun(request, sweep, Ending::Elsewhere { by }));
            }
            Opened::AlreadyDone(sweep) => return Ok(not_begun(request, sweep, Ending::AlreadyDone)),
        };
        tracing::info!(sweep.id = sweep.0, policy = %policy.name, trigger = ?request.trigger, "sweep begins");
        let Some(run) = Run::new(self, rules, policy, sweep, cancel) else {
            return self.close_without_account(request, sweep, policy).await;
        };
        let done = self.carry_out(run, policy, resumed).await;
        if done.is_err()
            && let Err(error) = self.let_go().await
        {
            tracing::warn!(%error, "the sweep cannot be left to others now; the next turn does it");
        }
        done
    }

    /// A sweep that is open, from its gates to its close. `resumed`: files sent so far, where it was begun before.
    async fn carry_out(
        &self,
        mut run: Run<'_>,
        policy: &Policy,
        resumed: Option<u64>,
    ) -> Result<SweepReport, SweepError> {
        run.learn_chunk().await?;
        run.learn_account().await?;
        if let Some(sent) = resumed {
            self.go_on(&run, sent).await?;
        }
        let ending = self.pass(&mut run, policy, resumed.is_some()).await?;
        self.close(&run, ending).await
    }

    /// A resumed sweep counts on from where it stood.
    async fn go_on(&self, run: &Run<'_>, sent: u64) -> Result<(), SweepError> {
        run.with_others.store(true, Ordering::SeqCst);
        if sent > 0 {
            let latest = self.ledger.sweeps(Some(run.policy), 100).await?;
            if let Some(before) = latest.into_iter().find(|sweep| sweep.id == run.sweep) {
                run.tally.add(|sum| {
                    *sum = SweepSummary {
                        note: None,
                        ..before.summary
                    }
                });
            }
        }
        Ok(())
    }

    /// A policy of an account that nobody knows the way to: nothing is asked for, and the record says why.
    async fn close_without_account(
        &self,
        request: &SweepRequest,
        sweep: SweepId,
        policy: &Policy,
    ) -> Result<SweepReport, SweepError> {
        let by = Stop::no_account(policy.account.as_ref());
        let summary = SweepSummary {
            note: Some(by.sentence()),
            ..SweepSummary::default()
        };
        let ending = Ending::Stopped { by };
        self.ledger
            .close_sweep(sweep, ending.state(), &summary, self.clock.now())
            .await?;
        Ok(SweepReport {
            summary,
            ..not_begun(request, sweep, ending)
        })
    }

    async fn pass(&self, run: &mut Run<'_>, policy: &Policy, resumed: bool) -> Result<Ending, SweepError> {
        self.recover().await?;
        let adopted = adopt(self.ledger.as_ref(), run.rules, self.clock.now(), &|files, of| {
            tracing::info!(files, of, "deciding files under the changed rules");
            self.settings.progress.tell(Progress::Deciding { files, of });
        })
        .await?;
        if let Err(change) = adopted {
            let by = Stop::RulesWait {
                rules: change.after.0,
                reason: change.impact.sentence(),
            };
            return Ok(Ending::Stopped { by });
        }
        if run.is_of_requests() && self.remotes.has_named() {
            let sent = self.sent_before(run, resumed).await?;
            return self.over_accounts(run, policy, sent).await;
        }
        let unknown = !self.ledger.unknown_in(run.account, 1).await?.is_empty();
        if let Some(stop) = self.gate(run, unknown).await? {
            self.count_due(run, policy).await?;
            return Ok(Ending::Stopped { by: stop });
        }
        let sent = self.sent_before(run, resumed).await?;
        if unknown {
            run.probe_unknown().await?;
        }
        let Some(mark) = run.trusted_mark().await? else {
            return Ok(halted(run, Ending::Done));
        };
        let plan = make_plan(self.ledger.as_ref(), run.rules, policy, mark.wall).await?;
        note_plan(run, &plan);
        if policy.mode == Mode::Observe {
            return Ok(halted(run, Ending::Observed));
        }
        if plan.due() > 0 && run.closes().is_none() && run.halted().is_none() {
            match self.rule(run, policy, plan, sent).await? {
                Ok(plan) => {
                    // The API's own clock, and the key, right before the first request.
                    if let Some(stop) = self.gate(run, true).await? {
                        return Ok(Ending::Stopped { by: stop });
                    }
                    self.execute(run, &plan).await?;
                    note_strangers(run, &plan);
                }
                Err(stop) => return Ok(Ending::Stopped { by: stop }),
            }
        }
        self.await_others(run).await?;
        self.look_again(run).await?;
        if run.is_of_requests() {
            self.settle_requests(run).await?;
        }
        Ok(halted(run, Ending::Done))
    }

    /// What the sweep has sent so far, once nobody else is at it any more.
    async fn sent_before(&self, run: &Run<'_>, resumed: bool) -> Result<u64, SweepError> {
        let mut sent = 0;
        if resumed {
            self.take_over(run).await?;
            // Those who went on with it meanwhile have sent some.
            sent = self.ledger.sent(run.sweep).await?;
        }
        Ok(sent)
    }

    /// The guard, and the reading that it vouches for.
    pub(super) async fn gate(&self, run: &Run<'_>, asks_api: bool) -> Result<Option<Stop>, SweepError> {
        self.gate_for(run, Whose::Account(run.account), asks_api).await
    }

    /// The same, minding the stops of others than the run's own account.
    pub(super) async fn gate_for(
        &self,
        run: &Run<'_>,
        whose: Whose<'_>,
        asks_api: bool,
    ) -> Result<Option<Stop>, SweepError> {
        if let Some(stop) = self.guard_of(whose, asks_api).await? {
            return Ok(Some(stop));
        }
        // Planning goes by the clock as it is; before anything is sent the witnesses have spoken, and the
        // reading that they agreed with is the one in the ledger.
        let vouched = if asks_api {
            self.ledger.clock_mark().await?
        } else {
            None
        };
        run.vouch(vouched.map_or_else(|| self.clock.mark(), |(mark, _)| mark));
        let holds = self.ledger.holds(Some(self.clock.now())).await?;
        // While changed rules wait, their holds are asked for as well: see `agrees`.
        let known = |name: &PolicyName| {
            let mut sets = std::iter::once(run.rules).chain(run.rules.awaiting.as_deref());
            sets.any(|rules| rules.policy(name).is_some())
        };
        Ok(holds.iter().find_map(|hold| match &hold.scope {
            HoldScope::Policy(name) if !known(name) => Some(Stop::HoldWithoutPolicy {
                hold: hold.id.0,
                policy: name.to_string(),
            }),
            HoldScope::Policy(_) | HoldScope::File(_) | HoldScope::Batch(_) | HoldScope::Label { .. } => None,
        }))
    }

    /// Deletions of earlier sweeps that nobody has verified: after this sweep's own work.
    pub(super) async fn look_again(&self, run: &Run<'_>) -> Result<(), SweepError> {
        if run.halted().is_some() || self.unverified(run, 1).await?.is_empty() {
            return Ok(());
        }
        if self.guard_in(run.account, true).await?.is_none() {
            run.look_at_unverified().await?;
        }
        Ok(())
    }

    /// A stopped sweep still says how much is due.
    pub(super) async fn count_due(&self, run: &Run<'_>, policy: &Policy) -> Result<(), SweepError> {
        let plan = make_plan(self.ledger.as_ref(), run.rules, policy, self.clock.now()).await?;
        note_plan(run, &plan);
        Ok(())
    }

    async fn close(&self, run: &Run<'_>, ending: Ending) -> Result<SweepReport, SweepError> {
        let mut summary = run.tally.read();
        if run.with_others.load(Ordering::SeqCst) {
            summary.at_least(&self.ledger.came_to(run.sweep).await?);
        }
        let unknown = if run.is_of_requests() {
            self.ledger.unknown(COUNTED_UNKNOWN).await?
        } else {
            self.ledger.unknown_in(run.account, COUNTED_UNKNOWN).await?
        };
        summary.unknown = unknown.len() as u64;
        let state = ending.state();
        if let Ending::Stopped { by } = &ending {
            summary.note = Some(by.sentence());
        }
        self.ledger
            .close_sweep(run.sweep, state, &summary, self.clock.now())
            .await?;
        let note = summary.note.as_deref().unwrap_or("");
        tracing::info!(
            sweep.id = run.sweep.0,
            policy = %run.policy,
            state = state.name(),
            due = summary.due,
            deleted = summary.deleted,
            gone = summary.gone,
            verified = summary.verified,
            kept = summary.kept,
            unknown = summary.unknown,
            quarantined = summary.quarantined,
            note,
            "sweep ends"
        );
        // What stopped the sweep may be the clock, and by that alone it is told what is over.
        if !matches!(ending, Ending::Stopped { .. }) {
            self.redact_daily(run.rules).await?;
        }
        Ok(SweepReport {
            sweep: run.sweep,
            policy: run.policy.clone(),
            ending,
            summary,
            checkpoint: self.checkpoint().await?,
        })
    }
}

fn not_begun(request: &SweepRequest, sweep: SweepId, ending: Ending) -> SweepReport {
    SweepReport {
        sweep,
        policy: request.policy.clone(),
        ending,
        summary: SweepSummary::default(),
        checkpoint: None,
    }
}

pub(super) fn note_plan(run: &Run<'_>, plan: &Plan) {
    run.tally.add(|sum| {
        sum.live = plan.live;
        sum.due = plan.files.len() as u64;
        sum.held = plan.held;
        sum.plan = Some(plan.hash.clone());
    });
}

/// Erasure requests may cover files of an account that left the policy file: they stay, and the sweep comes back.
fn note_strangers(run: &Run<'_>, plan: &Plan) {
    let mut strangers = plan.files.iter().map(|file| file.batch().account.as_ref());
    if let Some(account) = strangers.find(|account| *account != run.account) {
        run.halt(Stop::no_account(account));
    }
}
