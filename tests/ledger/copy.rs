//! `ledger copy`: a ledger carried elsewhere, cut off anywhere, and never two of it in use.

#[path = "copy/cut.rs"]
mod cut;
#[path = "copy/dump.rs"]
mod dump;
#[path = "copy/places.rs"]
mod places;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use retentiond::ledger::copy::{Copied, CopyOptions, CopyStep, copy, reopen};
use retentiond::ledger::{LedgerError, OpenMode, Place};
use retentiond::model::{HoldScope, NewHold};

use crate::world::*;
use cut::cut_at;
use dump::{dump_file, run, same};
use places::{Elsewhere, Source};

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
        let begun = AtomicUsize::new(usize::MAX);
        // The first word says how far it was; it is dropped while the page behind the second is on its way.
        let done = cut_at((&source, &target), 60, 2, |step| {
            let CopyStep::Copying { rows, .. } = step else {
                return false;
            };
            begun.fetch_min(*rows as usize, Ordering::SeqCst);
            true
        })
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
    // All rows are in it, none is compared.
    let comparing = |step: &CopyStep| matches!(step, CopyStep::Comparing { .. });
    let cut = cut_at((&source, &target), 1000, 1, comparing).await;
    assert!(cut.is_none());
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
    let copying = |step: &CopyStep| matches!(step, CopyStep::Copying { .. });
    let cut = cut_at((&source, &target), 60, 6, copying).await;
    assert!(cut.is_none());
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
