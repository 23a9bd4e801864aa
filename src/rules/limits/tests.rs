use proptest::prelude::*;

use super::*;
use crate::rules::check;
use crate::rules::fixtures::*;
use crate::rules::matching::Matcher;
use crate::rules::plan::PlanBuilder;
use crate::rules::policy::RuleSet;

fn enforcing() -> RuleSet {
    rules(vec![policy("p", Matcher::Everything, "1 day")], vec![])
}

/// A plan of `due` files among `live` ones.
fn plan_of(rules: &RuleSet, due: u64, live: u64) -> Plan {
    let holds = no_holds();
    let mut builder = PlanBuilder::new(
        &rules.policies[0],
        rules,
        &holds,
        live,
        at("2026-11-23T00:00:00Z"),
    );
    for n in 0..due {
        let id = format!("f{n:06}");
        builder.consider(&file(Classified {
            file: &id,
            ..Classified::default()
        }));
    }
    builder.finish().unwrap()
}

fn limits(files_per_sweep: u64, share_per_sweep: u8, on_excess: OnExcess) -> Limits {
    Limits {
        files_per_sweep,
        share_per_sweep,
        on_excess,
        approve_shortening: true,
    }
}

/// What the ruling is, in few words.
fn ruled(ruling: &Ruling) -> String {
    match ruling {
        Ruling::Proceed { files } => format!("go {files}"),
        Ruling::AwaitApproval => "ask".to_owned(),
        Ruling::Stop { excess } => {
            let parts: Vec<String> = excess
                .iter()
                .map(|e| format!("{:?} {}>{}", e.limit, e.found, e.allowed))
                .collect();
            parts.join(", ")
        }
    }
}

#[test]
fn limits_stop_before_the_first_delete_and_count_across_restarts() {
    use OnExcess::{OldestFirst, Stop};
    let rules = enforcing();
    // due, live, sent before, count limit, share limit, on excess → ruling
    for (due, live, sent, count, share, on_excess, expected) in [
        (0, 100, 0, 10, 25, Stop, "go 0"),
        (10, 100, 0, 10, 25, Stop, "go 10"),
        (11, 100, 0, 10, 25, Stop, "Count 11>10"),
        (1, 100, 10, 10, 25, Stop, "Count 11>10"),
        (5, 100, 5, 10, 25, Stop, "go 5"),
        (25, 100, 0, 1000, 25, Stop, "go 25"),
        (26, 100, 0, 1000, 25, Stop, "Share 26>25"),
        (26, 100, 0, 10, 25, Stop, "Count 26>10, Share 26>25"),
        // 75 live and 25 gone are 100: the share is spent.
        (1, 75, 25, 1000, 25, Stop, "Share 26>25"),
        // Small ledgers have no share limit: 49 of 49, but 13 of 50.
        (49, 49, 0, 1000, 25, Stop, "go 49"),
        (13, 50, 0, 1000, 25, Stop, "Share 13>12"),
        (40, 40, 10, 1000, 25, Stop, "Share 50>12"),
        (40, 100, 0, 1000, 100, Stop, "go 40"),
        (100, 100, 0, 1000, 100, Stop, "go 100"),
        (26, 100, 0, 1000, 25, OldestFirst, "go 25"),
        (26, 100, 0, 10, 25, OldestFirst, "go 10"),
        (26, 100, 4, 10, 25, OldestFirst, "go 6"),
        (26, 100, 10, 10, 25, OldestFirst, "go 0"),
        (26, 100, 30, 10, 25, OldestFirst, "go 0"),
        (5, 100, 0, 10, 25, OldestFirst, "go 5"),
        // One percent of 60 is no file at all: said aloud, not silently never done.
        (5, 60, 0, 1000, 1, OldestFirst, "Share 5>0"),
    ] {
        let plan = plan_of(&rules, due, live);
        let limits = limits(count, share, on_excess);
        let ruling = judge(&plan, &rules.policies[0], &limits, sent, false);
        assert_eq!(
            ruled(&ruling),
            expected,
            "{due} of {live} after {sent} with {limits:?}"
        );
    }
}

#[test]
fn an_approval_lifts_limits_and_the_wish_for_one_and_observing_sends_nothing() {
    let mut rules = enforcing();
    let plan = plan_of(&rules, 30, 100);
    let tight = limits(10, 25, OnExcess::Stop);
    let wide = limits(1000, 100, OnExcess::Stop);
    let ask = |rules: &RuleSet, limits: &Limits, approved| {
        ruled(&judge(&plan, &rules.policies[0], limits, 0, approved))
    };
    assert_eq!(ask(&rules, &tight, true), "go 30");
    rules.policies[0].approval = ApprovalRule::Always;
    assert_eq!(ask(&rules, &wide, false), "ask");
    assert_eq!(ask(&rules, &wide, true), "go 30");
    assert_eq!(ask(&rules, &tight, false), "Count 30>10, Share 30>25");
    assert_eq!(ask(&rules, &tight, true), "go 30");
    let nothing = plan_of(&rules, 0, 100);
    assert_eq!(
        ruled(&judge(&nothing, &rules.policies[0], &wide, 0, false)),
        "go 0"
    );
    let oldest = limits(10, 25, OnExcess::OldestFirst);
    assert_eq!(ask(&rules, &oldest, false), "ask");
    rules.policies[0].mode = Mode::Observe;
    for approved in [false, true] {
        assert_eq!(ask(&rules, &wide, approved), "go 0");
    }
}

#[test]
fn an_excess_says_its_numbers() {
    let rules = enforcing();
    let plan = plan_of(&rules, 30, 100);
    let Ruling::Stop { excess } = judge(
        &plan,
        &rules.policies[0],
        &limits(10, 25, OnExcess::Stop),
        2,
        false,
    ) else {
        panic!("30 files exceed both limits")
    };
    let texts: Vec<&str> = excess.iter().map(|e| e.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "32 files would go in this sweep, files_per_sweep allows 10",
            "32 of 102 live files would go in this sweep, share_per_sweep of 25% allows 25",
        ]
    );
}

proptest! {
    /// What `judge` lets pass, the checker's own arithmetic lets pass; one file more it does not.
    #[test]
    fn no_ruling_exceeds_a_limit(due in 0_u64..120, more in 0_u64..200, sent in prop_oneof![0_u64..150, Just(u64::MAX)],
            count in 1_u64..150, share in 1_u8..=100, oldest in any::<bool>(), always in any::<bool>(),
            observe in any::<bool>(), approved in any::<bool>()) {
        let mut rules = enforcing();
        let plan = plan_of(&rules, due, due + more);
        if always { rules.policies[0].approval = ApprovalRule::Always; }
        if observe { rules.policies[0].mode = Mode::Observe; }
        let policy = &rules.policies[0];
        let limits = limits(count, share, if oldest { OnExcess::OldestFirst } else { OnExcess::Stop });
        let files = match judge(&plan, policy, &limits, sent, approved) {
            Ruling::Proceed { files } => files,
            Ruling::Stop { .. } | Ruling::AwaitApproval => 0,
        };
        let checked = |files| check::plan(&plan, files, policy, &limits, sent, approved);
        prop_assert_eq!(checked(files), Ok(()));
        prop_assert!(checked(files + 1).is_err());
        prop_assert!(files <= due);
        if !approved {
            prop_assert!(files == 0 || sent + files <= count);
        }
    }
}
