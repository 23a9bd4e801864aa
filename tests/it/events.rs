//! Clocks that start at an event: recorded early, late, for whole batches, corrected.

use std::process::{Command, Output};

use retentiond::engine::effect::{Effect, effect_of};
use retentiond::engine::observe::observe;
use retentiond::engine::planning::{make_plan, refresh_hints};
use retentiond::ledger::EventNoted;
use retentiond::model::{BatchId, EventScope, FileState, HoldScope, Labels, NewEvent, NewHold, Timestamp};
use retentiond::sandbox::DocumentType;
use retentiond::snapshot::Verdict;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Batch, DAY_MS, World, ten_days};

/// Ten days from `event:ended`; `fallback` as it is written.
fn ended(classification: &str, fallback: &str) -> String {
    ten_days(classification).replace(
        "delete_after",
        &format!("clock = {{ start = \"event:ended\"{fallback} }}\ndelete_after"),
    )
}

async fn world(fallback: &str) -> World {
    World::with(|c| ended(c, fallback), &[DocumentType::named("letter")]).await
}

fn event(scope: EventScope, at: Timestamp) -> NewEvent {
    NewEvent {
        name: "ended".parse().unwrap(),
        scope,
        at,
        reason: None,
    }
}

fn of(batch: &Batch) -> EventScope {
    EventScope::Batch(BatchId::new(batch.id.as_str()).unwrap())
}

async fn tell(world: &World, event: &NewEvent) -> EventNoted {
    world.ledger.add_event(event, world.now()).await.unwrap()
}

#[tokio::test]
async fn files_go_ten_days_after_their_event_and_never_without_one() {
    let world = world("").await;
    let (told, untold) = (world.upload(3).await, world.upload(2).await);
    world.days_pass(400);
    assert_eq!(world.sweep().await.summary.due, 0);
    tell(&world, &event(of(&told), world.now())).await;
    world.days_pass(10);
    assert_eq!(world.sweep().await.summary.due, 0, "the tenth day is not over");
    world.days_pass(1);
    assert_eq!(world.sweep().await.summary.deleted, 3);
    assert_eq!(world.left(&untold), 2);
    world.assert_truth(&[&told, &untold]).await;
}

#[tokio::test]
async fn an_event_recorded_before_its_files_counts_for_them() {
    let world = world("").await;
    let batch = world.upload_unrecorded(2);
    tell(&world, &event(of(&batch), world.now())).await;
    let label = EventScope::Label {
        key: "tenant".to_owned(),
        value: "acme".to_owned(),
    };
    tell(&world, &event(label, world.now())).await;
    world.record(&batch, Labels::new(), world.now()).await;
    let labels = Labels::from([("tenant".to_owned(), "acme".to_owned())]);
    let labelled = world.upload_labelled(3, labels).await;
    world.days_pass(11);
    assert_eq!(world.sweep().await.summary.deleted, 5);
    world.assert_truth(&[&batch, &labelled]).await;
}

#[tokio::test]
async fn a_missing_event_falls_back_to_the_upload_and_what_is_added() {
    let world = world(", fallback = { start = \"uploaded\", add = \"30 days\" }").await;
    let batch = world.upload(2).await;
    world.days_pass(40);
    assert_eq!(world.sweep().await.summary.due, 0);
    world.days_pass(1);
    assert_eq!(world.sweep().await.summary.deleted, 2);
    world.assert_truth(&[&batch]).await;
}

/// The claim asks again: an event that arrives while a plan is being worked through is in time.
#[tokio::test]
async fn a_later_time_told_after_the_plan_keeps_the_files() {
    let world = world("").await;
    let batch = world.upload(3).await;
    tell(&world, &event(of(&batch), world.now())).await;
    world.days_pass(11);
    let rules = &world.checked.rules;
    refresh_hints(world.ledger.as_ref(), rules, world.now(), &|_, _| ())
        .await
        .unwrap();
    let plan = make_plan(world.ledger.as_ref(), rules, &rules.policies[0], world.now())
        .await
        .unwrap();
    assert_eq!(plan.due(), 3);
    // For one file alone, later than that of its batch: the latest counts.
    let file = EventScope::File(batch.files[0].clone());
    tell(&world, &event(file, world.now())).await;
    assert_eq!(world.sweep().await.summary.deleted, 2);
    assert_eq!(world.state(&batch.files[0]).await, FileState::Live);
    world.days_pass(11);
    assert_eq!(world.sweep().await.summary.deleted, 1);
}

#[tokio::test]
async fn a_correction_is_told_in_files_before_it_counts() {
    let world = world("").await;
    let batch = world.upload(4).await;
    let start = world.now();
    tell(&world, &event(of(&batch), start)).await;
    world.days_pass(9);
    let rules = &world.checked.rules;
    let at = |days: i64| start.checked_add_millis(days * DAY_MS).unwrap();
    let effect = async |days| {
        effect_of(
            world.ledger.as_ref(),
            rules,
            &event(of(&batch), at(days)),
            world.now(),
        )
        .await
        .unwrap()
    };
    let none = Effect::default();
    assert_eq!(effect(5).await, Effect { later: 4, ..none });
    assert_eq!(effect(-1).await, Effect { earlier: 4, ..none });
    assert_eq!(
        effect(-30).await,
        Effect {
            earlier: 4,
            due_at_once: 4,
            ..none
        }
    );
    // Asking changed nothing.
    assert_eq!(world.sweep().await.summary.due, 0);
    let corrected = NewEvent {
        reason: Some("typo".to_owned()),
        ..event(of(&batch), at(-30))
    };
    tell(&world, &corrected).await;
    assert_eq!(world.sweep().await.summary.deleted, 4);
}

#[tokio::test]
async fn files_that_wait_too_long_for_their_event_are_an_alarm_with_their_batch() {
    let world = world("").await;
    let (old, told) = (world.upload(3).await, world.upload(2).await);
    let rules = &world.checked.rules;
    let look = async || {
        refresh_hints(world.ledger.as_ref(), rules, world.now(), &|_, _| ())
            .await
            .unwrap();
        observe(world.ledger.as_ref(), rules, world.now()).await.unwrap()
    };
    // Due ten days after the upload it would be, and overdue a day later.
    world.days_pass(11);
    let calm = look().await;
    assert_eq!(
        (calm.without_start_overdue, calm.policies[0].without_due),
        (vec![], 5)
    );
    world.days_pass(1);
    tell(&world, &event(of(&told), world.now())).await;
    let alarmed = look().await;
    assert_eq!(alarmed.verdict, Verdict::Overdue);
    let [waiting] = &alarmed.without_start_overdue[..] else {
        panic!("{alarmed:?}")
    };
    assert_eq!((waiting.policy.as_str(), waiting.overdue), ("documents", 3));
    assert_eq!(waiting.batches.len(), 1);
    assert_eq!(waiting.batches[0].batch.batch.as_str(), old.id);
    assert!(
        alarmed
            .sentence
            .contains("`retentiond event add ended` records it")
            && alarmed.sentence.contains(&old.id),
        "{}",
        alarmed.sentence
    );
    // What a hold keeps is not late.
    let hold = NewHold {
        scope: HoldScope::Batch(BatchId::new(old.id.as_str()).unwrap()),
        reason: "litigation".to_owned(),
        reference: None,
        owner: None,
        review_by: None,
    };
    world.ledger.add_hold(&hold, world.now()).await.unwrap();
    assert_eq!(look().await.without_start_overdue, vec![]);
}

// The command line -------------------------------------------------------------------------------

struct Desk(TempDir);

const FILE: &str = "-OKI_FueqSWiExyfS311";

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        let text = format!(
            r#"timezone = "Europe/Berlin"
labels = ["tenant"]
[extracta]
base_url = "http://127.0.0.1:9/api/v1"
[ledger]
url = "sqlite:{}"
[[policy]]
name = "contracts"
match = {{ classification = "-OKI_FueqSWiExyfS310" }}
clock = "event:contract-ended"
delete_after = "30 days"
schedule = "0 3 * * *"
mode = "enforce"
"#,
            desk.0.path().join("ledger.db").display()
        );
        std::fs::write(desk.0.path().join("policies.toml"), text).unwrap();
        desk
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_retentiond"))
            .arg("-c")
            .arg(self.0.path().join("policies.toml"))
            .args(args)
            .output()
            .unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[&["--json"], args].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}; {output:?}"))
    }

    fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn record(&self) {
        let row = format!(
            r#"{{"classification_id":"-OKI_FueqSWiExyfS310","batch_id":"aB3dE5gH7j","file_id":"{FILE}","uploaded_at":"2025-03-01T21:20:33Z"}}"#
        );
        let rows = self.0.path().join("rows.jsonl");
        std::fs::write(&rows, row).unwrap();
        let output = self.run(&["record", rows.to_str().unwrap()]);
        assert!(output.status.success(), "{output:?}");
    }

    fn add(&self, at: &str, more: &[&str]) -> Value {
        let base = [
            "event",
            "add",
            "contract-ended",
            "--batch",
            "aB3dE5gH7j",
            "--at",
            at,
        ];
        self.json(&[&base, more].concat())
    }
}

#[test]
fn an_event_says_what_it_does_and_explain_shows_where_it_came_from() {
    let desk = Desk::new();
    desk.record();
    let before = desk.json(&["explain", FILE]);
    assert_eq!(
        before["verdict"],
        "kept: the event that starts its period is not known yet"
    );
    let told = desk.add("2025-06-01", &[]);
    assert_eq!((&told["result"], &told["files"]), (&"new".into(), &1.into()));
    assert_eq!(told["effect"]["dated"], 1);
    assert_eq!(told["effect"]["due_at_once"], 1);
    assert_eq!(told["used_by"], serde_json::json!(["contracts"]));
    let after = desk.json(&["explain", FILE]);
    // A date stands for its last moment: 1 June in Berlin.
    assert_eq!(after["starts_at"], "2025-06-01T21:59:59.999Z");
    assert_eq!(after["due_at"], "2025-07-01T22:00:00Z");
    let steps = after["steps"].to_string();
    assert!(steps.contains("recorded for batch aB3dE5gH7j"), "{steps}");
    assert_eq!(desk.add("2025-06-01", &[])["result"], "known");
}

#[test]
fn a_correction_without_a_reason_is_refused_and_with_one_keeps_the_old_time() {
    let desk = Desk::new();
    desk.record();
    desk.add("2025-06-01T10:00:00Z", &[]);
    let add = ["event", "add", "contract-ended", "--batch", "aB3dE5gH7j", "--at"];
    let said = desk.refused(&[&add[..], &["2025-05-01T10:00:00Z"]].concat());
    assert!(
        said.contains("on record at 2025-06-01T10:00:00Z") && said.contains("--reason CODE"),
        "{said}"
    );
    desk.refused(&[&add[..], &["2025-05-01T10:00:00Z", "--reason", " "]].concat());
    assert_eq!(desk.json(&["explain", FILE])["starts_at"], "2025-06-01T10:00:00Z");
    let shown = desk.run(&[&add[..], &["2025-05-01T10:00:00Z", "--reason", "typo"]].concat());
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("before it was 2025-06-01T10:00:00Z")
            && shown.contains("due EARLIER than before: 1 file"),
        "{shown}"
    );
    let events = desk.json(&["event", "list", "--all"]);
    let times: Vec<_> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (&e["at"], e["replaced_at"].is_null(), &e["reason"]))
        .collect();
    assert_eq!(
        times,
        [
            (&"2025-06-01T10:00:00Z".into(), false, &Value::Null),
            (&"2025-05-01T10:00:00Z".into(), true, &"typo".into()),
        ]
    );
    assert_eq!(
        desk.json(&["event", "list"])["events"].as_array().unwrap().len(),
        1
    );
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_to_type() {
    let desk = Desk::new();
    let add =
        |name, scope: &[&str], at| desk.refused(&[&["event", "add", name], scope, &["--at", at]].concat());
    let file = ["--file", "f1"];
    let future = add("contract-ended", &file, "2999-01-01");
    assert!(future.contains("lies in the future"), "{future}");
    let future = add("contract-ended", &file, "2999-01-01T00:00:00Z");
    assert!(future.contains("lies in the future"), "{future}");
    let bad = add("contract ended", &file, "2025-01-01");
    assert!(bad.contains("such as contract-ended"), "{bad}");
    let when = add("contract-ended", &file, "yesterday");
    assert!(when.contains("2026-11-23T20:05:00Z"), "{when}");
    let label = add("contract-ended", &["--label", "team=a"], "2025-01-01");
    assert!(
        label.contains("declares no label `team`; it has: tenant"),
        "{label}"
    );
    add("contract-ended", &[], "2025-01-01");
    add("contract-ended", &["--file", "f1", "--batch", "b1"], "2025-01-01");
    // A slip of the pen is recorded, and said: nothing counts from it.
    let output = desk.run(&[
        "event",
        "add",
        "contract-endd",
        "--file",
        "f1",
        "--at",
        "2025-01-01",
    ]);
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("did you mean `contract-ended`?"), "{said}");
}
