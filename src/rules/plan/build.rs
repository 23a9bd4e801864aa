//! How a plan comes about, page by page.

use std::collections::HashMap;
use std::sync::Arc;

use super::short_id::ShortId;
use super::{Others, Place, Plan, PlannedFile, hash};
use crate::model::{BatchKey, ErasureId, FileRecord, Holds, PolicyName, Timestamp};
use crate::rules::check::{self, Purpose, Violation};
use crate::rules::decide::{Decision, Verdict, counts_from, decide};
use crate::rules::policy::{Mode, Policy, RuleSet};

/// Takes the ledger's candidates in any order, in pages of any size, and makes the plan.
///
/// Every file that `decide` calls due is put to the independent checker as well: when the two differ
/// there is no plan.
#[derive(Debug)]
pub struct PlanBuilder<'r> {
    policy: &'r Policy,
    rules: &'r RuleSet,
    holds: &'r Holds,
    live: u64,
    now: Timestamp,
    files: Vec<PlannedFile>,
    held: u64,
    others: Others,
    reasons: Vec<(Why, Arc<str>)>,
    places: HashMap<(BatchKey, usize), Arc<Place>>,
    violation: Option<Violation>,
}

/// Why a file is due.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    /// The policy's period has ended, or the floor's that ended last.
    Rules { floor: Option<PolicyName> },
    /// An erasure request.
    Request(ErasureId),
}

impl<'r> PlanBuilder<'r> {
    /// Begins the plan of `policy`, one of the `rules`, which has `live` live files; or that of the erasure
    /// requests (`rules.erasure.sweep`), which may take any live file of the ledger.
    #[must_use]
    pub fn new(policy: &'r Policy, rules: &'r RuleSet, holds: &'r Holds, live: u64, now: Timestamp) -> Self {
        Self {
            policy,
            rules,
            holds,
            live,
            now,
            files: Vec::new(),
            held: 0,
            others: Others::default(),
            reasons: Vec::new(),
            places: HashMap::new(),
            violation: None,
        }
    }

    /// Decides over one file and counts it. Each file may be offered once.
    pub fn consider(&mut self, file: &FileRecord) {
        let decision = decide(file, self.rules, self.holds, self.now);
        if self.rules.is_erasure(&self.policy.name) {
            self.consider_request(file, &decision);
        } else {
            self.consider_rules(file, &decision);
        }
    }

    fn consider_rules(&mut self, file: &FileRecord, decision: &Decision) {
        if decision
            .owner
            .as_ref()
            .is_some_and(|owner| *owner != self.policy.name)
        {
            self.others.owned_by_others += 1;
            return;
        }
        match &decision.verdict {
            Verdict::Due | Verdict::DueObserved => self.add(file, decision),
            Verdict::Held { due: true, .. } => self.held += 1,
            Verdict::Held { due: false, .. } | Verdict::NotYet => self.others.not_yet += 1,
            Verdict::Erasure { .. } => self.others.by_request += 1,
            Verdict::Bound { .. } => self.others.bound += 1,
            Verdict::KeptForever { .. } => self.others.kept_forever += 1,
            Verdict::Unowned => self.others.unowned += 1,
            Verdict::NotEligible(_) => self.others.not_eligible += 1,
        }
    }

    fn consider_request(&mut self, file: &FileRecord, decision: &Decision) {
        if decision.erasure.is_none() {
            // Closed between the query and now.
            self.others.owned_by_others += 1;
            return;
        }
        match &decision.verdict {
            Verdict::Due | Verdict::Erasure { .. } => self.add(file, decision),
            Verdict::Held { .. } => self.held += 1,
            Verdict::Bound { .. } => self.others.bound += 1,
            Verdict::NotEligible(_) => self.others.not_eligible += 1,
            // None of these comes of a request.
            Verdict::DueObserved | Verdict::NotYet | Verdict::KeptForever { .. } | Verdict::Unowned => {
                self.violation.get_or_insert(Violation::NotRequested);
            }
        }
    }

    /// The plan, in order and hashed.
    ///
    /// # Errors
    /// The first [`Violation`] that the checker found: the rules contradict themselves, and nothing may
    /// be deleted by them.
    pub fn finish(mut self) -> Result<Plan, Violation> {
        if let Some(violation) = self.violation {
            return Err(violation);
        }
        self.files.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
        self.files.shrink_to_fit();
        Ok(Plan {
            policy: self.policy.name.clone(),
            mode: self.policy.mode,
            rules: self.rules.digest.clone(),
            at: self.now,
            live: self.live,
            held: self.held,
            others: self.others,
            hash: hash(&self.policy.name, &self.rules.digest, &self.files),
            files: self.files,
        })
    }

    fn add(&mut self, file: &FileRecord, decision: &Decision) {
        let by_request = self.rules.is_erasure(&self.policy.name);
        let purpose = match self.policy.mode {
            _ if by_request => Purpose::Erase,
            Mode::Enforce => Purpose::Send,
            Mode::Observe => Purpose::Show,
        };
        if let Err(violation) = check::permits(file, self.rules, self.holds, self.now, purpose) {
            self.violation.get_or_insert(violation);
            return;
        }
        let (Some(starts_at), Some(due_at), Some(deadline_at)) =
            (decision.starts_at, decision.due_at, decision.deadline_at)
        else {
            self.violation.get_or_insert(Violation::NoDates);
            return;
        };
        let why = match decision.erasure {
            Some(request) if by_request => Why::Request(request),
            Some(_) | None => Why::Rules {
                floor: decision.floor.clone(),
            },
        };
        let place = self.place(file, why);
        self.files.push(PlannedFile {
            id: ShortId::new(file.key.file.as_str()),
            place,
            starts_at,
            due_at,
            deadline_at,
        });
    }

    fn place(&mut self, file: &FileRecord, why: Why) -> Arc<Place> {
        let reason = match self.reasons.iter().position(|(of, _)| *of == why) {
            Some(known) => known,
            None => {
                let text = match &why {
                    Why::Rules { floor } => reason(self.policy, floor.as_ref()),
                    Why::Request(request) => format!("erasure request {}", request.0).into(),
                };
                self.reasons.push((why, text));
                self.reasons.len() - 1
            }
        };
        let place = self.places.entry((file.key.batch, reason)).or_insert_with(|| {
            Arc::new(Place {
                key: file.key.batch,
                batch: Arc::clone(&file.batch),
                reason: Arc::clone(&self.reasons[reason].1),
            })
        });
        Arc::clone(place)
    }
}

fn reason(policy: &Policy, floor: Option<&PolicyName>) -> Arc<str> {
    let rounded = policy.clock.round_up.map_or_else(String::new, |unit| {
        format!(", counted from the end of its {}", unit.name())
    });
    let (name, period, event) = (&policy.name, policy.delete_after, counts_from(&policy.clock));
    let floor = floor.map_or_else(String::new, |floor| {
        format!("; floor `{floor}` kept it longer and has ended")
    });
    format!("policy `{name}`: {period} after its {event}{rounded}{floor}").into()
}
