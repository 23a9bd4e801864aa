//! The board: for each job its policy and the instant it waits for. The only place that decides what is due.
//!
//! The store asks [`Board::due`] at each beat, the jobs call [`Board::fire`]. An occurrence stays due
//! until its job has really run: activations that the crate drops, or takes before it has stored a
//! job's code, come again at the next beat. It must not know the crate beyond the job ids.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use tokio_cron_scheduler::job::JobId;

use crate::model::{PolicyName, Timestamp};

use super::{Entry, NextOccurrence, Now, Wake};

/// One job on the board.
pub(super) struct Slot {
    policy: PolicyName,
    next: NextOccurrence,
    at: Option<Timestamp>,
}

impl Slot {
    pub(super) fn new(entry: Entry) -> Self {
        Self {
            policy: entry.policy,
            next: entry.next,
            at: None,
        }
    }

    fn aim(&mut self, now: Timestamp) {
        self.at = (self.next)(now);
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.at.is_some_and(|at| at <= now)
    }
}

struct State {
    slots: HashMap<JobId, Slot>,
    turned_at: Timestamp,
    sender: Option<Sender<Wake>>,
}

/// See the module.
pub(super) struct Board {
    now: Now,
    state: Mutex<State>,
}

impl Board {
    pub(super) fn new(sender: Sender<Wake>, now: Now) -> Self {
        let state = Mutex::new(State {
            slots: HashMap::new(),
            turned_at: now(),
            sender: Some(sender),
        });
        Self { now, state }
    }

    /// The jobs whose instant has come. Called at each beat.
    pub(super) fn due(&self) -> Vec<JobId> {
        let mut state = self.lock();
        let now = (self.now)();
        // After a step back the next instants may lie years ahead: without this they would freeze.
        if now < state.turned_at {
            tracing::debug!(from = %state.turned_at, to = %now, "the clock went back, schedules are aimed anew");
            state.slots.values_mut().for_each(|slot| slot.aim(now));
        }
        state.turned_at = now;
        let due = state.slots.iter().filter(|(_, slot)| slot.is_due(now));
        due.map(|(id, _)| *id).collect()
    }

    /// Wakes for one job, once for each instant: a second call for the same instant does nothing.
    pub(super) fn fire(&self, id: JobId) {
        let mut state = self.lock();
        let now = (self.now)();
        let State { slots, sender, .. } = &mut *state;
        let Some(slot) = slots.get_mut(&id).filter(|slot| slot.is_due(now)) else {
            return;
        };
        slot.aim(now);
        let policy = slot.policy.clone();
        match sender.as_ref().map(|sender| sender.try_send(Wake { policy })) {
            None | Some(Ok(())) => {}
            Some(Err(TrySendError::Full(wake))) => {
                tracing::debug!(policy = %wake.policy, "wakes are waiting already, this one is dropped");
            }
            Some(Err(TrySendError::Closed(wake))) => {
                tracing::debug!(policy = %wake.policy, "nobody listens to wakes any more");
            }
        }
    }

    /// Swaps all slots at once and returns the jobs that were on the board before.
    pub(super) fn replace(&self, slots: Vec<(JobId, Slot)>) -> Vec<JobId> {
        let mut state = self.lock();
        let now = (self.now)();
        let before = std::mem::take(&mut state.slots);
        let pending: HashMap<_, _> = before
            .values()
            .filter(|slot| slot.is_due(now))
            .map(|slot| (&slot.policy, slot.at))
            .collect();
        for (id, mut slot) in slots {
            match pending.get(&slot.policy) {
                Some(at) => slot.at = *at,
                None => slot.aim(now),
            }
            state.slots.insert(id, slot);
        }
        before.into_keys().collect()
    }

    /// Empties the board for good, drops the sender, and returns the jobs that were on it.
    pub(super) fn close(&self) -> Vec<JobId> {
        let mut state = self.lock();
        state.sender = None;
        std::mem::take(&mut state.slots).into_keys().collect()
    }

    pub(super) fn turned_at(&self) -> Timestamp {
        self.lock().turned_at
    }

    /// Time to the next instant on the board; zero when one has come.
    pub(super) fn time_till_next(&self) -> Option<Duration> {
        let state = self.lock();
        let now = (self.now)();
        let next = state.slots.values().filter_map(|slot| slot.at).min()?;
        Some(Duration::from_millis(
            u64::try_from(next.millis_since(now)).unwrap_or(0),
        ))
    }

    /// The state holds at every line under the lock, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
