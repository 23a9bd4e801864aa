//! A changed policy file under which files would go sooner waits for an approval, whatever restarts between.

use std::sync::Arc;

use retentiond::daemon::standing::{Standing, standing};
use retentiond::engine::{Ending, Stop, SweepReport, SweepRequest};
use retentiond::ledger::{Ledger, OpenMode, RuleChange, SqliteLedger};
use retentiond::model::{BatchId, ErasureScope, HoldScope, Labels, NewErasure, NewHold, Trigger};
use retentiond::rules::policy::RuleSet;
use tokio_util::sync::CancellationToken;

use crate::harness::*;

const FILES: usize = 10_000;

/// One enforced policy; 20 of 10,000 files a sweep, so that what runs in the end is short.
fn policies(filter: &str, delete_after: &str) -> impl Fn(&str) -> String {
    let (filter, delete_after) = (filter.to_owned(), delete_after.to_owned());
    move |classification| {
        format!(
            "[limits]\nfiles_per_sweep = 20\nshare_per_sweep = \"100%\"\non_excess = \"oldest-first\"\n\
             [[policy]]\nname = \"documents\"\nmatch = {{ classification = \"{classification}\"{filter} }}\n\
             delete_after = \"{delete_after}\"\nschedule = \"0 3 * * *\"\nmode = \"enforce\"\n"
        )
    }
}

const ACME: &str = ", labels = { tenant = \"acme\" }";

impl World {
    async fn standing(&self) -> Standing {
        standing(self.ledger.as_ref(), self.checked.clone(), None, self.now())
            .await
            .unwrap()
    }

    /// What waits, and the rules that are to be followed meanwhile.
    async fn waits(&self) -> (RuleSet, RuleChange) {
        match self.standing().await {
            Standing::Before { checked, change } => (checked.rules, *change),
            other => panic!("it does not wait: {other:?}"),
        }
    }

    async fn sweep_under(&self, rules: &RuleSet) -> SweepReport {
        self.sweep_of("documents", rules).await
    }

    async fn sweep_of(&self, policy: &str, rules: &RuleSet) -> SweepReport {
        let request = SweepRequest {
            policy: name(policy),
            occurrence: None,
            trigger: Trigger::Manual,
        };
        self.engine()
            .sweep(rules, &request, &CancellationToken::new())
            .await
            .unwrap()
    }

    /// As after a restart: what is known of the rules in force is what the ledger holds.
    async fn restart(&mut self) {
        self.sqlite.close().await;
        let opened = SqliteLedger::open(&self.checked.ledger.url, OpenMode::ReadWrite)
            .await
            .unwrap();
        self.sqlite = Arc::new(opened);
        self.ledger = Arc::<SqliteLedger>::clone(&self.sqlite) as Arc<dyn Ledger>;
    }

    /// Nothing goes under any set that somebody might sweep by, before and after a restart.
    async fn assert_nothing_goes(&mut self) -> RuleChange {
        let mut last = None;
        for _ in 0..2 {
            let (rules, change) = self.waits().await;
            let old = self.sweep_under(&rules).await;
            assert_eq!(old.ending, Ending::Done, "the old rules have nothing to do");
            let new = self.sweep_under(&self.checked.rules).await;
            assert!(
                matches!(
                    &new.ending,
                    Ending::Stopped {
                        by: Stop::RulesWait { .. }
                    }
                ),
                "{:?}",
                new.ending
            );
            self.restart().await;
            last = Some(change);
        }
        assert_eq!(self.server.deleted().len(), 0);
        last.unwrap()
    }
}

/// Half of the files with the label that the policy asks for, the rest owned by nobody.
async fn ten_thousand() -> World {
    let world = World::with(policies(ACME, "30 days"), &[]).await;
    let acme: Labels = [("tenant".to_owned(), "acme".to_owned())].into();
    world.upload_labelled(FILES / 2, acme).await;
    world.upload(FILES / 2).await;
    assert_eq!(world.sweep().await.ending, Ending::Done);
    world.days_pass(10);
    world
}

#[tokio::test]
async fn a_dropped_filter_and_thirty_days_made_three_delete_nothing_of_10_000_files_before_approval() {
    let mut world = ten_thousand().await;
    let classification = world.classification.clone();

    // The filter is dropped: 5,000 files that nobody owned would become the policy's.
    world.change_rules(&policies("", "30 days")(&classification));
    let change = world.assert_nothing_goes().await;
    let sum = change.impact.total();
    assert_eq!(
        (sum.newly_owned, sum.earlier, change.impact.shortened),
        (5_000, 0, 5_000)
    );

    // Approved: they are taken over, and still nothing is due.
    let until = world.now().checked_add_millis(72 * 3_600_000).unwrap();
    world
        .ledger
        .approve_change(&change.after.0, world.now(), until)
        .await
        .unwrap();
    let Standing::Own { checked, .. } = world.standing().await else {
        panic!("approved rules are taken")
    };
    assert_eq!(world.sweep_under(&checked.rules).await.ending, Ending::Done);

    // 30 → 3 days: all 10,000 would be due a week ago.
    world.change_rules(&policies("", "3 days")(&classification));
    let change = world.assert_nothing_goes().await;
    let sum = change.impact.total();
    assert_eq!((sum.earlier, change.impact.shortened), (10_000, 10_000));
    assert!(sum.first_affected.unwrap() < world.now());

    // The approval of the one is none of another.
    world.change_rules(&policies("", "2 days")(&classification));
    world
        .ledger
        .approve_change(&change.after.0, world.now(), until)
        .await
        .unwrap();
    world.assert_nothing_goes().await;

    world.change_rules(&policies("", "3 days")(&classification));
    world.assert_nothing_goes().await;
    world
        .ledger
        .approve_change(&change.after.0, world.now(), until)
        .await
        .unwrap();
    world.restart().await;
    let Standing::Own { checked, .. } = world.standing().await else {
        panic!("approved rules are taken")
    };
    let report = world.sweep_under(&checked.rules).await;
    assert_eq!((report.ending, report.summary.deleted), (Ending::Done, 20));
}

#[tokio::test]
async fn while_a_change_waits_a_file_goes_only_if_both_sets_say_so() {
    let two = |first: &str, second: &str| {
        let (first, second) = (first.to_owned(), second.to_owned());
        move |classification: &str| {
            format!(
                "[limits]\nshare_per_sweep = \"100%\"\n\
                 [[policy]]\nname = \"letters\"\nmatch = {{ labels = {{ tenant = \"letters\" }} }}\n\
                 delete_after = \"{first}\"\nschedule = \"0 3 * * *\"\nmode = \"enforce\"\n\
                 [[policy]]\nname = \"documents\"\nmatch = {{ classification = \"{classification}\" }}\n\
                 delete_after = \"{second}\"\nschedule = \"0 3 * * *\"\nmode = \"enforce\"\n"
            )
        }
    };
    let mut world = World::with(two("10 days", "30 days"), &[]).await;
    let letters: Labels = [("tenant".to_owned(), "letters".to_owned())].into();
    let letter = world.upload_labelled(2, letters).await;
    let old = world.upload(2).await;
    world.sweep().await;
    world.days_pass(25);
    let young = world.upload(2).await;
    world.days_pass(7);
    // Letters stay longer, documents shorter: the whole file waits, and neither side may be broken.
    let classification = world.classification.clone();
    world.change_rules(&two("60 days", "3 days")(&classification));
    let (rules, change) = world.waits().await;
    assert_eq!(
        (change.impact.total().earlier, change.impact.total().later),
        (4, 2)
    );
    let engine = world.engine();
    for policy in ["letters", "documents"] {
        let request = SweepRequest {
            policy: name(policy),
            occurrence: None,
            trigger: Trigger::Manual,
        };
        let report = engine
            .sweep(&rules, &request, &CancellationToken::new())
            .await
            .unwrap();
        assert_eq!(report.summary.kept, 0, "the plan itself is of both sets");
    }
    assert_eq!(world.left(&letter), 2, "due under the rules in force alone");
    assert_eq!(world.left(&young), 2, "due under the changed rules alone");
    assert_eq!(world.left(&old), 0, "due under both");
    world.assert_nothing_wider();
}

#[tokio::test]
async fn an_erasure_request_waits_for_no_approval_and_the_binding_floors_of_both_sets_stop_it() {
    let floored = |tenant: &str, delete_after: &str| {
        let (tenant, delete_after) = (tenant.to_owned(), delete_after.to_owned());
        move |classification: &str| {
            let policies = policies("", &delete_after)(classification);
            format!(
                "{policies}delete_by = \"1 year\"\n[[keep]]\nname = \"tax {tenant}\"\n\
                 match = {{ labels = {{ tenant = \"{tenant}\" }} }}\nkeep_for = \"20 days\"\nbinding = true\n"
            )
        }
    };
    let mut world = World::with(floored("before", "30 days"), &[]).await;
    let of = |tenant: &str| -> Labels { [("tenant".to_owned(), tenant.to_owned())].into() };
    let free = world.upload(2).await;
    let bound_before = world.upload_labelled(2, of("before")).await;
    let bound_after = world.upload_labelled(2, of("after")).await;
    let held = world.upload(2).await;
    assert_eq!(world.sweep().await.ending, Ending::Done);
    world.days_pass(1);
    let classification = world.classification.clone();
    world.change_rules(&floored("after", "3 days")(&classification));
    let (_, change) = world.waits().await;

    let hold = NewHold {
        scope: HoldScope::Batch(BatchId::new(held.id.as_str()).unwrap()),
        reason: "litigation".to_owned(),
        reference: None,
        owner: None,
        review_by: None,
    };
    world.ledger.add_hold(&hold, world.now()).await.unwrap();
    for batch in [&free, &bound_before, &bound_after, &held] {
        let new = NewErasure {
            scope: ErasureScope::Batch(BatchId::new(batch.id.as_str()).unwrap()),
            reference: batch.id.to_string(),
            received: "2026-05-04".parse().unwrap(),
        };
        world.ledger.add_erasure(&new, world.now()).await.unwrap();
    }
    let (rules, asked) = world.waits().await;
    assert_eq!(asked.impact, change.impact, "a request makes nothing sooner");

    let report = world.sweep_of("erasure", &rules).await;
    assert_eq!(report.ending, Ending::Done);
    assert_eq!(
        (report.summary.deleted, report.summary.kept, report.summary.held),
        (2, 0, 2)
    );
    assert_eq!(world.left(&free), 0, "nothing stands against it");
    assert_eq!(world.left(&bound_before), 2, "bound by the rules in force");
    assert_eq!(world.left(&bound_after), 2, "bound by the changed rules alone");
    assert_eq!(world.left(&held), 2, "held");

    // Approved: what only the rules before kept goes.
    let until = world.now().checked_add_millis(3_600_000).unwrap();
    world
        .ledger
        .approve_change(&change.after.0, world.now(), until)
        .await
        .unwrap();
    let Standing::Own { checked, .. } = world.standing().await else {
        panic!("approved rules are taken")
    };
    world.sweep_of("erasure", &checked.rules).await;
    assert_eq!(
        (
            world.left(&bound_before),
            world.left(&bound_after),
            world.left(&held)
        ),
        (0, 2, 2)
    );
    world.assert_nothing_wider();
}

#[tokio::test]
async fn a_longer_period_and_a_first_file_are_taken_at_once_and_a_way_back_is_free() {
    let mut world = World::new().await;
    let classification = world.classification.clone();
    world.upload(3).await;
    assert!(
        matches!(world.standing().await, Standing::Own { .. }),
        "a first adoption"
    );
    world.sweep().await;
    let days = |days: u32| ten_days(&classification).replace("10 days", &format!("{days} days"));
    world.change_rules(&days(20));
    let Standing::Own {
        impact: Some(impact), ..
    } = world.standing().await
    else {
        panic!("a longer period waits for nobody")
    };
    assert_eq!(impact.total().later, 3);
    world.sweep().await;
    // Shortened, and taken back before anybody approved: nothing waits any more.
    world.change_rules(&days(5));
    world.waits().await;
    world.change_rules(&days(20));
    assert!(matches!(
        world.standing().await,
        Standing::Own { impact: None, .. }
    ));
    assert_eq!(world.ledger.waiting_change().await.unwrap(), None);
    // Who says so is not asked: but the set in force has to say so first.
    let quiet = |days: u32| {
        ten_days(&classification)
            .replace("10 days", &format!("{days} days"))
            .replace("[limits]", "[limits]\napprove_shortening = false")
    };
    world.change_rules(&quiet(5));
    world.waits().await;
    world.change_rules(&quiet(20));
    world.sweep().await;
    world.change_rules(&quiet(5));
    assert!(matches!(world.standing().await, Standing::Own { .. }));
}

#[tokio::test]
async fn files_recorded_under_the_waiting_file_are_decided_by_the_rules_in_force() {
    let mut world = World::new().await;
    let classification = world.classification.clone();
    world.upload(1).await;
    world.sweep().await;
    world.change_rules(&ten_days(&classification).replace("10 days", "3 days"));
    world.waits().await;
    // `record` reads the changed file.
    let batch = world.upload(5).await;
    world.days_pass(5);
    let (rules, change) = world.waits().await;
    assert_eq!(change.impact.total().earlier, 6);
    assert_eq!(world.sweep_under(&rules).await.summary.deleted, 0);
    world.days_pass(6);
    let (rules, _) = world.waits().await;
    assert_eq!(world.sweep_under(&rules).await.summary.deleted, 6);
    assert_eq!(world.left(&batch), 0);
}

#[tokio::test]
async fn rules_in_force_that_were_lost_stop_all_deletion_until_somebody_decides() {
    let mut world = World::new().await;
    let classification = world.classification.clone();
    world.upload(2).await;
    world.sweep().await;
    world.days_pass(11);
    // As an older version left it: adopted, and its text not kept.
    let digest = world.checked.rules.digest.clone();
    world
        .ledger
        .keep_rule_text(&digest, "no policy file", world.now())
        .await
        .unwrap();
    world.change_rules(&ten_days(&classification).replace("10 days", "3 days"));
    let Standing::Nothing { checked, change } = world.standing().await else {
        panic!("the rules in force cannot be known")
    };
    let report = world.sweep_under(&checked.rules).await;
    assert!(matches!(
        report.ending,
        Ending::Stopped {
            by: Stop::RulesWait { .. }
        }
    ));
    assert_eq!(world.server.deleted().len(), 0);
    let until = world.now().checked_add_millis(1000).unwrap();
    world
        .ledger
        .approve_change(&change.after.0, world.now(), until)
        .await
        .unwrap();
    let Standing::Own { checked, .. } = world.standing().await else {
        panic!("approved rules are taken")
    };
    assert_eq!(world.sweep_under(&checked.rules).await.summary.deleted, 2);
}

#[tokio::test]
async fn a_floor_that_binds_no_more_waits_although_no_due_time_changes() {
    let floor = |binding: &str| {
        let binding = binding.to_owned();
        move |classification: &str| {
            format!(
                "{}\n[[keep]]\nname = \"law\"\nmatch = {{ classification = \"{classification}\" }}\nkeep_for = \"5 days\"\n{binding}",
                ten_days(classification)
            )
        }
    };
    let mut world = World::with(floor("binding = true\n"), &[]).await;
    let classification = world.classification.clone();
    world.upload(2).await;
    world.sweep().await;
    world.change_rules(&floor("")(&classification));
    let (_, change) = world.waits().await;
    let sum = change.impact.total();
    assert_eq!(
        (sum.less_binding, sum.earlier, change.impact.shortened),
        (2, 0, 2)
    );
    assert!(
        change
            .impact
            .sentence()
            .contains("2 kept from erasure requests for a shorter time")
    );
    // The other way round nothing goes sooner.
    world.change_rules(&floor("binding = true\n")(&classification).replace("5 days", "6 days"));
    assert!(matches!(world.standing().await, Standing::Own { .. }));
}
