//! The same quarter on PostgreSQL. `figures` holds the report beside SQLite against SQL of its own; here every answer
//! is held against that of the copy as a file, which has the same rows.

use std::fmt::Debug;
use std::sync::Arc;

use retentiond::ledger::{HistoryFilter, Ledger, OpenMode, PostgresLedger, PostgresOptions, SqliteLedger};
use retentiond::model::{AttemptId, FileRecord, SweepId};

use crate::cluster::cluster;
use crate::planted::{FROM, NOW, Planted, TO, at, hours, id, policy};
use crate::story::told_in;

/// A quarter told to a server, and its copy as a file.
async fn both() -> (Planted, Planted) {
    let dir = tempfile::tempdir().unwrap();
    let options = PostgresOptions {
        url: cluster().fresh().await,
        password: None,
        beside: dir.path().join("ledger"),
        lease: retentiond::ledger::Lease::over(std::time::Duration::from_secs(60)),
    };
    let ledger = PostgresLedger::open(&options, OpenMode::ReadWrite).await.unwrap();
    let there = told_in(Planted::with(Arc::new(ledger), dir)).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("copy.db");
    there.ledger.backup(&file).await.unwrap();
    // Opened for writing, a copy without its anchor would write that it doubts itself.
    let copy = SqliteLedger::open(file.to_str().unwrap(), OpenMode::ReadOnly)
        .await
        .unwrap();
    (there, Planted::with(Arc::new(copy), dir))
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn the_report_of_a_ledger_on_postgresql_is_the_report_of_its_copy() {
    let (there, copy) = both().await;
    assert_eq!(copy.ledger.check(true).await.unwrap(), Vec::<String>::new());
    for with_ids in [false, true] {
        let (one, other) = (there.report(with_ids).await, copy.report(with_ids).await);
        assert!(one.total.ended > 200 && !one.exceptions.is_empty());
        same(&format!("{one:#?}"), &format!("{other:#?}"));
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn every_other_answer_is_that_of_the_copy_too() {
    let (there, copy) = both().await;
    let (one, other) = (answers(&there).await, answers(&copy).await);
    for (here, there) in one.iter().zip(&other) {
        same(here, there);
    }
    assert_eq!(one.len(), other.len());
}

/// Names the first line that differs: the whole is thousands of lines.
fn same(here: &str, there: &str) {
    let pairs = here.lines().zip(there.lines()).enumerate();
    let differs = pairs.into_iter().find(|(_, (one, other))| one != other);
    let before = |at: usize| here.lines().take(at).collect::<Vec<_>>();
    if let Some((at, (one, other))) = differs {
        let before = before(at);
        let context = before[before.len().saturating_sub(12)..].join("\n");
        panic!("line {at}:\n{context}\n- {one}\n+ {other}");
    }
    assert_eq!(here.lines().count(), there.lines().count());
}

/// What is asked, and what was said.
#[derive(Default)]
struct Said(Vec<String>);

impl Said {
    fn say(&mut self, question: &str, answer: impl Debug) {
        self.0.push(format!("{question}: {answer:#?}"));
    }

    /// An answer that tells of something: one that is empty would agree with anything.
    fn say_some<T: Debug>(&mut self, question: &str, answer: Vec<T>) {
        assert!(!answer.is_empty(), "{question}");
        self.say(question, answer);
    }
}

async fn answers(world: &Planted) -> Vec<String> {
    let ledger = world.ledger.as_ref();
    let mut said = Said::default();
    let mut files = Vec::new();
    for name in [
        "june",
        "found-gone",
        "resolved",
        "revived-again",
        "late-hold",
        "unknown",
        "deleting",
        "failed",
        "overdue",
        "erased",
        "orphan-1",
        "by-others",
        "held-by-batch",
    ] {
        let found = ledger.find(&id(name)).await.unwrap();
        assert_eq!(found.len(), 1, "{name}");
        said.say("find", &found);
        files.extend(found);
    }
    past(ledger, &files, &mut said).await;
    standing(ledger, &mut said).await;
    evidence(ledger, &mut said).await;
    said.0
}

async fn past(ledger: &dyn Ledger, files: &[FileRecord], said: &mut Said) {
    for instant in ["2026-04-01T00:00:00Z", "2026-06-01T00:00:00Z", FROM, NOW] {
        said.say("rules at", ledger.rules_at(at(instant)).await.unwrap());
    }
    let in_force = ledger.rules_in_force().await.unwrap().unwrap();
    assert!(ledger.rule_text(&in_force.digest).await.unwrap().is_some());
    said.say("text", ledger.rule_text(&in_force.digest).await.unwrap());
    said.say("change", ledger.waiting_change().await.unwrap());
    let filters = [
        HistoryFilter::default(),
        HistoryFilter {
            policy: Some(policy("erasure")),
            ..HistoryFilter::default()
        },
        HistoryFilter {
            file: Some(id("late-refused")),
            since: Some(at("2026-05-30T12:00:00Z")),
            until: Some(at(TO)),
            ..HistoryFilter::default()
        },
        HistoryFilter {
            sweep: Some(SweepId(3)),
            ..HistoryFilter::default()
        },
        HistoryFilter {
            batch: Some(crate::planted::address("b1").batch),
            before: Some(AttemptId(9)),
            ..HistoryFilter::default()
        },
    ];
    for filter in filters {
        let filter = HistoryFilter {
            limit: 1000,
            ..filter
        };
        said.say_some("history", ledger.history(&filter).await.unwrap());
    }
    let mut moves = 0;
    for file in files {
        let moved = ledger.moves(&file.key).await.unwrap();
        moves += moved.len();
        said.say("moves", moved);
        said.say("events", ledger.events_of(file).await.unwrap());
        said.say("leaves", ledger.leaves_naming(&file.key.file).await.unwrap());
    }
    assert!(moves > 0);
    let mut approved = 0;
    for sweep in 1.. {
        let Some(found) = ledger.sweep(SweepId(sweep)).await.unwrap() else {
            break;
        };
        said.say("sweep", found);
        let approval = ledger.approval_used_by(SweepId(sweep)).await.unwrap();
        approved += usize::from(approval.is_some());
        said.say("approval", approval);
    }
    assert_eq!(approved, 1);
}

async fn standing(ledger: &dyn Ledger, said: &mut Said) {
    let applications = policy("applications");
    said.say("tallies", ledger.tallies(at(NOW)).await.unwrap());
    let bounds = [1, 24, 24 * 400].map(|n| hours(at(FROM), n));
    said.say(
        "falling due",
        ledger.falling_due(at(FROM), &bounds).await.unwrap(),
    );
    said.say_some("quarantined", ledger.quarantined(9).await.unwrap());
    said.say("live", ledger.live(&applications).await.unwrap());
    said.say("live in all", ledger.live_in_all().await.unwrap());
    said.say("last done", ledger.last_done(&applications).await.unwrap());
    let missing = ledger.without_due(&applications, at(NOW), None, 9).await.unwrap();
    said.say_some("without due", missing);
    said.say_some("unowned", ledger.unowned_by_batch(9).await.unwrap());
    said.say_some("requests", ledger.erasures(false).await.unwrap());
    said.say_some("progress", ledger.erasure_progress(false).await.unwrap());
    said.say("erasable", ledger.erasable(None, 9).await.unwrap());
    for request in ledger.erasures(false).await.unwrap() {
        said.say(
            "asked for",
            ledger.erasure_files(request.id, None, 9).await.unwrap(),
        );
    }
    // Without what is measured in bytes, which is the server's own.
    let mut stats = ledger.stats().await.unwrap();
    stats.retain(|stat| stat.unit != "bytes");
    said.say_some("stats", stats);
}

async fn evidence(ledger: &dyn Ledger, said: &mut Said) {
    let tree = ledger.tree().await.unwrap();
    assert!(tree.size > 100);
    said.say("tree", &tree);
    said.say_some("leaves", ledger.leaves(0, 10_000).await.unwrap());
    let all: Vec<u64> = (0..tree.size).collect();
    said.say("openings", ledger.openings(&all).await.unwrap());
}
