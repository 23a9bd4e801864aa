//! Who, what, when, and made of what; then the answer in four figures.

use maud::{Markup, html};

use crate::report::document::Report;
use crate::report::words::{Wall, files, length, number};

pub(super) fn cover(report: &Report, wall: &Wall) -> Markup {
    let cover = &report.cover;
    let (clock, head) = (&cover.clock, &cover.chain_head);
    html! {
        header {
            p.kind { "Evidence of deletion" }
            h1 { "Deletion report" }
            p.period { (wall.day_text(cover.from)) " to " (wall.day_before(cover.to)) }
            @if cover.provisional {
                p.note { "The period had not ended when this report was made: its figures are provisional." }
            }
            @if let Some(redacted) = &cover.redacted {
                p.note #redacted {
                    "What was over before " (wall.time(redacted.before)) " was redacted, last on " (wall.time(redacted.at))
                    ", because it had been on record for as long as it has to be. It is in none of these figures."
                }
            }
            dl {
                dt { "Controller" }
                dd { @match &cover.controller { Some(name) => (name), None => span.soft { "not stated" } } }
                @if let Some(contact) = &cover.contact { dt { "Contact" } dd { (contact) } }
                dt { "Processor" } dd { (cover.processor) ", reached at " (cover.processor_address) }
                dt { "Period" }
                dd { "from " (wall.time(cover.from)) " up to " (wall.time(cover.to)) ", " (cover.timezone) }
                dt { "Made" } dd { (wall.time(cover.made_at)) " by " (cover.build) }
                dt { "Ledger" }
                dd { code { (cover.ledger) } ", after " (number(cover.transactions)) " transactions" }
                dt { "Rules" } dd { code { (cover.rules) } }
                dt { "Chain head" }
                dd {
                    (number(head.size)) " leaves, root " code { (head.root) } "; "
                    @match (head.checkpoint_at, head.checkpoint_size) {
                        (Some(at), Some(size)) => { "last checkpoint " (wall.time(at)) ", over " (number(size)) " leaves" }
                        (None, _) | (_, None) => "no checkpoint yet"
                    }
                }
                dt { "Clock" }
                dd {
                    @match clock.checked_at {
                        Some(at) => { "last compared " (wall.time(at)) "; " }
                        None => "never compared; "
                    }
                    @if clock.anomalies == 0 {
                        "no disagreement of its witnesses in the period"
                    } @else {
                        (number(clock.anomalies)) @if clock.anomalies == 1 { " disagreement" } @else { " disagreements" }
                        " of its witnesses in the period, the largest " (skew(clock.largest_skew_ms)) "; standing: "
                        (number(clock.standing))
                    }
                }
            }
        }
    }
}

fn skew(ms: i64) -> String {
    let way = if ms < 0 { "behind" } else { "ahead" };
    let seconds = ms.unsigned_abs() / 1000;
    if seconds < 60 {
        return format!("{seconds} s {way}");
    }
    format!("{} {way}", length(seconds / 60))
}

pub(super) fn summary(report: &Report) -> Markup {
    let total = &report.total;
    let overdue = total.overdue;
    let tile = |id: &str, name: &str, count: u64, bad: bool, beside: String| {
        html! {
            div.tile {
                p.name { (name) }
                p.big.bad[bad] id=(id) { (number(count)) }
                p.soft { (beside) }
            }
        }
    };
    let late = match total.late_worst_minutes {
        Some(worst) => format!("the worst by {}", length(worst)),
        None => "no file ended past its deadline".to_owned(),
    };
    html! {
        section aria-label="Summary" {
            div.tiles {
                (tile("total-in-time", "Deleted in time", total.in_time, false, format!("of {} due", files(total.due))))
                (tile("total-late", "Deleted late", total.late, total.late > 0, late))
                (tile("total-open", "Due, not deleted", total.open, overdue > 0, format!("{} of them past the deadline, and not held, unknown or failed", number(overdue))))
                (tile("total-exceptions", "Exceptions", report.exceptions.len() as u64, false, "kinds of them, each with its cause below".to_owned()))
            }
        }
    }
}
