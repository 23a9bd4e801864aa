//! Uploads whose end nobody knows: visible until somebody settles them.

use std::path::PathBuf;
use std::process::{Command, Output};

use retentiond::ledger::UploadEnd;
use retentiond::model::{Labels, NewUpload, UploadId, UploadSource, UploadState};
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
