use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::super::text::Form;
use super::*;
use crate::http::{Activity, DoorFigures, Faces, Pulse, Shown};
use crate::model::SweepState;
use crate::snapshot::fixture;

/// Quiet, but for one request and one sweep.
fn faces() -> Faces {
    let shown = Shown {
        snapshot: Arc::new(fixture::snapshot()),
        taken: tokio::time::Instant::now(),
    };
    let activity = Activity::new(&["confirmed", "unknown"]);
    activity.settled("confirmed", 40, 0);
    activity.swept(SweepState::Done);
    Faces {
        picture: watch::channel(Some(shown)).1,
        pulse: Arc::new(Pulse::new(Duration::from_secs(120))),
        activity: Arc::new(activity),
        doors: vec![("http", Arc::new(DoorFigures::default()))],
    }
}

fn rendered() -> String {
    Form::Prometheus.render(&families(&fixture::snapshot(), &faces()))
}

#[test]
fn changed_rules_that_wait_count_among_what_waits() {
    let mut snapshot = fixture::snapshot();
    snapshot.waiting_rules = Some(crate::snapshot::WaitingRules {
        since: snapshot.at,
        impact: "of 9 files 9 due earlier".to_owned(),
        command: "retentiond approve 0123456789ab".to_owned(),
    });
    let text = Form::Prometheus.render(&families(&snapshot, &faces()));
    assert!(text.contains("retentiond_waiting_plans 2\n"), "{text}");
}

#[test]
fn the_figures_are_those_of_the_picture_and_of_the_counters() {
    let text = rendered();
    for line in [
        "retentiond_build_info{version=\"0.1.0\"} 1",
        "retentiond_ready 0",
        "retentiond_verdict{verdict=\"stopped\"} 1",
        "retentiond_verdict{verdict=\"ok\"} 0",
        "retentiond_snapshot_timestamp_seconds 1777888800",
        "retentiond_files{state=\"live\"} 364",
        "retentiond_files{state=\"quarantined\"} 0",
        "retentiond_unowned_files 4",
        "retentiond_oldest_overdue_seconds{policy=\"applications\"} 3600",
        "retentiond_oldest_overdue_seconds{policy=\"a \\\"quoted\\\" <name>\"} 0",
        "retentiond_oldest_overdue_seconds{policy=\"all else\"} 0",
        "retentiond_overdue_files{policy=\"a \\\"quoted\\\" <name>\"} 5",
        "retentiond_due_files{policy=\"all else\"} 12",
        "retentiond_held_files{policy=\"all else\"} 2",
        "retentiond_policy_enforced{policy=\"a \\\"quoted\\\" <name>\"} 0",
        "retentiond_last_success_timestamp_seconds{policy=\"all else\"} 1777856523",
        "retentiond_breaker_open{breaker=\"api\"} 1",
        "retentiond_breaker_open{breaker=\"clock\"} 0",
        "retentiond_paused 0",
        "retentiond_waiting_plans 1",
        "retentiond_erasure_requests 2",
        "retentiond_erasure_requests_near 1",
        "retentiond_erasure_requests_overdue 0",
        "retentiond_erasure_answer_timestamp_seconds 1780610400",
        "retentiond_holds 2",
        "retentiond_holds_review_overdue 1",
        "retentiond_uploads_in_doubt 1",
        "retentiond_config_last_reload_successful 0",
        "retentiond_clock_skew_seconds -1.5",
        "retentiond_clock_anomalies_total 6",
        "retentiond_ledger_size_bytes 1048576",
        "retentiond_state_free_bytes 10737418240",
        "retentiond_requests_total{outcome=\"confirmed\"} 1",
        "retentiond_requests_total{outcome=\"unknown\"} 0",
        "retentiond_deleted_files_total 40",
        "retentiond_gone_files_total 0",
        "retentiond_sweeps_total{state=\"done\"} 1",
        "retentiond_sweeps_total{state=\"postponed\"} 0",
        "retentiond_connections_refused_total{listener=\"http\"} 0",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is not in\n{text}"
        );
    }
}

#[test]
fn names_are_as_the_convention_says_and_each_is_there_once() {
    let families = families(&fixture::snapshot(), &faces());
    let names: BTreeSet<_> = families.iter().map(|family| family.name).collect();
    assert_eq!(names.len(), families.len());
    for family in &families {
        let name = family.name;
        assert!(name.starts_with("retentiond_"), "{name}");
        assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
        assert!(!family.samples.is_empty(), "{name} has no series from the start");
        assert!(
            family.help.ends_with('.') && !family.help.contains('\n'),
            "{name}"
        );
    }
}

/// The table of `docs/operations.md`, as the list of families makes it.
fn table() -> String {
    let mut table = "\n| name | type | label | meaning |\n|---|---|---|---|\n".to_owned();
    for family in families(&fixture::snapshot(), &faces()) {
        let label = family.samples.first().and_then(|sample| sample.label.as_ref());
        let label = label.map_or_else(|| "–".to_owned(), |(label, _)| format!("`{label}`"));
        let (name, kind, help) = (family.name, family.kind.name(), family.help);
        table.push_str(&format!("| `{name}` | {kind} | {label} | {help} |\n"));
    }
    table + "\n"
}

#[test]
fn the_documented_table_has_exactly_the_metrics_that_are_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("<!-- metrics -->\n").unwrap();
    let (documented, after) = rest.split_once("<!-- end of metrics -->\n").unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let text = format!(
            "{before}<!-- metrics -->\n{}<!-- end of metrics -->\n{after}",
            table()
        );
        return std::fs::write(&path, text).unwrap();
    }
    assert_eq!(
        documented,
        table(),
        "UPDATE_GOLDEN=1 cargo test --lib families writes it"
    );
}
