//! The running daemon: its log, its place under /proc, and what it leaves when it is killed.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use retentiond::sandbox::{Apply, Endpoint, Target};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tokio::process::{Child, Command};

use super::{Key, Vault, leaks, search_path};

/// Longest wait for something that has to happen; reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(60);

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap()
}

impl Vault {
    /// A shell that allows cores and becomes the daemon; it runs in, and logs to, the directory that is searched.
    fn daemon(&self) -> Child {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        let mut command = std::process::Command::new("sh");
        command
            .arg("-c")
            .arg("ulimit -c unlimited; exec \"$0\" -vvv -c policies.toml daemon")
            .arg(env!("CARGO_BIN_EXE_retentiond"))
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        self.environment(&mut command);
        Command::from(command).kill_on_drop(true).spawn().unwrap()
    }

    async fn wait(&self, what: &str, condition: impl Fn(&retentiond::sandbox::SandboxHandle) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, self.server.await_until(condition)).await;
        let log = || std::fs::read_to_string(self.path("log")).unwrap();
        assert!(waited.is_ok(), "{what} did not happen; log:\n{}", log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_running_daemon_shows_no_secret_in_its_log_nor_under_proc() {
    for (key, format) in [(Key::File, "text"), (Key::Credentials, "json")] {
        let vault = Vault::new(key, &format!("[log]\nformat = \"{format}\"\nlevel = \"trace\"\n")).await;
        vault.upload(12);
        // Those after which the same sweep goes on: a refused list is cut, a lost answer looked after. The others
        // would be tried again only after minutes; each of them meets a sweep of its own in `verbs`.
        let of_deletes = leaks()
            .into_iter()
            .filter(|fault| fault.endpoint == Target::At(Endpoint::DeleteFiles));
        for fault in of_deletes {
            let fault = match fault.status {
                Some(400 | 422) => fault,
                Some(502) => fault.apply(Apply::Before),
                _ => continue,
            };
            vault.server.add_fault(fault.after(1)).unwrap();
        }
        let mut daemon = vault.daemon();
        vault
            .wait("the first delete", |s| s.request_count(Endpoint::DeleteFiles) > 0)
            .await;
        let proc = Path::new("/proc").join(daemon.id().unwrap().to_string());
        for name in ["cmdline", "environ", "comm", "status", "limits"] {
            search_path(&format!("/proc/PID/{name}"), &proc.join(name));
        }
        let limits = std::fs::read_to_string(proc.join("limits")).unwrap();
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"))
            .unwrap();
        let figures: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
        assert_eq!(figures, ["0", "0"], "{core}");
        vault
            .wait("the deletion of all files", |s| s.files().is_empty())
            .await;
        assert!(
            vault.server.faults().iter().all(|planted| planted.fired == 1),
            "each leak was met"
        );
        kill_process(pid(&daemon), Signal::TERM).unwrap();
        assert!(daemon.wait().await.unwrap().success());
        let log = std::fs::read_to_string(vault.path("log")).unwrap();
        assert!(log.contains("extracta call"), "the log is at its most talkative");
        assert!(vault.search_files() >= 3);
    }
}

/// Sends a signal until the process has ended: after a fault that is none of its own, Rust's handler steps aside and
/// waits for the fault to come again.
async fn kill(daemon: &mut Child, signal: Signal) -> std::process::ExitStatus {
    loop {
        kill_process(pid(daemon), signal).unwrap();
        if let Ok(ended) = tokio::time::timeout(Duration::from_millis(200), daemon.wait()).await {
            return ended.unwrap();
        }
    }
}

/// Whether a process that allows a core leaves one here at all.
async fn cores_are_possible() -> bool {
    let dir = tempfile::tempdir().unwrap();
    let mut sleeper = Command::new("sh")
        .arg("-c")
        .arg("ulimit -c unlimited; echo; exec sleep 600")
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut line = [0; 1];
    tokio::io::AsyncReadExt::read_exact(sleeper.stdout.as_mut().unwrap(), &mut line)
        .await
        .unwrap();
    // Not QUIT, which whoever runs the tests in the background has told us to ignore.
    kill_process(pid(&sleeper), Signal::ABORT).unwrap();
    sleeper.wait().await.unwrap().core_dumped()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_leaves_no_core() {
    let possible = cores_are_possible().await;
    println!(
        "a core of another process is {}possible here",
        if possible { "" } else { "not " }
    );
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    let mut raised = 0;
    for signal in [Signal::ILL, Signal::SEGV, Signal::ABORT, Signal::BUS] {
        let vault = Vault::new(Key::File, "").await;
        vault.upload(3);
        let mut daemon = vault.daemon();
        vault
            .wait("the first delete", |s| s.request_count(Endpoint::DeleteFiles) > 0)
            .await;
        // Even with the limit lifted from outside (which only root may do) it is not dumpable.
        raised += usize::from(prlimit(Some(pid(&daemon)), Resource::Core, unlimited).is_ok());
        let status = kill(&mut daemon, signal).await;
        assert_eq!(status.signal(), Some(signal.as_raw()));
        assert!(!status.core_dumped(), "{signal:?}: a core was written");
        let left: Vec<_> = std::fs::read_dir(vault.dir.path())
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        assert!(
            !left.iter().any(|name| name.to_string_lossy().contains("core")),
            "{left:?}"
        );
        vault.search_files();
    }
    println!("cores: 4 signals, the limit lifted from outside {raised} times");
}
