//! Several processes on one ledger: whose is what is under way, who leads a sweep, who works at which part.

use std::collections::BTreeSet;
use std::time::Duration;

use retentiond::ledger::{
    Ledger, LedgerError, Offer, OpenMode, OpenSweep, Opened, Part, PartsLeft, Place, TakenPart,
};
use retentiond::model::{BatchKey, FileState, SweepId, SweepState, SweepSummary, UploadSource};
use retentiond::outcome::FileEvent;

use crate::cluster::cluster;
use crate::right::{Host, attempt, claim, host, state, sweep, two_files};
use crate::world::{World, at, digest, id, ids, open, request, settlement};

/// The lease of the peer that has sat longest has run out, as that of a process which was stopped.
pub(crate) const LAPSED: &str = "UPDATE retentiond.peers
     SET lease_until = 1
     WHERE number = (SELECT number FROM retentiond.peers ORDER BY since LIMIT 1)";

/// `count` hosts on one ledger, the first of them the one that has sat longest.
async fn hosts(count: usize) -> (Vec<Host>, Place, String, impl Sized) {
    let (backend, place, database) = two_files().await;
    let mut hosts = Vec::new();
    for _ in 0..count {
        hosts.push(host(&place).await.unwrap());
    }
    (hosts, place, database, backend)
}

fn is_conflict<T: std::fmt::Debug>(said: Result<T, LedgerError>) {
    assert!(matches!(said, Err(LedgerError::Conflict { .. })), "{said:?}");
}

async fn close(host: &Host, sweep: SweepId, state: SweepState) -> Result<(), LedgerError> {
    let summary = SweepSummary::default();
    host.ledger.close_sweep(sweep, state, &summary, at(102)).await
}

/// The server notices the end of a session a moment after it.
async fn until_nobody_else_lives(host: &Host) {
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

// Parts ------------------------------------------------------------------------------------------

fn parts(batch: BatchKey, names: &[&str]) -> Vec<Part> {
    let part = |name: &&str| Part {
        batch,
        files: vec![(id(name), at(24))],
    };
    names.iter().map(part).collect()
}

async fn take(host: &Host, of: Option<SweepId>) -> Option<TakenPart> {
    host.ledger.take_part(of, &digest("one")).await.unwrap()
}

fn sent(sent: u64) -> SweepSummary {
    SweepSummary {
        sent,
        ..SweepSummary::default()
    }
}

/// A sweep of the first host with a part for each file.
async fn offered(leader: &Host, names: &[&str]) -> SweepId {
    let (sweep, batch) = sweep(leader).await;
    let offer = Offer { sweep, budget: 9 };
    assert!(leader.ledger.offer(&offer, &parts(batch, names)).await.unwrap());
    sweep
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn nothing_is_offered_where_nobody_else_lives() {
    let (hosts, place, _, _backend) = hosts(1).await;
    let (sweep, batch) = sweep(&hosts[0]).await;
    let offer = Offer { sweep, budget: 9 };
    let parts = parts(batch, &["f1"]);
    assert!(!hosts[0].ledger.offer(&offer, &parts).await.unwrap());
    assert_eq!(take(&hosts[0], Some(sweep)).await, None);
    let two = host(&place).await.unwrap();
    assert!(hosts[0].ledger.offer(&offer, &parts).await.unwrap());
    // Only the leader offers.
    is_conflict(two.ledger.offer(&offer, &parts).await);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_part_comes_as_it_was_offered_and_is_counted_once() {
    let (hosts, _, _, _backend) = hosts(2).await;
    let [one, two] = &hosts[..] else { panic!() };
    let sweep = offered(one, &["f1", "f2"]).await;
    // Whoever leads works at its own sweep by name only.
    assert_eq!(take(one, None).await, None);
    let other_rules = two.ledger.take_part(None, &digest("two")).await.unwrap();
    assert_eq!(other_rules, None);
    let first = take(two, None).await.unwrap();
    assert_eq!(
        (first.sweep, first.policy.as_str(), first.budget, first.takes),
        (sweep, "p", 9, 1)
    );
    assert_eq!(*first.address, crate::world::batch_address("b1"));
    assert_eq!(first.part.files, [(id("f1"), at(24))]);
    let second = take(one, Some(sweep)).await.unwrap();
    assert_eq!(second.part.files, [(id("f2"), at(24))]);
    assert_eq!(take(two, Some(sweep)).await, None);
    let left = |waiting, under_way| PartsLeft { waiting, under_way };
    assert_eq!(one.ledger.parts_left(sweep).await.unwrap(), left(0, 2));
    is_conflict(one.ledger.end_part(first.id, &sent(7), 0).await);
    two.ledger.end_part(first.id, &sent(1), 3).await.unwrap();
    is_conflict(two.ledger.end_part(first.id, &sent(1), 3).await);
    assert_eq!(one.ledger.parts_left(sweep).await.unwrap(), left(0, 1));
    one.ledger.end_part(second.id, &sent(2), 0).await.unwrap();
    assert_eq!(one.ledger.parts_left(sweep).await.unwrap(), left(0, 0));
    assert_eq!(one.ledger.parts_done(sweep).await.unwrap(), (sent(3), 3));
    assert_eq!(one.ledger.parts_done(sweep).await.unwrap(), (sent(0), 0));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_part_whose_taker_is_stopped_or_stops_is_free_again() {
    let (hosts, _, database, _backend) = hosts(2).await;
    let [stopped, leader] = &hosts[..] else { panic!() };
    let sweep = offered(leader, &["f1"]).await;
    let part = take(stopped, None).await.unwrap();
    assert_eq!(take(leader, Some(sweep)).await, None);
    cluster().run(&database, LAPSED).await;
    assert_eq!(leader.ledger.parts_left(sweep).await.unwrap().waiting, 1);
    let again = take(leader, Some(sweep)).await.unwrap();
    assert_eq!((again.id, again.takes), (part.id, 2));
    is_conflict(stopped.ledger.end_part(part.id, &sent(1), 0).await);
    // By its own will, and when it looks after what it left.
    assert_eq!(leader.ledger.give_parts_back().await.unwrap(), 1);
    assert_eq!(take(leader, Some(sweep)).await.unwrap().takes, 3);
    assert_eq!(leader.ledger.recover_orphans(at(1)).await.unwrap(), 0);
    assert_eq!(take(stopped, None).await.unwrap().takes, 4);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_sweep_that_goes_on_under_other_rules_is_shared_under_those() {
    let (hosts, _, _, _backend) = hosts(2).await;
    let [leader, two] = &hosts[..] else { panic!() };
    let (manual, batch) = sweep(leader).await;
    close(leader, manual, SweepState::Done).await.unwrap();
    let scheduled = open("p", Some(at(90)));
    let Opened::New(sweep) = leader.ledger.open_sweep(&scheduled).await.unwrap() else {
        panic!()
    };
    close(leader, sweep, SweepState::Cut).await.unwrap();
    let again = OpenSweep {
        digest: digest("two"),
        ..scheduled
    };
    assert_eq!(
        leader.ledger.open_sweep(&again).await.unwrap(),
        Opened::Resumed { sweep, sent: 0 }
    );
    let offer = Offer { sweep, budget: 9 };
    assert!(leader.ledger.offer(&offer, &parts(batch, &["f1"])).await.unwrap());
    let by = async |host: &Host, of, rules: &str| host.ledger.take_part(of, &digest(rules)).await.unwrap();
    assert_eq!(by(two, None, "one").await, None);
    assert_eq!(by(leader, Some(sweep), "one").await, None);
    assert!(by(two, None, "two").await.is_some());
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn parts_are_nobodys_once_their_sweep_has_ended_or_its_leader_is_dead() {
    let (hosts, _, database, _backend) = hosts(2).await;
    let [leader, two] = &hosts[..] else { panic!() };
    let sweep = offered(leader, &["f1", "f2"]).await;
    let part = take(two, None).await.unwrap();
    cluster().run(&database, LAPSED).await;
    assert_eq!(take(two, None).await, None, "its leader is dead");
    assert_eq!(leader.ledger.give_parts_back().await.unwrap(), 0);
    close(leader, sweep, SweepState::Cut).await.unwrap();
    assert_eq!(take(two, Some(sweep)).await, None);
    is_conflict(two.ledger.end_part(part.id, &sent(1), 0).await);
    assert_eq!(two.ledger.parts_left(sweep).await.unwrap(), PartsLeft::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn three_hundred_parts_are_each_taken_once_by_three() {
    let (hosts, _, _, _backend) = hosts(3).await;
    let names: Vec<String> = (0..300).map(|n| format!("g{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let sweep = offered(&hosts[0], &names).await;
    let working = hosts.iter().map(|host| async move {
        let mut files = Vec::new();
        while let Some(part) = take(host, Some(sweep)).await {
            assert_eq!(part.takes, 1);
            host.ledger.end_part(part.id, &sent(1), 0).await.unwrap();
            files.extend(part.part.files.into_iter().map(|(file, _)| file));
        }
        files
    });
    let taken = futures_util::future::join_all(working).await;
    for files in &taken {
        assert!(!files.is_empty(), "one of three came away with nothing");
    }
    let taken: Vec<_> = taken.into_iter().flatten().collect();
    assert_eq!(taken.len(), 300);
    assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), 300);
    assert_eq!(hosts[0].ledger.parts_done(sweep).await.unwrap(), (sent(300), 0));
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
async fn beside_a_file_nothing_is_shared() {
    let world = World::sqlite().await;
    let batch = world.record_due(&["f1"]).await;
    let sweep = world.sweep().await;
    let ledger: &dyn Ledger = world.ledger.as_ref();
    let offer = Offer { sweep, budget: 9 };
    assert!(!ledger.offer(&offer, &parts(batch, &["f1"])).await.unwrap());
    assert!(
        ledger
            .take_part(Some(sweep), &digest("one"))
            .await
            .unwrap()
            .is_none()
    );
    assert!(ledger.peers().await.unwrap().is_empty());
    assert_eq!(ledger.parts_left(sweep).await.unwrap(), PartsLeft::default());
    assert_eq!(world.claim(sweep, batch, &["f1"]).await.good_for, None);
}
