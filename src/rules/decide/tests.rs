use std::sync::Arc;

use super::*;
use crate::model::HoldScope;
use crate::rules::fixtures::*;
use crate::rules::lines::Lines;
use crate::rules::matching::Matcher;
use crate::rules::period::RoundUp;
use crate::rules::policy::{Floor, StartClock, StartEvent};

const DUE: &str = "2026-02-14T23:00:00Z"; // 30 days after 2026-01-15 in Berlin

fn plain() -> FileRecord {
    file(Classified::default())
}

fn one_policy() -> RuleSet {
    rules(vec![policy("p", Matcher::Everything, "30 days")], vec![])
}

fn asked(rules: &RuleSet, holds: &Holds, now: &str) -> Decision {
    decide(&plain(), rules, holds, at(now))
}

#[test]
fn a_file_is_due_from_the_start_of_the_day_after_and_not_a_millisecond_sooner() {
    let rules = one_policy();
    let before = asked(&rules, &no_holds(), "2026-02-14T22:59:59.999Z");
    assert_eq!((before.verdict, before.due_at), (Verdict::NotYet, Some(at(DUE))));
    let now = asked(&rules, &no_holds(), DUE);
    assert_eq!(now.verdict, Verdict::Due);
    assert_eq!(now.deadline_at, Some(at("2026-02-15T23:00:00Z")));
    assert_eq!(now.starts_at, Some(at("2026-01-15T09:30:00Z")));
}

#[test]
fn an_observing_policy_says_so() {
    let mut rules = one_policy();
    rules.policies[0].mode = Mode::Observe;
    assert_eq!(asked(&rules, &no_holds(), DUE).verdict, Verdict::DueObserved);
    let holds = Holds::new([hold(7, HoldScope::File(plain().key.file))]);
    let held = Verdict::Held {
        hold: HoldId(7),
        due: true,
    };
    assert_eq!(asked(&rules, &holds, DUE).verdict, held);
}

#[test]
fn the_first_policy_that_matches_owns_the_file() {
    let rules = rules(
        vec![
            policy("other", of_classification("c2"), "1 day"),
            policy("first", of_classification("c1"), "60 days"),
            policy("last", Matcher::Everything, "1 day"),
        ],
        vec![],
    );
    let decision = asked(&rules, &no_holds(), DUE);
    assert_eq!(decision.owner.unwrap().as_str(), "first");
    assert_eq!(decision.verdict, Verdict::NotYet);
}

#[test]
fn a_policy_owns_the_files_of_its_account_only() {
    let acme = crate::model::AccountName::new("acme").unwrap();
    let mut theirs = policy("theirs", Matcher::Everything, "1 day");
    theirs.account = Some(acme.clone());
    let rules = rules(
        vec![theirs, policy("own", Matcher::Everything, "60 days")],
        vec![],
    );
    let owner = |file: &FileRecord| owner_of(file, &rules).map(|policy| policy.name.to_string());
    let own = file(Classified::default());
    assert_eq!(owner(&own).as_deref(), Some("own"));
    let lies_in = |account: crate::model::AccountName| FileRecord {
        batch: std::sync::Arc::new(crate::model::BatchAddress {
            account: Some(account),
            ..(*own.batch).clone()
        }),
        ..own.clone()
    };
    assert_eq!(owner(&lies_in(acme)).as_deref(), Some("theirs"));
    assert_eq!(
        owner(&lies_in(crate::model::AccountName::new("globex").unwrap())),
        None
    );
}

/// Each pair of hold, floor, owner and unowned, in both orders where order could matter.
#[test]
fn hold_then_floor_for_ever_then_owner_then_unowned_decides() {
    let owner = || vec![policy("p", Matcher::Everything, "30 days")];
    let nobody = || vec![policy("p", of_classification("c9"), "30 days")];
    let held = |due| Verdict::Held { hold: HoldId(7), due };
    let forever = || Verdict::KeptForever {
        floor: PolicyName::new("f").unwrap(),
    };
    let ever = || vec![floor("f", Matcher::Everything, "forever")];
    let long = || vec![floor("f", Matcher::Everything, "60 days")];
    let short = || vec![floor("f", Matcher::Everything, "1 day")];
    let elsewhere = || vec![floor("f", of_classification("c9"), "forever")];
    for (policies, floors, hold_it, expected) in [
        (owner(), vec![], false, Verdict::Due),
        (owner(), vec![], true, held(true)),
        (owner(), short(), false, Verdict::Due),
        (owner(), short(), true, held(true)),
        (owner(), long(), false, Verdict::NotYet),
        (owner(), long(), true, held(false)),
        (owner(), ever(), false, forever()),
        (owner(), ever(), true, held(false)),
        (owner(), elsewhere(), false, Verdict::Due),
        (owner(), [ever(), long()].concat(), false, forever()),
        (owner(), [long(), ever()].concat(), false, forever()),
        (nobody(), vec![], false, Verdict::Unowned),
        (nobody(), vec![], true, held(false)),
        (nobody(), short(), false, Verdict::Unowned),
        (nobody(), long(), false, Verdict::Unowned),
        (nobody(), ever(), false, forever()),
        (nobody(), ever(), true, held(false)),
    ] {
        let rules = rules(policies, floors);
        let holds = Holds::new(hold_it.then(|| hold(7, HoldScope::File(plain().key.file))));
        let decision = asked(&rules, &holds, DUE);
        assert_eq!(decision.verdict, expected, "{rules:?} held: {hold_it}");
    }
}

#[test]
fn the_latest_of_owner_and_floors_is_the_due_time() {
    let decide_with = |floors: Vec<Floor>| {
        let rules = rules(vec![policy("p", Matcher::Everything, "30 days")], floors);
        let decision = asked(&rules, &no_holds(), DUE);
        (
            decision.due_at.unwrap().to_string(),
            decision.floor.map(String::from),
        )
    };
    let short = floor("short", Matcher::Everything, "1 day");
    let mid = floor("mid", Matcher::Everything, "40 days");
    let long = floor("long", Matcher::Everything, "50 days");
    let other = floor("other", of_classification("c9"), "8 years");
    let none = (DUE.to_owned(), None);
    let by = |due: &str, floor: &str| (due.to_owned(), Some(floor.to_owned()));
    assert_eq!(decide_with(vec![]), none);
    assert_eq!(decide_with(vec![short.clone(), other.clone()]), none);
    assert_eq!(
        decide_with(vec![mid.clone(), short.clone()]),
        by("2026-02-24T23:00:00Z", "mid")
    );
    assert_eq!(
        decide_with(vec![long.clone(), mid.clone()]),
        by("2026-03-06T23:00:00Z", "long")
    );
    assert_eq!(
        decide_with(vec![mid, long, short]),
        by("2026-03-06T23:00:00Z", "long")
    );
}

#[test]
fn the_deadline_counts_from_the_start_and_never_comes_before_the_due_time() {
    let deadline = |delete_by: Option<&str>, floors: Vec<Floor>| {
        let mut rules = rules(vec![policy("p", Matcher::Everything, "30 days")], floors);
        rules.policies[0].delete_by = delete_by.map(period);
        asked(&rules, &no_holds(), DUE).deadline_at.unwrap().to_string()
    };
    let floor = || vec![floor("f", Matcher::Everything, "40 days")]; // due 2026-02-24T23:00Z
    assert_eq!(deadline(None, vec![]), "2026-02-15T23:00:00Z");
    assert_eq!(deadline(Some("37 days"), vec![]), "2026-02-21T23:00:00Z");
    assert_eq!(deadline(None, floor()), "2026-02-25T23:00:00Z");
    assert_eq!(deadline(Some("37 days"), floor()), "2026-02-25T23:00:00Z");
    assert_eq!(deadline(Some("40 days"), floor()), "2026-02-25T23:00:00Z");
    assert_eq!(deadline(Some("50 days"), floor()), "2026-03-06T23:00:00Z");
}

#[test]
fn doubt_about_a_start_keeps_the_file() {
    let processed = |rules: &mut RuleSet| rules.policies[0].clock = PROCESSED;
    let id = "-OKI_FueqSWiExyfS310"; // made 2025-03-01T21:20:32.426Z
    let of = |uploaded_at, processed_at, file_id| {
        file(Classified {
            uploaded_at,
            processed_at,
            file: file_id,
            ..Classified::default()
        })
    };
    let now = "2026-11-23T00:00:00Z";
    let verdict = |record: &FileRecord, by_processed: bool| {
        let mut rules = one_policy();
        if by_processed {
            processed(&mut rules);
        }
        let decision = decide(record, &rules, &no_holds(), at(now));
        let hint = hint(record, &rules);
        if matches!(decision.verdict, Verdict::NotEligible(_)) {
            assert_eq!((decision.due_at, decision.deadline_at), (None, None));
        }
        if !matches!(decision.verdict, Verdict::NotEligible(Doubt::FutureStart)) {
            assert_eq!(
                (hint.due_at, hint.deadline_at),
                (decision.due_at, decision.deadline_at)
            );
        }
        decision.verdict
    };
    let doubt = Verdict::NotEligible;
    assert_eq!(
        verdict(&of("2025-03-01T21:00:00Z", None, id), true),
        doubt(Doubt::NoStart)
    );
    assert_eq!(
        verdict(&of("2026-11-23T00:00:00.001Z", None, "f"), false),
        doubt(Doubt::FutureStart)
    );
    assert_eq!(verdict(&of(now, None, "f"), false), Verdict::NotYet);
    assert_eq!(
        verdict(&of("2025-02-28T21:20:32.425Z", None, id), false),
        doubt(Doubt::BeforeId)
    );
    assert_eq!(
        verdict(&of("2025-02-28T21:20:32.426Z", None, id), false),
        Verdict::Due
    );
    assert_eq!(
        verdict(
            &of("2025-03-01T21:20:00Z", Some("2025-02-28T21:19:59.999Z"), id),
            true
        ),
        doubt(Doubt::BeforeUpload)
    );
    let skewed = of("2025-03-01T21:20:00Z", Some("2025-02-28T21:20:00Z"), id);
    assert_eq!(verdict(&skewed, true), Verdict::Due);
    let mut by_processing = one_policy();
    processed(&mut by_processing);
    assert_eq!(
        decide(&skewed, &by_processing, &no_holds(), at(now)).starts_at,
        Some(skewed.uploaded_at),
        "nothing is processed before it is uploaded"
    );
    assert_eq!(
        verdict(
            &of("2025-03-01T21:20:00Z", Some("2025-03-01T21:21:00Z"), id),
            true
        ),
        Verdict::Due
    );
    let mut rules = one_policy();
    rules.policies[0].delete_after = period("1000 years");
    let late = of("9500-01-01T00:00:00Z", None, "f");
    let decision = decide(&late, &rules, &no_holds(), at("9600-01-01T00:00:00Z"));
    assert_eq!(decision.verdict, doubt(Doubt::OutOfCalendar));
    assert_eq!(hint(&late, &rules).due_at, None);
}

#[test]
fn a_floor_whose_start_is_not_known_keeps_the_file() {
    let mut keep = floor("f", Matcher::Everything, "1 day");
    keep.clock = PROCESSED;
    let rules = rules(vec![policy("p", Matcher::Everything, "30 days")], vec![keep]);
    assert_eq!(
        asked(&rules, &no_holds(), "2030-01-01T00:00:00Z").verdict,
        Verdict::NotEligible(Doubt::NoStart)
    );
}

#[test]
fn a_copy_is_owned_held_and_timed_as_its_original() {
    let rules = rules(vec![policy("p", of_classification("c1"), "30 days")], vec![]);
    // The copy's id was made two days after the upload of its original: no doubt.
    let original = file(Classified {
        uploaded_at: "2025-02-27T12:00:00Z",
        ..Classified::default()
    });
    let copy = copy_of(&original, "e1", "eb1", "-OKI_FueqSWiExyfS310");
    let now = at("2026-11-23T00:00:00Z");
    let plain = decide(&original, &rules, &no_holds(), now);
    let other = decide(&copy, &rules, &no_holds(), now);
    assert_eq!(plain, other);
    assert_eq!(other.verdict, Verdict::Due);
    let holds = Holds::new([hold(1, HoldScope::File(original.key.file.clone()))]);
    assert_eq!(
        decide(&copy, &rules, &holds, now).verdict,
        Verdict::Held {
            hold: HoldId(1),
            due: true
        }
    );
}

#[test]
fn a_hold_keeps_through_its_cool_down_and_no_longer() {
    let mut cooling = hold(3, HoldScope::Policy(PolicyName::new("p").unwrap()));
    cooling.released_at = Some(at("2026-02-20T00:00:00Z"));
    cooling.ends_at = Some(at("2026-02-21T00:00:00Z"));
    let holds = Holds::new([cooling]);
    let rules = one_policy();
    let verdict = |now: &str| asked(&rules, &holds, now).verdict;
    let held = Verdict::Held {
        hold: HoldId(3),
        due: true,
    };
    assert_eq!(verdict("2026-02-20T23:59:59.999Z"), held);
    assert_eq!(verdict("2026-02-21T00:00:00Z"), Verdict::Due);
}

#[test]
fn an_explanation_decides_as_the_decision_does_and_says_every_step() {
    let mut rules = rules(
        vec![
            policy("other", of_classification("c9"), "1 day"),
            policy("invoices", Matcher::Everything, "6 months"),
        ],
        vec![floor("tax originals", Matcher::Everything, "8 years")],
    );
    rules.policies[1].delete_by = Some(period("6 months 14 days"));
    rules.floors[0].basis = Some("§ 147 AO".to_owned());
    rules.floors[0].clock = StartClock {
        start: StartEvent::Uploaded,
        round_up: Some(RoundUp::Year),
        fallback: None,
    };
    let mut lines = Lines::default();
    let (invoices, tax) = (&rules.policies[1].name, &rules.floors[0].name);
    lines.put(None, "timezone".to_owned(), 1);
    for (key, line) in [
        ("match", 9),
        ("delete_after", 10),
        ("delete_by", 11),
        ("mode", 12),
    ] {
        lines.put(Some(invoices), key.to_owned(), line);
    }
    for (key, line) in [("clock", 19), ("clock.start", 20), ("clock.round_up", 21)] {
        lines.put(Some(tax), key.to_owned(), line);
    }
    rules.lines = Arc::new(lines);
    let invoice = file(Classified {
        uploaded_at: "2026-03-05T09:00:00Z",
        ..Classified::default()
    });
    let now = at("2026-11-23T20:05:00Z");
    let told = explain(&invoice, &rules, &no_holds(), now);
    let steps: Vec<String> = told
        .steps
        .iter()
        .map(|s| format!("{} {}: {}", s.step, s.source.shown("p"), s.text))
        .collect();
    assert_eq!(
        steps,
        [
            "hold ledger: no hold covers it",
            "erasure ledger: no erasure request covers it",
            "owner p:9: policy `invoices` owns it: number 2 of 2, the first that matches",
            "start default clock: the period starts with the upload: 2026-03-05T09:00:00Z (2026-03-05 10:00 in Europe/Berlin)",
            "zone p:1: days are those of Europe/Berlin",
            "period p:10: 6 months counted from 2026-03-05, which itself does not count; 2026-09-05 is the last day: the period ends 2026-09-05T22:00:00Z (2026-09-06 00:00 in Europe/Berlin)",
            "floor default match: floor `tax originals` (§ 147 AO) covers it",
            "start p:20: the period starts with the upload: 2026-03-05T09:00:00Z (2026-03-05 10:00 in Europe/Berlin)",
            "rounding p:21: 2026-03-05 is rounded up to the last day of its year: 2026-12-31",
            "keep default keep_for: 8 years counted from 2026-12-31, which itself does not count; 2034-12-31 is the last day: it keeps until 2034-12-31T23:00:00Z (2035-01-01 00:00 in Europe/Berlin), later than what was found so far: it postpones",
            "deadline p:11: overdue from 2035-01-01T23:00:00Z (2035-01-02 00:00 in Europe/Berlin): 24 hours after it is due, because 6 months 14 days from the same start ends before that or together with it",
            "mode p:12: policy `invoices` enforces, and it is not due before 2034-12-31T23:00:00Z",
        ]
    );
    let silent = decide(&invoice, &rules, &no_holds(), now);
    assert!(silent.steps.is_empty());
    assert_eq!(
        Decision {
            steps: vec![],
            ..told
        },
        silent
    );
    let holds = Holds::new([hold(12, HoldScope::Batch(invoice.batch.batch.clone()))]);
    assert_eq!(
        explain(&invoice, &rules, &holds, now).steps[0].text,
        "hold 12 (litigation) covers it since 2026-02-01T00:00:00Z and keeps it until it is released"
    );
}
