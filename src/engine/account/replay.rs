//! The ledger as it was: holds, requests and events of an instant that has passed.

use std::sync::Arc;

use super::moment::{Moment, step};
use crate::engine::planning::in_force;
use crate::engine::short;
use crate::ledger::{Ledger, LedgerError};
use crate::model::{
    Attempt, Erasure, FileRecord, Hold, Holds, Occurred, Occurrence, RecordedEvent, Timestamp,
};
use crate::rules::decide::{Source, Step};
use crate::rules::policy::{RuleSet, SHARE_JUDGED_FROM};

/// The file and what stood beside the rules.
pub(super) struct Then {
    pub(super) file: FileRecord,
    pub(super) holds: Holds,
}

/// As of the moment.
pub(super) async fn as_of(
    ledger: &dyn Ledger,
    file: &FileRecord,
    events: &[RecordedEvent],
    moment: &Moment,
    now: Timestamp,
) -> Result<Then, LedgerError> {
    let at = match moment {
        Moment::Now => {
            return Ok(Then {
                file: file.clone(),
                holds: in_force(ledger, now).await?,
            });
        }
        Moment::Request(_) | Moment::Move(_) => moment.at(now),
    };
    let holds = ledger.holds(None).await?;
    let erasures = ledger.erasures(false).await?;
    let holds = Holds::new(holds.into_iter().filter_map(|hold| hold_at(hold, at)));
    Ok(Then {
        file: FileRecord {
            occurred: Arc::new(occurred_at(events, at)),
            ..file.clone()
        },
        holds: holds.with_erasures(erasures.into_iter().filter_map(|erasure| request_at(erasure, at))),
    })
}

/// A hold of the very instant of the claim came after it, or the claim would have met it.
fn hold_at(hold: Hold, at: Timestamp) -> Option<Hold> {
    if hold.placed_at >= at || !hold.is_active(at) {
        return None;
    }
    let released = hold.released_at.is_some_and(|released| released <= at);
    Some(Hold {
        released_at: hold.released_at.filter(|_| released),
        ends_at: hold.ends_at.filter(|_| released),
        ..hold
    })
}

/// A request of the very instant of the claim may be what it rests on, and may have been closed by it.
fn request_at(erasure: Erasure, at: Timestamp) -> Option<Erasure> {
    if erasure.placed_at > at || erasure.closed_at.is_some_and(|closed| closed < at) {
        return None;
    }
    Some(Erasure {
        closed_at: None,
        closing: None,
        ..erasure
    })
}

fn occurred_at(events: &[RecordedEvent], at: Timestamp) -> Occurred {
    let in_force = events
        .iter()
        .filter(|event| event.recorded_at <= at && event.replaced_at.is_none_or(|replaced| at < replaced));
    Occurred::new(
        in_force
            .map(|event| Occurrence {
                name: event.name.clone(),
                scope: event.scope.clone(),
                at: event.at,
            })
            .collect(),
    )
}

/// The sweep that asked for it: its plan, its limits, its approval.
pub(super) async fn sweep_steps(
    ledger: &dyn Ledger,
    rules: &RuleSet,
    attempt: &Attempt,
) -> Result<Vec<Step>, LedgerError> {
    let source = || Source::Sweep { sweep: attempt.sweep };
    let Some(sweep) = ledger.sweep(attempt.sweep).await? else {
        return Ok(Vec::new());
    };
    let sum = &sweep.summary;
    let plan = sum
        .plan
        .as_deref()
        .map_or_else(String::new, |hash| format!(", plan {}", short(hash)));
    let mut steps = vec![step(
        "sweep",
        source(),
        format!(
            "sweep {} of `{}` began {}{plan}",
            sweep.id.0, sweep.policy, sweep.started_at
        ),
    )];
    let limits = &rules.limits;
    let text = match ledger.approval_used_by(attempt.sweep).await? {
        Some(approval) => format!(
            "plan {} was approved on {}: {} of {} live files were sent",
            short(&approval.plan),
            approval.given_at,
            sum.sent,
            sum.live
        ),
        None if sum.live < SHARE_JUDGED_FROM => format!(
            "{} of {} live files were sent; allowed are {} files ({}% is judged from {SHARE_JUDGED_FROM} live files on)",
            sum.sent, sum.live, limits.files_per_sweep, limits.share_per_sweep
        ),
        None => format!(
            "{} of {} live files were sent; allowed are {} files and {}%",
            sum.sent, sum.live, limits.files_per_sweep, limits.share_per_sweep
        ),
    };
    let source = rules
        .lines
        .of_file("limits.files_per_sweep")
        .map_or_else(source, |line| Source::Policies {
            key: "limits.files_per_sweep".to_owned(),
            line,
        });
    steps.push(step("limits", source, text));
    Ok(steps)
}
