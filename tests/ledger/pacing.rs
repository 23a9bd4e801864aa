//! The spacing of calls that several processes on one server share.

use std::sync::Arc;
use std::time::Duration;

use retentiond::ledger::{CallStart, Lane, OpenMode, Pacing, Place};
use tokio::time::Instant;

use crate::cluster::cluster;
use crate::world::Postgres;

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(600);

fn lane(account: &str, endpoint: &'static str) -> Lane {
    Lane {
        account: account.to_owned(),
        endpoint,
    }
}

/// A database with a ledger, what hands out starts in it for `hosts` processes, and its name.
async fn server(hosts: usize) -> (Postgres, Vec<Arc<dyn Pacing>>, String) {
    let backend = Postgres::fresh().await;
    let place = Place::Server(backend.options());
    place.open(OpenMode::ReadWrite).await.unwrap();
    let pacings = (0..hosts).map(|_| place.pacing().unwrap().unwrap()).collect();
    let name = backend.url.split(['/', '?']).nth(3).unwrap().to_owned();
    (backend, pacings, name)
}

fn wait(start: CallStart) -> Duration {
    match start {
        CallStart::In(wait) => wait,
        CallStart::NotFor(wait) => panic!("not for {wait:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn processes_side_by_side_are_given_starts_an_interval_apart() {
    let (_backend, pacings, _) = server(4).await;
    // A connection each, so that the race is between statements.
    for pacing in &pacings {
        pacing
            .next_call(&lane("b", "reads"), Duration::ZERO, LONG)
            .await
            .unwrap();
    }
    let interval = 2_000 * MS;
    let begin = Instant::now();
    let racers: Vec<_> = pacings
        .into_iter()
        .map(|pacing| {
            tokio::spawn(async move {
                let mut starts = Vec::new();
                for _ in 0..25 {
                    let start = pacing.next_call(&lane("a", "reads"), interval, LONG).await;
                    starts.push(begin.elapsed() + wait(start.unwrap()));
                }
                starts
            })
        })
        .collect();
    let mut starts = Vec::new();
    for racer in racers {
        starts.extend(racer.await.unwrap());
    }
    starts.sort_unstable();
    assert_eq!(starts.len(), 100);
    // What an answer takes on its way is added to its wait: no start is given twice, and none is left out.
    for (place, pair) in starts.windows(2).enumerate() {
        let apart = pair[1] - pair[0];
        assert!(
            apart > 1_000 * MS && apart < 3_000 * MS,
            "{place}: {apart:?} apart"
        );
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_pause_holds_for_all_of_its_account_and_endpoint_and_for_no_other() {
    let (_backend, pacings, _) = server(2).await;
    let (one, other) = (&pacings[0], &pacings[1]);
    let minute = Duration::from_secs(60);
    one.put_off_calls(&lane("a", "deletes"), minute).await.unwrap();
    // A shorter one takes nothing from it.
    other.put_off_calls(&lane("a", "deletes"), 5 * MS).await.unwrap();
    for interval in [Duration::ZERO, Duration::from_secs(2)] {
        let asked = other
            .next_call(&lane("a", "deletes"), interval, LONG / 60)
            .await
            .unwrap();
        let CallStart::NotFor(closed) = asked else {
            panic!("{interval:?}: {asked:?}")
        };
        assert!(closed > minute / 2 && closed <= minute, "{closed:?}");
    }
    // Whoever waits for longer is given the start after it; who would not was given none.
    let start = wait(
        other
            .next_call(&lane("a", "deletes"), minute, LONG)
            .await
            .unwrap(),
    );
    assert!(start > minute / 2 && start <= minute, "{start:?}");
    let next = wait(one.next_call(&lane("a", "deletes"), minute, LONG).await.unwrap());
    assert!(next > start + minute / 2, "{next:?}");
    for free in [lane("a", "reads"), lane("b", "deletes")] {
        assert_eq!(
            wait(other.next_call(&free, minute, LONG).await.unwrap()),
            Duration::ZERO
        );
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_server_whose_clock_was_set_back_stops_nobody_for_long_and_a_cut_is_not_noticed() {
    let (_backend, pacings, database) = server(1).await;
    let lane = lane("a", "reads");
    let minute = Duration::from_secs(60);
    wait(pacings[0].next_call(&lane, minute, LONG).await.unwrap());
    let far = "UPDATE retentiond.pacing SET next_at = next_at + INTERVAL '30 days';
         SELECT pg_terminate_backend(pid, 10000)
         FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'retentiond'";
    cluster().run(&database, far).await;
    assert_eq!(
        wait(pacings[0].next_call(&lane, minute, LONG).await.unwrap()),
        Duration::ZERO
    );
    let next = wait(pacings[0].next_call(&lane, minute, LONG).await.unwrap());
    assert!(next > minute / 2 && next <= minute, "{next:?}");
}

#[tokio::test]
async fn beside_a_file_there_is_nobody_to_share_with() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::File(dir.path().join("ledger.db"));
    assert!(place.pacing().unwrap().is_none());
}
