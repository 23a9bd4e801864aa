//! `Sweeps`: runs.

use retentiond::ledger::{LedgerError, Opened};
use retentiond::model::{Finding, SweepId, SweepState, SweepSummary, Trigger};
use retentiond::outcome::FileEvent;

use crate::world::*;

for_every_backend![
    an_occurrence_is_swept_once,
    an_unfinished_occurrence_is_resumed,
    a_finished_occurrence_is_not_done_again,
    sweeps_without_an_occurrence_are_always_new,
    two_openings_at_once_make_one_sweep,
    a_sweep_is_closed_once_with_its_counts,
    what_the_requests_of_a_sweep_came_to_is_counted_from_the_record,
    sweeps_are_listed_newest_first,
    the_last_occurrence_is_the_latest_not_the_last_made,
    a_schedule_is_remembered_from_its_first_sight,
];

async fn an_occurrence_is_swept_once(world: World) {
    let opened = world.ledger.open_sweep(&open("p", Some(at(3)))).await.unwrap();
    assert!(matches!(opened, Opened::New(_)));
    let other_policy = world.ledger.open_sweep(&open("q", Some(at(3)))).await.unwrap();
    assert!(matches!(other_policy, Opened::New(_)));
    let other_time = world.ledger.open_sweep(&open("p", Some(at(27)))).await.unwrap();
    assert!(matches!(other_time, Opened::New(_)));
}

async fn an_unfinished_occurrence_is_resumed(world: World) {
    let scheduled = open("p", Some(at(3)));
    let Opened::New(sweep) = world.ledger.open_sweep(&scheduled).await.unwrap() else {
        panic!("new")
    };
    let resumed = Opened::Resumed { sweep, sent: 0 };
    assert_eq!(
        world.ledger.open_sweep(&scheduled).await.unwrap(),
        resumed,
        "open"
    );
    for state in [SweepState::Cut, SweepState::Postponed] {
        world
            .ledger
            .close_sweep(sweep, state, &SweepSummary::default(), at(4))
            .await
            .unwrap();
        assert_eq!(
            world.ledger.open_sweep(&scheduled).await.unwrap(),
            resumed,
            "{state:?}"
        );
        let listed = world.ledger.sweeps(None, 1).await.unwrap();
        assert_eq!((listed[0].state, listed[0].ended_at), (SweepState::Open, None));
    }
    let world = world.reopen().await;
    assert_eq!(
        world.ledger.open_sweep(&scheduled).await.unwrap(),
        resumed,
        "after a crash"
    );
}

async fn a_finished_occurrence_is_not_done_again(world: World) {
    for (hour, state) in [(3, SweepState::Done), (4, SweepState::Stopped)] {
        let scheduled = open("p", Some(at(hour)));
        let Opened::New(sweep) = world.ledger.open_sweep(&scheduled).await.unwrap() else {
            panic!("new")
        };
        world
            .ledger
            .close_sweep(sweep, state, &SweepSummary::default(), at(5))
            .await
            .unwrap();
        assert_eq!(
            world.ledger.open_sweep(&scheduled).await.unwrap(),
            Opened::AlreadyDone(sweep)
        );
    }
}

async fn sweeps_without_an_occurrence_are_always_new(world: World) {
    assert_ne!(world.sweep().await, world.sweep().await);
}

async fn two_openings_at_once_make_one_sweep(world: World) {
    let scheduled = open("p", Some(at(3)));
    let (one, two) = tokio::join!(
        world.ledger.open_sweep(&scheduled),
        world.ledger.open_sweep(&scheduled)
    );
    let new = [one.unwrap(), two.unwrap()]
        .iter()
        .filter(|o| matches!(o, Opened::New(_)))
        .count();
    assert_eq!(new, 1);
}

async fn a_sweep_is_closed_once_with_its_counts(world: World) {
    let sweep = world.sweep().await;
    let summary = SweepSummary {
        live: 100,
        deleted: 7,
        note: Some("stopped: \"limit\"".to_owned()),
        ..SweepSummary::default()
    };
    world
        .ledger
        .close_sweep(sweep, SweepState::Stopped, &summary, at(4))
        .await
        .unwrap();
    let listed = world.ledger.sweeps(Some(&policy("p")), 5).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].id, listed[0].state, listed[0].ended_at),
        (sweep, SweepState::Stopped, Some(at(4)))
    );
    assert_eq!((listed[0].trigger, listed[0].occurrence), (Trigger::Manual, None));
    assert_eq!(listed[0].summary, summary);
    let again = world
        .ledger
        .close_sweep(sweep, SweepState::Done, &summary, at(5))
        .await
        .unwrap_err();
    assert!(matches!(again, LedgerError::Conflict { .. }), "{again}");
}

async fn what_the_requests_of_a_sweep_came_to_is_counted_from_the_record(world: World) {
    let ledger = &world.ledger;
    // Overdue a day after they are due: f1 at 24, f9 at 32, those of the year after never.
    let mut rows: Vec<_> = (1..=9)
        .map(|n| hinted(file("b1", &format!("f{n}")), "p", if n < 5 { 0 } else { 8_000 }))
        .collect();
    rows.push(hinted(copy("c1", "f1"), "p", 0));
    world.record(&rows).await;
    let (batch, copies) = (
        world.batch("b1").await,
        ledger
            .batch_key(&extraction_address("x1"))
            .await
            .unwrap()
            .unwrap(),
    );
    let (sweep, other) = (world.sweep().await, world.sweep().await);
    assert_eq!(ledger.came_to(sweep).await.unwrap(), SweepSummary::default());
    world.attempt(sweep, copies, &["c1"], FileEvent::Confirmed).await;
    world
        .attempt(sweep, batch, &["f1", "f2", "f5"], FileEvent::Confirmed)
        .await;
    world.attempt(sweep, batch, &["f3"], FileEvent::FoundGone).await;
    world
        .attempt(sweep, batch, &["f6", "f7"], FileEvent::Released)
        .await;
    world.attempt(sweep, batch, &["f8"], FileEvent::Lost).await;
    world.attempt(other, batch, &["f4"], FileEvent::Confirmed).await;
    let open = world.claim(sweep, batch, &["f9"]).await;
    assert!(open.attempt.is_some());
    let found = [
        (id("f1"), Finding::Absent),
        (id("f5"), Finding::Absent),
        (id("f4"), Finding::Absent),
        (id("f2"), Finding::StillThere),
    ];
    ledger.verified(batch, &found, at(110)).await.unwrap();
    let expected = SweepSummary {
        requests: 6,
        sent: 8,
        deleted: 2,
        late: 1,
        gone: 1,
        verified: 2,
        copies: 1,
        ..SweepSummary::default()
    };
    assert_eq!(ledger.came_to(sweep).await.unwrap(), expected);
    // Each once, and not what was released.
    assert_eq!(
        (
            ledger.sent(sweep).await.unwrap(),
            ledger.sent(other).await.unwrap()
        ),
        (6, 1)
    );
    let unknown = ledger.sent(SweepId(99)).await;
    assert!(
        matches!(unknown, Err(LedgerError::Conflict { .. })),
        "{unknown:?}"
    );
    // Asked for once more, and gone this time.
    world.attempt(sweep, batch, &["f2"], FileEvent::Confirmed).await;
    let expected = SweepSummary {
        requests: 7,
        sent: 9,
        deleted: 3,
        late: 2,
        ..expected
    };
    assert_eq!(ledger.came_to(sweep).await.unwrap(), expected);
    let of_other = ledger.came_to(other).await.unwrap();
    assert_eq!((of_other.deleted, of_other.verified, of_other.late), (1, 1, 1));
}

async fn sweeps_are_listed_newest_first(world: World) {
    for owner in ["p", "q", "p"] {
        world.ledger.open_sweep(&open(owner, None)).await.unwrap();
    }
    let ids = |sweeps: Vec<retentiond::model::Sweep>| sweeps.iter().map(|s| s.id.0).collect::<Vec<_>>();
    assert_eq!(ids(world.ledger.sweeps(None, 9).await.unwrap()), [3, 2, 1]);
    assert_eq!(ids(world.ledger.sweeps(None, 2).await.unwrap()), [3, 2]);
    assert_eq!(
        ids(world.ledger.sweeps(Some(&policy("p")), 9).await.unwrap()),
        [3, 1]
    );
    assert_eq!(
        ids(world.ledger.sweeps(Some(&policy("none")), 9).await.unwrap()),
        Vec::<i64>::new()
    );
}

async fn the_last_occurrence_is_the_latest_not_the_last_made(world: World) {
    assert_eq!(
        world.ledger.last_occurrence(&policy("p"), at(30)).await.unwrap(),
        None
    );
    for hour in [3, 27, 15] {
        world.ledger.open_sweep(&open("p", Some(at(hour)))).await.unwrap();
    }
    world.sweep().await;
    let last = world.ledger.last_occurrence(&policy("p"), at(30)).await.unwrap();
    assert_eq!(last, Some((at(27), SweepState::Open)));
    // An instant of the future, left by a clock that ran ahead, stands in no one's way.
    let earlier = world.ledger.last_occurrence(&policy("p"), at(20)).await.unwrap();
    assert_eq!(earlier, Some((at(15), SweepState::Open)));
    assert_eq!(
        world.ledger.last_occurrence(&policy("q"), at(30)).await.unwrap(),
        None
    );
}

async fn a_schedule_is_remembered_from_its_first_sight(world: World) {
    assert_eq!(
        world.ledger.scheduled_since(&policy("p"), at(5)).await.unwrap(),
        at(5)
    );
    assert_eq!(
        world.ledger.scheduled_since(&policy("p"), at(9)).await.unwrap(),
        at(5)
    );
    assert_eq!(
        world.ledger.scheduled_since(&policy("q"), at(9)).await.unwrap(),
        at(9)
    );
    let world = world.reopen().await;
    assert_eq!(
        world.ledger.scheduled_since(&policy("p"), at(11)).await.unwrap(),
        at(5)
    );
}
