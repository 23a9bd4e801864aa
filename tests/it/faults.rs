//! What the API may answer, and what the ledger then says.

use std::time::Duration;

use retentiond::engine::{Ending, Stop};
use retentiond::model::{BreakerKind, FileState};
use retentiond::sandbox::{Apply, Endpoint, Fault, Reset, Shape};
use serde_json::json;

use crate::harness::World;

/// Ten due files; the first delete request meets `fault`, after the canary went through.
async fn meets(fault: Fault) -> (World, crate::harness::Batch, retentiond::engine::SweepReport) {
    let world = World::new().await;
    let batch = world.upload(11).await;
    world.days_pass(11);
    world.server.add_fault(fault.after(1)).unwrap();
    let report = world
        .sweep_with(&world.engine_with(Duration::from_millis(400)))
        .await;
    world.assert_nothing_wider();
    (world, batch, report)
}

/// Sweeps until nothing is due any more; at most ten times.
async fn settles(world: &World, batch: &crate::harness::Batch, deleted_or_gone: usize) {
    world.server.clear_faults();
    for _ in 0..10 {
        world.sweep().await;
        let gone = world.count(batch, FileState::Gone).await;
        if world.count(batch, FileState::Deleted).await + gone == deleted_or_gone {
            break;
        }
    }
    assert_eq!(world.left(batch), batch.files.len() - deleted_or_gone);
    world.assert_truth(&[batch]).await;
}

fn deletes() -> Fault {
    Fault::at(Endpoint::DeleteFiles).times(1)
}

#[tokio::test]
async fn unknown_outcomes_are_never_shown_as_success_and_settle() {
    let lost: Vec<(&str, Fault)> = vec![
        (
            "reset after the deletion happened",
            deletes().reset(Reset::AfterRead).apply(Apply::Before),
        ),
        (
            "reset before it happened",
            deletes().reset(Reset::AfterRead).apply(Apply::Never),
        ),
        (
            "slow answer",
            deletes()
                .shape(Shape::Slow { interval_ms: 200 })
                .apply(Apply::Before),
        ),
        (
            "cut answer",
            deletes()
                .shape(Shape::Truncated { missing: 10 })
                .apply(Apply::Before),
        ),
        (
            "endless answer",
            deletes().shape(Shape::Endless).apply(Apply::Before),
        ),
        (
            "not UTF-8",
            deletes().shape(Shape::InvalidUtf8).apply(Apply::Before),
        ),
        ("202", deletes().status(202).apply(Apply::Before)),
        ("204", deletes().status(204).apply(Apply::Never)),
        (
            "502",
            deletes()
                .status(502)
                .body("<html>bad gateway</html>")
                .apply(Apply::Never),
        ),
        ("504", deletes().status(504).apply(Apply::Before)),
        (
            "success in capitals",
            deletes().body(json!({"status": "Success"})).apply(Apply::Never),
        ),
        (
            "200 with error",
            deletes()
                .body(json!({"status": "error", "message": "x"}))
                .apply(Apply::Never),
        ),
        (
            "200 without status",
            deletes()
                .body(json!({"message": "Files deleted"}))
                .apply(Apply::Never),
        ),
        (
            "4xx that says success",
            deletes()
                .status(409)
                .body(json!({"status": "success"}))
                .apply(Apply::Never),
        ),
        (
            "redirect",
            deletes()
                .status(307)
                .header("Location", "http://127.0.0.1:9/elsewhere")
                .apply(Apply::Never),
        ),
        ("half done, then 500", deletes().status(500).apply(Apply::Half)),
    ];
    for (case, fault) in lost {
        let (world, batch, report) = meets(fault).await;
        let attempts = world
            .ledger
            .history(&retentiond::ledger::HistoryFilter {
                limit: 100,
                ..Default::default()
            })
            .await
            .unwrap();
        let first = attempts
            .iter()
            .find(|a| a.files.len() == 10)
            .unwrap_or_else(|| panic!("{case}: no request"));
        let outcome = first.outcome.as_deref().unwrap_or("none");
        assert!(matches!(outcome, "unknown" | "server-error"), "{case}: {outcome}");
        assert!(
            first.files.iter().all(|f| f.result == Some(FileState::Unknown)),
            "{case}"
        );
        assert!(report.summary.deleted <= 11, "{case}");
        settles(&world, &batch, 11).await;
    }
}

#[tokio::test]
async fn one_bad_id_in_a_hundred_costs_at_most_fifteen_requests_and_is_quarantined() {
    for status in [400, 422, 500] {
        let world = World::new().await;
        let batch = world.upload(101).await;
        world.days_pass(11);
        let bad = batch.files[77].clone();
        let body = json!({"status": "error", "message": if status == 500 { "Internal server error" } else { "Bad request" }});
        let fault = Fault::at(Endpoint::DeleteFiles)
            .poison(bad.as_str())
            .status(status)
            .body(body)
            .apply(Apply::Never);
        world.server.add_fault(fault.always()).unwrap();
        let report = world.sweep().await;
        let after_canary = world.server.request_count(Endpoint::DeleteFiles) - 1;
        assert!(after_canary <= 15, "{status}: {after_canary} requests");
        assert_eq!(report.summary.quarantined, 1, "{status}");
        assert_eq!(world.count(&batch, FileState::Deleted).await, 100, "{status}");
        assert_eq!(world.state(&bad).await, FileState::Quarantined, "{status}");
        let listed = world.ledger.quarantined(10).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert!(!listed[0].1.is_empty(), "the reason is on record");
        world.assert_truth(&[&batch]).await;
    }
}

#[tokio::test]
async fn a_refused_key_stops_everything_and_one_probe_a_tick_heals_it() {
    let world = World::new().await;
    let batch = world.upload(20).await;
    world.days_pass(11);
    let refuse = |endpoint| Fault::at(endpoint).status(401).apply(Apply::Never).always();
    world.server.add_fault(refuse(Endpoint::DeleteFiles)).unwrap();
    world.server.add_fault(refuse(Endpoint::Credits)).unwrap();
    let report = world.sweep().await;
    assert!(matches!(
        report.ending,
        Ending::Stopped {
            by: Stop::Breaker {
                kind: BreakerKind::Auth,
                ..
            }
        }
    ));
    let before = world.server.requests().len();
    world.sweep().await;
    assert_eq!(
        world.server.requests().len(),
        before + 1,
        "one probe, nothing else"
    );
    settles(&world, &batch, 20).await;
    assert!(world.ledger.breakers().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_key_that_may_not_delete_is_tried_once_a_tick() {
    let world = World::new().await;
    let batch = world.upload(20).await;
    world.days_pass(11);
    let refuse = Fault::at(Endpoint::DeleteFiles)
        .status(403)
        .apply(Apply::Never)
        .always();
    world.server.add_fault(refuse).unwrap();
    for tick in 1..=3 {
        let report = world.sweep().await;
        assert!(matches!(
            report.ending,
            Ending::Stopped {
                by: Stop::Breaker {
                    kind: BreakerKind::Auth,
                    ..
                }
            }
        ));
        assert_eq!(world.server.request_count(Endpoint::DeleteFiles), tick);
    }
    settles(&world, &batch, 20).await;
}

#[tokio::test]
async fn the_api_is_not_called_before_the_time_it_asked_for() {
    let world = World::new().await;
    let batch = world.upload(5).await;
    world.days_pass(11);
    let fault = Fault::at(Endpoint::DeleteFiles)
        .status(429)
        .header("Retry-After", "3600")
        .apply(Apply::Never);
    world.server.add_fault(fault.times(1)).unwrap();
    let report = world.sweep().await;
    assert!(
        matches!(
            report.ending,
            Ending::Stopped {
                by: Stop::NotBefore { .. }
            }
        ),
        "{:?}",
        report.ending
    );
    let calls = world.server.requests().len();
    world.clock.advance(3_500_000);
    world.sweep().await;
    assert_eq!(
        world.server.requests().len(),
        calls,
        "not one request before the time"
    );
    world.clock.advance(200_000);
    settles(&world, &batch, 5).await;
}

#[tokio::test]
async fn a_list_that_is_too_long_is_halved_and_the_size_remembered() {
    let world = World::new().await;
    world.server.configure(|config| config.max_file_ids = Some(10));
    let batch = world.upload(41).await;
    world.days_pass(11);
    let report = world.sweep().await;
    assert_eq!(report.summary.deleted, 41);
    assert_eq!(
        world.ledger.setting("chunk.size").await.unwrap().as_deref(),
        Some("10")
    );
    world.assert_truth(&[&batch]).await;
}

#[tokio::test]
async fn a_success_that_lies_stops_the_sweep_after_one_file() {
    let world = World::new().await;
    let batch = world.upload(30).await;
    world.days_pass(11);
    world
        .server
        .add_fault(Fault::at(Endpoint::DeleteFiles).lie().always())
        .unwrap();
    let report = world.sweep().await;
    assert!(
        matches!(
            report.ending,
            Ending::Stopped {
                by: Stop::Canary { .. }
            }
        ),
        "{:?}",
        report.ending
    );
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 1);
    assert_eq!(report.summary.deleted, 0);
    settles(&world, &batch, 30).await;
}

#[tokio::test]
async fn a_neighbour_that_vanishes_stops_every_sweep_until_somebody_looked() {
    let world = World::new().await;
    let batch = world.upload(10).await;
    world.days_pass(5);
    // Five younger files in the same batch.
    let ids = world
        .server
        .seed_files(&world.classification, &batch.id, 5)
        .unwrap();
    assert_eq!(ids.len(), 5);
    world.days_pass(6);
    world
        .server
        .add_fault(Fault::at(Endpoint::DeleteFiles).neighbours(1).times(1))
        .unwrap();
    let report = world.sweep().await;
    assert!(matches!(
        report.ending,
        Ending::Stopped {
            by: Stop::Breaker {
                kind: BreakerKind::Collateral,
                ..
            }
        }
    ));
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 1);
    world.server.clear_faults();
    world.sweep().await;
    assert_eq!(
        world.server.request_count(Endpoint::DeleteFiles),
        1,
        "it does not heal by itself"
    );
    world
        .ledger
        .close_breaker(BreakerKind::Collateral, "test", world.now())
        .await
        .unwrap();
    assert!(world.sweep().await.summary.deleted > 0);
}

#[tokio::test]
async fn an_api_that_fails_every_list_opens_the_breaker_and_a_probe_closes_it() {
    let world = World::new().await;
    let mut batches = Vec::new();
    for _ in 0..6 {
        batches.push(world.upload(4).await);
    }
    world.days_pass(11);
    let body = json!({"status": "error", "message": "Internal server error"});
    let fault = Fault::at(Endpoint::DeleteFiles)
        .status(500)
        .body(body)
        .apply(Apply::Never)
        .always();
    world.server.add_fault(fault).unwrap();
    let report = world.sweep().await;
    assert!(
        matches!(report.ending, Ending::Stopped { .. }),
        "{:?}",
        report.ending
    );
    assert!(world.server.request_count(Endpoint::DeleteFiles) <= 3);
    assert_eq!(report.summary.quarantined, 0, "an outage is nobody's fault");
    for batch in &batches {
        settles(&world, batch, 4).await;
    }
}

#[tokio::test]
async fn an_api_that_is_not_there_leaves_every_file_live() {
    let world = World::new().await;
    let batch = world.upload(6).await;
    world.days_pass(11);
    let engine = world.engine();
    let World {
        sandbox,
        ledger,
        checked,
        ..
    } = world;
    sandbox.stop().await;
    let request = retentiond::engine::SweepRequest {
        policy: crate::harness::name("documents"),
        occurrence: None,
        trigger: retentiond::model::Trigger::Manual,
    };
    let report = engine
        .sweep(&checked.rules, &request, &Default::default())
        .await
        .unwrap();
    assert!(matches!(
        report.ending,
        Ending::Stopped {
            by: Stop::Breaker {
                kind: BreakerKind::Api,
                ..
            }
        }
    ));
    for file in &batch.files {
        assert_eq!(ledger.find(file).await.unwrap()[0].state, FileState::Live);
    }
    assert!(
        ledger
            .history(&retentiond::ledger::HistoryFilter {
                limit: 10,
                ..Default::default()
            })
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_key_of_another_account_makes_no_file_gone() {
    // The same ledger against a server that knows none of its batches.
    let world = World::new().await;
    let batch = world.upload(4).await;
    world.days_pass(11);
    let other = World::new().await;
    let clock: std::sync::Arc<dyn retentiond::engine::Clock> =
        std::sync::Arc::<retentiond::engine::ManualClock>::clone(&world.clock);
    other.days_pass(11);
    let remote = std::sync::Arc::new(other.client(Duration::from_secs(5)));
    let engine = retentiond::engine::Engine::new(
        std::sync::Arc::clone(&world.ledger),
        remote,
        clock,
        world.settings.clone(),
        &world.lock,
    );
    let report = world.sweep_with(&engine).await;
    assert_eq!((report.summary.gone, report.summary.kept), (0, 4));
    assert_eq!(world.count(&batch, FileState::Live).await, 4);
    // With the right account the same files go, and from then on absence is believed.
    assert_eq!(world.sweep().await.summary.deleted, 4);
}
