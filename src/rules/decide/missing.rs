//! A start that does not come: since when the file would be overdue, had its period started with the upload.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::dates::{Timing, timing};
use super::start::find;
use super::tell::Silent;
use super::{Doubt, hint, owner_of};
use crate::model::{EventName, EventScope, FileRecord, NewEvent, Timestamp};
use crate::rules::policy::{RuleSet, StartClock, StartEvent};

/// For a file that is kept because a start is missing, and only for such a one: the deadline that it would
/// have if every missing start had come with its upload. Past it, somebody has to look.
#[must_use]
pub fn overdue_without_start(file: &FileRecord, rules: &RuleSet) -> Option<Timestamp> {
    let owner = owner_of(file, rules);
    match timing(file, rules, owner, None, &mut Silent).timing {
        Timing::Doubtful(Doubt::NoStart) => {}
        Timing::Doubtful(_) | Timing::Until(_) | Timing::Forever(_) | Timing::Unowned => return None,
    }
    let floors = rules.floors.iter().filter(|floor| floor.matcher.matches(file));
    let clocks = owner.map(|policy| &policy.clock).into_iter();
    let clocks = clocks.chain(floors.map(|floor| &floor.clock));
    let missing = clocks.filter(|clock| find(file, clock, rules).is_none());
    hint(&started(file, missing), rules).deadline_at
}

/// Whether `clock` can be missing a start at all.
#[must_use]
pub fn can_be_missing(clock: &StartClock) -> bool {
    let known = |start: &StartEvent| *start == StartEvent::Uploaded;
    let fallback = clock.fallback.as_ref().map(|fallback| &fallback.start);
    !known(&clock.start) && !fallback.is_some_and(known)
}

/// The file, had what starts these clocks come with its upload.
fn started<'r>(file: &FileRecord, clocks: impl Iterator<Item = &'r StartClock>) -> FileRecord {
    let mut started = file.clone();
    let mut names: BTreeSet<&EventName> = BTreeSet::new();
    for clock in clocks {
        match &clock.start {
            StartEvent::Uploaded => {}
            StartEvent::Processed => started.processed_at = Some(file.uploaded_at),
            StartEvent::Event(name) => {
                names.insert(name);
            }
        }
    }
    let mut occurred = (*file.occurred).clone();
    for name in names {
        occurred = occurred.with(&NewEvent {
            name: name.clone(),
            scope: EventScope::File(file.key.file.clone()),
            at: file.uploaded_at,
            reason: None,
        });
    }
    started.occurred = Arc::new(occurred);
    started
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::fixtures::*;
    use crate::rules::matching::Matcher;
    use crate::rules::policy::Fallback;

    fn waiting(start: StartEvent) -> RuleSet {
        let mut policy = policy("p", Matcher::Everything, "30 days");
        policy.clock.start = start;
        policy.delete_by = Some(period("40 days"));
        rules(vec![policy], vec![])
    }

    fn ended() -> StartEvent {
        StartEvent::Event("ended".parse().unwrap())
    }

    #[test]
    fn a_missing_start_is_overdue_from_when_the_upload_would_have_made_it_so() {
        let file = file(Classified::default()); // 2026-01-15
        for start in [ended(), StartEvent::Processed] {
            let rules = waiting(start);
            assert_eq!(
                overdue_without_start(&file, &rules),
                Some(at("2026-02-24T23:00:00Z"))
            );
        }
        assert_eq!(overdue_without_start(&file, &waiting(StartEvent::Uploaded)), None);
    }

    #[test]
    fn a_known_start_a_fallback_and_another_doubt_are_no_missing_start() {
        let mut file = file(Classified::default());
        let mut rules = waiting(ended());
        rules.policies[0].clock.fallback = Some(Fallback {
            start: StartEvent::Uploaded,
            add: period("2 years"),
        });
        assert_eq!(overdue_without_start(&file, &rules), None);
        assert!(!can_be_missing(&rules.policies[0].clock));
        rules.policies[0].clock.fallback = None;
        assert!(can_be_missing(&rules.policies[0].clock));
        file.occurred = Arc::new(file.occurred.with(&NewEvent {
            name: "ended".parse().unwrap(),
            scope: EventScope::File(file.key.file.clone()),
            at: at("2026-03-01T00:00:00Z"),
            reason: None,
        }));
        assert_eq!(overdue_without_start(&file, &rules), None);
        assert_eq!(
            overdue_without_start(&file, &crate::rules::fixtures::rules(vec![], vec![])),
            None
        );
    }

    #[test]
    fn a_floor_that_misses_its_start_counts_as_well() {
        let file = file(Classified::default());
        let mut floor = floor("k", Matcher::Everything, "90 days");
        floor.clock.start = ended();
        let rules = rules(vec![policy("p", Matcher::Everything, "30 days")], vec![floor]);
        // 90 days from 15 January, and the default grace of a day.
        assert_eq!(
            overdue_without_start(&file, &rules),
            Some(at("2026-04-16T22:00:00Z"))
        );
    }
}
