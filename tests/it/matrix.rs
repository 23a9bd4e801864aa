//! What the network and the API may do to one delete, a fault a case, over real HTTP: what the ledger then says, how
//! many requests reached the server, how it ends, and that no file outside the list was touched.
//!
//! `cases` plays one case, `judge` holds against it what must hold always; the tables are in `answers` and `bodies`
//! (what the API says), `waits` (429) and `wire` (what the
//! connection does, and addresses at which nobody can be reached).

mod answers;
mod bodies;
mod cases;
mod judge;
mod waits;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::net::TcpListener;

use self::cases::{Case, Deletes, Place, play};

/// Where redirects point: whoever connects is counted.
struct Trap {
    address: String,
    connections: Arc<AtomicUsize>,
}

impl Trap {
    async fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/elsewhere", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, connections }
    }
}

fn table(trap: &Trap) -> Vec<Case> {
    let mut cases = answers::cases(&trap.address);
    cases.extend(bodies::cases());
    cases.extend(waits::cases());
    cases.extend(wire::cases());
    cases
}

/// Plays all cases, several at a time, and reports every one that went wrong.
async fn play_all(what: &str, cases: Vec<Case>) {
    let count = cases.len();
    let wrong: Vec<String> = futures_util::stream::iter(cases)
        .map(|case| async move {
            let name = case.name.clone();
            let patience = Duration::from_secs(120);
            match tokio::time::timeout(patience, play(case)).await {
                Ok(problems) => problems.into_iter().map(|p| format!("{name}: {p}")).collect(),
                Err(_) => vec![format!("{name}: it does not end")],
            }
        })
        .buffer_unordered(6)
        .map(futures_util::stream::iter)
        .flatten()
        .collect()
        .await;
    println!("HTTP matrix, {what}: {count} cases, {} wrong", wrong.len());
    assert!(
        wrong.is_empty(),
        "{} of {count} cases:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_to_a_list_is_written_as_what_it_proves() {
    let trap = Trap::set().await;
    let cases = table(&trap);
    play_all("the list of ten", cases).await;
    assert_eq!(
        trap.connections.load(Ordering::SeqCst),
        0,
        "a redirect was followed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_answers_to_the_first_file_of_a_sweep_lose_and_widen_nothing() {
    let trap = Trap::set().await;
    let mut cases = table(&trap);
    // Twins that differ only in whether it was done differ only in the table's figures.
    cases.retain(|case| !case.name.ends_with(", done"));
    for case in &mut cases {
        case.place = Place::FirstFile;
    }
    play_all("the first file", cases).await;
    assert_eq!(
        trap.connections.load(Ordering::SeqCst),
        0,
        "a redirect was followed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_left_the_machine_is_written_as_not_sent_and_leaves_every_file_live() {
    let (cases, servers) = wire::unreachable().await;
    assert!(
        cases
            .iter()
            .all(|case| !matches!(case.deletes, Deletes::AtSandbox))
    );
    play_all("not sent", cases).await;
    for server in servers {
        assert_eq!(server.requests(), 0, "{}: a request came through", server.name);
    }
}
