//! The one state-transition function.

use crate::model::FileState;

/// What happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileEvent {
    /// An intent is committed.
    Claimed,
    /// No byte of the request left, or the server said no without touching it: live again.
    Released,
    /// The deletion is confirmed.
    Confirmed,
    /// The API says that it does not exist.
    FoundGone,
    /// The outcome is not known.
    Lost,
    /// Refused again and again: to an operator.
    GivenUp,
    /// A look at the batch still finds it there.
    StillThere,
    /// An operator sends it round again.
    Retried,
    /// An operator settles it as gone.
    Resolved,
    /// Somebody else deleted it, and the API confirmed it to them. Of a file whose own delete is under
    /// way that delete's answer tells.
    GoneByOthers,
}

/// A transition that the table does not hold: a defect of the caller, nothing is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a file that is {} cannot be {event:?}", from.name())]
pub struct IllegalTransition {
    /// The state it is in.
    pub from: FileState,
    /// What should have happened.
    pub event: FileEvent,
}

/// The state after `event`; every pair that is not listed is an error.
///
/// # Errors
/// [`IllegalTransition`] for a pair outside the table.
pub const fn next_state(from: FileState, event: FileEvent) -> Result<FileState, IllegalTransition> {
    use FileEvent as E;
    use FileState as S;
    match (from, event) {
        (S::Live | S::Unknown, E::Claimed) => Ok(S::Deleting),
        (S::Deleting, E::Released) => Ok(S::Live),
        (S::Deleting, E::Confirmed) => Ok(S::Deleted),
        (S::Live | S::Deleting | S::Unknown, E::FoundGone) => Ok(S::Gone),
        (S::Deleting, E::Lost) => Ok(S::Unknown),
        (S::Live | S::Deleting | S::Unknown, E::GivenUp) => Ok(S::Quarantined),
        (S::Unknown, E::StillThere) => Ok(S::Live),
        // A confirmation that a second look contradicts is worth nothing: probe and try again.
        (S::Deleted | S::Gone, E::StillThere) => Ok(S::Unknown),
        (S::Quarantined, E::Retried) => Ok(S::Live),
        (S::Quarantined, E::Resolved) => Ok(S::Gone),
        (S::Live | S::Unknown | S::Quarantined, E::GoneByOthers) => Ok(S::Gone),
        (
            S::Live | S::Deleting | S::Deleted | S::Gone | S::Unknown | S::Quarantined,
            E::Claimed
            | E::Released
            | E::Confirmed
            | E::FoundGone
            | E::Lost
            | E::GivenUp
            | E::StillThere
            | E::Retried
            | E::Resolved
            | E::GoneByOthers,
        ) => Err(IllegalTransition { from, event }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [FileEvent; 10] = [
        FileEvent::Claimed,
        FileEvent::Released,
        FileEvent::Confirmed,
        FileEvent::FoundGone,
        FileEvent::Lost,
        FileEvent::GivenUp,
        FileEvent::StillThere,
        FileEvent::Retried,
        FileEvent::Resolved,
        FileEvent::GoneByOthers,
    ];

    /// Column of an event: written as a match so that a new event does not compile without one.
    const fn column(event: FileEvent) -> usize {
        match event {
            FileEvent::Claimed => 0,
            FileEvent::Released => 1,
            FileEvent::Confirmed => 2,
            FileEvent::FoundGone => 3,
            FileEvent::Lost => 4,
            FileEvent::GivenUp => 5,
            FileEvent::StillThere => 6,
            FileEvent::Retried => 7,
            FileEvent::Resolved => 8,
            FileEvent::GoneByOthers => 9,
        }
    }

    /// Each state's row: what each event of [`EVENTS`] leads to, `None` for an illegal pair.
    const fn row(from: FileState) -> [Option<FileState>; 10] {
        use FileState::{Deleted, Deleting, Gone, Live, Quarantined, Unknown};
        const NO: Option<FileState> = None;
        match from {
            Live => [
                Some(Deleting),
                NO,
                NO,
                Some(Gone),
                NO,
                Some(Quarantined),
                NO,
                NO,
                NO,
                Some(Gone),
            ],
            Deleting => [
                NO,
                Some(Live),
                Some(Deleted),
                Some(Gone),
                Some(Unknown),
                Some(Quarantined),
                NO,
                NO,
                NO,
                NO,
            ],
            Deleted => [NO, NO, NO, NO, NO, NO, Some(Unknown), NO, NO, NO],
            Gone => [NO, NO, NO, NO, NO, NO, Some(Unknown), NO, NO, NO],
            Unknown => [
                Some(Deleting),
                NO,
                NO,
                Some(Gone),
                NO,
                Some(Quarantined),
                Some(Live),
                NO,
                NO,
                Some(Gone),
            ],
            Quarantined => [NO, NO, NO, NO, NO, NO, NO, Some(Live), Some(Gone), Some(Gone)],
        }
    }

    #[test]
    fn every_pair_of_state_and_event_leads_where_the_table_says() {
        let mut pairs = 0;
        for from in FileState::ALL {
            for (place, event) in EVENTS.into_iter().enumerate() {
                assert_eq!(column(event), place, "EVENTS is out of order");
                let expected = row(from)[place].ok_or(IllegalTransition { from, event });
                assert_eq!(next_state(from, event), expected, "{from:?} {event:?}");
                pairs += 1;
            }
        }
        assert_eq!(pairs, 60);
    }

    #[test]
    fn deleted_is_reached_only_from_a_confirmed_delete_under_way() {
        for from in FileState::ALL {
            for event in EVENTS {
                let reaches = next_state(from, event) == Ok(FileState::Deleted);
                let confirmed = (from, event) == (FileState::Deleting, FileEvent::Confirmed);
                assert_eq!(reaches, confirmed, "{from:?} {event:?}");
            }
        }
    }

    #[test]
    fn an_illegal_transition_says_what_could_not_happen() {
        let error =
            next_state(FileState::Deleted, FileEvent::Claimed).expect_err("a deleted file stays deleted");
        assert_eq!(error.to_string(), "a file that is deleted cannot be Claimed");
    }
}
