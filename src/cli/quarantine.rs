//! `quarantine list|retry|resolve`: files that were refused again and again.

use super::args::QuarantineCommand;
use super::context::{Context, typed};
use super::exit::{Exit, Failure};
use super::output::{files, shell_word};
use crate::model::FileId;
use crate::outcome::FileEvent;

/// Files shown at once.
const SHOWN: u32 = 10_000;

pub(super) async fn run(context: &Context, command: &QuarantineCommand) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    match command {
        QuarantineCommand::List => {
            let found = context.reader(&checked).await?.quarantined(SHOWN).await?;
            let rows: Vec<serde_json::Value> = found
                .iter()
                .map(|(file, reason)| {
                    let (retry, resolve) = commands(&file.key.file);
                    serde_json::json!({
                        "file": file.address(),
                        "policy": file.owner,
                        "reason": reason,
                        "retry": retry,
                        "resolve": resolve,
                    })
                })
                .collect();
            context.output.data(&serde_json::json!({ "quarantined": rows }), || {
                if found.is_empty() {
                    return "no file is quarantined\n".to_owned();
                }
                found
                    .iter()
                    .map(|(file, reason)| {
                        let id = &file.key.file;
                        let (retry, resolve) = commands(id);
                        format!(
                            "{id} in {}: {reason}\n  to send it round again: {retry}\n  to settle it, once you know that it is gone: {resolve}\n",
                            file.batch
                        )
                    })
                    .collect()
            })?;
            Ok(if found.is_empty() {
                Exit::Done
            } else {
                Exit::Unsettled
            })
        }
        QuarantineCommand::Retry { file } => {
            settle(
                context,
                file,
                FileEvent::Retried,
                "an operator sends it round again",
            )
            .await
        }
        QuarantineCommand::Resolve { file, reason } => {
            settle(context, file, FileEvent::Resolved, reason).await
        }
    }
}

/// What settles a file, as it can be typed: ids begin with a hyphen, and may hold anything.
fn commands(file: &FileId) -> (String, String) {
    let word = shell_word(file.as_str());
    (
        format!("retentiond quarantine retry -- {word}"),
        format!("retentiond quarantine resolve --reason CODE -- {word}"),
    )
}

async fn settle(context: &Context, file: &str, event: FileEvent, reason: &str) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let file: FileId = typed(file)?;
    let ledger = context.writer(&checked).await?;
    let now = context.clock.now();
    let mut moved = 0;
    for record in ledger.find(&file).await? {
        moved += ledger
            .note(record.key.batch, std::slice::from_ref(&file), event, reason, now)
            .await?;
    }
    if moved == 0 {
        return Err(Failure::new(
            Exit::Failed,
            format!("`{file}` is not quarantined; `retentiond explain {file}` says how it stands"),
        ));
    }
    let state = if event == FileEvent::Retried {
        "live"
    } else {
        "gone"
    };
    context.output.data(
        &serde_json::json!({ "file_id": file, "files": moved, "state": state }),
        || format!("{}: {state}\n", files(moved)),
    )?;
    Ok(Exit::Done)
}
