//! `history`: what was requested, what was answered, what a second look found; by file, batch, policy, sweep
//! and time, a page at a time.

use clap::Args;
use serde::Serialize;

use super::context::{Context, typed};
use super::exit::{Exit, Failure};
use crate::ledger::{HistoryFilter, Ledger, LedgerError, Redacted};
use crate::model::{Attempt, AttemptId, Finding, PolicyName, SweepId};

/// Requests read at once, when all are asked for.
const PAGE: u32 = 1000;

/// `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Only requests that named this file.
    #[arg(value_name = "FILE_ID", allow_hyphen_values = true)]
    pub file: Option<String>,
    /// The same, as an option.
    #[arg(
        long = "file",
        value_name = "FILE_ID",
        allow_hyphen_values = true,
        conflicts_with = "file"
    )]
    pub named: Option<String>,
    /// Only requests for files of this batch.
    #[arg(long, value_name = "BATCH_ID", allow_hyphen_values = true)]
    pub batch: Option<String>,
    /// Only requests of this policy's sweeps; `erasure` for those of erasure requests. One that the policy file
    /// has no more is found too.
    #[arg(long, short, value_name = "POLICY")]
    pub policy: Option<String>,
    /// Only requests of this sweep.
    #[arg(long, value_name = "N")]
    pub sweep: Option<i64>,
    /// From this time on (RFC 3339 with zone).
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Before this time (RFC 3339 with zone).
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Requests to show, newest first; 0 for all.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: u32,
    /// Go on after this request: the `next` of the page before. What happens meanwhile moves nothing.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub after: Option<i64>,
}

#[derive(Debug, Serialize)]
struct Document {
    attempts: Vec<Attempt>,
    /// What `--after` takes for the next page; `null` on the last one.
    next: Option<AttemptId>,
    /// What is on record no more; `null`: nothing ever went.
    redacted: Option<Redacted>,
}

pub(super) async fn run(context: &Context, args: &HistoryArgs) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let ledger = context.reader(&checked).await?;
    let instant = |text: &Option<String>| {
        let typed = text.as_deref();
        typed.map(|text| context.instant(Some(text))).transpose()
    };
    let file = args.file.as_deref().or(args.named.as_deref());
    let policy = args.policy.as_deref().map(PolicyName::new).transpose();
    let filter = HistoryFilter {
        file: file.map(typed).transpose()?,
        batch: args.batch.as_deref().map(typed).transpose()?,
        policy: policy.map_err(|error| Failure::usage(format!("{error}")))?,
        sweep: args.sweep.map(SweepId),
        since: instant(&args.since)?,
        until: instant(&args.until)?,
        before: args.after.map(AttemptId),
        limit: args.limit,
    };
    let document = match args.limit {
        0 => Document {
            attempts: all(ledger.as_ref(), filter).await?,
            next: None,
            redacted: ledger.redacted().await?,
        },
        limit => page(ledger.as_ref(), filter, limit).await?,
    };
    context.output.data(&document, || text(&document))?;
    Ok(Exit::Done)
}

/// One request more than is shown says whether there is a next page.
async fn page(ledger: &dyn Ledger, filter: HistoryFilter, limit: u32) -> Result<Document, LedgerError> {
    let filter = HistoryFilter {
        limit: limit.saturating_add(1),
        ..filter
    };
    let mut attempts = ledger.history(&filter).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = attempts.len() > limit;
    attempts.truncate(limit);
    let last = attempts.last().map(|attempt| attempt.attempt);
    Ok(Document {
        next: last.filter(|_| more),
        attempts,
        redacted: ledger.redacted().await?,
    })
}

async fn all(ledger: &dyn Ledger, filter: HistoryFilter) -> Result<Vec<Attempt>, LedgerError> {
    let mut filter = HistoryFilter {
        limit: PAGE,
        ..filter
    };
    let mut attempts = Vec::new();
    loop {
        let page = ledger.history(&filter).await?;
        let full = page.len() as u64 == u64::from(PAGE);
        filter.before = page.last().map(|attempt| attempt.attempt);
        attempts.extend(page);
        if !full {
            return Ok(attempts);
        }
    }
}

fn text(document: &Document) -> String {
    let gone = document
        .redacted
        .map_or_else(String::new, |redacted| format!("note: {}\n", redacted.sentence()));
    if document.attempts.is_empty() {
        return format!("no delete request is on record\n{gone}");
    }
    let mut text: String = document
        .attempts
        .iter()
        .map(|attempt| line(attempt, None))
        .collect();
    if let Some(next) = document.next {
        text.push_str(&format!("… and more: `--after {}` goes on\n", next.0));
    }
    text + &gone
}

/// One attempt in two lines; of one file, when it is named.
pub(super) fn line(attempt: &Attempt, file: Option<&str>) -> String {
    let shown = attempt
        .files
        .iter()
        .filter(|f| file.is_none_or(|id| f.file_id.as_str() == id));
    let absent = shown
        .clone()
        .filter(|f| f.finding == Some(Finding::Absent))
        .count();
    let there = shown
        .clone()
        .filter(|f| f.finding == Some(Finding::StillThere))
        .count();
    let looked = match (absent, there) {
        (0, 0) => "not verified".to_owned(),
        (absent, 0) => format!("{absent} verified gone"),
        (absent, there) => format!("{absent} verified gone, {there} STILL LISTED"),
    };
    let status = attempt
        .http_status
        .map_or_else(String::new, |status| format!(" (HTTP {status})"));
    let detail = attempt
        .detail
        .as_deref()
        .map_or_else(String::new, |detail| format!(": {detail}"));
    format!(
        "#{} {}  {} of {} in {}\n      {}{status}{detail}; {looked}; sweep {} of `{}`\n",
        attempt.attempt.0,
        attempt.intent_at,
        attempt.call.name(),
        super::output::files(attempt.files.len() as u64),
        attempt.batch,
        attempt.outcome.as_deref().unwrap_or("under way"),
        attempt.sweep.0,
        attempt.policy
    )
}
