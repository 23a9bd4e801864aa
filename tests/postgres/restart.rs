//! A server of a test's own is restarted: no other test sees it.

use std::process::Command;

use crate::cluster::{Cluster, newest_bin};

/// How a server goes down.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Down {
    /// As an administrator stops it: it ends every session first.
    Fast,
    /// As in a crash.
    Immediate,
}

/// Takes the server down and brings it up again; it answers when this returns.
pub(crate) fn restart(cluster: &Cluster, how: Down) {
    let mode = match how {
        Down::Fast => "fast",
        Down::Immediate => "immediate",
    };
    let url = cluster.url("postgres");
    let directory = url.rsplit_once("host=").unwrap().1;
    let control = newest_bin().join("pg_ctl");
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(control);
        command
    } else {
        Command::new(control)
    };
    let done = command
        .args(["restart", "-s", "-w", "-m", mode, "-D"])
        .arg(format!("{directory}/data"))
        .arg("-l")
        .arg(format!("{directory}/log"))
        .current_dir("/")
        .status()
        .unwrap();
    assert!(done.success(), "pg_ctl restart -m {mode}: {done}");
}
