//! The leave for one stored plan, and what has changed since it was stored.

use std::path::Path;

use serde::Serialize;

use super::VALID_MS;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::files;
use crate::cli::plan::compare::Today;
use crate::cli::plan::drift::Drift;
use crate::cli::plan::file::{Head, Reader};
use crate::config::Checked;
use crate::engine::short;
use crate::ledger::{Ledger, StoredPlan};
use crate::model::{Approval, Timestamp};

/// One plan that may run now.
#[derive(Debug, Serialize)]
pub(super) struct Given {
    approval: Approval,
    files: u64,
    /// What has changed since the plan was stored; `null` where the policy file is not the one in force.
    drift: Option<Drift>,
}

/// Lets the plan with this hash, or with this beginning of one, run.
pub(super) async fn by_hash(
    context: &Context,
    checked: &Checked,
    ledger: &dyn Ledger,
    hash: &str,
    now: Timestamp,
) -> Result<Given, Failure> {
    let waiting = waiting(ledger, now).await?;
    let mut named = waiting.iter().filter(|plan| plan.hash.starts_with(hash));
    let stored = match (named.next(), named.next()) {
        (Some(one), None) if hash.len() >= 8 => one,
        // The ledger has the words for what was typed.
        (_, _) => {
            let until = now.checked_add_millis(VALID_MS).unwrap_or(now);
            let refused = match ledger.approve(hash, now, until).await {
                Err(error) => Failure::from(error),
                Ok(_) => Failure::usage("the plan began to wait just now: say it again"),
            };
            let text = format!(
                "{}; `retentiond approve` lists those that wait, `retentiond plan --compare FILE` shows what has changed since one was written to a file",
                refused.text
            );
            return Err(Failure { text, ..refused });
        }
    };
    is_as_stored(ledger, stored).await?;
    give(context, checked, ledger, stored, now).await
}

/// Lets the plans in a file run, if each is what waits, to the byte.
pub(super) async fn by_file(
    context: &Context,
    checked: &Checked,
    path: &Path,
    now: Timestamp,
) -> Result<Exit, Failure> {
    let heads = Reader::verify(path)?;
    let ledger = context.writer(checked).await?;
    let waiting = waiting(&*ledger, now).await?;
    let mut stored = Vec::new();
    for head in heads.iter().filter(|head| head.files > 0) {
        let Some(plan) = waiting.iter().find(|plan| plan.hash == head.hash) else {
            return Err(stale(context, checked, path, head).await?);
        };
        is_as_stored(&*ledger, plan).await?;
        stored.push(plan);
    }
    if stored.is_empty() {
        return Err(Failure::new(
            Exit::Failed,
            format!(
                "{}: no file is planned in it: there is nothing to approve",
                path.display()
            ),
        ));
    }
    let mut given = Vec::new();
    for plan in stored {
        given.push(give(context, checked, &*ledger, plan, now).await?);
    }
    let document = serde_json::json!({ "approvals": given });
    context
        .output
        .data(&document, || given.iter().map(text).collect())?;
    Ok(Exit::Done)
}

/// Every plan that waits.
async fn waiting(ledger: &dyn Ledger, now: Timestamp) -> Result<Vec<StoredPlan>, Failure> {
    let ever = Timestamp::from_millis(0).unwrap_or(now);
    Ok(ledger.waiting_plans(ever).await?)
}

/// What is approved is what was stored: its hash is computed again.
async fn is_as_stored(ledger: &dyn Ledger, plan: &StoredPlan) -> Result<(), Failure> {
    if ledger.recomputed_hash(&plan.hash).await?.as_ref() == Some(&plan.hash) {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Integrity,
        format!(
            "the stored plan {} of `{}` was changed in the ledger after it was stored: it is not approved; `retentiond ledger check --deep` looks at the rest, and the next sweep makes the plan anew",
            short(&plan.hash),
            plan.policy
        ),
    ))
}

async fn give(
    context: &Context,
    checked: &Checked,
    ledger: &dyn Ledger,
    plan: &StoredPlan,
    now: Timestamp,
) -> Result<Given, Failure> {
    let until = now.checked_add_millis(VALID_MS).unwrap_or(now);
    let approval = ledger.approve(&plan.hash, now, until).await?;
    let mut drift = None;
    // Under other rules the answer would cost a copy of the ledger.
    if ledger.hints_are_current(&checked.rules.digest).await? {
        let today = Today {
            ledger,
            rules: &checked.rules,
            now,
        };
        let mut found = Drift::new(if context.output.json { usize::MAX } else { 0 });
        today.against_stored(plan, &mut found).await?;
        drift = Some(found);
    }
    Ok(Given {
        approval,
        files: plan.files,
        drift,
    })
}

/// A plan on file that does not wait: usually another one has taken its place.
async fn stale(context: &Context, checked: &Checked, path: &Path, head: &Head) -> Result<Failure, Failure> {
    let ledger = context.current(checked).await?;
    let today = Today {
        ledger: &*ledger,
        rules: &checked.rules,
        now: context.clock.now(),
    };
    let mut drift = Drift::new(0);
    today.against_file(path, &mut drift).await?;
    let (file, policy, hash) = (path.display(), &head.policy, short(&head.hash));
    let text = if drift.is_empty() {
        format!(
            "{file}: the plan {hash} of `{policy}` is what would run now, and no sweep waits for its approval; `retentiond approve` lists what waits"
        )
    } else {
        format!(
            "{file}: the plan {hash} of `{policy}` is stale, nothing was approved: {}; `retentiond plan --compare {file}` shows it file by file",
            drift.summary().join("; ")
        )
    };
    Ok(Failure::new(Exit::Stopped, text))
}

/// One approval as people read it.
pub(super) fn text(given: &Given) -> String {
    let Given {
        approval,
        files: count,
        drift,
    } = given;
    let mut text = format!(
        "approved: {} of `{}`, until {}\n",
        files(*count),
        approval.policy,
        approval.valid_until
    );
    let changed = drift.as_ref().map_or_else(Vec::new, Drift::summary);
    if !changed.is_empty() {
        text.push_str("since the plan was stored (it may shrink, it never grows):\n");
        for line in changed {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text + &format!(
        "the daemon runs it within a minute; or now: retentiond sweep -p '{}'\n",
        approval.policy
    )
}
