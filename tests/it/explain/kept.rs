//! From the ledger alone: without the policy file, with another one, and after what came later.

use std::process::{Command, Output};

use retentiond::model::FileState;
use retentiond::sandbox::DocumentType;
use serde_json::Value;

use crate::harness::{World, ten_days};

/// The binary beside a world: with a policy file of this text, or with none.
fn explain(world: &World, text: Option<&str>, args: &[&str]) -> Output {
    let config = world.dir.path().join("policies.toml");
    match text {
        Some(text) => std::fs::write(&config, text).unwrap(),
        None => drop(std::fs::remove_file(&config)),
    }
    Command::new(env!("CARGO_BIN_EXE_retentiond"))
        .arg("-c")
        .arg(&config)
        .args(args)
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[tokio::test]
async fn without_the_policy_file_or_with_another_one_answer_and_lines_stay() {
    let world = World::new().await;
    let batch = world.upload(1).await;
    world.sweep().await;
    let ledger = world.dir.path().join("ledger.db");
    let text = world.checked.rules.source.to_string();
    let asked = [
        "--json",
        "explain",
        "--ledger",
        ledger.to_str().unwrap(),
        "--",
        batch.files[0].as_str(),
    ];
    let own = json(&explain(&world, Some(&text), &asked));
    assert_eq!(own["rules"]["policy_file"], "same");
    assert_eq!(own["rules"]["lines_of_policy_file"], true);
    let longer = format!("# one line more\n{}", text.replace("10 days", "90 days"));
    for (file, stands) in [
        (None, "missing"),
        (Some("nonsense = 1"), "refused"),
        (Some(longer.as_str()), "changed"),
    ] {
        let told = json(&explain(&world, file, &asked));
        assert_eq!(told["rules"]["policy_file"], stands);
        assert_eq!(told["rules"]["lines_of_policy_file"], false);
        for same in ["steps", "due_at", "policy", "decision", "state", "verdict"] {
            assert_eq!(told[same], own[same], "{stands}: {same}");
        }
    }
    let told = json(&explain(&world, Some(&longer), &asked));
    let other = told["rules"]["policy_file_says"].as_str().unwrap();
    assert!(other.contains("2026-08-02"), "90 days: {other}");
    // In print the text that the lines are of is named, and it can be printed.
    let plain = explain(&world, Some(&longer), &asked[1..]);
    let shown = String::from_utf8(plain.stdout).unwrap();
    assert!(
        shown.contains("kept text:") && !shown.contains("policies.toml:"),
        "{shown}"
    );
    assert!(shown.contains("policies.toml is another text by now"), "{shown}");
    let mut rules = asked[1..].to_vec();
    rules.insert(1, "--rules");
    let printed = explain(&world, None, &rules);
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), text);
}

#[tokio::test]
async fn without_a_policy_file_and_a_ledger_the_way_out_is_named() {
    let world = World::new().await;
    let output = explain(&world, Some("nonsense = 1"), &["explain", "some-file"]);
    assert_eq!(output.status.code(), Some(78));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("--ledger PATH"), "{told}");
}

#[tokio::test]
async fn a_deletion_is_decided_once_more_by_what_was_true_then() {
    let mut world = World::new().await;
    let batch = world.upload(1).await;
    let file = &batch.files[0];
    world.days_pass(11);
    let before = world.account(file, true).await;
    world.sweep().await;
    assert_eq!(world.state(file).await, FileState::Deleted);
    // All that came later: a hold, another mode under the same digest, other periods.
    world.days_pass(1);
    world.hold_file(file).await;
    let classification = world.classification.clone();
    for policies in [
        ten_days(&classification).replace("enforce", "observe"),
        format!(
            "\n\n\n{}",
            ten_days(&classification).replace("10 days", "400 days")
        ),
    ] {
        world.change_rules(&policies);
        world.sweep().await;
        world.days_pass(1);
    }
    let after = world.account(file, true).await;
    assert_eq!(after.agrees, Some(true), "{}", after.verdict);
    let (then, now) = (before.decision.unwrap(), after.decision.unwrap());
    assert_eq!((then.verdict, then.due_at), (now.verdict, now.due_at));
    let lines = |steps: &[retentiond::rules::decide::Step]| -> Vec<_> {
        steps
            .iter()
            .filter(|step| matches!(step.step, "owner" | "period" | "mode" | "hold"))
            .cloned()
            .collect()
    };
    assert_eq!(lines(&before.steps), lines(&after.steps));
    assert_eq!(lines(&after.steps).len(), 4);
}

#[tokio::test]
async fn a_file_that_others_removed_is_told_so() {
    let world = World::with(ten_days, &[DocumentType::named("letter")]).await;
    let batch = world.upload(1).await;
    let file = &batch.files[0];
    world.sweep().await;
    let record = world.ledger.find(file).await.unwrap().remove(0);
    world
        .ledger
        .note(
            record.key.batch,
            std::slice::from_ref(file),
            retentiond::outcome::FileEvent::FoundGone,
            "not listed any more",
            world.now(),
        )
        .await
        .unwrap();
    let account = world.account(file, false).await;
    assert!(
        account
            .verdict
            .contains("without a request of ours: not listed any more"),
        "{}",
        account.verdict
    );
    assert_eq!(account.decision.unwrap().verdict.name(), "not-yet");
    assert_eq!(account.agrees, None);
}
