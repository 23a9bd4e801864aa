//! Numbers, times and sentences as people read them.

use jiff::tz::TimeZone;
use maud::{Markup, html};

use crate::model::Timestamp;

/// The clock on the page's wall.
pub(super) struct Wall {
    zone: TimeZone,
    now: Timestamp,
}

impl Wall {
    /// In the policy file's zone; in UTC where this machine does not know it.
    pub(super) fn new(zone: &str, now: Timestamp) -> Self {
        Self {
            zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC),
            now,
        }
    }

    /// Date and time; the machine-readable instant beside it.
    pub(super) fn time(&self, at: Timestamp) -> Markup {
        let civil = self.zone.to_datetime(at.to_jiff());
        let shown = civil.strftime("%-d %b %Y, %H:%M");
        html! { time datetime=(at) { (shown) } }
    }

    /// The same, or a dash.
    pub(super) fn time_or_none(&self, at: Option<Timestamp>) -> Markup {
        match at {
            Some(at) => self.time(at),
            None => html! { span.soft { "–" } },
        }
    }

    /// `in 4 hours`, `3 days ago`.
    pub(super) fn distance(&self, at: Timestamp) -> String {
        let ms = at.millis_since(self.now);
        if ms >= 0 {
            format!("in {}", length(ms))
        } else {
            format!("{} ago", length(-ms))
        }
    }

    /// How long ago.
    pub(super) fn since(&self, at: Timestamp) -> String {
        length(self.now.millis_since(at).max(0))
    }
}

/// A length in its largest unit, rounded down.
fn length(ms: i64) -> String {
    let seconds = ms / 1000;
    let (n, unit) = match seconds {
        s if s < 60 => (s, "second"),
        s if s < 3600 => (s / 60, "minute"),
        s if s < 2 * 86_400 => (s / 3600, "hour"),
        s => (s / 86_400, "day"),
    };
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {unit}{plural}")
}

/// `12,345`
pub(super) fn number(n: u64) -> String {
    indicatif::HumanCount(n).to_string()
}

/// `1 file`, `12,345 files`
pub(super) fn files(n: u64) -> String {
    format!("{} {}", number(n), if n == 1 { "file" } else { "files" })
}

/// Bytes in the unit that fits.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (n, 0);
    while value >= 10 * 1024 && unit + 1 < UNITS.len() {
        value /= 1024;
        unit += 1;
    }
    format!("{} {}", number(value), UNITS[unit])
}

/// A sentence whose commands stand between backticks.
pub(super) fn sentence(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lengths_read_as_people_say_them() {
        for (n, shown) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(n), shown);
        }
        assert_eq!(files(1), "1 file");
        for (n, shown) in [(512, "512 bytes"), (20_480, "20 KiB"), (10_737_418_240, "10 GiB")] {
            assert_eq!(bytes(n), shown);
        }
        for (ms, shown) in [
            (999, "0 seconds"),
            (60_000, "1 minute"),
            (3_600_000 * 47, "47 hours"),
            (86_400_000 * 3, "3 days"),
        ] {
            assert_eq!(length(ms), shown);
        }
        assert_eq!(
            sentence("a <b>; `run it` now").into_string(),
            "a &lt;b&gt;; <code>run it</code> now"
        );
    }
}
