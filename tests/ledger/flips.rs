//! Damage of a single byte, anywhere in the file, one at a time (faults.md D6).

use std::path::Path;

use retentiond::ledger::{
    Claims, Controls, Figures, Hinted, Intake, LedgerError, OpenMode, Rules, SqliteLedger, Sweeps,
};
use retentiond::model::{FileId, HoldScope, NewHold, SweepState, SweepSummary};
use retentiond::outcome::FileEvent;
use sqlx::{ConnectOptions, Connection};

use crate::world::*;

const FLIPS: usize = 300;
/// 99 of 100.
const FOUND_AT_LEAST: usize = 297;

/// xorshift64*: the same flips at every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % bound
    }
}

async fn opened(path: &Path, mode: OpenMode) -> Result<SqliteLedger, LedgerError> {
    SqliteLedger::open(path.to_str().unwrap(), mode).await
}

fn rows(files: i64) -> Vec<Hinted> {
    (0..files)
        .map(|n| {
            let mut new = file(&format!("b{}", n / 500), &format!("-Og{n:017x}"));
            new.labels.insert("tenant".to_owned(), format!("t{}", n % 9));
            hinted(new, if n % 3 == 0 { "p" } else { "q" }, n % 300)
        })
        .collect()
}

/// Files, attempts, notes, holds, a breaker's history, and pages that are free again.
pub(crate) async fn busy_ledger(path: &Path, files: i64) {
    let ledger = opened(path, OpenMode::ReadWrite).await.unwrap();
    let rows = rows(files);
    ledger.adopt_rules(&digest("one"), "", at(0)).await.unwrap();
    ledger.record(&rows, &digest("one"), at(0)).await.unwrap();
    let opening = ledger.open_sweep(&open("p", None)).await.unwrap();
    let retentiond::ledger::Opened::New(sweep) = opening else {
        panic!("a sweep without an occurrence is always new: {opening:?}");
    };
    let batch = ledger.batch_key(&batch_address("b0")).await.unwrap().unwrap();
    let files: Vec<FileId> = rows[..300]
        .iter()
        .map(|row| row.file.address.file.clone())
        .collect();
    for (n, chunk) in files.chunks(30).enumerate() {
        let event = if n % 3 == 0 {
            FileEvent::Lost
        } else {
            FileEvent::Confirmed
        };
        let asked = request(sweep, batch, chunk, 1000);
        let claim = ledger.claim(&asked, &|_, _| Ok(())).await.unwrap();
        let mut settled = settlement(&[], event);
        settled.files = chunk.iter().map(|file| (file.clone(), event)).collect();
        ledger.settle(claim.attempt.unwrap(), &settled).await.unwrap();
    }
    ledger
        .close_sweep(sweep, SweepState::Done, &SweepSummary::default(), at(102))
        .await
        .unwrap();
    for file in &files[290..] {
        let hold = NewHold {
            scope: HoldScope::File(file.clone()),
            reason: "litigation".to_owned(),
            reference: None,
            owner: None,
            review_by: None,
        };
        ledger.add_hold(&hold, at(1)).await.unwrap();
    }
    ledger
        .set_setting("long", Some(&"x".repeat(100_000)))
        .await
        .unwrap();
    ledger.set_setting("long", None).await.unwrap();
    ledger.close().await;
}

/// Whether `retentiond ledger check --deep` would say anything but "ok".
async fn found_by_the_check(path: &Path) -> bool {
    let Ok(ledger) = opened(path, OpenMode::ReadOnly).await else {
        return true;
    };
    let found = ledger.check(true).await;
    ledger.close().await;
    found.map_or(true, |problems| !problems.is_empty())
}

/// The same file under SQLite's own VFS, which knows of no checksums.
async fn found_by_sqlite_alone(path: &Path) -> bool {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .vfs("unix")
        .read_only(true);
    let Ok(mut connection) = options.connect().await else {
        return true;
    };
    let found: Result<Vec<String>, _> = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_all(&mut connection)
        .await;
    let _ = connection.close().await;
    found.map_or(true, |lines| lines != ["ok"])
}

#[tokio::test]
async fn nearly_every_flipped_byte_is_found_by_the_deep_check() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    busy_ledger(&path, 2000).await;
    assert!(
        !found_by_the_check(&path).await,
        "whole before anything is flipped"
    );
    let whole = std::fs::read(&path).unwrap();

    let mut dice = Dice(20_261_124);
    let (mut found, mut by_sqlite, mut missed) = (0, 0, Vec::new());
    for n in 0..FLIPS {
        let place = dice.below(whole.len() as u64) as usize;
        let mut bytes = whole.clone();
        // Another value than before, all of them equally likely.
        bytes[place] ^= 1 + dice.below(255) as u8;
        let copy = dir.path().join(format!("flip{n}.db"));
        std::fs::write(&copy, &bytes).unwrap();
        by_sqlite += usize::from(found_by_sqlite_alone(&copy).await);
        if found_by_the_check(&copy).await {
            found += 1;
        } else {
            missed.push(place);
        }
        std::fs::remove_file(&copy).unwrap();
    }
    println!(
        "{found} of {FLIPS} flips in {} bytes found, by SQLite alone {by_sqlite}; missed at {missed:?}",
        whole.len()
    );
    assert!(
        found >= FOUND_AT_LEAST,
        "{found} of {FLIPS}; missed at {missed:?}"
    );
}

#[tokio::test]
async fn every_byte_of_the_header_is_guarded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    busy_ledger(&path, 2000).await;
    let whole = std::fs::read(&path).unwrap();
    for place in 0..100 {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x10;
        let copy = dir.path().join(format!("head{place}.db"));
        std::fs::write(&copy, &bytes).unwrap();
        assert!(found_by_the_check(&copy).await, "byte {place}");
    }
}

#[tokio::test]
async fn a_damaged_page_is_noticed_by_whoever_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    busy_ledger(&path, 2000).await;
    let whole = std::fs::read(&path).unwrap();
    let ledger = opened(&path, OpenMode::ReadWrite).await.unwrap();
    let due = ledger.due(&policy("q"), at(400), None, 5000).await.unwrap();
    assert!(due.len() > 1000, "{}", due.len());
    ledger.close().await;
    // One bit of each page of the second half: the schema, without which it would not open, lies before.
    let mut bytes = whole.clone();
    for page in bytes[100 * 4096..].chunks_mut(4096) {
        page[2000] ^= 1;
    }
    std::fs::write(&path, &bytes).unwrap();
    let ledger = opened(&path, OpenMode::ReadWrite).await.unwrap();
    let refused = ledger.due(&policy("q"), at(400), None, 5000).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Damaged { .. }), "{refused}");
    assert!(refused.to_string().contains("checksum"), "{refused}");
    let problems = ledger.check(true).await.unwrap();
    assert_eq!(problems.len(), 20, "as many as are shown: {problems:?}");
    let backup = dir.path().join("copy.db");
    ledger.backup(&backup).await.unwrap_err();
    assert!(!backup.exists(), "damage is not copied");
}

#[tokio::test]
async fn a_copy_larger_than_the_cache_has_every_checksum() {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (dir.path().join("ledger.db"), dir.path().join("copy.db"));
    let ledger = opened(&path, OpenMode::ReadWrite).await.unwrap();
    // Twice what the copying connection keeps in memory.
    for n in 0..40 {
        ledger
            .set_setting(&format!("long{n}"), Some(&"x".repeat(100_000)))
            .await
            .unwrap();
    }
    ledger.backup(&copy).await.unwrap();
    ledger.close().await;
    assert!(std::fs::metadata(&copy).unwrap().len() > 4_000_000);
    let copy = opened(&copy, OpenMode::ReadWrite).await.unwrap();
    assert_eq!(copy.check(true).await.unwrap(), Vec::<String>::new());
    assert!(copy.setting("long39").await.unwrap().is_some());
}
