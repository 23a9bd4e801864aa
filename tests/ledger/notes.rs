//! `Claims::note`, `verified`, `strike`.

use retentiond::ledger::HistoryFilter;
use retentiond::model::{FileState, Finding};
use retentiond::outcome::FileEvent;

use crate::world::*;

for_every_backend![
    a_note_moves_what_it_may_and_leaves_the_rest,
    an_operator_sends_a_quarantined_file_round_again_with_a_clean_slate,
    an_operator_settles_a_quarantined_file_as_gone,
    strikes_add_up_per_file,
    a_second_look_is_marked_once_on_the_last_attempt,
    a_file_still_there_is_unknown_again,
    a_second_look_at_files_never_attempted_marks_nothing,
    deletions_without_a_second_look_are_listed,
];

async fn a_note_moves_what_it_may_and_leaves_the_rest(world: World) {
    let batch = world.record_due(&["f1", "f2", "f3", "asked"]).await;
    let sweep = world.sweep().await;
    world.attempt(sweep, batch, &["f2"], FileEvent::Lost).await;
    world.attempt(sweep, batch, &["f3"], FileEvent::Confirmed).await;
    world.claim(sweep, batch, &["asked"]).await;
    let files = ids(&["f1", "f2", "f3", "asked", "stranger"]);
    let moved = world
        .ledger
        .note(batch, &files, FileEvent::FoundGone, "listing", at(102))
        .await
        .unwrap();
    assert_eq!(moved, 2);
    assert_eq!(
        world.states(&["f1", "f2", "f3", "asked"]).await,
        [
            FileState::Gone,
            FileState::Gone,
            FileState::Deleted,
            FileState::Deleting
        ],
        "of a file that was asked for, the answer tells"
    );
    let still = world
        .ledger
        .note(batch, &files, FileEvent::StillThere, "probe", at(103))
        .await
        .unwrap();
    assert_eq!(still, 3, "what was found contradicts what was written");
    assert_eq!(
        world
            .ledger
            .note(batch, &[], FileEvent::Lost, "", at(104))
            .await
            .unwrap(),
        0
    );
    world.assert_clean().await;
}

async fn an_operator_sends_a_quarantined_file_round_again_with_a_clean_slate(world: World) {
    let batch = world.record_due(&["f1"]).await;
    let files = ids(&["f1"]);
    world.ledger.strike(batch, &files, 3, "refused").await.unwrap();
    world
        .ledger
        .note(batch, &files, FileEvent::GivenUp, "refused three times", at(1))
        .await
        .unwrap();
    let listed = world.ledger.quarantined(10).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].0.key.file.clone(), listed[0].1.as_str()),
        (id("f1"), "refused three times")
    );
    assert_eq!(
        world
            .ledger
            .note(batch, &files, FileEvent::Retried, "operator", at(2))
            .await
            .unwrap(),
        1
    );
    assert_eq!(world.state("f1").await, FileState::Live);
    assert_eq!(world.ledger.quarantined(10).await.unwrap(), Vec::new());
    assert_eq!(
        world.ledger.strike(batch, &files, 1, "refused").await.unwrap(),
        [(id("f1"), 1)]
    );
    world.assert_clean().await;
}

async fn an_operator_settles_a_quarantined_file_as_gone(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    let files = ids(&["f1", "f2"]);
    world
        .ledger
        .note(batch, &files[..1], FileEvent::GivenUp, "refused", at(1))
        .await
        .unwrap();
    assert_eq!(
        world
            .ledger
            .note(batch, &files, FileEvent::Resolved, "seen by hand", at(2))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        world.states(&["f1", "f2"]).await,
        [FileState::Gone, FileState::Live]
    );
    world.assert_clean().await;
}

async fn strikes_add_up_per_file(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    assert_eq!(world.ledger.strike(batch, &[], 1, "no").await.unwrap(), []);
    assert_eq!(
        world.ledger.strike(batch, &ids(&["f1"]), 1, "no").await.unwrap(),
        [(id("f1"), 1)]
    );
    let mut both = world
        .ledger
        .strike(batch, &ids(&["f2", "f1"]), 2, "no")
        .await
        .unwrap();
    both.sort();
    assert_eq!(both, [(id("f1"), 3), (id("f2"), 2)]);
}

async fn a_second_look_is_marked_once_on_the_last_attempt(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    let sweep = world.sweep().await;
    world.attempt(sweep, batch, &["f1"], FileEvent::Lost).await;
    let last = world
        .attempt(sweep, batch, &["f1", "f2"], FileEvent::Confirmed)
        .await;
    let absent = [(id("f1"), Finding::Absent), (id("f2"), Finding::Absent)];
    assert_eq!(world.ledger.verified(batch, &absent, at(110)).await.unwrap(), 2);
    assert_eq!(
        world.ledger.verified(batch, &absent, at(120)).await.unwrap(),
        0,
        "known already"
    );
    let history = world
        .ledger
        .history(&HistoryFilter {
            file: Some(id("f1")),
            limit: 9,
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(history[0].attempt, last);
    for file in &history[0].files {
        assert_eq!(
            (file.finding, file.verified_at),
            (Some(Finding::Absent), Some(at(110)))
        );
    }
    assert_eq!(history[1].files[0].finding, None);
    assert_eq!(
        world.states(&["f1", "f2"]).await,
        [FileState::Deleted, FileState::Deleted]
    );
    world.assert_clean().await;
}

async fn a_file_still_there_is_unknown_again(world: World) {
    let batch = world.record_due(&["f1", "f2", "f3"]).await;
    let sweep = world.sweep().await;
    world.attempt(sweep, batch, &["f1"], FileEvent::Confirmed).await;
    world.attempt(sweep, batch, &["f2"], FileEvent::FoundGone).await;
    let found = ["f1", "f2", "f3"].map(|name| (id(name), Finding::StillThere));
    assert_eq!(world.ledger.verified(batch, &found, at(110)).await.unwrap(), 2);
    assert_eq!(
        world.states(&["f1", "f2", "f3"]).await,
        [FileState::Unknown, FileState::Unknown, FileState::Live]
    );
    assert!(world.ledger.batch_is_live(batch).await.unwrap());
    world.claim(sweep, batch, &["f3"]).await;
    assert!(!world.ledger.batch_is_live(batch).await.unwrap());
    world.assert_clean().await;
}

async fn a_second_look_at_files_never_attempted_marks_nothing(world: World) {
    let batch = world.record_due(&["f1"]).await;
    world.record(&[hinted(file("b2", "f1"), "p", 0)]).await;
    let sweep = world.sweep().await;
    let other = world.batch("b2").await;
    world.attempt(sweep, other, &["f1"], FileEvent::Confirmed).await;
    assert_eq!(
        world
            .ledger
            .verified(batch, &[(id("f1"), Finding::Absent)], at(110))
            .await
            .unwrap(),
        0
    );
    assert_eq!(world.ledger.verified(batch, &[], at(110)).await.unwrap(), 0);
}

async fn deletions_without_a_second_look_are_listed(world: World) {
    let batch = world.record_due(&["f1", "f2", "f3", "f4"]).await;
    let sweep = world.sweep().await;
    world.attempt(sweep, batch, &["f4"], FileEvent::Confirmed).await;
    world
        .attempt(sweep, batch, &["f1", "f2"], FileEvent::Confirmed)
        .await;
    world.attempt(sweep, batch, &["f3"], FileEvent::FoundGone).await;
    let listed = async |since: i64, page: u32| -> Vec<String> {
        let found = world.ledger.unverified(at(since), page).await.unwrap();
        found
            .iter()
            .map(|file| file.key.file.as_str().to_owned())
            .collect()
    };
    assert_eq!(
        listed(101, 9).await,
        ["f4", "f1", "f2", "f3"],
        "settled at that very instant, gone ones too"
    );
    assert_eq!(listed(101, 2).await, ["f4", "f1"]);
    assert_eq!(listed(102, 9).await, Vec::<String>::new());
    let found = [(id("f4"), Finding::Absent), (id("f1"), Finding::StillThere)];
    world.ledger.verified(batch, &found, at(110)).await.unwrap();
    assert_eq!(listed(0, 9).await, ["f2", "f3"]);
}
