//! A look into the ledger of a world on a server, past the code that is under test.

use std::collections::BTreeMap;

use retentiond::model::{AttemptId, FileId, FileState};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::cluster::cluster;
use crate::eye::{self, Intent, IntentRow};
use crate::place::Still;
use crate::server::LEASE;

pub async fn connect(database: &str) -> PgConnection {
    let options: PgConnectOptions = cluster().url(database).parse().unwrap();
    PgConnection::connect_with(&options.application_name("the world"))
        .await
        .unwrap()
}

pub async fn run(connection: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(connection)
        .await
        .unwrap();
}

/// What is committed, as the server says it.
pub struct ServerEye(tokio::sync::Mutex<PgConnection>);

impl ServerEye {
    pub async fn open(database: &str) -> Self {
        let mut connection = connect(database).await;
        run(&mut connection, "SET search_path = retentiond").await;
        Self(tokio::sync::Mutex::new(connection))
    }

    pub async fn close(self) {
        self.0.into_inner().close().await.unwrap();
    }

    pub async fn run(&self, statement: &str) {
        run(&mut *self.0.lock().await, statement).await;
    }

    pub async fn number(&self, question: &'static str) -> i64 {
        sqlx::query_scalar(question)
            .fetch_one(&mut *self.0.lock().await)
            .await
            .unwrap()
    }

    /// How many transactions the ledger has counted.
    pub async fn sequence(&self) -> i64 {
        let _still = Still::begin();
        self.number("SELECT sequence FROM lineage").await
    }

    pub async fn living(&self) -> Vec<i64> {
        let _still = Still::begin();
        sqlx::query_scalar("SELECT number FROM living")
            .fetch_all(&mut *self.0.lock().await)
            .await
            .unwrap()
    }

    /// What a process does every few seconds, of which none has passed here.
    pub async fn renew(&self, seats: Vec<i64>) {
        let _still = Still::begin();
        sqlx::query(
            "UPDATE peers
             SET seen_at = server_ms(), lease_until = server_ms() + $2
             WHERE number = ANY ($1)",
        )
        .bind(seats)
        .bind(i64::try_from(LEASE.lasts.as_millis()).unwrap())
        .execute(&mut *self.0.lock().await)
        .await
        .unwrap();
    }

    pub async fn states(&self) -> BTreeMap<FileId, FileState> {
        let rows = sqlx::query_scalar(
            "SELECT coalesce(json_agg(json_build_array(file_id, state)), '[]')::text FROM files",
        )
        .fetch_one(&mut *self.0.lock().await)
        .await;
        eye::states(rows.unwrap())
    }

    pub async fn intents(&self) -> BTreeMap<AttemptId, Intent> {
        let rows: Vec<IntentRow> = sqlx::query_as(
            "SELECT a.id, b.module, b.parent, b.batch, l.file_id, coalesce(f.state, -1)
             FROM attempts a
             JOIN batches b ON b.id = a.batch
             JOIN attempt_files l ON l.attempt = a.id
             LEFT JOIN files f ON f.batch = a.batch AND f.file_id = l.file_id
             WHERE a.settled_at IS NULL",
        )
        .fetch_all(&mut *self.0.lock().await)
        .await
        .unwrap();
        eye::intents(rows)
    }
}
