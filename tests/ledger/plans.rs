//! `Sweeps`: plans and approvals.

use retentiond::ledger::{LedgerError, StoredPlan};
use retentiond::model::{FileKey, SweepId};

use crate::world::*;

for_every_backend![
    a_waiting_plan_keeps_its_files,
    a_long_plan_is_stored_in_pages_and_waits_only_when_it_is_whole,
    the_same_plan_again_is_one_plan,
    plans_that_were_let_through_or_are_old_do_not_wait,
    an_approval_takes_a_whole_hash_or_a_unique_prefix,
    an_approval_lapses,
    an_approval_is_used_up_once,
];

fn plan(hash: &str, hour: i64, waits_for: Option<&str>) -> StoredPlan {
    StoredPlan {
        hash: hash.to_owned(),
        policy: policy("p"),
        at: at(hour),
        files: 2,
        waits_for: waits_for.map(str::to_owned),
    }
}

async fn keys(world: &World) -> (SweepId, Vec<FileKey>) {
    let batch = world.record_due(&["f1", "f2"]).await;
    let keys = ids(&["f1", "f2"])
        .into_iter()
        .map(|file| FileKey { batch, file })
        .collect();
    (world.sweep().await, keys)
}

async fn a_waiting_plan_keeps_its_files(world: World) {
    let (sweep, keys) = keys(&world).await;
    let stored = plan("aabbccdd00", 1, Some("approval"));
    world.ledger.store_plan(&stored, &keys, sweep).await.unwrap();
    assert_eq!(world.ledger.waiting_plans(at(0)).await.unwrap(), [stored]);
    assert_eq!(
        world.ledger.plan_files("aabbccdd00", None, 9).await.unwrap(),
        keys
    );
    assert_eq!(world.ledger.plan_files("aabbccdd", None, 9).await.unwrap(), []);
    world.assert_clean().await;
}

async fn a_long_plan_is_stored_in_pages_and_waits_only_when_it_is_whole(world: World) {
    let (sweep, keys) = keys(&world).await;
    let ledger = &world.ledger;
    let waits = || async { ledger.waiting_plans(at(0)).await.unwrap().len() };
    let early = ledger.add_to_plan("aabbccdd00", &keys).await;
    assert!(matches!(early, Err(LedgerError::Conflict { .. })));
    ledger
        .store_plan(&plan("aabbccdd00", 1, None), &[], sweep)
        .await
        .unwrap();
    for page in [&keys[..1], &keys[1..], &keys[..1]] {
        ledger.add_to_plan("aabbccdd00", page).await.unwrap();
        assert_eq!(waits().await, 0);
        let approved = ledger.approve("aabbccdd00", at(1), at(9)).await;
        assert!(approved.is_err(), "half a plan cannot be approved");
    }
    ledger
        .store_plan(&plan("aabbccdd00", 1, Some("limit")), &[], sweep)
        .await
        .unwrap();
    assert_eq!(waits().await, 1);
    let late = ledger.add_to_plan("aabbccdd00", &keys).await;
    assert!(matches!(late, Err(LedgerError::Conflict { .. })));
    let first = ledger.plan_files("aabbccdd00", None, 1).await.unwrap();
    assert_eq!(first, keys[..1]);
    let rest = ledger.plan_files("aabbccdd00", first.last(), 9).await.unwrap();
    assert_eq!(rest, keys[1..]);
}

async fn the_same_plan_again_is_one_plan(world: World) {
    let (sweep, keys) = keys(&world).await;
    for hour in [1, 5] {
        world
            .ledger
            .store_plan(&plan("aabbccdd00", hour, Some("limit")), &keys, sweep)
            .await
            .unwrap();
    }
    let waiting = world.ledger.waiting_plans(at(0)).await.unwrap();
    assert_eq!(waiting, [plan("aabbccdd00", 5, Some("limit"))]);
    assert_eq!(
        world
            .ledger
            .plan_files("aabbccdd00", None, 9)
            .await
            .unwrap()
            .len(),
        2
    );
}

async fn plans_that_were_let_through_or_are_old_do_not_wait(world: World) {
    let (sweep, keys) = keys(&world).await;
    world
        .ledger
        .store_plan(&plan("through000", 5, None), &[], sweep)
        .await
        .unwrap();
    world
        .ledger
        .store_plan(&plan("old0000000", 1, Some("limit")), &keys, sweep)
        .await
        .unwrap();
    world
        .ledger
        .store_plan(&plan("new0000000", 5, Some("limit")), &keys, sweep)
        .await
        .unwrap();
    world
        .ledger
        .store_plan(&plan("newer00000", 6, Some("limit")), &keys, sweep)
        .await
        .unwrap();
    let waiting = world.ledger.waiting_plans(at(2)).await.unwrap();
    assert_eq!(
        waiting.iter().map(|p| p.hash.as_str()).collect::<Vec<_>>(),
        ["newer00000", "new0000000"]
    );
    assert_eq!(
        world.ledger.waiting_plans(at(1)).await.unwrap().len(),
        3,
        "`since` itself counts"
    );
}

async fn an_approval_takes_a_whole_hash_or_a_unique_prefix(world: World) {
    let (sweep, keys) = keys(&world).await;
    for hash in ["aabbccdd00", "aabbccdd11", "ffffffff00"] {
        world
            .ledger
            .store_plan(&plan(hash, 1, Some("limit")), &keys, sweep)
            .await
            .unwrap();
    }
    world
        .ledger
        .store_plan(&plan("eeeeeeee00", 1, None), &[], sweep)
        .await
        .unwrap();
    for bad in [
        "aabbccdd",
        "fffffff",
        "",
        "99999999",
        "eeeeeeee00",
        "aabbccdd000",
        "________",
        "%%%%%%%%",
    ] {
        let refused = world.ledger.approve(bad, at(2), at(74)).await.unwrap_err();
        assert!(
            matches!(refused, LedgerError::Conflict { .. }),
            "{bad}: {refused}"
        );
    }
    let given = world.ledger.approve("ffffffff", at(2), at(74)).await.unwrap();
    assert_eq!((given.plan.as_str(), given.policy.as_str()), ("ffffffff00", "p"));
    assert_eq!((given.given_at, given.valid_until), (at(2), at(74)));
    let whole = world.ledger.approve("aabbccdd11", at(3), at(75)).await.unwrap();
    assert_eq!(world.ledger.approvals(at(4)).await.unwrap(), [whole, given]);
}

async fn an_approval_lapses(world: World) {
    let (sweep, keys) = keys(&world).await;
    world
        .ledger
        .store_plan(&plan("aabbccdd00", 1, Some("limit")), &keys, sweep)
        .await
        .unwrap();
    world.ledger.approve("aabbccdd00", at(2), at(74)).await.unwrap();
    assert_eq!(world.ledger.approvals(at(73)).await.unwrap().len(), 1);
    assert_eq!(world.ledger.approvals(at(74)).await.unwrap().len(), 0);
}

async fn an_approval_is_used_up_once(world: World) {
    let (sweep, keys) = keys(&world).await;
    world
        .ledger
        .store_plan(&plan("aabbccdd00", 1, Some("limit")), &keys, sweep)
        .await
        .unwrap();
    let none = world.ledger.use_up("aabbccdd00", sweep, at(2)).await.unwrap_err();
    assert!(matches!(none, LedgerError::Conflict { .. }), "{none}");
    world.ledger.approve("aabbccdd00", at(2), at(74)).await.unwrap();
    world.ledger.approve("aabbccdd00", at(3), at(75)).await.unwrap();
    world.ledger.use_up("aabbccdd00", sweep, at(4)).await.unwrap();
    assert_eq!(world.ledger.approvals(at(4)).await.unwrap(), []);
    assert_eq!(world.ledger.waiting_plans(at(0)).await.unwrap(), [], "it has run");
    world.ledger.use_up("aabbccdd00", sweep, at(5)).await.unwrap_err();
    world.assert_clean().await;
}
