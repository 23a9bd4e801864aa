//! What did not go as the rules say: gathered by kind, policy and cause.

use std::collections::BTreeMap;

use super::cause::Cause;
use super::document::{Exception, FileRef};
use super::gather::Ask;
use super::lines::{answer_by, review_overdue};
use crate::ledger::ReportFacts;
use crate::model::{FileAddress, PolicyName, Timestamp};

/// Addresses of one exception that are printed.
const MOST_IDS: usize = 1_000;

/// In the order in which they are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    DeletedEarly,
    NotDeleted,
    DeletedLate,
    Revived,
    ErasureOverdue,
    Stopped,
    ReviewOverdue,
    Unverified,
    GoneEarly,
    Unowned,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::DeletedEarly => "deleted-early",
            Self::NotDeleted => "not-deleted",
            Self::DeletedLate => "deleted-late",
            Self::Revived => "revived",
            Self::ErasureOverdue => "erasure-overdue",
            Self::Stopped => "stopped",
            Self::ReviewOverdue => "review-overdue",
            Self::Unverified => "unverified",
            Self::GoneEarly => "gone-early",
            Self::Unowned => "unowned",
        }
    }
}

/// What is told of a file beside its kind, policy and cause.
#[derive(Debug, Clone, Default)]
pub(super) struct Case {
    pub(super) past_deadline: bool,
    pub(super) since: Option<Timestamp>,
    pub(super) minutes: Option<u64>,
    pub(super) file: Option<FileAddress>,
}

#[derive(Debug, Default)]
struct Group {
    files: Option<u64>,
    past_deadline: u64,
    since: Option<Timestamp>,
    worst_minutes: Option<u64>,
    file_ids: Vec<FileRef>,
}

/// Exceptions under way.
#[derive(Debug, Default)]
pub(super) struct Exceptions(BTreeMap<(Kind, Option<PolicyName>, Cause), Group>);

impl Exceptions {
    /// One file.
    pub(super) fn add(&mut self, kind: Kind, policy: Option<&PolicyName>, cause: Cause, case: Case) {
        let group = self.group(kind, policy, cause);
        *group.files.get_or_insert(0) += 1;
        group.past_deadline += u64::from(case.past_deadline);
        group.since = group.since.into_iter().chain(case.since).min();
        group.worst_minutes = group.worst_minutes.max(case.minutes);
        if let Some(file) = case.file.filter(|_| group.file_ids.len() < MOST_IDS) {
            group.file_ids.push(FileRef {
                parent_id: file.batch.parent.as_str().to_owned(),
                batch_id: file.batch.batch.to_string(),
                file_id: file.file.to_string(),
                account: file.batch.account.as_ref().map(ToString::to_string),
            });
        }
    }

    /// So many files whose addresses are not at hand, or something that is not about files.
    pub(super) fn count(
        &mut self,
        kind: Kind,
        policy: Option<&PolicyName>,
        cause: Cause,
        files: Option<u64>,
        since: Option<Timestamp>,
    ) {
        let group = self.group(kind, policy, cause);
        group.files = match (group.files, files) {
            (None, files) => files,
            (Some(before), files) => Some(before + files.unwrap_or(0)),
        };
        group.since = group.since.into_iter().chain(since).min();
    }

    fn group(&mut self, kind: Kind, policy: Option<&PolicyName>, cause: Cause) -> &mut Group {
        self.0.entry((kind, policy.cloned(), cause)).or_default()
    }

    /// The gravest first.
    pub(super) fn finish(self) -> Vec<Exception> {
        self.0
            .into_iter()
            .map(|((kind, policy, cause), group)| Exception {
                kind: kind.name().to_owned(),
                policy: policy.map(|policy| policy.to_string()),
                cause: cause.words(),
                files: group.files,
                past_deadline: group.past_deadline,
                since: group.since,
                worst_minutes: group.worst_minutes,
                file_ids: {
                    let mut ids = group.file_ids;
                    ids.sort_by(|a, b| (&a.batch_id, &a.file_id).cmp(&(&b.batch_id, &b.file_id)));
                    ids
                },
            })
            .collect()
    }
}

/// What no single file of the report tells: files found again, unowned ones, requests, reviews, what stops
/// everything now.
pub(super) fn beside_files(exceptions: &mut Exceptions, facts: &ReportFacts, ask: &Ask<'_>) {
    let now = ask.period.now;
    for (policy, incidents) in facts.incidents.iter().filter(|(_, found)| found.revived > 0) {
        let (policy, files) = (policy.as_ref(), Some(incidents.revived));
        exceptions.count(Kind::Revived, policy, Cause::FoundAgain, files, None);
    }
    if facts.unowned.files > 0 {
        let (files, since) = (Some(facts.unowned.files), facts.unowned.oldest_upload);
        exceptions.count(Kind::Unowned, None, Cause::NoPolicy, files, since);
    }
    for (request, files) in &facts.erasures {
        let by = answer_by(request, ask);
        if request.closed_at.is_none() && by.is_some_and(|by| by <= now) {
            let left = Some(files.left());
            exceptions.count(Kind::ErasureOverdue, None, Cause::Unanswered, left, by);
        }
    }
    for hold in facts.holds.iter().filter(|hold| review_overdue(hold, now)) {
        exceptions.count(Kind::ReviewOverdue, None, Cause::Unreviewed, None, hold.review_by);
    }
    for (kind, _, stretch) in &facts.breakers {
        if stretch.until.is_none() {
            let cause = Cause::Breaker(*kind);
            exceptions.count(Kind::Stopped, None, cause, None, Some(stretch.since));
        }
    }
    for pause in &facts.pauses {
        if pause.until.is_none_or(|until| now < until) {
            exceptions.count(Kind::Stopped, None, Cause::Pause, None, Some(pause.since));
        }
    }
}
