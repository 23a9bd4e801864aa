//! The right to delete on PostgreSQL: by the server's word, and not by what its holder believes. Who has it side by side
//! with others: `peers`.

use std::sync::Arc;

use retentiond::ledger::{DeleterLock, Ledger, LedgerError, OpenMode, Opened, Place};
use retentiond::model::{AttemptId, BatchKey, FileState, SweepId};
use retentiond::outcome::FileEvent;

use crate::cluster::cluster;
use crate::peers::LAPSED;
use crate::world::{Postgres, at, batch_address, digest, file, hinted, ids, open, request, settlement};

/// Ends the sessions that hold the right, as a network or an administrator does.
pub(crate) const CUT: &str = "SELECT pg_terminate_backend(pid, 10000)
     FROM pg_stat_activity
     WHERE datname = current_database() AND application_name LIKE 'retentiond % on %'";

pub(crate) struct Host {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) lock: DeleterLock,
}

pub(crate) async fn host(place: &Place) -> Result<Host, LedgerError> {
    let lock = place.lock().await?;
    let ledger = place.open_to_delete(&lock).await?;
    Ok(Host { ledger, lock })
}

/// A database with two files that are due, and its name.
pub(crate) async fn two_files() -> (Postgres, Place, String) {
    let backend = Postgres::fresh().await;
    let place = Place::Server(backend.options());
    let name = backend.url.split(['/', '?']).nth(3).unwrap().to_owned();
    let ledger = place.open(OpenMode::ReadWrite).await.unwrap();
    let rows = ["f1", "f2"].map(|name| hinted(file("b1", name), "p", 0));
    ledger.record(&rows, &digest("one"), at(0)).await.unwrap();
    (backend, place, name)
}

pub(crate) async fn sweep(host: &Host) -> (SweepId, BatchKey) {
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

pub(crate) async fn claim(
    host: &Host,
    (sweep, batch): (SweepId, BatchKey),
    name: &str,
) -> Result<usize, LedgerError> {
    let files = ids(&[name]);
    let request = request(sweep, batch, &files, 1000);
    Ok(host.ledger.claim(&request, &|_, _| Ok(())).await?.files.len())
}

pub(crate) async fn attempt(host: &Host, (sweep, batch): (SweepId, BatchKey), name: &str) -> AttemptId {
    let files = ids(&[name]);
    let request = request(sweep, batch, &files, 1000);
    let claim = host.ledger.claim(&request, &|_, _| Ok(())).await.unwrap();
    claim.attempt.unwrap()
}

pub(crate) async fn state(host: &Host, name: &str) -> FileState {
    host.ledger.find(&ids(&[name])[0]).await.unwrap()[0].state
}

fn is_refused_by_us(taken: Result<DeleterLock, LedgerError>) {
    match taken {
        Err(LedgerError::InUse { pid, path }) => {
            assert!(pid.starts_with(&format!("{} on ", std::process::id())), "{pid}");
            assert!(path.contains("database ledger_"), "{path}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn many_have_the_right_side_by_side_and_who_must_be_alone_is_told_who_is_there() {
    let (_backend, place, _) = two_files().await;
    let (first, second) = (host(&place).await.unwrap(), host(&place).await.unwrap());
    is_refused_by_us(place.lock_alone().await);
    drop(first);
    is_refused_by_us(place.lock_alone().await);
    // Another database is another ledger.
    let (_other, elsewhere, _) = two_files().await;
    elsewhere.lock_alone().await.unwrap();
    drop(second);
    let alone = place.lock_alone().await.unwrap();
    is_refused_by_us(place.lock().await);
    is_refused_by_us(place.lock_alone().await);
    drop(alone);
    host(&place).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_right_lost_with_its_connection_is_taken_again_with_all_that_is_under_way() {
    let (_backend, place, database) = two_files().await;
    let one = host(&place).await.unwrap();
    let run = sweep(&one).await;
    assert_eq!(claim(&one, run, "f1").await.unwrap(), 1);
    cluster().run(&database, CUT).await;
    assert_eq!(claim(&one, run, "f2").await.unwrap(), 1);
    is_refused_by_us(place.lock_alone().await);
    // Both are a living one's.
    let other = host(&place).await.unwrap();
    assert_eq!(other.ledger.recover_orphans(at(1)).await.unwrap(), 0);
    assert_eq!(state(&one, "f1").await, FileState::Deleting);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn what_was_cut_off_is_an_orphan_once_its_request_cannot_be_on_its_way_any_more() {
    let (_backend, place, database) = two_files().await;
    let old = host(&place).await.unwrap();
    let run = sweep(&old).await;
    let attempt = attempt(&old, run, "f1").await;
    cluster().run(&database, CUT).await;
    let new = host(&place).await.unwrap();
    assert_eq!(new.ledger.recover_orphans(at(1)).await.unwrap(), 0);
    assert_eq!(state(&new, "f1").await, FileState::Deleting);
    cluster().run(&database, LAPSED).await;
    assert_eq!(new.ledger.recover_orphans(at(1)).await.unwrap(), 1);
    assert_eq!(state(&new, "f1").await, FileState::Unknown);
    // The old one has heard of nothing.
    let settled = old
        .ledger
        .settle(attempt, &settlement(&["f1"], FileEvent::Confirmed))
        .await;
    assert!(
        matches!(settled, Err(LedgerError::Conflict { .. })),
        "{settled:?}"
    );
    // What it claims from now on is a living one's again.
    assert_eq!(claim(&old, run, "f2").await.unwrap(), 1);
    assert_eq!(new.ledger.recover_orphans(at(2)).await.unwrap(), 0);
    assert_eq!(state(&new, "f2").await, FileState::Deleting);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_claim_while_somebody_is_alone_fails_and_keeps_nothing() {
    let (_backend, place, database) = two_files().await;
    let old = host(&place).await.unwrap();
    let run = sweep(&old).await;
    cluster().run(&database, CUT).await;
    let alone = place.lock_alone().await.unwrap();
    let refused = claim(&old, run, "f2").await.unwrap_err();
    assert!(matches!(refused, LedgerError::InUse { .. }), "{refused:?}");
    assert!(old.ledger.recover_orphans(at(1)).await.is_err());
    assert_eq!(state(&old, "f2").await, FileState::Live);
    drop(alone);
    assert_eq!(claim(&old, run, "f2").await.unwrap(), 1);
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

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn everything_on_a_server_is_reconciled_by_one_at_a_time() {
    let (_backend, place, _) = two_files().await;
    crate::lock::everything_is_reconciled_by_one_at_a_time(&place).await;
}
