//! The herald: tells somebody elsewhere what has changed, and that sweeps begin and end.
//!
//! It reads pictures and reports and touches nothing. Whoever is told may be slow, down, or wrong: messages wait
//! in a short queue of their own, are tried again for some minutes, and are then given up with a line in the log.
//! No sweep waits for it, and none fails because of it.

mod mail;
mod ping;
mod sign;

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{self, NotifySettings};
use crate::engine::{Clock, SweepReport};
use crate::http::Shown;
use crate::snapshot::changes;

use mail::{Letter, Patience};
pub use mail::{Post, Undelivered};
use sign::Event;

/// Messages that may wait for one receiver. More say nothing new.
const WAITING: usize = 64;

/// Tells of sweeps; the task behind it tells of changes.
pub(super) struct Herald {
    pings: Option<mpsc::Sender<Letter>>,
}

impl Herald {
    /// Opens a line to each receiver that `[notify]` names. One that cannot be used is said once, and left out.
    pub(super) fn start(
        settings: &NotifySettings,
        picture: tokio::sync::watch::Receiver<Option<Shown>>,
        clock: Arc<dyn Clock>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let line = |post: Result<Option<Post>, String>, receiver| match post {
            Ok(Some(post)) => {
                let (letters, waiting) = mpsc::channel(WAITING);
                let (stop, clock) = (stop.clone(), Arc::clone(&clock));
                tasks.spawn(async move {
                    let carrying = post.carry(waiting, clock, Patience::default());
                    stop.run_until_cancelled(carrying).await;
                });
                Some(letters)
            }
            Ok(None) => None,
            Err(problem) => {
                tracing::error!(receiver, "notifications are not sent: {problem}");
                None
            }
        };
        let pings = line(Post::ping(settings), "ping");
        if let Some(events) = line(webhook(settings), "webhook") {
            let stop = stop.clone();
            tasks.spawn(async move {
                stop.run_until_cancelled(tell_of_changes(picture, events)).await;
            });
        }
        Self { pings }
    }

    /// A sweep begins.
    pub(super) fn begins(&self) {
        self.ping(|| Some(Letter::ping("start", String::new())));
    }

    /// A sweep has ended; `None` when it failed as a whole.
    pub(super) fn ended(&self, report: Option<&SweepReport>) {
        self.ping(|| ping::end(report));
    }

    fn ping(&self, letter: impl FnOnce() -> Option<Letter>) {
        if let Some(line) = &self.pings
            && let Some(letter) = letter()
        {
            hand_in(line, letter);
        }
    }
}

/// The signed line, with its secret.
fn webhook(settings: &NotifySettings) -> Result<Option<Post>, String> {
    if settings.webhook_url.is_none() {
        return Ok(None);
    }
    let secret = config::webhook_secret(settings, &|name| std::env::var_os(name));
    Post::webhook(settings, secret.map_err(|error| error.to_string())?)
}

/// Every change from picture to picture, for as long as pictures are taken.
async fn tell_of_changes(
    mut picture: tokio::sync::watch::Receiver<Option<Shown>>,
    events: mpsc::Sender<Letter>,
) {
    let mut before: Option<Shown> = None;
    while picture.changed().await.is_ok() {
        let Some(after) = picture.borrow_and_update().clone() else {
            continue;
        };
        let earlier = before.as_ref().map(|shown| shown.snapshot.as_ref());
        for change in changes(earlier, &after.snapshot) {
            hand_in(&events, Letter::event(&Event::of(&change, &after.snapshot)));
        }
        before = Some(after);
    }
}

/// Never waits.
fn hand_in(line: &mpsc::Sender<Letter>, letter: Letter) {
    match line.try_send(letter) {
        Ok(()) | Err(TrySendError::Closed(_)) => {}
        Err(TrySendError::Full(_)) => {
            tracing::warn!("too many notifications wait for their receiver: one is dropped");
        }
    }
}
