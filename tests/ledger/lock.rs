//! The right to delete.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use retentiond::ledger::{DeleterLock, LedgerError};

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
