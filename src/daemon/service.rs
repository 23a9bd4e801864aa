//! The loop.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::occurrence::due_run;
use super::reload::{Impact, counts, needs_restart, same_rules};
use super::trigger::{Entry, Trigger, TriggerError, Wake};
use crate::config::{Checked, Problems};
use crate::engine::observe::{LAST_RELOAD, LAST_TURN};
use crate::engine::planning::{PlanError, refresh_hints};
use crate::engine::{Clock, Ending, Engine, Stop, SweepError, SweepReport, SweepRequest};
use crate::ledger::{Ledger, LedgerError};
use crate::model::{BreakerKind, PolicyName, Timestamp, Trigger as Cause};

/// The loop turns at least this often.
const TICK: Duration = Duration::from_secs(15);

/// Wakes that may wait; more than one a policy says nothing new.
const WAKES: usize = 64;

/// What the daemon is put together from.
pub struct Parts {
    /// The engine, made under the deleter's lock.
    pub engine: Arc<Engine>,
    /// The ledger that the engine uses.
    pub ledger: Arc<dyn Ledger>,
    /// The clock that the engine uses.
    pub clock: Arc<dyn Clock>,
    /// The checked policy file.
    pub checked: Checked,
    /// Reads the policy file again.
    pub read_again: Box<dyn Fn() -> Result<Checked, Problems> + Send + Sync>,
}

/// Why the daemon ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The scheduler cannot run.
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    /// Signals cannot be received.
    #[error("signals cannot be received")]
    Signals(#[source] std::io::Error),
    /// The ledger cannot be trusted or was replaced, or the checker contradicts a plan: deleting on
    /// would be a gamble, and a restart does not help.
    #[error(transparent)]
    Fatal(SweepError),
    /// The ledger failed at the start.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// One thing to do at a time.
enum Work {
    Hints,
    Sweep(SweepRequest),
}

/// What a piece of work came to.
enum Done {
    Hints(Result<u64, LedgerError>),
    Sweep(Result<SweepReport, SweepError>),
}

/// The running service.
pub struct Daemon {
    parts: Parts,
    rules: Arc<Checked>,
    cancel: CancellationToken,
    /// Ends the sweep under way: it goes on under the rules then in force.
    cut: CancellationToken,
    running: Option<JoinHandle<Done>>,
    /// Not before this instant after an error: no tight loop on a broken disk.
    rest_until: Option<tokio::time::Instant>,
    stop_shown: Option<Stop>,
    counts_before: Option<(u64, u64)>,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self, DaemonError> {
        let get = |kind| signal(kind).map_err(DaemonError::Signals);
        Ok(Self {
            terminate: get(SignalKind::terminate())?,
            interrupt: get(SignalKind::interrupt())?,
            hangup: get(SignalKind::hangup())?,
        })
    }
}

impl Daemon {
    /// Puts the daemon together; nothing runs yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let rules = Arc::new(parts.checked.clone());
        let cancel = CancellationToken::new();
        Self {
            parts,
            rules,
            cut: cancel.child_token(),
            cancel,
            running: None,
            rest_until: None,
            stop_shown: None,
            counts_before: None,
        }
    }

    /// Runs until SIGTERM or SIGINT. SIGHUP reads the policy file again.
    ///
    /// # Errors
    /// [`DaemonError`]; an orderly end is `Ok`.
    pub async fn run(mut self) -> Result<(), DaemonError> {
        let mut signals = Signals::new()?;
        self.parts.engine.recover().await.map_err(DaemonError::Fatal)?;
        let (sender, mut wakes) = mpsc::channel::<Wake>(WAKES);
        let clock = Arc::clone(&self.parts.clock);
        let mut trigger = Trigger::start(self.entries(), sender, Arc::new(move || clock.now())).await?;
        let mut tick = tokio::time::interval(feeding_interval());
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        notify(&[
            NotifyState::Ready,
            NotifyState::Status("waiting for the next run"),
        ]);
        tracing::info!(
            policies = self.rules.rules.policies.len(),
            "retentiond is at work"
        );
        let ended = loop {
            tokio::select! {
                _ = signals.terminate.recv() => break Ok(()),
                _ = signals.interrupt.recv() => break Ok(()),
                _ = signals.hangup.recv() => self.reload(&mut trigger).await,
                Some(Wake { policy }) = wakes.recv() => tracing::debug!(policy = %policy, "the schedule beats"),
                _ = tick.tick() => {}
                done = finished(&mut self.running) => {
                    self.running = None;
                    if let Err(error) = self.take(done).await {
                        break Err(error);
                    }
                }
            }
            notify(&[NotifyState::Watchdog]);
            if let Err(error) = self.turn().await {
                break Err(error);
            }
        };
        notify(&[NotifyState::Stopping]);
        self.wind_up(trigger).await;
        ended
    }

    /// Lets a sweep that is under way finish its request and write its outcome.
    async fn wind_up(&mut self, trigger: Trigger) {
        self.cancel.cancel();
        trigger.stop().await;
        if let Some(running) = self.running.take() {
            tracing::info!("ending: the request under way is finished first");
            if let Err(error) = running.await {
                tracing::error!(%error, "the sweep under way failed");
            }
        }
        tracing::info!("retentiond has ended");
    }

    fn entries(&self) -> Vec<Entry> {
        let rules = &self.rules.rules;
        let entry = |policy: &crate::rules::policy::Policy| {
            let (schedule, zone) = (policy.schedule.clone(), rules.zone.clone());
            Entry {
                policy: policy.name.clone(),
                next: Arc::new(move |after: Timestamp| schedule.next_after(after, &zone)),
            }
        };
        rules.policies.iter().map(entry).collect()
    }

    /// One turn: the clock is heard, and if nothing runs, the next piece of work begins.
    async fn turn(&mut self) -> Result<(), DaemonError> {
        match self.next_work().await {
            Ok(Some(work)) => {
                self.running = Some(self.begin(work));
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => self.failed(error).await,
        }
    }

    async fn next_work(&mut self) -> Result<Option<Work>, SweepError> {
        let resting = self
            .rest_until
            .is_some_and(|until| tokio::time::Instant::now() < until);
        if self.running.is_some() || resting {
            return Ok(None);
        }
        let now = self.parts.clock.now();
        self.parts
            .ledger
            .set_setting(LAST_TURN, Some(&now.to_string()))
            .await?;
        let stop = self.parts.engine.guard(false).await?;
        self.show_stop(stop.as_ref());
        let rules = &self.rules.rules;
        let ledger = self.parts.ledger.as_ref();
        if !ledger.hints_are_current(&rules.digest).await? {
            return Ok(Some(Work::Hints));
        }
        for policy in &rules.policies {
            if let Some(request) = due_run(ledger, rules, policy, now, stop.is_some()).await? {
                return Ok(Some(Work::Sweep(request)));
            }
        }
        if stop.is_some() {
            return Ok(None);
        }
        Ok(self.approved(now).await?.map(|policy| {
            Work::Sweep(SweepRequest {
                policy,
                occurrence: None,
                trigger: Cause::Approval,
            })
        }))
    }

    /// A policy with an approval in force that no sweep has used up.
    async fn approved(&self, now: Timestamp) -> Result<Option<PolicyName>, SweepError> {
        let approvals = self.parts.ledger.approvals(now).await?;
        Ok(approvals
            .into_iter()
            .map(|a| a.policy)
            .find(|name| self.rules.rules.policy(name).is_some()))
    }

    fn show_stop(&mut self, stop: Option<&Stop>) {
        if self.stop_shown.as_ref() == stop {
            return;
        }
        match stop {
            Some(stop) => {
                let sentence = stop.sentence();
                tracing::warn!("deletion is stopped: {sentence}");
                notify(&[NotifyState::Status(&format!("stopped: {sentence}"))]);
            }
            None => {
                tracing::info!("deletion goes on");
                notify(&[NotifyState::Status("waiting for the next run")]);
            }
        }
        self.stop_shown = stop.cloned();
    }

    fn begin(&mut self, work: Work) -> JoinHandle<Done> {
        let rules = Arc::clone(&self.rules);
        self.cut = self.cancel.child_token();
        let cancel = self.cut.clone();
        match work {
            Work::Hints => {
                let ledger = Arc::clone(&self.parts.ledger);
                let now = self.parts.clock.now();
                tokio::spawn(async move {
                    Done::Hints(refresh_hints(ledger.as_ref(), &rules.rules, now, &|_| ()).await)
                })
            }
            Work::Sweep(request) => {
                notify(&[NotifyState::Status(&format!("sweeping {}", request.policy))]);
                let engine = Arc::clone(&self.parts.engine);
                tokio::spawn(async move { Done::Sweep(engine.sweep(&rules.rules, &request, &cancel).await) })
            }
        }
    }

    async fn take(&mut self, done: Result<Done, tokio::task::JoinError>) -> Result<(), DaemonError> {
        match done {
            Ok(Done::Hints(Ok(files))) => {
                tracing::info!(files, "every live file is decided under the rules in force");
                self.show_impact().await;
                Ok(())
            }
            Ok(Done::Hints(Err(error))) => self.failed(error.into()).await,
            Ok(Done::Sweep(Ok(report))) => {
                match &report.ending {
                    Ending::Done | Ending::Observed | Ending::AlreadyDone => {}
                    Ending::Stopped { by } => {
                        tracing::warn!(policy = %report.policy, "the sweep was stopped: {}", by.sentence());
                    }
                }
                notify(&[NotifyState::Status("waiting for the next run")]);
                Ok(())
            }
            Ok(Done::Sweep(Err(error))) => self.failed(error).await,
            Err(panic) => {
                tracing::error!(%panic, "a sweep ended in a panic: its open outcomes are unknown");
                self.rest();
                Ok(())
            }
        }
    }

    /// What a restart cannot mend ends the daemon; all else is tried again after a rest.
    async fn failed(&mut self, error: SweepError) -> Result<(), DaemonError> {
        let fatal = match &error {
            SweepError::Replaced => true,
            SweepError::Ledger(error) | SweepError::Plan(PlanError::Ledger(error)) => match error {
                LedgerError::Damaged { .. } | LedgerError::NotOurs { .. } | LedgerError::Transition(_) => {
                    true
                }
                LedgerError::InUse { .. }
                | LedgerError::Missing { .. }
                | LedgerError::NotWritable { .. }
                | LedgerError::Busy
                | LedgerError::Conflict { .. }
                | LedgerError::Database { .. } => false,
            },
            SweepError::Plan(PlanError::Check(_)) => true,
            SweepError::Plan(PlanError::NoPolicy(_)) => false,
        };
        if fatal {
            let now = self.parts.clock.now();
            let reason = error.to_string();
            if let Err(second) = self
                .parts
                .ledger
                .open_breaker(BreakerKind::Integrity, &reason, now)
                .await
            {
                tracing::error!(%second, "the breaker cannot be written either");
            }
            return Err(DaemonError::Fatal(error));
        }
        tracing::error!(%error, "a turn failed; trying again in a moment");
        self.rest();
        Ok(())
    }

    fn rest(&mut self) {
        self.rest_until = Some(tokio::time::Instant::now() + TICK);
    }

    /// Reads the policy file again. A bad one changes nothing, and says so.
    async fn reload(&mut self, trigger: &mut Trigger) {
        notify(&[NotifyState::Reloading]);
        let now = self.parts.clock.now();
        let outcome = match (self.parts.read_again)() {
            Ok(checked) => self.swap(checked, trigger).await,
            Err(problems) => {
                tracing::error!(
                    "the policy file is not taken over; the last good one stays in force:\n{problems}"
                );
                format!("refused {now}")
            }
        };
        if let Err(error) = self.parts.ledger.set_setting(LAST_RELOAD, Some(&outcome)).await {
            tracing::warn!(%error, "the result of the reload cannot be written down");
        }
        notify(&[NotifyState::Ready]);
    }

    async fn swap(&mut self, checked: Checked, trigger: &mut Trigger) -> String {
        let now = self.parts.clock.now();
        for part in needs_restart(&self.rules, &checked) {
            tracing::warn!("{part} has changed: that takes effect with `systemctl restart retentiond`");
        }
        if !same_rules(&self.rules.rules, &checked.rules) {
            self.counts_before = counts(self.parts.ledger.as_ref(), now).await.ok();
            // Neither the old rules nor the new ones may be broken: the sweep under way ends with the
            // request that it is at, and goes on under the new ones.
            self.cut.cancel();
        }
        self.rules = Arc::new(checked);
        if let Err(error) = trigger.replace(self.entries()).await {
            tracing::error!(%error, "the scheduler does not take the new schedules; the tick carries them");
        }
        tracing::info!(
            policies = self.rules.rules.policies.len(),
            fingerprint = self.rules.fingerprint,
            "the policy file is taken over"
        );
        format!("taken {now}")
    }

    async fn show_impact(&mut self) {
        let Some((due_before, unowned_before)) = self.counts_before.take() else {
            return;
        };
        let now = self.parts.clock.now();
        let Ok((due_after, unowned_after)) = counts(self.parts.ledger.as_ref(), now).await else {
            return;
        };
        let impact = Impact {
            due_before,
            due_after,
            unowned_before,
            unowned_after,
        };
        tracing::warn!(
            due_before = impact.due_before,
            due_after = impact.due_after,
            unowned_before = impact.unowned_before,
            unowned_after = impact.unowned_after,
            "the changed rules apply to the files at hand"
        );
    }
}

/// The end of the work under way; never, when there is none.
async fn finished(running: &mut Option<JoinHandle<Done>>) -> Result<Done, tokio::task::JoinError> {
    match running {
        Some(handle) => handle.await,
        None => std::future::pending().await,
    }
}

/// The loop turns at least three times within the watchdog's patience.
fn feeding_interval() -> Duration {
    sd_notify::watchdog_enabled().map_or(TICK, |patience| TICK.min(patience / 3))
}

/// Tells systemd; without one this does nothing.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd cannot be told");
    }
}
