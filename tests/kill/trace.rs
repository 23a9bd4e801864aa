//! Running the binary under `strace`, and reading what it wrote.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Output, Stdio};

use tokio::process::Command;

/// How a traced run ended.
#[derive(Debug)]
pub struct Traced {
    pub output: Output,
    /// The trace, one call a line.
    pub log: String,
}

impl Traced {
    /// Whether the run was killed by the injected signal.
    pub fn was_killed(&self) -> bool {
        self.output.status.signal() == Some(9) || self.output.status.code() == Some(128 + 9)
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }
}

/// Runs `command` (program and arguments) under `strace` with these options.
pub async fn strace(command: &Command, options: &[&str], log: &Path) -> Traced {
    let std = command.as_std();
    let mut traced = Command::new("strace");
    traced
        .args(["-f", "-qq", "-yy", "-e", "signal=none", "-s", "4096", "-o"])
        .arg(log)
        .args(options)
        .arg("--")
        .arg(std.get_program())
        .args(std.get_args())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    for (name, value) in std.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    let output = traced.output().await.expect("strace is installed");
    let log = String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned();
    Traced { output, log }
}

/// The options that hit `call` at the point `when` (`3`, or `3+` for that one and all after it).
pub fn inject(call: &str, what: &str, when: &str) -> Vec<String> {
    vec![
        "-e".to_owned(),
        format!("trace={call},fsync,fdatasync,sendto,writev,sendmsg"),
        "-e".to_owned(),
        format!("inject={call}:{what}:when={when}"),
    ]
}
