//! `Claims::claim`: the intent.

use std::sync::atomic::{AtomicUsize, Ordering};

use retentiond::ledger::{HistoryFilter, LedgerError, Opened};
use retentiond::model::{
    AttemptKind, FileRecord, FileState, HoldScope, Holds, NewHold, SweepState, SweepSummary,
};
use retentiond::outcome::FileEvent;

use crate::world::*;

for_every_backend![
    a_claim_moves_its_files_and_writes_the_attempt,
    a_hold_placed_between_plan_and_claim_wins,
    a_file_that_is_not_permitted_stays_as_it_is,
    when_nothing_is_permitted_nothing_is_written,
    only_live_and_unknown_files_can_be_claimed,
    permit_sees_the_file_as_it_is_now,
    the_budget_stops_before_the_first_file_too_many,
    the_budget_counts_over_restarts,
    a_file_sent_again_and_a_released_one_cost_nothing,
    copies_do_not_count,
    a_sweep_that_is_not_open_claims_nothing,
    a_list_that_names_a_file_twice_is_refused,
    two_claims_of_one_file_at_once_give_it_to_one,
    a_claim_whose_caller_goes_away_leaves_nothing_half_done,
];

async fn a_claim_moves_its_files_and_writes_the_attempt(world: World) {
    let batch = world.record_due(&["f1", "f2", "f3"]).await;
    let sweep = world.sweep().await;
    let claim = world.claim(sweep, batch, &["f3", "f1"]).await;
    assert_eq!(claim.files, ids(&["f3", "f1"]));
    assert_eq!(claim.kept, Vec::new());
    assert_eq!(
        world.states(&["f1", "f2", "f3"]).await,
        [FileState::Deleting, FileState::Live, FileState::Deleting]
    );
    let history = world
        .ledger
        .history(&HistoryFilter {
            limit: 9,
            ..HistoryFilter::default()
        })
        .await
        .unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(Some(history[0].attempt), claim.attempt);
    assert_eq!(
        (history[0].sweep, history[0].call),
        (sweep, AttemptKind::DeleteFiles)
    );
    assert_eq!((history[0].intent_at, history[0].settled_at), (at(100), None));
    assert_eq!(history[0].batch, batch_address("b1"));
    assert!(history[0].files.iter().all(|file| file.result.is_none()));
    world.assert_clean().await;
}

async fn a_hold_placed_between_plan_and_claim_wins(world: World) {
    let names: Vec<String> = (0..100).map(|n| format!("f{n:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let batch = world.record_due(&names).await;
    let sweep = world.sweep().await;
    let planned = world.ledger.due(&policy("p"), at(200), None, 100).await.unwrap();
    assert_eq!(planned.len(), 100);
    let hold = NewHold {
        scope: HoldScope::File(id("f042")),
        reason: "litigation".to_owned(),
        reference: None,
        owner: None,
        review_by: None,
    };
    world.ledger.add_hold(&hold, at(100)).await.unwrap();

    let files = ids(&names);
    let asked = request(sweep, batch, &files, 1000);
    let permit = |file: &FileRecord, holds: &Holds| match holds.covering(file, file.owner.as_ref(), at(100)) {
        Some(hold) => Err(format!("hold {}", hold.id.0)),
        None => Ok(()),
    };
    let claim = world.ledger.claim(&asked, &permit).await.unwrap();
    assert_eq!(claim.files.len(), 99);
    assert_eq!(claim.kept, [(id("f042"), "hold 1".to_owned())]);
    assert_eq!(world.state("f042").await, FileState::Live);
    world.assert_clean().await;
}

async fn a_file_that_is_not_permitted_stays_as_it_is(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    let sweep = world.sweep().await;
    let files = ids(&["f1", "f2"]);
    let claim = world
        .ledger
        .claim(&request(sweep, batch, &files, 10), &|file, _| {
            if file.key.file == id("f1") {
                Err("not yet due".to_owned())
            } else {
                Ok(())
            }
        })
        .await
        .unwrap();
    assert_eq!(claim.files, ids(&["f2"]));
    assert_eq!(claim.kept, [(id("f1"), "not yet due".to_owned())]);
    assert_eq!(
        world.states(&["f1", "f2"]).await,
        [FileState::Live, FileState::Deleting]
    );
}

async fn when_nothing_is_permitted_nothing_is_written(world: World) {
    let batch = world.record_due(&["f1"]).await;
    let sweep = world.sweep().await;
    let files = ids(&["f1"]);
    let claim = world
        .ledger
        .claim(&request(sweep, batch, &files, 10), &|_, _| Err("no".to_owned()))
        .await
        .unwrap();
    assert_eq!((claim.attempt, claim.files.len(), claim.kept.len()), (None, 0, 1));
    let empty = world.claim(sweep, batch, &[]).await;
    assert_eq!((empty.attempt, empty.kept.len()), (None, 0));
    assert_eq!(
        world
            .ledger
            .history(&HistoryFilter {
                limit: 9,
                ..Default::default()
            })
            .await
            .unwrap(),
        []
    );
    assert_eq!(world.state("f1").await, FileState::Live);
}

async fn only_live_and_unknown_files_can_be_claimed(world: World) {
    let names = ["f1", "f2", "f3", "f4", "f5", "f6"];
    let batch = world.record_due(&names).await;
    let sweep = world.sweep().await;
    world.attempt(sweep, batch, &["f1"], FileEvent::Confirmed).await;
    world.attempt(sweep, batch, &["f2"], FileEvent::FoundGone).await;
    world.attempt(sweep, batch, &["f3"], FileEvent::Lost).await;
    world.attempt(sweep, batch, &["f4"], FileEvent::GivenUp).await;
    world.claim(sweep, batch, &["f5"]).await;
    let claim = world
        .claim(sweep, batch, &["f1", "f2", "f3", "f4", "f5", "f6", "stranger"])
        .await;
    assert_eq!(claim.files, ids(&["f3", "f6"]));
    let kept: Vec<_> = claim
        .kept
        .iter()
        .map(|(file, why)| format!("{file}: {why}"))
        .collect();
    assert_eq!(
        kept,
        [
            "stranger: the ledger does not know it",
            "f1: it is deleted",
            "f2: it is gone",
            "f4: it is quarantined",
            "f5: it is deleting"
        ]
    );
    world.assert_clean().await;
}

async fn permit_sees_the_file_as_it_is_now(world: World) {
    let batch = world.record_due(&["f1"]).await;
    let sweep = world.sweep().await;
    world
        .record(&[hinted(
            retentiond::model::NewFile {
                uploaded_at: at(0),
                ..file("b1", "f1")
            },
            "p",
            50,
        )])
        .await;
    let asked = AtomicUsize::new(0);
    let files = ids(&["f1"]);
    world
        .ledger
        .claim(&request(sweep, batch, &files, 10), &|file, holds| {
            asked.fetch_add(1, Ordering::Relaxed);
            assert_eq!((file.uploaded_at, file.due_at), (at(0), Some(at(50))));
            assert!(holds.covering(file, None, at(0)).is_none());
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

async fn the_budget_stops_before_the_first_file_too_many(world: World) {
    let batch = world.record_due(&["f1", "f2", "f3", "f4"]).await;
    let sweep = world.sweep().await;
    world.try_claim(sweep, batch, &["f1", "f2"], 3).await.unwrap();
    let refused = world.try_claim(sweep, batch, &["f3", "f4"], 3).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Conflict { .. }), "{refused}");
    assert_eq!(
        world.states(&["f3", "f4"]).await,
        [FileState::Live, FileState::Live]
    );
    assert_eq!(
        world
            .try_claim(sweep, batch, &["f3"], 3)
            .await
            .unwrap()
            .files
            .len(),
        1
    );
    world.try_claim(sweep, batch, &["f4"], 3).await.unwrap_err();
    world.assert_clean().await;
}

async fn the_budget_counts_over_restarts(world: World) {
    let batch = world.record_due(&["f1", "f2", "f3"]).await;
    let scheduled = open("p", Some(at(100)));
    let Opened::New(sweep) = world.ledger.open_sweep(&scheduled).await.unwrap() else {
        panic!("new")
    };
    world.try_claim(sweep, batch, &["f1", "f2"], 2).await.unwrap();
    let world = world.reopen().await;
    world.ledger.recover_orphans(at(101)).await.unwrap();
    assert_eq!(
        world.ledger.open_sweep(&scheduled).await.unwrap(),
        Opened::Resumed { sweep, sent: 2 }
    );
    world.try_claim(sweep, batch, &["f3"], 2).await.unwrap_err();
    assert_eq!(world.state("f3").await, FileState::Live);
    world.assert_clean().await;
}

async fn a_file_sent_again_and_a_released_one_cost_nothing(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    let sweep = world.sweep().await;
    let budget = 1;
    let first = world
        .try_claim(sweep, batch, &["f1"], budget)
        .await
        .unwrap()
        .attempt
        .unwrap();
    world
        .ledger
        .settle(first, &settlement(&["f1"], FileEvent::Lost))
        .await
        .unwrap();
    let again = world
        .try_claim(sweep, batch, &["f1"], budget)
        .await
        .unwrap()
        .attempt
        .unwrap();
    world
        .ledger
        .settle(again, &settlement(&["f1"], FileEvent::Released))
        .await
        .unwrap();
    world
        .try_claim(sweep, batch, &["f2"], budget)
        .await
        .expect_err("f1 was sent, released or not later");

    let other = world.sweep().await;
    let released = world
        .try_claim(other, batch, &["f1"], budget)
        .await
        .unwrap()
        .attempt
        .unwrap();
    world
        .ledger
        .settle(released, &settlement(&["f1"], FileEvent::Released))
        .await
        .unwrap();
    assert_eq!(
        world
            .try_claim(other, batch, &["f2"], budget)
            .await
            .unwrap()
            .files,
        ids(&["f2"])
    );
    world.assert_clean().await;
}

async fn copies_do_not_count(world: World) {
    let batch = world.record_due(&["f1"]).await;
    world.record(&[hinted(copy("c1", "f1"), "p", 0)]).await;
    let sweep = world.sweep().await;
    let extraction = world.get("c1").await.key.batch;
    let copies = ids(&["c1"]);
    let mut asked = request(sweep, extraction, &copies, 1);
    asked.kind = AttemptKind::DeleteExtraction;
    let claim = world.ledger.claim(&asked, &|_, _| Ok(())).await.unwrap();
    assert_eq!(claim.files, copies);
    assert_eq!(
        world.try_claim(sweep, batch, &["f1"], 1).await.unwrap().files,
        ids(&["f1"])
    );
    let history = world
        .ledger
        .history(&HistoryFilter {
            limit: 9,
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(history[1].call, AttemptKind::DeleteExtraction);
    world.assert_clean().await;
}

async fn a_sweep_that_is_not_open_claims_nothing(world: World) {
    let batch = world.record_due(&["f1"]).await;
    let sweep = world.sweep().await;
    world
        .ledger
        .close_sweep(sweep, SweepState::Done, &SweepSummary::default(), at(1))
        .await
        .unwrap();
    let refused = world.try_claim(sweep, batch, &["f1"], 10).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Conflict { .. }), "{refused}");
    assert_eq!(world.state("f1").await, FileState::Live);
}

async fn a_list_that_names_a_file_twice_is_refused(world: World) {
    let batch = world.record_due(&["f1"]).await;
    let sweep = world.sweep().await;
    let refused = world
        .try_claim(sweep, batch, &["f1", "f1"], 10)
        .await
        .unwrap_err();
    assert!(matches!(refused, LedgerError::Conflict { .. }), "{refused}");
    assert_eq!(world.state("f1").await, FileState::Live);
}

async fn two_claims_of_one_file_at_once_give_it_to_one(world: World) {
    let batch = world.record_due(&["f1"]).await;
    let sweep = world.sweep().await;
    let (one, two) = tokio::join!(
        world.claim(sweep, batch, &["f1"]),
        world.claim(sweep, batch, &["f1"])
    );
    assert_eq!(one.files.len() + two.files.len(), 1);
    assert_eq!(one.kept.len() + two.kept.len(), 1);
    world.assert_clean().await;
}

async fn a_claim_whose_caller_goes_away_leaves_nothing_half_done(world: World) {
    let names: Vec<String> = (0..20).map(|n| format!("f{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let batch = world.record_due(&names).await;
    let sweep = world.sweep().await;
    // Dropped after its first, second, … poll: some before the question, some after the answer.
    for (polls, name) in names.iter().enumerate() {
        let files = ids(&[name]);
        let asked = request(sweep, batch, &files, 1000);
        let mut claim = Box::pin(world.ledger.claim(&asked, &|_, _| Ok(())));
        for _ in 0..polls {
            let done = std::future::poll_fn(|cx| std::task::Poll::Ready(claim.as_mut().poll(cx).is_ready()));
            if done.await {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    // Whatever was begun is over once the next write has its turn.
    world.ledger.set_setting("after", Some("all")).await.unwrap();
    let open = world
        .ledger
        .history(&HistoryFilter {
            limit: 99,
            ..Default::default()
        })
        .await
        .unwrap();
    let mut deleting = 0;
    for state in world.states(&names).await {
        assert!(matches!(state, FileState::Live | FileState::Deleting));
        deleting += usize::from(state == FileState::Deleting);
    }
    assert_eq!(open.len(), deleting);
    world.assert_clean().await;
    assert_eq!(
        world.ledger.recover_orphans(at(200)).await.unwrap(),
        deleting as u64
    );
    world.assert_clean().await;
}
