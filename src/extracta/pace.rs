//! Spacing of requests to one endpoint.
//!
//! Runs on tokio's monotonic clock, so a step of the wall clock neither bunches nor stalls requests. Where several
//! processes work for one account, each waits for its own turn here and then for that of the account, which
//! somebody else hands out ([`Pacer`]): this room does not know who.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Somebody who does not answer for so long cannot be asked.
const LONGEST_QUESTION: Duration = Duration::from_secs(5);

/// When the next request of one account may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// So long from now: it is ours.
    In(Duration),
    /// Not for so long, which is more than we would wait. Nothing was taken.
    NotFor(Duration),
}

/// Hands out the starts of all processes that work for one account.
#[async_trait]
pub trait Pacer: Debug + Send + Sync {
    /// The next start at `endpoint`, `interval` after the one handed out before, if it is within `patience`.
    /// `None`: cannot be asked.
    async fn next(&self, endpoint: &'static str, interval: Duration, patience: Duration) -> Option<Start>;

    /// No start at `endpoint` within `wait` from now. Never shortens a longer wait.
    async fn put_off(&self, endpoint: &'static str, wait: Duration);
}

/// Lets requests through one after the other, first come first served.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    /// No request starts before this instant.
    not_before: Mutex<Instant>,
    /// Hands out turns in the order in which they were asked for.
    queue: tokio::sync::Mutex<()>,
    /// Who else is asked, and under which name.
    shared: Option<(Arc<dyn Pacer>, &'static str)>,
}

/// Leave for one request. The next turn comes no sooner than the interval after this one is
/// dropped: hold it until the answer is there, and the server too sees the spacing; drop it at
/// once, and only the starts are spaced.
#[derive(Debug)]
#[must_use = "the spacing counts from the moment the turn is dropped"]
pub struct Turn<'a> {
    pace: &'a Pace,
    _place: tokio::sync::MutexGuard<'a, ()>,
}

impl Pace {
    /// At most one request per `interval`; zero lets all through.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self {
            interval,
            not_before: Mutex::new(Instant::now()),
            queue: tokio::sync::Mutex::new(()),
            shared: None,
        }
    }

    /// From now on turns are those of all who ask `pacer` for `endpoint`.
    pub fn share(&mut self, pacer: Arc<dyn Pacer>, endpoint: &'static str) {
        self.shared = Some((pacer, endpoint));
    }

    /// Waits for the next turn. Cancelling the wait costs nobody else theirs, but for a start that was shared.
    pub async fn turn(&self) -> Turn<'_> {
        loop {
            if let Ok(turn) = self.turn_within(Duration::MAX).await {
                return turn;
            }
        }
    }

    /// The same, unless the endpoint is closed for longer than `patience`: then for how long.
    ///
    /// # Errors
    /// How long it is closed.
    pub async fn turn_within(&self, patience: Duration) -> Result<Turn<'_>, Duration> {
        let closed_for = self.closed_for();
        if closed_for > patience {
            return Err(closed_for);
        }
        let place = self.queue.lock().await;
        loop {
            let not_before = *self.not_before();
            if Instant::now() >= not_before {
                break;
            }
            // Looked at again afterwards: it may have been put off meanwhile.
            sleep_until(not_before).await;
        }
        if let Some((pacer, endpoint)) = &self.shared {
            let asked = pacer.next(endpoint, self.interval, patience);
            match timeout(LONGEST_QUESTION, asked).await {
                Ok(Some(Start::In(wait))) => sleep(wait).await,
                Ok(Some(Start::NotFor(wait))) => return Err(wait),
                // Never faster than alone, whatever the others do.
                Ok(None) | Err(_) => sleep(self.interval).await,
            }
        }
        Ok(Turn {
            pace: self,
            _place: place,
        })
    }

    /// Starts no request before `until`. Never shortens a wait that is longer already.
    pub fn slow_down(&self, until: Instant) {
        let mut not_before = self.not_before();
        *not_before = until.max(*not_before);
    }

    /// Nor do the others, for as long.
    pub async fn put_off_for_all(&self, wait: Duration) {
        if let Some((pacer, endpoint)) = &self.shared
            && !wait.is_zero()
        {
            // Should it fail, the others will be told by the API themselves.
            let _ = timeout(LONGEST_QUESTION, pacer.put_off(endpoint, wait)).await;
        }
    }

    /// How long the endpoint is closed for now, whoever is first in the queue.
    #[must_use]
    pub fn closed_for(&self) -> Duration {
        self.not_before().saturating_duration_since(Instant::now())
    }

    fn not_before(&self) -> MutexGuard<'_, Instant> {
        self.not_before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// The answer is there, and asks for a pause of `wait` if it does: for all who share the endpoint, the
    /// spacing counts from here.
    pub async fn answered(self, wait: Option<Duration>) {
        if let Some(wait) = wait {
            self.pace.slow_down(Instant::now() + wait);
        }
        let wait = wait.unwrap_or_default().max(self.pace.interval);
        self.pace.put_off_for_all(wait).await;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.pace.interval.is_zero() {
            self.pace.slow_down(Instant::now() + self.pace.interval);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn turns_come_in_order_and_an_interval_apart() {
        let pace = Arc::new(Pace::new(2 * SECOND));
        let start = Instant::now();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for number in 0_u64..5 {
            let (pace, order) = (Arc::clone(&pace), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let _turn = pace.turn().await;
                order.lock().unwrap().push((number, start.elapsed().as_secs()));
            }));
            tokio::task::yield_now().await;
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [(0, 0), (1, 2), (2, 4), (3, 6), (4, 8)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_held_through_a_slow_call_spaces_from_its_end() {
        let pace = Pace::new(2 * SECOND);
        let start = Instant::now();
        let turn = pace.turn().await;
        tokio::time::sleep(5 * SECOND).await;
        drop(turn);
        drop(pace.turn().await);
        assert_eq!(start.elapsed(), 7 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn slowing_down_also_holds_back_who_is_already_waiting() {
        let pace = Arc::new(Pace::new(2 * SECOND));
        let start = Instant::now();
        drop(pace.turn().await);
        let waiting = {
            let pace = Arc::clone(&pace);
            tokio::spawn(async move {
                drop(pace.turn().await);
                start.elapsed()
            })
        };
        tokio::task::yield_now().await;
        pace.slow_down(start + 30 * SECOND);
        pace.slow_down(start + SECOND);
        assert_eq!(pace.closed_for(), 30 * SECOND);
        assert_eq!(waiting.await.unwrap(), 30 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_wait_costs_nobody_a_turn() {
        let pace = Pace::new(2 * SECOND);
        let start = Instant::now();
        drop(pace.turn().await);
        assert!(tokio::time::timeout(SECOND, pace.turn()).await.is_err());
        drop(pace.turn().await);
        assert_eq!(start.elapsed(), 2 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_interval_nobody_waits() {
        let pace = Pace::new(Duration::ZERO);
        let start = Instant::now();
        for _ in 0..1000 {
            drop(pace.turn().await);
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    /// Hands out starts as a ledger in a server does, or cannot be asked.
    #[derive(Debug)]
    struct Row {
        next: Mutex<Instant>,
        reachable: std::sync::atomic::AtomicBool,
    }

    impl Row {
        fn new() -> Arc<Self> {
            Arc::new(Self {
                next: Mutex::new(Instant::now()),
                reachable: true.into(),
            })
        }
    }

    #[async_trait]
    impl Pacer for Row {
        async fn next(&self, _: &'static str, interval: Duration, patience: Duration) -> Option<Start> {
            if !self.reachable.load(std::sync::atomic::Ordering::SeqCst) {
                return None;
            }
            let mut next = self.next.lock().unwrap();
            let start = (*next).max(Instant::now());
            let wait = start - Instant::now();
            if wait > patience {
                return Some(Start::NotFor(wait));
            }
            *next = start + interval;
            Some(Start::In(wait))
        }

        async fn put_off(&self, _: &'static str, wait: Duration) {
            let mut next = self.next.lock().unwrap();
            *next = (*next).max(Instant::now() + wait);
        }
    }

    fn sharing(interval: Duration, row: &Arc<Row>) -> Pace {
        let mut pace = Pace::new(interval);
        pace.share(Arc::clone(row) as Arc<dyn Pacer>, "reads");
        pace
    }

    #[tokio::test(start_paused = true)]
    async fn two_who_share_are_as_slow_as_one() {
        let row = Row::new();
        let start = Instant::now();
        let starts = Arc::new(Mutex::new(Vec::new()));
        let both = [(); 2].map(|()| {
            let (pace, starts) = (sharing(2 * SECOND, &row), Arc::clone(&starts));
            tokio::spawn(async move {
                for _ in 0..3 {
                    drop(pace.turn().await);
                    starts.lock().unwrap().push(start.elapsed().as_secs());
                }
            })
        });
        for one in both {
            one.await.unwrap();
        }
        let mut starts = starts.lock().unwrap().clone();
        starts.sort_unstable();
        assert_eq!(starts, [0, 2, 4, 6, 8, 10]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_one_is_asked_for_is_kept_by_all_and_a_spacing_counts_from_the_answer() {
        let row = Row::new();
        let (one, other) = (sharing(2 * SECOND, &row), sharing(2 * SECOND, &row));
        let start = Instant::now();
        let turn = one.turn().await;
        sleep(5 * SECOND).await;
        turn.answered(None).await;
        drop(other.turn().await);
        assert_eq!(start.elapsed(), 7 * SECOND, "from the answer");
        one.turn().await.answered(Some(90 * SECOND)).await;
        assert_eq!(start.elapsed(), 9 * SECOND);
        // The other was asked for nothing, and reads are given up by the shared wait as by its own.
        assert_eq!(other.turn_within(60 * SECOND).await.unwrap_err(), 90 * SECOND);
        drop(other.turn().await);
        assert_eq!(start.elapsed(), 99 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn where_nobody_can_be_asked_it_is_never_faster_than_alone() {
        let row = Row::new();
        row.reachable.store(false, std::sync::atomic::Ordering::SeqCst);
        let pace = sharing(2 * SECOND, &row);
        let start = Instant::now();
        for _ in 0..3 {
            drop(pace.turn().await);
        }
        assert!(start.elapsed() >= 6 * SECOND, "{:?}", start.elapsed());
    }
}
