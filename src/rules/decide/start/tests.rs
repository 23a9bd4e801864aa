use std::sync::Arc;

use super::*;
use crate::model::{EventScope, NewEvent, Occurred};
use crate::rules::check::{Purpose, permits};
use crate::rules::decide::{Decision, Verdict, decide, explain, hint};
use crate::rules::fixtures::*;
use crate::rules::matching::Matcher;
use crate::rules::period::RoundUp;

fn event(name: &str, scope: EventScope, when: &str) -> NewEvent {
    NewEvent {
        name: name.parse().unwrap(),
        scope,
        at: at(when),
        reason: None,
    }
}

fn with(mut record: FileRecord, events: &[NewEvent]) -> FileRecord {
    record.occurred = Arc::new(
        events
            .iter()
            .fold(Occurred::default(), |occurred, event| occurred.with(event)),
    );
    record
}

fn of_file() -> EventScope {
    EventScope::File("f1".parse().unwrap())
}

fn of_batch() -> EventScope {
    EventScope::Batch("b1".parse().unwrap())
}

/// Uploaded 2026-01-15; counts from `event:contract-ended`, in Berlin.
fn ended(fallback: Option<(&str, &str)>, delete_after: &str) -> RuleSet {
    let mut policy = policy("contracts", Matcher::Everything, delete_after);
    policy.clock = StartClock {
        start: StartEvent::Event("contract-ended".parse().unwrap()),
        round_up: None,
        fallback: fallback.map(|(start, add)| Fallback {
            start: match start {
                "uploaded" => StartEvent::Uploaded,
                "processed" => StartEvent::Processed,
                name => StartEvent::Event(name.parse().unwrap()),
            },
            add: period(add),
        }),
    };
    rules(vec![policy], vec![])
}

fn due(file: &FileRecord, rules: &RuleSet) -> Option<String> {
    hint(file, rules).due_at.map(|at| at.to_string())
}

fn told(file: &FileRecord, rules: &RuleSet, now: &str) -> (Decision, String) {
    let decision = explain(file, rules, &no_holds(), at(now));
    let start = decision.steps.iter().find(|step| step.step == "start").unwrap();
    let text = start.text.clone();
    (decision, text)
}

#[test]
fn a_period_counts_from_the_event() {
    let rules = ended(None, "30 days");
    let file = with(
        file(Classified::default()),
        &[event("contract-ended", of_file(), "2026-03-01T10:00:00Z")],
    );
    assert_eq!(due(&file, &rules).unwrap(), "2026-03-31T22:00:00Z");
    let (_, text) = told(&file, &rules, "2026-03-02T00:00:00Z");
    assert_eq!(
        text,
        "the period starts with the event `contract-ended`: 2026-03-01T10:00:00Z (2026-03-01 11:00 in Europe/Berlin), recorded for file f1"
    );
}

#[test]
fn a_missing_event_without_a_fallback_is_never_due() {
    let rules = ended(None, "30 days");
    // Other events do not stand in for it.
    let file = with(
        file(Classified::default()),
        &[event("document-date", of_file(), "2026-01-01T10:00:00Z")],
    );
    assert_eq!(due(&file, &rules), None);
    let (decision, text) = told(&file, &rules, "2090-01-01T00:00:00Z");
    assert_eq!(decision.verdict, Verdict::NotEligible(Doubt::NoStart));
    assert!(
        text.contains("`retentiond event add contract-ended` records it"),
        "{text}"
    );
    permits(
        &file,
        &rules,
        &no_holds(),
        at("2090-01-01T00:00:00Z"),
        Purpose::Show,
    )
    .unwrap_err();
}

#[test]
fn of_several_records_of_one_event_the_latest_counts_and_says_so() {
    let rules = ended(None, "30 days");
    let file = with(
        file(Classified::default()),
        &[
            event("contract-ended", of_file(), "2026-02-01T10:00:00Z"),
            event("contract-ended", of_batch(), "2026-03-01T10:00:00Z"),
        ],
    );
    assert_eq!(due(&file, &rules).unwrap(), "2026-03-31T22:00:00Z");
    let early = at("2026-03-20T00:00:00Z");
    assert_eq!(decide(&file, &rules, &no_holds(), early).verdict, Verdict::NotYet);
    permits(&file, &rules, &no_holds(), early, Purpose::Show).unwrap_err();
    let (_, text) = told(&file, &rules, "2026-03-20T00:00:00Z");
    assert!(
        text.ends_with("recorded for batch b1: the latest of the 2 times on record that cover the file"),
        "{text}"
    );
}

#[test]
fn a_fallback_counts_from_its_last_day_where_the_event_is_missing() {
    let rules = ended(Some(("uploaded", "2 years")), "6 months");
    let waiting = file(Classified::default());
    // 2026-01-15 + 2 years = 2028-01-15, + 6 months = 2028-07-15, whose end it is.
    assert_eq!(due(&waiting, &rules).unwrap(), "2028-07-15T22:00:00Z");
    let (decision, text) = told(&waiting, &rules, "2026-02-01T00:00:00Z");
    assert_eq!(
        decision.verdict,
        Verdict::NotYet,
        "2028 is no start in the future"
    );
    assert_eq!(
        text,
        "the period would start with the event `contract-ended`, which is not recorded; instead it counts from 2 years after the upload: 2026-01-15T09:30:00Z (2026-01-15 10:30 in Europe/Berlin) and 2 years is 2028-01-14T23:00:00Z (2028-01-15 00:00 in Europe/Berlin)"
    );
    let last = at("2028-07-15T21:59:59Z");
    permits(&waiting, &rules, &no_holds(), last, Purpose::Send).unwrap_err();
    let after = at("2028-07-15T22:00:00Z");
    permits(&waiting, &rules, &no_holds(), after, Purpose::Send).unwrap();

    // Once the event is known it counts, be that earlier or later.
    let ended = |when| with(waiting.clone(), &[event("contract-ended", of_batch(), when)]);
    assert_eq!(
        due(&ended("2026-02-01T10:00:00Z"), &rules).unwrap(),
        "2026-08-01T22:00:00Z"
    );
    assert_eq!(
        due(&ended("2029-02-01T10:00:00Z"), &rules).unwrap(),
        "2029-08-01T22:00:00Z"
    );
}

#[test]
fn rounding_comes_after_what_the_fallback_adds() {
    let mut rules = ended(Some(("uploaded", "1 year")), "8 years");
    rules.policies[0].clock.round_up = Some(RoundUp::Year);
    // 31 December + 1 year is 31 December: the year ends there, and not a year later.
    let file = file(Classified {
        uploaded_at: "2026-12-31T12:00:00Z",
        ..Classified::default()
    });
    assert_eq!(due(&file, &rules).unwrap(), "2035-12-31T23:00:00Z");
}

#[test]
fn an_exact_fallback_adds_by_the_clock() {
    let rules = ended(Some(("uploaded", "48 hours")), "72 hours");
    assert_eq!(
        due(&file(Classified::default()), &rules).unwrap(),
        "2026-01-20T09:30:00Z"
    );
}

#[test]
fn days_are_never_added_to_hours() {
    for (add, delete_after) in [("2 days", "72 hours"), ("48 hours", "3 days")] {
        let rules = ended(Some(("uploaded", add)), delete_after);
        let file = file(Classified::default());
        assert_eq!(due(&file, &rules), None);
        let later = at("2090-01-01T00:00:00Z");
        assert_eq!(
            decide(&file, &rules, &no_holds(), later).verdict,
            Verdict::NotEligible(Doubt::OutOfCalendar)
        );
        permits(&file, &rules, &no_holds(), later, Purpose::Show).unwrap_err();
    }
}

#[test]
fn a_fallback_may_be_missing_too() {
    let rules = ended(Some(("processed", "1 year")), "30 days");
    let waiting = file(Classified::default());
    assert_eq!(
        decide(&waiting, &rules, &no_holds(), at("2090-01-01T00:00:00Z")).verdict,
        Verdict::NotEligible(Doubt::NoStart)
    );
}

#[test]
fn an_event_may_lie_before_the_upload_but_not_in_the_future() {
    let rules = ended(None, "8 years");
    let dated = with(
        // Its id says 2025-01: later than the event.
        file(Classified {
            file: "-OKI_FueqSWiExyfS310",
            ..Classified::default()
        }),
        &[event("contract-ended", of_batch(), "2019-03-01T10:00:00Z")],
    );
    let now = at("2027-03-02T00:00:00Z");
    assert_eq!(decide(&dated, &rules, &no_holds(), now).verdict, Verdict::Due);
    permits(&dated, &rules, &no_holds(), now, Purpose::Send).unwrap();

    let before = at("2019-02-01T00:00:00Z");
    assert_eq!(
        decide(&dated, &rules, &no_holds(), before).verdict,
        Verdict::NotEligible(Doubt::FutureStart)
    );
    // Nor the upload, whatever the event says.
    let mut tomorrow = dated;
    tomorrow.uploaded_at = at("2027-03-03T00:00:00Z");
    assert_eq!(
        decide(&tomorrow, &rules, &no_holds(), now).verdict,
        Verdict::NotEligible(Doubt::FutureUpload)
    );
    permits(&tomorrow, &rules, &no_holds(), now, Purpose::Send).unwrap_err();
}

#[test]
fn a_fallback_that_leaves_the_calendar_keeps_the_file() {
    let rules = ended(Some(("uploaded", "1000 years")), "30 days");
    let file = file(Classified {
        uploaded_at: "9001-01-01T00:00:00Z",
        ..Classified::default()
    });
    assert_eq!(due(&file, &rules), None);
    let late = at("9999-12-30T00:00:00Z");
    assert_eq!(
        decide(&file, &rules, &no_holds(), late).verdict,
        Verdict::NotEligible(Doubt::OutOfCalendar)
    );
    permits(&file, &rules, &no_holds(), late, Purpose::Show).unwrap_err();
}
