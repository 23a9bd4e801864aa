//! One step of a decision, and where what it rests on is written.

use std::fmt;

use serde::Serialize;

use crate::model::{AttemptId, ErasureId, HoldId, PolicyName, SweepId};
use crate::rules::lines::Lines;

/// One step of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was asked: `hold`, `erasure`, `binding`, `owner`, `type`, `start`, `zone`, `rounding`, `period`,
    /// `floor`, `keep`, `deadline`, `mode`.
    pub step: &'static str,
    /// Where that is written.
    pub source: Source,
    /// What was found, in one sentence.
    pub text: String,
}

/// Where what a step rests on is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "from")]
pub enum Source {
    /// A key of the policy file.
    Policies {
        /// The key; those of inner tables with dots.
        key: String,
        /// Its line, from 1.
        line: usize,
    },
    /// A key that the policy file leaves out: its default.
    Default {
        /// The key.
        key: String,
    },
    /// A hold.
    Hold {
        /// Its number.
        hold: HoldId,
    },
    /// An erasure request.
    Erasure {
        /// Its number.
        erasure: ErasureId,
    },
    /// A start event.
    Event {
        /// Its number.
        event: i64,
    },
    /// A sweep.
    Sweep {
        /// Its number.
        sweep: SweepId,
    },
    /// A delete request.
    Attempt {
        /// Its number.
        attempt: AttemptId,
    },
    /// What the ledger holds of the file, or does not hold.
    Ledger,
}

/// As people read it, `policies.toml` by the name that the text is known under.
#[derive(Debug)]
pub struct Shown<'a> {
    source: &'a Source,
    text: &'a str,
}

impl Source {
    /// The first of these keys that a policy or floor has; the default of the last where it has none.
    #[must_use]
    pub fn of_rule(lines: &Lines, rule: &PolicyName, keys: &[&str]) -> Self {
        let found = keys.iter().find_map(|key| Some((key, lines.of(rule, key)?)));
        Self::found(found, keys.last().unwrap_or(&"name"))
    }

    /// A key outside of policies and floors, or its default.
    #[must_use]
    pub fn of_file(lines: &Lines, key: &str) -> Self {
        Self::found(lines.of_file(key).map(|line| (&key, line)), key)
    }

    fn found(found: Option<(&&str, usize)>, default: &str) -> Self {
        match found {
            Some((key, line)) => Self::Policies {
                key: (*key).to_owned(),
                line,
            },
            None => Self::Default {
                key: default.to_owned(),
            },
        }
    }

    /// For print; `text` names the policy file that the lines are of.
    #[must_use]
    pub const fn shown<'a>(&'a self, text: &'a str) -> Shown<'a> {
        Shown { source: self, text }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            Source::Policies { line, .. } => write!(f, "{}:{line}", self.text),
            Source::Default { key } => write!(f, "default {key}"),
            Source::Hold { hold } => write!(f, "hold {}", hold.0),
            Source::Erasure { erasure } => write!(f, "erasure {}", erasure.0),
            Source::Event { event } => write!(f, "event {event}"),
            Source::Sweep { sweep } => write!(f, "sweep {}", sweep.0),
            Source::Attempt { attempt } => write!(f, "request {}", attempt.0),
            Source::Ledger => f.write_str("ledger"),
        }
    }
}
