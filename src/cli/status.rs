//! `status`: is everything all right? The first line answers.

use super::context::Context;
use super::exit::{Exit, Failure};
use super::output::{lines, table};
use crate::engine::observe::observe;
use crate::snapshot::{Snapshot, Verdict};

pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let ledger = context.reader(&checked).await?;
    let snapshot = observe(ledger.as_ref(), &checked.rules, context.clock.now()).await?;
    if !ledger.hints_are_current(&checked.rules.digest).await? {
        context
            .output
            .say("note: this policy file is not in force yet: the counts are of the rules before, `retentiond plan` shows the new ones");
    }
    context.output.data(&snapshot, || text(&snapshot))?;
    Ok(match snapshot.verdict {
        Verdict::Stopped | Verdict::Paused | Verdict::Waiting => Exit::Stopped,
        Verdict::Overdue => Exit::Failed,
        Verdict::Unsettled => Exit::Unsettled,
        Verdict::Attention | Verdict::Idle | Verdict::Ok => Exit::Done,
    })
}

fn text(s: &Snapshot) -> String {
    let mut text = format!("{}  {}\n\n", s.verdict.word(), s.sentence);
    let mut rows = table(&[
        "policy",
        "mode",
        "keeps",
        "live",
        "due",
        "held",
        "overdue",
        "next due",
        "next run",
        "last sweep",
    ]);
    for p in &s.policies {
        let at = |at: Option<crate::model::Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        let last = p.last_sweep.as_ref().map_or_else(
            || "-".to_owned(),
            |sweep| {
                format!(
                    "{} {} ({} deleted)",
                    sweep.started_at,
                    sweep.state.name(),
                    sweep.summary.deleted
                )
            },
        );
        rows.add_row([
            p.policy.clone(),
            p.mode.to_owned(),
            p.delete_after.clone(),
            p.live.to_string(),
            p.due.to_string(),
            p.held.to_string(),
            p.overdue.to_string(),
            at(p.next_due),
            at(p.next_run),
            last,
        ]);
    }
    text.push_str(&lines(&rows));
    let states: Vec<String> = s
        .files
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    text.push_str(&format!(
        "\nfiles: {}; {} live without a policy\n",
        states.join(", "),
        s.unowned
    ));
    text.push_str(&format!(
        "holds: {} in force, {} with an overdue review\n",
        s.holds, s.holds_review_overdue
    ));
    if s.uploads_in_doubt + s.uploads_under_way > 0 {
        text.push_str(&format!(
            "uploads: {} in doubt (`retentiond uploads` names them), {} under way\n",
            s.uploads_in_doubt, s.uploads_under_way
        ));
    }
    if s.erasures.open > 0 {
        let by = s
            .erasures
            .answer_by
            .map_or_else(String::new, |by| format!(", the first to be answered by {by}"));
        let (open, left) = (s.erasures.open, s.erasures.files_left);
        text.push_str(&format!(
            "erasure requests: {open} open, {left} files not verified gone{by}\n"
        ));
    }
    if s.clock_anomalies > 0 {
        text.push_str(&format!("clock: {} anomalies on record\n", s.clock_anomalies));
    }
    if let Some(reload) = s
        .last_reload
        .as_ref()
        .filter(|reload| reload.starts_with("refused"))
    {
        text.push_str(&format!(
            "policy file: the last reload was {reload}; the set before it is in force\n"
        ));
    }
    text
}
