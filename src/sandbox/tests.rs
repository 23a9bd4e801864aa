//! The sandbox over real HTTP, spoken to by a client of a few lines that hides nothing.

mod control;
mod documented;
mod faults;
mod knobs;
mod scale;
mod widening;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// 1 March 2025, 21:20:32.426 UTC: the moment whose push ids begin with `-OKI_Fue`.
const MOMENT_MS: i64 = 1_740_864_032_426;

/// A response, as its bytes came.
#[derive(Debug)]
struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn header(&self, name: &str) -> Vec<&str> {
        let named = self
            .headers
            .iter()
            .filter(|(held, _)| held.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Some(Self {
            status,
            headers,
            body: bytes[end + 4..].to_vec(),
        })
    }
}

/// A sandbox on a clock that stands still, and what most tests need in it.
struct Bench {
    sandbox: Sandbox,
    handle: SandboxHandle,
    clock: Arc<AtomicI64>,
    classification: String,
    batch: String,
    files: Vec<String>,
}

impl Bench {
    async fn new(files: usize) -> Self {
        Self::with(files, |_| {}).await
    }

    /// A classification with one batch of `files` files.
    async fn with(files: usize, turn: impl FnOnce(&mut SandboxConfig)) -> Self {
        let clock = Arc::new(AtomicI64::new(MOMENT_MS));
        let seen = Arc::clone(&clock);
        let mut config = SandboxConfig {
            clock: Arc::new(move || seen.load(Ordering::SeqCst)),
            ..SandboxConfig::unpaced()
        };
        turn(&mut config);
        let sandbox = Sandbox::start(config).await.unwrap();
        let handle = sandbox.handle();
        let types = [DocumentType::named("resume"), DocumentType::named("invoice")];
        let classification = handle.seed_classification("applications", &types);
        let batch = handle
            .seed_batch(Module::Classification, &classification)
            .unwrap();
        let files = handle.seed_files(&classification, &batch, files).unwrap();
        Self {
            sandbox,
            handle,
            clock,
            classification,
            batch,
            files,
        }
    }

    async fn send(&self, request: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.sandbox.addr()).await?;
        stream.write_all(request).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(answer)
    }

    fn request(&self, method: &str, path: &str, body: &Value) -> Vec<u8> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        format!(
            "{method} {path} HTTP/1.1\r\nhost: sandbox\r\nauthorization: Bearer {DEFAULT_KEY}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// One call below the API's base path, on a connection of its own.
    async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        self.raw(method, &format!("/api/v1{path}"), body).await
    }

    async fn raw(&self, method: &str, path: &str, body: Value) -> Reply {
        let bytes = self.send(&self.request(method, path, &body)).await.unwrap();
        Reply::parse(&bytes).expect("an answer")
    }

    /// `deleteFiles` for these ids of the bench's batch.
    async fn delete(&self, ids: &[String]) -> Reply {
        self.call(
            "DELETE",
            "/documentClassification/deleteFiles",
            self.delete_body(ids),
        )
        .await
    }

    fn delete_body(&self, ids: &[String]) -> Value {
        json!({"classificationId": self.classification, "batchId": self.batch, "fileIds": ids})
    }

    /// `getResults` for the bench's batch.
    async fn results(&self) -> Reply {
        let body = json!({"classificationId": self.classification, "batchId": self.batch});
        self.call("POST", "/documentClassification/getResults", body)
            .await
    }

    async fn upload(&self, path: &str, fields: &[(&str, &str)], files: &[(&str, &[u8])]) -> Reply {
        let mut body = Vec::new();
        for (name, value) in fields {
            let part = format!("--XX\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        for (name, content) in files {
            let part = format!(
                "--XX\r\ncontent-disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\
                 content-type: application/pdf\r\n\r\n"
            );
            body.extend_from_slice(part.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--XX--\r\n");
        let mut request = format!(
            "POST /api/v1{path} HTTP/1.1\r\nhost: sandbox\r\nauthorization: Bearer {DEFAULT_KEY}\r\n\
             connection: close\r\ncontent-type: multipart/form-data; boundary=XX\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        Reply::parse(&self.send(&request).await.unwrap()).expect("an answer")
    }

    /// How many of the bench's files are still there.
    fn left(&self) -> usize {
        self.files.iter().filter(|id| self.handle.exists(id)).count()
    }
}

#[tokio::test]
async fn an_address_that_is_not_loopback_is_refused() {
    let config = SandboxConfig {
        addr: "0.0.0.0:0".parse().unwrap(),
        ..SandboxConfig::default()
    };
    assert_eq!(
        Sandbox::start(config).await.unwrap_err().kind(),
        std::io::ErrorKind::InvalidInput
    );
}

#[tokio::test]
async fn a_stopped_sandbox_frees_its_port_and_its_connections() {
    let bench = Bench::new(0).await;
    let addr = bench.sandbox.addr();
    let mut idle = TcpStream::connect(addr).await.unwrap();
    let request =
        format!("GET /api/v1/credits HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {DEFAULT_KEY}\r\n\r\n");
    idle.write_all(request.as_bytes()).await.unwrap();
    bench.handle.await_requests(Endpoint::Credits, 1).await;
    bench.sandbox.stop().await;
    let mut rest = Vec::new();
    let _ = idle.read_to_end(&mut rest).await;
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_dropped_sandbox_ends_its_server() {
    let bench = Bench::new(0).await;
    let ended = bench.sandbox.ended.clone();
    drop(bench.sandbox);
    ended.cancelled().await;
    assert!(ended.is_cancelled());
}
