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
            | E::Resolved,
        ) => Err(IllegalTransition { from, event }),
    }
}
