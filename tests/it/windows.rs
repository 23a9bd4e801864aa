//! A policy deletes only inside its window, and nothing is deleted on a blackout day.

use std::sync::Arc;

use retentiond::engine::{Clock, Ending, Listener, Progress, Stop, SweepReport, SystemClock};
use retentiond::ledger::HistoryFilter;
use retentiond::model::{ErasureScope, NewErasure, SweepState, Timestamp};
use retentiond::sandbox::{DocumentType, Endpoint};

use crate::daemon::{Service, signal, terminate};
use crate::harness::*;

/// Ten days, and more of the policy; `top` stands above all tables.
async fn world(top: &str, policy: &str) -> World {
    let policies = |classification: &str| format!("{}{policy}\n", ten_days(classification));
    let mut world = World::with(policies, &[DocumentType::named("letter")]).await;
    let text = World::policy_text(
        &world.dir,
        &world.sandbox.base_url(),
        &policies(&world.classification),
    );
    world.checked = retentiond::config::parse("policies.toml", &format!("{top}\n{text}")).unwrap();
    world
}

fn opens(report: &SweepReport) -> Option<Timestamp> {
    match &report.ending {
        Ending::Stopped {
            by: Stop::OutsideWindow { opens },
        } => *opens,
        other => panic!("a closed window was expected: {other:?}"),
    }
}

fn at(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

/// Until that time, by every clock.
fn pass_until(world: &World, text: &str) {
    world.clock.advance(at(text).unwrap().millis_since(world.now()));
}

#[tokio::test]
async fn outside_of_its_window_a_policy_deletes_nothing() {
    let world = world(
        "",
        "window = { days = [\"mon..fri\"], from = \"22:00\", until = \"05:00\" }",
    )
    .await;
    let batch = world.upload(3).await;
    // A Saturday; Berlin is two hours ahead in summer.
    pass_until(&world, "2026-05-23T10:00:00Z");
    let report = world.sweep().await;
    assert_eq!(opens(&report), at("2026-05-25T20:00:00Z"));
    assert_eq!(
        (report.exit_code(), report.ending.state()),
        (3, SweepState::Postponed)
    );
    assert_eq!(report.summary.due, 3, "it still says what is due");
    assert!(report.summary.note.unwrap().contains("2026-05-25T20:00:00Z"));
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 0);
    pass_until(&world, "2026-05-25T20:00:00Z");
    assert_eq!(world.sweep().await.summary.deleted, 3);
    world.assert_truth(&[&batch]).await;
}

#[tokio::test]
async fn a_sweep_that_reaches_the_end_of_its_window_stops_and_goes_on_at_the_next_opening() {
    let mut world = world("", "window = { from = \"22:00\", until = \"05:00\" }").await;
    let batches = [world.upload(10).await, world.upload(10).await];
    world.settings.files_per_request = 3;
    world.settings.concurrency = 1;
    pass_until(&world, "2026-05-25T02:30:00Z");
    // Each request lasts ten minutes: the third settles at five, and no fourth is made.
    let clock = Arc::clone(&world.clock);
    world.settings.progress = Listener::new(move |progress| {
        if matches!(progress, Progress::Settled { .. }) {
            clock.advance(600_000);
        }
    });
    let report = world.sweep().await;
    assert_eq!(opens(&report), at("2026-05-25T20:00:00Z"));
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 3);
    // The canary and two lists of three.
    assert_eq!(report.summary.deleted, 7);
    assert_eq!(world.ledger.unknown(10).await.unwrap(), []);
    let filter = HistoryFilter {
        limit: 10,
        ..Default::default()
    };
    let last = world.ledger.history(&filter).await.unwrap()[0].intent_at;
    assert!(last < at("2026-05-25T03:00:00Z").unwrap(), "{last}");
    pass_until(&world, "2026-05-25T20:00:00Z");
    world.settings.progress = Listener::default();
    assert_eq!(world.sweep().await.summary.deleted, 13);
    world.assert_truth(&[&batches[0], &batches[1]]).await;
}

#[tokio::test]
async fn on_a_blackout_day_nothing_is_deleted_and_no_erasure_request_is_carried_out() {
    let world = world(
        "blackout = [\"2026-05-23..2026-05-24\"]",
        "window = { from = \"06:00\", until = \"08:00\" }",
    )
    .await;
    let batch = world.upload(3).await;
    let young = world.upload(1).await;
    pass_until(&world, "2026-05-23T10:00:00Z");
    let request = NewErasure {
        scope: ErasureScope::File(young.files[0].clone()),
        reference: "2026-17".to_owned(),
        received: jiff::civil::date(2026, 5, 20),
    };
    world.ledger.add_erasure(&request, world.now()).await.unwrap();
    let engine = world.engine();
    assert_eq!(opens(&world.sweep().await), at("2026-05-25T04:00:00Z"));
    assert_eq!(
        opens(&world.sweep_policy(&engine, "erasure").await),
        at("2026-05-24T22:00:00Z"),
        "for a request the window does not count, the days do"
    );
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 0);
    pass_until(&world, "2026-05-24T22:00:00Z");
    assert_eq!(world.sweep_policy(&engine, "erasure").await.summary.deleted, 1);
    assert_eq!((world.left(&batch), world.left(&young)), (3, 0));
}

#[tokio::test]
async fn the_daemon_lets_a_run_wait_for_its_window() {
    let service = Service::new().await;
    let config = service.path("policies.toml");
    let always = std::fs::read_to_string(&config).unwrap();
    // Six hours from now in UTC: closed for three at least in Berlin, whatever the season.
    let from = SystemClock
        .now()
        .checked_add_millis(6 * 3_600_000)
        .unwrap()
        .to_string();
    let hour: u32 = from[11..13].parse().unwrap();
    let window = format!(
        "name = \"soon\"\nwindow = {{ from = \"{hour:02}:00\", until = \"{:02}:00\" }}\n",
        (hour + 1) % 24
    );
    std::fs::write(&config, always.replace("name = \"soon\"\n", &window)).unwrap();
    service.upload([2; 3], 5).await;
    let mut daemon = service.daemon();
    let [soon, later] = [0, 1].map(|at| service.classifications[at].clone());
    // Due later than the first, and next in turn.
    let gone = later.clone();
    service
        .wait("the deletion of what has no window", move |server| {
            crate::daemon::left_of(server, &gone) == 0
        })
        .await;
    assert_eq!(service.left_of(&soon), 10);
    assert!(!service.log().contains("policy=soon"), "{}", service.log());
    std::fs::write(&config, always).unwrap();
    signal(&daemon, rustix::process::Signal::HUP);
    service.wait_until_all_due_are_gone().await;
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
}
