//! A changed policy file: what it changes, in files.

use std::sync::Arc;

use sd_notify::NotifyState;
use serde::Serialize;

use super::control::{Ask, Reloaded};
use super::service::{Daemon, notify};
use super::trigger::Trigger;
use crate::config::Checked;
use crate::engine::observe::LAST_RELOAD;

use crate::ledger::{Ledger, LedgerError};
use crate::model::Timestamp;
use crate::rules::policy::RuleSet;

/// What a changed rule set means for the files at hand: the counts before and after it took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Impact {
    /// Live files due under the old rules.
    pub due_before: u64,
    /// Live files due under the new rules.
    pub due_after: u64,
    /// Live files without an owner under the old rules.
    pub unowned_before: u64,
    /// Live files without an owner under the new rules.
    pub unowned_after: u64,
}

/// Live files that are due, and live files that nobody owns.
async fn counts(ledger: &dyn Ledger, now: Timestamp) -> Result<(u64, u64), LedgerError> {
    let tallies = ledger.tallies(now).await?;
    let due = tallies
        .iter()
        .filter(|(owner, _)| owner.is_some())
        .map(|(_, tally)| tally.due)
        .sum();
    let unowned = tallies
        .get(&None)
        .and_then(|tally| tally.by_state.get("live"))
        .copied()
        .unwrap_or(0);
    Ok((due, unowned))
}

/// What must not change while the daemon runs.
fn needs_restart(old: &Checked, new: &Checked) -> Vec<&'static str> {
    let mut fixed = Vec::new();
    if old.ledger.path != new.ledger.path {
        fixed.push("[ledger] url");
    }
    if old.extracta != new.extracta {
        fixed.push("[extracta]");
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

/// Whether two rule sets can differ in what is due when.
fn same_rules(old: &RuleSet, new: &RuleSet) -> bool {
    old.digest == new.digest
}

/// Whether a sweep under the old set may go on under the new one: the rules, every mode and approval,
/// and the limits are the same. Schedules may differ.
fn same_in_effect(old: &RuleSet, new: &RuleSet) -> bool {
    let leave = |rules: &RuleSet| -> Vec<_> {
        rules
            .policies
            .iter()
            .map(|p| (p.name.clone(), p.mode, p.approval))
            .collect()
    };
    same_rules(old, new) && old.limits == new.limits && leave(old) == leave(new)
}

impl Daemon {
    /// Reads the policy file again for somebody who waits for the outcome.
    pub(super) async fn answer(&mut self, ask: Ask, trigger: &mut Trigger) {
        let reloaded = self.reload(trigger).await;
        if ask.send(reloaded).is_err() {
            tracing::debug!("whoever asked for the reload has gone");
        }
    }

    /// Reads the policy file again. A bad one changes nothing, and says so.
    pub(super) async fn reload(&mut self, trigger: &mut Trigger) -> Reloaded {
        // The instant is what `Type=notify-reload` asks for; older versions of systemd pass over it.
        match NotifyState::monotonic_usec_now() {
            Ok(since) => notify(&[NotifyState::Reloading, since]),
            Err(_) => notify(&[NotifyState::Reloading]),
        }
        let now = self.parts.clock.now();
        let (mut problems, mut needs_restart) = (String::new(), Vec::new());
        let outcome = match (self.parts.read_again)() {
            Ok(checked) => {
                needs_restart = self.swap(checked, trigger).await;
                format!("taken {now}")
            }
            Err(found) => {
                problems = found.render(false);
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
        Reloaded {
            taken: problems.is_empty(),
            policies: self.rules.rules.policies.len(),
            fingerprint: self.rules.fingerprint.clone(),
            problems,
            needs_restart,
        }
    }

    /// Puts a new file in force; gives the sections of it that only a restart puts in force.
    async fn swap(&mut self, checked: Checked, trigger: &mut Trigger) -> Vec<String> {
        let now = self.parts.clock.now();
        let fixed = needs_restart(&self.rules, &checked);
        for part in &fixed {
            tracing::warn!("{part} has changed: that takes effect with `systemctl restart retentiond`");
        }
        if !same_rules(&self.rules.rules, &checked.rules) {
            self.counts_before = counts(self.parts.ledger.as_ref(), now).await.ok();
        }
        if !same_in_effect(&self.rules.rules, &checked.rules) {
            // Neither the old rules nor the new ones may be broken: the sweep under way ends with the
            // request that it is at, and goes on under the new ones.
            self.cut.cancel();
        }
        self.rules = Arc::new(checked);
        self.show.lookout.rules_changed(Arc::clone(&self.rules));
        self.passing.rules_changed(&self.rules.rules);
        if let Err(error) = trigger.replace(self.entries()).await {
            tracing::error!(%error, "the scheduler does not take the new schedules; the tick carries them");
        }
        tracing::info!(
            policies = self.rules.rules.policies.len(),
            fingerprint = self.rules.fingerprint,
            "the policy file is taken over"
        );
        fixed.into_iter().map(str::to_owned).collect()
    }

    pub(super) async fn show_impact(&mut self) {
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
