//! The lookout: takes the picture that every face renders, beside the loop and never in its way.

use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Checked;
use crate::engine::Clock;
use crate::engine::observe::observe;
use crate::http::Shown;
use crate::ledger::Ledger;

/// A picture that was costly is not taken again at once: looking takes at most a sixth of the time.
const REST: u32 = 5;

/// Asks for pictures, and hands them out.
pub(super) struct Lookout {
    rules: watch::Sender<Arc<Checked>>,
    look: Arc<Notify>,
    picture: watch::Receiver<Option<Shown>>,
}

/// What the lookout itself needs.
struct Post {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    rules: watch::Receiver<Arc<Checked>>,
    look: Arc<Notify>,
    show: watch::Sender<Option<Shown>>,
}

impl Lookout {
    /// A lookout, and the task that it runs as until `stop`.
    pub(super) fn new(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        rules: Arc<Checked>,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (rules, in_force) = watch::channel(rules);
        let (show, picture) = watch::channel(None);
        let look = Arc::new(Notify::new());
        let post = Post {
            ledger,
            clock,
            rules: in_force,
            look: Arc::clone(&look),
            show,
        };
        let lookout = Self { rules, look, picture };
        let task = async move {
            // Reads only: nothing is lost by leaving off anywhere.
            stop.run_until_cancelled(post.keep_watch()).await;
        };
        (lookout, task)
    }

    /// Something may have changed: a new picture, soon.
    pub(super) fn look(&self) {
        self.look.notify_one();
    }

    /// Other rules are in force.
    pub(super) fn rules_changed(&self, rules: Arc<Checked>) {
        self.rules.send_replace(rules);
        self.look();
    }

    /// The rules in force, now and later.
    pub(super) fn rules(&self) -> watch::Receiver<Arc<Checked>> {
        self.rules.subscribe()
    }

    /// Where the pictures come out.
    pub(super) fn picture(&self) -> watch::Receiver<Option<Shown>> {
        self.picture.clone()
    }
}

impl Post {
    async fn keep_watch(mut self) {
        let mut failing = false;
        loop {
            let began = Instant::now();
            let rules = Arc::clone(&self.rules.borrow_and_update());
            match observe(self.ledger.as_ref(), &rules.rules, self.clock.now()).await {
                Ok(snapshot) => {
                    self.show.send_replace(Some(Shown {
                        snapshot: Arc::new(snapshot),
                        taken: Instant::now(),
                    }));
                    failing = false;
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(%error, "no picture can be taken: page and metrics show the last one");
                    }
                }
            }
            tokio::time::sleep(began.elapsed() * REST).await;
            self.look.notified().await;
        }
    }
}
