//! The plan of a sweep that ran now, judged as the sweep judges it: limits and approvals.

use super::Books;
use super::moment::step;
use super::outlook::Outlook;
use crate::engine::planning::{PlanError, make_plan};
use crate::engine::short;
use crate::ledger::{Ledger, LedgerError};
use crate::model::{FileAddress, FileKey, FileRecord, PolicyName};
use crate::rules::decide::{Source, Step};
use crate::rules::limits::{LimitKind, Ruling, judge};
use crate::rules::plan::Plan;
use crate::rules::policy::{Policy, RuleSet};

/// Files a page when an approved plan is read.
const PAGE: u32 = 10_000;

/// What limits and approvals make of it.
pub(super) async fn limited(
    books: &Books<'_>,
    file: &FileRecord,
    rules: &RuleSet,
    policy: &Policy,
    steps: &mut Vec<Step>,
) -> Result<Outlook, PlanError> {
    let ledger = books.ledger;
    if !ledger.hints_are_current(&rules.digest).await? {
        let text = "not judged: the next sweep decides all files anew first, and only then knows its plan";
        steps.push(step("limits", Source::Ledger, text.to_owned()));
        return Ok(Outlook::Goes);
    }
    let plan = make_plan(ledger, rules, policy, books.now).await?;
    let key = planned_as(ledger, file, &plan).await?;
    if let Some(outlook) = approved(books, policy, &plan, &key, steps).await? {
        return Ok(outlook);
    }
    let limits = |key| Source::of_file(&rules.lines, key);
    let (source, text, outlook) = match judge(&plan, policy, &rules.limits, 0, false) {
        Ruling::Proceed { files } => {
            let places = plan.places_by_key();
            let place = plan.place_of(&places, key.batch, key.file.as_str());
            let inside = place.is_none_or(|at| (at as u64) < files);
            let text = format!("{files} of {} due files may go in one sweep", plan.due());
            let outlook = if inside {
                Outlook::Goes
            } else {
                let why = format!("older ones go first: {text}, and it is not among them");
                Outlook::Stopped { why }
            };
            (limits("limits.files_per_sweep"), text, outlook)
        }
        Ruling::Stop { excess } => {
            let share = excess.first().is_some_and(|one| one.limit == LimitKind::Share);
            let key = if share {
                "limits.share_per_sweep"
            } else {
                "limits.files_per_sweep"
            };
            let numbers: Vec<String> = excess.into_iter().map(|one| one.text).collect();
            let text = numbers.join("; ");
            let why = format!("a limit stops the sweep: {text}; `retentiond approve` after it lets it run");
            (limits(key), text, Outlook::Stopped { why })
        }
        Ruling::AwaitApproval => {
            let source = Source::of_rule(&rules.lines, &policy.name, &["approval"]);
            let text = "the policy asks for an approval each time".to_owned();
            let why = format!("{text}: `retentiond approve` after the next sweep lets it run");
            (source, text, Outlook::Stopped { why })
        }
    };
    steps.push(step("limits", source, text));
    Ok(outlook)
}

/// A linked copy rides along with its original, where that is still to be deleted.
async fn planned_as(ledger: &dyn Ledger, file: &FileRecord, plan: &Plan) -> Result<FileKey, LedgerError> {
    let Some(original) = &file.copy_of else {
        return Ok(file.key.clone());
    };
    let places = plan.places_by_key();
    if plan
        .place_of(&places, file.key.batch, file.key.file.as_str())
        .is_some()
    {
        return Ok(file.key.clone());
    }
    let address: &FileAddress = original;
    let found = ledger.locate(address).await?;
    Ok(found.map_or_else(|| file.key.clone(), |original| original.key))
}

/// An approval that lets something of this plan through: then exactly the approved files go.
async fn approved(
    books: &Books<'_>,
    policy: &Policy,
    plan: &Plan,
    key: &FileKey,
    steps: &mut Vec<Step>,
) -> Result<Option<Outlook>, LedgerError> {
    let approvals = books.ledger.approvals(books.now).await?;
    let of_policy = |name: &PolicyName| *name == policy.name;
    let places = plan.places_by_key();
    for approval in approvals.iter().filter(|approval| of_policy(&approval.policy)) {
        let (mut any, mut this) = (false, false);
        let mut from = 0;
        loop {
            let page = books.ledger.plan_files(&approval.plan, from, PAGE).await?;
            for one in &page {
                any |= plan
                    .place_of(&places, one.key.batch, one.key.file.as_str())
                    .is_some();
                this |= one.key == *key;
            }
            if page.len() < PAGE as usize {
                break;
            }
            from += u64::from(PAGE);
        }
        if !any {
            continue;
        }
        let hash = short(&approval.plan);
        let text = format!(
            "plan {hash} was approved on {}, until {}",
            approval.given_at, approval.valid_until
        );
        steps.push(step("limits", Source::Ledger, text));
        return Ok(Some(if this {
            Outlook::Goes
        } else {
            Outlook::Stopped {
                why: format!("the approved plan {hash} runs first, and it is not in it"),
            }
        }));
    }
    Ok(None)
}
