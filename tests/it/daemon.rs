//! The real binary as a service, against a sandbox, with the machine's own clock.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use retentiond::engine::{Clock, SystemClock};
use retentiond::ledger::{HistoryFilter, Ledger, OpenMode, Place};
use retentiond::model::{FileId, FileState, Finding, Timestamp};
use retentiond::sandbox::{
    Cause, DocumentType, Endpoint, Fault, Module, Sandbox, SandboxConfig, SandboxHandle,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Longest wait for something that has to happen; reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) struct Service {
    pub(super) dir: TempDir,
    sandbox: Sandbox,
    pub(super) server: SandboxHandle,
    pub(super) classifications: Vec<String>,
    schedule: &'static str,
    later: &'static str,
    /// `[http] listen`.
    shows_at: String,
    /// More tables.
    more: String,
    /// The lines of `[ledger]`.
    ledger: String,
    place: Place,
}

impl Service {
    /// Three policies, beating every two seconds: two seconds, four seconds, twenty days.
    pub(super) async fn new() -> Self {
        Self::beating("*/2 * * * * *", "2 seconds", "4 seconds").await
    }

    async fn beating(schedule: &'static str, soon: &str, later: &'static str) -> Self {
        let sandbox = Sandbox::start(SandboxConfig::unpaced()).await.unwrap();
        let server = sandbox.handle();
        let types = [DocumentType::named("letter")];
        let classifications = ["soon", "later", "never"]
            .map(|name| server.seed_classification(name, &types))
            .to_vec();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ledger.db");
        let service = Self {
            ledger: format!("url = \"sqlite:{}\"", file.display()),
            place: Place::File(file),
            dir,
            sandbox,
            server,
            classifications,
            schedule,
            later,
            shows_at: "127.0.0.1:0".to_owned(),
            more: String::new(),
        };
        service.write_policies(soon);
        service
    }

    /// The same, with its ledger in this database.
    #[cfg(feature = "postgres")]
    pub(super) fn on_server(mut self, url: &str) -> Self {
        let state = self.dir.path();
        self.ledger = format!("url = \"{url}\"\nstate_dir = \"{}\"", state.display());
        self.place = Place::Server(retentiond::ledger::PostgresOptions {
            url: url.to_owned(),
            password: None,
            beside: state.join("ledger"),
            lease: retentiond::ledger::Lease::over(std::time::Duration::from_secs(60)),
        });
        self.write_policies("2 seconds");
        self
    }

    /// The ledger, to be asked.
    pub(super) async fn ledger(&self) -> Arc<dyn Ledger> {
        self.place.open(OpenMode::ReadOnly).await.unwrap()
    }

    /// The same, with `[http] listen` at this address.
    pub(super) fn showing_at(mut self, at: &str) -> Self {
        self.shows_at = at.to_owned();
        self.write_policies("2 seconds");
        self
    }

    /// The same, with more tables in its policy file.
    pub(super) fn saying(mut self, more: &str) -> Self {
        self.more = more.to_owned();
        self.write_policies("2 seconds");
        self
    }

    /// Where the daemon listens, as its log says.
    pub(super) async fn listening(&self) -> std::net::SocketAddr {
        self.wait_for_log("listening on http://", |line| {
            line.split("http://")
                .nth(1)?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .await
    }

    /// What `read` makes of the first log line that holds `words`.
    pub(super) async fn wait_for_log<T>(&self, words: &str, read: impl Fn(&str) -> Option<T>) -> T {
        let found = async {
            loop {
                let log = self.log();
                if let Some(found) = log.lines().filter(|line| line.contains(words)).find_map(&read) {
                    break found;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(found) => found,
            Err(_) => panic!("{words:?} was never logged:\n{}", self.log()),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write_policies(&self, soon: &str) {
        let policies: String = [("soon", soon), ("later", self.later), ("never", "20 days")]
            .iter()
            .zip(&self.classifications)
            .map(|((name, period), classification)| {
                format!(
                    "\n[[policy]]\nname = \"{name}\"\nmatch = {{ classification = \"{classification}\" }}\ndelete_after = \"{period}\"\nschedule = \"{}\"\nmode = \"enforce\"\n",
                    self.schedule
                )
            })
            .collect();
        let text = format!(
            "timezone = \"Europe/Berlin\"\n[extracta]\nbase_url = \"{}\"\nresults_interval = \"0s\"\nfiles_per_request = 10\n[ledger]\n{}\n[limits]\nfiles_per_sweep = 100000\nshare_per_sweep = \"100%\"\n[erasure]\nschedule = \"*/2 * * * * *\"\n[http]\nlisten = \"{}\"\n{}{policies}",
            self.sandbox.base_url(),
            self.ledger,
            self.shows_at,
            self.more
        );
        std::fs::write(self.path("policies.toml"), text).unwrap();
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_retentiond"));
        command.arg("-c").arg(self.path("policies.toml")).args(args);
        command
            .env("EXTRACTA_API_KEY", retentiond::sandbox::DEFAULT_KEY)
            .kill_on_drop(true);
        command
    }

    pub(super) fn daemon(&self) -> Child {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        self.command(&["daemon"])
            .stderr(Stdio::from(log))
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    pub(super) async fn run(&self, args: &[&str]) -> std::process::Output {
        self.command(args).output().await.unwrap()
    }

    /// So many batches in each classification, each of `files` files, recorded from upload answers.
    pub(super) async fn upload(&self, batches: [usize; 3], files: usize) {
        let mut answers = String::new();
        for (classification, batches) in self.classifications.iter().zip(batches) {
            for _ in 0..batches {
                let batch = self
                    .server
                    .seed_batch(Module::Classification, classification)
                    .unwrap();
                let ids = self.server.seed_files(classification, &batch, files).unwrap();
                let listed: Vec<_> = ids
                    .iter()
                    .map(|id| json!({"fileId": id, "fileName": "secret-name.pdf", "url": "https://storage/secret"}))
                    .collect();
                let answer = json!({"status": "uploaded", "classificationId": classification, "batchId": batch, "files": listed});
                answers.push_str(&format!("{answer}\n"));
            }
        }
        std::fs::write(self.path("answers.json"), answers).unwrap();
        let answers = self.path("answers.json");
        let output = self
            .run(&["record", answers.to_str().unwrap(), "--as", "response"])
            .await;
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// A batch of 25 files of the first policy, due at once.
    async fn upload_an_hour_ago(&self) {
        let classification = &self.classifications[0];
        let batch = self
            .server
            .seed_batch(Module::Classification, classification)
            .unwrap();
        let at = SystemClock.now().checked_add_millis(-3_600_000).unwrap();
        let rows: String = self
            .server
            .seed_files(classification, &batch, 25)
            .unwrap()
            .iter()
            .map(|id| {
                let row = json!({"classification_id": classification, "batch_id": batch, "file_id": id, "uploaded_at": at});
                format!("{row}\n")
            })
            .collect();
        std::fs::write(self.path("rows.jsonl"), rows).unwrap();
        let rows = self.path("rows.jsonl");
        assert!(
            self.run(&["record", rows.to_str().unwrap()])
                .await
                .status
                .success()
        );
    }

    pub(super) async fn wait(&self, what: &str, condition: impl Fn(&SandboxHandle) -> bool) {
        if tokio::time::timeout(PATIENCE, self.server.await_until(condition))
            .await
            .is_err()
        {
            panic!(
                "{what} did not happen; log:\n{}",
                std::fs::read_to_string(self.path("log")).unwrap()
            );
        }
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub(super) fn left_of(&self, classification: &str) -> usize {
        left_of(&self.server, classification)
    }

    pub(super) async fn wait_until_all_due_are_gone(&self) {
        let [soon, later, _] = self.classifications.as_slice() else {
            panic!("three classifications")
        };
        let (soon, later) = (soon.clone(), later.clone());
        self.wait("the deletion of all due files", move |s| {
            left_of(s, &soon) + left_of(s, &later) == 0
        })
        .await;
    }

    /// File by file: the sandbox, the ledger, and the record of how it came about.
    pub(super) async fn assert_truth(&self, expected_left: usize) {
        let ledger = self.ledger().await;
        let there: HashSet<String> = self.server.files().into_iter().map(|f| f.file_id).collect();
        assert_eq!(there.len(), expected_left);
        assert_eq!(
            self.left_of(&self.classifications[2]),
            expected_left,
            "only files that are not due are left"
        );
        for gone in self.server.deleted() {
            assert_eq!(gone.cause, Cause::Listed);
            let id = FileId::new(gone.file_id.as_str()).unwrap();
            let records = ledger.find(&id).await.unwrap();
            assert_eq!(records.len(), 1);
            assert!(
                matches!(records[0].state, FileState::Deleted | FileState::Gone),
                "{:?}",
                records[0]
            );
            let filter = HistoryFilter {
                file: Some(id.clone()),
                limit: 10,
                ..Default::default()
            };
            let attempts = ledger.history(&filter).await.unwrap();
            assert!(!attempts.is_empty(), "each deletion has its attempt");
            if records[0].state == FileState::Deleted {
                let confirmed = attempts
                    .iter()
                    .find(|a| a.outcome.as_deref() == Some("confirmed"))
                    .unwrap();
                let row = confirmed.files.iter().find(|f| f.file_id == id).unwrap();
                assert_eq!(
                    row.finding,
                    Some(Finding::Absent),
                    "each confirmed deletion is verified"
                );
            }
        }
        for id in &there {
            let records = ledger.find(&FileId::new(id.as_str()).unwrap()).await.unwrap();
            assert_eq!(records[0].state, FileState::Live);
        }
        let requested: HashSet<String> = self
            .server
            .requests()
            .into_iter()
            .filter(|r| r.endpoint == Endpoint::DeleteFiles)
            .flat_map(|r| r.file_ids)
            .collect();
        assert!(
            requested.is_disjoint(&there),
            "no file that is not due was ever asked for"
        );
        assert_eq!(ledger.check(true).await.unwrap(), Vec::<String>::new());
    }
}

pub(super) fn left_of(server: &SandboxHandle, classification: &str) -> usize {
    server
        .files()
        .iter()
        .filter(|f| f.parent_id == classification)
        .count()
}

pub(super) fn terminate(child: &Child) {
    signal(child, rustix::process::Signal::TERM);
}

pub(super) fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

#[tokio::test]
async fn the_daemon_deletes_what_is_due_on_schedule_and_nothing_else() {
    let service = Service::new().await;
    service.upload([4; 3], 25).await;
    let mut daemon = service.daemon();
    service.wait_until_all_due_are_gone().await;
    wait_until_settled(&service).await;
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
    service.assert_truth(100).await;
}

#[tokio::test]
async fn killed_at_the_worst_moment_it_reaches_the_same_end() {
    let service = Service::new().await;
    service.upload([4; 3], 25).await;
    // An answer that takes a while: the daemon dies with the request under way, after the deletion.
    let slow = Fault::at(Endpoint::DeleteFiles).delay_ms(200).after(3).times(4);
    service.server.add_fault(slow).unwrap();
    for round in 1..=3_u64 {
        let mut daemon = service.daemon();
        service
            .wait("some requests", |s| {
                s.request_count(Endpoint::DeleteFiles) >= 3 * round
            })
            .await;
        daemon.kill().await.unwrap();
    }
    let mut daemon = service.daemon();
    service.wait_until_all_due_are_gone().await;
    wait_until_settled(&service).await;
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
    service.assert_truth(100).await;
}

/// The main job at its documented size: 10,000 files in 100 batches under 3 policies.
async fn ten_thousand() -> Service {
    let service = Service::beating("* * * * *", "30 seconds", "60 seconds").await;
    service.upload([33, 33, 34], 100).await;
    service
}

#[tokio::test]
#[ignore = "needs minutes: the schedule beats once a minute"]
async fn ten_thousand_files_are_swept_by_the_daemon_on_a_one_minute_cron() {
    let service = ten_thousand().await;
    let mut daemon = service.daemon();
    service.wait_until_all_due_are_gone().await;
    wait_until_settled(&service).await;
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
    service.assert_truth(3400).await;
}

#[tokio::test]
#[ignore = "needs minutes: the schedule beats once a minute"]
async fn ten_thousand_files_reach_the_same_end_through_kill_9() {
    let service = ten_thousand().await;
    for requests in [1, 5, 20] {
        let mut daemon = service.daemon();
        service
            .wait("some requests", |s| {
                s.request_count(Endpoint::DeleteFiles) >= requests
            })
            .await;
        daemon.kill().await.unwrap();
    }
    let mut daemon = service.daemon();
    service.wait_until_all_due_are_gone().await;
    wait_until_settled(&service).await;
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
    service.assert_truth(3400).await;
}

/// Until no outcome is unknown and every deletion has been looked at.
pub(super) async fn wait_until_settled(service: &Service) {
    let ledger = service.ledger().await;
    let since = Timestamp::from_millis(0).unwrap();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    // First of all what is under way: the API may have done it before its outcome is written.
    let under_way = async || {
        let tallies = ledger.tallies(since).await.unwrap();
        tallies
            .values()
            .any(|tally| tally.by_state.get("deleting").is_some_and(|files| *files > 0))
    };
    while under_way().await
        || !ledger.unknown(1).await.unwrap().is_empty()
        || !ledger.unverified(since, 1).await.unwrap().is_empty()
    {
        assert!(
            tokio::time::Instant::now() < deadline,
            "outcomes do not settle; log:\n{}",
            service.log()
        );
        // The schedule goes on beating, and each beat may change the picture.
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_second_deleter_exits_7_and_names_the_first() {
    let service = Service::new().await;
    service.upload([1; 3], 2).await;
    let mut daemon = service.daemon();
    service
        .wait("the first sweep", |s| s.request_count(Endpoint::Credits) >= 1)
        .await;
    let output = service.run(&["sweep"]).await;
    assert_eq!(output.status.code(), Some(7));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains(&daemon.id().unwrap().to_string()), "{message}");
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
}

#[tokio::test]
async fn a_bad_file_is_not_taken_over_at_reload_and_a_good_one_is() {
    let service = Service::new().await;
    service.upload([1; 3], 2).await;
    // Nothing may be due yet: the policies keep for an hour.
    service.write_policies("1 hour");
    let mut daemon = service.daemon();
    service
        .wait("the first sweep", |s| s.request_count(Endpoint::Credits) >= 1)
        .await;
    let ledger = service.ledger().await;
    // Until rules are in force, any file is the first one, and waits for nobody.
    while ledger.rules_in_force().await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    let good = std::fs::read_to_string(service.path("policies.toml")).unwrap();
    let typed = good.replace("\"1 hour\"", "\"1 huor\"");
    std::fs::write(service.path("policies.toml"), typed).unwrap();
    signal(&daemon, rustix::process::Signal::HUP);
    reload_says(&service, &ledger, "refused").await;
    assert_eq!(
        service.left_of(&service.classifications[0]),
        2,
        "the last good set stays in force"
    );
    std::fs::write(
        service.path("policies.toml"),
        good.replace("\"1 hour\"", "\"2 seconds\""),
    )
    .unwrap();
    signal(&daemon, rustix::process::Signal::HUP);
    // Files would go sooner: the good file waits for an operator, and the set before it stays in force.
    reload_says(&service, &ledger, "waits").await;
    assert_eq!(service.left_of(&service.classifications[0]), 2);
    let change = ledger.waiting_change().await.unwrap().unwrap();
    assert_eq!(change.impact.total().earlier, 2);
    let status = service.command(&["--json", "status"]).output().await.unwrap();
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    let command = status["waiting_rules"]["command"].as_str().unwrap();
    assert_eq!(command, format!("retentiond approve {}", &change.after.0[..12]));
    let approved = service
        .command(&["approve", &change.after.0[..12]])
        .output()
        .await
        .unwrap();
    assert!(approved.status.success(), "{approved:?}");
    reload_says(&service, &ledger, "taken").await;
    let soon = service.classifications[0].clone();
    service
        .wait("deletion by the new rules", move |s| left_of(s, &soon) == 0)
        .await;
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
}

#[tokio::test]
async fn the_reload_verb_answers_whether_the_file_is_in_force() {
    let service = Service::new().await;
    service.upload([1; 3], 2).await;
    service.write_policies("1 hour");
    let reload = || async {
        let mut command = service.command(&["--json", "reload"]);
        command.env("RUNTIME_DIRECTORY", service.dir.path());
        command.output().await.unwrap()
    };
    let alone = reload().await;
    assert_eq!(alone.status.code(), Some(1), "nobody is there to be asked");
    assert!(String::from_utf8_lossy(&alone.stderr).contains("systemctl status retentiond"));
    let mut daemon = service
        .command(&["daemon"])
        .env("RUNTIME_DIRECTORY", service.dir.path())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let listening = async {
        while !service.path("control.sock").exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, listening)
        .await
        .expect("the daemon opens its control socket");
    let good = std::fs::read_to_string(service.path("policies.toml")).unwrap();
    let typed = good.replace("\"1 hour\"", "\"1 huor\"");
    std::fs::write(service.path("policies.toml"), typed).unwrap();
    let refused = reload().await;
    assert_eq!(
        refused.status.code(),
        Some(78),
        "{}",
        String::from_utf8_lossy(&refused.stderr)
    );
    let reasons = String::from_utf8(refused.stderr).unwrap();
    assert!(
        reasons.contains("huor") && reasons.contains("the last good one stays in force"),
        "{reasons}"
    );
    let longer = good.replace("\"1 hour\"", "\"2 hours\"") + "\n[log]\nlevel = \"warn\"\n";
    std::fs::write(service.path("policies.toml"), longer).unwrap();
    let taken = reload().await;
    assert!(taken.status.success(), "{taken:?}");
    let taken: serde_json::Value = serde_json::from_slice(&taken.stdout).unwrap();
    assert_eq!(taken["policies"], 3);
    assert_eq!(taken["needs_restart"], json!(["[log]"]));
    let ledger = service.ledger().await;
    while ledger.rules_in_force().await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    std::fs::write(
        service.path("policies.toml"),
        good.replace("\"1 hour\"", "\"2 seconds\""),
    )
    .unwrap();
    let waits = reload().await;
    assert_eq!(waits.status.code(), Some(3), "{waits:?}");
    assert!(String::from_utf8_lossy(&waits.stderr).contains("retentiond approve "));
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
}

async fn reload_says(service: &Service, ledger: &Arc<dyn Ledger>, word: &str) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let said = ledger.setting("config.last_reload").await.unwrap();
        if said.is_some_and(|said| said.starts_with(word)) {
            return;
        }
        let log = || std::fs::read_to_string(service.path("log")).unwrap();
        assert!(
            tokio::time::Instant::now() < deadline,
            "the reload was not {word}; log:\n{}",
            log()
        );
        // The schedule beats every two seconds: each beat is an event to look again at.
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_policy_turned_to_observe_stops_the_sweep_under_way() {
    let service = Service::new().await;
    service.upload([20, 0, 0], 10).await;
    // Each delete takes a while, so that the sweep lasts.
    service
        .server
        .add_fault(Fault::at(Endpoint::DeleteFiles).delay_ms(600).always())
        .unwrap();
    let mut daemon = service.daemon();
    service
        .wait("the sweep", |s| s.request_count(Endpoint::DeleteFiles) >= 3)
        .await;
    let text = std::fs::read_to_string(service.path("policies.toml")).unwrap();
    std::fs::write(
        service.path("policies.toml"),
        text.replace("\"enforce\"", "\"observe\""),
    )
    .unwrap();
    signal(&daemon, rustix::process::Signal::HUP);
    let ledger = service.ledger().await;
    reload_says(&service, &ledger, "taken").await;
    let then = service.server.request_count(Endpoint::DeleteFiles);
    let name = retentiond::model::PolicyName::new("soon").unwrap();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    // The next sweep of the policy has run to its end, and only observed.
    while ledger.sweeps(Some(&name), 1).await.unwrap()[0].state != retentiond::model::SweepState::Done {
        assert!(
            tokio::time::Instant::now() < deadline,
            "no sweep observed; log:\n{}",
            service.log()
        );
        tokio::task::yield_now().await;
    }
    let more = service.server.request_count(Endpoint::DeleteFiles) - then;
    assert!(more <= 4, "only requests under way may end: {more} more");
    assert!(service.left_of(&service.classifications[0]) > 0);
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
}

#[tokio::test]
async fn terminating_a_manual_sweep_lets_the_request_end_and_says_so() {
    let service = Service::new().await;
    service.upload_an_hour_ago().await;
    let slow = Fault::at(Endpoint::DeleteFiles).delay_ms(3_000).times(1);
    service.server.add_fault(slow).unwrap();
    let mut command = service.command(&["--json", "sweep"]);
    let sweep = command.stdout(Stdio::piped()).spawn().unwrap();
    service
        .wait("the first request", |s| {
            s.request_count(Endpoint::DeleteFiles) == 1
        })
        .await;
    terminate(&sweep);
    let output = sweep.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["sweeps"].as_array().map(Vec::len), Some(1));
    assert_eq!(report["sweeps"][0]["by"]["stop"], "shutdown");
    assert_eq!(report["sweeps"][0]["summary"]["deleted"], 1);
    assert_eq!(service.server.request_count(Endpoint::DeleteFiles), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_entered_beside_the_running_daemon_is_carried_out_and_closes_itself() {
    let service = Service::new().await;
    service.upload([0, 0, 2], 12).await;
    let mut daemon = service.daemon();
    let batch = service.server.files()[0].batch_id.clone();
    let asked = service
        .run(&[
            "erase",
            "add",
            "--batch",
            &batch,
            "--ref",
            "case 1",
            "--received",
            "2026-11-02",
        ])
        .await;
    assert!(asked.status.success(), "{asked:?}");
    let of_batch = move |s: &SandboxHandle| s.files().iter().filter(|f| f.batch_id == batch).count();
    service
        .wait("the deletion of the batch", move |s| of_batch(s) == 0)
        .await;
    service
        .wait_for_log("an erasure request is closed", |_| Some(()))
        .await;
    let listed = service.run(&["--json", "erase", "list", "--all"]).await;
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["erasures"][0]["state"], "closed: every copy verified gone");
    assert_eq!(listed["erasures"][0]["files"]["verified"], 12);
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
    service.assert_truth(12).await;
}
