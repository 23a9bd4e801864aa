//! A second implementation of civil periods, to be agreed with: its own days, its own months, offsets from
//! the machine's zone files read by hand, and the end found by a search over instants.
//!
//! Where a machine has no zone files, offsets come from jiff, one instant at a time.

use super::zonefile::ZoneFile;
use super::{MS_PER_HOUR, RoundUp, Timestamp, at, period, zone};

/// Ordinary ones, half and quarter hours, and those that shift at midnight: Asunción, Azores, Beirut, Cairo,
/// Damascus, Havana, Nuuk, Santiago, Scoresbysund, Tehran.
const ZONES: [&str; 20] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Chatham",
    "Africa/Casablanca",
    "America/Asuncion",
    "Atlantic/Azores",
    "Asia/Beirut",
    "Africa/Cairo",
    "Asia/Damascus",
    "America/Havana",
    "America/Nuuk",
    "America/Santiago",
    "America/Scoresbysund",
    "Asia/Tehran",
];

const PERIODS: [(&str, i64, i64); 7] = [
    ("1 day", 0, 1),
    ("30 days", 0, 30),
    ("1 month", 1, 0),
    ("6 months 14 days", 6, 14),
    ("1 year", 12, 0),
    ("11 months 1 day", 11, 1),
    ("4 years", 48, 0),
];

const ROUNDINGS: [Option<RoundUp>; 5] = [
    None,
    Some(RoundUp::Day),
    Some(RoundUp::Month),
    Some(RoundUp::Quarter),
    Some(RoundUp::Year),
];

const DAY: i64 = 86_400_000;
const QUARTER_HOUR: i64 = 900_000;

pub(super) fn length(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01, counted through years and months.
pub(super) fn number_of(year: i64, month: i64, day: i64) -> i64 {
    let leaps = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let years = 365 * (year - 1970) + leaps(year - 1) - leaps(1969);
    years + (1..month).map(|month| length(year, month)).sum::<i64>() + day - 1
}

pub(super) fn date_of(number: i64) -> (i64, i64, i64) {
    let mut year = 1970 + number.div_euclid(366);
    while number_of(year + 1, 1, 1) <= number {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && number_of(year, month + 1, 1) <= number {
        month += 1;
    }
    (year, month, number - number_of(year, month, 1) + 1)
}

enum Offsets {
    File(ZoneFile),
    Jiff(jiff::tz::TimeZone),
}

impl Offsets {
    fn of(name: &str) -> Self {
        match ZoneFile::read(name) {
            Some(file) => Self::File(file),
            None => Self::Jiff(zone(name)),
        }
    }

    /// What the clock on the wall shows, in milliseconds since its own 1970.
    fn wall(&self, millis: i64) -> i64 {
        let second = millis.div_euclid(1000);
        let offset = match self {
            Self::File(file) => file.offset(second),
            Self::Jiff(zone) => {
                let instant = jiff::Timestamp::from_second(second).unwrap();
                i64::from(zone.to_offset(instant).seconds())
            }
        };
        millis + offset * 1000
    }

    /// The number of the day that it shows.
    fn day(&self, millis: i64) -> i64 {
        self.wall(millis).div_euclid(DAY)
    }

    /// The last instant at which the clock shows the midnight that begins `day`; where it skips that, the
    /// first one after.
    fn begins(&self, day: i64) -> i64 {
        let midnight = day * DAY;
        // Backwards from where it is that day in every zone, in steps that no change of the clocks is shorter than.
        let mut late = midnight + 13 * 3_600_000;
        assert!(self.day(late) >= day);
        loop {
            let shown = late + midnight - self.wall(late);
            if self.wall(shown) == midnight {
                return shown;
            }
            if self.day(late - QUARTER_HOUR) < day {
                break;
            }
            late -= QUARTER_HOUR;
        }
        let mut early = late - QUARTER_HOUR;
        while late - early > 1 {
            let middle = early + (late - early) / 2;
            if self.day(middle) >= day {
                late = middle;
            } else {
                early = middle;
            }
        }
        late
    }
}

fn rounded(day: i64, unit: Option<RoundUp>) -> i64 {
    let (year, month, _) = date_of(day);
    let month = match unit {
        None | Some(RoundUp::Day) => return day,
        Some(RoundUp::Month) => month,
        Some(RoundUp::Quarter) => [3, 6, 9, 12].into_iter().find(|last| *last >= month).unwrap(),
        Some(RoundUp::Year) => 12,
    };
    number_of(year, month, length(year, month))
}

/// The last day of a period.
fn last_day(from: i64, months: i64, days: i64) -> i64 {
    let (year, month, day) = date_of(from);
    let whole = year * 12 + month - 1 + months;
    let (year, month) = (whole.div_euclid(12), whole.rem_euclid(12) + 1);
    number_of(year, month, day.min(length(year, month))) + days
}

/// Every day of 2020–2045 is a start, at an hour that wanders; every period and rounding has its turn.
#[test]
fn both_implementations_agree_over_26_years_and_20_zones() {
    let (first, last) = (number_of(2020, 1, 1), number_of(2045, 12, 31));
    let mut ends_seen = 0;
    for name in ZONES {
        let (offsets, tz) = (Offsets::of(name), zone(name));
        let mut latest = [[i64::MIN; ROUNDINGS.len()]; PERIODS.len()];
        for day in first..=last {
            let turn = usize::try_from(day).unwrap();
            let (which, rounding) = (turn % PERIODS.len(), turn / 7 % ROUNDINGS.len());
            let (text, months, days) = PERIODS[which];
            // 7 h 13 min further each day: every hour, and the quarter hours about midnight.
            let start = day * DAY + (day * 25_980_000).rem_euclid(DAY);
            let counted_from = rounded(offsets.day(start), ROUNDINGS[rounding]);
            let last = last_day(counted_from, months, days);
            let expected = offsets.begins(last + 1);
            let found = period(text)
                .end(Timestamp::from_millis(start).unwrap(), ROUNDINGS[rounding], &tz)
                .unwrap()
                .ends_at
                .as_millis();
            let said = || {
                format!(
                    "{name}: {text} from {} rounded {:?}: day {:?}",
                    Timestamp::from_millis(start).unwrap(),
                    ROUNDINGS[rounding],
                    date_of(last)
                )
            };
            assert_eq!(found, expected, "{}", said());
            // Never early: not before the same hour that many days later, but for what clocks shift.
            assert!(
                found - start >= (last - offsets.day(start)) * DAY - 3 * 3_600_000,
                "{}",
                said()
            );
            assert!(offsets.day(found) > last, "{}", said());
            // A later start never ends earlier.
            assert!(found >= latest[which][rounding], "{}", said());
            latest[which][rounding] = found;
            ends_seen += 1;
        }
    }
    assert_eq!(ends_seen, 20 * 9497);
}

/// Every hour about each change of the clocks, where the two would differ if anywhere.
#[test]
fn both_implementations_agree_about_every_change_of_the_clocks() {
    let mut changes = 0;
    for name in ZONES {
        let (offsets, tz) = (Offsets::of(name), zone(name));
        let from: jiff::Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
        let until: jiff::Timestamp = "2045-12-31T00:00:00Z".parse().unwrap();
        for change in tz.following(from).take_while(|change| change.timestamp() < until) {
            changes += 1;
            let change = change.timestamp().as_millisecond();
            for hours in -26..=26 {
                // A day before, so that the period of a day ends about the change.
                let start = change - DAY + hours * 3_600_000 - 1;
                let last = offsets.day(start) + 1;
                let found = period("1 day")
                    .end(Timestamp::from_millis(start).unwrap(), None, &tz)
                    .unwrap();
                assert_eq!(
                    found.ends_at.as_millis(),
                    offsets.begins(last + 1),
                    "{name}: 1 day from {start} ms"
                );
            }
        }
    }
    assert!(changes > 500, "{changes}");
}

#[test]
fn the_second_calendar_knows_its_days() {
    for (date, number) in [
        ((1970, 1, 1), 0),
        ((1969, 12, 31), -1),
        ((2000, 2, 29), 11_016),
        ((2026, 11, 23), 20_780),
    ] {
        assert_eq!(number_of(date.0, date.1, date.2), number);
        assert_eq!(date_of(number), date);
    }
    assert_eq!(date_of(last_day(number_of(2024, 1, 31), 1, 0)), (2024, 2, 29));
    assert_eq!(
        date_of(rounded(number_of(2026, 5, 5), Some(RoundUp::Quarter))),
        (2026, 6, 30)
    );
}

/// Whatever began before the cut is over, and what began two days later is not: a log is redacted late by hours,
/// never early.
#[test]
fn what_began_before_the_cut_is_over_and_hardly_anything_later_is() {
    let day = 24 * MS_PER_HOUR;
    for tz in [
        "Europe/Berlin",
        "UTC",
        "America/Havana",
        "Pacific/Apia",
        "Asia/Beirut",
    ] {
        for text in [
            "3 years",
            "3 months",
            "100 days",
            "1 month",
            "2200 hours",
            "1 year 1 month 1 day",
        ] {
            let (period, zone) = (period(text), zone(tz));
            for hours in 0..900 {
                let now = at("2027-10-20T00:30:00Z")
                    .checked_add_millis(hours * 5 * MS_PER_HOUR)
                    .unwrap();
                let cut = period.over_before(now, &zone).unwrap();
                let end = |start: i64| {
                    let start = cut.checked_add_millis(start).unwrap();
                    period.end(start, None, &zone).unwrap().ends_at
                };
                assert!(end(-1) <= now && end(-day) <= now, "{text} {tz} {now}");
                assert!(end(2 * day + 1) > now, "{text} {tz} {now}: {cut}");
            }
        }
    }
}
