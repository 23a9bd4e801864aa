//! What somebody has to hear of: the difference between two pictures.
//!
//! Pure. Who is told, and how, stands in `daemon::notify`. No file ids, no names of files.

use serde::Serialize;

use super::{PolicyView, Snapshot, Verdict};
use crate::model::{Breaker, Sweep, SweepState, Timestamp};

/// One thing that has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", content = "data")]
pub enum Change {
    /// A breaker opened: nothing is deleted.
    #[serde(rename = "breaker.opened")]
    BreakerOpened {
        /// Its name.
        breaker: String,
        /// Why.
        reason: String,
        /// The command that closes it.
        command: String,
    },
    /// Files of a policy are past their deadline, and were not before.
    #[serde(rename = "files.overdue")]
    Overdue {
        /// The policy.
        policy: String,
        /// So many.
        files: u64,
        /// What stands in the way, and the command that resolves it.
        sentence: String,
    },
    /// A plan waits for somebody.
    #[serde(rename = "plan.waiting")]
    PlanWaiting {
        /// Its policy.
        policy: String,
        /// Files in it.
        files: u64,
        /// What it waits for.
        reason: String,
        /// The command that lets it through.
        command: String,
    },
    /// A sweep ended with files that are not settled, or without having been let through.
    #[serde(rename = "sweep.failed")]
    SweepFailed {
        /// Its number.
        sweep: i64,
        /// Its policy.
        policy: String,
        /// How it ended.
        state: &'static str,
        /// Files deleted by it.
        deleted: u64,
        /// Files whose outcome is not known.
        unknown: u64,
        /// Files newly quarantined.
        quarantined: u64,
        /// Why, and the command that resolves it.
        note: Option<String>,
    },
    /// The first checkpoint of a day (UTC) was made. Its note is in the body of every event.
    #[serde(rename = "checkpoint.daily")]
    Checkpoint {
        /// When it was made.
        at: Timestamp,
        /// Facts under it.
        facts: u64,
    },
    /// Everything is all right again.
    #[serde(rename = "recovered")]
    Recovered {
        /// What it was before.
        was: &'static str,
    },
}

/// What has changed from `before` to `after`. Without a `before` (a start) whatever stands in the way now is
/// said once more, and nothing of what was done.
#[must_use]
pub fn changes(before: Option<&Snapshot>, after: &Snapshot) -> Vec<Change> {
    let mut found = breakers(before, after);
    found.extend(overdue(before, after));
    found.extend(waiting(before, after));
    if let Some(before) = before {
        found.extend(failed(before, after));
        found.extend(checkpoint(before, after));
        let is_well = |s: &Snapshot| matches!(s.verdict, Verdict::Ok | Verdict::Idle);
        if is_well(after) && !is_well(before) {
            let was = before.verdict.word();
            found.push(Change::Recovered { was });
        }
    }
    found
}

/// At a start none is told: it is in the body of what is.
fn checkpoint(before: &Snapshot, after: &Snapshot) -> Option<Change> {
    const DAY_MS: i64 = 24 * 3_600_000;
    let day = |at: Timestamp| at.as_millis().div_euclid(DAY_MS);
    let last = after.checkpoint.as_ref()?;
    let known = before.checkpoint.as_ref().map(|known| day(known.at));
    (known != Some(day(last.at))).then_some(Change::Checkpoint {
        at: last.at,
        facts: last.facts,
    })
}

fn breakers(before: Option<&Snapshot>, after: &Snapshot) -> Vec<Change> {
    let known = |new: &Breaker| {
        let same = |b: &Breaker| b.kind == new.kind && b.account == new.account;
        before.is_some_and(|s| s.breakers.iter().any(same))
    };
    let new = after.breakers.iter().filter(|breaker| !known(breaker));
    new.map(|breaker| Change::BreakerOpened {
        breaker: breaker.name(),
        reason: breaker.reason.clone(),
        command: format!("retentiond breaker reset {}", breaker.name()),
    })
    .collect()
}

fn overdue(before: Option<&Snapshot>, after: &Snapshot) -> Vec<Change> {
    let is_late = |p: &&PolicyView| p.mode == "enforce" && p.overdue > 0;
    let known = |name: &str| {
        let policies = before.map_or(&[][..], |s| s.policies.as_slice());
        policies.iter().any(|p| p.policy == name && is_late(&p))
    };
    let new = after
        .policies
        .iter()
        .filter(is_late)
        .filter(|p| !known(&p.policy));
    new.map(|p| Change::Overdue {
        policy: p.policy.clone(),
        files: p.overdue,
        sentence: after.sentence.clone(),
    })
    .collect()
}

fn waiting(before: Option<&Snapshot>, after: &Snapshot) -> Vec<Change> {
    // A plan renewed at each occurrence is the same question to the same person.
    let known = |policy: &str| before.is_some_and(|s| s.waiting.iter().any(|plan| plan.policy == policy));
    let new = after.waiting.iter().filter(|plan| !known(&plan.policy));
    new.map(|plan| Change::PlanWaiting {
        policy: plan.policy.clone(),
        files: plan.files,
        reason: plan.reason.clone(),
        command: plan.command.clone(),
    })
    .collect()
}

/// Sweeps that ended since, and not well. One that waits for an approval is told of as a plan; one that is
/// tried again by itself, as what stopped it.
fn failed(before: &Snapshot, after: &Snapshot) -> Vec<Change> {
    let ended_before = |sweep: &Sweep| {
        let known = before.sweeps.iter().find(|old| old.id == sweep.id);
        let newest = before.sweeps.first().map(|old| old.id);
        known.map_or(Some(sweep.id) < newest, |old| old.state != SweepState::Open)
    };
    let waits = |sweep: &Sweep| {
        after
            .waiting
            .iter()
            .any(|plan| plan.policy == sweep.policy.as_str())
    };
    let went_badly = |sweep: &&Sweep| match sweep.state {
        SweepState::Done => sweep.summary.unknown + sweep.summary.quarantined > 0,
        SweepState::Stopped => !waits(sweep),
        SweepState::Open | SweepState::Cut | SweepState::Postponed => false,
    };
    let new = after
        .sweeps
        .iter()
        .filter(went_badly)
        .filter(|sweep| !ended_before(sweep));
    new.map(|sweep| Change::SweepFailed {
        sweep: sweep.id.0,
        policy: sweep.policy.to_string(),
        state: sweep.state.name(),
        deleted: sweep.summary.deleted,
        unknown: sweep.summary.unknown,
        quarantined: sweep.summary.quarantined,
        note: sweep.summary.note.clone(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::fixture;

    fn types(before: Option<&Snapshot>, after: &Snapshot) -> Vec<String> {
        let kind = |change: &Change| {
            serde_json::to_value(change).unwrap()["type"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        changes(before, after).iter().map(kind).collect()
    }

    /// All is well.
    fn well() -> Snapshot {
        let mut s = fixture::snapshot();
        s.verdict = Verdict::Ok;
        s.breakers.clear();
        s.waiting.clear();
        s.policies.iter_mut().for_each(|p| p.overdue = 0);
        s
    }

    #[test]
    fn what_stands_in_the_way_is_told_once_and_so_is_its_end() {
        let (well, ill) = (well(), fixture::snapshot());
        let told = ["breaker.opened", "files.overdue", "plan.waiting"];
        assert_eq!(types(None, &ill), told, "at a start");
        assert_eq!(types(Some(&well), &ill), told);
        assert_eq!(types(Some(&ill), &ill), [""; 0]);
        assert_eq!(types(Some(&ill), &well), ["recovered"]);
        assert_eq!(types(Some(&well), &well), [""; 0]);
        assert_eq!(types(None, &well), [""; 0]);
    }

    #[test]
    fn the_first_checkpoint_of_a_day_is_told_so_that_somebody_elsewhere_has_one() {
        let made = |at: &str| {
            let mut picture = well();
            picture.checkpoint.as_mut().unwrap().at = at.parse().unwrap();
            picture
        };
        let (early, late) = (made("2026-05-04T01:02:03Z"), made("2026-05-04T23:59:59Z"));
        let next = made("2026-05-05T00:00:00Z");
        assert_eq!(types(Some(&early), &late), [""; 0]);
        assert_eq!(types(Some(&late), &next), ["checkpoint.daily"]);
        assert_eq!(types(None, &next), [""; 0]);
        let mut none = well();
        none.checkpoint = None;
        assert_eq!(types(Some(&none), &early), ["checkpoint.daily"]);
        assert_eq!(types(Some(&early), &none), [""; 0]);
    }

    #[test]
    fn an_observed_policy_is_never_late() {
        let mut late = well();
        late.policies[1].overdue = 5;
        assert_eq!(types(Some(&well()), &late), [""; 0]);
        late.policies[2].overdue = 1;
        assert_eq!(types(Some(&well()), &late), ["files.overdue"]);
    }

    #[test]
    fn a_sweep_that_ended_badly_is_told_when_it_ends() {
        let before = well();
        let mut after = well();
        let open = fixture::sweep(9, "applications", SweepState::Open, 3);
        after.sweeps.insert(0, open);
        assert_eq!(types(Some(&before), &after), [""; 0], "under way");
        let under_way = after.clone();
        after.sweeps[0].state = SweepState::Done;
        assert_eq!(types(Some(&under_way), &after), [""; 0], "well");
        after.sweeps[0].summary.quarantined = 1;
        assert_eq!(types(Some(&under_way), &after), ["sweep.failed"]);
        assert_eq!(
            types(Some(&before), &after),
            ["sweep.failed"],
            "begun and ended between two looks"
        );
        assert_eq!(types(Some(&after), &after), [""; 0]);
        after.sweeps[0] = fixture::sweep(9, "applications", SweepState::Stopped, 0);
        assert_eq!(types(Some(&under_way), &after), ["sweep.failed"]);
        after.waiting = fixture::snapshot().waiting;
        after.waiting[0].policy = "applications".to_owned();
        assert_eq!(types(Some(&under_way), &after), ["plan.waiting"]);
        after.sweeps[0] = fixture::sweep(9, "applications", SweepState::Postponed, 0);
        after.waiting.clear();
        assert_eq!(types(Some(&under_way), &after), [""; 0], "tried again by itself");
    }
}
