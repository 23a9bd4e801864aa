//! Limits and approvals: the part of a plan that may run, or what the plan waits for.

use std::collections::HashSet;
use std::sync::Arc;

use super::planning::PlanError;
use super::run::Run;
use super::stop::{Stop, short};
use super::sweep::{Engine, SweepError};
use crate::ledger::{StoredFile, StoredPlan};
use crate::model::{BreakerKind, FileKey};
use crate::rules::check;
use crate::rules::limits::{Ruling, judge};
use crate::rules::plan::{Plan, PlannedFile};
use crate::rules::policy::Policy;

/// Files a statement when those of a stored plan are written, read or compared.
const PAGE: usize = 10_000;

impl Engine {
    /// Limits and approvals: the plan that may run, or what it waits for.
    pub(super) async fn rule(
        &self,
        run: &mut Run<'_>,
        policy: &Policy,
        plan: Plan,
        sent: u64,
    ) -> Result<Result<Plan, Stop>, SweepError> {
        // Files that this sweep has asked for before and that are due again count once.
        let again = self.asked_before(run, &plan, sent).await?;
        let apart = |again: &[bool]| sent.saturating_sub(again.iter().filter(|again| **again).count() as u64);
        let already = apart(&again);
        let limits = &run.rules.limits;
        if let Some(stop) = self.spoilt(run, policy).await? {
            return Ok(Err(stop));
        }
        if let Some((hash, marks)) = self.approved(run, policy, &plan).await? {
            let mut marked = marks.iter();
            let mut again = again;
            again.retain(|_| marked.next().copied().unwrap_or(false));
            let approved = plan.only(&marks);
            check::plan(&approved, approved.due(), policy, limits, already, true)
                .map_err(PlanError::Check)?;
            run.budget = apart(&again) + approved.due();
            run.approval = Some(hash);
            return Ok(Ok(approved));
        }
        match judge(&plan, policy, limits, already, false) {
            Ruling::Proceed { files } => {
                check::plan(&plan, files, policy, limits, already, false).map_err(PlanError::Check)?;
                let plan = plan.oldest(files);
                let kept = plan.files.len().min(again.len());
                run.budget = apart(&again[..kept]) + plan.due();
                self.store(run, &plan, None).await?;
                Ok(Ok(plan))
            }
            Ruling::Stop { excess } => {
                let reason = excess
                    .iter()
                    .map(|e| e.text.as_str())
                    .collect::<Vec<_>>()
                    .join("; ");
                self.store(run, &plan, Some(&reason)).await?;
                Ok(Err(Stop::Limit {
                    plan: plan.hash,
                    reason,
                }))
            }
            Ruling::AwaitApproval => {
                self.store(run, &plan, Some("the policy asks for an approval each time"))
                    .await?;
                Ok(Err(Stop::Approval { plan: plan.hash }))
            }
        }
    }

    /// Which of the plan's files, by place, this sweep has asked for before; nothing for a new sweep.
    async fn asked_before(&self, run: &Run<'_>, plan: &Plan, sent: u64) -> Result<Vec<bool>, SweepError> {
        let mut marks = Vec::new();
        if sent == 0 {
            return Ok(marks);
        }
        for page in plan.files.chunks(PAGE) {
            let keys: Vec<FileKey> = page.iter().map(key).collect();
            let found: HashSet<FileKey> = self.ledger.sent_in(run.sweep, &keys).await?.into_iter().collect();
            marks.extend(keys.iter().map(|key| found.contains(key)));
        }
        Ok(marks)
    }

    /// What runs is what was approved, to the byte: an approved plan whose stored files are not those that its
    /// hash was made of is never run. Its approval is spent, so that the next sweep can make it anew.
    async fn spoilt(&self, run: &Run<'_>, policy: &Policy) -> Result<Option<Stop>, SweepError> {
        let now = self.clock.now();
        for approval in self.ledger.approvals(now).await? {
            if approval.policy != policy.name
                || self.ledger.recomputed_hash(&approval.plan).await?.as_ref() == Some(&approval.plan)
            {
                continue;
            }
            self.ledger.use_up(&approval.plan, run.sweep, now).await?;
            let reason = format!(
                "the approved plan {} of `{}` was changed in the ledger after it was stored; it is not run, and has to be approved anew",
                short(&approval.plan),
                policy.name
            );
            run.trip(BreakerKind::Integrity, &reason).await?;
            return Ok(Some(Stop::Breaker {
                kind: BreakerKind::Integrity,
                account: None,
                reason,
            }));
        }
        Ok(None)
    }

    /// What an approval in force lets through of this plan, by place: exactly the approved files that
    /// are still due; it may shrink, never grow. One that lets nothing through any more is spent.
    async fn approved(
        &self,
        run: &Run<'_>,
        policy: &Policy,
        plan: &Plan,
    ) -> Result<Option<(String, Vec<bool>)>, SweepError> {
        let now = self.clock.now();
        let mut spent = HashSet::new();
        let in_force = self.ledger.approvals(now).await?;
        let mut of_policy = in_force
            .into_iter()
            .filter(|a| a.policy == policy.name)
            .peekable();
        if of_policy.peek().is_none() {
            return Ok(None);
        }
        let places = plan.places_by_key();
        for approval in of_policy {
            let mut marks = vec![false; plan.files.len()];
            let mut from = 0;
            loop {
                let page = self.ledger.plan_files(&approval.plan, from, PAGE as u32).await?;
                let found = page
                    .iter()
                    .filter_map(|file| plan.place_of(&places, file.key.batch, file.key.file.as_str()));
                for place in found {
                    marks[place] = true;
                }
                if page.len() < PAGE {
                    break;
                }
                from += PAGE as u64;
            }
            let files = marks.iter().filter(|marked| **marked).count();
            if files > 0 {
                tracing::info!(policy = %policy.name, files, "an approved plan runs");
                return Ok(Some((approval.plan, marks)));
            }
            // A plan that was approved twice is spent once.
            if spent.insert(approval.plan.clone()) {
                self.ledger.use_up(&approval.plan, run.sweep, now).await?;
            }
        }
        Ok(None)
    }

    /// A plan that waits is stored with its files, a long one page by page: it waits from the moment
    /// when it is whole.
    async fn store(&self, run: &Run<'_>, plan: &Plan, waits_for: Option<&str>) -> Result<(), SweepError> {
        let mut stored = StoredPlan {
            hash: plan.hash.clone(),
            policy: plan.policy.clone(),
            rules: plan.rules.clone(),
            at: plan.at,
            files: plan.due(),
            waits_for: waits_for.map(str::to_owned),
        };
        let mut files = Vec::new();
        if waits_for.is_some() && plan.files.len() <= PAGE {
            files = page_of(&plan.files, 0);
        } else if waits_for.is_some() && !self.waits_already(&plan.hash).await? {
            let reason = stored.waits_for.take();
            self.ledger.store_plan(&stored, &[], run.sweep).await?;
            for (page, at) in plan.files.chunks(PAGE).zip((0..).step_by(PAGE)) {
                self.ledger.add_to_plan(&plan.hash, &page_of(page, at)).await?;
            }
            stored.waits_for = reason;
        }
        Ok(self.ledger.store_plan(&stored, &files, run.sweep).await?)
    }

    /// A plan that waits is whole, and its hash says which files it holds; one that somebody has changed is
    /// stored anew.
    async fn waits_already(&self, hash: &str) -> Result<bool, SweepError> {
        let found = self.ledger.recomputed_hash(hash).await?;
        Ok(found.as_deref() == Some(hash))
    }
}

fn key(file: &PlannedFile) -> FileKey {
    FileKey {
        batch: file.key(),
        file: file.file(),
    }
}

/// A page of the plan as it is stored; its first file is at the place `from`.
fn page_of(page: &[PlannedFile], from: u64) -> Vec<StoredFile> {
    page.iter()
        .zip(from..)
        .map(|(file, place)| StoredFile {
            place,
            key: key(file),
            batch: Arc::clone(file.batch()),
            starts_at: file.starts_at,
            due_at: file.due_at,
        })
        .collect()
}
