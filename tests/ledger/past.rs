//! `Past`: rules, sweeps, moves and events as they were.

use retentiond::model::{BatchId, EventScope, FileState, NewEvent, SweepId};
use retentiond::outcome::FileEvent;

use crate::world::*;

for_every_backend![
    the_rules_of_then_come_with_their_text_of_then,
    a_sweep_is_found_with_the_approval_that_let_it_run,
    the_moves_of_one_file_are_told_in_order,
    every_event_of_a_file_is_told_replaced_ones_too,
];

async fn the_rules_of_then_come_with_their_text_of_then(world: World) {
    let ledger = &world.ledger;
    assert_eq!(ledger.rules_at(at(0)).await.unwrap(), None);
    for (digest_name, text, hour) in [
        ("one", "observe", 1),
        ("one", "enforce", 3),
        ("one", "enforce", 4),
        ("two", "longer", 5),
        ("one", "shorter lines", 9),
    ] {
        let digest = digest(digest_name);
        ledger.keep_rule_text(&digest, text, at(hour)).await.unwrap();
        ledger.adopt_rules(&digest, "", at(hour)).await.unwrap();
    }
    let world = world.reopen().await;
    for (hour, digest_name, text, since) in [
        (1, "one", "observe", 1),
        (2, "one", "observe", 1),
        (3, "one", "enforce", 1),
        (4, "one", "enforce", 1),
        (5, "two", "longer", 5),
        (8, "two", "longer", 5),
        (99, "one", "shorter lines", 9),
    ] {
        let found = world.ledger.rules_at(at(hour)).await.unwrap().unwrap();
        assert_eq!(
            (found.digest, found.text.as_deref(), found.adopted_at),
            (digest(digest_name), Some(text), at(since)),
            "at {hour}"
        );
    }
    assert_eq!(world.ledger.rules_at(at(0)).await.unwrap(), None);
    let text = world.ledger.rule_text(&digest("one")).await.unwrap();
    assert_eq!(text.as_deref(), Some("shorter lines"));
    assert_eq!(world.ledger.rule_text(&digest("three")).await.unwrap(), None);
    world.assert_clean().await;
}

async fn a_sweep_is_found_with_the_approval_that_let_it_run(world: World) {
    let ledger = &world.ledger;
    world.record_due(&["f1"]).await;
    let (first, second) = (world.sweep().await, world.sweep().await);
    let plan = retentiond::ledger::StoredPlan {
        hash: "0123456789abcdef".to_owned(),
        policy: policy("p"),
        rules: digest("one"),
        at: at(100),
        files: 0,
        waits_for: Some("a limit".to_owned()),
    };
    ledger.store_plan(&plan, &[], first).await.unwrap();
    ledger.approve(&plan.hash, at(101), at(200)).await.unwrap();
    ledger.use_up(&plan.hash, second, at(102)).await.unwrap();
    assert_eq!(ledger.approval_used_by(first).await.unwrap(), None);
    let approval = ledger.approval_used_by(second).await.unwrap().unwrap();
    assert_eq!((approval.plan, approval.given_at), (plan.hash, at(101)));
    let found = ledger.sweep(second).await.unwrap().unwrap();
    assert_eq!((found.id, found.policy), (second, policy("p")));
    assert_eq!(ledger.sweep(SweepId(77)).await.unwrap(), None);
}

async fn the_moves_of_one_file_are_told_in_order(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    let ledger = &world.ledger;
    for (event, reason, hour) in [
        (FileEvent::GivenUp, "HTTP 400", 1),
        (FileEvent::Retried, "operator", 2),
        (FileEvent::FoundGone, "not listed", 3),
    ] {
        let moved = ledger.note(batch, &ids(&["f1"]), event, reason, at(hour)).await;
        assert_eq!(moved.unwrap(), 1);
    }
    let moves = ledger.moves(&world.get("f1").await.key).await.unwrap();
    let told: Vec<_> = moves
        .iter()
        .map(|one| (one.at, one.event.as_str(), one.from, one.to, one.reason.as_str()))
        .collect();
    let (live, quarantined) = (FileState::Live, FileState::Quarantined);
    assert_eq!(
        told,
        [
            (at(1), "given-up", live, quarantined, "HTTP 400"),
            (at(2), "retried", quarantined, live, "operator"),
            (at(3), "found-gone", live, FileState::Gone, "not listed"),
        ]
    );
    assert_eq!(ledger.moves(&world.get("f2").await.key).await.unwrap(), []);
}

async fn every_event_of_a_file_is_told_replaced_ones_too(world: World) {
    world.record_due(&["f1", "f2"]).await;
    world.record(&[hinted(copy("c1", "f1"), "p", 0)]).await;
    let event = |scope: EventScope, hour: i64, reason: Option<&str>| NewEvent {
        name: "ended".parse().unwrap(),
        scope,
        at: at(hour),
        reason: reason.map(str::to_owned),
    };
    let of_file = |name: &str| EventScope::File(id(name));
    for (event, hour) in [
        (event(of_file("f1"), 1, None), 10),
        (event(of_file("f1"), 2, Some("typo")), 20),
        (event(EventScope::Batch(BatchId::new("b1").unwrap()), 3, None), 30),
        (event(of_file("f2"), 4, None), 40),
    ] {
        world.ledger.add_event(&event, at(hour)).await.unwrap();
    }
    let told = async |name: &str| -> Vec<_> {
        let events = world.ledger.events_of(&world.get(name).await).await.unwrap();
        events
            .iter()
            .map(|event| (event.at, event.recorded_at, event.replaced_at))
            .collect()
    };
    let first = (at(1), at(10), Some(at(20)));
    let (second, batch) = ((at(2), at(20), None), (at(3), at(30), None));
    assert_eq!(told("f1").await, [first, second, batch]);
    assert_eq!(
        told("c1").await,
        [first, second, batch],
        "a copy, as its original"
    );
    assert_eq!(told("f2").await, [batch, (at(4), at(40), None)]);
}
