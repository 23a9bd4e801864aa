//! One world: a directory, a ledger, a clock, a remote; opened, killed and opened again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use retentiond::engine::{Engine, ManualClock, Settings};
use retentiond::ledger::{DeleterLock, OpenMode, SqliteLedger};
use retentiond::model::{FileId, FileState};
use retentiond::rules::policy::RuleSet;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::crash::CrashLedger;
use crate::place::{Asked, Kind, Place, Real};
use crate::remote::{Plan, SimRemote, Store};
use crate::rng::Rng;
use crate::rules::{RulesSpec, at};
use crate::shared::{Script, Shared, State};
use crate::steps::STORMS;

/// 4 May 2026, 10:00 UTC.
const BEGINNING: i64 = 1_777_888_800_000;

pub struct World {
    pub shared: Arc<Shared>,
    pub rules: RuleSet,
    pub settings: Settings,
    pub engine: Option<Engine>,
    pub lock: Option<DeleterLock>,
    /// Draws the steps; faults are drawn by the state's own generator.
    pub rng: Rng,
    pub serial: u64,
    /// Unfinished occurrences by policy.
    pub unfinished: BTreeMap<&'static str, i64>,
    /// A copy that `ledger backup` made, if there is one.
    pub backup: Option<PathBuf>,
    pub dir: TempDir,
    pub path: PathBuf,
    pub images: u32,
}

/// Memory-backed where there is such a thing: every commit waits for its fsync.
fn temp_dir() -> TempDir {
    let fast = Path::new("/dev/shm");
    if fast.is_dir() {
        tempfile::tempdir_in(fast)
    } else {
        tempfile::tempdir()
    }
    .unwrap()
}

/// An empty, migrated ledger, made once.
pub async fn template() -> Vec<u8> {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(bytes) = TEMPLATE.get() {
        return bytes.clone();
    }
    let dir = temp_dir();
    let path = dir.path().join("ledger.db");
    let ledger = SqliteLedger::open(&path.display().to_string(), OpenMode::ReadWrite)
        .await
        .unwrap();
    ledger.close().await;
    let bytes = std::fs::read(path).unwrap();
    TEMPLATE.get_or_init(|| bytes).clone()
}

impl World {
    pub async fn new(seed: u64, kind: Kind) -> Self {
        let mut rng = Rng::new(seed);
        let spec = RulesSpec::random(&mut rng);
        let dir = temp_dir();
        let path = dir.path().join("ledger.db");
        let place = Place::of(kind, seed, &path).await;
        place.tell(BEGINNING);
        let settings = Settings {
            files_per_request: usize::try_from(rng.pick(&[1, 2, 3, 5, 10, 10])).unwrap(),
            concurrency: usize::try_from(rng.pick(&[1, 1, 2, 3])).unwrap(),
            verify: rng.chance(85),
            linked_copies: rng.chance(85),
            backoff: Duration::from_nanos(1),
            ..Settings::default()
        };
        let plan = Plan {
            keeps_empty: rng.chance(40),
            strict: rng.chance(50),
            longest_list: usize::try_from(rng.pick(&[2, 4, 1000])).unwrap(),
            sends_date: rng.chance(80),
            storm: rng.pick(&STORMS),
            ..Plan::default()
        };
        let mut state = State {
            rng: rng.split(),
            truth: BEGINNING,
            store: Store::default(),
            plan,
            files: BTreeMap::new(),
            rules: spec.clone(),
            holds: BTreeMap::new(),
            events: BTreeMap::new(),
            erasures: BTreeMap::new(),
            sweeping: None,
            concurrency: settings.concurrency,
            claimed: BTreeMap::new(),
            sent: BTreeMap::new(),
            approved: BTreeMap::new(),
            confirmed: BTreeSet::new(),
            lied: BTreeSet::new(),
            pause: None,
            script: Script::default(),
            steps: 0,
            injected: 0,
            sync_failed: false,
            after_failure: 0,
            rolled_back: false,
            requests: 0,
            step: "the beginning".to_owned(),
            trace: Vec::new(),
            counts: BTreeMap::new(),
            violations: Vec::new(),
            cancel: CancellationToken::new(),
        };
        if settings.linked_copies && settings.verify {
            state.count("linked copies on");
        }
        state.note(format_args!("seed {seed} {settings:?} {spec:?}"));
        let shared = Arc::new(Shared {
            clock: Arc::new(ManualClock::new(at(BEGINNING))),
            state: Mutex::new(state),
            place,
            ledger: Mutex::new(None),
            eye: Mutex::new(None),
            turn: tokio::sync::Mutex::new(()),
            died: Notify::new(),
        });
        let mut world = Self {
            shared,
            rules: spec.compile(),
            settings,
            engine: None,
            lock: None,
            rng,
            serial: 0,
            unfinished: BTreeMap::new(),
            backup: None,
            dir,
            path,
            images: 0,
        };
        world.open(true).await;
        world
    }

    pub fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("open between steps")
    }

    pub fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.state()
    }

    pub fn real(&self) -> Asked {
        self.shared.real()
    }

    /// A process starts: lock, ledger, engine, recovery.
    pub async fn open(&mut self, deep: bool) {
        let _still = self.shared.still();
        let (lock, real) = self.shared.place.open(&self.path).await;
        let real = Arc::new(real);
        *self.shared.ledger.lock().unwrap() = Some(Arc::clone(&real));
        *self.shared.eye.lock().unwrap() = Some(Arc::new(self.shared.place.eye(&self.path).await));
        let crash = Arc::new(CrashLedger {
            shared: Arc::clone(&self.shared),
            real: Arc::clone(&real),
        });
        let remote = Arc::new(SimRemote(Arc::clone(&self.shared)));
        let clock = Arc::clone(&self.shared.clock);
        self.engine = Some(Engine::new(crash, remote, clock, self.settings.clone(), &lock));
        self.lock = Some(lock);
        if deep {
            self.check_ledger().await;
        }
        #[cfg(feature = "postgres")]
        self.the_dead_ones_lease_runs_out().await;
        self.engine().recover().await.unwrap();
        self.state().claimed.clear();
        for (file, state) in self.states().await {
            if state == FileState::Deleting {
                self.state()
                    .violate("G8", format_args!("{file} is `deleting` after a recovery"));
            }
        }
    }

    /// The process ends and another one starts. With `image`, from the bytes as they lay on the disk at
    /// the moment of death: nothing was closed, the log has to be read back.
    pub async fn reopen(&mut self, image: bool) {
        let real = self.end_process();
        if image {
            self.images += 1;
            let to = self.dir.path().join(format!("image-{}.db", self.images));
            let _still = self.shared.still();
            let (path, what) = self.shared.place.as_a_dead_one_left_it(&self.path, to).await;
            self.path = path;
            self.state().count(what);
        }
        self.close(real).await;
        // The deep check costs as much as a sweep: always after a death, sometimes after a restart.
        let deep = image || self.rng.chance(25);
        self.open(deep).await;
    }

    pub async fn time_passes(&self, millis: i64) {
        #[cfg(feature = "postgres")]
        self.renew_or_lose_the_lease(millis).await;
        #[cfg(not(feature = "postgres"))]
        self.shared.advance(millis);
    }

    /// The engine and its lock go; the ledger is left to be closed.
    pub fn end_process(&mut self) -> Arc<Real> {
        let mut state = self.state();
        state.script = Script::default();
        state.sync_failed = false;
        state.after_failure = 0;
        drop(state);
        self.engine = None;
        self.lock = None;
        let mut slot = self.shared.ledger.lock().unwrap();
        slot.take().expect("a ledger was open")
    }

    pub async fn close(&self, real: Arc<Real>) {
        let _still = self.shared.still();
        let eye = self.shared.eye.lock().unwrap().take().and_then(Arc::into_inner);
        let eye = eye.expect("nobody looks between two lives");
        self.shared.place.close(real, eye).await;
    }

    pub async fn end(&mut self) {
        self.engine = None;
        self.lock = None;
        self.shared.place.end().await;
    }

    pub async fn check_ledger(&self) {
        let problems = self.real().check(true).await.unwrap();
        if !problems.is_empty() {
            self.state()
                .violate("G8", format_args!("the ledger contradicts itself: {problems:?}"));
        }
    }

    /// Every file that the ledger knows, with its state.
    pub async fn states(&self) -> BTreeMap<FileId, FileState> {
        self.shared.eye().states().await
    }

    /// G5, G6: the ledger against the remote.
    pub async fn compare(&self) {
        let states = self.states().await;
        let mut state = self.state();
        for (file, is) in states {
            let known = &state.files[&file];
            let there = state.store.holds(&known.address.batch, &file);
            let lied = state.lied.contains(&file);
            let (confirmed, address) = (state.confirmed.contains(&file), known.address.clone());
            match is {
                FileState::Deleted if !confirmed => {
                    state.violate("G5", format_args!("{file} is `deleted` without a confirmation"));
                }
                FileState::Deleted | FileState::Gone if there && !lied => {
                    state.violate(
                        "G6",
                        format_args!("{file} of {address:?} is {is:?} and still there"),
                    );
                }
                FileState::Deleted
                | FileState::Gone
                | FileState::Live
                | FileState::Deleting
                | FileState::Unknown
                | FileState::Quarantined => {}
            }
        }
    }
}
