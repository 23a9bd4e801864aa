//! `ErasureRequests`: what a request covers, now and later, and when it is done.

use retentiond::ledger::{ErasureFiles, LedgerError};
use retentiond::model::{
    BatchId, Closing, ErasureId, ErasureScope, FileRecord, FileState, Finding, Holds, NewErasure, NewFile,
};
use retentiond::outcome::FileEvent;

use crate::world::*;

for_every_backend![
    a_request_is_read_back_whole,
    the_same_reference_is_the_same_request_and_another_one_under_it_is_refused,
    each_scope_finds_what_covers_says,
    what_is_recorded_later_comes_under_the_open_requests,
    a_subject_that_is_filled_in_later_brings_file_and_copies_under_its_request,
    a_closed_request_takes_nothing_in,
    the_claim_sees_the_requests_as_they_are_then,
    copies_are_left_out_while_their_original_goes_too,
    pages_give_every_file_once,
    a_request_closes_only_when_every_file_is_verified_gone,
    a_file_found_gone_by_a_look_needs_no_other,
    a_request_without_files_is_closed_by_hand_only,
    requests_survive_a_crash,
];

fn new(scope: ErasureScope, reference: &str) -> NewErasure {
    NewErasure {
        scope,
        reference: reference.to_owned(),
        received: "2026-11-20".parse().unwrap(),
    }
}

fn subject(name: &str) -> ErasureScope {
    ErasureScope::Subject(hmac(name))
}

fn hmac(name: &str) -> String {
    format!("{name:f<64}")
}

fn of(name: &str, file: NewFile) -> NewFile {
    NewFile {
        subject: Some(hmac(name)),
        ..file
    }
}

impl World {
    async fn ask(&self, scope: ErasureScope, reference: &str) -> ErasureId {
        let entered = self
            .ledger
            .add_erasure(&new(scope, reference), at(1))
            .await
            .unwrap();
        assert!(!entered.known);
        entered.erasure
    }

    /// The names of a request's files, sorted.
    async fn covered(&self, id: ErasureId) -> Vec<String> {
        let files = self.ledger.erasure_files(id, None, 100).await.unwrap();
        let request = self.ledger.erasures(false).await.unwrap();
        let request = request.iter().find(|request| request.id == id).unwrap();
        let mut names: Vec<String> = files.iter().map(|file| file.key.file.to_string()).collect();
        for file in &files {
            assert!(request.covers(file), "{:?} is listed and not covered", file.key);
        }
        names.sort();
        names
    }

    async fn erasable(&self) -> Vec<String> {
        let files = self.ledger.erasable(None, 100).await.unwrap();
        let mut names: Vec<String> = files.iter().map(|file| file.key.file.to_string()).collect();
        names.sort();
        names
    }

    async fn left(&self, id: ErasureId) -> ErasureFiles {
        let counted = self.ledger.erasure_progress(false).await.unwrap();
        counted.into_iter().find(|(of, _)| *of == id).unwrap().1
    }
}

async fn a_request_is_read_back_whole(world: World) {
    let scopes = [
        subject("anna"),
        ErasureScope::File(id("f1")),
        ErasureScope::Batch(BatchId::new("b1").unwrap()),
    ];
    for (n, scope) in scopes.into_iter().enumerate() {
        let asked = world.ask(scope.clone(), &format!("case {n}")).await;
        let listed = world.ledger.erasures(true).await.unwrap();
        assert_eq!(listed.len(), n + 1);
        let request = &listed[n];
        assert_eq!((request.id, &request.scope), (asked, &scope));
        assert_eq!(request.reference, format!("case {n}"));
        assert_eq!(request.received.to_string(), "2026-11-20");
        assert_eq!(
            (request.placed_at, request.closed_at, &request.closing),
            (at(1), None, &None)
        );
    }
    world
        .ledger
        .close_erasure(ErasureId(1), "withdrawn", at(5))
        .await
        .unwrap();
    let all = world.ledger.erasures(false).await.unwrap();
    assert_eq!(all[0].closed_at, Some(at(5)));
    let reason = "withdrawn".to_owned();
    assert_eq!(all[0].closing, Some(Closing::ByOperator { reason }));
    assert_eq!(world.ledger.erasures(true).await.unwrap().len(), 2);
    for id in [ErasureId(1), ErasureId(99)] {
        let refused = world.ledger.close_erasure(id, "again", at(6)).await.unwrap_err();
        assert!(matches!(refused, LedgerError::Conflict { .. }), "{refused}");
    }
}

async fn the_same_reference_is_the_same_request_and_another_one_under_it_is_refused(world: World) {
    world.record_due(&["f1", "f2"]).await;
    let first = world.ask(ErasureScope::File(id("f1")), "case 7").await;
    let again = new(ErasureScope::File(id("f1")), "case 7");
    let known = world.ledger.add_erasure(&again, at(9)).await.unwrap();
    assert_eq!((known.erasure, known.known, known.files.live), (first, true, 1));
    assert_eq!(world.ledger.erasures(false).await.unwrap()[0].placed_at, at(1));
    let mut later = again.clone();
    later.received = "2026-11-21".parse().unwrap();
    for other in [new(ErasureScope::File(id("f2")), "case 7"), later] {
        let refused = world.ledger.add_erasure(&other, at(9)).await.unwrap_err();
        assert!(matches!(refused, LedgerError::Conflict { .. }), "{refused}");
    }
    world
        .ledger
        .close_erasure(first, "withdrawn", at(10))
        .await
        .unwrap();
    world.ledger.add_erasure(&again, at(11)).await.unwrap_err();
    assert_eq!(world.ledger.erasures(false).await.unwrap().len(), 1);
}

async fn each_scope_finds_what_covers_says(world: World) {
    world
        .record(&[
            hinted(of("anna", file("b1", "f1")), "p", 0),
            unowned(of("anna", file("b2", "f2"))),
            hinted(of("bert", file("b2", "f1")), "q", 0),
            hinted(file("b1", "f3"), "p", 0),
            // Copies of files of b1: without a subject, with the same, with another.
            hinted(copy("c1", "f1"), "p", 0),
            hinted(of("anna", copy("c2", "f1")), "p", 0),
            hinted(of("bert", copy("c3", "f1")), "p", 0),
            hinted(copy("c4", "f3"), "p", 0),
        ])
        .await;
    for (n, (scope, expected)) in [
        (subject("anna"), vec!["c1", "c2", "f1", "f2"]),
        (subject("bert"), vec!["c3", "f1"]),
        (subject("nobody"), vec![]),
        (ErasureScope::File(id("f1")), vec!["c1", "c2", "c3", "f1", "f1"]),
        (ErasureScope::File(id("c4")), vec!["c4"]),
        (
            ErasureScope::Batch(BatchId::new("b1").unwrap()),
            vec!["c1", "c2", "c3", "c4", "f1", "f3"],
        ),
        (ErasureScope::Batch(BatchId::new("b2").unwrap()), vec!["f1", "f2"]),
    ]
    .into_iter()
    .enumerate()
    {
        let asked = world.ask(scope.clone(), &format!("case {n}")).await;
        assert_eq!(world.covered(asked).await, expected, "{scope:?}");
        assert_eq!(world.left(asked).await.live, expected.len() as u64, "{scope:?}");
        // And no other file, by the one function that decides.
        let request = world.ledger.erasures(true).await.unwrap().pop().unwrap();
        let mut covered = 0;
        for name in ["f1", "f2", "f3", "c1", "c2", "c3", "c4"] {
            let found = world.ledger.find(&id(name)).await.unwrap();
            covered += found.iter().filter(|file| request.covers(file)).count();
        }
        assert_eq!(covered, expected.len(), "{scope:?}");
    }
    world.assert_clean().await;
}

async fn what_is_recorded_later_comes_under_the_open_requests(world: World) {
    let anna = world.ask(subject("anna"), "case 1").await;
    let one = world.ask(ErasureScope::File(id("f1")), "case 2").await;
    let batch = world
        .ask(ErasureScope::Batch(BatchId::new("b1").unwrap()), "case 3")
        .await;
    assert_eq!(world.left(anna).await, ErasureFiles::default());
    world
        .record(&[
            hinted(of("anna", file("b1", "f1")), "p", 0),
            unowned(of("anna", file("b2", "f2"))),
            hinted(file("b2", "f3"), "p", 0),
        ])
        .await;
    world
        .record(&[hinted(copy("c1", "f1"), "p", 0), hinted(file("b1", "f4"), "p", 0)])
        .await;
    assert_eq!(world.covered(anna).await, ["c1", "f1", "f2"]);
    assert_eq!(world.covered(one).await, ["c1", "f1"]);
    assert_eq!(world.covered(batch).await, ["c1", "f1", "f4"]);
    assert_eq!(world.erasable().await, ["f1", "f2", "f4"]);
    world.assert_clean().await;
}

async fn a_subject_that_is_filled_in_later_brings_file_and_copies_under_its_request(world: World) {
    let anna = world.ask(subject("anna"), "case 1").await;
    world
        .record(&[hinted(file("b1", "f1"), "p", 0), hinted(copy("c1", "f1"), "p", 0)])
        .await;
    assert_eq!(world.covered(anna).await, [""; 0]);
    world
        .record(&[hinted(of("anna", file("b1", "f1")), "p", 0)])
        .await;
    assert_eq!(world.covered(anna).await, ["c1", "f1"]);
    assert_eq!(world.get("c1").await.subject, Some(hmac("anna")));
}

async fn a_closed_request_takes_nothing_in(world: World) {
    let anna = world.ask(subject("anna"), "case 1").await;
    world
        .ledger
        .close_erasure(anna, "withdrawn", at(2))
        .await
        .unwrap();
    world
        .record(&[hinted(of("anna", file("b1", "f1")), "p", 0)])
        .await;
    assert_eq!(world.covered(anna).await, [""; 0]);
    assert_eq!(world.erasable().await, [""; 0]);
}

async fn the_claim_sees_the_requests_as_they_are_then(world: World) {
    let batch = world.record_due(&["f1", "f2"]).await;
    let sweep = world.sweep().await;
    let files = ids(&["f1", "f2"]);
    let permit = |file: &FileRecord, beside: &Holds| match beside.erasures().covering(file, at(100)) {
        Some(request) => Err(format!("request {}", request.id.0)),
        None => Err("none".to_owned()),
    };
    let asked = request(sweep, batch, &files, 10);
    let kept = |kept: &[(_, String)]| kept.iter().map(|(_, why)| why.clone()).collect::<Vec<_>>();
    let claim = world.ledger.claim(&asked, &permit).await.unwrap();
    assert_eq!(kept(&claim.kept), ["none", "none"]);
    let one = world.ask(ErasureScope::File(id("f1")), "case 1").await;
    let claim = world.ledger.claim(&asked, &permit).await.unwrap();
    assert_eq!(kept(&claim.kept), ["request 1", "none"]);
    world.ledger.close_erasure(one, "withdrawn", at(2)).await.unwrap();
    let claim = world.ledger.claim(&asked, &permit).await.unwrap();
    assert_eq!(kept(&claim.kept), ["none", "none"]);
}

async fn copies_are_left_out_while_their_original_goes_too(world: World) {
    world
        .record(&[
            hinted(file("b1", "f1"), "p", 0),
            hinted(file("b1", "f2"), "p", 0),
            hinted(copy("c1", "f1"), "p", 0),
            hinted(copy("c2", "f2"), "p", 0),
            hinted(copy("c9", "never-recorded"), "p", 0),
        ])
        .await;
    world.ask(ErasureScope::File(id("f1")), "case 1").await;
    world.ask(ErasureScope::File(id("c2")), "case 2").await;
    world
        .ask(ErasureScope::File(id("never-recorded")), "case 3")
        .await;
    assert_eq!(world.erasable().await, ["c2", "c9", "f1"]);
    let batch = world.batch("b1").await;
    let sweep = world.sweep().await;
    world.attempt(sweep, batch, &["f1"], FileEvent::Confirmed).await;
    assert_eq!(world.erasable().await, ["c1", "c2", "c9"], "its original is gone");
}

async fn pages_give_every_file_once(world: World) {
    world.record_due(&["f1", "f2", "f3", "f4", "f5"]).await;
    world
        .ask(ErasureScope::Batch(BatchId::new("b1").unwrap()), "case 1")
        .await;
    world.ask(ErasureScope::File(id("f3")), "case 2").await;
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = world.ledger.erasable(after.as_ref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        seen.extend(page.into_iter().map(|file| file.key.file.to_string()));
    }
    assert_eq!(seen, ["f1", "f2", "f3", "f4", "f5"]);
    let first = world.ledger.erasure_files(ErasureId(1), None, 2).await.unwrap();
    let next = world
        .ledger
        .erasure_files(ErasureId(1), Some(&first[1].key), 9)
        .await;
    assert_eq!((first.len(), next.unwrap().len()), (2, 3));
    assert_eq!(world.ledger.live_in_all().await.unwrap(), 5);
}

async fn a_request_closes_only_when_every_file_is_verified_gone(world: World) {
    let batch = world.record_due(&["f1", "f2", "f3"]).await;
    let asked = world
        .ask(ErasureScope::Batch(BatchId::new("b1").unwrap()), "case 1")
        .await;
    let sweep = world.sweep().await;
    let closes = async || world.ledger.close_erased(at(9)).await.unwrap();
    assert_eq!(closes().await, []);
    world.attempt(sweep, batch, &["f1"], FileEvent::Confirmed).await;
    world.attempt(sweep, batch, &["f2"], FileEvent::FoundGone).await;
    world.attempt(sweep, batch, &["f3"], FileEvent::Lost).await;
    let left = world.left(asked).await;
    assert_eq!((left.unverified, left.unknown, left.verified), (2, 1, 0));
    assert_eq!((left.known(), left.left()), (3, 3));
    assert_eq!(closes().await, []);
    let unverified = world.ledger.erased_unverified(9).await.unwrap();
    assert_eq!(unverified.len(), 2);
    let absent = ids(&["f1", "f2"]).into_iter().map(|file| (file, Finding::Absent));
    let absent: Vec<_> = absent.collect();
    world.ledger.verified(batch, &absent, at(8)).await.unwrap();
    assert_eq!(world.ledger.erased_unverified(9).await.unwrap().len(), 0);
    assert_eq!(closes().await, [], "one outcome is unknown");
    let f3 = ids(&["f3"]);
    let confirmed = |finding| world.ledger.verified(batch, finding, at(8));
    world.attempt(sweep, batch, &["f3"], FileEvent::Confirmed).await;
    assert_eq!(closes().await, [], "one is not verified");
    confirmed(&[(f3[0].clone(), Finding::StillThere)]).await.unwrap();
    assert_eq!(world.state("f3").await, FileState::Unknown);
    assert_eq!(closes().await, [], "one was still there");
    // A later look finds it gone.
    let note = world
        .ledger
        .note(batch, &f3, FileEvent::FoundGone, "not listed any more", at(9));
    assert_eq!(note.await.unwrap(), 1);
    assert_eq!(world.left(asked).await.verified, 3);
    assert_eq!(closes().await, [asked]);
    let request = world.ledger.erasures(false).await.unwrap().remove(0);
    assert_eq!(
        (request.closed_at, request.closing),
        (Some(at(9)), Some(Closing::Verified))
    );
    assert_eq!(closes().await, [], "once");
}

async fn a_file_found_gone_by_a_look_needs_no_other(world: World) {
    let batch = world.record_due(&["f1"]).await;
    let asked = world.ask(ErasureScope::File(id("f1")), "case 1").await;
    let files = ids(&["f1"]);
    let gone = world
        .ledger
        .note(batch, &files, FileEvent::FoundGone, "not listed", at(2));
    gone.await.unwrap();
    assert_eq!(world.left(asked).await.verified, 1);
    assert_eq!(world.ledger.close_erased(at(3)).await.unwrap(), [asked]);
}

async fn a_request_without_files_is_closed_by_hand_only(world: World) {
    let asked = world.ask(subject("nobody"), "case 1").await;
    assert_eq!(world.ledger.close_erased(at(3)).await.unwrap(), []);
    world
        .ledger
        .close_erasure(asked, "no-files", at(4))
        .await
        .unwrap();
    assert_eq!(world.ledger.erasures(true).await.unwrap().len(), 0);
}

async fn requests_survive_a_crash(world: World) {
    world.record_due(&["f1"]).await;
    world.ask(ErasureScope::File(id("f1")), "case 1").await;
    let world = world.reopen().await;
    assert_eq!(world.ledger.erasures(true).await.unwrap().len(), 1);
    assert_eq!(world.erasable().await, ["f1"]);
}
