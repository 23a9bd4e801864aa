//! A picture for the tests of its faces: three policies, something of everything.

use super::*;
use crate::model::{BreakerKind, PolicyName, SweepId, SweepState, SweepSummary, Trigger};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A sweep of `policy` that ended in `state`.
pub(crate) fn sweep(id: i64, policy: &str, state: SweepState, deleted: u64) -> Sweep {
    Sweep {
        id: SweepId(id),
        policy: PolicyName::new(policy).unwrap(),
        occurrence: Some(at("2026-05-04T01:00:00Z")),
        trigger: Trigger::Schedule,
        started_at: at("2026-05-04T01:00:00.5Z"),
        ended_at: (state != SweepState::Open).then(|| at("2026-05-04T01:02:03Z")),
        state,
        summary: SweepSummary {
            live: 120,
            due: deleted,
            sent: deleted,
            deleted,
            verified: deleted,
            requests: 2,
            note: (state == SweepState::Stopped).then(|| "a limit; `retentiond approve 0123`".to_owned()),
            ..SweepSummary::default()
        },
    }
}

fn policy(name: &str, mode: &'static str, overdue: u64) -> PolicyView {
    PolicyView {
        account: None,
        policy: name.to_owned(),
        mode,
        delete_after: "6mo".to_owned(),
        live: 120,
        due: 12,
        held: 2,
        overdue,
        oldest_overdue: (overdue > 0).then(|| at("2026-05-04T09:00:00Z")),
        next_due: Some(at("2026-05-05T22:00:00Z")),
        without_due: 1,
        next_run: Some(at("2026-05-05T01:00:00Z")),
        due_by_next_run: 17,
        last_occurrence: Some(at("2026-05-04T01:00:00Z")),
        last_done: Some(at("2026-05-04T01:02:03Z")),
        last_sweep: Some(sweep(7, name, SweepState::Done, 42)),
    }
}

/// Four processes on one ledger: a leader, a helper by other rules, one that died at work, one that ended.
pub(crate) fn peers() -> Vec<PeerView> {
    let peer = |name: &str, silent_for_s: u64| PeerView {
        process: name.to_owned(),
        version: "0.1.0".to_owned(),
        since: at("2026-05-04T09:00:00Z"),
        alive: silent_for_s < 90,
        silent_for_s,
        same_rules: Some(true),
        sweeps: None,
        parts: 0,
    };
    vec![
        PeerView {
            sweeps: Some("applications".to_owned()),
            parts: 2,
            ..peer("41 on left", 3)
        },
        PeerView {
            same_rules: Some(false),
            parts: 1,
            ..peer("42 on right", 9)
        },
        PeerView {
            sweeps: Some("all else".to_owned()),
            ..peer("43 on gone", 95)
        },
        peer("44 on ended", 900),
    ]
}

/// The picture, at 2026-05-04T10:00:00Z.
pub(crate) fn snapshot() -> Snapshot {
    let breaker = Breaker {
        account: None,
        kind: BreakerKind::Api,
        opened_at: at("2026-05-04T08:00:00Z"),
        reason: "the API cannot be used: <503>".to_owned(),
    };
    let day = |n: u64| Day {
        date: format!("2026-05-{:02}", n + 4),
        files: n * 3 % 11,
    };
    Snapshot {
        verdict: Verdict::Stopped,
        sentence: "breaker api is open: the API cannot be used: <503>; it closes by itself once the cause is gone, or by `retentiond breaker reset api`".to_owned(),
        at: at("2026-05-04T10:00:00Z"),
        version: "0.1.0",
        policies: vec![
            policy("applications", "enforce", 3),
            policy("a \"quoted\" <name>", "observe", 5),
            policy("all else", "enforce", 0),
        ],
        unowned: 4,
        unowned_by_batch: Vec::new(),
        without_start_overdue: Vec::new(),
        files: BTreeMap::from([("live", 364), ("deleted", 1000), ("unknown", 2)]),
        breakers: vec![breaker],
        pause: None,
        holds: 2,
        holds_review_overdue: 1,
        waiting_rules: None,
        erasures: ErasuresView {
            open: 2,
            files_left: 9,
            near: 1,
            answer_by: Some(at("2026-06-04T22:00:00Z")),
            ..ErasuresView::default()
        },
        waiting: vec![WaitingPlan {
            policy: "all else".to_owned(),
            files: 700,
            reason: "700 files would go in this sweep, files_per_sweep allows 500".to_owned(),
            command: "retentiond approve 0123456789ab".to_owned(),
        }],
        uploads_in_doubt: 1,
        uploads_under_way: 0,
        clock_anomalies: 6,
        clock_skew_ms: -1500,
        timezone: "Europe/Berlin".to_owned(),
        falling_due: (0..27).map(day).collect(),
        sweeps: vec![
            sweep(8, "all else", SweepState::Stopped, 0),
            sweep(7, "applications", SweepState::Done, 42),
        ],
        checks: vec![Check {
            name: "breakers",
            ok: false,
            says: "open: api".to_owned(),
        }],
        room: Room {
            ledger_bytes: 1_048_576,
            free_bytes: 10_737_418_240,
        },
        rules: "0123456789abcdef".repeat(4),
        peers: Vec::new(),
        daemon_last_turn: Some(at("2026-05-04T09:59:50Z")),
        last_reload: Some("refused 2026-05-04T09:00:00Z".to_owned()),
        checkpoint: Some(LastCheckpoint {
            at: at("2026-05-04T01:02:03Z"),
            facts: 42,
            note: "retentiond/0123\n42\nroot\n\n".to_owned(),
        }),
    }
}
