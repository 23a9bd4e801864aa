//! `erase add|list|show|close`: erasure requests.

mod list;

use std::io::BufRead;

use clap::{Args, Subcommand};
use jiff::civil::Date;
use secrecy::ExposeSecret;

use super::context::{Context, typed};
use super::exit::{Exit, Failure};
use super::output::files;
use crate::config::Checked;
use crate::ledger::Entered;
use crate::model::{ErasureId, ErasureScope, NewErasure, Timestamp};

/// `erase …`.
#[derive(Debug, Subcommand)]
pub enum EraseCommand {
    /// Enter an erasure request: what it covers goes with the next sweep of requests, whatever the
    /// policies say. Only holds and binding floors come before it.
    Add(EraseAddArgs),
    /// List the open requests: days left, what is left to delete, and what stops it.
    List {
        /// Closed ones too.
        #[arg(long)]
        all: bool,
    },
    /// Show one request file by file.
    Show {
        /// The request's number.
        #[arg(value_name = "NUMBER")]
        id: i64,
    },
    /// Close a request by hand: withdrawn, refused, or of somebody of whom there is no file.
    Close {
        /// The request's number.
        #[arg(value_name = "NUMBER")]
        id: i64,
        /// Why, as a code of your own.
        #[arg(long, value_name = "CODE")]
        reason: String,
    },
}

/// `erase add`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("erase-scope").required(true).multiple(false))]
pub struct EraseAddArgs {
    /// Erase every file of this data subject, named exactly as when its files were recorded; `-` reads it
    /// from standard input, so that it stands in no shell history and no process list.
    #[arg(
        long,
        group = "erase-scope",
        value_name = "SUBJECT",
        allow_hyphen_values = true
    )]
    pub subject: Option<String>,
    /// Erase the file with this id, and its linked copies.
    #[arg(
        long,
        group = "erase-scope",
        value_name = "FILE_ID",
        allow_hyphen_values = true
    )]
    pub file: Option<String>,
    /// Erase every file of this batch, and their linked copies.
    #[arg(
        long,
        group = "erase-scope",
        value_name = "BATCH_ID",
        allow_hyphen_values = true
    )]
    pub batch: Option<String>,
    /// Your own reference, such as a case number; the same one again changes nothing.
    #[arg(long = "ref", value_name = "REF")]
    pub reference: String,
    /// The day on which the request was received (YYYY-MM-DD): the time for the answer counts from it.
    #[arg(long, value_name = "DATE")]
    pub received: String,
}

pub(super) async fn run(context: &Context, command: &EraseCommand) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    match command {
        EraseCommand::Add(args) => add(context, &checked, args).await,
        EraseCommand::List { all } => list::list(context, &checked, *all).await,
        EraseCommand::Show { id } => list::show(context, &checked, ErasureId(*id)).await,
        EraseCommand::Close { id, reason } => close(context, &checked, ErasureId(*id), reason).await,
    }
}

async fn add(context: &Context, checked: &Checked, args: &EraseAddArgs) -> Result<Exit, Failure> {
    let now = context.clock.now();
    let received = received(checked, &args.received, now)?;
    let new = NewErasure {
        scope: scope(context, checked, args)?,
        reference: reference(&args.reference)?,
        received,
    };
    let answer = checked
        .rules
        .answer_by(received)
        .ok_or_else(|| Failure::usage("the date leaves the calendar"))?;
    let ledger = context.writer(checked).await?;
    let entered = ledger.add_erasure(&new, now).await?;
    let document = serde_json::json!({
        "erasure": entered.erasure,
        "known": entered.known,
        "files": entered.files,
        "received": received,
        "last_day": answer.last_day,
        "answer_by": answer.ends_at,
    });
    context
        .output
        .data(&document, || said(&entered, answer.last_day))?;
    Ok(Exit::Done)
}

fn said(entered: &Entered, last_day: Date) -> String {
    let (id, counts) = (entered.erasure.0, &entered.files);
    let known = if entered.known {
        " was entered before; it"
    } else {
        ""
    };
    let mut text = format!(
        "erasure request {id}{known} covers {}, to be answered by {last_day}\n",
        files(counts.known())
    );
    if counts.known() == 0 {
        text.push_str(&format!(
            "the ledger knows no file of it; files recorded while it is open are covered. It does not close by itself: \
             `retentiond erase close {id} --reason CODE`\n"
        ));
    } else if counts.left() == 0 {
        text.push_str("all of them are gone, and that was verified: the next sweep closes it\n");
    } else {
        text.push_str(&format!(
            "{} to be deleted; `retentiond erase list` shows what stops it, `retentiond sweep -p erasure` need not wait for the schedule\n",
            files(counts.left())
        ));
    }
    text
}

/// A day that has come.
fn received(checked: &Checked, text: &str, now: Timestamp) -> Result<Date, Failure> {
    let date: Date = text
        .parse()
        .ok()
        .filter(|_| text.len() == 10)
        .ok_or_else(|| Failure::usage(format!("`{text}` is no date; write YYYY-MM-DD")))?;
    let today = checked.rules.zone.to_datetime(now.to_jiff()).date();
    if date > today {
        return Err(Failure::usage(format!(
            "{date} has not come yet (today is {today} in {}): write the day on which the request was received",
            checked.rules.zone_name
        )));
    }
    Ok(date)
}

fn reference(text: &str) -> Result<String, Failure> {
    if text.trim().is_empty() {
        return Err(Failure::usage(
            "the reference is empty; write a case number of your own",
        ));
    }
    Ok(text.to_owned())
}

fn scope(context: &Context, checked: &Checked, args: &EraseAddArgs) -> Result<ErasureScope, Failure> {
    if let Some(file) = &args.file {
        return Ok(ErasureScope::File(typed(file)?));
    }
    if let Some(batch) = &args.batch {
        return Ok(ErasureScope::Batch(typed(batch)?));
    }
    let typed_in = args.subject.as_deref().unwrap_or_default();
    let subject = if typed_in == "-" {
        secret_line()?
    } else {
        secrecy::SecretString::from(typed_in)
    };
    if subject.expose_secret().trim().is_empty() {
        return Err(Failure::usage("the subject is empty"));
    }
    let hasher = context.subjects(checked)?.ok_or_else(|| {
        Failure::new(
            Exit::Credentials,
            "there is no key to find subjects with: name its file as `subject_key_file` in [erasure], or give the \
             service the systemd credential `subject-key`",
        )
    })?;
    Ok(ErasureScope::Subject(hasher.hash(subject.expose_secret())))
}

fn secret_line() -> Result<secrecy::SecretString, Failure> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    line.truncate(line.trim_end_matches(['\n', '\r']).len());
    Ok(secrecy::SecretString::from(line))
}

async fn close(context: &Context, checked: &Checked, id: ErasureId, reason: &str) -> Result<Exit, Failure> {
    let now = context.clock.now();
    let ledger = context.writer(checked).await?;
    ledger.close_erasure(id, reason, now).await?;
    context.output.data(
        &serde_json::json!({ "erasure": id, "closed_at": now, "reason": reason }),
        || format!("erasure request {} is closed; it covers nothing any more\n", id.0),
    )?;
    Ok(Exit::Done)
}
