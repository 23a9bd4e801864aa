//! Bounds on a period's length, and the comparison that they prove.

use std::cmp::Ordering;

use super::{MS_PER_HOUR, Period};

/// Fewest and most days that 0…11 months can last, over all starts, clamping included.
pub(super) const MONTHS: [(i64, i64); 12] = [
    (0, 0),
    (28, 31),
    (59, 62),
    (89, 92),
    (120, 123),
    (150, 153),
    (181, 184),
    (212, 215),
    (242, 245),
    (273, 276),
    (303, 306),
    (334, 337),
];

/// Zones move their clocks by up to a day and an hour (a date line crossed, summer time besides).
const ZONE_SLACK: i64 = 26 * MS_PER_HOUR;

/// Fewest and most days between the dates that lie `n` and `n + months` months after one start.
pub(super) fn days_in(months: i64) -> (i64, i64) {
    let (years, rest) = (
        months / 12,
        usize::try_from(months % 12).expect("a remainder by 12 of a positive number"),
    );
    let fewest_leaps = (years / 4 - years / 100 - 1).max(0);
    let most_leaps = if years == 0 { 0 } else { years / 4 + 1 };
    let (low, high) = MONTHS[rest];
    (365 * years + fewest_leaps + low, 365 * years + most_leaps + high)
}

/// The least that a period lasts, over all starts and zones; never negative.
pub(super) fn shortest_millis(period: Period) -> i64 {
    match period {
        Period::Exact { millis } => millis,
        Period::Civil { .. } => {
            let (months, days) = months_days(&period);
            ((days_in(months).0 + days) * 24 * MS_PER_HOUR - ZONE_SLACK).max(0)
        }
    }
}

pub(super) fn compare(a: &Period, b: &Period) -> Option<Ordering> {
    match (*a, *b) {
        (Period::Exact { millis: a }, Period::Exact { millis: b }) => Some(a.cmp(&b)),
        (Period::Civil { .. }, Period::Civil { .. }) => civil(months_days(a), months_days(b)),
        (Period::Exact { millis }, Period::Civil { .. }) => exact_with_civil(millis, months_days(b)),
        (Period::Civil { .. }, Period::Exact { millis }) => {
            exact_with_civil(millis, months_days(a)).map(Ordering::reverse)
        }
    }
}

fn months_days(period: &Period) -> (i64, i64) {
    match *period {
        Period::Civil { years, months, days } => (i64::from(years) * 12 + i64::from(months), i64::from(days)),
        Period::Exact { .. } => (0, 0),
    }
}

fn civil(a: (i64, i64), b: (i64, i64)) -> Option<Ordering> {
    if a.0 < b.0 {
        return civil(b, a).map(Ordering::reverse);
    }
    let (low, high) = days_in(a.0 - b.0);
    let more_days = a.1 - b.1;
    match (low + more_days, high + more_days) {
        (0, 0) => Some(Ordering::Equal),
        (low, _) if low > 0 => Some(Ordering::Greater),
        (_, high) if high < 0 => Some(Ordering::Less),
        _ => None,
    }
}

/// A civil period lasts its days, plus at most the rest of the start's own day, plus what zones do.
fn exact_with_civil(millis: i64, civil: (i64, i64)) -> Option<Ordering> {
    let (low, high) = days_in(civil.0);
    let day = 24 * MS_PER_HOUR;
    if millis < (low + civil.1) * day - ZONE_SLACK {
        Some(Ordering::Less)
    } else if millis > (high + civil.1 + 1) * day + ZONE_SLACK {
        Some(Ordering::Greater)
    } else {
        None
    }
}
