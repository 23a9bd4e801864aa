//! `Reports`: what a report rests on is the same whatever the ledger lies on.

use std::collections::BTreeMap;

use retentiond::ledger::{
    EndedBy, EndedFile, FileFact, LedgerError, OpenFile, Removed, ReportFacts, ReportPage, ReportPeriod,
};
use retentiond::model::{BreakerKind, FileId, FileState, Finding, HoldScope, NewHold, SweepState, Timestamp};
use retentiond::outcome::FileEvent;

use crate::world::*;

for_every_backend![
    every_end_of_a_file_is_told_once_and_by_what_it_was,
    a_hold_of_the_past_is_told_of_the_files_that_it_hindered,
    files_that_are_due_and_not_ended_are_told_as_they_stand,
    what_stood_beside_the_files_is_told_where_it_meets_the_period,
    a_sweep_that_is_open_names_the_next_of_its_policy,
    pages_that_nobody_takes_in_end_the_reading,
];

fn period(from: i64, to: i64, now: i64) -> ReportPeriod {
    ReportPeriod {
        from: at(from),
        to: at(to),
        now: at(now),
    }
}

async fn told(world: &World, period: ReportPeriod, addresses: bool) -> (ReportFacts, Vec<FileFact>) {
    let (pages, mut taken) = tokio::sync::mpsc::channel(4);
    let read = world.ledger.facts(period, addresses, pages);
    let take = async {
        let (mut facts, mut files) = (None, Vec::new());
        while let Some(page) = taken.recv().await {
            match page {
                ReportPage::Facts(one) => assert!(facts.replace(*one).is_none(), "once"),
                ReportPage::Files(page) => {
                    assert!(facts.is_some(), "the facts come first");
                    files.extend(page);
                }
            }
        }
        (facts.unwrap(), files)
    };
    let (read, told) = tokio::join!(read, take);
    read.unwrap();
    told
}

fn ended(files: Vec<FileFact>) -> BTreeMap<FileId, EndedFile> {
    let ended = files.into_iter().filter_map(|fact| match fact {
        FileFact::Ended(file) => Some((file.file.clone().unwrap().file, file)),
        FileFact::Open(_) => None,
    });
    let all: Vec<_> = ended.collect();
    let count = all.len();
    let by_file: BTreeMap<_, _> = all.into_iter().collect();
    assert_eq!(by_file.len(), count, "each once");
    by_file
}

fn open_files(files: Vec<FileFact>) -> BTreeMap<FileId, OpenFile> {
    let open = files.into_iter().filter_map(|fact| match fact {
        FileFact::Open(file) => Some((file.file.clone().unwrap().file, file)),
        FileFact::Ended(_) => None,
    });
    open.collect()
}

fn on(name: &str) -> NewHold {
    NewHold {
        scope: HoldScope::File(id(name)),
        reason: "litigation".to_owned(),
        reference: None,
        owner: None,
        review_by: None,
    }
}

async fn every_end_of_a_file_is_told_once_and_by_what_it_was(world: World) {
    let names = ["f0", "f1", "f2", "f3", "f4", "f5", "f6"];
    let batch = world.record_due(&names).await;
    let sweep = world.sweep().await;
    world
        .attempt(sweep, batch, &["f0", "f6"], FileEvent::Confirmed)
        .await;
    world.attempt(sweep, batch, &["f1"], FileEvent::FoundGone).await;
    let ledger = &world.ledger;
    let settled = world.get("f0").await;
    assert_eq!(settled.state, FileState::Deleted);
    let found = [(id("f0"), Finding::Absent)];
    ledger.verified(batch, &found, at(101)).await.unwrap();
    for (name, event, hour) in [
        ("f2", FileEvent::FoundGone, 102),
        ("f3", FileEvent::GivenUp, 103),
        ("f3", FileEvent::Resolved, 104),
    ] {
        ledger
            .note(batch, &ids(&[name]), event, "why", at(hour))
            .await
            .unwrap();
    }
    let removed = Removed::Files {
        batch: batch_address("b1"),
        files: ids(&["f4"]),
    };
    ledger.gone_by_others(&removed, "theirs", at(105)).await.unwrap();
    // One that was contradicted, and found gone later, ended then.
    let found = [(id("f6"), Finding::StillThere)];
    ledger.verified(batch, &found, at(106)).await.unwrap();
    ledger
        .note(batch, &ids(&["f6"]), FileEvent::FoundGone, "a look", at(107))
        .await
        .unwrap();

    let (_, files) = told(&world, period(0, 500, 500), true).await;
    let ends = ended(files);
    let by: Vec<_> = ends.iter().map(|(file, end)| (file.as_str(), end.by)).collect();
    assert_eq!(
        by,
        [
            ("f0", EndedBy::Confirmed),
            ("f1", EndedBy::AnsweredGone),
            ("f2", EndedBy::FoundGone),
            ("f3", EndedBy::Resolved),
            ("f4", EndedBy::Others),
            ("f6", EndedBy::FoundGone),
        ]
    );
    let of = |name: &str| &ends[&id(name)];
    assert_eq!(
        (of("f2").at, of("f3").at, of("f4").at, of("f6").at),
        (at(102), at(104), at(105), at(107))
    );
    assert_eq!(of("f0").policy, Some(policy("p")));
    assert_eq!(of("f0").due_at, settled.due_at);
    assert_eq!(of("f0").deadline_at, settled.deadline_at);
    let verified: Vec<_> = ends
        .iter()
        .filter(|(_, end)| end.verified)
        .map(|(file, _)| file.as_str())
        .collect();
    assert_eq!(verified, ["f0", "f2", "f3", "f6"]);
    assert!(of("f3").before.refused, "it had been given up");
    assert!(ends.values().all(|end| !end.on_request));

    let (_, later) = told(&world, period(103, 500, 500), true).await;
    let later: Vec<_> = ended(later).into_keys().collect();
    assert_eq!(later, ids(&["f3", "f4", "f6"]), "ended at or after the beginning");
    let (_, silent) = told(&world, period(0, 500, 500), false).await;
    let addressed = |fact: &FileFact| match fact {
        FileFact::Ended(file) => file.file.is_some(),
        FileFact::Open(file) => file.file.is_some(),
    };
    assert!(!silent.is_empty() && !silent.iter().any(addressed));
}

async fn a_hold_of_the_past_is_told_of_the_files_that_it_hindered(world: World) {
    let batch = world.record_due(&["f0", "f1", "f2"]).await;
    world.record(&[hinted(copy("c1", "f1"), "p", 0)]).await;
    let ledger = &world.ledger;
    let hold = ledger.add_hold(&on("f1"), at(150)).await.unwrap().hold;
    ledger.release_hold(hold, "over", at(160), at(170)).await.unwrap();
    // Placed when it was too late for that file.
    ledger.add_hold(&on("f2"), at(301)).await.unwrap();
    ledger
        .note(
            batch,
            &ids(&["f0", "f1", "f2"]),
            FileEvent::FoundGone,
            "a look",
            at(300),
        )
        .await
        .unwrap();
    let place = world.get("c1").await.key.batch;
    ledger
        .note(place, &ids(&["c1"]), FileEvent::FoundGone, "a look", at(300))
        .await
        .unwrap();
    let (facts, files) = told(&world, period(200, 500, 500), true).await;
    let held: Vec<_> = ended(files)
        .into_iter()
        .map(|(file, end)| (file, end.before.held))
        .collect();
    assert_eq!(
        held,
        [
            (id("c1"), true),
            (id("f0"), false),
            (id("f1"), true),
            (id("f2"), false)
        ],
        "a copy as its original"
    );
    let stood: Vec<_> = facts.holds.iter().map(|hold| hold.placed_at).collect();
    assert_eq!(stood, [at(301)], "the other one had ended before the period");
}

async fn files_that_are_due_and_not_ended_are_told_as_they_stand(world: World) {
    let batch = world.record_due(&["f0", "f1", "f2", "f3"]).await;
    world
        .record(&[
            hinted(file("b1", "young"), "p", 900),
            unowned(file("b1", "nobody")),
        ])
        .await;
    let sweep = world.sweep().await;
    world.claim(sweep, batch, &["f1"]).await;
    world.attempt(sweep, batch, &["f2"], FileEvent::Lost).await;
    world.ledger.add_hold(&on("f3"), at(5)).await.unwrap();
    let (facts, files) = told(&world, period(0, 500, 500), true).await;
    let open = open_files(files);
    let as_told: Vec<_> = open
        .iter()
        .map(|(file, open)| (file.as_str(), open.state, open.held))
        .collect();
    assert_eq!(
        as_told,
        [
            ("f0", FileState::Live, false),
            ("f1", FileState::Deleting, false),
            ("f2", FileState::Unknown, false),
            ("f3", FileState::Live, true),
        ]
    );
    let f0 = world.get("f0").await;
    let told_of = &open[&id("f0")];
    assert_eq!(
        (Some(told_of.due_at), told_of.deadline_at),
        (f0.due_at, f0.deadline_at)
    );
    assert_eq!((facts.unowned.files, facts.unowned.batches), (1, 1));
    let (_, before) = told(&world, period(0, 500, 2), true).await;
    assert!(
        before
            .iter()
            .all(|fact| matches!(fact, FileFact::Open(file) if file.due_at < at(2)))
    );
}

async fn a_sweep_that_is_open_names_the_next_of_its_policy(world: World) {
    let (first, second) = (world.sweep().await, world.sweep().await);
    let other = world.sweep_of("q").await;
    let (facts, _) = told(&world, period(0, 500, 500), false).await;
    let found: Vec<_> = facts
        .unfinished
        .iter()
        .map(|sweep| (sweep.sweep, sweep.state, sweep.next))
        .collect();
    assert_eq!(
        found,
        [
            (first, SweepState::Open, Some(second)),
            (second, SweepState::Open, None),
            (other, SweepState::Open, None),
        ]
    );
}

async fn what_stood_beside_the_files_is_told_where_it_meets_the_period(world: World) {
    let ledger = &world.ledger;
    let open = |kind, hour: i64| async move { ledger.open_breaker(kind, "why", at(hour)).await.unwrap() };
    let close = |kind, hour: i64| async move { ledger.close_breaker(kind, "x", at(hour)).await.unwrap() };
    for (kind, from, until) in [
        (BreakerKind::Api, 1, 2),
        (BreakerKind::Auth, 90, 110),
        (BreakerKind::Clock, 400, 410),
    ] {
        open(kind, from).await;
        close(kind, until).await;
    }
    open(BreakerKind::Collateral, 150).await;
    for (name, hour) in [("one", 10), ("two", 120), ("three", 300)] {
        ledger
            .adopt_rules(&digest(name), "in words", at(hour))
            .await
            .unwrap();
    }
    ledger
        .keep_rule_text(&digest("two"), "its text", at(120))
        .await
        .unwrap();
    let (facts, _) = told(&world, period(100, 200, 500), false).await;
    let breakers: Vec<_> = facts
        .breakers
        .iter()
        .map(|(kind, account, stretch)| {
            assert_eq!(*account, None);
            (*kind, stretch.since, stretch.until)
        })
        .collect();
    let until = |hour: i64| -> Option<Timestamp> { Some(at(hour)) };
    assert_eq!(
        breakers,
        [
            (BreakerKind::Auth, at(90), until(110)),
            (BreakerKind::Collateral, at(150), None),
        ]
    );
    let adopted: Vec<_> = facts
        .adoptions
        .iter()
        .map(|one| (one.digest.clone(), one.adopted_at, one.until, one.text.as_deref()))
        .collect();
    assert_eq!(
        adopted,
        [
            (digest("one"), at(10), until(120), None),
            (digest("two"), at(120), until(300), Some("its text")),
        ]
    );
    let tree = ledger.tree().await.unwrap();
    assert_eq!((facts.tree.size, facts.tree.root), (tree.size, tree.root));
}

async fn pages_that_nobody_takes_in_end_the_reading(world: World) {
    world.record_due(&["f0"]).await;
    let (pages, taken) = tokio::sync::mpsc::channel(1);
    drop(taken);
    let refused = world.ledger.facts(period(0, 500, 500), false, pages).await;
    assert!(
        matches!(refused, Err(LedgerError::Conflict { .. })),
        "{refused:?}"
    );
}
