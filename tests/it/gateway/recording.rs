//! Every upload that passes is in the ledger before the client knows of it, or in doubt.

use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use retentiond::ledger::{ClaimRequest, Claims, OpenSweep, Opened, Rules, Sweeps};
use retentiond::model::{AttemptKind, BatchId, FileState, PolicyName, Trigger, UploadSource, UploadState};
use retentiond::sandbox::{Apply, Endpoint, Fault, Reset};

use super::plain::{Api, FORM, ask, form, json, request};
use super::*;

const ANSWER: &str = r#"{"status":"uploaded","extractionId":"E1","batchId":"B1","files":[{"fileId":"F1","fileName":"canary-name-0.pdf","url":"https://storage.example/canary"}]}"#;

fn there() -> BatchAddress {
    BatchAddress {
        parent: Parent::Extraction(ExtractionId::new("E1").unwrap()),
        batch: BatchId::new("B1").unwrap(),
        account: None,
    }
}

fn f1() -> FileId {
    FileId::new("F1").unwrap()
}

fn upload_of_one(headers: &[&str]) -> Vec<u8> {
    let headers = [&[FORM], headers].concat();
    request(
        "POST /api/v1/uploadFiles",
        &headers,
        &form("extractionId", "E1", 1),
    )
}

#[tokio::test]
async fn uploads_of_both_modules_are_recorded_with_the_policy_that_owns_them() {
    let both = Both::new().await;
    for parent in [&both.classification, &both.extraction] {
        let answer = both.upload(parent, &["a.pdf", "b.pdf"]).await.unwrap();
        for file in &answer.files {
            let record = both.passed.file(&answer.batch, file).await.unwrap();
            assert_eq!(record.state, FileState::Live);
            assert_eq!(record.owner, Some(PolicyName::new("rest").unwrap()));
        }
    }
    let uploads = both.passed.ledger.uploads(None, 10).await.unwrap();
    assert!(
        uploads.iter().all(|upload| upload.state == UploadState::Recorded
            && upload.source == UploadSource::Gateway
            && upload.recorded == 2),
        "{uploads:?}"
    );
    assert_eq!(
        both.passed.ledger.check(true).await.unwrap(),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn labels_ride_in_headers_that_are_not_passed_on() {
    let api = Api::start(|_| json(200, ANSWER)).await;
    let passed = Passed::to(&api.base_url).await;
    let sent = upload_of_one(&[
        "X-Retentiond-Label-Tenant: acme",
        "x-retentiond-label-kostenstelle: 4711",
    ]);
    assert_eq!(ask(passed.addr, &sent).await.body, ANSWER.as_bytes());
    let record = passed.file(&there(), &f1()).await.unwrap();
    let labels: Vec<_> = record
        .labels
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(labels, [("Kostenstelle", "4711"), ("tenant", "acme")]);
    assert_eq!(record.owner, Some(PolicyName::new("acme").unwrap()));
    let head = api.asked()[0].head.to_lowercase();
    assert!(!head.contains("retentiond"), "{head}");
}

#[tokio::test]
async fn what_cannot_be_declared_is_refused_before_anything_is_uploaded() {
    let api = Api::start(|_| json(200, ANSWER)).await;
    let passed = Passed::to(&api.base_url).await;
    for (header, code) in [
        ("X-Retentiond-Label-Tennant: acme", "undeclared-label"),
        ("X-Retentiond-Label-Tenant: ", "bad-text"),
        (
            "X-Retentiond-Label-Tenant: a\r\nX-Retentiond-Label-Tenant: b",
            "duplicate-key",
        ),
        ("X-Retentiond-Subject: somebody", "no-subject-key"),
        ("X-Retentiond-Labels: tenant=acme", "unknown-header"),
    ] {
        let got = ask(passed.addr, &upload_of_one(&[header])).await;
        let body = String::from_utf8(got.body.clone()).unwrap();
        assert_eq!(got.status(), 400, "{header}: {body}");
        assert!(body.contains(code), "{header}: {body}");
    }
    assert_eq!(api.asked().len(), 0);
    assert_eq!(passed.ledger.uploads(None, 10).await.unwrap(), []);
}

/// Keeps the ledger from being written until the sender goes away.
async fn block_the_writer(passed: &Passed) -> (mpsc::Sender<()>, tokio::task::JoinHandle<()>) {
    let digest = policies().rules.digest;
    let now = SystemClock.now();
    passed.ledger.adopt_rules(&digest, "{}", now).await.unwrap();
    let open = OpenSweep {
        policy: PolicyName::new("rest").unwrap(),
        occurrence: None,
        trigger: Trigger::Manual,
        at: now,
        digest,
    };
    let Opened::New(sweep) = passed.ledger.open_sweep(&open).await.unwrap() else {
        panic!("a sweep without an occurrence is always new")
    };
    let (sender, receiver) = mpsc::channel::<()>();
    let receiver = Mutex::new(receiver);
    let (ledger, key) = (
        Arc::clone(&passed.ledger),
        passed.ledger.batch_key(&there()).await.unwrap().unwrap(),
    );
    let (inside, reached) = tokio::sync::oneshot::channel();
    let inside = Mutex::new(Some(inside));
    let task = tokio::spawn(async move {
        let files = [FileId::new("F0").unwrap()];
        let request = ClaimRequest {
            sweep,
            kind: AttemptKind::DeleteExtraction,
            batch: key,
            files: &files,
            at: now,
            boottime_ms: 0,
            budget: 10,
        };
        let permit = |_: &FileRecord, _: &retentiond::model::Holds| {
            if let Some(inside) = inside.lock().unwrap().take() {
                inside.send(()).ok();
            }
            // Ends when the sender is dropped.
            receiver.lock().unwrap().recv().ok();
            Err("only waiting".to_owned())
        };
        ledger.claim(&request, &permit).await.unwrap();
    });
    reached.await.unwrap();
    (sender, task)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_client_sees_the_answer_only_after_the_commit() {
    let (ask_for_block, mut wanted) = tokio::sync::mpsc::channel::<mpsc::Sender<()>>(1);
    let api = Api::start(move |request| {
        if request.header("x-wait").is_empty() {
            return json(200, &ANSWER.replace("F1", "F0"));
        }
        let (blocked, go_on) = mpsc::channel();
        ask_for_block.blocking_send(blocked).unwrap();
        go_on.recv().unwrap();
        json(200, ANSWER)
    })
    .await;
    let passed = Passed::to(&api.base_url).await;
    // A first file, whose claim can wait inside a transaction.
    ask(passed.addr, &upload_of_one(&[])).await;
    let (addr, sent) = (passed.addr, upload_of_one(&["X-Wait: yes"]));
    let mut asking = tokio::spawn(async move { ask(addr, &sent).await });
    let go_on = wanted.recv().await.unwrap();
    let (release, blocked) = block_the_writer(&passed).await;
    go_on.send(()).unwrap();
    let early = tokio::time::timeout(Duration::from_millis(500), &mut asking).await;
    assert!(early.is_err(), "the client was told before the ledger was");
    assert_eq!(passed.file(&there(), &f1()).await, None);
    drop(release);
    assert_eq!(asking.await.unwrap().status(), 200);
    blocked.await.unwrap();
    assert!(passed.file(&there(), &f1()).await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_ledger_that_cannot_take_the_files_leaves_the_answer_to_the_client_and_a_doubt() {
    let slot: Arc<Mutex<Option<Arc<SqliteLedger>>>> = Arc::default();
    let (closed, handle) = (Arc::clone(&slot), tokio::runtime::Handle::current());
    let api = Api::start(move |_| {
        let ledger = closed.lock().unwrap().take().unwrap();
        handle.block_on(ledger.close());
        json(200, ANSWER)
    })
    .await;
    let passed = Passed::to(&api.base_url).await;
    *slot.lock().unwrap() = Some(Arc::clone(&passed.ledger));
    let got = ask(passed.addr, &upload_of_one(&[])).await;
    assert_eq!((got.status(), got.body.as_slice()), (200, ANSWER.as_bytes()));
    assert_eq!(passed.gateway.gate().unwritten(), 1);

    // Nothing more can be promised, so nothing more is sent on.
    let turned_away = ask(passed.addr, &upload_of_one(&[])).await;
    assert_eq!((turned_away.status(), api.asked().len()), (503, 1));

    let again = SqliteLedger::open(&passed.url, OpenMode::ReadWrite)
        .await
        .unwrap();
    let left = again.unsettled_uploads(10).await.unwrap();
    assert_eq!((left.len(), left[0].state), (1, UploadState::Open));
    again
        .interrupt_uploads(UploadSource::Gateway, SystemClock.now())
        .await
        .unwrap();
    let left = again.unsettled_uploads(10).await.unwrap();
    assert_eq!(left[0].state, UploadState::Doubtful);
    assert_eq!(left[0].parent, Some(there().parent));
}

#[tokio::test]
async fn an_upload_whose_answer_is_lost_is_in_doubt_and_says_where() {
    let both = Both::new().await;
    let lost = Fault::at(Endpoint::UploadFiles)
        .apply(Apply::Before)
        .reset(Reset::AfterRead);
    both.server.add_fault(lost).unwrap();
    let error = both.upload(&both.classification, &["a.pdf"]).await.unwrap_err();
    assert!(matches!(error, UploadError::Unclear { .. }), "{error}");
    let upload = both.passed.upload().await;
    assert_eq!(
        (upload.state, upload.parent, upload.files),
        (UploadState::Doubtful, Some(both.classification.clone()), Some(1))
    );
}

#[tokio::test]
async fn an_answer_that_does_not_account_for_every_file_leaves_a_doubt() {
    for (answer, recorded) in [
        (ANSWER.to_owned(), 1),
        (ANSWER.replace("\"F1\"", "\"\""), 0),
        (ANSWER.replace("\"E1\"", "\"E9\""), 1),
        ("<html>".to_owned(), 0),
        (r#"{"status":"uploaded"}"#.to_owned(), 0),
    ] {
        let text = answer.clone();
        let api = Api::start(move |_| json(200, &text)).await;
        let passed = Passed::to(&api.base_url).await;
        let sent = request("POST /uploadFiles", &[FORM], &form("extractionId", "E1", 2));
        assert_eq!(ask(passed.addr, &sent).await.body, answer.as_bytes());
        let upload = passed.upload().await;
        assert_eq!(
            (upload.state, upload.recorded),
            (UploadState::Doubtful, recorded),
            "{answer}: {:?}",
            upload.reason
        );
    }
}

#[tokio::test]
async fn a_refused_upload_is_no_doubt() {
    let both = Both::new().await;
    let nobody = Parent::Classification(ClassificationId::new("-Onobody").unwrap());
    let error = both.upload(&nobody, &["a.pdf"]).await.unwrap_err();
    assert!(
        matches!(error, UploadError::Refused { status: 400, .. }),
        "{error}"
    );
    assert_eq!(both.passed.upload().await.state, UploadState::Nothing);
}

#[tokio::test]
async fn results_that_pass_teach_types_processing_and_linked_copies() {
    use retentiond::extracta::{Listing, Remote};
    let both = Both::new().await;
    let answer = both
        .upload(&both.classification, &["letter.pdf", "invoice.pdf"])
        .await
        .unwrap();
    let before = SystemClock.now();
    let Listing::Files(listed) = both.passed.client().list(&answer.batch).await else {
        panic!("the sandbox lists")
    };
    both.passed.gateway.settled().await;
    for file in &listed {
        let record = both.passed.file(&answer.batch, &file.file).await.unwrap();
        assert_eq!(record.document_type.as_deref(), file.document_type.as_deref());
        assert!(record.processed_at.is_some_and(|at| at >= before), "{record:?}");
    }
    let copy = listed.iter().find_map(|file| file.copy.clone()).unwrap();
    let found = both.passed.ledger.find(&copy.file).await.unwrap();
    assert_eq!(found.len(), 1, "the linked copy is known");
    assert_eq!(found[0].copy_of.as_ref().map(|of| &of.batch), Some(&answer.batch));
    assert_eq!(
        both.passed.ledger.check(true).await.unwrap(),
        Vec::<String>::new()
    );
}
