//! `Redaction`: what is over goes, what is not stays, and the ledger never contradicts itself.

use retentiond::ledger::{Gone, Opening, RedactionStep};
use retentiond::model::{
    BreakerKind, EventScope, FileState, Finding, HoldScope, NewEvent, NewHold, Timestamp,
};
use retentiond::outcome::FileEvent;

use crate::world::*;

for_every_backend![
    what_is_over_goes_and_what_is_not_stays,
    a_held_file_stays_until_it_is_free,
    files_that_ended_without_an_attempt_go_too,
    nothing_goes_before_its_time,
    what_would_go_is_counted,
];

/// Long after all that the tests do.
const LATER: i64 = 10_000;

async fn redact(world: &World, before: Timestamp) -> Gone {
    let (mut step, mut gone) = (RedactionStep::FIRST, Gone::default());
    loop {
        let (went, next) = world.ledger.redact(step, before, at(LATER)).await.unwrap();
        gone += went;
        match next {
            Some(next) => step = next,
            None => return gone,
        }
    }
}

async fn openings(world: &World) -> Vec<Opening> {
    let size = world.ledger.tree().await.unwrap().size;
    let all: Vec<u64> = (0..size).collect();
    world.ledger.openings(&all).await.unwrap().into_values().collect()
}

fn hold(scope: HoldScope) -> NewHold {
    NewHold {
        scope,
        reason: "litigation".to_owned(),
        reference: None,
        owner: None,
        review_by: None,
    }
}

/// `f1`, `f2` deleted and verified, `f3` quarantined, `f4` live; an event, a breaker and a hold that ended.
async fn a_past(world: &World) {
    let batch = world.record_due(&["f1", "f2", "f3", "f4"]).await;
    let sweep = world.sweep().await;
    world
        .attempt(sweep, batch, &["f1", "f2"], FileEvent::Confirmed)
        .await;
    let found: Vec<_> = ids(&["f1", "f2"])
        .into_iter()
        .map(|file| (file, Finding::Absent))
        .collect();
    world.ledger.verified(batch, &found, at(103)).await.unwrap();
    world
        .ledger
        .note(batch, &ids(&["f3"]), FileEvent::GivenUp, "refused", at(103))
        .await
        .unwrap();
    let event = NewEvent {
        name: "closed".parse().unwrap(),
        scope: EventScope::File(id("f1")),
        at: at(1),
        reason: None,
    };
    world.ledger.add_event(&event, at(104)).await.unwrap();
    world
        .ledger
        .open_breaker(BreakerKind::Api, "down", at(104))
        .await
        .unwrap();
    world
        .ledger
        .close_breaker(BreakerKind::Api, "operator", at(105))
        .await
        .unwrap();
    let placed = world
        .ledger
        .add_hold(&hold(HoldScope::File(id("f2"))), at(104))
        .await
        .unwrap();
    world
        .ledger
        .release_hold(placed.hold, "settled", at(105), at(106))
        .await
        .unwrap();
}

async fn what_is_over_goes_and_what_is_not_stays(world: World) {
    a_past(&world).await;
    let before = world.ledger.tree().await.unwrap().size;
    let gone = redact(&world, at(1_000)).await;
    assert_eq!(gone.files, 2);
    assert!(gone.leaves > 0 && gone.records > 0, "{gone:?}");
    for name in ["f1", "f2"] {
        assert!(world.ledger.find(&id(name)).await.unwrap().is_empty());
        assert!(world.ledger.leaves_naming(&id(name)).await.unwrap().is_empty());
    }
    assert_eq!(
        world.states(&["f3", "f4"]).await,
        [FileState::Quarantined, FileState::Live]
    );
    assert!(!world.ledger.leaves_naming(&id("f3")).await.unwrap().is_empty());
    assert!(world.ledger.holds(None).await.unwrap().is_empty());
    assert!(world.ledger.events(true).await.unwrap().is_empty());
    assert!(!openings(&world).await.is_empty(), "of what stays");
    let told = world.ledger.redacted().await.unwrap().unwrap();
    assert_eq!((told.before, told.at), (at(1_000), at(LATER)));
    assert_eq!(world.ledger.redaction_finished().await.unwrap(), Some(at(LATER)));
    // Every leaf has its place still, and the redaction has leaves of its own.
    let leaves = world.ledger.leaves(0, 1_000).await.unwrap();
    assert!(leaves.len() as u64 > before);
    let bare = leaves.iter().filter(|leaf| leaf.content.is_none()).count();
    assert_eq!(bare as u64, gone.leaves);
    world.assert_clean().await;
    assert_eq!(redact(&world, at(1_000)).await, Gone::default());
    let world = world.reopen().await;
    world.assert_clean().await;
}

async fn a_held_file_stays_until_it_is_free(world: World) {
    a_past(&world).await;
    let placed = world
        .ledger
        .add_hold(&hold(HoldScope::File(id("f1"))), at(107))
        .await
        .unwrap();
    assert_eq!(redact(&world, at(1_000)).await.files, 0, "one attempt took both");
    assert_eq!(world.state("f1").await, FileState::Deleted);
    assert!(!world.ledger.leaves_naming(&id("f1")).await.unwrap().is_empty());
    world
        .ledger
        .release_hold(placed.hold, "settled", at(1_001), at(1_001))
        .await
        .unwrap();
    assert_eq!(redact(&world, at(1_002)).await.files, 2);
    world.assert_clean().await;
}

async fn files_that_ended_without_an_attempt_go_too(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    world
        .ledger
        .note(batch, &ids(&["f1"]), FileEvent::FoundGone, "listing", at(1))
        .await
        .unwrap();
    assert_eq!(redact(&world, at(1_000)).await.files, 1);
    assert!(world.ledger.find(&id("f1")).await.unwrap().is_empty());
    assert_eq!(world.state("f2").await, FileState::Live);
    // The same id may come again.
    world.record_due(&["f1"]).await;
    assert_eq!(world.state("f1").await, FileState::Live);
    world.assert_clean().await;
}

async fn nothing_goes_before_its_time(world: World) {
    a_past(&world).await;
    assert_eq!(redact(&world, at(-1_000)).await, Gone::default());
    assert_eq!(world.ledger.redacted().await.unwrap(), None);
    assert_eq!(world.state("f1").await, FileState::Deleted);
    world.assert_clean().await;
}

async fn what_would_go_is_counted(world: World) {
    a_past(&world).await;
    let size = world.ledger.tree().await.unwrap().size;
    let would = world.ledger.redactable(at(1_000), at(LATER)).await.unwrap();
    assert!(would.leaves > 0 && would.leaves + would.kept <= size);
    assert_eq!(world.ledger.tree().await.unwrap().size, size);
    world.assert_clean().await;
}
