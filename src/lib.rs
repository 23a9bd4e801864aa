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
pub mod evidence;
pub mod extracta;
pub mod http;
pub mod intake;
pub mod ledger;
pub mod model;
pub mod outcome;
pub mod report;
pub mod rules;
pub mod sandbox;
pub mod snapshot;
