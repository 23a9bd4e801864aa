//! What is particular to a ledger in a server: whose schema it is, connections that are cut, restarts, cancelled
//! callers, writers of several processes side by side.

use std::sync::Arc;
use std::time::Duration;

use retentiond::ledger::{
    Claims, Controls, Figures, Intake, Ledger, LedgerError, OpenMode, Opened, PostgresLedger,
};
use retentiond::model::{FileState, SweepId};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::restart::{Down, restart};
use crate::world::*;

/// Ends every session of the ledgers in this database, as a network or an administrator does.
const CUT: &str = "SELECT pg_terminate_backend(pid, 10000)
     FROM pg_stat_activity
     WHERE datname = current_database() AND application_name LIKE 'retentiond%'";

/// A commit is durable here, and then waits for a standby that there is none of.
const NO_STANDBY: &str = "ALTER SYSTEM SET synchronous_standby_names = 'nobody'";
const RELOAD: &str = "SELECT pg_reload_conf()";

async fn open_as(backend: &Postgres, mode: OpenMode) -> Result<PostgresLedger, LedgerError> {
    PostgresLedger::open(&backend.options(), mode).await
}

async fn made(backend: &Postgres) -> PostgresLedger {
    open_as(backend, OpenMode::ReadWrite).await.unwrap()
}

/// A database of a server of its own.
async fn alone() -> (Cluster, Postgres) {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap();
    let backend = Postgres {
        url: cluster.fresh().await,
        dir: tempfile::tempdir().unwrap(),
    };
    (cluster, backend)
}

async fn hand(backend: &Postgres) -> PgConnection {
    let options: PgConnectOptions = backend.url.parse().unwrap();
    PgConnection::connect_with(&options).await.unwrap()
}

/// A foreign hand at the database.
async fn tamper(backend: &Postgres, statements: &str) {
    let mut hand = hand(backend).await;
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
        .execute(&mut hand)
        .await
        .unwrap();
    hand.close().await.unwrap();
}

async fn number(backend: &Postgres, question: &str) -> i64 {
    let mut hand = hand(backend).await;
    let answer = sqlx::query_scalar(AssertSqlSafe(question.to_owned()))
        .fetch_one(&mut hand)
        .await
        .unwrap();
    hand.close().await.unwrap();
    answer
}

/// From inside a claim, which waits for it.
fn meanwhile(what: impl Future<Output = ()> + Send + 'static) {
    let other = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(what);
    });
    other.join().unwrap();
}

async fn attempts(backend: &Postgres) -> i64 {
    number(backend, "SELECT count(*) FROM retentiond.attempts").await
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn reading_makes_no_ledger() {
    let backend = Postgres::fresh().await;
    let missing = open_as(&backend, OpenMode::ReadOnly).await.unwrap_err();
    assert!(matches!(missing, LedgerError::Missing { .. }), "{missing}");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'retentiond'";
    assert_eq!(number(&backend, schemas).await, 0);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_reader_sees_what_a_writer_writes_and_writes_nothing() {
    let backend = Postgres::fresh().await;
    let writer = made(&backend).await;
    let reader = open_as(&backend, OpenMode::ReadOnly).await.unwrap();
    writer.record(&rows(0..3), &digest("one"), at(0)).await.unwrap();
    assert_eq!(reader.live(&policy("p")).await.unwrap(), 3);
    let refused = reader.record(&rows(3..4), &digest("one"), at(0)).await;
    assert!(
        matches!(refused, Err(LedgerError::NotWritable { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_foreign_schema_is_refused_and_stays_as_it_is() {
    let backend = Postgres::fresh().await;
    tamper(
        &backend,
        "CREATE SCHEMA retentiond; CREATE TABLE retentiond.files (x BIGINT); INSERT INTO retentiond.files VALUES (7)",
    )
    .await;
    for mode in [OpenMode::ReadOnly, OpenMode::ReadWrite] {
        let refused = open_as(&backend, mode).await.unwrap_err();
        assert!(matches!(refused, LedgerError::NotOurs { .. }), "{refused}");
    }
    let all = "SELECT count(*) FROM pg_class WHERE relnamespace = 'retentiond'::regnamespace";
    assert_eq!(number(&backend, all).await, 1);
    assert_eq!(
        number(&backend, "SELECT sum(x)::bigint FROM retentiond.files").await,
        7
    );
    // What lies beside the schema is nobody's business.
    let beside = Postgres::fresh().await;
    tamper(&beside, "CREATE TABLE files (x BIGINT); CREATE SCHEMA retentiond").await;
    made(&beside).await;
    assert_eq!(number(&beside, "SELECT count(*) FROM public.files").await, 0);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_newer_schema_is_refused_and_stays_as_it_is() {
    let backend = Postgres::fresh().await;
    made(&backend).await.close().await;
    tamper(&backend, "UPDATE retentiond.retentiond_schema SET version = 99").await;
    for mode in [OpenMode::ReadOnly, OpenMode::ReadWrite] {
        let refused = open_as(&backend, mode).await.unwrap_err();
        assert!(matches!(refused, LedgerError::NotOurs { .. }), "{refused}");
        assert!(refused.to_string().contains("99"), "{refused}");
    }
    let version = "SELECT version FROM retentiond.retentiond_schema";
    assert_eq!(number(&backend, version).await, 99);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn every_older_schema_is_migrated_by_who_writes_and_named_to_who_reads() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let mut steps: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    steps.sort();
    for until in 1..steps.len() {
        let backend = Postgres::fresh().await;
        let mut statements = "CREATE SCHEMA retentiond; SET search_path = retentiond;".to_owned();
        for step in &steps[..until] {
            statements.push_str(&std::fs::read_to_string(step).unwrap());
        }
        tamper(&backend, &statements).await;
        let refused = open_as(&backend, OpenMode::ReadOnly).await.unwrap_err();
        assert!(refused.to_string().contains("migrates it"), "{until}: {refused}");
        let ledger = made(&backend).await;
        ledger.record(&rows(0..3), &digest("one"), at(0)).await.unwrap();
        assert_eq!(ledger.check(true).await.unwrap(), Vec::<String>::new(), "{until}");
        let version = number(&backend, "SELECT version FROM retentiond.retentiond_schema").await;
        assert_eq!(version, steps.len() as i64, "{until}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn processes_that_start_at_once_make_one_ledger() {
    for _ in 0..5 {
        let backend = Arc::new(Postgres::fresh().await);
        let openings: Vec<_> = (0..4)
            .map(|_| {
                let backend = Arc::clone(&backend);
                tokio::spawn(async move { open_as(&backend, OpenMode::ReadWrite).await })
            })
            .collect();
        for (n, opening) in openings.into_iter().enumerate() {
            let ledger = opening.await.unwrap().unwrap();
            ledger
                .record(&rows(n..n + 1), &digest("one"), at(0))
                .await
                .unwrap();
        }
        assert_eq!(made(&backend).await.live(&policy("p")).await.unwrap(), 4);
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_connection_that_was_cut_while_idle_fails_no_call() {
    let backend = Postgres::fresh().await;
    let ledger = made(&backend).await;
    ledger.record(&rows(0..3), &digest("one"), at(0)).await.unwrap();
    for round in 0..4 {
        // Each kind of call is the first after a cut once, and for each of the two readers.
        tamper(&backend, CUT).await;
        assert_eq!(ledger.setting("a").await.unwrap(), None, "{round}");
        assert_eq!(ledger.setting("a").await.unwrap(), None, "{round}");
        tamper(&backend, CUT).await;
        assert_eq!(ledger.live(&policy("p")).await.unwrap(), 3, "{round}");
        assert_eq!(ledger.check(true).await.unwrap(), Vec::<String>::new(), "{round}");
        tamper(&backend, CUT).await;
        ledger.set_setting("b", Some("c")).await.unwrap();
        let (one, two) = tokio::join!(ledger.setting("b"), ledger.setting("b"));
        assert_eq!((one.unwrap(), two.unwrap()).0.as_deref(), Some("c"), "{round}");
    }
    // A statement at fault is not a connection that is cut: it is not asked twice, and the reader stays.
    tamper(&backend, "ALTER TABLE retentiond.settings RENAME TO elsewhere").await;
    assert!(matches!(
        ledger.setting("b").await,
        Err(LedgerError::Database { .. })
    ));
    tamper(&backend, "ALTER TABLE retentiond.elsewhere RENAME TO settings").await;
    assert_eq!(ledger.setting("b").await.unwrap().as_deref(), Some("c"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_connection_that_is_cut_in_a_claim_leaves_nothing_of_it() {
    let backend = Arc::new(Postgres::fresh().await);
    let ledger = made(&backend).await;
    ledger.record(&rows(0..3), &digest("one"), at(0)).await.unwrap();
    let sweep = new_sweep(&ledger).await;
    let batch = ledger.batch_key(&batch_address("b1")).await.unwrap().unwrap();
    let files = ids(&["f000001"]);
    let refused = ledger
        .claim(&request(sweep, batch, &files, 1000), &|_, _| {
            let backend = Arc::clone(&backend);
            meanwhile(async move { tamper(&backend, CUT).await });
            Ok(())
        })
        .await;
    assert!(
        matches!(refused, Err(LedgerError::NotWritable { .. })),
        "{refused:?}"
    );
    assert_eq!(attempts(&backend).await, 0);
    assert_eq!(ledger.find(&files[0]).await.unwrap()[0].state, FileState::Live);
    let claim = ledger
        .claim(&request(sweep, batch, &files, 1000), &|_, _| Ok(()))
        .await;
    assert_eq!(claim.unwrap().files, files);
    assert_eq!(ledger.check(true).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_panic_in_a_claim_leaves_nothing_of_it_and_the_ledger_goes_on() {
    let backend = Postgres::fresh().await;
    let ledger = Arc::new(made(&backend).await);
    ledger.record(&rows(0..3), &digest("one"), at(0)).await.unwrap();
    let sweep = new_sweep(&*ledger).await;
    let batch = ledger.batch_key(&batch_address("b1")).await.unwrap().unwrap();
    let claiming = tokio::spawn({
        let ledger = Arc::clone(&ledger);
        async move {
            let files = ids(&["f000001"]);
            ledger
                .claim(&request(sweep, batch, &files, 1000), &|_, _| {
                    panic!("in a permit")
                })
                .await
                .is_ok()
        }
    });
    assert!(claiming.await.unwrap_err().is_panic());
    assert_eq!(attempts(&backend).await, 0);
    ledger.set_setting("a", Some("b")).await.unwrap();
    assert_eq!(ledger.check(true).await.unwrap(), Vec::<String>::new());
}

async fn new_sweep(ledger: &dyn Ledger) -> SweepId {
    let Opened::New(sweep) = ledger.open_sweep(&open("p", None)).await.unwrap() else {
        panic!("a sweep without an occurrence is always new")
    };
    sweep
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_commit_is_durable_whatever_the_database_says_and_one_without_answer_is_an_error() {
    let (cluster, backend) = alone().await;
    tamper(
        &backend,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$",
    )
    .await;
    assert_eq!(
        number(
            &backend,
            "SELECT (current_setting('synchronous_commit') = 'off')::int::bigint"
        )
        .await,
        1
    );
    let ledger = Arc::new(made(&backend).await);
    cluster.run("postgres", NO_STANDBY).await;
    cluster.run("postgres", RELOAD).await;
    let waits = "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event = 'SyncRep'";
    // With `synchronous_commit` off none would ever wait. The server takes its new settings in its own time.
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut tried = 0;
    let (value, writing) = 'waits: loop {
        tried += 1;
        assert!(Instant::now() < deadline, "no commit waits");
        let value = tried.to_string();
        let writing = tokio::spawn({
            let (ledger, value) = (Arc::clone(&ledger), value.clone());
            async move { ledger.set_setting("a", Some(&value)).await }
        });
        while !writing.is_finished() {
            if number(&backend, waits).await > 0 {
                break 'waits (value, writing);
            }
            tokio::task::yield_now().await;
        }
        writing.await.unwrap().unwrap();
    };
    tamper(&backend, CUT).await;
    let unanswered = writing.await.unwrap();
    assert!(
        matches!(unanswered, Err(LedgerError::NotWritable { .. })),
        "{unanswered:?}"
    );
    // It had come to the disk, and nothing was done twice.
    assert_eq!(
        ledger.setting("a").await.unwrap().as_deref(),
        Some(value.as_str())
    );
    cluster
        .run("postgres", "ALTER SYSTEM RESET synchronous_standby_names")
        .await;
    cluster.run("postgres", RELOAD).await;
    ledger.set_setting("a", None).await.unwrap();
    assert_eq!(ledger.rollback().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_restart_between_calls_is_not_noticed_and_one_within_a_claim_undoes_it() {
    let (cluster, backend) = alone().await;
    let (cluster, backend) = (Arc::new(cluster), Arc::new(backend));
    let ledger = made(&backend).await;
    ledger.record(&rows(0..3), &digest("one"), at(0)).await.unwrap();
    let sweep = new_sweep(&ledger).await;
    let batch = ledger.batch_key(&batch_address("b1")).await.unwrap().unwrap();
    for (n, how) in [Down::Fast, Down::Immediate].into_iter().enumerate() {
        restart(&cluster, how);
        assert_eq!(ledger.setting("a").await.unwrap(), None, "{how:?}");
        assert_eq!(ledger.live(&policy("p")).await.unwrap(), 3 - n as u64, "{how:?}");
        restart(&cluster, how);
        ledger.set_setting("b", Some("c")).await.unwrap();
        let files = ids(&[&format!("f{n:06}")]);
        let refused = ledger
            .claim(&request(sweep, batch, &files, 1000), &|_, _| {
                restart(&cluster, how);
                Ok(())
            })
            .await;
        assert!(
            matches!(refused, Err(LedgerError::NotWritable { .. })),
            "{how:?}: {refused:?}"
        );
        assert_eq!(attempts(&backend).await, n as i64, "{how:?}");
        let claim = ledger
            .claim(&request(sweep, batch, &files, 1000), &|_, _| Ok(()))
            .await
            .unwrap();
        // What a write returned from is there after any crash of the server.
        restart(&cluster, Down::Immediate);
        assert_eq!(
            ledger.find(&files[0]).await.unwrap()[0].state,
            FileState::Deleting,
            "{how:?}"
        );
        ledger
            .settle(
                claim.attempt.unwrap(),
                &settlement(&[&format!("f{n:06}")], retentiond::outcome::FileEvent::Confirmed),
            )
            .await
            .unwrap();
    }
    assert_eq!(ledger.rollback().await.unwrap(), None);
    assert_eq!(ledger.check(true).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_writer_in_another_process_is_waited_for_and_then_named() {
    let backend = Postgres::fresh().await;
    let ledger = made(&backend).await;
    let mut other = hand(&backend).await;
    sqlx::raw_sql("BEGIN; SELECT * FROM retentiond.lineage FOR UPDATE")
        .execute(&mut other)
        .await
        .unwrap();
    let busy = ledger.set_setting("a", Some("b")).await.unwrap_err();
    assert!(matches!(busy, LedgerError::Busy), "{busy}");
    // Readers wait for nobody.
    assert_eq!(ledger.setting("a").await.unwrap(), None);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    ledger.set_setting("a", Some("b")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn writers_side_by_side_lose_nothing_and_the_evidence_has_one_order() {
    let backend = Arc::new(Postgres::fresh().await);
    drop(made(&backend).await);
    let before = number(&backend, "SELECT sequence FROM retentiond.lineage").await;
    let mut writing = Vec::new();
    for host in 0..3_usize {
        // Hosts of their own: each keeps its own anchor.
        let own = Postgres {
            url: backend.url.clone(),
            dir: tempfile::tempdir().unwrap(),
        };
        writing.push(tokio::spawn(async move {
            let ledger = made(&own).await;
            for n in 0..20 {
                let first = host * 1000 + n * 10;
                // Both write to the batch `b1`, and each adds leaves.
                ledger
                    .record(&rows(first..first + 10), &digest("one"), at(0))
                    .await
                    .unwrap();
                let reason = format!("host {host}, {n}");
                let pause = retentiond::model::Pause {
                    since: at(0),
                    until: at(1),
                    reason,
                };
                ledger.set_pause(Some(&pause), at(0)).await.unwrap();
            }
            assert_eq!(ledger.rollback().await.unwrap(), None);
            own
        }));
    }
    for host in writing {
        host.await.unwrap();
    }
    let ledger = made(&backend).await;
    assert_eq!(ledger.live(&policy("p")).await.unwrap(), 600);
    let after = number(&backend, "SELECT sequence FROM retentiond.lineage").await;
    assert_eq!(after - before, 3 * 40);
    assert_eq!(
        ledger.check(true).await.unwrap(),
        Vec::<String>::new(),
        "leaves without a gap, and the tree over them"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_write_whose_caller_goes_away_is_whole_or_nothing() {
    let backend = Postgres::fresh().await;
    let ledger = made(&backend).await;
    a_write_without_its_caller_is_whole_or_nothing(&ledger).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_read_whose_caller_goes_away_leaves_the_reader_free() {
    let backend = Postgres::fresh().await;
    let ledger = made(&backend).await;
    ledger
        .record(&rows(0..5000), &digest("one"), at(0))
        .await
        .unwrap();
    for _ in 0..10 {
        let mut reading = Box::pin(ledger.check(true));
        let pending =
            std::future::poll_fn(|cx| std::task::Poll::Ready(reading.as_mut().poll(cx).is_pending()));
        pending.await;
    }
    ledger
        .record(&rows(5000..5001), &digest("one"), at(0))
        .await
        .unwrap();
    assert_eq!(ledger.live(&policy("p")).await.unwrap(), 5001);
    let idle = "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'retentiond' AND state LIKE 'idle in%'";
    ledger.close().await;
    assert_eq!(
        number(&backend, idle).await,
        0,
        "no session is left inside a transaction"
    );
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_closed_ledger_refuses_every_call() {
    let backend = Postgres::fresh().await;
    let ledger = made(&backend).await;
    ledger.close().await;
    assert!(matches!(
        ledger.breakers().await,
        Err(LedgerError::NotWritable { .. })
    ));
    assert!(matches!(
        ledger.set_setting("a", None).await,
        Err(LedgerError::NotWritable { .. })
    ));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn what_must_stay_is_not_removed_by_a_foreign_hand() {
    let backend = Postgres::fresh().await;
    let ledger = made(&backend).await;
    ledger.record(&rows(0..1), &digest("one"), at(0)).await.unwrap();
    let mut hand = hand(&backend).await;
    for statement in [
        "DELETE FROM retentiond.files",
        "TRUNCATE retentiond.files CASCADE",
        "TRUNCATE retentiond.leaves CASCADE",
    ] {
        let refused = sqlx::raw_sql(AssertSqlSafe(format!(
            "SET search_path = retentiond; {statement}"
        )))
        .execute(&mut hand)
        .await;
        assert!(refused.is_err(), "{statement}");
    }
    assert_eq!(ledger.live(&policy("p")).await.unwrap(), 1);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn damage_is_found_by_the_check() {
    let backend = Postgres::fresh().await;
    let ledger = made(&backend).await;
    ledger.record(&rows(0..20), &digest("one"), at(0)).await.unwrap();
    tamper(&backend, "UPDATE retentiond.tallies SET files = files + 1").await;
    let found = ledger.check(false).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("tally"), "{found:?}");
}
