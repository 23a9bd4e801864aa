//! One case: eleven due files, three young ones beside them, four in a batch next to it; a fault; two reckonings.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use retentiond::engine::{Clock, Ending, Engine, ManualClock, Stop, SweepReport};
use retentiond::extracta::remote::{DeleteExtractionFile, DeleteFiles, Listing, Probe};
use retentiond::extracta::{ExtractaClient, Remote};
use retentiond::ledger::HistoryFilter;
use retentiond::model::{Attempt, BatchAddress, BreakerKind, FileId, Labels};
use retentiond::outcome::Reply;
use retentiond::sandbox::{Endpoint, Fault, SandboxFile};

use crate::harness::{Batch, World};

/// Sweeps within which everything has to be settled once the fault is over.
const SWEEPS: usize = 10;

/// Which request meets the fault.
#[derive(Clone, Copy, PartialEq)]
pub enum Place {
    /// The list of ten, after the first file went through.
    List,
    /// The first file of the sweep, alone. The row's figures are those of the list and are not looked at.
    FirstFile,
}

/// Where deletes go.
pub enum Deletes {
    AtSandbox,
    /// To this client instead; reads and the probe still work.
    Elsewhere(Box<ExtractaClient>),
}

/// What a row of the table expects of the list of ten.
#[derive(Clone, Copy)]
pub struct Row {
    /// Outcome and HTTP status of the attempt, as the ledger has them.
    pub answer: &'static str,
    /// After the sweep: delete requests at the server, files by state, and how it ended.
    pub sweep: &'static str,
    /// When all is settled: delete requests in all, files by state.
    pub end: &'static str,
}

pub struct Case {
    pub name: String,
    pub fault: Option<Fault>,
    pub deletes: Deletes,
    pub deadline: Duration,
    pub place: Place,
    pub row: Row,
    /// The answer that the fault plays is itself a well-formed confirmation.
    pub confirms: bool,
    /// Files that the fault takes from beside the list.
    pub neighbours: usize,
}

impl Case {
    pub fn new(name: impl Into<String>, fault: Fault, row: Row) -> Self {
        Self {
            name: name.into(),
            confirms: false,
            neighbours: fault.neighbour_vanishes,
            fault: Some(fault),
            deletes: Deletes::AtSandbox,
            deadline: Duration::from_secs(20),
            place: Place::List,
            row,
        }
    }

    pub fn confirms(self) -> Self {
        Self {
            confirms: true,
            ..self
        }
    }

    pub fn within(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }
}

/// Reads and the probe at the sandbox, deletes elsewhere.
struct Split {
    reads: ExtractaClient,
    deletes: ExtractaClient,
}

#[async_trait]
impl Remote for Split {
    async fn delete_files(&self, request: &DeleteFiles) -> Reply {
        self.deletes.delete_files(request).await
    }

    async fn delete_extraction_file(&self, request: &DeleteExtractionFile) -> Reply {
        self.deletes.delete_extraction_file(request).await
    }

    async fn list(&self, batch: &BatchAddress) -> Listing {
        self.reads.list(batch).await
    }

    async fn turn_to_delete(&self) {
        self.deletes.turn_to_delete().await;
    }

    fn account(&self) -> String {
        self.reads.account()
    }

    async fn probe(&self) -> Probe {
        self.reads.probe().await
    }
}

/// A case under way.
pub(super) struct Scene {
    pub(super) world: World,
    pub(super) due: Batch,
    pub(super) young: Batch,
    pub(super) beside: Batch,
    /// Every file at the sandbox before the first sweep.
    pub(super) before: BTreeMap<String, SandboxFile>,
    pub(super) confirms: bool,
    pub(super) neighbours: usize,
    pub(super) problems: Vec<String>,
}

/// Plays a case; what was not as it should be.
pub async fn play(case: Case) -> Vec<String> {
    let mut scene = Scene::set(&case).await;
    let timed = scene.engine(case.deletes, case.deadline);
    let report = scene.world.sweep_with(&timed).await;
    if case.place == Place::List {
        let attempt = scene.attempt_of_the_list().await;
        scene.expect("the attempt", &attempt, case.row.answer);
        let found = format!("{}; {}", scene.reckoning().await, ending(&report.ending));
        scene.expect("the sweep", &found, case.row.sweep);
    }
    scene.judge("after the sweep").await;
    scene.heal(&report).await;
    if case.place == Place::List {
        let found = scene.reckoning().await;
        scene.expect("the end", &found, case.row.end);
    }
    scene.judge("at the end").await;
    scene.judge_end().await;
    scene.problems
}

impl Scene {
    async fn set(case: &Case) -> Self {
        let world = World::new().await;
        let due = world.upload(11).await;
        world.days_pass(5);
        let ids = world
            .server
            .seed_files(&world.classification, &due.id, 3)
            .unwrap();
        let young = Batch {
            id: due.id.clone(),
            files: ids.iter().map(|id| FileId::new(id.as_str()).unwrap()).collect(),
        };
        world.record(&young, Labels::new(), world.now()).await;
        let beside = world.upload(4).await;
        world.days_pass(6);
        if let Some(fault) = case.fault.clone() {
            let at_delete = fault.endpoint == Fault::at(Endpoint::DeleteFiles).endpoint;
            let first = u64::from(case.place == Place::List && at_delete);
            world.server.add_fault(fault.after(first)).unwrap();
        }
        let before = world
            .server
            .files()
            .into_iter()
            .map(|file| (file.file_id.clone(), file))
            .collect();
        Self {
            world,
            due,
            young,
            beside,
            before,
            confirms: case.confirms,
            neighbours: case.neighbours,
            problems: Vec::new(),
        }
    }

    fn engine(&self, deletes: Deletes, deadline: Duration) -> Engine {
        let world = &self.world;
        let remote = match deletes {
            Deletes::AtSandbox => Split {
                reads: world.client(Duration::from_secs(20)),
                deletes: world.client(deadline),
            },
            Deletes::Elsewhere(client) => Split {
                reads: world.client(Duration::from_secs(20)),
                deletes: *client,
            },
        };
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&world.clock);
        let ledger = Arc::clone(&world.ledger);
        Engine::new(
            ledger,
            Arc::new(remote),
            clock,
            world.settings.clone(),
            &world.lock,
        )
    }

    fn expect(&mut self, what: &str, found: &str, expected: &str) {
        if found != expected {
            self.problems
                .push(format!("{what} is `{found}`, not `{expected}`"));
        }
    }

    pub(super) fn claim(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.problems.push(otherwise());
        }
    }

    pub(super) async fn history(&self) -> Vec<Attempt> {
        let filter = HistoryFilter {
            limit: 1000,
            ..Default::default()
        };
        let mut attempts = self.world.ledger.history(&filter).await.unwrap();
        attempts.reverse();
        attempts
    }

    /// The attempt that met the fault: the first for ten files, or else the first of all.
    async fn attempt_of_the_list(&self) -> String {
        let attempts = self.history().await;
        let list = attempts.iter().find(|a| a.files.len() == 10).or(attempts.first());
        list.map_or_else(
            || "no attempt".to_owned(),
            |a| {
                let status = a
                    .http_status
                    .map_or_else(|| "-".to_owned(), |code| code.to_string());
                format!("{} {status}", a.outcome.as_deref().unwrap_or("under way"))
            },
        )
    }

    /// Delete requests at the server, and the due files by state.
    async fn reckoning(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for file in &self.due.files {
            *counts.entry(self.world.state(file).await.name()).or_default() += 1;
        }
        let states: Vec<String> = counts
            .iter()
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        let requests = self.world.server.request_count(Endpoint::DeleteFiles);
        format!("{requests} requests, {}", states.join(", "))
    }

    /// The fault ends, the time that was asked for passes, an operator settles what waits for one.
    async fn heal(&mut self, report: &SweepReport) {
        self.world.server.clear_faults();
        match &report.ending {
            Ending::Stopped {
                by: Stop::NotBefore { until },
            } => {
                let wait = until.millis_since(self.world.now());
                self.nothing_is_sent(wait - 1000, "before the time").await;
                self.world.clock.advance(2000);
            }
            Ending::Stopped {
                by: Stop::Breaker { kind, .. },
            } if !kind.heals() => {
                self.nothing_is_sent(60_000, "before somebody looked").await;
                let now = self.world.now();
                self.world.ledger.close_breaker(*kind, "test", now).await.unwrap();
            }
            Ending::Stopped { .. }
            | Ending::Done
            | Ending::Observed
            | Ending::AlreadyDone
            | Ending::Elsewhere { .. } => {}
        }
        for _ in 0..SWEEPS {
            let report = self.world.sweep().await;
            if report.ending == Ending::Done {
                return;
            }
        }
        self.problems.push("it does not settle".to_owned());
    }

    async fn nothing_is_sent(&mut self, wait_ms: i64, when: &str) {
        let deletes = self.world.server.request_count(Endpoint::DeleteFiles);
        self.world.clock.advance(wait_ms);
        self.world.sweep().await;
        let more = self.world.server.request_count(Endpoint::DeleteFiles) - deletes;
        self.claim(more == 0, || format!("{more} deletes were sent {when}"));
    }
}

/// How a sweep ended, in a word or two.
fn ending(ending: &Ending) -> String {
    let Ending::Stopped { by } = ending else {
        return "done".to_owned();
    };
    match by {
        Stop::Breaker { kind, .. } => format!("breaker {}", BreakerKind::name(*kind)),
        Stop::NotBefore { .. } => "not before".to_owned(),
        Stop::Canary { .. } => "canary".to_owned(),
        Stop::Incomplete { files } => format!("{files} left for later"),
        other => format!("{other:?}"),
    }
}
