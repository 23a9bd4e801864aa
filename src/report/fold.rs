//! File by file into the figures: the one place that says what in time, late and open mean.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::cause::{Cause, Circumstances};
use super::document::{Figures, Timeline};
use super::exceptions::{Case, Exceptions, Kind};
use super::lateness::{Lateness, late_minutes};
use super::timeline::Steps;
use crate::ledger::{EndedBy, EndedFile, FileFact, Hindrance, OpenFile, ReportPeriod};
use crate::model::{FileState, PolicyName};

/// What is known after some of the files.
pub(super) struct Fold {
    period: ReportPeriod,
    verify: bool,
    circumstances: Circumstances,
    by_policy: BTreeMap<Option<PolicyName>, (Figures, Lateness)>,
    lateness: Lateness,
    steps: Steps,
    /// What did not go as the rules say.
    pub(super) exceptions: Exceptions,
}

/// What is known after all of them.
pub(super) struct Folded {
    pub(super) by_policy: BTreeMap<Option<PolicyName>, Figures>,
    pub(super) late_worst: Option<u64>,
    pub(super) late_p95: Option<u64>,
    pub(super) timeline: Timeline,
    pub(super) exceptions: Exceptions,
}

impl Fold {
    pub(super) fn new(
        period: ReportPeriod,
        zone: &TimeZone,
        verify: bool,
        circumstances: Circumstances,
    ) -> Self {
        Self {
            steps: Steps::over(&period, zone),
            period,
            verify,
            circumstances,
            by_policy: BTreeMap::new(),
            lateness: Lateness::default(),
            exceptions: Exceptions::default(),
        }
    }

    pub(super) fn take(&mut self, fact: FileFact) {
        match fact {
            FileFact::Ended(file) if file.at < self.period.to => self.ended(file),
            FileFact::Ended(file) => self.ended_since(file),
            FileFact::Open(file) => self.open(file),
        }
    }

    pub(super) fn finish(self) -> Folded {
        let by_policy = self
            .by_policy
            .into_iter()
            .map(|(policy, (mut figures, lateness))| {
                figures.due = figures.in_time + figures.late + figures.open;
                figures.late_worst_minutes = lateness.worst();
                figures.late_p95_minutes = lateness.p95();
                (policy, figures)
            })
            .collect();
        Folded {
            by_policy,
            late_worst: self.lateness.worst(),
            late_p95: self.lateness.p95(),
            timeline: self.steps.finish(),
            exceptions: self.exceptions,
        }
    }

    /// In the period.
    fn ended(&mut self, file: EndedFile) {
        let (figures, lateness) = self.by_policy.entry(file.policy.clone()).or_default();
        let mut unplanned = crate::report::Step::default();
        let step = self.steps.at(file.at).unwrap_or(&mut unplanned);
        figures.ended += 1;
        figures.confirmed += u64::from(file.by == EndedBy::Confirmed);
        let policy = file.policy.as_ref();
        if !file.verified {
            figures.unverified += 1;
            let cause = if self.verify {
                Cause::NotLookedAt
            } else {
                Cause::NeverLooks
            };
            let case = Case {
                since: Some(file.at),
                file: file.file.clone(),
                ..Case::default()
            };
            self.exceptions.add(Kind::Unverified, policy, cause, case);
        }
        let Some(due) = file.due_at.filter(|due| *due <= file.at) else {
            step.before_due += 1;
            before_due(figures, &mut self.exceptions, file);
            return;
        };
        let Some(minutes) = late_minutes(file.at, file.deadline_at) else {
            figures.in_time += 1;
            step.in_time += 1;
            return;
        };
        figures.late += 1;
        step.late += 1;
        step.late_worst_minutes = step.late_worst_minutes.max(minutes);
        lateness.add(minutes);
        self.lateness.add(minutes);
        let cause = self
            .circumstances
            .between(policy, due, file.deadline_at, file.at, file.before);
        let case = Case {
            past_deadline: true,
            since: file.deadline_at,
            minutes: Some(minutes),
            file: file.file,
        };
        self.exceptions
            .add(Kind::DeletedLate, file.policy.as_ref(), cause, case);
    }

    /// After the period: at its end it was still there.
    fn ended_since(&mut self, file: EndedFile) {
        let reached = self.period.reached();
        let Some(due) = file.due_at.filter(|due| *due < reached) else {
            return;
        };
        let (figures, _) = self.by_policy.entry(file.policy.clone()).or_default();
        figures.open += 1;
        figures.ended_since += 1;
        let Some(deadline) = file.deadline_at.filter(|deadline| *deadline < reached) else {
            return;
        };
        let cause =
            self.circumstances
                .between(file.policy.as_ref(), due, Some(deadline), reached, file.before);
        let case = Case {
            past_deadline: true,
            since: Some(deadline),
            minutes: late_minutes(file.at, file.deadline_at),
            file: file.file,
        };
        self.exceptions
            .add(Kind::NotDeleted, file.policy.as_ref(), cause, case);
    }

    fn open(&mut self, file: OpenFile) {
        let reached = self.period.reached();
        let (figures, _) = self.by_policy.entry(file.policy.clone()).or_default();
        figures.open += 1;
        let overdue = file.deadline_at.is_some_and(|deadline| deadline < reached);
        let own = Hindrance {
            held: file.held,
            unknown: false,
            refused: false,
        };
        let cause = match file.state {
            FileState::Deleting | FileState::Unknown => {
                figures.unknown += 1;
                Cause::UnknownOutcome
            }
            FileState::Quarantined => {
                figures.failed += 1;
                Cause::Refused
            }
            FileState::Live | FileState::Deleted | FileState::Gone => {
                if file.held {
                    figures.held += 1;
                } else if overdue {
                    figures.overdue += 1;
                } else {
                    figures.waiting += 1;
                    return;
                }
                let policy = file.policy.as_ref();
                self.circumstances
                    .between(policy, file.due_at, file.deadline_at, reached, own)
            }
        };
        let case = Case {
            past_deadline: overdue,
            since: Some(file.deadline_at.filter(|_| overdue).unwrap_or(file.due_at)),
            minutes: None,
            file: file.file,
        };
        self.exceptions
            .add(Kind::NotDeleted, file.policy.as_ref(), cause, case);
    }
}

/// An end that no policy's period asked for yet.
fn before_due(figures: &mut Figures, exceptions: &mut Exceptions, file: EndedFile) {
    let case = Case {
        since: Some(file.at),
        file: file.file,
        ..Case::default()
    };
    let policy = file.policy.as_ref();
    if file.on_request {
        figures.on_request += 1;
        return;
    }
    match file.by {
        EndedBy::Confirmed => {
            figures.early += 1;
            exceptions.add(Kind::DeletedEarly, policy, Cause::SweptEarly, case);
        }
        EndedBy::Others => {
            figures.by_others += 1;
            exceptions.add(Kind::GoneEarly, policy, Cause::GoneByOthers, case);
        }
        EndedBy::AnsweredGone | EndedBy::FoundGone | EndedBy::Resolved => {
            figures.by_others += 1;
            exceptions.add(Kind::GoneEarly, policy, Cause::GoneUnexplained, case);
        }
    }
}
