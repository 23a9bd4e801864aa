//! Several engines on one PostgreSQL ledger, stopped at the moments that matter: each has a seat of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use retentiond::engine::{
    Clock, Ending, Engine, Helped, ManualClock, Stop, SweepError, SweepReport, SweepRequest, SystemClock,
};
use retentiond::extracta::remote::DeleteFiles;
use retentiond::ledger::{DeleterLock, Lease, Ledger, Place, PostgresOptions};
use retentiond::model::{FileState, Labels, Timestamp, Trigger};
use retentiond::sandbox::DocumentType;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::cluster::cluster;
use crate::harness::{Batch, DAY_MS, World, name, ten_days};
use crate::passing::{Around, Passing};

/// Batches, and files of each, all due.
const BATCHES: usize = 6;
const FILES: usize = 3;

/// The first delete of a leader that is of a part: before it come the canary and the rest of its batch.
const FIRST_OF_A_PART: usize = FILES + 1;

/// Waits before its `at`-th delete, claimed by then, until it is let go on.
struct Gate {
    at: usize,
    deletes: AtomicUsize,
    reached: CancellationToken,
    open: Notify,
    then: CancellationToken,
}

impl Gate {
    fn before(at: usize) -> Arc<Self> {
        Arc::new(Self {
            at,
            deletes: AtomicUsize::new(0),
            reached: CancellationToken::new(),
            open: Notify::new(),
            then: CancellationToken::new(),
        })
    }

    /// One that stands open: what counts is the end that the process is asked for with its `at`-th delete.
    fn ends_at(at: usize) -> Arc<Self> {
        let gate = Self::before(at);
        gate.open.notify_one();
        gate
    }
}

#[async_trait]
impl Around for Arc<Gate> {
    async fn before_delete(&self, _request: &DeleteFiles) {
        if self.deletes.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            self.reached.cancel();
            self.open.notified().await;
        }
    }

    async fn after_delete(&self, _request: &DeleteFiles) {
        if self.deletes.load(Ordering::SeqCst) == self.at {
            self.then.cancel();
        }
    }
}

/// Nothing stops it.
struct Free;

impl Around for Free {}

struct Ground {
    world: World,
    url: String,
    batches: Vec<Batch>,
}

struct Host {
    ledger: Arc<dyn Ledger>,
    engine: Engine,
    lock: DeleterLock,
}

impl Ground {
    async fn new() -> Self {
        Self::with(ten_days).await
    }

    async fn with(policies: fn(&str) -> String) -> Self {
        let mut world = World::with(policies, &[DocumentType::named("letter")]).await;
        world.settings.files_per_request = 1;
        world.settings.concurrency = 1;
        let url = cluster().fresh().await;
        // The database has a clock of its own, and a say.
        world
            .clock
            .advance(SystemClock.now().millis_since(world.now()) - 11 * DAY_MS);
        let place = place(&url, &world, "maker");
        world.lock = place.lock().await.unwrap();
        world.ledger = place.open_to_delete(&world.lock).await.unwrap();
        let mut batches = Vec::new();
        for _ in 0..BATCHES {
            let batch = world.upload_unrecorded(FILES);
            world.record(&batch, Labels::new(), world.now()).await;
            batches.push(batch);
        }
        world.days_pass(11);
        // Whoever made it goes: the hosts have theirs.
        let elsewhere = world.dir.path().join("nobody");
        world.lock = DeleterLock::acquire(&elsewhere).unwrap();
        Self { world, url, batches }
    }

    async fn host(&self, called: &str, around: impl Around + 'static) -> Host {
        let place = place(&self.url, &self.world, called);
        let lock = place.lock().await.unwrap();
        let ledger = place.open_to_delete(&lock).await.unwrap();
        let remote = Passing {
            client: self.world.client(Duration::from_secs(5)),
            around,
        };
        let engine = Engine::new(
            Arc::clone(&ledger),
            Arc::new(remote),
            Arc::<ManualClock>::clone(&self.world.clock),
            self.world.settings.clone(),
            &lock,
        );
        Host { ledger, engine, lock }
    }

    async fn sweep(&self, host: &Host, occurrence: Option<Timestamp>) -> Result<SweepReport, SweepError> {
        let request = SweepRequest {
            policy: name("documents"),
            occurrence,
            trigger: Trigger::Manual,
        };
        host.engine
            .sweep(&self.world.checked.rules, &request, &CancellationToken::new())
            .await
    }

    async fn help(&self, host: &Host, cancel: &CancellationToken) -> Helped {
        host.engine.help(&self.world.checked.rules, cancel).await.unwrap()
    }

    async fn run(&self, statement: &str) {
        let database = self.url.split(['/', '?']).nth(3).unwrap();
        cluster().run(database, statement).await;
    }

    /// Everything is gone, each file by one request, and the sweep says so.
    async fn assert_all_done(&self, report: &SweepReport) {
        let all = (BATCHES * FILES) as u64;
        assert_eq!(report.ending, Ending::Done, "{:?}", report.summary);
        let counts = (report.summary.deleted, report.summary.verified);
        assert_eq!(counts, (all, all), "{:?}", report.summary);
        for batch in &self.batches {
            assert_eq!(self.world.left(batch), 0);
            assert_eq!(self.world.count(batch, FileState::Deleted).await, FILES);
        }
        assert_eq!(self.world.ledger.check(true).await.unwrap(), Vec::<String>::new());
    }
}

fn place(url: &str, world: &World, host: &str) -> Place {
    Place::Server(PostgresOptions {
        url: url.to_owned(),
        password: None,
        beside: world.dir.path().join(host),
        lease: Lease::over(Duration::from_secs(5)),
    })
}

/// Whether a process of these leads a sweep.
async fn leads(host: &Host) -> bool {
    let peers = host.ledger.peers().await.unwrap();
    peers.iter().any(|peer| peer.ours && peer.sweep.is_some())
}

fn each_time(classification: &str) -> String {
    ten_days(classification) + "approval = \"always\"\n"
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn what_a_helper_that_ends_in_order_leaves_is_done_by_the_others_and_the_approval_is_used_up() {
    let ground = Ground::with(each_time).await;
    let (leading, helping) = (Gate::before(FIRST_OF_A_PART), Gate::ends_at(1));
    let one = ground.host("one", Arc::clone(&leading)).await;
    let two = ground.host("two", Arc::clone(&helping)).await;
    let waits = ground.sweep(&one, None).await.unwrap();
    let Ending::Stopped {
        by: Stop::Approval { plan },
    } = &waits.ending
    else {
        panic!("{waits:?}")
    };
    let now = ground.world.now();
    let until = now.checked_add_millis(DAY_MS).unwrap();
    one.ledger.approve(plan, now, until).await.unwrap();
    let ends = async {
        leading.reached.cancelled().await;
        let helped = ground.help(&two, &helping.then).await;
        assert_eq!(helped.stop, Some(Stop::Shutdown));
        leading.open.notify_one();
    };
    let (report, ()) = tokio::join!(ground.sweep(&one, None), ends);
    assert_eq!(helping.deletes.load(Ordering::SeqCst), 1);
    ground.assert_all_done(&report.unwrap()).await;
    assert!(one.ledger.approvals(now).await.unwrap().is_empty());
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn who_takes_a_sweep_over_waits_for_its_helpers_and_counts_what_the_dead_have_done() {
    let ground = Ground::new().await;
    let (leading, helping) = (Gate::before(FIRST_OF_A_PART), Gate::before(1));
    let one = ground.host("one", Arc::clone(&leading)).await;
    let two = ground.host("two", Arc::clone(&helping)).await;
    let occurrence = Some(ground.world.now());
    let closed = AtomicBool::new(false);
    let story = async {
        let both_at_it = async {
            leading.reached.cancelled().await;
            helping.reached.cancelled().await;
        };
        tokio::select! {
            ended = ground.sweep(&one, occurrence) => panic!("{ended:?}"),
            () = both_at_it => {}
        }
        // It is dead, and its lease over.
        drop(one);
        let lapsed = "UPDATE retentiond.peers SET lease_until = 1
             WHERE number IN (SELECT peer FROM retentiond.sweeps WHERE state = 'open')";
        ground.run(lapsed).await;
        let three = ground.host("three", Free).await;
        let takes_over = async {
            let report = ground.sweep(&three, occurrence).await.unwrap();
            closed.store(true, Ordering::SeqCst);
            report
        };
        let released = async {
            while !leads(&three).await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            // Long enough for all that it must not do.
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(
                !closed.load(Ordering::SeqCst),
                "closed while a helper had asked for a file"
            );
            helping.open.notify_one();
        };
        tokio::join!(takes_over, released).0
    };
    let cancel = CancellationToken::new();
    let begin = async {
        leading.reached.cancelled().await;
        ground.help(&two, &cancel).await
    };
    let (report, _) = tokio::join!(story, begin);
    ground.assert_all_done(&report).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_claim_of_a_process_that_is_cut_off_is_waited_for_before_the_sweep_is_closed() {
    let ground = Ground::new().await;
    let (leading, helping) = (Gate::before(FIRST_OF_A_PART), Gate::before(1));
    let one = ground.host("one", Arc::clone(&leading)).await;
    let two = ground.host("two", Arc::clone(&helping)).await;
    let closed = AtomicBool::new(false);
    let cut = async {
        leading.reached.cancelled().await;
        let cancel = CancellationToken::new();
        let helped = ground.help(&two, &cancel);
        tokio::pin!(helped);
        tokio::select! {
            _ = &mut helped => panic!("it waits at its gate"),
            () = helping.reached.cancelled() => {}
        }
        // Its session is gone, its lease is not: the request may be on its way.
        let number = "SELECT number FROM retentiond.peers WHERE number IN (SELECT peer FROM retentiond.parts WHERE peer IS NOT NULL)
             AND number NOT IN (SELECT peer FROM retentiond.sweeps WHERE peer IS NOT NULL)";
        let cut = format!(
            "SELECT pg_terminate_backend(l.pid, 10000) FROM pg_locks l, ({number}) n
             WHERE l.locktype = 'advisory' AND l.objsubid = 1
               AND l.classid::bigint = (n.number >> 32) & 4294967295 AND l.objid::bigint = n.number & 4294967295"
        );
        ground.run(&cut).await;
        leading.open.notify_one();
        // The leader does the rest of that part, and then has nothing to do but to wait.
        let at_the_sandbox = || {
            ground
                .batches
                .iter()
                .map(|batch| ground.world.left(batch))
                .sum::<usize>()
        };
        while at_the_sandbox() > 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!closed.load(Ordering::SeqCst), "closed while a claim was open");
        helping.open.notify_one();
        helped.await;
    };
    let leads = async {
        let report = ground.sweep(&one, None).await.unwrap();
        closed.store(true, Ordering::SeqCst);
        report
    };
    let (report, ()) = tokio::join!(leads, cut);
    ground.assert_all_done(&report).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_sweep_that_failed_is_gone_on_with_by_another_although_its_leader_lives() {
    let ground = Ground::new().await;
    let leading = Gate::before(2);
    let one = ground.host("one", Arc::clone(&leading)).await;
    let two = ground.host("two", Free).await;
    let occurrence = Some(ground.world.now());
    let fault = async {
        leading.reached.cancelled().await;
        let broken =
            "ALTER TABLE retentiond.attempts ADD CONSTRAINT broken CHECK (settled_at IS NOT NULL) NOT VALID";
        ground.run(broken).await;
        leading.open.notify_one();
    };
    let (failed, ()) = tokio::join!(ground.sweep(&one, occurrence), fault);
    assert!(failed.is_err(), "{failed:?}");
    ground
        .run("ALTER TABLE retentiond.attempts DROP CONSTRAINT broken")
        .await;
    let peers = two.ledger.peers().await.unwrap();
    assert_eq!(peers.iter().filter(|peer| peer.alive).count(), 2);
    assert!(peers.iter().all(|peer| peer.sweep.is_none()), "{peers:?}");
    let report = ground.sweep(&two, occurrence).await.unwrap();
    ground.assert_all_done(&report).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_part_whose_task_broke_off_in_a_living_process_is_free_once_that_process_looks() {
    let ground = Ground::new().await;
    let (leading, helping) = (Gate::before(FIRST_OF_A_PART), Gate::before(1));
    let one = ground.host("one", Arc::clone(&leading)).await;
    let two = ground.host("two", Arc::clone(&helping)).await;
    let breaks_off = async {
        leading.reached.cancelled().await;
        let cancel = CancellationToken::new();
        tokio::select! {
            helped = ground.help(&two, &cancel) => panic!("{helped:?}"),
            () = helping.reached.cancelled() => {}
        }
        let ours = |peers: &[retentiond::ledger::Peer]| peers.iter().find(|peer| peer.ours).unwrap().parts;
        assert_eq!(ours(&two.ledger.peers().await.unwrap()), 1);
        two.engine.let_go().await.unwrap();
        assert_eq!(ours(&two.ledger.peers().await.unwrap()), 0);
        leading.open.notify_one();
    };
    let (report, ()) = tokio::join!(ground.sweep(&one, None), breaks_off);
    ground.assert_all_done(&report.unwrap()).await;
    drop(two.lock);
}
