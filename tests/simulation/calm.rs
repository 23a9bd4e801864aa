//! Liveness: once the faults have stopped and the operators have done their part, everything settles.

use std::collections::BTreeMap;

use retentiond::engine::{Ending, Stop};
use retentiond::model::{FileId, FileState, HoldId};

use crate::erasures::ERASURE;
use crate::rules::{DAY, SimFile, at};
use crate::shared::Script;
use crate::steps::Swept;
use crate::world::World;

/// Sweeps of each policy within which all settles, where the limits do not make it longer.
const SWEEPS: u64 = 10;

impl World {
    /// The faults stop; then every due or requested file that nothing stops settles.
    pub async fn calm(&mut self) {
        self.faults_stop().await;
        let due = self.due_files();
        let most = self.sweeps_allowed(due.len() as u64);
        let policies = self.swept_names();
        let mut left = due;
        for _ in 0..most {
            for policy in &policies {
                self.time_passes(1000).await;
                let swept = self.sweep(policy, None, Script::default()).await;
                match swept {
                    Swept::Failed(error) => {
                        self.state()
                            .violate("LIVENESS", format_args!("a sweep fails in the calm: {error}"));
                    }
                    Swept::Ended(report) => self.answer(policy, &report.ending).await,
                    Swept::Died => {}
                }
            }
            self.reset_breakers().await;
            left = self.unsettled(left).await;
            let settled = left.is_empty() && self.requests_left_open().await.is_empty();
            if settled && self.nothing_is_believed_of_lies().await {
                break;
            }
        }
        self.last_words(left, most).await;
    }

    /// Every name that is swept: the policies, then the erasure requests.
    pub fn swept_names(&self) -> Vec<&'static str> {
        let state = self.state();
        let policies = state.rules.policies.iter().map(|policy| policy.name);
        policies.chain([ERASURE]).collect()
    }

    /// The operator approves what waits, and lifts a hold whose policy is gone.
    async fn answer(&self, policy: &str, ending: &Ending) {
        if let Ending::Stopped {
            by: Stop::HoldWithoutPolicy { hold, .. },
        } = ending
        {
            let now = at(self.shared.wall());
            let released = self.real().release_hold(HoldId(*hold), "sim", now, now).await;
            if let Err(error) = released {
                let text = format!("hold {hold} stops a sweep and cannot be released: {error}");
                self.state().violate("G4", text);
            }
        }
        if let Ending::Stopped {
            by: Stop::Limit { plan, .. } | Stop::Approval { plan },
        } = ending
        {
            self.approve(policy, plan).await;
        }
    }

    async fn faults_stop(&mut self) {
        let heals = self.rng.chance(60);
        {
            let mut state = self.state();
            state.step = "the calm begins".to_owned();
            state.note("— the faults stop");
            state.plan.storm = 0;
            state.plan.other_account = false;
            state.plan.sends_date = true;
            state.plan.skew = 0;
            if heals {
                state.plan.poison.clear();
            }
        }
        self.process();
        self.set_clock_right();
        #[cfg(feature = "postgres")]
        self.the_server_calms_down();
        self.resume().await;
        self.reset_breakers().await;
        // Whatever the API asked to wait for is over after a day.
        self.time_passes(DAY + 60_000).await;
        self.tick().await;
        self.time_passes(60_000).await;
        self.tick().await;
    }

    fn due_files(&self) -> Vec<FileId> {
        let state = self.state();
        let is_due = |file: &&SimFile| {
            let enforced = state
                .rules
                .owner(state.original(file))
                .is_some_and(|policy| policy.enforce);
            let due = state.due(file).is_some_and(|due| due <= state.truth);
            enforced && due && !state.held(file, false) || state.must_be_erased(file)
        };
        state
            .files
            .values()
            .filter(is_due)
            .map(|file| file.address.file.clone())
            .collect()
    }

    /// Ten, and what limits, quarantine and approvals add to it.
    fn sweeps_allowed(&self, due: u64) -> u64 {
        let state = self.state();
        SWEEPS + due / state.rules.files_per_sweep.max(1) + 3 * state.plan.poison.len() as u64
    }

    async fn unsettled(&self, files: Vec<FileId>) -> Vec<FileId> {
        let states = self.states().await;
        files
            .into_iter()
            .filter(|file| !is_settled(&states, file))
            .collect()
    }

    /// A lie that a look could have shown is not believed any more.
    async fn nothing_is_believed_of_lies(&self) -> bool {
        let states = self.states().await;
        let state = self.state();
        !state.lied.iter().any(|file| {
            let there = state.store.holds(&state.files[file].address.batch, file);
            there && matches!(states.get(file), Some(FileState::Deleted | FileState::Gone))
        })
    }

    async fn last_words(&mut self, left: Vec<FileId>, most: u64) {
        let states = self.states().await;
        let breakers = self.real().breakers().await.unwrap();
        for file in left {
            let is = states.get(&file);
            let text = format!("{file} is {is:?} after {most} sweeps in the calm; breakers {breakers:?}");
            self.state().violate("LIVENESS", text);
        }
        for id in self.requests_left_open().await {
            let text =
                format!("erasure request {id} is open and nothing is left of it; breakers {breakers:?}");
            self.state().violate("LIVENESS", text);
        }
        if self.settings.verify && !self.nothing_is_believed_of_lies().await {
            self.state()
                .violate("G6", "a lie is still believed after the calm");
        }
        for is in states.values() {
            self.state().count(match is {
                FileState::Live => "ends live",
                FileState::Deleting => "ends deleting",
                FileState::Deleted => "ends deleted",
                FileState::Gone => "ends gone",
                FileState::Unknown => "ends unknown",
                FileState::Quarantined => "ends quarantined",
            });
        }
        self.reopen(true).await;
        self.check_ledger().await;
    }
}

/// Gone for good, or with an operator. A copy that nobody has recorded is nobody's.
fn is_settled(states: &BTreeMap<FileId, FileState>, file: &FileId) -> bool {
    match states.get(file) {
        None | Some(FileState::Deleted | FileState::Gone | FileState::Quarantined) => true,
        Some(FileState::Live | FileState::Deleting | FileState::Unknown) => false,
    }
}
