//! What goes when, and what is late for which reason. Berlin is an hour ahead; sweeps begin at 02:00 UTC.

use super::*;
use crate::rules::fixtures::{at, of_classification, period, policy, rules};
use crate::rules::schedule::Schedule;
use crate::rules::window::{Blackout, Window};

const NOW: &str = "2026-11-23T20:00:00Z";
const SECOND: u64 = 1_000_000;

/// A policy swept at 03:00 in Berlin, as changed.
fn set(change: impl FnOnce(&mut RuleSet)) -> RuleSet {
    let mut rules = rules(vec![policy("p", of_classification("c1"), "30 days")], vec![]);
    change(&mut rules);
    rules
}

/// So many files, due on Tuesday when it begins in Berlin and overdue a day later.
fn tuesday(files: u64) -> Lot {
    Lot {
        due_at: at("2026-11-23T23:00:00Z"),
        deadline_at: at("2026-11-24T23:00:00Z"),
        files,
    }
}

fn span(micros_per_file: u64) -> Span {
    Span {
        now: at(NOW),
        until: at("2026-12-23T23:00:00Z"),
        micros_per_file,
    }
}

fn load(rules: &RuleSet, live: u64, files: u64) -> Vec<Load<'_>> {
    vec![Load {
        policy: &rules.policies[0],
        live,
        lots: vec![tuesday(files)],
    }]
}

fn missed(rules: &RuleSet, loads: &[Load<'_>], micros: u64) -> Option<(u64, Cause)> {
    let drains = drain(rules, loads, span(micros));
    let miss = first_miss(rules, loads, &drains, span(micros))?;
    assert_eq!(miss.deadline_at, at("2026-11-24T23:00:00Z"));
    Some((miss.files, miss.cause))
}

#[test]
fn what_fits_goes_evenly_from_the_run_on_and_nothing_is_late() {
    let rules = set(|_| {});
    let loads = load(&rules, 1000, 100);
    let drains = drain(&rules, &loads, span(SECOND));
    let gone = |text: &str| drains[0].gone_by(at(text));
    assert_eq!(gone("2026-11-24T02:00:00Z"), 0);
    assert_eq!(gone("2026-11-24T02:00:50Z"), 50);
    assert_eq!(gone("2026-11-24T02:01:40Z"), 100);
    assert_eq!(gone("2027-01-01T00:00:00Z"), 100);
    assert_eq!(missed(&rules, &loads, SECOND), None);
}

#[test]
fn each_budget_is_named_by_what_would_heal_it() {
    let stop = set(|_| {});
    assert_eq!(
        missed(&stop, &load(&stop, 1000, 300), SECOND),
        Some((300, Cause::Limits))
    );
    let oldest = set(|rules| rules.limits.on_excess = OnExcess::OldestFirst);
    assert_eq!(
        missed(&oldest, &load(&oldest, 1000, 300), SECOND),
        Some((50, Cause::Limits))
    );
    let mondays = set(|rules| {
        let days = [true, false, false, false, false, false, false];
        let window = Window::new(days, "02:00".parse().unwrap(), "05:00".parse().unwrap());
        rules.policies[0].window = Some(window.unwrap());
    });
    assert_eq!(
        missed(&mondays, &load(&mondays, 1000, 100), SECOND),
        Some((100, Cause::Window))
    );
    let rest = set(|rules| {
        rules.blackouts.push(Blackout {
            first: jiff::civil::date(2026, 11, 24),
            last: jiff::civil::date(2026, 11, 24),
        });
    });
    assert_eq!(
        missed(&rest, &load(&rest, 1000, 100), SECOND),
        Some((100, Cause::Window))
    );
    // 100 seconds a file, 21 hours until the deadline: 756 files.
    let slow = set(|_| {});
    assert_eq!(
        missed(&slow, &load(&slow, 10_000, 1000), 100 * SECOND),
        Some((244, Cause::Requests))
    );
    let weekly = set(|rules| rules.policies[0].schedule = Schedule::parse("0 3 * * 1").unwrap());
    assert_eq!(
        missed(&weekly, &load(&weekly, 1000, 100), SECOND),
        Some((100, Cause::Schedule))
    );
    // Above the limit, and too many for one day.
    assert_eq!(
        missed(&stop, &load(&stop, 1000, 300), 300 * SECOND),
        Some((300, Cause::Several))
    );
}

#[test]
fn what_a_window_cuts_off_goes_on_at_the_next_opening() {
    let rules = set(|rules| {
        let window = Window::new([true; 7], "03:00".parse().unwrap(), "04:00".parse().unwrap());
        rules.policies[0].window = Some(window.unwrap());
    });
    let loads = load(&rules, 10_000, 100);
    let drains = drain(&rules, &loads, span(100 * SECOND));
    let gone = |text: &str| drains[0].gone_by(at(text));
    assert_eq!(gone("2026-11-24T12:00:00Z"), 36);
    assert_eq!(gone("2026-11-25T12:00:00Z"), 72);
    assert_eq!(gone("2026-11-26T12:00:00Z"), 100);
}

#[test]
fn one_sweep_keeps_the_next_waiting_out_of_its_window_too() {
    let mut second = policy("q", of_classification("c2"), "30 days");
    let window = Window::new([true; 7], "03:00".parse().unwrap(), "05:00".parse().unwrap());
    second.window = Some(window.unwrap());
    let first = policy("p", of_classification("c1"), "30 days");
    let rules = rules(vec![first, second], vec![]);
    let of = |at: usize, files: u64| Load {
        policy: &rules.policies[at],
        live: 10_000,
        lots: vec![tuesday(files)],
    };
    let drains = drain(&rules, &[of(0, 36), of(1, 10)], span(100 * SECOND));
    assert_eq!(drains[0].gone_by(at("2026-11-24T03:00:00Z")), 36);
    assert_eq!(
        drains[1].gone_by(at("2026-11-24T03:00:00Z")),
        0,
        "it waits for the first"
    );
    assert_eq!(drains[1].gone_by(at("2026-11-24T04:00:00Z")), 10);
    let drains = drain(&rules, &[of(0, 100), of(1, 10)], span(100 * SECOND));
    assert_eq!(
        drains[1].gone_by(at("2026-11-25T01:00:00Z")),
        0,
        "the window has closed meanwhile"
    );
    assert_eq!(drains[1].gone_by(at("2026-11-25T04:00:00Z")), 10);
}

#[test]
fn a_deadline_is_counted_from_the_same_start() {
    let rules = set(|_| {});
    let of = |after: &str, by: Option<&str>, due: &str| {
        let mut p = policy("p", of_classification("c1"), after);
        p.delete_by = by.map(period);
        deadline_of(&p, at(due), &rules)
    };
    assert_eq!(
        of("30 days", Some("44 days"), "2026-10-20T22:00:00Z"),
        Some(at("2026-11-03T23:00:00Z")),
        "over the end of summer time"
    );
    assert_eq!(
        of("6 months", Some("6 months 14 days"), "2026-11-23T23:00:00Z"),
        Some(at("2026-12-07T23:00:00Z"))
    );
    assert_eq!(
        of("30 days", None, "2026-11-23T23:00:00Z"),
        Some(at("2026-11-24T23:00:00Z"))
    );
    assert_eq!(
        of("72 hours", Some("100 hours"), "2026-11-23T10:00:00Z"),
        Some(at("2026-11-24T14:00:00Z"))
    );
}
