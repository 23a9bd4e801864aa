//! The disk fails: fsync with EIO, writes with ENOSPC; and the order of intent and request.

use futures_util::stream::{self, StreamExt};

use crate::points::{points_of, spread};
use crate::trace::Traced;
use crate::world::World;

/// Worlds side by side: most of the time they wait for a disk that has room again.
const SIDE_BY_SIDE: usize = 4;

/// Lines of the trace, with their place in it.
fn lines<'t>(traced: &'t Traced, what: &'t str) -> impl Iterator<Item = (usize, &'t str)> {
    traced
        .log
        .lines()
        .enumerate()
        .filter(move |(_, line)| line.contains(what))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs strace"]
async fn after_the_first_failed_fsync_nothing_is_deleted_and_no_fsync_is_retried() {
    let points = points_of("fsync").await;
    let mut hit = 0;
    // Once, as when the kernel has dropped the pages and forgotten about it; and for good.
    for when in spread(points, 30)
        .iter()
        .flat_map(|n| [format!("{n}"), format!("{n}+")])
    {
        let name = format!("EIO at fsync {when} of {points}");
        let world = World::new().await;
        let traced = world.sweep_hit("fsync", "error=EIO", &when).await;
        // SQLite overlooks a failed sync of the directory; one of a file it does not.
        let failed = lines(&traced, "(INJECTED)").find(|(_, line)| line.contains("ledger.db"));
        let Some((failed, _)) = failed else {
            assert_eq!(
                traced.output.status.code(),
                Some(0),
                "{name}: {}",
                traced.stderr()
            );
            continue;
        };
        hit += 1;
        assert_eq!(
            traced.output.status.code(),
            Some(4),
            "{name}: {}",
            traced.stderr()
        );
        assert!(traced.stderr().contains("fsync"), "{name}: {}", traced.stderr());
        let after = |what| lines(&traced, what).filter(|(nr, _)| *nr > failed).count();
        assert_eq!(
            after("DELETE /"),
            0,
            "{name}: a request after it:\n{}",
            traced.log
        );
        assert_eq!(after("fsync("), 0, "{name}: an fsync after it:\n{}", traced.log);
        assert_eq!(
            lines(&traced, "DELETE /")
                .filter(|(_, line)| !line.contains("resumed"))
                .count(),
            world.deletes().len(),
            "{name}: the trace and the server count the same requests"
        );
        world.assert_sound(&name).await;
        world.assert_recovers(&name).await;
    }
    println!("EIO: {points} fsyncs, {hit} runs were hit");
    assert!(hit >= 15, "{hit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs strace"]
async fn a_disk_that_is_full_for_a_moment_or_for_good_loses_no_outcome_and_sends_nothing_unrecorded() {
    let points = points_of("pwrite64").await;
    let once = spread(points, 24).into_iter().map(|n| format!("{n}"));
    let for_good = spread(points, 16).into_iter().map(|n| format!("{n}+"));
    let runs: Vec<String> = once.chain(for_good).collect();
    let ended: Vec<Option<i32>> = stream::iter(runs)
        .map(|when| async move {
            let name = format!("ENOSPC at write {when} of {points}");
            let world = World::new().await;
            let traced = world.sweep_hit("pwrite64", "error=ENOSPC", &when).await;
            let code = traced.output.status.code();
            if lines(&traced, "(INJECTED)").next().is_none() {
                assert_eq!(code, Some(0), "{name}: {}", traced.stderr());
                return None;
            }
            if code != Some(0) {
                assert_eq!(code, Some(1), "{name}: {}", traced.stderr());
                assert!(
                    traced.stderr().contains("cannot be written"),
                    "{name}: {}",
                    traced.stderr()
                );
            }
            // A request needs an intent on the disk: with no room from the first write on, none is sent.
            if when == "1+" {
                assert_eq!(world.deletes().len(), 0, "{name}");
            }
            world.assert_sound(&name).await;
            world.assert_recovers(&name).await;
            code
        })
        .buffer_unordered(SIDE_BY_SIDE)
        .collect()
        .await;
    let hit = ended.iter().flatten().count();
    let through = ended.iter().flatten().filter(|code| **code == 0).count();
    println!("ENOSPC: {points} writes, {hit} runs were hit, {through} of them ended well by themselves");
    assert!(hit >= 20, "{hit}");
    assert!(
        through >= 1,
        "an outcome that cannot be written for a moment is written then"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs strace"]
async fn the_log_is_synced_before_the_first_byte_of_each_request() {
    let world = World::new().await;
    let traced = world
        .trace(
            &["sweep"],
            &["-e", "trace=fsync,fdatasync,pwrite64,sendto,sendmsg,writev,write"],
        )
        .await;
    assert_eq!(traced.output.status.code(), Some(0), "{}", traced.stderr());
    // An intent is what names the files: the last write to the log that holds an id of the request has
    // to be followed by a sync before the request's first byte.
    let log: Vec<&str> = traced.log.lines().collect();
    let mut requests = 0;
    for (nr, line) in
        lines(&traced, "DELETE /").filter(|(_, line)| line.contains("iov_base") || line.contains("sendto"))
    {
        requests += 1;
        let before = &log[..nr];
        let synced = before
            .iter()
            .rposition(|line| line.contains("fsync(") && line.contains("ledger.db-wal"));
        let synced = synced.unwrap_or_else(|| panic!("no sync before {line}"));
        assert!(log[synced].ends_with("= 0"), "{}", log[synced]);
        let earlier = before[..synced]
            .iter()
            .rposition(|line| line.contains("DELETE /"));
        let written = before[..synced]
            .iter()
            .rposition(|line| line.contains("pwrite64(") && line.contains("ledger.db-wal"));
        assert!(
            written.is_some() && written > earlier,
            "an intent of its own is written and synced before {line}"
        );
    }
    assert_eq!(requests, world.deletes().len());
    assert!(requests >= 5, "{requests}");
    println!("order: {requests} requests, each after the sync of its intent");
    world.assert_end("the traced sweep").await;
}
