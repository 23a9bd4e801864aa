//! `Controls`: holds.

use retentiond::ledger::LedgerError;
use retentiond::model::{BatchId, FileRecord, HoldId, HoldScope, Holds, NewFile, NewHold};
use retentiond::outcome::FileEvent;

use crate::world::*;

for_every_backend![
    a_hold_is_read_back_whole,
    a_hold_says_what_it_covers_and_what_it_came_too_late_for,
    each_scope_counts_what_it_covers,
    a_release_goes_on_covering_until_its_end,
    a_hold_is_released_once,
    holds_survive_a_crash,
];

fn new(scope: HoldScope) -> NewHold {
    NewHold {
        scope,
        reason: "litigation".to_owned(),
        reference: Some("case 7".to_owned()),
        owner: Some("legal".to_owned()),
        review_by: Some(at(999)),
    }
}

fn label(value: &str) -> HoldScope {
    HoldScope::Label {
        key: "tenant".to_owned(),
        value: value.to_owned(),
    }
}

fn in_batch(name: &str) -> HoldScope {
    HoldScope::Batch(BatchId::new(name).unwrap())
}

async fn a_hold_is_read_back_whole(world: World) {
    let scopes = [
        HoldScope::File(id("f1")),
        in_batch("b1"),
        label("acme"),
        HoldScope::Policy(policy("p")),
    ];
    for (n, scope) in scopes.into_iter().enumerate() {
        let placed = world.ledger.add_hold(&new(scope.clone()), at(1)).await.unwrap();
        let listed = world.ledger.holds(None).await.unwrap();
        assert_eq!(listed.len(), n + 1);
        let hold = &listed[n];
        assert_eq!(
            (hold.id, &hold.scope, hold.placed_at),
            (placed.hold, &scope, at(1))
        );
        assert_eq!(
            (hold.reason.as_str(), hold.reference.as_deref()),
            ("litigation", Some("case 7"))
        );
        assert_eq!(
            (hold.owner.as_deref(), hold.review_by),
            (Some("legal"), Some(at(999)))
        );
        assert_eq!((hold.released_at, hold.ends_at), (None, None));
    }
}

async fn a_hold_says_what_it_covers_and_what_it_came_too_late_for(world: World) {
    let names = ["f1", "f2", "f3", "f4", "f5", "f6"];
    let batch = world.record_due(&names).await;
    world.record(&[hinted(file("b2", "g1"), "q", 0)]).await;
    let sweep = world.sweep().await;
    world.attempt(sweep, batch, &["f1"], FileEvent::Confirmed).await;
    world.attempt(sweep, batch, &["f2"], FileEvent::FoundGone).await;
    world.attempt(sweep, batch, &["f3"], FileEvent::Lost).await;
    world.attempt(sweep, batch, &["f4"], FileEvent::GivenUp).await;
    let under_way = world.claim(sweep, batch, &["f5"]).await.attempt.unwrap();
    let other = world.batch("b2").await;
    world.claim(sweep, other, &["g1"]).await;
    for scope in [HoldScope::Policy(policy("p")), in_batch("b1")] {
        let placed = world.ledger.add_hold(&new(scope.clone()), at(1)).await.unwrap();
        assert_eq!(placed.covers, 3, "{scope:?}: unknown, quarantined, live");
        assert_eq!(placed.under_way, [under_way], "{scope:?}");
        assert_eq!(placed.already_deleted, 2, "{scope:?}");
    }
    let nothing = world
        .ledger
        .add_hold(&new(HoldScope::Policy(policy("none"))), at(1))
        .await
        .unwrap();
    assert_eq!(
        (nothing.covers, nothing.under_way.len(), nothing.already_deleted),
        (0, 0, 0)
    );
}

async fn each_scope_counts_what_it_covers(world: World) {
    let tenant = |name: &str, value: &str| {
        let mut new: NewFile = file("b1", name);
        new.labels.insert("tenant".to_owned(), value.to_owned());
        new.labels.insert("department".to_owned(), "acme".to_owned());
        new
    };
    world
        .record(&[
            hinted(tenant("f1", "acme"), "p", 0),
            hinted(tenant("f2", "other"), "p", 0),
            hinted(file("b2", "f1"), "q", 0),
            hinted(copy("c1", "f1"), "p", 0),
            hinted(copy("c2", "f2"), "q", 0),
        ])
        .await;
    for (scope, covers) in [
        (HoldScope::File(id("f1")), 3),
        (HoldScope::File(id("c1")), 1),
        (HoldScope::File(id("nobody")), 0),
        (in_batch("b1"), 4),
        (in_batch("b2"), 1),
        (in_batch("x1"), 2),
        (label("acme"), 1),
        (label("none"), 0),
        (HoldScope::Policy(policy("p")), 3),
        (HoldScope::Policy(policy("q")), 2),
    ] {
        let placed = world.ledger.add_hold(&new(scope.clone()), at(1)).await.unwrap();
        assert_eq!(placed.covers, covers, "{scope:?}");
        // The same as the one function that decides.
        let hold = world.ledger.holds(None).await.unwrap().pop().unwrap();
        let mut covered = 0;
        for name in ["f1", "f2", "c1", "c2"] {
            for file in world.ledger.find(&id(name)).await.unwrap() {
                covered += u64::from(hold.covers(&file, file.owner.as_ref()));
            }
        }
        assert_eq!(covered, covers, "{scope:?}");
    }
}

async fn a_release_goes_on_covering_until_its_end(world: World) {
    let hold = world
        .ledger
        .add_hold(&new(HoldScope::File(id("f1"))), at(1))
        .await
        .unwrap()
        .hold;
    world
        .ledger
        .release_hold(hold, "settled", at(10), at(34))
        .await
        .unwrap();
    let listed = world.ledger.holds(None).await.unwrap();
    assert_eq!(
        (listed[0].released_at, listed[0].ends_at),
        (Some(at(10)), Some(at(34)))
    );
    assert_eq!(world.ledger.holds(Some(at(33))).await.unwrap().len(), 1);
    assert_eq!(world.ledger.holds(Some(at(34))).await.unwrap().len(), 0);

    // The claim sees the same.
    let batch = world.record_due(&["f1"]).await;
    let sweep = world.sweep().await;
    let files = ids(&["f1"]);
    for (hour, covered) in [(33, true), (34, false)] {
        let mut asked = request(sweep, batch, &files, 10);
        asked.at = at(hour);
        let permit = |file: &FileRecord, holds: &Holds| {
            let covering = holds.covering(file, file.owner.as_ref(), at(hour));
            if covering.is_some() {
                Err("held".to_owned())
            } else {
                Ok(())
            }
        };
        let claim = world.ledger.claim(&asked, &permit).await.unwrap();
        assert_eq!(claim.files.is_empty(), covered, "{hour}");
    }
}

async fn a_hold_is_released_once(world: World) {
    let hold = world
        .ledger
        .add_hold(&new(label("acme")), at(1))
        .await
        .unwrap()
        .hold;
    world
        .ledger
        .release_hold(hold, "settled", at(10), at(34))
        .await
        .unwrap();
    for id in [hold, HoldId(99)] {
        let refused = world
            .ledger
            .release_hold(id, "again", at(11), at(12))
            .await
            .unwrap_err();
        assert!(matches!(refused, LedgerError::Conflict { .. }), "{refused}");
    }
    assert_eq!(world.ledger.holds(None).await.unwrap()[0].ends_at, Some(at(34)));
}

async fn holds_survive_a_crash(world: World) {
    world.ledger.add_hold(&new(label("acme")), at(1)).await.unwrap();
    let world = world.reopen().await;
    assert_eq!(world.ledger.holds(Some(at(2))).await.unwrap().len(), 1);
}
