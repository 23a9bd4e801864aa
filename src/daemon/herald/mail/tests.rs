//! A receiver over real HTTP that answers what it is told to, and keeps what it was sent.

use std::collections::VecDeque;
use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::any;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::engine::ManualClock;

#[derive(Debug)]
struct Received {
    path: String,
    headers: HeaderMap,
    body: String,
}

#[derive(Default)]
struct Desk {
    answers: Mutex<VecDeque<u16>>,
    received: Mutex<Vec<Received>>,
    news: tokio::sync::Notify,
}

struct Receiver {
    desk: Arc<Desk>,
    url: String,
    _serving: AbortOnDropHandle<()>,
}

async fn take(State(desk): State<Arc<Desk>>, request: Request) -> (StatusCode, &'static str) {
    let (head, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(axum::body::Body::new(body), 1 << 20)
        .await
        .unwrap();
    desk.received.lock().unwrap().push(Received {
        path: head.uri.path().to_owned(),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    desk.news.notify_one();
    let code = desk.answers.lock().unwrap().pop_front().unwrap_or(204);
    (StatusCode::from_u16(code).unwrap(), "")
}

impl Receiver {
    async fn answering(codes: &[u16]) -> Self {
        let desk = Arc::new(Desk::default());
        desk.answers.lock().unwrap().extend(codes);
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", socket.local_addr().unwrap());
        let router = Router::new().fallback(any(take)).with_state(Arc::clone(&desk));
        let serving = tokio::spawn(async move { axum_serve(socket, router).await });
        Self {
            desk,
            url,
            _serving: AbortOnDropHandle::new(serving),
        }
    }

    async fn has(&self, messages: usize) {
        while self.desk.received.lock().unwrap().len() < messages {
            self.desk.news.notified().await;
        }
    }
}

async fn axum_serve(socket: TcpListener, router: Router) {
    let door = crate::http::Door {
        name: "test",
        limits: crate::http::Limits::default(),
        hosts: crate::http::Hosts::Any,
        figures: Arc::default(),
    };
    crate::http::listen(socket, router, door, tokio_util::sync::CancellationToken::new()).await;
}

fn secret() -> SecretSlice<u8> {
    vec![7; 32].into()
}

fn settings(url: &str) -> NotifySettings {
    NotifySettings {
        webhook_url: Some(url.to_owned()),
        ping_url: Some(url.to_owned()),
        ..NotifySettings::default()
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new("2026-05-04T10:00:00Z".parse().unwrap()))
}

fn quick(tries: usize) -> Patience {
    Patience(vec![Duration::from_millis(1); tries - 1])
}

/// Carries these letters to the receiver, to the end.
async fn carried(post: Post, letters: Vec<Letter>, patience: Patience) {
    let (line, waiting) = mpsc::channel(letters.len());
    for letter in letters {
        line.try_send(letter).unwrap();
    }
    drop(line);
    post.carry(waiting, clock(), patience).await;
}

#[tokio::test]
async fn an_event_arrives_signed_and_its_name_is_the_same_at_each_try() {
    let receiver = Receiver::answering(&[500, 302, 204]).await;
    let post = Post::webhook(&settings(&receiver.url), secret())
        .unwrap()
        .unwrap();
    let event = Event::test("2026-05-04T10:00:00Z".parse().unwrap());
    carried(post, vec![Letter::event(&event)], quick(5)).await;
    let received = receiver.desk.received.lock().unwrap();
    assert_eq!(received.len(), 3);
    for message in received.iter() {
        let header = |name: &str| message.headers[name].to_str().unwrap();
        assert_eq!(
            (message.path.as_str(), header("content-type")),
            ("/hook", "application/json")
        );
        assert_eq!(
            header("webhook-id"),
            received[0].headers["webhook-id"].to_str().unwrap()
        );
        let seconds: i64 = header("webhook-timestamp").parse().unwrap();
        assert_eq!(seconds, 1_777_888_800);
        let expected = sign::signature(&secret(), header("webhook-id"), seconds, &message.body);
        assert_eq!(header("webhook-signature"), expected);
    }
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_asked_once_and_one_that_fails_is_given_up() {
    for (codes, tries) in [(vec![410], 1), (vec![503; 9], 3), (vec![404; 9], 3)] {
        let receiver = Receiver::answering(&codes).await;
        let post = Post::ping(&settings(&receiver.url)).unwrap().unwrap();
        carried(post, vec![Letter::ping("0", "fine".to_owned())], quick(3)).await;
        assert_eq!(receiver.desk.received.lock().unwrap().len(), tries, "{codes:?}");
    }
}

#[tokio::test]
async fn pings_go_to_the_addresses_that_the_convention_names_in_order() {
    let receiver = Receiver::answering(&[]).await;
    let post = Post::ping(&settings(&format!("{}/", receiver.url)))
        .unwrap()
        .unwrap();
    let letters = vec![
        Letter::ping("start", String::new()),
        Letter::ping("3", "a limit".to_owned()),
    ];
    carried(post, letters, quick(1)).await;
    receiver.has(2).await;
    let received = receiver.desk.received.lock().unwrap();
    let seen: Vec<_> = received
        .iter()
        .map(|m| (m.path.as_str(), m.body.as_str()))
        .collect();
    assert_eq!(seen, [("/hook/start", ""), ("/hook/3", "a limit")]);
    assert!(
        received
            .iter()
            .all(|m| !m.headers.contains_key("webhook-signature"))
    );
}

#[tokio::test]
async fn nobody_there_is_no_error_but_a_message_that_did_not_arrive() {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/secret-path", socket.local_addr().unwrap());
    drop(socket);
    let post = Post::webhook(&settings(&url), secret()).unwrap().unwrap();
    let error = post
        .test("2026-05-04T10:00:00Z".parse().unwrap())
        .await
        .unwrap_err();
    assert!(matches!(error, Undelivered::Unreachable), "{error:?}");
    assert!(!error.to_string().contains("secret-path"));
    carried(
        post,
        vec![Letter::event(&Event::test(
            "2026-05-04T10:00:00Z".parse().unwrap(),
        ))],
        quick(2),
    )
    .await;
}
