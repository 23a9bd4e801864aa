//! Several daemons on one PostgreSQL ledger: the real binaries, each with a state directory as on a host of its own.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use retentiond::engine::{Clock, SystemClock};
use retentiond::ledger::{Ledger, Peer};
use retentiond::sandbox::{Endpoint, Fault, Module};
use rustix::process::Signal;
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::process::{Child, Command};

use crate::cluster::{Cluster, cluster};
use crate::daemon::{Service, signal, terminate, wait_until_settled};
use crate::restart::{Down, restart};

/// Longest wait for something that has to happen; reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(400);

/// So long after its upload a file is due: until then all daemons are up.
const DUE_AFTER_S: i64 = 60;

/// One ledger, one sandbox, and the daemons on them.
struct Hosts {
    service: Service,
    url: String,
    ledger: Arc<dyn Ledger>,
    daemons: BTreeMap<u32, Child>,
    begun: usize,
}

impl Hosts {
    async fn new(url: String, files_per_request: u32) -> Self {
        let service = Service::new().await.on_server(&url);
        let file = service.path("policies.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        // A lease lasts as long as a request may, and 70 seconds.
        let quick = "results_interval = \"0s\"\ntimeout = \"5s\"";
        let text = text
            .replace("results_interval = \"0s\"", quick)
            .replace("\"2 seconds\"", &format!("\"{DUE_AFTER_S} seconds\""))
            .replace("\"4 seconds\"", "\"30 days\"")
            .replace(
                "files_per_request = 10",
                &format!("files_per_request = {files_per_request}"),
            );
        std::fs::write(&file, text).unwrap();
        // Made before anybody opens it side by side.
        let made = service.run(&["sweep"]).await;
        assert!(made.status.success(), "{made:?}");
        Self {
            ledger: service.ledger().await,
            service,
            url,
            daemons: BTreeMap::new(),
            begun: 0,
        }
    }

    /// Starts one more, and waits until it is there.
    async fn begin(&mut self) -> u32 {
        self.begun += 1;
        let host = self.service.path(&format!("host-{}", self.begun));
        std::fs::create_dir(&host).unwrap();
        let text = std::fs::read_to_string(self.service.path("policies.toml")).unwrap();
        let shared = format!("state_dir = \"{}\"", self.service.dir.path().display());
        assert!(text.contains(&shared), "{text}");
        let own = format!("state_dir = \"{}\"", host.display());
        let file = host.join("policies.toml");
        std::fs::write(&file, text.replace(&shared, &own)).unwrap();
        let log = std::fs::File::create(host.join("log")).unwrap();
        let daemon = Command::new(env!("CARGO_BIN_EXE_retentiond"))
            .arg("-c")
            .arg(file)
            .arg("daemon")
            .env("EXTRACTA_API_KEY", retentiond::sandbox::DEFAULT_KEY)
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let pid = daemon.id().unwrap();
        self.daemons.insert(pid, daemon);
        self.until("a daemon takes its seat", |peers| {
            peers.iter().any(|peer| peer.alive && pid_of(peer) == pid)
        })
        .await;
        pid
    }

    /// So many batches that fall due together, and two files that do not.
    async fn upload(&self, batches: usize, files: usize) {
        let [due, _, kept] = self.service.classifications.as_slice() else {
            panic!("three classifications")
        };
        let at = SystemClock.now();
        let mut rows = String::new();
        for (classification, batches, files) in [(due, batches, files), (kept, 1, 2)] {
            for _ in 0..batches {
                let batch = self
                    .service
                    .server
                    .seed_batch(Module::Classification, classification)
                    .unwrap();
                for id in self
                    .service
                    .server
                    .seed_files(classification, &batch, files)
                    .unwrap()
                {
                    let row = json!({"classification_id": classification, "batch_id": batch, "file_id": id, "uploaded_at": at});
                    rows.push_str(&format!("{row}\n"));
                }
            }
        }
        let file = self.service.path("rows.jsonl");
        std::fs::write(&file, rows).unwrap();
        let recorded = self.service.run(&["record", file.to_str().unwrap()]).await;
        assert!(recorded.status.success(), "{recorded:?}");
        let took = SystemClock.now().millis_since(at);
        assert!(
            took < DUE_AFTER_S * 1000,
            "recorded in {took} ms: the first were due before the last were there"
        );
    }

    fn slow(&self, millis: u64) {
        for endpoint in [Endpoint::DeleteFiles, Endpoint::GetResults] {
            let slow = Fault::at(endpoint).delay_ms(millis).always();
            self.service.server.add_fault(slow).unwrap();
        }
    }

    async fn until(&self, what: &str, there: impl Fn(&[Peer]) -> bool) -> Vec<Peer> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            // The server may be away for a moment.
            if let Ok(peers) = self.ledger.peers().await
                && there(&peers)
            {
                return peers;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{what}: does not happen\n{}",
                self.logs()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Who leads the sweep and who helps with it, once both are at it.
    async fn at_work(&self) -> (u32, u32) {
        let peers = self
            .until("a sweep is shared", |peers| {
                leader(peers).is_some() && helper(peers).is_some()
            })
            .await;
        (leader(&peers).unwrap(), helper(&peers).unwrap())
    }

    /// Some hundred files further, shared or not: who was cut off may come back too late to be offered a part.
    async fn goes_on(&self) {
        let so_far = self.service.server.deleted().len();
        self.service
            .wait("the sweep goes on", |s| s.deleted().len() >= so_far + 200)
            .await;
    }

    async fn kill(&mut self, pid: u32) {
        self.daemons.remove(&pid).unwrap().kill().await.unwrap();
    }

    /// Everything due is gone and settled; those who live end in order; every record agrees with the sandbox.
    async fn reach_the_end(&mut self, files: usize) {
        let due = self.service.classifications[0].clone();
        let gone = async {
            while self.service.left_of(&due) > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, gone).await.is_err() {
            panic!("{} files are left\n{}", self.service.left_of(&due), self.logs());
        }
        wait_until_settled(&self.service).await;
        self.until_closed().await;
        for daemon in self.daemons.values() {
            terminate(daemon);
        }
        for (pid, mut daemon) in std::mem::take(&mut self.daemons) {
            let ended = daemon.wait().await.unwrap();
            assert!(ended.success(), "{pid}: {ended}\n{}", self.logs());
        }
        assert_eq!(
            self.ledger.breakers().await.unwrap(),
            Vec::new(),
            "{}",
            self.logs()
        );
        assert_eq!(self.service.server.deleted().len(), files);
        self.service.assert_truth(2).await;
        assert_eq!(self.number("SELECT count(*) FROM retentiond.parts").await, 0);
    }

    /// Until the last sweep of every policy is closed: not in the middle of its summary, nor while nobody leads it.
    async fn until_closed(&self) {
        let open = "SELECT count(*)
                    FROM retentiond.sweeps s
                    WHERE state = 'open' AND id = (SELECT max(id) FROM retentiond.sweeps l WHERE l.policy = s.policy)";
        let closed = async {
            while self.number(open).await > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, closed).await.is_err() {
            panic!("a sweep stays open\n{}", self.logs());
        }
    }

    /// How often each file was asked for, at the sandbox.
    fn requests(&self) -> BTreeMap<String, u32> {
        let mut requests = BTreeMap::new();
        for request in self.service.server.requests() {
            if request.endpoint == Endpoint::DeleteFiles {
                for file in request.file_ids {
                    *requests.entry(file).or_default() += 1;
                }
            }
        }
        requests
    }

    async fn number(&self, question: &str) -> i64 {
        let options: PgConnectOptions = self.url.parse().unwrap();
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        sqlx::query_scalar(AssertSqlSafe(question.to_owned()))
            .fetch_one(&mut connection)
            .await
            .unwrap()
    }

    fn logs(&self) -> String {
        let log = |n: usize| -> String {
            let path: PathBuf = self.service.path(&format!("host-{n}/log"));
            format!(
                "== host {n}\n{}",
                std::fs::read_to_string(path).unwrap_or_default()
            )
        };
        (1..=self.begun).map(log).collect()
    }
}

fn pid_of(peer: &Peer) -> u32 {
    peer.name.split(' ').next().unwrap().parse().unwrap()
}

fn leader(peers: &[Peer]) -> Option<u32> {
    peers
        .iter()
        .find(|peer| peer.alive && peer.sweep.is_some())
        .map(pid_of)
}

fn helper(peers: &[Peer]) -> Option<u32> {
    peers
        .iter()
        .find(|peer| peer.alive && peer.sweep.is_none() && peer.parts > 0)
        .map(pid_of)
}

/// From the first request to the last, with so many daemons.
async fn swept_by(daemons: usize, batches: usize, files: usize) -> Duration {
    let mut hosts = Hosts::new(cluster().fresh().await, 100).await;
    hosts.slow(700);
    for _ in 0..daemons {
        hosts.begin().await;
    }
    hosts.upload(batches, files).await;
    let all = batches * files;
    let due = hosts.service.classifications[0].clone();
    while hosts.service.left_of(&due) > 0 {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    hosts.until_closed().await;
    for daemon in hosts.daemons.values() {
        terminate(daemon);
    }
    for daemon in hosts.daemons.values_mut() {
        assert!(daemon.wait().await.unwrap().success());
    }
    // Asked for once, deleted once, confirmed once, counted once: by the sandbox, the ledger and its sweeps.
    let requests = hosts.requests();
    assert_eq!(requests.len(), all, "{}", hosts.logs());
    assert!(
        requests.values().all(|n| *n == 1),
        "{daemons} daemons asked for a file twice"
    );
    let deleted: HashSet<String> = hosts
        .service
        .server
        .deleted()
        .into_iter()
        .map(|f| f.file_id)
        .collect();
    assert_eq!(deleted.len(), all);
    let confirmed = "SELECT count(*) FROM retentiond.attempt_files WHERE result = 2";
    let of_files = "SELECT count(DISTINCT file_id) FROM retentiond.attempt_files";
    for question in [confirmed, of_files] {
        let counted = hosts.number(question).await;
        assert_eq!(usize::try_from(counted).unwrap(), all, "{question}");
    }
    let sweeps = hosts.ledger.sweeps(None, 100).await.unwrap();
    let summed = |of: fn(&retentiond::model::SweepSummary) -> u64| {
        sweeps.iter().map(|sweep| of(&sweep.summary)).sum::<u64>()
    };
    assert_eq!(summed(|sum| sum.deleted), all as u64, "{sweeps:?}");
    assert_eq!(summed(|sum| sum.verified), all as u64, "{sweeps:?}");
    let asked: Vec<i64> = hosts
        .service
        .server
        .requests()
        .into_iter()
        .filter(|request| request.endpoint == Endpoint::DeleteFiles)
        .map(|request| request.at_ms)
        .collect();
    let took = asked.iter().max().unwrap() - asked.iter().min().unwrap();
    let by_host: Vec<usize> = (1..=daemons)
        .map(|n| {
            let log = std::fs::read_to_string(hosts.service.path(&format!("host-{n}/log"))).unwrap();
            log.matches("delete request settled").count()
        })
        .collect();
    println!("{all} files, {daemons} daemon(s): {took} ms; requests by host {by_host:?}");
    assert!(by_host.iter().all(|requests| *requests > 0), "{by_host:?}");
    Duration::from_millis(u64::try_from(took).unwrap())
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn three_daemons_delete_each_file_once_and_in_much_less_time_than_one() {
    // `FILES=50000` by hand.
    let files: usize = std::env::var("FILES").map_or(20_000, |files| files.parse().unwrap());
    let alone = swept_by(1, files / 500, 500).await;
    let together = swept_by(3, files / 500, 500).await;
    let ratio = together.as_secs_f64() / alone.as_secs_f64();
    println!("three daemons need {ratio:.2} of the time of one");
    // So few files are four rounds of the three: what one loses until it helps weighs more.
    let most = if files >= 50_000 { 0.5 } else { 0.67 };
    assert!(ratio < most, "{together:?} against {alone:?}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_helper_and_then_the_leader_are_killed_and_the_last_one_reaches_the_same_end() {
    let mut hosts = Hosts::new(cluster().fresh().await, 10).await;
    hosts.slow(250);
    for _ in 0..3 {
        hosts.begin().await;
    }
    hosts.upload(60, 50).await;
    let (_, helper) = hosts.at_work().await;
    hosts.kill(helper).await;
    let (leader, _) = hosts.at_work().await;
    hosts.kill(leader).await;
    hosts.reach_the_end(3_000).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn who_comes_in_the_middle_of_a_sweep_takes_parts_of_it() {
    let mut hosts = Hosts::new(cluster().fresh().await, 10).await;
    hosts.slow(250);
    let alone = hosts.begin().await;
    hosts.upload(60, 50).await;
    hosts.goes_on().await;
    assert_eq!(hosts.number("SELECT count(*) FROM retentiond.parts").await, 0);
    let late = hosts.begin().await;
    assert_eq!(hosts.at_work().await, (alone, late));
    hosts.reach_the_end(3_000).await;
    assert!(
        hosts.requests().values().all(|times| *times == 1),
        "a file was asked for twice"
    );
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn stopped_for_longer_than_its_lease_a_leader_or_helper_is_replaced_and_does_no_harm_when_it_wakes() {
    let mut hosts = Hosts::new(cluster().fresh().await, 10).await;
    hosts.slow(250);
    for _ in 0..3 {
        hosts.begin().await;
    }
    hosts.upload(60, 50).await;
    let (leader, helper) = hosts.at_work().await;
    for pid in [leader, helper] {
        signal(&hosts.daemons[&pid], Signal::STOP);
    }
    let over = |peers: &[Peer]| {
        let alive = |pid: u32| peers.iter().any(|peer| peer.alive && pid_of(peer) == pid);
        !alive(leader) && !alive(helper)
    };
    hosts.until("both leases run out", over).await;
    let due = hosts.service.classifications[0].clone();
    hosts
        .service
        .wait("the last one does the rest", |s| {
            s.files().iter().all(|file| file.parent_id != due)
        })
        .await;
    for pid in [leader, helper] {
        signal(&hosts.daemons[&pid], Signal::CONT);
    }
    hosts.reach_the_end(3_000).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn cut_connections_and_a_restart_of_the_server_in_the_middle_lead_to_the_same_end() {
    let cluster = Cluster::start();
    let mut hosts = Hosts::new(cluster.fresh().await, 10).await;
    hosts.slow(250);
    for _ in 0..3 {
        hosts.begin().await;
    }
    hosts.upload(80, 50).await;
    let (leader, helper) = hosts.at_work().await;
    for pid in [helper, leader] {
        let cut = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'retentiond {pid} on %'"
        );
        cluster.run("postgres", &cut).await;
        hosts.goes_on().await;
    }
    for how in [Down::Fast, Down::Immediate] {
        restart(&cluster, how);
        hosts.goes_on().await;
    }
    hosts.reach_the_end(4_000).await;
}
