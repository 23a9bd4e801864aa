//! The evidence report: every figure against independent SQL, its boundaries, its renderings, its looks.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "an integration test: a panic is its way to fail"
)]

#[cfg(feature = "postgres")]
#[path = "postgres/cluster.rs"]
mod cluster;

#[path = "report/boundaries.rs"]
mod boundaries;
#[path = "report/browser.rs"]
mod browser;
#[path = "report/concept.rs"]
mod concept;
#[path = "report/figures.rs"]
mod figures;
#[path = "report/golden.rs"]
mod golden;
#[cfg(feature = "postgres")]
#[path = "report/on_postgres.rs"]
mod on_postgres;
#[path = "report/planted.rs"]
mod planted;
#[path = "report/renderings.rs"]
mod renderings;
#[path = "report/planted/story.rs"]
mod story;
