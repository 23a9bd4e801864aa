//! Whether the daemon's loop turns: the one thing that a health check cannot take from a ledger.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The loop beats it at each turn; health reads it. By a clock that no one sets.
#[derive(Debug)]
pub struct Pulse {
    began: Instant,
    patience: Duration,
    last_ms: AtomicU64,
    turns: AtomicU64,
}

impl Pulse {
    /// Begins to count. A loop that has not turned for `patience` has stopped; the start counts as a turn.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self {
            began: Instant::now(),
            patience,
            last_ms: AtomicU64::new(0),
            turns: AtomicU64::new(0),
        }
    }

    /// One turn.
    pub fn beat(&self) {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(since, Ordering::Relaxed);
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// Turns so far.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// Time since the last turn.
    #[must_use]
    pub fn silence(&self) -> Duration {
        let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(last)
    }

    /// Whether the loop has turned within its patience.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.silence() <= self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pulse_that_is_not_beaten_within_its_patience_is_dead_until_the_next_beat() {
        let pulse = Pulse::new(Duration::from_secs(120));
        tokio::time::advance(Duration::from_secs(120)).await;
        assert!(pulse.is_alive());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!pulse.is_alive());
        pulse.beat();
        assert!(pulse.is_alive());
        assert_eq!((pulse.turns(), pulse.silence()), (1, Duration::ZERO));
    }
}
