//! Files falling due by day: bars that need no script, and the same as a table.

use maud::{Markup, html};

use super::words::{files, number};
use crate::snapshot::Snapshot;

/// The drawing's height; its width is one unit a day.
const HEIGHT: u64 = 100;

pub(super) fn falling_due(s: &Snapshot) -> Markup {
    let days = &s.falling_due;
    let total: u64 = days.iter().map(|day| day.files).sum();
    let most = days.iter().map(|day| day.files).max().unwrap_or(0);
    let date = |at: usize| days.get(at).map_or("", |day| day.date.as_str());
    html! {
        section.card aria-labelledby="falling-due" {
            h2 #falling-due { "Falling due in the next " (days.len()) " days" }
            @if total == 0 {
                p.soft { "Nothing falls due." }
            } @else {
                div.chart {
                    div.scale aria-hidden="true" { span { (number(most)) } span { "0" } }
                    svg viewBox=(format!("0 0 {} {HEIGHT}", days.len())) preserveAspectRatio="none" role="img"
                        aria-label=(format!("{} fall due; most on one day: {}. The table below has each day.", files(total), number(most))) {
                        line.grid x1="0" x2=(days.len()) y1="0" y2="0" {}
                        line.grid x1="0" x2=(days.len()) y1=(HEIGHT / 2) y2=(HEIGHT / 2) {}
                        @for (at, day) in days.iter().enumerate().filter(|(_, day)| day.files > 0) {
                            @let height = height(day.files, most);
                            rect class=(if at == 0 { "bar first" } else { "bar" }) x=(format!("{at}.12")) width="0.76"
                                y=(format!("{:.1}", HEIGHT as f64 - height)) height=(format!("{height:.1}")) {
                                title { (day.date) ": " (files(day.files)) }
                            }
                        }
                    }
                    div.dates aria-hidden="true" {
                        span { (date(0)) } span { (date(days.len() / 2)) } span { (date(days.len().saturating_sub(1))) }
                    }
                }
                p.soft { (files(total)) " in all; the first day also holds what is due already." }
                details {
                    summary { "Day by day" }
                    table {
                        thead { tr { th scope="col" { "Day" } th.n scope="col" { "Files" } } }
                        tbody #days {
                            @for day in days {
                                tr { th scope="row" { (day.date) } td.n { (number(day.files)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Of a bar; a single file among millions can still be seen.
fn height(files: u64, most: u64) -> f64 {
    (files as f64 / most.max(1) as f64 * HEIGHT as f64).max(1.5)
}
