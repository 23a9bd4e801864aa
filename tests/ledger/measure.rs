//! Figures, printed: `cargo test --release --test ledger -- --ignored --nocapture measure`.

use std::path::Path;
use std::time::Duration;

use retentiond::ledger::{Claims, Figures, Hinted, Intake, OpenMode, Sweeps};
use retentiond::ledger::{Opened, Rehinted, Rules, SqliteLedger};
use retentiond::model::{FileId, SweepState, SweepSummary, Timestamp};
use retentiond::outcome::FileEvent;
use tokio::time::Instant;

use crate::world::*;

const FILES: usize = 1_000_000;
const PAGE: usize = 50_000;
const BATCH: usize = 5_000;

/// Shaped like a push id: 8 characters of time, ascending, then 12 that look random.
fn push_id(n: usize) -> String {
    const ALPHABET: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
    let mut time = 1_740_864_032_426_u64 + n as u64 * 7;
    let mut noise = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut id = [0_u8; 20];
    for slot in id[..8].iter_mut().rev() {
        *slot = ALPHABET[(time % 64) as usize];
        time /= 64;
    }
    for slot in &mut id[8..] {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        *slot = ALPHABET[(noise % 64) as usize];
    }
    String::from_utf8(id.to_vec()).unwrap()
}

fn page(from: usize) -> Vec<Hinted> {
    (from..from + PAGE)
        .map(|n| {
            let mut new = file(&format!("batch{:05}", n / BATCH), &push_id(n));
            new.labels.insert("tenant".to_owned(), format!("t{}", n % 7));
            // Every tenth is due at hour 0, the rest spread over the year after.
            let due = if n % 10 == 0 { 0 } else { 1 + (n % 8760) as i64 };
            hinted(new, if n % 3 == 0 { "p" } else { "q" }, due)
        })
        .collect()
}

fn say(what: &str, took: Duration, of: usize) {
    let per_second = of as f64 / took.as_secs_f64();
    println!("{what}: {took:?} for {of}, {per_second:.0}/s");
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "prints figures; takes a minute"]
async fn measure() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let ledger = SqliteLedger::open(path.to_str().unwrap(), OpenMode::ReadWrite)
        .await
        .unwrap();
    ledger.adopt_rules(&digest("one"), "", at(0)).await.unwrap();
    let mut recording = Duration::ZERO;
    for from in (0..FILES).step_by(PAGE) {
        let rows = page(from);
        let begun = Instant::now();
        ledger.record(&rows, &digest("one"), at(0)).await.unwrap();
        recording += begun.elapsed();
    }
    say("record", recording, FILES);
    let begun = Instant::now();
    ledger.record(&page(0), &digest("one"), at(0)).await.unwrap();
    say("record again, all known", begun.elapsed(), PAGE);
    println!("resident: {} KiB", resident_kib());

    ledger.close().await;
    let bytes = size(&path);
    println!("file: {bytes} bytes, {:.1} a file", bytes as f64 / FILES as f64);
    let ledger = SqliteLedger::open(path.to_str().unwrap(), OpenMode::ReadWrite)
        .await
        .unwrap();

    let begun = Instant::now();
    let first = ledger.due(&policy("q"), at(0), None, 100_000).await.unwrap();
    say("due, one page", begun.elapsed(), first.len());
    let begun = Instant::now();
    let tallies = ledger.tallies(at(0)).await.unwrap();
    println!(
        "tallies: {:?} (due {})",
        begun.elapsed(),
        tallies[&Some(policy("q"))].due
    );
    let begun = Instant::now();
    let none = ledger
        .due(&policy("q"), Timestamp::from_millis(0).unwrap(), None, 1000)
        .await
        .unwrap();
    println!("tick with nothing due: {:?} ({})", begun.elapsed(), none.len());
    let bounds: Vec<Timestamp> = (1..=30).map(|day| at(day * 24)).collect();
    let begun = Instant::now();
    ledger.falling_due(at(0), &bounds).await.unwrap();
    println!("forecast of 30 days: {:?}", begun.elapsed());

    ledger.close().await;
    let sweeping = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "measure::measure_a_sweep", "--ignored", "--nocapture"])
        .env(LEDGER, &path)
        .status();
    assert!(sweeping.unwrap().success());
    let ledger = SqliteLedger::open(path.to_str().unwrap(), OpenMode::ReadWrite)
        .await
        .unwrap();
    rehint(&ledger).await;
    let begun = Instant::now();
    assert_eq!(ledger.check(true).await.unwrap(), Vec::<String>::new());
    println!("check --deep: {:?}", begun.elapsed());
    println!("resident at the end: {} KiB", resident_kib());
}

const LEDGER: &str = "RETENTIOND_TEST_LEDGER";

/// In a process of its own, so that its memory is the ledger's and not that of a million test rows.
#[tokio::test]
#[ignore = "started by `measure`"]
async fn measure_a_sweep() {
    let Ok(path) = std::env::var(LEDGER) else { return };
    let ledger = SqliteLedger::open(&path, OpenMode::ReadWrite).await.unwrap();
    println!("resident, just opened: {} KiB", resident_kib());
    let Opened::New(sweep) = ledger.open_sweep(&open("q", None)).await.unwrap() else {
        panic!("a new one");
    };
    let (mut claiming, mut settling, mut calls) = (Duration::ZERO, Duration::ZERO, 0_u32);
    loop {
        let due = ledger.due(&policy("q"), at(0), None, 1000).await.unwrap();
        let Some(first) = due.first().map(|file| file.key.batch) else {
            break;
        };
        let files: Vec<FileId> = due
            .into_iter()
            .filter(|file| file.key.batch == first)
            .map(|f| f.key.file)
            .collect();
        for chunk in files.chunks(100) {
            let begun = Instant::now();
            let asked = request(sweep, first, chunk, 1_000_000);
            let claim = ledger.claim(&asked, &|_, _| Ok(())).await.unwrap();
            claiming += begun.elapsed();
            let mut settlement = settlement(&[], FileEvent::Confirmed);
            settlement.files = chunk.iter().map(|f| (f.clone(), FileEvent::Confirmed)).collect();
            let begun = Instant::now();
            ledger.settle(claim.attempt.unwrap(), &settlement).await.unwrap();
            settling += begun.elapsed();
            calls += 1;
        }
    }
    println!(
        "claim of 100: {:?}, settle of 100: {:?} ({calls} each)",
        claiming / calls,
        settling / calls
    );
    println!("resident, in the sweep: {} KiB", resident_kib());
    ledger
        .close_sweep(sweep, SweepState::Done, &SweepSummary::default(), at(1))
        .await
        .unwrap();
    println!("resident, after the sweep: {} KiB", resident_kib());
}

async fn rehint(ledger: &SqliteLedger) {
    ledger.adopt_rules(&digest("two"), "", at(0)).await.unwrap();
    let (begun, mut seen) = (Instant::now(), 0);
    loop {
        let Rehinted { seen: more, left } = ledger
            .rehint(&digest("two"), 20_000, &|_| hint("r", 50))
            .await
            .unwrap();
        seen += more;
        if left == 0 {
            break;
        }
    }
    say("decide anew", begun.elapsed(), seen as usize);
}
