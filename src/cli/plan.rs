//! `plan`: what a sweep would delete, and why. It has no remote: it cannot delete.

pub(super) mod compare;
pub(super) mod drift;
pub(super) mod file;

use serde::Serialize;

use super::args::PlanArgs;
use super::context::{Context, chosen, swept};
use super::exit::{Exit, Failure};
use super::output::{files, lines, table};
use crate::config::Checked;
use crate::engine::planning::make_plan;
use crate::ledger::{Ledger, LedgerError};
use crate::model::Timestamp;
use crate::rules::limits::{Ruling, judge};
use crate::rules::plan::Plan;
use crate::rules::policy::{Mode, Policy};
use drift::Drift;

/// The document that `plan --json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Document {
    plan: Head,
    policies: Vec<Row>,
    #[serde(rename = "files", serialize_with = "files_of")]
    plans: Vec<Plan>,
}

/// File by file: a plan may hold a million.
fn files_of<S: serde::Serializer>(plans: &[Plan], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(
        plans
            .iter()
            .flat_map(|plan| plan.files.iter().map(|file| plan.view(file))),
    )
}

#[derive(Debug, Serialize)]
struct Head {
    /// Hash of the plan, or of the hashes of several policies' plans; hex.
    hash: String,
    at: Timestamp,
    verdict: &'static str,
}

#[derive(Debug, Serialize)]
struct Row {
    policy: String,
    mode: Mode,
    live: u64,
    due: u64,
    held: u64,
    /// Files that a sweep would send now.
    sent: u64,
    note: String,
    hash: String,
}

pub(super) async fn run(context: &Context, args: &PlanArgs) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    if let Some(path) = &args.compare {
        return compared(context, &checked, path, args.show).await;
    }
    chosen(&checked.rules, &args.policies)?;
    let at = context.instant(args.at.as_deref())?;
    let ledger = context.current(&checked).await?;
    let policies = swept(&checked.rules, &args.policies, &*ledger).await?;
    if ledger.is_trial() {
        context.output.say(super::context::TRIAL);
    }
    let document = made(&*ledger, &checked, &policies, at, context.clock.now()).await?;
    if let Some(path) = &args.out {
        file::write(path, &document.plans)?;
        context.output.say(&format!("wrote {}", path.display()));
    }
    context.output.data(&document, || text(&document, args.show))?;
    Ok(Exit::Done)
}

/// A plan on file against what would run now.
async fn compared(
    context: &Context,
    checked: &Checked,
    path: &std::path::Path,
    show: usize,
) -> Result<Exit, Failure> {
    // Before anything is said about it: is it the file that was written?
    file::Reader::verify(path)?;
    let ledger = context.current(checked).await?;
    if ledger.is_trial() {
        context.output.say(super::context::TRIAL);
    }
    let today = compare::Today {
        ledger: &*ledger,
        rules: &checked.rules,
        now: context.clock.now(),
    };
    let mut drift = Drift::new(if context.output.json { usize::MAX } else { show });
    today.against_file(path, &mut drift).await?;
    context.output.data(&drift, || drift::text(&drift))?;
    Ok(if drift.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// The plans of `policies` at `at`, and the document that shows them.
pub(super) async fn made(
    ledger: &dyn Ledger,
    checked: &Checked,
    policies: &[&Policy],
    at: Timestamp,
    now: Timestamp,
) -> Result<Document, Failure> {
    let mut rows = Vec::new();
    let mut plans = Vec::new();
    for policy in policies {
        let plan = make_plan(ledger, &checked.rules, policy, at).await?;
        rows.push(row(ledger, checked, policy, &plan, now).await?);
        plans.push(plan);
    }
    Ok(document(at, rows, plans))
}

async fn row(
    ledger: &dyn Ledger,
    checked: &Checked,
    policy: &Policy,
    plan: &Plan,
    now: Timestamp,
) -> Result<Row, LedgerError> {
    let due = plan.due();
    let approved = ledger
        .approvals(now)
        .await?
        .iter()
        .any(|a| a.policy == policy.name && a.plan == plan.hash);
    let (sent, note) = match (
        policy.mode,
        judge(plan, policy, &checked.rules.limits, 0, approved),
    ) {
        (Mode::Observe, _) => (0, "observes: sends nothing".to_owned()),
        (Mode::Enforce, Ruling::Proceed { files }) if files < due => {
            (files, "the oldest, up to the limit".to_owned())
        }
        (Mode::Enforce, Ruling::Proceed { files }) => (files, String::new()),
        (Mode::Enforce, Ruling::Stop { excess }) => {
            let why = excess
                .iter()
                .map(|e| e.text.as_str())
                .collect::<Vec<_>>()
                .join("; ");
            (
                0,
                format!("STOPS: {why}; `retentiond approve` after the next sweep lets it run"),
            )
        }
        (Mode::Enforce, Ruling::AwaitApproval) => (0, "waits for an approval".to_owned()),
    };
    Ok(Row {
        policy: policy.name.to_string(),
        mode: policy.mode,
        live: plan.live,
        due,
        held: plan.held,
        sent,
        note,
        hash: plan.hash.clone(),
    })
}

fn document(at: Timestamp, rows: Vec<Row>, plans: Vec<Plan>) -> Document {
    let verdict = if rows.iter().any(|row| row.note.starts_with("STOPS")) {
        "stopped"
    } else if rows.iter().any(|row| row.sent > 0) {
        "deletes"
    } else {
        "nothing-to-send"
    };
    let hash = match &plans[..] {
        [one] => one.hash.clone(),
        several => crate::rules::plan::hash_of_hashes(several.iter().map(|plan| plan.hash.as_str())),
    };
    Document {
        plan: Head { hash, at, verdict },
        policies: rows,
        plans,
    }
}

/// The plan as people read it, with the first `show` files.
pub(super) fn text(document: &Document, show: usize) -> String {
    let plans = &document.plans;
    let mut rows = table(&["policy", "mode", "live", "due", "held", "sent now", "note"]);
    for row in &document.policies {
        let mode = match row.mode {
            Mode::Observe => "observe",
            Mode::Enforce => "enforce",
        };
        let cells = [&row.live, &row.due, &row.held, &row.sent].map(u64::to_string);
        let [live, due, held, sent] = cells;
        rows.add_row([&row.policy, mode, &live, &due, &held, &sent, &row.note]);
    }
    let sent: u64 = document.policies.iter().map(|row| row.sent).sum();
    let mut text = format!("as of {}\n\n{}", document.plan.at, lines(&rows));
    text.push_str(&format!(
        "\nA sweep now would delete {}: the documents and their results at Extracta.ai. That cannot be undone.\n",
        files(sent)
    ));
    let total: usize = plans.iter().map(|plan| plan.files.len()).sum();
    if total == 0 || show == 0 {
        return text;
    }
    let mut listed = table(&["file", "batch", "policy", "due since", "reason"]);
    for (plan, file) in plans
        .iter()
        .flat_map(|plan| plan.files.iter().map(move |file| (plan, file)))
        .take(show)
    {
        let due = file.due_at.to_string();
        listed.add_row([
            file.id(),
            file.batch().batch.as_str(),
            plan.policy.as_str(),
            &due,
            file.reason(),
        ]);
    }
    text.push('\n');
    text.push_str(&lines(&listed));
    if total > show {
        text.push_str(&format!(
            "… and {} more; --show {total} lists them, --json gives them all\n",
            total - show
        ));
    }
    text
}
