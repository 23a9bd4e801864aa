//! `Figures`: what the faces show.

use retentiond::ledger::{HistoryFilter, LedgerError, Tally};
use retentiond::model::{Attempt, AttemptId, BatchId, FileState};
use retentiond::outcome::FileEvent;

use crate::world::*;

for_every_backend![
    tallies_tell_due_from_overdue_to_the_instant,
    tallies_follow_every_state,
    files_falling_due_are_counted_step_by_step,
    states_are_given_for_the_files_that_are_known,
    a_batch_lives_while_it_holds_a_file_that_nobody_asked_to_delete,
    history_filters_by_each_of_its_parts,
    quarantined_files_come_with_their_reason,
    stats_count_files_and_bytes,
    a_backup_is_a_whole_ledger,
    a_ledger_in_its_place_is_intact,
];

async fn tally(world: &World, owner: &str, now: i64) -> Tally {
    world
        .ledger
        .tallies(at(now))
        .await
        .unwrap()
        .remove(&Some(policy(owner)))
        .unwrap()
}

async fn tallies_tell_due_from_overdue_to_the_instant(world: World) {
    // Due at 0, 1, 2, overdue a day later; and one that is kept for ever.
    world.record_due(&["f1", "f2", "f3"]).await;
    let mut kept = unowned(file("b1", "f4"));
    kept.hint.owner = Some(policy("p"));
    world.record(&[kept]).await;
    for (now, due, overdue) in [
        (-1, 0, 0),
        (0, 1, 0),
        (1, 2, 0),
        (24, 3, 0),
        (25, 3, 1),
        (99, 3, 3),
    ] {
        let tally = tally(&world, "p", now).await;
        assert_eq!((tally.due, tally.overdue), (due, overdue), "at hour {now}");
        assert_eq!(
            tally.oldest_overdue,
            (overdue > 0).then(|| at(24)),
            "at hour {now}"
        );
        assert_eq!((tally.next_due, tally.without_due), (Some(at(0)), 1));
        assert_eq!(tally.by_state["live"], 4);
    }
}

async fn tallies_follow_every_state(world: World) {
    let batch = world.record_due(&["f1", "f2", "f3", "f4", "f5", "f6"]).await;
    let sweep = world.sweep().await;
    world.attempt(sweep, batch, &["f1"], FileEvent::Confirmed).await;
    world.attempt(sweep, batch, &["f2"], FileEvent::FoundGone).await;
    world.attempt(sweep, batch, &["f3"], FileEvent::Lost).await;
    world.attempt(sweep, batch, &["f4"], FileEvent::GivenUp).await;
    world.claim(sweep, batch, &["f5"]).await;
    let tally = tally(&world, "p", 99).await;
    assert_eq!(tally.by_state.len(), 6);
    assert!(tally.by_state.values().all(|files| *files == 1));
    assert_eq!((tally.due, tally.next_due), (1, Some(at(5))));
    assert_eq!(world.ledger.live(&policy("p")).await.unwrap(), 1);
    assert_eq!(world.ledger.live(&policy("none")).await.unwrap(), 0);
    assert!(
        !world.ledger.tallies(at(0)).await.unwrap().contains_key(&None),
        "every file has an owner"
    );
    world.assert_clean().await;
}

async fn files_falling_due_are_counted_step_by_step(world: World) {
    world.record_due(&["f0", "f1", "f2", "f3", "f4", "f5"]).await;
    world.record(&[hinted(file("b2", "g"), "q", 3)]).await;
    let falling = world
        .ledger
        .falling_due(at(0), &[at(1), at(3), at(4)])
        .await
        .unwrap();
    assert_eq!(
        falling[&policy("p")],
        [1, 2, 1],
        "the lower bound is left out, the upper counts"
    );
    assert_eq!(falling[&policy("q")], [0, 1, 0]);
    assert!(world.ledger.falling_due(at(0), &[]).await.unwrap().is_empty());
}

async fn states_are_given_for_the_files_that_are_known(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    let sweep = world.sweep().await;
    world.claim(sweep, batch, &["f2"]).await;
    let states = world
        .ledger
        .states(batch, &ids(&["f2", "stranger", "f1"]))
        .await
        .unwrap();
    assert_eq!(
        states,
        [(id("f2"), FileState::Deleting), (id("f1"), FileState::Live)]
    );
    assert_eq!(world.ledger.states(batch, &[]).await.unwrap(), []);
    assert_eq!(
        world.ledger.batch_key(&batch_address("none")).await.unwrap(),
        None
    );
    assert_eq!(
        world.ledger.batch_key(&extraction_address("b1")).await.unwrap(),
        None
    );
}

async fn a_batch_lives_while_it_holds_a_file_that_nobody_asked_to_delete(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    let sweep = world.sweep().await;
    world.attempt(sweep, batch, &["f1"], FileEvent::Confirmed).await;
    assert!(world.ledger.batch_is_live(batch).await.unwrap());
    // Asked for, and nobody knows yet: it may have gone by that.
    world.attempt(sweep, batch, &["f2"], FileEvent::Lost).await;
    assert!(!world.ledger.batch_is_live(batch).await.unwrap());
    world.attempt(sweep, batch, &["f2"], FileEvent::FoundGone).await;
    assert!(!world.ledger.batch_is_live(batch).await.unwrap());
    world.record(&[hinted(file("b1", "f3"), "p", 0)]).await;
    assert!(world.ledger.batch_is_live(batch).await.unwrap());
    world.assert_clean().await;
}

async fn history_filters_by_each_of_its_parts(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    let one = world.sweep().await;
    let two = world.sweep().await;
    for (hour, sweep, name) in [(1, one, "f1"), (2, one, "f2"), (3, two, "f1")] {
        let files = ids(&[name]);
        let mut asked = request(sweep, batch, &files, 10);
        asked.at = at(hour);
        let attempt = world
            .ledger
            .claim(&asked, &|_, _| Ok(()))
            .await
            .unwrap()
            .attempt
            .unwrap();
        world
            .ledger
            .settle(attempt, &settlement(&[name], FileEvent::Lost))
            .await
            .unwrap();
    }
    let all = HistoryFilter {
        limit: 9,
        ..HistoryFilter::default()
    };
    let cases = [
        (all.clone(), vec![3, 2, 1]),
        (
            HistoryFilter {
                limit: 2,
                ..all.clone()
            },
            vec![3, 2],
        ),
        (
            HistoryFilter {
                file: Some(id("f1")),
                ..all.clone()
            },
            vec![3, 1],
        ),
        (
            HistoryFilter {
                file: Some(id("none")),
                ..all.clone()
            },
            vec![],
        ),
        (
            HistoryFilter {
                file: Some(id("f1")),
                sweep: Some(one),
                ..all.clone()
            },
            vec![1],
        ),
        (
            HistoryFilter {
                sweep: Some(one),
                ..all.clone()
            },
            vec![2, 1],
        ),
        (
            HistoryFilter {
                batch: Some(BatchId::new("b1").unwrap()),
                ..all.clone()
            },
            vec![3, 2, 1],
        ),
        (
            HistoryFilter {
                batch: Some(BatchId::new("b2").unwrap()),
                ..all.clone()
            },
            vec![],
        ),
        (
            HistoryFilter {
                policy: Some(policy("p")),
                since: Some(at(2)),
                ..all.clone()
            },
            vec![3, 2],
        ),
        (
            HistoryFilter {
                policy: Some(policy("q")),
                ..all.clone()
            },
            vec![],
        ),
        (
            HistoryFilter {
                policy: Some(policy("p")),
                batch: Some(BatchId::new("b1").unwrap()),
                file: Some(id("f2")),
                ..all.clone()
            },
            vec![2],
        ),
        (
            HistoryFilter {
                file: Some(id("f2")),
                policy: Some(policy("q")),
                ..all.clone()
            },
            vec![],
        ),
        (
            HistoryFilter {
                since: Some(at(2)),
                until: Some(at(3)),
                ..all.clone()
            },
            vec![2],
        ),
        (
            HistoryFilter {
                since: Some(at(2)),
                ..all.clone()
            },
            vec![3, 2],
        ),
        (
            HistoryFilter {
                until: Some(at(2)),
                ..all.clone()
            },
            vec![1],
        ),
        (
            HistoryFilter {
                before: Some(AttemptId(3)),
                ..all.clone()
            },
            vec![2, 1],
        ),
        (
            HistoryFilter {
                file: Some(id("f1")),
                before: Some(AttemptId(3)),
                limit: 1,
                ..all.clone()
            },
            vec![1],
        ),
    ];
    for (filter, expected) in cases {
        let found: Vec<Attempt> = world.ledger.history(&filter).await.unwrap();
        assert_eq!(
            found.iter().map(|a| a.attempt.0).collect::<Vec<_>>(),
            expected,
            "{filter:?}"
        );
        assert!(
            found
                .iter()
                .all(|attempt| attempt.files.len() == 1 && attempt.policy == policy("p"))
        );
    }
}

async fn quarantined_files_come_with_their_reason(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    let sweep = world.sweep().await;
    world
        .ledger
        .strike(batch, &ids(&["f2"]), 3, "400: not this one")
        .await
        .unwrap();
    world
        .attempt(sweep, batch, &["f1", "f2"], FileEvent::GivenUp)
        .await;
    let listed = world.ledger.quarantined(9).await.unwrap();
    let reasons: Vec<_> = listed
        .iter()
        .map(|(f, why)| (f.key.file.as_str(), why.as_str()))
        .collect();
    assert_eq!(reasons, [("f1", ""), ("f2", "400: not this one")]);
    assert_eq!(world.ledger.quarantined(1).await.unwrap().len(), 1);
}

async fn stats_count_files_and_bytes(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    let sweep = world.sweep().await;
    world.attempt(sweep, batch, &["f1"], FileEvent::Confirmed).await;
    let stats = world.ledger.stats().await.unwrap();
    let value = |name: &str| {
        stats
            .iter()
            .find(|stat| stat.name == name)
            .map(|stat| (stat.value, stat.unit))
    };
    assert_eq!(value("live"), Some((1, "files")));
    assert_eq!(value("deleted"), Some((1, "files")));
    assert_eq!(value("batches"), Some((1, "rows")));
    assert_eq!(value("attempts"), Some((1, "rows")));
    assert!(value("database").is_some_and(|(bytes, unit)| bytes > 4096 && unit == "bytes"));
}

async fn a_backup_is_a_whole_ledger(world: World) {
    world.record_due(&["f1", "f2"]).await;
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("copy.db");
    world.ledger.backup(&to).await.unwrap();
    let again = world.ledger.backup(&to).await.unwrap_err();
    assert!(matches!(again, LedgerError::Conflict { .. }), "{again}");
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        1,
        "nothing else is left there"
    );
    let nowhere = world
        .ledger
        .backup(&dir.path().join("no/such/dir.db"))
        .await
        .unwrap_err();
    assert!(matches!(nowhere, LedgerError::NotWritable { .. }), "{nowhere}");

    use retentiond::ledger::{Figures, OpenMode, SqliteLedger};
    let copy = SqliteLedger::open(to.to_str().unwrap(), OpenMode::ReadWrite)
        .await
        .unwrap();
    assert_eq!(copy.find(&id("f2")).await.unwrap()[0].due_at, Some(at(1)));
    assert_eq!(copy.check(true).await.unwrap(), Vec::<String>::new());
}

async fn a_ledger_in_its_place_is_intact(world: World) {
    assert!(world.ledger.intact().await.unwrap());
}
