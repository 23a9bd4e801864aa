//! Ends and lateness over the period: bars that need no script, and the same as a table at the report's end.

use maud::{Markup, html};

use super::sheet::{Column, section, table, text};
use crate::report::document::{Step, Timeline};
use crate::report::words::{files, length, number};

/// The drawing's height; its width is one unit a step.
const HEIGHT: f64 = 100.0;

/// A single file among millions can still be seen.
const LEAST: f64 = 1.5;

pub(super) fn timeline(timeline: &Timeline) -> Markup {
    let ended = |step: &Step| step.in_time + step.late + step.before_due;
    let most = timeline.steps.iter().map(ended).max().unwrap_or(0);
    let worst = timeline
        .steps
        .iter()
        .map(|step| step.late_worst_minutes)
        .max()
        .unwrap_or(0);
    let all: u64 = timeline.steps.iter().map(ended).sum();
    let late: u64 = timeline.steps.iter().map(|step| step.late).sum();
    let content = html! {
        @if all == 0 {
            p.none { "No file ended in the period." }
        } @else {
            figure {
                figcaption {
                    "Files ended by " (timeline.step) ": "
                    span.key.in-time { "in time" } " " span.key.late { "late" } " " span.key.before { "before they were due" }
                }
                (frame(timeline, &number(most), &format!("{} ended, {} of them late; at most {} in one {}. The table at the end of the report has each {}.", files(all), number(late), number(most), timeline.step, timeline.step), &html! {
                    @for (at, step) in timeline.steps.iter().enumerate() {
                        (stack(at, step, most))
                    }
                }))
            }
            @if worst == 0 {
                p.none { "No file was late." }
            } @else {
                figure {
                    figcaption { "Longest time past the deadline by " (timeline.step) " of the end" }
                    (frame(timeline, &length(worst), &format!("The longest time past the deadline in one {} was {}. The table at the end of the report has each {}.", timeline.step, length(worst), timeline.step), &html! {
                        @for (at, step) in timeline.steps.iter().enumerate().filter(|(_, step)| step.late_worst_minutes > 0) {
                            (bar("late", at, height(step.late_worst_minutes, worst), HEIGHT))
                        }
                    }))
                }
            }
        }
    };
    section("timeline", "Over time", &content)
}

/// The drawing between its scale and its days.
fn frame(timeline: &Timeline, top: &str, label: &str, bars: &Markup) -> Markup {
    let steps = timeline.steps.len();
    let day = |at: usize| timeline.steps.get(at).map_or("", |step| step.from.as_str());
    html! {
        div.chart {
            div.scale aria-hidden="true" { span { (top) } span { "0" } }
            svg viewBox=(format!("0 0 {steps} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(label) {
                line.grid x1="0" x2=(steps) y1="0" y2="0" {}
                line.grid x1="0" x2=(steps) y1="50" y2="50" {}
                (bars)
            }
            div.dates aria-hidden="true" {
                span { (day(0)) }
                @if steps > 2 { span { (day(steps / 2)) } }
                @if steps > 1 { span { (day(steps - 1)) } }
            }
        }
    }
}

/// From the ground up: in time, before due, late on top.
fn stack(at: usize, step: &Step, most: u64) -> Markup {
    let mut ground = HEIGHT;
    let parts = [
        ("in-time", step.in_time),
        ("before", step.before_due),
        ("late", step.late),
    ];
    let bars: Vec<Markup> = parts
        .into_iter()
        .filter(|(_, files)| *files > 0)
        .map(|(class, files)| {
            let tall = height(files, most);
            let drawn = bar(class, at, tall, ground);
            ground -= tall;
            drawn
        })
        .collect();
    html! { @for bar in &bars { (bar) } }
}

fn height(part: u64, of: u64) -> f64 {
    (part as f64 / of.max(1) as f64 * HEIGHT).max(LEAST)
}

fn bar(class: &str, at: usize, tall: f64, ground: f64) -> Markup {
    html! {
        rect class=(class) x=(format!("{at}.12")) width="0.76" y=(format!("{:.1}", ground - tall)) height=(format!("{tall:.1}")) {}
    }
}

/// Only the steps in which something ended.
pub(super) fn steps(timeline: &Timeline) -> Markup {
    let columns = [
        Column::Text("From"),
        Column::Number("In time"),
        Column::Number("Late"),
        Column::Number("Before due"),
        Column::Number("Worst"),
    ];
    let rows: Vec<Vec<Markup>> = timeline
        .steps
        .iter()
        .filter(|step| step.in_time + step.late + step.before_due > 0)
        .map(|step| {
            let worst = match step.late_worst_minutes {
                0 => "–".to_owned(),
                minutes => length(minutes),
            };
            [
                step.from.clone(),
                number(step.in_time),
                number(step.late),
                number(step.before_due),
                worst,
            ]
            .iter()
            .map(|cell| text(cell))
            .collect()
        })
        .collect();
    let title = format!("Annex: files ended, by {}", timeline.step);
    section(
        "steps",
        &title,
        &table(&title, &columns, &rows, "No file ended in the period."),
    )
}
