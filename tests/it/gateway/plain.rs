//! HTTP by hand: what was said, byte by byte.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request or an answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Message {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Message {
    pub(super) fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1);
        let pairs = lines.filter_map(|line| line.split_once(':'));
        pairs
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    pub(super) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

/// What the API answers, as bytes.
pub(super) type Script = Arc<dyn Fn(&Message) -> Vec<u8> + Send + Sync>;

/// An API that says what it is told to, and remembers what it was asked.
pub(super) struct Api {
    pub(super) base_url: String,
    pub(super) asked: Arc<Mutex<Vec<Message>>>,
    task: JoinHandle<()>,
}

impl Api {
    pub(super) async fn start(script: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/api/v1", listener.local_addr().unwrap());
        let (script, asked): (Script, _) = (Arc::new(script), Arc::new(Mutex::new(Vec::new())));
        let remembered = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (script, remembered) = (Arc::clone(&script), Arc::clone(&remembered));
                tokio::spawn(async move {
                    let Some(request) = read(&mut stream).await else {
                        return;
                    };
                    remembered.lock().unwrap().push(request.clone());
                    // Scripts may wait for something.
                    let answer = tokio::task::spawn_blocking(move || script(&request))
                        .await
                        .unwrap();
                    stream.write_all(&answer).await.ok();
                    stream.shutdown().await.ok();
                });
            }
        });
        Self {
            base_url,
            asked,
            task,
        }
    }

    pub(super) fn asked(&self) -> Vec<Message> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A request or an answer with a length, in chunks, or without a body.
async fn read(stream: &mut TcpStream) -> Option<Message> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return None;
        }
    };
    let mut message = Message {
        head: String::from_utf8_lossy(&bytes[..end]).into_owned(),
        body: bytes.split_off(end + 4),
    };
    if let Some(length) = message.header("content-length").first() {
        let length: usize = length.parse().unwrap();
        while message.body.len() < length {
            if stream.read_buf(&mut message.body).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    } else if !message.header("transfer-encoding").is_empty() {
        while !message.body.ends_with(b"0\r\n\r\n") {
            if stream.read_buf(&mut message.body).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }
    Some(message)
}

/// Sends these bytes and reads the whole answer, up to the end of the connection; an empty one, if
/// not even its head is whole.
pub(super) async fn ask(addr: SocketAddr, request: &[u8]) -> Message {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Message::default();
    };
    Message {
        head: String::from_utf8_lossy(&bytes[..end]).into_owned(),
        body: bytes.split_off(end + 4),
    }
}

/// A request with a body, on a connection of its own.
pub(super) fn request(line: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{line} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    [head.as_bytes(), body].concat()
}

/// An answer of the API.
pub(super) fn json(status: u16, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub(super) const FORM: &str = "Content-Type: multipart/form-data; boundary=b";

/// A form that uploads so many files.
pub(super) fn form(parent: &str, id: &str, files: usize) -> Vec<u8> {
    let mut body = format!("--b\r\nContent-Disposition: form-data; name=\"{parent}\"\r\n\r\n{id}\r\n");
    for file in 0..files {
        body.push_str(&format!(
            "--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"canary-name-{file}.pdf\"\r\n\r\n%PDF\r\n"
        ));
    }
    body.push_str("--b--\r\n");
    body.into_bytes()
}
