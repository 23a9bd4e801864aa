//! As of when a file is decided: now, or when it was last asked for.

use super::{is_settled, lets_go};
use crate::ledger::Move;
use crate::model::{Attempt, AttemptFile, FileRecord, FileState, Finding, Timestamp};
use crate::rules::decide::{Source, Step, Verdict};

/// The instant that counts, and what happened then.
pub(super) enum Moment {
    /// The file is live.
    Now,
    /// The intent of a request was committed.
    Request(Attempt),
    /// Something outside any request moved it.
    Move(Move),
}

/// The last request that was not taken back; without one, the last move. `attempts` newest first, `moves`
/// oldest first.
pub(super) fn of(file: &FileRecord, attempts: &[Attempt], moves: &[Move]) -> Moment {
    if !is_settled(file.state) {
        return Moment::Now;
    }
    // One that was refused was given back too, but it is what the quarantine rests on.
    let quarantined = file.state == FileState::Quarantined;
    let sent = |attempt: &&Attempt| {
        of_file(attempt, file).is_some_and(|f| quarantined || f.result != Some(FileState::Live))
    };
    match (attempts.iter().find(sent), moves.last()) {
        (Some(attempt), _) => Moment::Request(attempt.clone()),
        (None, Some(last)) => Moment::Move(last.clone()),
        (None, None) => Moment::Now,
    }
}

/// What a request says of one file.
pub(super) fn of_file<'a>(attempt: &'a Attempt, file: &FileRecord) -> Option<&'a AttemptFile> {
    attempt.files.iter().find(|f| f.file_id == file.key.file)
}

impl Moment {
    pub(super) fn at(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Now => now,
            Self::Request(attempt) => attempt.intent_at,
            Self::Move(last) => last.at,
        }
    }

    /// Whether what was decided once more bears out what was done.
    pub(super) fn agrees(&self, verdict: Option<&Verdict>) -> Option<bool> {
        match self {
            Self::Now | Self::Move(_) => None,
            Self::Request(_) => verdict.map(lets_go),
        }
    }

    /// The request and what came of it.
    pub(super) fn steps(&self, file: &FileRecord, agrees: Option<bool>) -> Vec<Step> {
        let attempt = match self {
            Self::Now => return Vec::new(),
            Self::Move(last) => {
                let text = format!(
                    "on {} it went from {} to {}: {}",
                    last.at,
                    last.from.name(),
                    last.to.name(),
                    last.reason
                );
                return vec![step("move", Source::Ledger, text)];
            }
            Self::Request(attempt) => attempt,
        };
        let source = || Source::Attempt {
            attempt: attempt.attempt,
        };
        let mut steps = Vec::new();
        match agrees {
            Some(true) => {}
            Some(false) => steps.push(step(
                "replay",
                source(),
                "DECIDED ONCE MORE, IT WOULD NOT HAVE BEEN ASKED FOR: what the ledger keeps of then does not bear the request out".to_owned(),
            )),
            None => steps.push(step(
                "replay",
                source(),
                "the text of the rules of then is lost or does not compile any more: it cannot be decided once more".to_owned(),
            )),
        }
        let answer = match (attempt.settled_at, attempt.outcome.as_deref()) {
            (Some(at), Some(outcome)) => {
                let status = attempt
                    .http_status
                    .map_or_else(String::new, |status| format!(" (HTTP {status})"));
                format!("answered {at}: {outcome}{status}")
            }
            (_, None) | (None, _) => "no answer is on record yet".to_owned(),
        };
        let text = format!(
            "{} asked for it, committed {}: {answer}",
            attempt.call.name(),
            attempt.intent_at
        );
        steps.push(step("request", source(), text));
        steps.push(step("verification", source(), looked(of_file(attempt, file))));
        steps
    }
}

/// What a second, independent look found.
fn looked(file: Option<&AttemptFile>) -> String {
    match file.and_then(|file| Some((file.verified_at?, file.finding?))) {
        Some((at, Finding::Absent)) => format!("a second look on {at} did not find it any more"),
        Some((at, Finding::StillThere)) => format!("a second look on {at} STILL FOUND IT"),
        None => "no second look has borne that out".to_owned(),
    }
}

pub(super) const fn step(step: &'static str, source: Source, text: String) -> Step {
    Step { step, source, text }
}
