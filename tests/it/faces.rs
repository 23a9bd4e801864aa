//! What the running service shows over HTTP, and that showing never stands in the way of deleting.

use std::net::SocketAddr;

use retentiond::sandbox::Endpoint;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::daemon::{Service, terminate};

pub async fn get(at: SocketAddr, path: &str) -> (u16, String) {
    let answer = reqwest_client()
        .get(format!("http://{at}{path}"))
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[expect(clippy::disallowed_methods, reason = "a plain client, as a scraper is")]
fn reqwest_client() -> reqwest::Client {
    // A client cannot be built before a provider is installed; a second installation changes nothing.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::new()
}

#[tokio::test]
async fn a_thousand_hanging_connections_do_not_keep_the_daemon_from_deleting() {
    let service = Service::new().await;
    let mut daemon = service.daemon();
    let at = service.listening().await;
    let mut hanging = Vec::new();
    for n in 0..1000 {
        // Some are closed at once, because the house is full: they hang all the same, from our side.
        let Ok(mut client) = TcpStream::connect(at).await else {
            continue;
        };
        if n % 2 == 0 {
            drop(client.write_all(b"GET / HTTP/1.1\r\nx: ").await);
        }
        hanging.push(client);
    }
    assert!(hanging.len() > 900, "only {} connections", hanging.len());
    service.upload([4; 3], 25).await;
    service.wait_until_all_due_are_gone().await;
    assert!(service.server.request_count(Endpoint::DeleteFiles) > 0);
    drop(hanging);
    let (status, words) = get(at, "/healthz").await;
    assert_eq!((status, words.as_str()), (200, "ok\n"));
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
}

#[tokio::test]
async fn a_port_in_use_does_not_keep_the_daemon_from_deleting() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = taken.local_addr().unwrap();
    let service = Service::new().await.showing_at(&at.to_string());
    service.upload([4; 3], 25).await;
    let mut daemon = service.daemon();
    service.wait_until_all_due_are_gone().await;
    assert!(service.log().contains("the address cannot be opened"));
    drop(taken);
    assert_eq!(service.listening().await, at);
    assert_eq!(get(at, "/healthz").await.0, 200);
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
}

#[tokio::test]
async fn the_status_over_http_is_the_one_that_the_command_prints() {
    let service = Service::new().await;
    service.upload([1; 3], 5).await;
    let mut daemon = service.daemon();
    let at = service.listening().await;
    service.wait_until_all_due_are_gone().await;
    let printed = service.run(&["status", "--json"]).await;
    let printed: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
    let (status, shown) = get(at, "/api/status").await;
    assert_eq!(status, 200);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let keys =
        |value: &serde_json::Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(keys(&printed), keys(&shown));
    assert_eq!(shown["policies"][2]["live"], 5);
    for missing in ["/nothing", "/api", "/healthz/x"] {
        assert_eq!(get(at, missing).await.0, 404);
    }
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_other_sites_out() {
    let service = Service::new().await;
    let mut daemon = service.daemon();
    let at = service.listening().await;
    for path in ["/healthz", "/api/status", "/nothing"] {
        let answer = reqwest_client()
            .get(format!("http://{at}{path}"))
            .send()
            .await
            .unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert!(header("content-security-policy").starts_with("default-src 'none'"));
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin");
        assert!(!answer.headers().contains_key("access-control-allow-origin"));
    }
    let changed = reqwest_client()
        .post(format!("http://{at}/healthz"))
        .send()
        .await
        .unwrap();
    assert_eq!(changed.status(), 405);
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
}
