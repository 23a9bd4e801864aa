//! One plan a statement, whatever the values.
//!
//! Left alone, SQLite looks at the values that are bound to `LIMIT ?` and to what a partial index asks, and so
//! prepares such a statement anew each time that it is run: a twentieth of all the time of a sweep.

use std::ffi::c_int;

use libsqlite3_sys as ffi;
use sqlx::SqliteConnection;

use super::fault::{damaged, during};
use crate::ledger::LedgerError;

/// Turns SQLite's "query planner stability guarantee" on.
pub(super) async fn steady(connection: &mut SqliteConnection) -> Result<(), LedgerError> {
    let mut handle = connection
        .lock_handle()
        .await
        .map_err(during("setting up the planner"))?;
    let (on, mut now): (c_int, c_int) = (1, 0);
    #[expect(unsafe_code, reason = "sqlite3_db_config has no safe side")]
    // SAFETY: the handle is locked for us and open; this option wants an int and a pointer to an int, which
    // outlives the call.
    let code = unsafe {
        ffi::sqlite3_db_config(
            handle.as_raw_handle().as_ptr(),
            ffi::SQLITE_DBCONFIG_ENABLE_QPSG,
            on,
            &raw mut now,
        )
    };
    if code == ffi::SQLITE_OK && now == on {
        return Ok(());
    }
    Err(damaged(format!(
        "SQLite's planner cannot be made steady (code {code})"
    )))
}
