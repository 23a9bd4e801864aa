//! What came back for one request, before anyone says what it means.

use crate::model::Timestamp;

/// The fate of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// No byte of the request left: DNS, connect or TLS failed, or the body was refused before sending.
    NotSent {
        /// Why, in words: no ids, no key.
        reason: String,
    },
    /// The request may have arrived; no whole answer came (time-out, reset, cut body).
    Lost {
        /// Why, in words.
        reason: String,
    },
    /// An answer came, whole or cut at the size limit.
    Answered(Answer),
}

/// An HTTP answer as data.
#[derive(Debug, Clone, PartialEq, Eq)]
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
