//! What a listener lets in: how many, how much, for how long, under which names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Hosts;

/// The walls of one listener. Each has a default that suits a page and its scrapers.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time; one more is closed at once. Keep it well below the process's descriptors.
    pub connections: usize,
    /// Most bytes of a request's head.
    pub head_bytes: usize,
    /// Longest wait for a request's head, also between two requests of one connection.
    pub head_time: Duration,
    /// Most bytes of a request's body.
    pub body_bytes: usize,
    /// Longest time from a request's head to the head of its answer.
    pub answer_time: Duration,
    /// A connection older than this takes no further request. One that is being answered then has
    /// [`answer_time`](Self::answer_time) more before it is cut: a client that reads slowly is not waited for.
    pub connection_time: Duration,
    /// At the end of the service, answers under way have so long.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            head_bytes: 16 * 1024,
            head_time: Duration::from_secs(10),
            body_bytes: 16 * 1024,
            answer_time: Duration::from_secs(10),
            connection_time: Duration::from_secs(120),
            farewell: Duration::from_secs(2),
        }
    }
}

/// What happened at a door since the process began.
#[derive(Debug, Default)]
pub struct DoorFigures {
    accepted: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

impl DoorFigures {
    /// Connections let in.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections closed at once, because there were too many.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Times that no connection could be taken, such as for want of descriptors.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    pub(super) fn accept(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn fail(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }
}

/// One listener's rules.
#[derive(Debug, Clone)]
pub struct Door {
    /// What log lines call the listener.
    pub name: &'static str,
    /// Its walls.
    pub limits: Limits,
    /// The names under which it may be asked.
    pub hosts: Hosts,
    /// Where its figures go.
    pub figures: Arc<DoorFigures>,
}
