//! Numbers, times and lengths as people read them.

use jiff::tz::TimeZone;
use maud::{Markup, html};

use crate::model::Timestamp;

/// The zone in which a document tells the time.
pub(super) struct Wall(TimeZone);

impl Wall {
    /// In UTC where this machine does not know the zone.
    pub(super) fn new(zone: &str) -> Self {
        Self(TimeZone::get(zone).unwrap_or(TimeZone::UTC))
    }

    /// `1 Jul 2026, 03:00`, with the machine-readable instant beside it.
    pub(super) fn time(&self, at: Timestamp) -> Markup {
        html! { time datetime=(at) { (self.time_text(at)) } }
    }

    pub(super) fn time_text(&self, at: Timestamp) -> String {
        let civil = self.0.to_datetime(at.to_jiff());
        civil.strftime("%-d %b %Y, %H:%M").to_string()
    }

    /// `1 Jul 2026`
    pub(super) fn day_text(&self, at: Timestamp) -> String {
        let civil = self.0.to_datetime(at.to_jiff());
        civil.strftime("%-d %b %Y").to_string()
    }

    /// The day to which the last instant before `end` belongs.
    pub(super) fn day_before(&self, end: Timestamp) -> String {
        self.day_text(end.checked_add_millis(-1).unwrap_or(end))
    }

    /// The time, or what its absence means.
    pub(super) fn time_or(&self, at: Option<Timestamp>, without: &str) -> Markup {
        match at {
            Some(at) => self.time(at),
            None => html! { span.soft { (without) } },
        }
    }
}

/// `12,345`
pub(super) fn number(n: u64) -> String {
    indicatif::HumanCount(n).to_string()
}

/// `1 file`, `12,345 files`
pub(super) fn files(n: u64) -> String {
    format!("{} {}", number(n), if n == 1 { "file" } else { "files" })
}

/// Minutes in their two largest units: `3 d 4 h`, `2 h 5 min`, `14 min`.
pub(super) fn length(minutes: u64) -> String {
    let (days, hours, rest) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours) {
        (0, 0) => format!("{rest} min"),
        (0, hours) => format!("{hours} h {rest} min"),
        (days, hours) => format!("{} d {hours} h", number(days)),
    }
}

/// The same, or a dash.
pub(super) fn length_or_dash(minutes: Option<u64>) -> String {
    minutes.map_or_else(|| "–".to_owned(), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lengths_read_as_people_say_them() {
        for (n, shown) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(n), shown);
        }
        assert_eq!(
            (files(1), files(1000)),
            ("1 file".to_owned(), "1,000 files".to_owned())
        );
        for (minutes, shown) in [
            (1, "1 min"),
            (60, "1 h 0 min"),
            (1439, "23 h 59 min"),
            (1440, "1 d 0 h"),
            (4565, "3 d 4 h"),
        ] {
            assert_eq!(length(minutes), shown);
        }
        assert_eq!(length_or_dash(None), "–");
    }

    #[test]
    fn a_period_ends_on_the_day_before_its_end() {
        let wall = Wall::new("Europe/Berlin");
        let end: Timestamp = "2026-09-30T22:00:00Z".parse().unwrap();
        assert_eq!(wall.day_before(end), "30 Sep 2026");
        assert_eq!(wall.day_text(end), "1 Oct 2026");
    }
}
