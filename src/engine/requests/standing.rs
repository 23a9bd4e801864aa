//! How erasure requests stand, and what stops them: reads only.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::planning::in_force;
use crate::ledger::{ErasureFiles, Ledger, LedgerError};
use crate::model::{Erasure, ErasureId, FileKey, FileState, HoldId, PolicyName, Timestamp};
use crate::rules::decide::{Doubt, Verdict, decide};
use crate::rules::policy::RuleSet;

/// Files a page.
const PAGE: u32 = 5_000;

/// A request, and where its files stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The request.
    pub request: Erasure,
    /// Where its files stand.
    pub files: ErasureFiles,
    /// The first instant after the time for the answer; `None` at the calendar's end.
    pub answer_by: Option<Timestamp>,
}

impl Standing {
    /// Whether the time for the answer has passed and the request is open.
    #[must_use]
    pub fn is_late(&self, now: Timestamp) -> bool {
        self.request.closed_at.is_none() && self.answer_by.is_some_and(|by| by <= now)
    }

    /// Whether it is open, and its date near enough to warn of, or passed.
    #[must_use]
    pub fn is_near(&self, rules: &RuleSet, now: Timestamp) -> bool {
        let warn = rules
            .answer_by(self.request.received)
            .and_then(|by| by.warn_from(rules.erasure.warn_before, &rules.zone));
        self.request.closed_at.is_none() && warn.is_some_and(|from| from <= now)
    }
}

/// Every request, the open ones or all, with where it stands.
///
/// # Errors
/// The ledger's.
pub async fn standing(
    ledger: &dyn Ledger,
    rules: &RuleSet,
    open_only: bool,
) -> Result<Vec<Standing>, LedgerError> {
    let requests = ledger.erasures(open_only).await?;
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let counted = ledger.erasure_progress(open_only).await?;
    Ok(requests
        .into_iter()
        .map(|request| Standing {
            files: counted
                .iter()
                .find(|(id, _)| *id == request.id)
                .map(|(_, files)| *files)
                .unwrap_or_default(),
            answer_by: rules.answer_by(request.received).map(|by| by.ends_at),
            request,
        })
        .collect())
}

/// What stops live files of a request, in files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Obstacles {
    /// By hold.
    pub held: Vec<Held>,
    /// By binding floor.
    pub bound: Vec<Bound>,
    /// By doubt whether something binding keeps them.
    pub doubtful: Vec<Doubtful>,
}

/// Files that a hold keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The hold.
    pub hold: HoldId,
    /// Files.
    pub files: u64,
}

/// Files that a binding floor keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bound {
    /// The floor.
    pub floor: PolicyName,
    /// Its legal basis, as the policy file states it.
    pub basis: Option<String>,
    /// When it lets the last of them go; `None`: never.
    pub until: Option<Timestamp>,
    /// Files.
    pub files: u64,
}

/// Files that are kept because of a doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Doubtful {
    /// The doubt.
    pub doubt: Doubt,
    /// Files.
    pub files: u64,
}

impl Obstacles {
    /// One sentence each.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let held = self
            .held
            .iter()
            .map(|held| format!("{} held by hold {}", held.files, held.hold.0));
        let bound = self.bound.iter().map(|bound| {
            let basis = bound
                .basis
                .as_ref()
                .map_or_else(String::new, |basis| format!(" ({basis})"));
            let until = bound
                .until
                .map_or_else(|| "for ever".to_owned(), |until| format!("until {until}"));
            format!(
                "{} kept {until} by binding floor `{}`{basis}",
                bound.files, bound.floor
            )
        });
        let doubtful = self
            .doubtful
            .iter()
            .map(|doubtful| format!("{} kept: {}", doubtful.files, doubtful.doubt.sentence()));
        held.chain(bound).chain(doubtful).collect()
    }
}

/// What stops the live files of an open request at `now`.
///
/// # Errors
/// The ledger's.
pub async fn obstacles(
    ledger: &dyn Ledger,
    rules: &RuleSet,
    request: ErasureId,
    now: Timestamp,
) -> Result<Obstacles, LedgerError> {
    let holds = in_force(ledger, now).await?;
    let mut held: BTreeMap<HoldId, u64> = BTreeMap::new();
    let mut bound: BTreeMap<PolicyName, (u64, Option<Timestamp>)> = BTreeMap::new();
    let mut doubtful: Vec<Doubtful> = Vec::new();
    let mut after: Option<FileKey> = None;
    loop {
        let page = ledger.erasure_files(request, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        for file in page.iter().filter(|file| file.state == FileState::Live) {
            let decision = decide(file, rules, &holds, now);
            match decision.verdict {
                Verdict::Held { hold, .. } => *held.entry(hold).or_default() += 1,
                Verdict::Bound { floor, .. } => {
                    let (files, until) = bound.entry(floor).or_insert((0, decision.due_at));
                    *files += 1;
                    *until = until.zip(decision.due_at).map(|(a, b)| a.max(b));
                }
                Verdict::NotEligible(doubt) => match doubtful.iter_mut().find(|d| d.doubt == doubt) {
                    Some(known) => known.files += 1,
                    None => doubtful.push(Doubtful { doubt, files: 1 }),
                },
                Verdict::Due
                | Verdict::DueObserved
                | Verdict::NotYet
                | Verdict::Erasure { .. }
                | Verdict::KeptForever { .. }
                | Verdict::Unowned => {}
            }
        }
    }
    let basis = |name: &PolicyName| {
        let floor = rules.floors.iter().find(|floor| floor.name == *name);
        floor.and_then(|floor| floor.basis.clone())
    };
    Ok(Obstacles {
        held: held
            .into_iter()
            .map(|(hold, files)| Held { hold, files })
            .collect(),
        bound: bound
            .into_iter()
            .map(|(floor, (files, until))| Bound {
                basis: basis(&floor),
                floor,
                until,
                files,
            })
            .collect(),
        doubtful,
    })
}
