//! Uploads before they meet a database: prepared, and merged with what is known.

pub(in crate::ledger) mod change;
pub(in crate::ledger) mod merge;
pub(in crate::ledger) mod prepare;
