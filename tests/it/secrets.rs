//! The key, signed links and file names appear nowhere: a canary for each runs through a whole life.

mod process;
mod verbs;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use retentiond::sandbox::{
    Apply, DocumentType, Endpoint, Fault, Module, Sandbox, SandboxConfig, SandboxHandle, Shape,
};
use serde_json::json;
use tempfile::TempDir;

const KEY: &str = "canary-key-5a1f";
const LINK: &str = "canary-link-77e0";
const NAME: &str = "canary-name-c3d9";

fn holds_canary(what: &str, bytes: &[u8]) {
    for canary in [KEY, LINK, NAME] {
        let at = bytes
            .windows(canary.len())
            .position(|window| window == canary.as_bytes());
        if let Some(at) = at {
            let around = &bytes[at.saturating_sub(200)..bytes.len().min(at + 200)];
            panic!("{canary} appears in {what}: {}", String::from_utf8_lossy(around));
        }
    }
}

fn clean(what: &str, output: &Output) {
    holds_canary(&format!("the output of {what}"), &output.stdout);
    holds_canary(&format!("the errors of {what}"), &output.stderr);
}

/// Where the key comes from.
#[derive(Clone, Copy)]
enum Key {
    File,
    Credentials,
    Environment,
}

/// A sandbox that spreads canaries, and a directory in which no file but the inputs may hold one.
struct Vault {
    sandbox: Sandbox,
    server: SandboxHandle,
    classification: String,
    /// Policy file, ledger, log: what is searched.
    dir: TempDir,
    /// What the user brings: key, upload answers with names and links, rows.
    inputs: TempDir,
    key: Key,
}

impl Vault {
    async fn new(key: Key, more: &str) -> Self {
        let config = SandboxConfig {
            api_keys: vec![KEY.to_owned()],
            canary: LINK.to_owned(),
            ..SandboxConfig::unpaced()
        };
        let sandbox = Sandbox::start(config).await.unwrap();
        let server = sandbox.handle();
        let vault = Self {
            classification: server.seed_classification("secrets", &[DocumentType::named("letter")]),
            sandbox,
            server,
            dir: tempfile::tempdir().unwrap(),
            inputs: tempfile::tempdir().unwrap(),
            key,
        };
        vault.write_key();
        let key_file = match key {
            Key::File => format!("api_key_file = \"{}\"\n", vault.input("api-key").display()),
            Key::Credentials | Key::Environment => String::new(),
        };
        let policies = format!(
            "timezone = \"UTC\"\n[extracta]\n{key_file}base_url = \"{}\"\nresults_interval = \"0s\"\n[ledger]\nurl = \"sqlite:{}\"\n[limits]\nshare_per_sweep = \"100%\"\n[[policy]]\nname = \"all\"\nmatch = \"everything\"\ndelete_after = \"1 second\"\nschedule = \"* * * * * *\"\nmode = \"enforce\"\n{more}",
            vault.sandbox.base_url(),
            vault.path("ledger.db").display()
        );
        std::fs::write(vault.path("policies.toml"), policies).unwrap();
        vault
    }

    fn write_key(&self) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.input("api-key");
        std::fs::write(&path, format!("{KEY}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn input(&self, name: &str) -> PathBuf {
        self.inputs.path().join(name)
    }

    /// The binary at its most talkative.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_retentiond"));
        command
            .arg("-vvv")
            .arg("-c")
            .arg(self.path("policies.toml"))
            .args(args);
        self.environment(&mut command);
        command
    }

    fn environment(&self, command: &mut Command) {
        command
            .env("RETENTIOND_LOG", "trace")
            .env_remove("EXTRACTA_API_KEY");
        match self.key {
            Key::File => {}
            Key::Credentials => drop(command.env("CREDENTIALS_DIRECTORY", self.inputs.path())),
            Key::Environment => drop(command.env("EXTRACTA_API_KEY", KEY)),
        }
    }

    /// Runs a verb and searches what it says. The sandbox lives in this test's runtime: the child must not block it.
    fn run(&self, args: &[&str]) -> Output {
        let output = tokio::task::block_in_place(|| self.command(args).output().unwrap());
        clean(&args.join(" "), &output);
        output
    }

    /// `count` files that are due, recorded twice: from an upload answer with names and links, and from rows.
    fn upload(&self, count: usize) -> Vec<String> {
        let batch = self
            .server
            .seed_batch(Module::Classification, &self.classification)
            .unwrap();
        let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
        let ids: Vec<String> = (0..count)
            .map(|n| {
                let name = format!("{NAME}-{n}.pdf");
                let module = Module::Classification;
                self.server
                    .seed_file(module, &self.classification, &batch, &name, now - 60_000)
                    .unwrap()
            })
            .collect();
        let listed: Vec<_> = ids
            .iter()
            .map(|id| json!({"fileId": id, "fileName": format!("{NAME}.pdf"), "url": format!("https://storage.invalid/{LINK}")}))
            .collect();
        let answer = json!({"status": "uploaded", "classificationId": self.classification, "batchId": batch, "files": listed});
        let uploaded_at = retentiond::model::Timestamp::from_millis(now - 60_000).unwrap();
        let rows: String = ids
            .iter()
            .map(|id| {
                let row = json!({"classification_id": self.classification, "batch_id": batch, "file_id": id, "uploaded_at": uploaded_at});
                format!("{row}\n")
            })
            .collect();
        for (name, text) in [("rows.jsonl", rows), ("answer.json", answer.to_string())] {
            std::fs::write(self.input(name), text).unwrap();
            let path = self.input(name).display().to_string();
            assert!(self.run(&["record", &path]).status.success(), "{name}");
        }
        ids
    }

    /// Every file that the program wrote: ledger, its log, lock, copies.
    fn search_files(&self) -> usize {
        let mut searched = 0;
        for entry in std::fs::read_dir(self.dir.path()).unwrap().flatten() {
            if let Ok(bytes) = std::fs::read(entry.path()) {
                holds_canary(&entry.path().display().to_string(), &bytes);
                searched += 1;
            }
        }
        searched
    }
}

/// Answers that carry canaries wherever an API might put them.
fn leaks() -> Vec<Fault> {
    let link = format!("https://storage.invalid/a/{NAME}.pdf?sig={LINK}");
    let words = [
        format!("cannot delete {link}"),
        format!("file \"{NAME} of Max.pdf\" is locked"),
        format!("{NAME}.pdf: not allowed for {KEY}"),
        format!("Bearer {KEY} is not valid"),
        format!("at /srv/{NAME}/{LINK} (line 1)"),
    ];
    let mut leaks = Vec::new();
    for endpoint in [Endpoint::DeleteFiles, Endpoint::GetResults, Endpoint::Credits] {
        for (at, text) in words.iter().enumerate() {
            let code = [400, 401, 422, 500, 404][at];
            let json = json!({"status": "error", "message": text, "url": link, "fileName": NAME});
            leaks.push(Fault::at(endpoint).status(code).body(json));
        }
        let html = format!("<html><a href=\"{link}\">{NAME} {KEY}</a></html>");
        leaks.push(Fault::at(endpoint).status(502).body(html.clone()));
        leaks.push(Fault::at(endpoint).status(403).body(html.clone()));
        leaks.push(Fault::at(endpoint).body(html));
        leaks.push(Fault::at(endpoint).body(json!({"status": link, "message": words[0]})));
        leaks.push(
            Fault::at(endpoint)
                .body(json!({"files": [{"fileName": NAME, "url": link}], "status": "success"})),
        );
        let to = format!("https://elsewhere.invalid/{LINK}?key={KEY}");
        leaks.push(Fault::at(endpoint).status(307).header("Location", to));
        leaks.push(
            Fault::at(endpoint)
                .status(429)
                .header("Retry-After", LINK)
                .body(json!({"message": words[3]})),
        );
        leaks.push(
            Fault::at(endpoint)
                .header("X-Debug", format!("{KEY} {link}"))
                .shape(Shape::Truncated { missing: 3 }),
        );
    }
    leaks
        .into_iter()
        .map(|fault| fault.apply(Apply::Never).times(1))
        .collect()
}

fn search_path(what: &str, path: &Path) {
    match std::fs::read(path) {
        Ok(bytes) => holds_canary(what, &bytes),
        // Not even we may read it.
        Err(error) => assert_eq!(
            error.kind(),
            std::io::ErrorKind::PermissionDenied,
            "{what}: {error}"
        ),
    }
}
