//! The table of design §5: code and body → outcome.
//!
//! Neither the code nor the body is believed alone: the vendor's own page shows "Files deleted"
//! where a 4xx stands. Whatever this table does not prove is [`Outcome::Unknown`].

use super::envelope::{Envelope, Status};
use super::reason::{cleaned, shortened};
use super::reply::{Answer, Reply};
use super::wait::wait_asked_for;

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
    /// 413 (414, 431), or a body longer than one request may be: the list is too long.
    TooLarge,
    /// 404 that is not the API's own: the address is wrong, nothing there knows of files. Stops
    /// the sweep (breaker `api`).
    WrongAddress {
        /// A short, cleaned description.
        reason: String,
    },
    /// 400, 404, 422 with meaning: something in the list.
    List {
        /// A short, cleaned description.
        reason: String,
    },
}

impl Outcome {
    /// Every word that [`label`](Self::label) gives.
    pub const LABELS: [&'static str; 9] = [
        "not-sent",
        "confirmed",
        "gone",
        "auth",
        "too-large",
        "refused",
        "wait",
        "server-error",
        "unknown",
    ];

    /// The word that stands for the outcome in the ledger, in print and in metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::NotSent { .. } => "not-sent",
            Self::Confirmed { .. } => "confirmed",
            Self::Gone => "gone",
            Self::Refused(Refusal::Auth { .. }) => "auth",
            Self::Refused(Refusal::TooLarge) => "too-large",
            Self::Refused(Refusal::WrongAddress { .. } | Refusal::List { .. }) => "refused",
            Self::Wait { .. } => "wait",
            Self::ServerError => "server-error",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// The description that comes with it, already cleaned.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::NotSent { reason }
            | Self::Unknown { reason }
            | Self::Refused(Refusal::WrongAddress { reason } | Refusal::List { reason }) => Some(reason),
            Self::Confirmed { .. }
            | Self::Gone
            | Self::Refused(Refusal::Auth { .. } | Refusal::TooLarge)
            | Self::Wait { .. }
            | Self::ServerError => None,
        }
    }
}

/// What the reply to `deleteFiles` for `files` files means.
#[must_use]
pub fn interpret_delete(reply: &Reply, files: usize) -> Outcome {
    interpret(reply, files, "success")
}

/// What the reply to `deleteExtraction` at file scope means.
///
/// Its success is `{"status":"deleted","deletedAt":…}`. Exactly that status counts: `success` was
/// never seen on this call, so it is unknown and settled by a look at the batch. `deletedAt` is
/// not asked for: it adds nothing that the status does not say.
#[must_use]
pub fn interpret_extraction_delete(reply: &Reply) -> Outcome {
    interpret(reply, 1, "deleted")
}

fn interpret(reply: &Reply, files: usize, success: &str) -> Outcome {
    match reply {
        Reply::NotSent { reason } => Outcome::NotSent {
            reason: shortened(reason),
        },
        Reply::TooLong { .. } => Outcome::Refused(Refusal::TooLarge),
        Reply::Lost { reason } => Outcome::Unknown {
            reason: shortened(reason),
        },
        Reply::Answered(answer) => {
            let envelope = Envelope::read(answer.content_type.as_deref(), &answer.body);
            // A cut body proves nothing, even if what is left of it happens to parse.
            let envelope = envelope.filter(|_| !answer.cut);
            by_code(answer, envelope.as_ref(), files, success)
        }
    }
}

fn by_code(answer: &Answer, envelope: Option<&Envelope<'_>>, files: usize, success: &str) -> Outcome {
    let no_but_yes = envelope.is_some_and(Envelope::claims_success);
    match answer.status {
        200 => confirmation(answer, envelope, success),
        400..=499 if no_but_yes => unknown(answer, envelope, "a refusal that says success"),
        401 | 403 => Outcome::Refused(Refusal::Auth {
            status: answer.status,
        }),
        413 | 414 | 431 => Outcome::Refused(Refusal::TooLarge),
        429 => Outcome::Wait {
            millis: wait_asked_for(&answer.retry_after, answer.date),
        },
        400 | 404 | 422 => refusal(answer, envelope, files),
        500 if envelope.is_some_and(|e| e.status() == Status::Text("error")) => Outcome::ServerError,
        300..=399 => redirect(answer),
        _ => unknown(answer, envelope, ""),
    }
}

fn confirmation(answer: &Answer, envelope: Option<&Envelope<'_>>, success: &str) -> Outcome {
    match envelope {
        Some(envelope) if envelope.status() == Status::Text(success) => Outcome::Confirmed {
            emptied_batch: envelope.deletes_all(),
        },
        Some(_) => unknown(answer, envelope, "without the status that confirms"),
        None => unknown(answer, envelope, ""),
    }
}

fn refusal(answer: &Answer, envelope: Option<&Envelope<'_>>, files: usize) -> Outcome {
    let things = [
        "file",
        "files",
        "fileid",
        "fileids",
        "document",
        "documents",
        "batch",
        "classification",
        "extraction",
    ];
    match envelope {
        // For a list, nobody knows which of its files it is that does not exist.
        Some(body) if files == 1 && answer.status != 422 && body.says_missing(&things) => Outcome::Gone,
        Some(_) => Outcome::Refused(Refusal::List {
            reason: described(answer, envelope, ""),
        }),
        None if answer.status == 404 => Outcome::Refused(Refusal::WrongAddress {
            reason: described(answer, envelope, "not from the API: is base_url right?"),
        }),
        // No JSON: something in front of the API said no, and says nothing about the files.
        None => unknown(answer, envelope, ""),
    }
}

fn redirect(answer: &Answer) -> Outcome {
    let host = answer.redirect_host.as_deref().map(host_name);
    let towards = host.unwrap_or_else(|| "nowhere".to_owned());
    Outcome::Unknown {
        reason: shortened(&format!("HTTP {}, not followed, to {towards}", answer.status)),
    }
}

/// A host with only the characters that a host may have.
fn host_name(host: &str) -> String {
    host.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'))
        .take(100)
        .collect()
}

fn unknown(answer: &Answer, envelope: Option<&Envelope<'_>>, note: &str) -> Outcome {
    Outcome::Unknown {
        reason: described(answer, envelope, note),
    }
}

/// Code, kind of body, note, and the API's message, cleaned.
fn described(answer: &Answer, envelope: Option<&Envelope<'_>>, note: &str) -> String {
    let mut text = format!("HTTP {}", answer.status);
    if answer.cut {
        text.push_str(", a body beyond the limit");
    } else if envelope.is_none() {
        text.push_str(if answer.body.is_empty() {
            ", no body"
        } else {
            ", no valid JSON object"
        });
    }
    if envelope.is_none() {
        let declared = answer.content_type.as_deref().and_then(media_type);
        if let Some(declared) = declared {
            text.push_str(&format!(" ({declared})"));
        }
    }
    if !note.is_empty() {
        text.push_str(", ");
        text.push_str(note);
    }
    if let Some(message) = envelope.and_then(Envelope::message) {
        text.push_str(": ");
        text.push_str(&cleaned(message));
    }
    shortened(&text)
}

/// A declared media type without parameters, if it has a media type's shape.
fn media_type(declared: &str) -> Option<&str> {
    let media = declared.split(';').next()?.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '+' | '.');
    (!media.is_empty() && media.len() <= 50 && media.chars().all(plain)).then_some(media)
}

#[cfg(test)]
mod tests;
