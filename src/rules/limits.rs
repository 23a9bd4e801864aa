//! Limits on one sweep: judged on the whole plan, before the first delete.
//!
//! Knows the plan's counts and how many files this sweep has sent already (a restart does not begin
//! anew); knows nothing of approvals but whether this plan has one.

#[cfg(test)]
mod tests;

use serde::Serialize;

use super::plan::Plan;
use super::policy::{ApprovalRule, Limits, Mode, OnExcess, Policy, SHARE_JUDGED_FROM};

/// What a sweep may do with its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// Send the oldest `files` of the plan.
    Proceed {
        /// Files, at most those of the plan; 0 where the policy observes or nothing is left to send.
        files: u64,
    },
    /// Send nothing: a limit is exceeded, and only `retentiond approve` lifts it.
    Stop {
        /// Each limit that is exceeded, at least one.
        excess: Vec<Excess>,
    },
    /// Within the limits; the policy asks for an approval every time.
    AwaitApproval,
}

/// Which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitKind {
    /// `files_per_sweep`
    Count,
    /// `share_per_sweep`
    Share,
}

/// One limit that a plan exceeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excess {
    /// Which limit.
    pub limit: LimitKind,
    /// Files that the sweep would have deleted in all, those sent already among them.
    pub found: u64,
    /// Files that the limit allows the sweep.
    pub allowed: u64,
    /// Both numbers, in one sentence.
    pub text: String,
}

/// Judges `plan`. `already_sent` counts the files that this sweep sent before (a crash, a restart);
/// `approved` says that an operator approved exactly this plan, which lifts the limits and the wish for
/// an approval. An observing policy sends nothing, whatever its plan.
#[must_use]
pub fn judge(plan: &Plan, policy: &Policy, limits: &Limits, already_sent: u64, approved: bool) -> Ruling {
    let due = plan.due();
    match policy.mode {
        Mode::Observe => return Ruling::Proceed { files: 0 },
        Mode::Enforce if approved || due == 0 => return Ruling::Proceed { files: due },
        Mode::Enforce => {}
    }
    let sweep = Sweep {
        found: already_sent.saturating_add(due),
        live: plan.live.saturating_add(already_sent),
    };
    let excess: Vec<Excess> = [sweep.count(limits), sweep.share(limits)]
        .into_iter()
        .flatten()
        .collect();
    let allowed = excess.iter().map(|excess| excess.allowed).min();
    match (limits.on_excess, allowed) {
        (OnExcess::Stop, Some(_)) => Ruling::Stop { excess },
        // A limit that lets nothing through at all would never be noticed otherwise.
        (OnExcess::OldestFirst, Some(0)) => Ruling::Stop { excess },
        (OnExcess::OldestFirst, Some(allowed)) => {
            within(policy, allowed.saturating_sub(already_sent).min(due))
        }
        (OnExcess::Stop | OnExcess::OldestFirst, None) => within(policy, due),
    }
}

fn within(policy: &Policy, files: u64) -> Ruling {
    match policy.approval {
        ApprovalRule::Always => Ruling::AwaitApproval,
        ApprovalRule::OverLimit => Ruling::Proceed { files },
    }
}

/// The sweep as a whole, what it sent already included.
struct Sweep {
    found: u64,
    live: u64,
}

impl Sweep {
    fn count(&self, limits: &Limits) -> Option<Excess> {
        let (found, allowed) = (self.found, limits.files_per_sweep);
        (found > allowed).then(|| Excess {
            limit: LimitKind::Count,
            found,
            allowed,
            text: format!("{found} files would go in this sweep, files_per_sweep allows {allowed}"),
        })
    }

    fn share(&self, limits: &Limits) -> Option<Excess> {
        let (found, live, percent) = (self.found, self.live, limits.share_per_sweep);
        let share = u128::from(percent) * u128::from(live);
        if live < SHARE_JUDGED_FROM || u128::from(found) * 100 <= share {
            return None;
        }
        let allowed = u64::try_from(share / 100).unwrap_or(u64::MAX);
        Some(Excess {
            limit: LimitKind::Share,
            found,
            allowed,
            text: format!(
                "{found} of {live} live files would go in this sweep, share_per_sweep of {percent}% allows {allowed}"
            ),
        })
    }
}
