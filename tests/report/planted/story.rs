//! A quarter in which everything happened that a report can tell of.

use retentiond::ledger::{StoredFile, StoredPlan};
use retentiond::model::{
    BatchId, BreakerKind, ClockAnomaly, ClockMark, ErasureScope, FileKey, Finding, HoldId, HoldScope,
    NewErasure, NewHold, Pause, SweepState, SweepSummary, Trigger,
};
use retentiond::outcome::FileEvent;
use retentiond::rules::impact::{Impact, PolicyImpact};
use retentiond::rules::policy::RuleDigest;

use crate::planted::*;

/// The whole of it, and a crowd of files around it.
pub(crate) async fn told() -> Planted {
    told_in(Planted::new().await).await
}

/// The same, in an empty ledger.
pub(crate) async fn told_in(world: Planted) -> Planted {
    rules(&world).await;
    files(&world).await;
    stops(&world).await;
    ends(&world).await;
    crowd(&world).await;
    open_ones(&world).await;
    sweeps(&world).await;
    requests(&world).await;
    plans(&world).await;
    assert_eq!(world.ledger.check(true).await.unwrap(), Vec::<String>::new());
    world
}

async fn rules(world: &Planted) {
    let rules = &world.checked.rules;
    let ledger = &world.ledger;
    let first = RuleDigest("1".repeat(64));
    let never = RuleDigest("2".repeat(64));
    ledger
        .adopt_rules(
            &first,
            "zone Europe/Berlin\npolicy applications: uploaded + 1 year\n",
            at("2026-05-01T09:00:00Z"),
        )
        .await
        .unwrap();
    // As the policy file of then: the same schedule, another period.
    let text = POLICIES
        .replace("6 months 14 days", "1 year 14 days")
        .replace("\"6 months\"", "\"1 year\"");
    ledger
        .keep_rule_text(&first, &text, at("2026-05-01T09:00:00Z"))
        .await
        .unwrap();
    let impact = Impact {
        policies: vec![PolicyImpact {
            policy: Some(policy("applications")),
            earlier: 31,
            later: 2,
            newly_unowned: 1,
            ..PolicyImpact::default()
        }],
        files: 40,
        undecided: 0,
        shortened: 31,
    };
    ledger
        .propose(&never, &impact, at("2026-07-10T09:00:00Z"))
        .await
        .unwrap();
    ledger.withdraw_change(at("2026-07-11T09:00:00Z")).await.unwrap();
    ledger
        .propose(&rules.digest, &impact, at("2026-07-14T09:00:00Z"))
        .await
        .unwrap();
    ledger
        .approve_change(
            &rules.digest.0,
            at("2026-07-15T09:00:00Z"),
            at("2026-07-18T09:00:00Z"),
        )
        .await
        .unwrap();
    ledger
        .adopt_rules(&rules.digest, &rules.describe(), at("2026-07-16T09:00:00Z"))
        .await
        .unwrap();
    ledger
        .keep_rule_text(&rules.digest, POLICIES, at("2026-07-16T09:00:00Z"))
        .await
        .unwrap();
    for name in ["applications", "invoices"] {
        ledger
            .scheduled_since(&policy(name), at("2026-05-01T09:00:00Z"))
            .await
            .unwrap();
    }
}

/// The named ones, all due before they end.
async fn files(world: &Planted) {
    let spring = at("2026-05-20T00:00:00Z");
    let summer = at("2026-07-20T00:00:00Z");
    let named = [
        "june",
        "at-from",
        "before-to",
        "at-to",
        "october",
        "gone",
        "found-gone",
        "resolved",
        "revived-again",
        "revived",
        "late-breaker",
        "late-hold",
        "late-unknown",
        "late-refused",
        "late-nothing",
        "looked",
        "given-up-note",
    ];
    let mut plants: Vec<Plant> = named.iter().map(|name| due(name, spring)).collect();
    for plant in &mut plants {
        if !plant.name.starts_with("late") {
            plant.deadline = Some(at("2026-11-01T00:00:00Z"));
        }
        if plant.name == "late-hold" {
            plant.tenant = Some("acme");
        }
    }
    plants.extend(
        ["on-deadline", "past-deadline", "late-approval", "late-pause"].map(|name| due(name, summer)),
    );
    plants.push(Plant {
        subject: Some("feedface"),
        ..due("erased", at("2027-01-01T00:00:00Z"))
    });
    plants.push(due("by-others", at("2027-01-01T00:00:00Z")));
    plants.push(due("vanished", at("2027-01-01T00:00:00Z")));
    plants.push(due("early", at("2027-01-01T00:00:00Z")));
    plants.push(Plant {
        owner: Some("a policy of the past"),
        ..due("retired", summer)
    });
    for name in ["orphan-1", "orphan-2", "orphan-deleted"] {
        plants.push(Plant {
            owner: None,
            due: None,
            deadline: None,
            ..due(name, summer)
        });
    }
    plants.push(Plant {
        due: None,
        deadline: None,
        ..due("no-date", summer)
    });
    world.record(&plants).await;
}

async fn stops(world: &Planted) {
    let ledger = &world.ledger;
    for (kind, opened, closed) in [
        (
            BreakerKind::Api,
            "2026-06-05T00:00:00Z",
            Some("2026-06-06T00:00:00Z"),
        ),
        (
            BreakerKind::Auth,
            "2026-07-02T01:00:00Z",
            Some("2026-07-03T09:00:00Z"),
        ),
        (BreakerKind::Collateral, "2026-10-04T07:00:00Z", None),
    ] {
        ledger.open_breaker(kind, "planted", at(opened)).await.unwrap();
        if let Some(closed) = closed {
            ledger.close_breaker(kind, "test", at(closed)).await.unwrap();
        }
    }
    let pause = Pause {
        since: at("2026-08-20T10:00:00Z"),
        until: at("2026-08-25T10:00:00Z"),
        reason: "Frau Muster asked".to_owned(),
    };
    ledger.set_pause(Some(&pause), pause.since).await.unwrap();
    ledger.set_pause(None, at("2026-08-22T10:00:00Z")).await.unwrap();
    let anomaly = ClockAnomaly {
        identity: "one".to_owned(),
        seen_at: at("2026-09-01T00:00:00Z"),
        skew_ms: -412_500,
        resolved_at: None,
    };
    ledger.add_anomaly(&anomaly).await.unwrap();
    ledger
        .resolve_anomalies(at("2026-09-01T02:00:00Z"))
        .await
        .unwrap();
    let mark = ClockMark {
        wall: at("2026-10-05T07:59:00Z"),
        boottime_ms: 5,
        boot_id: "boot".to_owned(),
    };
    ledger.set_clock_mark(&mark).await.unwrap();
    let hold = |scope, placed: &str, review: Option<&str>| {
        let new = NewHold {
            scope,
            reason: "litigation Muster".to_owned(),
            reference: Some("AZ 7 C 12/26".to_owned()),
            owner: Some("legal".to_owned()),
            review_by: review.map(at),
        };
        let placed = at(placed);
        async move { ledger.add_hold(&new, placed).await.unwrap().hold }
    };
    let label = HoldScope::Label {
        key: "tenant".to_owned(),
        value: "acme".to_owned(),
    };
    let released = hold(label, "2026-05-21T00:00:00Z", None).await;
    ledger
        .release_hold(
            released,
            "over",
            at("2026-08-01T00:00:00Z"),
            at("2026-08-02T00:00:00Z"),
        )
        .await
        .unwrap();
    let of_file: HoldId = hold(
        HoldScope::File(id("held")),
        "2026-08-15T00:00:00Z",
        Some("2026-09-15T00:00:00Z"),
    )
    .await;
    assert_eq!(of_file, HoldId(2));
    hold(
        HoldScope::Batch(BatchId::new("b2").unwrap()),
        "2026-08-16T00:00:00Z",
        Some("2027-01-01T00:00:00Z"),
    )
    .await;
    let ended = hold(HoldScope::File(id("june")), "2026-01-01T00:00:00Z", None).await;
    ledger
        .release_hold(
            ended,
            "over",
            at("2026-02-01T00:00:00Z"),
            at("2026-02-02T00:00:00Z"),
        )
        .await
        .unwrap();
}

async fn ends(world: &Planted) {
    world.delete(&["june"], at("2026-06-30T21:59:59.999Z")).await;
    world.delete(&["at-from"], at(FROM)).await;
    world.delete(&["before-to"], at("2026-09-30T21:59:59.999Z")).await;
    world.delete(&["at-to"], at(TO)).await;
    world.delete(&["october"], at("2026-10-03T01:00:00Z")).await;
    world
        .delete(&["looked", "orphan-deleted"], at("2026-07-05T01:00:00Z"))
        .await;
    world
        .looked(&["looked"], Finding::Absent, at("2026-07-05T01:01:00Z"))
        .await;
    world
        .ask(
            "applications",
            &["gone"],
            FileEvent::FoundGone,
            "gone",
            at("2026-07-06T01:00:00Z"),
        )
        .await;
    world
        .ask(
            "applications",
            &["found-gone"],
            FileEvent::Lost,
            "unknown",
            at("2026-07-07T01:00:00Z"),
        )
        .await;
    world
        .note("found-gone", FileEvent::FoundGone, at("2026-07-08T01:00:00Z"))
        .await;
    world
        .ask(
            "applications",
            &["resolved"],
            FileEvent::GivenUp,
            "refused",
            at("2026-07-09T01:00:00Z"),
        )
        .await;
    world
        .note("resolved", FileEvent::Resolved, at("2026-07-19T01:00:00Z"))
        .await;
    world
        .note("given-up-note", FileEvent::GivenUp, at("2026-07-21T01:00:00Z"))
        .await;
    // Confirmed, found still there, and deleted once more.
    world
        .delete(&["revived-again", "revived"], at("2026-07-12T01:00:00Z"))
        .await;
    world
        .looked(
            &["revived-again", "revived"],
            Finding::StillThere,
            at("2026-07-12T01:05:00Z"),
        )
        .await;
    world.delete(&["revived-again"], at("2026-07-13T01:00:00Z")).await;
    world
        .looked(&["revived-again"], Finding::Absent, at("2026-07-13T01:05:00Z"))
        .await;
    // Late, each for its own cause.
    world.delete(&["late-breaker"], at("2026-07-03T10:00:00Z")).await;
    world.delete(&["late-hold"], at("2026-08-02T03:00:00Z")).await;
    world
        .ask(
            "applications",
            &["late-unknown"],
            FileEvent::Lost,
            "unknown",
            at("2026-05-30T01:00:00Z"),
        )
        .await;
    world.delete(&["late-unknown"], at("2026-07-01T08:00:00Z")).await;
    for day in ["2026-05-30", "2026-05-31"] {
        let when = at(&format!("{day}T01:00:00Z"));
        world
            .ask(
                "applications",
                &["late-refused"],
                FileEvent::Released,
                "refused",
                when,
            )
            .await;
    }
    world.delete(&["late-refused"], at("2026-07-01T09:00:00Z")).await;
    world.delete(&["late-nothing"], at("2026-07-01T00:30:00Z")).await;
    world.delete(&["late-pause"], at("2026-08-22T11:00:00Z")).await;
    // To the millisecond, around the deadline of 3 August.
    world.delete(&["on-deadline"], at("2026-08-03T00:00:00Z")).await;
    world
        .delete(&["past-deadline"], at("2026-08-03T00:00:00.001Z"))
        .await;
    world.delete(&["late-approval"], at("2026-08-06T01:00:00Z")).await;
    world.delete(&["retired"], at("2026-07-25T01:00:00Z")).await;
    // Before they were due.
    world
        .ask(
            "erasure",
            &["erased"],
            FileEvent::Confirmed,
            "confirmed",
            at("2026-08-07T01:00:00Z"),
        )
        .await;
    world
        .looked(&["erased"], Finding::Absent, at("2026-08-07T01:02:00Z"))
        .await;
    world
        .note("by-others", FileEvent::GoneByOthers, at("2026-08-08T01:00:00Z"))
        .await;
    world
        .note("vanished", FileEvent::FoundGone, at("2026-08-09T01:00:00Z"))
        .await;
    world.delete(&["early"], at("2026-08-10T01:00:00Z")).await;
}

/// Files whose ends are drawn, the same at every run: enough for a percentile to mean something.
async fn crowd(world: &Planted) {
    let mut seed = 20_261_125_u64;
    let mut draw = |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let begin = at("2026-06-01T00:00:00Z");
    let mut plants = Vec::new();
    let mut ends = Vec::new();
    for n in 0..240 {
        let due_at = hours(begin, draw(120 * 24) as i64);
        let plant = Plant {
            deadline: Some(hours(due_at, 24)),
            owner: Some(if n % 3 == 0 { "invoices" } else { "applications" }),
            ..due(&format!("crowd-{n}"), due_at)
        };
        let end = due_at.checked_add_millis(draw(40 * 3_600_000) as i64).unwrap();
        ends.push((plant.name.clone(), end, draw(4)));
        plants.push(plant);
    }
    world.record(&plants).await;
    for (name, end, fate) in ends {
        if end > at(NOW) {
            continue;
        }
        world.delete(&[&name], end).await;
        if fate > 0 {
            world.looked(&[&name], Finding::Absent, hours(end, 1)).await;
        }
    }
}

async fn open_ones(world: &Planted) {
    let summer = at("2026-07-20T00:00:00Z");
    let mut plants: Vec<Plant> = ["unknown", "deleting", "failed", "overdue", "held"]
        .map(|name| due(name, summer))
        .into();
    plants.push(due("waiting", at("2026-09-25T00:00:00Z")));
    plants.push(due("due-before-to", at("2026-09-30T21:59:59.999Z")));
    plants.push(due("due-at-to", at(TO)));
    plants.push(Plant {
        batch: "b2",
        ..due("held-by-batch", summer)
    });
    plants.push(Plant {
        owner: Some("drafts <b>&"),
        ..due("observed", summer)
    });
    world.record(&plants).await;
    world
        .ask(
            "applications",
            &["unknown"],
            FileEvent::Lost,
            "server-error",
            at("2026-09-02T01:00:00Z"),
        )
        .await;
    world
        .ask(
            "applications",
            &["failed"],
            FileEvent::GivenUp,
            "refused",
            at("2026-09-03T01:00:00Z"),
        )
        .await;
    let under_way = world
        .open("applications", at("2026-10-05T07:59:00Z"), None, Trigger::Manual)
        .await;
    world
        .claim(under_way, &["deleting"], at("2026-10-05T07:59:00Z"))
        .await;
}

/// Each night's sweep, apart from the nights of 10 to 12 August.
async fn sweeps(world: &Planted) {
    let mut night = at("2026-07-01T01:00:00Z");
    while night < at("2026-10-05T00:00:00Z") {
        let missing = at("2026-08-10T00:00:00Z") <= night && night < at("2026-08-13T00:00:00Z");
        let caught_up = at("2026-08-13T00:00:00Z") <= night && night < at("2026-08-14T00:00:00Z");
        if !missing {
            let (trigger, late) = if caught_up {
                (Trigger::CatchUp, 30)
            } else {
                (Trigger::Schedule, 0)
            };
            let begun = night.checked_add_millis(late * 60_000).unwrap();
            let sweep = world.open("applications", begun, Some(night), trigger).await;
            world
                .close(sweep, SweepState::Done, &SweepSummary::default(), hours(begun, 1))
                .await;
        }
        night = hours(night, 24);
    }
    for (state, begun, due) in [
        (SweepState::Stopped, "2026-08-21T01:30:00Z", 12),
        (SweepState::Cut, "2026-09-05T01:30:00Z", 7),
        (SweepState::Postponed, "2026-09-06T01:30:00Z", 3),
        (SweepState::Stopped, "2026-06-20T01:30:00Z", 99),
    ] {
        let sweep = world.open("applications", at(begun), None, Trigger::Manual).await;
        let summary = SweepSummary {
            due,
            note: Some("never in a report".to_owned()),
            ..SweepSummary::default()
        };
        world.close(sweep, state, &summary, hours(at(begun), 1)).await;
    }
}

async fn requests(world: &Planted) {
    let ledger = &world.ledger;
    let request = |reference: &str, scope, received: &str, entered: &str| {
        let new = NewErasure {
            scope,
            reference: reference.to_owned(),
            received: received.parse().unwrap(),
        };
        let entered = at(entered);
        async move { ledger.add_erasure(&new, entered).await.unwrap().erasure }
    };
    let subject = || ErasureScope::Subject("feedface".to_owned());
    request("DSR-1 Muster", subject(), "2026-08-05", "2026-08-06T08:00:00Z").await;
    assert_eq!(
        ledger
            .close_erased(at("2026-08-07T02:00:00Z"))
            .await
            .unwrap()
            .len(),
        1
    );
    request(
        "DSR-2 Muster",
        ErasureScope::File(id("overdue")),
        "2026-08-20",
        "2026-08-21T08:00:00Z",
    )
    .await;
    let by_hand = request(
        "DSR-3",
        ErasureScope::File(id("nowhere")),
        "2026-08-10",
        "2026-08-10T08:00:00Z",
    )
    .await;
    ledger
        .close_erasure(by_hand, "unknown person", at("2026-09-20T08:00:00Z"))
        .await
        .unwrap();
    let before = request(
        "DSR-0",
        ErasureScope::File(id("nowhere-2")),
        "2026-02-01",
        "2026-02-01T08:00:00Z",
    )
    .await;
    ledger
        .close_erasure(before, "over", at("2026-02-10T08:00:00Z"))
        .await
        .unwrap();
}

async fn plans(world: &Planted) {
    let ledger = &world.ledger;
    let batch = world.batch("b1").await;
    for (letter, made, given) in [
        ("a", "2026-07-22T01:00:00Z", Some("2026-07-23T09:00:00Z")),
        ("b", "2026-08-04T01:00:00Z", None),
        ("c", "2026-09-10T01:00:00Z", Some("2026-09-11T09:00:00Z")),
    ] {
        let sweep = world.open("applications", at(made), None, Trigger::Manual).await;
        let plan = StoredPlan {
            hash: letter.repeat(64),
            policy: policy("applications"),
            rules: world.checked.rules.digest.clone(),
            at: at(made),
            files: 1,
            waits_for: Some("a limit".to_owned()),
        };
        let files = [StoredFile {
            place: 0,
            key: FileKey {
                batch,
                file: id("overdue"),
            },
            batch: std::sync::Arc::new(address("b1")),
            starts_at: at("2026-01-20T00:00:00Z"),
            due_at: at("2026-07-20T00:00:00Z"),
        }];
        ledger.store_plan(&plan, &files, sweep).await.unwrap();
        let summary = SweepSummary {
            due: 1,
            plan: Some(plan.hash.clone()),
            ..SweepSummary::default()
        };
        world.close(sweep, SweepState::Stopped, &summary, at(made)).await;
        if let Some(given) = given {
            ledger
                .approve(&plan.hash, at(given), hours(at(given), 72))
                .await
                .unwrap();
        }
    }
    let sweep = world
        .open(
            "applications",
            at("2026-07-23T10:00:00Z"),
            None,
            Trigger::Approval,
        )
        .await;
    ledger
        .use_up(&"a".repeat(64), sweep, at("2026-07-23T10:00:00Z"))
        .await
        .unwrap();
    world
        .close(
            sweep,
            SweepState::Done,
            &SweepSummary::default(),
            at("2026-07-23T10:05:00Z"),
        )
        .await;
}
