//! What the running service shows over HTTP, and that showing never stands in the way of deleting.

use std::net::SocketAddr;
use std::time::Duration;

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
pub fn reqwest_client() -> reqwest::Client {
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
    // That they have gone is noticed one by one: until then the house is full.
    let alive = format!("http://{at}/healthz");
    while reqwest_client().get(&alive).send().await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
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

/// The value of one series.
fn value(metrics: &str, series: &str) -> Option<f64> {
    let line = metrics
        .lines()
        .find(|line| line.starts_with(&format!("{series} ")))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// The first answer that `fits`, asked for again and again.
pub async fn until(at: SocketAddr, path: &str, fits: impl Fn(u16, &str) -> bool) -> String {
    let asking = async {
        loop {
            let (status, text) = get(at, path).await;
            if fits(status, &text) {
                break text;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let patience = Duration::from_secs(300);
    let found = tokio::time::timeout(patience, asking).await;
    found.unwrap_or_else(|_| panic!("{path} never said what was waited for"))
}

#[tokio::test]
async fn the_metrics_say_what_was_deleted_and_what_is_left() {
    let service = Service::new().await;
    service.upload([2, 1, 1], 25).await;
    let mut daemon = service.daemon();
    let at = service.listening().await;
    service.wait_until_all_due_are_gone().await;
    // The counters follow each request, the figures of the ledger the next picture.
    let settled = |text: &str| {
        value(text, "retentiond_deleted_files_total") == Some(75.0)
            && value(text, "retentiond_files{state=\"deleted\"}") == Some(75.0)
            && value(
                text,
                "retentiond_last_success_timestamp_seconds{policy=\"later\"}",
            ) > Some(0.0)
    };
    let text = until(at, "/metrics", |_, text| settled(text)).await;
    assert_eq!(
        value(&text, "retentiond_live_files{policy=\"never\"}"),
        Some(25.0)
    );
    assert_eq!(value(&text, "retentiond_ready"), Some(1.0));
    assert_eq!(
        value(&text, "retentiond_oldest_overdue_seconds{policy=\"soon\"}"),
        Some(0.0)
    );
    assert!(value(&text, "retentiond_requests_total{outcome=\"confirmed\"}") >= Some(3.0));
    assert!(value(&text, "retentiond_sweeps_total{state=\"done\"}") >= Some(2.0));
    assert!(value(&text, "retentiond_connections_total{listener=\"http\"}") >= Some(1.0));
    for file in service.server.deleted() {
        assert!(!text.contains(&file.file_id), "an id in the metrics");
    }
    let open = reqwest_client()
        .get(format!("http://{at}/metrics"))
        .header(
            "accept",
            "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
        )
        .send()
        .await
        .unwrap();
    let kind = open.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(open.text().await.unwrap().ends_with("# EOF\n"));
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
}

#[tokio::test]
async fn it_is_ready_until_something_stands_in_the_way_and_says_what() {
    let service = Service::new().await;
    let mut daemon = service.daemon();
    let at = service.listening().await;
    until(at, "/readyz", |status, text| status == 200 && text == "ok\n").await;
    let (status, verbose) = get(at, "/readyz?verbose").await;
    assert_eq!(status, 200);
    for check in [
        "scheduler",
        "picture",
        "breakers",
        "pause",
        "api",
        "rules",
        "holds",
        "disk",
    ] {
        assert!(verbose.contains(&format!("[+] {check}: ")), "{verbose}");
    }
    let paused = service
        .run(&["pause", "--until", "2999-01-01T00:00:00Z", "--reason", "audit"])
        .await;
    assert!(paused.status.success());
    let answer = until(at, "/readyz", |status, _| status == 503).await;
    assert!(
        answer.contains("[-] pause: until 2999-01-01T00:00:00Z"),
        "{answer}"
    );
    assert_eq!(
        get(at, "/healthz").await.0,
        200,
        "the scheduler turns all the same"
    );
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_other_sites_out() {
    let service = Service::new().await;
    let mut daemon = service.daemon();
    let at = service.listening().await;
    for path in ["/", "/healthz", "/readyz", "/metrics", "/api/status", "/nothing"] {
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
