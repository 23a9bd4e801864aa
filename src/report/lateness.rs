//! How late files were, in whole minutes: exact, and no larger than the number of different minutes.

use std::collections::BTreeMap;

use crate::model::Timestamp;

const MINUTE_MS: i64 = 60_000;

/// How many files were late by how many minutes.
#[derive(Debug, Clone, Default)]
pub(super) struct Lateness {
    files: u64,
    by_minute: BTreeMap<u64, u64>,
}

impl Lateness {
    /// A file that ended `minutes` past its deadline.
    pub(super) fn add(&mut self, minutes: u64) {
        self.files += 1;
        *self.by_minute.entry(minutes).or_default() += 1;
    }

    /// The longest.
    pub(super) fn worst(&self) -> Option<u64> {
        self.by_minute.last_key_value().map(|(minutes, _)| *minutes)
    }

    /// The least number of minutes that 95 of 100 files do not exceed: nearest rank.
    pub(super) fn p95(&self) -> Option<u64> {
        let rank = (self.files * 95).div_ceil(100);
        let mut seen = 0;
        self.by_minute
            .iter()
            .find(|(_, files)| {
                seen += **files;
                seen >= rank
            })
            .map(|(minutes, _)| *minutes)
    }
}

/// How long after `deadline` something ended `at`, in minutes rounded up; `None`: in time. The instant of the
/// deadline itself is in time.
pub(super) fn late_minutes(at: Timestamp, deadline: Option<Timestamp>) -> Option<u64> {
    let late = at.millis_since(deadline?);
    let minutes = u64::try_from(late).ok()?.div_ceil(MINUTE_MS as u64);
    (late > 0).then_some(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms).unwrap()
    }

    #[test]
    fn lateness_begins_one_millisecond_after_the_deadline_and_counts_in_whole_minutes() {
        for (end, minutes) in [
            (-1, None),
            (0, None),
            (1, Some(1)),
            (MINUTE_MS, Some(1)),
            (MINUTE_MS + 1, Some(2)),
        ] {
            assert_eq!(late_minutes(at(end), Some(at(0))), minutes, "{end} ms after it");
        }
        assert_eq!(
            late_minutes(at(5), None),
            None,
            "without a deadline nothing is late"
        );
    }

    #[test]
    fn the_95th_percentile_is_the_nearest_rank() {
        let of = |minutes: &[u64]| {
            let mut lateness = Lateness::default();
            minutes.iter().for_each(|minutes| lateness.add(*minutes));
            (lateness.worst(), lateness.p95())
        };
        assert_eq!(of(&[]), (None, None));
        assert_eq!(of(&[7]), (Some(7), Some(7)));
        let hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(of(&hundred), (Some(100), Some(95)));
        assert_eq!(of(&hundred[..20]), (Some(100), Some(99)), "the 19th of 20");
        assert_eq!(of(&[1, 1, 1, 900]), (Some(900), Some(900)));
    }
}
