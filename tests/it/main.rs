//! The house as a whole: real SQLite, real HTTP against the sandbox, a clock that stands still.

#![expect(
    unreachable_pub,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "an integration test: it has no outside, says its figures, and a panic is its way to fail"
)]

mod accounts;
mod adopted;
mod audit;
mod binary;
mod bisection;
mod changes;
mod clock;
#[cfg(feature = "postgres")]
#[path = "../postgres/cluster.rs"]
mod cluster;
mod contract;
#[cfg(feature = "postgres")]
mod copying;
mod daemon;
mod endpoint;
mod erase_verbs;
mod erasures;
mod events;
mod explain;
mod faces;
mod faults;
mod forecast;
mod gateway;
mod harness;
#[cfg(feature = "postgres")]
mod helping;
mod intent;
mod interop;
#[cfg(feature = "postgres")]
mod lease;
mod limits;
mod listener;
mod matrix;
mod notify;
#[cfg(feature = "postgres")]
mod on_postgres;
mod page;
mod passing;
#[cfg(feature = "postgres")]
mod postgres_tls;
mod races;
mod reconcile;
mod recovery;
mod redaction;
mod report_verbs;
#[cfg(feature = "postgres")]
#[path = "../postgres/restart.rs"]
mod restart;
mod rollback;
mod secrets;
mod settling;
#[cfg(feature = "postgres")]
mod several;
mod stops;
mod sweeps;
mod uploads;
mod webhooks;
mod windows;
