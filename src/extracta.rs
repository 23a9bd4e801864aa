//! The remote edge: the trait that the engine speaks to, and the HTTP client behind it.
//!
//! Knows the wire; knows nothing of policies, the ledger or SQL. No request reaches further than
//! the files it lists: one type per scope, no `Option`, no empty id, no redirect, no library retry.

pub mod client;
mod exchange;
pub mod extraction;
pub mod listing;
pub mod pace;
pub mod remote;
pub mod setup;
pub mod upload;
pub mod wire;

pub use client::{ClientConfig, ClientError, ExtractaClient, NotPassed, Passage, Route};
pub use pace::{Pacer, Start};
pub use remote::{Copy, DeleteExtractionFile, DeleteFiles, ListedFile, Listing, Probe, Remote};
pub use upload::{Document, UploadAnswer, UploadError};
