//! `uploads`: what was uploaded and whether its end is known; `uploads settle` for what nobody can find out.

use clap::{Args, Subcommand};

use super::context::Context;
use super::exit::{Exit, Failure};
use super::output::{lines, table};
use crate::ledger::UploadEnd;
use crate::model::{BatchId, Parent, Timestamp, Upload, UploadId, UploadState};

/// Uploads shown without `--all`.
const SHOWN: u32 = 1000;

/// `uploads`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct UploadsArgs {
    /// The latest uploads of every state, newest first; by default those under way and in doubt.
    #[arg(long)]
    pub all: bool,
    /// Uploads to show with --all.
    #[arg(long, value_name = "N", default_value_t = 50, requires = "all")]
    pub limit: u32,
    /// What to do instead of listing.
    #[command(subcommand)]
    pub command: Option<UploadsCommand>,
}

/// `uploads …`.
#[derive(Debug, Subcommand)]
pub enum UploadsCommand {
    /// Settle an upload in doubt, having made sure at Extracta that no file of it is left unrecorded.
    Settle {
        /// The upload's number.
        #[arg(value_name = "NUMBER")]
        id: i64,
        /// Why, as a code of your own.
        #[arg(long, value_name = "CODE")]
        reason: String,
    },
}

pub(super) async fn run(context: &Context, args: &UploadsArgs) -> Result<Exit, Failure> {
    match &args.command {
        None => list(context, args).await,
        Some(UploadsCommand::Settle { id, reason }) => settle(context, UploadId(*id), reason).await,
    }
}

async fn list(context: &Context, args: &UploadsArgs) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let ledger = context.reader(&checked).await?;
    let now = context.clock.now();
    let uploads = if args.all {
        ledger.uploads(None, args.limit).await?
    } else {
        ledger.unsettled_uploads(SHOWN).await?
    };
    let in_doubt = uploads.iter().filter(|upload| upload.is_in_doubt(now)).count();
    context.output.data(
        &serde_json::json!({ "in_doubt": in_doubt, "uploads": uploads }),
        || text(&uploads, in_doubt, now),
    )?;
    Ok(if in_doubt > 0 { Exit::Unsettled } else { Exit::Done })
}

/// Where an upload went, as far as is known.
fn to(upload: &Upload) -> String {
    let parent = upload.parent.as_ref().map_or("not known", Parent::as_str);
    match &upload.account {
        None => parent.to_owned(),
        Some(account) => format!("{account}: {parent}"),
    }
}

fn text(uploads: &[Upload], in_doubt: usize, now: Timestamp) -> String {
    if uploads.is_empty() {
        return "no upload is under way or in doubt\n".to_owned();
    }
    let mut rows = table(&[
        "upload", "by", "state", "to", "batch", "files", "recorded", "begun", "reason",
    ]);
    for upload in uploads {
        rows.add_row([
            upload.id.0.to_string(),
            upload.source.name().to_owned(),
            state(upload, now).to_owned(),
            to(upload),
            upload
                .batch
                .as_ref()
                .map_or("not known", BatchId::as_str)
                .to_owned(),
            upload
                .files
                .map_or_else(|| "not known".to_owned(), |files| files.to_string()),
            upload.recorded.to_string(),
            upload.begun_at.to_string(),
            upload.reason.clone().unwrap_or_default(),
        ]);
    }
    let mut text = lines(&rows);
    if in_doubt > 0 {
        text.push_str(
            "\nin doubt: there may be files at Extracta that no ledger holds. Settle each, once you know, by\n  \
             retentiond uploads settle NUMBER --reason CODE\n",
        );
    }
    text
}

fn state(upload: &Upload, now: Timestamp) -> &'static str {
    match upload.state {
        UploadState::Open if upload.is_in_doubt(now) => "IN DOUBT (interrupted)",
        UploadState::Open => "under way",
        UploadState::Doubtful => "IN DOUBT",
        UploadState::Recorded | UploadState::Nothing | UploadState::Reconciled | UploadState::Resolved => {
            upload.state.name()
        }
    }
}

async fn settle(context: &Context, id: UploadId, reason: &str) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let ledger = context.writer(&checked).await?;
    let now = context.clock.now();
    let known = ledger.uploads(Some(UploadId(id.0.saturating_add(1))), 1).await?;
    let upload = known.into_iter().find(|upload| upload.id == id);
    match upload {
        None => return Err(Failure::usage(format!("there is no upload {}", id.0))),
        Some(upload) if !upload.is_in_doubt(now) => {
            return Err(Failure::usage(format!(
                "upload {} is not in doubt: it is {}; `retentiond uploads` lists those that are",
                id.0,
                state(&upload, now)
            )));
        }
        Some(_) => {}
    }
    let end = UploadEnd {
        state: UploadState::Resolved,
        batch: None,
        files: None,
        reason: Some(reason),
        at: now,
    };
    ledger.end_upload(id, &end).await?;
    context.output.data(
        &serde_json::json!({ "upload": id, "state": UploadState::Resolved, "settled_at": now }),
        || format!("upload {} is settled ({reason})\n", id.0),
    )?;
    Ok(Exit::Done)
}
