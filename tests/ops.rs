//! What is given to those who watch the service: alerts, their tests, their runbooks, the dashboard. Nothing in them may name
//! a series that the daemon does not have, and the tools that will read them have to accept them.

#![expect(
    clippy::unwrap_used,
    reason = "an integration test: a panic is its way to fail"
)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use retentiond::sandbox::{Sandbox, SandboxConfig};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Longest wait for something that has to happen; reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(60);

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

/// Every name of a series of ours in a text.
fn series(text: &str) -> BTreeSet<String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !letter(c))
        .filter(|word| word.starts_with("retentiond_"))
        .map(str::to_owned)
        .collect()
}

struct Alert {
    name: String,
    text: String,
}

/// The rules of `ops/alerts.yml`, each with the text that belongs to it.
fn alerts() -> Vec<Alert> {
    let text = read("ops/alerts.yml");
    let rules = text.split("\n  - alert: ").skip(1);
    rules
        .map(|rule| Alert {
            name: rule.lines().next().unwrap().trim().to_owned(),
            text: rule.to_owned(),
        })
        .collect()
}

/// The queries of the dashboard.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("ops/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| {
        assert!(!panel["title"].as_str().unwrap().is_empty(), "{panel}");
        panel["targets"].as_array().unwrap()
    });
    targets
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_alert_says_what_it_means_has_a_runbook_and_is_tested_both_ways() {
    let (manual, tests) = (read("docs/operations.md"), read("ops/alerts.test.yml"));
    let alerts = alerts();
    assert!(alerts.len() > 10, "is the reading of alerts.yml broken?");
    for Alert { name, text } in &alerts {
        for key in ["summary: ", "description: ", "severity: ", "runbook_url: "] {
            assert!(text.contains(key), "{name} has no {key}");
        }
        let anchor = text
            .split("operations.md#")
            .nth(1)
            .unwrap_or_else(|| panic!("{name} leads nowhere"));
        assert_eq!(
            anchor.split_whitespace().next(),
            Some(name.to_lowercase().as_str())
        );
        assert!(
            manual.contains(&format!("\n### {name}\n")),
            "{name} has no chapter in the manual"
        );
        for kind in ["fires", "does not fire"] {
            assert!(
                tests.contains(&format!("\n- name: {name} {kind}\n")),
                "no test that {name} {kind}"
            );
        }
    }
    for line in manual
        .lines()
        .filter_map(|line| line.strip_prefix("### Retention"))
    {
        let name = format!("Retention{line}");
        assert!(
            alerts.iter().any(|alert| alert.name == name),
            "a runbook for no alert: {name}"
        );
    }
}

/// The real daemon against a sandbox, with one policy.
struct Daemon {
    child: Child,
    address: String,
    _dir: tempfile::TempDir,
}

impl Daemon {
    fn start(sandbox: &Sandbox) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("policies.toml");
        let text = format!(
            "timezone = \"UTC\"\n[extracta]\nbase_url = \"{}\"\n[ledger]\nurl = \"sqlite:{}\"\n[http]\nlisten = \"127.0.0.1:0\"\n[[policy]]\nname = \"letters\"\nmatch = \"everything\"\ndelete_after = \"30 days\"\nschedule = \"0 3 * * *\"\nmode = \"enforce\"\n",
            sandbox.base_url(),
            dir.path().join("ledger.db").display()
        );
        std::fs::write(&file, text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_retentiond"))
            .arg("-c")
            .arg(&file)
            .arg("daemon")
            .env("EXTRACTA_API_KEY", retentiond::sandbox::DEFAULT_KEY)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let address = found_in(child.stderr.take().unwrap(), "listening on http://");
        Self {
            child,
            address,
            _dir: dir,
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The word that follows a mark in a process's log; the rest of the log is read by a thread of its own.
fn found_in(log: impl Read + Send + 'static, mark: &str) -> String {
    let mut log = BufReader::new(log);
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "no {mark} in\n{seen}");
        if let Some(at) = line.find(mark) {
            let word = line[at + mark.len()..]
                .split_whitespace()
                .next()
                .unwrap()
                .to_owned();
            std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
            return word;
        }
        seen.push_str(&line);
    }
}

/// What stands at an address; empty while nobody answers there with 200. HTTP/1.0, so that the answer comes in one piece.
async fn get(url: &str) -> String {
    let url = reqwest::Url::parse(url).unwrap();
    let authority = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let target = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    let exchange = async {
        let mut stream = TcpStream::connect(&authority).await?;
        let request = format!("GET {target} HTTP/1.0\r\nHost: {authority}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = exchange.await.unwrap_or_default();
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.split(' ').nth(1) == Some("200") => body.to_owned(),
        Some(_) | None => String::new(),
    }
}

async fn get_at_last(url: &str, enough: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = get(url).await;
        if enough(&text) {
            return text;
        }
        assert!(Instant::now() < deadline, "{url} says only: {text}");
        // Another process's state sends no event here.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn promtool(args: &[&str], input: &str) {
    let mut child = Command::new("promtool")
        .args(args)
        .current_dir(path("ops"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "promtool {args:?}: {said}");
    // `check metrics` ends well although it has something to say.
    assert!(
        args[1] != "metrics" || said.trim().is_empty(),
        "promtool {args:?}: {said}"
    );
}

async fn with_daemon() -> (Sandbox, Daemon, String) {
    let sandbox = Sandbox::start(SandboxConfig::unpaced()).await.unwrap();
    let daemon = Daemon::start(&sandbox);
    let metrics = get_at_last(&format!("http://{}/metrics", daemon.address), |text| {
        text.contains("retentiond_ready 1")
    })
    .await;
    (sandbox, daemon, metrics)
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_dashboard_name_only_series_that_the_daemon_has() {
    let (_sandbox, _daemon, metrics) = with_daemon().await;
    let there = series(&metrics);
    let rules: String = alerts().into_iter().map(|alert| alert.text).collect();
    let dashboard = queries();
    assert!(dashboard.len() > 20);
    for (from, text) in [
        ("alerts.yml", rules),
        ("dashboard.json", dashboard.join("\n")),
        ("alerts.test.yml", read("ops/alerts.test.yml")),
    ] {
        let unknown: Vec<_> = series(&text).difference(&there).cloned().collect();
        assert!(
            unknown.is_empty(),
            "{from} names what the daemon does not have: {unknown:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs promtool and prometheus"]
async fn prometheus_takes_the_metrics_and_the_alerts_and_every_query_of_the_dashboard() {
    let (_sandbox, daemon, metrics) = with_daemon().await;
    promtool(&["check", "metrics"], &metrics);
    promtool(&["check", "rules", "alerts.yml"], "");
    promtool(&["test", "rules", "alerts.test.yml"], "");

    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{}']\nscrape_configs:\n- job_name: retentiond\n  static_configs: [{{targets: ['{}']}}]\n",
        path("ops/alerts.yml").display(),
        daemon.address
    );
    std::fs::write(&config, text).unwrap();
    let mut prometheus = Prometheus::start(&config, dir.path());
    let api = format!("http://{}/api/v1", prometheus.address);
    let ready = |text: &str| text.contains("\"value\":[") && text.contains("\"1\"]");
    get_at_last(&format!("{api}/query?query=retentiond_ready"), ready).await;
    let up: Value = serde_json::from_str(&get(&format!("{api}/query?query=up")).await).unwrap();
    assert_eq!(up["data"]["result"][0]["value"][1], "1", "{up}");
    for query in queries() {
        let query = query.replace("$instance", ".*");
        let mut url = reqwest::Url::parse(&format!("{api}/query")).unwrap();
        url.query_pairs_mut().append_pair("query", &query);
        let answer = get(url.as_str()).await;
        assert!(answer.contains("\"status\":\"success\""), "{query}: {answer}");
    }
    // Evaluated, and what was pending before the first scrape no longer is.
    let settled = |text: &str| {
        text.contains("\"inactive\"")
            && ["unknown", "pending"]
                .iter()
                .all(|state| !text.contains(&format!("\"{state}\"")))
    };
    let rules: Value =
        serde_json::from_str(&get_at_last(&format!("{api}/rules"), |text| settled(text)).await).unwrap();
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), alerts().len());
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
        assert_eq!(
            rule["state"], "inactive",
            "a service in good order, and an alert: {rule}"
        );
    }
    prometheus.end();
}

struct Prometheus {
    child: Child,
    address: String,
}

impl Prometheus {
    /// On a port of its own choice, which its log names.
    fn start(config: &Path, dir: &Path) -> Self {
        let mut child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let address = found_in(child.stderr.take().unwrap(), "msg=\"Listening on\" address=");
        Self { child, address }
    }

    fn end(&mut self) {
        end(&mut self.child);
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Ended already, or a failure is on its way out.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
