//! How a sweep ends, and what is reported of it.

use serde::Serialize;

use super::run::Run;
use super::stop::Stop;
use crate::model::{PolicyName, SweepId, SweepState, SweepSummary};

/// How a sweep ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "ending")]
pub enum Ending {
    /// Everything planned is settled, or nothing was due.
    Done,
    /// The policy only observes: nothing was sent.
    Observed,
    /// This occurrence has been swept before.
    AlreadyDone,
    /// Another process on this ledger is sweeping the policy.
    Elsewhere {
        /// `PID on HOST`.
        by: String,
    },
    /// Something stands in the way.
    Stopped {
        /// What.
        by: Stop,
    },
}

impl Ending {
    /// How the sweep stands after it.
    #[must_use]
    pub const fn state(&self) -> SweepState {
        match self {
            Self::Done | Self::Observed | Self::AlreadyDone => SweepState::Done,
            Self::Elsewhere { .. } => SweepState::Open,
            Self::Stopped { by } => state_of(by),
        }
    }
}

/// What a sweep did.
#[derive(Debug, Clone, Serialize)]
pub struct SweepReport {
    /// The sweep's number.
    pub sweep: SweepId,
    /// The policy.
    pub policy: PolicyName,
    /// How it ended.
    #[serde(flatten)]
    pub ending: Ending,
    /// Its counts.
    pub summary: SweepSummary,
    /// The checkpoint that was made at its end.
    #[serde(skip)]
    pub checkpoint: Option<String>,
}

impl SweepReport {
    /// The exit code that stands for it: a stop before unsettled files, both before "done".
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match &self.ending {
            Ending::Stopped { by } => by.exit_code(),
            Ending::Elsewhere { .. } => 7,
            Ending::Done | Ending::Observed | Ending::AlreadyDone
                if self.summary.unknown > 0 || self.summary.quarantined > 0 =>
            {
                6
            }
            Ending::Done | Ending::Observed | Ending::AlreadyDone => 0,
        }
    }
}

/// What stopped the sweep, or what it has to come back for, or else `ending`.
pub(super) fn halted(run: &Run<'_>, ending: Ending) -> Ending {
    run.halted()
        .or_else(|| run.incomplete())
        .map_or(ending, |by| Ending::Stopped { by })
}

/// What waits for an operator's look is over with this occurrence; all else goes on by itself.
const fn state_of(by: &Stop) -> SweepState {
    match by {
        Stop::Shutdown => SweepState::Cut,
        Stop::NotBefore { .. }
        | Stop::Breaker { .. }
        | Stop::Paused { .. }
        | Stop::ClockAlone
        | Stop::NoAccount { .. }
        | Stop::Incomplete { .. }
        | Stop::RulesWait { .. }
        | Stop::RulesChanged
        | Stop::OutsideWindow { .. }
        | Stop::HoldWithoutPolicy { .. } => SweepState::Postponed,
        Stop::Canary { .. } | Stop::Limit { .. } | Stop::Approval { .. } => SweepState::Stopped,
    }
}
