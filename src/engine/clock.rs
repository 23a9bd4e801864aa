//! Where the house asks for the time; what of it is believed is [`witnesses`](super::witnesses).

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::model::{ClockMark, Timestamp};

/// Where the house asks for the time.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;

    /// Wall clock, CLOCK_BOOTTIME and boot id, read together.
    fn mark(&self) -> ClockMark;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the wall clock is read"
    )]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(millis)
            .unwrap_or_else(|_| Timestamp::from_millis(0).expect("1970 is in every calendar"))
    }

    fn mark(&self) -> ClockMark {
        let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        ClockMark {
            wall: self.now(),
            boottime_ms: boot.tv_sec * 1000 + boot.tv_nsec / 1_000_000,
            boot_id: boot_id.trim().to_owned(),
        }
    }
}

/// The machine's clocks, moved by a fixed distance: the demo's way to let months pass.
#[derive(Debug)]
pub struct ShiftedClock {
    shift_ms: AtomicI64,
}

impl ShiftedClock {
    /// A clock that is `shift_ms` ahead of the machine's (behind, when negative).
    #[must_use]
    pub const fn new(shift_ms: i64) -> Self {
        Self {
            shift_ms: AtomicI64::new(shift_ms),
        }
    }

    /// Moves on by `millis`, in both the wall clock and CLOCK_BOOTTIME: time passes, nothing jumps.
    pub fn advance(&self, millis: i64) {
        self.shift_ms.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        let real = SystemClock.now();
        real.checked_add_millis(self.shift_ms.load(Ordering::SeqCst))
            .unwrap_or(real)
    }

    fn mark(&self) -> ClockMark {
        let real = SystemClock.mark();
        let shift = self.shift_ms.load(Ordering::SeqCst);
        ClockMark {
            wall: self.now(),
            boottime_ms: real.boottime_ms + shift,
            boot_id: real.boot_id,
        }
    }
}

/// A clock that stands until it is moved: for tests and simulations.
#[derive(Debug)]
pub struct ManualClock {
    mark: Mutex<ClockMark>,
}

impl ManualClock {
    /// Stands at `at`.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self {
            mark: Mutex::new(ClockMark {
                wall: at,
                boottime_ms: 1_000_000,
                boot_id: "boot-1".to_owned(),
            }),
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut ClockMark) -> T) -> T {
        change(&mut self.mark.lock().expect("no holder of this lock panics"))
    }

    /// Time passes: both clocks move on by `millis`.
    pub fn advance(&self, millis: i64) {
        self.with(|mark| {
            mark.wall = mark.wall.checked_add_millis(millis).unwrap_or(mark.wall);
            mark.boottime_ms += millis;
        });
    }

    /// The wall clock jumps by `millis`; CLOCK_BOOTTIME stays.
    pub fn jump(&self, millis: i64) {
        self.with(|mark| mark.wall = mark.wall.checked_add_millis(millis).unwrap_or(mark.wall));
    }

    /// The machine restarts: a new boot id, CLOCK_BOOTTIME from zero, `off_ms` later.
    pub fn reboot(&self, off_ms: i64) {
        self.with(|mark| {
            mark.wall = mark.wall.checked_add_millis(off_ms).unwrap_or(mark.wall);
            mark.boottime_ms = 0;
            mark.boot_id.push('+');
        });
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.with(|mark| mark.wall)
    }

    fn mark(&self) -> ClockMark {
        self.with(|mark| mark.clone())
    }
}
