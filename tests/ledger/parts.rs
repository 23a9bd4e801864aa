//! Parts of sweeps: offered, taken, ended, handed on.

use std::collections::BTreeSet;

use retentiond::ledger::{Offer, OpenSweep, Opened, Part, PartsLeft, TakenPart};
use retentiond::model::{BatchKey, FileState, SweepId, SweepState, SweepSummary};
use retentiond::outcome::FileEvent;

use crate::cluster::cluster;
use crate::peers::{LAPSED, close, hosts, is_conflict};
use crate::right::{Host, attempt, host, sweep};
use crate::world::{at, digest, id, open, settlement};

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
pub(crate) async fn offered(leader: &Host, names: &[&str]) -> SweepId {
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
async fn a_part_that_is_handed_on_keeps_its_counts_and_its_rest_is_free() {
    let (hosts, ..) = hosts(2).await;
    let [one, two] = &hosts[..] else { panic!() };
    let (sweep, batch) = sweep(one).await;
    let offer = Offer { sweep, budget: 9 };
    let both = Part {
        batch,
        files: vec![(id("f2"), at(24)), (id("f1"), at(25))],
    };
    assert!(one.ledger.offer(&offer, &[both]).await.unwrap());
    let first = take(two, None).await.unwrap();
    let done = attempt(two, (sweep, batch), "f2").await;
    let confirmed = settlement(&["f2"], FileEvent::Confirmed);
    two.ledger.settle(done, &confirmed).await.unwrap();
    is_conflict(one.ledger.hand_on(first.id, &sent(1)).await);
    two.ledger.hand_on(first.id, &sent(1)).await.unwrap();
    is_conflict(two.ledger.hand_on(first.id, &sent(1)).await);
    let left = PartsLeft {
        waiting: 1,
        under_way: 0,
    };
    assert_eq!(one.ledger.parts_left(sweep).await.unwrap(), left);
    let rest = take(one, Some(sweep)).await.unwrap();
    assert_eq!(
        (rest.takes, rest.budget, rest.part.files),
        (2, 9, vec![(id("f1"), at(25))])
    );
    // What is over makes no part.
    let done = attempt(one, (sweep, batch), "f1").await;
    let gone = settlement(&["f1"], FileEvent::FoundGone);
    one.ledger.settle(done, &gone).await.unwrap();
    assert_eq!(crate::right::state(one, "f1").await, FileState::Gone);
    one.ledger.hand_on(rest.id, &sent(2)).await.unwrap();
    assert_eq!(one.ledger.parts_left(sweep).await.unwrap(), PartsLeft::default());
    assert_eq!(one.ledger.parts_done(sweep).await.unwrap(), (sent(3), 0));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn parts_that_are_withdrawn_are_those_that_nobody_works_at() {
    let (hosts, _, database, _backend) = hosts(3).await;
    let [dead, leader, two] = &hosts[..] else { panic!() };
    let sweep = offered(leader, &["f1", "f2", "f3", "f4"]).await;
    let ended = take(two, None).await.unwrap();
    two.ledger.end_part(ended.id, &sent(1), 0).await.unwrap();
    take(dead, None).await.unwrap();
    let under_way = take(two, None).await.unwrap();
    cluster().run(&database, LAPSED).await;
    leader.ledger.withdraw(sweep).await.unwrap();
    let left = PartsLeft {
        waiting: 0,
        under_way: 1,
    };
    assert_eq!(leader.ledger.parts_left(sweep).await.unwrap(), left);
    assert_eq!(take(leader, Some(sweep)).await, None);
    two.ledger.end_part(under_way.id, &sent(2), 0).await.unwrap();
    assert_eq!(leader.ledger.parts_done(sweep).await.unwrap(), (sent(3), 0));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn no_part_is_taken_by_rules_that_are_not_in_force_any_more() {
    let (hosts, ..) = hosts(2).await;
    let [leader, two] = &hosts[..] else { panic!() };
    leader
        .ledger
        .adopt_rules(&digest("one"), "", at(0))
        .await
        .unwrap();
    let sweep = offered(leader, &["f1", "f2"]).await;
    assert!(take(two, None).await.is_some());
    two.ledger.adopt_rules(&digest("two"), "", at(1)).await.unwrap();
    for (host, of) in [(leader, Some(sweep)), (two, None), (two, Some(sweep))] {
        assert_eq!(take(host, of).await, None);
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn what_a_leader_that_failed_has_left_is_forgotten_once_the_next_sweep_takes_its_place() {
    let (hosts, _, _, _backend) = hosts(2).await;
    let [leader, two] = &hosts[..] else { panic!() };
    let sweep = offered(leader, &["f1", "f2"]).await;
    let part = take(two, None).await.unwrap();
    leader.ledger.let_go(at(1)).await.unwrap();
    let left = PartsLeft {
        waiting: 1,
        under_way: 1,
    };
    assert_eq!(two.ledger.parts_left(sweep).await.unwrap(), left);
    let next = two.ledger.open_sweep(&open("p", Some(at(90)))).await.unwrap();
    assert!(matches!(next, Opened::New(_)), "{next:?}");
    assert_eq!(two.ledger.parts_left(sweep).await.unwrap(), PartsLeft::default());
    is_conflict(two.ledger.end_part(part.id, &sent(1), 0).await);
}
