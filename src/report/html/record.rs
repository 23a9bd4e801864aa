//! What stands beside the figures: exceptions, sweeps, gaps, stops, rules, approvals.

use maud::{Markup, html};

use super::sheet::{Column, section, table, text};
use crate::report::document::Report;
use crate::report::words::{Wall, files, length_or_dash, number};

use Column::{Number, Text};

/// Sweeps that were not done which are listed; CSV and JSON have all.
const LISTED: usize = 60;

/// A digest as people compare it.
fn short(digest: &str) -> Markup {
    html! { code { (digest.get(..12).unwrap_or(digest)) } }
}

fn policy(name: Option<&str>) -> Markup {
    match name {
        Some(name) => text(name),
        None => html! { span.soft { "–" } },
    }
}

/// What an exception's kind means.
fn kind(kind: &str) -> &str {
    match kind {
        "deleted-early" => "Deleted before it was due",
        "not-deleted" => "Due, not deleted",
        "deleted-late" => "Deleted late",
        "revived" => "Found still there",
        "erasure-overdue" => "Erasure request overdue",
        "stopped" => "Deletion is stopped",
        "review-overdue" => "Review of a hold overdue",
        "unverified" => "Not verified",
        "gone-early" => "Gone before it was due",
        "unowned" => "No policy",
        other => other,
    }
}

pub(super) fn exceptions(report: &Report, wall: &Wall) -> Markup {
    let columns = [
        Text("What"),
        Text("Policy"),
        Text("Cause"),
        Number("Files"),
        Number("Past deadline"),
        Text("Since"),
        Number("Worst"),
    ];
    let rows: Vec<_> = report
        .exceptions
        .iter()
        .map(|one| {
            vec![
                text(kind(&one.kind)),
                policy(one.policy.as_deref()),
                text(&one.cause),
                text(&one.files.map_or_else(|| "–".to_owned(), number)),
                text(&number(one.past_deadline)),
                wall.time_or(one.since, "–"),
                text(&length_or_dash(one.worst_minutes)),
            ]
        })
        .collect();
    let content = html! {
        (table("Exceptions", &columns, &rows, "None: everything went as the rules say."))
        @for one in report.exceptions.iter().filter(|one| !one.file_ids.is_empty()) {
            h3 { (kind(&one.kind)) ", " (policy(one.policy.as_deref())) ": " (one.cause) }
            ul.ids {
                @for file in &one.file_ids {
                    li { code { (file.file_id) } " in batch " code { (file.batch_id) } " of " code { (file.parent_id) } @if let Some(account) = &file.account { " in account " (account) } }
                }
            }
            @if one.files.is_some_and(|all| all > one.file_ids.len() as u64) {
                p.soft { "The first " (number(one.file_ids.len() as u64)) " of " (files(one.files.unwrap_or(0))) "." }
            }
        }
    };
    section("exceptions", "Exceptions", &content)
}

pub(super) fn sweeps(report: &Report, wall: &Wall) -> Markup {
    let columns = [
        Text("Policy"),
        Number("Sweeps"),
        Number("Done"),
        Number("Nothing due"),
        Number("Stopped"),
        Number("Interrupted"),
        Number("Open"),
        Number("Caught up"),
    ];
    let rows: Vec<_> = report
        .sweeps
        .iter()
        .map(|line| {
            let counts = [
                line.sweeps,
                line.done,
                line.empty,
                line.stopped,
                line.interrupted,
                line.open,
                line.caught_up,
            ];
            std::iter::once(text(&line.policy))
                .chain(counts.map(|count| text(&number(count))))
                .collect()
        })
        .collect();
    let unfinished: Vec<_> = report
        .unfinished
        .iter()
        .take(LISTED)
        .map(|line| {
            vec![
                text(&line.sweep.to_string()),
                text(&line.policy),
                wall.time(line.started_at),
                text(&line.state),
                text(&line.cause),
                text(&number(line.due)),
                text(&number(line.sent)),
            ]
        })
        .collect();
    let listed = [
        Text("Sweep"),
        Text("Policy"),
        Text("Began"),
        Text("State"),
        Text("Cause"),
        Number("Due"),
        Number("Sent"),
    ];
    let content = html! {
        (table("Sweeps by policy", &columns, &rows, "None began in the period."))
        h3 { "Not done to their end" }
        (table("Sweeps not done to their end", &listed, &unfinished, "None."))
        @if report.unfinished.len() > LISTED {
            p.soft { "The first " (LISTED) " of " (report.unfinished.len()) "; the report as CSV or JSON has all." }
        }
    };
    section("sweeps", "Sweeps", &content)
}

pub(super) fn gaps(report: &Report, wall: &Wall) -> Markup {
    let columns = [
        Text("Policy"),
        Text("First missed"),
        Text("Next sweep"),
        Number("Instants missed"),
    ];
    let rows: Vec<_> = report
        .gaps
        .iter()
        .map(|gap| {
            vec![
                text(&gap.policy),
                wall.time(gap.since),
                wall.time_or(gap.until, "none in the period"),
                text(&number(gap.missed)),
            ]
        })
        .collect();
    let unknown = report.rules.iter().filter(|rules| !rules.schedules_known).count();
    let content = html! {
        (table("Gaps", &columns, &rows, "None: each scheduled instant has a sweep that began within an hour."))
        @if unknown > 0 {
            p.soft { "The schedules of " (unknown) " of the rule sets below are not known any more: gaps under them cannot be seen." }
        }
    };
    section("gaps", "Gaps", &content)
}

pub(super) fn stops(report: &Report, wall: &Wall) -> Markup {
    let columns = [Text("What"), Text("Since"), Text("Until")];
    let rows: Vec<_> = report
        .stops
        .iter()
        .map(|stop| {
            vec![
                text(&stop.what),
                wall.time(stop.since),
                wall.time_or(stop.until, "it lasts"),
            ]
        })
        .collect();
    let content = table(
        "Stops",
        &columns,
        &rows,
        "None: no breaker was open, and nobody paused.",
    );
    section("stops", "What stopped all deletion", &content)
}

pub(super) fn rules(report: &Report, wall: &Wall) -> Markup {
    let columns = [Text("Rules"), Text("In force"), Text("They say")];
    let rows: Vec<_> = report
        .rules
        .iter()
        .map(|rules| {
            vec![
                short(&rules.digest),
                html! { "from " (wall.time(rules.since)) br; "until " (wall.time_or(rules.until, "now")) },
                html! { @for line in &rules.says { div { (line) } } },
            ]
        })
        .collect();
    let changes: Vec<_> = report
        .changes
        .iter()
        .map(|change| {
            vec![
                html! { (short(&change.before)) " → " (short(&change.after)) },
                wall.time(change.seen_at),
                wall.time_or(change.approved_until, "not approved"),
                html! {
                    (change.outcome)
                    @if let Some(at) = change.ended_at { " " (wall.time(at)) }
                },
                text(&number(change.earlier)),
                text(&number(change.later)),
                text(&number(change.newly_unowned)),
            ]
        })
        .collect();
    let waited = [
        Text("Change"),
        Text("Seen"),
        Text("Approval valid until"),
        Text("Outcome"),
        Number("Earlier"),
        Number("Later"),
        Number("Unowned"),
    ];
    let content = html! {
        (table("Rules in force", &columns, &rows, "No rules were in force in the period."))
        h3 { "Changes that had to wait for an approval" }
        (table("Changes of rules", &waited, &changes, "None."))
    };
    section("rules", "Rules in force", &content)
}

pub(super) fn approvals(report: &Report, wall: &Wall) -> Markup {
    let columns = [
        Text("Plan"),
        Text("Policy"),
        Text("Made"),
        Number("Files"),
        Text("Approved"),
        Text("Outcome"),
    ];
    let rows: Vec<_> = report
        .plans
        .iter()
        .map(|plan| {
            vec![
                short(&plan.plan),
                text(&plan.policy),
                wall.time(plan.at),
                text(&number(plan.files)),
                wall.time_or(plan.approved_at, "never"),
                html! {
                    (plan.outcome)
                    @if let Some(at) = plan.used_at { " " (wall.time(at)) }
                },
            ]
        })
        .collect();
    let content = table("Plans that waited", &columns, &rows, "None.");
    section("plans", "Plans that had to wait for an approval", &content)
}
