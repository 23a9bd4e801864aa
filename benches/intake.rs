//! Requests a second and p99 of the intake endpoint: `cargo bench --bench intake`. Prints, judges nothing.
//!
//! Real HTTP on loopback, a real ledger (WAL, `synchronous=FULL`) in the temporary directory; every request
//! is one row and is answered after its commit.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark: it has no outside, prints its figures, measures with the machine's clock, and a panic is its way to fail"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use retentiond::config::{self, Checked};
use retentiond::http::{self, Door, Hosts, INTAKE_BODY_BYTES, Limits, Token};
use retentiond::intake::desk::{Desk, Ruled};
use retentiond::ledger::{Ledger, OpenMode, SqliteLedger};
use retentiond::rules::policy::RuleSet;
use tokio_util::sync::CancellationToken;

const REQUESTS: usize = 4000;

struct InForce(Checked);

impl Ruled for InForce {
    fn rules(&self) -> &RuleSet {
        &self.0.rules
    }
}

fn main() {
    // `cargo test --all-targets` only asks whether it builds.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("clients  requests/s   p50        p99");
    for clients in [1, 8, 32] {
        runtime.block_on(round(clients));
    }
}

async fn round(clients: usize) {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("ledger.db").display());
    let text = format!(
        "timezone = \"UTC\"\n[ledger]\nurl = \"{url}\"\n[[policy]]\nname = \"all\"\nmatch = \"everything\"\ndelete_after = \"30 days\"\nschedule = \"0 3 * * *\"\n"
    );
    let checked = config::parse("policies.toml", &text).unwrap_or_else(|p| panic!("{}", p.render(false)));
    let ledger: Arc<dyn Ledger> = Arc::new(SqliteLedger::open(&url, OpenMode::ReadWrite).await.unwrap());
    let rules: Arc<dyn Ruled> = Arc::new(InForce(checked));
    let now = "2026-05-04T10:00:00Z".parse().unwrap();
    let desk = Arc::new(Desk::new(ledger, move || Arc::clone(&rules), None, move || now));
    let token = secrecy::SecretString::from("bench");
    let router = http::intake_routes(desk, Some(Token::new(&token)));
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    let door = Door {
        name: "bench",
        limits: Limits {
            body_bytes: INTAKE_BODY_BYTES,
            ..Limits::default()
        },
        hosts: Hosts::named([]),
        figures: Arc::default(),
    };
    let stop = CancellationToken::new();
    let serving = tokio::spawn(http::listen(socket, router, door, stop.clone()));

    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for client in 0..clients {
        tasks.spawn(async move {
            let http = reqwest::Client::new();
            let mut took: Vec<Duration> = Vec::new();
            for n in 0..REQUESTS / clients {
                let row = format!(
                    r#"{{"classification_id":"c","batch_id":"b{client}","file_id":"f{client}-{n}"}}"#
                );
                let sent = Instant::now();
                let request = http.post(format!("http://{at}/v1/files")).bearer_auth("bench");
                let answer = request
                    .header("content-type", "application/json")
                    .body(row)
                    .send()
                    .await
                    .unwrap();
                assert!(answer.status().is_success());
                took.push(sent.elapsed());
            }
            took
        });
    }
    let mut took: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
    let rate = took.len() as f64 / began.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)];
    println!("{clients:>7}  {rate:>10.0}   {:>7.2?}   {:>7.2?}", at(50), at(99));
    stop.cancel();
    serving.await.unwrap();
}
