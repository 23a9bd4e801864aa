//! Uploads whose end nobody knows: visible until somebody settles them.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use async_trait::async_trait;
use retentiond::extracta::{Document, ExtractaClient, UploadAnswer, UploadError};
use retentiond::intake::{InForce, OnDisk, RecordOptions, Sender, Sent, UploadOrder};
use retentiond::ledger::{OpenMode, SqliteLedger, UploadEnd, Uploads};
use retentiond::model::{BatchId, FileId, Labels, NewUpload, Parent, UploadId, UploadSource, UploadState};
use retentiond::rules::decide::hint;
use retentiond::sandbox::{Apply, Endpoint, Fault, Reset};
use serde_json::Value;

use crate::harness::{World, ten_days};

/// The world's policy file, for the real binary.
pub fn config(world: &World) -> PathBuf {
    let path = world.dir.path().join("policies.toml");
    let policies = ten_days(&world.classification);
    let text = World::policy_text(&world.dir, &world.sandbox.base_url(), &policies);
    std::fs::write(&path, text).unwrap();
    path
}

/// The real binary over the world's ledger and sandbox, off the test's own thread, which serves the sandbox.
pub async fn retentiond(world: &World, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_retentiond"));
    command
        .args(["-c", config(world).to_str().unwrap()])
        .args(args)
        .env("EXTRACTA_API_KEY", retentiond::sandbox::DEFAULT_KEY)
        .env("NO_COLOR", "1");
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_in_doubt_shows_in_status_until_it_is_settled_with_a_reason() {
    let world = World::new().await;
    let upload = NewUpload {
        source: UploadSource::Upload,
        parent: None,
        account: None,
        batch: None,
        files: Some(3),
        documents: Vec::new(),
        labels: Labels::new(),
        document_type: None,
        subject: None,
        begun_at: world.now(),
        patient_until: world.now(),
    };
    let UploadId(id) = world.ledger.begin_upload(&upload).await.unwrap();
    let doubt = UploadEnd {
        state: UploadState::Doubtful,
        batch: None,
        files: None,
        reason: Some("no answer"),
        at: world.now(),
    };
    world.ledger.end_upload(UploadId(id), &doubt).await.unwrap();

    let status = retentiond(&world, &["--json", "status"]).await;
    assert_eq!(status.status.code(), Some(6), "{status:?}");
    let status = json(&status);
    assert_eq!(
        (&status["verdict"], &status["uploads_in_doubt"]),
        (&"unsettled".into(), &1.into())
    );
    assert!(
        status["sentence"]
            .as_str()
            .unwrap()
            .contains("retentiond uploads"),
        "{status}"
    );

    let listed = retentiond(&world, &["uploads"]).await;
    assert_eq!(listed.status.code(), Some(6));
    let text = String::from_utf8(listed.stdout).unwrap();
    assert!(text.contains("IN DOUBT") && text.contains("no answer"), "{text}");

    let number = id.to_string();
    let settled = retentiond(
        &world,
        &["uploads", "settle", &number, "--reason", "looked-at-extracta"],
    )
    .await;
    assert_eq!(settled.status.code(), Some(0), "{settled:?}");
    let again = retentiond(&world, &["uploads", "settle", &number, "--reason", "twice"]).await;
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    let none = retentiond(&world, &["--json", "uploads"]).await;
    assert_eq!(
        (none.status.code(), &json(&none)["in_doubt"]),
        (Some(0), &0.into())
    );
    let all = json(&retentiond(&world, &["--json", "uploads", "--all"]).await);
    assert_eq!(all["uploads"][0]["state"], "resolved");
    assert_eq!(all["uploads"][0]["reason"], "looked-at-extracta");
}

/// Documents in the world's directory, with names that must not be found anywhere else.
fn documents(world: &World, count: usize) -> Vec<String> {
    (0..count)
        .map(|n| {
            let path = world.dir.path().join(format!("canary-name-{n}.txt"));
            std::fs::write(&path, format!("letter {n}\n")).unwrap();
            path.to_str().unwrap().to_owned()
        })
        .collect()
}

async fn upload(world: &World, options: &[&str], documents: &[String]) -> Output {
    let mut args = vec!["--json", "upload", "--classification", &world.classification];
    args.extend(options);
    args.extend(documents.iter().map(String::as_str));
    retentiond(world, &args).await
}

/// Every file at the sandbox is in the ledger, or an upload that is not settled accounts for it.
pub async fn assert_no_silent_loss(world: &World, after: &str) {
    let mut unknown = 0;
    for file in world.server.files() {
        let id = FileId::new(file.file_id.as_str()).unwrap();
        unknown += u64::from(world.ledger.find(&id).await.unwrap().is_empty());
    }
    let unsettled = world.ledger.unsettled_uploads(1000).await.unwrap();
    let open: u64 = unsettled
        .iter()
        .map(|u| u.files.unwrap_or(u64::MAX) - u.recorded)
        .sum();
    assert!(
        unknown <= open,
        "{after}: {unknown} files are lost, uploads account for {open}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_uploaded_is_recorded_with_its_labels_and_its_name_is_kept_nowhere() {
    let world = World::new().await;
    // More than one request, so that the second goes into the batch of the first.
    let documents = documents(&world, 60);
    let options = ["--label", "tenant=acme", "--document-type", "letter"];
    let output = upload(&world, &options, &documents).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = json(&output);
    assert_eq!(
        [&report["recorded"], &report["in_doubt"], &report["not_uploaded"]],
        [&Value::from(60), &0.into(), &0.into()]
    );
    assert_eq!(report["uploads"][0]["batch_id"], report["uploads"][1]["batch_id"]);
    assert_eq!(world.server.request_count(Endpoint::UploadFiles), 2);
    for file in world.server.files() {
        assert!(
            file.name.starts_with("canary-name-") && file.bytes >= 9,
            "{file:?}"
        );
        let id = FileId::new(file.file_id.as_str()).unwrap();
        let found = world.ledger.find(&id).await.unwrap().remove(0);
        assert_eq!(found.labels.get("tenant").map(String::as_str), Some("acme"));
        assert_eq!(found.document_type.as_deref(), Some("letter"));
    }
    assert!(world.ledger.unsettled_uploads(10).await.unwrap().is_empty());
    world.sqlite.close().await;
    for name in ["ledger.db", "ledger.db-wal"] {
        let bytes = std::fs::read(world.dir.path().join(name)).unwrap_or_default();
        assert!(
            !bytes.windows(11).any(|w| w == b"canary-name"),
            "a file name in {name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_leaves_a_doubt_and_stops_the_uploads_after_it() {
    let world = World::new().await;
    let fault = Fault::at(Endpoint::UploadFiles)
        .apply(Apply::Before)
        .reset(Reset::AfterRead);
    world.server.add_fault(fault).unwrap();
    let output = upload(&world, &[], &documents(&world, 60)).await;
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    let report = json(&output);
    assert_eq!(
        [&report["in_doubt"], &report["not_uploaded"]],
        [&Value::from(50), &10.into()]
    );
    assert_eq!(world.server.files().len(), 50, "the fault lets the upload happen");
    assert_no_silent_loss(&world, "a lost answer").await;
    let listed = json(&retentiond(&world, &["--json", "uploads"]).await);
    assert_eq!(listed["in_doubt"], 1, "{listed}");
    assert_eq!(listed["uploads"][0]["files"], 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_upload_and_one_that_never_left_leave_no_doubt() {
    let world = World::new().await;
    let documents = documents(&world, 2);
    let fault = Fault::at(Endpoint::UploadFiles).apply(Apply::Never).status(403);
    world.server.add_fault(fault).unwrap();
    let refused = upload(&world, &[], &documents).await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let undeclared = upload(&world, &["--label", "nobody=knows"], &documents).await;
    assert_eq!(undeclared.status.code(), Some(2), "{undeclared:?}");
    let missing = upload(&world, &[], &["/nowhere/at-all.pdf".to_owned()]).await;
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
    assert!(world.server.files().is_empty() && world.server.request_count(Endpoint::UploadFiles) == 1);
    let states: Vec<UploadState> = world
        .ledger
        .uploads(None, 9)
        .await
        .unwrap()
        .iter()
        .map(|u| u.state)
        .collect();
    assert_eq!(states, [UploadState::Nothing]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_fewer_ids_than_files_is_recorded_and_in_doubt() {
    let world = World::new().await;
    let answer = serde_json::json!({
        "status": "success", "classificationId": world.classification, "batchId": "b000000001",
        "files": [{"fileId": "f1", "fileName": "canary", "url": "https://canary.test"}],
    });
    let fault = Fault::at(Endpoint::UploadFiles).status(200).body(answer);
    world.server.add_fault(fault).unwrap();
    let output = upload(&world, &[], &documents(&world, 2)).await;
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    let unsettled = world.ledger.unsettled_uploads(10).await.unwrap();
    assert_eq!(
        (unsettled[0].state, unsettled[0].recorded),
        (UploadState::Doubtful, 1)
    );
    assert_eq!(unsettled[0].batch.as_ref().unwrap().as_str(), "b000000001");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_answer_is_on_its_way_the_upload_is_visible() {
    let world = World::new().await;
    let fault = Fault::at(Endpoint::UploadFiles)
        .apply(Apply::Before)
        .delay_ms(60_000);
    world.server.add_fault(fault).unwrap();
    let path = config(&world);
    let documents = documents(&world, 3);
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_retentiond"))
        .args([
            "-c",
            path.to_str().unwrap(),
            "upload",
            "--classification",
            &world.classification,
        ])
        .args(&documents)
        .env("EXTRACTA_API_KEY", retentiond::sandbox::DEFAULT_KEY)
        .spawn()
        .unwrap();
    world.server.await_until(|server| server.files().len() == 3).await;
    child.kill().await.unwrap();
    assert_no_silent_loss(&world, "killed").await;
    let listed = json(&retentiond(&world, &["--json", "uploads"]).await);
    assert_eq!(
        (&listed["uploads"][0]["state"], &listed["uploads"][0]["files"]),
        (&"open".into(), &3.into())
    );
    // Once nobody can be waiting for it any more, it is in doubt.
    let upload = world.ledger.unsettled_uploads(1).await.unwrap().remove(0);
    let later = upload.patient_until.checked_add_millis(1).unwrap();
    let seen = retentiond::engine::observe::observe(world.ledger.as_ref(), &world.checked.rules, later).await;
    assert_eq!(seen.unwrap().uploads_in_doubt, 1);
}

/// Looks into the ledger, over a connection of its own, at the very moment of the request.
struct Witness {
    client: ExtractaClient,
    reader: SqliteLedger,
}

#[async_trait]
impl Sender for Witness {
    async fn send(
        &self,
        parent: &Parent,
        batch: Option<&BatchId>,
        documents: Vec<Document>,
    ) -> Result<UploadAnswer, UploadError> {
        let unsettled = self.reader.unsettled_uploads(10).await.unwrap();
        assert_eq!(unsettled.len(), 1, "a request without an intent");
        assert_eq!(unsettled[0].files, Some(documents.len() as u64));
        assert_eq!(unsettled[0].parent.as_ref(), Some(parent));
        self.client.upload_files(parent, batch, documents).await
    }

    fn patience(&self) -> Duration {
        self.client.longest_upload()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_intent_of_an_upload_is_in_the_ledger_before_its_request() {
    let world = World::new().await;
    let witness = Witness {
        client: world.client(Duration::from_secs(5)),
        reader: SqliteLedger::open(&world.checked.ledger.url, OpenMode::ReadOnly)
            .await
            .unwrap(),
    };
    let rules = &world.checked.rules;
    let in_force = InForce {
        label_keys: &rules.label_keys,
        accounts: &rules.accounts,
        digest: &rules.digest,
        hint: &|file| hint(file, rules),
        subjects: None,
    };
    let documents: Vec<OnDisk> = documents(&world, 2)
        .iter()
        .map(|path| OnDisk::examine(path.as_ref()).unwrap())
        .collect();
    let parent = Parent::Classification(world.classification.parse().unwrap());
    let order = UploadOrder {
        parent: &parent,
        batch: None,
        options: &RecordOptions::default(),
        documents: &documents,
    };
    let clock = || world.now();
    let sent = Sent::default();
    let done =
        retentiond::intake::upload(&witness, world.ledger.as_ref(), in_force, &order, &clock, &sent).await;
    assert_eq!(done.unwrap().state, UploadState::Recorded);
    assert_eq!(sent.bytes(), 18);
}
