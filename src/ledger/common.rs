//! What the ledgers have in common and no database takes part in: how a row becomes a record, how uploads
//! are prepared and merged, how a transaction is run and asked from.

pub(in crate::ledger) mod asking;
pub(in crate::ledger) mod controls;
pub(in crate::ledger) mod erasures;
pub(in crate::ledger) mod events;
pub(in crate::ledger) mod holds;
pub(in crate::ledger) mod intake;
pub(in crate::ledger) mod lineage;
pub(in crate::ledger) mod openings;
pub(in crate::ledger) mod problem;
pub(in crate::ledger) mod records;
pub(in crate::ledger) mod recovery;
pub(in crate::ledger) mod redaction;
pub(in crate::ledger) mod reports;
pub(in crate::ledger) mod sealing;
pub(in crate::ledger) mod sweeps;
pub(in crate::ledger) mod table;
pub(in crate::ledger) mod told_again;
pub(in crate::ledger) mod tree;
pub(in crate::ledger) mod unfinished;
pub(in crate::ledger) mod uploads;
pub(in crate::ledger) mod values;

use crate::model::Labels;

/// Document type and labels, as many files share them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::ledger) struct Attributes {
    pub(in crate::ledger) document_type: Option<String>,
    pub(in crate::ledger) labels: Labels,
}
