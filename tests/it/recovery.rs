//! `reconcile --from`: a backup was restored, and what it lacks comes back before anything is deleted.

use std::path::PathBuf;
use std::process::{Command, Output};

use retentiond::engine::{Clock, SystemClock};
use retentiond::sandbox::{DocumentType, Endpoint, Module, Sandbox, SandboxConfig, SandboxHandle};
use serde_json::{Value, json};
use tempfile::TempDir;

const HOUR_MS: i64 = 3_600_000;

/// A desk with the real binary, an audit key and a policy of five hours.
struct Desk {
    dir: TempDir,
    _sandbox: Sandbox,
    server: SandboxHandle,
    classification: String,
}

struct Batch {
    id: String,
    files: Vec<String>,
}

impl Desk {
    async fn new() -> Self {
        let sandbox = Sandbox::start(SandboxConfig::unpaced()).await.unwrap();
        let server = sandbox.handle();
        let classification = server.seed_classification("letters", &[DocumentType::named("letter")]);
        let desk = Self {
            dir: tempfile::tempdir().unwrap(),
            _sandbox: sandbox,
            server,
            classification,
        };
        let text = format!(
            r#"timezone = "UTC"
[extracta]
base_url = "{}"
results_interval = "0s"
files_per_request = 2
[ledger]
url = "sqlite:{}"
[evidence]
key_file = "{}"
[limits]
files_per_sweep = 100000
share_per_sweep = "100%"
[[policy]]
name = "letters"
match = {{ classification = "{}" }}
delete_after = "5 hours"
schedule = "0 3 * * *"
mode = "enforce"
"#,
            desk._sandbox.base_url(),
            desk.path("ledger.db").display(),
            desk.path("audit-key").display(),
            desk.classification
        );
        std::fs::write(desk.path("policies.toml"), text).unwrap();
        desk.done(&["audit", "init-key"]);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_retentiond"));
        command
            .arg("-c")
            .arg(self.path("policies.toml"))
            .args(args)
            .current_dir(self.dir.path())
            .env("EXTRACTA_API_KEY", retentiond::sandbox::DEFAULT_KEY);
        command
    }

    /// Runs it, and what it printed; the exit code has to be this one.
    fn exits(&self, code: i32, args: &[&str]) -> String {
        let output: Output = self.command(args).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    }

    fn done(&self, args: &[&str]) -> String {
        self.exits(0, args)
    }

    fn json(&self, args: &[&str]) -> Value {
        let all = [&["--json"], args].concat();
        let output = self.command(&all).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}; {output:?}"))
    }

    /// Files in a new batch, uploaded so many hours ago, in the ledger.
    fn upload(&self, count: usize, hours_ago: i64) -> Batch {
        let id = self
            .server
            .seed_batch(Module::Classification, &self.classification)
            .unwrap();
        let files = self.server.seed_files(&self.classification, &id, count).unwrap();
        let uploaded = SystemClock
            .now()
            .checked_add_millis(-hours_ago * HOUR_MS)
            .unwrap();
        let rows: String = files
            .iter()
            .map(|file| {
                let row = json!({"classification_id": self.classification, "batch_id": id, "file_id": file, "uploaded_at": uploaded});
                format!("{row}\n")
            })
            .collect();
        std::fs::write(self.path("rows.jsonl"), rows).unwrap();
        self.done(&["record", "rows.jsonl"]);
        Batch { id, files }
    }

    fn restore(&self, copy: &str) {
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(self.path(&format!("ledger.db{suffix}")));
        }
        std::fs::copy(self.path(copy), self.path("ledger.db")).unwrap();
    }

    fn deletes(&self) -> u64 {
        self.server.request_count(Endpoint::DeleteFiles)
    }

    fn state(&self, file: &str) -> String {
        let found = self.json(&["explain", file]);
        found.to_string()
    }
}

/// What happened before the backup, after it, and after the export.
struct Story {
    desk: Desk,
    /// Due; the first is put on hold after the backup, the others are deleted after it.
    due: Batch,
    /// Young; the first was on hold before the backup and is released, the second is erased after it.
    young: Batch,
    /// Recorded and deleted after the backup.
    later: Batch,
}

async fn story() -> Story {
    let desk = Desk::new().await;
    let first = desk.upload(1, 10);
    desk.done(&["sweep"]);
    assert!(!desk.server.exists(&first.files[0]));
    let due = desk.upload(6, 10);
    let young = desk.upload(4, 0);
    desk.done(&["hold", "add", "--file", &young.files[0], "--reason", "audit"]);
    desk.done(&["ledger", "backup", "backup.db"]);

    desk.done(&[
        "hold",
        "add",
        "--file",
        &due.files[0],
        "--reason",
        "litigation",
        "--ref",
        "case 7",
    ]);
    desk.done(&["hold", "release", "1", "--reason", "over"]);
    let today = SystemClock.now().to_string()[..10].to_owned();
    desk.done(&[
        "erase",
        "add",
        "--file",
        &young.files[1],
        "--ref",
        "DSR-1",
        "--received",
        &today,
    ]);
    let later = desk.upload(2, 10);
    desk.done(&["sweep"]);
    assert!(desk.server.exists(&due.files[0]) && !desk.server.exists(&due.files[1]));
    assert!(!desk.server.exists(&young.files[1]) && !desk.server.exists(&later.files[0]));
    desk.done(&["audit", "export", "--with-ids", "--out", "full.jsonl"]);
    desk.done(&["audit", "export", "--out", "bare.jsonl"]);
    Story {
        desk,
        due,
        young,
        later,
    }
}

impl Story {
    /// What has to be so in the end, however it came about.
    fn right_end(&self) {
        let desk = &self.desk;
        let holds = desk.json(&["hold", "list", "--all"]).to_string();
        assert!(
            holds.contains(&self.due.files[0]) && holds.contains("case 7"),
            "{holds}"
        );
        desk.done(&["sweep"]);
        assert!(
            desk.server.exists(&self.due.files[0]),
            "on hold since after the backup"
        );
        for file in &self.due.files[1..] {
            assert!(!desk.server.exists(file), "{file}");
        }
        for file in &self.young.files[2..] {
            assert!(desk.server.exists(file), "young");
        }
        assert!(desk.server.exists(&self.young.files[0]) && !desk.server.exists(&self.young.files[1]));
        let open = desk.json(&["erase", "list"]);
        assert!(!open.to_string().contains("DSR-1"), "{open}");
        let all = desk.json(&["erase", "list", "--all"]).to_string();
        assert!(all.contains("DSR-1"), "{all}");
        desk.done(&["ledger", "check", "--deep"]);
        let audit = desk.done(&["audit", "verify"]);
        assert!(
            audit.starts_with("WHOLE") && audit.contains("FORK, named by leaf"),
            "{audit}"
        );
        desk.done(&["breaker", "list"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_gets_back_what_it_lacks_and_then_deletes_what_came_back_to_life() {
    let story = story().await;
    let desk = &story.desk;
    let verified = desk.done(&["audit", "verify"]);
    assert!(!verified.contains("FORK"), "{verified}");
    let settled = desk.json(&["history", "--file", &story.due.files[2]]);
    desk.restore("backup.db");
    // One that was deleted is there again, as after a restored backup at the provider's.
    let revived = &story.due.files[3];
    desk.server
        .seed_file_with_id(&desk.classification, &story.due.id, revived)
        .unwrap();

    let before = desk.deletes();
    let said = desk.exits(4, &["sweep"]);
    assert!(
        said.contains("reconcile --from") && said.contains("facts went out"),
        "{said}"
    );
    assert_eq!(desk.deletes(), before);
    let listed = desk.exits(3, &["breaker", "list"]);
    assert!(
        listed.contains("rollback") && listed.contains("first: retentiond reconcile --from EXPORT"),
        "{listed}"
    );
    let status = desk.command(&["status"]).output().unwrap();
    assert!(
        String::from_utf8_lossy(&status.stdout).contains("reconcile --from"),
        "{status:?}"
    );
    // No checkpoint vouches for a tree in doubt.
    desk.exits(4, &["audit", "checkpoint"]);

    let bare = desk.exits(4, &["reconcile", "--from", "bare.jsonl"]);
    assert!(bare.contains("--with-ids"), "{bare}");
    let dry = desk.done(&["reconcile", "--from", "full.jsonl", "--dry-run"]);
    assert!(
        dry.contains("litigation") && dry.contains("DSR-1") && dry.contains("release of hold 1"),
        "{dry}"
    );
    desk.exits(4, &["sweep"]);
    assert_eq!(desk.deletes(), before, "a dry run settles nothing");

    let found = desk.json(&["reconcile", "--from", "full.jsonl"]);
    let done = &found["brought_back"];
    assert_eq!(
        (&done["holds"], &done["releases"], &done["erasures"]),
        (&json!(1), &json!(1), &json!(1)),
        "{found}"
    );
    assert_eq!(done["strangers"], 2, "{found}");
    assert_eq!(done["ended"], 6, "{found}");
    assert_eq!(
        (&found["looked"]["absent"], &found["looked"]["revived"]),
        (&json!(5), &json!(1)),
        "{found}"
    );
    assert_eq!(desk.deletes(), before, "it never deletes");
    assert!(desk.server.exists(revived));
    assert!(desk.state(&story.due.files[1]).contains("deleted"));

    // The requests are on record again, with the times of then.
    let again = desk.json(&["history", "--file", &story.due.files[2]]);
    let times = |history: &Value| {
        let text = history.to_string();
        let at = text.find("settled_at").unwrap_or_else(|| panic!("{text}"));
        text[at..at + 40].to_owned()
    };
    assert_eq!(times(&again), times(&settled));
    story.right_end();
    assert!(!desk.server.exists(revived), "deleted again, in the ordinary way");
    assert!(desk.deletes() > before);

    // Elsewhere, with the public key alone: the export of the new tree names the fork, too.
    desk.done(&["audit", "export", "--out", "new.jsonl"]);
    let away = desk.done(&["audit", "verify", "new.jsonl"]);
    assert!(away.contains("FORK, named by leaf"), "{away}");
    desk.done(&["audit", "prove", &story.due.files[2], "--out", "proof.json"]);
    assert!(desk.done(&["audit", "verify", "proof.json"]).contains("PROVEN"));
    // And a second time there is nothing to bring back.
    desk.exits(2, &["reconcile", "--from", "full.jsonl"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_another_ledger_or_a_changed_one_brings_nothing_back() {
    let story = story().await;
    let desk = &story.desk;
    desk.restore("backup.db");
    desk.exits(4, &["sweep"]);
    let stranger = Desk::new().await;
    stranger.upload(1, 10);
    stranger.done(&["sweep"]);
    stranger.done(&["audit", "export", "--with-ids", "--out", "other.jsonl"]);
    std::fs::copy(stranger.path("other.jsonl"), desk.path("other.jsonl")).unwrap();
    let refused = desk.exits(4, &["reconcile", "--from", "other.jsonl"]);
    assert!(refused.contains("other.jsonl"), "{refused}");

    // Unsigned, so that only the tree can tell.
    let text = std::fs::read_to_string(desk.path("policies.toml")).unwrap();
    let unsigned: String = text
        .lines()
        .filter(|line| !line.starts_with("[evidence]") && !line.starts_with("key_file"))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(desk.path("policies.toml"), unsigned).unwrap();
    let refused = desk.exits(4, &["reconcile", "--from", "other.jsonl"]);
    assert!(refused.contains("another ledger's"), "{refused}");
    let full = std::fs::read_to_string(desk.path("full.jsonl")).unwrap();
    std::fs::write(desk.path("changed.jsonl"), full.replace("case 7", "case 8")).unwrap();
    let refused = desk.exits(4, &["reconcile", "--from", "changed.jsonl"]);
    assert!(refused.contains("damaged"), "{refused}");
    let before = desk.deletes();
    desk.exits(4, &["sweep"]);
    assert_eq!(desk.deletes(), before);
    desk.done(&["reconcile", "--from", "full.jsonl"]);
    std::fs::write(desk.path("policies.toml"), text).unwrap();
    story.right_end();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_out_after_the_export_is_said_to_be_lost() {
    let story = story().await;
    let desk = &story.desk;
    desk.done(&[
        "hold",
        "add",
        "--file",
        &story.young.files[3],
        "--reason",
        "too-late",
    ]);
    desk.done(&["audit", "checkpoint"]);
    desk.restore("backup.db");
    // The anchor was restored as well: only the checkpoints tell.
    std::fs::remove_file(desk.path("ledger.db.anchor")).unwrap();
    desk.exits(4, &["sweep"]);
    let said = desk.done(&["reconcile", "--from", "full.jsonl"]);
    assert!(said.contains("LOST: 1 facts"), "{said}");
    story.right_end();
    let audit = desk.done(&["audit", "verify"]);
    assert!(audit.contains("1 are over facts that were not"), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_time_it_goes_on_and_comes_to_the_same_end() {
    let story = story().await;
    let desk = &story.desk;
    desk.restore("backup.db");
    desk.exits(4, &["sweep"]);
    let before = desk.deletes();
    let mut killed = 0;
    for patience in [5, 10, 15, 20, 25, 30, 40, 50, 70, 90, 120, 160, 220] {
        let mut child = desk
            .command(&["reconcile", "--from", "full.jsonl"])
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(patience));
        let _ = child.kill();
        killed += u32::from(!child.wait().unwrap().success());
        assert_eq!(desk.deletes(), before);
    }
    assert!(killed > 0);
    let stopped = desk.command(&["sweep"]).output().unwrap();
    if stopped.status.code() == Some(4) {
        desk.done(&["reconcile", "--from", "full.jsonl"]);
    }
    story.right_end();
    let holds = desk.json(&["hold", "list", "--all"]).to_string();
    assert_eq!(holds.matches("case 7").count(), 1, "brought back once: {holds}");
    assert_eq!(story.later.files.len(), 2);
}
