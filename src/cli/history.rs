//! `history`: what was requested, what was answered, what a second look found.

use serde::Serialize;

use super::args::HistoryArgs;
use super::context::{Context, typed};
use super::exit::{Exit, Failure};
use crate::ledger::HistoryFilter;
use crate::model::{Attempt, Finding, SweepId};

/// Attempts a page, when all are asked for.
const PAGE: u32 = 1000;

#[derive(Debug, Serialize)]
struct Document {
    attempts: Vec<Attempt>,
}

pub(super) async fn run(context: &Context, args: &HistoryArgs) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let ledger = context.reader(&checked).await?;
    let mut filter = HistoryFilter {
        file: args.file.as_deref().map(typed).transpose()?,
        sweep: args.sweep.map(SweepId),
        since: args
            .since
            .as_deref()
            .map(|text| context.instant(Some(text)))
            .transpose()?,
        until: args
            .until
            .as_deref()
            .map(|text| context.instant(Some(text)))
            .transpose()?,
        before: None,
        limit: if args.limit == 0 { PAGE } else { args.limit },
    };
    let mut attempts = ledger.history(&filter).await?;
    if args.limit == 0 {
        let mut full = attempts.len() as u32 == PAGE;
        while let (true, Some(last)) = (full, attempts.last()) {
            filter.before = Some(last.attempt);
            let page = ledger.history(&filter).await?;
            full = page.len() as u32 == PAGE;
            attempts.extend(page);
        }
    }
    let document = Document { attempts };
    context.output.data(&document, || {
        if document.attempts.is_empty() {
            return "no delete request is on record\n".to_owned();
        }
        document
            .attempts
            .iter()
            .map(|attempt| line(attempt, None))
            .collect()
    })?;
    Ok(Exit::Done)
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
