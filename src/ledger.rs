//! The ledger: which files are known, what was intended, what came of it.
//!
//! Edge storey. [`contract`] is what the rest of the house may ask of a ledger; [`sqlite`] is the one
//! that stands behind it today. Each SQL statement lies beside the function that runs it. The
//! ledger decides nothing: whoever claims files brings the decision along as a function. The right
//! to *delete* is apart from the right to write: [`lock`].

mod anchor;
mod checkpoints;
pub mod contract;
pub mod error;
pub mod lock;
pub mod sqlite;

pub use contract::*;
pub use error::LedgerError;
pub use lock::DeleterLock;
pub use sqlite::{OpenMode, SqliteLedger};
