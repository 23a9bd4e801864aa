//! Openings on the wall clock, over midnight, blackout days and changes of the clock.

use proptest::prelude::*;

use super::*;
use crate::rules::fixtures::at;

const WEEK: [bool; 7] = [true; 7];
const WORKDAYS: [bool; 7] = [true, true, true, true, true, false, false];

fn window(days: [bool; 7], from: &str, to: &str) -> Window {
    Window::new(days, from.parse().unwrap(), to.parse().unwrap()).unwrap()
}

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn opening<'r>(window: &'r Window, blackouts: &'r [Blackout], zone: &'r TimeZone) -> Opening<'r> {
    Opening {
        window: Some(window),
        blackouts,
        zone,
    }
}

#[test]
fn a_night_window_belongs_to_the_day_on_which_it_begins() {
    let (night, zone) = (window(WORKDAYS, "22:00", "05:00"), berlin());
    let open = |text: &str| opening(&night, &[], &zone).is_open(at(text));
    // 2026-11-27 is a Friday; Berlin is an hour ahead.
    assert!(!open("2026-11-27T20:59:59.999Z"));
    assert!(open("2026-11-27T21:00:00Z"));
    assert!(
        open("2026-11-28T03:59:59.999Z"),
        "Saturday morning is Friday's night"
    );
    assert!(!open("2026-11-28T04:00:00Z"));
    assert!(!open("2026-11-28T21:30:00Z"), "Saturday has no night");
    assert!(!open("2026-11-30T03:00:00Z"), "nor has Sunday, into Monday");
    let next = opening(&night, &[], &zone).opens_at(at("2026-11-28T12:00:00Z"));
    assert_eq!(next, Some(at("2026-11-30T21:00:00Z")));
    let end = opening(&night, &[], &zone).closes_at(at("2026-11-27T23:00:00Z"));
    assert_eq!(end, Some(at("2026-11-28T04:00:00Z")));
}

#[test]
fn blackout_days_close_it_by_their_dates() {
    let (night, zone) = (window(WEEK, "22:00", "05:00"), berlin());
    let blackout = [Blackout {
        first: jiff::civil::date(2026, 12, 24),
        last: jiff::civil::date(2026, 12, 26),
    }];
    let opening = opening(&night, &blackout, &zone);
    assert!(opening.is_open(at("2026-12-23T22:59:59Z")));
    assert!(
        !opening.is_open(at("2026-12-23T23:00:00Z")),
        "the 24th has begun in Berlin"
    );
    assert_eq!(
        opening.closes_at(at("2026-12-23T22:00:00Z")),
        Some(at("2026-12-23T23:00:00Z"))
    );
    assert_eq!(
        opening.opens_at(at("2026-12-25T12:00:00Z")),
        Some(at("2026-12-26T23:00:00Z"))
    );
    let without = Opening {
        window: None,
        ..opening
    };
    assert!(!without.is_open(at("2026-12-25T12:00:00Z")) && without.is_open(at("2026-12-27T12:00:00Z")));
}

#[test]
fn midnight_ends_a_day_and_a_whole_day_is_one() {
    let zone = TimeZone::UTC;
    let (evening, sundays) = (
        window(WEEK, "18:00", "00:00"),
        window([false, false, false, false, false, false, true], "00:00", "00:00"),
    );
    let open = |window: &Window, text: &str| opening(window, &[], &zone).is_open(at(text));
    assert!(open(&evening, "2026-11-27T23:59:59.999Z") && !open(&evening, "2026-11-28T00:00:00Z"));
    assert!(open(&sundays, "2026-11-29T12:00:00Z") && !open(&sundays, "2026-11-30T00:00:00Z"));
}

#[test]
fn an_hour_that_is_skipped_or_comes_twice_is_what_the_wall_clock_reads() {
    let zone = berlin();
    // 2026-03-29: 02:00 becomes 03:00. 2026-10-25: 03:00 becomes 02:00.
    let two_to_three = window(WEEK, "02:00", "03:00");
    let early = opening(&two_to_three, &[], &zone);
    assert_eq!(
        early.opens_at(at("2026-03-28T12:00:00Z")),
        Some(at("2026-03-30T00:00:00Z")),
        "the night without that hour has no window"
    );
    assert_eq!(
        early.opens_at(at("2026-10-24T12:00:00Z")),
        Some(at("2026-10-25T00:00:00Z"))
    );
    assert!(early.is_open(at("2026-10-25T01:59:59Z")), "the hour comes twice");
    assert_eq!(
        early.closes_at(at("2026-10-25T00:30:00Z")),
        Some(at("2026-10-25T02:00:00Z"))
    );
}

#[test]
fn what_is_no_window_is_refused() {
    let noon: Time = "12:00".parse().unwrap();
    assert_eq!(Window::new(WEEK, noon, noon), Err(WindowError::Empty));
    assert_eq!(
        Window::new([false; 7], noon, Time::midnight()),
        Err(WindowError::NoDay)
    );
    assert_eq!(
        window(WORKDAYS, "22:00", "05:00").to_string(),
        "mon,tue,wed,thu,fri 22:00-05:00"
    );
}

fn half_hours(count: i8) -> Time {
    jiff::civil::time(count / 2, count % 2 * 30, 0, 0)
}

proptest! {
    #[test]
    fn an_opening_is_open_and_nothing_before_it_is(
        millis in 1_700_000_000_000_i64..1_900_000_000_000,
        days in prop::array::uniform7(any::<bool>()).prop_filter("a day", |days| days.contains(&true)),
        from in 0_i8..48, to in 0_i8..48, zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
        probe in 0.0_f64..1.0,
    ) {
        prop_assume!(from != to);
        let window = Window::new(days, half_hours(from), half_hours(to)).unwrap();
        let zone = TimeZone::get(zone).unwrap();
        let opening = opening(&window, &[], &zone);
        let now = Timestamp::from_millis(millis).unwrap();
        let opens = opening.opens_at(now).unwrap();
        prop_assert!(opening.is_open(opens) && opens >= now);
        let wait = opens.millis_since(now);
        if wait > 0 {
            let between = now.checked_add_millis((wait as f64 * probe) as i64).unwrap();
            prop_assert!(between >= opens || !opening.is_open(between), "open at {between}, before {opens}");
        }
        let closes = opening.closes_at(opens).unwrap();
        let length = closes.millis_since(opens);
        let between = opens.checked_add_millis((length as f64 * probe) as i64).unwrap();
        prop_assert!(between >= closes || opening.is_open(between), "closed at {between}, before {closes}");
    }
}

#[test]
fn while_changed_rules_wait_both_windows_have_to_be_open() {
    use crate::rules::fixtures::{of_classification, policy, rules};
    let set = |hours: Option<(&str, &str)>| {
        let mut p = policy("p", of_classification("c1"), "30 days");
        p.window = hours.map(|(from, until)| window(WEEK, from, until));
        rules(vec![p], vec![])
    };
    let name = PolicyName::new("p").unwrap();
    let closed = |rules: &RuleSet, text: &str| rules.closed(&name, at(text));
    let mut both = set(Some(("20:00", "23:00")));
    assert_eq!(
        closed(&both, "2026-11-27T19:00:00Z"),
        None,
        "Berlin is an hour ahead"
    );
    both.awaiting = Some(std::sync::Arc::new(set(Some(("22:00", "02:00")))));
    let opens = Some(at("2026-11-27T21:00:00Z"));
    assert_eq!(closed(&both, "2026-11-27T19:00:00Z"), Some(Closed { opens }));
    assert_eq!(closed(&both, "2026-11-27T21:30:00Z"), None);
    both.awaiting = Some(std::sync::Arc::new(set(Some(("02:00", "04:00")))));
    assert_eq!(
        closed(&both, "2026-11-27T19:00:00Z"),
        Some(Closed { opens: None })
    );
    // The requests have no window, and know blackout days.
    let mut blackout = set(None);
    blackout.blackouts = vec![Blackout {
        first: jiff::civil::date(2026, 12, 24),
        last: jiff::civil::date(2026, 12, 24),
    }];
    let opens = Some(at("2026-12-24T23:00:00Z"));
    let requests = blackout.erasure.sweep.name.clone();
    assert_eq!(
        blackout.closed(&requests, at("2026-12-24T08:00:00Z")),
        Some(Closed { opens })
    );
    assert_eq!(both.closed(&requests, at("2026-12-24T08:00:00Z")), None);
}
