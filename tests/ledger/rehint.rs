//! `Rules`: hints of the rules in force.

use std::sync::Mutex;

use retentiond::ledger::LedgerError;
use retentiond::model::FileState;
use retentiond::outcome::FileEvent;
use retentiond::rules::policy::Hint;

use crate::world::*;

for_every_backend![
    an_empty_ledger_is_current_under_any_rules,
    changed_rules_decide_every_live_file_once,
    deciding_anew_goes_on_after_a_crash,
    only_live_and_unknown_files_are_decided_anew,
    files_recorded_under_other_rules_meanwhile_are_found,
    a_released_file_with_old_hints_is_found,
    rules_that_are_not_in_force_decide_nothing,
    the_old_rules_again_are_decided_again,
    a_caller_that_goes_away_undoes_its_page,
];

async fn an_empty_ledger_is_current_under_any_rules(world: World) {
    assert!(world.ledger.hints_are_current(&digest("one")).await.unwrap());
    assert!(
        world
            .ledger
            .adopt_rules(&digest("one"), "text", at(0))
            .await
            .unwrap()
    );
    let done = world
        .ledger
        .rehint(&digest("one"), 10, &|_| panic!("there is no file"))
        .await
        .unwrap();
    assert_eq!((done.seen, done.left), (0, 0));
}

async fn changed_rules_decide_every_live_file_once(world: World) {
    world.record_due(&["f1", "f2", "f3", "f4", "f5"]).await;
    assert!(world.ledger.hints_are_current(&digest("one")).await.unwrap());
    assert!(!world.ledger.hints_are_current(&digest("two")).await.unwrap());
    assert!(
        !world
            .ledger
            .adopt_rules(&digest("two"), "text", at(0))
            .await
            .unwrap()
    );
    let asked = Mutex::new(Vec::new());
    let decide = |file: &retentiond::model::FileRecord| {
        asked.lock().unwrap().push(file.key.file.as_str().to_owned());
        Hint {
            owner: None,
            due_at: Some(at(70)),
            deadline_at: None,
        }
    };
    for (seen, left) in [(2, 3), (2, 1), (1, 0), (0, 0)] {
        let done = world.ledger.rehint(&digest("two"), 2, &decide).await.unwrap();
        assert_eq!((done.seen, done.left), (seen, left));
    }
    let mut asked = asked.into_inner().unwrap();
    asked.sort();
    assert_eq!(asked, ["f1", "f2", "f3", "f4", "f5"]);
    let found = world.get("f3").await;
    assert_eq!(
        (found.owner, found.due_at, found.deadline_at),
        (None, Some(at(70)), None)
    );
    assert!(world.ledger.hints_are_current(&digest("two")).await.unwrap());
    assert!(!world.ledger.hints_are_current(&digest("one")).await.unwrap());
    assert_eq!(world.ledger.live(&policy("p")).await.unwrap(), 0);
    world.assert_clean().await;
}

async fn deciding_anew_goes_on_after_a_crash(world: World) {
    world.record_due(&["f1", "f2", "f3"]).await;
    world.ledger.adopt_rules(&digest("two"), "", at(0)).await.unwrap();
    world
        .ledger
        .rehint(&digest("two"), 2, &|_| hint("q", 9))
        .await
        .unwrap();
    let world = world.reopen().await;
    assert!(!world.ledger.adopt_rules(&digest("two"), "", at(1)).await.unwrap());
    let done = world
        .ledger
        .rehint(&digest("two"), 2, &|_| hint("q", 9))
        .await
        .unwrap();
    assert_eq!((done.seen, done.left), (1, 0));
    assert_eq!(world.ledger.live(&policy("q")).await.unwrap(), 3);
    world.assert_clean().await;
}

async fn only_live_and_unknown_files_are_decided_anew(world: World) {
    let batch = world.record_due(&["f1", "f2", "f3", "f4", "f5"]).await;
    let sweep = world.sweep().await;
    world.attempt(sweep, batch, &["f1"], FileEvent::Confirmed).await;
    world.attempt(sweep, batch, &["f2"], FileEvent::Lost).await;
    world.attempt(sweep, batch, &["f3"], FileEvent::GivenUp).await;
    world.claim(sweep, batch, &["f4"]).await;
    world.ledger.adopt_rules(&digest("two"), "", at(0)).await.unwrap();
    let done = world
        .ledger
        .rehint(&digest("two"), 10, &|_| hint("q", 9))
        .await
        .unwrap();
    assert_eq!((done.seen, done.left), (2, 0));
    for (name, owner) in [("f1", "p"), ("f2", "q"), ("f3", "p"), ("f4", "p"), ("f5", "q")] {
        assert_eq!(world.get(name).await.owner, Some(policy(owner)), "{name}");
    }
    world.assert_clean().await;
}

async fn files_recorded_under_other_rules_meanwhile_are_found(world: World) {
    world.record_due(&["f5"]).await;
    world.ledger.adopt_rules(&digest("two"), "", at(0)).await.unwrap();
    assert_eq!(
        world
            .ledger
            .rehint(&digest("two"), 10, &|_| hint("q", 9))
            .await
            .unwrap()
            .left,
        0
    );
    // Another process, which still knows the old rules; before the cursor.
    world.record_due(&["f1", "f2"]).await;
    assert!(!world.ledger.hints_are_current(&digest("two")).await.unwrap());
    let done = world
        .ledger
        .rehint(&digest("two"), 10, &|_| hint("q", 9))
        .await
        .unwrap();
    assert_eq!((done.seen, done.left), (2, 0));
    world.assert_clean().await;
}

async fn a_released_file_with_old_hints_is_found(world: World) {
    let batch = world.record_due(&["f1"]).await;
    let sweep = world.sweep().await;
    let attempt = world.claim(sweep, batch, &["f1"]).await.attempt.unwrap();
    assert!(
        world.ledger.adopt_rules(&digest("two"), "", at(0)).await.unwrap(),
        "none is live"
    );
    world
        .ledger
        .settle(attempt, &settlement(&["f1"], FileEvent::Released))
        .await
        .unwrap();
    assert!(!world.ledger.hints_are_current(&digest("two")).await.unwrap());
    assert_eq!(
        world
            .ledger
            .rehint(&digest("two"), 10, &|_| hint("q", 9))
            .await
            .unwrap()
            .left,
        0
    );
    assert_eq!(world.get("f1").await.owner, Some(policy("q")));
    world.assert_clean().await;
}

async fn rules_that_are_not_in_force_decide_nothing(world: World) {
    world.record_due(&["f1"]).await;
    let never = world
        .ledger
        .rehint(&digest("two"), 10, &|_| hint("q", 9))
        .await
        .unwrap_err();
    assert!(matches!(never, LedgerError::Conflict { .. }), "{never}");
    world.ledger.adopt_rules(&digest("two"), "", at(0)).await.unwrap();
    world
        .ledger
        .adopt_rules(&digest("three"), "", at(1))
        .await
        .unwrap();
    let older = world
        .ledger
        .rehint(&digest("two"), 10, &|_| hint("q", 9))
        .await
        .unwrap_err();
    assert!(matches!(older, LedgerError::Conflict { .. }), "{older}");
    assert_eq!(world.get("f1").await.owner, Some(policy("p")));
}

async fn the_old_rules_again_are_decided_again(world: World) {
    world.record_due(&["f1", "f2"]).await;
    for (name, owner) in [("two", "q"), ("one", "p"), ("two", "q")] {
        assert!(!world.ledger.adopt_rules(&digest(name), "", at(0)).await.unwrap());
        let done = world
            .ledger
            .rehint(&digest(name), 10, &|_| hint(owner, 9))
            .await
            .unwrap();
        assert_eq!((done.seen, done.left), (2, 0));
        assert_eq!(world.ledger.live(&policy(owner)).await.unwrap(), 2);
    }
    world.assert_clean().await;
}

async fn a_caller_that_goes_away_undoes_its_page(world: World) {
    world.record_due(&["f1", "f2"]).await;
    world.ledger.adopt_rules(&digest("two"), "", at(0)).await.unwrap();
    let two = digest("two");
    let caller = tokio::spawn({
        let ledger = std::sync::Arc::clone(&world.ledger);
        async move {
            ledger
                .rehint(&two, 10, &|_| panic!("the caller fails while it is asked"))
                .await
        }
    });
    assert!(caller.await.unwrap_err().is_panic());
    assert_eq!(world.get("f1").await.owner, Some(policy("p")));
    assert_eq!(world.state("f1").await, FileState::Live);
    let done = world
        .ledger
        .rehint(&digest("two"), 10, &|_| hint("q", 9))
        .await
        .unwrap();
    assert_eq!(done.left, 0);
    world.assert_clean().await;
}
