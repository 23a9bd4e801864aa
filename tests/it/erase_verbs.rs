//! `erase` and `hold` as a person meets them.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use retentiond::intake::SubjectHasher;

use crate::binary::{Desk, ROW};

const FILE: &str = "-OKI_FueqSWiExyfS311";
const KEY: &str = "a-key-that-nobody-guesses";
const PERSON: &str = "jane.canary@example.org";

/// A desk with a key for subjects, and one file of a person's.
fn desk() -> Desk {
    let desk = Desk::new();
    let key = desk.path("subject-key");
    std::fs::write(&key, format!("{KEY}\n")).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let policies = std::fs::read_to_string(desk.path("policies.toml")).unwrap();
    let erasure = format!("\n[erasure]\nsubject_key_file = \"{}\"\n", key.display());
    std::fs::write(desk.path("policies.toml"), policies + &erasure).unwrap();
    let row = ROW.replace(
        "\"uploaded_at\"",
        &format!("\"subject\":\"{PERSON}\",\"uploaded_at\""),
    );
    assert!(desk.record(&row).status.success());
    desk
}

fn add<'a>(scope: &[&'a str], reference: &'a str, received: &'a str) -> Vec<&'a str> {
    let mut args = vec!["erase", "add"];
    args.extend_from_slice(scope);
    args.extend_from_slice(&["--ref", reference, "--received", received]);
    args
}

#[test]
fn a_request_for_a_subject_finds_the_files_recorded_under_the_same_name_and_stores_no_person() {
    let desk = desk();
    let entered = desk.json(&add(&["--subject", PERSON], "case 1", "2026-11-02"));
    assert_eq!(
        (&entered["erasure"], &entered["known"]),
        (&1.into(), &false.into())
    );
    assert_eq!(entered["files"]["live"], 1);
    assert_eq!(entered["last_day"], "2026-12-02");
    assert_eq!(entered["answer_by"], "2026-12-02T23:00:00Z");
    let again = desk.json(&add(&["--subject", PERSON], "case 1", "2026-11-02"));
    assert_eq!((&again["erasure"], &again["known"]), (&1.into(), &true.into()));
    let listed = desk.json(&["erase", "list"]);
    let row = &listed["erasures"][0];
    let hmac = SubjectHasher::new(KEY.as_bytes()).unwrap().hash(PERSON);
    assert_eq!(row["scope"]["subject"], hmac.as_str());
    assert_eq!(
        (&row["reference"], &row["received"]),
        (&"case 1".into(), &"2026-11-02".into())
    );
    assert_eq!(row["state"], "goes with the next sweep");
    assert!(row["days_left"].is_i64());
    for file in std::fs::read_dir(desk.path("")).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let named = bytes.windows(11).any(|part| part == b"jane.canary");
        // The rows that the test itself wrote.
        assert!(!named || path.ends_with("rows.jsonl"), "{}", path.display());
    }
    let plan = desk.json(&["plan"]);
    assert_eq!(plan["policies"][0]["policy"], "erasure");
    assert_eq!(plan["policies"][0]["due"], 1);
    assert_eq!(
        desk.json(&["plan", "-p", "letters"])["policies"][0]["policy"],
        "letters"
    );
}

#[test]
fn a_subject_can_be_given_on_standard_input() {
    let desk = desk();
    let mut child = Command::new(env!("CARGO_BIN_EXE_retentiond"))
        .arg("-c")
        .arg(desk.path("policies.toml"))
        .arg("--json")
        .args(add(&["--subject", "-"], "case 1", "2026-11-02"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{PERSON}").unwrap();
    let output = child.wait_with_output().unwrap();
    let entered: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(entered["files"]["live"], 1);
}

#[test]
fn a_subject_without_a_key_is_refused_with_the_line_to_write() {
    let desk = Desk::new();
    let output = desk.run(&add(&["--subject", PERSON], "case 1", "2026-11-02"));
    assert_eq!(output.status.code(), Some(5));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("subject_key_file") && !told.contains("jane"),
        "{told}"
    );
}

#[test]
fn what_stops_a_request_is_shown_and_a_hand_closes_it() {
    let desk = desk();
    assert!(
        desk.run(&add(&["--file", FILE], "case 1", "2026-11-02"))
            .status
            .success()
    );
    assert!(
        desk.run(&add(&["--batch", "not-there"], "case 2", "2026-11-03"))
            .status
            .success()
    );
    let hold = ["hold", "add", "--file", FILE, "--reason", "litigation"];
    assert!(desk.run(&hold).status.success());
    let listed = desk.json(&["erase", "list"]);
    assert_eq!(listed["erasures"][0]["state"], "1 held by hold 1");
    assert_eq!(listed["erasures"][0]["stopped_by"]["held"][0]["hold"], 1);
    assert_eq!(listed["erasures"][1]["state"], "no file known: close it by hand");
    let shown = desk.json(&["erase", "show", "1"]);
    assert_eq!(shown["files"][0]["file_id"], FILE);
    assert_eq!(shown["files"][0]["fate"], "held by hold 1");
    let explained = desk.json(&["explain", FILE]);
    let steps = explained["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["step"] == "erasure").unwrap();
    assert!(
        step["text"]
            .as_str()
            .unwrap()
            .contains("erasure request 1 (case 1)"),
        "{step}"
    );
    let status = desk.json(&["status"]);
    assert_eq!(
        (&status["erasures"]["open"], &status["erasures"]["without_files"]),
        (&2.into(), &1.into())
    );
    let closed = desk.json(&["erase", "close", "2", "--reason", "no-files"]);
    assert_eq!(closed["reason"], "no-files");
    assert_eq!(
        desk.run(&["erase", "close", "2", "--reason", "again"])
            .status
            .code(),
        Some(1)
    );
    assert_eq!(
        desk.json(&["erase", "list"])["erasures"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let all = desk.json(&["erase", "list", "--all"]);
    assert_eq!(all["erasures"][1]["state"], "closed by hand (no-files)");
    assert_eq!(desk.run(&["erase", "show", "9"]).status.code(), Some(1));
}

#[test]
fn a_mistyped_request_is_refused_with_what_to_type() {
    let desk = desk();
    for (args, told) in [
        (add(&["--file", FILE], "case 1", "2.11.2026"), "write YYYY-MM-DD"),
        (add(&["--file", FILE], "case 1", "2999-01-01"), "has not come yet"),
        (
            add(&["--file", FILE], " ", "2026-11-02"),
            "the reference is empty",
        ),
        (
            add(&["--subject", ""], "case 1", "2026-11-02"),
            "the subject is empty",
        ),
        (add(&[], "case 1", "2026-11-02"), "--subject"),
        (
            add(&["--file", FILE, "--batch", "b"], "case 1", "2026-11-02"),
            "cannot be used with",
        ),
        (
            vec!["hold", "add", "--policy", "erasure", "--reason", "x"],
            "are no policy",
        ),
    ] {
        let output = desk.run(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(told), "{args:?}: {text}");
    }
    assert!(
        desk.run(&add(&["--file", FILE], "case 1", "2026-11-02"))
            .status
            .success()
    );
    let other = desk.run(&add(&["--file", FILE], "case 1", "2026-11-03"));
    assert_eq!(other.status.code(), Some(1));
    let told = String::from_utf8(other.stderr).unwrap();
    assert!(told.contains("erasure request 1 has it"), "{told}");
}

#[test]
fn the_review_of_a_hold_is_by_the_end_of_a_day_in_the_policy_files_zone_or_an_instant() {
    let desk = desk();
    for (typed, until) in [
        ("2026-12-31", "2026-12-31T23:00:00Z"),
        ("2027-07-01", "2027-07-01T22:00:00Z"),
        ("2027-07-01T12:00:00+02:00", "2027-07-01T10:00:00Z"),
    ] {
        let hold = [
            "hold",
            "add",
            "--file",
            FILE,
            "--reason",
            "x",
            "--review-by",
            typed,
        ];
        assert!(desk.run(&hold).status.success());
        let listed = desk.json(&["hold", "list"]);
        let last = listed["holds"].as_array().unwrap().last().unwrap();
        assert_eq!(last["review_by"], until, "{typed}");
    }
    let wrong = desk.run(&[
        "hold",
        "add",
        "--file",
        FILE,
        "--reason",
        "x",
        "--review-by",
        "soon",
    ]);
    assert_eq!(wrong.status.code(), Some(2));
    let told = String::from_utf8(wrong.stderr).unwrap();
    assert!(told.contains("or write a day, such as 2026-12-31"), "{told}");
}
