//! `approve HASH`: lets exactly one waiting plan run (it may shrink, never grow), or the changed rules that
//! wait take effect. `approve --plan FILE`: the plan that was written to a file, if it is the one that waits.

mod plans;

use super::args::ApproveArgs;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::output::{lines, table};
use crate::engine::short;
use crate::ledger::RuleChange;
use crate::model::Timestamp;
use plans::{by_file, by_hash, text};

/// An approval lapses after this.
const VALID_MS: i64 = 72 * 3_600_000;

/// Waiting plans older than this are not shown.
const SHOWN_MS: i64 = 31 * 24 * 3_600_000;

pub(super) async fn run(context: &Context, args: &ApproveArgs) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let now = context.clock.now();
    if let Some(path) = &args.plan {
        return by_file(context, &checked, path, now).await;
    }
    let Some(hash) = &args.hash else {
        let ledger = context.reader(&checked).await?;
        let since = now.checked_add_millis(-SHOWN_MS).unwrap_or(now);
        let waiting = ledger.waiting_plans(since).await?;
        let rules = ledger.waiting_change().await?;
        context
            .output
            .data(&serde_json::json!({ "waiting": waiting, "rules": rules }), || {
                let changed = rules
                    .as_ref()
                    .map_or_else(String::new, |change| rules_line(change, now));
                if waiting.is_empty() {
                    return if changed.is_empty() {
                        "no plan waits\n".to_owned()
                    } else {
                        changed
                    };
                }
                let mut rows = table(&["plan", "policy", "made", "files", "waits for"]);
                for plan in &waiting {
                    let hash = plan.hash.get(..12).unwrap_or(&plan.hash);
                    let (at, count) = (plan.at.to_string(), plan.files.to_string());
                    rows.add_row([
                        hash,
                        plan.policy.as_str(),
                        &at,
                        &count,
                        plan.waits_for.as_deref().unwrap_or(""),
                    ]);
                }
                lines(&rows) + &changed
            })?;
        return Ok(Exit::Done);
    };
    let ledger = context.writer(&checked).await?;
    let until = now.checked_add_millis(VALID_MS).unwrap_or(now);
    let change = ledger.waiting_change().await?;
    if change.is_some_and(|change| hash.len() >= 8 && change.after.0.starts_with(hash)) {
        let change = ledger.approve_change(hash, now, until).await?;
        context.output.data(&serde_json::json!({ "rules": change }), || {
            format!(
                "approved: the changed rules ({}), until {until}\nthe daemon takes them over within a minute; or now: retentiond sweep\n",
                change.impact.sentence()
            )
        })?;
        return Ok(Exit::Done);
    }
    let given = by_hash(context, &checked, &*ledger, hash, now).await?;
    context.output.data(&given, || text(&given))?;
    Ok(Exit::Done)
}

/// The changed rules that wait, in one line.
fn rules_line(change: &RuleChange, now: Timestamp) -> String {
    let hash = short(&change.after.0);
    let impact = change.impact.sentence();
    match change.approved_until.filter(|until| now < *until) {
        Some(until) => format!("the changed rules {hash} are approved until {until} ({impact})\n"),
        None => format!(
            "the changed rules {hash} wait since {} ({impact})\n",
            change.seen_at
        ),
    }
}
