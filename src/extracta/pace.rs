//! Spacing of requests to one endpoint.
//!
//! Runs on tokio's monotonic clock, so a step of the wall clock neither bunches nor stalls requests.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Lets requests through one after the other, first come first served.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    /// No request starts before this instant.
    not_before: Mutex<Instant>,
    /// Hands out turns in the order in which they were asked for.
    queue: tokio::sync::Mutex<()>,
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
        }
    }

    /// Waits for the next turn. Cancelling the wait costs nobody else theirs.
    pub async fn turn(&self) -> Turn<'_> {
        let place = self.queue.lock().await;
        loop {
            let not_before = *self.not_before();
            if Instant::now() >= not_before {
                break;
            }
            // Looked at again afterwards: it may have been put off meanwhile.
            sleep_until(not_before).await;
        }
        Turn {
            pace: self,
            _place: place,
        }
    }

    /// Starts no request before `until`. Never shortens a wait that is longer already.
    pub fn slow_down(&self, until: Instant) {
        let mut not_before = self.not_before();
        *not_before = until.max(*not_before);
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
}
