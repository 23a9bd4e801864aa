//! A claim that is good for a while only, on a ledger that others may take over.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use retentiond::engine::{Clock, Ending, Engine, ManualClock, SweepRequest, SystemClock};
use retentiond::ledger::{HistoryFilter, Lease, Place, PostgresOptions};
use retentiond::model::{ClockMark, FileState, Labels, Timestamp, Trigger};
use retentiond::sandbox::Endpoint;
use tokio_util::sync::CancellationToken;

use crate::cluster::cluster;
use crate::harness::{DAY_MS, World, name};
use crate::passing::{Around, Passing};

/// A machine that is suspended for a minute between a claim and its request.
struct Suspended {
    clock: Arc<ManualClock>,
    /// Readings until then.
    readings: AtomicI64,
    ahead: AtomicI64,
}

impl Suspended {
    fn never(clock: Arc<ManualClock>) -> Self {
        Self {
            clock,
            readings: AtomicI64::new(-1),
            ahead: AtomicI64::new(0),
        }
    }
}

impl Clock for Suspended {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead.load(Ordering::SeqCst);
        self.clock.now().checked_add_millis(ahead).unwrap()
    }

    fn mark(&self) -> ClockMark {
        if self.readings.fetch_sub(1, Ordering::SeqCst) == 0 {
            self.ahead.store(61_000, Ordering::SeqCst);
        }
        let ahead = self.ahead.load(Ordering::SeqCst);
        let mark = self.clock.mark();
        ClockMark {
            wall: mark.wall.checked_add_millis(ahead).unwrap(),
            boottime_ms: mark.boottime_ms + ahead,
            ..mark
        }
    }
}

/// At the second turn to delete the machine has three readings of its clock left.
struct Tired {
    clock: Arc<Suspended>,
    turns: AtomicI64,
}

#[async_trait]
impl Around for Tired {
    async fn before_turn(&self) {
        if self.turns.fetch_add(1, Ordering::SeqCst) == 1 {
            // Before the claim, for the claim; the third is right before the request.
            self.clock.readings.store(2, Ordering::SeqCst);
        }
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_claim_is_not_sent_once_its_time_is_over() {
    let mut world = World::new().await;
    let place = Place::Server(PostgresOptions {
        url: cluster().fresh().await,
        password: None,
        beside: world.dir.path().join("on-server"),
        lease: Lease::over(Duration::from_secs(5)),
    });
    world.lock = place.lock().await.unwrap();
    world.ledger = place.open_to_delete(&world.lock).await.unwrap();
    // The database has a clock of its own, and a say.
    world
        .clock
        .advance(SystemClock.now().millis_since(world.now()) - 11 * DAY_MS);
    let batch = world.upload_unrecorded(10);
    world.record(&batch, Labels::new(), world.now()).await;
    world.days_pass(11);
    let clock = Arc::new(Suspended::never(Arc::clone(&world.clock)));
    let around = Tired {
        clock: Arc::clone(&clock),
        turns: AtomicI64::new(0),
    };
    let remote = Passing {
        client: world.client(Duration::from_secs(5)),
        around,
    };
    let engine = Engine::new(
        Arc::clone(&world.ledger),
        Arc::new(remote),
        clock,
        world.settings.clone(),
        &world.lock,
    );
    let request = SweepRequest {
        policy: name("documents"),
        occurrence: None,
        trigger: Trigger::Manual,
    };
    let report = engine
        .sweep(&world.checked.rules, &request, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(report.ending, Ending::Done);
    assert_eq!(world.count(&batch, FileState::Deleted).await, 10);
    let filter = HistoryFilter {
        limit: 10,
        ..HistoryFilter::default()
    };
    let attempts = world.ledger.history(&filter).await.unwrap();
    let told: Vec<_> = attempts
        .iter()
        .rev()
        .map(|a| (a.outcome.as_deref().unwrap_or("open"), a.files.len()))
        .collect();
    assert_eq!(told, [("confirmed", 1), ("not-sent", 9), ("confirmed", 9)]);
    assert_eq!(
        world.server.request_count(Endpoint::DeleteFiles),
        2,
        "nothing leaves under a lease that has run out"
    );
}
