//! The listeners of the service: opened at the start, ended at the end, on tasks of their own.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::herald::Herald;
use super::lookout::Lookout;
use super::service::Parts;
use crate::engine::{Listener, Progress};
use crate::http::{self, Activity, Door, DoorFigures, Hosts, Limits, Pulse};
use crate::outcome::Outcome;

/// Without a watchdog of systemd's: how long the loop may be silent before health says so.
const PATIENCE: Duration = Duration::from_secs(120);

/// At the end, listeners have so long to finish their answers.
const FAREWELL: Duration = Duration::from_secs(3);

/// Counters, and the ear that fills them from the engine.
#[must_use]
pub fn counting() -> (Arc<Activity>, Listener) {
    let activity = Arc::new(Activity::new(&Outcome::LABELS));
    let counted = Arc::clone(&activity);
    let hear = move |progress| match progress {
        Progress::Settled {
            outcome,
            deleted,
            gone,
        } => counted.settled(outcome, deleted, gone),
        Progress::Deciding { .. } | Progress::Deleting { .. } => {}
    };
    (activity, Listener::new(hear))
}

/// What is shown, and to whom.
pub(super) struct Show {
    pub(super) lookout: Lookout,
    pub(super) pulse: Arc<Pulse>,
    pub(super) herald: Herald,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Show {
    /// Takes pictures, and shows them where `[http]` says.
    pub(super) fn start(parts: &Parts) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let pulse = Arc::new(Pulse::new(sd_notify::watchdog_enabled().unwrap_or(PATIENCE)));
        let (lookout, watching) = Lookout::new(
            Arc::clone(&parts.ledger),
            Arc::clone(&parts.clock),
            Arc::new(parts.checked.clone()),
            stop.clone(),
        );
        tasks.spawn(watching);
        if let Some(at) = parts.checked.http.listen {
            let door = Door {
                name: "http",
                limits: Limits::default(),
                hosts: Hosts::named(parts.checked.http.hosts.clone()),
                figures: Arc::new(DoorFigures::default()),
            };
            let faces = http::Faces {
                picture: lookout.picture(),
                pulse: Arc::clone(&pulse),
                activity: Arc::clone(&parts.activity),
                doors: vec![(door.name, Arc::clone(&door.figures))],
            };
            let stop = stop.clone();
            tasks.spawn(async move {
                if let Some(socket) = http::bind_patiently(door.name, at, &stop).await {
                    http::listen(socket, http::routes(faces), door, stop).await;
                }
            });
        }
        super::counter::open(parts, &lookout, &tasks, &stop);
        let herald = Herald::start(
            &parts.checked.notify,
            lookout.picture(),
            Arc::clone(&parts.clock),
            &tasks,
            &stop,
        );
        Self {
            lookout,
            pulse,
            herald,
            stop,
            tasks,
        }
    }

    /// Ends all of it; answers under way are finished.
    pub(super) async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(FAREWELL, self.tasks.wait()).await.is_err() {
            tracing::debug!("a listener is cut at its last answers");
        }
    }
}
