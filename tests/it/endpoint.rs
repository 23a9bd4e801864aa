//! The intake endpoint over real HTTP: answered after the commit, row by row, beside a sweep.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::{Method, RequestBuilder, StatusCode};
use retentiond::engine::{Clock, ManualClock};
use retentiond::http::{self, Door, Hosts, INTAKE_BODY_BYTES, Limits, Token};
use retentiond::intake::SubjectHasher;
use retentiond::intake::desk::{Desk, Ruled};
use retentiond::ledger::{Events, Figures, OpenMode, SqliteLedger};
use retentiond::model::{ErasureScope, FileId, FileState, NewErasure};
use retentiond::rules::policy::RuleSet;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::daemon::{Service, terminate};
use crate::faces::reqwest_client;
use crate::harness::World;

const TOKEN: &str = "canary-token-7f3a";

const SUBJECT_KEY: &[u8] = b"a key that nobody can guess";

struct InForce(retentiond::config::Checked);

impl Ruled for InForce {
    fn rules(&self) -> &RuleSet {
        &self.0.rules
    }
}

/// The endpoint of a world; it goes with this value.
struct Endpoint {
    at: SocketAddr,
    client: reqwest::Client,
    /// Opened by itself, so that it sees what is committed and nothing else.
    reader: SqliteLedger,
    _stop: tokio_util::sync::DropGuard,
}

impl Endpoint {
    async fn of(world: &World) -> Self {
        let rules: Arc<dyn Ruled> = Arc::new(InForce(world.checked.clone()));
        let clock = Arc::<ManualClock>::clone(&world.clock);
        let desk = Desk::new(
            Arc::clone(&world.ledger),
            move || Arc::clone(&rules),
            Some(SubjectHasher::new(SUBJECT_KEY).unwrap()),
            move || clock.now(),
        );
        let token = Token::new(&secrecy::SecretString::from(TOKEN));
        let router = http::intake_routes(Arc::new(desk), Some(token));
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let door = Door {
            name: "test",
            limits: Limits {
                body_bytes: INTAKE_BODY_BYTES + 1,
                ..Limits::default()
            },
            hosts: Hosts::named([]),
            figures: Arc::default(),
        };
        let stop = CancellationToken::new();
        tokio::spawn(http::listen(socket, router, door, stop.clone()));
        Self {
            at,
            client: reqwest_client(),
            reader: SqliteLedger::open(&world.checked.ledger.url, OpenMode::ReadOnly)
                .await
                .unwrap(),
            _stop: stop.drop_guard(),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.at))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: impl Into<reqwest::Body>,
    ) -> (StatusCode, Value) {
        let request = self
            .request(method, path)
            .bearer_auth(TOKEN)
            .header("content-type", kind);
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status();
        (
            status,
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null),
        )
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.send(Method::POST, path, "application/json", body.to_string())
            .await
    }

    async fn has(&self, file: &str) -> bool {
        !self
            .reader
            .find(&FileId::new(file).unwrap())
            .await
            .unwrap()
            .is_empty()
    }
}

fn row(world: &World, file: &str) -> Value {
    json!({"classification_id": world.classification, "batch_id": "b1", "file_id": file})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_as_taken_is_committed() {
    let world = World::new().await;
    let endpoint = Endpoint::of(&world).await;
    let (status, taken) = endpoint.post("/v1/files", &row(&world, "f1")).await;
    assert_eq!((status, &taken["added"]), (StatusCode::OK, &1.into()), "{taken}");
    assert!(endpoint.has("f1").await, "answered before the commit");

    let list = json!([row(&world, "f1"), row(&world, "f2")]);
    let pretty = serde_json::to_string_pretty(&list).unwrap();
    let (status, taken) = endpoint
        .send(
            Method::POST,
            "/v1/files",
            "application/json; charset=utf-8",
            pretty,
        )
        .await;
    assert_eq!(
        (status, &taken["added"], &taken["known"]),
        (StatusCode::OK, &1.into(), &1.into()),
        "{taken}"
    );

    let lines = format!("{}\n{}\n", row(&world, "f3"), row(&world, "f4"));
    let (status, _) = endpoint
        .send(Method::POST, "/v1/files", "application/x-ndjson", lines)
        .await;
    assert_eq!(status, StatusCode::OK);

    let answer = json!({
        "response": {
            "status": "success", "classificationId": world.classification, "batchId": "b2",
            "files": [{"fileId": "f5", "fileName": "canary.pdf", "url": "https://canary.test"}],
        },
        "labels": {"tenant": "acme"},
        "document_type": "letter",
    });
    let (status, taken) = endpoint.post("/v1/responses", &answer).await;
    assert_eq!((status, &taken["added"]), (StatusCode::OK, &1.into()), "{taken}");
    for file in ["f2", "f3", "f4", "f5"] {
        assert!(endpoint.has(file).await, "{file}");
    }
    let found = endpoint
        .reader
        .find(&FileId::new("f5").unwrap())
        .await
        .unwrap()
        .remove(0);
    assert_eq!(found.labels.get("tenant").map(String::as_str), Some("acme"));
    assert_eq!(found.document_type.as_deref(), Some("letter"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_subject_is_taken_as_a_keyed_hash_and_can_be_erased_by_name() {
    let world = World::new().await;
    let endpoint = Endpoint::of(&world).await;
    let mut named = row(&world, "f1");
    named["subject"] = "Canary Jane Doe".into();
    let (status, taken) = endpoint
        .post("/v1/files", &json!([named, row(&world, "f2")]))
        .await;
    assert_eq!((status, &taken["added"]), (StatusCode::OK, &2.into()), "{taken}");
    let hash = SubjectHasher::new(SUBJECT_KEY).unwrap().hash("Canary Jane Doe");
    let request = NewErasure {
        scope: ErasureScope::Subject(hash),
        reference: "case-1".to_owned(),
        received: "2026-05-04".parse().unwrap(),
    };
    let entered = world.ledger.add_erasure(&request, world.now()).await.unwrap();
    assert_eq!(entered.files.live, 1);
    for entry in std::fs::read_dir(world.dir.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        assert!(!bytes.windows(10).any(|part| part == b"Canary Jan"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_row_is_named_with_its_field_and_the_others_wait() {
    let world = World::new().await;
    let endpoint = Endpoint::of(&world).await;
    let with = |file: &str, key: &str, value: Value| {
        let mut row = row(&world, file);
        row[key] = value;
        row
    };
    let body = json!([
        row(&world, "f1"),
        with("f2", "uploaded_at", "2026-05-04T10:00:00".into()),
        with("f3", "labels", json!({"nobody": "x"})),
        with("", "file_id", "".into()),
        with("f5", "colour", "red".into()),
    ]);
    let (status, problem) = endpoint.post("/v1/files", &body).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &"rows-refused".into())
    );
    let refused: Vec<(i64, &str, &str)> = problem["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            assert!(!row["help"].as_str().unwrap().is_empty());
            (
                row["row"].as_i64().unwrap(),
                row["field"].as_str().unwrap_or("-"),
                row["code"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        refused,
        [
            (2, "uploaded_at", "no-zone"),
            (3, "labels", "undeclared-label"),
            (4, "file_id", "bad-id"),
            (5, "-", "unknown-key"),
        ]
    );
    assert!(!endpoint.has("f1").await);

    let (status, taken) = endpoint.post("/v1/files?keep_good=true", &body).await;
    assert_eq!((status, &taken["added"]), (StatusCode::OK, &1.into()), "{taken}");
    assert_eq!(taken["refused"].as_array().unwrap().len(), 4);
    assert!(endpoint.has("f1").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_in_the_wrong_type_or_too_long_nothing_is_taken() {
    let world = World::new().await;
    let endpoint = Endpoint::of(&world).await;
    let body = row(&world, "f1").to_string();
    let anonymous = || {
        endpoint
            .request(Method::POST, "/v1/files")
            .header("content-type", "application/json")
            .body(body.clone())
    };
    let long = "x".repeat(TOKEN.len());
    for request in [
        anonymous(),
        anonymous().bearer_auth("wrong"),
        anonymous().bearer_auth(&long),
        anonymous().bearer_auth(""),
        anonymous().header("authorization", TOKEN),
        anonymous().header("authorization", format!("Basic {TOKEN}")),
        anonymous()
            .bearer_auth(TOKEN)
            .header("authorization", "Bearer wrong"),
        endpoint.request(Method::GET, "/v1/openapi.json"),
    ] {
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
    for (kind, body, status) in [
        ("text/plain", body.as_bytes().to_vec(), 415),
        ("", body.as_bytes().to_vec(), 415),
        ("application/json", vec![b' '; INTAKE_BODY_BYTES + 1], 413),
        ("application/json", b"{\"classification_id\":".to_vec(), 400),
        ("application/json", b"[1]".to_vec(), 422),
        ("application/json", b"7".to_vec(), 422),
    ] {
        let (found, problem) = endpoint.send(Method::POST, "/v1/files", kind, body).await;
        assert_eq!(found.as_u16(), status, "{kind}: {problem}");
        assert!(
            !problem["code"].as_str().unwrap_or_default().is_empty(),
            "{status}: {problem}"
        );
    }
    let (status, _) = endpoint
        .send(Method::POST, "/v1/responses", "application/x-ndjson", "{}")
        .await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let (status, problem) = endpoint.post("/v1/responses", &json!({"labels": {}})).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::BAD_REQUEST, &"missing".into())
    );
    let (status, _) = endpoint.post("/v1/files?keep=1", &row(&world, "f1")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!endpoint.has("f1").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_put_twice_under_one_reference_is_one_hold() {
    let world = World::new().await;
    let batch = world.upload(3).await;
    let endpoint = Endpoint::of(&world).await;
    let put = async |reference: &str, body: Value| {
        let path = format!("/v1/holds/{reference}");
        endpoint
            .send(Method::PUT, &path, "application/json", body.to_string())
            .await
    };
    let body = json!({"batch_id": batch.id, "reason": "litigation", "owner": "legal"});
    let (status, first) = put("case%207", body.clone()).await;
    assert_eq!(
        (status, &first["covers"]),
        (StatusCode::CREATED, &3.into()),
        "{first}"
    );
    let (status, again) = put("case%207", body.clone()).await;
    assert_eq!(
        (status, &again["hold"], &again["known"]),
        (StatusCode::OK, &first["hold"], &true.into())
    );
    let holds = endpoint.reader_holds().await;
    assert_eq!(holds.len(), 1);
    assert_eq!(holds[0].reference.as_deref(), Some("case 7"));

    let other = json!({"file_id": batch.files[0], "reason": "litigation"});
    assert_eq!(put("case%207", other).await.0, StatusCode::CONFLICT);
    for body in [
        json!({"reason": "x"}),
        json!({"reason": "", "batch_id": "b"}),
        json!({"reason": "x", "batch_id": "b", "policy": "documents"}),
        json!({"reason": "x", "policy": "nobody"}),
        json!({"reason": "x", "label": {"nobody": "x"}}),
        json!({"reason": "x", "batch_id": "b", "review_by": "tomorrow"}),
    ] {
        let (status, problem) = put("case%208", body.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {problem}");
    }
    assert_eq!(endpoint.reader_holds().await.len(), 1);
    // Released, the reference is spent: a repeated request must not place it anew, or say that it covers.
    world
        .ledger
        .release_hold(holds[0].id, "over", world.now(), world.now())
        .await
        .unwrap();
    assert_eq!(put("case%207", body).await.0, StatusCode::CONFLICT);
}

impl Endpoint {
    async fn reader_holds(&self) -> Vec<retentiond::model::Hold> {
        retentiond::ledger::Controls::holds(&self.reader, None)
            .await
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_taken_once_and_corrected_only_with_a_reason() {
    let world = World::new().await;
    let endpoint = Endpoint::of(&world).await;
    let event = json!({"name": "contract-ended", "batch_id": "b1", "at": "2026-05-01T00:00:00Z"});
    for result in ["new", "known"] {
        let (status, noted) = endpoint.post("/v1/events", &event).await;
        assert_eq!(
            (status, &noted["result"]),
            (StatusCode::OK, &result.into()),
            "{noted}"
        );
    }
    let mut other = event.clone();
    other["at"] = "2026-05-02T00:00:00Z".into();
    assert_eq!(endpoint.post("/v1/events", &other).await.0, StatusCode::CONFLICT);
    other["reason"] = "typo".into();
    let (status, noted) = endpoint.post("/v1/events", &other).await;
    assert_eq!(
        (status, &noted["result"]),
        (StatusCode::OK, &"corrected".into()),
        "{noted}"
    );
    other["at"] = "2999-01-01T00:00:00Z".into();
    assert_eq!(
        endpoint.post("/v1/events", &other).await.0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(endpoint.reader.events(false).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_document_names_every_route_and_every_key_of_a_row() {
    let world = World::new().await;
    let endpoint = Endpoint::of(&world).await;
    let (status, document) = endpoint.send(Method::GET, "/v1/openapi.json", "", "").await;
    assert_eq!((status, &document["openapi"]), (StatusCode::OK, &"3.1.0".into()));
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let path = path.replace("{reference}", "x");
            let (status, _) = endpoint.send(method, &path, "application/json", "7").await;
            assert!(matches!(status.as_u16(), 400 | 422), "{path}: {status}");
        }
    }
    let row = &document["components"]["schemas"]["FileRow"];
    let full: serde_json::Map<String, Value> = row["properties"]
        .as_object()
        .unwrap()
        .keys()
        .map(|key| {
            let value = match key.as_str() {
                "labels" => json!({"tenant": "acme"}),
                "uploaded_at" | "processed_at" => json!("2026-05-04T09:00:00Z"),
                _ => json!("x"),
            };
            (key.clone(), value)
        })
        // An account has to be one of the policy file.
        .filter(|(key, _)| key != "extraction_id" && key != "subject" && key != "account")
        .collect();
    assert_eq!(full.len(), 7, "{row}");
    let (status, taken) = endpoint.post("/v1/files", &Value::Object(full)).await;
    assert_eq!(status, StatusCode::OK, "{taken}");
    // Every reference leads somewhere.
    let text = document.to_string();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_side_by_side_are_all_served_while_a_sweep_deletes() {
    let world = World::new().await;
    let due = world.upload(60).await;
    world.days_pass(30);
    let endpoint = Arc::new(Endpoint::of(&world).await);
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..12 {
        let endpoint = Arc::clone(&endpoint);
        let classification = world.classification.clone();
        clients.spawn(async move {
            for n in 0..15 {
                let row = json!({"classification_id": classification, "batch_id": format!("c{client}"), "file_id": format!("f{client}-{n}")});
                loop {
                    match endpoint.post("/v1/files", &row).await.0 {
                        StatusCode::OK => break,
                        // Told to come again: the documented answer to a full house.
                        StatusCode::SERVICE_UNAVAILABLE => tokio::task::yield_now().await,
                        other => panic!("{other}"),
                    }
                }
                assert!(endpoint.has(&format!("f{client}-{n}")).await);
            }
        });
    }
    let report = world.sweep().await;
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
    assert_eq!(world.count(&due, FileState::Deleted).await, 60, "{report:?}");
    assert_eq!(world.ledger.check(true).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_takes_uploads_in_over_its_socket_and_deletes_although_its_address_stays_closed() {
    use std::os::unix::fs::PermissionsExt;

    let service = Service::new().await;
    let socket = service.path("intake.sock");
    let policies = service.path("policies.toml");
    let mut text = std::fs::read_to_string(&policies).unwrap();
    text.push_str(&format!(
        "\n[intake]\nsocket = \"{}\"\nlisten = \"127.0.0.1:0\"\ntoken_file = \"{}\"\n",
        socket.display(),
        service.path("no-such-token").display()
    ));
    std::fs::write(&policies, text).unwrap();
    // What a killed process leaves behind is no obstacle.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    service.upload([4; 3], 5).await;
    let mut daemon = service.daemon();
    let found = service
        .wait_for_log("intake.sock", |line| line.contains("listening").then_some(()))
        .await;
    assert_eq!(found, ());
    service.wait_for_log("stays closed", |_| Some(())).await;
    assert_eq!(
        std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777,
        0o660
    );

    let body = json!({"classification_id": "c", "batch_id": "b", "file_id": "over-the-socket"}).to_string();
    let request = format!(
        "POST /v1/files HTTP/1.1\r\nhost: intake\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("\"added\":1"),
        "{answer}"
    );
    let explained = service.run(&["explain", "over-the-socket"]).await;
    assert!(explained.status.success(), "{explained:?}");
    service.wait_until_all_due_are_gone().await;
    assert!(!service.log().contains("over-the-socket"), "a file id in the log");
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
    assert!(!socket.exists());
}
