mod second;
mod zonefile;

use std::cmp::Ordering;

use jiff::civil::date;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::span_of::{MONTHS, days_in};
use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn period(text: &str) -> Period {
    Period::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn ends(text: &str, start: &str, round_up: Option<RoundUp>, tz: &str) -> String {
    let end = period(text).end(at(start), round_up, &zone(tz)).unwrap();
    end.ends_at.to_string()
}

#[test]
fn friendly_and_iso_forms_are_read_alike() {
    let civil = |years, months, days| Period::Civil { years, months, days };
    let hours = |h: i64| Period::Exact {
        millis: h * MS_PER_HOUR,
    };
    for (text, expected) in [
        ("30 days", civil(0, 0, 30)),
        ("30d", civil(0, 0, 30)),
        ("30 Days", civil(0, 0, 30)),
        ("P30D", civil(0, 0, 30)),
        ("6 months 14 days", civil(0, 6, 14)),
        ("6 months, 14 days", civil(0, 6, 14)),
        ("P6M", civil(0, 6, 0)),
        ("6mo", civil(0, 6, 0)),
        ("P6M14D", civil(0, 6, 14)),
        ("1 year", civil(1, 0, 0)),
        ("1y 2mo 3w 4d", civil(1, 2, 25)),
        ("2 weeks", civil(0, 0, 14)),
        ("P2W", civil(0, 0, 14)),
        ("72h", hours(72)),
        ("72 hours", hours(72)),
        ("PT72H", hours(72)),
        ("PT5M", Period::Exact { millis: 300_000 }),
        ("90 minutes", Period::Exact { millis: 5_400_000 }),
        ("1h 30min", Period::Exact { millis: 5_400_000 }),
        ("90 seconds", Period::Exact { millis: 90_000 }),
        ("  1 day  ", civil(0, 0, 1)),
        ("1000 years", civil(1000, 0, 0)),
    ] {
        assert_eq!(Period::parse(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_could_be_meant_otherwise_is_refused_by_kind() {
    let kind = |text: &str| match Period::parse(text) {
        Ok(period) => format!("{period:?}"),
        Err(PeriodError::NoUnit { number }) => format!("NoUnit {number}"),
        Err(PeriodError::BareM { number }) => format!("BareM {number}"),
        Err(PeriodError::Zero) => "Zero".to_owned(),
        Err(PeriodError::Negative) => "Negative".to_owned(),
        Err(PeriodError::Mixed) => "Mixed".to_owned(),
        Err(PeriodError::Overflow) => "Overflow".to_owned(),
        Err(PeriodError::Fraction) => "Fraction".to_owned(),
        Err(PeriodError::Unreadable { .. }) => "Unreadable".to_owned(),
    };
    for (text, expected) in [
        ("30", "NoUnit 30"),
        ("1 day 30", "NoUnit 30"),
        ("5m", "BareM 5"),
        ("5 m", "BareM 5"),
        ("6M", "BareM 6"),
        ("1h 5m", "BareM 5"),
        ("1h5m", "BareM 5"),
        ("0 days", "Zero"),
        ("P0D", "Zero"),
        ("PT0S", "Zero"),
        ("-5 days", "Negative"),
        ("5 days ago", "Negative"),
        ("-P6M", "Negative"),
        ("2 days 3 hours", "Mixed"),
        ("P1DT1H", "Mixed"),
        ("1001 years", "Overflow"),
        ("15000 years", "Overflow"),
        ("400000 days", "Overflow"),
        ("99999999 hours", "Overflow"),
        ("1.5 hours", "Fraction"),
        ("1,5 hours", "Fraction"),
        ("PT1.5H", "Fraction"),
        ("500 us", "Fraction"),
        ("", "Unreadable"),
        ("soon", "Unreadable"),
        ("1 day 02:30:00", "Unreadable"),
        ("30 jours", "Unreadable"),
        ("P", "Unreadable"),
        ("9999999999999999999 days", "Unreadable"),
    ] {
        assert_eq!(kind(text), expected, "{text}");
    }
}

#[test]
fn a_refusal_says_what_to_type() {
    let text = |input: &str| Period::parse(input).unwrap_err().to_string();
    assert_eq!(text("5m"), "minutes or months? write `5 minutes` or `5 months`");
    assert_eq!(text("30"), "no unit: write `30 days` or `30 hours`");
    assert!(text("2 days 3 hours").ends_with("write `2 days` or `48 hours`"));
    assert_eq!(
        text("so\u{1b}on"),
        "not a period (`so\\u{1b}on`): write `30 days`, `6 months 14 days`, `72 hours` or `P6M`"
    );
}

#[test]
fn months_clamp_to_their_last_day_and_leap_days_are_kept() {
    let utc = |p: &str, s: &str| ends(p, s, None, "UTC");
    assert_eq!(utc("1 month", "2026-01-31T12:00:00Z"), "2026-03-01T00:00:00Z");
    assert_eq!(utc("1 month", "2028-01-31T12:00:00Z"), "2028-03-01T00:00:00Z");
    assert_eq!(utc("1 year", "2028-02-29T12:00:00Z"), "2029-03-01T00:00:00Z");
    assert_eq!(utc("4 years", "2028-02-29T12:00:00Z"), "2032-03-01T00:00:00Z");
    assert_eq!(utc("1 month", "2026-02-28T12:00:00Z"), "2026-03-29T00:00:00Z");
    assert_eq!(utc("1 day", "2028-02-28T23:59:59Z"), "2028-03-01T00:00:00Z");
    assert_eq!(
        utc("1 month 1 day", "2026-01-31T00:00:00Z"),
        "2026-03-02T00:00:00Z"
    );
}

#[test]
fn an_invoice_is_kept_eight_years_from_the_end_of_its_year() {
    let end = period("8 years")
        .end(
            at("2026-03-05T09:00:00Z"),
            Some(RoundUp::Year),
            &zone("Europe/Berlin"),
        )
        .unwrap();
    assert_eq!(end.counted_from, Some(date(2026, 12, 31)));
    assert_eq!(end.last_day, Some(date(2034, 12, 31)));
    assert_eq!(end.ends_at, at("2035-01-01T00:00:00+01:00"));
}

#[test]
fn starts_round_up_to_the_last_day_of_their_unit() {
    let day = |unit: RoundUp, y, m, d| unit.last_day(date(y, m, d));
    assert_eq!(day(RoundUp::Day, 2026, 3, 5), date(2026, 3, 5));
    assert_eq!(day(RoundUp::Month, 2028, 2, 1), date(2028, 2, 29));
    assert_eq!(day(RoundUp::Quarter, 2026, 1, 1), date(2026, 3, 31));
    assert_eq!(day(RoundUp::Quarter, 2026, 6, 30), date(2026, 6, 30));
    assert_eq!(day(RoundUp::Quarter, 2026, 11, 1), date(2026, 12, 31));
    assert_eq!(day(RoundUp::Year, 2026, 12, 31), date(2026, 12, 31));
}

#[test]
fn the_zone_decides_which_day_it_is() {
    assert_eq!(
        ends("1 day", "2026-06-30T22:30:00Z", None, "Europe/Berlin"),
        "2026-07-02T22:00:00Z"
    );
    assert_eq!(
        ends("1 day", "2026-06-30T22:30:00Z", None, "UTC"),
        "2026-07-02T00:00:00Z"
    );
    assert_eq!(
        ends(
            "1 month",
            "2026-06-30T22:30:00Z",
            Some(RoundUp::Month),
            "Europe/Berlin"
        ),
        "2026-08-31T22:00:00Z"
    );
}

#[test]
fn a_skipped_midnight_ends_at_the_first_instant_after_it() {
    // Clocks went from 00:00 to 01:00, in Toronto of 1919 from 23:30 to 00:30.
    assert_eq!(
        ends("1 day", "2018-11-02T12:00:00Z", None, "America/Sao_Paulo"),
        "2018-11-04T03:00:00Z"
    );
    assert_eq!(
        ends("1 day", "2023-04-26T12:00:00Z", None, "Africa/Cairo"),
        "2023-04-27T22:00:00Z"
    );
    assert_eq!(
        ends("1 day", "2022-03-25T12:00:00Z", None, "Asia/Beirut"),
        "2022-03-26T22:00:00Z"
    );
    assert_eq!(
        ends("1 day", "1919-03-29T12:00:00Z", None, "America/Toronto"),
        "1919-03-31T04:30:00Z"
    );
    // 30 December 2011 did not exist in Samoa.
    assert_eq!(
        ends("1 day", "2011-12-28T12:00:00-10:00", None, "Pacific/Apia"),
        "2011-12-30T10:00:00Z"
    );
}

#[test]
fn a_midnight_that_comes_twice_ends_at_the_later_one() {
    // Havana goes back from 01:00 to 00:00.
    assert_eq!(
        ends("1 day", "2025-10-31T12:00:00Z", None, "America/Havana"),
        "2025-11-02T05:00:00Z"
    );
}

#[test]
fn hours_are_exact_whatever_the_clocks_do() {
    assert_eq!(
        ends("24 hours", "2026-03-28T12:00:00+01:00", None, "Europe/Berlin"),
        "2026-03-29T11:00:00Z"
    );
}

#[test]
fn an_end_outside_the_calendar_or_a_rounded_exact_period_is_none() {
    let utc = TimeZone::UTC;
    let late = at("9998-06-01T00:00:00Z");
    assert_eq!(period("2 years").end(late, None, &utc), None);
    assert_eq!(period("1000 years").end(late, None, &utc), None);
    assert_eq!(period("999 days").end(late, None, &utc), None);
    assert_eq!(
        period("8000000 hours").end(at("9999-12-01T00:00:00Z"), None, &utc),
        None
    );
    assert_eq!(period("1 hour").end(late, Some(RoundUp::Year), &utc), None);
}

#[test]
fn only_what_holds_for_every_start_is_compared() {
    let compare = |a: &str, b: &str| period(a).compare(&period(b));
    for (a, b, expected) in [
        ("30 days", "1 month", None),
        ("31 days", "1 month", None),
        ("32 days", "1 month", Some(Ordering::Greater)),
        ("27 days", "1 month", Some(Ordering::Less)),
        ("6 months", "6 months 14 days", Some(Ordering::Less)),
        ("1 year", "12 months", Some(Ordering::Equal)),
        ("2 weeks", "14 days", Some(Ordering::Equal)),
        ("366 days", "1 year", None),
        ("367 days", "1 year", Some(Ordering::Greater)),
        ("8 years", "7 years 400 days", Some(Ordering::Less)),
        ("72 hours", "3 days", None),
        ("72 hours", "5 days", Some(Ordering::Less)),
        ("72 hours", "1 day", None),
        ("100 hours", "1 day", Some(Ordering::Greater)),
        ("72 hours", "71 hours", Some(Ordering::Greater)),
    ] {
        assert_eq!(compare(a, b), expected, "{a} with {b}");
        assert_eq!(compare(b, a), expected.map(Ordering::reverse), "{b} with {a}");
    }
}

/// The bounds are what a walk over every start finds: none is looser, none is tighter.
#[test]
fn month_bounds_are_the_extremes_over_every_start() {
    for (months, bounds) in (0_i32..12).zip(MONTHS) {
        let mut seen = (i64::MAX, i64::MIN);
        let mut day = date(2023, 1, 1);
        while day.year() < 2028 {
            for first in 0_i32..12 {
                let near = day.checked_add(jiff::Span::new().months(first)).unwrap();
                let far = day.checked_add(jiff::Span::new().months(first + months)).unwrap();
                let days = near.duration_until(far).as_hours() / 24;
                seen = (seen.0.min(days), seen.1.max(days));
            }
            day = day.tomorrow().unwrap();
        }
        assert_eq!(seen, bounds, "{months} months");
    }
}

fn any_period() -> impl Strategy<Value = Period> {
    prop_oneof![
        (1_i64..=1000 * 366 * 24 * MS_PER_HOUR).prop_map(|millis| Period::Exact { millis }),
        (1_i64..=400).prop_map(|hours| Period::Exact {
            millis: hours * MS_PER_HOUR
        }),
        (0_u16..=99, 0_u16..=40, 0_u32..=900)
            .prop_filter("not all zero", |(y, m, d)| u32::from(*y) + u32::from(*m) + d > 0)
            .prop_map(|(years, months, days)| Period::Civil { years, months, days }),
    ]
}

fn any_zone() -> impl Strategy<Value = TimeZone> {
    proptest::sample::select(
        &[
            "UTC",
            "Europe/Berlin",
            "America/Sao_Paulo",
            "Asia/Beirut",
            "Africa/Cairo",
            "America/Havana",
            "Australia/Lord_Howe",
            "Pacific/Apia",
            "America/New_York",
            "Asia/Kathmandu",
            "Atlantic/Azores",
            "Africa/Casablanca",
        ][..],
    )
    .prop_map(zone)
}

fn any_start() -> impl Strategy<Value = Timestamp> {
    // 1970 … 2100
    (0_i64..4_102_444_800_000).prop_map(|ms| Timestamp::from_millis(ms).unwrap())
}

/// Days since 1970 by the civil-from-days algorithm (H. Hinnant), with clamping: no jiff.
fn days_after(date: Date, months: i64, days: i64) -> i64 {
    let total = i64::from(date.year()) * 12 + i64::from(date.month()) - 1 + months;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let day = i64::from(date.day()).min(length);
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468 + days
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn display_parses_back_to_the_same(period in any_period()) {
        prop_assert_eq!(Period::parse(&period.to_string()), Ok(period));
    }

    #[test]
    fn no_text_panics_and_none_gives_a_period_of_no_length(text in "\\PC{0,40}|[pP0-9 mdhwyTMDH.,:+-]{0,24}") {
        if let Ok(period) = Period::parse(&text) {
            match period {
                Period::Exact { millis } => prop_assert!(millis > 0),
                Period::Civil { years, months, days } =>
                    prop_assert!(u32::from(years) + u32::from(months) + days > 0),
            }
        }
    }

    /// Counted without jiff: the local date at the end is exactly the day after the last, never sooner,
    /// and one millisecond earlier it is not.
    #[test]
    fn no_civil_period_ends_early(start in any_start(), tz in any_zone(),
            years in 0_u16..=30, months in 0_u16..=30, days in 1_u32..=400) {
        let end = Period::Civil { years, months, days }.end(start, None, &tz).unwrap();
        let local = |at: Timestamp| tz.to_datetime(at.to_jiff()).date();
        let last = days_after(local(start), i64::from(years) * 12 + i64::from(months), i64::from(days));
        prop_assert!(days_after(local(end.ends_at), 0, 0) > last);
        let before = end.ends_at.checked_add_millis(-1).unwrap();
        let doubled = tz.to_ambiguous_zoned_datetime(tz.to_datetime(end.ends_at.to_jiff())).is_ambiguous();
        prop_assert!(doubled || days_after(local(before), 0, 0) <= last);
        prop_assert!(end.ends_at > start);
    }

    #[test]
    fn an_end_never_comes_before_the_end_of_an_earlier_start(period in any_period(), a in any_start(),
            b in any_start(), tz in any_zone(),
            unit in proptest::option::of(proptest::sample::select(&[RoundUp::Month, RoundUp::Quarter, RoundUp::Year][..]))) {
        let unit = unit.filter(|_| period.is_civil());
        let (a, b) = (a.min(b), a.max(b));
        if let (Some(first), Some(second)) = (period.end(a, unit, &tz), period.end(b, unit, &tz)) {
            prop_assert!(first.ends_at <= second.ends_at);
            prop_assert!(first.ends_at > a);
        }
    }

    #[test]
    fn a_comparison_holds_for_the_start_at_hand(a in any_period(), b in any_period(), start in any_start(), tz in any_zone()) {
        if let (Some(order), Some(x), Some(y)) = (a.compare(&b), a.end(start, None, &tz), b.end(start, None, &tz)) {
            // Two dates can begin at one instant where a whole day was skipped.
            prop_assert!(x.ends_at.cmp(&y.ends_at) == order || x.ends_at == y.ends_at, "{a} {b} {start}");
        }
    }

    #[test]
    fn years_bounds_hold(months in 0_i64..1300, start in any_start(), first in 0_i64..40) {
        let from = TimeZone::UTC.to_datetime(start.to_jiff()).date();
        let days = days_after(from, first + months, 0) - days_after(from, first, 0);
        let (low, high) = days_in(months);
        prop_assert!(low <= days && days <= high, "{months}: {low} {days} {high}");
    }
}
