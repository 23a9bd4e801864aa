//! What keeps a file that the rules let go.

use retentiond::engine::account::Account;
use retentiond::model::{BreakerKind, FileState, Labels, Pause};
use retentiond::sandbox::DocumentType;

use crate::harness::{Batch, World, ten_days};

async fn due_files(limits: &str) -> (World, Batch) {
    let policies = |c: &str| ten_days(c).replace("files_per_sweep = 100000", limits);
    let world = World::with(policies, &[DocumentType::named("letter")]).await;
    world.sweep().await;
    let batch = world.upload_labelled(3, Labels::new()).await;
    world.days_pass(11);
    (world, batch)
}

fn says(account: &Account, step: &str) -> String {
    let found = account.steps.iter().find(|one| one.step == step).unwrap();
    format!("{} {}", found.source.shown("p"), found.text)
}

/// Whether the sweep did to each file what was said of it before.
async fn borne_out(world: &World, batch: &Batch) -> Vec<bool> {
    let mut told = Vec::new();
    for file in &batch.files {
        told.push(world.account(file, true).await.goes);
    }
    world.sweep().await;
    for (file, goes) in batch.files.iter().zip(&told) {
        let gone = world.state(file).await == FileState::Deleted;
        assert_eq!(gone, *goes, "{file}");
    }
    told
}

#[tokio::test]
async fn a_limit_that_stops_the_sweep_keeps_it_until_the_plan_is_approved() {
    let (world, batch) = due_files("files_per_sweep = 2").await;
    let account = world.account(&batch.files[0], true).await;
    assert!(
        account
            .verdict
            .contains("but kept for now: a limit stops the sweep: 3 files"),
        "{}",
        account.verdict
    );
    assert!(
        says(&account, "limits").starts_with("p:12 3 files would go"),
        "{}",
        says(&account, "limits")
    );
    assert_eq!(borne_out(&world, &batch).await, [false; 3]);
    let plan = world.ledger.waiting_plans(world.now()).await.unwrap().remove(0);
    let until = world.now().checked_add_millis(1000).unwrap();
    world
        .ledger
        .approve(&plan.hash, world.now(), until)
        .await
        .unwrap();
    assert_eq!(borne_out(&world, &batch).await, [true; 3]);
    let after = world.account(&batch.files[0], false).await;
    assert!(
        says(&after, "limits").contains("was approved on"),
        "{}",
        says(&after, "limits")
    );
}

#[tokio::test]
async fn where_the_oldest_go_first_the_rest_is_told_to_wait() {
    let limits = "files_per_sweep = 2\non_excess = \"oldest-first\"";
    let (world, batch) = due_files(limits).await;
    let mut told = borne_out(&world, &batch).await;
    told.sort_unstable();
    assert_eq!(told, [false, true, true]);
}

#[tokio::test]
async fn a_policy_that_asks_each_time_is_named_with_its_line() {
    let policies = |c: &str| ten_days(c) + "approval = \"always\"\n";
    let world = World::with(policies, &[DocumentType::named("letter")]).await;
    world.sweep().await;
    let batch = world.upload(1).await;
    world.days_pass(11);
    let account = world.account(&batch.files[0], true).await;
    let line = world
        .checked
        .rules
        .lines
        .of(&crate::harness::name("documents"), "approval");
    assert!(says(&account, "limits").starts_with(&format!("p:{} ", line.unwrap())));
    assert_eq!(borne_out(&world, &batch).await, [false]);
}

#[tokio::test]
async fn a_pause_and_a_breaker_keep_it_and_say_what_ends_them() {
    let (world, batch) = due_files("files_per_sweep = 9").await;
    let pause = Pause {
        since: world.now(),
        until: world.now().checked_add_millis(60_000).unwrap(),
        reason: "maintenance".to_owned(),
    };
    world.ledger.set_pause(Some(&pause), world.now()).await.unwrap();
    let account = world.account(&batch.files[0], true).await;
    assert!(
        account.verdict.contains("`retentiond resume`"),
        "{}",
        account.verdict
    );
    assert_eq!(borne_out(&world, &batch).await, [false; 3]);
    world.ledger.set_pause(None, world.now()).await.unwrap();
    let now = world.now();
    world
        .ledger
        .open_breaker(BreakerKind::Collateral, "one went too many", now)
        .await
        .unwrap();
    let account = world.account(&batch.files[0], true).await;
    assert!(
        account.verdict.contains("breaker reset collateral"),
        "{}",
        account.verdict
    );
    assert_eq!(borne_out(&world, &batch).await, [false; 3]);
}

#[tokio::test]
async fn outside_of_its_window_it_is_kept_until_that_opens() {
    let policies = |c: &str| ten_days(c) + "window = { from = \"22:00\", until = \"05:00\" }\n";
    let world = World::with(policies, &[DocumentType::named("letter")]).await;
    world.sweep().await;
    let batch = world.upload(2).await;
    world.days_pass(11);
    let account = world.account(&batch.files[0], true).await;
    let line = world
        .checked
        .rules
        .lines
        .of(&crate::harness::name("documents"), "window");
    assert!(
        says(&account, "window").starts_with(&format!("p:{} ", line.unwrap())),
        "{}",
        says(&account, "window")
    );
    assert_eq!(borne_out(&world, &batch).await, [false; 2]);
    // 23:00 in Berlin.
    world.clock.advance(11 * 3_600_000);
    assert_eq!(borne_out(&world, &batch).await, [true; 2]);
}
