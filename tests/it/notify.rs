//! Who is told, over real HTTP: and nobody who is told can keep a sweep waiting.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::routing::any;
use retentiond::http::{self, Door, Hosts, Limits};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::daemon::{Service, terminate};

#[derive(Default)]
struct Desk {
    received: Mutex<Vec<(String, String)>>,
    news: Notify,
}

/// Keeps what it is sent; under `/deaf` it never answers.
struct Receiver {
    desk: Arc<Desk>,
    url: String,
    _serving: AbortOnDropHandle<()>,
}

async fn take(State(desk): State<Arc<Desk>>, request: Request) -> StatusCode {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let path = head.uri.path().to_owned();
    let deaf = path.starts_with("/deaf");
    let body = String::from_utf8(body.to_vec()).unwrap();
    desk.received.lock().unwrap().push((path, body));
    desk.news.notify_one();
    if deaf {
        std::future::pending::<()>().await;
    }
    StatusCode::NO_CONTENT
}

impl Receiver {
    async fn new() -> Self {
        let desk = Arc::new(Desk::default());
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        let router = Router::new().fallback(any(take)).with_state(Arc::clone(&desk));
        let door = Door {
            name: "receiver",
            limits: Limits::default(),
            hosts: Hosts::Any,
            figures: Arc::default(),
        };
        let serving = tokio::spawn(http::listen(socket, router, door, CancellationToken::new()));
        Self {
            desk,
            url,
            _serving: AbortOnDropHandle::new(serving),
        }
    }

    /// The body of the first message to `path` that `fits`.
    async fn hears(&self, path: &str, fits: impl Fn(&str) -> bool) -> String {
        let waiting = async {
            loop {
                let found = {
                    let received = self.desk.received.lock().unwrap();
                    let mut fitting = received.iter().filter(|(at, body)| at == path && fits(body));
                    fitting.next().map(|(_, body)| body.clone())
                };
                match found {
                    Some(body) => break body,
                    None => self.desk.news.notified().await,
                }
            }
        };
        let heard = tokio::time::timeout(std::time::Duration::from_secs(300), waiting).await;
        heard.unwrap_or_else(|_| {
            panic!(
                "{path} never heard of it: {:?}",
                self.desk.received.lock().unwrap()
            )
        })
    }
}

/// `[notify]`, with a secret of 32 bytes in a file.
fn notify(service: &Service, webhook: &str, ping: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let secret = service.dir.path().join("webhook-secret");
    std::fs::write(&secret, "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    format!(
        "[notify]\nwebhook_url = \"{webhook}\"\nwebhook_secret_file = \"{}\"\nping_url = \"{ping}\"\n",
        secret.display()
    )
}

#[tokio::test]
async fn receivers_hear_of_sweeps_and_of_what_stops_them() {
    let receiver = Receiver::new().await;
    let service = Service::new().await;
    let text = notify(
        &service,
        &format!("{}/hook", receiver.url),
        &format!("{}/ping", receiver.url),
    );
    let service = service.saying(&text);
    service.upload([2, 1, 1], 25).await;
    // With a key that the API refuses nothing can be deleted, and somebody has to hear of it.
    let mut daemon = service
        .command(&["daemon"])
        .env("EXTRACTA_API_KEY", "wrong")
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let opened = receiver
        .hears("/hook", |body| body.contains("breaker.opened"))
        .await;
    let opened: serde_json::Value = serde_json::from_str(&opened).unwrap();
    assert_eq!(
        (opened["type"].as_str(), opened["data"]["breaker"].as_str()),
        (Some("breaker.opened"), Some("auth"))
    );
    assert_eq!(opened["data"]["command"], "retentiond breaker reset auth");
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
    // The right key: the sweeps go on, and that is heard as well.
    let mut daemon = service.daemon();
    receiver.hears("/ping/start", |_| true).await;
    let ended = receiver
        .hears("/ping/0", |body| body.contains("deleted 50"))
        .await;
    assert!(ended.starts_with("policy soon: done\n"), "{ended}");
    for (path, body) in receiver.desk.received.lock().unwrap().iter() {
        for file in service.server.deleted() {
            assert!(!body.contains(&file.file_id), "an id in a message to {path}");
        }
        assert!(!body.contains("secret-name"), "a name in a message to {path}");
    }
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
}

#[tokio::test]
async fn a_receiver_that_never_answers_keeps_no_sweep_waiting() {
    let receiver = Receiver::new().await;
    let service = Service::new().await;
    let deaf = format!("{}/deaf", receiver.url);
    let text = notify(&service, &deaf, &deaf);
    let service = service.saying(&text);
    service.upload([4; 3], 25).await;
    let mut daemon = service.daemon();
    service.wait_until_all_due_are_gone().await;
    // The second ping never left: the first still waits for its answer.
    receiver.hears("/deaf/start", |_| true).await;
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
}

#[tokio::test]
async fn the_test_message_arrives_or_it_is_said_why_not() {
    let receiver = Receiver::new().await;
    let service = Service::new().await;
    let silent = service.run(&["notify", "test"]).await;
    assert_eq!(silent.status.code(), Some(2));
    let text = notify(
        &service,
        &format!("{}/hook", receiver.url),
        "http://127.0.0.1:9/ping",
    );
    let service = service.saying(&text);
    let told = service.run(&["notify", "test"]).await;
    let said = String::from_utf8(told.stdout).unwrap();
    assert_eq!(told.status.code(), Some(1), "{said}");
    assert_eq!(
        said,
        "webhook: delivered\nping: not delivered: the receiver cannot be reached\n"
    );
    assert!(
        receiver
            .hears("/hook", |_| true)
            .await
            .contains("\"type\":\"test\"")
    );
}
