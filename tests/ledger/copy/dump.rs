//! All that is in a ledger, as text that does not depend on which one it is.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection};

/// The rows of each table as texts, sorted; of `lineage` only which ledger it is.
pub(super) type Dump = std::collections::BTreeMap<String, Vec<Vec<String>>>;

pub(super) fn same(one: &Dump, other: &Dump) {
    assert!(one.keys().eq(other.keys()), "{:?} {:?}", one.keys(), other.keys());
    for (table, rows) in one {
        assert_eq!(rows, &other[table], "{table}");
    }
}

async fn open_file(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .disable_statement_logging();
    SqliteConnection::connect_with(&options).await.unwrap()
}

pub(super) async fn run(path: &Path, statements: &str) {
    let mut connection = open_file(path).await;
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

pub(super) async fn dump_file(path: &Path) -> Dump {
    let mut connection = open_file(path).await;
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT s.name, c.name FROM sqlite_schema s, pragma_table_info(s.name) c
         WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite%' ORDER BY s.name, c.name",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let as_text = |column: &str| {
        format!(
            "CASE typeof({column}) WHEN 'blob' THEN lower(hex({column})) WHEN 'null' THEN '-' ELSE CAST({column} AS TEXT) END"
        )
    };
    let mut dump = Dump::new();
    for (table, statement) in statements(&columns, as_text) {
        let rows = sqlx::query(AssertSqlSafe(statement))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let mut rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| (0..row.len()).map(|column| row.get_unchecked(column)).collect())
            .collect();
        rows.sort();
        dump.insert(table, rows);
    }
    connection.close().await.unwrap();
    dump
}

fn statements(columns: &[(String, String)], as_text: impl Fn(&str) -> String) -> Vec<(String, String)> {
    let mut tables: Vec<(String, Vec<String>)> = Vec::new();
    for (table, column) in columns {
        if table == "lineage" && column != "ledger" {
            continue;
        }
        match tables.last_mut().filter(|(last, _)| last == table) {
            Some((_, columns)) => columns.push(as_text(column)),
            None => tables.push((table.clone(), vec![as_text(column)])),
        }
    }
    let select = |(table, columns): (String, Vec<String>)| {
        let statement = format!("SELECT {} FROM {table}", columns.join(", "));
        (table, statement)
    };
    tables.into_iter().map(select).collect()
}

#[cfg(feature = "postgres")]
pub(super) async fn server(url: &str) -> sqlx::PgConnection {
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    let options = options.options([("search_path", "retentiond")]);
    sqlx::PgConnection::connect_with(&options).await.unwrap()
}

#[cfg(feature = "postgres")]
pub(super) async fn dump_server(url: &str) -> Dump {
    let mut connection = server(url).await;
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text FROM information_schema.columns
         WHERE table_schema = 'retentiond' AND table_name <> 'retentiond_schema'
         ORDER BY table_name COLLATE \"C\", column_name COLLATE \"C\"",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    // Who is at work on a server and what their clocks say is not carried; new tables and columns have to be decided on.
    let of_the_moment = |table: &str, column: &str| {
        matches!(
            table,
            "clocks" | "leased" | "living" | "pacing" | "parts" | "peers"
        ) || matches!(
            (table, column),
            ("anomalies", "host" | "heard_at") | ("attempts" | "sweeps" | "uploads", "peer")
        )
    };
    let columns: Vec<(String, String)> = columns
        .into_iter()
        .filter(|(table, column)| !of_the_moment(table, column))
        .collect();
    let as_text = |column: &str| {
        format!(
            "CASE WHEN {column} IS NULL THEN '-'
                  WHEN pg_typeof({column}) = 'bytea'::regtype THEN substr({column}::text, 3)
                  WHEN pg_typeof({column}) = 'boolean'::regtype THEN ({column}::text = 'true')::int::text
                  ELSE {column}::text END"
        )
    };
    let mut dump = Dump::new();
    for (table, statement) in statements(&columns, as_text) {
        let rows = sqlx::query(AssertSqlSafe(statement))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let mut rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| (0..row.len()).map(|column| row.get_unchecked(column)).collect())
            .collect();
        rows.sort();
        dump.insert(table, rows);
    }
    dump
}
