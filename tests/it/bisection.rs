//! Bad ids in a list: how few requests find them, that nobody else suffers, and that the rest waits for the next tick.

use retentiond::engine::SweepReport;
use retentiond::model::{FileId, FileState};
use retentiond::sandbox::{Apply, Endpoint, Fault};
use serde_json::json;

use crate::harness::{Batch, DAY_MS, World};

/// Requests of bisection in one sweep.
const CAP: u64 = 64;

/// Every list with this file in it is answered so, and nothing of it is done.
fn poison(world: &World, file: &FileId, status: u16) {
    let message = if status == 500 {
        "Internal server error"
    } else {
        "Bad request"
    };
    let fault = Fault::at(Endpoint::DeleteFiles)
        .poison(file.as_str())
        .status(status)
        .body(json!({"status": "error", "message": message}))
        .apply(Apply::Never);
    world.server.add_fault(fault.always()).unwrap();
}

fn deletes(world: &World) -> u64 {
    world.server.request_count(Endpoint::DeleteFiles)
}

/// A first file and a list of 100, some of them bad.
async fn with_bad(status: u16, places: &[usize]) -> (World, Batch, SweepReport) {
    let world = World::new().await;
    let batch = world.upload(101).await;
    world.days_pass(11);
    for place in places {
        poison(&world, &batch.files[1 + place], status);
    }
    let report = world.sweep().await;
    world.assert_nothing_wider();
    world.assert_truth(&[&batch]).await;
    (world, batch, report)
}

/// Each bad file is quarantined with its reason, and every other one is deleted.
async fn assert_sorted_out(world: &World, batch: &Batch, places: &[usize], status: u16) {
    for (at, file) in batch.files.iter().enumerate() {
        let bad = at > 0 && places.contains(&(at - 1));
        let expected = if bad {
            FileState::Quarantined
        } else {
            FileState::Deleted
        };
        assert_eq!(world.state(file).await, expected, "{status}, {places:?}: {file}");
    }
    let listed = world.ledger.quarantined(1000).await.unwrap();
    assert_eq!(listed.len(), places.len());
    for (_, reason) in listed {
        assert!(reason.starts_with(&format!("HTTP {status}")), "{reason}");
    }
}

#[tokio::test]
async fn one_two_and_five_bad_ids_of_a_hundred_cost_at_most_15_27_and_55_requests() {
    let tables: [(u64, &[&[usize]]); 3] = [
        (15, &[&[0], &[49], &[50], &[99]]),
        (27, &[&[0, 99], &[49, 50], &[98, 99]]),
        (55, &[&[0, 24, 49, 74, 99], &[11, 12, 50, 51, 88]]),
    ];
    for status in [400, 422, 500] {
        for (most, placings) in tables {
            for places in placings {
                let (world, batch, report) = with_bad(status, places).await;
                let cost = deletes(&world) - 1;
                assert!(cost <= most, "{status}, {places:?}: {cost} requests");
                assert_eq!(
                    report.summary.quarantined,
                    places.len() as u64,
                    "{status}, {places:?}"
                );
                assert_sorted_out(&world, &batch, places, status).await;
            }
        }
    }
}

#[tokio::test]
async fn five_bad_ids_side_by_side_settle_too() {
    for status in [400, 500] {
        let places = [40, 41, 42, 43, 44];
        let (world, batch, _) = with_bad(status, &places).await;
        assert!(deletes(&world) <= 56, "{status}: {} requests", deletes(&world));
        for _ in 0..3 {
            world.sweep().await;
        }
        assert_sorted_out(&world, &batch, &places, status).await;
    }
}

/// How many files of a batch wait and how many are given up; none is lost, and none is gone.
async fn waiting_and_given_up(world: &World, batch: &Batch) -> (usize, usize) {
    let found = (
        world.count(batch, FileState::Live).await,
        world.count(batch, FileState::Quarantined).await,
    );
    assert_eq!(
        found.0 + found.1,
        batch.files.len(),
        "a file is neither live nor quarantined"
    );
    assert_eq!(world.left(batch), batch.files.len());
    found
}

/// A good file that is older than all others, so that the sweep begins with a deletion that works.
async fn good_in_front(world: &World, days_ago: i64) -> Batch {
    world.clock.jump(-days_ago * DAY_MS);
    let good = world.upload(1).await;
    world.clock.jump(days_ago * DAY_MS);
    good
}

#[tokio::test]
async fn when_all_are_bad_nothing_is_lost_and_each_tick_goes_on_within_the_cap() {
    let world = World::new().await;
    let bad = world.upload(100).await;
    for file in &bad.files {
        poison(&world, file, 400);
    }
    world.days_pass(11);
    let (mut ticks, mut sent_before, mut given_up) = (0, 0, 0);
    while given_up < 100 {
        let good = good_in_front(&world, 12 + ticks).await;
        world.sweep().await;
        assert_eq!(world.state(&good.files[0]).await, FileState::Deleted);
        let sent = deletes(&world) - sent_before;
        // The first file, the list, its parts.
        assert!(sent <= 1 + 1 + CAP, "tick {ticks}: {sent} requests");
        let (_, now) = waiting_and_given_up(&world, &bad).await;
        assert!(now > given_up, "tick {ticks} gets no further than {now}");
        (sent_before, given_up) = (deletes(&world), now);
        ticks += 1;
        world.days_pass(1);
    }
    println!("all bad: 100 of 100 given up after {ticks} ticks, {sent_before} requests");
    assert_eq!(ticks, 4);
    world.assert_nothing_wider();
    world.assert_truth(&[&bad]).await;
}

#[tokio::test]
async fn bad_files_in_front_cost_three_requests_a_sweep_and_nothing_is_lost() {
    let world = World::new().await;
    let bad = world.upload(10).await;
    for file in &bad.files {
        poison(&world, file, 400);
    }
    world.days_pass(11);
    for tick in 1..=6 {
        let report = world.sweep().await;
        assert_eq!(deletes(&world), 3 * tick);
        assert!(
            report
                .summary
                .note
                .is_some_and(|note| note.contains("`retentiond history`"))
        );
        let (_, given_up) = waiting_and_given_up(&world, &bad).await;
        assert_eq!(given_up as u64, tick / 3 * 3, "after {tick} sweeps");
    }
    world.assert_nothing_wider();
    world.assert_truth(&[&bad]).await;
}

#[tokio::test]
async fn the_cap_counts_over_all_batches_of_a_sweep_and_the_rest_goes_on_at_the_next() {
    let world = World::new().await;
    let good = world.upload(3).await;
    world.clock.advance(1000);
    let mut lists = Vec::new();
    for _ in 0..3 {
        let list = world.upload(40).await;
        for file in &list.files {
            poison(&world, file, 400);
        }
        lists.push(list);
    }
    world.clock.advance(1000);
    let later = world.upload(2).await;
    world.clock.advance(11 * DAY_MS);
    let report = world.sweep().await;
    assert_eq!(world.count(&good, FileState::Deleted).await, 3);
    // The first file, the rest of its batch, the whole lists, the last batch; the rest is bisection.
    let whole = 1 + 1 + lists.len() as u64 + 1;
    let sent = deletes(&world);
    assert!(sent <= whole + CAP, "{sent} requests");
    assert_eq!(
        world.count(&later, FileState::Deleted).await,
        2,
        "good files do not wait for the bad"
    );
    let mut given_up = 0;
    for list in &lists {
        given_up += waiting_and_given_up(&world, list).await.1;
    }
    assert!(given_up > 0 && given_up < 120, "{given_up}");
    assert_eq!(report.summary.quarantined, given_up as u64);
    let note = report.summary.note.expect("it says that something is left");
    assert!(
        note.contains(&format!("{} file(s) were left behind", 120 - given_up)),
        "{note}"
    );
    world.assert_nothing_wider();
    world.assert_truth(&[&good, &later]).await;
}

#[tokio::test]
async fn a_file_whose_cause_is_gone_is_deleted_after_a_retry_and_counted_afresh() {
    let (world, batch, _) = with_bad(400, &[7]).await;
    world.server.clear_faults();
    world.sweep().await;
    let bad = &batch.files[8];
    assert_eq!(
        world.state(bad).await,
        FileState::Quarantined,
        "nobody asks for it by itself"
    );
    let key = world.ledger.find(bad).await.unwrap()[0].key.batch;
    let event = retentiond::outcome::FileEvent::Retried;
    let moved = world
        .ledger
        .note(key, std::slice::from_ref(bad), event, "test", world.now())
        .await
        .unwrap();
    assert_eq!(moved, 1);
    world.sweep().await;
    assert_eq!(world.state(bad).await, FileState::Deleted);
    world.assert_truth(&[&batch]).await;
}
