//! The intake endpoint beside the loop: opened at the start, and never in the way of deletion.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::lookout::Lookout;
use super::service::Parts;
use crate::config::{self, Checked};
use crate::http::{self, Door, DoorFigures, Hosts, INTAKE_BODY_BYTES, Limits, Token};
use crate::intake::desk::{Desk, Ruled};
use crate::rules::policy::RuleSet;

/// A path that cannot be opened is tried again so often.
const REST: Duration = Duration::from_secs(30);

/// A long body may wait behind others for the ledger.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// Uploaders keep their connections.
const CONNECTION_TIME: Duration = Duration::from_secs(3600);

impl Ruled for Checked {
    fn rules(&self) -> &RuleSet {
        &self.rules
    }
}

/// Opens what `[intake]` names. Whatever fails is said, and the daemon goes on.
pub(super) fn open(parts: &Parts, lookout: &Lookout, tasks: &TaskTracker, stop: &CancellationToken) {
    let settings = &parts.checked.intake;
    if settings.socket.is_none() && settings.listen.is_none() {
        return;
    }
    let (rules, clock) = (lookout.rules(), Arc::clone(&parts.clock));
    let in_force = move || -> Arc<dyn Ruled> { Arc::<Checked>::clone(&rules.borrow()) };
    let now = move || clock.now();
    let desk = Desk::new(Arc::clone(&parts.ledger), in_force, parts.subjects.clone(), now);
    let desk = Arc::new(desk);
    if let Some(path) = settings.socket.clone() {
        let (router, stop) = (http::intake_routes(Arc::clone(&desk), None), stop.clone());
        tasks.spawn(async move {
            let mut said = false;
            loop {
                match http::bind_path(&path).await {
                    Ok(socket) => {
                        tracing::info!(listener = "intake", path = %path.display(), "listening");
                        http::listen(socket, router, door("intake socket", Hosts::Any), stop).await;
                        // Whoever finds it knows that nobody answers.
                        let _ = std::fs::remove_file(&path);
                        return;
                    }
                    Err(error) if !std::mem::replace(&mut said, true) => {
                        tracing::warn!(path = %path.display(), %error, "the intake socket cannot be opened; deletion goes on without it, and it is tried again");
                    }
                    Err(_) => {}
                }
                tokio::select! {
                    () = tokio::time::sleep(REST) => {}
                    () = stop.cancelled() => return,
                }
            }
        });
    }
    let Some(at) = settings.listen else { return };
    let token = match config::intake_token(settings, &|name| std::env::var_os(name)) {
        Ok(token) => Token::new(&token),
        Err(error) => {
            tracing::error!(%error, "the intake endpoint stays closed on its address; deletion goes on without it");
            return;
        }
    };
    let (router, stop) = (http::intake_routes(desk, Some(token)), stop.clone());
    tasks.spawn(async move {
        let door = door("intake", Hosts::named([]));
        if let Some(socket) = http::bind_patiently(door.name, at, &stop).await {
            http::listen(socket, router, door, stop).await;
        }
    });
}

fn door(name: &'static str, hosts: Hosts) -> Door {
    Door {
        name,
        limits: Limits {
            body_bytes: INTAKE_BODY_BYTES + 1,
            answer_time: ANSWER_TIME,
            connection_time: CONNECTION_TIME,
            ..Limits::default()
        },
        hosts,
        figures: Arc::new(DoorFigures::default()),
    }
}
