//! `Retry-After` (RFC 9110 §10.2.3) to a wait.

use crate::model::Timestamp;

/// Longest wait that is honoured: 24 hours, in milliseconds.
pub const LONGEST_WAIT_MS: i64 = 24 * 60 * 60 * 1000;

/// An HTTP date (any of the three forms of RFC 9110 §5.6.7) as an instant.
#[must_use]
pub fn http_date(text: &str) -> Option<Timestamp> {
    let at = httpdate::parse_http_date(text.trim()).ok()?;
    let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
    Timestamp::from_millis(i64::try_from(since.as_millis()).ok()?).ok()
}

/// Milliseconds to wait, from 0 to [`LONGEST_WAIT_MS`]: the longest that any of the headers asks
/// for, or `None` when none of them can be read.
///
/// A date counts from the answer's own `date`, so that a wrong clock here neither shortens nor
/// stretches the wait; without a `date` it cannot be read.
#[must_use]
pub fn wait_asked_for(retry_after: &[String], date: Option<Timestamp>) -> Option<i64> {
    retry_after
        .iter()
        .filter_map(|header| one_wait(header.trim(), date))
        .max()
}

fn one_wait(header: &str, date: Option<Timestamp>) -> Option<i64> {
    let digits = header.strip_prefix('-').unwrap_or(header);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        if digits.len() < header.len() {
            return Some(0);
        }
        // A number that overflows is longer than the longest wait.
        let millis = digits.parse::<i64>().ok().and_then(|s| s.checked_mul(1000));
        return Some(millis.unwrap_or(LONGEST_WAIT_MS).min(LONGEST_WAIT_MS));
    }
    let until = http_date(header)?;
    Some(until.millis_since(date?).clamp(0, LONGEST_WAIT_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Mon, 23 Nov 2026 20:05:00 GMT";

    fn wait(headers: &[&str], date: Option<&str>) -> Option<i64> {
        let headers: Vec<String> = headers.iter().map(|h| (*h).to_owned()).collect();
        wait_asked_for(&headers, date.and_then(http_date))
    }

    #[test]
    fn every_form_of_retry_after_gives_its_wait() {
        let table: &[(&[&str], Option<&str>, Option<i64>)] = &[
            (&[], None, None),
            (&["7"], None, Some(7_000)),
            (&[" 7 "], None, Some(7_000)),
            (&["0"], None, Some(0)),
            (&["-5"], None, Some(0)),
            (&["86400"], None, Some(LONGEST_WAIT_MS)),
            (&["86401"], None, Some(LONGEST_WAIT_MS)),
            (&["315360000"], None, Some(LONGEST_WAIT_MS)),
            (&["9223372036854775807"], None, Some(LONGEST_WAIT_MS)),
            (&["99999999999999999999999999"], None, Some(LONGEST_WAIT_MS)),
            (&["1.5"], None, None),
            (&["+5"], None, None),
            (&["0x10"], None, None),
            (&["soon"], None, None),
            (&["-"], None, None),
            (&[""], None, None),
            (&["Mon, 23 Nov 2026 20:06:30 GMT"], Some(DATE), Some(90_000)),
            (&["Monday, 23-Nov-26 20:06:30 GMT"], Some(DATE), Some(90_000)),
            (&["Mon Nov 23 20:06:30 2026"], Some(DATE), Some(90_000)),
            (&["Mon, 23 Nov 2026 20:06:30 GMT"], None, None),
            (&["Mon, 23 Nov 2026 20:04:59 GMT"], Some(DATE), Some(0)),
            (
                &["Fri, 23 Nov 2035 20:04:59 GMT"],
                Some(DATE),
                Some(LONGEST_WAIT_MS),
            ),
            (&["3", "11", "5"], None, Some(11_000)),
            (&["soon", "5"], None, Some(5_000)),
            (&["soon", "later"], None, None),
            (&["10", "Mon, 23 Nov 2026 20:06:30 GMT"], Some(DATE), Some(90_000)),
        ];
        for (headers, date, expected) in table {
            assert_eq!(wait(headers, *date), *expected, "{headers:?} at {date:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_header_gives_nothing_or_a_wait_within_a_day(header in "\\PC*", number in proptest::num::i128::ANY) {
            for text in [header, number.to_string()] {
                if let Some(millis) = wait(&[&text], Some(DATE)) {
                    proptest::prop_assert!((0..=LONGEST_WAIT_MS).contains(&millis));
                }
            }
        }
    }
}
