//! The real binary under `strace`: killed, or failed, at the n-th system call; plus full disks, read-only
//! mounts and a clock that `faketime` moves.
//!
//! On PostgreSQL: killed, or its connection cut, at the n-th question to the server, by a door before it (`postgres.rs`).
//!
//! A point is one world of its own: a sandbox, a ledger, one sweep that is hit, then what has to hold
//! (`world.rs`). By default an evenly spread part of the points is run; `KILL_POINTS=all` runs each.

#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "an integration test: it has no outside, a panic is its way to fail, and it prints its figures"
)]

#[path = "kill/clock.rs"]
mod clock;
#[cfg(feature = "postgres")]
#[path = "postgres/cluster.rs"]
mod cluster;
#[path = "kill/disk.rs"]
mod disk;
#[path = "kill/errors.rs"]
mod errors;
#[path = "kill/points.rs"]
mod points;
#[cfg(feature = "postgres")]
#[path = "kill/postgres.rs"]
mod postgres;
#[cfg(feature = "postgres")]
#[path = "postgres/proxy.rs"]
mod proxy;
#[cfg(feature = "postgres")]
#[path = "postgres/restart.rs"]
mod restart;
#[path = "kill/trace.rs"]
mod trace;
#[path = "kill/uploads.rs"]
mod uploads;
#[path = "kill/world.rs"]
mod world;
