//! Erasure requests in a world: how they come in, are withdrawn and end, and the oracle's word on them.

use std::collections::BTreeMap;

use retentiond::model::{
    Closing, ErasureId, ErasureScope, FileId, FileState, HoldScope, NewErasure, Timestamp,
};

use crate::rules::{SimFile, at};
use crate::shared::{Shared, SimErasure, State, TOLERANCE};
use crate::world::World;

/// The name under which erasure requests are swept.
pub const ERASURE: &str = "erasure";

/// Keyed hashes of data subjects, as far as the ledger cares.
pub const SUBJECTS: [&str; 2] = ["aa", "bb"];

impl State {
    /// Whether an open request that was entered in time covers `file`; with `surely`, also apart from what
    /// the tolerance of clocks leaves open.
    pub fn requested(&self, file: &SimFile, surely: bool) -> bool {
        let slack = if surely { -TOLERANCE } else { TOLERANCE };
        let mut open = self.erasures.values();
        open.any(|request| request.placed_at <= self.truth + slack && self.in_scope(&request.scope, file))
    }

    fn in_scope(&self, scope: &ErasureScope, file: &SimFile) -> bool {
        let original = self.original(file);
        match scope {
            ErasureScope::Subject(subject) => original.subject == Some(subject.as_str()),
            ErasureScope::File(id) => *id == file.address.file || *id == original.address.file,
            ErasureScope::Batch(id) => *id == file.address.batch.batch || *id == original.address.batch.batch,
        }
    }

    /// The oracle's word on sending `file` now for an erasure request: G1, G2, G4.
    pub fn objection_to_erasure(&self, file: &SimFile) -> Option<String> {
        if !self.requested(file, false) {
            return Some("G1: no erasure request covers it".to_owned());
        }
        match self.rules.bound_until(self.original(file)) {
            Err(()) => return Some("G2: how long a binding floor keeps it cannot be told".to_owned()),
            Ok(Some(until)) if self.truth + TOLERANCE < until => {
                let early = (until - self.truth) / 1000;
                return Some(format!("G2: {early} s before its binding floor ends"));
            }
            Ok(_) => {}
        }
        self.held(file, true).then(|| "G4: it is on hold".to_owned())
    }

    /// Whether `file`, claimed for a request, would have had to stay without one.
    pub fn goes_by_request_alone(&self, file: &FileId) -> bool {
        let early = |file| self.due(file).is_none_or(|due| self.truth < due);
        self.sweeping.as_deref() == Some(ERASURE) && self.files.get(file).is_some_and(early)
    }

    /// Whether a request is stopped by a binding floor.
    pub fn a_floor_binds(&self) -> bool {
        let binds = |file: &SimFile| {
            let until = self.rules.bound_until(self.original(file));
            matches!(until, Ok(Some(until)) if self.truth + TOLERANCE < until)
        };
        let mut files = self.files.values();
        files.any(|file| {
            let there = self.store.holds(&file.address.batch, &file.address.file);
            there && self.requested(file, true) && binds(file)
        })
    }

    /// Whether a request orders `file` and nothing stops it.
    pub fn must_be_erased(&self, file: &SimFile) -> bool {
        let bound = match self.rules.bound_until(self.original(file)) {
            Ok(until) => until.is_some_and(|until| self.truth < until + TOLERANCE),
            Err(()) => true,
        };
        self.requested(file, true) && !bound && !self.held(file, false)
    }

    /// Files in the scope of a request that the ledger knows, with the state that it says.
    fn known_in<'s>(
        &'s self,
        scope: &'s ErasureScope,
        states: &'s BTreeMap<FileId, FileState>,
    ) -> impl Iterator<Item = (&'s SimFile, FileState)> {
        self.files
            .values()
            .filter(|file| self.in_scope(scope, file))
            .filter_map(|file| Some((file, *states.get(&file.address.file)?)))
    }
}

/// A request comes in: between two sweeps, or while one runs.
pub async fn request(shared: &Shared, scope: ErasureScope) {
    let now = at(shared.wall());
    let serial = shared.state().count("erasure requested");
    let new = NewErasure {
        scope: scope.clone(),
        reference: format!("sim {serial}"),
        received: "2026-05-04".parse().unwrap(),
    };
    enter(shared, &new, now).await;
}

async fn enter(shared: &Shared, new: &NewErasure, now: Timestamp) {
    let entered = shared.real().add_erasure(new, now).await.unwrap();
    let request = SimErasure {
        scope: new.scope.clone(),
        reference: new.reference.clone(),
        placed_at: now.as_millis(),
    };
    let mut state = shared.state();
    if entered.known {
        state.violate(
            "ERASURE",
            "a request of a reference of its own is taken for another",
        );
    }
    state.erasures.insert(entered.erasure.0, request);
}

/// An operator closes the newest open request, if there is one.
pub async fn withdraw(shared: &Shared) {
    let Some(id) = shared.state().erasures.keys().next_back().copied() else {
        return;
    };
    let real = shared.real();
    let closed = real.close_erasure(ErasureId(id), "sim", at(shared.wall())).await;
    let by_itself = closed.is_err() && closed_by_itself(shared, id).await;
    let mut state = shared.state();
    match closed {
        Ok(()) => {
            state.erasures.remove(&id);
            state.count("erasure withdrawn");
        }
        // It is judged when the sweep that closed it is over.
        Err(_) if by_itself => {}
        Err(error) => state.violate(
            "ERASURE",
            format_args!("request {id} cannot be withdrawn: {error}"),
        ),
    }
}

async fn closed_by_itself(shared: &Shared, id: i64) -> bool {
    let all = shared.real().erasures(false).await.unwrap();
    all.iter()
        .any(|request| request.id.0 == id && request.closing == Some(Closing::Verified))
}

impl World {
    /// A request comes in, or one is withdrawn.
    pub async fn request_or_withdraw(&mut self) {
        let open = !self.state().erasures.is_empty();
        if open && self.rng.chance(25) {
            self.begin("an erasure request is withdrawn");
            withdraw(&self.shared).await;
            return;
        }
        let scope = self.some_request();
        self.begin(format_args!("an erasure request for {scope:?}"));
        request(&self.shared, scope).await;
    }

    pub fn some_request(&mut self) -> ErasureScope {
        match self.some_scope() {
            HoldScope::File(id) => ErasureScope::File(id),
            HoldScope::Batch(id) => ErasureScope::Batch(id),
            HoldScope::Label { .. } | HoldScope::Policy(_) => {
                ErasureScope::Subject(self.rng.pick(&SUBJECTS).to_owned())
            }
        }
    }

    /// A batch that an open request covers, so that files may come into it later.
    pub fn some_requested_batch(&mut self) -> Option<SimFile> {
        let state = self.state();
        let covered = |file: &&SimFile| {
            let id = &file.address.batch.batch;
            let mut open = state.erasures.values();
            file.copy_of.is_none()
                && open.any(|r| matches!(&r.scope, ErasureScope::Batch(batch) if batch == id))
        };
        let files: Vec<SimFile> = state.files.values().filter(covered).cloned().collect();
        drop(state);
        let last = files.len().checked_sub(1)?;
        Some(files[self.rng.index(last + 1)].clone())
    }

    /// A request closes by itself only once all its files are gone, and never with one that is still there.
    pub async fn judge_closed_requests(&self) {
        let states = self.states().await;
        let all = self.real().erasures(false).await.unwrap();
        let mut state = self.state();
        for closed in all.iter().filter(|r| r.closing == Some(Closing::Verified)) {
            let id = closed.id.0;
            let Some(request) = state.erasures.remove(&id) else {
                continue;
            };
            state.count("erasure closed by itself");
            let mut known = 0;
            let mut left = Vec::new();
            for (file, is) in state.known_in(&request.scope, &states) {
                let (file, batch) = (&file.address.file, &file.address.batch);
                known += 1;
                let gone = matches!(is, FileState::Deleted | FileState::Gone);
                if !gone || state.store.holds(batch, file) {
                    left.push(format!("{file} is {is:?}"));
                }
            }
            for file in left {
                state.violate(
                    "G5",
                    format_args!("erasure request {id} closes itself, and {file}"),
                );
            }
            if known == 0 {
                state.violate(
                    "G5",
                    format_args!("erasure request {id} closes itself over nothing"),
                );
            }
        }
    }

    /// Open requests of which nothing is left: with looks, each closes by itself.
    pub async fn requests_left_open(&self) -> Vec<i64> {
        if !self.settings.verify {
            return Vec::new();
        }
        let states = self.states().await;
        let state = self.state();
        let is_over = |request: &SimErasure| {
            let mut known = state.known_in(&request.scope, &states).peekable();
            known.peek().is_some() && known.all(|(_, is)| matches!(is, FileState::Deleted | FileState::Gone))
        };
        let open = state.erasures.iter().filter(|(_, request)| is_over(request));
        open.map(|(id, _)| *id).collect()
    }

    /// The ledger is as it was: what was open in the copy is open again, and what came later is entered again.
    pub async fn requests_come_back(&self) {
        let known = self.real().erasures(false).await.unwrap();
        let open = known.iter().filter(|request| request.closed_at.is_none());
        let kept: BTreeMap<i64, SimErasure> = open
            .map(|request| {
                let kept = SimErasure {
                    scope: request.scope.clone(),
                    reference: request.reference.clone(),
                    placed_at: request.placed_at.as_millis(),
                };
                (request.id.0, kept)
            })
            .collect();
        let before = std::mem::replace(&mut self.state().erasures, kept);
        let lost = before
            .into_values()
            .filter(|request| known.iter().all(|k| k.reference != request.reference));
        let now = at(self.shared.wall());
        for request in lost {
            let new = NewErasure {
                scope: request.scope,
                reference: request.reference,
                received: "2026-05-04".parse().unwrap(),
            };
            enter(&self.shared, &new, now).await;
        }
    }
}
