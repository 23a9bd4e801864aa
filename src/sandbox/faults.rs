//! A scripted fault: which calls it hits, and what happens to them.
//!
//! The same type serves Rust tests and, as JSON, `POST /_sandbox/faults`. It describes; [`book`] decides which call
//! is hit, and the exchange plays it.

mod book;
mod script;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

pub use self::book::PlantedFault;
pub(super) use self::book::{FaultBook, Moment};
use super::route::Endpoint;

/// Which endpoint a fault waits at; `"*"` in JSON is [`Target::Any`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Target {
    /// Every endpoint, wrong paths included.
    #[default]
    Any,
    /// One endpoint.
    At(Endpoint),
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Any => serializer.serialize_str("*"),
            Self::At(endpoint) => endpoint.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Value::deserialize(deserializer)?;
        if name == "*" {
            return Ok(Self::Any);
        }
        Endpoint::deserialize(name)
            .map(Self::At)
            .map_err(serde::de::Error::custom)
    }
}

/// Which of the matching calls a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hits {
    /// The first.
    #[default]
    Once,
    /// The first so many.
    Times(u64),
    /// Each n-th.
    Every(u64),
    /// All.
    Always,
}

/// Whether, and when, the real operation takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Apply {
    /// In full, before the answer: the answer may then lie about it.
    Before,
    /// In full, `late_ms` after the answer was decided.
    After,
    /// Not at all. Without a `status` or `body` of its own, a delete still answers its success; a create, update or
    /// upload answers the documented 500.
    Never,
    /// The first half of the list (rounded down); calls that delete no list of files are applied in full.
    Half,
}

/// A reset of the connection (a TCP RST, by `SO_LINGER` zero) instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// Once the head is known, before a byte of the body is read. Nothing is applied.
    BeforeRead,
    /// When the whole request was read; with [`Apply::Before`] the deletion did happen.
    AfterRead,
}

/// How a kept-alive connection ends after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Close {
    /// With `Connection: close` in the answer.
    Announced,
    /// Without a word: the client believes that the connection is still there.
    Silent,
}

/// How the body travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Shape {
    /// As it should.
    #[default]
    Plain,
    /// One byte at a time.
    Slow {
        /// Time before each byte, in ms.
        interval_ms: u64,
    },
    /// JSON that begins well and never ends.
    Endless,
    /// The last bytes promised by `Content-Length` never come.
    Truncated {
        /// How many are missing.
        missing: usize,
    },
    /// A small gzip body that unpacks into zeros.
    GzipBomb {
        /// Bytes after unpacking.
        bytes: u64,
    },
    /// Text with bytes that are no UTF-8, inside what would be the success body.
    InvalidUtf8,
}

/// One scripted fault. All fields have defaults, so that a test or a line of `curl` names only what it means:
///
/// ```json
/// {"endpoint": "deleteFiles", "hits": {"times": 2}, "status": 500, "apply": "before"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Where it waits.
    pub endpoint: Target,
    /// Which of the matching calls it hits.
    pub hits: Hits,
    /// Matching calls to let pass first.
    pub after: u64,
    /// Only calls whose list holds this file id: a poison id.
    pub file_id: Option<String>,
    /// Whether the operation takes place. Left out: not when `status`, `body`, `reset` or `lie` is set, else before.
    pub apply: Option<Apply>,
    /// For [`Apply::After`]: how long after, in ms.
    pub late_ms: u64,
    /// Time before the answer, in ms. The operation and the journal's entry do not wait for it.
    pub delay_ms: u64,
    /// The status to answer. Without `body`: the error envelope with the status's name; nothing for 204, 205 and 3xx.
    pub status: Option<u16>,
    /// The body to answer: a text is sent as it stands (`text/html`), anything else as JSON.
    pub body: Option<Value>,
    /// Replaces the content type; empty sends none.
    pub content_type: Option<String>,
    /// Additional headers, sent in order; a name may repeat.
    pub headers: Vec<(String, String)>,
    /// Added to the `Date` header of this answer, in ms.
    pub date_skew_ms: i64,
    /// Sends no `Date` header.
    pub omit_date: bool,
    /// Resets the connection instead of answering.
    pub reset: Option<Reset>,
    /// Ends the connection after the answer.
    pub close: Option<Close>,
    /// How the body travels.
    pub shape: Shape,
    /// A delete answers its success, deletes nothing, and the files are still listed. Other calls are untouched.
    pub lie: bool,
    /// So many further files of the same batch vanish with the call.
    pub neighbour_vanishes: usize,
}

/// A fault that could not do what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this fault cannot be played: {0}")]
pub struct InvalidFault(String);
