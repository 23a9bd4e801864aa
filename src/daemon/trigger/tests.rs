//! The beat of the crate runs on tokio's time, which the tests pause; the wall clock is theirs too.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::civil::time;
use jiff::tz::TimeZone;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::{Instant, timeout};

use super::*;

const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;
/// The beat, and a little for the machine.
const BEAT: i64 = 500 + 100;

/// A wall clock that runs with tokio's time and can be set.
struct WallClock {
    base: Timestamp,
    born: Instant,
    shift: AtomicI64,
}

impl WallClock {
    fn at(text: &str) -> Arc<Self> {
        Arc::new(Self {
            base: text.parse().unwrap(),
            born: Instant::now(),
            shift: AtomicI64::new(0),
        })
    }

    fn now(&self) -> Timestamp {
        let run = i64::try_from(self.born.elapsed().as_millis()).unwrap();
        self.base
            .checked_add_millis(run + self.shift.load(Ordering::SeqCst))
            .unwrap()
    }

    fn step(&self, millis: i64) {
        self.shift.fetch_add(millis, Ordering::SeqCst);
    }

    fn after(&self, millis: i64) -> Timestamp {
        self.now().checked_add_millis(millis).unwrap()
    }

    fn reader(self: &Arc<Self>) -> Now {
        let clock = Arc::clone(self);
        Arc::new(move || clock.now())
    }
}

fn name(text: &str) -> PolicyName {
    PolicyName::new(text).unwrap()
}

/// A policy that occurs at exactly these instants.
fn at(policy: &str, mut instants: Vec<Timestamp>) -> Entry {
    instants.sort();
    let next = move |after| instants.iter().copied().find(|at| *at > after);
    Entry {
        policy: name(policy),
        next: Arc::new(next),
    }
}

/// The wake that comes within `millis` of tokio's time, and the wall clock then.
async fn wake(wakes: &mut Receiver<Wake>, clock: &WallClock, millis: i64) -> Option<(String, Timestamp)> {
    let bound = Duration::from_millis(u64::try_from(millis).unwrap());
    let wake = timeout(bound, wakes.recv()).await.ok()??;
    Some((wake.policy.to_string(), clock.now()))
}

fn assert_prompt(seen: Timestamp, meant: Timestamp) {
    let late = seen.millis_since(meant);
    assert!(
        (0..=BEAT).contains(&late),
        "meant for {meant}, woken {late} ms later"
    );
}

#[tokio::test(start_paused = true)]
async fn a_policy_wakes_once_at_each_instant_that_next_gives_and_at_no_other() {
    let clock = WallClock::at("2026-11-23T20:05:00.250Z");
    let instants: Vec<_> = [SECOND, 2 * SECOND, 61 * SECOND, HOUR, HOUR + SECOND]
        .map(|millis| clock.after(millis))
        .into();
    let (sender, mut wakes) = channel(8);
    let entries = vec![at("a", instants.clone())];
    let trigger = Trigger::start(entries, sender, clock.reader()).await.unwrap();
    for meant in instants {
        let (_, seen) = wake(&mut wakes, &clock, 2 * HOUR).await.unwrap();
        assert_prompt(seen, meant);
    }
    assert_eq!(wake(&mut wakes, &clock, 2 * HOUR).await, None);
    assert!(clock.now().millis_since(trigger.turned_at()) <= BEAT);
    trigger.stop().await;
}

#[tokio::test(start_paused = true)]
async fn over_a_change_of_summer_time_the_instants_of_next_decide() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let zone = berlin.clone();
    let next = move |after: Timestamp| {
        let from = after.to_jiff().to_zoned_datetime(zone.clone()).date();
        let days = (0..3).map(|n| from.saturating_add(jiff::Span::new().days(n)));
        days.map(|day| {
            day.to_datetime(time(3, 0, 0, 0))
                .to_zoned_datetime(zone.clone())
                .unwrap()
        })
        .map(|due| Timestamp::from_jiff_rounded_up(due.timestamp()).unwrap())
        .find(|due| *due > after)
    };
    for (start, hours) in [
        ("2026-03-28T01:30:00Z", [23, 24, 24]),
        ("2026-10-24T00:30:00Z", [25, 24, 24]),
    ] {
        let clock = WallClock::at(start);
        let (sender, mut wakes) = channel(8);
        let entry = Entry {
            policy: name("daily"),
            next: Arc::new(next.clone()),
        };
        let trigger = Trigger::start(vec![entry], sender, clock.reader()).await.unwrap();
        let mut last = wake(&mut wakes, &clock, 2 * HOUR).await.unwrap().1;
        for gap in hours {
            clock.step(22 * HOUR);
            let (_, seen) = wake(&mut wakes, &clock, 4 * HOUR).await.unwrap();
            assert_eq!(seen.to_jiff().to_zoned_datetime(berlin.clone()).hour(), 3);
            let off = seen.millis_since(last) - gap * HOUR;
            assert!(off.abs() <= BEAT, "{start}: {gap} h expected, {off} ms beside it");
            last = seen;
        }
        trigger.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_without_an_occurrence_neither_wakes_nor_vanishes() {
    let clock = WallClock::at("2026-11-23T20:05:00Z");
    let past = clock.after(-DAY);
    let other = clock.after(3 * SECOND);
    let (sender, mut wakes) = channel(8);
    let entries = vec![at("never again", vec![past]), at("other", vec![other])];
    let trigger = Trigger::start(entries, sender, clock.reader()).await.unwrap();
    assert_eq!(wake(&mut wakes, &clock, HOUR).await.unwrap().0, "other");
    assert_eq!(wake(&mut wakes, &clock, HOUR).await, None);

    // Were its job gone, it could not wake when the clock is set back before its one instant.
    clock.step(past.millis_since(clock.now()) - 10 * SECOND);
    let (policy, seen) = wake(&mut wakes, &clock, HOUR).await.unwrap();
    assert_eq!(policy, "never again");
    assert_prompt(seen, past);
    trigger.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_fifty_years_and_back_freezes_nothing() {
    let clock = WallClock::at("2026-11-23T20:05:00Z");
    let meant = clock.after(HOUR);
    let (sender, mut wakes) = channel(8);
    let entries = vec![at("hourly", vec![meant, clock.after(60 * YEAR)])];
    let trigger = Trigger::start(entries, sender, clock.reader()).await.unwrap();
    clock.step(50 * YEAR);
    assert!(wake(&mut wakes, &clock, SECOND).await.is_some());
    assert_eq!(
        wake(&mut wakes, &clock, 60 * SECOND).await,
        None,
        "one wake a jump"
    );
    clock.step(-50 * YEAR);
    let (_, seen) = wake(&mut wakes, &clock, 2 * HOUR).await.unwrap();
    assert_prompt(seen, meant);
    trigger.stop().await;
}

#[tokio::test(start_paused = true)]
async fn policies_of_the_same_second_all_wake() {
    for count in [50, 3 * CHANNEL_SIZE] {
        let clock = WallClock::at("2026-11-23T20:05:00Z");
        let meant = clock.after(2 * SECOND);
        let entries = (0..count).map(|n| at(&format!("p{n:04}"), vec![meant]));
        let (sender, mut wakes) = channel(count);
        let trigger = Trigger::start(entries.collect(), sender, clock.reader())
            .await
            .unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..count {
            seen.insert(wake(&mut wakes, &clock, 60 * SECOND).await.unwrap().0);
        }
        assert_eq!(seen.len(), count, "each policy once");
        assert_eq!(wake(&mut wakes, &clock, 60 * SECOND).await, None);
        trigger.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn replace_ends_the_old_policies_and_starts_the_new_ones() {
    let clock = WallClock::at("2026-11-23T20:05:00Z");
    let soon: Vec<_> = (1..600).map(|n| clock.after(n * SECOND)).collect();
    let (sender, mut wakes) = channel(64);
    let entries = vec![at("old", soon.clone()), at("kept", soon.clone())];
    let mut trigger = Trigger::start(entries, sender, clock.reader()).await.unwrap();
    assert!(wake(&mut wakes, &clock, 2 * SECOND).await.is_some());

    let entries = vec![at("new", soon.clone()), at("kept", soon)];
    trigger.replace(entries).await.unwrap();
    while wakes.try_recv().is_ok() {}
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    for _ in 0..20 {
        *seen
            .entry(wake(&mut wakes, &clock, 2 * SECOND).await.unwrap().0)
            .or_default() += 1;
    }
    assert_eq!(seen, [("kept".into(), 10), ("new".into(), 10)].into());
    trigger.replace(Vec::new()).await.unwrap();
    while wakes.try_recv().is_ok() {}
    assert_eq!(wake(&mut wakes, &clock, 60 * SECOND).await, None);
    trigger.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_occurrence_that_came_just_before_replace_is_not_lost() {
    let clock = WallClock::at("2026-11-23T20:05:00Z");
    let meant = clock.after(30 * SECOND);
    let (sender, mut wakes) = channel(8);
    let entries = vec![at("a", vec![meant]), at("b", vec![meant])];
    let mut trigger = Trigger::start(entries, sender, clock.reader()).await.unwrap();
    clock.step(30 * SECOND);
    trigger.replace(vec![at("a", Vec::new())]).await.unwrap();
    assert_eq!(wake(&mut wakes, &clock, SECOND).await.unwrap().0, "a");
    assert_eq!(wake(&mut wakes, &clock, HOUR).await, None);
    trigger.stop().await;
}

#[tokio::test(start_paused = true)]
async fn stop_ends_every_wake_and_drops_the_sender() {
    let clock = WallClock::at("2026-11-23T20:05:00Z");
    let soon = (1..600).map(|n| clock.after(n * SECOND)).collect();
    let (sender, mut wakes) = channel(1);
    let trigger = Trigger::start(vec![at("a", soon)], sender, clock.reader())
        .await
        .unwrap();
    assert!(wake(&mut wakes, &clock, 2 * SECOND).await.is_some());
    let board = Arc::clone(&trigger.board);
    trigger.stop().await;
    assert_eq!(
        wakes.try_recv(),
        Err(tokio::sync::mpsc::error::TryRecvError::Disconnected)
    );
    let silent_since = board.turned_at();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(
        board.turned_at().millis_since(silent_since) <= 2 * BEAT,
        "the beat goes on"
    );
}

#[tokio::test(start_paused = true)]
async fn a_full_channel_drops_wakes_and_a_closed_one_harms_nobody() {
    let clock = WallClock::at("2026-11-23T20:05:00Z");
    let soon: Vec<_> = (1..=30).map(|n| clock.after(n * SECOND)).collect();
    let (sender, mut wakes) = channel(1);
    let trigger = Trigger::start(vec![at("a", soon)], sender, clock.reader())
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(wakes.try_recv().is_ok(), "one waits");
    assert!(wakes.try_recv().is_err(), "the others were dropped");
    let (_, seen) = wake(&mut wakes, &clock, 2 * SECOND).await.unwrap();
    assert!(seen.millis_since(clock.base) >= 10 * SECOND);
    drop(wakes);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(
        clock.now().millis_since(trigger.turned_at()) <= BEAT,
        "it still turns"
    );
    trigger.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_occurrence_stays_due_until_its_job_has_run_and_then_counts_once() {
    let clock = WallClock::at("2026-11-23T20:05:00Z");
    let (sender, mut wakes) = channel(8);
    let board = Board::new(sender, clock.reader());
    let job = Job::new(PLACEHOLDER, |_, _| {}).unwrap().guid();
    board.replace(vec![(job, Slot::new(at("a", vec![clock.after(SECOND)])))]);
    assert!(board.due().is_empty());
    assert_eq!(board.time_till_next(), Some(Duration::from_secs(1)));
    board.fire(job);
    assert!(wakes.try_recv().is_err(), "too early");
    clock.step(SECOND);
    assert_eq!([board.due(), board.due()], [[job], [job]], "not run yet");
    board.fire(job);
    board.fire(job);
    assert!(wakes.try_recv().is_ok());
    assert!(wakes.try_recv().is_err(), "one wake an occurrence");
    assert!(board.due().is_empty());
}

#[tokio::test]
async fn on_the_real_clock_wakes_come_at_their_seconds() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one test that runs on the real clock"
    )]
    let now: Now = Arc::new(|| Timestamp::from_jiff_rounded_up(jiff::Timestamp::now()).unwrap());
    let first = now().as_millis() / SECOND + 1;
    // Those that a slow start or a late beat passes over are not missed.
    let instants: Vec<_> = (first..first + 60)
        .map(|second| Timestamp::from_millis(second * SECOND).unwrap())
        .collect();
    let (sender, mut wakes) = channel(8);
    let entries = vec![at("a", instants.clone()), at("never", Vec::new())];
    let trigger = Trigger::start(entries, sender, Arc::clone(&now)).await.unwrap();
    for not_before in &instants[..3] {
        let got = timeout(Duration::from_secs(20), wakes.recv()).await.unwrap();
        assert_eq!(got, Some(Wake { policy: name("a") }));
        assert!(now() >= *not_before, "early");
    }
    trigger.stop().await;
    while timeout(Duration::from_secs(20), wakes.recv())
        .await
        .unwrap()
        .is_some()
    {}
}
