//! `ledger check|backup|stats|copy|reopen`.

mod copy;

use std::path::Path;

use super::args::LedgerCommand;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::output::{lines, table};

pub(super) async fn run(context: &Context, command: &LedgerCommand) -> Result<Exit, Failure> {
    match command {
        LedgerCommand::Copy(args) => copy::run(context, args).await,
        LedgerCommand::Reopen { ledger, server } => copy::reopen(context, ledger.as_deref(), server).await,
        LedgerCommand::Check { deep } => check(context, *deep).await,
        LedgerCommand::Backup { to } => backup(context, to).await,
        LedgerCommand::Stats => stats(context).await,
    }
}

async fn check(context: &Context, deep: bool) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let ledger = context.reader(&checked).await?;
    let path = checked.ledger.name();
    let problems = ledger.check(deep).await?;
    context.output.data(
        &serde_json::json!({ "ledger": path, "problems": problems }),
        || {
            if problems.is_empty() {
                return format!("{path}: ok\n");
            }
            problems
                .iter()
                .map(|problem| format!("{path}: {problem}\n"))
                .collect()
        },
    )?;
    Ok(if problems.is_empty() {
        Exit::Done
    } else {
        Exit::Integrity
    })
}

async fn backup(context: &Context, to: &Path) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    context.reader(&checked).await?.backup(to).await?;
    let bytes = std::fs::metadata(to)?.len();
    context
        .output
        .data(&serde_json::json!({ "backup": to, "bytes": bytes }), || {
            format!("wrote {} ({bytes} bytes)\n", to.display())
        })?;
    Ok(Exit::Done)
}

async fn stats(context: &Context) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let stats = context.reader(&checked).await?.stats().await?;
    let path = checked.ledger.name();
    context
        .output
        .data(&serde_json::json!({ "ledger": path, "stats": stats }), || {
            let mut rows = table(&["what", "value", "unit"]);
            for stat in &stats {
                rows.add_row([stat.name, &stat.value.to_string(), stat.unit]);
            }
            lines(&rows)
        })?;
    Ok(Exit::Done)
}
