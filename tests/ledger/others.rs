//! `Others`: files that somebody else deleted.

use retentiond::ledger::Removed;
use retentiond::model::FileState;
use retentiond::outcome::FileEvent;

use crate::world::*;

for_every_backend![
    what_others_deleted_is_gone_and_what_we_are_deleting_is_left_to_its_own_answer,
    a_whole_batch_or_parent_takes_all_that_is_left_in_it,
    what_the_ledger_does_not_know_is_passed_over,
];

async fn what_others_deleted_is_gone_and_what_we_are_deleting_is_left_to_its_own_answer(world: World) {
    let names = ["live", "deleting", "unknown", "quarantined", "deleted", "other"];
    let batch = world.record_due(&names).await;
    let sweep = world.sweep().await;
    world.attempt(sweep, batch, &["unknown"], FileEvent::Lost).await;
    world
        .attempt(sweep, batch, &["quarantined"], FileEvent::GivenUp)
        .await;
    world
        .attempt(sweep, batch, &["deleted"], FileEvent::Confirmed)
        .await;
    let claim = world.claim(sweep, batch, &["deleting"]).await;
    let removed = Removed::Files {
        batch: batch_address("b1"),
        files: ids(&names[..5]),
    };
    let moved = world
        .ledger
        .gone_by_others(&removed, "deleteFiles by another client", at(5))
        .await
        .unwrap();
    assert_eq!(moved, 3);
    assert_eq!(
        world.states(&names).await,
        [
            FileState::Gone,
            FileState::Deleting,
            FileState::Gone,
            FileState::Gone,
            FileState::Deleted,
            FileState::Live
        ]
    );
    // The attempt under way can still be settled: its answer is the evidence.
    world
        .ledger
        .settle(
            claim.attempt.unwrap(),
            &settlement(&["deleting"], FileEvent::Confirmed),
        )
        .await
        .unwrap();
    let again = world.ledger.gone_by_others(&removed, "", at(6)).await.unwrap();
    assert_eq!(again, 0);
    world.assert_clean().await;
}

async fn a_whole_batch_or_parent_takes_all_that_is_left_in_it(world: World) {
    let rows = [
        hinted(file("b1", "f1"), "p", 1),
        hinted(file("b1", "f2"), "p", 1),
        hinted(file("b2", "f3"), "p", 1),
        hinted(file("b3", "f4"), "p", 1),
    ];
    world.record(&rows).await;
    let mark = async |removed| {
        world
            .ledger
            .gone_by_others(&removed, "others", at(5))
            .await
            .unwrap()
    };
    assert_eq!(mark(Removed::Batch(batch_address("b1"))).await, 2);
    assert_eq!(
        world.states(&["f1", "f3"]).await,
        [FileState::Gone, FileState::Live]
    );
    assert_eq!(mark(of_parent(batch_address("b2").parent)).await, 2);
    assert_eq!(
        world.states(&["f3", "f4"]).await,
        [FileState::Gone, FileState::Gone]
    );
    world.assert_clean().await;
}

async fn what_the_ledger_does_not_know_is_passed_over(world: World) {
    world.record_due(&["f1"]).await;
    let unknown = [
        Removed::Batch(batch_address("nowhere")),
        Removed::Files {
            batch: batch_address("b1"),
            files: ids(&["stranger"]),
        },
        of_parent(retentiond::model::Parent::Extraction(
            retentiond::model::ExtractionId::new("stranger").unwrap(),
        )),
    ];
    for removed in unknown {
        assert_eq!(
            world
                .ledger
                .gone_by_others(&removed, "others", at(5))
                .await
                .unwrap(),
            0
        );
    }
    assert_eq!(world.state("f1").await, FileState::Live);
}

fn of_parent(parent: retentiond::model::Parent) -> Removed {
    Removed::Parent {
        parent,
        account: None,
    }
}
