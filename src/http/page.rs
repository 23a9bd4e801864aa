//! `/`: the snapshot for people. The verdict first, then what is to come, then what was.
//!
//! Drawn on the server: no script, no file from elsewhere, no file id. The style is part of the page, and
//! the content policy names its hash and nothing else.

mod chart;
mod style;
mod tables;
mod words;

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::faces::{Faces, NotYet};
use crate::snapshot::{PolicyView, Snapshot, Verdict};
use words::{Wall, bytes, files, number, sentence};

pub(super) async fn page(State(faces): State<Faces>) -> Result<Response, NotYet> {
    let snapshot = faces.snapshot()?;
    let policy = HeaderValue::from_static(style::content_policy());
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let headers = [(CONTENT_SECURITY_POLICY, policy), (CONTENT_TYPE, html)];
    Ok((headers, draw(&snapshot).into_string()).into_response())
}

fn draw(s: &Snapshot) -> Markup {
    let wall = Wall::new(&s.timezone, s.at);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (s.verdict.word()) " – retentiond" }
                link rel="icon" href="data:,";
                style { (PreEscaped(style::STYLE)) }
            }
            body {
                div.wrap {
                    header {
                        h1 { "retentiond" }
                        p { "as of " (wall.time(s.at)) " (" (s.timezone) ")" }
                    }
                    main {
                        (verdict(s))
                        (tiles(s, &wall))
                        (waiting(s))
                        (tables::policies(s, &wall))
                        (chart::falling_due(s))
                        (tables::sweeps(s, &wall))
                        (tables::peers(s, &wall))
                        div.pair {
                            (tables::breakers(s, &wall))
                            (tables::checks(s))
                        }
                        (figures(s, &wall))
                    }
                    (footer(s, &wall))
                }
            }
        }
    }
}

fn verdict(s: &Snapshot) -> Markup {
    let sign = match s.verdict {
        Verdict::Stopped | Verdict::Overdue => "bad",
        Verdict::Paused | Verdict::Waiting | Verdict::Unsettled | Verdict::Attention | Verdict::Idle => {
            "warn"
        }
        Verdict::Ok => "good",
    };
    html! {
        section #verdict class=(format!("verdict {sign}")) aria-label="Verdict" {
            strong { (s.verdict.word()) }
            p { (sentence(&s.sentence)) }
        }
    }
}

fn tiles(s: &Snapshot, wall: &Wall) -> Markup {
    let sum = |of: fn(&PolicyView) -> u64| s.policies.iter().map(of).sum::<u64>();
    let enforced = || s.policies.iter().filter(|p| p.mode == "enforce");
    let oldest = enforced().filter_map(|p| p.oldest_overdue).min();
    let late: u64 = enforced().map(|p| p.overdue).sum();
    let next = s
        .policies
        .iter()
        .filter(|p| p.next_run.is_some())
        .min_by_key(|p| p.next_run);
    html! {
        div.tiles {
            section.tile.wide #next-run aria-label="Next run" {
                h2 { "Next run" }
                @match next.and_then(|p| Some((p, p.next_run?))) {
                    Some((p, at)) => {
                        p.big { (wall.distance(at)) }
                        p.soft { (p.policy) ", " (wall.time(at)) }
                        p { (would_do(s, p)) }
                    }
                    None => { p.big { "none" } }
                }
            }
            section.tile #overdue aria-label="Oldest overdue" {
                h2 { "Oldest overdue" }
                @match oldest {
                    Some(since) => { p.big.bad { (wall.since(since)) } p.soft { (files(late)) " past the deadline" } }
                    None => { p.big.good { "none" } p.soft { "no file is past its deadline" } }
                }
            }
            section.tile #due aria-label="Due now" {
                h2 { "Due now" }
                p.big { (number(sum(|p| p.due))) }
                p.soft { (number(sum(|p| p.held))) " of them on hold" }
            }
            section.tile #live aria-label="Live files" {
                h2 { "Live files" }
                p.big { (number(s.files.get("live").copied().unwrap_or(0))) }
                p.soft { (number(s.unowned)) " without a policy" }
            }
            section.tile #deleted aria-label="Deleted files" {
                h2 { "Deleted" }
                p.big { (number(s.files.get("deleted").copied().unwrap_or(0))) }
                p.soft { (number(s.files.get("gone").copied().unwrap_or(0))) " more found gone" }
            }
        }
    }
}

/// What a policy's next run would do, as things stand.
fn would_do(s: &Snapshot, p: &PolicyView) -> String {
    let due = p.due_by_next_run.saturating_sub(p.held);
    if p.mode == "observe" {
        return format!("would only report {}: it observes", files(due));
    }
    if let Some(check) = s.checks.iter().find(|check| !check.ok) {
        return format!(
            "would delete nothing as things stand ({}: {})",
            check.name, check.says
        );
    }
    match due {
        0 => "nothing will be due".to_owned(),
        due => format!("would delete {}, within the limits", files(due)),
    }
}

fn waiting(s: &Snapshot) -> Markup {
    html! {
        @if !s.waiting.is_empty() || s.pause.is_some() {
            section.card #waiting aria-label="Waiting for somebody" {
                h2 { "Waiting for somebody" }
                @if let Some(pause) = &s.pause {
                    p { "Paused until " (pause.until) ": " (pause.reason) ". " code { "retentiond resume" } }
                }
                @for plan in &s.waiting {
                    p { "A plan of " b { (plan.policy) } " with " (files(plan.files)) ": " (plan.reason) ". " code { (plan.command) } }
                }
            }
        }
    }
}

fn figures(s: &Snapshot, wall: &Wall) -> Markup {
    html! {
        section.card aria-labelledby="figures" {
            h2 #figures { "Holds, doubts, and the ledger" }
            dl {
                dt { "Holds in force" } dd #holds { (number(s.holds)) }
                dt { "Review overdue" } dd { (number(s.holds_review_overdue)) }
                dt { "Erasure requests open" } dd #erasures { (number(s.erasures.open)) }
                @if let Some(by) = s.erasures.answer_by {
                    dt { "First answer due by" } dd { (wall.time(by)) }
                }
                dt { "Unknown outcomes" } dd { (number(s.files.get("unknown").copied().unwrap_or(0))) }
                dt { "Quarantined" } dd { (number(s.files.get("quarantined").copied().unwrap_or(0))) }
                dt { "Uploads in doubt" } dd { (number(s.uploads_in_doubt)) }
                dt { "Clock anomalies" } dd { (number(s.clock_anomalies)) " on record" }
                dt { "Ledger" } dd { (bytes(s.room.ledger_bytes)) ", " (bytes(s.room.free_bytes)) " free beside it" }
            }
        }
    }
}

fn footer(s: &Snapshot, wall: &Wall) -> Markup {
    let refused = s.last_reload.as_deref().filter(|how| how.starts_with("refused"));
    html! {
        footer {
            p #build { "retentiond " (s.version) "; rules " code { (s.rules.get(..12).unwrap_or(&s.rules)) } }
            p {
                "The scheduler last turned "
                @match s.daemon_last_turn { Some(at) => (wall.time(at)), None => "never" }
                "."
            }
            @if let Some(how) = refused {
                p.bad { "The last reload of the policy file was " (how) ": the set before it is in force." }
            }
        }
    }
}

#[cfg(test)]
mod tests;
