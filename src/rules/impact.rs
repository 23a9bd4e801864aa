//! What a changed rule set means for the files at hand: who falls due earlier, later, or changes hands.
//!
//! Works on hints, which say what rules decide apart from holds and the time. *Shortened* is what may take a
//! file away sooner than the set in force would have: an earlier due time, a due time where there was none, or
//! an owner that deletes in place of one that only observed, or a shorter hold-back of erasure requests by
//! binding floors. That waits for `retentiond approve`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::decide::bound;
use super::policy::{Hint, Mode, RuleSet};
use crate::model::{FileRecord, PolicyName, Timestamp};

#[cfg(test)]
mod tests;

/// What changes for the files of one policy: the one that owns them under the new set, or the one that
/// lets them go. Counts in files; a file counts once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyImpact {
    /// The policy; `None` for files that nobody owns under either set.
    pub policy: Option<PolicyName>,
    /// Due earlier than under the set in force, or due at all where they were not.
    pub earlier: u64,
    /// Due later, or not at all any more.
    pub later: u64,
    /// Owned by no policy before.
    pub newly_owned: u64,
    /// Owned by no policy any more.
    pub newly_unowned: u64,
    /// Due at the same time, but by a policy that deletes where one owned them that only observes.
    pub newly_enforced: u64,
    /// As long as before, but no binding floor keeps them any more, or not so long: an erasure request would
    /// take them sooner.
    #[serde(default)]
    pub less_binding: u64,
    /// The first instant at which the two sets differ over a file.
    pub first_affected: Option<Timestamp>,
}

/// What changes for all files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impact {
    /// Policies for which something changes, by name.
    pub policies: Vec<PolicyImpact>,
    /// Files looked at.
    pub files: u64,
    /// Files that the set in force has never decided: what would be earlier for them cannot be told.
    pub undecided: u64,
    /// Files that might go sooner, in policies that ask for an approval then.
    pub shortened: u64,
}

impl Impact {
    /// The sum over all policies.
    #[must_use]
    pub fn total(&self) -> PolicyImpact {
        let mut sum = PolicyImpact::default();
        for one in &self.policies {
            sum.earlier += one.earlier;
            sum.later += one.later;
            sum.newly_owned += one.newly_owned;
            sum.newly_unowned += one.newly_unowned;
            sum.newly_enforced += one.newly_enforced;
            sum.less_binding += one.less_binding;
            sum.first_affected = earliest(sum.first_affected, one.first_affected);
        }
        sum
    }

    /// One sentence with the numbers.
    #[must_use]
    pub fn sentence(&self) -> String {
        let sum = self.total();
        let parts: Vec<String> = [
            (sum.earlier, "due earlier"),
            (sum.later, "due later"),
            (sum.newly_owned, "newly owned"),
            (sum.newly_unowned, "newly unowned"),
            (sum.newly_enforced, "newly enforced"),
            (sum.less_binding, "kept from erasure requests for a shorter time"),
            (self.undecided, "not decided before"),
        ]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        let first = sum
            .first_affected
            .map_or_else(String::new, |at| format!("; the first at {at}"));
        if parts.is_empty() {
            return format!("nothing changes for {} files", self.files);
        }
        format!("of {} files {}{first}", self.files, parts.join(", "))
    }
}

/// Adds file by file.
#[derive(Debug)]
pub struct Weighing<'r> {
    old: Option<&'r RuleSet>,
    new: &'r RuleSet,
    policies: BTreeMap<Option<PolicyName>, PolicyImpact>,
    files: u64,
    shortened: u64,
}

impl<'r> Weighing<'r> {
    /// Over the rules in force, where they can still be compiled, and the new ones.
    #[must_use]
    pub const fn new(old: Option<&'r RuleSet>, new: &'r RuleSet) -> Self {
        Self {
            old,
            new,
            policies: BTreeMap::new(),
            files: 0,
            shortened: 0,
        }
    }

    /// Whether the binding floors of the set in force keep `file` from erasure requests for longer than those
    /// of the new one.
    #[must_use]
    pub fn less_binding(&self, file: &FileRecord) -> bool {
        self.old.is_some_and(|old| {
            old.floors.iter().any(|floor| floor.binding) && bound(file, self.new) < bound(file, old)
        })
    }

    /// One file: what the set in force has decided, what the new one says, and whether its
    /// [binding](Self::less_binding) shrinks.
    pub fn consider(&mut self, before: &Hint, after: &Hint, less_binding: bool) {
        self.files += 1;
        let sooner = match (before.due_at, after.due_at) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(old), Some(new)) => new < old,
        };
        let later = match (before.due_at, after.due_at) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(old), Some(new)) => new > old,
        };
        let (came, went) = (
            before.owner.is_none() && after.owner.is_some(),
            before.owner.is_some() && after.owner.is_none(),
        );
        let enforced = !sooner && after.due_at.is_some() && self.changes_hands_to_a_deleter(before, after);
        if !(sooner || later || came || went || enforced || less_binding) {
            return;
        }
        if (sooner || enforced || less_binding) && self.asks(before, after) {
            self.shortened += 1;
        }
        let policy = after.owner.clone().or_else(|| before.owner.clone());
        let sum = self
            .policies
            .entry(policy.clone())
            .or_insert_with(|| PolicyImpact {
                policy,
                ..PolicyImpact::default()
            });
        if came {
            sum.newly_owned += 1;
        } else if went {
            sum.newly_unowned += 1;
        } else if sooner {
            sum.earlier += 1;
        } else if later {
            sum.later += 1;
        } else if enforced {
            sum.newly_enforced += 1;
        } else {
            sum.less_binding += 1;
        }
        sum.first_affected = earliest(sum.first_affected, earliest(before.due_at, after.due_at));
    }

    /// Whether an observing policy loses the file to one that deletes. That a policy itself turns to
    /// `enforce` is said in so many words, and needs no second saying.
    fn changes_hands_to_a_deleter(&self, before: &Hint, after: &Hint) -> bool {
        let deletes = |name: &PolicyName, rules: &RuleSet| {
            rules
                .policy(name)
                .is_some_and(|policy| policy.mode == Mode::Enforce)
        };
        let (Some(old), Some(new)) = (&before.owner, &after.owner) else {
            return false;
        };
        old != new && deletes(new, self.new) && self.old.is_none_or(|rules| !deletes(old, rules))
    }

    /// Whether either set wants to be asked about this file.
    fn asks(&self, before: &Hint, after: &Hint) -> bool {
        let says = |rules: &RuleSet, owner: Option<&PolicyName>| {
            owner
                .and_then(|name| rules.policy(name))
                .and_then(|policy| policy.approve_shortening)
                .unwrap_or(rules.limits.approve_shortening)
        };
        says(self.new, after.owner.as_ref())
            || self.old.is_some_and(|rules| says(rules, before.owner.as_ref()))
    }

    /// The sum; `undecided` files may all go sooner, for all that is known.
    #[must_use]
    pub fn finish(self, undecided: u64) -> Impact {
        let asks_at_all = self.new.limits.approve_shortening
            || self.old.is_some_and(|rules| rules.limits.approve_shortening);
        Impact {
            policies: self.policies.into_values().collect(),
            files: self.files,
            undecided,
            shortened: self.shortened + if asks_at_all { undecided } else { 0 },
        }
    }
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}
