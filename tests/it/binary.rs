//! The command line as a user meets it: what it prints and how it exits.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

pub(super) struct Desk {
    dir: TempDir,
}

impl Desk {
    pub(super) fn new() -> Self {
        let desk = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let text = format!(
            r#"timezone = "Europe/Berlin"
labels = ["tenant"]

[extracta]
base_url = "http://127.0.0.1:9/api/v1"

[ledger]
url = "sqlite:{}"

[[policy]]
name = "letters"
match = {{ classification = "-OKI_FueqSWiExyfS310" }}
delete_after = "30 days"
schedule = "0 3 * * *"
mode = "enforce"
"#,
            desk.path("ledger.db").display()
        );
        std::fs::write(desk.path("policies.toml"), text).unwrap();
        desk
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn run(&self, args: &[&str]) -> Output {
        run(&self.path("policies.toml"), args)
    }

    pub(super) fn json(&self, args: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend_from_slice(args);
        let output = self.run(&all);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}; {output:?}"))
    }

    pub(super) fn record(&self, rows: &str) -> Output {
        std::fs::write(self.path("rows.jsonl"), rows).unwrap();
        let rows = self.path("rows.jsonl");
        self.run(&["record", rows.to_str().unwrap()])
    }
}

fn run(config: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_retentiond"))
        .arg("-c")
        .arg(config)
        .args(args)
        .output()
        .unwrap()
}

pub(super) const ROW: &str = r#"{"classification_id":"-OKI_FueqSWiExyfS310","batch_id":"aB3dE5gH7j","file_id":"-OKI_FueqSWiExyfS311","uploaded_at":"2025-03-01T21:20:33Z"}"#;

#[test]
fn a_typo_in_the_policy_file_exits_78_with_the_caret_on_the_word() {
    let desk = Desk::new();
    let text = std::fs::read_to_string(desk.path("policies.toml"))
        .unwrap()
        .replace("delete_after", "delete_aftr");
    std::fs::write(desk.path("policies.toml"), text).unwrap();
    let output = desk.run(&["check"]);
    assert_eq!(output.status.code(), Some(78));
    let shown = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = shown.lines().collect();
    let at = lines
        .iter()
        .position(|line| line.contains("delete_aftr ="))
        .unwrap_or_else(|| panic!("{shown}"));
    let column = lines[at].find("delete_aftr").unwrap();
    assert_eq!(lines[at + 1].find('^'), Some(column), "{shown}");
    assert!(shown.contains("delete_after"), "{shown}");
}

#[test]
fn a_bad_row_is_named_by_line_and_nothing_is_kept_unless_asked() {
    let desk = Desk::new();
    let bad = ROW.replace("-OKI_FueqSWiExyfS311", "");
    let rows = format!("{ROW}\n{bad}\n");
    let output = desk.record(&rows);
    assert_eq!(output.status.code(), Some(1));
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("line 2: ") && shown.contains("nothing was kept"),
        "{shown}"
    );
    assert_eq!(
        desk.run(&["explain", "-OKI_FueqSWiExyfS311"]).status.code(),
        Some(1)
    );
    let file = desk.path("rows.jsonl");
    let kept = desk.json(&["record", file.to_str().unwrap(), "--keep-good"]);
    assert_eq!(
        (&kept["added"], &kept["refused_total"]),
        (&Value::from(1), &Value::from(1))
    );
    let again = desk.json(&["record", file.to_str().unwrap(), "--keep-good"]);
    assert_eq!(
        (&again["added"], &again["known"]),
        (&Value::from(0), &Value::from(1))
    );
}

#[test]
fn a_dry_run_says_what_would_be_recorded_and_changes_no_byte() {
    let desk = Desk::new();
    let table = "project,job,id,created\nc,b,f1,2026-01-02T03:04:05Z\nc,b,f2,2026-01-02T03:04:05\nc,b,f1,2026-01-02T03:04:05Z\n";
    std::fs::write(desk.path("from-elsewhere.csv"), table).unwrap();
    let file = desk.path("from-elsewhere.csv");
    let map = "classification_id=project,batch_id=job,file_id=id,uploaded_at=created";
    let args = [
        "--json",
        "record",
        file.to_str().unwrap(),
        "--map",
        map,
        "--keep-good",
    ];
    let dry = [&args[..], &["--dry-run"]].concat();

    let first = desk.run(&dry);
    assert_eq!(first.status.code(), Some(1), "{first:?}");
    let said: Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(
        (&said["dry_run"], &said["added"], &said["duplicates"]),
        (&true.into(), &1.into(), &1.into())
    );
    assert_eq!(
        (&said["refused"][0]["line"], &said["refused"][0]["code"]),
        (&3.into(), &"no-zone".into())
    );
    assert!(!desk.path("ledger.db").exists(), "a dry run made a ledger");

    let done: Value = serde_json::from_slice(&desk.run(&args).stdout).unwrap();
    assert_eq!((&done["dry_run"], &done["added"]), (&false.into(), &1.into()));
    let before = std::fs::read(desk.path("ledger.db")).unwrap();
    let again: Value = serde_json::from_slice(&desk.run(&dry).stdout).unwrap();
    assert_eq!((&again["added"], &again["known"]), (&0.into(), &1.into()));
    assert_eq!(std::fs::read(desk.path("ledger.db")).unwrap(), before);
}

#[test]
fn plan_explain_and_schedule_speak_the_documented_json() {
    let desk = Desk::new();
    assert!(desk.record(ROW).status.success());
    let plan = desk.json(&["plan"]);
    assert_eq!(plan["plan"]["verdict"], "deletes");
    assert_eq!(plan["plan"]["hash"].as_str().map(str::len), Some(64));
    let row = &plan["policies"][0];
    assert_eq!(
        (&row["policy"], &row["mode"], &row["due"], &row["sent"]),
        (&"letters".into(), &"enforce".into(), &1.into(), &1.into())
    );
    let file = &plan["files"][0];
    assert_eq!(file["file_id"], "-OKI_FueqSWiExyfS311");
    assert_eq!(file["batch_id"], "aB3dE5gH7j");
    assert_eq!(file["classification_id"], "-OKI_FueqSWiExyfS310");
    assert_eq!(file["starts_at"], "2025-03-01T21:20:33Z");
    // 1 March + 30 days is 31 March; due when it is over, in Berlin's summer time.
    assert_eq!(file["due_at"], "2025-03-31T22:00:00Z");
    assert_eq!(file["deadline_at"], "2025-04-01T22:00:00Z");
    assert!(file["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    let explained = desk.json(&["explain", "-OKI_FueqSWiExyfS311"]);
    assert_eq!(
        (&explained["state"], &explained["policy"]),
        (&"live".into(), &"letters".into())
    );
    assert!(
        explained["steps"]
            .as_array()
            .is_some_and(|steps| steps.len() >= 3)
    );
    assert_eq!(explained["attempts"], Value::Array(Vec::new()));
    let schedule = desk.json(&["schedule", "--next", "2", "--from", "2026-03-28T12:00:00Z"]);
    assert_eq!(
        schedule["policies"][0]["next"],
        serde_json::json!(["2026-03-29T01:00:00Z", "2026-03-30T01:00:00Z"])
    );
    let requests = &schedule["policies"][1];
    assert_eq!(
        (&requests["policy"], &requests["mode"]),
        (&"erasure".into(), &"enforce".into())
    );
    assert_eq!(
        requests["next"],
        serde_json::json!(["2026-03-28T13:00:00Z", "2026-03-28T14:00:00Z"])
    );
}

#[test]
fn a_plan_at_a_later_time_shows_what_is_due_then() {
    let desk = Desk::new();
    let fresh = ROW.replace("2025-03-01T21:20:33Z", "2025-03-02T10:00:00Z");
    assert!(desk.record(&fresh).status.success());
    assert_eq!(
        desk.json(&["plan", "--at", "2025-04-01T21:59:59Z"])["policies"][0]["due"],
        0
    );
    assert_eq!(
        desk.json(&["plan", "--at", "2025-04-01T22:00:00Z"])["policies"][0]["due"],
        1
    );
}

#[test]
fn overdue_files_are_the_first_thing_that_status_says() {
    let desk = Desk::new();
    assert!(desk.record(ROW).status.success());
    let output = desk.run(&["status"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.starts_with("OVERDUE  1 files are past their deadline"),
        "{shown}"
    );
    assert!(!shown.contains('\u{1b}'), "no terminal, no colour");
    let painted = desk.run(&["status", "--color", "always"]);
    assert!(painted.stdout.starts_with(b"\x1b[1;31mOVERDUE\x1b[0m  1 files"));
    assert_eq!(desk.json(&["status"])["verdict"], "overdue");
}

#[test]
fn a_hold_covers_at_once_and_is_listed() {
    let desk = Desk::new();
    assert!(desk.record(ROW).status.success());
    let placed = desk.json(&[
        "hold",
        "add",
        "--file",
        "-OKI_FueqSWiExyfS311",
        "--reason",
        "litigation",
    ]);
    assert_eq!((&placed["hold"], &placed["covers"]), (&1.into(), &1.into()));
    assert_eq!(desk.json(&["plan"])["policies"][0]["held"], 1);
    assert_eq!(
        desk.json(&["hold", "list"])["holds"].as_array().map(Vec::len),
        Some(1)
    );
    let released = desk.json(&["hold", "release", "1", "--reason", "settled"]);
    assert!(released["covers_until"].is_string());
    assert_eq!(
        desk.json(&["plan"])["policies"][0]["held"],
        1,
        "the cool-down still covers it"
    );
}

#[test]
fn without_the_api_a_sweep_exits_75_and_without_a_key_5() {
    let desk = Desk::new();
    assert!(desk.record(ROW).status.success());
    let with_key = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_retentiond"));
        command
            .arg("-c")
            .arg(desk.path("policies.toml"))
            .arg("sweep")
            .env_remove("EXTRACTA_API_KEY");
        command
    };
    assert_eq!(with_key().output().unwrap().status.code(), Some(5));
    assert_eq!(
        with_key()
            .env("EXTRACTA_API_KEY", "k")
            .output()
            .unwrap()
            .status
            .code(),
        Some(75)
    );
}

#[test]
fn every_reading_verb_prints_one_json_object() {
    let desk = Desk::new();
    assert!(desk.record(ROW).status.success());
    let verbs: [&[&str]; 15] = [
        &["check"],
        &["plan"],
        &["explain", "-OKI_FueqSWiExyfS311"],
        &["forecast", "--days", "5"],
        &["schedule"],
        &["status"],
        &["history"],
        &["hold", "list"],
        &["erase", "list"],
        &["approve"],
        &["breaker", "list"],
        &["quarantine", "list"],
        &["uploads"],
        &["report", "--from", "2026-01-01", "--to", "2026-04-01"],
        &["ledger", "stats"],
    ];
    for verb in verbs {
        assert!(desk.json(verb).is_object(), "{verb:?}");
    }
    assert_eq!(
        desk.json(&["ledger", "check", "--deep"])["problems"],
        Value::Array(Vec::new())
    );
}

#[test]
fn init_writes_a_file_that_check_accepts_and_never_writes_over_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    assert!(run(Path::new("unused"), &["init", path]).status.success());
    assert!(
        run(&dir.path().join("policies.toml"), &["check"])
            .status
            .success()
    );
    assert_eq!(run(Path::new("unused"), &["init", path]).status.code(), Some(1));
}

#[test]
fn completions_and_manual_pages_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(Path::new("unused"), &["completions", "bash"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("retentiond"));
    assert!(
        run(Path::new("unused"), &["man", dir.path().to_str().unwrap()])
            .status
            .success()
    );
    assert!(dir.path().join("retentiond.1").exists());
    assert!(dir.path().join("retentiond-plan.1").exists());
}

#[test]
fn the_demo_shows_the_whole_job_and_agrees_with_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("demo");
    let output = Command::new(env!("CARGO_BIN_EXE_retentiond"))
        .args(["--json", "demo", "--dir", "demo"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let end: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(end["differences"], Value::Array(Vec::new()));
    // 12 of 13 applications (one is held), 4 passports with 4 copies, 6 contracts; 7 tax originals stay.
    assert_eq!(
        (
            &end["files_deleted_at_the_server"],
            &end["files_left_at_the_server"]
        ),
        (&26.into(), &8.into())
    );
    let status = run(
        &place.join("policies.toml"),
        &["--json", "history", "--limit", "0"],
    );
    let history: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert!(
        history["attempts"]
            .as_array()
            .is_some_and(|attempts| attempts.len() >= 6)
    );
    let policies = place.join("policies.toml");
    let asked = [
        "--json",
        "report",
        "--from",
        "2020-01-01",
        "--to",
        "2100-01-01",
        "--as",
        "json",
    ];
    let report: Value = serde_json::from_slice(&run(&policies, &asked).stdout).unwrap();
    let figures = ["confirmed", "unverified", "on_request", "held"].map(|name| &report["total"][name]);
    assert_eq!(figures, [26, 0, 0, 1], "{report:#}");
    // Another `sqlite3` that looks into it has nothing to move into the ledger.
    let log = place.join("ledger.db-wal");
    assert_eq!(log.metadata().map_or(0, |log| log.len()), 0);
}

/// Killed at whatever point of making the ledger: nothing, or a whole one, and no false alarm.
#[test]
fn a_first_start_that_is_killed_leaves_no_ledger_or_a_whole_one() {
    let mut whole = 0;
    for n in 0..40 {
        let desk = Desk::new();
        std::fs::write(desk.path("rows.jsonl"), ROW).unwrap();
        let record = |desk: &Desk| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_retentiond"));
            command
                .arg("-c")
                .arg(desk.path("policies.toml"))
                .arg("record")
                .arg(desk.path("rows.jsonl"))
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null());
            command
        };
        let mut first = record(&desk).spawn().unwrap();
        // A different point each time, by what the process has done so far and not by the clock.
        let until = n % 5;
        let reached = |desk: &Desk| match until {
            0 => desk.path("ledger.db").exists(),
            1 => desk.path("ledger.db-journal").exists() || desk.path("ledger.db-wal").exists(),
            2 => std::fs::metadata(desk.path("ledger.db")).is_ok_and(|m| m.len() > 4096),
            3 => desk.path("ledger.db-shm").exists(),
            _ => desk.path("ledger.db.anchor").exists(),
        };
        while first.try_wait().unwrap().is_none() && !reached(&desk) {
            std::thread::yield_now();
        }
        let _ = first.kill();
        first.wait().unwrap();
        whole += usize::from(desk.run(&["ledger", "check", "--deep"]).status.code() == Some(0));

        let again = record(&desk)
            .stderr(std::process::Stdio::piped())
            .output()
            .unwrap();
        assert!(again.status.success(), "point {until}: {again:?}");
        let check = desk.run(&["ledger", "check", "--deep"]);
        assert_eq!(check.status.code(), Some(0), "point {until}: {check:?}");
        let sweep = desk.run(&["breaker", "list"]);
        assert_eq!(sweep.status.code(), Some(0), "point {until}: {sweep:?}");
        assert!(desk.path("ledger.db.anchor").exists(), "point {until}");
    }
    assert!(whole > 0, "some were killed after the ledger was whole");
}

fn rows_of_age(days: i64) -> String {
    use retentiond::engine::{Clock, SystemClock};

    let at = SystemClock.now().checked_add_millis(-days * 86_400_000).unwrap();
    format!(
        r#"{{"classification_id":"-OKI_FueqSWiExyfS310","batch_id":"b","file_id":"fresh-1","uploaded_at":"{at}"}}
{{"classification_id":"-OKI_FueqSWiExyfS310","batch_id":"b","file_id":"fresh-2","uploaded_at":"{at}"}}
"#
    )
}

#[tokio::test]
async fn a_draft_is_tried_on_a_copy_and_the_ledger_keeps_every_byte() {
    use retentiond::ledger::{OpenMode, Rules, SqliteLedger};

    let desk = Desk::new();
    assert!(desk.record(&rows_of_age(10)).status.success());
    let hold = ["hold", "add", "--file", "fresh-1", "--reason", "litigation"];
    assert!(desk.run(&hold).status.success());
    let first = std::fs::read_to_string(desk.path("policies.toml")).unwrap();
    let draft = desk.path("draft.toml");
    std::fs::write(&draft, first.replace("30 days", "3 days")).unwrap();
    let before = std::fs::read(desk.path("ledger.db")).unwrap();

    let plan = run(&draft, &["--json", "plan"]);
    let shown: Value = serde_json::from_slice(&plan.stdout).unwrap();
    let row = &shown["policies"][0];
    assert_eq!((&row["due"], &row["held"]), (&1.into(), &1.into()), "{row}");
    assert!(
        String::from_utf8(plan.stderr)
            .unwrap()
            .contains("tried on a copy")
    );
    let forecast = run(&draft, &["--json", "forecast", "--days", "1"]);
    let shown: Value = serde_json::from_slice(&forecast.stdout).unwrap();
    assert_eq!(shown["days"][0]["total"], 2);

    assert!(std::fs::read(desk.path("ledger.db")).unwrap() == before);
    let rules = retentiond::config::load(&desk.path("policies.toml"))
        .unwrap()
        .checked
        .rules;
    let path = desk.path("ledger.db");
    let ledger = SqliteLedger::open(path.to_str().unwrap(), OpenMode::ReadOnly)
        .await
        .unwrap();
    assert!(ledger.hints_are_current(&rules.digest).await.unwrap());
    let row = &desk.json(&["plan"])["policies"][0];
    assert_eq!((&row["due"], &row["held"]), (&0.into(), &0.into()), "{row}");
}

#[test]
fn an_overdue_file_that_is_held_is_not_overdue() {
    let desk = Desk::new();
    let other = ROW.replace("S311", "S312");
    assert!(desk.record(&format!("{ROW}\n{other}\n")).status.success());
    let hold = |file: &str| {
        let add = ["hold", "add", "--file", file, "--reason", "litigation"];
        assert!(desk.run(&add).status.success());
    };
    hold("-OKI_FueqSWiExyfS311");
    let one = desk.json(&["status"]);
    let row = &one["policies"][0];
    assert_eq!(
        (&one["verdict"], &row["due"], &row["held"], &row["overdue"]),
        (&"overdue".into(), &2.into(), &1.into(), &1.into())
    );
    assert_eq!(row["oldest_overdue"], "2025-04-01T22:00:00Z");
    hold("-OKI_FueqSWiExyfS312");
    let both = desk.json(&["status"]);
    let row = &both["policies"][0];
    assert_eq!(
        (&both["verdict"], &row["held"], &row["overdue"]),
        (&"idle".into(), &2.into(), &0.into())
    );
    assert_eq!(row["oldest_overdue"], Value::Null);
    assert_eq!(desk.run(&["status"]).status.code(), Some(0));
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let desk = Desk::new();
    assert!(
        desk.record(
            &ROW.replace("2025-03-01T21:20:33Z", "2026-11-23T00:00:00Z")
                .replace("-OKI_FueqSWiExyfS311", "f")
        )
        .status
        .success()
    );
    let verbs: [&[&str]; 5] = [
        &["status"],
        &["--json", "plan"],
        &["explain", "f"],
        &["completions", "bash"],
        &["--help"],
    ];
    for verb in verbs {
        let whole = desk.run(verb);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_retentiond"))
            .arg("-c")
            .arg(desk.path("policies.toml"))
            .args(verb)
            .stdout(writer)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), whole.status.code(), "{verb:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said, String::from_utf8(whole.stderr).unwrap(), "{verb:?}");
    }
    // Nor is a standard error that nobody reads: the exit code alone tells.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_retentiond"));
    let unknown = command
        .arg("-c")
        .arg(desk.path("policies.toml"))
        .args(["-vvv", "explain", "unknown"]);
    assert_eq!(unknown.stderr(writer).status().unwrap().code(), Some(1));
}

#[test]
fn check_against_the_ledger_counts_what_two_policies_mean_and_what_none_does() {
    let desk = Desk::new();
    let text = std::fs::read_to_string(desk.path("policies.toml")).unwrap();
    let more = "\n[[policy]]\nname = \"acme\"\nmatch = { labels = { tenant = \"acme\" } }\n\
        delete_after = \"60 days\"\nschedule = \"0 3 * * *\"\n";
    std::fs::write(desk.path("policies.toml"), text + more).unwrap();
    let row = |file: &str, classification: &str, labels: &str| {
        ROW.replace("-OKI_FueqSWiExyfS311", file)
            .replace("-OKI_FueqSWiExyfS310", classification)
            .replace("\"uploaded_at\"", &format!("{labels}\"uploaded_at\""))
    };
    let acme = "\"labels\":{\"tenant\":\"acme\"},";
    let rows = [
        row("both-1", "-OKI_FueqSWiExyfS310", acme),
        row("both-2", "-OKI_FueqSWiExyfS310", acme),
        row("letters-alone", "-OKI_FueqSWiExyfS310", ""),
        row("acme-alone", "other", acme),
        row("nobody", "other", ""),
    ];
    assert!(desk.record(&rows.join("\n")).status.success());
    let checked = desk.json(&["check", "--against-ledger"]);
    let coverage = &checked["coverage"];
    assert_eq!(
        coverage["overlaps"],
        serde_json::json!([{
            "owner": "letters", "other": "acme", "files": 2, "owner_line": 12, "other_line": 19
        }])
    );
    assert_eq!(coverage["unowned"], 1);
    let batch = &coverage["unowned_by_batch"][0];
    assert_eq!(
        (&batch["classification_id"], &batch["files"]),
        (&"other".into(), &1.into())
    );
    let told = String::from_utf8(desk.run(&["check", "--against-ledger"]).stdout).unwrap();
    assert!(
        told.contains("overlap: 2 files of `letters` (line 12) match `acme` (line 19) as well"),
        "{told}"
    );
    // A draft is counted by what it says, on a copy: the ledger stays as it is.
    let text = std::fs::read_to_string(desk.path("policies.toml")).unwrap();
    std::fs::write(
        desk.path("policies.toml"),
        text.replace("\"acme\" } }", "\"nobody\" } }"),
    )
    .unwrap();
    let draft = desk.json(&["check", "--against-ledger"]);
    assert_eq!(draft["coverage"]["overlaps"], serde_json::json!([]));
    assert_eq!(draft["coverage"]["unowned"], 2);
    assert_eq!(desk.json(&["check"])["coverage"], Value::Null);
}
