//! Golden messages: each `tests/config/NAME.toml` is a policy file that somebody might write, and
//! `NAME.txt` is exactly what they are told. `UPDATE_GOLDEN=1 cargo test --test config` rewrites the
//! messages; read the difference before you commit it.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests fail where a test would"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use retentiond::config::{self, Code};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

fn cases() -> Vec<(String, String)> {
    let mut cases: Vec<(String, String)> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "toml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    cases.sort();
    cases
}

/// What the file's author is told: problems, or warnings, or that all is well.
fn told(name: &str, text: &str) -> String {
    match config::parse(&format!("{name}.toml"), text) {
        Err(problems) => problems.render(false),
        Ok(checked) if checked.warnings.is_empty() => "accepted, without warnings\n".to_owned(),
        Ok(checked) => format!("accepted\n\n{}", checked.warnings.render(false)),
    }
}

/// The codes of its problems, or of its warnings.
fn earns(name: &str, text: &str) -> Vec<Code> {
    match config::parse(name, text) {
        Err(problems) => problems.iter().map(config::Problem::code).collect(),
        Ok(checked) => checked.warnings.iter().map(config::Problem::code).collect(),
    }
}

#[test]
fn each_wrong_file_gets_exactly_its_message() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for (name, text) in cases() {
        if earns(&name, &text).contains(&Code::LedgerNotAvailable) {
            continue;
        }
        let golden = directory().join(format!("{name}.txt"));
        let told = told(&name, &text);
        if update {
            std::fs::write(&golden, &told).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if told != expected {
            wrong.push(format!("== {name}\n-- expected\n{expected}\n-- told\n{told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_a_file_that_earns_it() {
    let earned: BTreeSet<Code> = cases()
        .iter()
        .flat_map(|(name, text)| earns(name, text))
        .collect();
    // These three are about bytes on a disk, not about text: see the tests of `load`.
    let mut of_files = vec![Code::Unreadable, Code::NotUtf8, Code::TooLarge];
    if cfg!(feature = "postgres") {
        // Of a build without it.
        of_files.push(Code::LedgerNotAvailable);
    }
    let missing: Vec<_> = Code::ALL
        .iter()
        .filter(|code| !earned.contains(code) && !of_files.contains(code))
        .map(ToString::to_string)
        .collect();
    assert!(missing.is_empty(), "no golden file for {missing:?}");
}

#[test]
fn every_problem_says_what_to_type() {
    for (name, text) in cases() {
        let Err(problems) = config::parse(&name, &text) else {
            continue;
        };
        for problem in &problems {
            assert!(
                problem.help_text().is_some_and(|help| help.len() > 10),
                "{name}: {} has no help",
                problem.code()
            );
        }
    }
}

#[test]
fn a_file_with_seven_mistakes_reports_all_seven_where_they_are() {
    let text = std::fs::read_to_string(directory().join("seven-mistakes.toml")).unwrap();
    let problems = config::parse("seven-mistakes.toml", &text).unwrap_err();
    let found: Vec<_> = problems
        .records()
        .iter()
        .map(|r| (r.code, r.line, r.column, r.end_line, r.end_column))
        .collect();
    assert_eq!(
        found,
        [
            ("E312", 1, 12, 1, 27),
            ("E103", 5, 1, 5, 9),
            ("E402", 6, 21, 6, 25),
            ("E205", 10, 29, 10, 35),
            ("E301", 11, 16, 11, 20),
            ("E313", 12, 16, 12, 27),
            ("E106", 13, 16, 13, 24),
        ]
    );
}

/// The text under the carets of each problem.
fn underlined(text: &str) -> Vec<(String, String)> {
    let problems = config::parse("x.toml", text).unwrap_err();
    let lines: Vec<&str> = text.lines().collect();
    problems
        .records()
        .into_iter()
        .map(|record| {
            assert_eq!(record.line, record.end_line, "these are all on one line");
            let line = lines[record.line - 1];
            let under = line
                .chars()
                .skip(record.column - 1)
                .take(record.end_column - record.column)
                .collect();
            (record.code.to_owned(), under)
        })
        .collect()
}

#[test]
fn carets_stand_under_the_offending_word_also_beside_wide_letters() {
    let text = r#"timezone = "UTC"
labels = ["tenant"]
[extracta]
files_per_requst = 10
[[policy]]
name = "Lohn: Übersicht 💶"
match = { document_type = "Überstunden 💶", labels = { tennant = "x" } }
delete_after = "30 days"
delete_by = "10 days"
schedule = "0 3 * * *"
mode = "enforced"
"#;
    assert_eq!(
        underlined(text),
        [
            ("E103".to_owned(), "files_per_requst".to_owned()),
            ("E205".to_owned(), "tennant".to_owned()),
            ("E308".to_owned(), "\"10 days\"".to_owned()),
            ("E106".to_owned(), "\"enforced\"".to_owned()),
        ]
    );
}

#[test]
fn a_secret_in_the_file_is_never_repeated_whatever_the_output() {
    const CANARY: &str = "sk-CANARY-4711";
    for text in [
        format!("[extracta]\napi_key = \"{CANARY}\"\n"),
        format!("[extracta]\napi_key = {CANARY}\n"),
        format!("api_key = \"{CANARY}\n"),
        format!("[extracta]\napi_key_file = \"{CANARY}\"\n"),
        format!("[extracta]\nbase_url = \"https://me:{CANARY}@api.example\"\n"),
        format!("[ledger]\nurl = \"postgres://me:{CANARY}@db/l\"\n"),
        format!("[ledger]\nurl = \"postgres://me@db/l?password={CANARY}\"\n"),
        format!("[ledger]\npassword = \"{CANARY}\"\n"),
        format!("[ledger]\nurl = \"postgres://me@db/l\"\npassword_file = \"{CANARY}\"\n"),
        format!("[extracta]\nbase_ur = \"https://{CANARY}@api.example\"\n"),
        format!("extracta = {{ API-Key = \"{CANARY}\", x = 1 }}\n"),
        format!("[extracta]\napi_key = '''\n{CANARY}'''\nx = 1\n"),
        format!("[extracta]\nkey = \"{CANARY}\"\n"),
        format!("[extracta]\nkey = {CANARY}\n"),
    ] {
        let problems = config::parse("x.toml", &text).unwrap_err();
        let json = serde_json::to_string(&problems).unwrap();
        for shown in [
            problems.render(false),
            problems.render(true),
            format!("{problems:?}"),
            json,
        ] {
            assert!(!shown.contains(CANARY), "{text}\n{shown}");
        }
    }
}

#[test]
fn records_carry_every_documented_field() {
    let problems = config::parse("p.toml", "timezone = 3\n").unwrap_err();
    let json = serde_json::to_value(&problems).unwrap();
    let first = json
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["code"] == "E104")
        .unwrap();
    assert_eq!(
        *first,
        serde_json::json!({
            "code": "E104", "name": "wrong-type", "severity": "error",
            "message": "`timezone` takes a text in quotes, not a number",
            "file": "p.toml", "line": 1, "column": 12, "end_line": 1, "end_column": 13,
            "help": "write `timezone = \"Europe/Berlin\"`",
        })
    );
}

#[test]
fn colour_is_there_when_asked_for_and_only_then() {
    let problems = config::parse("p.toml", "").unwrap_err();
    assert!(problems.render(true).contains("\u{1b}["));
    assert!(!problems.render(false).contains('\u{1b}'));
}

#[test]
fn foreign_text_cannot_steer_the_terminal() {
    for text in [
        "timezone = \"\\u001b[31m\\u202eUTC\"\n\"\\u001b[2J\" = 1\n",
        "[[policy]]\nname = \"\\u202eb\"\nmatch = { labels = { \"\\u001b[2J\" = \"x\" } }\n",
        "# \u{1b}[2J\u{202e}\ntimezone = 1 # \u{1b}[2J\u{202e}\n",
    ] {
        let shown = config::parse("p\u{1b}[1m.toml", text).unwrap_err().render(false);
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        let _ = told("x", &text);
    }

    #[test]
    fn a_damaged_example_never_panics(at in 0usize..8000, len in 0usize..40, with in "[\\PC\n\"\\[\\]{}=#']{0,8}") {
        let mut text = include_str!("../policies.example.toml").to_owned();
        let start = text.floor_char_boundary(at.min(text.len()));
        let end = text.floor_char_boundary((start + len).min(text.len()));
        text.replace_range(start..end.max(start), &with);
        let _ = told("x", &text);
    }

    #[test]
    fn keys_with_arbitrary_values_never_panic(
        table in prop::sample::select(vec!["", "[extracta]", "[limits]", "[log]", "[holds]", "[erasure]", "[ledger]", "[[policy]]", "[[keep]]"]),
        key in prop::sample::select(vec!["name", "match", "clock", "delete_after", "delete_by", "schedule", "keep_for", "timezone",
            "labels", "base_url", "url", "timeout", "share_per_sweep", "cool_down", "files_per_request", "level"]),
        value in "([0-9]{1,25}|\"\\PC{0,20}\"|\\[\\PC{0,8}\\]|\\{ ?[a-z]{1,8} = \"\\PC{0,8}\" ?\\}|\\PC{0,12})",
    ) {
        let _ = told("x", &format!("{table}\n{key} = {value}\n"));
    }
}
