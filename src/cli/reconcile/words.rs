//! What `reconcile --from` found and did, in print.

use serde::Serialize;

use super::export::Missing;
use crate::cli::output::files;
use crate::engine::recovery::Looked;
use crate::evidence::{Hash, LostFact};
use crate::ledger::BroughtBack;
use crate::model::{ErasureScope, FileState, HoldScope, Timestamp};

/// Lines of one kind shown as text.
const SHOWN: usize = 20;

/// What the export has and the ledger has not, and what came of it.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    origin: String,
    made_at: Timestamp,
    facts: u64,
    root: Hash,
    /// Facts under a checkpoint that was signed by the key asked for.
    signed: u64,
    /// Facts that both have.
    common: u64,
    missing: u64,
    /// Facts that went out after the export: nothing brings them back.
    newer: u64,
    holds: Vec<Hold>,
    releases: Vec<Numbered>,
    erasure_requests: Vec<Request>,
    closings: Vec<Numbered>,
    requests: u64,
    deleted: u64,
    gone: u64,
    unsettled: u64,
    /// Facts of rules, plans, approvals and the like: they are decided anew.
    left_out: u64,
    /// What a look at the files that ended found; absent before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) looked: Option<Looked>,
    /// Absent unless all is settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) brought_back: Option<BroughtBack>,
}

#[derive(Debug, Serialize)]
struct Hold {
    number: i64,
    scope: HoldScope,
    reason: String,
    reference: Option<String>,
    review_by: Option<Timestamp>,
    placed_at: Timestamp,
}

#[derive(Debug, Serialize)]
struct Request {
    number: i64,
    scope: ErasureScope,
    reference: String,
    received: jiff::civil::Date,
    placed_at: Timestamp,
}

#[derive(Debug, Serialize)]
struct Numbered {
    number: i64,
    reason: Option<String>,
    at: Timestamp,
}

impl Found {
    pub(super) fn of(missing: &Missing) -> Self {
        let line = &missing.line;
        let mut found = Self {
            origin: missing.head.origin.clone(),
            made_at: missing.head.at,
            facts: line.size,
            root: line.root,
            signed: missing.checked.signed,
            common: line.common,
            missing: line.size - line.common,
            newer: line.until - line.size,
            holds: Vec::new(),
            releases: Vec::new(),
            erasure_requests: Vec::new(),
            closings: Vec::new(),
            requests: 0,
            deleted: 0,
            gone: 0,
            unsettled: 0,
            left_out: 0,
            looked: None,
            brought_back: None,
        };
        for leaf in &missing.leaves {
            found.take(&leaf.fact, leaf.at);
        }
        found
    }

    fn take(&mut self, fact: &LostFact, at: Timestamp) {
        match fact {
            LostFact::Hold { hold, new } => self.holds.push(Hold {
                number: *hold,
                scope: new.scope.clone(),
                reason: new.reason.clone(),
                reference: new.reference.clone(),
                review_by: new.review_by,
                placed_at: at,
            }),
            LostFact::Release { hold, reason, .. } => self.releases.push(Numbered {
                number: *hold,
                reason: Some(reason.clone()),
                at,
            }),
            LostFact::ErasureRequest { erasure, new } => self.erasure_requests.push(Request {
                number: *erasure,
                scope: new.scope.clone(),
                reference: new.reference.clone(),
                received: new.received,
                placed_at: at,
            }),
            LostFact::ErasureClosed { erasure, reason } => self.closings.push(Numbered {
                number: *erasure,
                reason: reason.clone(),
                at,
            }),
            LostFact::Intent { .. } => self.requests += 1,
            LostFact::Outcome { files, .. } | LostFact::Moved { files, .. } => {
                for (_, to) in files {
                    match to {
                        FileState::Deleted => self.deleted += 1,
                        FileState::Gone => self.gone += 1,
                        FileState::Unknown | FileState::Quarantined => self.unsettled += 1,
                        FileState::Live | FileState::Deleting => {}
                    }
                }
            }
            LostFact::Other => self.left_out += 1,
            LostFact::SweepOpened { .. }
            | LostFact::SweepClosed { .. }
            | LostFact::Interrupted
            | LostFact::Verification { .. }
            | LostFact::BreakerOpened { .. }
            | LostFact::BreakerClosed { .. }
            | LostFact::Pause { .. }
            | LostFact::Resume => {}
        }
    }

    /// Whether every file that ended could be looked at.
    pub(super) fn all_looked_at(&self) -> bool {
        self.looked
            .as_ref()
            .is_none_or(|looked| looked.unclear.is_empty())
    }
}

pub(super) fn text(found: &Found) -> String {
    let mut text = format!(
        "the export of {}: {} facts of {}, whole{}\n{} of them are missing here, from number {} on\n",
        found.made_at,
        found.facts,
        found.origin,
        if found.signed > 0 { ", signed" } else { "" },
        found.missing,
        found.common
    );
    listed(&mut text, &found.holds, hold);
    listed(&mut text, &found.releases, |one| {
        format!("release of hold {} ({}), {}", one.number, reason(one), one.at)
    });
    listed(&mut text, &found.erasure_requests, request);
    listed(&mut text, &found.closings, |one| {
        format!(
            "closing of erasure request {} ({}), {}",
            one.number,
            reason(one),
            one.at
        )
    });
    text.push_str(&format!(
        "  {} delete requests: {} deleted, {} gone, {} unknown or quarantined\n",
        found.requests,
        files(found.deleted),
        files(found.gone),
        files(found.unsettled)
    ));
    if found.left_out > 0 {
        text.push_str(&format!(
            "  {} facts of rules, plans, approvals and gaps are not brought back: they are decided anew\n",
            found.left_out
        ));
    }
    if found.newer > 0 {
        text.push_str(&format!(
            "LOST: {} facts went out after this export was made; holds and erasure requests of that time have to be entered again\n",
            found.newer
        ));
    }
    text.push_str(&came_of_it(found));
    text
}

fn came_of_it(found: &Found) -> String {
    let mut text = String::new();
    if let Some(looked) = &found.looked {
        text.push_str(&format!("looked at: {} are gone", files(looked.absent)));
        if looked.revived > 0 {
            text.push_str(&format!(
                "; {} CAME BACK TO LIFE, the next sweep deletes them again",
                files(looked.revived)
            ));
        }
        text.push('\n');
        for (batch, reason) in looked.unclear.iter().take(SHOWN) {
            text.push_str(&format!("COULD NOT BE LOOKED AT: {batch}: {reason}\n"));
        }
    }
    match &found.brought_back {
        Some(done) => {
            text.push_str(&format!(
                "brought back: {} holds, {} releases, {} erasure requests, {} closings, {} delete requests with {}\n",
                done.holds,
                done.releases,
                done.erasures,
                done.closings,
                done.attempts,
                files(done.ended)
            ));
            if done.strangers > 0 {
                text.push_str(&format!(
                    "{} that were asked for are not in this ledger: they were recorded after the backup\n",
                    files(done.strangers)
                ));
            }
            text.push_str(NEXT);
        }
        None if found.looked.is_some() => text.push_str(
            "not settled: nothing is deleted before every file that ended has been looked at; run it again\n",
        ),
        None => {}
    }
    text
}

/// What is left to do.
const NEXT: &str = "\
breaker rollback is settled. Next:
  retentiond record FILE         uploads recorded since the backup; `retentiond reconcile --record` finds those in known batches
  retentiond hold list           is everything there?
  retentiond plan                what the next sweep will delete
Keep the export: it is the evidence of what was lost with the ledger.
";

fn listed<T>(text: &mut String, all: &[T], line: impl Fn(&T) -> String) {
    for one in all.iter().take(SHOWN) {
        text.push_str(&format!("  {}\n", line(one)));
    }
    if all.len() > SHOWN {
        text.push_str(&format!(
            "  … and {} more (--json lists them)\n",
            all.len() - SHOWN
        ));
    }
}

fn hold(hold: &Hold) -> String {
    let scope = match &hold.scope {
        HoldScope::File(id) => format!("file {id}"),
        HoldScope::Batch(id) => format!("batch {id}"),
        HoldScope::Label { key, value } => format!("label {key}={value}"),
        HoldScope::Policy(name) => format!("policy {name}"),
    };
    format!(
        "hold {} on {scope} ({}), placed {}",
        hold.number, hold.reason, hold.placed_at
    )
}

fn request(request: &Request) -> String {
    let scope = match &request.scope {
        ErasureScope::Subject(_) => "a subject".to_owned(),
        ErasureScope::File(id) => format!("file {id}"),
        ErasureScope::Batch(id) => format!("batch {id}"),
    };
    format!(
        "erasure request {} for {scope} ({}), received {}",
        request.number, request.reference, request.received
    )
}

fn reason(one: &Numbered) -> &str {
    one.reason.as_deref().unwrap_or("verified")
}
