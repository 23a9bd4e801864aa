//! The loop.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::control::{self, Ask};
use super::faces::Show;
use super::passing::Passing;
use super::standing::{Standing, standing};
use super::trigger::{Entry, Trigger, TriggerError, Wake};
use super::work::Patience;
use crate::config::{Checked, Problems, WebhookSecretError};
use crate::engine::change::adopt;
use crate::engine::observe::LAST_RELOAD;
use crate::engine::planning::PlanError;
use crate::engine::{Clock, Ending, Engine, Helped, Stop, SweepError, SweepReport, SweepRequest};
use crate::http::Activity;
use crate::intake::SubjectHasher;
use crate::ledger::{Ledger, LedgerError, RuleChange};
use crate::model::{AccountName, BreakerKind, PolicyName, Timestamp};
use crate::rules::policy::RuleDigest;

/// The loop turns at least this often.
pub(super) const TICK: Duration = Duration::from_secs(15);

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
    /// Counts what the engine does: see [`counting`](super::counting).
    pub activity: Arc<Activity>,
    /// What webhooks are signed with, or why that is not known.
    pub webhook_secrets: Result<Vec<secrecy::SecretString>, WebhookSecretError>,
    /// The keys of the named accounts: the gateway tells clients by them.
    pub account_keys: BTreeMap<AccountName, secrecy::SecretString>,
    /// What hides data subjects; `None` where no key is set up, and rows that name one are refused.
    pub subjects: Option<SubjectHasher>,
    /// Reads the policy file again.
    pub read_again: Box<dyn Fn() -> Result<Checked, Problems> + Send + Sync>,
    /// Where it can be asked to reload and answers; `None`: only by SIGHUP.
    pub control: Option<PathBuf>,
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
pub(super) enum Work {
    Weigh(Box<Checked>),
    Hints,
    Sweep(SweepRequest),
    /// With the sweep of another process on the same ledger.
    Help,
}

/// What a piece of work came to.
pub(super) enum Done {
    Weighed(Box<Checked>, Result<Standing, LedgerError>),
    Hints(Result<Result<u64, Box<RuleChange>>, LedgerError>),
    Sweep(Result<SweepReport, SweepError>),
    Helped(Result<Helped, SweepError>),
}

/// The running service.
pub struct Daemon {
    pub(super) parts: Parts,
    pub(super) rules: Arc<Checked>,
    cancel: CancellationToken,
    /// Ends the sweep under way: it goes on under the rules then in force.
    pub(super) cut: CancellationToken,
    pub(super) running: Option<JoinHandle<Done>>,
    /// Policies whose last sweep was stopped, and how long to leave them alone.
    pub(super) patience: HashMap<PolicyName, Patience>,
    /// Not before this instant after an error: no tight loop on a broken disk.
    pub(super) rest_until: Option<tokio::time::Instant>,
    /// Work failed or was broken off, and what it had under way may be nobody's yet.
    pub(super) left_over: bool,
    /// No help for others before this instant.
    pub(super) help_from: Option<tokio::time::Instant>,
    stop_shown: Option<Stop>,
    /// A policy file that was read and is still to be weighed.
    pub(super) proposed: Option<Box<Checked>>,
    /// Who waits to hear what became of it, and the sections of it that need a restart.
    pub(super) asks: Vec<Ask>,
    pub(super) fixed: Vec<String>,
    /// Digest of changed rules that wait for an approval.
    pub(super) waiting: Option<RuleDigest>,
    /// When dates that come near were last warned of.
    pub(super) warned_at: Option<tokio::time::Instant>,
    pub(super) show: Show,
    pub(super) passing: Passing,
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
    /// Puts the daemon together: listeners open, and nothing is deleted yet. Inside a runtime.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let rules = Arc::new(parts.checked.clone());
        let cancel = CancellationToken::new();
        let show = Show::start(&parts);
        let passing = Passing::start(&parts);
        Self {
            parts,
            rules,
            cut: cancel.child_token(),
            cancel,
            running: None,
            patience: HashMap::new(),
            rest_until: None,
            left_over: false,
            help_from: None,
            stop_shown: None,
            proposed: None,
            asks: Vec::new(),
            fixed: Vec::new(),
            waiting: None,
            warned_at: None,
            show,
            passing,
        }
    }

    /// Runs until SIGTERM or SIGINT. SIGHUP, or a question at the control socket, reads the policy file again.
    ///
    /// # Errors
    /// [`DaemonError`]; an orderly end is `Ok`.
    pub async fn run(mut self) -> Result<(), DaemonError> {
        let mut signals = Signals::new()?;
        self.parts.engine.recover().await.map_err(DaemonError::Fatal)?;
        // A file that was refused has nothing to say after a start with a good one.
        self.parts.ledger.set_setting(LAST_RELOAD, None).await?;
        // The key, the address and the clock are tried at once, not only when something is due.
        if let Some(stop) = self.parts.engine.guard(true).await.map_err(DaemonError::Fatal)? {
            self.show_stop(Some(&stop));
        }
        let (sender, mut wakes) = mpsc::channel::<Wake>(WAKES);
        let clock = Arc::clone(&self.parts.clock);
        let mut trigger = Trigger::start(self.entries(), sender, Arc::new(move || clock.now())).await?;
        self.proposed = Some(Box::new(self.parts.checked.clone()));
        let (mut asked, _control) = self.control();
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
                _ = signals.hangup.recv() => {
                    self.reload(&mut trigger).await;
                }
                Some(ask) = asked.recv() => self.answer(ask, &mut trigger).await,
                Some(Wake { policy }) = wakes.recv() => tracing::debug!(policy = %policy, "the schedule beats"),
                _ = tick.tick() => {}
                done = finished(&mut self.running) => {
                    self.running = None;
                    if let Err(error) = self.take(done, &mut trigger).await {
                        break Err(error);
                    }
                }
            }
            notify(&[NotifyState::Watchdog]);
            self.show.pulse.beat();
            self.show.lookout.look();
            if let Err(error) = self.turn().await {
                break Err(error);
            }
        };
        notify(&[NotifyState::Stopping]);
        self.passing.close();
        self.wind_up(trigger).await;
        self.passing.end().await;
        self.show.end().await;
        ended
    }

    /// The control socket. Without one the service does all but answer.
    fn control(&self) -> (mpsc::Receiver<Ask>, Option<AbortOnDropHandle<()>>) {
        let nobody = || (mpsc::channel(1).1, None);
        let Some(path) = &self.parts.control else {
            return nobody();
        };
        match control::listen(path) {
            Ok((asked, listening)) => (asked, Some(listening)),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "the control socket cannot be opened: `retentiond reload` will not be answered");
                nobody()
            }
        }
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

    pub(super) fn entries(&self) -> Vec<Entry> {
        let rules = &self.rules.rules;
        let entry = |policy: &crate::rules::policy::Policy| {
            let (schedule, zone) = (policy.schedule.clone(), rules.zone.clone());
            Entry {
                policy: policy.name.clone(),
                next: Arc::new(move |after: Timestamp| schedule.next_after(after, &zone)),
            }
        };
        let requests = std::iter::once(&rules.erasure.sweep);
        rules.policies.iter().chain(requests).map(entry).collect()
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

    pub(super) fn show_stop(&mut self, stop: Option<&Stop>) {
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
            Work::Weigh(file) => {
                let ledger = Arc::clone(&self.parts.ledger);
                let now = self.parts.clock.now();
                tokio::spawn(async move {
                    let running = Some(&rules.rules);
                    let standing = standing(ledger.as_ref(), (*file).clone(), running, now).await;
                    Done::Weighed(file, standing)
                })
            }
            Work::Hints => {
                let ledger = Arc::clone(&self.parts.ledger);
                let now = self.parts.clock.now();
                tokio::spawn(async move {
                    Done::Hints(adopt(ledger.as_ref(), &rules.rules, now, &|_, _| ()).await)
                })
            }
            Work::Sweep(request) => {
                notify(&[NotifyState::Status(&format!("sweeping {}", request.policy))]);
                self.show.herald.begins();
                let engine = Arc::clone(&self.parts.engine);
                tokio::spawn(async move { Done::Sweep(engine.sweep(&rules.rules, &request, &cancel).await) })
            }
            Work::Help => {
                notify(&[NotifyState::Status("helping with the sweep of another process")]);
                let engine = Arc::clone(&self.parts.engine);
                tokio::spawn(async move { Done::Helped(engine.help(&rules.rules, &cancel).await) })
            }
        }
    }

    async fn take(
        &mut self,
        done: Result<Done, tokio::task::JoinError>,
        trigger: &mut Trigger,
    ) -> Result<(), DaemonError> {
        match done {
            Ok(Done::Weighed(_, Ok(standing))) => {
                self.stand(standing, trigger).await;
                Ok(())
            }
            Ok(Done::Weighed(file, Err(error))) => {
                // Unless a newer one was read meanwhile.
                self.proposed.get_or_insert(file);
                self.failed(error.into()).await
            }
            Ok(Done::Hints(Ok(Err(change)))) => {
                tracing::warn!("the rules wait: {}", change.impact.sentence());
                self.rest();
                Ok(())
            }
            Ok(Done::Hints(Ok(Ok(files)))) => {
                tracing::info!(files, "every live file is decided under the rules in force");
                Ok(())
            }
            Ok(Done::Hints(Err(error))) => self.failed(error.into()).await,
            Ok(Done::Sweep(Ok(report))) => {
                if !matches!(report.ending, Ending::Elsewhere { .. }) {
                    self.parts.activity.swept(report.ending.state());
                }
                self.show.herald.ended(Some(&report));
                self.learn_patience(&report);
                notify(&[NotifyState::Status("waiting for the next run")]);
                Ok(())
            }
            Ok(Done::Helped(Ok(helped))) => {
                self.learn_of_help(&helped);
                notify(&[NotifyState::Status("waiting for the next run")]);
                Ok(())
            }
            Ok(Done::Helped(Err(error))) => self.failed(error).await,
            Ok(Done::Sweep(Err(error))) => {
                self.show.herald.ended(None);
                self.failed(error).await
            }
            Err(panic) => {
                self.parts.activity.failed();
                tracing::error!(%panic, "a sweep ended in a panic: its open outcomes are unknown");
                self.left_over = true;
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
                | LedgerError::Refused { .. }
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
        self.parts.activity.failed();
        self.left_over = true;
        tracing::error!(%error, "a turn failed; trying again in a moment");
        self.rest();
        Ok(())
    }

    fn rest(&mut self) {
        self.rest_until = Some(tokio::time::Instant::now() + TICK);
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
pub(super) fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd cannot be told");
    }
}
