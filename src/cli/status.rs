//! `status`: is everything all right? The first line answers, the rest says of what.

use super::context::Context;
use super::exit::{Exit, Failure};
use super::output::{Paint, files, lines, table};
use crate::engine::observe::observe;
use crate::model::Timestamp;
use crate::snapshot::{PeerView, PolicyView, Snapshot, Verdict};

/// Sweeps shown.
const SWEEPS: usize = 5;

pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let ledger = context.reader(&checked).await?;
    let snapshot = observe(ledger.as_ref(), &checked.rules, context.clock.now()).await?;
    if !ledger.hints_are_current(&checked.rules.digest).await? {
        context
            .output
            .say("note: this policy file is not in force yet: the counts are of the rules before, `retentiond plan` shows the new ones");
    }
    if context.audit_key(&checked).is_ok_and(|key| key.is_none()) {
        context.output.say(super::audit::UNSIGNED);
    }
    context.output.painted(&snapshot, || screen(&snapshot))?;
    Ok(match snapshot.verdict {
        Verdict::Stopped | Verdict::Paused | Verdict::Waiting => Exit::Stopped,
        Verdict::Overdue => Exit::Failed,
        Verdict::Unsettled => Exit::Unsettled,
        Verdict::Attention | Verdict::Idle | Verdict::Ok => Exit::Done,
    })
}

type Screen = Vec<(Paint, String)>;

fn screen(s: &Snapshot) -> Screen {
    let paint = match s.verdict {
        Verdict::Stopped | Verdict::Overdue => Paint::Bad,
        Verdict::Paused | Verdict::Waiting | Verdict::Unsettled | Verdict::Attention | Verdict::Idle => {
            Paint::Warn
        }
        Verdict::Ok => Paint::Good,
    };
    let mut screen = vec![
        (paint, s.verdict.word().to_owned()),
        (Paint::Plain, format!("  {}\n\n", s.sentence)),
    ];
    screen.push((Paint::Plain, at_a_glance(s)));
    screen.extend(obstacles(s));
    screen.push((Paint::Plain, format!("\n{}", policies(s))));
    screen.push((Paint::Plain, format!("\n{}", sweeps(s))));
    if !s.peers.is_empty() {
        screen.push((Paint::Plain, format!("\n{}", peers(s))));
    }
    screen.push((Paint::Plain, format!("\n{}", house(s))));
    screen
}

fn at_a_glance(s: &Snapshot) -> String {
    let mut text = String::new();
    let next = s
        .policies
        .iter()
        .filter_map(|p| Some((p.next_run?, p)))
        .min_by_key(|(at, _)| *at);
    if let Some((at, p)) = next {
        text.push_str(&format!("next run  {at} {}: {}\n", p.policy, would_do(p)));
    }
    let enforced = || s.policies.iter().filter(|p| p.mode == "enforce");
    let late: u64 = enforced().map(|p| p.overdue).sum();
    let oldest = enforced().filter_map(|p| p.oldest_overdue).min();
    text.push_str(&match oldest {
        Some(since) => format!("overdue   {}, the oldest since {since}\n", files(late)),
        None => "overdue   none\n".to_owned(),
    });
    let sum = |of: fn(&PolicyView) -> u64| s.policies.iter().map(of).sum::<u64>();
    text.push_str(&format!(
        "due       {}, {} on hold\n",
        files(sum(|p| p.due)),
        sum(|p| p.held)
    ));
    let coming: u64 = s.falling_due.iter().take(7).map(|day| day.files).sum();
    text.push_str(&format!(
        "7 days    {} fall due, those due now among them\n",
        files(coming)
    ));
    text
}

fn would_do(p: &PolicyView) -> String {
    let due = p.due_by_next_run.saturating_sub(p.held);
    if p.mode == "observe" {
        format!("{} due then; it observes and deletes nothing", files(due))
    } else {
        format!("{} due then", files(due))
    }
}

/// What needs somebody, each with its command; nothing where nothing does.
fn obstacles(s: &Snapshot) -> Screen {
    let mut rows = Vec::new();
    for breaker in &s.breakers {
        let name = breaker.name();
        let text = format!(
            "breaker {name} open since {}: {}; retentiond breaker reset {name}",
            breaker.opened_at, breaker.reason
        );
        rows.push((Paint::Bad, text));
    }
    for plan in &s.waiting {
        let text = format!(
            "plan of {} with {} waits: {}; {}",
            plan.policy,
            files(plan.files),
            plan.reason,
            plan.command
        );
        rows.push((Paint::Warn, text));
    }
    let told = ["breakers", "pause"];
    let failed = s
        .checks
        .iter()
        .filter(|check| !check.ok && !told.contains(&check.name));
    rows.extend(failed.map(|check| (Paint::Warn, format!("{}: {}", check.name, check.says))));
    for peer in s.peers.iter().filter(|peer| peer.alive) {
        if peer.same_rules == Some(false) {
            let text = format!(
                "process {} goes by other rules than this policy file: they neither help each other nor agree; give both the same file",
                peer.process
            );
            rows.push((Paint::Warn, text));
        }
    }
    if s.uploads_in_doubt > 0 {
        let text = format!("uploads: {} in doubt; retentiond uploads", s.uploads_in_doubt);
        rows.push((Paint::Warn, text));
    }
    if s.holds_review_overdue > 0 {
        let text = format!(
            "holds: {} with an overdue review; retentiond hold list",
            s.holds_review_overdue
        );
        rows.push((Paint::Warn, text));
    }
    if let Some(reload) = s
        .last_reload
        .as_ref()
        .filter(|reload| reload.starts_with("refused"))
    {
        let text = format!("policy file: the last reload was {reload}; the set before it is in force");
        rows.push((Paint::Warn, text));
    }
    if rows.is_empty() {
        return rows;
    }
    let line = |(paint, text): (Paint, String)| [(paint, "! ".to_owned()), (Paint::Plain, text + "\n")];
    std::iter::once((Paint::Plain, "\n".to_owned()))
        .chain(rows.into_iter().flat_map(line))
        .collect()
}

fn policies(s: &Snapshot) -> String {
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
        "last success",
    ]);
    for p in &s.policies {
        rows.add_row([
            p.label(),
            p.mode.to_owned(),
            p.delete_after.clone(),
            p.live.to_string(),
            p.due.to_string(),
            p.held.to_string(),
            p.overdue.to_string(),
            or_dash(p.next_due),
            or_dash(p.next_run),
            or_dash(p.last_done),
        ]);
    }
    lines(&rows)
}

fn sweeps(s: &Snapshot) -> String {
    if s.sweeps.is_empty() {
        return "no sweep yet\n".to_owned();
    }
    let mut rows = table(&[
        "last sweeps",
        "policy",
        "ended",
        "due",
        "deleted",
        "gone",
        "verified",
        "late",
        "note",
    ]);
    for sweep in s.sweeps.iter().take(SWEEPS) {
        let sum = &sweep.summary;
        rows.add_row([
            sweep.started_at.to_string(),
            sweep.policy.to_string(),
            sweep.state.name().to_owned(),
            sum.due.to_string(),
            sum.deleted.to_string(),
            sum.gone.to_string(),
            sum.verified.to_string(),
            sum.late.to_string(),
            sum.note.clone().unwrap_or_default(),
        ]);
    }
    lines(&rows)
}

/// Those at work, and those that have left something to be taken over.
fn peers(s: &Snapshot) -> String {
    let mut rows = table(&["process", "since", "lease", "version", "at work on"]);
    let shown = |peer: &&PeerView| peer.alive || peer.sweeps.is_some() || peer.parts > 0;
    for peer in s.peers.iter().filter(shown) {
        let ago = format!("renewed {} s ago", peer.silent_for_s);
        let work = match (&peer.sweeps, peer.parts) {
            (None, 0) => "-".to_owned(),
            (None, parts) => format!("{parts} parts of another's sweep"),
            (Some(policy), 0) => policy.clone(),
            (Some(policy), parts) => format!("{policy}, {parts} parts"),
        };
        rows.add_row([
            peer.process.clone(),
            peer.since.to_string(),
            if peer.alive { ago } else { format!("over ({ago})") },
            peer.version.clone(),
            work,
        ]);
    }
    lines(&rows)
}

fn house(s: &Snapshot) -> String {
    let states: Vec<String> = s.files.iter().map(|(state, n)| format!("{n} {state}")).collect();
    let mut text = format!(
        "files: {}; {} live without a policy\n",
        states.join(", "),
        s.unowned
    );
    for batch in &s.unowned_by_batch {
        let (address, files) = (&batch.batch, batch.files);
        text.push_str(&format!("  without a policy: {files} in {address}\n"));
    }
    for w in &s.without_start_overdue {
        let (policy, start, files) = (&w.policy, &w.start, w.overdue);
        text.push_str(&format!(
            "`{policy}`: {files} kept without a start ({start}), overdue by their upload\n"
        ));
        for batch in &w.batches {
            text.push_str(&format!("  {} in {}\n", batch.files, batch.batch));
        }
    }
    text.push_str(&format!(
        "holds: {} in force, {} with an overdue review\n",
        s.holds, s.holds_review_overdue
    ));
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
    if s.uploads_under_way > 0 {
        text.push_str(&format!("uploads: {} under way\n", s.uploads_under_way));
    }
    let mib = |bytes: u64| bytes / (1024 * 1024);
    text.push_str(&format!(
        "ledger: {} MiB, {} MiB free beside it; version {}\n",
        mib(s.room.ledger_bytes),
        mib(s.room.free_bytes),
        s.version
    ));
    text
}

fn or_dash(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::fixture;

    fn shown(s: &Snapshot) -> String {
        screen(s).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn the_first_line_is_the_answer_and_each_obstacle_has_its_command() {
        let s = fixture::snapshot();
        let text = shown(&s);
        assert_eq!(text.lines().next().unwrap(), format!("STOPPED  {}", s.sentence));
        for said in [
            "next run  2026-05-05T01:00:00Z applications: 15 files due then",
            "overdue   3 files, the oldest since 2026-05-04T09:00:00Z",
            "due       36 files, 6 on hold",
            "! breaker api open since 2026-05-04T08:00:00Z",
            "retentiond breaker reset api",
            "! plan of all else with 700 files waits",
            "retentiond approve 0123456789ab",
            "! uploads: 1 in doubt",
            "! holds: 1 with an overdue review",
            "! policy file: the last reload was refused",
        ] {
            assert!(text.contains(said), "{said} is not in\n{text}");
        }
    }

    #[test]
    fn processes_are_shown_where_there_may_be_several_with_their_lease_and_their_work() {
        let mut s = fixture::snapshot();
        assert!(!shown(&s).contains("process "), "beside a file there is one");
        s.peers = fixture::peers();
        let text = shown(&s);
        for said in [
            "41 on left   2026-05-04T09:00:00Z  renewed 3 s ago           0.1.0    applications, 2 parts",
            "42 on right  2026-05-04T09:00:00Z  renewed 9 s ago           0.1.0    1 parts of another's sweep",
            "43 on gone   2026-05-04T09:00:00Z  over (renewed 95 s ago)   0.1.0    all else",
            "! process 42 on right goes by other rules",
        ] {
            let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(
                squeezed(&text).contains(&squeezed(said)),
                "{said} is not in\n{text}"
            );
        }
        assert!(!text.contains("44 on ended"), "{text}");
    }

    #[test]
    fn where_nothing_needs_anybody_nothing_calls() {
        let mut s = fixture::snapshot();
        s.verdict = Verdict::Ok;
        s.breakers.clear();
        s.waiting.clear();
        s.checks.iter_mut().for_each(|check| check.ok = true);
        (s.uploads_in_doubt, s.holds_review_overdue, s.last_reload) = (0, 0, None);
        let screen = screen(&s);
        assert_eq!(screen[0], (Paint::Good, "OK".to_owned()));
        assert!(!shown(&s).contains("! "));
    }
}
