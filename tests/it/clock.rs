//! Clocks that jump, stand, die and lie: nothing early, nothing frozen, and well again by itself.

use futures_util::stream::{self, StreamExt};
use retentiond::engine::{Clock, Ending, Stop, SweepReport, SweepRequest};
use retentiond::model::{BreakerKind, Trigger};
use retentiond::sandbox::{Endpoint, Fault};
use tokio_util::sync::CancellationToken;

use crate::harness::{Batch, DAY_MS, World, name};

const HOUR_MS: i64 = 3_600_000;
const YEAR_MS: i64 = 365 * DAY_MS;

/// From just over the tolerance to half a century.
const DISTANCES: [i64; 5] = [90_000, HOUR_MS, DAY_MS, YEAR_MS, 50 * YEAR_MS];

fn stopped_by_clock(report: &SweepReport) -> bool {
    matches!(
        report.ending,
        Ending::Stopped {
            by: Stop::Breaker {
                kind: BreakerKind::Clock,
                ..
            } | Stop::ClockAlone
        }
    )
}

/// Only this machine's wall clock jumps: the server's `Date` stays true.
fn wall_jumps(world: &World, millis: i64) {
    world.clock.jump(millis);
    world.server.set_clock_skew(-millis);
}

fn wall_is_right_again(world: &World, millis: i64) {
    world.clock.jump(-millis);
    world.server.set_clock_skew(0);
}

/// Six files that are due and three that are young.
async fn world_with_due_files() -> (World, Batch, Batch) {
    let world = World::new().await;
    let due = world.upload(6).await;
    world.days_pass(5);
    let young = world.upload(3).await;
    world.engine().guard(true).await.unwrap();
    world.days_pass(6);
    (world, due, young)
}

/// What one sweep asks of the server, in its order.
async fn steps() -> Vec<Endpoint> {
    let (world, ..) = world_with_due_files().await;
    let before = world.server.requests().len();
    assert_eq!(world.sweep().await.ending, Ending::Done);
    let requests = world.server.requests();
    requests[before..]
        .iter()
        .map(|request| request.endpoint)
        .collect()
}

async fn jump_at_step(steps: &[Endpoint], step: usize, millis: i64) {
    let (world, due, young) = world_with_due_files().await;
    let case = format!("a jump of {millis} ms at step {step} ({:?})", steps[step]);
    let endpoint = steps[step];
    let nth = steps[..=step].iter().filter(|one| **one == endpoint).count() as u64;
    let before = world.server.request_count(endpoint);
    // That request takes a while.
    world.server.add_fault(Fault::at(endpoint).delay_ms(60)).unwrap();
    let engine = world.engine();
    let jump = async {
        world.server.await_requests(endpoint, before + nth).await;
        let sent = world.server.request_count(Endpoint::DeleteFiles);
        wall_jumps(&world, millis);
        sent
    };
    let (report, sent) = tokio::join!(world.sweep_with(&engine), jump);
    assert_eq!(
        world.server.request_count(Endpoint::DeleteFiles),
        sent,
        "{case}: nothing leaves after it"
    );
    let was_last = !steps[step..]
        .iter()
        .skip(1)
        .any(|one| *one == Endpoint::DeleteFiles);
    assert!(
        was_last || matches!(report.ending, Ending::Stopped { .. }),
        "{case}: {:?}",
        report.ending
    );
    world.server.clear_faults();
    wall_is_right_again(&world, millis);
    let ending = world.sweep().await.ending;
    assert_eq!(ending, Ending::Done, "{case}: well again by itself");
    assert_eq!((world.left(&due), world.left(&young)), (0, 3), "{case}");
    world.assert_truth(&[&due, &young]).await;
}

#[tokio::test]
async fn a_jump_at_any_step_of_a_sweep_is_the_end_of_it() {
    let steps = &steps().await;
    assert!(steps.len() >= 4, "{steps:?}");
    let cases = (0..steps.len()).flat_map(|step| DISTANCES.map(|far| (step, far)));
    stream::iter(cases)
        .map(|(step, far)| async move {
            jump_at_step(steps, step, far).await;
            jump_at_step(steps, step, -far).await;
        })
        .buffer_unordered(8)
        .collect::<()>()
        .await;
}

#[tokio::test]
async fn a_jump_between_two_sweeps_deletes_nothing_in_either_direction() {
    for far in DISTANCES.iter().flat_map(|far| [*far, -far]) {
        let (world, due, young) = world_with_due_files().await;
        // Without a request of its own the jump is seen at the guard of a tick, although nothing is asked.
        wall_jumps(&world, far);
        assert!(world.engine().guard(false).await.unwrap().is_some(), "{far}");
        assert_eq!(world.ledger.anomalies().await.unwrap().0, 1, "{far}");
        if far.abs() > HOUR_MS / 2 {
            // The server's clock never takes this one's side.
            for _ in 0..3 {
                assert!(stopped_by_clock(&world.sweep().await), "{far}");
            }
        }
        assert_eq!(
            world.ledger.anomalies().await.unwrap().0,
            1,
            "{far}: counted once"
        );
        assert_eq!((world.left(&due), world.left(&young)), (6, 3), "{far}");
        wall_is_right_again(&world, far);
        assert_eq!(world.sweep().await.summary.deleted, 6, "{far}");
        assert_eq!(world.left(&young), 3, "{far}");
    }
}

#[tokio::test]
async fn a_second_anomaly_while_one_stands_is_one_of_its_own() {
    let (world, due, young) = world_with_due_files().await;
    wall_jumps(&world, 40 * DAY_MS);
    assert!(stopped_by_clock(&world.sweep().await));
    world.clock.jump(-50 * DAY_MS);
    world.server.set_clock_skew(10 * DAY_MS);
    assert!(stopped_by_clock(&world.sweep().await));
    let (count, standing) = world.ledger.anomalies().await.unwrap();
    assert_eq!((count, standing.len()), (2, 2), "{standing:?}");
    // The first one undone is not both undone.
    world.clock.jump(50 * DAY_MS);
    world.server.set_clock_skew(-40 * DAY_MS);
    assert!(stopped_by_clock(&world.sweep().await));
    assert_eq!((world.left(&due), world.left(&young)), (6, 3));
    wall_is_right_again(&world, 40 * DAY_MS);
    assert_eq!(world.sweep().await.summary.deleted, 6);
    assert_eq!(world.left(&young), 3);
    assert_eq!(world.ledger.anomalies().await.unwrap().1, [], "both are resolved");
}

#[tokio::test]
async fn a_dead_battery_at_boot_stops_until_the_clock_is_set() {
    let (world, due, young) = world_with_due_files().await;
    let now = world.clock.now().as_millis();
    world.clock.reboot(-now);
    world.server.set_clock_skew(now);
    for _ in 0..2 {
        assert!(stopped_by_clock(&world.sweep().await));
    }
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 0);
    // What NTP does a minute later.
    world.clock.advance(60_000);
    wall_is_right_again(&world, -now);
    assert_eq!(world.sweep().await.summary.deleted, 6);
    assert_eq!((world.left(&due), world.left(&young)), (0, 3));
}

#[tokio::test]
async fn a_date_that_lies_deletes_nothing_and_freezes_nothing() {
    for lie in DISTANCES[1..].iter().flat_map(|far| [*far, -far]) {
        let (world, due, young) = world_with_due_files().await;
        world.server.set_clock_skew(lie);
        for _ in 0..2 {
            assert!(stopped_by_clock(&world.sweep().await), "{lie}");
        }
        assert_eq!((world.left(&due), world.left(&young)), (6, 3), "{lie}");
        world.server.set_clock_skew(0);
        assert_eq!(world.sweep().await.summary.deleted, 6, "{lie}");
        assert_eq!(world.left(&young), 3, "{lie}");
    }
}

#[tokio::test]
async fn a_suspend_in_the_middle_of_a_sweep_is_only_time_that_passed() {
    let (world, due, young) = world_with_due_files().await;
    world
        .server
        .add_fault(Fault::at(Endpoint::GetResults).delay_ms(60).times(1))
        .unwrap();
    let engine = world.engine();
    let before = world.server.request_count(Endpoint::GetResults);
    let suspend = async {
        world
            .server
            .await_requests(Endpoint::GetResults, before + 1)
            .await;
        world.clock.advance(8 * HOUR_MS);
    };
    let (report, ()) = tokio::join!(world.sweep_with(&engine), suspend);
    assert_eq!(report.ending, Ending::Done);
    assert_eq!(world.ledger.anomalies().await.unwrap().0, 0);
    assert_eq!((world.left(&due), world.left(&young)), (0, 3));
}

#[tokio::test]
async fn after_a_reboot_the_api_vouches_and_time_off_counts_as_time() {
    let (world, due, young) = world_with_due_files().await;
    world.clock.reboot(6 * DAY_MS);
    assert_eq!(world.sweep().await.summary.deleted, 9);
    assert_eq!((world.left(&due), world.left(&young)), (0, 0));
    assert_eq!(world.ledger.anomalies().await.unwrap().0, 0);
}

#[tokio::test]
async fn an_occurrence_of_the_far_future_does_not_freeze_the_schedule() {
    let (world, due, _) = world_with_due_files().await;
    let policy = name("documents");
    wall_jumps(&world, 50 * YEAR_MS);
    let far = SweepRequest {
        policy: policy.clone(),
        occurrence: Some(world.now()),
        trigger: Trigger::Schedule,
    };
    let engine = world.engine();
    let report = engine
        .sweep(&world.checked.rules, &far, &CancellationToken::new())
        .await
        .unwrap();
    assert!(stopped_by_clock(&report), "{:?}", report.ending);
    wall_is_right_again(&world, 50 * YEAR_MS);
    let since = world.ledger.scheduled_since(&policy, world.now()).await.unwrap();
    assert!(since <= world.now(), "{since}");
    let next = SweepRequest {
        occurrence: Some(world.now()),
        ..far
    };
    let report = engine
        .sweep(&world.checked.rules, &next, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(report.ending, Ending::Done);
    assert_eq!(world.left(&due), 0);
}

#[tokio::test]
async fn a_turn_with_nothing_to_do_commits_its_reading_of_the_clock_and_no_more() {
    let (world, _, _) = world_with_due_files().await;
    let engine = world.engine();
    let policy = name("documents");
    let turn = async || {
        engine.guard(false).await.unwrap();
        world.ledger.scheduled_since(&policy, world.now()).await.unwrap()
    };
    let first = turn().await;
    let before = commits(&world);
    world.clock.advance(15_000);
    assert_eq!(turn().await, first);
    assert_eq!(commits(&world) - before, 1);
}

/// Transactions of the ledger so far: the last word of its anchor.
fn commits(world: &World) -> u64 {
    let anchor = std::fs::read_to_string(world.dir.path().join("ledger.db.anchor")).unwrap();
    anchor.split_whitespace().last().unwrap().parse().unwrap()
}
