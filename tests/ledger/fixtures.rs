//! Ledgers as earlier schemas left them: `fixtures/v<schema>.db`, one for each, opened by today's code.
//!
//! A released schema's file is never made anew. The newest one's, until its release, by
//! `RETENTIOND_MAKE_FIXTURE=1 cargo test --test ledger fixtures -- --ignored`.

use std::path::{Path, PathBuf};

use retentiond::ledger::{Claims, Controls, Figures, OpenMode, SqliteLedger};
use retentiond::model::FileState;

use crate::world::*;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ledger/fixtures")
}

#[tokio::test]
async fn every_earlier_schema_is_migrated_and_whole() {
    let mut seen = 0;
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let from = entry.unwrap().path();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        std::fs::copy(&from, &path).unwrap();
        let ledger = SqliteLedger::open(path.to_str().unwrap(), OpenMode::ReadWrite)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        assert_eq!(ledger.check(true).await.unwrap(), Vec::<String>::new());
        assert_eq!(ledger.live(&policy("p")).await.unwrap(), 34);
        assert_eq!(ledger.unknown(1000).await.unwrap().len(), 120);
        let gone = ledger.find(&id(&format!("-Og{:017x}", 50))).await.unwrap();
        assert_eq!(gone[0].state, FileState::Deleted, "{}", from.display());
        assert_eq!(ledger.holds(None).await.unwrap().len(), 10);
        // It came without its anchor, and says so.
        assert!(ledger.rollback().await.unwrap().unwrap().contains("missing"));
        seen += 1;
    }
    assert!(seen >= 1, "a ledger for each schema");
}

#[test]
fn both_ledgers_number_their_schemas_alike() {
    let of = |ledger: &str| -> Vec<String> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("migrations")
            .join(ledger);
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let number = name.split('_').next().unwrap().to_owned();
            let says = std::fs::read_to_string(&path).unwrap();
            let version: u32 = number.parse().unwrap();
            // The first makes the place where it is said.
            let ends = says.trim_end().ends_with(&format!("ersion = {version};"));
            assert!(version == 1 || ends, "{name}");
            numbers.push(number);
        }
        numbers.sort();
        numbers
    };
    let numbers = of("sqlite");
    assert!(numbers.len() >= 11, "{numbers:?}");
    assert_eq!(numbers, of("postgres"));
}

#[tokio::test]
#[ignore = "writes a file of this tree, when asked to"]
async fn make_the_newest() {
    if std::env::var_os("RETENTIOND_MAKE_FIXTURE").is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    crate::flips::busy_ledger(&path, 400).await;
    std::fs::create_dir_all(fixtures()).unwrap();
    let schemas = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite"))
        .unwrap()
        .count();
    std::fs::copy(&path, fixtures().join(format!("v{schemas}.db"))).unwrap();
}
