//! Every pair of what can have a say over a file: both in force, and the one that comes first over.
//!
//! The tables are exhaustive matches: a pair that is left out does not compile.

use super::*;
use crate::model::{ErasureScope, HoldScope};
use crate::rules::fixtures::*;
use crate::rules::matching::Matcher;

/// When a policy of 30 days has ended for the file, and a floor of 60 days has not.
const NOW: &str = "2026-02-14T23:00:00Z";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Say {
    Hold,
    Erasure,
    BindingFloor,
    Floor,
    Owner,
    Unowned,
}

use Say::{BindingFloor, Erasure, Floor, Hold, Owner, Unowned};

const ALL: [Say; 6] = [Hold, Erasure, BindingFloor, Floor, Owner, Unowned];

/// Whether a say is in force, or was and is over (an owner's is not begun).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Force {
    Now,
    Over,
}

fn held(due: bool) -> Verdict {
    Verdict::Held { hold: HoldId(7), due }
}

fn erased() -> Verdict {
    Verdict::Erasure {
        request: ErasureId(3),
    }
}

fn bound() -> Verdict {
    Verdict::Bound {
        request: ErasureId(3),
        floor: PolicyName::new("binding").unwrap(),
    }
}

/// Both in force. `None`: no such pair.
fn both(first: Say, second: Say) -> Option<Verdict> {
    Some(match (first, second) {
        (Hold, Hold)
        | (Erasure, Erasure)
        | (BindingFloor, BindingFloor)
        | (Floor, Floor)
        | (Owner, Owner | Unowned)
        | (Unowned, Owner | Unowned) => return None,
        (Hold, Erasure) | (Erasure, Hold) => held(true),
        (Hold, BindingFloor) | (BindingFloor, Hold) => held(false),
        (Hold, Floor) | (Floor, Hold) => held(false),
        (Hold, Owner) | (Owner, Hold) => held(true),
        (Hold, Unowned) | (Unowned, Hold) => held(false),
        (Erasure, BindingFloor) | (BindingFloor, Erasure) => bound(),
        (Erasure, Floor) | (Floor, Erasure) => erased(),
        // Both say that it goes, and either's sweep may take it.
        (Erasure, Owner) | (Owner, Erasure) => Verdict::Due,
        (Erasure, Unowned) | (Unowned, Erasure) => erased(),
        // Nobody owns the file.
        (BindingFloor, Floor) | (Floor, BindingFloor) => Verdict::Unowned,
        (BindingFloor, Owner) | (Owner, BindingFloor) => Verdict::NotYet,
        (BindingFloor, Unowned) | (Unowned, BindingFloor) => Verdict::Unowned,
        (Floor, Owner) | (Owner, Floor) => Verdict::NotYet,
        (Floor, Unowned) | (Unowned, Floor) => Verdict::Unowned,
    })
}

/// The first is over, the second in force. `None`: no such pair.
fn after(over: Say, left: Say) -> Option<Verdict> {
    Some(match (over, left) {
        (Hold, Hold)
        | (Erasure, Erasure)
        | (BindingFloor, BindingFloor)
        | (Floor, Floor)
        | (Owner, Owner | Unowned)
        // To have no owner never ends.
        | (Unowned, Hold | Erasure | BindingFloor | Floor | Owner | Unowned) => return None,
        (Hold | BindingFloor | Floor, Erasure) => erased(),
        (Hold | Erasure | BindingFloor | Floor, Owner) => Verdict::Due,
        (Hold | Erasure | BindingFloor | Floor, Unowned) => Verdict::Unowned,
        (Erasure | BindingFloor | Floor | Owner, Hold) => held(false),
        (Hold | Erasure | Floor, BindingFloor) => Verdict::Unowned,
        (Hold | Erasure | BindingFloor, Floor) => Verdict::Unowned,
        (Owner, Erasure) => erased(),
        (Owner, BindingFloor | Floor) => Verdict::NotYet,
    })
}

fn decided(says: [(Say, Force); 2]) -> Decision {
    let file = file(Classified::default());
    let (mut policies, mut floors) = (
        vec![policy("other", of_classification("c9"), "1 day")],
        Vec::new(),
    );
    let (mut holds, mut requests) = (Vec::new(), Vec::new());
    for (say, force) in says {
        let over = force == Force::Over;
        let floor_of = |name: &str, binding| {
            let mut floor = floor(
                name,
                Matcher::Everything,
                if over { "20 days" } else { "60 days" },
            );
            floor.binding = binding;
            floor
        };
        match say {
            Hold => {
                let mut hold = hold(7, HoldScope::File(file.key.file.clone()));
                hold.ends_at = over.then(|| at(NOW));
                holds.push(hold);
            }
            Erasure => {
                let mut request = erasure(3, ErasureScope::File(file.key.file.clone()));
                request.closed_at = over.then(|| at(NOW));
                requests.push(request);
            }
            BindingFloor => floors.push(floor_of("binding", true)),
            Floor => floors.push(floor_of("floor", false)),
            Owner => policies.push(policy(
                "owner",
                Matcher::Everything,
                if over { "90 days" } else { "30 days" },
            )),
            Unowned => {}
        }
    }
    let rules = rules(policies, floors);
    let holds = Holds::new(holds).with_erasures(requests);
    let decision = decide(&file, &rules, &holds, at(NOW));
    // Whatever is decided, the second road agrees.
    use crate::rules::check::{Purpose, permits};
    let sends = permits(&file, &rules, &holds, at(NOW), Purpose::Send).is_ok();
    assert_eq!(sends, decision.verdict == Verdict::Due, "{says:?}");
    let erases = permits(&file, &rules, &holds, at(NOW), Purpose::Erase).is_ok();
    let goes = matches!(decision.verdict, Verdict::Due | Verdict::Erasure { .. });
    assert_eq!(erases, goes && decision.erasure.is_some(), "{says:?}");
    decision
}

#[test]
fn of_every_pair_the_one_that_comes_first_decides() {
    let mut pairs = 0;
    for first in ALL {
        for second in ALL {
            let Some(expected) = both(first, second) else {
                continue;
            };
            let decision = decided([(first, Force::Now), (second, Force::Now)]);
            assert_eq!(decision.verdict, expected, "{first:?} and {second:?}");
            pairs += 1;
        }
    }
    assert_eq!(pairs, 28, "14 pairs, written in either order");
}

#[test]
fn of_every_pair_the_other_decides_once_the_first_is_over() {
    let mut pairs = 0;
    for over in ALL {
        for left in ALL {
            let Some(expected) = after(over, left) else {
                continue;
            };
            let decision = decided([(over, Force::Over), (left, Force::Now)]);
            assert_eq!(decision.verdict, expected, "{left:?} after {over:?}");
            pairs += 1;
        }
    }
    assert_eq!(pairs, 24);
}

#[test]
fn a_request_also_takes_what_is_only_observed_kept_for_ever_or_in_doubt() {
    let file = file(Classified::default());
    let holds = Holds::default().with_erasures([erasure(3, ErasureScope::File(file.key.file.clone()))]);
    let mut observed = policy("p", Matcher::Everything, "30 days");
    observed.mode = Mode::Observe;
    let mut unknown_start = policy("p", Matcher::Everything, "30 days");
    unknown_start.clock = PROCESSED;
    let ever = || vec![floor("f", Matcher::Everything, "forever")];
    for (policies, floors) in [
        (vec![observed.clone()], vec![]),
        (vec![observed], ever()),
        (vec![unknown_start], vec![]),
        (vec![], ever()),
    ] {
        let decision = decide(&file, &rules(policies, floors), &holds, at(NOW));
        assert_eq!(decision.verdict, erased());
        assert_eq!(
            decision.due_at,
            Some(at("2026-02-01T00:00:00Z")),
            "since it was entered"
        );
        // Received on 30 January: the month ends with 28 February, a Saturday.
        assert_eq!(decision.deadline_at, Some(at("2026-03-02T23:00:00Z")));
    }
}

#[test]
fn a_request_waits_for_the_last_binding_floor_and_says_which() {
    let file = file(Classified::default());
    let holds = Holds::default().with_erasures([erasure(3, ErasureScope::File(file.key.file.clone()))]);
    let binding = |name: &str, keep_for: &str| {
        let mut floor = floor(name, Matcher::Everything, keep_for);
        floor.binding = true;
        floor
    };
    let floors = vec![
        binding("short", "40 days"),
        binding("long", "60 days"),
        floor("no duty", Matcher::Everything, "90 days"),
    ];
    let mut rules = rules(vec![], floors);
    let ends = at("2026-03-16T23:00:00Z");
    let decision = decide(&file, &rules, &holds, ends.checked_add_millis(-1).unwrap());
    let long = || PolicyName::new("long").unwrap();
    assert_eq!(
        (decision.verdict, decision.due_at),
        (
            Verdict::Bound {
                request: ErasureId(3),
                floor: long()
            },
            Some(ends)
        )
    );
    assert_eq!(decide(&file, &rules, &holds, ends).verdict, erased());
    rules.floors.insert(0, binding("ever", "forever"));
    let kept = decide(&file, &rules, &holds, ends);
    assert_eq!(kept.due_at, None);
    assert!(matches!(kept.verdict, Verdict::Bound { floor, .. } if floor.as_str() == "ever"));
}

#[test]
fn what_might_be_binding_or_held_if_the_document_type_were_known_keeps() {
    let file = file(Classified::default());
    let of_type = |kind: &str| Matcher::Where {
        all_of: crate::rules::matching::Criteria {
            document_type: Some([kind.to_owned()].into()),
            ..crate::rules::matching::Criteria::default()
        },
        except: None,
    };
    let request = || [erasure(3, ErasureScope::File(file.key.file.clone()))];
    let doubt = Verdict::NotEligible(Doubt::NoType);
    let mut invoices = floor("invoices", of_type("invoice"), "8 years");
    let policies = || {
        vec![
            policy("contracts", of_type("contract"), "30 days"),
            policy("rest", Matcher::Everything, "90 days"),
        ]
    };
    let asked = |floors: Vec<crate::rules::policy::Floor>, holds: Vec<crate::model::Hold>| {
        let holds = Holds::new(holds).with_erasures(request());
        decide(&file, &rules(policies(), floors), &holds, at(NOW)).verdict
    };
    assert_eq!(
        asked(vec![invoices.clone()], vec![]),
        erased(),
        "it is not binding"
    );
    invoices.binding = true;
    assert_eq!(asked(vec![invoices], vec![]), doubt);
    let on = |name: &str| vec![hold(7, HoldScope::Policy(PolicyName::new(name).unwrap()))];
    assert_eq!(asked(vec![], on("contracts")), doubt);
    assert_eq!(asked(vec![], on("rest")), held(true));
    assert_eq!(asked(vec![], on("elsewhere")), erased());
}

#[test]
fn a_request_covers_its_subject_file_or_batch_and_their_copies_and_nothing_before_it_was_entered() {
    let mut original = file(Classified::default());
    original.subject = Some("aa".repeat(32));
    let copy = copy_of(&original, "e1", "eb1", "g1");
    let stranger = file(Classified {
        batch: "b2",
        file: "f2",
        ..Classified::default()
    });
    let rules = rules(vec![], vec![]);
    for scope in [
        ErasureScope::Subject("aa".repeat(32)),
        ErasureScope::File("f1".parse().unwrap()),
        ErasureScope::Batch("b1".parse().unwrap()),
    ] {
        let holds = Holds::default().with_erasures([erasure(3, scope.clone())]);
        let verdict = |file: &FileRecord, now: &str| decide(file, &rules, &holds, at(now)).verdict;
        assert_eq!(verdict(&original, NOW), erased(), "{scope:?}");
        assert_eq!(verdict(&copy, NOW), erased(), "{scope:?}");
        assert_eq!(verdict(&stranger, NOW), Verdict::Unowned, "{scope:?}");
        assert_eq!(
            verdict(&original, "2026-01-31T23:59:59.999Z"),
            Verdict::Unowned,
            "{scope:?}"
        );
    }
}
