//! Clock, pause, orphans, a foreign file: what has to be right before anything is deleted.

use retentiond::engine::{Ending, Stop, SweepError};
use retentiond::ledger::ClaimRequest;
use retentiond::model::{AttemptKind, BreakerKind, FileState, Pause};
use retentiond::sandbox::Endpoint;

use crate::harness::{DAY_MS, World};

#[tokio::test]
async fn a_clock_that_jumps_ahead_deletes_nothing_and_the_api_does_not_vouch_for_it() {
    let world = World::new().await;
    let batch = world.upload(5).await;
    world.sweep().await;
    // The sandbox shares this clock, so its Date is set back to where it should be.
    for years in [1, 50] {
        world.clock.jump(years * 365 * DAY_MS);
        world.server.set_clock_skew(-years * 365 * DAY_MS);
        let report = world.sweep().await;
        assert!(matches!(
            report.ending,
            Ending::Stopped {
                by: Stop::Breaker {
                    kind: BreakerKind::Clock,
                    ..
                }
            }
        ));
        let again = world.sweep().await;
        assert!(
            matches!(again.ending, Ending::Stopped { .. }),
            "it does not wear off"
        );
        world.clock.jump(-years * 365 * DAY_MS);
        world.server.set_clock_skew(0);
    }
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 0);
    assert_eq!(world.left(&batch), 5);
    assert_eq!(
        world.ledger.anomalies().await.unwrap().0,
        2,
        "each jump is counted once"
    );
    world.days_pass(11);
    assert_eq!(
        world.sweep().await.summary.deleted,
        5,
        "healthy again, it goes on by itself"
    );
}

#[tokio::test]
async fn an_anomaly_is_noticed_although_nothing_is_due() {
    let world = World::new().await;
    let engine = world.engine();
    engine.guard(true).await.unwrap();
    world.clock.jump(3_600_000);
    assert!(matches!(
        engine.guard(false).await.unwrap(),
        Some(Stop::Breaker {
            kind: BreakerKind::Clock,
            ..
        })
    ));
    assert_eq!(world.ledger.anomalies().await.unwrap().0, 1);
}

#[tokio::test]
async fn a_pause_sends_nothing_until_it_ends() {
    let world = World::new().await;
    world.upload(3).await;
    world.days_pass(11);
    let until = world.now().checked_add_millis(DAY_MS).unwrap();
    let pause = Pause {
        until,
        reason: "migration".to_owned(),
        since: world.now(),
    };
    world.ledger.set_pause(Some(&pause), world.now()).await.unwrap();
    let report = world.sweep().await;
    assert!(matches!(
        report.ending,
        Ending::Stopped {
            by: Stop::Paused { .. }
        }
    ));
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 0);
    world.days_pass(1);
    assert_eq!(world.sweep().await.summary.deleted, 3);
}

#[tokio::test]
async fn an_intent_left_by_a_crash_is_probed_and_settles() {
    let world = World::new().await;
    let batch = world.upload(4).await;
    world.days_pass(11);
    // What a crash leaves: the intent committed, the request perhaps sent. One file is gone, one is not.
    let open = retentiond::ledger::OpenSweep {
        policy: crate::harness::name("documents"),
        occurrence: None,
        trigger: retentiond::model::Trigger::Manual,
        at: world.now(),
        digest: world.checked.rules.digest.clone(),
    };
    let retentiond::ledger::Opened::New(sweep) = world.ledger.open_sweep(&open).await.unwrap() else {
        panic!("a new sweep was expected")
    };
    let key = world.ledger.find(&batch.files[0]).await.unwrap()[0].key.batch;
    let request = ClaimRequest {
        sweep,
        kind: AttemptKind::DeleteFiles,
        batch: key,
        files: &batch.files[..2],
        at: world.now(),
        boottime_ms: 0,
        budget: 10,
    };
    let claim = world.ledger.claim(&request, &|_, _| Ok(())).await.unwrap();
    assert_eq!(claim.files.len(), 2);
    world.server.remove_file(batch.files[0].as_str());
    let report = world.sweep().await;
    assert_eq!(report.ending, Ending::Done);
    assert_eq!(world.state(&batch.files[0]).await, FileState::Gone);
    assert_eq!(world.state(&batch.files[1]).await, FileState::Deleted);
    world.assert_truth(&[&batch]).await;
}

#[tokio::test]
async fn a_ledger_replaced_under_us_ends_all_deletion() {
    let world = World::new().await;
    world.upload(3).await;
    world.days_pass(11);
    let path = world.checked.ledger.path.clone();
    let moved = path.with_extension("moved");
    std::fs::rename(&path, &moved).unwrap();
    std::fs::copy(&moved, &path).unwrap();
    let request = retentiond::engine::SweepRequest {
        policy: crate::harness::name("documents"),
        occurrence: None,
        trigger: retentiond::model::Trigger::Manual,
    };
    let outcome = world
        .engine()
        .sweep(&world.checked.rules, &request, &Default::default())
        .await;
    assert!(matches!(outcome, Err(SweepError::Replaced)), "{outcome:?}");
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 0);
}

#[tokio::test]
async fn a_clock_that_jumps_while_a_sweep_is_under_way_stops_it_at_the_next_request() {
    let world = World::new().await;
    let due = world.upload(3).await;
    world.days_pass(5);
    let young = world.upload(3).await;
    world.days_pass(6);
    // The first look takes a while; meanwhile the wall clock jumps a month ahead.
    let slow = retentiond::sandbox::Fault::at(Endpoint::GetResults)
        .delay_ms(300)
        .times(1);
    world.server.add_fault(slow).unwrap();
    let engine = world.engine();
    let jump = async {
        world.server.await_requests(Endpoint::GetResults, 1).await;
        world.clock.jump(30 * DAY_MS);
    };
    let (report, ()) = tokio::join!(world.sweep_with(&engine), jump);
    assert!(
        matches!(
            report.ending,
            Ending::Stopped {
                by: Stop::Breaker {
                    kind: BreakerKind::Clock,
                    ..
                }
            }
        ),
        "{:?}",
        report.ending
    );
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 0);
    assert_eq!((world.left(&due), world.left(&young)), (3, 3));
}

#[tokio::test]
async fn a_hold_on_a_policy_that_was_renamed_stops_deletion() {
    let mut world = World::new().await;
    let batch = world.upload(3).await;
    let hold = retentiond::model::NewHold {
        scope: retentiond::model::HoldScope::Policy(crate::harness::name("documents")),
        reason: "litigation".to_owned(),
        reference: None,
        owner: None,
        review_by: None,
    };
    world.ledger.add_hold(&hold, world.now()).await.unwrap();
    world.days_pass(11);
    let renamed = crate::harness::ten_days(&world.classification).replace("\"documents\"", "\"papers\"");
    world.change_rules(&renamed);
    let report = world.sweep_policy(&world.engine(), "papers").await;
    assert!(matches!(
        report.ending,
        Ending::Stopped {
            by: Stop::HoldWithoutPolicy { hold: 1, .. }
        }
    ));
    assert_eq!(world.left(&batch), 3);
}

#[tokio::test]
async fn a_batch_that_cannot_be_looked_at_leaves_the_sweep_incomplete() {
    let world = World::new().await;
    let batch = world.upload(3).await;
    world.days_pass(11);
    let fault = retentiond::sandbox::Fault::at(Endpoint::GetResults)
        .status(502)
        .body("bad gateway")
        .times(1);
    world.server.add_fault(fault).unwrap();
    let report = world.sweep().await;
    assert_eq!(
        report.ending,
        Ending::Stopped {
            by: Stop::Incomplete { files: 3 }
        }
    );
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 0);
    assert_eq!(world.sweep().await.summary.deleted, 3);
    assert_eq!(world.count(&batch, FileState::Deleted).await, 3);
}
