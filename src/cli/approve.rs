//! `approve HASH`: lets exactly one waiting plan run; it may shrink, never grow.

use super::args::ApproveArgs;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::output::{files, lines, table};
use crate::model::Timestamp;

/// An approval lapses after this.
const VALID_MS: i64 = 72 * 3_600_000;

/// Waiting plans older than this are not shown.
const SHOWN_MS: i64 = 31 * 24 * 3_600_000;

pub(super) async fn run(context: &Context, args: &ApproveArgs) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let now = context.clock.now();
    let Some(hash) = &args.hash else {
        let ledger = context.reader(&checked).await?;
        let since = now.checked_add_millis(-SHOWN_MS).unwrap_or(now);
        let waiting = ledger.waiting_plans(since).await?;
        context
            .output
            .data(&serde_json::json!({ "waiting": waiting }), || {
                if waiting.is_empty() {
                    return "no plan waits\n".to_owned();
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
                lines(&rows)
            })?;
        return Ok(Exit::Done);
    };
    let ledger = context.writer(&checked).await?;
    let until = now.checked_add_millis(VALID_MS).unwrap_or(now);
    // What was approved is among what waited a moment ago, and more of it is never stored.
    let waiting = ledger
        .waiting_plans(Timestamp::from_millis(0).unwrap_or(now))
        .await?;
    let approval = ledger.approve(hash, now, until).await?;
    let count = waiting
        .iter()
        .find(|plan| plan.hash == approval.plan)
        .map_or(0, |plan| plan.files);
    context.output.data(&serde_json::json!({ "approval": approval, "files": count }), || {
        format!(
            "approved: {} of `{}`, until {}\nthe daemon runs it within a minute; or now: retentiond sweep -p '{}'\n",
            files(count),
            approval.policy,
            approval.valid_until,
            approval.policy
        )
    })?;
    Ok(Exit::Done)
}
