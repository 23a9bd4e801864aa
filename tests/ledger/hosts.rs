//! Several hosts on one server: clocks and anomalies of each, and the anchor of one that joins.

use std::sync::Arc;

use retentiond::ledger::{Ledger, OpenMode, Place};
use retentiond::model::{ClockAnomaly, ClockMark};

use crate::cluster::cluster;
use crate::world::{Postgres, at, digest, file, hinted};

struct Host {
    backend: Postgres,
    ledger: Arc<dyn Ledger>,
}

impl Host {
    /// One more on this database.
    async fn on(url: &str) -> Self {
        let backend = Postgres {
            url: url.to_owned(),
            dir: tempfile::tempdir().unwrap(),
        };
        let ledger = opened(&backend).await;
        Self { backend, ledger }
    }

    async fn again(self) -> Self {
        drop(self.ledger);
        let ledger = opened(&self.backend).await;
        Self { ledger, ..self }
    }

    async fn note(&self, identity: &str) -> bool {
        let anomaly = ClockAnomaly {
            identity: identity.to_owned(),
            seen_at: at(1),
            skew_ms: 600_000,
            resolved_at: None,
        };
        self.ledger.add_anomaly(&anomaly).await.unwrap()
    }

    async fn objects(&self) -> bool {
        self.ledger.other_clocks().await.unwrap().objecting.is_some()
    }
}

async fn opened(backend: &Postgres) -> Arc<dyn Ledger> {
    let place = Place::Server(backend.options());
    place.open(OpenMode::ReadWrite).await.unwrap()
}

async fn two() -> (Host, Host, String) {
    let url = cluster().fresh().await;
    let name = url.split(['/', '?']).nth(3).unwrap().to_owned();
    (Host::on(&url).await, Host::on(&url).await, name)
}

fn mark(hours: i64, boot: &str) -> ClockMark {
    ClockMark {
        wall: at(hours),
        boottime_ms: hours * 3_600_000,
        boot_id: boot.to_owned(),
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn each_host_has_its_own_reading_and_hears_of_the_others_and_the_servers() {
    let (one, two, _) = two().await;
    one.ledger.set_clock_mark(&mark(5, "boot-1")).await.unwrap();
    two.ledger.set_clock_mark(&mark(3, "boot-2")).await.unwrap();
    one.ledger.set_clock_mark(&mark(4, "boot-1")).await.unwrap();
    assert_eq!(
        one.ledger.clock_mark().await.unwrap(),
        Some((mark(4, "boot-1"), at(5)))
    );
    assert_eq!(
        two.ledger.clock_mark().await.unwrap(),
        Some((mark(3, "boot-2"), at(3)))
    );
    let (heard, other) = (
        one.ledger.other_clocks().await.unwrap(),
        two.ledger.other_clocks().await.unwrap(),
    );
    assert_eq!((heard.peers, other.peers), (Some(at(3)), Some(at(5))));
    assert_ne!(heard.host, other.host);
    // The server's clock is this machine's.
    let now = retentiond::engine::Clock::now(&retentiond::engine::SystemClock);
    assert!(heard.server.unwrap().millis_since(now).abs() < 60_000);
    // What one settled holds for what the other had stored above it, too.
    two.ledger.reset_high_water(&mark(2, "boot-2")).await.unwrap();
    assert_eq!(one.ledger.clock_mark().await.unwrap().unwrap().1, at(2));
    let third = Host::on(&one.backend.url).await;
    assert_eq!(
        third.ledger.clock_mark().await.unwrap(),
        None,
        "nothing is known of its clock"
    );
    let one = one.again().await;
    assert_eq!(
        one.ledger.clock_mark().await.unwrap().unwrap().0,
        mark(4, "boot-1")
    );
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_reading_from_before_there_were_hosts_is_that_of_the_first() {
    let (one, two, database) = two().await;
    one.ledger.set_clock_mark(&mark(5, "boot-1")).await.unwrap();
    cluster().run(&database, "DELETE FROM retentiond.clocks").await;
    assert_eq!(
        two.ledger.clock_mark().await.unwrap(),
        Some((mark(5, "boot-1"), at(5)))
    );
    two.ledger.set_clock_mark(&mark(4, "boot-1")).await.unwrap();
    assert_eq!(
        two.ledger.clock_mark().await.unwrap(),
        Some((mark(4, "boot-1"), at(5)))
    );
    assert_eq!(one.ledger.clock_mark().await.unwrap(), None);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn an_anomaly_is_resolved_by_its_own_host_or_by_a_days_silence_or_by_an_operator() {
    let (one, two, database) = two().await;
    assert!(one.note("a").await);
    assert!(!one.note("a").await, "counted once");
    assert!(two.note("b").await);
    assert_eq!(one.ledger.barriers().await.unwrap().anomalies.len(), 1);
    assert!(one.objects().await && two.objects().await);
    // A healthy word is one's own.
    two.ledger.resolve_anomalies(at(2)).await.unwrap();
    assert!(!one.objects().await && two.objects().await);
    let (ever, standing) = two.ledger.anomalies().await.unwrap();
    assert_eq!((ever, standing.len()), (2, 1), "all are shown to all");
    // A host that has been silent for a day is gone; one that goes on saying so is not.
    let silence = "UPDATE retentiond.anomalies SET heard_at = heard_at - 86400001";
    cluster().run(&database, silence).await;
    assert!(!two.objects().await);
    assert_eq!(two.ledger.anomalies().await.unwrap().1, []);
    assert!(!one.note("a").await);
    assert!(two.objects().await);
    assert_eq!(one.ledger.barriers().await.unwrap().anomalies.len(), 1);
    // An operator at the other host.
    one.ledger.set_clock_mark(&mark(50, "boot-1")).await.unwrap();
    two.ledger
        .vouch_for_clock(&mark(7, "boot-2"), at(7))
        .await
        .unwrap();
    assert!(!two.objects().await);
    assert_eq!(one.ledger.barriers().await.unwrap().anomalies, []);
    let (anew, high) = one.ledger.clock_mark().await.unwrap().unwrap();
    assert_eq!(
        (anew.boot_id.as_str(), high),
        ("", at(7)),
        "no reading of its own counts"
    );
    assert_eq!(
        two.ledger.clock_mark().await.unwrap(),
        Some((mark(7, "boot-2"), at(7)))
    );
}

async fn write(host: &Host, name: &str) {
    let rows = [hinted(file("b1", name), "p", 0)];
    host.ledger.record(&rows, &digest("one"), at(0)).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_host_that_joins_has_no_anchor_and_one_that_was_here_must_have_it() {
    let (one, two, _) = two().await;
    write(&one, "f1").await;
    for host in [&one, &two] {
        assert_eq!(host.ledger.rollback().await.unwrap(), None);
    }
    let late = Host::on(&one.backend.url).await;
    assert_eq!(late.ledger.rollback().await.unwrap(), None, "never here before");
    assert_eq!(
        one.ledger.rollback().await.unwrap(),
        None,
        "an anchor that lags is none behind"
    );
    // It has only looked so far: without a word of its clock it was never about to delete.
    std::fs::remove_file(late.backend.dir.path().join("ledger.anchor")).unwrap();
    assert_eq!(late.ledger.rollback().await.unwrap(), None);
    late.ledger.set_clock_mark(&mark(1, "boot-3")).await.unwrap();
    assert_eq!(late.ledger.rollback().await.unwrap(), None);
    std::fs::remove_file(late.backend.dir.path().join("ledger.anchor")).unwrap();
    let late = late.again().await;
    let found = late.ledger.rollback().await.unwrap().unwrap();
    assert!(found.contains("anchor") && found.contains("missing"), "{found}");
    // The ledger is one: all stop.
    assert!(one.ledger.rollback().await.unwrap().is_some());
    late.ledger.accept_lineage(at(2)).await.unwrap();
    for host in [&one, &two, &late] {
        assert_eq!(host.ledger.rollback().await.unwrap(), None);
        write(host, "f2").await;
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_database_behind_the_anchor_of_any_host_is_an_older_copy() {
    let (one, two, database) = two().await;
    write(&two, "f1").await;
    assert_eq!(one.ledger.rollback().await.unwrap(), None);
    let back = "UPDATE retentiond.lineage SET sequence = sequence - 1";
    cluster().run(&database, back).await;
    assert!(
        two.ledger
            .rollback()
            .await
            .unwrap()
            .unwrap()
            .contains("lacks the last 1")
    );
    assert!(one.ledger.rollback().await.unwrap().is_some());
}
