//! One listener behind its walls: whoever comes, it neither ends nor keeps others waiting.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use retentiond::http::{self, Accept, Door, DoorFigures, Hosts, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A socket whose clients, and errors, the test hands in.
struct Scripted(Mutex<mpsc::UnboundedReceiver<io::Result<DuplexStream>>>);

impl Accept for Scripted {
    type Stream = DuplexStream;

    async fn next(&self) -> io::Result<DuplexStream> {
        match self.0.lock().await.recv().await {
            Some(next) => next,
            None => std::future::pending().await,
        }
    }
}

struct Entrance {
    clients: mpsc::UnboundedSender<io::Result<DuplexStream>>,
    figures: Arc<DoorFigures>,
    stop: CancellationToken,
    ended: JoinHandle<()>,
}

impl Entrance {
    fn open(limits: Limits, router: Router) -> Self {
        let (clients, coming) = mpsc::unbounded_channel();
        let (door, stop) = (door(limits), CancellationToken::new());
        let figures = Arc::clone(&door.figures);
        let listening = http::listen(Scripted(Mutex::new(coming)), router, door, stop.clone());
        Self {
            clients,
            figures,
            stop,
            ended: tokio::spawn(listening),
        }
    }

    /// A client whose socket holds `room` unread bytes.
    fn connect(&self, room: usize) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(room);
        self.clients.send(Ok(theirs)).unwrap();
        ours
    }

    async fn ask(&self, request: &str) -> String {
        let mut client = self.connect(1 << 20);
        client.write_all(request.as_bytes()).await.unwrap();
        rest(&mut client).await
    }
}

fn door(limits: Limits) -> Door {
    Door {
        name: "test",
        limits,
        hosts: Hosts::named([]),
        figures: Arc::default(),
    }
}

fn hello() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/body", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/never", get(std::future::pending::<&'static str>))
        .route("/long", get(|| async { "x".repeat(1 << 20) }))
}

const GET: &str = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// Everything until the other side closes; a connection that is cut counts as closed.
async fn rest(client: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut bytes = Vec::new();
    drop(client.read_to_end(&mut bytes).await);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[tokio::test(start_paused = true)]
async fn a_client_that_dawdles_over_its_request_is_cut_and_its_seat_is_free_again() {
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let entrance = Entrance::open(limits, hello());
    for said in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: localhost\r\nx: "] {
        let mut slow = entrance.connect(1024);
        slow.write_all(said.as_bytes()).await.unwrap();
        let answer = rest(&mut slow).await;
        assert!(!answer.contains("hello"), "{answer}");
        assert_eq!(status(&entrance.ask(GET).await), "200", "after {said:?}");
    }
    assert_eq!(entrance.figures.refused(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_and_one_that_goes_on_asking_has_its_time_too() {
    let entrance = Entrance::open(Limits::default(), hello());
    let mut client = entrance.connect(1 << 16);
    let keep_alive = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut asked = 0;
    // Once a second; the connection ends by itself at two minutes.
    while client.write_all(keep_alive.as_bytes()).await.is_ok() {
        asked += 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(asked < 200, "the connection never ends");
    }
    let answers = rest(&mut client).await;
    let answered = answers.matches("hello").count();
    assert!((119..=121).contains(&answered), "{answered} of {asked}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_its_answer_is_cut() {
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let entrance = Entrance::open(limits, hello());
    let mut deaf = entrance.connect(512);
    deaf.write_all(b"GET /long HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let longest = limits.connection_time + limits.answer_time + Duration::from_secs(1);
    tokio::time::sleep(longest).await;
    assert_eq!(status(&entrance.ask(GET).await), "200");
}

#[tokio::test(start_paused = true)]
async fn one_connection_too_many_is_closed_and_those_inside_are_served() {
    let limits = Limits {
        connections: 3,
        ..Limits::default()
    };
    let entrance = Entrance::open(limits, hello());
    let mut inside: Vec<_> = (0..3).map(|_| entrance.connect(1024)).collect();
    let mut outside = entrance.connect(1024);
    assert_eq!(rest(&mut outside).await, "");
    assert_eq!((entrance.figures.accepted(), entrance.figures.refused()), (3, 1));
    for client in &mut inside {
        client.write_all(GET.as_bytes()).await.unwrap();
        assert_eq!(status(&rest(client).await), "200");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_too_large_is_refused() {
    let entrance = Entrance::open(Limits::default(), hello());
    let head = format!(
        "GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n",
        "x".repeat(70_000)
    );
    assert_eq!(status(&entrance.ask(&head).await), "431");
    let many = format!(
        "GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n",
        "x: y\r\n".repeat(100)
    );
    assert_eq!(status(&entrance.ask(&many).await), "431");
    let body = |length: usize| {
        let head = "POST /body HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length:";
        format!("{head} {length}\r\n\r\n{}", "x".repeat(length))
    };
    assert!(entrance.ask(&body(16_384)).await.ends_with("16384"));
    assert_eq!(status(&entrance.ask(&body(16_385)).await), "413");
    let chunked = format!(
        "POST /body HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
        format!("400\r\n{}\r\n", "x".repeat(1024)).repeat(17)
    );
    assert_eq!(status(&entrance.ask(&chunked).await), "413");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let entrance = Entrance::open(Limits::default(), hello());
    let answer = entrance
        .ask("GET /never HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await;
    assert_eq!(status(&answer), "503");
}

#[tokio::test(start_paused = true)]
async fn a_request_under_a_strange_name_is_misdirected() {
    let entrance = Entrance::open(Limits::default(), hello());
    for (line, hosts, expected) in [
        ("/", "host: 127.0.0.1:9464", "200"),
        ("/", "host: [::1]", "200"),
        ("http://localhost/", "host: localhost", "200"),
        ("/", "host: rebound.example", "421"),
        ("http://rebound.example/", "host: localhost", "421"),
        ("http://localhost/", "host: rebound.example", "421"),
        ("/", "host: localhost\r\nhost: rebound.example", "421"),
        ("/", "x: no host at all", "421"),
    ] {
        let request = format!("GET {line} HTTP/1.1\r\n{hosts}\r\nconnection: close\r\n\r\n");
        assert_eq!(
            status(&entrance.ask(&request).await),
            expected,
            "{line} with {hosts}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn accept_errors_are_survived_and_counted() {
    let entrance = Entrance::open(Limits::default(), hello());
    let too_many_files = 24;
    for _ in 0..10 {
        let error = io::Error::from_raw_os_error(too_many_files);
        entrance.clients.send(Err(error)).unwrap();
        let gone = io::Error::from(io::ErrorKind::ConnectionAborted);
        entrance.clients.send(Err(gone)).unwrap();
    }
    assert_eq!(status(&entrance.ask(GET).await), "200");
    assert_eq!(entrance.figures.failed(), 10);
    assert!(!entrance.ended.is_finished());
}

#[tokio::test(start_paused = true)]
async fn an_answer_under_way_is_finished_at_the_end_and_a_hanging_client_is_not_waited_for() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (Arc::clone(&begun), Arc::clone(&go_on));
    let slow = get(move || {
        let (tell, wait) = (Arc::clone(&tell), Arc::clone(&wait));
        async move {
            tell.notify_one();
            wait.notified().await;
            "at last"
        }
    });
    let entrance = Entrance::open(Limits::default(), Router::new().route("/", slow));
    let mut asking = entrance.connect(1024);
    asking.write_all(GET.as_bytes()).await.unwrap();
    let hanging = entrance.connect(1024);
    begun.notified().await;
    entrance.stop.cancel();
    go_on.notify_one();
    assert!(rest(&mut asking).await.ends_with("at last"));
    entrance.ended.await.unwrap();
    drop(hanging);
}

#[tokio::test]
async fn the_same_door_stands_before_a_unix_socket_and_a_port() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let stop = CancellationToken::new();
    let unix = UnixListener::bind(&path).unwrap();
    let by_path = Door {
        hosts: Hosts::Any,
        ..door(Limits::default())
    };
    let first = tokio::spawn(http::listen(unix, hello(), by_path, stop.clone()));
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = tcp.local_addr().unwrap();
    let second = tokio::spawn(http::listen(tcp, hello(), door(Limits::default()), stop.clone()));
    let mut client = UnixStream::connect(&path).await.unwrap();
    client.write_all(GET.as_bytes()).await.unwrap();
    assert_eq!(status(&rest(&mut client).await), "200");
    let mut client = TcpStream::connect(port).await.unwrap();
    client.write_all(GET.as_bytes()).await.unwrap();
    assert_eq!(status(&rest(&mut client).await), "200");
    stop.cancel();
    first.await.unwrap();
    second.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_port_in_use_is_tried_again_until_it_is_free() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = taken.local_addr().unwrap();
    let stop = CancellationToken::new();
    let trying = tokio::spawn({
        let stop = stop.clone();
        async move { http::bind_patiently("test", at, &stop).await }
    });
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert!(!trying.is_finished());
    drop(taken);
    let bound = trying.await.unwrap().unwrap();
    assert_eq!(bound.local_addr().unwrap(), at);
    stop.cancel();
    assert!(http::bind_patiently("test", at, &stop).await.is_none());
}
