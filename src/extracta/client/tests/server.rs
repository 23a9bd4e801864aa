//! A scripted server on loopback: reads each request whole and does what the script says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A request as it came in.
#[derive(Clone)]
pub(in crate::extracta) struct Seen {
    /// Number of the connection that it came over.
    pub(in crate::extracta) connection: usize,
    /// The request line.
    pub(in crate::extracta) line: String,
    headers: Vec<(String, String)>,
    pub(in crate::extracta) body: Vec<u8>,
    pub(in crate::extracta) at: Instant,
}

impl Seen {
    pub(in crate::extracta) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What the server does with a request.
pub(in crate::extracta) enum Act {
    /// Answers and keeps the connection open.
    Answer(Vec<u8>),
    /// Answers and closes without announcing it.
    AnswerAndClose(Vec<u8>),
    /// Closes without a word.
    Close,
    /// Resets the connection (RST).
    Reset,
    /// Says nothing until the client leaves.
    Silence,
    /// Sends these bytes one by one, slowly, again and again.
    Drip(Vec<u8>),
    /// Sends the first bytes once and the second for ever.
    Endless(Vec<u8>, Vec<u8>),
}

/// The server; stops when dropped.
pub(in crate::extracta) struct Server {
    base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    closed: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Server {
    pub(in crate::extracta) async fn start(script: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}/api/v1", listener.local_addr().expect("bound"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (closing, closed) = watch::channel(0);
        let (script, log, closing) = (Arc::new(script), Arc::clone(&seen), Arc::new(closing));
        let task = tokio::spawn(async move {
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                let (script, log, closing) = (Arc::clone(&script), Arc::clone(&log), Arc::clone(&closing));
                tokio::spawn(async move {
                    serve(stream, connection, &*script, &log).await;
                    closing.send_modify(|count| *count += 1);
                });
            }
        });
        Self {
            base,
            seen,
            closed,
            task,
        }
    }

    pub(in crate::extracta) fn base(&self) -> &str {
        &self.base
    }

    pub(in crate::extracta) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic in the server").clone()
    }

    /// Waits until this many connections have ended.
    pub(in crate::extracta) async fn closed(&self, count: usize) {
        let mut closed = self.closed.clone();
        closed
            .wait_for(|done| *done >= count)
            .await
            .expect("the server runs");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    script: &(impl Fn(&Seen) -> Act + Send + Sync),
    log: &Mutex<Vec<Seen>>,
) {
    let mut buffer = Vec::new();
    while let Some(seen) = read_request(&mut stream, &mut buffer, connection).await {
        log.lock().expect("no panic in the server").push(seen.clone());
        match script(&seen) {
            Act::Answer(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Act::AnswerAndClose(bytes) => {
                stream.write_all(&bytes).await.ok();
                return;
            }
            Act::Close => return,
            Act::Reset => {
                socket2::SockRef::from(&stream)
                    .set_linger(Some(Duration::ZERO))
                    .expect("linger can be set");
                return;
            }
            Act::Silence => {
                stream.read_to_end(&mut buffer).await.ok();
                return;
            }
            Act::Drip(bytes) => {
                let mut beat = tokio::time::interval(Duration::from_millis(5));
                for byte in bytes.iter().cycle() {
                    beat.tick().await;
                    if stream.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                }
            }
            Act::Endless(head, chunk) => {
                let mut sent = stream.write_all(&head).await;
                while sent.is_ok() {
                    sent = stream.write_all(&chunk).await;
                }
                return;
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>, connection: usize) -> Option<Seen> {
    loop {
        if let Some(seen) = parse(buffer, connection) {
            return Some(seen);
        }
        let mut more = [0; 16 * 1024];
        match stream.read(&mut more).await {
            Ok(count) if count > 0 => buffer.extend_from_slice(&more[..count]),
            Ok(_) | Err(_) => return None,
        }
    }
}

/// Takes one whole request off the buffer's front.
fn parse(buffer: &mut Vec<u8>, connection: usize) -> Option<Seen> {
    let end = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(buffer[..end].to_vec()).expect("a textual head");
    let mut lines = head.split("\r\n");
    let line = lines.next()?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a number"));
    if buffer.len() < end + length {
        return None;
    }
    let body = buffer[end..end + length].to_vec();
    buffer.drain(..end + length);
    Some(Seen {
        connection,
        line,
        headers,
        body,
        at: Instant::now(),
    })
}

/// An answer with these header lines; `prefix` goes before it, such as an interim answer.
pub(in crate::extracta) fn canned(status: u16, headers: &str, prefix: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{prefix}HTTP/1.1 {status} Scripted\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// A JSON answer.
pub(in crate::extracta) fn json(status: u16, body: &str) -> Vec<u8> {
    canned(
        status,
        "Content-Type: application/json; charset=utf-8\r\n",
        "",
        body,
    )
}
