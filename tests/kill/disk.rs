//! A disk that is really full, and one that is mounted read-only. Needs root for the mounts.

use std::path::{Path, PathBuf};

use futures_util::stream::{self, StreamExt};
use tempfile::TempDir;
use tokio::process::Command;

use crate::world::World;

/// A small file system of its own; unmounted with the value.
struct Disk {
    dir: TempDir,
}

impl Disk {
    async fn new(size: &str) -> Self {
        let disk = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let size = format!("size={size}");
        mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], disk.dir.path()).await;
        disk
    }

    fn path(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// Fills what is left, to the last byte.
    fn fill(&self) -> PathBuf {
        let path = self.dir.path().join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        let block = [0_u8; 512];
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
        path
    }

    async fn remount(&self, how: &str) {
        mount(&["-o", &format!("remount,{how}")], self.dir.path()).await;
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let done = std::process::Command::new("umount")
            .arg("-l")
            .arg(self.dir.path())
            .status();
        assert!(done.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

async fn mount(args: &[&str], at: &Path) {
    let output = Command::new("mount").args(args).arg(at).output().await.unwrap();
    assert!(output.status.success(), "only root may mount: {output:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root (mounts a tmpfs)"]
async fn on_a_full_disk_nothing_is_sent_and_with_space_again_it_goes_on_by_itself() {
    let disk = Disk::new("2m").await;
    let world = World::at(Some(disk.path())).await;
    let filler = disk.fill();
    let output = world.sweep().await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("cannot be written"), "{said}");
    assert_eq!(world.deletes().len(), 0);
    std::fs::remove_file(filler).unwrap();
    world.assert_recovers("a full disk").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root (mounts a tmpfs)"]
async fn a_disk_too_small_for_the_sweep_sends_nothing_without_an_intent() {
    // Every size is another place to stop.
    let codes: Vec<Option<i32>> = stream::iter([4_u64, 40, 80, 120, 160, 220, 280, 340, 400, 1000])
        .map(|room| async move {
            let disk = Disk::new("3m").await;
            let world = World::at(Some(disk.path())).await;
            let filler = disk.fill();
            let length = std::fs::metadata(&filler).unwrap().len();
            let file = std::fs::File::options().write(true).open(&filler).unwrap();
            file.set_len(length.saturating_sub(room * 1024)).unwrap();
            drop(file);
            let output = world.sweep().await;
            let name = format!("{room} KiB of room");
            assert!(matches!(output.status.code(), Some(0 | 1)), "{name}: {output:?}");
            std::fs::remove_file(filler).unwrap();
            world.assert_sound(&name).await;
            world.assert_recovers(&name).await;
            output.status.code()
        })
        .buffer_unordered(5)
        .collect()
        .await;
    let stopped = codes.iter().filter(|code| **code == Some(1)).count();
    println!("small disks: {stopped} of 10 were too small");
    assert!((3..10).contains(&stopped), "{stopped}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root (mounts a tmpfs)"]
async fn a_read_only_mount_is_refused_by_its_path() {
    let disk = Disk::new("2m").await;
    let world = World::at(Some(disk.path())).await;
    disk.remount("ro").await;
    for verb in ["sweep", "daemon"] {
        let output = world.run(&[verb]).await;
        assert_eq!(output.status.code(), Some(1), "{verb}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(world.place.to_str().unwrap()), "{verb}: {said}");
        assert!(said.contains("Read-only"), "{verb}: {said}");
    }
    assert_eq!(world.server.requests().len(), 0);
    disk.remount("rw").await;
    world.assert_recovers("a read-only mount").await;
}
