//! The decision over one file, with every step a reason.
//!
//! [`decide`] is asked when a plan is made and again when a file is claimed, [`hint`] when the ledger
//! stores what a query may narrow by, [`explain`] when a person asks: all three run the same code.
//! Precedence, first that decides: hold → erasure request (unless a binding floor) → floor for ever → no
//! owner → doubt → latest of owner and floors. Knows nothing of the ledger, of limits or of what was sent before.

mod binding;
mod dates;
mod erasing;
mod missing;
#[cfg(test)]
mod precedence;
mod start;
mod step;
mod tell;
#[cfg(test)]
mod tests;
mod told;

use serde::Serialize;

use super::policy::{Hint, Mode, Policy, RuleSet};
use crate::model::{ErasureId, FileRecord, Hold, HoldId, Holds, PolicyName, Timestamp};
pub use binding::{Bound, bound};
use dates::{Timing, timing};
use erasing::{Erasing, Fate, deadline, erasing};
pub use missing::{can_be_missing, overdue_without_start};
pub use step::{Shown, Source, Step};
pub(super) use tell::counts_from;
use tell::{Silent, Tell};
use told::Told;

/// A start may lie this much before the time inside the file's own id, and the end of processing before
/// the upload, for clocks that differ; what lies earlier is doubted.
pub const CLOCK_TOLERANCE_MILLIS: i64 = 24 * 3_600_000;

/// What the rules say of one file at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// The policy that owns the file.
    pub owner: Option<PolicyName>,
    /// The oldest open erasure request that covers the file, whatever comes of it.
    pub erasure: Option<ErasureId>,
    /// The floor whose end is the due time; `None` where the owner's own period ends last.
    pub floor: Option<PolicyName>,
    /// Where the owner's period starts, after no rounding.
    pub starts_at: Option<Timestamp>,
    /// When the file becomes due: the latest of owner and floors; where an erasure request decides, the
    /// request's entry or the end of the last binding floor.
    pub due_at: Option<Timestamp>,
    /// When the file becomes overdue; never before it is due.
    pub deadline_at: Option<Timestamp>,
    /// The arithmetic, in the order it was done: what [`explain`] fills in and [`decide`] leaves empty.
    pub steps: Vec<Step>,
}

/// Whether a file may be deleted now. First that decides: hold → erasure request (unless a binding floor) →
/// latest floor → owner → unowned.
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
    /// Its time has not come by the rules, but an erasure request orders it and nothing binding stands
    /// against that. Also for a file that nobody owns or whose policy only observes.
    Erasure {
        /// The oldest request that covers it.
        request: ErasureId,
    },
    /// An erasure request covers it, and a binding floor keeps it all the same.
    Bound {
        /// The oldest request that covers it.
        request: ErasureId,
        /// The floor that ends last.
        floor: PolicyName,
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

impl Verdict {
    /// The name in print and in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::DueObserved => "due-observed",
            Self::NotYet => "not-yet",
            Self::Held { .. } => "held",
            Self::Erasure { .. } => "erasure",
            Self::Bound { .. } => "bound",
            Self::KeptForever { .. } => "kept-forever",
            Self::Unowned => "unowned",
            Self::NotEligible(_) => "not-eligible",
        }
    }
}

/// Why a file's dates cannot be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// The event that starts the period is not known.
    NoStart,
    /// The start lies in the future.
    FutureStart,
    /// The upload is recorded for the future.
    FutureUpload,
    /// The start lies more than a day before the time inside the file's own id.
    BeforeId,
    /// The end of processing lies more than a day before the upload.
    BeforeUpload,
    /// Which rule it falls under hangs on its document type, which is not known.
    NoType,
    /// The arithmetic leaves the calendar.
    OutOfCalendar,
}

impl Doubt {
    /// The doubt in words, with what would dispel it.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NoStart => "the event that starts its period is not known yet",
            Self::FutureStart => "its period starts in the future",
            Self::FutureUpload => "its upload is recorded for the future",
            Self::BeforeId => "its recorded start lies more than a day before the time inside its own id",
            Self::BeforeUpload => "its processing is recorded more than a day before its upload",
            Self::NoType => {
                "which rule it falls under hangs on its document type, which is not known; record it again with `document_type`"
            }
            Self::OutOfCalendar => "its dates leave the calendar",
        }
    }
}

/// Decides over one file; [`Decision::steps`] stays empty.
#[must_use]
pub fn decide(file: &FileRecord, rules: &RuleSet, holds: &Holds, now: Timestamp) -> Decision {
    judge(file, rules, holds, now, &mut Silent)
}

/// Decides as [`decide`] does, by the same code, and tells how.
#[must_use]
pub fn explain(file: &FileRecord, rules: &RuleSet, holds: &Holds, now: Timestamp) -> Decision {
    let mut told = Told::new(rules);
    let mut decision = judge(file, rules, holds, now, &mut told);
    decision.steps = told.steps;
    decision
}

/// What the rules say apart from holds, erasure requests and the time. A start in the future shows only in [`decide`].
#[must_use]
pub fn hint(file: &FileRecord, rules: &RuleSet) -> Hint {
    let owner = owner_of(file, rules);
    let (due_at, deadline_at) = match timing(file, rules, owner, None, &mut Silent).timing {
        Timing::Until(when) => (Some(when.due_at), Some(when.deadline_at)),
        Timing::Forever(_) | Timing::Unowned | Timing::Doubtful(_) => (None, None),
    };
    Hint {
        owner: owner.map(|policy| policy.name.clone()),
        due_at,
        deadline_at,
    }
}

/// The policy that owns `file`: the first of its account, in file order, that matches.
#[must_use]
pub fn owner_of<'r>(file: &FileRecord, rules: &'r RuleSet) -> Option<&'r Policy> {
    rules.policies.iter().find(|policy| policy.means(file))
}

fn judge(
    file: &FileRecord,
    rules: &RuleSet,
    holds: &Holds,
    now: Timestamp,
    tell: &mut impl Tell,
) -> Decision {
    let owner = owner_of(file, rules);
    let hold = holds.covering(file, owner.map(|policy| &policy.name), now);
    tell.hold(hold);
    let erasing = erasing(file, rules, holds, now);
    tell.erasure(erasing.as_ref());
    tell.owner(owner);
    let found = timing(file, rules, owner, Some(now), tell);
    let mut decision = Decision {
        verdict: verdict(hold, erasing.as_ref(), owner, &found.timing, now),
        owner: owner.map(|policy| policy.name.clone()),
        erasure: erasing.as_ref().map(|erasing| erasing.request.id),
        floor: None,
        starts_at: found.starts_at,
        due_at: None,
        deadline_at: None,
        steps: Vec::new(),
    };
    match found.timing {
        Timing::Until(when) => {
            decision.floor = when.floor.map(|floor| floor.name.clone());
            decision.due_at = Some(when.due_at);
            decision.deadline_at = Some(when.deadline_at);
            tell.mode(owner, when.due_at, now);
        }
        Timing::Forever(_) | Timing::Unowned | Timing::Doubtful(_) => {}
    }
    if let Some(erasing) = &erasing {
        date_by_request(&mut decision, erasing, rules);
    }
    decision
}

/// Where a request decides, its dates are the file's.
fn date_by_request(decision: &mut Decision, erasing: &Erasing<'_>, rules: &RuleSet) {
    let due_at = match (&decision.verdict, &erasing.fate) {
        (Verdict::Erasure { .. }, Fate::Free { since }) => Some(*since),
        (Verdict::Bound { .. }, Fate::Bound { until, .. }) => *until,
        (
            Verdict::Due
            | Verdict::DueObserved
            | Verdict::NotYet
            | Verdict::Held { .. }
            | Verdict::Erasure { .. }
            | Verdict::Bound { .. }
            | Verdict::KeptForever { .. }
            | Verdict::Unowned
            | Verdict::NotEligible(_),
            _,
        ) => return,
    };
    decision.floor = None;
    decision.starts_at = Some(erasing.request.placed_at);
    decision.due_at = due_at;
    decision.deadline_at = due_at.and_then(|due_at| deadline(erasing.request, due_at, rules));
}

fn verdict(
    hold: Option<&Hold>,
    erasing: Option<&Erasing<'_>>,
    owner: Option<&Policy>,
    timing: &Timing<'_>,
    now: Timestamp,
) -> Verdict {
    let by_rules = by_rules(owner, timing, now);
    let open = match erasing {
        // Both say that it goes.
        Some(_) if by_rules == Verdict::Due => by_rules,
        None => by_rules,
        Some(Erasing { request, fate }) => match fate {
            Fate::Free { .. } => Verdict::Erasure { request: request.id },
            Fate::Bound { floor, .. } => Verdict::Bound {
                request: request.id,
                floor: floor.name.clone(),
            },
            Fate::Doubtful(doubt) => Verdict::NotEligible(*doubt),
        },
    };
    match hold {
        None => open,
        Some(hold) => Verdict::Held {
            hold: hold.id,
            due: matches!(
                open,
                Verdict::Due | Verdict::DueObserved | Verdict::Erasure { .. }
            ),
        },
    }
}

fn by_rules(owner: Option<&Policy>, timing: &Timing<'_>, now: Timestamp) -> Verdict {
    match timing {
        Timing::Forever(floor) => Verdict::KeptForever {
            floor: floor.name.clone(),
        },
        Timing::Unowned => Verdict::Unowned,
        Timing::Doubtful(doubt) => Verdict::NotEligible(*doubt),
        Timing::Until(when) if now < when.due_at => Verdict::NotYet,
        Timing::Until(_) => match owner.map(|policy| policy.mode) {
            Some(Mode::Enforce) => Verdict::Due,
            Some(Mode::Observe) => Verdict::DueObserved,
            None => Verdict::Unowned,
        },
    }
}
