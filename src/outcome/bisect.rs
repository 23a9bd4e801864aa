//! How a refused list is cut in two until the bad ids stand alone.
//!
//! Pure: it says which list to send next and is told how it went. One bad id among 100 costs at
//! most 15 requests, the first refused one included.

use crate::model::FileId;

/// Most requests of one bisection, the first refused one included; the rest waits for the next sweep.
pub const MOST_REQUESTS: usize = 64;

/// A list still to be sent.
#[derive(Debug, Clone)]
struct Part {
    files: Vec<FileId>,
    /// The other half of the same list was accepted, so a bad id must be in here.
    holds_bad: bool,
    /// The other half lies right below on the stack, untouched.
    is_first_half: bool,
}

/// The search for the bad ids of a list that was refused as a whole.
///
/// Ask [`next_list`](Self::next_list), send it, then say [`accepted`](Self::accepted),
/// [`refused`](Self::refused) or [`inconclusive`](Self::inconclusive); until there is no next list.
#[derive(Debug, Clone)]
pub struct Bisection {
    /// Lists to send, the next one last.
    stack: Vec<Part>,
    current: Option<Part>,
    bad: Vec<FileId>,
    requests: usize,
    most: usize,
}

impl Bisection {
    /// Begins after `refused` was refused as a whole (request number 1).
    #[must_use]
    pub fn new(refused: Vec<FileId>) -> Self {
        Self::with_cap(refused, MOST_REQUESTS)
    }

    /// The same with another cap on requests, the first refused one included.
    #[must_use]
    pub fn with_cap(refused: Vec<FileId>, most_requests: usize) -> Self {
        let mut bisection = Self {
            stack: Vec::new(),
            current: None,
            bad: Vec::new(),
            requests: 1,
            most: most_requests,
        };
        bisection.cut(refused);
        bisection
    }

    /// The next list to send, or `None` when all is known or the cap is reached. A list that was
    /// handed out and never reported on counts as [`inconclusive`](Self::inconclusive).
    pub fn next_list(&mut self) -> Option<Vec<FileId>> {
        self.current = None;
        if self.requests >= self.most {
            return None;
        }
        let part = loop {
            let part = self.stack.pop()?;
            // Known to be refused as a whole: sending it would teach nothing. A single id is sent
            // all the same, so that its refusal is on record and not merely concluded.
            if part.holds_bad && part.files.len() > 1 {
                self.cut(part.files);
            } else {
                break part;
            }
        };
        self.requests += 1;
        let files = part.files.clone();
        self.current = Some(part);
        Some(files)
    }

    /// The current list was accepted (confirmed, or found gone).
    pub fn accepted(&mut self) {
        let was_first_half = self.current.take().is_some_and(|part| part.is_first_half);
        if was_first_half && let Some(second_half) = self.stack.last_mut() {
            second_half.holds_bad = true;
        }
    }

    /// The current list was refused.
    pub fn refused(&mut self) {
        if let Some(part) = self.current.take() {
            self.cut(part.files);
        }
    }

    /// Nobody knows what became of the current list: it is left alone, and nothing follows from it.
    pub fn inconclusive(&mut self) {
        self.current = None;
    }

    /// The ids that were refused on their own, in the order in which they were found.
    #[must_use]
    pub fn bad(&self) -> &[FileId] {
        &self.bad
    }

    /// Requests so far, the first refused one and the one under way included.
    #[must_use]
    pub const fn requests(&self) -> usize {
        self.requests
    }

    /// Takes out the files that no list was sent for: not empty only when the cap was reached or
    /// the caller stops early.
    pub fn exhausted(&mut self) -> Vec<FileId> {
        let unsent = std::mem::take(&mut self.stack);
        unsent.into_iter().rev().flat_map(|part| part.files).collect()
    }

    /// Puts the halves of a refused list on the stack, or names its only id as bad.
    fn cut(&mut self, mut files: Vec<FileId>) {
        if files.len() < 2 {
            self.bad.append(&mut files);
            return;
        }
        let second = files.split_off(files.len().div_ceil(2));
        for (files, is_first_half) in [(second, false), (files, true)] {
            self.stack.push(Part {
                files,
                holds_bad: false,
                is_first_half,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn ids(count: usize) -> Vec<FileId> {
        let id = |n| FileId::new(format!("file-{n:04}")).expect("a plain id");
        (0..count).map(id).collect()
    }

    /// Plays a server that refuses every list with a bad id in it.
    struct Run {
        requests: usize,
        bad: Vec<FileId>,
        accepted: Vec<FileId>,
        unsent: Vec<FileId>,
    }

    fn run(count: usize, bad: &BTreeSet<usize>, cap: usize) -> Run {
        let all = ids(count);
        let is_bad = |file: &FileId| bad.iter().any(|n| all[*n] == *file);
        let mut bisection = Bisection::with_cap(all.clone(), cap);
        let mut accepted = Vec::new();
        let mut sent_alone = Vec::new();
        while let Some(list) = bisection.next_list() {
            assert!(!list.is_empty(), "an empty list must never be handed out");
            if list.len() == 1 {
                sent_alone.extend(list.clone());
            }
            if list.iter().any(is_bad) {
                bisection.refused();
            } else {
                accepted.extend(list);
                bisection.accepted();
            }
        }
        for file in bisection.bad() {
            assert!(
                count == 1 || sent_alone.contains(file),
                "{file} was condemned unheard"
            );
        }
        Run {
            requests: bisection.requests(),
            bad: bisection.bad().to_vec(),
            accepted,
            unsent: bisection.exhausted(),
        }
    }

    fn assert_found(count: usize, bad: &BTreeSet<usize>, most: usize) {
        let run = run(count, bad, 1000);
        let found: BTreeSet<&FileId> = run.bad.iter().collect();
        let all = ids(count);
        assert_eq!(found, bad.iter().map(|n| &all[*n]).collect(), "{bad:?}");
        assert_eq!(run.accepted.len(), count - bad.len(), "{bad:?}");
        assert_eq!(run.unsent, []);
        assert!(run.requests <= most, "{bad:?} cost {} requests", run.requests);
    }

    #[test]
    fn one_bad_id_of_100_costs_at_most_15_requests_wherever_it_stands() {
        for place in 0..100 {
            assert_found(100, &BTreeSet::from([place]), 15);
        }
    }

    #[test]
    fn one_bad_id_of_500_costs_at_most_19_requests_wherever_it_stands() {
        for place in 0..500 {
            assert_found(500, &BTreeSet::from([place]), 19);
        }
    }

    #[test]
    fn two_bad_ids_of_100_cost_at_most_27_requests_wherever_they_stand() {
        for first in 0..100 {
            for second in first + 1..100 {
                assert_found(100, &BTreeSet::from([first, second]), 27);
            }
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(2000))]
        #[test]
        fn five_bad_ids_of_100_cost_at_most_55_requests(bad in proptest::collection::btree_set(0_usize..100, 5)) {
            assert_found(100, &bad, 55);
        }

        #[test]
        fn any_bad_ids_are_found_exactly(bad in proptest::collection::btree_set(0_usize..40, 1..40)) {
            assert_found(40, &bad, 80);
        }
    }

    #[test]
    fn a_list_of_bad_ids_only_stops_at_the_cap_and_gives_the_rest_back() {
        let all: BTreeSet<usize> = (0..100).collect();
        let run = run(100, &all, MOST_REQUESTS);
        assert_eq!(run.requests, 64);
        assert_eq!(run.accepted, []);
        assert_eq!(run.bad.len() + run.unsent.len(), 100);
        let seen: BTreeSet<FileId> = run.bad.into_iter().chain(run.unsent).collect();
        assert_eq!(seen.len(), 100, "a file is either bad or unsent, never both");
    }

    #[test]
    fn a_single_refused_id_is_bad_without_another_request() {
        let run = run(1, &BTreeSet::from([0]), MOST_REQUESTS);
        assert_eq!((run.requests, run.bad), (1, ids(1)));
        assert_eq!(Bisection::new(Vec::new()).next_list(), None);
    }

    #[test]
    fn a_half_known_to_be_bad_is_not_sent_whole() {
        // Six first halves accepted, then the bad id alone, and the first refused list.
        assert_found(64, &BTreeSet::from([63]), 8);
        let mut bisection = Bisection::new(ids(8));
        bisection.next_list();
        bisection.accepted();
        assert_eq!(bisection.next_list(), Some(ids(8)[4..6].to_vec()));
    }

    #[test]
    fn an_unclear_half_proves_nothing_about_the_other() {
        let mut bisection = Bisection::new(ids(4));
        assert_eq!(bisection.next_list().map(|list| list.len()), Some(2));
        bisection.inconclusive();
        assert_eq!(
            bisection.next_list(),
            Some(ids(4).split_off(2)),
            "sent whole, not cut"
        );
        bisection.accepted();
        assert_eq!(bisection.next_list(), None);
        assert_eq!(bisection.bad(), []);
    }

    #[test]
    fn a_list_without_a_report_is_left_alone() {
        let mut bisection = Bisection::new(ids(2));
        assert_eq!(bisection.next_list(), Some(ids(1)));
        assert_eq!(bisection.next_list(), Some(ids(2).split_off(1)));
        bisection.refused();
        assert_eq!(bisection.bad(), &ids(2)[1..]);
        assert_eq!((bisection.next_list(), bisection.exhausted()), (None, Vec::new()));
    }
}
