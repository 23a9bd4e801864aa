//! Policies, sweeps, and what stands in the way.

use maud::{Markup, html};

use super::words::{Wall, number, sentence};
use crate::model::{Breaker, BreakerKind, Sweep, SweepState, Trigger};
use crate::snapshot::{PolicyView, Snapshot};

pub(super) fn policies(s: &Snapshot, wall: &Wall) -> Markup {
    let heads = [
        ("Policy", false),
        ("Mode", false),
        ("Keeps", false),
        ("Live", true),
        ("Due", true),
        ("Held", true),
        ("Overdue", true),
        ("Next due", false),
        ("Next run", false),
        ("Last success", false),
    ];
    section(
        "Policies",
        "policies",
        &heads,
        html! {
            @for p in &s.policies { (policy(p, wall)) }
            tr {
                th scope="row" { "No policy" }
                td { "kept" } td.soft { "–" } td.n { (number(s.unowned)) }
                td.n.soft { "–" } td.n.soft { "–" } td.n.soft { "–" } td.soft { "–" } td.soft { "–" } td.soft { "–" }
            }
        },
    )
}

fn policy(p: &PolicyView, wall: &Wall) -> Markup {
    let late = p.overdue > 0 && p.mode == "enforce";
    html! {
        tr {
            th scope="row" { (p.label()) }
            td { (p.mode) }
            td { (p.delete_after) }
            td.n { (number(p.live)) }
            td.n { (number(p.due)) }
            td.n { (number(p.held)) }
            td.n { @if late { span.mark.bad { (number(p.overdue)) } } @else { (number(p.overdue)) } }
            td { (wall.time_or_none(p.next_due)) }
            td { (wall.time_or_none(p.next_run)) }
            td { (wall.time_or_none(p.last_done)) }
        }
    }
}

pub(super) fn sweeps(s: &Snapshot, wall: &Wall) -> Markup {
    let heads = [
        ("Began", false),
        ("Policy", false),
        ("By", false),
        ("State", false),
        ("Due", true),
        ("Deleted", true),
        ("Gone", true),
        ("Verified", true),
        ("Late", true),
        ("Note", false),
    ];
    section(
        "Last sweeps",
        "sweeps",
        &heads,
        html! {
            @if s.sweeps.is_empty() {
                tr { td.soft colspan="10" { "No sweep yet." } }
            }
            @for sweep in &s.sweeps { (one_sweep(sweep, wall)) }
        },
    )
}

fn one_sweep(sweep: &Sweep, wall: &Wall) -> Markup {
    let sum = &sweep.summary;
    let by = match sweep.trigger {
        Trigger::Schedule => "schedule",
        Trigger::CatchUp => "catch-up",
        Trigger::Manual => "hand",
        Trigger::Approval => "approval",
    };
    let sign = match sweep.state {
        SweepState::Done => "good",
        SweepState::Stopped => "bad",
        SweepState::Open | SweepState::Cut | SweepState::Postponed => "warn",
    };
    html! {
        tr {
            td { (wall.time(sweep.started_at)) }
            th scope="row" { (sweep.policy) }
            td { (by) }
            td { span class=(format!("mark {sign}")) { (sweep.state.name()) } }
            td.n { (number(sum.due)) }
            td.n { (number(sum.deleted)) }
            td.n { (number(sum.gone)) }
            td.n { (number(sum.verified)) }
            td.n { (number(sum.late)) }
            td.note { @if let Some(note) = &sum.note { (sentence(note)) } }
        }
    }
}

fn open_breaker(breaker: &Breaker, wall: &Wall) -> Markup {
    html! {
        td { span.mark.bad { "open" } }
        td.note {
            (breaker.reason) "; since " (wall.time(breaker.opened_at)) ". "
            code { "retentiond breaker reset " (breaker.name()) }
        }
    }
}

pub(super) fn breakers(s: &Snapshot, wall: &Wall) -> Markup {
    let heads = [("Breaker", false), ("State", false), ("Why", false)];
    section(
        "Breakers",
        "breakers",
        &heads,
        html! {
            @for kind in BreakerKind::ALL {
                @let open = s.breakers.iter().find(|b| b.kind == kind && b.account.is_none());
                tr {
                    th scope="row" { (kind.name()) }
                    @match open {
                        Some(breaker) => (open_breaker(breaker, wall)),
                        None => { td { "closed" } td {} }
                    }
                }
            }
            @for breaker in s.breakers.iter().filter(|breaker| breaker.account.is_some()) {
                tr {
                    th scope="row" { (breaker.name()) }
                    (open_breaker(breaker, wall))
                }
            }
        },
    )
}

/// Who is at work on the ledger; nothing beside a file, where one process is.
pub(super) fn peers(s: &Snapshot, wall: &Wall) -> Markup {
    if s.peers.is_empty() {
        return html! {};
    }
    let heads = [
        ("Process", false),
        ("Since", false),
        ("Lease", false),
        ("At work on", false),
    ];
    section(
        "Processes",
        "peers",
        &heads,
        html! {
            @for peer in s.peers.iter().filter(|p| p.alive || p.sweeps.is_some() || p.parts > 0) {
                tr {
                    th scope="row" { (peer.process) }
                    td { (wall.time(peer.since)) }
                    td {
                        @if !peer.alive { span.mark.bad { "over" } " " }
                        "renewed " (number(peer.silent_for_s)) " s ago"
                    }
                    td.note {
                        @if let Some(policy) = &peer.sweeps { (policy) }
                        @if peer.parts > 0 { " " (number(peer.parts)) " parts" }
                        @if peer.same_rules == Some(false) { " by other rules" }
                    }
                }
            }
        },
    )
}

pub(super) fn checks(s: &Snapshot) -> Markup {
    let heads = [("Check", false), ("Result", false), ("Found", false)];
    section(
        "Would it delete?",
        "checks",
        &heads,
        html! {
            @for check in &s.checks {
                tr {
                    th scope="row" { (check.name) }
                    td { @if check.ok { span.mark.good { "yes" } } @else { span.mark.bad { "no" } } }
                    td.note { (check.says) }
                }
            }
        },
    )
}

/// A card with one table in it that can be scrolled sideways by keyboard too.
fn section(title: &str, id: &str, heads: &[(&str, bool)], rows: Markup) -> Markup {
    html! {
        section.card aria-labelledby=(id) {
            h2 id=(id) { (title) }
            div.scroll tabindex="0" role="group" aria-labelledby=(id) {
                table {
                    thead { tr {
                        @for (head, is_number) in heads {
                            th scope="col" class=[is_number.then_some("n")] { (head) }
                        }
                    } }
                    tbody { (rows) }
                }
            }
        }
    }
}
