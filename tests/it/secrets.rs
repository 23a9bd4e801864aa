//! The key, signed links and file names appear nowhere: a canary for each runs through a whole life.

use std::path::Path;
use std::process::{Command, Output};

use retentiond::sandbox::{DocumentType, Endpoint, Fault, Module, Sandbox, SandboxConfig};
use serde_json::json;

const KEY: &str = "canary-key-5a1f";
const LINK: &str = "canary-link-77e0";
const NAME: &str = "canary-name-c3d9";

fn holds_canary(what: &str, bytes: &[u8]) {
    for canary in [KEY, LINK, NAME] {
        let found = bytes
            .windows(canary.len())
            .any(|window| window == canary.as_bytes());
        assert!(!found, "{canary} appears in {what}");
    }
}

fn clean(what: &str, output: &Output) {
    holds_canary(&format!("the output of {what}"), &output.stdout);
    holds_canary(&format!("the errors of {what}"), &output.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_reaches_a_log_an_error_the_ledger_or_a_face() {
    let config = SandboxConfig {
        api_keys: vec![KEY.to_owned()],
        canary: LINK.to_owned(),
        ..SandboxConfig::unpaced()
    };
    let sandbox = Sandbox::start(config).await.unwrap();
    let server = sandbox.handle();
    let classification = server.seed_classification("secrets", &[DocumentType::named("letter")]);
    let batch = server
        .seed_batch(Module::Classification, &classification)
        .unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    let ids: Vec<String> = (0..6)
        .map(|n| {
            server
                .seed_file(
                    Module::Classification,
                    &classification,
                    &batch,
                    &format!("{NAME}-{n}.pdf"),
                    now - 60_000,
                )
                .unwrap()
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(
        path("policies.toml"),
        format!(
            "timezone = \"UTC\"\n[extracta]\nbase_url = \"{}\"\nresults_interval = \"0s\"\n[ledger]\nurl = \"sqlite:{}\"\n[[policy]]\nname = \"all\"\nmatch = \"everything\"\ndelete_after = \"1 second\"\nschedule = \"* * * * *\"\nmode = \"enforce\"\n",
            sandbox.base_url(),
            path("ledger.db").display()
        ),
    )
    .unwrap();
    let files: Vec<_> = ids
        .iter()
        .map(|id| json!({"fileId": id, "fileName": format!("{NAME}.pdf"), "url": format!("https://storage.invalid/{LINK}")}))
        .collect();
    let answer =
        json!({"status": "uploaded", "classificationId": classification, "batchId": batch, "files": files});
    std::fs::write(path("answer.json"), answer.to_string()).unwrap();
    let uploaded_at = retentiond::model::Timestamp::from_millis(now - 60_000).unwrap();
    let rows: String = ids
        .iter()
        .map(|id| {
            let row = json!({"classification_id": classification, "batch_id": batch, "file_id": id, "uploaded_at": uploaded_at});
            format!("{row}\n")
        })
        .collect();
    std::fs::write(path("rows.jsonl"), rows).unwrap();
    // An error answer that carries a link: it must not be quoted.
    let fault = Fault::at(Endpoint::DeleteFiles)
        .status(400)
        .body(json!({"status": "error", "message": format!("cannot delete https://storage.invalid/{LINK}")}))
        .apply(retentiond::sandbox::Apply::Never)
        .after(1)
        .times(1);
    server.add_fault(fault).unwrap();
    let run = |config: &Path, args: Vec<String>, key: &str| {
        Command::new(env!("CARGO_BIN_EXE_retentiond"))
            .arg("-c")
            .arg(config)
            .args(args)
            .env("EXTRACTA_API_KEY", key)
            .env("RETENTIOND_LOG", "trace")
            .output()
            .unwrap()
    };
    let rows_path = path("rows.jsonl").display().to_string();
    let answer_path = path("answer.json").display().to_string();
    let first = ids[0].clone();
    let verbs: Vec<Vec<&str>> = vec![
        vec!["-vvv", "record", &rows_path],
        vec!["-vvv", "record", &answer_path],
        vec!["-vvv", "check", "--online"],
        vec!["-vvv", "sweep"],
        vec!["-vvv", "--json", "sweep"],
        vec!["-vvv", "--json", "plan"],
        vec!["-vvv", "--json", "history"],
        vec!["-vvv", "--json", "explain", &first],
        vec!["-vvv", "--json", "status"],
        vec!["-vvv", "--json", "quarantine", "list"],
    ];
    for verb in verbs {
        let args = verb.iter().map(|&arg| arg.to_owned()).collect();
        let config = path("policies.toml");
        // The sandbox lives in this test's runtime: the child must not block it.
        let output = tokio::task::block_in_place(|| run(&config, args, KEY));
        clean(&verb.join(" "), &output);
    }
    let refused = tokio::task::block_in_place(|| {
        run(
            &path("policies.toml"),
            vec!["sweep".to_owned()],
            "canary-key-5a1f\nx",
        )
    });
    assert_eq!(refused.status.code(), Some(5));
    clean("sweep with a broken key", &refused);
    assert!(
        !server.deleted().is_empty(),
        "the canaries ran through real deletions"
    );
    for name in ["ledger.db", "ledger.db-wal"] {
        if let Ok(bytes) = std::fs::read(path(name)) {
            holds_canary(name, &bytes);
        }
    }
}
