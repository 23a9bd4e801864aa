//! From errors to exit codes: one table, printed once, in `main`.

use crate::config::{CredentialError, Problems};
use crate::engine::planning::PlanError;
use crate::engine::{Stop, SweepError};
use crate::ledger::{LedgerError, Refusal};
use crate::model::BreakerKind;

/// The exit codes of design §8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0.
    Done,
    /// 1.
    Failed,
    /// 2.
    Usage,
    /// 3: a limit, an approval or a breaker.
    Stopped,
    /// 4: the ledger contradicts itself, is not ours, or is older than it was.
    Integrity,
    /// 5.
    Credentials,
    /// 6: finished, but with unknown or quarantined files.
    Unsettled,
    /// 7: another deleter holds the ledger.
    InUse,
    /// 8: the clock is not trusted.
    Clock,
    /// 75: the API, or the server that keeps the ledger, cannot be used now.
    Unavailable,
    /// 78: the configuration is wrong.
    Config,
}

impl Exit {
    /// The process's exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Stopped => 3,
            Self::Integrity => 4,
            Self::Credentials => 5,
            Self::Unsettled => 6,
            Self::InUse => 7,
            Self::Clock => 8,
            Self::Unavailable => 75,
            Self::Config => 78,
        }
    }
}

impl From<&Stop> for Exit {
    fn from(stop: &Stop) -> Self {
        match stop {
            Stop::Breaker {
                kind: BreakerKind::Clock,
                ..
            }
            | Stop::ClockAlone => Self::Clock,
            Stop::Breaker {
                kind: BreakerKind::Auth,
                ..
            } => Self::Credentials,
            Stop::Breaker {
                kind: BreakerKind::Api,
                ..
            }
            | Stop::NotBefore { .. } => Self::Unavailable,
            Stop::Breaker {
                kind: BreakerKind::Integrity | BreakerKind::Rollback,
                ..
            } => Self::Integrity,
            Stop::Breaker {
                kind: BreakerKind::Collateral,
                ..
            }
            | Stop::Paused { .. }
            | Stop::Limit { .. }
            | Stop::Approval { .. }
            | Stop::RulesWait { .. }
            | Stop::RulesChanged
            | Stop::OutsideWindow { .. }
            | Stop::HoldWithoutPolicy { .. }
            | Stop::Canary { .. } => Self::Stopped,
            Stop::NoAccount { .. } => Self::Config,
            Stop::Incomplete { .. } => Self::Unsettled,
            Stop::Shutdown => Self::Failed,
        }
    }
}

/// A verb that failed: its exit code and what is printed.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The text for standard error, without a leading `error:`.
    pub text: String,
    /// The text is a whole report of its own (policy problems): print it as it is.
    pub rendered: bool,
}

impl Failure {
    /// A failure in words.
    pub fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self {
            exit,
            text: text.into(),
            rendered: false,
        }
    }

    /// Something typed that cannot be.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        let exit = match &error {
            LedgerError::InUse { .. } => Exit::InUse,
            LedgerError::Refused { why, .. } => match why {
                Refusal::Unreachable => Exit::Unavailable,
                Refusal::Password | Refusal::Rights => Exit::Credentials,
                Refusal::Certificate | Refusal::Database => Exit::Config,
            },
            LedgerError::NotOurs { .. } | LedgerError::Damaged { .. } | LedgerError::Transition(_) => {
                Exit::Integrity
            }
            LedgerError::Missing { .. }
            | LedgerError::NotWritable { .. }
            | LedgerError::Busy
            | LedgerError::Conflict { .. }
            | LedgerError::Database { .. } => Exit::Failed,
        };
        Self::new(exit, chain(&error))
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Ledger(error) => error.into(),
            PlanError::Check(_) => Self::new(Exit::Integrity, chain(&error)),
            PlanError::NoPolicy(_) => Self::usage(chain(&error)),
        }
    }
}

impl From<SweepError> for Failure {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::Ledger(error) => error.into(),
            SweepError::Plan(error) => error.into(),
            SweepError::Replaced => Self::new(Exit::Integrity, chain(&error)),
        }
    }
}

impl From<CredentialError> for Failure {
    fn from(error: CredentialError) -> Self {
        Self::new(Exit::Credentials, chain(&error))
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self {
            exit: Exit::Config,
            text: problems.render(false),
            rendered: true,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Failed, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_has_the_same_code_for_a_command_and_for_a_notification() {
        let until = crate::model::Timestamp::from_millis(0).unwrap();
        let (reason, plan, policy) = (String::new, String::new, String::new);
        let mut stops = vec![
            Stop::Paused {
                until,
                reason: reason(),
            },
            Stop::Limit {
                plan: plan(),
                reason: reason(),
            },
            Stop::Approval { plan: plan() },
            Stop::NotBefore { until },
            Stop::ClockAlone,
            Stop::Canary { reason: reason() },
            Stop::Incomplete { files: 1 },
            Stop::HoldWithoutPolicy {
                hold: 1,
                policy: policy(),
            },
            Stop::OutsideWindow { opens: None },
            Stop::NoAccount { account: None },
            Stop::Shutdown,
        ];
        stops.extend(BreakerKind::ALL.map(|kind| Stop::Breaker {
            kind,
            account: None,
            reason: reason(),
        }));
        for stop in stops {
            assert_eq!(Exit::from(&stop).code(), stop.exit_code(), "{stop:?}");
        }
    }
}
