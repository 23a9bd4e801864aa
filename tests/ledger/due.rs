//! `Claims::due`, `unknown`, `copies_of`.

use retentiond::ledger::{After, Hinted};
use retentiond::model::FileState;
use retentiond::outcome::FileEvent;

use crate::world::*;

for_every_backend![
    what_is_due_comes_oldest_first_and_up_to_the_very_instant,
    pages_neither_skip_nor_repeat,
    other_policies_and_other_states_are_not_due,
    a_copy_rides_along_with_its_original,
    unknown_files_are_listed_by_batch,
    copies_are_found_while_they_are_live_or_unknown,
];

async fn due(world: &World, now: i64) -> Vec<String> {
    let found = world.ledger.due(&policy("p"), at(now), None, 100).await.unwrap();
    found
        .into_iter()
        .map(|file| file.key.file.as_str().to_owned())
        .collect()
}

async fn what_is_due_comes_oldest_first_and_up_to_the_very_instant(world: World) {
    world
        .record(&[
            hinted(file("b1", "z"), "p", 1),
            hinted(file("b1", "a"), "p", 3),
            hinted(file("b2", "a"), "p", 2),
            hinted(file("b1", "b"), "p", 2),
        ])
        .await;
    assert_eq!(due(&world, 0).await, Vec::<String>::new());
    assert_eq!(due(&world, 2).await, ["z", "b", "a"]);
    assert_eq!(due(&world, 3).await, ["z", "b", "a", "a"]);
    let just_before = at(1).checked_add_millis(-1).unwrap();
    assert_eq!(
        world
            .ledger
            .due(&policy("p"), just_before, None, 9)
            .await
            .unwrap(),
        Vec::new()
    );
    assert_eq!(
        world
            .ledger
            .due(&policy("never seen"), at(9), None, 9)
            .await
            .unwrap(),
        Vec::new()
    );
}

async fn pages_neither_skip_nor_repeat(world: World) {
    let rows: Vec<Hinted> = (0..97_i64)
        .map(|n| {
            hinted(
                file(&format!("b{}", n % 3), &format!("f{:02}", n / 2)),
                "p",
                n / 10,
            )
        })
        .collect();
    let added = world.record(&rows).await.added as usize;
    let mut seen = Vec::new();
    let mut after: Option<After> = None;
    loop {
        let page = world
            .ledger
            .due(&policy("p"), at(99), after.as_ref(), 7)
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        after = Some(After {
            due_at: last.due_at.unwrap(),
            key: last.key.clone(),
        });
        seen.extend(page.into_iter().map(|file| (file.due_at, file.key)));
    }
    assert_eq!(seen.len(), added);
    assert!(seen.is_sorted());
    seen.dedup();
    assert_eq!(seen.len(), added);
}

async fn other_policies_and_other_states_are_not_due(world: World) {
    let batch = world.record_due(&["f1", "f2", "f3", "f4", "f5", "f6"]).await;
    world
        .record(&[hinted(file("b1", "other"), "q", 0), unowned(file("b1", "nobody"))])
        .await;
    let sweep = world.sweep().await;
    world.attempt(sweep, batch, &["f1"], FileEvent::Confirmed).await;
    world.attempt(sweep, batch, &["f2"], FileEvent::FoundGone).await;
    world.attempt(sweep, batch, &["f3"], FileEvent::Lost).await;
    world.attempt(sweep, batch, &["f4"], FileEvent::GivenUp).await;
    world.claim(sweep, batch, &["f5"]).await;
    assert_eq!(due(&world, 99).await, ["f6"]);
}

async fn a_copy_rides_along_with_its_original(world: World) {
    let batch = world.record_due(&["f1"]).await;
    world
        .record(&[
            hinted(copy("c1", "f1"), "p", 0),
            hinted(copy("c2", "not recorded"), "p", 0),
        ])
        .await;
    let sweep = world.sweep().await;
    assert_eq!(due(&world, 9).await, ["f1", "c2"], "its original is live");
    let attempt = world.claim(sweep, batch, &["f1"]).await.attempt.unwrap();
    assert_eq!(due(&world, 9).await, ["c2"], "its original is on its way");
    world
        .ledger
        .settle(attempt, &settlement(&["f1"], FileEvent::Lost))
        .await
        .unwrap();
    assert_eq!(due(&world, 9).await, ["c2"], "nobody knows of its original");
    world
        .ledger
        .note(batch, &ids(&["f1"]), FileEvent::FoundGone, "probe", at(9))
        .await
        .unwrap();
    assert_eq!(due(&world, 9).await, ["c1", "c2"], "left behind");
}

async fn unknown_files_are_listed_by_batch(world: World) {
    let batch = world.record_due(&["f1", "f2", "f3"]).await;
    let sweep = world.sweep().await;
    world.attempt(sweep, batch, &["f3", "f1"], FileEvent::Lost).await;
    let unknown = world.ledger.unknown(10).await.unwrap();
    assert_eq!(
        unknown.iter().map(|f| f.key.file.as_str()).collect::<Vec<_>>(),
        ["f1", "f3"]
    );
    assert!(unknown.iter().all(|file| file.state == FileState::Unknown));
    assert_eq!(world.ledger.unknown(1).await.unwrap().len(), 1);
    world
        .attempt(sweep, batch, &["f1", "f3"], FileEvent::Confirmed)
        .await;
    assert_eq!(world.ledger.unknown(10).await.unwrap(), Vec::new());
}

async fn copies_are_found_while_they_are_live_or_unknown(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    let copies = ["c1", "c2", "c3"].map(|name| hinted(copy(name, "f1"), "p", 0));
    world.record(&copies).await;
    let names = |found: Vec<retentiond::model::FileRecord>| -> Vec<String> {
        found
            .into_iter()
            .map(|file| file.key.file.as_str().to_owned())
            .collect()
    };
    let found = world.ledger.copies_of(batch, &ids(&["f2", "f1"])).await.unwrap();
    assert_eq!(names(found.clone()), ["c1", "c2", "c3"]);
    let extraction = found[0].key.batch;
    let sweep = world.sweep().await;
    world
        .attempt(sweep, extraction, &["c1"], FileEvent::Confirmed)
        .await;
    world.attempt(sweep, extraction, &["c2"], FileEvent::Lost).await;
    assert_eq!(
        names(world.ledger.copies_of(batch, &ids(&["f1"])).await.unwrap()),
        ["c2", "c3"]
    );
    assert_eq!(
        world.ledger.copies_of(batch, &ids(&["f2"])).await.unwrap(),
        Vec::new()
    );
    assert_eq!(world.ledger.copies_of(batch, &[]).await.unwrap(), Vec::new());
    assert_eq!(
        world.ledger.copies_of(extraction, &ids(&["f1"])).await.unwrap(),
        Vec::new()
    );
}
