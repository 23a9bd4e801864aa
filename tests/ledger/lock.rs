//! The right to delete.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use retentiond::ledger::{DeleterLock, Ledger, LedgerError, Offer, Part, PartsLeft, Place};

use crate::world::{World, at, digest, id};

fn ledger(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("ledger.db")
}

#[test]
fn one_of_many_gets_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..100 {
        let barrier = Arc::new(std::sync::Barrier::new(4));
        let racers: Vec<_> = (0..4)
            .map(|_| {
                let (path, barrier) = (ledger(&dir), Arc::clone(&barrier));
                std::thread::spawn(move || {
                    barrier.wait();
                    let lock = DeleterLock::acquire(&path);
                    // Held until every other has tried.
                    barrier.wait();
                    lock.is_ok()
                })
            })
            .collect();
        let won = racers
            .into_iter()
            .filter_map(|racer| racer.join().ok())
            .filter(|won| *won)
            .count();
        assert_eq!(won, 1);
    }
}

#[test]
fn the_lock_is_given_back_and_its_file_stays() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DeleterLock::acquire(&ledger(&dir)).unwrap();
    let path = lock.path().unwrap();
    assert_eq!(path, dir.path().join("ledger.db.lock"));
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text, format!("{}\n", std::process::id()));
    drop(lock);
    assert!(dir.path().join("ledger.db.lock").exists());
    DeleterLock::acquire(&ledger(&dir)).unwrap();
    let nowhere = DeleterLock::acquire(&dir.path().join("no/such.db")).unwrap_err();
    assert!(matches!(nowhere, LedgerError::NotWritable { .. }), "{nowhere}");
}

const LOCK_FOR: &str = "RETENTIOND_TEST_LOCK_FOR";

/// Not a test of its own: the other process of the test below.
#[test]
#[ignore = "started by the test below"]
fn hold_the_lock_until_told() {
    let Ok(path) = std::env::var(LOCK_FOR) else { return };
    let lock = DeleterLock::acquire(Path::new(&path)).unwrap();
    println!("\nlocked");
    std::io::stdout().flush().unwrap();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    drop(lock);
}

#[test]
fn the_process_that_holds_the_lock_is_named_and_its_death_frees_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "lock::hold_the_lock_until_told",
            "--ignored",
            "--nocapture",
        ])
        .env(LOCK_FOR, ledger(&dir))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(other.stdout.take().unwrap());
    assert!(out.lines().map_while(Result::ok).any(|line| line == "locked"));
    match DeleterLock::acquire(&ledger(&dir)) {
        Err(LedgerError::InUse { pid, .. }) => assert_eq!(pid, other.id().to_string()),
        other => panic!("{other:?}"),
    }
    other.kill().unwrap();
    other.wait().unwrap();
    DeleterLock::acquire(&ledger(&dir)).unwrap();
}

/// On any ledger.
pub(crate) async fn everything_is_reconciled_by_one_at_a_time(place: &Place) {
    let deletes = place.lock().await.unwrap();
    let turn = place.lock_reconcile().await.unwrap();
    match place.lock_reconcile().await {
        Err(LedgerError::InUse { pid, .. }) => {
            assert_eq!(pid.split(' ').next().unwrap(), std::process::id().to_string());
        }
        other => panic!("{other:?}"),
    }
    drop(turn);
    place.lock_reconcile().await.unwrap();
    drop(deletes);
}

#[tokio::test]
async fn everything_in_a_file_is_reconciled_by_one_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    everything_is_reconciled_by_one_at_a_time(&Place::File(ledger(&dir))).await;
}

#[tokio::test]
async fn beside_a_file_nothing_is_shared() {
    let world = World::sqlite().await;
    let batch = world.record_due(&["f1"]).await;
    let sweep = world.sweep().await;
    let ledger: &dyn Ledger = world.ledger.as_ref();
    let part = Part {
        batch,
        files: vec![(id("f1"), at(24))],
    };
    let offer = Offer { sweep, budget: 9 };
    assert!(!ledger.offer(&offer, &[part]).await.unwrap());
    assert!(
        ledger
            .take_part(Some(sweep), &digest("one"))
            .await
            .unwrap()
            .is_none()
    );
    assert!(ledger.peers().await.unwrap().is_empty());
    assert_eq!(ledger.parts_left(sweep).await.unwrap(), PartsLeft::default());
    ledger.let_go(at(6)).await.unwrap();
    assert_eq!(ledger.asked_by_others(sweep).await.unwrap(), []);
    assert_eq!(world.claim(sweep, batch, &["f1"]).await.good_for, None);
}
