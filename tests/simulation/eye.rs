//! A look into the ledger past the code that is under test: a connection of its own, one statement a
//! question.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use retentiond::model::{
    AttemptId, BatchAddress, BatchId, ClassificationId, ExtractionId, FileId, FileState, Parent,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

/// What is committed, as SQLite says it.
pub struct Eye(tokio::sync::Mutex<SqliteConnection>);

/// An attempt without an outcome.
#[derive(Debug)]
pub struct Intent {
    pub batch: BatchAddress,
    /// Its files, and those of them that are `deleting`.
    pub files: BTreeSet<FileId>,
    pub deleting: BTreeSet<FileId>,
}

impl Eye {
    pub async fn open(ledger: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(ledger)
            .read_only(true)
            .disable_statement_logging();
        Self(tokio::sync::Mutex::new(options.connect().await.unwrap()))
    }

    pub async fn close(self) {
        self.0.into_inner().close().await.unwrap();
    }

    /// Every file with its state.
    pub async fn states(&self) -> BTreeMap<FileId, FileState> {
        // One value: row by row through sqlx's channel it takes longer than a step of the world.
        let rows = sqlx::query_scalar("SELECT json_group_array(json_array(file_id, state)) FROM files")
            .fetch_one(&mut *self.0.lock().await)
            .await;
        states(rows.unwrap())
    }

    /// The intents that no outcome has followed.
    pub async fn intents(&self) -> BTreeMap<AttemptId, Intent> {
        let rows: Vec<IntentRow> = sqlx::query_as(
            "SELECT a.id, b.module, b.parent, b.batch, l.file_id, ifnull(f.state, -1)
             FROM attempts a
             JOIN batches b ON b.id = a.batch
             JOIN attempt_files l ON l.attempt = a.id
             LEFT JOIN files f ON f.batch = a.batch AND f.file_id = l.file_id
             WHERE a.settled_at IS NULL",
        )
        .fetch_all(&mut *self.0.lock().await)
        .await
        .unwrap();
        intents(rows)
    }
}

/// `[[file id, state], …]`, in any order.
pub fn states(rows: String) -> BTreeMap<FileId, FileState> {
    let rows: Vec<(String, i64)> = serde_json::from_str(&rows).unwrap();
    let state = |code| FileState::ALL.into_iter().find(|state| state.code() == code);
    rows.into_iter()
        .map(|(file, code)| (FileId::new(file).unwrap(), state(code).unwrap()))
        .collect()
}

/// Attempt, module, parent, batch, file, state of the file.
pub type IntentRow = (i64, String, String, String, String, i64);

pub fn intents(rows: Vec<IntentRow>) -> BTreeMap<AttemptId, Intent> {
    let mut intents = BTreeMap::new();
    for (id, module, parent, batch, file, state) in rows {
        let intent = intents.entry(AttemptId(id)).or_insert_with(|| Intent {
            batch: address(&module, parent, batch),
            files: BTreeSet::new(),
            deleting: BTreeSet::new(),
        });
        let file = FileId::new(file).unwrap();
        if state == FileState::Deleting.code() {
            intent.deleting.insert(file.clone());
        }
        intent.files.insert(file);
    }
    intents
}

fn address(module: &str, parent: String, batch: String) -> BatchAddress {
    let parent = if module == "extraction" {
        Parent::Extraction(ExtractionId::new(parent).unwrap())
    } else {
        Parent::Classification(ClassificationId::new(parent).unwrap())
    };
    BatchAddress {
        parent,
        batch: BatchId::new(batch).unwrap(),
        account: None,
    }
}
