//! The ledger: which files are known, what was intended, what came of it.
//!
//! Edge storey. [`contract`] is what the rest of the house may ask of a ledger; [`sqlite`] and `postgres` stand
//! behind it, and [`place`] alone knows which. Each SQL statement lies beside the function that runs it. The
//! ledger decides nothing: whoever claims files brings the decision along as a function. The right
//! to *delete* is apart from the right to write: [`lock`].

mod anchor;
mod checkpoints;
mod common;
pub mod contract;
pub mod copy;
pub mod error;
pub mod lock;
pub mod place;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod sqlite;

pub use contract::*;
pub use error::{LedgerError, Refusal};
pub use lock::{DeleterLock, ReconcileLock};
pub use place::Place;
#[cfg(feature = "postgres")]
pub use postgres::{Lease, PostgresLedger, PostgresOptions};
pub use sqlite::{OpenMode, SqliteLedger};
