//! A plan is a contract: what was approved is what runs, to the byte, and what has changed is said file by file.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use retentiond::engine::{Ending, Stop};
use retentiond::ledger::StoredFile;
use retentiond::model::{BreakerKind, FileAddress, HoldScope, NewHold, SweepId};
use retentiond::sandbox::{DocumentType, Endpoint};
use serde_json::Value;

use crate::harness::*;
use crate::limits::plan_of;

/// Each sweep waits for an approval.
fn always(classification: &str) -> String {
    ten_days(classification) + "approval = \"always\"\n"
}

async fn world() -> World {
    World::with(always, &[DocumentType::named("letter")]).await
}

impl World {
    /// The binary over this world's ledger, by the machine's own clock.
    fn cli(&self, args: &[&str]) -> Output {
        let config = self.dir.path().join("policies.toml");
        if !config.exists() {
            let text = Self::policy_text(&self.dir, &self.sandbox.base_url(), &always(&self.classification));
            std::fs::write(&config, text).unwrap();
        }
        Command::new(env!("CARGO_BIN_EXE_retentiond"))
            .arg("-c")
            .arg(config)
            .args(args)
            .output()
            .unwrap()
    }

    fn cli_json(&self, args: &[&str]) -> (Option<i32>, Value) {
        let mut all = vec!["--json"];
        all.extend_from_slice(args);
        let output = self.cli(&all);
        let value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}; {output:?}"));
        (output.status.code(), value)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn stored(&self, hash: &str) -> Vec<StoredFile> {
        self.ledger.plan_files(hash, 0, 1000).await.unwrap()
    }

    /// Another hand at the stored plan: the hash stays, its files do not.
    async fn tamper(&self, hash: &str, change: impl FnOnce(&mut Vec<StoredFile>)) {
        let waiting = self.ledger.waiting_plans(start()).await.unwrap();
        let head = waiting.into_iter().find(|plan| plan.hash == hash).unwrap();
        let mut files = self.stored(hash).await;
        change(&mut files);
        self.ledger.store_plan(&head, &files, SweepId(1)).await.unwrap();
    }

    async fn approve_all(&self, hash: &str) {
        let until = self.now().checked_add_millis(3 * DAY_MS).unwrap();
        self.ledger.approve(hash, self.now(), until).await.unwrap();
    }

    async fn hold_of(&self, address: FileAddress) {
        let hold = NewHold {
            scope: HoldScope::File(address.file),
            reason: "litigation".to_owned(),
            reference: None,
            owner: None,
            review_by: None,
        };
        self.ledger.add_hold(&hold, self.now()).await.unwrap();
    }
}

fn start() -> retentiond::model::Timestamp {
    BEGINNING.parse().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn an_approved_plan_that_was_changed_in_the_ledger_is_not_run() {
    let world = world().await;
    let batch = world.upload(4).await;
    world.days_pass(11);
    let plan = plan_of(&world.sweep().await.ending);
    world.approve_all(&plan).await;
    // One file fewer would be a smaller plan that the approval covers; but it is not what was approved.
    world.tamper(&plan, |files| files.truncate(3)).await;
    let report = world.sweep().await;
    let Ending::Stopped {
        by: Stop::Breaker { kind, reason, .. },
    } = &report.ending
    else {
        panic!("a breaker was expected: {report:?}");
    };
    assert_eq!((*kind, report.exit_code()), (BreakerKind::Integrity, 4));
    assert!(
        reason.contains(&plan[..12]) && reason.contains("was changed in the ledger"),
        "{reason}"
    );
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 0);
    assert_eq!(
        world.ledger.breakers().await.unwrap()[0].kind,
        BreakerKind::Integrity
    );
    assert!(matches!(
        world.sweep().await.ending,
        Ending::Stopped {
            by: Stop::Breaker { .. }
        }
    ));
    // Once somebody has looked, the plan is made anew, and needs a new approval.
    world
        .ledger
        .close_breaker(BreakerKind::Integrity, "test", world.now())
        .await
        .unwrap();
    assert_eq!(plan_of(&world.sweep().await.ending), plan);
    assert_eq!(world.stored(&plan).await.len(), 4);
    world.approve_all(&plan).await;
    assert_eq!(world.sweep().await.summary.deleted, 4);
    world.assert_truth(&[&batch]).await;
}

#[tokio::test]
async fn a_changed_stored_plan_cannot_be_approved() {
    let world = world().await;
    world.upload(3).await;
    world.days_pass(11);
    let plan = plan_of(&world.sweep().await.ending);
    let file = world.path("plan.jsonl");
    assert!(world.cli(&["plan", "--out", text(&file)]).status.success());
    world
        .tamper(&plan, |files| {
            let due_at = &mut files[1].due_at;
            *due_at = due_at.checked_add_millis(1).unwrap();
        })
        .await;
    for args in [
        ["approve", &plan[..12], ""].as_slice(),
        ["approve", "--plan", text(&file)].as_slice(),
    ] {
        let args: Vec<&str> = args.iter().copied().filter(|arg| !arg.is_empty()).collect();
        let output = world.cli(&args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(
            said.contains("was changed in the ledger after it was stored"),
            "{said}"
        );
    }
    assert_eq!(world.ledger.approvals(world.now()).await.unwrap(), []);
}

#[tokio::test]
async fn a_plan_on_file_is_approved_if_it_is_the_one_that_waits_to_the_byte() {
    let world = world().await;
    world.upload(3).await;
    world.days_pass(11);
    let plan = plan_of(&world.sweep().await.ending);
    let file = world.path("plan.jsonl");
    let output = world.cli(&["plan", "-p", "documents", "--out", text(&file)]);
    assert!(output.status.success(), "{output:?}");
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(written.contains(&format!("\"hash\":\"{plan}\"")), "{written}");
    assert_eq!(written.lines().count(), 4);

    let changed = world.path("changed.jsonl");
    std::fs::write(
        &changed,
        written.replacen("\"batch_id\":\"", "\"batch_id\":\"x", 1),
    )
    .unwrap();
    let refused = world.cli(&["approve", "--plan", text(&changed)]);
    assert_eq!(refused.status.code(), Some(4));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("changed.jsonl:"), "{said}");
    assert_eq!(world.ledger.approvals(world.now()).await.unwrap(), []);

    let (code, given) = world.cli_json(&["approve", "--plan", text(&file)]);
    assert_eq!(code, Some(0));
    assert_eq!(given["approvals"][0]["approval"]["plan"], plan);
    assert_eq!(given["approvals"][0]["drift"]["verdict"], "same");
    assert_eq!(world.sweep().await.summary.deleted, 3);
}

#[tokio::test]
async fn a_stale_plan_says_what_changed_file_by_file() {
    let mut world = world().await;
    let batch = world.upload(4).await;
    world.days_pass(11);
    let file = world.path("plan.jsonl");
    assert!(world.cli(&["plan", "--out", text(&file)]).status.success());
    let (code, same) = world.cli_json(&["plan", "--compare", text(&file)]);
    assert_eq!((code, &same["verdict"]), (Some(0), &"same".into()));
    let waits = world.cli(&["approve", "--plan", text(&file)]);
    assert_eq!(
        waits.status.code(),
        Some(3),
        "no sweep waits for it yet: {waits:?}"
    );

    world.hold_of(world.address(&batch, &batch.files[0])).await;
    let key = world.ledger.find(&batch.files[1]).await.unwrap()[0].key.batch;
    let gone = retentiond::outcome::FileEvent::FoundGone;
    let files = std::slice::from_ref(&batch.files[1]);
    world
        .ledger
        .note(key, files, gone, "test", world.now())
        .await
        .unwrap();
    // A later upload time is recorded for the third: its period starts later.
    let third = Batch {
        id: batch.id.clone(),
        files: vec![batch.files[2].clone()],
    };
    let corrected = start().checked_add_millis(DAY_MS).unwrap();
    world
        .record(&third, retentiond::model::Labels::new(), corrected)
        .await;
    let later = world.upload(2).await;

    let (code, stale) = world.cli_json(&["plan", "--compare", text(&file)]);
    assert_eq!((code, &stale["verdict"]), (Some(1), &"stale".into()));
    let found: Vec<(String, &str, &str)> = stale["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["file_id"].as_str().unwrap().to_owned(),
                one["change"].as_str().unwrap(),
                one["because"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = |file: &retentiond::model::FileId, change, because| (file.to_string(), change, because);
    for one in [
        expected(&batch.files[0], "gone", "held"),
        expected(&batch.files[1], "gone", "gone"),
        expected(&batch.files[2], "moved", "start-changed"),
        expected(&later.files[0], "added", "newly-due"),
        expected(&later.files[1], "added", "newly-due"),
    ] {
        assert!(found.contains(&one), "{one:?} is not among {found:?}");
    }
    assert_eq!(found.len(), 5);

    let refused = world.cli(&["approve", "--plan", text(&file)]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(3), "{said}");
    for words in [
        "stale",
        "2 files covered, but would not go any more (gone 1, held 1)",
        "2 files due now and not covered by it (newly due 2)",
        "plan --compare",
    ] {
        assert!(said.contains(words), "`{words}` is not in {said}");
    }
    // Under other rules every date is another one, and it says why.
    std::fs::remove_file(world.path("policies.toml")).unwrap();
    let longer = always(&world.classification).replace("10 days", "12 days");
    let text_of = World::policy_text(&world.dir, &world.sandbox.base_url(), &longer);
    std::fs::write(world.path("policies.toml"), text_of).unwrap();
    world.change_rules(&longer);
    let (_, changed) = world.cli_json(&["plan", "--compare", text(&file)]);
    let fourth = changed["differences"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["file_id"] == batch.files[3].as_str())
        .unwrap();
    assert_eq!(
        (&fourth["change"], &fourth["because"]),
        (&"moved".into(), &"rules-changed".into())
    );
}

#[tokio::test]
async fn an_approval_says_what_the_plan_has_lost_and_what_it_does_not_cover() {
    let world = world().await;
    let batch = world.upload(3).await;
    world.days_pass(11);
    let plan = plan_of(&world.sweep().await.ending);
    world.hold_of(world.address(&batch, &batch.files[0])).await;
    world.upload(2).await;
    let output = world.cli(&["approve", &plan[..12]]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    for words in [
        "approved: 3 files",
        "1 file covered, but would not go any more (held 1)",
        "2 files due now and not covered by it",
    ] {
        assert!(said.contains(words), "`{words}` is not in {said}");
    }
    let given = world.ledger.approvals(world.now()).await.unwrap();
    assert_eq!(
        given[0].valid_until.millis_since(given[0].given_at),
        72 * 3_600_000
    );
    // It shrinks by the file on hold, and does not grow by those that fell due since.
    world.days_pass(30);
    let until = world.now().checked_add_millis(DAY_MS).unwrap();
    world.ledger.approve(&plan, world.now(), until).await.unwrap();
    assert_eq!(world.sweep().await.summary.deleted, 2);
}
