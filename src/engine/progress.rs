//! How far long work has come, for whoever watches.

use std::fmt;
use std::sync::Arc;

/// How far a piece of long work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Files are decided anew under changed rules.
    Deciding {
        /// Decided so far.
        files: u64,
        /// Of so many.
        of: u64,
    },
    /// A delete request is settled.
    Settled {
        /// What it came to: one of `Outcome::LABELS`.
        outcome: &'static str,
        /// Files whose deletion it confirmed.
        deleted: u64,
        /// Files that it found gone.
        gone: u64,
    },
    /// A plan is carried out.
    Deleting {
        /// Deleted or found gone so far.
        files: u64,
        /// Due in this sweep.
        of: u64,
    },
}

/// Hears of progress; the default hears nothing.
#[derive(Clone, Default)]
pub struct Listener(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl Listener {
    /// Calls `hear` now and then; it must not block.
    #[must_use]
    pub fn new(hear: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hear)))
    }

    pub(super) fn tell(&self, progress: Progress) {
        if let Some(hear) = &self.0 {
            hear(progress);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.0.is_some() { "Listener" } else { "nobody" })
    }
}
