//! Why a file was not deleted earlier: the first of a fixed list of things that stood in the way.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::{Hindrance, Stretch};
use crate::model::{AccountName, BreakerKind, PolicyName, Timestamp};

/// In the order in which they are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    Hold,
    Refused,
    UnknownOutcome,
    NotScheduled,
    Observes,
    Breaker(BreakerKind),
    Pause,
    Approval,
    RulesWaited,
    NotAtWork,
    NotShown,
    // Of exceptions that have one cause only.
    SweptEarly,
    GoneByOthers,
    GoneUnexplained,
    FoundAgain,
    NotLookedAt,
    NeverLooks,
    NoPolicy,
    Unanswered,
    Unreviewed,
}

impl Cause {
    /// In words; no full stop.
    pub(super) fn words(self) -> String {
        match self {
            Self::Hold => "a hold covered it",
            Self::Refused => "Extracta refused it, or it was given up after refusals",
            Self::UnknownOutcome => "the outcome of a request for it was not known",
            Self::NotScheduled => "its policy had no schedule before the deadline",
            Self::Observes => "its policy only observes",
            Self::Breaker(kind) => return format!("deletion was stopped by the breaker {}", kind.name()),
            Self::Pause => "deletion was paused by an operator",
            Self::Approval => "a plan waited for an approval",
            Self::RulesWaited => "changed rules waited for an approval",
            Self::NotAtWork => "scheduled sweeps did not take place",
            Self::NotShown => "the ledger shows none",
            Self::SweptEarly => "a policy's own sweep deleted it before it was due",
            Self::GoneByOthers => "somebody else deleted it",
            Self::GoneUnexplained => "it was found gone, and nobody is on record as having deleted it",
            Self::FoundAgain => "a look found it although it was on record as deleted or gone",
            Self::NotLookedAt => "no second look has borne it out yet",
            Self::NeverLooks => "the policy file says verify = false: nothing is looked at a second time",
            Self::NoPolicy => "no policy matches it: it is kept",
            Self::Unanswered => "the time for its answer has passed",
            Self::Unreviewed => "the day of its review has passed",
        }
        .to_owned()
    }
}

/// What stood beside the files in the period.
#[derive(Debug, Default)]
pub(super) struct Circumstances {
    pub(super) breakers: Vec<(BreakerKind, Option<AccountName>, Stretch)>,
    /// The account of each policy that is for a named one.
    pub(super) accounts: BTreeMap<PolicyName, AccountName>,
    /// The name of the sweep that knows no account.
    pub(super) erasure: Option<PolicyName>,
    pub(super) pauses: Vec<Stretch>,
    /// Sweeps that were stopped as their plan waited: policy and time.
    pub(super) waits: Vec<(PolicyName, Timestamp)>,
    pub(super) changes: Vec<Stretch>,
    pub(super) gaps: Vec<(PolicyName, Stretch)>,
    pub(super) scheduled_since: BTreeMap<PolicyName, Timestamp>,
    /// Policies that only observe, by the policy file at hand.
    pub(super) observing: BTreeSet<PolicyName>,
}

impl Circumstances {
    /// What stood in the way of a file of `policy` between `due` and `until`, with what its own record says.
    pub(super) fn between(
        &self,
        policy: Option<&PolicyName>,
        due: Timestamp,
        deadline: Option<Timestamp>,
        until: Timestamp,
        own: Hindrance,
    ) -> Cause {
        if own.held {
            return Cause::Hold;
        }
        if own.refused {
            return Cause::Refused;
        }
        if own.unknown {
            return Cause::UnknownOutcome;
        }
        let since = policy.and_then(|policy| self.scheduled_since.get(policy));
        if since.is_some_and(|since| deadline.is_some_and(|deadline| deadline < *since)) {
            return Cause::NotScheduled;
        }
        if policy.is_some_and(|policy| self.observing.contains(policy)) {
            return Cause::Observes;
        }
        self.around(policy, due, until)
    }

    /// Whether a breaker of that account stops sweeps of `policy`.
    fn minds(&self, policy: Option<&PolicyName>, kind: BreakerKind, account: Option<&AccountName>) -> bool {
        let knows_none = policy.is_none() || policy == self.erasure.as_ref();
        let own = policy.and_then(|policy| self.accounts.get(policy));
        !kind.is_of_account() || knows_none || own == account
    }

    /// What stopped sweeps of `policy` at some time between the two.
    pub(super) fn around(&self, policy: Option<&PolicyName>, since: Timestamp, until: Timestamp) -> Cause {
        let meets =
            |stretch: &Stretch| stretch.since <= until && stretch.until.is_none_or(|end| since <= end);
        let stopped = |(kind, account, stretch): &&(BreakerKind, Option<AccountName>, Stretch)| {
            meets(stretch) && self.minds(policy, *kind, account.as_ref())
        };
        if let Some((kind, ..)) = self.breakers.iter().find(stopped) {
            return Cause::Breaker(*kind);
        }
        if self.pauses.iter().any(meets) {
            return Cause::Pause;
        }
        let waited = |(of, at): &(PolicyName, Timestamp)| Some(of) == policy && since <= *at && *at <= until;
        if self.waits.iter().any(waited) {
            return Cause::Approval;
        }
        if self.changes.iter().any(meets) {
            return Cause::RulesWaited;
        }
        if self
            .gaps
            .iter()
            .any(|(of, stretch)| Some(of) == policy && meets(stretch))
        {
            return Cause::NotAtWork;
        }
        Cause::NotShown
    }
}
