//! `ledger check|backup|stats`.

use super::args::LedgerCommand;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::output::{lines, table};

pub(super) async fn run(context: &Context, command: &LedgerCommand) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let ledger = context.reader(&checked).await?;
    let path = checked.ledger.name();
    match command {
        LedgerCommand::Check { deep } => {
            let problems = ledger.check(*deep).await?;
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
        LedgerCommand::Backup { to } => {
            ledger.backup(to).await?;
            let bytes = std::fs::metadata(to)?.len();
            context
                .output
                .data(&serde_json::json!({ "backup": to, "bytes": bytes }), || {
                    format!("wrote {} ({bytes} bytes)\n", to.display())
                })?;
            Ok(Exit::Done)
        }
        LedgerCommand::Stats => {
            let stats = ledger.stats().await?;
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
    }
}
