//! `Sweeps`: plans and approvals.

use std::sync::Arc;

use retentiond::ledger::{LedgerError, StoredFile, StoredPlan};
use retentiond::model::{FileKey, SweepId};
use retentiond::rules::plan::PlanHasher;

use crate::world::*;

for_every_backend![
    a_waiting_plan_keeps_its_files,
    the_hash_is_computed_again_over_what_is_stored,
    a_long_plan_is_stored_in_pages_and_waits_only_when_it_is_whole,
    of_a_long_plan_stored_anew_nothing_stays,
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
        rules: digest("one"),
        at: at(hour),
        files: 2,
        waits_for: waits_for.map(str::to_owned),
    }
}

async fn keys(world: &World) -> (SweepId, Vec<StoredFile>) {
    let batch = world.record_due(&["f1", "f2"]).await;
    let keys = ids(&["f1", "f2"])
        .into_iter()
        .zip(0..)
        .map(|(file, place)| StoredFile {
            place,
            key: FileKey { batch, file },
            batch: Arc::new(batch_address("b1")),
            starts_at: at(1),
            due_at: at(3),
        })
        .collect();
    (world.sweep().await, keys)
}

async fn the_hash_is_computed_again_over_what_is_stored(world: World) {
    let (sweep, files) = keys(&world).await;
    let ledger = &world.ledger;
    let mut hasher = PlanHasher::new(&policy("p"), &digest("one"), 2);
    for file in &files {
        hasher.add(&file.batch, file.key.file.as_str(), file.starts_at, file.due_at);
    }
    let hash = hasher.finish();
    let head = plan(&hash, 1, Some("limit"));
    ledger.store_plan(&head, &files, sweep).await.unwrap();
    let again = || async { ledger.recomputed_hash(&hash).await.unwrap() };
    assert_eq!(again().await.as_deref(), Some(hash.as_str()));
    assert_eq!(ledger.recomputed_hash("aabbccdd00").await.unwrap(), None);
    let with = |change: fn(&mut Vec<StoredFile>)| {
        let mut changed = files.clone();
        change(&mut changed);
        changed
    };
    for changed in [
        with(|files| files[1].due_at = at(4)),
        with(|files| files[0].starts_at = at(2)),
        with(|files| files.swap_keys()),
        with(|files| files.truncate(1)),
    ] {
        ledger.store_plan(&head, &changed, sweep).await.unwrap();
        assert_ne!(again().await.unwrap(), hash, "{changed:?}");
        ledger.store_plan(&head, &files, sweep).await.unwrap();
        assert_eq!(
            again().await.unwrap(),
            hash,
            "stored anew, nothing of the change stays"
        );
    }
    for head in [
        StoredPlan {
            rules: digest("two"),
            ..head.clone()
        },
        StoredPlan {
            policy: policy("q"),
            ..head.clone()
        },
        StoredPlan {
            files: 3,
            ..head.clone()
        },
    ] {
        ledger.store_plan(&head, &[], sweep).await.unwrap();
        assert_ne!(again().await.unwrap(), hash, "{head:?}");
    }
}

trait SwapKeys {
    fn swap_keys(&mut self);
}

impl SwapKeys for Vec<StoredFile> {
    /// The same files in another order.
    fn swap_keys(&mut self) {
        let first = self[0].key.clone();
        self[0].key = self[1].key.clone();
        self[1].key = first;
    }
}

async fn a_waiting_plan_keeps_its_files(world: World) {
    let (sweep, keys) = keys(&world).await;
    let stored = plan("aabbccdd00", 1, Some("approval"));
    world.ledger.store_plan(&stored, &keys, sweep).await.unwrap();
    assert_eq!(world.ledger.waiting_plans(at(0)).await.unwrap(), [stored]);
    assert_eq!(world.ledger.plan_files("aabbccdd00", 0, 9).await.unwrap(), keys);
    assert_eq!(world.ledger.plan_files("aabbccdd", 0, 9).await.unwrap(), []);
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
    let first = ledger.plan_files("aabbccdd00", 0, 1).await.unwrap();
    assert_eq!(first, keys[..1]);
    let rest = ledger.plan_files("aabbccdd00", 1, 9).await.unwrap();
    assert_eq!(rest, keys[1..]);
}

async fn of_a_long_plan_stored_anew_nothing_stays(world: World) {
    let (sweep, keys) = keys(&world).await;
    let ledger = &world.ledger;
    // More than two pages of what is forgotten at once.
    let long: Vec<StoredFile> = (0..20_001)
        .map(|place| StoredFile {
            place,
            ..keys[0].clone()
        })
        .collect();
    let waiting = plan("aabbccdd00", 1, Some("limit"));
    for (files, last) in [(&long, 20_000), (&keys, 1)] {
        ledger.store_plan(&waiting, files, sweep).await.unwrap();
        let found = ledger.plan_files("aabbccdd00", 0, 30_000).await.unwrap();
        assert_eq!(found, *files);
        assert_eq!(found.last().map(|file| file.place), Some(last));
    }
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
        world.ledger.plan_files("aabbccdd00", 0, 9).await.unwrap().len(),
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
