//! Two deleters start at the same moment on one ledger: one deletes, the other leaves with exit 7.

use std::process::{Command, Stdio};

use retentiond::engine::{Clock, SystemClock};
use retentiond::sandbox::{DocumentType, Endpoint, Fault, Module, Sandbox, SandboxConfig};
use serde_json::json;

async fn race(races: usize) {
    let sandbox = Sandbox::start(SandboxConfig::unpaced()).await.unwrap();
    let server = sandbox.handle();
    let classification = server.seed_classification("races", &[DocumentType::named("letter")]);
    // Longer than two processes can be apart.
    server
        .add_fault(Fault::at(Endpoint::DeleteFiles).delay_ms(150).always())
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("policies.toml");
    let policy = format!(
        "timezone = \"UTC\"\n[extracta]\nbase_url = \"{}\"\nresults_interval = \"0s\"\n[ledger]\nurl = \"sqlite:{}\"\n[limits]\nfiles_per_sweep = 100\nshare_per_sweep = \"100%\"\n[[policy]]\nname = \"all\"\nmatch = {{ classification = \"{classification}\" }}\ndelete_after = \"2 seconds\"\nschedule = \"0 3 * * *\"\nmode = \"enforce\"\n",
        sandbox.base_url(),
        dir.path().join("ledger.db").display()
    );
    std::fs::write(&config, policy).unwrap();
    let command = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_retentiond"));
        command
            .arg("-c")
            .arg(&config)
            .args(args)
            .env("EXTRACTA_API_KEY", retentiond::sandbox::DEFAULT_KEY)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    };
    let uploaded = SystemClock.now().checked_add_millis(-3_600_000).unwrap();
    let (mut refused_by_pid, mut races_met) = (0, 0);
    for n in 0..races {
        let batch = server
            .seed_batch(Module::Classification, &classification)
            .unwrap();
        let files = server.seed_files(&classification, &batch, 2).unwrap();
        let rows: String = files
            .iter()
            .map(|file| {
                format!(
                    "{}\n",
                    json!({"classification_id": classification, "batch_id": batch, "file_id": file, "uploaded_at": uploaded})
                )
            })
            .collect();
        let path = dir.path().join("rows.jsonl");
        std::fs::write(&path, rows).unwrap();
        let recorded = command(&["record", path.to_str().unwrap()]).output().unwrap();
        assert!(recorded.status.success(), "{recorded:?}");
        let before = server.request_count(Endpoint::DeleteFiles);

        let both = [
            command(&["sweep"]).spawn().unwrap(),
            command(&["sweep"]).spawn().unwrap(),
        ];
        let ended = tokio::task::spawn_blocking(move || both.map(|child| child.wait_with_output().unwrap()))
            .await
            .unwrap();

        let mut codes = ended.each_ref().map(|output| output.status.code());
        codes.sort_unstable();
        // On a busy machine the second may start when the first has ended: then it finds nothing left to do.
        let met = codes == [Some(0), Some(7)];
        assert!(met || codes == [Some(0), Some(0)], "race {n}: {ended:?}");
        races_met += usize::from(met);
        refused_by_pid += usize::from(ended.iter().any(|output| {
            output.status.code() == Some(7)
                && String::from_utf8_lossy(&output.stderr).contains("in use by process")
        }));
        // The first file alone, then the rest.
        assert_eq!(
            server.request_count(Endpoint::DeleteFiles) - before,
            2,
            "race {n}"
        );
        assert!(files.iter().all(|file| !server.exists(file)), "race {n}");
    }
    assert_eq!(refused_by_pid, races_met);
    assert!(races_met * 2 > races, "only {races_met} of {races} pairs met");
    let check = command(&["ledger", "check", "--deep"]).output().unwrap();
    assert!(check.status.success(), "{check:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_deleters_that_start_at_once_exactly_one_deletes() {
    race(8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a hundred races of two processes take a minute"]
async fn of_two_deleters_that_start_at_once_exactly_one_deletes_a_hundred_times() {
    race(100).await;
}
