//! Limits, approvals, and what they count.

use retentiond::engine::{Ending, Stop};
use retentiond::model::FileState;
use retentiond::sandbox::{DocumentType, Endpoint};

use crate::harness::{World, ten_days};

pub fn with_limits(classification: &str, limits: &str) -> String {
    let policies = ten_days(classification);
    let (_, policy) = policies.split_once("[[policy]]").unwrap();
    format!("[limits]\n{limits}\n\n[[policy]]{policy}")
}

pub fn plan_of(ending: &Ending) -> String {
    match ending {
        Ending::Stopped {
            by: Stop::Limit { plan, .. } | Stop::Approval { plan },
        } => plan.clone(),
        other => panic!("a stop by a limit was expected: {other:?}"),
    }
}

#[tokio::test]
async fn three_days_typed_for_thirty_stop_at_the_limit_with_nothing_deleted() {
    let mut world = World::with(
        |c| with_limits(c, "share_per_sweep = \"25%\"").replace("10 days", "30 days"),
        &[DocumentType::named("letter")],
    )
    .await;
    let batch = world.upload(100).await;
    world.days_pass(5);
    assert_eq!(world.sweep().await.summary.due, 0);
    // Where nobody wants to be asked about shorter periods, the limits still stand.
    let quiet = |days: &str| {
        with_limits(
            &world.classification,
            "share_per_sweep = \"25%\"\napprove_shortening = false",
        )
        .replace("10 days", days)
    };
    let (same, typo) = (quiet("30 days"), quiet("3 days"));
    world.change_rules(&same);
    world.sweep().await;
    world.change_rules(&typo);
    let report = world.sweep().await;
    let plan = plan_of(&report.ending);
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 0);
    assert_eq!(world.left(&batch), 100);
    let note = report.summary.note.unwrap();
    assert!(
        note.contains(&format!("retentiond approve {}", &plan[..12])),
        "{note}"
    );
}

#[tokio::test]
async fn an_approval_lets_exactly_that_plan_run_and_nothing_that_came_later() {
    let world = World::with(
        |c| with_limits(c, "files_per_sweep = 5"),
        &[DocumentType::named("letter")],
    )
    .await;
    let first = world.upload(8).await;
    world.days_pass(11);
    let plan = plan_of(&world.sweep().await.ending);
    let later = world.upload(3).await;
    let until = world.now().checked_add_millis(20 * 86_400_000).unwrap();
    world
        .ledger
        .approve(&plan[..12], world.now(), until)
        .await
        .unwrap();
    world.days_pass(11);
    let report = world.sweep().await;
    assert_eq!((report.ending.clone(), report.summary.deleted), (Ending::Done, 8));
    assert_eq!((world.left(&first), world.left(&later)), (0, 3));
    // The approval is spent: the three run as a plan of their own, within the limit.
    assert_eq!(world.sweep().await.summary.deleted, 3);
}

#[tokio::test]
async fn an_approval_that_has_lapsed_lets_nothing_through() {
    let world = World::with(
        |c| with_limits(c, "files_per_sweep = 5"),
        &[DocumentType::named("letter")],
    )
    .await;
    let batch = world.upload(8).await;
    world.days_pass(11);
    let plan = plan_of(&world.sweep().await.ending);
    let until = world.now().checked_add_millis(1000).unwrap();
    world.ledger.approve(&plan, world.now(), until).await.unwrap();
    world.clock.advance(2000);
    plan_of(&world.sweep().await.ending);
    assert_eq!(world.left(&batch), 8);
}

#[tokio::test]
async fn oldest_first_deletes_up_to_the_limit() {
    let limits = "files_per_sweep = 5\non_excess = \"oldest-first\"";
    let world = World::with(|c| with_limits(c, limits), &[DocumentType::named("letter")]).await;
    let old = world.upload(4).await;
    world.days_pass(1);
    let young = world.upload(4).await;
    world.days_pass(12);
    let report = world.sweep().await;
    assert_eq!((report.ending.clone(), report.summary.deleted), (Ending::Done, 5));
    assert_eq!((world.left(&old), world.left(&young)), (0, 3));
    world.assert_truth(&[&old, &young]).await;
}

#[tokio::test]
async fn approval_always_waits_each_time() {
    let policies = |c: &str| ten_days(c) + "approval = \"always\"\n";
    let world = World::with(policies, &[DocumentType::named("letter")]).await;
    let batch = world.upload(2).await;
    world.days_pass(11);
    let plan = plan_of(&world.sweep().await.ending);
    assert_eq!(world.count(&batch, FileState::Live).await, 2);
    let until = world.now().checked_add_millis(86_400_000).unwrap();
    world.ledger.approve(&plan, world.now(), until).await.unwrap();
    assert_eq!(world.sweep().await.summary.deleted, 2);
}

#[tokio::test]
async fn a_stopped_sweep_counts_against_no_limit_of_the_next() {
    let world = World::with(
        |c| with_limits(c, "files_per_sweep = 5"),
        &[DocumentType::named("letter")],
    )
    .await;
    let batch = world.upload(6).await;
    world.days_pass(11);
    plan_of(&world.sweep().await.ending);
    world.server.remove_file(batch.files[0].as_str());
    let gone = std::slice::from_ref(&batch.files[0]);
    let key = world.ledger.find(&batch.files[0]).await.unwrap()[0].key.batch;
    let event = retentiond::outcome::FileEvent::FoundGone;
    world
        .ledger
        .note(key, gone, event, "test", world.now())
        .await
        .unwrap();
    assert_eq!(world.sweep().await.summary.deleted, 5);
}

/// Longer than what one statement stores: it waits from when it is whole, and the approval is for exactly it.
#[tokio::test]
async fn a_long_plan_waits_whole_and_its_approval_lets_exactly_it_run() {
    const FILES: usize = 10_200;
    let mut world = World::with(
        |c| with_limits(c, "files_per_sweep = 5"),
        &[DocumentType::named("letter")],
    )
    .await;
    world.settings.files_per_request = 1000;
    let first = world.upload(FILES).await;
    world.days_pass(11);
    let plan = plan_of(&world.sweep().await.ending);
    assert_eq!(plan_of(&world.sweep().await.ending), plan);
    let waiting = world.ledger.waiting_plans(world.now()).await.unwrap();
    assert_eq!((waiting.len(), waiting[0].files), (1, FILES as u64));
    let later = world.upload(3).await;
    let until = world.now().checked_add_millis(20 * 86_400_000).unwrap();
    world.ledger.approve(&plan, world.now(), until).await.unwrap();
    world.days_pass(11);
    let report = world.sweep().await;
    assert_eq!(
        (report.ending.clone(), report.summary.deleted),
        (Ending::Done, FILES as u64)
    );
    assert_eq!((world.left(&first), world.left(&later)), (0, 3));
}
