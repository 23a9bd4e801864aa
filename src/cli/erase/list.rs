//! How requests stand, for people.

use jiff::civil::Date;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{files, lines, table};
use crate::config::Checked;
use crate::engine::planning::in_force;
use crate::engine::requests::{Obstacles, Standing, obstacles, standing};
use crate::ledger::{ErasureFiles, Ledger};
use crate::model::{BatchAddress, Closing, Erasure, ErasureId, ErasureScope, FileKey, FileState, Timestamp};
use crate::rules::decide::{Verdict, decide};

/// Files a page.
const PAGE: u32 = 5_000;

/// One request, as `erase list --json` shows it.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    request: Erasure,
    /// The last day for the answer.
    last_day: Option<Date>,
    /// The first instant after it.
    answer_by: Option<Timestamp>,
    /// Whole days until the last day; negative when it has passed; `None` for a closed one.
    days_left: Option<i32>,
    files: ErasureFiles,
    /// What stops files that are still to be deleted.
    stopped_by: Obstacles,
    state: String,
}

pub(in crate::cli) async fn list(context: &Context, checked: &Checked, all: bool) -> Result<Exit, Failure> {
    let now = context.clock.now();
    let ledger = context.reader(checked).await?;
    let mut rows = Vec::new();
    for request in standing(ledger.as_ref(), &checked.rules, !all).await? {
        rows.push(row(ledger.as_ref(), checked, request, now).await?);
    }
    context
        .output
        .data(&serde_json::json!({ "erasures": rows }), || text(&rows))?;
    Ok(Exit::Done)
}

async fn row(
    ledger: &dyn Ledger,
    checked: &Checked,
    standing: Standing,
    now: Timestamp,
) -> Result<Row, Failure> {
    let Standing {
        request,
        files,
        answer_by,
    } = standing;
    let last_day = checked.rules.answer_by(request.received).map(|by| by.last_day);
    let today = checked.rules.zone.to_datetime(now.to_jiff()).date();
    let open = request.closed_at.is_none();
    let stopped_by = if open {
        obstacles(ledger, &checked.rules, request.id, now).await?
    } else {
        Obstacles::default()
    };
    Ok(Row {
        days_left: last_day
            .filter(|_| open)
            .and_then(|last| today.until(last).ok())
            .map(|span| span.get_days()),
        state: state(&request, &files, &stopped_by, checked.extracta.verify),
        last_day,
        answer_by,
        request,
        files,
        stopped_by,
    })
}

/// What there is to say, the gravest first.
fn state(request: &Erasure, counts: &ErasureFiles, stopped: &Obstacles, verify: bool) -> String {
    match &request.closing {
        Some(Closing::Verified) => return "closed: every copy verified gone".to_owned(),
        Some(Closing::ByOperator { reason }) => return format!("closed by hand ({reason})"),
        None => {}
    }
    if counts.known() == 0 {
        return "no file known: close it by hand".to_owned();
    }
    let mut parts = stopped.sentences();
    if counts.quarantined > 0 {
        parts.push(format!("{} quarantined", counts.quarantined));
    }
    if counts.unknown > 0 {
        parts.push(format!("{} of unknown outcome", counts.unknown));
    }
    if counts.unverified > 0 && verify {
        parts.push(format!("{} deleted, not yet verified", counts.unverified));
    } else if counts.unverified > 0 {
        parts.push(format!(
            "{} deleted, unverified as `verify = false`: close it by hand",
            counts.unverified
        ));
    }
    if !parts.is_empty() {
        return parts.join("; ");
    }
    match (counts.left(), verify) {
        (0, true) => "all verified gone: the next sweep closes it".to_owned(),
        (0, false) => "all gone; with `verify = false` close it by hand".to_owned(),
        _ => "goes with the next sweep".to_owned(),
    }
}

fn covers(scope: &ErasureScope) -> String {
    match scope {
        // Enough to tell two apart.
        ErasureScope::Subject(hmac) => format!("subject {}…", hmac.get(..12).unwrap_or(hmac)),
        ErasureScope::File(id) => format!("file {id}"),
        ErasureScope::Batch(id) => format!("batch {id}"),
    }
}

fn text(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "no erasure request is open\n".to_owned();
    }
    let mut listed = table(&[
        "request",
        "covers",
        "ref",
        "received",
        "answer by",
        "days left",
        "files",
        "left",
        "state",
    ]);
    for row in rows {
        let days = match row.days_left {
            Some(days) if days < 0 => format!("{days} OVERDUE"),
            Some(days) => days.to_string(),
            None => String::new(),
        };
        listed.add_row([
            row.request.id.0.to_string(),
            covers(&row.request.scope),
            row.request.reference.clone(),
            row.request.received.to_string(),
            row.last_day.map_or_else(String::new, |day| day.to_string()),
            days,
            row.files.known().to_string(),
            row.files.left().to_string(),
            row.state.clone(),
        ]);
    }
    lines(&listed)
}

/// One file of a request.
#[derive(Debug, Serialize)]
struct FileRow {
    file_id: String,
    #[serde(flatten)]
    batch: BatchAddress,
    state: FileState,
    /// What comes of the file, in one sentence.
    fate: String,
}

pub(in crate::cli) async fn show(
    context: &Context,
    checked: &Checked,
    id: ErasureId,
) -> Result<Exit, Failure> {
    let now = context.clock.now();
    let ledger = context.reader(checked).await?;
    let found = standing(ledger.as_ref(), &checked.rules, false).await?;
    let request = found
        .into_iter()
        .find(|standing| standing.request.id == id)
        .ok_or_else(|| Failure::new(Exit::Failed, format!("there is no erasure request {}", id.0)))?;
    let open = request.request.closed_at.is_none();
    let row = row(ledger.as_ref(), checked, request, now).await?;
    let holds = in_force(ledger.as_ref(), now).await?;
    let mut listed = Vec::new();
    let mut after: Option<FileKey> = None;
    loop {
        let page = ledger.erasure_files(id, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        for file in &page {
            let fate = match file.state {
                FileState::Live if open => fate(&decide(file, &checked.rules, &holds, now).verdict),
                FileState::Live
                | FileState::Deleting
                | FileState::Deleted
                | FileState::Gone
                | FileState::Unknown
                | FileState::Quarantined => file.state.name().to_owned(),
            };
            listed.push(FileRow {
                file_id: file.key.file.to_string(),
                batch: (*file.batch).clone(),
                state: file.state,
                fate,
            });
        }
    }
    let document = serde_json::json!({ "erasure": row, "files": listed });
    context.output.data(&document, || {
        let mut text = text(std::slice::from_ref(&row));
        let mut rows = table(&["file", "batch", "state", "what comes of it"]);
        for file in &listed {
            rows.add_row([
                &file.file_id,
                file.batch.batch.as_str(),
                file.state.name(),
                &file.fate,
            ]);
        }
        text.push_str(&format!(
            "\n{} of it:\n{}",
            files(listed.len() as u64),
            lines(&rows)
        ));
        text
    })?;
    Ok(Exit::Done)
}

fn fate(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Due | Verdict::Erasure { .. } => "goes with the next sweep".to_owned(),
        Verdict::Held { hold, .. } => format!("held by hold {}", hold.0),
        Verdict::Bound { floor, .. } => format!("kept by binding floor `{floor}`"),
        Verdict::NotEligible(doubt) => format!("kept: {}", doubt.sentence()),
        Verdict::DueObserved | Verdict::NotYet | Verdict::KeptForever { .. } | Verdict::Unowned => {
            "not covered any more".to_owned()
        }
    }
}
