//! A changed policy file: weighed, then taken over, or kept waiting.

use std::sync::Arc;

use sd_notify::NotifyState;

use super::control::{Ask, Reloaded};
use super::service::{Daemon, notify};
use super::standing::Standing;
use super::trigger::Trigger;
use crate::config::Checked;
use crate::engine::observe::LAST_RELOAD;
use crate::engine::short;
use crate::ledger::{LedgerError, RuleChange};
use crate::rules::impact::Impact;
use crate::rules::policy::RuleSet;

/// What must not change while the daemon runs.
fn needs_restart(old: &Checked, new: &Checked) -> Vec<&'static str> {
    let mut fixed = Vec::new();
    if old.ledger != new.ledger {
        fixed.push("[ledger]");
    }
    if old.extracta != new.extracta {
        fixed.push("[extracta]");
    }
    if old.accounts != new.accounts {
        fixed.push("[[account]]");
    }
    if old.log != new.log {
        fixed.push("[log]");
    }
    if old.intake != new.intake {
        fixed.push("[intake]");
    }
    if old.http != new.http {
        fixed.push("[http]");
    }
    if old.notify != new.notify {
        fixed.push("[notify]");
    }
    if old.gateway != new.gateway {
        fixed.push("[gateway]");
    }
    if old.webhooks != new.webhooks {
        fixed.push("[webhooks]");
    }
    fixed
}

/// Whether a sweep under the old set may go on under the new one: the rules, every mode, approval and window,
/// and the limits are the same. Schedules may differ.
fn same_in_effect(old: &RuleSet, new: &RuleSet) -> bool {
    let leave = |rules: &RuleSet| -> Vec<_> {
        rules
            .policies
            .iter()
            .map(|p| (p.name.clone(), p.mode, p.approval, p.window))
            .collect()
    };
    old.digest == new.digest
        && old.blackouts == new.blackouts
        && old.limits == new.limits
        && leave(old) == leave(new)
}

impl Daemon {
    /// Reads the policy file again for somebody who waits for the outcome.
    pub(super) async fn answer(&mut self, ask: Ask, trigger: &mut Trigger) {
        match self.reload(trigger).await {
            Some(reloaded) => tell(ask, reloaded),
            // As soon as it is weighed.
            None => self.asks.push(ask),
        }
    }

    /// Reads the policy file again. A bad one changes nothing, and says so. Changed rules are weighed
    /// first (see [`standing`](super::standing::standing)): the outcome is not known yet then.
    pub(super) async fn reload(&mut self, trigger: &mut Trigger) -> Option<Reloaded> {
        // The instant is what `Type=notify-reload` asks for; older versions of systemd pass over it.
        match NotifyState::monotonic_usec_now() {
            Ok(since) => notify(&[NotifyState::Reloading, since]),
            Err(_) => notify(&[NotifyState::Reloading]),
        }
        let reloaded = match (self.parts.read_again)() {
            Ok(checked) => {
                self.fixed = self.needs_restart(&checked);
                if checked.rules.digest == self.rules.rules.digest && self.rules.rules.awaiting.is_none() {
                    self.swap(checked, trigger).await;
                    Some(self.reloaded(String::new(), None))
                } else {
                    // Neither the old rules nor the new ones may be broken: the sweep under way ends with
                    // the request that it is at, and goes on once it is known which may be followed.
                    self.cut.cancel();
                    self.proposed = Some(Box::new(checked));
                    None
                }
            }
            Err(found) => {
                let problems = found.render(false);
                tracing::error!(
                    "the policy file is not taken over; the last good one stays in force:\n{problems}"
                );
                self.remember("refused").await;
                Some(self.reloaded(problems, None))
            }
        };
        notify(&[NotifyState::Ready]);
        reloaded
    }

    /// The sections of a new file that only a restart puts in force.
    fn needs_restart(&self, checked: &Checked) -> Vec<String> {
        let fixed = needs_restart(&self.rules, checked);
        for part in &fixed {
            tracing::warn!("{part} has changed: that takes effect with `systemctl restart retentiond`");
        }
        fixed.into_iter().map(str::to_owned).collect()
    }

    fn reloaded(&self, problems: String, waits: Option<String>) -> Reloaded {
        Reloaded {
            taken: problems.is_empty() && waits.is_none(),
            policies: self.rules.rules.policies.len(),
            fingerprint: self.rules.fingerprint.clone(),
            needs_restart: self.fixed.clone(),
            problems,
            waits,
        }
    }

    async fn remember(&self, outcome: &str) {
        let text = format!("{outcome} {}", self.parts.clock.now());
        if let Err(error) = self.parts.ledger.set_setting(LAST_RELOAD, Some(&text)).await {
            tracing::warn!(%error, "the result of the reload cannot be written down");
        }
    }

    async fn swap(&mut self, checked: Checked, trigger: &mut Trigger) {
        if !same_in_effect(&self.rules.rules, &checked.rules) {
            self.cut.cancel();
        }
        self.follow(checked, trigger).await;
        self.keep_text().await;
        tracing::info!(
            policies = self.rules.rules.policies.len(),
            fingerprint = self.rules.fingerprint,
            "the policy file is taken over"
        );
        self.remember("taken").await;
    }

    /// The text that is followed from now on, for `explain`; a sweep keeps it too before it decides.
    async fn keep_text(&self) {
        let rules = &self.rules.rules;
        let now = self.parts.clock.now();
        let kept = self
            .parts
            .ledger
            .keep_rule_text(&rules.digest, &rules.source, now)
            .await;
        if let Err(error) = kept {
            tracing::warn!(%error, "the text of the policy file cannot be kept");
        }
    }

    async fn follow(&mut self, checked: Checked, trigger: &mut Trigger) {
        self.rules = Arc::new(checked);
        self.show.lookout.rules_changed(Arc::clone(&self.rules));
        self.passing.rules_changed(&self.rules.rules);
        if let Err(error) = trigger.replace(self.entries()).await {
            tracing::error!(%error, "the scheduler does not take the new schedules; the tick carries them");
        }
    }

    /// The rules have been weighed: goes by them, or by those before them.
    pub(super) async fn stand(&mut self, standing: Standing, trigger: &mut Trigger) {
        let waits = match standing {
            Standing::Own { checked, impact } => {
                if let Some(impact) = impact {
                    show(&impact);
                }
                self.waiting = None;
                let as_before = checked.fingerprint == self.rules.fingerprint;
                if !as_before || self.rules.rules.awaiting.is_some() {
                    self.swap(*checked, trigger).await;
                }
                None
            }
            Standing::Before { checked, change } => {
                let waits = self.keep_waiting(&change, checked.rules.awaiting.as_deref());
                self.follow(*checked, trigger).await;
                self.remember("waits").await;
                Some(waits)
            }
            // The engine refuses each sweep under rules that wait, and says why.
            Standing::Nothing { checked, change } => {
                let waits = self.keep_waiting(&change, Some(&checked.rules));
                self.follow(*checked, trigger).await;
                self.remember("waits").await;
                Some(waits)
            }
        };
        for ask in std::mem::take(&mut self.asks) {
            tell(ask, self.reloaded(String::new(), waits.clone()));
        }
    }

    fn keep_waiting(&mut self, change: &RuleChange, rules: Option<&RuleSet>) -> String {
        show(&change.impact);
        let waits = format!(
            "the changed rules wait ({}): `retentiond approve {}` lets them take effect; until then a file goes only if the rules before say so too",
            change.impact.sentence(),
            short(&change.after.0)
        );
        tracing::warn!("{waits}");
        self.waiting = rules.map(|rules| rules.digest.clone());
        waits
    }

    /// Whether the rules that wait have been approved meanwhile: then they are weighed again, and taken.
    pub(super) async fn hear_approval(&mut self) -> Result<(), LedgerError> {
        let Some(waiting) = &self.waiting else {
            return Ok(());
        };
        let now = self.parts.clock.now();
        let change = self.parts.ledger.waiting_change().await?;
        if !change.is_some_and(|change| change.after == *waiting && change.is_approved(now)) {
            return Ok(());
        }
        let rules = &self.rules.rules;
        let new = rules.awaiting.as_deref().unwrap_or(rules).clone();
        self.proposed = Some(Box::new(Checked {
            rules: new,
            ..(*self.rules).clone()
        }));
        self.cut.cancel();
        Ok(())
    }
}

fn tell(ask: Ask, reloaded: Reloaded) {
    if ask.send(reloaded).is_err() {
        tracing::debug!("whoever asked for the reload has gone");
    }
}

/// What changed rules mean for the files at hand, policy by policy.
fn show(impact: &Impact) {
    for one in &impact.policies {
        let policy = one.policy.as_ref().map_or("", |name| name.as_str());
        tracing::warn!(
            policy,
            earlier = one.earlier,
            later = one.later,
            newly_owned = one.newly_owned,
            newly_unowned = one.newly_unowned,
            newly_enforced = one.newly_enforced,
            less_binding = one.less_binding,
            first_affected = one.first_affected.map(|at| at.to_string()),
            "changed rules apply to the files at hand"
        );
    }
    tracing::warn!("changed rules: {}", impact.sentence());
}
