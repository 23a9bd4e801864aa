//! What a ledger promises, sentence by sentence of `src/ledger/contract.rs`, for every backend.
//!
//! The tests speak to the traits only; `world` opens a ledger of each backend for them.
//! `sqlite_file` holds what is particular to a file: foreign and newer ones, crashes, cancelled
//! callers; `postgres_server` what is particular to a server; `lock`, `right`, `peers` and `parts` the right to delete, of one and of several; `measure` prints figures.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests fail as tests do"
)]
#![expect(
    clippy::print_stdout,
    reason = "`measure`, `flips` and `suite` print their figures"
)]

#[cfg(feature = "postgres")]
#[path = "postgres/cluster.rs"]
mod cluster;
#[cfg(feature = "postgres")]
#[path = "postgres/restart.rs"]
mod restart;
#[path = "ledger/world.rs"]
mod world;

#[path = "ledger/accounts.rs"]
mod accounts;
#[path = "ledger/changes.rs"]
mod changes;
#[path = "ledger/claims.rs"]
mod claims;
#[path = "ledger/controls.rs"]
mod controls;
#[path = "ledger/copy.rs"]
mod copy;
#[path = "ledger/coverage.rs"]
mod coverage;
#[path = "ledger/due.rs"]
mod due;
#[path = "ledger/erasures.rs"]
mod erasures;
#[path = "ledger/events.rs"]
mod events;
#[path = "ledger/figures.rs"]
mod figures;
#[path = "ledger/fixtures.rs"]
mod fixtures;
#[path = "ledger/flips.rs"]
mod flips;
#[path = "ledger/holds.rs"]
mod holds;
#[cfg(feature = "postgres")]
#[path = "ledger/hosts.rs"]
mod hosts;
#[path = "ledger/intake.rs"]
mod intake;
#[path = "ledger/lock.rs"]
mod lock;
#[path = "ledger/measure.rs"]
mod measure;
#[path = "ledger/notes.rs"]
mod notes;
#[path = "ledger/others.rs"]
mod others;
#[cfg(feature = "postgres")]
#[path = "ledger/pacing.rs"]
mod pacing;
#[cfg(feature = "postgres")]
#[path = "ledger/parts.rs"]
mod parts;
#[path = "ledger/past.rs"]
mod past;
#[cfg(feature = "postgres")]
#[path = "ledger/peers.rs"]
mod peers;
#[path = "ledger/plans.rs"]
mod plans;
#[cfg(feature = "postgres")]
#[path = "ledger/postgres_server.rs"]
mod postgres_server;
#[path = "ledger/recovery.rs"]
mod recovery;
#[path = "ledger/redaction.rs"]
mod redaction;
#[path = "ledger/rehint.rs"]
mod rehint;
#[path = "ledger/reports.rs"]
mod reports;
#[cfg(feature = "postgres")]
#[path = "ledger/right.rs"]
mod right;
#[path = "ledger/settle.rs"]
mod settle;
#[path = "ledger/sqlite_file.rs"]
mod sqlite_file;
#[path = "ledger/standing.rs"]
mod standing;
#[path = "ledger/suite.rs"]
mod suite;
#[path = "ledger/sweeps.rs"]
mod sweeps;
#[path = "ledger/uploads.rs"]
mod uploads;
