//! `Uploads`: intents before a request, ids with its settlement.

use retentiond::ledger::{LedgerError, UploadEnd};
use retentiond::model::{
    BatchId, FileState, Labels, NewUpload, Upload, UploadId, UploadSource, UploadState, UploadedDocument,
};

use crate::world::*;

for_every_backend![
    an_intent_survives_a_crash_and_is_in_doubt_once_nobody_waits_any_more,
    an_answer_records_its_files_and_settles_the_upload_in_one_step,
    an_upload_in_doubt_may_bring_some_files_and_be_settled_later,
    a_settled_upload_is_settled_for_good,
    what_was_open_when_its_only_maker_ended_is_in_doubt,
    uploads_are_listed_newest_first_and_page_by_page,
];

pub(crate) fn intent() -> NewUpload {
    let batch = batch_address("b1");
    NewUpload {
        source: UploadSource::Upload,
        parent: Some(batch.parent),
        account: None,
        batch: None,
        files: Some(2),
        documents: vec![
            UploadedDocument {
                sha256: [7; 32],
                bytes: 12,
            };
            2
        ],
        labels: Labels::from([("tenant".to_owned(), "acme".to_owned())]),
        document_type: Some("letter".to_owned()),
        subject: None,
        begun_at: at(1),
        patient_until: at(5),
    }
}

fn end(state: UploadState) -> UploadEnd<'static> {
    UploadEnd {
        state,
        batch: None,
        files: None,
        reason: None,
        at: at(2),
    }
}

async fn only(world: &World) -> Upload {
    let mut all = world.ledger.uploads(None, 10).await.unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

async fn an_intent_survives_a_crash_and_is_in_doubt_once_nobody_waits_any_more(world: World) {
    let id = world.ledger.begin_upload(&intent()).await.unwrap();
    let world = world.reopen().await;
    let found = only(&world).await;
    let expected = intent();
    assert_eq!((found.id, found.state), (id, UploadState::Open));
    assert_eq!((found.source, found.files), (expected.source, expected.files));
    assert_eq!((&found.parent, &found.batch), (&expected.parent, &expected.batch));
    assert_eq!(
        (&found.labels, &found.document_type),
        (&expected.labels, &expected.document_type)
    );
    assert_eq!((found.begun_at, found.settled_at), (at(1), None));
    assert!(!found.is_in_doubt(at(5)) && found.is_in_doubt(at(6)));
    assert_eq!(world.ledger.unsettled_uploads(10).await.unwrap(), [found]);
}

async fn an_answer_records_its_files_and_settles_the_upload_in_one_step(world: World) {
    let id = world.ledger.begin_upload(&intent()).await.unwrap();
    let (batch, rules) = (batch_address("b1"), digest("one"));
    let rows = [hinted(file("b1", "f1"), "p", 1), hinted(file("b1", "f2"), "p", 1)];
    let recorded = UploadEnd {
        batch: Some(&batch),
        files: Some((&rows, &rules)),
        ..end(UploadState::Recorded)
    };
    assert_eq!(world.ledger.end_upload(id, &recorded).await.unwrap().added, 2);
    let found = only(&world).await;
    assert_eq!((found.state, found.recorded), (UploadState::Recorded, 2));
    assert_eq!(found.batch.as_ref(), Some(&batch.batch));
    assert_eq!(world.get("f1").await.state, FileState::Live);
    assert!(world.ledger.unsettled_uploads(10).await.unwrap().is_empty());
    assert!(world.ledger.check(true).await.unwrap().is_empty());
}

async fn an_upload_in_doubt_may_bring_some_files_and_be_settled_later(world: World) {
    let id = world.ledger.begin_upload(&intent()).await.unwrap();
    let (batch, rules) = (batch_address("b1"), digest("one"));
    let rows = [hinted(file("b1", "f1"), "p", 1)];
    let doubt = UploadEnd {
        batch: Some(&batch),
        files: Some((&rows, &rules)),
        reason: Some("1 id for 2 files"),
        ..end(UploadState::Doubtful)
    };
    world.ledger.end_upload(id, &doubt).await.unwrap();
    let found = only(&world).await;
    assert!(found.is_in_doubt(at(2)));
    assert_eq!(found.reason.as_deref(), Some("1 id for 2 files"));

    let rows = [hinted(file("b1", "f2"), "p", 1)];
    let reconciled = UploadEnd {
        files: Some((&rows, &rules)),
        ..end(UploadState::Reconciled)
    };
    world.ledger.end_upload(id, &reconciled).await.unwrap();
    let found = only(&world).await;
    assert_eq!((found.state, found.recorded), (UploadState::Reconciled, 2));
    // What the settlement does not say stays as it was known.
    assert_eq!(found.batch, Some(BatchId::new("b1").unwrap()));
}

async fn a_settled_upload_is_settled_for_good(world: World) {
    let upload = world.ledger.begin_upload(&intent()).await.unwrap();
    let open = world.ledger.end_upload(upload, &end(UploadState::Open)).await;
    assert!(matches!(open, Err(LedgerError::Conflict { .. })));
    world
        .ledger
        .end_upload(upload, &end(UploadState::Nothing))
        .await
        .unwrap();
    let (rules, rows) = (digest("one"), [hinted(file("b1", "f1"), "p", 1)]);
    for state in UploadState::ALL {
        let again = UploadEnd {
            files: Some((&rows, &rules)),
            ..end(state)
        };
        let refused = world.ledger.end_upload(upload, &again).await;
        assert!(matches!(refused, Err(LedgerError::Conflict { .. })), "{state:?}");
    }
    let missing = world
        .ledger
        .end_upload(UploadId(99), &end(UploadState::Nothing))
        .await;
    assert!(matches!(missing, Err(LedgerError::Conflict { .. })));
    assert!(world.ledger.find(&id("f1")).await.unwrap().is_empty());
}

async fn what_was_open_when_its_only_maker_ended_is_in_doubt(world: World) {
    world.ledger.begin_upload(&intent()).await.unwrap();
    let seen = NewUpload {
        source: UploadSource::Gateway,
        parent: None,
        files: None,
        documents: Vec::new(),
        ..intent()
    };
    let seen = world.ledger.begin_upload(&seen).await.unwrap();
    let marked = world.ledger.interrupt_uploads(UploadSource::Gateway, at(2)).await;
    assert_eq!(marked.unwrap(), 1);
    let unsettled = world.ledger.unsettled_uploads(10).await.unwrap();
    let in_doubt: Vec<UploadId> = unsettled
        .iter()
        .filter(|u| u.is_in_doubt(at(2)))
        .map(|u| u.id)
        .collect();
    assert_eq!(in_doubt, [seen]);
    assert_eq!(unsettled.len(), 2);
}

async fn uploads_are_listed_newest_first_and_page_by_page(world: World) {
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(world.ledger.begin_upload(&intent()).await.unwrap());
    }
    let page = world.ledger.uploads(None, 2).await.unwrap();
    assert_eq!([page[0].id, page[1].id], [ids[2], ids[1]]);
    let rest = world.ledger.uploads(Some(page[1].id), 2).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].id, ids[0]);
}
