//! Periods: exact hours, or civil time by Regulation (EEC, Euratom) No 1182/71.

use serde::Serialize;

/// A span of time that a rule waits: exact, or counted on the calendar; never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// Hours and below: exact milliseconds, always positive.
    Exact {
        /// Length in milliseconds.
        millis: i64,
    },
    /// Days and longer: counted on the calendar of the policy's zone; never all zero.
    Civil {
        /// Years.
        years: u16,
        /// Months.
        months: u16,
        /// Days (weeks are seven of them).
        days: u32,
    },
}

/// A unit that a start date is rounded up to: the last day of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoundUp {
    /// The day itself.
    Day,
    /// The last day of the month.
    Month,
    /// The last day of the quarter.
    Quarter,
    /// 31 December.
    Year,
}
