//! Holds, erasure requests, unowned files, and what a report cannot show.

use maud::{Markup, html};

use super::sheet::{Column, section, table, text};
use crate::report::document::Report;
use crate::report::words::{Wall, files, number};

use Column::{Number, Text};

pub(super) fn holds(report: &Report, wall: &Wall) -> Markup {
    let columns = [
        Text("Hold"),
        Text("Covers"),
        Text("Placed"),
        Text("Review by"),
        Text("Released"),
        Text("Covers until"),
    ];
    let rows: Vec<_> = report
        .holds
        .iter()
        .map(|hold| {
            vec![
                html! {
                    (hold.hold)
                    @if let Some(reason) = &hold.reason { " " span.soft { (reason) } }
                    @if let Some(reference) = &hold.reference { " " span.soft { (reference) } }
                },
                text(&hold.covers),
                wall.time(hold.placed_at),
                html! {
                    (wall.time_or(hold.review_by, "no date"))
                    @if hold.review_overdue { " " b.bad { "overdue" } }
                },
                wall.time_or(hold.released_at, "no"),
                wall.time_or(hold.ends_at, "it is released"),
            ]
        })
        .collect();
    let content = table("Holds", &columns, &rows, "None covered anything in the period.");
    section("holds", "Holds and their reviews", &content)
}

pub(super) fn erasures(report: &Report, wall: &Wall) -> Markup {
    let columns = [
        Text("Request"),
        Text("Covers"),
        Text("Received"),
        Text("Answer by"),
        Text("Closed"),
        Text("Outcome"),
        Number("Files"),
        Number("Verified"),
    ];
    let outcome = |outcome: &str| match outcome {
        "open" => html! { "open" },
        "open-overdue" => html! { b.bad { "open, past its date" } },
        "verified" => html! { "every copy verified gone" },
        "verified-late" => html! { "every copy verified gone, " b.bad { "past its date" } },
        "closed-by-operator" => html! { "closed by an operator" },
        "closed-by-operator-late" => html! { "closed by an operator, " b.bad { "past its date" } },
        other => html! { (other) },
    };
    let rows: Vec<_> = report
        .erasures
        .iter()
        .map(|one| {
            vec![
                html! {
                    (one.erasure)
                    @if let Some(reference) = &one.reference { " " span.soft { (reference) } }
                },
                text(&one.covers),
                text(&one.received),
                text(one.last_day.as_deref().unwrap_or("–")),
                wall.time_or(one.closed_at, "no"),
                outcome(&one.outcome),
                text(&number(one.files)),
                text(&number(one.verified)),
            ]
        })
        .collect();
    let content = table(
        "Erasure requests",
        &columns,
        &rows,
        "None was open in the period.",
    );
    section("erasures", "Erasure requests", &content)
}

pub(super) fn unowned(report: &Report, wall: &Wall) -> Markup {
    let unowned = &report.unowned;
    let content = html! {
        @if unowned.files == 0 {
            p.none { "None: a policy owns every live file." }
        } @else {
            p {
                (files(unowned.files)) " kept without a policy, in " (number(unowned.batches))
                @if unowned.batches == 1 { " batch" } @else { " batches" } "; the oldest was uploaded "
                (wall.time_or(unowned.oldest_upload, "at a time not known")) "."
            }
        }
    };
    section("unowned", "Files that no policy owns", &content)
}

pub(super) fn limits(report: &Report) -> Markup {
    let content = html! {
        ul { @for sentence in &report.limits { li { (sentence) } } }
    };
    section("limits", "What this report cannot show", &content)
}
