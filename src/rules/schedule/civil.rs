//! Wall time without a zone, for croner: it searches the calendar, and never sees a gap or an overlap.

use std::cmp::Ordering;

use croner::errors::CronError;
use croner::time::{CivilDate, CivilDateTime, CivilTime, CronDateTime, Resolution, Weekday};
use jiff::civil::DateTime;

/// A wall time; its parts below a second do not count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wall(pub(super) DateTime);

fn unsigned(part: i8) -> u32 {
    u32::try_from(part).expect("jiff's parts of a date and time are not negative")
}

fn signed(part: u32) -> Result<i8, CronError> {
    i8::try_from(part).map_err(|_| CronError::InvalidDate)
}

impl CronDateTime for Wall {
    fn to_civil(&self) -> CivilDateTime {
        let at = self.0;
        CivilDateTime::new(
            CivilDate::from_parts_unchecked(i32::from(at.year()), unsigned(at.month()), unsigned(at.day())),
            CivilTime::from_parts_unchecked(
                unsigned(at.hour()),
                unsigned(at.minute()),
                unsigned(at.second()),
            ),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(unsigned(self.0.weekday().to_sunday_zero_offset()))
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let year = i16::try_from(civil.year()).map_err(|_| CronError::InvalidDate)?;
        DateTime::new(
            year,
            signed(civil.month())?,
            signed(civil.day())?,
            signed(civil.hour())?,
            signed(civil.minute())?,
            signed(civil.second())?,
            0,
        )
        .map(|at| Resolution::Single(Self(at)))
        .map_err(|_| CronError::InvalidDate)
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0
            .checked_add(jiff::SignedDuration::from_secs(seconds))
            .ok()
            .map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
