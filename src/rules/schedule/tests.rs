use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn cron(text: &str) -> Schedule {
    Schedule::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// The next `count` occurrences, as wall time with offset.
fn next(text: &str, after: &str, tz: &str, count: usize) -> Vec<String> {
    let (schedule, zone) = (cron(text), zone(tz));
    let mut now = at(after);
    let mut found = Vec::new();
    for _ in 0..count {
        now = schedule.next_after(now, &zone).unwrap();
        let local = now.to_jiff().to_zoned_datetime(zone.clone());
        found.push(local.strftime("%m-%d %H:%M%:z").to_string());
    }
    found
}

#[test]
fn five_fields_mean_second_zero_and_six_begin_with_seconds() {
    assert_eq!(
        next("0 3 * * *", "2026-11-23T20:00:00Z", "Europe/Berlin", 2),
        ["11-24 03:00+01:00", "11-25 03:00+01:00"]
    );
    let schedule = cron("*/10 * * * * *");
    let after = at("2026-11-23T20:00:00.001Z");
    assert_eq!(
        schedule.next_after(after, &TimeZone::UTC),
        Some(at("2026-11-23T20:00:10Z"))
    );
    assert_eq!(cron("  0   3 * * * ").as_str(), "0 3 * * *");
}

#[test]
fn next_is_strictly_after() {
    let schedule = cron("0 3 * * *");
    let three = at("2026-11-23T03:00:00Z");
    assert_eq!(
        schedule.next_after(three, &TimeZone::UTC),
        Some(at("2026-11-24T03:00:00Z"))
    );
    let just_before = three.checked_add_millis(-1).unwrap();
    assert_eq!(schedule.next_after(just_before, &TimeZone::UTC), Some(three));
}

#[test]
fn either_restricted_day_field_is_enough() {
    // The 13th, and every Friday.
    assert_eq!(
        next("0 0 13 * FRI", "2026-11-01T00:00:00Z", "UTC", 3),
        ["11-06 00:00+00:00", "11-13 00:00+00:00", "11-20 00:00+00:00"]
    );
    assert_eq!(
        next("0 0 1-31/10 * MON", "2026-11-01T12:00:00Z", "UTC", 3),
        ["11-02 00:00+00:00", "11-09 00:00+00:00", "11-11 00:00+00:00"]
    );
    assert_eq!(
        Schedule::parse("0 0 */2 * MON").unwrap_err(),
        ScheduleError::StarStepDays
    );
    assert_eq!(
        Schedule::parse("0 0 1 * */2").unwrap_err(),
        ScheduleError::StarStepDays
    );
    assert!(Schedule::parse("0 0 */2 * *").is_ok());
}

#[test]
fn what_is_no_schedule_is_refused_by_name() {
    let refusal = |text: &str| Schedule::parse(text).expect_err(text).to_string();
    for (text, start) in [
        ("", "0 fields found"),
        ("@daily", "1 fields found"),
        ("0 3 * *", "4 fields found"),
        ("0 0 3 * * * 2026", "7 fields found"),
        ("61 3 * * *", "minute `61`: must lie between 0 and 59"),
        ("0 24 * * *", "hour `24`: must lie between 0 and 23"),
        ("0 0 0 * *", "day of month `0`: must lie between 1 and 31"),
        ("0 0 * MARMON *", "month `MARMON`: not readable"),
        ("0 0 MONMON * *", "day of month `MONMON`: not readable"),
        ("0 0 * * 8", "day of week `8`: must lie between 0 and 7"),
        ("0 0 ? * *", "day of month `?`: not readable"),
        ("0 0 1 * +MON", "day of week `+MON`: not readable"),
        ("0,, 3 * * *", "minute `0,,`: an item of the list is empty"),
        ("*,5 3 * * *", "minute `*,5`: `*` cannot stand in a list"),
        (
            "*/90 * * * *",
            "minute `*/90`: the step must be a number from 1 to 59",
        ),
        ("*/0 * * * *", "minute `*/0`: the step must be"),
        (
            "5/10 * * * *",
            "minute `5/10`: a step needs `*` or a range: write `*/10`",
        ),
        ("0 22-5 * * *", "hour `22-5`: the range runs backwards"),
        ("0 0 * * L", "day of week `L`: not readable"),
        ("0 0 * * MON#6", "day of week `MON#6`: not readable"),
        ("0 0 30 2 *", "it never matches"),
        ("0 0 31 4,6,9,11 *", "it never matches"),
        ("0 0 31W 2 *", "it never matches"),
    ] {
        let refusal = refusal(text);
        assert!(refusal.starts_with(start), "{text:?}: {refusal}");
    }
}

#[test]
fn special_days_and_names_are_read() {
    assert_eq!(
        next("0 0 L * *", "2028-02-01T00:00:00Z", "UTC", 1),
        ["02-29 00:00+00:00"]
    );
    assert_eq!(
        next("0 0 * * fri#2", "2026-11-01T00:00:00Z", "UTC", 1),
        ["11-13 00:00+00:00"]
    );
    assert_eq!(
        next("0 0 * * FRIL", "2026-11-01T00:00:00Z", "UTC", 1),
        ["11-27 00:00+00:00"]
    );
    assert_eq!(
        next("0 0 15W * *", "2026-11-01T00:00:00Z", "UTC", 1),
        ["11-16 00:00+00:00"]
    );
    assert_eq!(
        next("0 0 * jan SUN-TUE", "2026-11-01T00:00:00Z", "UTC", 1),
        ["01-03 00:00+00:00"]
    );
    assert_eq!(
        next("0 0 * * FRI-SUN", "2026-11-22T12:00:00Z", "UTC", 2),
        ["11-27 00:00+00:00", "11-28 00:00+00:00"]
    );
    assert_eq!(
        next("0 0 29 2 *", "2097-01-01T00:00:00Z", "UTC", 1),
        ["02-29 00:00+00:00"]
    );
}

#[test]
fn a_time_in_the_gap_runs_once_right_after_it() {
    assert_eq!(
        next("30 2 * * *", "2026-03-28T12:00:00Z", "Europe/Berlin", 2),
        ["03-29 03:00+02:00", "03-30 02:30+02:00"]
    );
    assert_eq!(
        next("0,30 2,3 * * *", "2026-03-29T00:59:00Z", "Europe/Berlin", 3),
        ["03-29 03:00+02:00", "03-29 03:30+02:00", "03-30 02:00+02:00"]
    );
    assert_eq!(
        next("0 0 * * *", "2018-11-03T12:00:00Z", "America/Sao_Paulo", 2),
        ["11-04 01:00-02:00", "11-05 00:00-02:00"]
    );
    assert_eq!(
        next("15 2 * * *", "2026-10-03T00:00:00Z", "Australia/Lord_Howe", 1),
        ["10-04 02:30+11:00"]
    );
    // 30 December 2011 did not exist in Samoa: its runs fall together at the start of the 31st.
    assert_eq!(
        next("0 */6 * * *", "2011-12-30T09:59:00Z", "Pacific/Apia", 2),
        ["12-31 00:00+14:00", "12-31 06:00+14:00"]
    );
}

#[test]
fn a_time_that_comes_twice_runs_at_the_first() {
    assert_eq!(
        next("30 2 * * *", "2026-10-24T12:00:00Z", "Europe/Berlin", 2),
        ["10-25 02:30+02:00", "10-26 02:30+01:00"]
    );
    // Asked from between the two, and from within the second.
    for after in ["2026-10-25T00:45:00Z", "2026-10-25T01:10:00Z"] {
        assert_eq!(
            next("30 2 * * *", after, "Europe/Berlin", 1),
            ["10-26 02:30+01:00"]
        );
    }
    assert_eq!(
        next("*/30 2,3 * * *", "2026-10-25T00:00:00Z", "Europe/Berlin", 3),
        ["10-25 02:30+02:00", "10-25 03:00+01:00", "10-25 03:30+01:00"]
    );
}

#[test]
fn a_schedule_for_every_hour_goes_on_through_the_repeated_one() {
    assert_eq!(
        next("30 * * * *", "2026-10-24T23:45:00Z", "Europe/Berlin", 4),
        [
            "10-25 02:30+02:00",
            "10-25 02:30+01:00",
            "10-25 03:30+01:00",
            "10-25 04:30+01:00"
        ]
    );
    assert_eq!(
        next("*/20 * * * *", "2026-10-25T00:35:00Z", "Europe/Berlin", 4),
        [
            "10-25 02:40+02:00",
            "10-25 02:00+01:00",
            "10-25 02:20+01:00",
            "10-25 02:40+01:00"
        ]
    );
    assert_eq!(
        next("*/20 * * * *", "2026-03-29T00:35:00Z", "Europe/Berlin", 3),
        ["03-29 01:40+01:00", "03-29 03:00+02:00", "03-29 03:20+02:00"]
    );
}

#[test]
fn one_catch_up_run_stands_for_all_that_were_missed() {
    let day = cron("0 3 * * *");
    let berlin = zone("Europe/Berlin");
    let latest = |now: &str, since: &str| day.latest_at_or_before(at(now), &berlin, at(since));
    let three = at("2026-11-23T03:00:00+01:00");
    assert_eq!(
        latest("2026-11-23T20:00:00Z", "2026-01-01T00:00:00Z"),
        Some(three)
    );
    assert_eq!(
        latest("2026-11-23T02:00:00Z", "2026-01-01T00:00:00Z"),
        Some(three)
    );
    assert_eq!(
        latest("2026-11-23T20:00:00Z", "2026-11-23T02:00:00Z"),
        Some(three)
    );
    assert_eq!(latest("2026-11-23T20:00:00Z", "2026-11-23T02:00:01Z"), None);
    assert_eq!(latest("2026-11-23T20:00:00Z", "2026-11-24T00:00:00Z"), None);
    let every_second = cron("* * * * * *");
    assert_eq!(
        every_second.latest_at_or_before(
            at("2026-11-23T20:00:00.700Z"),
            &berlin,
            at("1970-01-01T00:00:00Z")
        ),
        Some(at("2026-11-23T20:00:00Z"))
    );
}

const ZONES: [&str; 14] = [
    "UTC",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Africa/Cairo",
    "America/Havana",
    "Australia/Lord_Howe",
    "America/New_York",
    "America/Toronto",
    "Asia/Kathmandu",
    "Atlantic/Azores",
    "Africa/Casablanca",
    "America/St_Johns",
    "Pacific/Chatham",
];

/// Every zone, every day from 2010 to 2026, at times in and around the usual changes.
#[test]
fn a_daily_job_runs_exactly_once_a_day() {
    let mut runs = 0;
    for name in ZONES {
        let zone = zone(name);
        for text in [
            "0 0 * * *",
            "30 0 * * *",
            "30 1 * * *",
            "15 2 * * *",
            "0 3 * * *",
            "30 23 * * *",
        ] {
            let schedule = cron(text);
            let mut now = at("2010-01-01T12:00:00Z");
            let end = at("2027-01-01T00:00:00Z");
            let mut day = None;
            while now < end {
                now = schedule.next_after(now, &zone).unwrap();
                let date = zone.to_datetime(now.to_jiff()).date();
                if let Some(last) = day {
                    assert_eq!(date.yesterday().unwrap(), last, "{name} {text} at {now}");
                }
                day = Some(date);
                runs += 1;
            }
        }
    }
    assert!(runs > 14 * 6 * 6_200, "only {runs} runs");
}

/// What the rules in the module's doc say, computed second by second the slow way.
fn slow_next(schedule: &Schedule, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    use jiff::tz::AmbiguousOffset as Offset;
    let matches = |wall: DateTime| schedule.next_civil(wall, true) == Some(wall);
    let first = after.as_millis().div_euclid(1000) + 1;
    (first..first + 4 * 86_400).find_map(|second| {
        let instant = jiff::Timestamp::from_second(second).unwrap();
        let wall = zone.to_datetime(instant);
        let here = Timestamp::from_millis(second * 1000).unwrap();
        let second_turn = match zone.to_ambiguous_timestamp(wall).offset() {
            Offset::Fold { after, .. } => after.to_timestamp(wall).unwrap() == instant,
            Offset::Unambiguous { .. } | Offset::Gap { .. } => false,
        };
        let own = matches(wall) && (schedule.every_hour || !second_turn);
        let earlier = zone.to_datetime(jiff::Timestamp::from_second(second - 1).unwrap());
        let mut skipped = earlier.checked_add(jiff::SignedDuration::from_secs(1)).unwrap();
        let mut gap_matched = false;
        while skipped < wall && !gap_matched {
            gap_matched = matches(skipped);
            skipped = skipped.checked_add(jiff::SignedDuration::from_secs(1)).unwrap();
        }
        (own || gap_matched).then_some(here)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_fast_search_agrees_with_the_slow_one(
        name in proptest::sample::select(&ZONES[..]),
        year in 2000_i16..2037,
        which in 0_usize..4,
        minutes in -2000_i64..300,
        text in proptest::sample::select(&[
            "0 0 * * *", "30 * * * *", "*/20 0-4 * * *", "15 1 * * *", "*/7 * * * *", "45 23 * * *",
            "0 30 2 * * *", "10,40 * * * * *", "0 */2 * * *", "5 0,1,2,3 * * *",
        ][..]),
    ) {
        let zone = zone(name);
        let new_year = jiff::civil::date(year, 1, 1).at(0, 0, 0, 0);
        let from = TimeZone::UTC.to_timestamp(new_year).unwrap();
        let change = zone.following(from).nth(which).map_or(from, |change| change.timestamp());
        let after = Timestamp::from_millis(change.as_millisecond() + minutes * 60_000 - 1).unwrap();
        let schedule = cron(text);
        let found = schedule.next_after(after, &zone);
        prop_assert_eq!(found, slow_next(&schedule, after, &zone), "{} {} after {}", name, text, after);
        let found = found.unwrap();
        prop_assert_eq!(schedule.latest_at_or_before(found, &zone, after), Some(found));
        let before = found.checked_add_millis(-1).unwrap();
        prop_assert_eq!(schedule.latest_at_or_before(before, &zone, after), None);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}|([0-9*/,LW#-]{1,5} ){4,5}[0-9A-Z*/,#-]{1,6}") {
        if let Ok(schedule) = Schedule::parse(&text) {
            let now = at("2026-11-23T20:00:00Z");
            prop_assert!(schedule.next_after(now, &TimeZone::UTC).is_some_and(|next| next > now));
        }
    }
}
