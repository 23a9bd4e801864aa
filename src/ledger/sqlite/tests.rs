//! What only the inside can show: a disk that is full, and the plans that SQLite makes.

mod lines;
mod told;

use sqlx::Row;

use super::rows::select_files;
use super::*;
use crate::ledger::{Controls, Figures, Intake};
use crate::model::{
    BatchAddress, BatchId, BreakerKind, ClassificationId, FileAddress, FileId, Labels, NewFile, Parent,
    Timestamp,
};
use crate::rules::policy::{Hint, RuleDigest};

async fn opened(dir: &tempfile::TempDir) -> SqliteLedger {
    let path = dir.path().join("ledger.db");
    SqliteLedger::open(path.to_str().unwrap(), OpenMode::ReadWrite)
        .await
        .unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_795_392_000_000).unwrap()
}

fn files(range: std::ops::Range<u32>) -> Vec<crate::ledger::Hinted> {
    range
        .map(|n| crate::ledger::Hinted {
            file: NewFile {
                address: FileAddress {
                    batch: BatchAddress {
                        parent: Parent::Classification(ClassificationId::new("c").unwrap()),
                        batch: BatchId::new("b").unwrap(),
                        account: None,
                    },
                    file: FileId::new(format!("f{n:06}")).unwrap(),
                },
                uploaded_at: now(),
                processed_at: None,
                document_type: None,
                labels: Labels::new(),
                subject: None,
                copy_of: None,
            },
            hint: Hint {
                owner: None,
                due_at: None,
                deadline_at: None,
            },
        })
        .collect()
}

async fn limit_pages(ledger: &SqliteLedger, pages: &'static str) {
    let mut writer = ledger.writer.as_ref().unwrap().lock().await;
    sqlx::query(pages)
        .execute(writer.as_mut().unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_the_write_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = opened(&dir).await;
    let digest = RuleDigest("d".to_owned());
    ledger.record(&files(0..10), &digest, now()).await.unwrap();
    limit_pages(&ledger, "PRAGMA max_page_count = 1").await;
    for _ in 0..3 {
        let full = ledger
            .record(&files(10..60_000), &digest, now())
            .await
            .unwrap_err();
        assert!(matches!(full, LedgerError::NotWritable { .. }), "{full}");
    }
    assert_eq!(ledger.check(true).await.unwrap(), Vec::<String>::new());
    limit_pages(&ledger, "PRAGMA max_page_count = 1000000").await;
    assert_eq!(
        ledger.record(&files(5..20), &digest, now()).await.unwrap().added,
        10
    );
    assert_eq!(ledger.check(true).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn after_a_failed_fsync_the_ledger_is_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = opened(&dir).await;
    let failing: Result<(), LedgerError> = ledger
        .write(|_| Box::pin(async { Err(fault::damaged(format!("{}: here", fault::FSYNC_FAILED))) }))
        .await;
    failing.unwrap_err();
    for _ in 0..2 {
        let refused = ledger
            .open_breaker(BreakerKind::Integrity, "full", now())
            .await
            .unwrap_err();
        assert!(matches!(refused, LedgerError::Damaged { .. }), "{refused}");
    }
    assert_eq!(ledger.breakers().await.unwrap(), []);
    let anew = opened(&dir).await;
    anew.open_breaker(BreakerKind::Integrity, "full", now())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_transaction_that_panics_is_undone_and_the_next_one_works() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Arc::new(opened(&dir).await);
    let panicking = tokio::spawn({
        let ledger = Arc::clone(&ledger);
        async move {
            let _: Result<(), LedgerError> = ledger
                .write(|tx| {
                    Box::pin(async move {
                        sqlx::query("INSERT INTO settings (name, value) VALUES ('a', 'b')")
                            .execute(tx)
                            .await
                            .unwrap();
                        panic!("in the middle")
                    })
                })
                .await;
        }
    });
    assert!(panicking.await.unwrap_err().is_panic());
    assert_eq!(ledger.setting("a").await.unwrap(), None);
    ledger.set_setting("a", Some("c")).await.unwrap();
}

/// A ledger of ten million files must not be read through for one of them.
#[tokio::test]
async fn history_walks_the_index_of_what_it_is_asked_for() {
    use crate::ledger::HistoryFilter;

    let dir = tempfile::tempdir().unwrap();
    let ledger = opened(&dir).await;
    let none = HistoryFilter::default;
    let file = Some(FileId::new("f").unwrap());
    let batch = Some(BatchId::new("b").unwrap());
    let policy = Some(crate::model::PolicyName::new("p").unwrap());
    let (sweep, since) = (Some(crate::model::SweepId(1)), Some(now()));
    let cases: [(HistoryFilter, &[&str]); 6] = [
        (
            HistoryFilter { file, ..none() },
            &["attempt_files_by_file (file_id=? AND attempt<?)"],
        ),
        (
            HistoryFilter { sweep, ..none() },
            &["attempts_by_sweep (sweep=? AND id<?)"],
        ),
        (
            HistoryFilter { batch, ..none() },
            &[
                "sqlite_autoindex_batches_1 (batch=?)",
                "attempts_by_batch (batch=? AND id<?)",
            ],
        ),
        (
            HistoryFilter { policy, ..none() },
            &[
                "sweeps_by_policy (policy=?)",
                "attempts_by_sweep (sweep=? AND id<?)",
            ],
        ),
        (
            HistoryFilter { since, ..none() },
            &["attempts_by_intent (intent_at>? AND intent_at<?)"],
        ),
        (none(), &["SEARCH a USING INTEGER PRIMARY KEY (rowid<?)"]),
    ];
    for (filter, expected) in cases {
        let statement = format!("EXPLAIN QUERY PLAN {}", super::history::statement(&filter));
        let steps = ledger
            .read(move |tx| {
                Box::pin(async move {
                    let statement = sqlx::AssertSqlSafe(statement);
                    let rows = sqlx::query(statement).fetch_all(tx).await.unwrap();
                    let steps = rows.iter().map(|row| row.get::<String, _>("detail"));
                    Ok(steps.collect::<Vec<_>>())
                })
            })
            .await
            .unwrap()
            .join("\n");
        for step in expected {
            assert!(steps.contains(step), "{step} is not in\n{steps}");
        }
        assert!(!steps.contains("SCAN"), "{steps}");
    }
}

/// How SQLite would go about each statement that a tick runs.
#[tokio::test]
async fn the_tick_reads_through_its_indexes() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = opened(&dir).await;
    let plans: [(&'static str, &[&str]); 4] = [
        (
            concat!(
                "EXPLAIN QUERY PLAN ",
                select_files!(
                    "files f INDEXED BY files_due",
                    "WHERE f.state = 0 AND f.policy = 1 AND f.due_at <= 2
                       AND (f.due_at, f.batch, f.file_id) > (0, 0, '')
                     ORDER BY f.due_at, f.batch, f.file_id LIMIT 9"
                )
            ),
            &["SEARCH f USING INDEX files_due (policy=? AND (due_at,batch,file_id)>"],
        ),
        (
            "EXPLAIN QUERY PLAN
             SELECT count(*), min(f.deadline_at) FROM files f INDEXED BY files_due
             WHERE f.state = 0 AND f.policy = 1 AND f.due_at <= 2",
            &["SEARCH f USING COVERING INDEX files_due"],
        ),
        (
            "EXPLAIN QUERY PLAN
             UPDATE files SET state = 1 FROM json_each('[]') j
             WHERE files.batch = 1 AND files.file_id = j.value AND files.state IN (0, 4)",
            &[
                "SCAN j VIRTUAL TABLE",
                "SEARCH files USING PRIMARY KEY (file_id=? AND batch=?)",
            ],
        ),
        (
            concat!(
                "EXPLAIN QUERY PLAN ",
                select_files!(
                    "files f",
                    "WHERE (f.file_id, f.batch) > ('a', 1) AND f.state IN (0, 4) AND f.rule_set <> 3
                     ORDER BY f.file_id, f.batch LIMIT 9"
                )
            ),
            &["SEARCH f USING PRIMARY KEY"],
        ),
    ];
    for (statement, expected) in plans {
        let steps = ledger
            .read(move |tx| {
                Box::pin(async move {
                    let rows = sqlx::query(statement).fetch_all(tx).await.unwrap();
                    Ok(rows
                        .iter()
                        .map(|row| row.get::<String, _>("detail"))
                        .collect::<Vec<_>>())
                })
            })
            .await
            .unwrap();
        for step in expected {
            assert!(
                steps.iter().any(|found| found.starts_with(step)),
                "{step} not in {steps:#?}"
            );
        }
        assert!(
            !steps.iter().any(|found| found.contains("TEMP B-TREE")),
            "{steps:#?}"
        );
    }
}

/// The first transaction ever, cut short when its first pages had reached the file: what a reader finds.
#[tokio::test]
async fn a_first_transaction_that_was_cut_short_is_no_ledger_and_can_be_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    let (begun, path) = (dir.path().join("begun.db"), dir.path().join("ledger.db"));
    let mut connection = open::connect(&open::making(&begun)).await.unwrap();
    for statement in [
        "PRAGMA cache_size = 1",
        "BEGIN",
        "CREATE TABLE t (x)",
        "INSERT INTO t WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT randomblob(2000) FROM n",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    for side in ["", "-journal"] {
        let name = |path: &std::path::Path| format!("{}{side}", path.display());
        std::fs::copy(name(&begun), name(&path)).unwrap();
    }
    assert!(std::fs::metadata(&path).unwrap().len() > 4096);
    let place = path.to_str().unwrap();
    let read = SqliteLedger::open(place, OpenMode::ReadOnly).await.map(drop);
    assert!(matches!(read, Err(LedgerError::Missing { .. })), "{read:?}");
    drop(SqliteLedger::open(place, OpenMode::ReadWrite).await.unwrap());
    SqliteLedger::open(place, OpenMode::ReadOnly).await.unwrap();
}

/// Moving on would hide what was found: the anchor is the only witness.
#[tokio::test]
async fn an_anchor_stays_where_it_is_while_an_older_copy_is_suspected() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = opened(&dir).await;
    let anchor = || std::fs::read(dir.path().join("ledger.db.anchor")).unwrap();
    let before = anchor();
    ledger.open_breaker(BreakerKind::Api, "x", now()).await.unwrap();
    assert_ne!(anchor(), before);
    limit_pages(&ledger, "UPDATE lineage SET suspicion = 'an older copy'").await;
    let before = anchor();
    ledger.close_breaker(BreakerKind::Api, "x", now()).await.unwrap();
    assert_eq!(anchor(), before);
}
