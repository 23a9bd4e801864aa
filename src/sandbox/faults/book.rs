//! The planted faults, and the decision which of them a call meets.

use serde::Serialize;

use super::{Fault, Hits, InvalidFault, Reset, Target};
use crate::sandbox::route::Endpoint;

/// A fault in place, with its counters.
#[derive(Debug, Clone, Serialize)]
pub struct PlantedFault {
    /// Its number.
    pub id: u64,
    /// Matching calls so far.
    pub seen: u64,
    /// Calls hit so far.
    pub fired: u64,
    /// What was planted.
    pub fault: Fault,
}

impl PlantedFault {
    fn matches(&self, endpoint: Endpoint, file_ids: &[String]) -> bool {
        let here = match self.fault.endpoint {
            Target::Any => true,
            Target::At(target) => target == endpoint,
        };
        here && self
            .fault
            .file_id
            .as_ref()
            .is_none_or(|poison| file_ids.contains(poison))
    }

    /// Whether the call just counted is one to hit.
    fn is_due(&self) -> bool {
        let Some(count) = self.seen.checked_sub(self.fault.after).filter(|count| *count > 0) else {
            return false;
        };
        match self.fault.hits {
            Hits::Once => self.fired < 1,
            Hits::Times(n) => self.fired < n,
            Hits::Every(n) => count % n == 0,
            Hits::Always => true,
        }
    }
}

/// At which point of a request faults are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Moment {
    /// Head known, body unread: only [`Reset::BeforeRead`] can fall here.
    HeadRead,
    /// All of the request known: everything else.
    BodyRead,
}

/// All planted faults, in order.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct FaultBook {
    planted: Vec<PlantedFault>,
    last_id: u64,
}

impl FaultBook {
    pub(in crate::sandbox) fn plant(&mut self, fault: Fault) -> Result<u64, InvalidFault> {
        fault.validate()?;
        self.last_id += 1;
        self.planted.push(PlantedFault {
            id: self.last_id,
            seen: 0,
            fired: 0,
            fault,
        });
        Ok(self.last_id)
    }

    pub(in crate::sandbox) fn planted(&self) -> &[PlantedFault] {
        &self.planted
    }

    pub(in crate::sandbox) fn clear(&mut self) {
        self.planted.clear();
    }

    /// Removes one; false when it is not there.
    pub(in crate::sandbox) fn remove(&mut self, id: u64) -> bool {
        let before = self.planted.len();
        self.planted.retain(|planted| planted.id != id);
        self.planted.len() < before
    }

    /// Counts the call with every fault that matches it; the first one that is due wins it.
    pub(in crate::sandbox) fn meet(
        &mut self,
        moment: Moment,
        endpoint: Endpoint,
        file_ids: &[String],
    ) -> Option<(u64, Fault)> {
        let mut winner = None;
        for planted in &mut self.planted {
            let early = planted.fault.reset == Some(Reset::BeforeRead);
            if early != (moment == Moment::HeadRead) || !planted.matches(endpoint, file_ids) {
                continue;
            }
            planted.seen += 1;
            if winner.is_none() && planted.is_due() {
                planted.fired += 1;
                winner = Some((planted.id, planted.fault.clone()));
            }
        }
        winner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(fault: Fault, calls: u64) -> Vec<u64> {
        let mut book = FaultBook::default();
        book.plant(fault).unwrap();
        let mut meet = || {
            book.meet(Moment::BodyRead, Endpoint::DeleteFiles, &["a".to_owned()])
                .is_some()
        };
        (1..=calls).filter(|_| meet()).collect()
    }

    #[test]
    fn each_way_of_counting_hits_its_calls() {
        let status = || Fault::at(Endpoint::DeleteFiles).status(500);
        assert_eq!(hits(status(), 6), [1]);
        assert_eq!(hits(status().times(2), 6), [1, 2]);
        assert_eq!(hits(status().every(3), 6), [3, 6]);
        assert_eq!(hits(status().always(), 3), [1, 2, 3]);
        assert_eq!(hits(status().after(2), 6), [3]);
        assert_eq!(hits(status().after(1).every(2), 6), [3, 5]);
    }

    #[test]
    fn a_poison_id_hits_only_lists_that_hold_it() {
        assert_eq!(hits(Fault::anywhere().always().poison("a"), 2), [1, 2]);
        assert!(hits(Fault::anywhere().always().poison("b"), 2).is_empty());
    }

    #[test]
    fn an_early_reset_falls_only_before_the_body() {
        let mut book = FaultBook::default();
        book.plant(Fault::anywhere().reset(Reset::BeforeRead)).unwrap();
        assert!(book.meet(Moment::BodyRead, Endpoint::Credits, &[]).is_none());
        assert!(book.meet(Moment::HeadRead, Endpoint::Credits, &[]).is_some());
    }

    #[test]
    fn of_two_due_faults_the_first_is_played_and_the_second_waits() {
        let mut book = FaultBook::default();
        let first = book.plant(Fault::anywhere().status(500)).unwrap();
        let second = book.plant(Fault::anywhere().status(503)).unwrap();
        let mut met = || {
            book.meet(Moment::BodyRead, Endpoint::Credits, &[])
                .map(|(id, _)| id)
        };
        assert_eq!([met(), met(), met()], [Some(first), Some(second), None]);
    }
}
