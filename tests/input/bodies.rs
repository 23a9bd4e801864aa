//! What leaves this machine: the bytes of a delete as a bare listener receives them.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use proptest::prelude::*;
use retentiond::extracta::remote::InvalidList;
use retentiond::extracta::wire::LONGEST_DELETE_BODY;
use retentiond::extracta::{ClientConfig, DeleteExtractionFile, DeleteFiles, ExtractaClient, Remote};
use retentiond::model::{BatchId, ClassificationId, ExtractionId, FileId};
use retentiond::outcome::Reply;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 20\r\nconnection: close\r\n\r\n{\"status\":\"success\"}";

/// A request as it came: its first line and headers in lower case, and its body.
struct Received {
    head: String,
    body: Vec<u8>,
}

/// Answers every request with success and hands on what it received, one connection a request.
async fn listener() -> (String, mpsc::UnboundedReceiver<Received>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/api/v1", socket.local_addr().unwrap());
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            let mut bytes = Vec::new();
            let received = loop {
                if let Some(received) = whole(&bytes) {
                    break received;
                }
                assert_ne!(
                    stream.read_buf(&mut bytes).await.unwrap(),
                    0,
                    "a request without its end"
                );
            };
            sender.send(received).ok();
            stream.write_all(ANSWER).await.unwrap();
        }
    });
    (base, receiver)
}

fn whole(bytes: &[u8]) -> Option<Received> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))?;
    let body = bytes.get(end..end + length.parse::<usize>().unwrap())?.to_vec();
    Some(Received { head, body })
}

fn client(base: &str) -> ExtractaClient {
    let key = secrecy::SecretString::from("k");
    ExtractaClient::new(ClientConfig {
        request_interval: Duration::ZERO,
        ..ClientConfig::new(base.to_owned(), key)
    })
    .unwrap()
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[-A-Za-z0-9_]{1,20}",
        2 => "\\PC{1,20}",
        1 => prop::sample::select(vec!["", " ", "\0", "null", "../", "\"", "\\", "\u{202e}", "-", "0", "[]", "{}", "a\n"]).prop_map(str::to_owned),
        1 => ("[a-z\"é]", 1_usize..600).prop_map(|(text, times)| text.repeat(times)),
    ]
}

/// Exactly one JSON request with exactly these keys, every value a text that is not empty.
fn is_sound(received: &Received, line: &str, wanted: &Value) -> Result<(), TestCaseError> {
    let Received { head, body } = received;
    prop_assert!(head.starts_with(line), "{}", head);
    prop_assert_eq!(head.matches("\r\ncontent-type: application/json\r\n").count(), 1);
    prop_assert_eq!(head.matches("\r\ncontent-length: ").count(), 1);
    prop_assert!(!head.contains("transfer-encoding"));
    prop_assert!(!body.is_empty());
    let found: Value = serde_json::from_slice(body).unwrap();
    prop_assert_eq!(&found, wanted);
    // A key that stood twice would have vanished in the map, and its bytes with it.
    prop_assert_eq!(body.len(), serde_json::to_vec(&found).unwrap().len());
    for value in found.as_object().unwrap().values() {
        let texts: Vec<&Value> = match value {
            Value::Array(items) => items.iter().collect(),
            one @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                vec![one]
            }
        };
        prop_assert!(!texts.is_empty());
        let mut seen = std::collections::HashSet::new();
        for text in texts {
            let text = text.as_str();
            prop_assert!(text.is_some_and(|text| !text.trim().is_empty()));
            prop_assert!(seen.insert(text), "twice");
        }
    }
    Ok(())
}

#[test]
fn every_delete_that_leaves_names_its_parent_its_batch_and_exactly_its_files() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (base, received) = runtime.block_on(listener());
    let received = RefCell::new(received);
    let client = client(&base);
    let sent = Cell::new(0_u32);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(1000)
    });
    let lists = (id(), id(), prop::collection::vec(id(), 0..12), 0_usize..40);
    let outcome = runner.run(&lists, |(classification, batch, mut files, more)| {
        files.extend((0..more).map(|n| format!("f{n}")));
        let ids: Result<Vec<FileId>, _> = files.iter().map(|id| FileId::new(id.as_str())).collect();
        let parents = (
            ClassificationId::new(classification.as_str()),
            BatchId::new(batch.as_str()),
        );
        let ((Ok(c), Ok(b)), Ok(ids)) = (parents, ids) else {
            return Ok(());
        };
        let doubled = ids.iter().collect::<std::collections::HashSet<_>>().len() < ids.len();
        let request = match DeleteFiles::new(c, b, ids) {
            Ok(request) => request,
            Err(InvalidList::Empty) => {
                prop_assert!(files.is_empty());
                return Ok(());
            }
            Err(InvalidList::Duplicate) => {
                prop_assert!(doubled);
                return Ok(());
            }
        };
        prop_assert!(!files.is_empty() && !doubled);
        let reply = runtime.block_on(client.delete_files(&request));
        if let Reply::TooLong { bytes } = reply {
            prop_assert!(bytes > LONGEST_DELETE_BODY);
            return Ok(());
        }
        prop_assert_eq!(reply.status(), Some(200));
        let wanted =
            serde_json::json!({"classificationId": classification, "batchId": batch, "fileIds": files});
        let received = received.borrow_mut().try_recv().unwrap();
        is_sound(
            &received,
            "delete /api/v1/documentclassification/deletefiles http/1.1\r\n",
            &wanted,
        )?;
        sent.set(sent.get() + 1);
        Ok(())
    });
    outcome.unwrap();
    assert!(
        received.borrow_mut().try_recv().is_err(),
        "a request that nobody asked for"
    );
    assert!(sent.get() > 100, "only {} requests were sent", sent.get());
}

#[test]
fn every_delete_of_a_copy_that_leaves_names_all_three_ids() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (base, received) = runtime.block_on(listener());
    let received = RefCell::new(received);
    let client = client(&base);
    let sent = Cell::new(0_u32);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(400)
    });
    let outcome = runner.run(&(id(), id(), id()), |(extraction, batch, file)| {
        let ids = (
            ExtractionId::new(extraction.as_str()),
            BatchId::new(batch.as_str()),
            FileId::new(file.as_str()),
        );
        let (Ok(e), Ok(b), Ok(f)) = ids else {
            return Ok(());
        };
        let request = DeleteExtractionFile {
            extraction: e,
            batch: b,
            file: f,
        };
        let reply = runtime.block_on(client.delete_extraction_file(&request));
        prop_assert_eq!(reply.status(), Some(200));
        let wanted = serde_json::json!({"extractionId": extraction, "batchId": batch, "fileId": file});
        is_sound(
            &received.borrow_mut().try_recv().unwrap(),
            "delete /api/v1/deleteextraction http/1.1\r\n",
            &wanted,
        )?;
        sent.set(sent.get() + 1);
        Ok(())
    });
    outcome.unwrap();
    assert!(
        received.borrow_mut().try_recv().is_err(),
        "a request that nobody asked for"
    );
    assert!(sent.get() > 100, "only {} requests were sent", sent.get());
}
