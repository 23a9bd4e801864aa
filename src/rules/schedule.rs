//! Cron schedules: when a policy is swept.
//!
//! croner does the cron arithmetic on civil time; the zone's gaps and overlaps are resolved here, so
//! that each occurrence is one instant and none is lost:
//!
//! - A time in a gap runs once, at the first instant after the gap.
//! - A time that comes twice runs once, at the first of the two, so a daily job runs exactly once a
//!   day. Only a schedule for **every** hour (`*/5 * * * *`, `30 * * * *`) goes on through the
//!   repeated hour: it names minutes, not a time of day, and a pause of an hour would surprise.
//! - Instants that coincide (every minute of a gap ends at its end) are one occurrence.
//!
//! Knows nothing of policies, sweeps or which occurrences ran.

mod civil;
mod fields;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use croner::Cron;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::Timestamp;
use civil::Wall;
pub use fields::ScheduleError;

/// A checked cron expression (5 fields, or 6 with seconds first), Vixie's OR of the two day fields.
#[derive(Clone)]
pub struct Schedule {
    text: String,
    cron: Arc<Cron>,
    /// The hour field allows all 24 hours.
    every_hour: bool,
}

impl Schedule {
    /// Reads a cron expression of 5 fields, or 6 with seconds first.
    ///
    /// Fields take numbers, names of months and weekdays, lists, ranges and steps; the day of the month
    /// also `L`, `LW` and `15W`, the day of the week also `FRI#2` and `FRIL`. Where both day fields are
    /// restricted, a day that satisfies **either** is taken (Vixie cron). A restricted one beside a
    /// stepped `*/2` is refused, because crons disagree about it.
    ///
    /// # Errors
    /// [`ScheduleError`] names the field and says what to type.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let fields = fields::check(text)?;
        let text = fields.join(" ");
        let cron = croner::parser::CronParser::builder()
            .seconds(croner::parser::Seconds::Optional)
            .year(croner::parser::Year::Disallowed)
            .dom_and_dow(false)
            .build()
            .parse(&text)
            .map_err(|e| ScheduleError::Unreadable {
                detail: e.to_string(),
            })?;
        let schedule = Self {
            every_hour: cron.pattern.hours.values().len() == 24,
            cron: Arc::new(cron),
            text,
        };
        // 400 years hold every combination of date and weekday.
        let from = DateTime::constant(2000, 1, 1, 0, 0, 0, 0);
        match schedule.next_civil(from, true) {
            Some(first) if first.year() <= 2400 => Ok(schedule),
            Some(_) | None => Err(ScheduleError::NeverMatches),
        }
    }

    /// The expression, with single spaces.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first occurrence strictly after `after`, or `None` at the calendar's end.
    #[must_use]
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let after = after.to_jiff();
        let mut offset = zone.to_offset(after);
        let wall = offset.to_datetime(after);
        let mut next = match self.repeated_until(after, wall, zone) {
            Some(end) => self.next_civil(end, true)?,
            None => self.next_civil(wall, false)?,
        };
        // One stretch of constant offset after the other.
        for change in zone.following(after) {
            if offset.to_timestamp(next).is_ok_and(|at| at < change.timestamp()) {
                break;
            }
            let old_end = offset.to_datetime(change.timestamp());
            offset = change.offset();
            let new_start = offset.to_datetime(change.timestamp());
            if next < new_start {
                return Timestamp::from_jiff_rounded_up(change.timestamp()).ok();
            }
            if self.every_hour && new_start < old_end {
                next = self.next_civil(new_start, true)?;
            }
        }
        Timestamp::from_jiff_rounded_up(offset.to_timestamp(next).ok()?).ok()
    }

    /// The latest occurrence in `not_before ..= now`: the one that a catch-up run stands for.
    ///
    /// Costs some fifty searches at most, however many occurrences lie between.
    #[must_use]
    pub fn latest_at_or_before(
        &self,
        now: Timestamp,
        zone: &TimeZone,
        not_before: Timestamp,
    ) -> Option<Timestamp> {
        let next_by_now = |after: i64| {
            let after = Timestamp::from_millis(after).ok()?;
            self.next_after(after, zone).filter(|at| *at <= now)
        };
        let mut latest = next_by_now(not_before.as_millis().checked_sub(1)?)?;
        // There is an occurrence at `low`, and none after `high`.
        let (mut low, mut high) = (latest.as_millis(), now.as_millis());
        while low < high {
            let middle = low + (high - low) / 2;
            match next_by_now(middle) {
                Some(at) => {
                    latest = at;
                    low = at.as_millis();
                }
                None => high = middle,
            }
        }
        Some(latest)
    }

    /// Where `after` lies in the second run of a repeated stretch: the wall time at which that ends.
    /// A schedule for certain hours has had its turn there already.
    fn repeated_until(&self, after: jiff::Timestamp, wall: DateTime, zone: &TimeZone) -> Option<DateTime> {
        if self.every_hour {
            return None;
        }
        let nanosecond = jiff::SignedDuration::from_nanos(1);
        let change = zone.preceding(after.checked_add(nanosecond).ok()?).next()?;
        let before = zone.to_offset(change.timestamp().checked_sub(nanosecond).ok()?);
        let old_end = before.to_datetime(change.timestamp());
        (wall < old_end).then_some(old_end)
    }

    fn next_civil(&self, from: DateTime, inclusive: bool) -> Option<DateTime> {
        let found = self.cron.find_next_occurrence(&Wall(from), inclusive).ok()?;
        Some(found.0)
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({:?})", self.text)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Schedule {}
