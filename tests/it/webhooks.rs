//! Webhooks over real HTTP: what is forged, altered, replayed or unsigned changes nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use proptest::prelude::*;
use retentiond::config;
use retentiond::engine::{Clock, SystemClock};
use retentiond::http::{Door, DoorFigures, HOOK_LIMITS, Hosts, hook_routes, listen};
use retentiond::intake::webhook::{Hooks, Secrets};
use retentiond::ledger::{Figures, Hinted, Intake, Ledger, OpenMode, SqliteLedger};
use retentiond::model::{
    BatchAddress, BatchId, ExtractionId, FileAddress, FileId, FileRecord, NewFile, Parent, Timestamp,
};
use retentiond::rules::decide::hint;
use retentiond::rules::policy::RuleSet;
use sha2::Sha256;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// As the vendor documents it, with the ids of a file that the ledger knows.
const RESULT: &str = r#"[{"extractionId":"E1","batchId":"B1","fileId":"known","fileName":"canary.pdf","status":"processed","result":{"total": 1.0},"url":"https://storage.example/canary"}]"#;

const POLICIES: &str = r#"
timezone = "Europe/Berlin"
[[policy]]
name = "all"
match = "everything"
clock = "processed"
delete_after = "10 days"
schedule = "0 3 * * *"
"#;

struct World {
    _dir: TempDir,
    ledger: Arc<SqliteLedger>,
    rules: Arc<RuleSet>,
    addr: SocketAddr,
    _stop: DropGuard,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("ledger.db").display());
        let ledger = Arc::new(SqliteLedger::open(&url, OpenMode::ReadWrite).await.unwrap());
        let rules = Arc::new(config::parse("policies.toml", POLICIES).unwrap().rules);
        let (_, in_force) = tokio::sync::watch::channel(Arc::clone(&rules));
        let held: Arc<dyn Ledger> = Arc::<SqliteLedger>::clone(&ledger);
        let secrets = Secrets::new(["E_AI_K_secret", "E_AI_K_next"]);
        let hooks = Hooks::new(held, in_force, secrets, Arc::new(|| SystemClock.now()));
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = socket.local_addr().unwrap();
        let stop = CancellationToken::new();
        let door = Door {
            name: "webhooks",
            limits: HOOK_LIMITS,
            hosts: Hosts::Any,
            figures: Arc::new(DoorFigures::default()),
        };
        tokio::spawn(listen(socket, hook_routes(Arc::new(hooks)), door, stop.clone()));
        let world = Self {
            _dir: dir,
            ledger,
            rules,
            addr,
            _stop: stop.drop_guard(),
        };
        world
            .record("known", SystemClock.now().checked_add_millis(-3_600_000).unwrap())
            .await;
        world
    }

    async fn record(&self, file: &str, uploaded_at: Timestamp) {
        let file = NewFile {
            address: address(file),
            uploaded_at,
            processed_at: None,
            document_type: None,
            labels: Default::default(),
            subject: None,
            copy_of: None,
        };
        let hint = hint(&retentiond::intake::provisional(&file), &self.rules);
        let rows = [Hinted { file, hint }];
        self.ledger
            .record(&rows, &self.rules.digest, uploaded_at)
            .await
            .unwrap();
    }

    async fn file(&self, file: &str) -> Option<FileRecord> {
        self.ledger.locate(&address(file)).await.unwrap()
    }

    async fn post(&self, path: &str, signature: Option<&str>, body: &[u8]) -> u16 {
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        if let Some(signature) = signature {
            head.push_str(&format!("X-Webhook-Signature: {signature}\r\n"));
        }
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
        // The door may close before it has read all of a body that is too long.
        stream.write_all(body).await.ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0)
    }

    async fn deliver(&self, signature: Option<&str>, body: &[u8]) -> u16 {
        self.post("/hooks/extracta", signature, body).await
    }
}

fn address(file: &str) -> FileAddress {
    FileAddress {
        batch: BatchAddress {
            parent: Parent::Extraction(ExtractionId::new("E1").unwrap()),
            batch: BatchId::new("B1").unwrap(),
            account: None,
        },
        file: FileId::new(file).unwrap(),
    }
}

fn signed(key: &str, bytes: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(bytes);
    STANDARD.encode(mac.finalize().into_bytes())
}

fn body(event: &str, result: &str) -> Vec<u8> {
    format!(r#"{{"event":"{event}","result":{result}}}"#).into_bytes()
}

#[tokio::test]
async fn what_is_not_signed_as_it_stands_changes_nothing() {
    let world = World::new().await;
    let before = world.file("known").await.unwrap();
    let good = signed("secret", RESULT.as_bytes());
    let respaced = RESULT.replace("\"total\": 1.0", "\"total\":1.0");
    let renumbered = RESULT.replace("1.0", "1");
    let other_file = RESULT.replace("known", "other");
    let escaped = RESULT.replace("known", "kn\\u006fwn");
    let long = format!("[{}]", " ".repeat(1024 * 1024));
    let delivery = body("extraction.processed", RESULT);
    let hex = hex::encode(STANDARD.decode(&good).unwrap());
    let url_safe = good
        .replace('+', "-")
        .replace('/', "_")
        .trim_end_matches('=')
        .to_owned();
    let cut = STANDARD.encode(&STANDARD.decode(&good).unwrap()[..16]);
    let table: Vec<(&str, Option<String>, Vec<u8>)> = vec![
        ("no signature", None, delivery.clone()),
        ("an empty one", Some(String::new()), delivery.clone()),
        ("not base64", Some("?".to_owned()), delivery.clone()),
        ("hex instead", Some(hex), delivery.clone()),
        ("half of it", Some(cut), delivery.clone()),
        ("without its padding", Some(url_safe), delivery.clone()),
        (
            "another key",
            Some(signed("other", RESULT.as_bytes())),
            delivery.clone(),
        ),
        (
            "the whole secret as key",
            Some(signed("E_AI_K_secret", RESULT.as_bytes())),
            delivery.clone(),
        ),
        (
            "an empty key",
            Some(signed("", RESULT.as_bytes())),
            delivery.clone(),
        ),
        (
            "the whole body signed",
            Some(signed("secret", &delivery)),
            delivery.clone(),
        ),
        (
            "the event signed",
            Some(signed("secret", b"extraction.processed")),
            delivery.clone(),
        ),
        (
            "another file's",
            Some(good.clone()),
            body("extraction.processed", &other_file),
        ),
        (
            "other white space",
            Some(good.clone()),
            body("extraction.processed", &respaced),
        ),
        (
            "another spelling of a number",
            Some(good.clone()),
            body("extraction.processed", &renumbered),
        ),
        (
            "another spelling of an id",
            Some(good.clone()),
            body("extraction.processed", &escaped),
        ),
        (
            "one more entry",
            Some(good.clone()),
            body("extraction.processed", &RESULT.replace("}]", "},{}]")),
        ),
        (
            "a second result",
            Some(good.clone()),
            format!(r#"{{"result":{RESULT},"result":{other_file}}}"#).into_bytes(),
        ),
        (
            "no result",
            Some(good.clone()),
            br#"{"event":"extraction.processed"}"#.to_vec(),
        ),
        ("a list", Some(good.clone()), format!("[{RESULT}]").into_bytes()),
        (
            "too long",
            Some(signed("secret", long.as_bytes())),
            body("extraction.processed", &long),
        ),
    ];
    assert_eq!(table.len(), 20);
    for (what, signature, bytes) in &table {
        for event in [
            "extraction.processed",
            "extraction.deleted",
            "classification.processed",
        ] {
            let bytes = String::from_utf8(bytes.clone())
                .unwrap()
                .replace("extraction.processed", event);
            let status = world.deliver(signature.as_deref(), bytes.as_bytes()).await;
            // A door that closes while a body that is too long still comes in may leave no answer.
            assert!(
                matches!(status, 400 | 401 | 413) || (*what == "too long" && status == 0),
                "{what}: {status}"
            );
            assert_eq!(world.file("known").await.as_ref(), Some(&before), "{what}");
            assert_eq!(world.file("other").await, None, "{what}");
        }
    }
    assert_eq!(world.post("/hooks/other", Some(&good), &delivery).await, 404);
}

#[tokio::test]
async fn a_delivery_teaches_once_and_coming_again_under_any_name_it_changes_nothing() {
    let world = World::new().await;
    let (begin, before) = (SystemClock.now(), world.file("known").await.unwrap());
    assert_eq!(before.due_at, None, "its start is not known yet");
    // Both secrets are good while one replaces the other.
    for key in ["secret", "next"] {
        let signature = signed(key, RESULT.as_bytes());
        for event in [
            "extraction.processed",
            "extraction.processed",
            "extraction.deleted",
            "",
        ] {
            assert_eq!(world.deliver(Some(&signature), &body(event, RESULT)).await, 200);
        }
    }
    let after = world.file("known").await.unwrap();
    let processed = after.processed_at.unwrap();
    assert!(
        processed >= begin && after.due_at.is_some_and(|due| due > processed),
        "{after:?}"
    );
    assert_eq!(after.uploaded_at, before.uploaded_at);
    let signature = signed("secret", RESULT.as_bytes());
    assert_eq!(world.deliver(Some(&signature), &body("x", RESULT)).await, 200);
    assert_eq!(world.file("known").await.unwrap(), after);
    assert_eq!(world.ledger.check(true).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_that_nobody_recorded_comes_in_with_the_time_inside_its_id() {
    let world = World::new().await;
    let old = "-OKI_FueqSWiExyfS310";
    let result = format!(
        r#"[{{"extractionId":"E1","batchId":"B1","fileId":"{old}","status":"processed"}},{{"extractionId":"E1","batchId":"B1","fileId":"timeless","status":"failed"}},{{"fileId":"nowhere"}},7]"#
    );
    let begin = SystemClock.now();
    let signature = signed("secret", result.as_bytes());
    assert_eq!(world.deliver(Some(&signature), &body("e", &result)).await, 200);
    let found = world.file(old).await.unwrap();
    assert_eq!(found.uploaded_at.as_millis(), 1_740_864_032_426);
    assert!(found.processed_at.is_some_and(|at| at >= begin));
    let failed = world.file("timeless").await.unwrap();
    assert!(failed.uploaded_at >= begin);
    assert_eq!(
        failed.processed_at, None,
        "a failure may be followed by another try"
    );
    assert_eq!(world.file("nowhere").await, None);
}

/// Rules of every kind of start; `processed` with and without something to fall back to.
const MANY: [&str; 4] = [
    "clock = \"uploaded\"",
    "clock = \"processed\"",
    "clock = { start = \"processed\", round_up = \"month\" }",
    "clock = { start = \"uploaded\", round_up = \"year\" }",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_delivery_never_makes_a_deletion_earlier(
        clock in 0..MANY.len(),
        floor in 0..=MANY.len(),
        days in 1_i64..60,
        age_hours in 0_i64..2000,
        processed in any::<bool>(),
    ) {
        let floor = MANY.get(floor).map_or_else(String::new, |clock| {
            format!("[[keep]]\nname = \"floor\"\nmatch = \"everything\"\n{clock}\nkeep_for = \"1 day\"\n")
        });
        let text = format!(
            "timezone = \"Europe/Berlin\"\n[[policy]]\nname = \"all\"\nmatch = \"everything\"\n{}\ndelete_after = \"{days} days\"\ndelete_by = \"10 years\"\nschedule = \"0 3 * * *\"\n{floor}",
            MANY[clock]
        );
        let rules = config::parse("p.toml", &text).unwrap_or_else(|p| panic!("{}", p.render(false))).rules;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            world.rules = Arc::new(rules.clone());
            let now = SystemClock.now();
            let uploaded = now.checked_add_millis(-age_hours * 3_600_000).unwrap();
            world.record("aged", uploaded).await;
            let (_, in_force) = tokio::sync::watch::channel(Arc::new(rules.clone()));
            let held: Arc<dyn Ledger> = Arc::<SqliteLedger>::clone(&world.ledger);
            let hooks = Hooks::new(held, in_force, Secrets::new(["k"]), Arc::new(move || now));
            let status = if processed { "processed" } else { "failed" };
            let result = format!(r#"[{{"extractionId":"E1","batchId":"B1","fileId":"aged","status":"{status}"}}]"#);
            let before = hint(&world.file("aged").await.unwrap(), &rules).due_at;
            let signature = signed("k", result.as_bytes());
            hooks.take(Some(signature.as_bytes()), &body("e", &result)).await.unwrap();
            let after = hint(&world.file("aged").await.unwrap(), &rules).due_at;
            match (before, after) {
                (Some(before), Some(after)) => assert!(after >= before, "{before} became {after}"),
                (None, Some(after)) => assert!(after > now, "{after} is not after {now}"),
                (Some(before), None) => panic!("{before} is lost"),
                (None, None) => {}
            }
        });
    }
}
