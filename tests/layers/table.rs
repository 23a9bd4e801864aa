//! The table: room, storey, and what the room may use. From the bottom up; a row uses only rows above it here.

/// Where a room stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Storey {
    Ground,
    /// No I/O, no clock, no async.
    Pure,
    Edge,
    Work,
    /// Beside the house: uses nothing of it, so that it can bear witness against it.
    Apart,
    Face,
}

/// One room, a top-level module of `src`.
pub(crate) struct Row {
    pub(crate) room: &'static str,
    pub(crate) storey: Storey,
    pub(crate) may_use: &'static [&'static str],
}

const fn row(room: &'static str, storey: Storey, may_use: &'static [&'static str]) -> Row {
    Row {
        room,
        storey,
        may_use,
    }
}

#[rustfmt::skip]
pub(crate) const TABLE: &[Row] = &[
    row("model",    Storey::Ground, &[]),
    row("rules",    Storey::Pure,   &["model"]),
    row("outcome",  Storey::Pure,   &["model"]),
    row("evidence", Storey::Pure,   &["model"]),
    row("snapshot", Storey::Pure,   &["model"]),
    row("config",   Storey::Edge,   &["model", "rules"]),
    row("ledger",   Storey::Edge,   &["model", "outcome", "evidence", "rules"]),
    row("extracta", Storey::Edge,   &["model", "outcome"]),
    row("engine",   Storey::Work,   &["model", "rules", "outcome", "evidence", "snapshot", "ledger", "extracta"]),
    row("intake",   Storey::Work,   &["model", "rules", "outcome", "ledger", "extracta"]),
    row("report",   Storey::Work,   &["model", "rules", "evidence", "ledger"]),
    row("sandbox",  Storey::Apart,  &[]),
    row("http",     Storey::Face,   &["model", "outcome", "snapshot", "extracta", "intake"]),
    row("daemon",   Storey::Face,   &["model", "rules", "outcome", "evidence", "snapshot", "config", "ledger",
                                      "extracta", "engine", "intake", "report", "http"]),
    row("cli",      Storey::Face,   &["model", "rules", "outcome", "evidence", "snapshot", "config", "ledger",
                                      "extracta", "engine", "intake", "report", "sandbox", "http", "daemon"]),
];

/// `src/main.rs` is the front door of this room.
pub(crate) const MAIN: &str = "cli";

/// Prints. All others log, or return what the CLI prints.
pub(crate) const MAY_PRINT: &[&str] = &["cli"];

/// The only room that speaks SQL.
pub(crate) const SQL_ROOM: &str = "ledger";

/// How SQL is spoken, in tests as well.
pub(crate) const SQL: &[&[&str]] = &[&["sqlx"], &["libsqlite3_sys"]];

/// What the ground and pure storeys never touch, except in tests.
pub(crate) const IMPURE: &[&[&str]] = &[
    &["std", "fs"],
    &["std", "net"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "os"],
    &["std", "io", "stdin"],
    &["std", "io", "stdout"],
    &["std", "io", "stderr"],
    &["std", "time", "SystemTime"],
    &["std", "time", "Instant"],
    &["jiff", "Timestamp", "now"],
    &["jiff", "ZonedDateTime", "now"],
    &["chrono"],
    &["rustix"],
    &["tokio"],
    &["tokio_util"],
    &["futures_util"],
    &["async_trait"],
    &["reqwest"],
    &["hyper"],
    &["axum"],
    &["sqlx"],
];

/// The row of a room.
pub(crate) fn row_of(room: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.room == room)
}

#[test]
fn the_table_itself_never_climbs() {
    for (place, row) in TABLE.iter().enumerate() {
        for used in row.may_use {
            let below = TABLE[..place].iter().find(|other| other.room == *used);
            let below =
                below.unwrap_or_else(|| panic!("{} uses {used}, which has no row before it", row.room));
            let steps_down = below.storey < row.storey || row.storey == Storey::Face;
            assert!(steps_down, "{} uses {used} of its own storey", row.room);
        }
    }
    assert!(row_of("sandbox").unwrap().may_use.is_empty());
}
