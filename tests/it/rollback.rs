//! An older ledger in the place of the latest one: noticed before anything is deleted (faults.md D11).

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use retentiond::engine::{Ending, Stop};
use retentiond::ledger::{OpenMode, SqliteLedger};
use retentiond::model::{BreakerKind, FileState, HoldScope, NewHold};
use retentiond::sandbox::Endpoint;

use crate::harness::{Batch, World, ten_days};

fn beside(world: &World, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", world.checked.ledger.path.display()))
}

async fn reopen(world: &mut World) {
    let ledger = SqliteLedger::open(&world.checked.ledger.url, OpenMode::ReadWrite)
        .await
        .unwrap();
    world.sqlite = Arc::new(ledger);
    world.ledger = Arc::<SqliteLedger>::clone(&world.sqlite);
}

/// As an operator does it: the copy takes the ledger's place, its anchor stays.
async fn restore(world: &mut World, copy: &Path) {
    world.sqlite.close().await;
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(beside(world, suffix));
    }
    std::fs::copy(copy, &world.checked.ledger.path).unwrap();
    reopen(world).await;
}

async fn hold(world: &World, batch: &Batch, n: usize) {
    let hold = NewHold {
        scope: HoldScope::File(batch.files[n].clone()),
        reason: "litigation".to_owned(),
        reference: None,
        owner: None,
        review_by: None,
    };
    world.ledger.add_hold(&hold, world.now()).await.unwrap();
}

fn cli(world: &World, args: &[&str]) -> Output {
    let config = world.dir.path().join("policies.toml");
    let text = World::policy_text(
        &world.dir,
        &world.sandbox.base_url(),
        &ten_days(&world.classification),
    );
    std::fs::write(&config, text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_retentiond"))
        .arg("-c")
        .arg(&config)
        .args(args)
        .output()
        .unwrap()
}

/// The next sweep asks for nothing and says why; the reason of the breaker.
async fn stopped(world: &World) -> String {
    let before = world.server.request_count(Endpoint::DeleteFiles);
    let report = world.sweep().await;
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), before);
    match report.ending {
        Ending::Stopped {
            by:
                Stop::Breaker {
                    kind: BreakerKind::Rollback,
                    reason,
                    ..
                },
        } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_restored_backup_stops_deletion_until_an_operator_takes_it_as_it_is() {
    let mut world = World::new().await;
    let batch = world.upload(4).await;
    let copy = world.dir.path().join("copy.db");
    world.ledger.backup(&copy).await.unwrap();
    hold(&world, &batch, 0).await;
    world.days_pass(11);
    assert_eq!(world.sweep().await.summary.deleted, 3);
    let young = world.upload(2).await;
    assert_eq!(young.files.len(), 2);

    restore(&mut world, &copy).await;
    let sent = world.server.request_count(Endpoint::DeleteFiles);
    let reason = stopped(&world).await;
    assert!(
        reason.contains("lacks the last") && reason.contains("hold list"),
        "{reason}"
    );
    // However much is written meanwhile, the suspicion stays, over restarts too.
    for _ in 0..60 {
        world.ledger.set_setting("x", Some("y")).await.unwrap();
    }
    world.sqlite.close().await;
    reopen(&mut world).await;
    assert_eq!(stopped(&world).await, reason);
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), sent);

    let listed = cli(&world, &["breaker", "list"]);
    assert_eq!(listed.status.code(), Some(3), "{listed:?}");
    let text = String::from_utf8(listed.stdout).unwrap();
    assert!(
        text.contains("rollback") && text.contains("breaker reset rollback"),
        "{text}"
    );
    // The hold that was lost is placed again, then the operator says so.
    hold(&world, &batch, 0).await;
    let reset = cli(&world, &["breaker", "reset", "rollback"]);
    assert_eq!(reset.status.code(), Some(0), "{reset:?}");
    let report = world.sweep().await;
    assert_eq!(report.ending, Ending::Done, "{report:?}");
    assert_eq!(world.count(&batch, FileState::Gone).await, 3);
    assert!(world.server.exists(batch.files[0].as_str()), "held");

    // A copy from before the operator's word is another ledger's.
    restore(&mut world, &copy).await;
    let reason = stopped(&world).await;
    assert!(reason.contains("another ledger"), "{reason}");
}

#[tokio::test]
async fn changes_lost_with_the_log_are_noticed() {
    let mut world = World::new().await;
    let batch = world.upload(2).await;
    // What lies in the file alone is older: the hold is in the log.
    world.sqlite.close().await;
    reopen(&mut world).await;
    let file = std::fs::read(&world.checked.ledger.path).unwrap();
    hold(&world, &batch, 0).await;
    world.sqlite.close().await;
    std::fs::write(&world.checked.ledger.path, file).unwrap();
    reopen(&mut world).await;
    world.days_pass(11);
    assert!(stopped(&world).await.contains("lacks the last 1 changes"));
    assert_eq!(world.left(&batch), 2);
}

#[tokio::test]
async fn a_missing_or_garbled_anchor_stops_deletion_and_says_which() {
    for (garbled, word) in [(false, "is missing"), (true, "cannot be understood")] {
        let mut world = World::new().await;
        let batch = world.upload(2).await;
        world.days_pass(11);
        world.sqlite.close().await;
        let anchor = beside(&world, ".anchor");
        if garbled {
            std::fs::write(&anchor, "none\n").unwrap();
        } else {
            std::fs::remove_file(&anchor).unwrap();
        }
        reopen(&mut world).await;
        let reason = stopped(&world).await;
        assert!(reason.contains(word), "{reason}");
        assert_eq!(
            cli(&world, &["breaker", "reset", "rollback"]).status.code(),
            Some(0)
        );
        assert_eq!(world.sweep().await.ending, Ending::Done);
        assert_eq!(world.left(&batch), 0);
    }
}

#[tokio::test]
async fn an_empty_file_in_the_ledgers_place_stops_deletion() {
    let mut world = World::new().await;
    let batch = world.upload(2).await;
    world.sqlite.close().await;
    std::fs::write(&world.checked.ledger.path, "").unwrap();
    reopen(&mut world).await;
    world
        .record(&batch, retentiond::model::Labels::new(), world.now())
        .await;
    world.days_pass(11);
    assert!(stopped(&world).await.contains("another ledger"));
    assert_eq!(world.left(&batch), 2);
}

#[tokio::test]
async fn an_anchor_that_cannot_be_kept_lets_nothing_be_deleted() {
    let world = World::new().await;
    let batch = world.upload(2).await;
    world.days_pass(11);
    let anchor = beside(&world, ".anchor");
    std::fs::remove_file(&anchor).unwrap();
    std::fs::create_dir(&anchor).unwrap();
    let request = retentiond::engine::SweepRequest {
        policy: crate::harness::name("documents"),
        occurrence: None,
        trigger: retentiond::model::Trigger::Manual,
    };
    let refused = world
        .engine()
        .sweep(&world.checked.rules, &request, &Default::default())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("anchor"), "{refused}");
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 0);
    assert_eq!(world.left(&batch), 2);
    // A hold can be placed all the same.
    hold(&world, &batch, 0).await;
}

#[tokio::test]
async fn a_damaged_page_ends_the_sweep_before_anything_is_deleted() {
    let mut world = World::new().await;
    let batch = world.upload(3).await;
    world.days_pass(11);
    world.sqlite.close().await;
    let mut bytes = std::fs::read(&world.checked.ledger.path).unwrap();
    let name = batch.files[0].as_str().as_bytes();
    let mut damaged = 0;
    for page in bytes.chunks_mut(4096) {
        // Where nothing lies: SQLite itself would never notice.
        if page.windows(name.len()).any(|window| window == name) {
            let free = page.windows(8).position(|window| window == [0; 8]).unwrap();
            page[free + 4] ^= 0x20;
            damaged += 1;
        }
    }
    assert!(damaged >= 2, "the table and its index, {damaged}");
    std::fs::write(&world.checked.ledger.path, bytes).unwrap();
    reopen(&mut world).await;
    let request = retentiond::engine::SweepRequest {
        policy: crate::harness::name("documents"),
        occurrence: None,
        trigger: retentiond::model::Trigger::Manual,
    };
    let ended = world
        .engine()
        .sweep(&world.checked.rules, &request, &Default::default())
        .await
        .unwrap_err();
    assert!(
        ended.to_string().contains("does not match its checksum"),
        "{ended}"
    );
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 0);
    assert_eq!(world.left(&batch), 3);
    let check = cli(&world, &["ledger", "check", "--deep"]);
    assert_eq!(check.status.code(), Some(4), "{check:?}");
}

#[tokio::test]
async fn a_ledger_or_log_removed_under_us_ends_all_deletion() {
    for suffix in ["", "-wal"] {
        let world = World::new().await;
        let batch = world.upload(2).await;
        world.days_pass(11);
        std::fs::remove_file(beside(&world, suffix)).unwrap();
        let request = retentiond::engine::SweepRequest {
            policy: crate::harness::name("documents"),
            occurrence: None,
            trigger: retentiond::model::Trigger::Manual,
        };
        let ended = world
            .engine()
            .sweep(&world.checked.rules, &request, &Default::default())
            .await;
        assert!(
            matches!(ended, Err(retentiond::engine::SweepError::Replaced)),
            "{suffix}: {ended:?}"
        );
        assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 0, "{suffix}");
        assert_eq!(world.left(&batch), 2);
    }
}
