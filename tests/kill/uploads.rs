//! An upload killed at every point: nothing was sent, or everything that was sent is recorded or in doubt.

use retentiond::model::FileId;

use crate::points::spread;
use crate::trace::inject;
use crate::world::World;

/// Calls around the intent, the request and the settlement, with how many points are tried of each.
const CALLS: [(&str, usize); 7] = [
    ("pwrite64", 30),
    ("fdatasync", 10),
    ("fsync", 10),
    ("connect", 5),
    ("sendto", 10),
    ("writev", 10),
    ("recvfrom", 10),
];

/// Files at the server that the ledger lacks, held against what unsettled uploads account for.
async fn assert_nothing_lost(world: &World, seeded: usize, after: &str) -> usize {
    let check = world.run(&["--json", "ledger", "check", "--deep"]).await;
    if !world.ledger().exists() {
        assert_eq!(
            world.server.files().len(),
            seeded,
            "{after}: sent without a ledger"
        );
        return 0;
    }
    let files = world.server.files();
    let sent = files.len() - seeded;
    if check.status.code() != Some(0) {
        // A ledger that was not finished when the process died: nothing can have been sent.
        assert_eq!(sent, 0, "{after}: {check:?}");
        return 0;
    }
    let ledger = world.open().await;
    let mut unknown = 0;
    for file in files.iter().filter(|file| file.bytes > 0) {
        let id = FileId::new(file.file_id.as_str()).unwrap();
        unknown += u64::from(ledger.find(&id).await.unwrap().is_empty());
    }
    let unsettled = ledger.unsettled_uploads(100).await.unwrap();
    let open: u64 = unsettled.iter().map(|u| u.files.unwrap() - u.recorded).sum();
    assert!(
        unknown <= open,
        "{after}: {unknown} files are lost, uploads account for {open}"
    );
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs strace"]
async fn killed_at_any_system_call_an_upload_is_unsent_recorded_or_visibly_in_doubt() {
    let (mut killed, mut in_doubt, mut unsent) = (0, 0, 0);
    for (call, most) in CALLS {
        for point in spread(most, most) {
            let world = World::empty(None).await;
            // The ledger is there already: every point is one of the upload's own.
            world.record().await;
            let seeded = world.server.files().len();
            let mut args = vec!["upload", "--classification", &world.classification];
            let documents: Vec<String> = (0..3)
                .map(|n| {
                    let path = world.dir.path().join(format!("{n}.txt"));
                    std::fs::write(&path, format!("document {n}")).unwrap();
                    path.to_str().unwrap().to_owned()
                })
                .collect();
            args.extend(documents.iter().map(String::as_str));
            let options = inject(call, "signal=KILL", &point.to_string());
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            let traced = world.trace(&args, &options).await;
            let name = format!("killed at {call} {point}");
            let sent = assert_nothing_lost(&world, seeded, &name).await;
            if !traced.was_killed() {
                assert_eq!(
                    traced.output.status.code(),
                    Some(0),
                    "{name}: {}",
                    traced.stderr()
                );
                assert_eq!(sent, 3);
                continue;
            }
            killed += 1;
            unsent += usize::from(sent == 0);
            let listed = world.run(&["--json", "uploads"]).await;
            in_doubt += usize::from(String::from_utf8_lossy(&listed.stdout).contains("\"open\""));
        }
    }
    println!("{killed} kills: {unsent} before anything was sent, {in_doubt} left a visible upload");
    assert!(killed >= 20 && unsent > 0 && in_doubt > 0);
}
