//! A deterministic simulation of the engine: one seed, one world.
//!
//! The seed drives a manual clock, a model of the remote store, uploads, holds, start events, erasure requests, rules, faults and a
//! crash between any two steps, over the real ledger; after every step the invariants (G1…G9) are
//! judged against the model and an oracle that shares no code with the rules. A failing seed is the
//! bug report: `SEED=n cargo test --test simulation` replays it and prints what happened;
//! `SEEDS=100000` runs more of them.

#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::await_holding_lock,
    clippy::print_stdout,
    reason = "an integration test: it has no outside, a panic is its way to fail, and it prints its figures"
)]

#[path = "simulation/calm.rs"]
mod calm;
#[cfg(feature = "postgres")]
#[path = "postgres/cluster.rs"]
mod cluster;
#[path = "simulation/crash.rs"]
mod crash;
#[path = "simulation/erasures.rs"]
mod erasures;
#[path = "simulation/events.rs"]
mod events;
#[path = "simulation/eye.rs"]
mod eye;
#[cfg(feature = "postgres")]
#[path = "simulation/on_server.rs"]
mod on_server;
#[path = "simulation/place.rs"]
mod place;
#[path = "simulation/remote.rs"]
mod remote;
#[path = "simulation/restore.rs"]
mod restore;
#[path = "simulation/rng.rs"]
mod rng;
#[path = "simulation/rules.rs"]
mod rules;
#[cfg(feature = "postgres")]
#[path = "simulation/server.rs"]
mod server;
#[cfg(feature = "postgres")]
#[path = "simulation/server_eye.rs"]
mod server_eye;
#[path = "simulation/shared.rs"]
mod shared;
#[path = "simulation/steps.rs"]
mod steps;
#[path = "simulation/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use place::Kind;
use world::World;

/// Worlds of an ordinary run; `SEEDS` says otherwise.
const DEFAULT_SEEDS: u64 = 2_000;

/// The same on PostgreSQL, where each takes a second.
#[cfg(feature = "postgres")]
const DEFAULT_SEEDS_ON_A_SERVER: u64 = 60;

/// So many worlds must meet every kind of fault at least once.
const EVERY_KIND_FROM: u64 = 2_000;

/// Steps of a world before the calm.
const STEPS: u64 = 8;

/// What one world came to.
struct Life {
    seed: u64,
    violations: Vec<String>,
    trace: Vec<String>,
    counts: BTreeMap<&'static str, u64>,
}

fn live(seed: u64, kind: Kind) -> Life {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    match kind {
        Kind::File => builder.enable_time(),
        #[cfg(feature = "postgres")]
        Kind::Server => builder.enable_all(),
    };
    let runtime = builder.start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(seed, kind).await;
        world.tick().await;
        world.fill().await;
        for _ in 0..STEPS {
            world.step().await;
            if !world.state().violations.is_empty() {
                break;
            }
        }
        if world.state().violations.is_empty() {
            world.calm().await;
        }
        world.end().await;
        let mut state = world.state();
        Life {
            seed,
            violations: std::mem::take(&mut state.violations),
            trace: std::mem::take(&mut state.trace),
            counts: std::mem::take(&mut state.counts),
        }
    })
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

/// Everything that has to have happened in some world of a whole run.
fn sometimes(kind: Kind) -> Vec<&'static str> {
    let others = [
        "poison refused",
        "poison 500",
        "400 does not exist, true",
        "batch emptied",
        "a neighbour vanished",
        "listing cannot tell",
        "listing lags",
        "listing without batch",
        "listing with pending files",
        "another account's listing",
        "probe works",
        "probe refused",
        "probe unavailable",
        "probe without date",
        "the API's clock is wrong",
        "crash",
        "restart",
        "reboot",
        "ledger opened from a dead one's bytes",
        "ledger busy",
        "ledger full",
        "ledger commits, its answer is lost",
        "ledger's fsync fails",
        "backup restored",
        "breaker rollback",
        "clock jump ahead",
        "clock jump back",
        "clock jump ahead in a sweep",
        "clock jump back in a sweep",
        "hold placed in a sweep",
        "hold released",
        "erasure requested",
        "erasure requested in a sweep",
        "erasure closed by itself",
        "erasure stopped by a hold",
        "erasure stopped by a binding floor",
        "erased before its time",
        "erasure withdrawn",
        "uploaded to a batch that is to be erased",
        "event recorded",
        "event recorded late",
        "event corrected to earlier",
        "event corrected to later",
        "event told in a sweep",
        "sent once its event was long enough ago",
        "pause in a sweep",
        "sweep cancelled",
        "rules changed",
        "rules approved",
        "plan approved",
        "recorded again",
        "linked copy made",
        "deleted by somebody else",
        "deleted by somebody else in a sweep",
        "quarantine retried",
        "breaker collateral",
        "breaker clock",
        "breaker auth",
        "breaker api",
        "sweep done",
        "sweep already done",
        "sweep observed",
        "sweep stopped by a pause",
        "sweep stopped by a breaker",
        "sweep stopped by a limit",
        "sweep stopped by its canary",
        "sweep stopped, the clock stands alone",
        "sweep put off by the API",
        "sweep waits for an approval",
        "sweep cut by a shutdown",
        "ends deleted",
        "ends gone",
        "ends live",
        "ends quarantined",
    ];
    let everywhere = remote::delete_faults().chain(others);
    match kind {
        Kind::File => everywhere.collect(),
        #[cfg(feature = "postgres")]
        Kind::Server => {
            let not_here = server::ONLY_BESIDE_A_FILE.map(|(what, _why)| what);
            let here = everywhere.filter(|what| !not_here.contains(what));
            here.chain(server::ONLY_BESIDE_A_SERVER).collect()
        }
    }
}

/// A thread that is woken waits until the one that woke it has nothing more to do: otherwise every row that SQLite
/// gives costs two changes of threads. Where the tool is missing the worlds only take longer.
fn wake_without_haste() {
    let own = std::process::id().to_string();
    let _ = std::process::Command::new("chrt")
        .args(["--batch", "--all-tasks", "--pid", "0", &own])
        .output();
}

/// Keeps this thread, and the SQLite threads that it starts, on one core: a world hands every statement
/// to another thread and back, and waking one on another core costs a quarter of a run's time.
fn stay_on_one_core(worker: usize) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let Ok(allowed) = sched_getaffinity(None) else {
        return;
    };
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|core| allowed.is_set(*core))
        .collect();
    let Some(core) = cores.get(worker % cores.len().max(1)) else {
        return;
    };
    let mut own = CpuSet::new();
    own.set(*core);
    // Only speed hangs on it.
    let _ = sched_setaffinity(None, &own);
}

/// Runs worlds side by side, the failed ones first in what it returns.
fn run(seeds: u64, kind: Kind) -> (Vec<Life>, BTreeMap<&'static str, u64>) {
    // A server's processes find their cores by themselves.
    let alone = matches!(kind, Kind::File);
    if alone {
        wake_without_haste();
    }
    let next = AtomicU64::new(0);
    let failed = Mutex::new(Vec::new());
    let counts = Mutex::new(BTreeMap::new());
    // Each world waits for its SQLite thread half the time.
    let threads = 2 * std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let (next, failed_worlds, all_counts) = (&next, &failed, &counts);
    std::thread::scope(|scope| {
        for worker in 0..threads {
            scope.spawn(move || {
                if alone {
                    stay_on_one_core(worker);
                }
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    let life = live(seed, kind);
                    let mut all = all_counts.lock().unwrap();
                    for (what, count) in &life.counts {
                        *all.entry(*what).or_insert(0) += count;
                    }
                    drop(all);
                    if !life.violations.is_empty() {
                        failed_worlds.lock().unwrap().push(life);
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort_by_key(|life| life.seed);
    (failed, counts.into_inner().unwrap())
}

/// Judges the world of `SEED`, or the first `SEEDS`, or as many as are usual.
fn judge(kind: Kind, usual: u64, test: &str) {
    if let Some(seed) = number("SEED") {
        let life = live(seed, kind);
        for line in &life.trace {
            println!("{line}");
        }
        assert!(life.violations.is_empty(), "seed {seed}: {:#?}", life.violations);
        return;
    }
    let seeds = number("SEEDS").unwrap_or(usual);
    let (failed, counts) = run(seeds, kind);
    let bugs: Vec<String> = failed
        .iter()
        .take(20)
        .map(|life| format!("  seed {}: {}", life.seed, life.violations[0]))
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {seeds} seeds break a promise:\n{}\nreplay the first with: SEED={} cargo test --test simulation {test} -- --include-ignored --nocapture",
        failed.len(),
        bugs.join("\n"),
        failed[0].seed
    );
    println!("{seeds} worlds: {counts:#?}");
    if seeds >= EVERY_KIND_FROM {
        let never: Vec<&str> = sometimes(kind)
            .into_iter()
            .filter(|what| !counts.contains_key(what))
            .collect();
        assert!(never.is_empty(), "in {seeds} worlds never seen: {never:?}");
    }
}

#[test]
fn every_promise_holds_in_every_world() {
    judge(Kind::File, DEFAULT_SEEDS, "every_promise_holds_in_every_world");
}

#[cfg(feature = "postgres")]
#[test]
#[ignore = "needs PostgreSQL: .ci/run"]
fn every_promise_holds_on_a_server_in_the_same_worlds() {
    let test = "every_promise_holds_on_a_server_in_the_same_worlds";
    judge(Kind::Server, DEFAULT_SEEDS_ON_A_SERVER, test);
}

#[test]
fn the_same_seed_is_the_same_world() {
    for seed in [1, 2, 3, 4] {
        let (first, second) = (live(seed, Kind::File), live(seed, Kind::File));
        let differs = first.trace.iter().zip(&second.trace).find(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.trace.len(), second.trace.len(), "seed {seed}");
    }
}
