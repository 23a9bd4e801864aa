//! Gateway and webhooks of the service: beside the loop, each on a listener of its own. Whatever happens to
//! them never stops deletion.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::service::Parts;
use crate::config::ExtractaSettings;
use crate::extracta::{ClientError, Passage};
use crate::http::{self, Door, DoorFigures, Gateway, Gateways, Hosts};
use crate::intake::gateway::Gate;
use crate::intake::webhook::{Hooks, Secrets};
use crate::model::AccountName;
use crate::rules::policy::RuleSet;

/// At the end, uploads under way have so long; what is not done by then is in doubt.
const FAREWELL: Duration = Duration::from_secs(25);

/// Between two tries to begin over a ledger that cannot be written.
const REST: Duration = Duration::from_secs(5);

/// What passes through the service.
pub(super) struct Passing {
    rules: watch::Sender<Arc<RuleSet>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Passing {
    /// Opens what the policy file names.
    pub(super) fn start(parts: &Parts) -> Self {
        let (rules, in_force) = watch::channel(Arc::new(parts.checked.rules.clone()));
        let passing = Self {
            rules,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        passing.open_gateway(parts, in_force.clone());
        passing.open_webhooks(parts, in_force);
        passing
    }

    fn open_gateway(&self, parts: &Parts, rules: watch::Receiver<Arc<RuleSet>>) {
        let Some(at) = parts.checked.gateway.listen else {
            return;
        };
        let gateways = match gateways(parts, &rules) {
            Ok(gateways) => Arc::new(gateways),
            Err(error) => {
                tracing::error!(%error, "there is no gateway; deletion goes on without it");
                return;
            }
        };
        let door = Door {
            name: "gateway",
            limits: Gateway::LIMITS,
            hosts: Hosts::Any,
            figures: Arc::new(DoorFigures::default()),
        };
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            // What the last process left open must be in doubt before anything new is begun.
            while let Err(error) = gateways.unnamed().gate().take_up().await {
                tracing::error!(%error, "the gateway waits for the ledger");
                tokio::select! {
                    () = tokio::time::sleep(REST) => {}
                    () = stop.cancelled() => return,
                }
            }
            if let Some(socket) = http::bind_patiently(door.name, at, &stop).await {
                http::listen(socket, Arc::clone(&gateways).routes(), door, stop).await;
            }
            gateways.settled().await;
        });
    }

    fn open_webhooks(&self, parts: &Parts, rules: watch::Receiver<Arc<RuleSet>>) {
        let Some(at) = parts.checked.webhooks.listen else {
            return;
        };
        let secrets = match &parts.webhook_secrets {
            Ok(secrets) => Secrets::new(secrets.iter().map(|secret| secret.expose_secret())),
            Err(error) => {
                tracing::error!(%error, "no webhook is taken; deletion goes on without them");
                return;
            }
        };
        let clock = Arc::clone(&parts.clock);
        let now = Arc::new(move || clock.now());
        let hooks = Arc::new(Hooks::new(Arc::clone(&parts.ledger), rules, secrets, now));
        let door = Door {
            name: "webhooks",
            limits: http::HOOK_LIMITS,
            hosts: Hosts::Any,
            figures: Arc::new(DoorFigures::default()),
        };
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            if let Some(socket) = http::bind_patiently(door.name, at, &stop).await {
                http::listen(socket, http::hook_routes(hooks), door, stop).await;
            }
        });
    }

    /// Other rules are in force.
    pub(super) fn rules_changed(&self, rules: &RuleSet) {
        self.rules.send_replace(Arc::new(rules.clone()));
    }

    /// Takes nothing in any more.
    pub(super) fn close(&self) {
        self.stop.cancel();
    }

    /// Waits until what is under way is done, for a while.
    pub(super) async fn end(&self) {
        self.close();
        self.tasks.close();
        if tokio::time::timeout(FAREWELL, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                "the gateway is cut in the middle of a request: at the next start its uploads are in doubt"
            );
        }
    }
}

/// A gateway for each account whose key is known, at that account's address and with its books.
fn gateways(parts: &Parts, rules: &watch::Receiver<Arc<RuleSet>>) -> Result<Gateways, ClientError> {
    let gateway = |extracta: &ExtractaSettings, account: Option<&AccountName>| {
        let passage = Passage::new(&extracta.base_url, extracta.proxy.as_deref())?;
        let clock = Arc::clone(&parts.clock);
        let now = Arc::new(move || clock.now());
        let gate = Gate::new(
            Arc::clone(&parts.ledger),
            rules.clone(),
            parts.subjects.clone(),
            now,
        );
        let gate = match account {
            None => gate,
            Some(account) => gate.of(account.clone()),
        };
        Ok(Gateway::new(passage, gate))
    };
    let mut all = Gateways::new(gateway(&parts.checked.extracta, None)?);
    for account in &parts.checked.accounts {
        if let Some(key) = parts.account_keys.get(&account.name) {
            all = all.with(key, gateway(&account.extracta, Some(&account.name))?);
        }
    }
    Ok(all)
}
