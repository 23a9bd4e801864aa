//! `Coverage`: files that no policy reaches.

use retentiond::ledger::AfterUpload;
use retentiond::model::{FileRecord, NewFile};
use retentiond::outcome::FileEvent;
use retentiond::rules::policy::Hint;

use crate::world::*;

for_every_backend![
    files_without_a_due_time_come_oldest_upload_first_page_by_page,
    unowned_files_are_counted_by_batch,
];

fn undated(name: &str, owner: Option<&str>, uploaded: i64) -> retentiond::ledger::Hinted {
    let file = NewFile {
        uploaded_at: at(uploaded),
        ..file("b1", name)
    };
    retentiond::ledger::Hinted {
        file,
        hint: Hint {
            owner: owner.map(policy),
            due_at: None,
            deadline_at: None,
        },
    }
}

fn names(files: &[FileRecord]) -> Vec<&str> {
    files.iter().map(|file| file.key.file.as_str()).collect()
}

async fn files_without_a_due_time_come_oldest_upload_first_page_by_page(world: World) {
    world
        .record(&[
            undated("f1", Some("p"), -5),
            undated("f2", Some("p"), -9),
            undated("f3", Some("p"), -9),
            undated("f4", Some("p"), 3),
            undated("f5", Some("q"), -9),
            undated("f6", None, -9),
            hinted(file("b1", "f7"), "p", 1),
        ])
        .await;
    let p = policy("p");
    let mut found = Vec::new();
    let mut after: Option<AfterUpload> = None;
    loop {
        let page = world
            .ledger
            .without_due(&p, at(0), after.as_ref(), 2)
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        after = Some(AfterUpload {
            uploaded_at: last.uploaded_at,
            key: last.key.clone(),
        });
        found.extend(page);
    }
    assert_eq!(names(&found), ["f2", "f3", "f1"]);
    let all = world.ledger.without_due(&p, at(3), None, 9).await.unwrap();
    assert_eq!(names(&all), ["f2", "f3", "f1", "f4"], "the instant itself counts");
    let none = world
        .ledger
        .without_due(&policy("r"), at(3), None, 9)
        .await
        .unwrap();
    assert!(none.is_empty());
}

async fn unowned_files_are_counted_by_batch(world: World) {
    let rows = [
        ("b1", "f1"),
        ("b2", "f2"),
        ("b2", "f3"),
        ("b3", "f4"),
        ("b3", "f5"),
        ("b3", "f6"),
    ]
    .map(|(batch, name)| unowned(file(batch, name)));
    world.record(&rows).await;
    world.record(&[hinted(file("b1", "f9"), "p", 1)]).await;
    let by_batch = |limit| {
        let ledger = std::sync::Arc::clone(&world.ledger);
        async move {
            let found = ledger.unowned_by_batch(limit).await.unwrap();
            found
                .into_iter()
                .map(|(address, files)| (address.batch.to_string(), files))
                .collect::<Vec<_>>()
        }
    };
    let told = |pairs: &[(&str, u64)]| -> Vec<(String, u64)> {
        pairs.iter().map(|(batch, n)| ((*batch).to_owned(), *n)).collect()
    };
    assert_eq!(by_batch(9).await, told(&[("b3", 3), ("b2", 2), ("b1", 1)]));
    assert_eq!(by_batch(1).await, told(&[("b3", 3)]));
    // Deleted ones are nobody's concern any more.
    let (batch, sweep) = (world.batch("b3").await, world.sweep().await);
    world
        .attempt(sweep, batch, &["f4", "f5"], FileEvent::Confirmed)
        .await;
    assert_eq!(by_batch(9).await, told(&[("b2", 2), ("b1", 1), ("b3", 1)]));
}
