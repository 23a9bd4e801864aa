//! `Recovery`: what an older copy lacks, leaf by leaf.

use retentiond::evidence::{Hash, LostFact, LostLeaf};
use retentiond::ledger::{BroughtBack, HistoryFilter, LedgerError, LostLine};
use retentiond::model::{
    AttemptKind, ErasureScope, FileState, Finding, HoldScope, NewErasure, NewHold, SweepState, Trigger,
};

use crate::world::*;

for_every_backend![
    what_is_brought_back_has_the_times_of_then_and_outlives_a_crash,
    a_recovery_wants_a_ledger_in_doubt_one_line_and_every_leaf_in_order,
    a_request_and_its_outcome_come_together_or_not_at_all,
    what_was_done_again_by_hand_is_left_alone,
    a_request_that_was_verified_is_closed_again_only_where_its_files_are_gone,
    a_move_is_made_only_where_it_leads_where_it_led,
];

fn line(size: u64) -> LostLine {
    LostLine {
        size,
        root: Hash([1; 32]),
        common: 3,
        until: size,
    }
}

/// Leaves from 3 on, an hour apart from hour 100 on.
fn lost(facts: Vec<LostFact>) -> Vec<LostLeaf> {
    let leaves = facts.into_iter().enumerate().map(|(place, fact)| LostLeaf {
        seq: 3 + place as u64,
        at: at(100 + place as i64),
        hash: Hash([place as u8; 32]),
        kind: "told".to_owned(),
        fact,
    });
    leaves.collect()
}

fn opened(sweep: i64) -> LostFact {
    LostFact::SweepOpened {
        sweep,
        policy: policy("p"),
        occurrence: Some(at(99)),
        trigger: Trigger::Schedule,
        rules: "one".to_owned(),
        resumed: false,
    }
}

fn intent(attempt: i64, sweep: i64, names: &[&str]) -> LostFact {
    LostFact::Intent {
        attempt,
        sweep,
        call: AttemptKind::DeleteFiles,
        files: names.iter().map(|name| address("b1", name)).collect(),
    }
}

fn outcome(attempt: i64, files: &[(&str, FileState)]) -> LostFact {
    let files = files.iter().map(|(name, to)| (address("b1", name), *to));
    LostFact::Outcome {
        attempt,
        outcome: "confirmed".to_owned(),
        http_status: Some(200),
        files: files.collect(),
    }
}

fn hold(number: i64, name: &str) -> LostFact {
    LostFact::Hold {
        hold: number,
        new: NewHold {
            scope: HoldScope::File(id(name)),
            reason: "litigation".to_owned(),
            reference: None,
            owner: None,
            review_by: Some(at(999)),
        },
    }
}

fn asked(number: i64, name: &str) -> LostFact {
    LostFact::ErasureRequest {
        erasure: number,
        new: NewErasure {
            scope: ErasureScope::File(id(name)),
            reference: "DSR-1".to_owned(),
            received: "2026-05-01".parse().unwrap(),
        },
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T, LedgerError>) -> String {
    match result {
        Err(LedgerError::Conflict { what, problem }) => format!("{what}: {problem}"),
        other => panic!("{other:?}"),
    }
}

async fn what_is_brought_back_has_the_times_of_then_and_outlives_a_crash(world: World) {
    let batch = world.record_due(&["f1", "f2", "f3", "f4"]).await;
    // Since the backup came back: a sweep that takes the number of a lost one.
    let since = world.sweep().await;
    world.doubt().await;
    let lost = lost(vec![
        opened(since.0),
        intent(1, since.0, &["f1", "f2", "nobody-knows"]),
        outcome(
            1,
            &[
                ("f1", FileState::Deleted),
                ("f2", FileState::Gone),
                ("nobody-knows", FileState::Deleted),
            ],
        ),
        LostFact::Verification {
            absent: vec![address("b1", "f1")],
            still_there: Vec::new(),
        },
        LostFact::SweepClosed {
            sweep: since.0,
            state: SweepState::Done,
            sent: 2,
        },
        hold(1, "f3"),
        LostFact::Release {
            hold: 1,
            reason: "over".to_owned(),
            ends_at: at(300),
        },
        LostFact::Other,
    ]);
    let begun = world.ledger.begin_recovery(&line(11), at(500)).await.unwrap();
    assert_eq!(begun.next, 3);
    let first = world.ledger.bring_back(&lost[..3], at(500)).await.unwrap();
    assert_eq!(
        (first.leaves, first.attempts, first.ended, first.strangers),
        (3, 1, 2, 1)
    );
    let world = world.reopen().await;
    let begun = world.ledger.begin_recovery(&line(11), at(501)).await.unwrap();
    assert_eq!(begun.next, 6, "it goes on where it was");
    refused(world.ledger.bring_back(&lost[..3], at(501)).await);
    world.ledger.bring_back(&lost[3..], at(501)).await.unwrap();
    let done = world.ledger.finish_recovery(at(502)).await.unwrap();
    let expected = BroughtBack {
        leaves: 8,
        holds: 1,
        releases: 1,
        attempts: 1,
        ended: 2,
        strangers: 1,
        ..BroughtBack::default()
    };
    assert_eq!(done, expected);
    assert_eq!(world.ledger.recovery().await.unwrap(), None);
    assert_eq!(world.ledger.rollback().await.unwrap(), None);

    assert_eq!(
        world.states(&["f1", "f2", "f3"]).await,
        [FileState::Deleted, FileState::Gone, FileState::Live]
    );
    let filter = HistoryFilter {
        file: Some(id("f1")),
        limit: 9,
        ..HistoryFilter::default()
    };
    let history = world.ledger.history(&filter).await.unwrap();
    let [attempt] = &history[..] else {
        panic!("{history:?}")
    };
    assert_eq!((attempt.intent_at, attempt.settled_at), (at(101), Some(at(102))));
    assert_ne!(attempt.sweep, since, "the number is taken");
    let f1 = attempt
        .files
        .iter()
        .find(|file| file.file_id == id("f1"))
        .unwrap();
    assert_eq!(
        (f1.verified_at, f1.finding),
        (Some(at(103)), Some(Finding::Absent))
    );
    let sweep = world.ledger.sweep(attempt.sweep).await.unwrap().unwrap();
    assert_eq!((sweep.state, sweep.occurrence), (SweepState::Done, Some(at(99))));
    assert_eq!((sweep.started_at, sweep.ended_at), (at(100), Some(at(104))));
    assert_eq!(
        (sweep.summary.sent, sweep.summary.deleted, sweep.summary.gone),
        (2, 1, 1)
    );
    let holds = world.ledger.holds(None).await.unwrap();
    assert_eq!(
        (holds[0].placed_at, holds[0].released_at, holds[0].ends_at),
        (at(105), Some(at(106)), Some(at(300)))
    );

    let fork = world.ledger.forks().await.unwrap().remove(0);
    assert_eq!(
        (fork.common, fork.size, fork.root, fork.until),
        (3, 11, Hash([1; 32]), 11)
    );
    let leaves = world.ledger.leaves(0, 100).await.unwrap();
    let hashes: Vec<_> = leaves.iter().filter(|leaf| leaf.kind == "brought-back").collect();
    assert_eq!(hashes.len(), 8);
    assert!(
        hashes[7]
            .content
            .as_ref()
            .unwrap()
            .contains(&Hash([7; 32]).to_string())
    );
    let states = world.ledger.states(batch, &ids(&["f4"])).await.unwrap();
    assert_eq!(states[0].1, FileState::Live);
    world.assert_clean().await;
}

async fn a_recovery_wants_a_ledger_in_doubt_one_line_and_every_leaf_in_order(world: World) {
    world.record_due(&["f1"]).await;
    let said = refused(world.ledger.begin_recovery(&line(5), at(1)).await);
    assert!(said.contains("older copy"), "{said}");
    world.doubt().await;
    refused(world.ledger.bring_back(&lost(vec![hold(1, "f1")]), at(1)).await);
    refused(world.ledger.finish_recovery(at(1)).await);
    world.ledger.begin_recovery(&line(5), at(1)).await.unwrap();
    let other = LostLine {
        root: Hash([9; 32]),
        ..line(5)
    };
    assert!(refused(world.ledger.begin_recovery(&other, at(1)).await).contains("go on with that one"));
    let lost = lost(vec![hold(1, "f1"), hold(2, "f1"), hold(3, "f1")]);
    refused(world.ledger.bring_back(&lost[1..2], at(2)).await);
    refused(world.ledger.bring_back(&lost, at(2)).await);
    assert_eq!(world.ledger.holds(None).await.unwrap(), [], "all or none");
    world.ledger.bring_back(&lost[..1], at(2)).await.unwrap();
    let said = refused(world.ledger.finish_recovery(at(3)).await);
    assert!(said.contains("1 leaves are missing"), "{said}");
    assert!(world.ledger.rollback().await.unwrap().is_some());
    world.ledger.bring_back(&lost[1..2], at(3)).await.unwrap();
    world.ledger.finish_recovery(at(4)).await.unwrap();
    assert_eq!(world.ledger.holds(None).await.unwrap().len(), 2);
    world.assert_clean().await;
}

async fn a_request_and_its_outcome_come_together_or_not_at_all(world: World) {
    world.record_due(&["f1", "f2", "f3"]).await;
    world.doubt().await;
    let lost = lost(vec![
        opened(1),
        intent(1, 1, &["f1"]),
        outcome(1, &[("f1", FileState::Live)]),
        intent(2, 1, &["f2"]),
    ]);
    world.ledger.begin_recovery(&line(7), at(1)).await.unwrap();
    let said = refused(world.ledger.bring_back(&lost[..2], at(2)).await);
    assert!(said.contains("has no outcome yet"), "{said}");
    assert_eq!(world.state("f1").await, FileState::Live);
    // The last one's outcome is in no export: nobody knows it.
    world.ledger.bring_back(&lost, at(2)).await.unwrap();
    world.ledger.finish_recovery(at(3)).await.unwrap();
    assert_eq!(
        world.states(&["f1", "f2", "f3"]).await,
        [FileState::Live, FileState::Unknown, FileState::Live]
    );
    world.assert_clean().await;
}

async fn what_was_done_again_by_hand_is_left_alone(world: World) {
    world.record_due(&["f1", "f2"]).await;
    let LostFact::Hold { new, .. } = hold(0, "f1") else {
        panic!()
    };
    let old = world.ledger.add_hold(&new, at(1)).await.unwrap().hold;
    world
        .ledger
        .release_hold(old, "by hand", at(2), at(3))
        .await
        .unwrap();
    let LostFact::ErasureRequest { new, .. } = asked(0, "f2") else {
        panic!()
    };
    let entered = world.ledger.add_erasure(&new, at(4)).await.unwrap().erasure;
    world
        .ledger
        .close_erasure(entered, "by-hand", at(5))
        .await
        .unwrap();
    world.doubt().await;
    let lost = lost(vec![
        LostFact::Release {
            hold: old.0,
            reason: "over".to_owned(),
            ends_at: at(300),
        },
        asked(7, "f2"),
        LostFact::ErasureClosed {
            erasure: 7,
            reason: Some("withdrawn".to_owned()),
        },
    ]);
    world.ledger.begin_recovery(&line(6), at(500)).await.unwrap();
    let done = world.ledger.bring_back(&lost, at(500)).await.unwrap();
    assert_eq!((done.releases, done.erasures, done.closings), (0, 0, 0));
    world.ledger.finish_recovery(at(501)).await.unwrap();
    assert_eq!(world.ledger.holds(None).await.unwrap()[0].ends_at, Some(at(3)));
    assert_eq!(
        world.ledger.erasures(false).await.unwrap()[0].closed_at,
        Some(at(5))
    );
    world.assert_clean().await;
}

async fn a_request_that_was_verified_is_closed_again_only_where_its_files_are_gone(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    world.doubt().await;
    let closed = |erasure| LostFact::ErasureClosed {
        erasure,
        reason: None,
    };
    let LostFact::ErasureRequest { new, .. } = asked(0, "f2") else {
        panic!()
    };
    let second = LostFact::ErasureRequest {
        erasure: 2,
        new: NewErasure {
            reference: "DSR-2".to_owned(),
            ..new
        },
    };
    let lost = lost(vec![
        asked(1, "f1"),
        second,
        opened(1),
        intent(1, 1, &["f1", "f2"]),
        outcome(1, &[("f1", FileState::Deleted), ("f2", FileState::Deleted)]),
        closed(1),
        closed(2),
    ]);
    world.ledger.begin_recovery(&line(10), at(500)).await.unwrap();
    world.ledger.bring_back(&lost, at(500)).await.unwrap();
    let found = [(id("f1"), Finding::Absent), (id("f2"), Finding::StillThere)];
    world.ledger.verified(batch, &found, at(501)).await.unwrap();
    let done = world.ledger.finish_recovery(at(502)).await.unwrap();
    assert_eq!((done.erasures, done.closings), (2, 1));
    let requests = world.ledger.erasures(false).await.unwrap();
    assert_eq!(
        (requests[0].closed_at, requests[1].closed_at),
        (Some(at(105)), None)
    );
    world.assert_clean().await;
}

async fn a_move_is_made_only_where_it_leads_where_it_led(world: World) {
    world.record_due(&["f1", "f2", "f3"]).await;
    world.doubt().await;
    let moved = |event: &str, name: &str, to| LostFact::Moved {
        event: event.to_owned(),
        reason: "then".to_owned(),
        files: vec![(address("b1", name), to)],
    };
    let lost = lost(vec![
        opened(1),
        intent(1, 1, &["f1"]),
        outcome(1, &[("f1", FileState::Deleted)]),
        LostFact::Verification {
            absent: Vec::new(),
            still_there: vec![address("b1", "f1")],
        },
        // What that look had led to: it is there already.
        moved("still-there", "f1", FileState::Unknown),
        moved("found-gone", "f2", FileState::Gone),
        moved("still-there", "f3", FileState::Unknown),
        moved("a-word-of-later", "f3", FileState::Gone),
    ]);
    world.ledger.begin_recovery(&line(11), at(500)).await.unwrap();
    world.ledger.bring_back(&lost, at(500)).await.unwrap();
    world.ledger.finish_recovery(at(501)).await.unwrap();
    assert_eq!(
        world.states(&["f1", "f2", "f3"]).await,
        [FileState::Unknown, FileState::Gone, FileState::Live]
    );
    let moves = world.ledger.moves(&world.get("f2").await.key).await.unwrap();
    assert_eq!((moves[0].at, moves[0].reason.as_str()), (at(105), "then"));
    world.assert_clean().await;
}
