//! The figures by policy: what was due, what is still there, what went otherwise.

use maud::{Markup, html};

use super::sheet::{Column, section, table, text};
use crate::report::document::{Figures, Report};
use crate::report::words::{length_or_dash, number};

use Column::{Number, Text};

/// Each policy, then the sum, with these cells after the name.
fn rows(report: &Report, cells: impl Fn(&Figures) -> Vec<Markup>) -> Vec<Vec<Markup>> {
    let name = |figures: &Figures| match &figures.policy {
        Some(policy) => text(policy),
        None => html! { span.soft { "no policy" } },
    };
    let policies = report.policies.iter().map(|figures| (name(figures), figures));
    let total = (html! { "All" }, &report.total);
    policies
        .chain(std::iter::once(total))
        .map(|(name, figures)| std::iter::once(name).chain(cells(figures)).collect())
        .collect()
}

fn count(n: u64) -> Markup {
    if n == 0 {
        html! { span.zero { "0" } }
    } else {
        text(&number(n))
    }
}

/// A count that should be 0.
fn alarming(n: u64) -> Markup {
    if n == 0 {
        count(n)
    } else {
        html! { b.bad { (number(n)) } }
    }
}

pub(super) fn policies(report: &Report) -> Markup {
    let columns = [
        Text("Policy"),
        Text("Mode"),
        Number("Due"),
        Number("In time"),
        Number("Late"),
        Number("Worst"),
        Number("95 %"),
        Number("Still there"),
        Number("Unverified"),
    ];
    let rows = rows(report, |f| {
        vec![
            text(f.mode.as_deref().unwrap_or("–")),
            count(f.due),
            count(f.in_time),
            alarming(f.late),
            text(&length_or_dash(f.late_worst_minutes)),
            text(&length_or_dash(f.late_p95_minutes)),
            count(f.open),
            count(f.unverified),
        ]
    });
    let content = html! {
        (table("Files due by policy", &columns, &rows, "There is no policy."))
        p.soft {
            "Files. Due: in time, late, and still there at the period's end together. Late: past the deadline; 95 of 100 late "
            "files were late by no more than the time under 95 %. Unverified: ended, and no second look bears it out."
        }
    };
    section("policies", "What was due, and what became of it", &content)
}

pub(super) fn open(report: &Report) -> Markup {
    let columns = [
        Text("Policy"),
        Number("Still there"),
        Number("Deleted since"),
        Number("On hold"),
        Number("Unknown"),
        Number("Failed"),
        Number("Overdue"),
        Number("Before deadline"),
    ];
    let rows = rows(report, |f| {
        vec![
            count(f.open),
            count(f.ended_since),
            count(f.held),
            count(f.unknown),
            count(f.failed),
            alarming(f.overdue),
            count(f.waiting),
        ]
    });
    let content = table(
        "Files still there by policy",
        &columns,
        &rows,
        "There is no policy.",
    );
    section("open", "What was due, and still there at the end", &content)
}

pub(super) fn otherwise(report: &Report) -> Markup {
    let columns = [
        Text("Policy"),
        Number("On request"),
        Number("By others"),
        Number("Early"),
        Number("Refused"),
        Number("Given up"),
        Number("Unknown"),
        Number("Revived"),
        Number("Live now"),
        Number("Without date"),
    ];
    let rows = rows(report, |f| {
        vec![
            count(f.on_request),
            count(f.by_others),
            alarming(f.early),
            count(f.refused),
            count(f.given_up),
            count(f.unknown_outcomes),
            alarming(f.revived),
            count(f.live),
            count(f.without_due),
        ]
    });
    let content = html! {
        (table("What else happened by policy", &columns, &rows, "There is no policy."))
        p.soft {
            "The first three: ended before they were due. Refused: by Extracta, asked for alone. Unknown: the outcome of a request "
            "was not known at first. Revived: on record as deleted or gone, and found still there. Without date: kept for ever, or "
            "the start of the period is not known."
        }
    };
    section("otherwise", "What happened besides", &content)
}
