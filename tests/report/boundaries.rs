//! Where a period, a deadline and a gap begin and end, to the millisecond.

use retentiond::ledger::ReportPeriod;
use retentiond::report::{Exception, Report};

use crate::planted::*;
use crate::story::told;

fn with_ids<'r>(report: &'r Report, kind: &str, cause: &str) -> Vec<&'r str> {
    let found: Vec<&Exception> = report
        .exceptions
        .iter()
        .filter(|one| one.kind == kind && one.cause.contains(cause))
        .collect();
    found
        .iter()
        .flat_map(|one| one.file_ids.iter().map(|file| file.file_id.as_str()))
        .collect()
}

#[tokio::test]
async fn the_first_instant_belongs_to_a_period_and_its_end_to_the_next() {
    let world = Planted::new().await;
    let due_at = at("2026-05-01T00:00:00Z");
    world
        .record(&["before", "from", "last", "to"].map(|name| due(name, due_at)))
        .await;
    let one_before = |text: &str| at(text).checked_add_millis(-1).unwrap();
    world.delete(&["before"], one_before(FROM)).await;
    world.delete(&["from"], at(FROM)).await;
    world.delete(&["last"], one_before(TO)).await;
    world.delete(&["to"], at(TO)).await;
    let counts = |report: &Report| (report.total.ended, report.total.ended_since, report.total.due);
    let quarter = world.report(false).await;
    assert_eq!(
        counts(&quarter),
        (2, 1, 3),
        "`to` was still there at the period's end"
    );
    let [first, .., last] = &quarter.timeline.steps[..] else {
        panic!("a quarter has steps")
    };
    assert_eq!((first.late, last.late), (1, 1));
    let before = ReportPeriod {
        from: at("2026-04-01T00:00:00+02:00"),
        to: at(FROM),
        now: at(NOW),
    };
    assert_eq!(counts(&world.report_over(before, false).await), (1, 3, 4));
    let after = ReportPeriod {
        from: at(TO),
        to: at("2027-01-01T00:00:00+01:00"),
        now: at(NOW),
    };
    let after = world.report_over(after, false).await;
    assert_eq!(counts(&after), (1, 0, 1));
    assert!(after.cover.provisional && !quarter.cover.provisional);
}

#[tokio::test]
async fn the_deadline_itself_is_in_time_and_a_millisecond_later_is_late() {
    let report = told().await.report(true).await;
    let late: Vec<&str> = report
        .exceptions
        .iter()
        .filter(|one| one.kind == "deleted-late")
        .flat_map(|one| one.file_ids.iter().map(|file| file.file_id.as_str()))
        .collect();
    assert!(late.contains(&"past-deadline") && !late.contains(&"on-deadline"));
}

#[tokio::test]
async fn each_late_file_is_named_under_what_stood_in_its_way() {
    let report = told().await.report(true).await;
    for (file, cause) in [
        ("late-hold", "a hold covered it"),
        ("late-refused", "Extracta refused it"),
        ("late-unknown", "outcome of a request"),
        ("late-breaker", "breaker auth"),
        ("late-pause", "paused"),
        ("late-approval", "a plan waited"),
    ] {
        let named = with_ids(&report, "deleted-late", cause);
        assert!(named.contains(&file), "{file} under {cause}: {named:?}");
    }
    for (file, cause) in [
        ("held", "a hold covered it"),
        ("held-by-batch", "a hold covered it"),
        ("unknown", "outcome of a request"),
        ("deleting", "outcome of a request"),
        ("failed", "Extracta refused it"),
        ("observed", "only observes"),
        ("overdue", "paused"),
    ] {
        let named = with_ids(&report, "not-deleted", cause);
        assert!(named.contains(&file), "{file} under {cause}: {named:?}");
    }
    assert_eq!(
        with_ids(&report, "deleted-early", ""),
        ["orphan-deleted", "early"],
        "no policy owned the one, the other was not due"
    );
    assert_eq!(with_ids(&report, "gone-early", "somebody else"), ["by-others"]);
    assert_eq!(with_ids(&report, "gone-early", "found gone"), ["vanished"]);
    let waiting = with_ids(&report, "not-deleted", "");
    assert!(
        !waiting.contains(&"waiting"),
        "before its deadline nothing is an exception"
    );
    assert!(!waiting.contains(&"due-at-to"));
}

#[tokio::test]
async fn a_gap_is_from_the_first_instant_missed_to_the_next_sweep() {
    let report = told().await.report(false).await;
    let gaps: Vec<_> = report
        .gaps
        .iter()
        .map(|gap| (gap.policy.as_str(), gap.since, gap.until, gap.missed))
        .collect();
    assert_eq!(
        gaps,
        [
            (
                "applications",
                at("2026-08-10T01:00:00Z"),
                Some(at("2026-08-13T01:30:00Z")),
                3
            ),
            ("invoices", at("2026-07-01T02:30:00Z"), None, 3),
        ],
        "a policy that observes is not scheduled yet, and so has none"
    );
    assert!(report.rules.iter().all(|rules| rules.schedules_known));
}

#[tokio::test]
async fn requests_and_holds_are_told_by_their_dates() {
    let report = told().await.report(false).await;
    let requests: Vec<_> = report
        .erasures
        .iter()
        .map(|one| {
            (
                one.erasure,
                one.last_day.as_deref().unwrap(),
                one.outcome.as_str(),
                one.files,
                one.verified,
            )
        })
        .collect();
    assert_eq!(
        requests,
        [
            // 5 September is a Saturday, 20 September a Sunday.
            (1, "2026-09-07", "verified", 1, 1),
            (2, "2026-09-21", "open-overdue", 1, 0),
            (3, "2026-09-10", "closed-by-operator-late", 0, 0),
        ]
    );
    let holds: Vec<_> = report
        .holds
        .iter()
        .map(|hold| (hold.hold, hold.covers.as_str(), hold.review_overdue))
        .collect();
    assert_eq!(
        holds,
        [(1, "label tenant", false), (2, "file", true), (3, "batch", false)]
    );
}

#[tokio::test]
async fn an_empty_ledger_gives_a_report_that_says_so() {
    let world = Planted::new().await;
    let report = world.report(false).await;
    assert_eq!(report.total.due, 0);
    assert_eq!(report.exceptions, []);
    assert!(
        report
            .timeline
            .steps
            .iter()
            .all(|step| step.in_time + step.late + step.before_due == 0)
    );
    let page = retentiond::report::html(&report);
    assert!(page.contains("None: everything went as the rules say."));
    assert!(page.contains("No file ended in the period."));
    let csv = retentiond::report::csv(&report);
    assert!(csv.contains("\r\nexceptions,,,none\r\n") && csv.contains("\r\nholds,,,none\r\n"));
}
