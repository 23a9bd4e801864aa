//! `Events`: start events, and which files they cover.

use retentiond::ledger::{EventNoted, LedgerError};
use retentiond::model::{BatchId, EventScope, FileId, FileRecord, NewEvent, NewFile, Occurrence};
use retentiond::outcome::FileEvent;

use crate::world::*;

for_every_backend![
    an_event_is_read_back_whole_and_once,
    a_correction_needs_a_reason_and_keeps_the_old_time,
    each_scope_covers_its_files_and_their_copies,
    files_recorded_after_an_event_are_covered_by_it,
    a_file_that_learns_its_label_later_is_covered_from_then_on,
    an_event_has_its_files_decided_again_and_no_others,
    files_under_way_and_quarantined_are_decided_again_once_they_are_back,
    a_claim_is_decided_on_the_events_as_they_are_then,
    files_in_scope_are_read_page_by_page,
    events_survive_a_crash,
];

fn event(name: &str, scope: EventScope, hour: i64) -> NewEvent {
    NewEvent {
        name: name.parse().unwrap(),
        scope,
        at: at(hour),
        reason: None,
    }
}

fn because(event: NewEvent, reason: &str) -> NewEvent {
    NewEvent {
        reason: Some(reason.to_owned()),
        ..event
    }
}

fn of_file(name: &str) -> EventScope {
    EventScope::File(id(name))
}

fn of_batch(name: &str) -> EventScope {
    EventScope::Batch(BatchId::new(name).unwrap())
}

fn tenant(value: &str) -> EventScope {
    EventScope::Label {
        key: "tenant".to_owned(),
        value: value.to_owned(),
    }
}

fn labelled(file: NewFile, tenant: &str) -> NewFile {
    NewFile {
        labels: [("tenant".to_owned(), tenant.to_owned())].into(),
        ..file
    }
}

async fn add(world: &World, event: &NewEvent) -> EventNoted {
    world.ledger.add_event(event, at(50)).await.unwrap()
}

/// What the record of a file says, as `name scope hour`.
async fn occurred(world: &World, name: &str) -> Vec<String> {
    let mut found: Vec<String> = world.get(name).await.occurred.all().iter().map(said).collect();
    found.sort();
    found
}

fn said(record: &Occurrence) -> String {
    let hours = record.at.millis_since(at(0)) / 3_600_000;
    format!("{} {} {hours}", record.name, record.scope)
}

async fn current(world: &World) -> bool {
    world.ledger.hints_are_current(&digest("one")).await.unwrap()
}

/// Puts "one" in force and decides what is to be decided; the ids asked for.
async fn decide_again(world: &World) -> Vec<String> {
    world
        .ledger
        .adopt_rules(&digest("one"), "text", at(0))
        .await
        .unwrap();
    let asked = std::sync::Mutex::new(Vec::new());
    loop {
        let done = world
            .ledger
            .rehint(&digest("one"), 2, &|file| {
                asked.lock().unwrap().push(file.key.file.to_string());
                hint("p", 70)
            })
            .await
            .unwrap();
        if done.left == 0 {
            break;
        }
    }
    asked.into_inner().unwrap()
}

async fn an_event_is_read_back_whole_and_once(world: World) {
    let scopes = [of_file("f1"), of_batch("b1"), tenant("acme")];
    for (n, scope) in scopes.into_iter().enumerate() {
        let new = event("contract-ended", scope.clone(), 5);
        assert_eq!(add(&world, &new).await, EventNoted::New { files: 0 });
        assert_eq!(add(&world, &new).await, EventNoted::Known);
        let listed = world.ledger.events(true).await.unwrap();
        assert_eq!(listed.len(), n + 1);
        let found = &listed[n];
        assert_eq!((&found.name, &found.scope, found.at), (&new.name, &scope, at(5)));
        assert_eq!((found.recorded_at, found.replaced_at), (at(50), None));
    }
    // Another name for the same files is another event.
    let dated = event("document-date", of_file("f1"), 6);
    assert_eq!(add(&world, &dated).await, EventNoted::New { files: 0 });
    world.assert_clean().await;
}

async fn a_correction_needs_a_reason_and_keeps_the_old_time(world: World) {
    world.record_due(&["f1"]).await;
    let first = event("ended", of_file("f1"), 5);
    add(&world, &first).await;
    let other = event("ended", of_file("f1"), 6);
    let refused = world.ledger.add_event(&other, at(60)).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Conflict { .. }), "{refused}");
    assert!(refused.to_string().contains("needs a reason"), "{refused}");
    assert_eq!(occurred(&world, "f1").await, ["ended file f1 5"]);

    let done = world
        .ledger
        .add_event(&because(other, "typo"), at(60))
        .await
        .unwrap();
    assert_eq!(
        done,
        EventNoted::Corrected {
            before: at(5),
            files: 1
        }
    );
    assert_eq!(occurred(&world, "f1").await, ["ended file f1 6"]);
    let listed = world.ledger.events(true).await.unwrap();
    let told: Vec<_> = listed
        .iter()
        .map(|e| (e.at, e.replaced_at, e.reason.as_deref()))
        .collect();
    assert_eq!(told, [(at(5), Some(at(60)), None), (at(6), None, Some("typo"))]);
    assert_eq!(world.ledger.events(false).await.unwrap(), listed[1..]);
    world.assert_clean().await;
}

async fn each_scope_covers_its_files_and_their_copies(world: World) {
    let rows = [
        hinted(file("b1", "f1"), "p", 1),
        hinted(labelled(file("b1", "f2"), "acme"), "p", 1),
        hinted(labelled(file("b2", "f3"), "other"), "p", 1),
        hinted(copy("c1", "f1"), "p", 1),
    ];
    world.record(&rows).await;
    for (name, scope, files) in [
        ("of-file", of_file("f1"), 2),
        ("of-batch", of_batch("b1"), 3),
        ("of-copies", of_batch("x1"), 1),
        ("of-label", tenant("acme"), 1),
        ("of-nothing", of_file("f9"), 0),
    ] {
        let noted = add(&world, &event(name, scope, 5)).await;
        assert_eq!(noted, EventNoted::New { files }, "{name}");
    }
    assert_eq!(
        occurred(&world, "f1").await,
        ["of-batch batch b1 5", "of-file file f1 5"]
    );
    assert_eq!(
        occurred(&world, "f2").await,
        ["of-batch batch b1 5", "of-label label tenant=acme 5"]
    );
    assert_eq!(occurred(&world, "f3").await, Vec::<String>::new());
    assert_eq!(
        occurred(&world, "c1").await,
        ["of-batch batch b1 5", "of-copies batch x1 5", "of-file file f1 5"]
    );
    world.assert_clean().await;
}

async fn files_recorded_after_an_event_are_covered_by_it(world: World) {
    for scope in [of_batch("b1"), tenant("acme"), of_file("f3"), of_file("o4")] {
        add(&world, &event("ended", scope, 5)).await;
    }
    let rows = [
        hinted(file("b1", "f1"), "p", 1),
        hinted(labelled(file("b2", "f2"), "acme"), "p", 1),
        hinted(file("b2", "f3"), "p", 1),
        hinted(
            NewFile {
                copy_of: Some(address("b9", "o4")),
                ..copy("c4", "o4")
            },
            "p",
            1,
        ),
        hinted(labelled(file("b2", "f5"), "other"), "p", 1),
    ];
    world.record(&rows).await;
    assert_eq!(occurred(&world, "f1").await, ["ended batch b1 5"]);
    assert_eq!(occurred(&world, "f2").await, ["ended label tenant=acme 5"]);
    assert_eq!(occurred(&world, "f3").await, ["ended file f3 5"]);
    assert_eq!(occurred(&world, "c4").await, ["ended file o4 5"]);
    assert_eq!(occurred(&world, "f5").await, Vec::<String>::new());
    // The hints came from somebody who knew of no event: all but f5's are asked for again.
    assert!(!current(&world).await);
    assert_eq!(decide_again(&world).await, ["c4", "f1", "f2", "f3"]);
    assert!(current(&world).await);
    assert_eq!(world.get("f5").await.due_at, Some(at(1)));
    world.assert_clean().await;
}

async fn a_file_that_learns_its_label_later_is_covered_from_then_on(world: World) {
    add(&world, &event("ended", tenant("acme"), 5)).await;
    world.record(&[hinted(file("b1", "f1"), "p", 1)]).await;
    assert!(current(&world).await);
    world
        .record(&[hinted(labelled(file("b1", "f1"), "acme"), "p", 1)])
        .await;
    assert_eq!(occurred(&world, "f1").await, ["ended label tenant=acme 5"]);
    assert!(!current(&world).await);
    assert_eq!(decide_again(&world).await, ["f1"]);
    world.assert_clean().await;
}

async fn an_event_has_its_files_decided_again_and_no_others(world: World) {
    world.record_due(&["f1", "f2", "f3", "f4", "f5"]).await;
    world.record(&[hinted(file("b2", "g1"), "p", 1)]).await;
    assert!(current(&world).await);
    let noted = add(&world, &event("ended", of_batch("b1"), 5)).await;
    assert_eq!(noted, EventNoted::New { files: 5 });
    assert!(!current(&world).await);
    world.assert_clean().await;
    assert_eq!(decide_again(&world).await, ["f1", "f2", "f3", "f4", "f5"]);
    assert!(current(&world).await);
    assert_eq!(world.get("f3").await.due_at, Some(at(70)));
    assert_eq!(world.get("g1").await.due_at, Some(at(1)));
    // The same event again has nobody decided again.
    assert_eq!(
        add(&world, &event("ended", of_batch("b1"), 5)).await,
        EventNoted::Known
    );
    assert!(current(&world).await);
    world.assert_clean().await;
}

async fn files_under_way_and_quarantined_are_decided_again_once_they_are_back(world: World) {
    let batch = world.record_due(&["f1", "f2", "f3"]).await;
    let sweep = world.sweep().await;
    let attempt = world.claim(sweep, batch, &["f1"]).await.attempt.unwrap();
    world.attempt(sweep, batch, &["f2"], FileEvent::GivenUp).await;
    world.attempt(sweep, batch, &["f3"], FileEvent::Confirmed).await;
    let noted = add(&world, &event("ended", of_batch("b1"), 5)).await;
    assert_eq!(
        noted,
        EventNoted::New { files: 2 },
        "the deleted one is past deciding"
    );
    assert!(current(&world).await, "none of them is live");
    world
        .ledger
        .settle(attempt, &settlement(&["f1"], FileEvent::Released))
        .await
        .unwrap();
    assert!(!current(&world).await);
    world
        .ledger
        .note(batch, &[id("f2")], FileEvent::Retried, "again", at(110))
        .await
        .unwrap();
    assert_eq!(decide_again(&world).await, ["f1", "f2"]);
    world.assert_clean().await;
}

async fn a_claim_is_decided_on_the_events_as_they_are_then(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    let sweep = world.sweep().await;
    let files = ids(&["f1", "f2"]);
    add(&world, &event("ended", of_file("f1"), 5)).await;
    let permit = |file: &FileRecord, _: &retentiond::model::Holds| {
        let ended = file.occurred.latest(&"ended".parse().unwrap());
        ended.map_or(Ok(()), |record| Err(said(record)))
    };
    let claim = world
        .ledger
        .claim(&request(sweep, batch, &files, 10), &permit)
        .await
        .unwrap();
    assert_eq!(claim.files, ids(&["f2"]));
    assert_eq!(
        claim.kept,
        [(FileId::new("f1").unwrap(), "ended file f1 5".to_owned())]
    );
}

async fn files_in_scope_are_read_page_by_page(world: World) {
    world.record_due(&["f1", "f2", "f3"]).await;
    world
        .record(&[
            hinted(labelled(file("b2", "f2"), "acme"), "p", 1),
            hinted(labelled(file("b2", "g1"), "acme"), "p", 1),
            hinted(copy("a1", "f3"), "p", 1),
        ])
        .await;
    for (scope, expected) in [
        (of_file("f3"), vec!["a1", "f3"]),
        (of_file("f2"), vec!["f2", "f2"]),
        (of_batch("b1"), vec!["a1", "f1", "f2", "f3"]),
        (tenant("acme"), vec!["f2", "g1"]),
        (tenant("nobody"), vec![]),
    ] {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = world.ledger.in_scope(&scope, after.as_ref(), 1).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            found.extend(page.iter().map(|file| file.key.file.to_string()));
        }
        assert_eq!(found, expected, "{scope}");
    }
}

async fn events_survive_a_crash(world: World) {
    world.record_due(&["f1"]).await;
    add(&world, &event("ended", of_batch("b1"), 5)).await;
    let world = world.reopen().await;
    assert_eq!(occurred(&world, "f1").await, ["ended batch b1 5"]);
    assert!(!current(&world).await);
    world.assert_clean().await;
}
