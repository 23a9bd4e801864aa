//! What the parts of one world share: the truth, the script of faults, the trace, the verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard};

use retentiond::engine::{Clock, ManualClock};
use retentiond::model::{BatchAddress, ErasureScope, EventScope, FileId, HoldScope, SweepId};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::erasures::ERASURE;
use crate::place::{Asked, Place, Real, Sight, Still};
use crate::remote::{Plan, Store};
use crate::rng::Rng;
use crate::rules::{RulesSpec, SimFile};

/// The witnesses may differ by this much before anybody objects (`clock::DATE_TOLERANCE_MS`).
pub const TOLERANCE: i64 = 300_000;

/// How the run dies at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Before the step does anything.
    Before,
    /// While the step is under way: its write is either done or not.
    During,
    /// After the step, before anybody learns its result.
    After,
}

/// What happens from outside between two steps of a running sweep.
#[derive(Debug, Clone)]
pub enum Event {
    Hold(HoldScope),
    /// A start event is recorded or corrected.
    Tell(EventScope, i64),
    /// An erasure request comes in.
    Request(ErasureScope),
    /// An erasure request is closed by an operator.
    Withdraw,
    Pause,
    Jump(i64),
    Cancel,
    /// Somebody else deletes a file, one that is under way if there is any.
    Outsider,
}

/// What is to happen at the n-th step from now.
#[derive(Debug, Default)]
pub struct Script {
    pub death: Option<(u64, Death)>,
    /// How the run dies while its next request is under way.
    pub death_in_request: Option<Death>,
    pub event: Option<(u64, Event)>,
    /// Every ledger write fails in so many of a hundred cases, in one of the ways of `WriteFault`.
    pub write_faults: u64,
}

#[derive(Debug, Clone)]
pub struct SimHold {
    pub scope: HoldScope,
    /// Wall clock at which it ends, once released.
    pub ends_at: Option<i64>,
}

/// An erasure request that nobody has closed.
#[derive(Debug, Clone)]
pub struct SimErasure {
    pub scope: ErasureScope,
    pub reference: String,
    /// Wall clock at which it was entered.
    pub placed_at: i64,
}

/// The part behind the lock.
pub struct State {
    pub rng: Rng,
    /// True time, in milliseconds.
    pub truth: i64,
    pub store: Store,
    pub plan: Plan,
    pub files: BTreeMap<FileId, SimFile>,
    pub rules: RulesSpec,
    pub holds: BTreeMap<i64, SimHold>,
    /// When the start event happened, by what it was recorded for.
    pub events: BTreeMap<EventScope, i64>,
    /// Open erasure requests.
    pub erasures: BTreeMap<i64, SimErasure>,
    /// The policy whose sweep runs.
    pub sweeping: Option<String>,
    pub concurrency: usize,
    /// Ids that a committed claim lets through, with what the oracle says of each.
    pub claimed: BTreeMap<FileId, Claimed>,
    /// Files that a sweep has sent and that were not given back.
    pub sent: BTreeMap<i64, BTreeSet<FileId>>,
    /// Files of approved plans, by policy.
    pub approved: BTreeMap<String, BTreeSet<FileId>>,
    /// Files for which a well-formed confirmation came back.
    pub confirmed: BTreeSet<FileId>,
    /// Files that the API has lied about.
    pub lied: BTreeSet<FileId>,
    /// Wall clock at which a pause ends, and claims since it began.
    pub pause: Option<(i64, usize)>,
    pub script: Script,
    pub steps: u64,
    pub injected: u64,
    /// An fsync has failed in this life of the process: nothing may be deleted before the next one.
    pub sync_failed: bool,
    /// Requests since then: those of other batches that were on their way.
    pub after_failure: usize,
    /// The ledger was put back from a copy and nobody has taken it as it is: nothing may be deleted.
    pub rolled_back: bool,
    /// Requests for originals in the sweep under way.
    pub requests: u64,
    pub step: String,
    pub trace: Vec<String>,
    pub counts: BTreeMap<&'static str, u64>,
    pub violations: Vec<String>,
    pub cancel: CancellationToken,
}

/// A committed claim's word on one file.
#[derive(Debug, Clone)]
pub struct Claimed {
    pub sweep: SweepId,
    pub batch: BatchAddress,
    pub objection: Option<String>,
}

pub struct Shared {
    pub clock: Arc<ManualClock>,
    pub state: Mutex<State>,
    pub place: Place,
    pub ledger: Mutex<Option<Arc<Real>>>,
    pub eye: Mutex<Option<Arc<Sight>>>,
    /// One step at a time, first come first served: so a seed gives the same run each time.
    pub turn: tokio::sync::Mutex<()>,
    pub died: Notify,
}

impl Shared {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// The real ledger, past every wrapper.
    pub fn real(&self) -> Asked {
        let slot = self.ledger.lock().expect("no holder of this lock panics");
        let real = Arc::clone(slot.as_ref().expect("a ledger is open while anything runs"));
        drop(slot);
        self.place.ask(real)
    }

    /// Held while a ledger in a server is asked.
    pub fn still(&self) -> Option<Still> {
        self.place.still()
    }

    pub fn wall(&self) -> i64 {
        self.clock.now().as_millis()
    }

    /// What is committed.
    pub fn eye(&self) -> Arc<Sight> {
        let slot = self.eye.lock().expect("no holder of this lock panics");
        Arc::clone(slot.as_ref().expect("open as long as the ledger is"))
    }

    /// Time passes.
    pub fn advance(&self, millis: i64) {
        self.clock.advance(millis);
        self.pass_unseen(millis);
    }

    /// Time passes, and the machine's clock does not see it.
    pub fn pass_unseen(&self, millis: i64) {
        let mut state = self.state();
        state.truth += millis;
        self.place.tell(state.truth);
    }

    /// Ends the run: the driver drops what it drives.
    pub async fn die<T>(&self) -> T {
        self.died.notify_one();
        std::future::pending().await
    }
}

impl State {
    /// Counts, and says how many it makes.
    pub fn count(&mut self, what: &'static str) -> u64 {
        let count = self.counts.entry(what).or_default();
        *count += 1;
        *count
    }

    pub fn note(&mut self, line: impl Display) {
        let truth = self.truth;
        self.trace
            .push(format!("  {:>12} #{:<5} {line}", truth / 1000, self.steps));
    }

    pub fn violate(&mut self, invariant: &str, text: impl Display) {
        let line = format!("{invariant}: {text} (in: {})", self.step);
        self.note(format_args!("VIOLATION {line}"));
        self.violations.push(line);
    }

    /// What the script says of the next step.
    pub fn next_step(&mut self) -> (Option<Event>, Option<Death>) {
        self.steps += 1;
        let event = fire(&mut self.script.event);
        let death = fire(&mut self.script.death);
        (event, death)
    }

    /// The file whose facts decide over `file`: itself, or the one that it copies.
    pub fn original<'s>(&'s self, file: &'s SimFile) -> &'s SimFile {
        let origin = file.copy_of.as_ref().and_then(|id| self.files.get(id));
        origin.unwrap_or(file)
    }

    pub fn due(&self, file: &SimFile) -> Option<i64> {
        let original = self.original(file);
        self.rules.due(original, self.ended(original))
    }

    /// Whether a hold covers `file`; with `surely`, leaving aside what the tolerance of clocks leaves open.
    pub fn held(&self, file: &SimFile, surely: bool) -> bool {
        let original = self.original(file);
        let owner = self.rules.owner(original).map(|policy| policy.name);
        let slack = if surely { TOLERANCE } else { -TOLERANCE };
        self.holds.values().any(|hold| {
            let active = hold.ends_at.is_none_or(|end| self.truth + slack < end);
            let covers = match &hold.scope {
                HoldScope::File(id) => *id == file.address.file || *id == original.address.file,
                HoldScope::Batch(id) => {
                    *id == file.address.batch.batch || *id == original.address.batch.batch
                }
                HoldScope::Label { value, .. } => original.tenant == Some(value.as_str()),
                HoldScope::Policy(name) => owner == Some(name.as_str()),
            };
            active && covers
        })
    }

    /// The oracle's word on sending `file` now, for the sweep under way: G1, G2, G4.
    pub fn objection(&self, file: &SimFile) -> Option<String> {
        if self.sweeping.as_deref() == Some(ERASURE) {
            return self.objection_to_erasure(file);
        }
        let Some(owner) = self.rules.owner(self.original(file)) else {
            return Some("G1: nobody owns it".to_owned());
        };
        if !owner.enforce {
            return Some(format!("G1: {} only observes", owner.name));
        }
        if self.sweeping.as_deref() != Some(owner.name) {
            return Some(format!(
                "G1: {} owns it, {:?} is swept",
                owner.name, self.sweeping
            ));
        }
        match self.due(file) {
            None => return Some("G2: it is never due".to_owned()),
            Some(due) if self.truth + TOLERANCE < due => {
                return Some(format!("G2: {} s early", (due - self.truth) / 1000));
            }
            Some(_) => {}
        }
        self.held(file, true).then(|| "G4: it is on hold".to_owned())
    }

    /// G7: whether one more file of `sweep` is inside the limits.
    pub fn over_limit(&self, sweep: SweepId, file: &FileId) -> Option<String> {
        let policy = self.sweeping.as_deref()?;
        if self
            .approved
            .get(policy)
            .is_some_and(|files| files.contains(file))
        {
            return None;
        }
        if self.rules.policy(policy).is_some_and(|policy| policy.always) {
            return Some(format!("{policy} asks for an approval, and none covers it"));
        }
        let sent = self.sent.get(&sweep.0).map_or(0, BTreeSet::len) as u64;
        let most = self.rules.files_per_sweep;
        (sent > most).then(|| format!("{sent} files sent by sweep {}, the limit is {most}", sweep.0))
    }
}

fn fire<T>(slot: &mut Option<(u64, T)>) -> Option<T> {
    match slot {
        Some((0, _)) => slot.take().map(|(_, what)| what),
        Some((left, _)) => {
            *left -= 1;
            None
        }
        None => None,
    }
}
