//! The sentence on top: "what happens to this file?", or what happened.

use super::moment::{Moment, of_file};
use super::outlook::Outlook;
use crate::ledger::Move;
use crate::model::{Attempt, FileRecord, FileState, Finding, Timestamp};
use crate::rules::decide::{Decision, Verdict};

/// All that the sentence is made of.
pub(super) struct Told<'a> {
    pub(super) file: &'a FileRecord,
    pub(super) decision: Option<&'a Decision>,
    pub(super) outlook: Option<&'a Outlook>,
    pub(super) moment: &'a Moment,
    pub(super) moves: &'a [Move],
    pub(super) agrees: Option<bool>,
    pub(super) now: Timestamp,
}

impl Told<'_> {
    pub(super) fn sentence(&self) -> String {
        let doubt = match self.agrees {
            Some(false) => "; DECIDED ONCE MORE, IT WOULD NOT HAVE BEEN ASKED FOR",
            Some(true) | None => "",
        };
        let text = match self.file.state {
            FileState::Live => self.live(),
            FileState::Deleted => self.deleted(),
            FileState::Gone => self.gone(),
            FileState::Deleting => match self.moment {
                Moment::Request(attempt) => format!(
                    "a delete request is under way since {}{}",
                    attempt.intent_at,
                    self.because()
                ),
                Moment::Now | Moment::Move(_) => "a delete request is under way".to_owned(),
            },
            FileState::Unknown => match self.moment {
                Moment::Request(attempt) => format!(
                    "unknown: a delete request was sent on {} and its outcome is not known; it will be probed{}",
                    attempt.intent_at,
                    self.because()
                ),
                Moment::Now | Moment::Move(_) => {
                    "unknown: what was found contradicts what was recorded; it will be probed".to_owned()
                }
            },
            FileState::Quarantined => {
                let last = self.moves.iter().rev().find(|m| m.to == FileState::Quarantined);
                let why = last.map_or_else(
                    || "after repeated refusals".to_owned(),
                    |last| format!("since {}: {}", last.at, last.reason),
                );
                format!("quarantined {why}; `retentiond quarantine list` shows what can be done")
            }
        };
        text + doubt
    }

    fn deleted(&self) -> String {
        let Moment::Request(attempt) = self.moment else {
            return "deleted: confirmed by the API".to_owned();
        };
        let at = attempt.settled_at.map_or_else(String::new, |at| format!(" {at}"));
        format!(
            "deleted{at}: confirmed by the API, {}{}",
            self.verified(attempt),
            self.because()
        )
    }

    fn verified(&self, attempt: &Attempt) -> String {
        match of_file(attempt, self.file).and_then(|f| Some((f.verified_at?, f.finding?))) {
            Some((at, Finding::Absent)) => format!("verified gone {at}"),
            Some((at, Finding::StillThere)) => format!("and STILL LISTED {at}"),
            None => "not verified yet".to_owned(),
        }
    }

    fn gone(&self) -> String {
        let last = self.moves.iter().rev().find(|m| m.to == FileState::Gone);
        match (self.moment, last) {
            (Moment::Request(attempt), last) => {
                let how = match last.filter(|last| last.at >= attempt.intent_at) {
                    Some(last) => format!("found gone {}: {}", last.at, last.reason),
                    None => "the API did not have it any more".to_owned(),
                };
                format!(
                    "gone: {how}; it was asked for on {}{}",
                    attempt.intent_at,
                    self.because()
                )
            }
            (Moment::Move(_), Some(last)) => {
                format!(
                    "gone since {}, without a request of ours: {}",
                    last.at, last.reason
                )
            }
            (Moment::Now | Moment::Move(_), _) => "gone: the API does not have it any more".to_owned(),
        }
    }

    /// What let it go, as of then.
    fn because(&self) -> String {
        let Some(decision) = self.decision else {
            return String::new();
        };
        let since = decision
            .due_at
            .map_or_else(String::new, |at| format!(" since {at}"));
        match &decision.verdict {
            Verdict::Due => match &decision.owner {
                Some(owner) => format!("; due by policy `{owner}`{since}"),
                None => String::new(),
            },
            Verdict::Erasure { request } => format!("; by erasure request {}{since}", request.0),
            Verdict::DueObserved
            | Verdict::NotYet
            | Verdict::Held { .. }
            | Verdict::Bound { .. }
            | Verdict::KeptForever { .. }
            | Verdict::Unowned
            | Verdict::NotEligible(_) => String::new(),
        }
    }

    fn live(&self) -> String {
        let Some(decision) = self.decision else {
            return "kept: no sweep has adopted rules yet, or their text does not compile any more, so nothing can be decided by it".to_owned();
        };
        let due = || {
            decision
                .due_at
                .map_or_else(|| "an unknown time".to_owned(), |at| at.to_string())
        };
        let next = |goes: &str| match self.outlook {
            Some(Outlook::Stopped { why }) => format!("but kept for now: {why}"),
            Some(Outlook::Goes | Outlook::Kept) | None => goes.to_owned(),
        };
        match &decision.verdict {
            Verdict::Due => format!("due since {}, {}", due(), next("the next sweep deletes it")),
            Verdict::DueObserved => format!("due since {}, but its policy only observes: kept", due()),
            Verdict::NotYet => {
                let days = decision
                    .due_at
                    .map_or(0, |at| at.millis_since(self.now) / 86_400_000);
                format!("kept until {} ({days} days from now)", due())
            }
            Verdict::Held { hold, due: true } => format!("held by hold {}: it would be due", hold.0),
            Verdict::Held { hold, due: false } => format!("held by hold {}: it would not be due yet", hold.0),
            Verdict::Erasure { request } => format!(
                "erasure request {} covers it since {}, {}",
                request.0,
                due(),
                next("the next sweep of requests deletes it")
            ),
            Verdict::Bound { request, floor } => {
                let until = decision
                    .due_at
                    .map_or_else(|| "for ever".to_owned(), |at| format!("until {at}"));
                format!(
                    "kept {until} by binding floor `{floor}`, although erasure request {} covers it",
                    request.0
                )
            }
            Verdict::KeptForever { floor } => format!("kept for ever by `{floor}`"),
            Verdict::Unowned => "kept: no policy matches it".to_owned(),
            Verdict::NotEligible(doubt) => format!("kept: {}", doubt.sentence()),
        }
    }
}
