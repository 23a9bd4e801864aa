//! `Intake::record`.

use std::sync::Arc;

use retentiond::ledger::{Hinted, LedgerError, Recorded};
use retentiond::model::{FileRecord, FileState, Labels, NewFile};
use retentiond::outcome::FileEvent;

use crate::world::*;

for_every_backend![
    a_new_file_is_read_back_whole,
    the_same_list_again_adds_nothing,
    a_later_upload_replaces_an_earlier_one_and_never_the_other_way_round,
    gaps_are_filled_and_known_facts_stay,
    a_fact_of_its_own_brings_its_hint_along,
    hints_found_for_other_facts_are_looked_at_again,
    settled_and_claimed_files_are_left_alone,
    the_same_id_in_two_batches_and_modules_is_two_files,
    a_file_named_twice_in_one_list_is_one_file,
    a_page_that_mixes_new_and_known_files_counts_both,
    an_empty_list_is_nothing,
    odd_ids_survive_byte_for_byte,
    an_unowned_file_is_kept_without_an_owner,
    one_bad_row_keeps_out_the_whole_list,
    recorded_files_survive_a_crash,
];

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn rich(name: &str) -> NewFile {
    NewFile {
        processed_at: Some(at(-239)),
        document_type: Some("resume".to_owned()),
        labels: labels(&[("tenant", "acme"), ("department", "hr \"x\" ü")]),
        subject: Some("0a1b".to_owned()),
        ..file("b1", name)
    }
}

async fn a_new_file_is_read_back_whole(world: World) {
    let done = world.record(&[hinted(rich("f1"), "p", 5)]).await;
    assert_eq!(
        done,
        Recorded {
            added: 1,
            known: 0,
            updated: 0
        }
    );
    let found = world.get("f1").await;
    assert_eq!(found.address(), address("b1", "f1"));
    assert_eq!(found.state, FileState::Live);
    assert_eq!(found.uploaded_at, at(-240));
    assert_eq!(found.processed_at, Some(at(-239)));
    assert_eq!(found.document_type.as_deref(), Some("resume"));
    assert_eq!(*found.labels, rich("f1").labels);
    assert_eq!(found.subject.as_deref(), Some("0a1b"));
    assert_eq!(found.copy_of, None);
    assert_eq!(found.owner, Some(policy("p")));
    assert_eq!((found.due_at, found.deadline_at), (Some(at(5)), Some(at(29))));

    world.record(&[hinted(copy("f2", "f1"), "p", 5)]).await;
    assert_eq!(world.get("f2").await.copy_of, Some(address("b1", "f1")));
    assert_eq!(*world.get("f2").await.batch, extraction_address("x1"));
    world.assert_clean().await;
}

async fn the_same_list_again_adds_nothing(world: World) {
    let list = [
        hinted(rich("f1"), "p", 5),
        hinted(file("b1", "f2"), "p", 5),
        hinted(copy("f3", "f1"), "p", 5),
    ];
    world.record(&list).await;
    let before = world.get("f1").await;
    assert_eq!(
        world.record(&list).await,
        Recorded {
            added: 0,
            known: 3,
            updated: 0
        }
    );
    assert_eq!(world.get("f1").await, before);
    world.assert_clean().await;
}

async fn a_later_upload_replaces_an_earlier_one_and_never_the_other_way_round(world: World) {
    let uploaded = |hours: i64| NewFile {
        uploaded_at: at(hours),
        ..file("b1", "f1")
    };
    world.record(&[hinted(uploaded(-240), "p", 5)]).await;
    let later = world.record(&[hinted(uploaded(-230), "p", 15)]).await;
    assert_eq!(
        later,
        Recorded {
            added: 0,
            known: 0,
            updated: 1
        }
    );
    assert_eq!(world.get("f1").await.uploaded_at, at(-230));
    assert_eq!(world.get("f1").await.due_at, Some(at(15)));
    let earlier = world.record(&[hinted(uploaded(-250), "p", -5)]).await;
    assert_eq!(
        earlier,
        Recorded {
            added: 0,
            known: 1,
            updated: 0
        }
    );
    assert_eq!(world.get("f1").await.uploaded_at, at(-230));
    assert_eq!(
        world.get("f1").await.due_at,
        Some(at(15)),
        "a deletion is never advanced by recording"
    );
}

async fn gaps_are_filled_and_known_facts_stay(world: World) {
    let first = NewFile {
        labels: labels(&[("tenant", "acme")]),
        ..file("b1", "f1")
    };
    world.record(&[hinted(first, "p", 5)]).await;
    let second = NewFile {
        labels: labels(&[("tenant", "other"), ("department", "hr")]),
        copy_of: Some(address("b9", "original")),
        ..rich("f1")
    };
    assert_eq!(world.record(&[hinted(second, "p", 5)]).await.updated, 1);
    let found = world.get("f1").await;
    assert_eq!(*found.labels, labels(&[("tenant", "acme"), ("department", "hr")]));
    assert_eq!(found.document_type.as_deref(), Some("resume"));
    assert_eq!(found.processed_at, Some(at(-239)));
    assert_eq!(found.subject.as_deref(), Some("0a1b"));
    assert_eq!(found.copy_of, Some(address("b9", "original")));

    let third = NewFile {
        document_type: Some("invoice".to_owned()),
        processed_at: Some(at(-1)),
        subject: Some("ffff".to_owned()),
        copy_of: Some(address("b9", "another")),
        labels: found.labels.as_ref().clone(),
        ..file("b1", "f1")
    };
    assert_eq!(world.record(&[hinted(third, "p", 5)]).await.known, 1);
    assert_eq!(world.get("f1").await, found);
    world.assert_clean().await;
}

async fn a_fact_of_its_own_brings_its_hint_along(world: World) {
    world.record(&[hinted(file("b1", "f1"), "p", 5)]).await;
    world.record(&[hinted(rich("f1"), "q", 9)]).await;
    let found = world.get("f1").await;
    assert_eq!((found.owner, found.due_at), (Some(policy("q")), Some(at(9))));
    assert!(world.ledger.hints_are_current(&digest("one")).await.unwrap());
    world.assert_clean().await;
}

async fn hints_found_for_other_facts_are_looked_at_again(world: World) {
    world.ledger.adopt_rules(&digest("one"), "", at(0)).await.unwrap();
    world.record(&[hinted(rich("f1"), "p", 5)]).await;
    // Later, but without the labels that the ledger has: neither hint is for what is kept now.
    let later = NewFile {
        uploaded_at: at(-200),
        ..file("b1", "f1")
    };
    assert_eq!(world.record(&[hinted(later, "other", 40)]).await.updated, 1);
    let found = world.get("f1").await;
    assert_eq!(
        (found.uploaded_at, found.owner.clone()),
        (at(-200), Some(policy("p")))
    );
    assert!(!world.ledger.hints_are_current(&digest("one")).await.unwrap());

    let decide = |file: &FileRecord| {
        assert_eq!(file.labels.len(), 2);
        hint("p", 45)
    };
    assert_eq!(
        world
            .ledger
            .rehint(&digest("one"), 10, &decide)
            .await
            .unwrap()
            .left,
        0
    );
    assert_eq!(world.get("f1").await.due_at, Some(at(45)));
    world.assert_clean().await;
}

async fn settled_and_claimed_files_are_left_alone(world: World) {
    let names = ["f1", "f2", "f3", "f4", "f5"];
    let batch = world.record_due(&names).await;
    let sweep = world.sweep().await;
    world.attempt(sweep, batch, &["f1"], FileEvent::Confirmed).await;
    world.attempt(sweep, batch, &["f2"], FileEvent::FoundGone).await;
    world.attempt(sweep, batch, &["f3"], FileEvent::Lost).await;
    world.attempt(sweep, batch, &["f4"], FileEvent::GivenUp).await;
    world.claim(sweep, batch, &["f5"]).await;
    let before = world.states(&names).await;
    let again: Vec<Hinted> = names
        .iter()
        .map(|name| {
            hinted(
                NewFile {
                    uploaded_at: at(0),
                    ..rich(name)
                },
                "q",
                99,
            )
        })
        .collect();
    assert_eq!(
        world.record(&again).await,
        Recorded {
            added: 0,
            known: 5,
            updated: 0
        }
    );
    assert_eq!(world.states(&names).await, before);
    assert_eq!(world.get("f1").await.uploaded_at, at(-240));
    assert_eq!(world.get("f1").await.subject, None);
    world.assert_clean().await;
}

async fn the_same_id_in_two_batches_and_modules_is_two_files(world: World) {
    let mut elsewhere = file("b1", "f1");
    elsewhere.address.batch = extraction_address("b1");
    let list = [
        hinted(file("b1", "f1"), "p", 1),
        hinted(file("b2", "f1"), "p", 2),
        hinted(elsewhere, "p", 3),
    ];
    assert_eq!(world.record(&list).await.added, 3);
    assert_eq!(world.ledger.find(&id("f1")).await.unwrap().len(), 3);
    let one = world.ledger.locate(&address("b2", "f1")).await.unwrap().unwrap();
    assert_eq!(one.due_at, Some(at(2)));
    assert_eq!(world.ledger.locate(&address("b3", "f1")).await.unwrap(), None);
    assert_eq!(world.ledger.locate(&address("b2", "f2")).await.unwrap(), None);
    assert_eq!(world.ledger.find(&id("f")).await.unwrap(), Vec::new());
}

async fn a_file_named_twice_in_one_list_is_one_file(world: World) {
    let later = NewFile {
        uploaded_at: at(-100),
        ..file("b1", "f1")
    };
    let list = [
        hinted(file("b1", "f1"), "p", 1),
        hinted(later, "p", 2),
        hinted(file("b1", "f1"), "p", 1),
    ];
    assert_eq!(
        world.record(&list).await,
        Recorded {
            added: 1,
            known: 1,
            updated: 1
        }
    );
    assert_eq!(world.get("f1").await.uploaded_at, at(-100));
    assert_eq!(world.get("f1").await.due_at, Some(at(2)));
    world.assert_clean().await;
}

async fn a_page_that_mixes_new_and_known_files_counts_both(world: World) {
    world.record_due(&["f1", "f2"]).await;
    let list = [
        hinted(file("b1", "f0"), "p", 7),
        hinted(file("b1", "f1"), "p", 0),
        hinted(rich("f2"), "p", 7),
        hinted(rich("f3"), "q", 7),
        unowned(file("b2", "f4")),
    ];
    assert_eq!(
        world.record(&list).await,
        Recorded {
            added: 3,
            known: 1,
            updated: 1
        }
    );
    assert_eq!(world.get("f3").await.subject.as_deref(), Some("0a1b"));
    assert_eq!(world.ledger.live(&policy("p")).await.unwrap(), 3);
    assert_eq!(world.ledger.live(&policy("q")).await.unwrap(), 1);
    world.assert_clean().await;
}

async fn an_empty_list_is_nothing(world: World) {
    assert_eq!(world.record(&[]).await, Recorded::default());
}

async fn odd_ids_survive_byte_for_byte(world: World) {
    let odd = [
        "../\"'%2e",
        "ü\u{202e}x",
        "9007199254740993",
        "007",
        "-OKI",
        "null",
        "[1]",
        "1e5",
    ];
    let list: Vec<Hinted> = odd.iter().map(|name| hinted(file("b1", name), "p", 0)).collect();
    assert_eq!(world.record(&list).await.added, odd.len() as u64);
    let batch = world.batch("b1").await;
    let sweep = world.sweep().await;
    for name in odd {
        assert_eq!(world.get(name).await.key.file.as_str(), name);
    }
    let claimed = world.claim(sweep, batch, &odd).await;
    assert_eq!(claimed.files, ids(&odd));
    world
        .ledger
        .settle(claimed.attempt.unwrap(), &settlement(&odd, FileEvent::Confirmed))
        .await
        .unwrap();
    world.assert_clean().await;
}

async fn an_unowned_file_is_kept_without_an_owner(world: World) {
    world.record(&[unowned(file("b1", "f1"))]).await;
    let found = world.get("f1").await;
    assert_eq!((found.owner, found.due_at, found.deadline_at), (None, None, None));
    let tallies = world.ledger.tallies(at(0)).await.unwrap();
    assert_eq!(tallies[&None].without_due, 1);
    world.assert_clean().await;
}

async fn one_bad_row_keeps_out_the_whole_list(world: World) {
    // Beyond the years that a ledger holds, though not beyond what a Timestamp holds.
    let beyond = retentiond::model::Timestamp::from_millis(-377_705_023_201_001);
    let Ok(beyond) = beyond else { return };
    let bad = NewFile {
        uploaded_at: beyond,
        ..file("b1", "f2")
    };
    let list = [hinted(file("b1", "f1"), "p", 0), hinted(bad, "p", 0)];
    let refused = world
        .ledger
        .record(&list, &digest("one"), at(0))
        .await
        .unwrap_err();
    assert!(matches!(refused, LedgerError::Damaged { .. }), "{refused}");
    assert_eq!(world.ledger.find(&id("f1")).await.unwrap(), Vec::new());
    world.assert_clean().await;
}

async fn recorded_files_survive_a_crash(world: World) {
    let before = Arc::clone(&world.ledger);
    world.record(&[hinted(rich("f1"), "p", 5)]).await;
    let world = world.reopen().await;
    assert_eq!(world.get("f1").await.subject.as_deref(), Some("0a1b"));
    drop(before);
    world.assert_clean().await;
}
