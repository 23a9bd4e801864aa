//! What a sweep does when all goes well.

use retentiond::engine::{Ending, SweepRequest};
use retentiond::ledger::HistoryFilter;
use retentiond::model::{FileState, Finding, HoldScope, Labels, NewHold, Trigger};
use retentiond::sandbox::{DocumentType, Endpoint, FileStatus};
use tokio_util::sync::CancellationToken;

use crate::harness::{DAY_MS, World, name, ten_days};

#[tokio::test]
async fn due_files_go_verified_and_all_others_stay() {
    let world = World::new().await;
    let old = world.upload(7).await;
    world.days_pass(6);
    let young = world.upload(5).await;
    world.days_pass(5);
    let report = world.sweep().await;
    assert_eq!(report.ending, Ending::Done);
    let s = &report.summary;
    assert_eq!(
        (s.live, s.due, s.sent, s.deleted, s.verified, s.late),
        (12, 7, 7, 7, 7, 0)
    );
    assert_eq!(world.count(&old, FileState::Deleted).await, 7);
    assert_eq!(world.left(&young), 5);
    world.assert_truth(&[&old, &young]).await;
    world.assert_nothing_wider();
}

#[tokio::test]
async fn nothing_goes_before_its_last_day_is_over() {
    let world = World::new().await;
    let batch = world.upload(3).await;
    // Uploaded on 4 May: the tenth day is 14 May, in Berlin until 22:00 UTC.
    world.clock.advance(
        "2026-05-14T21:59:59Z"
            .parse::<retentiond::model::Timestamp>()
            .unwrap()
            .millis_since(world.now()),
    );
    assert_eq!(world.sweep().await.summary.due, 0);
    assert_eq!(world.left(&batch), 3);
    world.clock.advance(1000);
    assert_eq!(world.sweep().await.summary.deleted, 3);
    assert_eq!(world.left(&batch), 0);
}

#[tokio::test]
async fn the_first_file_goes_alone_and_is_verified_before_the_rest() {
    let world = World::new().await;
    let batch = world.upload(30).await;
    world.days_pass(11);
    world.sweep().await;
    let deletes: Vec<usize> = world
        .server
        .requests()
        .into_iter()
        .filter(|r| r.endpoint == Endpoint::DeleteFiles)
        .map(|r| r.file_ids.len())
        .collect();
    assert_eq!(deletes, [1, 29]);
    world.assert_truth(&[&batch]).await;
}

#[tokio::test]
async fn a_held_file_is_never_sent_and_goes_after_release_and_cool_down() {
    let world = World::new().await;
    let batch = world.upload(4).await;
    let hold = NewHold {
        scope: HoldScope::File(batch.files[2].clone()),
        reason: "litigation".to_owned(),
        reference: None,
        owner: None,
        review_by: None,
    };
    let placed = world.ledger.add_hold(&hold, world.now()).await.unwrap();
    world.days_pass(11);
    let report = world.sweep().await;
    assert_eq!((report.summary.deleted, report.summary.held), (3, 1));
    assert!(world.server.exists(batch.files[2].as_str()));
    let until = world.now().checked_add_millis(DAY_MS).unwrap();
    world
        .ledger
        .release_hold(placed.hold, "settled", world.now(), until)
        .await
        .unwrap();
    assert_eq!(
        world.sweep().await.summary.deleted,
        0,
        "the cool-down still covers it"
    );
    world.days_pass(2);
    assert_eq!(world.sweep().await.summary.deleted, 1);
    world.assert_truth(&[&batch]).await;
}

#[tokio::test]
async fn hold_placed_between_plan_and_claim_wins() {
    let world = World::new().await;
    let batch = world.upload(6).await;
    world.days_pass(11);
    // The plan is made before the first look at the batch; that look takes a while here.
    let fault = retentiond::sandbox::Fault::at(Endpoint::GetResults)
        .delay_ms(2_000)
        .times(1);
    world.server.add_fault(fault).unwrap();
    let engine = world.engine();
    let place = async {
        world.server.await_requests(Endpoint::Credits, 1).await;
        let hold = NewHold {
            scope: HoldScope::Batch(retentiond::model::BatchId::new(batch.id.as_str()).unwrap()),
            reason: "audit".to_owned(),
            reference: None,
            owner: None,
            review_by: None,
        };
        // The plan counts six due files before the hold exists: see the summary below.
        world
            .server
            .await_until(|s| s.request_count(Endpoint::GetResults) >= 1)
            .await;
        world.ledger.add_hold(&hold, world.now()).await.unwrap();
    };
    let (report, ()) = tokio::join!(world.sweep_with(&engine), place);
    assert_eq!(report.summary.due, 6);
    assert_eq!(report.summary.sent, 0);
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 0);
    assert_eq!(world.left(&batch), 6);
    world.assert_truth(&[&batch]).await;
}

#[tokio::test]
async fn an_observing_policy_sends_nothing() {
    let world = World::with(
        |c| ten_days(c).replace("enforce", "observe"),
        &[DocumentType::named("letter")],
    )
    .await;
    let batch = world.upload(4).await;
    world.days_pass(20);
    let report = world.sweep().await;
    assert_eq!(report.ending, Ending::Observed);
    assert_eq!((report.summary.due, report.summary.sent), (4, 0));
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 0);
    assert_eq!(world.left(&batch), 4);
}

#[tokio::test]
async fn a_linked_copy_goes_before_its_original() {
    let world = World::with(ten_days, &[]).await;
    let template = world.server.seed_extraction("passport data");
    let types = [DocumentType::linked("passport", template.as_str())];
    let classification = world.server.seed_classification("identity", &types);
    let mut world = world;
    world.change_rules(&ten_days(&classification));
    world.classification = classification;
    let batch = world.upload(5).await;
    let with_copies = world.server.files().len();
    assert_eq!(with_copies, 10, "each passport has a second copy");
    world.days_pass(11);
    let report = world.sweep().await;
    assert_eq!((report.summary.deleted, report.summary.copies), (5, 5));
    assert!(world.server.files().is_empty(), "no copy survives");
    let order: Vec<Endpoint> = world
        .server
        .requests()
        .into_iter()
        .map(|r| r.endpoint)
        .filter(|e| matches!(e, Endpoint::DeleteFiles | Endpoint::DeleteExtraction))
        .collect();
    assert_eq!(order.first(), Some(&Endpoint::DeleteExtraction));
    assert_eq!(order.last(), Some(&Endpoint::DeleteFiles));
    world.assert_truth(&[&batch]).await;
    world.assert_nothing_wider();
}

#[tokio::test]
async fn a_file_still_being_processed_waits_until_its_deadline() {
    let world = World::new().await;
    let batch = world.upload(3).await;
    world.days_pass(10);
    world.clock.advance(14 * 3_600_000);
    world
        .server
        .set_file_status(batch.files[1].as_str(), FileStatus::Processing);
    let report = world.sweep().await;
    assert_eq!((report.summary.deleted, report.summary.kept), (2, 1));
    assert!(world.server.exists(batch.files[1].as_str()));
    world.days_pass(2);
    world
        .server
        .set_file_status(batch.files[1].as_str(), FileStatus::Processing);
    let report = world.sweep().await;
    assert_eq!((report.summary.deleted, report.summary.late), (1, 1));
    world.assert_truth(&[&batch]).await;
}

#[tokio::test]
async fn each_deletion_has_its_attempt_answer_and_verification() {
    let world = World::new().await;
    let batch = world.upload(9).await;
    world.days_pass(11);
    let report = world.sweep().await;
    for file in &batch.files {
        let filter = HistoryFilter {
            file: Some(file.clone()),
            limit: 10,
            ..HistoryFilter::default()
        };
        let attempts = world.ledger.history(&filter).await.unwrap();
        assert_eq!(attempts.len(), 1);
        let attempt = &attempts[0];
        assert_eq!(attempt.sweep, report.sweep);
        assert_eq!(
            (attempt.outcome.as_deref(), attempt.http_status),
            (Some("confirmed"), Some(200))
        );
        assert!(attempt.settled_at.is_some());
        let row = attempt.files.iter().find(|row| row.file_id == *file).unwrap();
        assert_eq!(
            (row.result, row.finding),
            (Some(FileState::Deleted), Some(Finding::Absent))
        );
    }
}

#[tokio::test]
async fn a_file_deleted_by_somebody_else_is_gone_and_not_asked_for() {
    let world = World::new().await;
    let batch = world.upload(4).await;
    world.server.remove_file(batch.files[0].as_str());
    world.days_pass(11);
    let report = world.sweep().await;
    assert_eq!((report.summary.gone, report.summary.deleted), (1, 3));
    assert_eq!(world.state(&batch.files[0]).await, FileState::Gone);
    world.assert_truth(&[&batch]).await;
}

#[tokio::test]
async fn the_same_occurrence_runs_once() {
    let world = World::new().await;
    world.upload(2).await;
    world.days_pass(11);
    let engine = world.engine();
    let request = SweepRequest {
        policy: name("documents"),
        occurrence: Some(world.now()),
        trigger: Trigger::Schedule,
    };
    let none = CancellationToken::new();
    let first = engine.sweep(&world.checked.rules, &request, &none).await.unwrap();
    let second = engine.sweep(&world.checked.rules, &request, &none).await.unwrap();
    assert_eq!((first.ending, second.ending), (Ending::Done, Ending::AlreadyDone));
    assert_eq!(first.sweep, second.sweep);
}

#[tokio::test]
async fn a_changed_policy_decides_the_files_at_hand_anew() {
    let mut world = World::new().await;
    let batch = world.upload_labelled(4, Labels::new()).await;
    world.days_pass(11);
    let longer = ten_days(&world.classification).replace("10 days", "30 days");
    world.change_rules(&longer);
    assert_eq!(world.sweep().await.summary.due, 0);
    assert_eq!(world.left(&batch), 4);
    world.days_pass(20);
    assert_eq!(world.sweep().await.summary.deleted, 4);
    world.assert_truth(&[&batch]).await;
}

#[tokio::test]
async fn a_first_file_that_must_wait_does_not_hold_up_the_others() {
    let world = World::new().await;
    let batch = world.upload(8).await;
    world.days_pass(10);
    world.clock.advance(14 * 3_600_000);
    for file in &batch.files[..5] {
        world
            .server
            .set_file_status(file.as_str(), FileStatus::Processing);
    }
    let report = world.sweep().await;
    assert_eq!((report.summary.deleted, report.summary.kept), (3, 5));
    world.assert_truth(&[&batch]).await;
}

#[tokio::test]
async fn an_unknown_document_type_never_falls_through_to_a_shorter_policy() {
    let policies = |c: &str| {
        let typed = format!(
            "[[policy]]\nname = \"contracts\"\nmatch = {{ classification = \"{c}\", document_type = \"contract\" }}\ndelete_after = \"10 years\"\nschedule = \"0 3 * * *\"\nmode = \"enforce\"\n\n[[policy]]"
        );
        ten_days(c).replacen("[[policy]]", &typed, 1)
    };
    let world = World::with(policies, &[DocumentType::named("letter")]).await;
    let batch = world.upload(3).await;
    world.days_pass(11);
    assert_eq!(world.sweep().await.summary.due, 0, "it may be a contract");
    // Once the type is known it falls under the ten days.
    let record = world.ledger.find(&batch.files[0]).await.unwrap().remove(0);
    let file = retentiond::model::NewFile {
        address: record.address(),
        uploaded_at: record.uploaded_at,
        processed_at: None,
        document_type: Some("letter".to_owned()),
        labels: Labels::new(),
        subject: None,
        copy_of: None,
    };
    let hint = retentiond::rules::decide::hint(&retentiond::intake::provisional(&file), &world.checked.rules);
    let row = retentiond::ledger::Hinted { file, hint };
    world
        .ledger
        .record(&[row], &world.checked.rules.digest, world.now())
        .await
        .unwrap();
    assert_eq!(world.sweep().await.summary.deleted, 1);
    assert_eq!(world.left(&batch), 2);
}
