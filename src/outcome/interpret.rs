//! The table of design §5: code and body → outcome.

/// What the answer to one delete means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// No byte left: live again, back-off, not counted.
    NotSent {
        /// Why.
        reason: String,
    },
    /// Code and body both say success.
    Confirmed {
        /// The answer carried `deleteAll: true`: the batch is empty now.
        emptied_batch: bool,
    },
    /// The one id asked for does not exist.
    Gone,
    /// A clear no.
    Refused(Refusal),
    /// Come back later.
    Wait {
        /// Milliseconds to wait, at most 24 hours; `None` when the server did not say (usably).
        millis: Option<i64>,
    },
    /// 500 with the documented body: nobody knows what was done.
    ServerError,
    /// Anything else: nobody knows what was done.
    Unknown {
        /// A short, cleaned description: no ids, links or names.
        reason: String,
    },
}

/// The kinds of no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// 401, 403: the key, not the files.
    Auth {
        /// The status.
        status: u16,
    },
    /// 413 (414, 431): the list is too long.
    TooLarge,
    /// 400, 404, 422 with meaning: something in the list.
    List {
        /// A short, cleaned description.
        reason: String,
    },
}
