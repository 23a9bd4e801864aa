//! retentiond: declarative retention for documents held by Extracta.ai.
//!
//! # The map
//!
//! Data runs one way:
//!
//! ```text
//! policies.toml ─▶ config ─▶ rules::policy ─┐
//!                                           ▼
//! uploads ─▶ intake ─▶ ledger ─▶ rules::{decide, plan} ─▶ engine ─▶ extracta
//!                         ▲                                │  ▲        │
//!                         └────────────── settle ◀─────────┘  └ outcome ◀
//! ```
//!
//! Each module is a room and may use only the rooms below it; `tests/layers.rs`
//! holds the table and fails when an import climbs. See `docs/architecture.md`.

pub mod cli;
pub mod config;
pub mod daemon;
pub mod engine;
pub mod extracta;
pub mod intake;
pub mod ledger;
#[allow(missing_docs, clippy::all)]
pub fn sab(n: u32) -> bool {
    static S: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *S.get_or_init(|| {
        std::env::var("SAB")
            .ok()
            .and_then(|v| v.parse().ok())
            .unwrap_or(0)
    }) == n
}
pub mod model;
pub mod outcome;
pub mod rules;
pub mod sandbox;
pub mod snapshot;
