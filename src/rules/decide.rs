//! The decision over one file, with every step a reason.

use serde::Serialize;

use crate::model::{HoldId, PolicyName, Timestamp};

/// What the rules say of one file at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// The policy that owns the file.
    pub owner: Option<PolicyName>,
    /// Where the owner's period starts, after no rounding.
    pub starts_at: Option<Timestamp>,
    /// When the file becomes due (the latest of owner and floors).
    pub due_at: Option<Timestamp>,
    /// When the file becomes overdue.
    pub deadline_at: Option<Timestamp>,
    /// The arithmetic, in the order it was done: what `explain` prints.
    pub steps: Vec<Step>,
}

/// One step of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was asked: `hold`, `owner`, `start`, `period`, `floor`, `deadline`, `mode`.
    pub step: &'static str,
    /// What was found, in one sentence.
    pub text: String,
}

/// Whether a file may be deleted now. First that decides: hold → latest floor → owner → unowned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its time has come, an enforced policy owns it, nothing holds it.
    Due,
    /// Its time has come, but its policy only observes.
    DueObserved,
    /// Its time has not come.
    NotYet,
    /// A hold covers it.
    Held {
        /// The oldest hold that covers it.
        hold: HoldId,
        /// Whether its time has come apart from the hold.
        due: bool,
    },
    /// A floor keeps it for ever.
    KeptForever {
        /// The floor.
        floor: PolicyName,
    },
    /// No policy matches: kept and shown.
    Unowned,
    /// Its start is missing or in doubt: kept, counted, shown.
    NotEligible(Doubt),
}

/// Why a file's dates cannot be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// The event that starts the period is not known.
    NoStart,
    /// The start lies in the future.
    FutureStart,
    /// The start lies more than a day before the time inside the file's own id.
    BeforeId,
    /// The arithmetic leaves the calendar.
    OutOfCalendar,
}
