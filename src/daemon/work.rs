//! What to do next: the oldest run that is due, or an approved plan; and patience with what is stopped.

use std::time::Duration;

use tokio::time::Instant;

use super::occurrence::due_run;
use super::service::{Daemon, TICK, Work};
use crate::engine::observe::LAST_TURN;
use crate::engine::{Ending, Helped, Stop, SweepError, SweepReport, SweepRequest, others_sweep};
use crate::ledger::Peer;
use crate::model::{BreakerKind, PolicyName, Timestamp, Trigger as Cause};
use crate::rules::policy::{Mode, Policy};

/// A policy whose sweep was stopped is left alone for so long at first, then twice as long each time.
const FIRST_REST: Duration = Duration::from_secs(30);

/// Six tries an hour are enough for an API that is down.
const LONGEST_REST: Duration = Duration::from_secs(600);

/// How long to leave a policy alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    until: Instant,
    rest: Duration,
}

impl Daemon {
    /// The next piece of work, if nothing runs. The clock is heard either way.
    pub(super) async fn next_work(&mut self) -> Result<Option<Work>, SweepError> {
        let now = self.parts.clock.now();
        self.parts
            .ledger
            .set_setting(LAST_TURN, Some(&now.to_string()))
            .await?;
        self.warn_of_dates(now).await?;
        self.parts.engine.daily_checkpoint().await;
        if self.running.is_some() {
            self.parts.engine.watch_clock().await?;
            return Ok(None);
        }
        if self.rest_until.is_some_and(|until| Instant::now() < until) {
            return Ok(None);
        }
        let stop = self.parts.engine.guard(false).await?;
        self.show_stop(stop.as_ref());
        self.hear_approval().await?;
        // Before all else: a failure leaves it here, to be tried again.
        if let Some(file) = self.proposed.take() {
            return Ok(Some(Work::Weigh(file)));
        }
        // Rules that wait are not adopted, and where those before them are lost nothing else is.
        let digest = &self.rules.rules.digest;
        if self.waiting.as_ref() != Some(digest) && !self.parts.ledger.hints_are_current(digest).await? {
            return Ok(Some(Work::Hints));
        }
        // By a clock that nobody trusts no run is due: its name would stand in the ledger for ever.
        if matches!(
            stop,
            Some(Stop::Breaker {
                kind: BreakerKind::Clock,
                ..
            })
        ) {
            return Ok(None);
        }
        let peers = self.peers().await?;
        let elsewhere = others_sweep(&peers, &self.rules.rules);
        let is_free = |name: &PolicyName| !elsewhere.iter().any(|(policy, _)| *policy == name);
        // What stops one account must not make another's files late.
        let all_stop = match &stop {
            Some(stop) if stop.is_of_account() => self.parts.engine.stop_of_all().await?.is_some(),
            found => found.is_some(),
        };
        let is_blocked = |policy: &Policy| {
            let of_unnamed = policy.account.is_none() && !self.rules.rules.is_erasure(&policy.name);
            all_stop || stop.is_some() && (of_unnamed || self.rules.accounts.is_empty())
        };
        if let Some(request) = self.oldest_due(now, &is_blocked, &is_free).await? {
            return Ok(Some(Work::Sweep(request)));
        }
        if all_stop || stop.is_some() && self.rules.accounts.is_empty() {
            return Ok(None);
        }
        let is_free = |name: &PolicyName| {
            let policy = self.rules.rules.swept(name);
            is_free(name) && !policy.is_some_and(is_blocked)
        };
        if let Some(policy) = self.approved(now, &is_free).await? {
            return Ok(Some(Work::Sweep(SweepRequest {
                policy,
                occurrence: None,
                trigger: Cause::Approval,
            })));
        }
        let helps = elsewhere.iter().any(|(_, same_rules)| *same_rules)
            && self.help_from.is_none_or(|from| Instant::now() >= from);
        Ok(helps.then_some(Work::Help))
    }

    /// Who is on this ledger. Nothing runs here: what is ours by the ledger failed or was broken off, and is everybody's
    /// from now on.
    async fn peers(&mut self) -> Result<Vec<Peer>, SweepError> {
        let peers = self.parts.ledger.peers().await?;
        let busy = |peer: &Peer| peer.ours && (peer.parts > 0 || peer.sweep.is_some());
        if !self.left_over && !peers.iter().any(busy) {
            return Ok(peers);
        }
        self.parts.engine.let_go().await?;
        self.left_over = false;
        Ok(self.parts.ledger.peers().await?)
    }

    /// Of all runs that are due the one with the oldest instant: no policy starves another.
    async fn oldest_due(
        &self,
        now: Timestamp,
        is_blocked: &(dyn Fn(&Policy) -> bool + Sync),
        is_free: &(dyn Fn(&PolicyName) -> bool + Sync),
    ) -> Result<Option<SweepRequest>, SweepError> {
        let rules = &self.rules.rules;
        let mut oldest: Option<SweepRequest> = None;
        // Without a request there is nothing to sweep, and no run to record.
        let requested = !self.parts.ledger.erasures(true).await?.is_empty();
        let requests = requested.then_some(&rules.erasure.sweep);
        for policy in rules.policies.iter().chain(requests) {
            // A run whose window is closed waits for it to open: it is still due then.
            if self.rests(&policy.name) || !is_free(&policy.name) || rules.closed(&policy.name, now).is_some()
            {
                continue;
            }
            let due = due_run(self.parts.ledger.as_ref(), rules, policy, now, is_blocked(policy)).await?;
            if let Some(due) = due
                && oldest.as_ref().is_none_or(|old| due.occurrence < old.occurrence)
            {
                oldest = Some(due);
            }
        }
        Ok(oldest)
    }

    /// An enforced policy with an approval in force that no sweep has used up.
    async fn approved(
        &self,
        now: Timestamp,
        is_free: &(dyn Fn(&PolicyName) -> bool + Sync),
    ) -> Result<Option<PolicyName>, SweepError> {
        let enforced = |name: &PolicyName| {
            self.rules
                .rules
                .swept(name)
                .is_some_and(|policy| policy.mode == Mode::Enforce)
                && self.rules.rules.closed(name, now).is_none()
        };
        let approvals = self.parts.ledger.approvals(now).await?;
        Ok(approvals
            .into_iter()
            .map(|a| a.policy)
            .find(|name| enforced(name) && is_free(name) && !self.rests(name)))
    }

    fn rests(&self, policy: &PolicyName) -> bool {
        self.patience
            .get(policy)
            .is_some_and(|patience| Instant::now() < patience.until)
    }

    /// Helping that was stopped is left alone for a turn: its cause is the other sweep's as well, or will be. So is
    /// helping where there was nothing to do.
    pub(super) fn learn_of_help(&mut self, helped: &Helped) {
        if let Some(stop) = &helped.stop {
            tracing::info!("helping was stopped: {}", stop.sentence());
        }
        if helped.stop.is_some() || helped.parts == 0 {
            self.help_from = Some(Instant::now() + TICK);
        }
        if helped.parts > 0 {
            tracing::info!(parts = helped.parts, "helped with a sweep of another process");
        }
    }

    /// A sweep that was stopped is tried again, but not at once and not for ever at the same pace.
    pub(super) fn learn_patience(&mut self, report: &SweepReport) {
        let stop = match &report.ending {
            Ending::Done | Ending::Observed | Ending::AlreadyDone | Ending::Elsewhere { .. } => None,
            Ending::Stopped {
                by: Stop::Shutdown | Stop::Limit { .. } | Stop::Approval { .. },
            } => None,
            Ending::Stopped { by } => Some(by),
        };
        if let Ending::Elsewhere { by } = &report.ending {
            tracing::info!(policy = %report.policy, by, "another process is sweeping this policy");
            let patience = Patience {
                until: Instant::now() + TICK,
                rest: TICK,
            };
            self.patience.insert(report.policy.clone(), patience);
            return;
        }
        if let Ending::Stopped {
            by: by @ Stop::OutsideWindow { .. },
        } = &report.ending
        {
            tracing::info!(policy = %report.policy, "the sweep was stopped: {}", by.sentence());
        } else if let Ending::Stopped { by } = &report.ending {
            tracing::warn!(policy = %report.policy, "the sweep was stopped: {}", by.sentence());
        }
        if stop.is_none() {
            self.patience.remove(&report.policy);
            return;
        }
        let rest = self
            .patience
            .get(&report.policy)
            .map_or(FIRST_REST, |p| (p.rest * 2).min(LONGEST_REST));
        let patience = Patience {
            until: Instant::now() + rest,
            rest,
        };
        self.patience.insert(report.policy.clone(), patience);
    }
}
