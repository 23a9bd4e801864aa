//! Odd ids: refused at the door by line, or the same bytes from the row to the request, and deleted.

use std::sync::Arc;

use proptest::prelude::*;
use retentiond::config;
use retentiond::engine::{Clock, Engine, ManualClock, Settings, SweepRequest};
use retentiond::extracta::{ClientConfig, ExtractaClient};
use retentiond::intake::{Format, InForce, Input, RecordOptions, RecordResult, record};
use retentiond::ledger::{DeleterLock, Figures, Ledger, OpenMode, SqliteLedger};
use retentiond::model::{FileId, FileState, PolicyName, Trigger};
use retentiond::rules::decide::hint;
use retentiond::sandbox::{DocumentType, Endpoint, Module, Sandbox, SandboxConfig};
use tokio_util::sync::CancellationToken;

use super::oracles::{self, recorded};

const BEGINNING: &str = "2026-05-04T10:00:00Z";
const DAY_MS: i64 = 86_400_000;

/// Ids that a careless layer would change, cut, widen or run.
const ODD: [&str; 34] = [
    "plain",
    "-leading",
    "--json",
    "-",
    ".",
    "..",
    "../../etc/passwd",
    "/",
    "a/b",
    "%2e%2e%2f",
    "%00",
    "\\",
    "\\u0000",
    "\"",
    "'",
    "''; DROP TABLE files; --",
    "`",
    "$(reboot)",
    "{\"fileId\":\"x\"}",
    "[]",
    "null",
    "true",
    "0",
    "9007199254740993",
    "1e999",
    "=1+1",
    "\u{202e}txt.exe",
    "\u{200b}",
    "e\u{301}",
    "\u{e9}",
    "😀",
    "a b",
    "*",
    "?",
];

const REFUSED: [&str; 16] = [
    "",
    " ",
    "\u{a0}",
    "\u{3000}",
    "\u{feff}",
    " a",
    "a ",
    "a\u{a0}",
    "\u{2028}a",
    "a\nb",
    "a\r",
    "\0",
    "a\0b",
    "\u{7f}",
    "\u{85}",
    "\u{1b}[2J",
];

fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(&ODD[..]).prop_map(str::to_owned),
        prop::sample::select(&REFUSED[..]).prop_map(str::to_owned),
        "\\PC{1,30}",
        any::<String>(),
        ("[a-zé€😀]", 100_usize..520).prop_map(|(text, times)| text.repeat(times)),
        (prop::sample::select(&ODD[..]), prop::sample::select(&REFUSED[..]))
            .prop_map(|(a, b)| format!("{a}{b}{a}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn an_id_is_refused_by_line_or_kept_byte_for_byte_and_can_be_sent(text in odd_text()) {
        oracles::ids(&text);
    }

    #[test]
    fn an_id_that_is_no_text_or_half_a_character_is_refused_by_line(
        value in prop_oneof![
            any::<i64>().prop_map(|n| n.to_string()),
            any::<u128>().prop_map(|n| n.to_string()),
            any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
            prop::sample::select(vec![
                "9007199254740993", "1e999", "true", "false", "[]", "[\"f\"]", "{}", "{\"a\":1}", "-0", "null",
                r#""\ud800""#, r#""\udfff""#, r#""a\ud83d""#, r#""\ud83dx""#, r#""\u00""#, r#""\x41""#, "\"a\tb\"", r#""\u0000""#, "\"\\",
            ]).prop_map(str::to_owned),
        ],
        before in 0_usize..4,
    ) {
        for key in ["classification_id", "batch_id", "file_id"] {
            let good = r#"{"classification_id":"c","batch_id":"b","file_id":"f"}"#;
            let bad = match key {
                "classification_id" => good.replace("\"c\"", &value),
                "batch_id" => good.replace("\"b\"", &value),
                _ => good.replace("\"f\"", &value),
            };
            let text = format!("{}{bad}\n{good}\n", format!("{good}\n").repeat(before));
            let (summary, files) = recorded(Format::Jsonl, text.as_bytes(), false);
            prop_assert_eq!(summary.result, RecordResult::Refused);
            prop_assert!(files.is_empty());
            let lines: Vec<u64> = summary.refused.iter().map(|row| row.line).collect();
            prop_assert_eq!(lines, [before as u64 + 1], "{}", bad);
        }
    }
}

#[test]
fn every_odd_id_is_taken_and_every_refused_one_is_told_by_its_line() {
    for text in ODD {
        assert!(FileId::new(text).is_ok(), "{text:?}");
        oracles::ids(text);
    }
    let long = "x".repeat(10_240);
    for text in REFUSED.into_iter().chain([long.as_str()]) {
        assert!(FileId::new(text).is_err(), "{text:?}");
        oracles::ids(text);
    }
}

/// The whole road over real HTTP and real SQLite: row, ledger, plan, request, gone at the server.
async fn travel(ids: &[String], format: Format) {
    let clock = Arc::new(ManualClock::new(BEGINNING.parse().unwrap()));
    let sandbox_clock = Arc::clone(&clock);
    let sandbox = Sandbox::start(SandboxConfig {
        clock: Arc::new(move || sandbox_clock.now().as_millis()),
        ..SandboxConfig::unpaced()
    })
    .await
    .unwrap();
    let server = sandbox.handle();
    let classification = server.seed_classification("odd", &[DocumentType::named("letter")]);
    let batch = server
        .seed_batch(Module::Classification, &classification)
        .unwrap();
    let neighbour = server.seed_files(&classification, &batch, 1).unwrap().remove(0);
    for id in ids {
        server.seed_file_with_id(&classification, &batch, id).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        r#"timezone = "Europe/Berlin"
[extracta]
base_url = "{}"
results_interval = "0s"
[ledger]
url = "sqlite:{}"
[limits]
share_per_sweep = "100%"
[[policy]]
name = "documents"
match = {{ classification = "{classification}" }}
delete_after = "10 days"
schedule = "0 3 * * *"
mode = "enforce"
"#,
        sandbox.base_url(),
        dir.path().join("ledger.db").display()
    );
    let checked = config::parse("p.toml", &text).unwrap_or_else(|p| panic!("{}", p.render(false)));
    let lock = DeleterLock::acquire(&checked.ledger.path).unwrap();
    let ledger = Arc::new(
        SqliteLedger::open(&checked.ledger.url, OpenMode::ReadWrite)
            .await
            .unwrap(),
    );
    let rules = &checked.rules;
    let in_force = InForce {
        label_keys: &rules.label_keys,
        accounts: &rules.accounts,
        digest: &rules.digest,
        hint: &|file| hint(file, rules),
        subjects: None,
    };
    let input = written(ids, format, &classification, &batch);
    let options = RecordOptions {
        format: Some(format),
        ..RecordOptions::default()
    };
    let summary = record(
        Input::from_bytes(&input),
        &options,
        in_force,
        ledger.as_ref(),
        clock.now(),
        &|_| (),
    )
    .await
    .unwrap();
    assert_eq!(
        (summary.added, summary.refused_total),
        (ids.len() as u64, 0),
        "{summary:?}"
    );

    clock.advance(11 * DAY_MS);
    let key = secrecy::SecretString::from(retentiond::sandbox::DEFAULT_KEY);
    let client = ExtractaClient::new(ClientConfig {
        results_interval: std::time::Duration::ZERO,
        ..ClientConfig::new(sandbox.base_url(), key)
    })
    .unwrap();
    let engine_ledger: Arc<dyn Ledger> = Arc::<SqliteLedger>::clone(&ledger);
    let engine_clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let engine = Engine::new(
        engine_ledger,
        Arc::new(client),
        engine_clock,
        Settings::default(),
        &lock,
    );
    let request = SweepRequest {
        policy: PolicyName::new("documents").unwrap(),
        occurrence: None,
        trigger: Trigger::Manual,
    };
    let report = engine
        .sweep(rules, &request, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(report.summary.deleted, ids.len() as u64, "{report:?}");

    let mut asked: Vec<String> = server
        .requests()
        .into_iter()
        .filter(|request| request.endpoint == Endpoint::DeleteFiles)
        .flat_map(|request| request.file_ids)
        .collect();
    let mut wanted = ids.to_vec();
    asked.sort();
    wanted.sort();
    assert_eq!(asked, wanted, "the ids at the server");
    for id in ids {
        assert!(!server.exists(id), "{id:?} is still there");
        let found = ledger.find(&FileId::new(id.as_str()).unwrap()).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].key.file.as_str(), found[0].state),
            (id.as_str(), FileState::Deleted)
        );
    }
    assert!(server.exists(&neighbour), "a neighbour that nobody recorded");
    assert_eq!(ledger.check(true).await.unwrap(), Vec::<String>::new());
}

fn written(ids: &[String], format: Format, classification: &str, batch: &str) -> Vec<u8> {
    match format {
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(Vec::new());
            csv.write_record(["classification_id", "batch_id", "file_id"])
                .unwrap();
            for id in ids {
                csv.write_record([classification, batch, id]).unwrap();
            }
            csv.into_inner().unwrap()
        }
        Format::Jsonl => {
            let row = |id: &String| serde_json::json!({"classification_id": classification, "batch_id": batch, "file_id": id});
            ids.iter()
                .map(|id| format!("{}\n", row(id)))
                .collect::<String>()
                .into_bytes()
        }
        Format::Response => {
            let files: Vec<_> = ids.iter().map(|id| serde_json::json!({"fileId": id})).collect();
            let answer =
                serde_json::json!({"classificationId": classification, "batchId": batch, "files": files});
            answer.to_string().into_bytes()
        }
    }
}

#[tokio::test]
async fn odd_ids_travel_byte_for_byte_from_the_row_to_the_request_and_are_deleted() {
    let ids: Vec<String> = ODD
        .into_iter()
        .map(str::to_owned)
        .chain(["x".repeat(512), "é".repeat(256)])
        .collect();
    for format in Format::ALL {
        travel(&ids, format).await;
    }
}

#[test]
fn drawn_ids_travel_byte_for_byte_from_the_row_to_the_request_and_are_deleted() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let drawn = prop::collection::btree_set(odd_text(), 1..40).prop_map(|texts| {
        texts
            .into_iter()
            .filter(|text| FileId::new(text.as_str()).is_ok())
            .collect::<Vec<_>>()
    });
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(8)
    });
    let formats = prop::sample::select(&Format::ALL[..]);
    runner
        .run(&(drawn, formats), |(ids, format)| {
            if !ids.is_empty() {
                runtime.block_on(travel(&ids, format));
            }
            Ok(())
        })
        .unwrap();
}
