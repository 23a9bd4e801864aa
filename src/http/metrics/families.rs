//! Every family, in the order in which an operator would ask.

use super::super::faces::Faces;
use super::super::health;
use super::text::{Family, Kind, Sample};
use crate::model::{BreakerKind, FileState, Timestamp};
use crate::snapshot::{PolicyView, Snapshot, Verdict};

pub(super) fn families(s: &Snapshot, faces: &Faces) -> Vec<Family> {
    let mut all = verdict(s, faces);
    all.extend(files(s));
    all.extend(policies(s));
    all.extend(obstacles(s));
    all.extend(house(s));
    all.extend(done(faces));
    all
}

fn verdict(s: &Snapshot, faces: &Faces) -> Vec<Family> {
    let standing = |verdict: &Verdict| (verdict.word().to_ascii_lowercase(), flag(s.verdict == *verdict));
    vec![
        gauge(
            "retentiond_build_info",
            "Always 1; the label is the program's version.",
            labelled("version", [(s.version.to_owned(), 1.0)]),
        ),
        gauge(
            "retentiond_ready",
            "1 if a file would be deleted if it were due: what `/readyz` says.",
            single(flag(health::is_ready(faces))),
        ),
        gauge(
            "retentiond_verdict",
            "1 for the verdict that `retentiond status` begins with, 0 for all others.",
            labelled("verdict", Verdict::ALL.iter().map(standing)),
        ),
        gauge(
            "retentiond_snapshot_timestamp_seconds",
            "When these figures were taken from the ledger.",
            single(seconds(Some(s.at))),
        ),
    ]
}

fn files(s: &Snapshot) -> Vec<Family> {
    let of_state = |state: &FileState| {
        let count = s.files.get(state.name()).copied().unwrap_or(0);
        (state.name().to_owned(), whole(count))
    };
    vec![
        gauge(
            "retentiond_files",
            "Files in the ledger by state.",
            labelled("state", FileState::ALL.iter().map(of_state)),
        ),
        gauge(
            "retentiond_unowned_files",
            "Live files that no policy owns: they are kept.",
            single(whole(s.unowned)),
        ),
    ]
}

fn policies(s: &Snapshot) -> Vec<Family> {
    let each = |value: &dyn Fn(&PolicyView) -> f64| {
        let values: Vec<_> = s.policies.iter().map(|p| (p.policy.clone(), value(p))).collect();
        labelled("policy", values)
    };
    let enforced = |p: &PolicyView| p.mode == "enforce";
    let overdue_for = |p: &PolicyView| {
        let since = p.oldest_overdue.filter(|_| enforced(p));
        since.map_or(0.0, |since| millis(s.at.millis_since(since).max(0)))
    };
    vec![
        gauge(
            "retentiond_oldest_overdue_seconds",
            "Time since the oldest deadline that has passed, of an enforced policy's live files that no hold keeps; 0 when none has. The service level.",
            each(&overdue_for),
        ),
        gauge(
            "retentiond_overdue_files",
            "Live files past their deadline that no hold keeps, whatever the policy's mode.",
            each(&|p| whole(p.overdue)),
        ),
        gauge(
            "retentiond_live_files",
            "Live files of the policy.",
            each(&|p| whole(p.live)),
        ),
        gauge(
            "retentiond_due_files",
            "Live files that are due, held ones among them.",
            each(&|p| whole(p.due)),
        ),
        gauge(
            "retentiond_held_files",
            "Due files that a hold keeps.",
            each(&|p| whole(p.held)),
        ),
        gauge(
            "retentiond_policy_enforced",
            "1 if the policy deletes, 0 if it only observes.",
            each(&|p| flag(enforced(p))),
        ),
        gauge(
            "retentiond_next_run_timestamp_seconds",
            "The next scheduled run; 0 if there is none.",
            each(&|p| seconds(p.next_run)),
        ),
        gauge(
            "retentiond_last_occurrence_timestamp_seconds",
            "The latest scheduled instant that a sweep was begun for; 0 before the first.",
            each(&|p| seconds(p.last_occurrence)),
        ),
        gauge(
            "retentiond_last_success_timestamp_seconds",
            "When the latest sweep that was done to its end ended; 0 before the first.",
            each(&|p| seconds(p.last_done)),
        ),
    ]
}

fn obstacles(s: &Snapshot) -> Vec<Family> {
    let open = |kind: &BreakerKind| {
        let open = s.breakers.iter().any(|b| b.kind == *kind && b.account.is_none());
        (kind.name().to_owned(), flag(open))
    };
    // Of a named account only while it is open: there may be thousands.
    let named = s.breakers.iter().filter(|breaker| breaker.account.is_some());
    let named = named.map(|breaker| (breaker.name(), flag(true)));
    vec![
        gauge(
            "retentiond_breaker_open",
            "1 if the breaker is open: nothing is deleted. KIND@ACCOUNT stops one account only.",
            labelled("breaker", BreakerKind::ALL.iter().map(open).chain(named)),
        ),
        gauge(
            "retentiond_paused",
            "1 while an operator's pause is in force.",
            single(flag(s.pause.is_some())),
        ),
        gauge(
            "retentiond_waiting_plans",
            "Plans and changed rules that wait for `retentiond approve`.",
            single(whole(
                s.waiting.len() as u64 + u64::from(s.waiting_rules.is_some()),
            )),
        ),
        gauge("retentiond_holds", "Holds in force.", single(whole(s.holds))),
        gauge(
            "retentiond_holds_review_overdue",
            "Holds whose review is overdue.",
            single(whole(s.holds_review_overdue)),
        ),
        gauge(
            "retentiond_erasure_requests",
            "Open erasure requests.",
            single(whole(s.erasures.open)),
        ),
        gauge(
            "retentiond_erasure_requests_near",
            "Open erasure requests whose date for an answer is near enough to warn of (`[erasure] warn_before`), or has passed.",
            single(whole(s.erasures.near)),
        ),
        gauge(
            "retentiond_erasure_requests_overdue",
            "Open erasure requests whose date for an answer has passed.",
            single(whole(s.erasures.late)),
        ),
        gauge(
            "retentiond_erasure_answer_timestamp_seconds",
            "The nearest date by which an open erasure request has to be answered, also one that has passed; 0 when none is open.",
            single(seconds(s.erasures.answer_by)),
        ),
        gauge(
            "retentiond_uploads_in_doubt",
            "Uploads whose end nobody knows: there may be files that no ledger holds.",
            single(whole(s.uploads_in_doubt)),
        ),
    ]
}

fn house(s: &Snapshot) -> Vec<Family> {
    let refused = s
        .last_reload
        .as_ref()
        .is_some_and(|how| how.starts_with("refused"));
    vec![
        gauge(
            "retentiond_config_last_reload_successful",
            "0 if the last reload of the policy file was refused: the set before it is in force.",
            single(flag(!refused)),
        ),
        gauge(
            "retentiond_clock_skew_seconds",
            "By how much the wall clock is ahead of its witnesses while they disagree; 0 while they agree.",
            single(millis(s.clock_skew_ms)),
        ),
        gauge(
            "retentiond_ledger_size_bytes",
            "The ledger's size.",
            single(whole(s.room.ledger_bytes)),
        ),
        gauge(
            "retentiond_state_free_bytes",
            "Free space where the ledger lies.",
            single(whole(s.room.free_bytes)),
        ),
        counter(
            "retentiond_clock_anomalies_total",
            "Disagreements of the clock's witnesses that this ledger has seen.",
            single(whole(s.clock_anomalies)),
        ),
    ]
}

fn done(faces: &Faces) -> Vec<Family> {
    let did = &faces.activity;
    let named = |(name, count): (&'static str, u64)| (name.to_owned(), whole(count));
    let door = |count: &dyn Fn(&super::super::DoorFigures) -> u64| {
        let values: Vec<_> = faces
            .doors
            .iter()
            .map(|(name, figures)| ((*name).to_owned(), whole(count(figures))))
            .collect();
        labelled("listener", values)
    };
    vec![
        counter(
            "retentiond_requests_total",
            "Delete requests by what they came to.",
            labelled("outcome", did.requests().map(named)),
        ),
        counter(
            "retentiond_deleted_files_total",
            "Files, linked copies among them, whose deletion was confirmed.",
            single(whole(did.deleted())),
        ),
        counter(
            "retentiond_gone_files_total",
            "Files that a delete request found gone.",
            single(whole(did.gone())),
        ),
        counter(
            "retentiond_sweeps_total",
            "Sweeps that ended, by how.",
            labelled("state", did.sweeps().map(named)),
        ),
        counter(
            "retentiond_failures_total",
            "Turns and sweeps that failed as a whole; they are tried again.",
            single(whole(did.failures())),
        ),
        counter(
            "retentiond_turns_total",
            "Turns of the scheduler.",
            single(whole(faces.pulse.turns())),
        ),
        counter(
            "retentiond_connections_total",
            "Connections that were let in.",
            door(&|figures| figures.accepted()),
        ),
        counter(
            "retentiond_connections_refused_total",
            "Connections that were closed at once, because there were too many.",
            door(&|figures| figures.refused()),
        ),
        counter(
            "retentiond_accept_failures_total",
            "Times that no connection could be taken, such as for want of descriptors.",
            door(&|figures| figures.failed()),
        ),
    ]
}

fn gauge(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Family {
    Family {
        name,
        kind: Kind::Gauge,
        help,
        samples,
    }
}

fn counter(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Family {
    Family {
        name,
        kind: Kind::Counter,
        help,
        samples,
    }
}

fn single(value: f64) -> Vec<Sample> {
    vec![Sample { label: None, value }]
}

fn labelled(label: &'static str, values: impl IntoIterator<Item = (String, f64)>) -> Vec<Sample> {
    let sample = |(text, value)| Sample {
        label: Some((label, text)),
        value,
    };
    values.into_iter().map(sample).collect()
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// Exact up to 2^53.
fn whole(count: u64) -> f64 {
    count as f64
}

/// Milliseconds as seconds.
fn millis(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// An instant in seconds since 1970; 0 for none.
fn seconds(at: Option<Timestamp>) -> f64 {
    at.map_or(0.0, |at| millis(at.as_millis()))
}

#[cfg(test)]
mod tests;
