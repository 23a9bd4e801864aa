//! Start events in a world: recorded in time, late or early, corrected; and what the oracle counts from.

use retentiond::ledger::EventNoted;
use retentiond::model::{EventScope, NewEvent};

use crate::rules::{DAY, HOUR, SimFile, at};
use crate::shared::{Shared, State};
use crate::world::World;

/// The event that policies of a world count from.
pub const ENDED: &str = "ended";

impl State {
    /// When the event of `original` happened: of several records the latest counts.
    pub fn ended(&self, original: &SimFile) -> Option<i64> {
        let address = &original.address;
        let covers = |scope: &EventScope| match scope {
            EventScope::File(id) => *id == address.file,
            EventScope::Batch(id) => *id == address.batch.batch,
            EventScope::Label { value, .. } => original.tenant == Some(value.as_str()),
        };
        let records = self.events.iter().filter(|(scope, _)| covers(scope));
        records.map(|(_, happened)| *happened).max()
    }

    pub fn counts_from_event(&self, file: &SimFile) -> bool {
        let owner = self.rules.owner(self.original(file));
        owner.is_some_and(|policy| policy.is_by_event())
    }
}

/// Somebody records when it happened, or that it happened at another time.
pub async fn tell(shared: &Shared, scope: EventScope, happened: i64) {
    let event = NewEvent {
        name: ENDED.parse().unwrap(),
        scope: scope.clone(),
        at: at(happened),
        reason: Some("sim".to_owned()),
    };
    let noted = shared.real().add_event(&event, at(shared.wall())).await.unwrap();
    let mut state = shared.state();
    let before = state.events.insert(scope, happened);
    let as_it_was = match (noted, before) {
        (EventNoted::New { .. }, None) => true,
        (EventNoted::Known, Some(before)) => before == happened,
        (EventNoted::Corrected { before: said, .. }, Some(before)) => said == at(before),
        _ => false,
    };
    if !as_it_was {
        state.violate("EVENT", format_args!("{noted:?}, and it was {before:?}"));
    }
    let late = happened + DAY < state.truth;
    state.count(match before {
        None if late => "event recorded late",
        None => "event recorded",
        Some(before) if happened < before => "event corrected to earlier",
        Some(_) => "event corrected to later",
    });
}

impl World {
    /// An event is recorded or corrected, rather of a file that counts from it.
    pub async fn record_event(&mut self) {
        let Some((scope, happened)) = self.some_record() else {
            return;
        };
        self.begin(format_args!("{ENDED} of {scope} is put at {}", happened / 1000));
        tell(&self.shared, scope, happened).await;
    }

    pub fn some_record(&mut self) -> Option<(EventScope, i64)> {
        let state = self.state();
        let originals = || state.files.values().filter(|file| file.copy_of.is_none());
        let counting = originals().filter(|file| state.counts_from_event(file));
        let mut files: Vec<SimFile> = counting.cloned().collect();
        if files.is_empty() {
            files = originals().cloned().collect();
        }
        drop(state);
        let last = files.len().checked_sub(1)?;
        let file = files[self.rng.index(last + 1)].address.clone();
        let scope = match self.rng.below(10) {
            0..6 => EventScope::Batch(file.batch.batch),
            6..9 => EventScope::File(file.file),
            _ => EventScope::Label {
                key: "tenant".to_owned(),
                value: self.rng.pick(&["acme", "fin"]).to_owned(),
            },
        };
        let (before, truth) = {
            let state = self.state();
            (state.events.get(&scope).copied(), state.truth)
        };
        let happened = match before {
            Some(before) => before + self.rng.pick(&[-30, -5, 5, 30]) * HOUR,
            None => truth - self.rng.pick(&[0, 1, 26, 80, 240, -48]) * HOUR,
        };
        Some((scope, happened))
    }

    /// What a restored ledger does not know, or knows as it was before, is told again.
    pub async fn events_come_back(&self) {
        let known = self.real().events(false).await.unwrap();
        let kept = known
            .into_iter()
            .map(|event| (event.scope, event.at.as_millis()))
            .collect();
        let before = std::mem::replace(&mut self.state().events, kept);
        for (scope, happened) in before {
            tell(&self.shared, scope, happened).await;
        }
    }
}
