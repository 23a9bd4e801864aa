//! `Claims::settle` and `recover_orphans`: the outcome.

use retentiond::ledger::{HistoryFilter, LedgerError, Settlement};
use retentiond::model::{AttemptId, FileState};
use retentiond::outcome::FileEvent;

use crate::world::*;

for_every_backend![
    each_file_moves_as_its_event_says,
    an_illegal_transition_rolls_back_everything,
    an_attempt_is_settled_once,
    the_same_outcome_once_more_changes_nothing_and_is_no_conflict,
    a_settlement_names_every_file_of_its_attempt,
    a_file_of_another_attempt_is_refused,
    orphans_of_a_crash_become_unknown,
    without_a_crash_there_are_no_orphans,
    an_outcome_survives_a_crash,
];

fn mixed(files: &[(&str, FileEvent)]) -> Settlement {
    Settlement {
        at: at(101),
        outcome: "confirmed",
        http_status: Some(200),
        detail: Some("fine".to_owned()),
        files: files.iter().map(|(name, event)| (id(name), *event)).collect(),
    }
}

async fn each_file_moves_as_its_event_says(world: World) {
    let batch = world.record_due(&["f1", "f2", "f3", "f4", "f5"]).await;
    let sweep = world.sweep().await;
    let attempt = world
        .claim(sweep, batch, &["f1", "f2", "f3", "f4", "f5"])
        .await
        .attempt
        .unwrap();
    let events = [
        ("f1", FileEvent::Confirmed),
        ("f2", FileEvent::FoundGone),
        ("f3", FileEvent::Lost),
        ("f4", FileEvent::Released),
        ("f5", FileEvent::GivenUp),
    ];
    world.ledger.settle(attempt, &mixed(&events)).await.unwrap();
    let expected = [
        FileState::Deleted,
        FileState::Gone,
        FileState::Unknown,
        FileState::Live,
        FileState::Quarantined,
    ];
    assert_eq!(world.states(&["f1", "f2", "f3", "f4", "f5"]).await, expected);
    let history = world
        .ledger
        .history(&HistoryFilter {
            limit: 1,
            ..Default::default()
        })
        .await
        .unwrap();
    let settled = &history[0];
    assert_eq!(settled.settled_at, Some(at(101)));
    assert_eq!(settled.outcome.as_deref(), Some("confirmed"));
    assert_eq!(
        (settled.http_status, settled.detail.as_deref()),
        (Some(200), Some("fine"))
    );
    assert_eq!(
        settled
            .files
            .iter()
            .map(|f| f.result.unwrap())
            .collect::<Vec<_>>(),
        expected
    );
    world.assert_clean().await;
}

async fn an_illegal_transition_rolls_back_everything(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    let sweep = world.sweep().await;
    let attempt = world.claim(sweep, batch, &["f1", "f2"]).await.attempt.unwrap();
    let illegal = mixed(&[("f1", FileEvent::Confirmed), ("f2", FileEvent::Retried)]);
    let refused = world.ledger.settle(attempt, &illegal).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Transition(_)), "{refused}");
    assert_eq!(
        world.states(&["f1", "f2"]).await,
        [FileState::Deleting, FileState::Deleting]
    );
    let history = world
        .ledger
        .history(&HistoryFilter {
            limit: 1,
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(history[0].settled_at, None);
    world
        .ledger
        .settle(attempt, &settlement(&["f1", "f2"], FileEvent::Confirmed))
        .await
        .unwrap();
    world.assert_clean().await;
}

async fn the_same_outcome_once_more_changes_nothing_and_is_no_conflict(world: World) {
    let batch = world.record_due(&["f1", "f2", "f3"]).await;
    let sweep = world.sweep().await;
    let attempt = world.claim(sweep, batch, &["f1", "f2"]).await.attempt.unwrap();
    let told = mixed(&[("f2", FileEvent::Confirmed), ("f1", FileEvent::FoundGone)]);
    world.ledger.settle(attempt, &told).await.unwrap();
    let size = world.ledger.tree().await.unwrap().size;
    // Its commit was done, and whoever asked for it has not heard.
    world.ledger.settle(attempt, &told).await.unwrap();
    assert_eq!(
        world.states(&["f1", "f2"]).await,
        [FileState::Gone, FileState::Deleted]
    );
    assert_eq!(world.ledger.tree().await.unwrap().size, size);
    let later = Settlement {
        at: at(102),
        ..told.clone()
    };
    let other = Settlement {
        detail: None,
        ..told.clone()
    };
    let files = mixed(&[("f1", FileEvent::Confirmed), ("f2", FileEvent::Confirmed)]);
    let fewer = mixed(&[("f1", FileEvent::FoundGone)]);
    for another in [later, other, files, fewer] {
        let refused = world.ledger.settle(attempt, &another).await.unwrap_err();
        assert!(matches!(refused, LedgerError::Conflict { .. }), "{refused}");
    }
    // An outcome that somebody else has written is not ours, whatever it says.
    let attempt = world.claim(sweep, batch, &["f3"]).await.attempt.unwrap();
    assert_eq!(world.ledger.recover_orphans(at(101)).await.unwrap(), 1);
    let lost = Settlement {
        outcome: "unknown",
        http_status: None,
        detail: Some("timed out".to_owned()),
        ..settlement(&["f3"], FileEvent::Lost)
    };
    let refused = world.ledger.settle(attempt, &lost).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Conflict { .. }), "{refused}");
    world.assert_clean().await;
}

async fn an_attempt_is_settled_once(world: World) {
    let batch = world.record_due(&["f1"]).await;
    let sweep = world.sweep().await;
    let attempt = world.attempt(sweep, batch, &["f1"], FileEvent::Lost).await;
    let refused = world
        .ledger
        .settle(attempt, &settlement(&["f1"], FileEvent::Confirmed))
        .await
        .unwrap_err();
    assert!(matches!(refused, LedgerError::Conflict { .. }), "{refused}");
    assert_eq!(world.state("f1").await, FileState::Unknown);
    let unknown = world
        .ledger
        .settle(AttemptId(99), &settlement(&["f1"], FileEvent::Confirmed))
        .await;
    assert!(matches!(unknown, Err(LedgerError::Conflict { .. })));
}

async fn a_settlement_names_every_file_of_its_attempt(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    let sweep = world.sweep().await;
    let attempt = world.claim(sweep, batch, &["f1", "f2"]).await.attempt.unwrap();
    let refused = world
        .ledger
        .settle(attempt, &settlement(&["f1"], FileEvent::Confirmed))
        .await
        .unwrap_err();
    assert!(matches!(refused, LedgerError::Conflict { .. }), "{refused}");
    assert_eq!(world.state("f1").await, FileState::Deleting);
}

async fn a_file_of_another_attempt_is_refused(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    let sweep = world.sweep().await;
    let one = world.claim(sweep, batch, &["f1"]).await.attempt.unwrap();
    world.claim(sweep, batch, &["f2"]).await;
    let refused = world
        .ledger
        .settle(one, &settlement(&["f1", "f2"], FileEvent::Confirmed))
        .await
        .unwrap_err();
    assert!(matches!(refused, LedgerError::Conflict { .. }), "{refused}");
    assert_eq!(
        world.states(&["f1", "f2"]).await,
        [FileState::Deleting, FileState::Deleting]
    );
}

async fn orphans_of_a_crash_become_unknown(world: World) {
    let batch = world.record_due(&["f1", "f2", "f3", "f4"]).await;
    let sweep = world.sweep().await;
    world.attempt(sweep, batch, &["f1"], FileEvent::Confirmed).await;
    world.claim(sweep, batch, &["f2"]).await;
    world.claim(sweep, batch, &["f3"]).await;
    let world = world.reopen().await;
    assert_eq!(world.ledger.recover_orphans(at(102)).await.unwrap(), 2);
    assert_eq!(
        world.states(&["f1", "f2", "f3", "f4"]).await,
        [
            FileState::Deleted,
            FileState::Unknown,
            FileState::Unknown,
            FileState::Live
        ]
    );
    let history = world
        .ledger
        .history(&HistoryFilter {
            limit: 2,
            ..Default::default()
        })
        .await
        .unwrap();
    for attempt in history {
        assert_eq!(attempt.outcome.as_deref(), Some("unknown"));
        assert_eq!(attempt.detail.as_deref(), Some("interrupted"));
        assert_eq!(attempt.settled_at, Some(at(102)));
        assert_eq!(attempt.files[0].result, Some(FileState::Unknown));
    }
    world.assert_clean().await;
}

async fn without_a_crash_there_are_no_orphans(world: World) {
    let batch = world.record_due(&["f1"]).await;
    let sweep = world.sweep().await;
    world.attempt(sweep, batch, &["f1"], FileEvent::Lost).await;
    assert_eq!(world.ledger.recover_orphans(at(102)).await.unwrap(), 0);
    assert_eq!(world.ledger.recover_orphans(at(103)).await.unwrap(), 0);
    let history = world
        .ledger
        .history(&HistoryFilter {
            limit: 2,
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(history[0].settled_at, Some(at(101)));
}

async fn an_outcome_survives_a_crash(world: World) {
    let batch = world.record_due(&["f1"]).await;
    let sweep = world.sweep().await;
    world.attempt(sweep, batch, &["f1"], FileEvent::Confirmed).await;
    let world = world.reopen().await;
    assert_eq!(world.state("f1").await, FileState::Deleted);
    assert_eq!(world.ledger.recover_orphans(at(102)).await.unwrap(), 0);
    world.assert_clean().await;
}
