//! `explain FILE_ID`: verdict first, then the whole arithmetic, then every request that named it.

use serde::Serialize;

use super::args::ExplainArgs;
use super::context::{Context, typed};
use super::exit::{Exit, Failure};
use crate::config::Checked;
use crate::engine::planning::in_force;
use crate::ledger::HistoryFilter;
use crate::model::{Attempt, BatchAddress, FileId, FileRecord, FileState, PolicyName, Timestamp};
use crate::rules::decide::{Decision, Step, Verdict, explain};

/// The document that `explain --json` prints, one for each batch that holds such a file.
#[derive(Debug, Serialize)]
struct Document {
    file_id: String,
    #[serde(flatten)]
    batch: BatchAddress,
    verdict: String,
    state: FileState,
    policy: Option<PolicyName>,
    starts_at: Option<Timestamp>,
    due_at: Option<Timestamp>,
    deadline_at: Option<Timestamp>,
    steps: Vec<Step>,
    attempts: Vec<Attempt>,
}

pub(super) async fn run(context: &Context, args: &ExplainArgs) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let file: FileId = typed(&args.file)?;
    let ledger = context.reader(&checked).await?;
    let found = ledger.find(&file).await?;
    if found.is_empty() {
        return Err(Failure::new(
            Exit::Failed,
            format!(
                "the ledger does not know a file `{file}`: what was never recorded is never deleted. \
                 `retentiond record` takes it in"
            ),
        ));
    }
    let now = context.clock.now();
    let holds = in_force(ledger.as_ref(), now).await?;
    let filter = HistoryFilter {
        file: Some(file.clone()),
        limit: 1000,
        ..HistoryFilter::default()
    };
    let attempts = ledger.history(&filter).await?;
    let documents: Vec<Document> = found
        .iter()
        .map(|record| {
            let decision = explain(record, &checked.rules, &holds, now);
            let attempts = attempts
                .iter()
                .filter(|a| a.batch == *record.batch)
                .cloned()
                .collect();
            document(record, decision, attempts, &checked, now)
        })
        .collect();
    match documents.as_slice() {
        [one] => context.output.data(one, || text(one, now))?,
        several => {
            let all = serde_json::json!({ "file_id": file, "files": several });
            context.output.data(&all, || {
                several
                    .iter()
                    .map(|one| text(one, now))
                    .collect::<Vec<_>>()
                    .join("\n")
            })?;
        }
    }
    Ok(Exit::Done)
}

fn document(
    record: &FileRecord,
    decision: Decision,
    attempts: Vec<Attempt>,
    checked: &Checked,
    now: Timestamp,
) -> Document {
    let mut steps = decision.steps;
    if let Some(line) = decision.owner.as_ref().and_then(|owner| checked.lines.get(owner)) {
        for step in steps.iter_mut().filter(|step| step.step == "owner") {
            step.text.push_str(&format!(" (line {line} of the policy file)"));
        }
    }
    Document {
        file_id: record.key.file.to_string(),
        batch: (*record.batch).clone(),
        verdict: verdict(record.state, &decision.verdict, decision.due_at, now),
        state: record.state,
        policy: decision.owner,
        starts_at: decision.starts_at,
        due_at: decision.due_at,
        deadline_at: decision.deadline_at,
        steps,
        attempts,
    }
}

/// One sentence that answers "what happens to this file?".
fn verdict(state: FileState, verdict: &Verdict, due_at: Option<Timestamp>, now: Timestamp) -> String {
    let due = || due_at.map_or_else(|| "an unknown time".to_owned(), |at| at.to_string());
    match state {
        FileState::Deleted => "deleted: confirmed by the API".to_owned(),
        FileState::Gone => "gone: the API does not have it any more".to_owned(),
        FileState::Deleting => "a delete request is under way".to_owned(),
        FileState::Unknown => {
            "unknown: a delete request was sent and its outcome is not known; it will be probed".to_owned()
        }
        FileState::Quarantined => {
            "quarantined after repeated refusals; `retentiond quarantine list` says why".to_owned()
        }
        FileState::Live => match verdict {
            Verdict::Due => format!("due since {}: the next sweep deletes it", due()),
            Verdict::DueObserved => format!("due since {}, but its policy only observes: kept", due()),
            Verdict::NotYet => {
                let days = due_at.map_or(0, |at| at.millis_since(now) / 86_400_000);
                format!("kept until {} ({days} days from now)", due())
            }
            Verdict::Held { hold, due: true } => format!("held by hold {}: it would be due", hold.0),
            Verdict::Held { hold, due: false } => format!("held by hold {}: it would not be due yet", hold.0),
            Verdict::Erasure { request } => format!(
                "erasure request {} covers it since {}: the next sweep of requests deletes it",
                request.0,
                due()
            ),
            Verdict::Bound { request, floor } => {
                let until = due_at.map_or_else(|| "for ever".to_owned(), |at| format!("until {at}"));
                format!(
                    "kept {until} by binding floor `{floor}`, although erasure request {} covers it",
                    request.0
                )
            }
            Verdict::KeptForever { floor } => format!("kept for ever by `{floor}`"),
            Verdict::Unowned => "kept: no policy matches it".to_owned(),
            Verdict::NotEligible(doubt) => format!("kept: {}", doubt.sentence()),
        },
    }
}

fn text(document: &Document, now: Timestamp) -> String {
    let mut text = format!("{}  {}\n", document.file_id, document.verdict);
    text.push_str(&format!("  in {}, as of {now}\n\n", document.batch));
    let width = document
        .steps
        .iter()
        .map(|step| step.step.len())
        .max()
        .unwrap_or(0);
    for step in &document.steps {
        text.push_str(&format!("  {:width$}  {}\n", step.step, step.text));
    }
    if document.attempts.is_empty() {
        text.push_str("\n  no delete request has named it\n");
    }
    for attempt in document.attempts.iter().rev() {
        text.push_str(&format!(
            "\n  {}",
            super::history::line(attempt, Some(&document.file_id))
        ));
    }
    text
}
