//! Erasure requests over real HTTP: what goes before its time, what stops it, and when one is done.

use retentiond::engine::observe::observe;
use retentiond::engine::requests::obstacles;
use retentiond::engine::{Ending, Stop, SweepReport};
use retentiond::model::{
    BatchId, Closing, Erasure, ErasureId, ErasureScope, FileState, HoldScope, Labels, NewErasure, NewFile,
    NewHold, Timestamp,
};
use retentiond::sandbox::{DocumentType, Endpoint, Fault};
use retentiond::snapshot::Verdict;

use crate::harness::{Batch, DAY_MS, World, ten_days};

const SUBJECT: &str = "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4";

impl World {
    async fn ask(&self, scope: ErasureScope) -> ErasureId {
        let count = self.ledger.erasures(false).await.unwrap().len();
        let new = NewErasure {
            scope,
            reference: format!("case {count}"),
            received: "2026-05-04".parse().unwrap(),
        };
        self.ledger.add_erasure(&new, self.now()).await.unwrap().erasure
    }

    async fn erase(&self) -> SweepReport {
        self.sweep_policy(&self.engine(), "erasure").await
    }

    async fn request(&self, id: ErasureId) -> Erasure {
        let all = self.ledger.erasures(false).await.unwrap();
        all.into_iter().find(|request| request.id == id).unwrap()
    }

    async fn record_subject(&self, batch: &Batch, uploaded_at: Timestamp) {
        let rows: Vec<_> = batch
            .files
            .iter()
            .map(|file| {
                let file = NewFile {
                    address: self.address(batch, file),
                    uploaded_at,
                    processed_at: None,
                    document_type: None,
                    labels: Labels::new(),
                    subject: Some(SUBJECT.to_owned()),
                    copy_of: None,
                };
                let record = retentiond::intake::provisional(&file);
                retentiond::ledger::Hinted {
                    hint: retentiond::rules::decide::hint(&record, &self.checked.rules),
                    file,
                }
            })
            .collect();
        self.ledger
            .record(&rows, &self.checked.rules.digest, self.now())
            .await
            .unwrap();
    }

    fn hold_on(&self, batch: &Batch) -> NewHold {
        NewHold {
            scope: HoldScope::Batch(BatchId::new(batch.id.as_str()).unwrap()),
            reason: "litigation".to_owned(),
            reference: None,
            owner: None,
            review_by: None,
        }
    }
}

fn in_batch(batch: &Batch) -> ErasureScope {
    ErasureScope::Batch(BatchId::new(batch.id.as_str()).unwrap())
}

fn closed(request: &Erasure) -> bool {
    request.closing == Some(Closing::Verified)
}

#[tokio::test]
async fn a_subjects_files_and_their_copies_go_long_before_their_time_and_the_request_closes_itself() {
    let mut world = World::with(ten_days, &[]).await;
    let template = world.server.seed_extraction("passport data");
    let types = [DocumentType::linked("passport", template.as_str())];
    world.classification = world.server.seed_classification("identity", &types);
    let policies = ten_days(&world.classification);
    world.change_rules(&policies);
    let hers = world.upload_unrecorded(3);
    world.record_subject(&hers, world.now()).await;
    let others = world.upload(2).await;
    let asked = world.ask(ErasureScope::Subject(SUBJECT.to_owned())).await;

    let report = world.erase().await;
    assert_eq!(report.ending, Ending::Done);
    assert_eq!((report.summary.deleted, report.summary.copies), (3, 3));
    assert_eq!((world.left(&hers), world.left(&others)), (0, 2));
    assert_eq!(
        world.server.files().len(),
        4,
        "two files and their copies are left"
    );
    assert!(closed(&world.request(asked).await));
    let order: Vec<Endpoint> = world
        .server
        .requests()
        .into_iter()
        .map(|r| r.endpoint)
        .filter(|e| matches!(e, Endpoint::DeleteFiles | Endpoint::DeleteExtraction))
        .collect();
    assert_eq!(order.first(), Some(&Endpoint::DeleteExtraction), "the copy first");
    world.assert_truth(&[&hers, &others]).await;
    world.assert_nothing_wider();
    assert_eq!(world.erase().await.summary.due, 0);
}

#[tokio::test]
async fn a_request_takes_what_nobody_owns_and_what_is_only_observed() {
    let mut world = World::new().await;
    let observed = world.upload(2).await;
    let policies = ten_days(&world.classification).replace("enforce", "observe");
    world.change_rules(&policies);
    let asked = world.ask(in_batch(&observed)).await;
    assert_eq!(world.erase().await.summary.deleted, 2);
    assert!(closed(&world.request(asked).await));

    let elsewhere = ten_days("-OKI_FueqSWiExyfS310");
    world.change_rules(&elsewhere);
    assert_eq!(world.erase().await.summary.due, 0, "the rules are taken over");
    let unowned = world.upload(2).await;
    let asked = world.ask(in_batch(&unowned)).await;
    assert_eq!(world.erase().await.summary.deleted, 2);
    assert!(closed(&world.request(asked).await));
    world.assert_truth(&[&observed, &unowned]).await;
}

#[tokio::test]
async fn a_hold_stops_a_request_until_its_cool_down_is_over() {
    let world = World::new().await;
    let batch = world.upload(3).await;
    let hold = world
        .ledger
        .add_hold(&world.hold_on(&batch), world.now())
        .await
        .unwrap()
        .hold;
    let asked = world.ask(in_batch(&batch)).await;
    let report = world.erase().await;
    assert_eq!((report.summary.held, report.summary.sent), (3, 0));
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 0);
    let stopped = obstacles(world.ledger.as_ref(), &world.checked.rules, asked, world.now())
        .await
        .unwrap();
    assert_eq!(stopped.sentences(), ["3 held by hold 1"]);
    let until = world.now().checked_add_millis(DAY_MS).unwrap();
    let ledger = &world.ledger;
    ledger
        .release_hold(hold, "settled", world.now(), until)
        .await
        .unwrap();
    assert_eq!(world.erase().await.summary.sent, 0, "the cool-down covers it");
    world.days_pass(1);
    assert_eq!(world.erase().await.summary.deleted, 3);
    assert!(closed(&world.request(asked).await));
}

#[tokio::test]
async fn a_hold_placed_between_plan_and_claim_beats_a_request() {
    let world = World::new().await;
    let batch = world.upload(3).await;
    let asked = world.ask(in_batch(&batch)).await;
    let fault = Fault::at(Endpoint::GetResults).delay_ms(2_000).times(1);
    world.server.add_fault(fault).unwrap();
    let place = async {
        world
            .server
            .await_until(|s| s.request_count(Endpoint::GetResults) >= 1)
            .await;
        let hold = world.hold_on(&batch);
        world.ledger.add_hold(&hold, world.now()).await.unwrap();
    };
    let (report, ()) = tokio::join!(world.erase(), place);
    assert_eq!((report.summary.due, report.summary.sent), (3, 0));
    assert_eq!(world.left(&batch), 3);
    assert_eq!(world.request(asked).await.closed_at, None);
}

#[tokio::test]
async fn a_request_closed_between_plan_and_claim_deletes_nothing_any_more() {
    let world = World::new().await;
    let batch = world.upload(3).await;
    let asked = world.ask(in_batch(&batch)).await;
    let fault = Fault::at(Endpoint::GetResults).delay_ms(2_000).times(1);
    world.server.add_fault(fault).unwrap();
    let withdraw = async {
        world
            .server
            .await_until(|s| s.request_count(Endpoint::GetResults) >= 1)
            .await;
        let closing = world.ledger.close_erasure(asked, "withdrawn", world.now());
        closing.await.unwrap();
    };
    let (report, ()) = tokio::join!(world.erase(), withdraw);
    assert_eq!((report.summary.due, report.summary.sent), (3, 0));
    assert_eq!(world.left(&batch), 3);
    world.assert_truth(&[&batch]).await;
}

#[tokio::test]
async fn only_a_binding_floor_stops_a_request_and_the_reason_is_kept() {
    let mut world = World::new().await;
    let batch = world.upload(2).await;
    let asked = world.ask(in_batch(&batch)).await;
    let with_floor = |binding: bool| {
        let policies = ten_days(&world.classification);
        format!(
            "{policies}delete_by = \"1 year\"\n[[keep]]\nname = \"tax\"\nmatch = {{ batch = \"{}\" }}\nkeep_for = \"60 days\"\nbinding = {binding}\nbasis = \"§ 147 AO\"\n",
            batch.id
        )
    };
    let (binding, plain) = (with_floor(true), with_floor(false));
    world.change_rules(&binding);
    let report = world.erase().await;
    assert_eq!((report.summary.due, report.summary.sent), (0, 0));
    let stopped = obstacles(world.ledger.as_ref(), &world.checked.rules, asked, world.now())
        .await
        .unwrap();
    assert_eq!(
        stopped.sentences(),
        ["2 kept until 2026-07-03T22:00:00Z by binding floor `tax` (§ 147 AO)"]
    );
    world.change_rules(&plain);
    assert_eq!(world.erase().await.summary.deleted, 2);
    assert!(closed(&world.request(asked).await));
    world.assert_truth(&[&batch]).await;
}

#[tokio::test]
async fn a_file_recorded_while_the_request_is_open_goes_too() {
    let world = World::new().await;
    let asked = world.ask(ErasureScope::Subject(SUBJECT.to_owned())).await;
    assert_eq!(world.erase().await.summary.due, 0);
    assert_eq!(
        world.request(asked).await.closed_at,
        None,
        "a request of which no file is known stays open"
    );
    let late = world.upload_unrecorded(2);
    world.record_subject(&late, world.now()).await;
    assert_eq!(world.erase().await.summary.deleted, 2);
    assert!(closed(&world.request(asked).await));
    world.assert_truth(&[&late]).await;
}

#[tokio::test]
async fn above_a_limit_a_request_waits_for_an_approval_as_every_plan_does() {
    let mut world = World::new().await;
    let batch = world.upload(4).await;
    let policies = ten_days(&world.classification).replace("100000", "3");
    world.change_rules(&policies);
    let asked = world.ask(in_batch(&batch)).await;
    let report = world.erase().await;
    let Ending::Stopped {
        by: Stop::Limit { plan, .. },
    } = &report.ending
    else {
        panic!("{report:?}")
    };
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 0);
    world
        .ledger
        .set_setting("daemon.last_turn", Some(&world.now().to_string()))
        .await
        .unwrap();
    let seen = observe(world.ledger.as_ref(), &world.checked.rules, world.now())
        .await
        .unwrap();
    assert_eq!(seen.verdict, Verdict::Waiting, "{}", seen.sentence);
    assert_eq!(
        (seen.waiting[0].policy.as_str(), seen.waiting[0].files),
        ("erasure", 4)
    );
    let until = world.now().checked_add_millis(3 * DAY_MS).unwrap();
    world.ledger.approve(plan, world.now(), until).await.unwrap();
    assert_eq!(world.erase().await.summary.deleted, 4);
    assert!(closed(&world.request(asked).await));
}

#[tokio::test]
async fn a_confirmation_that_lies_leaves_the_request_open() {
    let world = World::new().await;
    let batch = world.upload(2).await;
    let asked = world.ask(in_batch(&batch)).await;
    let lie = Fault::at(Endpoint::DeleteFiles).lie().times(1);
    world.server.add_fault(lie).unwrap();
    let report = world.erase().await;
    assert!(matches!(report.ending, Ending::Stopped { .. }), "{report:?}");
    assert_eq!(world.left(&batch), 2);
    assert_eq!(world.request(asked).await.closed_at, None);
    // The next sweep finds them there, deletes and verifies them.
    assert_eq!(world.erase().await.summary.deleted, 2);
    assert!(closed(&world.request(asked).await));
    world.assert_truth(&[&batch]).await;
}

#[tokio::test]
async fn without_looks_nothing_is_known_to_be_gone_and_the_request_stays_open() {
    let mut world = World::new().await;
    let batch = world.upload(2).await;
    let asked = world.ask(in_batch(&batch)).await;
    world.settings.verify = false;
    assert_eq!(world.erase().await.summary.deleted, 2);
    assert_eq!(world.request(asked).await.closed_at, None);
    world.settings.verify = true;
    // However long ago: a request is not done before somebody has looked.
    world.days_pass(20);
    let report = world.erase().await;
    assert_eq!(report.ending, Ending::Done);
    assert!(closed(&world.request(asked).await));
}

#[tokio::test]
async fn what_a_policys_own_sweep_deleted_closes_the_request_as_well() {
    let world = World::new().await;
    let batch = world.upload(2).await;
    world.days_pass(11);
    let asked = world.ask(in_batch(&batch)).await;
    assert_eq!(world.sweep().await.summary.deleted, 2, "due by the rules");
    assert_eq!(world.request(asked).await.closed_at, None);
    assert_eq!(world.erase().await.summary.due, 0);
    assert!(closed(&world.request(asked).await));
}

#[tokio::test]
async fn status_warns_before_the_date_of_the_answer_and_is_overdue_after_it() {
    let world = World::new().await;
    let batch = world.upload(1).await;
    let hold = world.hold_on(&batch);
    world.ledger.add_hold(&hold, world.now()).await.unwrap();
    world.ask(in_batch(&batch)).await;
    // Received on Monday, 4 May: the answer is due with Thursday, 4 June.
    for (at, verdict, near, late) in [
        ("2026-05-28T21:59:59Z", Verdict::Ok, 0, 0),
        ("2026-05-28T22:00:00Z", Verdict::Attention, 1, 0),
        ("2026-06-04T21:59:59Z", Verdict::Attention, 1, 0),
        ("2026-06-04T22:00:00Z", Verdict::Overdue, 1, 1),
    ] {
        let at: Timestamp = at.parse().unwrap();
        let turn = Some(at.to_string());
        world
            .ledger
            .set_setting("daemon.last_turn", turn.as_deref())
            .await
            .unwrap();
        let seen = observe(world.ledger.as_ref(), &world.checked.rules, at)
            .await
            .unwrap();
        assert_eq!(seen.verdict, verdict, "{at}: {}", seen.sentence);
        let erasures = &seen.erasures;
        assert_eq!((erasures.near, erasures.late), (near, late), "{at}");
        assert_eq!((erasures.open, erasures.files_left), (1, 1));
        assert_eq!(erasures.answer_by.unwrap().to_string(), "2026-06-04T22:00:00Z");
        if verdict != Verdict::Ok {
            assert!(
                seen.sentence.contains("`retentiond erase list`"),
                "{}",
                seen.sentence
            );
        }
    }
}

#[tokio::test]
async fn a_hold_past_its_review_asks_for_attention_until_it_is_released() {
    let world = World::new().await;
    let mut hold = NewHold {
        scope: HoldScope::Batch(BatchId::new("elsewhere").unwrap()),
        reason: "audit".to_owned(),
        reference: None,
        owner: Some("legal".to_owned()),
        review_by: Some(world.now()),
    };
    let placed = world.ledger.add_hold(&hold, world.now()).await.unwrap().hold;
    hold.review_by = world.now().checked_add_millis(1);
    world.ledger.add_hold(&hold, world.now()).await.unwrap();
    let turn = Some(world.now().to_string());
    world
        .ledger
        .set_setting("daemon.last_turn", turn.as_deref())
        .await
        .unwrap();
    let seen = async || {
        observe(world.ledger.as_ref(), &world.checked.rules, world.now())
            .await
            .unwrap()
    };
    let now = seen().await;
    assert_eq!(
        (now.verdict, now.holds, now.holds_review_overdue),
        (Verdict::Attention, 2, 1)
    );
    assert!(
        now.sentence.contains("`retentiond hold list`"),
        "{}",
        now.sentence
    );
    let until = world.now().checked_add_millis(DAY_MS).unwrap();
    let ledger = &world.ledger;
    ledger
        .release_hold(placed, "settled", world.now(), until)
        .await
        .unwrap();
    assert_eq!(seen().await.verdict, Verdict::Ok);
}

#[tokio::test]
async fn unknown_outcomes_keep_a_request_open_until_they_are_settled() {
    let world = World::new().await;
    let batch = world.upload(1).await;
    let asked = world.ask(in_batch(&batch)).await;
    let lost = Fault::at(Endpoint::DeleteFiles).status(502).times(1);
    world.server.add_fault(lost).unwrap();
    let blind = Fault::at(Endpoint::GetResults).status(500).after(1).times(9);
    world.server.add_fault(blind).unwrap();
    world.erase().await;
    assert_eq!(world.state(&batch.files[0]).await, FileState::Unknown);
    assert_eq!(world.request(asked).await.closed_at, None);
    world.server.clear_faults();
    world.erase().await;
    assert!(closed(&world.request(asked).await));
    world.assert_truth(&[&batch]).await;
}
