//! The remote edge: the trait that the engine speaks to, and the HTTP client behind it.
//!
//! Knows the wire; knows nothing of policies, the ledger or SQL. No request reaches further than
//! the files it lists: one type per scope, no `Option`, no empty id, no redirect, no library retry.

pub mod client;
pub mod pace;
pub mod remote;
pub mod wire;

pub use remote::{Copy, DeleteExtractionFile, DeleteFiles, ListedFile, Listing, Remote};
