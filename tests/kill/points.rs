//! Killed at every point: before the n-th call of each kind, and once more while recovering.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::world::World;

/// The calls at which the process dies; with how many points an ordinary run takes of each.
const CALLS: [(&str, usize); 8] = [
    ("pwrite64", 50),
    ("fsync", 25),
    ("fdatasync", 25),
    ("ftruncate", 10),
    ("unlink", 10),
    ("connect", 10),
    ("recvfrom", 15),
    ("writev", 15),
];

/// Longest time that one point may take; reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many of its calls one thread of an undisturbed sweep makes at most: where the points end.
pub async fn points_of(call: &str) -> usize {
    let world = World::new().await;
    let trace = format!("trace={call}");
    let traced = world.trace(&["sweep"], &["-e", &trace]).await;
    assert_eq!(traced.output.status.code(), Some(0), "{}", traced.stderr());
    world.assert_end("an undisturbed sweep").await;
    // strace counts by thread.
    let mut by_thread: BTreeMap<&str, usize> = BTreeMap::new();
    for line in traced
        .log
        .lines()
        .filter(|line| line.contains(&format!("{call}(")))
    {
        let thread = line.split_whitespace().next().unwrap_or_default();
        *by_thread.entry(thread).or_default() += 1;
    }
    by_thread.values().copied().max().unwrap_or(0)
}

/// Every point, or so many of them evenly spread, the last included.
pub fn spread(points: usize, most: usize) -> Vec<usize> {
    let all = std::env::var("KILL_POINTS").is_ok_and(|value| value == "all");
    if all || points <= most {
        return (1..=points).collect();
    }
    (1..=most).map(|k| (k * points).div_ceil(most)).collect()
}

async fn sweep_of_points(call: &str, most: usize) -> (usize, usize, usize) {
    let points = points_of(call).await;
    let (mut hit, mut twice) = (0, 0);
    let chosen = spread(points, most);
    let tried = chosen.len();
    for (nr, point) in chosen.into_iter().enumerate() {
        let one = async {
            let name = format!("killed at {call} {point} of {points}");
            let world = World::new().await;
            let traced = world.sweep_hit(call, "signal=KILL", &point.to_string()).await;
            if !traced.was_killed() {
                assert_eq!(
                    traced.output.status.code(),
                    Some(0),
                    "{name}: {}",
                    traced.stderr()
                );
                return (0, 0);
            }
            world.assert_sound(&name).await;
            let mut again = 0;
            if nr % 3 == 0 {
                // The recovering sweep dies too, early or late.
                let second = 1 + (point * 7) % points.max(2);
                let name = format!("{name}, then at {second}");
                let traced = world.sweep_hit(call, "signal=KILL", &second.to_string()).await;
                again = usize::from(traced.was_killed());
                world.assert_sound(&name).await;
            }
            world.assert_recovers(&name).await;
            (1, again)
        };
        let (one, again) = tokio::time::timeout(PATIENCE, one)
            .await
            .unwrap_or_else(|_| panic!("{call} {point}: it hangs"));
        hit += one;
        twice += again;
    }
    println!("{call}: {points} points, {tried} tried, {hit} killed, {twice} killed again while recovering");
    (points, hit, twice)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs strace"]
async fn killed_at_any_system_call_a_further_sweep_reaches_the_right_end() {
    let began = tokio::time::Instant::now();
    let (mut hit, mut twice) = (0, 0);
    for (call, most) in CALLS {
        let (points, one, again) = sweep_of_points(call, most).await;
        if ["pwrite64", "fsync", "writev"].contains(&call) {
            assert!(
                one * 2 > points.min(most),
                "{call}: {one} of {points} points were met"
            );
        }
        hit += one;
        twice += again;
    }
    println!("{hit} kills, {twice} of them twice, in {:?}", began.elapsed());
    assert!(hit >= 30 && twice >= 5);
}
