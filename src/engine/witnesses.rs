//! Whether to trust a clock.
//!
//! Nothing is deleted on the word of one clock. The witnesses: the wall clock against
//! CLOCK_BOOTTIME since the last tick (which counts through suspend), the wall clock against the
//! highest one ever stored, and the API's own `Date`. One witness alone can only veto. Where several hosts share a
//! ledger in a server, the server's clock and the other hosts' readings are asked as well: they only veto.

use crate::ledger::OtherClocks;
use crate::model::{ClockAnomaly, ClockMark, Timestamp};

/// Wall clock and CLOCK_BOOTTIME may drift apart by so much between two ticks (NTP slewing).
pub const STEP_TOLERANCE_MS: i64 = 60_000;

/// The API's `Date`, the database's clock and another host's may differ by so much.
pub const DATE_TOLERANCE_MS: i64 = 300_000;

/// No ledger of this program is older: a wall clock before this is a dead battery.
const FIRST_RELEASE_MS: i64 = 1_767_225_600_000;

/// What the witnesses say at one tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Testimony {
    /// Two witnesses agree with the wall clock, none objects. `settled`: an anomaly that stood is
    /// settled by the API, and this reading is the new base.
    Agreed {
        /// The reading starts anew, the high-water mark included.
        settled: bool,
    },
    /// Nobody objects, but nothing except the wall clock itself has been heard yet.
    Alone,
    /// A disagreement: nothing may be deleted.
    Disagreed(ClockAnomaly),
}

/// Hears the witnesses. `last` is the last good reading with the high-water mark, `standing` the
/// anomalies of this host that are not resolved yet, `date` the API's clock if it was asked, `others` the clocks
/// beside this host's own.
///
/// An anomaly stands until the wall clock agrees with the old reading again, or until the API takes
/// the wall clock's side at a later tick than the one that saw it. A disagreement with the database's clock stands
/// until one of the two has been set: it may be the one by which the others go.
#[must_use]
pub fn hear(
    mark: &ClockMark,
    last: Option<&(ClockMark, Timestamp)>,
    standing: &[ClockAnomaly],
    date: Option<Timestamp>,
    others: &OtherClocks,
) -> Testimony {
    let place = Place::of(mark, others);
    if let Some(seen) = against_server(mark, &place, others.server) {
        return Testimony::Disagreed(as_known(standing, seen));
    }
    let found = step(mark, last, &place)
        .or_else(|| behind(mark, last, &place))
        .or_else(|| floor(mark, &place))
        .or_else(|| against_api(mark, &place, date))
        .or_else(|| behind_peers(mark, &place, others.peers));
    let same_boot = last.is_some_and(|(m, _)| m.boot_id == mark.boot_id);
    let Some(seen) = found else {
        // Silence settles nothing that the API itself has said.
        let said = standing.iter().find(|old| old.identity.starts_with(API_DATE));
        if let (Some(said), None) = (said, date) {
            return Testimony::Disagreed(said.clone());
        }
        // Across boots nothing ties the wall clock to the last reading: the API has to be the second.
        return if date.is_some() || same_boot {
            Testimony::Agreed { settled: false }
        } else {
            Testimony::Alone
        };
    };
    let known = standing.iter().find(|old| is_same(old, &seen));
    let api_agrees = date.is_some_and(|d| mark.wall.millis_since(d).abs() <= DATE_TOLERANCE_MS);
    match known {
        Some(_) if api_agrees => Testimony::Agreed { settled: true },
        Some(_) | None => Testimony::Disagreed(as_known(standing, seen)),
    }
}

/// How identities of these kinds begin.
const API_DATE: &str = "api-date";
const BEHIND: &str = "behind";
const BEHIND_PEERS: &str = "behind-peers";
const SERVER: &str = "server-clock";

/// Why deletion stops, in one sentence.
#[must_use]
pub fn reason(anomaly: &ClockAnomaly, others: &OtherClocks) -> String {
    let seconds = anomaly.skew_ms / 1000;
    let disagreement = if anomaly.identity.starts_with(SERVER) {
        format!("this host's clock and the database's disagree by {seconds} s: set the one that is wrong")
    } else if anomaly.identity.starts_with(BEHIND_PEERS) {
        format!("this host's clock and that of another host on this ledger disagree by {seconds} s")
    } else {
        format!("the clock witnesses disagree by {seconds} s")
    };
    match &others.host {
        Some(host) => format!("{disagreement} (host {host})"),
        None => disagreement,
    }
}

/// Where an anomaly belongs to, in its identity: two daemons may share a machine's boot, and still be two.
struct Place {
    boot: String,
    host: String,
}

impl Place {
    fn of(mark: &ClockMark, others: &OtherClocks) -> Self {
        let host = others
            .host
            .as_ref()
            .map_or_else(String::new, |host| format!("@{host}"));
        Self {
            boot: format!("{}{host}", mark.boot_id),
            host,
        }
    }
}

/// A disagreement that is known already keeps its identity.
fn as_known(standing: &[ClockAnomaly], mut seen: ClockAnomaly) -> ClockAnomaly {
    if let Some(old) = standing.iter().find(|old| is_same(old, &seen)) {
        seen.identity.clone_from(&old.identity);
    }
    seen
}

/// Whether the wall clock went on from `base` as CLOCK_BOOTTIME did, within one boot.
#[must_use]
pub fn went_on(base: &ClockMark, mark: &ClockMark) -> bool {
    let skew = mark.wall.millis_since(base.wall) - (mark.boottime_ms - base.boottime_ms);
    base.boot_id == mark.boot_id && skew.abs() <= STEP_TOLERANCE_MS
}

/// The same disagreement seen again: same kind and base, same distance within the tolerance.
fn is_same(old: &ClockAnomaly, new: &ClockAnomaly) -> bool {
    let base = |identity: &str| identity.rsplit_once(' ').map(|(base, _)| base.to_owned());
    // How far behind shrinks as time passes.
    let near = old.identity.starts_with(BEHIND) || (old.skew_ms - new.skew_ms).abs() <= DATE_TOLERANCE_MS;
    base(&old.identity) == base(&new.identity) && near
}

fn anomaly(base: &str, mark: &ClockMark, skew_ms: i64) -> Option<ClockAnomaly> {
    let identity = format!("{base} {}", skew_ms / 1000);
    Some(ClockAnomaly {
        identity,
        seen_at: mark.wall,
        skew_ms,
        resolved_at: None,
    })
}

fn step(mark: &ClockMark, last: Option<&(ClockMark, Timestamp)>, place: &Place) -> Option<ClockAnomaly> {
    let (before, _) = last?;
    if before.boot_id != mark.boot_id {
        return None;
    }
    let skew = mark.wall.millis_since(before.wall) - (mark.boottime_ms - before.boottime_ms);
    if skew.abs() <= STEP_TOLERANCE_MS {
        return None;
    }
    anomaly(&format!("step {} {}", place.boot, before.wall), mark, skew)
}

fn behind(mark: &ClockMark, last: Option<&(ClockMark, Timestamp)>, place: &Place) -> Option<ClockAnomaly> {
    let (_, high) = last?;
    let skew = mark.wall.millis_since(*high);
    if skew >= -STEP_TOLERANCE_MS {
        return None;
    }
    // The distance shrinks as time passes: the base alone names it.
    let seen = anomaly(&format!("{BEHIND} {high}{}", place.host), mark, 0)?;
    Some(ClockAnomaly {
        skew_ms: skew,
        ..seen
    })
}

fn floor(mark: &ClockMark, place: &Place) -> Option<ClockAnomaly> {
    let skew = mark.wall.as_millis() - FIRST_RELEASE_MS;
    if skew >= 0 {
        None
    } else {
        anomaly(&format!("before-release {}", place.boot), mark, skew)
    }
}

fn against_api(mark: &ClockMark, place: &Place, date: Option<Timestamp>) -> Option<ClockAnomaly> {
    let skew = mark.wall.millis_since(date?);
    if skew.abs() <= DATE_TOLERANCE_MS {
        return None;
    }
    anomaly(&format!("{API_DATE} {}", place.boot), mark, skew)
}

/// The same distance again is another anomaly, if it was resolved in between: the reading names it.
fn named_by_reading(kind: &str, place: &Place, mark: &ClockMark, skew_ms: i64) -> ClockAnomaly {
    ClockAnomaly {
        identity: format!("{kind} {} {}", place.boot, mark.wall),
        seen_at: mark.wall,
        skew_ms,
        resolved_at: None,
    }
}

fn against_server(mark: &ClockMark, place: &Place, server: Option<Timestamp>) -> Option<ClockAnomaly> {
    let skew = mark.wall.millis_since(server?);
    (skew.abs() > DATE_TOLERANCE_MS).then(|| named_by_reading(SERVER, place, mark, skew))
}

/// Other hosts may be a little ahead, as the database may.
fn behind_peers(mark: &ClockMark, place: &Place, peers: Option<Timestamp>) -> Option<ClockAnomaly> {
    let skew = mark.wall.millis_since(peers?);
    (skew < -DATE_TOLERANCE_MS).then(|| named_by_reading(BEHIND_PEERS, place, mark, skew))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Clock, ManualClock};

    /// One host alone.
    fn hear(
        mark: &ClockMark,
        last: Option<&(ClockMark, Timestamp)>,
        standing: &[ClockAnomaly],
        date: Option<Timestamp>,
    ) -> Testimony {
        super::hear(mark, last, standing, date, &OtherClocks::default())
    }

    fn others(server: Timestamp, peers: Option<Timestamp>) -> OtherClocks {
        OtherClocks {
            host: Some("a-1".to_owned()),
            server: Some(server),
            peers,
            objecting: None,
        }
    }

    #[test]
    fn the_database_vetoes_whatever_the_api_says_and_vouches_for_nobody() {
        let clock = ManualClock::new(at(NOON));
        let last = (clock.mark(), clock.now());
        let right = clock.now();
        for skew in [-301_000, 301_000, 86_400_000] {
            let server = others(right.checked_add_millis(-skew).unwrap(), None);
            for date in [None, Some(right)] {
                let seen = disagreed(super::hear(&clock.mark(), Some(&last), &[], date, &server));
                assert_eq!(seen.skew_ms, skew);
                // Nobody settles it, and it is counted once.
                clock.advance(15_000);
                let later = others(clock.now().checked_add_millis(-skew).unwrap(), None);
                let standing = std::slice::from_ref(&seen);
                let again = super::hear(&clock.mark(), Some(&last), standing, Some(clock.now()), &later);
                assert_eq!(disagreed(again).identity, seen.identity);
                clock.jump(-15_000);
            }
        }
        let near = others(right.checked_add_millis(299_000).unwrap(), None);
        let agreed = Testimony::Agreed { settled: false };
        let clock = ManualClock::new(at(NOON));
        assert_eq!(super::hear(&clock.mark(), Some(&last), &[], None, &near), agreed);
        clock.reboot(1_000);
        assert_eq!(
            super::hear(&clock.mark(), Some(&last), &[], None, &near),
            Testimony::Alone
        );
    }

    #[test]
    fn a_host_that_is_behind_another_deletes_nothing_until_the_api_takes_its_side() {
        let clock = ManualClock::new(at(NOON));
        let last = (clock.mark(), clock.now());
        let ahead = |millis| Some(clock.now().checked_add_millis(millis).unwrap());
        let near = others(clock.now(), ahead(299_000));
        let agreed = Testimony::Agreed { settled: false };
        assert_eq!(super::hear(&clock.mark(), Some(&last), &[], None, &near), agreed);
        let far = others(clock.now(), ahead(301_000));
        let seen = disagreed(super::hear(
            &clock.mark(),
            Some(&last),
            &[],
            Some(clock.now()),
            &far,
        ));
        let standing = [seen.clone()];
        // The other goes on, and so does this one.
        clock.advance(15_000);
        let far = others(clock.now(), ahead(301_000));
        let again = super::hear(&clock.mark(), Some(&last), &standing, None, &far);
        assert_eq!(disagreed(again).identity, seen.identity);
        let settled = super::hear(&clock.mark(), Some(&last), &standing, Some(clock.now()), &far);
        assert_eq!(settled, Testimony::Agreed { settled: true });
    }

    #[test]
    fn two_hosts_of_one_boot_have_anomalies_of_their_own() {
        let clock = ManualClock::new(at(NOON));
        let wrong = clock.now().checked_add_millis(-400_000);
        let names = ["a-1", "b-2"].map(|host| {
            let others = OtherClocks {
                host: Some(host.to_owned()),
                ..OtherClocks::default()
            };
            disagreed(super::hear(&clock.mark(), None, &[], wrong, &others)).identity
        });
        assert_ne!(names[0], names[1]);
    }

    const NOON: &str = "2026-11-23T12:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn disagreed(heard: Testimony) -> ClockAnomaly {
        match heard {
            Testimony::Disagreed(anomaly) => anomaly,
            Testimony::Agreed { .. } | Testimony::Alone => panic!("a disagreement was expected"),
        }
    }

    #[test]
    fn a_jump_in_either_direction_is_an_anomaly_and_passing_time_is_none() {
        let clock = ManualClock::new(at(NOON));
        let last = (clock.mark(), clock.now());
        clock.advance(90 * 86_400_000);
        assert_eq!(
            hear(&clock.mark(), Some(&last), &[], None),
            Testimony::Agreed { settled: false }
        );
        for jump in [-3_600_000, -61_000, 61_000, 3_600_000, 50 * 365 * 86_400_000] {
            let jumped = ManualClock::new(at(NOON));
            jumped.jump(jump);
            assert_eq!(
                disagreed(hear(&jumped.mark(), Some(&last), &[], None)).skew_ms,
                jump
            );
        }
    }

    #[test]
    fn after_a_reboot_only_the_api_can_vouch() {
        let clock = ManualClock::new(at(NOON));
        let last = (clock.mark(), clock.now());
        clock.reboot(3_600_000);
        assert_eq!(hear(&clock.mark(), Some(&last), &[], None), Testimony::Alone);
        let right = Some(clock.now());
        assert_eq!(
            hear(&clock.mark(), Some(&last), &[], right),
            Testimony::Agreed { settled: false }
        );
        let wrong = clock.now().checked_add_millis(-400_000);
        assert_eq!(
            disagreed(hear(&clock.mark(), Some(&last), &[], wrong)).skew_ms,
            400_000
        );
    }

    #[test]
    fn a_jump_is_settled_by_the_api_at_a_later_tick_and_a_second_jump_is_a_second_anomaly() {
        let clock = ManualClock::new(at(NOON));
        let last = (clock.mark(), clock.now());
        clock.jump(7_200_000);
        let first = disagreed(hear(&clock.mark(), Some(&last), &[], Some(clock.now())));
        clock.advance(30_000);
        let again = disagreed(hear(
            &clock.mark(),
            Some(&last),
            std::slice::from_ref(&first),
            None,
        ));
        assert_eq!(again.identity, first.identity);
        let standing = [first.clone()];
        let settled = hear(&clock.mark(), Some(&last), &standing, Some(clock.now()));
        assert_eq!(settled, Testimony::Agreed { settled: true });
        clock.jump(7_200_000);
        let second = disagreed(hear(&clock.mark(), Some(&last), &standing, Some(clock.now())));
        assert_ne!(second.identity, first.identity);
    }

    #[test]
    fn what_the_api_has_said_stands_until_the_api_is_heard_again() {
        let mark = ClockMark {
            wall: at("2026-11-23T10:00:00Z"),
            boottime_ms: 1_000_000,
            boot_id: "b".to_owned(),
        };
        let last = Some((mark.clone(), mark.wall));
        let lying = Some(at("2026-11-23T12:00:00Z"));
        let seen = disagreed(hear(&mark, last.as_ref(), &[], lying));
        let standing = [seen.clone()];
        assert_eq!(
            hear(&mark, last.as_ref(), &standing, None),
            Testimony::Disagreed(seen)
        );
        let agreed = hear(&mark, last.as_ref(), &standing, Some(mark.wall));
        assert!(matches!(agreed, Testimony::Agreed { .. }), "{agreed:?}");
    }

    #[test]
    fn a_clock_that_comes_back_agrees_again_by_itself() {
        let clock = ManualClock::new(at(NOON));
        let last = (clock.mark(), clock.now());
        clock.jump(86_400_000);
        let seen = disagreed(hear(&clock.mark(), Some(&last), &[], None));
        clock.jump(-86_400_000);
        assert_eq!(
            hear(&clock.mark(), Some(&last), &[seen], None),
            Testimony::Agreed { settled: false }
        );
    }

    #[test]
    fn a_dead_clock_is_an_anomaly() {
        let clock = ManualClock::new(at("1970-01-01T00:01:00Z"));
        assert!(disagreed(hear(&clock.mark(), None, &[], None)).skew_ms < 0);
    }
}
