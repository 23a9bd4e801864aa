use std::collections::BTreeSet;
use std::sync::Arc;

use secrecy::SecretString;
use tokio::time::Instant;

use super::*;
use crate::model::{BatchId, ClassificationId, ExtractionId, FileId, Parent};
use crate::outcome::{Outcome, Refusal, interpret_delete};

mod log;
pub(in crate::extracta) mod server;
mod tls;
mod transport;

use server::{Act, Server, canned, json};

pub(in crate::extracta) const KEY: &str = "canary-key-4711";
const SUCCESS: &str = r#"{"status":"success","message":"Files deleted"}"#;

pub(in crate::extracta) fn config(base: &str) -> ClientConfig {
    let mut config = ClientConfig::new(base, SecretString::from(KEY));
    config.results_interval = Duration::ZERO;
    config
}

pub(in crate::extracta) fn client(server: &Server) -> ExtractaClient {
    ExtractaClient::new(config(server.base())).expect("a loopback client")
}

fn request(files: &[&str]) -> DeleteFiles {
    let files = files.iter().map(|f| FileId::new(*f).expect("an id")).collect();
    DeleteFiles::new(
        ClassificationId::new("-OKI_FueqSWiExyfS310").expect("an id"),
        BatchId::new("aB3dE5fG7h").expect("an id"),
        files,
    )
    .expect("a list")
}

fn batch() -> BatchAddress {
    BatchAddress {
        parent: Parent::Classification(ClassificationId::new("C1").expect("an id")),
        batch: BatchId::new("B1").expect("an id"),
        account: None,
    }
}

#[tokio::test]
async fn a_delete_goes_out_byte_for_byte_and_its_answer_comes_back() {
    let server = Server::start(|_| Act::Answer(json(200, SUCCESS))).await;
    let reply = client(&server)
        .delete_files(&request(&["-OKI_a", "q\"u", "ü", "../../x", "%2e"]))
        .await;
    assert_eq!(
        interpret_delete(&reply, 5),
        Outcome::Confirmed { emptied_batch: false }
    );
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        seen[0].line,
        "DELETE /api/v1/documentClassification/deleteFiles HTTP/1.1"
    );
    let expected = "{\"classificationId\":\"-OKI_FueqSWiExyfS310\",\"batchId\":\"aB3dE5fG7h\",\
                    \"fileIds\":[\"-OKI_a\",\"q\\\"u\",\"ü\",\"../../x\",\"%2e\"]}";
    assert_eq!(String::from_utf8_lossy(&seen[0].body), expected);
    assert_eq!(seen[0].header("authorization"), Some("Bearer canary-key-4711"));
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert_eq!(
        seen[0].header("content-length"),
        Some(expected.len().to_string().as_str())
    );
    assert_eq!(
        seen[0].header("user-agent"),
        Some(concat!("retentiond/", env!("CARGO_PKG_VERSION")))
    );
    for absent in [
        "accept-encoding",
        "transfer-encoding",
        "expect",
        "referer",
        "cookie",
    ] {
        assert_eq!(seen[0].header(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn an_extraction_delete_names_all_three_ids() {
    let server = Server::start(|_| Act::Answer(json(200, r#"{"status":"deleted","deletedAt":1}"#))).await;
    let reply = client(&server)
        .delete_extraction_file(&DeleteExtractionFile {
            extraction: ExtractionId::new("E").expect("an id"),
            batch: BatchId::new("B").expect("an id"),
            file: FileId::new("F").expect("an id"),
        })
        .await;
    assert_eq!(reply.status(), Some(200));
    assert_eq!(server.seen()[0].line, "DELETE /api/v1/deleteExtraction HTTP/1.1");
    assert_eq!(
        server.seen()[0].body,
        br#"{"extractionId":"E","batchId":"B","fileId":"F"}"#
    );
}

#[tokio::test]
async fn every_class_of_answer_arrives_with_its_meaning_after_one_request() {
    let error = r#"{"status":"error","message":"Internal server error"}"#;
    let missing = r#"{"status":"error","message":"File not found"}"#;
    for (answer, label) in [
        (json(200, SUCCESS), "confirmed"),
        (json(202, SUCCESS), "unknown"),
        (canned(204, "", "", ""), "unknown"),
        (canned(200, "Content-Type: text/html\r\n", "", SUCCESS), "unknown"),
        (
            canned(
                200,
                "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
                "",
                "\u{1f}x",
            ),
            "unknown",
        ),
        (json(400, missing), "gone"),
        (json(400, error), "refused"),
        (canned(404, "Content-Type: text/html\r\n", "", "<pre>"), "refused"),
        (json(401, error), "auth"),
        (json(403, error), "auth"),
        (json(408, error), "unknown"),
        (json(413, error), "too-large"),
        (json(429, error), "wait"),
        (json(431, error), "too-large"),
        (json(500, error), "server-error"),
        (canned(502, "Content-Type: text/html\r\n", "", "<h1>"), "unknown"),
        (json(503, error), "unknown"),
        (json(504, error), "unknown"),
        (json(400, SUCCESS), "unknown"),
    ] {
        let text = String::from_utf8_lossy(&answer).into_owned();
        let server = Server::start(move |_| Act::Answer(answer.clone())).await;
        let reply = client(&server).delete_files(&request(&["F"])).await;
        assert_eq!(
            interpret_delete(&reply, 1).label(),
            label,
            "{text} gave {reply:?}"
        );
        assert_eq!(server.seen().len(), 1, "{text}");
    }
}

#[tokio::test]
async fn headers_that_decide_something_come_along() {
    let headers = "Content-Type: application/json\r\nRetry-After: 3\r\nRetry-After: 120\r\nDate: Mon, 23 Nov 2026 20:05:00 GMT\r\n";
    let server = Server::start(move |_| Act::Answer(canned(429, headers, "", "{}"))).await;
    let reply = client(&server).delete_files(&request(&["F"])).await;
    let Reply::Answered(answer) = &reply else {
        panic!("{reply:?}");
    };
    assert_eq!(answer.retry_after, ["3", "120"]);
    assert_eq!(
        answer.date.map(|d| d.to_string()).as_deref(),
        Some("2026-11-23T20:05:00Z")
    );
    assert_eq!(
        interpret_delete(&reply, 1),
        Outcome::Wait {
            millis: Some(120_000)
        }
    );
}

#[tokio::test]
async fn a_list_too_long_for_one_request_is_not_sent_but_to_be_halved() {
    let server = Server::start(|_| Act::Answer(json(200, SUCCESS))).await;
    let long: Vec<String> = (0..200).map(|n| format!("{n:0>400}")).collect();
    let reply = client(&server)
        .delete_files(&request(&long.iter().map(String::as_str).collect::<Vec<_>>()))
        .await;
    assert_eq!(interpret_delete(&reply, 200), Outcome::Refused(Refusal::TooLarge));
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_batch_is_listed_by_the_call_of_its_module() {
    let server = Server::start(|seen| {
        Act::Answer(if seen.line.contains("getBatchResults") {
            json(
                200,
                r#"{"extractionId":"E1","batchId":"B1","files":[{"fileId":"F1","status":"processed"}]}"#,
            )
        } else {
            json(200, r#"{"status":"success","files":[]}"#)
        })
    })
    .await;
    let client = client(&server);
    assert_eq!(client.list(&batch()).await, Listing::Files(Vec::new()));
    let extraction = BatchAddress {
        parent: Parent::Extraction(ExtractionId::new("E1").expect("an id")),
        ..batch()
    };
    assert!(matches!(client.list(&extraction).await, Listing::Files(files) if files.len() == 1));
    let seen = server.seen();
    assert_eq!(
        seen[0].line,
        "POST /api/v1/documentClassification/getResults HTTP/1.1"
    );
    assert_eq!(seen[0].body, br#"{"classificationId":"C1","batchId":"B1"}"#);
    assert_eq!(seen[1].line, "POST /api/v1/getBatchResults HTTP/1.1");
    assert_eq!(seen[1].body, br#"{"extractionId":"E1","batchId":"B1"}"#);
}

#[tokio::test]
async fn reads_are_spaced_from_answer_to_request_and_endpoints_do_not_wait_for_each_other() {
    let server = Server::start(|_| Act::Answer(json(200, r#"{"status":"success","files":[]}"#))).await;
    let mut config = config(server.base());
    config.results_interval = Duration::from_millis(80);
    let client = Arc::new(ExtractaClient::new(config).expect("a client"));
    let begin = Instant::now();
    let reads: Vec<_> = (0..3)
        .map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.list(&batch()).await })
        })
        .collect();
    assert_eq!(client.delete_files(&request(&["F"])).await.status(), Some(200));
    for read in reads {
        assert_eq!(read.await.expect("no panic"), Listing::Files(Vec::new()));
    }
    assert!(begin.elapsed() >= Duration::from_millis(160));
    let reads: Vec<Instant> = server
        .seen()
        .iter()
        .filter(|seen| seen.line.contains("getResults"))
        .map(|seen| seen.at)
        .collect();
    assert_eq!(reads.len(), 3);
    for pair in reads.windows(2) {
        let gap = pair[1].duration_since(pair[0]);
        assert!(gap >= Duration::from_millis(80), "{gap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn deletes_start_an_interval_apart() {
    let mut config = config("http://127.0.0.1:9/api/v1");
    config.request_interval = Duration::from_secs(2);
    let client = ExtractaClient::new(config).expect("a client");
    let begin = Instant::now();
    for _ in 0..3 {
        client.turn_to_delete().await;
    }
    assert_eq!(begin.elapsed(), Duration::from_secs(4));
}

#[tokio::test]
async fn a_long_pause_asked_for_by_the_api_is_kept_without_another_request() {
    let headers = "Content-Type: application/json\r\nRetry-After: 3600\r\n";
    let server = Server::start(move |_| Act::Answer(canned(429, headers, "", "{}"))).await;
    let client = client(&server);
    for _ in 0..3 {
        assert!(matches!(client.list(&batch()).await, Listing::CannotTell { .. }));
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_listing_beyond_its_limit_or_lost_concludes_nothing() {
    let server = Server::start(|_| Act::Answer(json(200, r#"{"status":"success","files":[]}"#))).await;
    let mut config = config(server.base());
    config.max_listing = 10;
    let small = ExtractaClient::new(config).expect("a client");
    assert!(matches!(small.list(&batch()).await, Listing::CannotTell { .. }));
    let server = Server::start(|_| Act::Reset).await;
    let listing = client(&server).list(&batch()).await;
    assert!(matches!(listing, Listing::CannotTell { .. }), "{listing:?}");
}

#[tokio::test]
async fn the_probe_tells_a_key_that_works_from_one_that_is_refused_and_from_silence() {
    let date = "Content-Type: application/json\r\nDate: Mon, 23 Nov 2026 20:05:00 GMT\r\n";
    let at = "2026-11-23T20:05:00Z".parse().ok();
    let unavailable = |probe: &Probe| matches!(probe, Probe::Unavailable { .. });
    let probe = async |answer: Vec<u8>| {
        let server = Server::start(move |_| Act::Answer(answer.clone())).await;
        let found = client(&server).probe().await;
        assert_eq!(server.seen()[0].line, "GET /api/v1/credits HTTP/1.1");
        found
    };
    let works = probe(canned(200, date, "", r#"{"status":"ok","credits":50}"#)).await;
    assert_eq!(works, Probe::Works { date: at });
    let refused = probe(canned(401, date, "", "{}")).await;
    assert_eq!(
        refused,
        Probe::Refused {
            status: 401,
            date: at
        }
    );
    assert!(unavailable(&probe(json(200, r#"{"status":"error"}"#)).await));
    assert!(unavailable(
        &probe(canned(200, "Content-Type: text/html\r\n", "", "<h1>login</h1>")).await
    ));
    assert!(unavailable(&probe(json(503, "{}")).await));
    assert!(unavailable(
        &probe(canned(302, "Location: /login\r\n", "", "")).await
    ));
}

#[test]
fn the_key_shows_in_no_debug_text_and_in_no_error() {
    let mut config = config("https://127.0.0.1:1");
    config.proxy = Some("http://user:canary-proxy@127.0.0.1:2".to_owned());
    let mut shown = format!("{config:?}");
    let client = ExtractaClient::with_roots(config, Some(Vec::new())).expect("a client");
    shown.push_str(&format!("{client:?} {client:#?}"));
    for key in ["canary\nkey", "", " ", "canary\u{0}"] {
        let config = ClientConfig::new("http://127.0.0.1:1", SecretString::from(key));
        let error = ExtractaClient::new(config).expect_err("no key");
        assert!(matches!(error, ClientError::Key));
        shown.push_str(&format!("{error} {error:?}"));
    }
    for proxy in ["canary:// proxy", "socks5://canary:1", "canary:1", ""] {
        let mut config = self::config("https://127.0.0.1:1");
        config.proxy = Some(proxy.to_owned());
        let error = ExtractaClient::with_roots(config, Some(Vec::new())).expect_err("no proxy");
        shown.push_str(&format!("{error} {error:?}"));
    }
    assert!(!shown.contains("canary"), "{shown}");
}
