//! A ledger with something in every table, and where it goes.

use std::path::PathBuf;

use retentiond::evidence::{Checkpoint, Note};
use retentiond::ledger::{OpenMode, Place, StoredCheckpoint};
use retentiond::model::{EventScope, NewEvent};
#[cfg(feature = "postgres")]
use sqlx::AssertSqlSafe;

use super::dump::{Dump, dump_file, run};
#[cfg(feature = "postgres")]
use super::dump::{dump_server, server};
use crate::world::*;

/// One table that the tests need a row in and that the story does not fill.
const REST: &str = "
    INSERT INTO schedules VALUES ((SELECT max(id) FROM policies), 1);
    INSERT INTO settings VALUES ('api.not_before', 'ü ''quoted'' ⌘');
    INSERT INTO anomalies (identity, seen_at, skew_ms) VALUES ('a', 1, -5);
    INSERT INTO clock VALUES (1, 1, 2, 'boot', 3);
    INSERT INTO pauses (since, until, reason) VALUES (1, 2, 'why');
    INSERT INTO uploads (source, state, labels, begun_at, patient_until) VALUES ('gateway', 'open', '{\"a\":\"b\\u0000\"}', 1, 2);
    INSERT INTO upload_files VALUES (1, 0, zeroblob(32), 7);
    INSERT INTO rule_sets (digest, description) VALUES ('later', 'later');
    INSERT INTO rule_texts VALUES ((SELECT max(id) FROM rule_sets), 'text');
    INSERT INTO earlier_rule_texts (rule_set, text, replaced_at) SELECT max(id), 'before', 3 FROM rule_sets;
    INSERT INTO rule_changes (before, after, seen_at, impact) SELECT min(id), max(id), 4, '{}' FROM rule_sets WHERE id > 0;
    INSERT INTO plans (hash, policy, sweep, at, files) SELECT 'hash', policy, id, 5, 1 FROM sweeps LIMIT 1;
    INSERT INTO plan_files SELECT 1, 0, batch, file_id, 6, 7 FROM files LIMIT 1;
    INSERT INTO approvals (plan, given_at, valid_until) VALUES (1, 8, 9);
    INSERT INTO strikes SELECT batch, file_id, 2, 'refused' FROM files LIMIT 1;
    INSERT INTO subjects SELECT batch, file_id, 'hmac' FROM files LIMIT 1 ON CONFLICT DO NOTHING;
    INSERT INTO copies SELECT batch, file_id, batch, 'original' FROM files LIMIT 1 ON CONFLICT DO NOTHING;
    INSERT INTO erasures (scope, value, reference, received, placed_at) VALUES ('file', 'f', 'case', '2026-11-02', 1);
    INSERT INTO erasure_files SELECT 1, batch, file_id FROM files LIMIT 1;
    INSERT INTO breakers (kind, opened_at, reason, closed_at, closed_by) VALUES ('api', 1, 'down', 2, 'up');
    INSERT INTO notes (at, batch, file_id, event, from_state, to_state, reason) SELECT 1, batch, file_id, 'looked', 4, 4, 'why' FROM files LIMIT 1;
    INSERT INTO leaves_kept VALUES (1);
    INSERT INTO leaves_kept_files SELECT batch, file_id, 1 FROM files LIMIT 1;
    -- Given once, and gone: never to be given again.
    UPDATE sqlite_sequence SET seq = seq + 40 WHERE name = 'holds';
";

/// A ledger file with rows in every table.
pub(super) struct Source {
    pub(super) dir: tempfile::TempDir,
    pub(super) place: Place,
}

impl Source {
    pub(super) async fn full() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        crate::flips::busy_ledger(&path, 300).await;
        let place = Place::File(path.clone());
        {
            let ledger = place.open(OpenMode::ReadWrite).await.unwrap();
            let event = NewEvent {
                name: "closed".parse().unwrap(),
                scope: EventScope::File(id("f1")),
                at: at(1),
                reason: None,
            };
            ledger.add_event(&event, at(2)).await.unwrap();
            let tree = ledger.tree().await.unwrap();
            let said = Checkpoint {
                origin: tree.origin,
                size: tree.size,
                root: tree.root,
            };
            let checkpoint = StoredCheckpoint {
                at: at(3),
                size: tree.size,
                root: tree.root,
                note: Note::sign(&said.text(), &[]).to_string(),
            };
            ledger.keep_checkpoint(&checkpoint).await.unwrap();
        }
        run(&path, REST).await;
        let source = Self { dir, place };
        for (table, rows) in dump_file(&source.path()).await {
            assert!(!rows.is_empty(), "{table}: no row that could be lost");
        }
        source
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("ledger.db")
    }
}

/// Somewhere to copy to.
pub(super) struct Elsewhere {
    pub(super) place: Place,
    /// What the host keeps beside it.
    pub(super) dir: tempfile::TempDir,
}

impl Elsewhere {
    pub(super) fn file() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            place: Place::File(dir.path().join("copy.db")),
            dir,
        }
    }

    #[cfg(feature = "postgres")]
    pub(super) async fn server() -> Self {
        let backend = Postgres::fresh().await;
        Self {
            place: Place::Server(backend.options()),
            dir: backend.dir,
        }
    }

    pub(super) async fn dump(&self) -> Dump {
        match &self.place {
            Place::File(path) => dump_file(path).await,
            #[cfg(feature = "postgres")]
            Place::Server(options) => dump_server(&options.url).await,
        }
    }

    /// Statements that both understand.
    pub(super) async fn run(&self, statements: &str) {
        match &self.place {
            Place::File(path) => run(path, statements).await,
            #[cfg(feature = "postgres")]
            Place::Server(options) => {
                let mut connection = server(&options.url).await;
                sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
                    .execute(&mut connection)
                    .await
                    .unwrap();
            }
        }
    }
}
