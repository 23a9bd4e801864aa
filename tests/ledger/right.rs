//! The right to delete on PostgreSQL: by the server's word, and not by what its holder believes.

use std::sync::Arc;

use retentiond::ledger::{DeleterLock, Ledger, LedgerError, OpenMode, Opened, Place};
use retentiond::model::{BatchKey, FileState, SweepId};

use crate::cluster::cluster;
use crate::world::{Postgres, at, batch_address, digest, file, hinted, ids, open, request};

/// Ends the sessions that hold the right, as a network or an administrator does.
const CUT: &str = "SELECT pg_terminate_backend(pid, 10000)
     FROM pg_stat_activity
     WHERE datname = current_database() AND application_name LIKE 'retentiond % on %'";

struct Host {
    ledger: Arc<dyn Ledger>,
    lock: DeleterLock,
}

async fn host(place: &Place) -> Result<Host, LedgerError> {
    let lock = place.lock().await?;
    let ledger = place.open_to_delete(&lock).await?;
    Ok(Host { ledger, lock })
}

/// A database with two files that are due, and its name.
async fn two_files() -> (Postgres, Place, String) {
    let backend = Postgres::fresh().await;
    let place = Place::Server(backend.options());
    let name = backend.url.split(['/', '?']).nth(3).unwrap().to_owned();
    let ledger = place.open(OpenMode::ReadWrite).await.unwrap();
    let rows = ["f1", "f2"].map(|name| hinted(file("b1", name), "p", 0));
    ledger.record(&rows, &digest("one"), at(0)).await.unwrap();
    (backend, place, name)
}

async fn sweep(host: &Host) -> (SweepId, BatchKey) {
    let Opened::New(sweep) = host.ledger.open_sweep(&open("p", None)).await.unwrap() else {
        panic!("a sweep without an occurrence is always new")
    };
    let batch = host
        .ledger
        .batch_key(&batch_address("b1"))
        .await
        .unwrap()
        .unwrap();
    (sweep, batch)
}

async fn claim(host: &Host, (sweep, batch): (SweepId, BatchKey), name: &str) -> Result<usize, LedgerError> {
    let files = ids(&[name]);
    let request = request(sweep, batch, &files, 1000);
    Ok(host.ledger.claim(&request, &|_, _| Ok(())).await?.files.len())
}

async fn state(host: &Host, name: &str) -> FileState {
    host.ledger.find(&ids(&[name])[0]).await.unwrap()[0].state
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn one_has_the_right_and_the_others_are_told_who() {
    let (_backend, place, _) = two_files().await;
    let first = host(&place).await.unwrap();
    match host(&place).await.err() {
        Some(LedgerError::InUse { pid, path }) => {
            assert!(pid.starts_with(&format!("{} on ", std::process::id())), "{pid}");
            assert!(path.contains("database ledger_"), "{path}");
        }
        other => panic!("{other:?}"),
    }
    // Another database is another ledger.
    let (_other, elsewhere, _) = two_files().await;
    host(&elsewhere).await.unwrap();
    drop(first);
    host(&place).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_right_lost_with_its_connection_is_taken_again_where_it_is_free() {
    let (_backend, place, database) = two_files().await;
    let one = host(&place).await.unwrap();
    let run = sweep(&one).await;
    assert_eq!(claim(&one, run, "f1").await.unwrap(), 1);
    cluster().run(&database, CUT).await;
    assert_eq!(claim(&one, run, "f2").await.unwrap(), 1);
    assert!(matches!(
        host(&place).await.err(),
        Some(LedgerError::InUse { .. })
    ));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_claim_after_another_has_taken_the_right_fails_and_keeps_nothing() {
    let (_backend, place, database) = two_files().await;
    let old = host(&place).await.unwrap();
    let run = sweep(&old).await;
    assert_eq!(claim(&old, run, "f1").await.unwrap(), 1);
    cluster().run(&database, CUT).await;
    let new = host(&place).await.unwrap();
    // The old one has heard of nothing.
    let refused = claim(&old, run, "f2").await.unwrap_err();
    assert!(matches!(refused, LedgerError::InUse { .. }), "{refused:?}");
    assert_eq!(state(&new, "f2").await, FileState::Live);
    assert!(old.ledger.recover_orphans(at(1)).await.is_err());
    assert_eq!(
        state(&new, "f1").await,
        FileState::Deleting,
        "no orphan of the old one's making"
    );
    assert_eq!(new.ledger.recover_orphans(at(1)).await.unwrap(), 1);
    assert_eq!(claim(&new, run, "f2").await.unwrap(), 1);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn who_gave_the_right_back_claims_nothing_more() {
    let (_backend, place, _) = two_files().await;
    let one = host(&place).await.unwrap();
    let run = sweep(&one).await;
    let Host { ledger, lock } = one;
    drop(lock);
    let files = ids(&["f1"]);
    let refused = ledger
        .claim(&request(run.0, run.1, &files, 1000), &|_, _| Ok(()))
        .await;
    assert!(
        matches!(refused, Err(LedgerError::NotWritable { .. })),
        "{refused:?}"
    );
    // A lock of a file opens no ledger on a server.
    let dir = tempfile::tempdir().unwrap();
    let other = DeleterLock::acquire(&dir.path().join("ledger.db")).unwrap();
    assert!(place.open_to_delete(&other).await.is_err());
}
