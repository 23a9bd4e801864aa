//! Several processes on one ledger: whose is what is under way, who leads a sweep, who works at which part.

use std::time::Duration;

use retentiond::ledger::{LedgerError, OpenMode, Opened, Place};
use retentiond::model::{
    BatchId, ErasureScope, FileState, Finding, NewErasure, SweepId, SweepState, SweepSummary, UploadSource,
};
use retentiond::outcome::FileEvent;

use crate::cluster::cluster;
use crate::parts::offered;
use crate::right::{Host, attempt, claim, host, state, sweep, two_files};
use crate::world::{at, digest, id, ids, open, request, settlement};

/// The lease of the peer that has sat longest has run out, as that of a process which was stopped.
pub(crate) const LAPSED: &str = "UPDATE retentiond.peers
     SET lease_until = 1
     WHERE number = (SELECT number FROM retentiond.peers ORDER BY since LIMIT 1)";

/// `count` hosts on one ledger, the first of them the one that has sat longest.
pub(crate) async fn hosts(count: usize) -> (Vec<Host>, Place, String, impl Sized) {
    let (backend, place, database) = two_files().await;
    let mut hosts = Vec::new();
    for _ in 0..count {
        hosts.push(host(&place).await.unwrap());
    }
    (hosts, place, database, backend)
}

pub(crate) fn is_conflict<T: std::fmt::Debug>(said: Result<T, LedgerError>) {
    assert!(matches!(said, Err(LedgerError::Conflict { .. })), "{said:?}");
}

pub(crate) async fn close(host: &Host, sweep: SweepId, state: SweepState) -> Result<(), LedgerError> {
    let summary = SweepSummary::default();
    host.ledger.close_sweep(sweep, state, &summary, at(102)).await
}

/// The server notices the end of a session a moment after it.
pub(crate) async fn until_nobody_else_lives(host: &Host) {
    while host
        .ledger
        .peers()
        .await
        .unwrap()
        .iter()
        .filter(|peer| peer.alive)
        .count()
        > 1
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn what_is_under_way_is_an_orphan_once_its_lease_has_run_out_and_not_before() {
    let (hosts, _, database, _backend) = hosts(2).await;
    let [one, two] = &hosts[..] else { panic!() };
    let run = sweep(one).await;
    let under_way = attempt(one, run, "f1").await;
    assert_eq!(two.ledger.recover_orphans(at(1)).await.unwrap(), 0);
    assert_eq!(state(two, "f1").await, FileState::Deleting);
    // Its own is, at the same time.
    assert_eq!(claim(two, run, "f2").await.unwrap(), 1);
    assert_eq!(two.ledger.recover_orphans(at(1)).await.unwrap(), 1);
    assert_eq!(state(two, "f1").await, FileState::Deleting);
    assert_eq!(state(two, "f2").await, FileState::Unknown);
    cluster().run(&database, LAPSED).await;
    assert_eq!(two.ledger.recover_orphans(at(1)).await.unwrap(), 1);
    assert_eq!(state(two, "f1").await, FileState::Unknown);
    // The stopped one goes on: what it had under way is not its own any more, the rest it claims under a new lease.
    let late = settlement(&["f1"], FileEvent::Confirmed);
    is_conflict(one.ledger.settle(under_way, &late).await);
    assert_eq!(claim(one, run, "f2").await.unwrap(), 1);
    assert_eq!(two.ledger.recover_orphans(at(1)).await.unwrap(), 0);
    assert_eq!(two.ledger.check(true).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_claim_is_good_for_less_time_than_its_lease_lasts() {
    let (hosts, place, database, _backend) = hosts(1).await;
    let run = sweep(&hosts[0]).await;
    let Place::Server(options) = &place else { panic!() };
    let files = ids(&["f1"]);
    let request = request(run.0, run.1, &files, 1000);
    let claimed = hosts[0].ledger.claim(&request, &|_, _| Ok(())).await.unwrap();
    assert_eq!(claimed.good_for, Some(options.lease.trusted));
    // A request of a minute that leaves at the last moment has ended.
    assert!(options.lease.trusted + Duration::from_secs(60) < options.lease.lasts);
    // Each claim renews it.
    let aged = "UPDATE retentiond.peers SET lease_until = lease_until - 120000, seen_at = seen_at - 120000";
    cluster().run(&database, aged).await;
    assert!(hosts[0].ledger.peers().await.unwrap()[0].silent_for >= Duration::from_secs(120));
    assert_eq!(claim(&hosts[0], run, "f2").await.unwrap(), 1);
    assert!(hosts[0].ledger.peers().await.unwrap()[0].silent_for < Duration::from_secs(60));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_lapsed_lease_that_nobody_missed_begins_anew_with_all_that_is_under_way() {
    let (hosts, _, database, _backend) = hosts(2).await;
    let [one, two] = &hosts[..] else { panic!() };
    let run = sweep(one).await;
    let under_way = attempt(one, run, "f1").await;
    cluster().run(&database, LAPSED).await;
    assert_eq!(claim(one, run, "f2").await.unwrap(), 1);
    assert_eq!(two.ledger.recover_orphans(at(1)).await.unwrap(), 0);
    let late = settlement(&["f1"], FileEvent::Confirmed);
    one.ledger.settle(under_way, &late).await.unwrap();
    close(one, run.0, SweepState::Done).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_process_whose_lease_lapsed_recovers_what_was_interrupted_under_a_new_one() {
    let (hosts, _, database, _backend) = hosts(1).await;
    let run = sweep(&hosts[0]).await;
    attempt(&hosts[0], run, "f1").await;
    cluster().run(&database, LAPSED).await;
    assert_eq!(hosts[0].ledger.recover_orphans(at(101)).await.unwrap(), 1);
    assert_eq!(state(&hosts[0], "f1").await, FileState::Unknown);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn what_a_process_left_under_way_itself_is_its_own_orphan() {
    let (hosts, ..) = hosts(1).await;
    let run = sweep(&hosts[0]).await;
    assert_eq!(claim(&hosts[0], run, "f1").await.unwrap(), 1);
    assert_eq!(hosts[0].ledger.recover_orphans(at(1)).await.unwrap(), 1);
    assert_eq!(state(&hosts[0], "f1").await, FileState::Unknown);
}

/// As if somebody without a session, called `name`, had claimed all that is under way.
async fn claimed_by(database: &str, name: &str) {
    let statements = format!(
        "DELETE FROM retentiond.peers WHERE number = 1;
         INSERT INTO retentiond.peers (number, name, version, since, seen_at, lease_until)
         SELECT 1, {name}, version, since, seen_at, lease_until FROM retentiond.peers LIMIT 1;
         UPDATE retentiond.attempts SET peer = 1"
    );
    cluster().run(database, &statements).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn what_a_process_of_this_host_left_that_has_ended_is_an_orphan_at_once() {
    let (hosts, _, database, _backend) = hosts(2).await;
    let [one, two] = &hosts[..] else { panic!() };
    let run = sweep(one).await;
    attempt(one, run, "f1").await;
    // No process has such a number.
    let ended = "regexp_replace(name, '^[0-9]+', '4999999')";
    for still_there in ["name".to_owned(), format!("{ended} || 'er'")] {
        claimed_by(&database, &still_there).await;
        assert_eq!(
            two.ledger.recover_orphans(at(1)).await.unwrap(),
            0,
            "{still_there}"
        );
    }
    claimed_by(&database, ended).await;
    assert_eq!(two.ledger.recover_orphans(at(1)).await.unwrap(), 1);
    assert_eq!(state(two, "f1").await, FileState::Unknown);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_policy_is_swept_by_one_at_a_time_and_taken_over_from_the_dead() {
    let (mut hosts, _, _, _backend) = hosts(2).await;
    let (two, one) = (hosts.pop().unwrap(), hosts.pop().unwrap());
    let scheduled = open("p", Some(at(5)));
    let Opened::New(sweep) = one.ledger.open_sweep(&scheduled).await.unwrap() else {
        panic!()
    };
    for asked in [&scheduled, &open("p", Some(at(6))), &open("p", None)] {
        match two.ledger.open_sweep(asked).await.unwrap() {
            Opened::Elsewhere { sweep: at, by } => {
                assert_eq!(at, sweep);
                assert!(by.starts_with(&format!("{} on ", std::process::id())), "{by}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(
        two.ledger.open_sweep(&open("q", None)).await.unwrap(),
        Opened::New(_)
    ));
    is_conflict(close(&two, sweep, SweepState::Done).await);
    drop(one);
    until_nobody_else_lives(&two).await;
    let resumed = two.ledger.open_sweep(&scheduled).await.unwrap();
    assert_eq!(resumed, Opened::Resumed { sweep, sent: 0 });
    close(&two, sweep, SweepState::Done).await.unwrap();
    assert_eq!(
        two.ledger.open_sweep(&scheduled).await.unwrap(),
        Opened::AlreadyDone(sweep)
    );
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_leader_that_was_stopped_does_not_close_what_another_has_taken_over() {
    let (hosts, _, database, _backend) = hosts(2).await;
    let [one, two] = &hosts[..] else { panic!() };
    let scheduled = open("p", Some(at(5)));
    let Opened::New(sweep) = one.ledger.open_sweep(&scheduled).await.unwrap() else {
        panic!()
    };
    cluster().run(&database, LAPSED).await;
    let resumed = two.ledger.open_sweep(&scheduled).await.unwrap();
    assert_eq!(resumed, Opened::Resumed { sweep, sent: 0 });
    is_conflict(close(one, sweep, SweepState::Done).await);
    assert!(matches!(
        one.ledger.open_sweep(&scheduled).await.unwrap(),
        Opened::Elsewhere { .. }
    ));
    close(two, sweep, SweepState::Done).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn peers_are_shown_with_what_they_do() {
    let (mut hosts, place, _, _backend) = hosts(2).await;
    let sweep = offered(&hosts[0], &["f1"]).await;
    hosts[1]
        .ledger
        .take_part(None, &digest("one"))
        .await
        .unwrap()
        .unwrap();
    let shown = hosts[0].ledger.peers().await.unwrap();
    assert_eq!(shown.len(), 2);
    let (ours, other): (Vec<_>, Vec<_>) = shown.iter().partition(|peer| peer.ours);
    assert!(ours[0].alive && other[0].alive);
    assert_eq!(ours[0].version, env!("CARGO_PKG_VERSION"));
    assert_eq!(
        ours[0]
            .sweep
            .as_ref()
            .map(|(sweep, policy)| (*sweep, policy.as_str())),
        Some((sweep, "p"))
    );
    assert_eq!((ours[0].parts, other[0].parts), (0, 1));
    assert_eq!(other[0].rules, Some(digest("one")));
    assert!(other[0].silent_for < Duration::from_secs(60));
    // Who only reads sees the same, and the dead for a day.
    let reader = place.open(OpenMode::ReadOnly).await.unwrap();
    assert!(
        reader
            .peers()
            .await
            .unwrap()
            .iter()
            .all(|peer| !peer.ours && peer.alive)
    );
    hosts.pop();
    until_nobody_else_lives(&hosts[0]).await;
    let shown = reader.peers().await.unwrap();
    assert_eq!(
        shown.iter().map(|peer| peer.alive).collect::<Vec<_>>(),
        [true, false]
    );
    assert!(reader.take_part(None, &digest("one")).await.unwrap().is_none());
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn uploads_of_a_living_other_are_not_interrupted() {
    let (hosts, _, database, _backend) = hosts(2).await;
    let [one, two] = &hosts[..] else { panic!() };
    one.ledger.begin_upload(&crate::uploads::intent()).await.unwrap();
    let interrupt = || two.ledger.interrupt_uploads(UploadSource::Upload, at(2));
    assert_eq!(interrupt().await.unwrap(), 0);
    cluster().run(&database, LAPSED).await;
    assert_eq!(interrupt().await.unwrap(), 1);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn what_a_living_other_has_erased_is_its_own_to_look_at() {
    let (hosts, _, database, _backend) = hosts(2).await;
    let [one, two] = &hosts[..] else { panic!() };
    let request = NewErasure {
        scope: ErasureScope::Batch(BatchId::new("b1").unwrap()),
        reference: "case 1".to_owned(),
        received: "2026-11-20".parse().unwrap(),
    };
    one.ledger.add_erasure(&request, at(0)).await.unwrap();
    let run = sweep(one).await;
    let under_way = attempt(one, run, "f1").await;
    let confirmed = settlement(&["f1"], FileEvent::Confirmed);
    one.ledger.settle(under_way, &confirmed).await.unwrap();
    let seen_by = async |host: &Host| {
        let erased = host.ledger.erased_unverified(9).await.unwrap().len();
        assert_eq!(host.ledger.unverified(at(0), 9).await.unwrap().len(), erased);
        erased
    };
    assert_eq!((seen_by(one).await, seen_by(two).await), (1, 0));
    // Nobody looks any more once that sweep is over, or that process.
    close(one, run.0, SweepState::Done).await.unwrap();
    assert_eq!(seen_by(two).await, 1);
    let run = sweep(one).await;
    let under_way = attempt(one, run, "f2").await;
    let confirmed = settlement(&["f2"], FileEvent::Confirmed);
    one.ledger.settle(under_way, &confirmed).await.unwrap();
    assert_eq!(seen_by(two).await, 1);
    cluster().run(&database, LAPSED).await;
    assert_eq!(seen_by(two).await, 2);
    let absent = [(id("f1"), Finding::Absent), (id("f2"), Finding::Absent)];
    two.ledger.verified(run.1, &absent, at(103)).await.unwrap();
    assert_eq!(seen_by(two).await, 0);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_sweep_that_its_leader_lets_go_is_claimed_under_by_nobody_and_taken_on_by_whoever_comes() {
    let (hosts, ..) = hosts(2).await;
    let [one, two] = &hosts[..] else { panic!() };
    let scheduled = open("p", Some(at(5)));
    let Opened::New(sweep) = one.ledger.open_sweep(&scheduled).await.unwrap() else {
        panic!()
    };
    let batch = one
        .ledger
        .batch_key(&crate::world::batch_address("b1"))
        .await
        .unwrap();
    let run = (sweep, batch.unwrap());
    two.ledger.let_go(at(6)).await.unwrap();
    assert_eq!(claim(two, run, "f1").await.unwrap(), 1, "only its leader does");
    one.ledger.let_go(at(6)).await.unwrap();
    let peers = two.ledger.peers().await.unwrap();
    assert!(
        peers.iter().all(|peer| peer.alive && peer.sweep.is_none()),
        "{peers:?}"
    );
    for host in [one, two] {
        is_conflict(claim(host, run, "f2").await);
        is_conflict(close(host, sweep, SweepState::Done).await);
    }
    let resumed = two.ledger.open_sweep(&scheduled).await.unwrap();
    assert_eq!(resumed, Opened::Resumed { sweep, sent: 1 });
    assert_eq!(claim(one, run, "f2").await.unwrap(), 1);
    close(two, sweep, SweepState::Done).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn what_others_have_asked_for_is_known_until_their_lease_is_over() {
    let (hosts, _, database, _backend) = hosts(2).await;
    let [one, two] = &hosts[..] else { panic!() };
    let run = sweep(one).await;
    let first = attempt(one, run, "f1").await;
    attempt(two, run, "f2").await;
    let asked = async |host: &Host| host.ledger.asked_by_others(run.0).await.unwrap();
    assert_eq!(asked(one).await, [(run.1, ids(&["f2"]))]);
    assert_eq!(asked(two).await, [(run.1, ids(&["f1"]))]);
    // A cut session does not end a request.
    cluster().run(&database, crate::right::CUT).await;
    assert_eq!(asked(two).await, [(run.1, ids(&["f1"]))]);
    let confirmed = settlement(&["f1"], FileEvent::Confirmed);
    one.ledger.settle(first, &confirmed).await.unwrap();
    assert_eq!(asked(two).await, []);
    cluster()
        .run(&database, "UPDATE retentiond.peers SET lease_until = 1")
        .await;
    assert_eq!(asked(one).await, []);
}
