//! Other rules, adopted by somebody else while a sweep is under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use retentiond::config;
use retentiond::engine::planning::refresh_hints;
use retentiond::engine::{Ending, Engine, ManualClock, Stop};
use retentiond::extracta::remote::DeleteFiles;
use retentiond::ledger::Ledger;
use retentiond::model::{FileState, SweepState, Timestamp};
use retentiond::rules::policy::RuleSet;
use retentiond::sandbox::Endpoint;

use crate::harness::{World, ten_days};
use crate::passing::{Around, Passing};

/// After the second delete another process adopts these rules.
struct Elsewhere {
    ledger: Arc<dyn Ledger>,
    rules: RuleSet,
    now: Timestamp,
    deletes: AtomicUsize,
}

#[async_trait]
impl Around for Elsewhere {
    async fn after_delete(&self, _request: &DeleteFiles) {
        if self.deletes.fetch_add(1, Ordering::SeqCst) + 1 == 2 {
            refresh_hints(self.ledger.as_ref(), &self.rules, self.now, &|_, _| ())
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn a_sweep_sends_nothing_more_by_rules_that_are_not_in_force_any_more() {
    let mut world = World::new().await;
    world.settings.files_per_request = 3;
    let batch = world.upload(10).await;
    world.days_pass(11);
    let longer = ten_days(&world.classification).replace("10 days", "20 days");
    let text = World::policy_text(&world.dir, &world.sandbox.base_url(), &longer);
    let around = Elsewhere {
        ledger: Arc::clone(&world.ledger),
        rules: config::parse("policies.toml", &text).unwrap().rules,
        now: world.now(),
        deletes: AtomicUsize::new(0),
    };
    let remote = Passing {
        client: world.client(Duration::from_secs(5)),
        around,
    };
    let engine = Engine::new(
        Arc::clone(&world.ledger),
        Arc::new(remote),
        Arc::<ManualClock>::clone(&world.clock),
        world.settings.clone(),
        &world.lock,
    );
    let report = world.sweep_with(&engine).await;
    let stopped = Ending::Stopped {
        by: Stop::RulesChanged,
    };
    assert_eq!(report.ending, stopped);
    assert_eq!(report.ending.state(), SweepState::Postponed);
    assert_eq!(report.summary.deleted, 4, "the first file alone, then three");
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 2);
    assert_eq!(world.count(&batch, FileState::Live).await, 6);
    // Those in force say that nothing is due.
    world.change_rules(&longer);
    let report = world.sweep().await;
    assert_eq!((report.ending, report.summary.deleted), (Ending::Done, 0));
    world.assert_truth(&[&batch]).await;
}
