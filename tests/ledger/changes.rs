//! `Changes`: the rules in force, and those that want to take their place.

use retentiond::ledger::{LedgerError, OpenSweep, Opened};
use retentiond::rules::impact::{Impact, PolicyImpact};
use retentiond::rules::policy::RuleDigest;

use crate::world::*;

for_every_backend![
    the_rules_in_force_come_with_their_last_text,
    a_change_waits_until_it_is_approved_and_adopted,
    an_approval_is_for_exactly_one_pair_of_rule_sets,
    a_change_that_was_withdrawn_leaves_no_approval_behind,
    what_is_in_force_is_no_change,
    files_are_counted_by_whose_hints_they_carry,
    nothing_is_claimed_by_rules_that_are_not_in_force,
];

fn digest(name: &str) -> RuleDigest {
    RuleDigest(format!("{name}-0123456789"))
}

fn impact(earlier: u64) -> Impact {
    Impact {
        policies: vec![PolicyImpact {
            policy: Some(policy("p")),
            earlier,
            ..PolicyImpact::default()
        }],
        files: 9,
        undecided: 0,
        shortened: earlier,
    }
}

async fn nothing_is_claimed_by_rules_that_are_not_in_force(world: World) {
    let batch = world.record_due(&["f1", "f2", "f3"]).await;
    let by = |name: &str| OpenSweep {
        digest: digest(name),
        ..open("p", Some(at(90)))
    };
    let Opened::New(sweep) = world.ledger.open_sweep(&by("one")).await.unwrap() else {
        panic!("new")
    };
    // While none were ever adopted.
    assert_eq!(world.claim(sweep, batch, &["f1"]).await.files.len(), 1);
    world.ledger.adopt_rules(&digest("one"), "", at(1)).await.unwrap();
    assert_eq!(world.claim(sweep, batch, &["f2"]).await.files.len(), 1);
    world.ledger.adopt_rules(&digest("two"), "", at(2)).await.unwrap();
    let refused = world.try_claim(sweep, batch, &["f3"], 1000).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Conflict { .. }), "{refused}");
    assert_eq!(world.state("f3").await, retentiond::model::FileState::Live);
    // It goes on by those.
    let resumed = world.ledger.open_sweep(&by("two")).await.unwrap();
    assert_eq!(resumed, Opened::Resumed { sweep, sent: 2 });
    assert_eq!(world.claim(sweep, batch, &["f3"]).await.files.len(), 1);
    world.assert_clean().await;
}

async fn the_rules_in_force_come_with_their_last_text(world: World) {
    let ledger = &world.ledger;
    assert_eq!(ledger.rules_in_force().await.unwrap(), None);
    ledger.adopt_rules(&digest("one"), "", at(1)).await.unwrap();
    assert_eq!(ledger.rules_in_force().await.unwrap().unwrap().text, None);
    for text in ["first", "second", "second"] {
        ledger.keep_rule_text(&digest("one"), text, at(1)).await.unwrap();
    }
    ledger
        .keep_rule_text(&digest("two"), "another", at(1))
        .await
        .unwrap();
    let world = world.reopen().await;
    let in_force = world.ledger.rules_in_force().await.unwrap().unwrap();
    assert_eq!(
        (in_force.digest, in_force.text.as_deref(), in_force.adopted_at),
        (digest("one"), Some("second"), at(1))
    );
    world.assert_clean().await;
}

async fn a_change_waits_until_it_is_approved_and_adopted(world: World) {
    let ledger = &world.ledger;
    ledger.adopt_rules(&digest("one"), "", at(0)).await.unwrap();
    assert_eq!(ledger.waiting_change().await.unwrap(), None);
    let two = digest("two");
    let change = ledger.propose(&two, &impact(3), at(1)).await.unwrap();
    assert_eq!((&change.before, &change.after), (&digest("one"), &two));
    assert_eq!((change.impact, change.approved_until), (impact(3), None));
    let short = ledger.approve_change(&two.0[..7], at(4), at(9)).await;
    assert!(matches!(short, Err(LedgerError::Conflict { .. })), "{short:?}");
    let other = ledger.approve_change("0123456789", at(4), at(9)).await;
    assert!(matches!(other, Err(LedgerError::Conflict { .. })), "{other:?}");
    ledger.approve_change(&two.0[..8], at(4), at(9)).await.unwrap();
    // Weighed again, the same change keeps its approval and when it was first seen.
    let again = ledger.propose(&two, &impact(4), at(5)).await.unwrap();
    assert_eq!((again.seen_at, again.impact.shortened), (at(1), 4));
    let world = world.reopen().await;
    let kept = world.ledger.waiting_change().await.unwrap().unwrap();
    assert!(kept.is_approved(at(8)) && !kept.is_approved(at(9)));
    world.ledger.adopt_rules(&two, "", at(6)).await.unwrap();
    assert_eq!(world.ledger.waiting_change().await.unwrap(), None);
    world.assert_clean().await;
}

async fn an_approval_is_for_exactly_one_pair_of_rule_sets(world: World) {
    let ledger = &world.ledger;
    ledger.adopt_rules(&digest("one"), "", at(0)).await.unwrap();
    ledger.propose(&digest("two"), &impact(1), at(1)).await.unwrap();
    ledger
        .approve_change(&digest("two").0, at(4), at(99))
        .await
        .unwrap();
    let other = ledger.propose(&digest("three"), &impact(1), at(2)).await.unwrap();
    assert_eq!(other.approved_until, None);
    let back = ledger.propose(&digest("two"), &impact(1), at(3)).await.unwrap();
    assert_eq!((back.approved_until, back.seen_at), (None, at(3)));
    // Over other rules it is another change.
    ledger
        .approve_change(&digest("two").0, at(4), at(99))
        .await
        .unwrap();
    ledger.adopt_rules(&digest("four"), "", at(4)).await.unwrap();
    let change = ledger.propose(&digest("two"), &impact(1), at(5)).await.unwrap();
    assert_eq!((change.before, change.approved_until), (digest("four"), None));
}

async fn a_change_that_was_withdrawn_leaves_no_approval_behind(world: World) {
    let ledger = &world.ledger;
    ledger.adopt_rules(&digest("one"), "", at(0)).await.unwrap();
    ledger.propose(&digest("two"), &impact(1), at(1)).await.unwrap();
    ledger
        .approve_change(&digest("two").0, at(4), at(99))
        .await
        .unwrap();
    ledger.withdraw_change(at(2)).await.unwrap();
    assert_eq!(ledger.waiting_change().await.unwrap(), None);
    let gone = ledger.approve_change(&digest("two").0, at(4), at(99)).await;
    assert!(matches!(gone, Err(LedgerError::Conflict { .. })));
    let again = ledger.propose(&digest("two"), &impact(1), at(3)).await.unwrap();
    assert_eq!(again.approved_until, None);
}

async fn what_is_in_force_is_no_change(world: World) {
    let early = world.ledger.propose(&digest("one"), &impact(1), at(0)).await;
    assert!(matches!(early, Err(LedgerError::Conflict { .. })));
    world.ledger.adopt_rules(&digest("one"), "", at(0)).await.unwrap();
    let same = world.ledger.propose(&digest("one"), &impact(1), at(0)).await;
    assert!(matches!(same, Err(LedgerError::Conflict { .. })));
}

async fn files_are_counted_by_whose_hints_they_carry(world: World) {
    let ledger = &world.ledger;
    let one = crate::world::digest("one");
    let batch = world.record_due(&["f1", "f2", "f3"]).await;
    assert_eq!(ledger.decided(None, 9).await.unwrap().len(), 0);
    ledger.adopt_rules(&one, "", at(0)).await.unwrap();
    assert_eq!(ledger.undecided().await.unwrap(), 0);
    let first = ledger.decided(None, 2).await.unwrap();
    let rest = ledger.decided(Some(&first[1].key), 2).await.unwrap();
    let names: Vec<&str> = first
        .iter()
        .chain(&rest)
        .map(|file| file.key.file.as_str())
        .collect();
    assert_eq!(names, ["f1", "f2", "f3"]);
    assert!(
        first
            .iter()
            .all(|file| file.owner == Some(policy("p")) && file.key.batch == batch)
    );
    ledger.adopt_rules(&digest("two"), "", at(0)).await.unwrap();
    assert_eq!(ledger.undecided().await.unwrap(), 3);
    assert_eq!(ledger.decided(None, 9).await.unwrap().len(), 0);
}
