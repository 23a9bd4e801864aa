//! Instants: integer UTC milliseconds inside, RFC 3339 outside.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An instant, in milliseconds since 1970-01-01T00:00:00Z. Always within the years −9999…9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

/// Why a text or number is no instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTimestamp {
    /// Not RFC 3339, or without a zone.
    #[error("`{text}` is not an RFC 3339 time with a zone, such as 2026-11-23T20:05:00Z")]
    Text {
        /// What was given, shortened to 64 characters.
        text: String,
    },
    /// Beyond the years that the calendar covers.
    #[error("{millis} ms is outside the supported calendar")]
    OutOfRange {
        /// Milliseconds since 1970.
        millis: i64,
    },
}

impl Timestamp {
    /// From milliseconds since 1970 UTC.
    ///
    /// # Errors
    /// [`InvalidTimestamp::OutOfRange`] beyond the supported calendar.
    pub fn from_millis(millis: i64) -> Result<Self, InvalidTimestamp> {
        match jiff::Timestamp::from_millisecond(millis) {
            Ok(_) => Ok(Self(millis)),
            Err(_) => Err(InvalidTimestamp::OutOfRange { millis }),
        }
    }

    /// Milliseconds since 1970 UTC.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The same instant for calendar arithmetic.
    #[must_use]
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0)
            .expect("every Timestamp was checked against jiff's range when it was made")
    }

    /// From a calendar instant, cut to the millisecond **upwards**: never earlier than given.
    ///
    /// # Errors
    /// [`InvalidTimestamp::OutOfRange`] at the calendar's very end.
    pub fn from_jiff_rounded_up(instant: jiff::Timestamp) -> Result<Self, InvalidTimestamp> {
        let floor = instant.as_nanosecond().div_euclid(1_000_000);
        let up = i128::from(instant.as_nanosecond().rem_euclid(1_000_000) != 0);
        let millis = i64::try_from(floor + up).unwrap_or(i64::MAX);
        Self::from_millis(millis)
    }

    /// `self + millis`, or `None` outside the calendar.
    #[must_use]
    pub fn checked_add_millis(self, millis: i64) -> Option<Self> {
        self.0
            .checked_add(millis)
            .and_then(|sum| Self::from_millis(sum).ok())
    }

    /// `self − earlier` in milliseconds; negative when `earlier` is later.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = if self.0.rem_euclid(1000) == 0 { 0 } else { 3 };
        write!(f, "{:.precision$}", self.to_jiff())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    /// Strict RFC 3339: a date, a time and a zone (`Z` or an offset). Finer than a millisecond is
    /// rounded up, so that a period counted from it never ends early.
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let refuse = || InvalidTimestamp::Text {
            text: text.chars().take(64).collect(),
        };
        let bytes = text.as_bytes();
        let dashed = bytes.len() >= 20
            && bytes[4] == b'-'
            && matches!(bytes[10], b'T' | b't' | b' ')
            && bytes[13] == b':';
        if !dashed || text.contains('[') {
            return Err(refuse());
        }
        let instant: jiff::Timestamp = text.parse().map_err(|_| refuse())?;
        Self::from_jiff_rounded_up(instant)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;
    fn try_from(text: String) -> Result<Self, InvalidTimestamp> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(at: Timestamp) -> String {
        at.to_string()
    }
}

/// As it is written: RFC 3339 in UTC.
impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Instant".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "date-time",
            "description": "An instant, RFC 3339 in UTC.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_round_trips_and_a_missing_zone_is_refused() {
        let at: Timestamp = "2026-11-23T21:05:00+01:00".parse().unwrap();
        assert_eq!(at.to_string(), "2026-11-23T20:05:00Z");
        assert_eq!(
            "2026-11-23T20:05:00.1234Z"
                .parse::<Timestamp>()
                .unwrap()
                .to_string(),
            "2026-11-23T20:05:00.124Z"
        );
        for bad in [
            "2026-11-23",
            "2026-11-23T20:05:00",
            "1732392300",
            "",
            "2026-13-01T00:00:00Z",
            "20261123T200500Z",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad} must be refused");
        }
    }
}
