//! `ledger copy`: a ledger carried elsewhere, cut off anywhere, and never two of it in use.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use retentiond::evidence::{Checkpoint, Note};
use retentiond::ledger::copy::{Copied, CopyOptions, CopyStep, copy, reopen};
use retentiond::ledger::{LedgerError, OpenMode, Place, StoredCheckpoint};
use retentiond::model::{EventScope, HoldScope, NewEvent, NewHold};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection};

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
struct Source {
    dir: tempfile::TempDir,
    place: Place,
}

impl Source {
    async fn full() -> Self {
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

    fn path(&self) -> PathBuf {
        self.dir.path().join("ledger.db")
    }
}

/// Somewhere to copy to.
struct Elsewhere {
    place: Place,
    /// What the host keeps beside it.
    dir: tempfile::TempDir,
}

impl Elsewhere {
    fn file() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            place: Place::File(dir.path().join("copy.db")),
            dir,
        }
    }

    #[cfg(feature = "postgres")]
    async fn server() -> Self {
        let backend = Postgres::fresh().await;
        Self {
            place: Place::Server(backend.options()),
            dir: backend.dir,
        }
    }

    async fn dump(&self) -> Dump {
        match &self.place {
            Place::File(path) => dump_file(path).await,
            #[cfg(feature = "postgres")]
            Place::Server(options) => dump_server(&options.url).await,
        }
    }

    /// Statements that both understand.
    async fn run(&self, statements: &str) {
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

/// Each test for a file and for a server as the target.
macro_rules! to_each {
    ($($test:ident),* $(,)?) => {
        mod to_a_file {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(super::Elsewhere::file()).await;
                }
            )*
        }
        #[cfg(feature = "postgres")]
        mod to_postgres {
            $(
                #[tokio::test]
                #[ignore = "needs PostgreSQL: .ci/run"]
                async fn $test() {
                    super::$test(super::Elsewhere::server().await).await;
                }
            )*
        }
    };
}

to_each![
    every_row_of_every_table_arrives_and_the_source_is_closed,
    cut_off_at_each_page_it_goes_on_where_it_stopped,
    cut_off_between_the_two_ledgers_neither_is_in_use,
    what_is_there_already_is_left_alone,
    a_row_that_changed_on_the_way_is_found,
    a_source_that_was_written_to_is_copied_anew,
    there_and_back_is_the_same_ledger,
    a_source_that_is_taken_back_deletes_only_once_it_was_settled,
];

fn options(page: usize) -> CopyOptions {
    CopyOptions { at: at(200), page }
}

async fn carry(from: &Place, to: &Place) -> Result<Copied, LedgerError> {
    copy(from, to, &options(100), &|_| {}).await
}

async fn every_row_of_every_table_arrives_and_the_source_is_closed(target: Elsewhere) {
    let source = Source::full().await;
    let before = dump_file(&source.path()).await;
    let tree = source
        .place
        .open(OpenMode::ReadOnly)
        .await
        .unwrap()
        .tree()
        .await
        .unwrap();
    let steps = Mutex::new(Vec::new());
    let heard = |step| steps.lock().unwrap().push(step);
    let done = copy(&source.place, &target.place, &options(100), &heard)
        .await
        .unwrap();
    assert!(!done.resumed);
    assert_eq!(done.tree, tree);
    same(&before, &target.dump().await);
    let rows: u64 = done.tables.iter().map(|table| table.rows).sum();
    assert_eq!(
        rows as usize + 1,
        before.values().map(Vec::len).sum::<usize>(),
        "all but lineage"
    );
    let steps = steps.into_inner().unwrap();
    assert!(steps.contains(&CopyStep::Checking));
    assert!(steps.contains(&CopyStep::Copying { rows, of: rows }));
    assert_eq!(steps.last(), Some(&CopyStep::Comparing { rows, of: rows }));

    // The target: a ledger as any, the latest of its line.
    let there = target.place.open(OpenMode::ReadWrite).await.unwrap();
    assert_eq!(there.rollback().await.unwrap(), None);
    assert_eq!(there.check(true).await.unwrap(), Vec::<String>::new());
    assert_eq!(
        there.sent_checkpoints().await.unwrap().notes.len(),
        1,
        "what went out came along"
    );
    // Numbers go on behind those that were given and are gone.
    let placed = there.add_hold(&hold(), at(201)).await.unwrap();
    assert_eq!((before["holds"].len(), placed.hold.0), (10, 51));
    // Triggers count again.
    let batch = there.batch_key(&batch_address("b-last")).await.unwrap();
    assert_eq!(batch, None);
    let rows = [hinted(file("b-last", "f-last"), "p", 0)];
    there.record(&rows, &digest("one"), at(201)).await.unwrap();
    assert_eq!(there.check(true).await.unwrap(), Vec::<String>::new());

    // The source: to be read, and nothing else.
    for opened in [
        source.place.open(OpenMode::ReadWrite).await.err(),
        match source.place.lock().await {
            Ok(lock) => source.place.open_to_delete(&lock).await.err(),
            Err(error) => Some(error),
        },
    ] {
        let Some(LedgerError::NotOurs { problem, .. }) = opened else {
            panic!("{opened:?}");
        };
        assert!(
            problem.contains(&done.to) && problem.contains("reopen"),
            "{problem}"
        );
    }
    let read = source.place.open(OpenMode::ReadOnly).await.unwrap();
    assert_eq!(read.tree().await.unwrap(), tree);
    drop(read);
    drop(there);

    // Again: it was done.
    let again = carry(&source.place, &target.place).await.unwrap();
    assert!(again.resumed && again.tables.is_empty());
    // Elsewhere: it is there already.
    let other = Elsewhere::file();
    let refused = carry(&source.place, &other.place).await.unwrap_err();
    assert!(matches!(refused, LedgerError::NotOurs { .. }), "{refused}");
}

async fn cut_off_at_each_page_it_goes_on_where_it_stopped(target: Elsewhere) {
    let source = Source::full().await;
    let before = dump_file(&source.path()).await;
    let (mut runs, mut last) = (0, 0);
    let done = loop {
        runs += 1;
        let (heard, begun) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        let hear = |step| {
            if let CopyStep::Copying { rows, .. } = step {
                begun.fetch_min(rows as usize, Ordering::SeqCst);
                heard.fetch_add(1, Ordering::SeqCst);
            }
        };
        let (opts, cut) = (options(60), Cut);
        // The first word says how far it was; it is dropped while the page behind the second is on its way.
        let done = cut
            .after(2, &heard, copy(&source.place, &target.place, &opts, &hear))
            .await;
        let begun = begun.into_inner();
        assert!(begun >= last, "run {runs}: {begun} rows, {last} before");
        last = begun;
        if let Some(done) = done {
            break done.unwrap();
        }
        let opened = target.place.open(OpenMode::ReadWrite).await.err();
        assert!(
            matches!(&opened, Some(LedgerError::NotOurs { problem, .. }) if problem.contains("goes on")),
            "{opened:?}"
        );
        assert!(runs < 500);
    };
    assert!(done.resumed && runs > 20, "{runs} runs");
    same(&before, &target.dump().await);
    target.place.open(OpenMode::ReadWrite).await.unwrap();
}

async fn cut_off_between_the_two_ledgers_neither_is_in_use(target: Elsewhere) {
    let source = Source::full().await;
    let before = dump_file(&source.path()).await;
    // What the target's host keeps cannot be written: the step between closing the one and opening the other.
    let beside = target.dir.path().to_owned();
    let blocked = |name: &str| beside.join(name);
    let name = match &target.place {
        Place::File(_) => "copy.db.anchor",
        #[cfg(feature = "postgres")]
        Place::Server(_) => "ledger.anchor",
    };
    let heard = |step| {
        if let CopyStep::Comparing { .. } = step {
            std::fs::create_dir_all(blocked(name).join("x")).unwrap();
        }
    };
    let cut = copy(&source.place, &target.place, &options(50), &heard)
        .await
        .unwrap_err();
    assert!(matches!(cut, LedgerError::NotWritable { .. }), "{cut}");
    for place in [&source.place, &target.place] {
        let opened = place.open(OpenMode::ReadWrite).await.err();
        assert!(matches!(opened, Some(LedgerError::NotOurs { .. })), "{opened:?}");
    }
    std::fs::remove_dir_all(blocked(name)).unwrap();
    let done = carry(&source.place, &target.place).await.unwrap();
    assert!(done.resumed);
    same(&before, &target.dump().await);
    let there = target.place.open(OpenMode::ReadWrite).await.unwrap();
    assert_eq!(there.rollback().await.unwrap(), None);
}

async fn what_is_there_already_is_left_alone(target: Elsewhere) {
    let source = Source::full().await;
    drop(target.place.open(OpenMode::ReadWrite).await.unwrap());
    let before = target.dump().await;
    let refused = carry(&source.place, &target.place).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Conflict { .. }), "{refused}");
    same(&before, &target.dump().await);
    // And the source is open still.
    source.place.open(OpenMode::ReadWrite).await.unwrap();
    let itself = carry(&source.place, &source.place).await.unwrap_err();
    assert!(matches!(itself, LedgerError::Conflict { .. }), "{itself}");
    // While somebody may delete, nothing is carried away under him.
    let held = source.place.lock().await.unwrap();
    let refused = carry(&source.place, &Elsewhere::file().place).await.unwrap_err();
    assert!(matches!(refused, LedgerError::InUse { .. }), "{refused}");
    drop(held);
    // What contradicts itself stays where it is.
    run(&source.path(), "UPDATE tallies SET files = files + 1").await;
    let other = Elsewhere::file();
    let refused = carry(&source.place, &other.place).await.unwrap_err();
    assert!(refused.to_string().contains("tally"), "{refused}");
    source.place.open(OpenMode::ReadWrite).await.unwrap();
    assert_eq!(
        std::fs::read_dir(other.dir.path())
            .unwrap()
            .filter(|entry| {
                entry
                    .as_ref()
                    .unwrap()
                    .path()
                    .extension()
                    .is_none_or(|end| end != "lock")
            })
            .count(),
        0,
        "nothing was made"
    );
}

async fn a_row_that_changed_on_the_way_is_found(target: Elsewhere) {
    let source = Source::full().await;
    let before = dump_file(&source.path()).await;
    let heard = AtomicUsize::new(0);
    let hear = |step| {
        if let CopyStep::Comparing { .. } = step {
            heard.fetch_add(1, Ordering::SeqCst);
        }
    };
    let opts = options(1000);
    // All rows are in it, none is compared.
    assert!(
        Cut.after(1, &heard, copy(&source.place, &target.place, &opts, &hear))
            .await
            .is_none()
    );
    target
        .run("UPDATE holds SET reason = 'litigatioN' WHERE id = 2")
        .await;
    let found = carry(&source.place, &target.place).await.unwrap_err();
    assert!(
        matches!(&found, LedgerError::Damaged { problem } if problem.contains("table holds, first at the row 2")),
        "{found}"
    );
    assert!(target.place.open(OpenMode::ReadWrite).await.is_err());
    let done = carry(&source.place, &target.place).await.unwrap();
    assert!(!done.resumed, "begun anew");
    same(&before, &target.dump().await);
}

async fn a_source_that_was_written_to_is_copied_anew(target: Elsewhere) {
    let source = Source::full().await;
    let heard = AtomicUsize::new(0);
    let hear = |step| {
        if let CopyStep::Copying { .. } = step {
            heard.fetch_add(1, Ordering::SeqCst);
        }
    };
    let opts = options(60);
    assert!(
        Cut.after(6, &heard, copy(&source.place, &target.place, &opts, &hear))
            .await
            .is_none()
    );
    assert!(source.place.open(OpenMode::ReadWrite).await.is_err());
    // Taken back before the copy was whole, it is as it was.
    let back = reopen(&source.place).await.unwrap();
    assert!(!back.was_whole);
    let ledger = source.place.open(OpenMode::ReadWrite).await.unwrap();
    assert_eq!(ledger.rollback().await.unwrap(), None);
    ledger.add_hold(&hold(), at(201)).await.unwrap();
    drop(ledger);
    // By somebody who had it open before it was closed.
    let writer = source.place.open(OpenMode::ReadWrite).await.unwrap();
    let late = std::sync::Arc::new(writer);
    let (sender, receiver) = std::sync::mpsc::channel();
    let hear = move |step| {
        if let CopyStep::Comparing { rows: 0, .. } = step {
            let _ = sender.send(());
        }
    };
    let opts = options(20);
    let copying = copy(&source.place, &target.place, &opts, &hear);
    let writing = async {
        while receiver.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        late.add_hold(&hold(), at(202)).await.unwrap();
    };
    let (copied, ()) = futures_util::future::join(copying, writing).await;
    assert!(copied.is_err(), "{copied:?}");
    let done = carry(&source.place, &target.place).await.unwrap();
    assert!(!done.resumed, "begun anew");
    same(&dump_file(&source.path()).await, &target.dump().await);
}

async fn there_and_back_is_the_same_ledger(target: Elsewhere) {
    let source = Source::full().await;
    let before = dump_file(&source.path()).await;
    let there = carry(&source.place, &target.place).await.unwrap();
    let home = Elsewhere::file();
    let back = carry(&target.place, &home.place).await.unwrap();
    assert_eq!(back.tree, there.tree);
    assert_eq!(back.tables, there.tables);
    same(&before, &home.dump().await);
    let ledger = home.place.open(OpenMode::ReadWrite).await.unwrap();
    assert_eq!(ledger.rollback().await.unwrap(), None);
    assert_eq!(ledger.check(true).await.unwrap(), Vec::<String>::new());
    let refused = target.place.open(OpenMode::ReadWrite).await.err();
    assert!(
        matches!(refused, Some(LedgerError::NotOurs { .. })),
        "{refused:?}"
    );
    drop(ledger);

    // Home is where the first one was: a copy behind that one's anchor would be no way back.
    std::fs::rename(source.path(), source.dir.path().join("old.db")).unwrap();
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(source.dir.path().join(format!("ledger.db{end}")));
    }
    carry(&home.place, &source.place).await.unwrap();
    let ledger = source.place.open(OpenMode::ReadWrite).await.unwrap();
    assert_eq!(ledger.rollback().await.unwrap(), None);
    same(&before, &dump_file(&source.path()).await);
}

async fn a_source_that_is_taken_back_deletes_only_once_it_was_settled(target: Elsewhere) {
    let source = Source::full().await;
    let refused = reopen(&source.place).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Conflict { .. }), "{refused}");
    let done = carry(&source.place, &target.place).await.unwrap();
    let back = reopen(&source.place).await.unwrap();
    assert!(back.was_whole && back.copy == done.to);
    let ledger = source.place.open(OpenMode::ReadWrite).await.unwrap();
    let doubt = ledger.rollback().await.unwrap().unwrap();
    assert!(
        doubt.contains(&done.to) && doubt.contains("reconcile --from"),
        "{doubt}"
    );
    ledger.accept_lineage(at(300)).await.unwrap();
    assert_eq!(ledger.rollback().await.unwrap(), None);
}

fn hold() -> NewHold {
    NewHold {
        scope: HoldScope::File(id("f1")),
        reason: "litigation".to_owned(),
        reference: None,
        owner: None,
        review_by: None,
    }
}

/// Drops a future as a kill does: in the middle of whatever it waits for.
struct Cut;

impl Cut {
    async fn after<T>(
        &self,
        count: usize,
        heard: &AtomicUsize,
        future: impl Future<Output = T>,
    ) -> Option<T> {
        let mut future = pin!(future);
        std::future::poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if heard.load(Ordering::SeqCst) >= count => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }
}

/// The rows of each table as texts, sorted; of `lineage` only which ledger it is.
type Dump = std::collections::BTreeMap<String, Vec<Vec<String>>>;

fn same(one: &Dump, other: &Dump) {
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

async fn run(path: &Path, statements: &str) {
    let mut connection = open_file(path).await;
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

async fn dump_file(path: &Path) -> Dump {
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
async fn server(url: &str) -> sqlx::PgConnection {
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    let options = options.options([("search_path", "retentiond")]);
    sqlx::PgConnection::connect_with(&options).await.unwrap()
}

#[cfg(feature = "postgres")]
async fn dump_server(url: &str) -> Dump {
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
