//! The real binary with a wall clock that `faketime` moves: CLOCK_BOOTTIME and the server's `Date` stay true.

use std::process::Output;

use tokio::process::Command;

use crate::world::World;

/// `retentiond sweep` with its wall clock moved by `shift` (`+30d`).
async fn sweep_at(world: &World, shift: &str) -> Output {
    let command = world.command(&["sweep"]);
    let plain = command.as_std();
    let mut moved = Command::new("faketime");
    moved
        .args(["-f", shift])
        .arg(plain.get_program())
        .args(plain.get_args())
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .kill_on_drop(true);
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => moved.env(name, value),
            None => moved.env_remove(name),
        };
    }
    moved.output().await.expect("faketime is installed")
}

fn assert_stopped(output: &Output, shift: &str) {
    assert_eq!(output.status.code(), Some(8), "{shift}: {output:?}");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("clock"), "{shift}: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs faketime"]
async fn a_wall_clock_that_is_wrong_from_the_first_start_deletes_nothing() {
    for shift in ["+1h", "+30d", "+18000d", "-1h", "-30d"] {
        let world = World::new().await;
        let output = sweep_at(&world, shift).await;
        // A month ago nothing was due, and no one is asked.
        if shift != "-30d" {
            assert_stopped(&output, shift);
        }
        assert_eq!(world.deletes().len(), 0, "{shift}");
        // The clock is right again, and nobody has to say so.
        world.assert_recovers(shift).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs faketime"]
async fn a_wall_clock_that_jumps_between_two_sweeps_makes_nothing_due() {
    for shift in ["+1h", "+30d", "+18000d", "-1h", "-30d"] {
        let world = World::new().await;
        world.assert_recovers("a first sweep").await;
        let requests = world.deletes().len();
        // A month on, the young file would be due.
        for _ in 0..2 {
            let output = sweep_at(&world, shift).await;
            assert_stopped(&output, shift);
        }
        assert_eq!(world.deletes().len(), requests, "{shift}");
        world.assert_recovers(shift).await;
    }
}
