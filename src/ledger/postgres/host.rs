//! Which host this is, among those that work on one ledger.

use std::path::Path;

use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::fault::during;
use crate::ledger::LedgerError;
use crate::ledger::lock::beside;

/// The machine's name, and a few digits of which machine it is and where it keeps what it knows of the ledger: two
/// that are called alike are two, and so are two daemons of one machine. Without a space.
pub(super) fn host(kept: &Path) -> String {
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let digest = Sha256::new()
        .chain_update("retentiond host\0")
        .chain_update(machine.trim())
        .chain_update("\0")
        .chain_update(beside(kept, "").as_os_str().as_encoded_bytes())
        .finalize();
    let name: String = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .take(63)
        .collect();
    format!("{name}-{}", hex::encode(&digest[..4]))
}

/// Whether this host has deleted by this ledger before.
pub(super) async fn is_known(tx: &mut PgConnection, host: String) -> Result<bool, LedgerError> {
    sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT 1
             FROM clocks
             WHERE host = $1
         )",
    )
    .bind(host)
    .fetch_one(tx)
    .await
    .map_err(during("looking whether this host has been here before"))
}
