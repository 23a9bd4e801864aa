//! What came back for one request, before anyone says what it means.

use std::fmt;

use crate::model::Timestamp;

/// The fate of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// No byte of the request left: DNS, connect or TLS failed, or the body was refused before sending.
    NotSent {
        /// Why, in words: no ids, no key.
        reason: String,
    },
    /// No byte of the request left, because its body is longer than one request may be: a shorter
    /// list is the remedy, as with 413.
    TooLong {
        /// Length of the body that was not sent, in bytes.
        bytes: usize,
    },
    /// The request may have arrived; no whole answer came (time-out, reset, cut body).
    Lost {
        /// Why, in words.
        reason: String,
    },
    /// An answer came, whole or cut at the size limit.
    Answered(Answer),
}

impl Reply {
    /// The HTTP status, if an answer came.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Answered(answer) => Some(answer.status),
            Self::NotSent { .. } | Self::TooLong { .. } | Self::Lost { .. } => None,
        }
    }
}

/// An HTTP answer as data.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// `Content-Type`, as sent.
    pub content_type: Option<String>,
    /// Every `Retry-After`, as sent.
    pub retry_after: Vec<String>,
    /// `Date`, when well-formed.
    pub date: Option<Timestamp>,
    /// `Location`'s host, on a redirect.
    pub redirect_host: Option<String>,
    /// The body, at most the limit of the call.
    pub body: Vec<u8>,
    /// The body was longer than the limit and was cut.
    pub cut: bool,
}

impl fmt::Debug for Answer {
    /// Shows the body's length only: a body may hold signed links and file names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("retry_after", &self.retry_after)
            .field("date", &self.date)
            .field("redirect_host", &self.redirect_host)
            .field("body_bytes", &self.body.len())
            .field("cut", &self.cut)
            .finish()
    }
}
