//! A machine: booted, the package installed, a sandbox beside it; gone when dropped.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

/// Longest wait for something that has to happen; reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// Searched for wherever a secret could end up.
pub const KEY: &str = "sk-CANARY-4711";

pub const UNIT: &str = "retentiond.service";

/// So many files, uploaded long ago, are at the sandbox and in `/root/uploads.jsonl`.
pub const FILES: usize = 12;

pub struct Machine {
    boot: Child,
    /// Closed at the end: that is what ends the machine.
    stdin: Option<ChildStdin>,
    init: String,
    _dir: TempDir,
}

impl Machine {
    /// Booted, with the package in `/root` and nothing installed.
    pub fn boot() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let uploads = dir.path().join("uploads.jsonl");
        std::fs::write(&uploads, uploads_of(FILES)).unwrap();
        let mut boot = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/systemd/boot"))
            .arg(dir.path().join("machine"))
            .args([package(), &uploads])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(boot.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let init = line.trim().strip_prefix("init ").unwrap_or_default().to_owned();
        let machine = Self {
            stdin: boot.stdin.take(),
            boot,
            init,
            _dir: dir,
        };
        assert!(
            !machine.init.is_empty(),
            "no machine: these tests need root, unshare and overlayfs"
        );
        machine.wait("the boot", || {
            machine.ask("systemctl is-active multi-user.target") == "active"
        });
        machine
    }

    /// Booted, installed, and set up by hand: one policy that enforces every second what is over an hour old.
    pub fn set_up() -> Self {
        let machine = Self::boot();
        machine.install();
        machine.start_sandbox("");
        machine.write("/etc/retentiond/credentials/api-key", &format!("{KEY}\n"));
        machine.write("/etc/retentiond/policies.toml", &policies("1 hour"));
        // A test does not wait half a minute for what an operator is spared.
        machine.drop_in("pace", "RestartSec=100ms");
        machine
    }

    /// The package manager takes the package.
    pub fn install(&self) {
        self.run("DEBIAN_FRONTEND=noninteractive dpkg -i /root/retentiond_*.deb");
    }

    /// The sandbox as a service of its own; holds the files of `/root/uploads.jsonl`.
    pub fn start_sandbox(&self, arguments: &str) {
        self.write(
            "/etc/systemd/system/sandbox.service",
            &format!(
                "[Service]\nExecStart=/usr/bin/retentiond sandbox --key {KEY} --read-spacing 0 --holds /root/uploads.jsonl {arguments}\n"
            ),
        );
        self.run("systemctl daemon-reload && systemctl start sandbox");
        self.wait("the sandbox", || {
            self.shell("curl -sf http://127.0.0.1:8700/_sandbox/state")
                .status
                .success()
        });
    }

    pub fn drop_in(&self, name: &str, lines: &str) {
        self.run("mkdir -p /etc/systemd/system/retentiond.service.d");
        self.write(
            &format!("/etc/systemd/system/retentiond.service.d/{name}.conf"),
            &format!("[Service]\n{lines}\n"),
        );
        self.run("systemctl daemon-reload");
    }

    /// A shell in the machine.
    pub fn shell(&self, script: &str) -> Output {
        self.enter("bash", &["-c", &format!("cd /root && {{ {script}\n}}")])
            .output()
            .unwrap()
    }

    fn enter(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.init, "-m", "-u", "-i", "-n", "-p", "-C"]);
        command.args([
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
            "LC_ALL=C.UTF-8",
        ]);
        command.arg(program).args(arguments);
        command.stdin(Stdio::null());
        command
    }

    /// What a script prints, without the last line's end; whether it succeeds or not.
    pub fn ask(&self, script: &str) -> String {
        String::from_utf8(self.shell(script).stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    /// A script that has to succeed; what it prints.
    pub fn run(&self, script: &str) -> String {
        let output = self.shell(script);
        if !output.status.success() {
            panic!(
                "{script}: {}\n{}{}\n{}",
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr),
                self.log()
            );
        }
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    pub fn write(&self, path: &str, text: &str) {
        let mut command = self.enter("install", &["-D", "-m", "600", "/dev/stdin", path]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{path} cannot be written");
        if path.ends_with(".toml") {
            self.run(&format!("chmod 644 {path}"));
        }
    }

    /// A property of the unit.
    pub fn show(&self, property: &str) -> String {
        self.ask(&format!("systemctl show -P {property} {UNIT}"))
    }

    pub fn log(&self) -> String {
        self.ask(&format!(
            "journalctl --no-pager -u {UNIT} -n 60; systemctl status --no-pager {UNIT}"
        ))
    }

    pub fn wait(&self, what: &str, happened: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !happened() {
            assert!(Instant::now() < deadline, "{what} did not happen\n{}", self.log());
            // Another machine's state sends no event here; each look costs it a process.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the sandbox holds, asked over its own interface.
    pub fn sandbox(&self, path: &str) -> Value {
        let answer = self.run(&format!("curl -sf http://127.0.0.1:8700/_sandbox/{path}"));
        serde_json::from_str(&answer).unwrap()
    }

    pub fn plant(&self, fault: &Value) {
        self.run(&format!(
            "curl -sf -X POST --data '{fault}' http://127.0.0.1:8700/_sandbox/faults"
        ));
    }

    pub fn deleted(&self) -> usize {
        usize::try_from(self.sandbox("state")["deleted"].as_u64().unwrap()).unwrap()
    }

    /// Delete requests that reached the sandbox.
    pub fn delete_requests(&self) -> u64 {
        self.sandbox("state")["requests"]["deleteFiles"]
            .as_u64()
            .unwrap_or(0)
    }

    pub fn status(&self) -> Value {
        serde_json::from_str(&self.ask("retentiond --json status"))
            .unwrap_or_else(|_| panic!("no status\n{}", self.log()))
    }

    /// The end that every road has to reach: all files gone, each confirmed in the ledger, nothing else open.
    pub fn assert_end(&self) {
        self.wait("the deletion of every due file", || self.deleted() == FILES);
        self.wait("the last outcome", || {
            let files = &self.status()["files"];
            let gone = |state: &str| files[state].as_u64().unwrap_or(0);
            gone("deleted") + gone("gone") == FILES as u64
        });
        self.run("retentiond ledger check --deep");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let ended = self.boot.wait();
        if !std::thread::panicking() {
            assert!(ended.unwrap().success(), "the machine did not end in good order");
        }
    }
}

/// The package under test.
pub fn package() -> &'static PathBuf {
    static PACKAGE: OnceLock<PathBuf> = OnceLock::new();
    PACKAGE.get_or_init(|| {
        if let Some(named) = std::env::var_os("RETENTIOND_DEB") {
            return Path::new(&named)
                .canonicalize()
                .expect("$RETENTIOND_DEB names the package");
        }
        let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join("retentiond_test.deb");
        let built = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/ops/deb/build"))
            .args(["dev".as_ref(), output.as_os_str()])
            .status();
        assert!(
            built.unwrap().success(),
            "the package cannot be built: cargo install cargo-deb"
        );
        output
    })
}

fn uploads_of(files: usize) -> String {
    let row = |nr| json!({"classification_id": "letters", "batch_id": "batch-1", "file_id": format!("file-{nr:03}"), "uploaded_at": "2026-01-15T10:00:00Z"});
    (0..files).map(|nr| format!("{}\n", row(nr))).collect()
}

/// One enforced policy against the sandbox, beating every second.
pub fn policies(period: &str) -> String {
    format!(
        "timezone = \"Europe/Berlin\"\n[extracta]\nbase_url = \"http://127.0.0.1:8700/api/v1\"\nresults_interval = \"0s\"\nfiles_per_request = 2\n[limits]\nshare_per_sweep = \"100%\"\n[log]\nformat = \"journald\"\n[[policy]]\nname = \"letters\"\nmatch = {{ classification = \"letters\" }}\ndelete_after = \"{period}\"\nschedule = \"* * * * * *\"\nmode = \"enforce\"\n"
    )
}
