//! The order of intent, request and outcome, seen from the request: a remote that looks into the ledger.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use retentiond::engine::{Clock, Ending, Engine, Stop, SweepReport, SweepRequest};
use retentiond::extracta::remote::DeleteFiles;
use retentiond::ledger::{Figures, HistoryFilter, Ledger, OpenMode, SqliteLedger};
use retentiond::model::{FileState, Pause, Timestamp, Trigger};
use retentiond::sandbox::{DocumentType, Endpoint};
use tokio_util::sync::CancellationToken;

use crate::harness::{World, name};
use crate::limits::{plan_of, with_limits};
use crate::passing::{Around, Passing};

/// Each delete is held against the ledger, read by a connection of its own.
struct Watched {
    reader: SqliteLedger,
    writer: Arc<dyn Ledger>,
    now: Timestamp,
    deletes: AtomicUsize,
    turns: AtomicUsize,
    /// The turn at which somebody pauses everything.
    pause_at_turn: usize,
    /// The delete after which the process is asked to end.
    end_after: usize,
    cancel: CancellationToken,
}

impl Watched {
    async fn over(world: &World) -> Self {
        let reader = SqliteLedger::open(&world.checked.ledger.url, OpenMode::ReadOnly)
            .await
            .unwrap();
        Self {
            reader,
            writer: Arc::clone(&world.ledger),
            now: world.now(),
            deletes: AtomicUsize::new(0),
            turns: AtomicUsize::new(0),
            pause_at_turn: usize::MAX,
            end_after: usize::MAX,
            cancel: CancellationToken::new(),
        }
    }

    async fn sweep(self, world: &World, occurrence: Option<Timestamp>) -> SweepReport {
        let cancel = self.cancel.clone();
        let clock: Arc<dyn Clock> = Arc::<retentiond::engine::ManualClock>::clone(&world.clock);
        let ledger = Arc::clone(&world.ledger);
        let remote = Passing {
            client: world.client(Duration::from_secs(5)),
            around: self,
        };
        let engine = Engine::new(
            ledger,
            Arc::new(remote),
            clock,
            world.settings.clone(),
            &world.lock,
        );
        let request = SweepRequest {
            policy: name("documents"),
            occurrence,
            trigger: Trigger::Schedule,
        };
        engine
            .sweep(&world.checked.rules, &request, &cancel)
            .await
            .unwrap()
    }

    /// Every id of a request is claimed, under an intent that is committed and open.
    async fn assert_intent(&self, request: &DeleteFiles) {
        for file in request.files() {
            let record = self.reader.find(file).await.unwrap().remove(0);
            assert_eq!(record.state, FileState::Deleting, "{file} is asked for unclaimed");
            let filter = HistoryFilter {
                file: Some(file.clone()),
                limit: 1,
                ..HistoryFilter::default()
            };
            let attempts = self.reader.history(&filter).await.unwrap();
            assert_eq!(
                attempts[0].settled_at, None,
                "{file} is asked for without an intent"
            );
        }
    }
}

#[async_trait]
impl Around for Watched {
    async fn before_turn(&self) {
        if self.turns.fetch_add(1, Ordering::SeqCst) + 1 == self.pause_at_turn {
            let pause = Pause {
                since: self.now,
                until: self.now.checked_add_millis(3_600_000).unwrap(),
                reason: "audit".to_owned(),
            };
            self.writer.set_pause(Some(&pause), self.now).await.unwrap();
        }
    }

    async fn before_delete(&self, request: &DeleteFiles) {
        self.assert_intent(request).await;
    }

    async fn after_delete(&self, _request: &DeleteFiles) {
        if self.deletes.fetch_add(1, Ordering::SeqCst) + 1 == self.end_after {
            self.cancel.cancel();
        }
    }
}

#[tokio::test]
async fn no_request_leaves_without_its_intent() {
    let mut world = World::new().await;
    world.settings.files_per_request = 5;
    let batches = [world.upload(12).await, world.upload(7).await];
    world.days_pass(11);
    let report = Watched::over(&world).await.sweep(&world, None).await;
    assert_eq!((report.ending, report.summary.deleted), (Ending::Done, 19));
    assert!(world.server.request_count(Endpoint::DeleteFiles) >= 5);
    world.assert_truth(&[&batches[0], &batches[1]]).await;
}

#[tokio::test]
async fn a_pause_that_comes_while_a_delete_waits_for_its_turn_wins() {
    let mut world = World::new().await;
    world.settings.files_per_request = 5;
    let batch = world.upload(12).await;
    world.days_pass(11);
    let mut remote = Watched::over(&world).await;
    remote.pause_at_turn = 2;
    let report = remote.sweep(&world, None).await;
    assert!(matches!(
        report.ending,
        Ending::Stopped {
            by: Stop::Paused { .. }
        }
    ));
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 1);
    assert_eq!(world.left(&batch), 11);
    world.assert_truth(&[&batch]).await;
}

#[tokio::test]
async fn the_limit_counts_across_a_restart() {
    let mut world = World::with(
        |c| with_limits(c, "files_per_sweep = 10"),
        &[DocumentType::named("letter")],
    )
    .await;
    world.settings.files_per_request = 4;
    let first = world.upload(8).await;
    let later = world.upload_unrecorded(6);
    world.days_pass(11);
    let occurrence = Some(world.now());
    let mut remote = Watched::over(&world).await;
    remote.end_after = 2;
    let cut = remote.sweep(&world, occurrence).await;
    assert_eq!(cut.ending, Ending::Stopped { by: Stop::Shutdown });
    assert_eq!(world.left(&first), 3, "the first file alone, then four");
    // Of 8 + 6 files 9 are left, which alone would be inside the limit of 10.
    let uploaded_at = crate::harness::BEGINNING.parse().unwrap();
    world
        .record(&later, retentiond::model::Labels::new(), uploaded_at)
        .await;
    let resumed = Watched::over(&world).await.sweep(&world, occurrence).await;
    plan_of(&resumed.ending);
    assert_eq!((world.left(&first), world.left(&later)), (3, 6));
}
