//! Which changes count as going sooner.

use super::*;
use crate::rules::fixtures::{LIMITS, kind, policy, rules};
use crate::rules::policy::Limits;

fn hint(owner: Option<&str>, due: Option<i64>) -> Hint {
    let at = |hours: i64| Timestamp::from_millis(hours * 3_600_000).unwrap();
    Hint {
        owner: owner.map(|name| PolicyName::new(name).unwrap()),
        due_at: due.map(at),
        deadline_at: due.map(at),
    }
}

fn set(mode: Mode) -> RuleSet {
    let mut a = policy("a", kind("a"), "30 days");
    a.mode = mode;
    rules(vec![a, policy("b", kind("b"), "30 days")], vec![])
}

/// (earlier, later, newly owned, newly unowned, newly enforced, shortened)
fn weighed(before: &Hint, after: &Hint, old: Option<&RuleSet>, new: &RuleSet) -> [u64; 6] {
    let mut weighing = Weighing::new(old, new);
    weighing.consider(before, after, false);
    let impact = weighing.finish(0);
    let sum = impact.total();
    [
        sum.earlier,
        sum.later,
        sum.newly_owned,
        sum.newly_unowned,
        sum.newly_enforced,
        impact.shortened,
    ]
}

#[test]
fn each_change_is_counted_once_and_only_what_may_go_sooner_waits() {
    let (observing, enforcing) = (set(Mode::Observe), set(Mode::Enforce));
    for (before, after, counted) in [
        ((Some("a"), Some(9)), (Some("a"), Some(9)), [0, 0, 0, 0, 0, 0]),
        ((Some("a"), Some(9)), (Some("a"), Some(8)), [1, 0, 0, 0, 0, 1]),
        ((Some("a"), Some(9)), (Some("a"), Some(10)), [0, 1, 0, 0, 0, 0]),
        ((Some("a"), Some(9)), (Some("a"), None), [0, 1, 0, 0, 0, 0]),
        ((Some("a"), None), (Some("a"), Some(9)), [1, 0, 0, 0, 0, 1]),
        ((None, None), (Some("b"), Some(9)), [0, 0, 1, 0, 0, 1]),
        ((None, None), (Some("b"), None), [0, 0, 1, 0, 0, 0]),
        ((Some("a"), Some(9)), (None, None), [0, 0, 0, 1, 0, 0]),
        ((None, None), (None, None), [0, 0, 0, 0, 0, 0]),
    ] {
        let (before, after) = (hint(before.0, before.1), hint(after.0, after.1));
        assert_eq!(
            weighed(&before, &after, Some(&enforcing), &enforcing),
            counted,
            "{before:?} → {after:?}"
        );
    }
    // From a policy that only observed to one that deletes, at the same time.
    let (a, b) = (hint(Some("a"), Some(9)), hint(Some("b"), Some(9)));
    assert_eq!(weighed(&a, &b, Some(&observing), &observing), [0, 0, 0, 0, 1, 1]);
    assert_eq!(weighed(&a, &b, Some(&enforcing), &enforcing), [0; 6]);
    assert_eq!(weighed(&b, &a, Some(&observing), &observing), [0; 6]);
    // Nobody knows whether the old owner observed: asking is the safe side.
    assert_eq!(weighed(&a, &b, None, &enforcing), [0, 0, 0, 0, 1, 1]);
    // That a policy itself turns to `enforce` is an explicit choice.
    assert_eq!(weighed(&a, &a, Some(&observing), &enforcing), [0; 6]);
}

#[test]
fn either_set_may_ask_and_a_policy_speaks_for_its_own_files() {
    let asking = |limits: bool, own: Option<bool>| {
        let mut set = set(Mode::Enforce);
        set.limits = Limits {
            approve_shortening: limits,
            ..LIMITS
        };
        set.policies[0].approve_shortening = own;
        set
    };
    let shortened = |old: &RuleSet, new: &RuleSet| {
        weighed(
            &hint(Some("a"), Some(9)),
            &hint(Some("a"), Some(8)),
            Some(old),
            new,
        )[5]
    };
    let (yes, no) = (asking(true, None), asking(false, None));
    assert_eq!(shortened(&no, &no), 0);
    assert_eq!(shortened(&no, &yes), 1);
    // The edit that shortens cannot switch the question off in the same breath.
    assert_eq!(shortened(&yes, &no), 1);
    assert_eq!(
        shortened(&asking(true, Some(false)), &asking(true, Some(false))),
        0
    );
    assert_eq!(shortened(&no, &asking(false, Some(true))), 1);
}

#[test]
fn what_was_never_decided_may_go_sooner_for_all_that_is_known() {
    let set = set(Mode::Enforce);
    assert_eq!(Weighing::new(None, &set).finish(3).shortened, 3);
    let mut quiet = set;
    quiet.limits.approve_shortening = false;
    assert_eq!(Weighing::new(None, &quiet).finish(3).shortened, 0);
}

#[test]
fn the_sentence_names_what_changes_and_the_first_instant() {
    let set = set(Mode::Enforce);
    let mut weighing = Weighing::new(Some(&set), &set);
    weighing.consider(&hint(Some("a"), Some(9)), &hint(Some("a"), Some(8)), false);
    weighing.consider(&hint(Some("a"), Some(5)), &hint(None, None), false);
    weighing.consider(&hint(Some("a"), Some(5)), &hint(Some("a"), Some(5)), false);
    assert_eq!(
        weighing.finish(0).sentence(),
        "of 3 files 1 due earlier, 1 newly unowned; the first at 1970-01-01T05:00:00Z"
    );
    assert_eq!(
        Weighing::new(None, &set).finish(0).sentence(),
        "nothing changes for 0 files"
    );
}

#[test]
fn what_keeps_a_file_from_erasure_requests_for_a_shorter_time_waits_too() {
    use crate::rules::fixtures::{Classified, file, floor, period};
    use crate::rules::matching::Matcher;
    use crate::rules::policy::{Floor, KeepFor, StartEvent};

    let rules_with = |floors: Vec<Floor>| rules(vec![policy("p", Matcher::Everything, "10 years")], floors);
    let law = || Floor {
        binding: true,
        ..floor("law", Matcher::Everything, "2 years")
    };
    let old = rules_with(vec![law()]);
    let (file, same) = (file(Classified::default()), hint(Some("p"), Some(9)));
    let weighed = |new: &RuleSet| {
        let mut weighing = Weighing::new(Some(&old), new);
        let less = weighing.less_binding(&file);
        weighing.consider(&same, &same, less);
        let impact = weighing.finish(0);
        (impact.total().less_binding, impact.shortened)
    };
    let kept = |keep_for: KeepFor| Floor { keep_for, ..law() };
    for (floors, counted) in [
        (vec![law()], (0, 0)),
        (vec![], (1, 1)),
        (
            vec![Floor {
                binding: false,
                ..law()
            }],
            (1, 1),
        ),
        (vec![kept(KeepFor::Period(period("1 year")))], (1, 1)),
        (vec![kept(KeepFor::Period(period("3 years")))], (0, 0)),
        (vec![kept(KeepFor::Forever)], (0, 0)),
        (
            vec![Floor {
                matcher: kind("other"),
                ..law()
            }],
            (1, 1),
        ),
    ] {
        assert_eq!(weighed(&rules_with(floors.clone())), counted, "{floors:?}");
    }
    // Without its start it binds until that is known: as long as can be, but for ever.
    let mut waiting = law();
    waiting.clock.start = StartEvent::Processed;
    assert_eq!(weighed(&rules_with(vec![waiting])), (0, 0));
}
