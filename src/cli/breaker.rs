//! `breaker list|reset`: what stopped deletion, and letting it go on.

use super::args::BreakerCommand;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::model::{AccountName, BreakerKind};

/// What settles `rollback` where there is an export.
const RECONCILE: &str = "retentiond reconcile --from EXPORT";

pub(super) async fn run(context: &Context, command: &BreakerCommand) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    match command {
        BreakerCommand::List => {
            let open = context.reader(&checked).await?.breakers().await?;
            let rows: Vec<serde_json::Value> = open
                .iter()
                .map(|breaker| {
                    let mut row = serde_json::json!({
                        "kind": breaker.kind,
                        "opened_at": breaker.opened_at,
                        "reason": breaker.reason,
                        "heals": breaker.kind.heals(),
                        "reset": format!("retentiond breaker reset {}", breaker.name()),
                        "reconcile": (breaker.kind == BreakerKind::Rollback).then_some(RECONCILE),
                    });
                    if let Some(account) = &breaker.account {
                        row["account"] = serde_json::json!(account);
                    }
                    row
                })
                .collect();
            context.output.data(&serde_json::json!({ "breakers": rows }), || {
                if open.is_empty() {
                    return "no breaker is open\n".to_owned();
                }
                open.iter()
                    .map(|breaker| {
                        let name = breaker.name();
                        let heals = if breaker.kind.heals() { "; closes by itself" } else { "" };
                        let first = match breaker.kind {
                            BreakerKind::Rollback => format!("  first: {RECONCILE} (--dry-run shows what is missing)\n"),
                            BreakerKind::Clock
                            | BreakerKind::Auth
                            | BreakerKind::Api
                            | BreakerKind::Integrity
                            | BreakerKind::Collateral => String::new(),
                        };
                        format!(
                            "{name}: {}\n{first}  open since {}{heals}; after a look: retentiond breaker reset {name}\n",
                            breaker.reason, breaker.opened_at
                        )
                    })
                    .collect()
            })?;
            Ok(if open.is_empty() {
                Exit::Done
            } else {
                Exit::Stopped
            })
        }
        BreakerCommand::Reset { name } => reset(context, &checked, name).await,
    }
}

async fn reset(context: &Context, checked: &crate::config::Checked, name: &str) -> Result<Exit, Failure> {
    let (of_kind, account) = match name.split_once('@') {
        None => (name, None),
        Some((kind, account)) => {
            let account = AccountName::new(account).map_err(|error| Failure::usage(error.to_string()))?;
            (kind, Some(account))
        }
    };
    let kind = BreakerKind::ALL
        .into_iter()
        .find(|kind| kind.name() == of_kind && (account.is_none() || kind.is_of_account()))
        .ok_or_else(|| {
            let names: Vec<&str> = BreakerKind::ALL.iter().map(|kind| kind.name()).collect();
            Failure::usage(format!(
                "there is no breaker `{name}`; there are {}",
                names.join(", ")
            ))
        })?;
    let now = context.clock.now();
    let ledger = context.writer(checked).await?;
    if kind == BreakerKind::Rollback {
        if let Some(begun) = ledger.recovery().await?
            && begun.next < begun.line.size
        {
            return Err(Failure::new(
                Exit::Stopped,
                format!(
                    "{} facts of an export have not been brought back yet: go on with `retentiond reconcile --from EXPORT`, with the same one",
                    begun.line.size - begun.next
                ),
            ));
        }
        // Before the breaker closes: it would open again at the next tick.
        ledger.accept_lineage(now).await?;
    }
    let was_open = ledger
        .close_breaker_of(kind, account.as_ref(), "operator", now)
        .await?;
    if kind == BreakerKind::Clock {
        // The operator vouches for the clock: this reading is the new base.
        ledger.vouch_for_clock(&context.clock.mark(), now).await?;
    }
    context.output.data(
        &serde_json::json!({ "breaker": name, "was_open": was_open }),
        || {
            if was_open {
                format!("breaker {name} is closed; deletion goes on\n")
            } else {
                format!("breaker {name} was not open\n")
            }
        },
    )?;
    Ok(Exit::Done)
}
