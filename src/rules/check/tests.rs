use proptest::prelude::*;

use std::sync::Arc;

use super::*;
use crate::model::{
    Erasure, ErasureScope, EventScope, Hold, HoldScope, NewEvent, Occurred, Occurrence, PolicyName,
};
use crate::rules::decide::{Decision, Verdict, decide};
use crate::rules::fixtures::*;
use crate::rules::matching::{BatchGlob, Criteria, Matcher};
use crate::rules::period::RoundUp;
use crate::rules::plan::PlanBuilder;
use crate::rules::policy::{Fallback, StartEvent};

const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Africa/Cairo",
    "America/Havana",
    "Australia/Lord_Howe",
    "Pacific/Apia",
];

fn old_file() -> FileRecord {
    file(Classified::default()) // 2026-01-15T09:30Z
}

fn one(delete_after: &str) -> RuleSet {
    rules(vec![policy("p", of_classification("c1"), delete_after)], vec![])
}

fn ask(file: &FileRecord, rules: &RuleSet, now: &str) -> Result<(), Violation> {
    permits(file, rules, &no_holds(), at(now), Purpose::Send)
}

#[test]
fn a_civil_period_ends_when_the_date_is_later_than_its_last_day() {
    let rules = one("30 days");
    let not_ended = Err(Violation::NotEnded { rule: "p".to_owned() });
    assert_eq!(ask(&old_file(), &rules, "2026-02-14T22:59:59.999Z"), not_ended);
    assert_eq!(ask(&old_file(), &rules, "2026-02-14T23:00:00Z"), Ok(()));
}

#[test]
fn hours_end_to_the_millisecond() {
    let rules = one("72 hours");
    assert!(ask(&old_file(), &rules, "2026-01-18T09:29:59.999Z").is_err());
    assert_eq!(ask(&old_file(), &rules, "2026-01-18T09:30:00Z"), Ok(()));
}

#[test]
fn a_file_of_another_account_has_no_owner() {
    let now = "2026-11-23T00:00:00Z";
    let mut rules = one("30 days");
    assert_eq!(ask(&old_file(), &rules, now), Ok(()));
    let acme = crate::model::AccountName::new("acme").unwrap();
    let file = old_file();
    let theirs = FileRecord {
        batch: std::sync::Arc::new(crate::model::BatchAddress {
            account: Some(acme.clone()),
            ..(*file.batch).clone()
        }),
        ..file.clone()
    };
    assert_eq!(ask(&theirs, &rules, now), Err(Violation::NoOwner));
    rules.policies[0].account = Some(acme);
    assert_eq!(ask(&theirs, &rules, now), Ok(()));
    assert_eq!(ask(&file, &rules, now), Err(Violation::NoOwner));
}

#[test]
fn each_safety_rule_has_its_own_violation() {
    let now = "2026-11-23T00:00:00Z";
    let start = |rule: &str| Violation::Start {
        rule: rule.to_owned(),
    };
    let ended = |rule: &str| Violation::NotEnded {
        rule: rule.to_owned(),
    };
    let mut rules = one("30 days");
    let elsewhere = file(Classified {
        classification: "c2",
        ..Classified::default()
    });
    assert_eq!(ask(&elsewhere, &rules, now), Err(Violation::NoOwner));
    let future = file(Classified {
        uploaded_at: "2026-12-01T00:00:00Z",
        ..Classified::default()
    });
    assert_eq!(ask(&future, &rules, now), Err(start("p")));
    let before_id = file(Classified {
        file: "-OKI_FueqSWiExyfS310",
        uploaded_at: "2025-02-27T00:00:00Z",
        ..Classified::default()
    });
    assert_eq!(ask(&before_id, &rules, now), Err(start("p")));
    let holds = Holds::new([hold(4, HoldScope::Policy(PolicyName::new("p").unwrap()))]);
    assert_eq!(
        permits(&old_file(), &rules, &holds, at(now), Purpose::Send),
        Err(Violation::Held {
            hold: crate::model::HoldId(4)
        })
    );
    rules.floors = vec![floor("f", Matcher::Everything, "2 years")];
    assert_eq!(ask(&old_file(), &rules, now), Err(ended("f")));
    rules.floors = vec![floor("f", Matcher::Everything, "forever")];
    assert_eq!(ask(&old_file(), &rules, now), Err(ended("f")));
    rules.floors = vec![floor("f", Matcher::Everything, "1 day")];
    rules.floors[0].clock = PROCESSED;
    assert_eq!(ask(&old_file(), &rules, now), Err(start("f")));
    rules.floors.clear();
    rules.policies[0].mode = Mode::Observe;
    assert_eq!(
        ask(&old_file(), &rules, now),
        Err(Violation::NotEnforced {
            policy: "p".to_owned()
        })
    );
    assert_eq!(
        permits(&old_file(), &rules, &no_holds(), at(now), Purpose::Show),
        Ok(())
    );
}

/// A sound plan of four files, three of one batch.
fn sound(rules: &RuleSet) -> Plan {
    let holds = no_holds();
    let mut builder = PlanBuilder::new(&rules.policies[0], rules, &holds, 4, at("2026-11-23T00:00:00Z"));
    for (batch, id, uploaded_at) in [
        ("b1", "f1", "2026-01-01T00:00:00Z"),
        ("b1", "f2", "2026-01-02T00:00:00Z"),
        ("b2", "f1", "2026-01-03T00:00:00Z"),
        ("b1", "f3", "2026-01-04T00:00:00Z"),
    ] {
        builder.consider(&file(Classified {
            batch,
            file: id,
            uploaded_at,
            ..Classified::default()
        }));
    }
    builder.finish().unwrap()
}

#[test]
fn a_plan_with_one_wrong_file_is_refused() {
    let rules = one("30 days");
    let checked = |plan: &Plan, files| super::plan(plan, files, &rules.policies[0], &LIMITS, 0, false);
    let good = sound(&rules);
    assert_eq!(checked(&good, 4), Ok(()));
    assert_eq!(
        checked(&good, 5),
        Err(Violation::OverLimit { files: 5, allowed: 4 })
    );

    let mut undue = good.clone();
    undue.files[3].due_at = at("2026-11-23T00:00:00.001Z");
    assert_eq!(checked(&undue, 4), Err(Violation::PlannedEarly));

    let mut swapped = good.clone();
    swapped.files.swap(0, 1);
    assert_eq!(checked(&swapped, 4), Err(Violation::Disordered));

    let mut doubled = good.clone();
    doubled.files.insert(0, doubled.files[0].clone());
    assert_eq!(checked(&doubled, 4), Err(Violation::Disordered));

    // The same file under two due times stands in order, and is still there twice.
    let mut twice = good.clone();
    let mut again = twice.files[0].clone();
    again.due_at = at("2026-11-01T00:00:00Z");
    twice.files.push(again);
    assert_eq!(checked(&twice, 4), Err(Violation::Disordered));
}

#[test]
fn where_decide_and_the_checker_differ_there_is_no_plan() {
    // The rules say observe, the policy handed in says enforce: only the checker sees it.
    let enforcing = one("30 days");
    let mut observing = one("30 days");
    observing.policies[0].mode = Mode::Observe;
    let holds = no_holds();
    let mut builder = PlanBuilder::new(
        &enforcing.policies[0],
        &observing,
        &holds,
        1,
        at("2026-11-23T00:00:00Z"),
    );
    builder.consider(&old_file());
    assert_eq!(
        builder.finish().unwrap_err(),
        Violation::NotEnforced {
            policy: "p".to_owned()
        }
    );
}

// Random worlds: small enough for rules and files to meet, large enough to hold every kind of rule.

fn any_criteria() -> impl Strategy<Value = Criteria> {
    (
        proptest::option::of(Just(["c1".to_owned()].into())),
        proptest::option::weighted(0.1, Just(["e1".to_owned()].into())),
        proptest::option::of(proptest::sample::select(&["b1", "b*", "*2"][..])),
        proptest::option::of(Just(["resume".to_owned()].into())),
        proptest::option::of(proptest::sample::select(&["hr", "finance"][..])),
    )
        .prop_map(
            |(classification, extraction, batch, document_type, label)| Criteria {
                classification,
                extraction,
                batch: batch.map(|glob| vec![BatchGlob::new(glob).unwrap()]),
                document_type,
                labels: label
                    .map(|value| ("kind".to_owned(), [value.to_owned()].into()))
                    .into_iter()
                    .collect(),
            },
        )
}

fn any_matcher() -> impl Strategy<Value = Matcher> {
    prop_oneof![
        1 => Just(Matcher::Everything),
        3 => (any_criteria(), proptest::option::weighted(0.3, any_criteria()))
            .prop_map(|(all_of, except)| Matcher::Where { all_of, except }),
    ]
}

fn any_period() -> impl Strategy<Value = Period> {
    prop_oneof![
        (1_i64..4000).prop_map(|hours| Period::Exact {
            millis: hours * 3_600_000
        }),
        (0_u16..3, 0_u16..14, 1_u32..90).prop_map(|(years, months, days)| Period::Civil {
            years,
            months,
            days
        }),
    ]
}

fn any_start() -> impl Strategy<Value = StartEvent> {
    prop_oneof![
        Just(StartEvent::Uploaded),
        Just(StartEvent::Processed),
        Just(ended()),
        Just(StartEvent::Event("document-date".parse().unwrap())),
    ]
}

fn ended() -> StartEvent {
    StartEvent::Event("contract-ended".parse().unwrap())
}

fn any_clock() -> impl Strategy<Value = StartClock> {
    let rounds = [RoundUp::Day, RoundUp::Month, RoundUp::Quarter, RoundUp::Year];
    let fallback = (any_start(), any_period()).prop_map(|(start, add)| Fallback { start, add });
    (
        any_start(),
        proptest::option::of(proptest::sample::select(rounds.to_vec())),
        proptest::option::of(fallback),
    )
        .prop_map(|(start, round_up, fallback)| StartClock {
            start,
            round_up,
            fallback,
        })
}

/// As `config` would have it: no rounding of hours, and mostly time of one kind added.
fn fit(clock: &mut StartClock, period: Period) {
    if !period.is_civil() {
        clock.round_up = None;
    }
    let other_kind = clock
        .fallback
        .as_ref()
        .is_some_and(|f| f.add.is_civil() != period.is_civil());
    // One mixed pair in some stays, to see that both refuse it.
    if other_kind && clock.start != ended() {
        clock.fallback = None;
    }
}

fn any_policy() -> impl Strategy<Value = Policy> {
    (any_matcher(), any_clock(), any_period(), any::<bool>()).prop_map(|(matcher, clock, period, enforce)| {
        let mut policy = policy("p", matcher, "1 day");
        policy.delete_after = period;
        policy.clock = clock;
        fit(&mut policy.clock, period);
        policy.mode = if enforce { Mode::Enforce } else { Mode::Observe };
        policy
    })
}

fn any_floor() -> impl Strategy<Value = Floor> {
    (
        any_matcher(),
        any_clock(),
        proptest::option::weighted(0.9, any_period()),
        any::<bool>(),
    )
        .prop_map(|(matcher, clock, period, binding)| {
            let mut floor = floor("f", matcher, "forever");
            floor.binding = binding;
            floor.clock = clock;
            if let Some(period) = period {
                floor.keep_for = KeepFor::Period(period);
                fit(&mut floor.clock, period);
            }
            floor
        })
}

fn any_rules() -> impl Strategy<Value = RuleSet> {
    (
        proptest::sample::select(&ZONES[..]),
        proptest::collection::vec(any_policy(), 1..4),
        proptest::collection::vec(any_floor(), 0..3),
    )
        .prop_map(|(zone, mut policies, mut floors)| {
            for (n, policy) in policies.iter_mut().enumerate() {
                policy.name = PolicyName::new(format!("p{n}")).unwrap();
            }
            for (n, floor) in floors.iter_mut().enumerate() {
                floor.name = PolicyName::new(format!("f{n}")).unwrap();
            }
            rules_in(zone, policies, floors)
        })
}

fn any_file() -> impl Strategy<Value = FileRecord> {
    (
        proptest::sample::select(&["c1", "c2"][..]),
        proptest::sample::select(&["b1", "b2", "x1"][..]),
        proptest::sample::select(&["f1", "f2", "-OKI_FueqSWiExyfS310"][..]),
        proptest::option::of(proptest::sample::select(&["resume", "invoice"][..])),
        proptest::sample::select(vec![&[][..], &[("kind", "hr")], &[("kind", "finance")]]),
        1_500_000_000_000_i64..1_790_000_000_000,
        proptest::option::weighted(0.8, -100_000_000_i64..400_000_000),
        0_u8..5,
        any_events(),
    )
        .prop_map(
            |(classification, batch, id, document_type, labels, uploaded, processed, shape, events)| {
                let mut record = file(Classified {
                    classification,
                    batch,
                    file: id,
                    document_type,
                    labels,
                    ..Classified::default()
                });
                record.uploaded_at = Timestamp::from_millis(uploaded).unwrap();
                record.processed_at =
                    processed.map(|after| Timestamp::from_millis(uploaded + after).unwrap());
                record.occurred = Arc::new(events.iter().fold(Occurred::default(), |occurred, event| {
                    occurred.with(&NewEvent {
                        at: event.at.checked_add_millis(uploaded).unwrap(),
                        ..event.clone()
                    })
                }));
                match shape {
                    0 => copy_of(&record, "e1", "eb1", "g1"),
                    1 => FileRecord {
                        batch: extracted("e1", batch, id).batch,
                        ..record
                    },
                    _ => record,
                }
            },
        )
}

/// Their times count from the upload.
fn any_events() -> impl Strategy<Value = Vec<NewEvent>> {
    let event = (
        proptest::sample::select(&["contract-ended", "document-date"][..]),
        proptest::sample::select(&["f1", "f2"][..]),
        -40_000_000_000_i64..40_000_000_000,
    )
        .prop_map(|(name, scope, after)| NewEvent {
            name: name.parse().unwrap(),
            scope: EventScope::File(scope.parse().unwrap()),
            at: Timestamp::from_millis(after).unwrap(),
            reason: None,
        });
    proptest::collection::vec(event, 0..4)
}

fn any_hold() -> impl Strategy<Value = Option<Hold>> {
    proptest::option::weighted(
        0.3,
        prop_oneof![
            Just(HoldScope::File("f1".parse().unwrap())),
            Just(HoldScope::Batch("b2".parse().unwrap())),
            Just(HoldScope::Label {
                key: "kind".to_owned(),
                value: "hr".to_owned()
            }),
            Just(HoldScope::Policy("p1".parse().unwrap())),
        ]
        .prop_map(|scope| hold(1, scope)),
    )
}

fn any_request() -> impl Strategy<Value = Erasure> {
    prop_oneof![
        Just(ErasureScope::File("f1".parse().unwrap())),
        Just(ErasureScope::Batch("b1".parse().unwrap())),
        Just(ErasureScope::Subject("somebody".to_owned())),
    ]
    .prop_map(|scope| Erasure {
        // Before every file.
        placed_at: Timestamp::from_millis(0).unwrap(),
        ..erasure(1, scope)
    })
}

/// The second turn of a midnight that comes twice: due there, permitted from the first on.
const DOUBLE_MIDNIGHT: i64 = 3_600_000;

fn near_due(decision: &Decision, now: Timestamp) -> bool {
    decision
        .due_at
        .is_some_and(|due| due > now && due.millis_since(now) <= DOUBLE_MIDNIGHT)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// Asked right at the due time, a moment before, and at any other time.
    #[test]
    fn checker_and_decision_agree(file in any_file(), rules in any_rules(), hold in any_hold(),
            other in 0_i64..60_000_000_000) {
        let holds = Holds::new(hold);
        let anchor = decide(&file, &rules, &Holds::default(), at("2090-01-01T00:00:00Z"));
        let mut times = vec![file.uploaded_at.checked_add_millis(other).unwrap()];
        if let Some(due) = anchor.due_at {
            times.extend([due, due.checked_add_millis(-1).unwrap(), due.checked_add_millis(1).unwrap()]);
        }
        for now in times {
            let decision = decide(&file, &rules, &holds, now);
            let send = permits(&file, &rules, &holds, now, Purpose::Send);
            let show = permits(&file, &rules, &holds, now, Purpose::Show);
            prop_assert_eq!(send.is_ok() || near_due(&decision, now) && show.is_ok(),
                decision.verdict == Verdict::Due || near_due(&decision, now) && show.is_ok(), "{:?} {:?}", decision, send);
            let due = matches!(decision.verdict, Verdict::Due | Verdict::DueObserved);
            prop_assert!(!due || show.is_ok(), "{decision:?} {show:?}");
            prop_assert!(due || show.is_err() || near_due(&decision, now), "{decision:?}");
            if due {
                prop_assert!(now >= file.uploaded_at);
                prop_assert!(decision.due_at.unwrap() <= now && decision.deadline_at.unwrap() > decision.due_at.unwrap());
            }
        }
    }

    /// Also of what an erasure request takes, right when the last binding floor ends and at any other time.
    #[test]
    fn checker_and_decision_agree_on_requests(mut file in any_file(), rules in any_rules(), hold in any_hold(),
            request in any_request(), named in any::<bool>(), other in 0_i64..60_000_000_000) {
        file.subject = named.then(|| "somebody".to_owned());
        let holds = Holds::new(hold).with_erasures([request]);
        let mut times = vec![file.uploaded_at.checked_add_millis(other).unwrap()];
        let before = decide(&file, &rules, &holds, times[0]);
        if let (Verdict::Bound { .. }, Some(due)) = (&before.verdict, before.due_at) {
            times.extend([due, due.checked_add_millis(-1).unwrap(), due.checked_add_millis(1).unwrap()]);
        }
        for now in times {
            let decision = decide(&file, &rules, &holds, now);
            let erase = permits(&file, &rules, &holds, now, Purpose::Erase);
            let goes = matches!(decision.verdict, Verdict::Due | Verdict::Erasure { .. });
            let goes = goes && decision.erasure.is_some();
            prop_assert!(!goes || erase.is_ok(), "{decision:?} {erase:?}");
            prop_assert!(goes || erase.is_err() || near_due(&decision, now), "{decision:?}");
        }
    }

    /// A later start never makes a file due sooner.
    #[test]
    fn due_is_monotone_in_the_start(file in any_file(), rules in any_rules(), later in 0_i64..4_000_000_000) {
        let mut second = file.clone();
        second.uploaded_at = file.uploaded_at.checked_add_millis(later).unwrap();
        second.processed_at = file.processed_at.map(|at| at.checked_add_millis(later).unwrap());
        second.occurred = Arc::new(Occurred::new(file.occurred.all().iter().map(|record| Occurrence {
            at: record.at.checked_add_millis(later).unwrap(),
            ..record.clone()
        }).collect()));
        let due = |file: &FileRecord| crate::rules::decide::hint(file, &rules).due_at;
        if let (Some(first), Some(second)) = (due(&file), due(&second)) {
            prop_assert!(first <= second);
        }
    }

    /// Every verdict is reached by these worlds: the agreement above is not vacuous.
    #[test]
    fn hints_agree_with_decisions(file in any_file(), rules in any_rules()) {
        let hint = crate::rules::decide::hint(&file, &rules);
        let decision = decide(&file, &rules, &Holds::default(), at("2090-01-01T00:00:00Z"));
        prop_assert_eq!(hint.owner, decision.owner);
        prop_assert_eq!(hint.due_at, decision.due_at);
        prop_assert_eq!(hint.deadline_at, decision.deadline_at);
    }
}

/// The random worlds hold every verdict, or the agreement proves little.
#[test]
fn random_worlds_reach_every_verdict() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let strategy = (
        any_file(),
        any_rules(),
        any_hold(),
        proptest::option::of(any_request()),
    );
    let mut seen = std::collections::BTreeMap::new();
    for n in 0..4000_i64 {
        let (file, rules, hold, request) = strategy.new_tree(&mut runner).unwrap().current();
        let holds = Holds::new(hold).with_erasures(request);
        let now = file
            .uploaded_at
            .checked_add_millis(n * 20_000_000 - 1_000_000)
            .unwrap();
        let verdict = decide(&file, &rules, &holds, now).verdict;
        *seen
            .entry(
                format!("{verdict:?}")
                    .split(['{', '('])
                    .next()
                    .unwrap()
                    .trim()
                    .to_owned(),
            )
            .or_insert(0) += 1;
    }
    for (verdict, least) in [
        ("Due", 50),
        ("DueObserved", 50),
        ("NotYet", 50),
        ("Held", 50),
        ("KeptForever", 50),
        ("Unowned", 50),
        ("NotEligible", 50),
        ("Erasure", 50),
        ("Bound", 10),
    ] {
        assert!(
            seen.get(verdict).is_some_and(|count| *count > least),
            "{verdict} in {seen:?}"
        );
    }
}
