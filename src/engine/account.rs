//! The account of one file: what becomes of it, or what became of it, with every reason.
//!
//! From the ledger alone: it keeps the text of the rules in force and of those before them. A live file is
//! decided as the next sweep decides it. One that was asked for is decided **once more**: by the rules, holds,
//! requests and events as they were when that request was committed. Reads only.

mod facts;
mod limited;
mod moment;
mod outlook;
mod replay;
mod rules;
mod verdict;

use serde::Serialize;

use super::change::goes;
use super::planning::{PlanError, in_force};
use crate::ledger::{HistoryFilter, Ledger, LedgerError, Move};
use crate::model::{Attempt, FileRecord, FileState, PolicyName, Timestamp};
use crate::rules::check::Purpose;
use crate::rules::decide::{Decision, Step, Verdict, decide, explain};
use crate::rules::policy::{RuleDigest, RuleSet};
use moment::Moment;

/// Most requests that one file's account lists.
const REQUESTS: u32 = 1_000;

/// What an account is drawn up from.
#[derive(Clone, Copy)]
pub struct Books<'a> {
    /// The ledger.
    pub ledger: &'a dyn Ledger,
    /// Compiles the text of a policy file; `None` where it does not compile.
    pub compile: &'a (dyn Fn(&str) -> Option<RuleSet> + Send + Sync),
    /// The policy file as it is at present, where it can be read: asked where the ledger has no text.
    pub policy_file: Option<&'a RuleSet>,
    /// The present.
    pub now: Timestamp,
}

/// The rules that an account goes by.
#[derive(Debug, Clone, Serialize)]
pub struct Basis {
    /// Their digest.
    pub digest: RuleDigest,
    /// Since when they were in force; `None`: they never were, no sweep has adopted any yet.
    pub adopted_at: Option<Timestamp>,
    /// The text that the lines of the steps are of.
    #[serde(skip)]
    pub text: std::sync::Arc<str>,
}

/// What becomes of one file, or became of it, and why.
#[derive(Debug, Clone)]
pub struct Account {
    /// The file.
    pub file: FileRecord,
    /// One sentence that answers "what happens to this file?".
    pub verdict: String,
    /// The instant as of which it was decided: now, or when its last request was committed.
    pub as_of: Timestamp,
    /// Whether a sweep that ran now would ask for its deletion.
    pub goes: bool,
    /// What the rules say as of then; `None` where their text is lost.
    pub decision: Option<Decision>,
    /// Whether that agrees with what was done. `None`: nothing was done that it could be held against.
    pub agrees: Option<bool>,
    /// The rules.
    pub basis: Option<Basis>,
    /// Every reason, in order.
    pub steps: Vec<Step>,
    /// Every delete request that named it, newest first.
    pub attempts: Vec<Attempt>,
    /// What moved it outside any request, oldest first.
    pub moves: Vec<Move>,
}

impl Account {
    /// The policy that owns it, as decided.
    #[must_use]
    pub fn policy(&self) -> Option<&PolicyName> {
        self.decision.as_ref()?.owner.as_ref()
    }
}

/// Draws up the account of `file`.
///
/// # Errors
/// The ledger's.
pub async fn account(books: &Books<'_>, file: &FileRecord) -> Result<Account, PlanError> {
    let attempts = attempts(books.ledger, file).await?;
    let moves = books.ledger.moves(&file.key).await?;
    let moment = moment::of(file, &attempts, &moves);
    let as_of = moment.at(books.now);
    let events = books.ledger.events_of(file).await?;
    let found = rules::of(books, &moment).await?;
    let then = replay::as_of(books.ledger, file, &events, &moment, books.now).await?;
    let mut steps = facts::steps(file, &events, as_of);
    let mut outlook = None;
    let decision = match &found.rules {
        None => None,
        Some(rules) => {
            let mut decision = explain(&then.file, rules, &then.holds, as_of);
            steps.append(&mut decision.steps);
            match &moment {
                Moment::Now => {
                    outlook =
                        Some(outlook::of(books, file, rules, &then.holds, &decision, &mut steps).await?);
                }
                Moment::Request(attempt) => {
                    steps.extend(replay::sweep_steps(books.ledger, rules, attempt).await?);
                }
                Moment::Move(_) => {}
            }
            Some(decision)
        }
    };
    let agrees = moment.agrees(decision.as_ref().map(|decision| &decision.verdict));
    steps.extend(moment.steps(file, agrees));
    let told = verdict::Told {
        file,
        decision: decision.as_ref(),
        outlook: outlook.as_ref(),
        moment: &moment,
        moves: &moves,
        agrees,
        now: books.now,
    };
    Ok(Account {
        verdict: told.sentence(),
        as_of,
        goes: outlook.as_ref().is_some_and(outlook::Outlook::goes),
        agrees,
        basis: found.basis(),
        file: file.clone(),
        decision,
        steps,
        attempts,
        moves,
    })
}

/// What other rules than those in force would say of a live file, in one sentence.
///
/// # Errors
/// The ledger's.
pub async fn under(books: &Books<'_>, file: &FileRecord, rules: &RuleSet) -> Result<String, LedgerError> {
    let holds = in_force(books.ledger, books.now).await?;
    let decision = decide(file, rules, &holds, books.now);
    let told = verdict::Told {
        file,
        decision: Some(&decision),
        outlook: None,
        moment: &Moment::Now,
        moves: &[],
        agrees: None,
        now: books.now,
    };
    Ok(told.sentence())
}

async fn attempts(ledger: &dyn Ledger, file: &FileRecord) -> Result<Vec<Attempt>, LedgerError> {
    let filter = HistoryFilter {
        file: Some(file.key.file.clone()),
        limit: REQUESTS,
        ..HistoryFilter::default()
    };
    let mut attempts = ledger.history(&filter).await?;
    attempts.retain(|attempt| attempt.batch == *file.batch);
    Ok(attempts)
}

/// Whether that verdict lets a file be asked for, by its owner's sweep or by the requests'.
const fn lets_go(verdict: &Verdict) -> bool {
    goes(verdict, Purpose::Send) || goes(verdict, Purpose::Erase)
}

/// Whether the file has left our hands, so that the account is of the past.
const fn is_settled(state: FileState) -> bool {
    match state {
        FileState::Live => false,
        FileState::Deleting
        | FileState::Deleted
        | FileState::Gone
        | FileState::Unknown
        | FileState::Quarantined => true,
    }
}
