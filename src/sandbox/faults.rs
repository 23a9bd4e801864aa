//! A scripted fault: which calls it hits, and what happens to them.
//!
//! The same type serves Rust tests and, as JSON, `POST /_sandbox/faults`. It describes; [`book`] decides which call
//! is hit, and the exchange plays it.

mod book;

use std::fmt;

use hyper::header::{HeaderName, HeaderValue};
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
    /// Not at all.
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

impl Fault {
    /// A fault that waits at one endpoint and hits once.
    pub fn at(endpoint: Endpoint) -> Self {
        Self {
            endpoint: Target::At(endpoint),
            ..Self::default()
        }
    }

    /// A fault that waits everywhere and hits once.
    pub fn anywhere() -> Self {
        Self::default()
    }

    /// Hits the first `n` matching calls.
    pub fn times(self, n: u64) -> Self {
        Self {
            hits: Hits::Times(n),
            ..self
        }
    }

    /// Hits each `n`-th matching call.
    pub fn every(self, n: u64) -> Self {
        Self {
            hits: Hits::Every(n),
            ..self
        }
    }

    /// Hits all matching calls.
    pub fn always(self) -> Self {
        Self {
            hits: Hits::Always,
            ..self
        }
    }

    /// Lets `n` matching calls pass first.
    pub fn after(self, n: u64) -> Self {
        Self { after: n, ..self }
    }

    /// Hits only calls whose list holds this file.
    pub fn poison(self, file_id: impl Into<String>) -> Self {
        Self {
            file_id: Some(file_id.into()),
            ..self
        }
    }

    /// Answers this status.
    pub fn status(self, status: u16) -> Self {
        Self {
            status: Some(status),
            ..self
        }
    }

    /// Answers this body: a JSON string is sent as plain text, all else as JSON.
    pub fn body(self, body: impl Into<Value>) -> Self {
        Self {
            body: Some(body.into()),
            ..self
        }
    }

    /// Sends one more header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Says whether and when the operation takes place.
    pub fn apply(self, apply: Apply) -> Self {
        Self {
            apply: Some(apply),
            ..self
        }
    }

    /// Waits before answering, in ms.
    pub fn delay_ms(self, delay_ms: u64) -> Self {
        Self { delay_ms, ..self }
    }

    /// Resets the connection.
    pub fn reset(self, reset: Reset) -> Self {
        Self {
            reset: Some(reset),
            ..self
        }
    }

    /// Ends the connection after the answer.
    pub fn close(self, close: Close) -> Self {
        Self {
            close: Some(close),
            ..self
        }
    }

    /// Sends the body in this way.
    pub fn shape(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    /// Answers success and deletes nothing.
    pub fn lie(self) -> Self {
        Self { lie: true, ..self }
    }

    /// Takes `n` files that nobody named.
    pub fn neighbours(self, n: usize) -> Self {
        Self {
            neighbour_vanishes: n,
            ..self
        }
    }

    /// What `apply` comes to when it was left out.
    pub(super) fn application(&self) -> Apply {
        let replaced = self.status.is_some() || self.body.is_some() || self.reset.is_some() || self.lie;
        self.apply
            .unwrap_or(if replaced { Apply::Never } else { Apply::Before })
    }

    /// Refuses combinations that would silently do less than they say.
    pub(super) fn validate(&self) -> Result<(), InvalidFault> {
        let refuse = |why: &dyn fmt::Display| Err(InvalidFault(why.to_string()));
        match self.hits {
            Hits::Times(0) | Hits::Every(0) => return refuse(&"`times` and `every` begin at 1"),
            Hits::Once | Hits::Times(_) | Hits::Every(_) | Hits::Always => {}
        }
        if let Some(status) = self.status.filter(|status| !(200..=599).contains(status)) {
            return refuse(&format_args!("status {status} is not between 200 and 599"));
        }
        for (name, value) in &self.headers {
            if HeaderName::from_bytes(name.as_bytes()).is_err() || HeaderValue::from_str(value).is_err() {
                return refuse(&format_args!("header {name:?} cannot be sent"));
            }
        }
        if self
            .content_type
            .as_ref()
            .is_some_and(|kind| HeaderValue::from_str(kind).is_err())
        {
            return refuse(&"the content type cannot be sent");
        }
        if self.reset == Some(Reset::BeforeRead) && (self.file_id.is_some() || self.applies()) {
            return refuse(
                &"before the body is read nothing is known of its ids, and nothing can be applied",
            );
        }
        if self.lie && self.apply.is_some_and(|apply| apply != Apply::Never) {
            return refuse(&"a lie applies nothing");
        }
        if self.close == Some(Close::Silent) && self.shape != Shape::Plain {
            return refuse(&"a silent close needs a plain body");
        }
        Ok(())
    }

    fn applies(&self) -> bool {
        self.neighbour_vanishes > 0 || self.application() != Apply::Never
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_says_the_same_as_the_builder() {
        let text = r#"{"endpoint":"deleteFiles","hits":{"times":2},"status":500,"apply":"before",
                       "shape":{"slow":{"interval_ms":5}},"headers":[["Retry-After","1"],["Retry-After","2"]]}"#;
        let built = Fault::at(Endpoint::DeleteFiles)
            .times(2)
            .status(500)
            .apply(Apply::Before)
            .shape(Shape::Slow { interval_ms: 5 })
            .header("Retry-After", "1")
            .header("Retry-After", "2");
        assert_eq!(serde_json::from_str::<Fault>(text).unwrap(), built);
        assert_eq!(
            serde_json::from_str::<Fault>(r#"{"endpoint":"*"}"#).unwrap(),
            Fault::anywhere()
        );
    }

    #[test]
    fn a_fault_with_an_unknown_key_or_endpoint_is_refused() {
        assert!(serde_json::from_str::<Fault>(r#"{"statsu":500}"#).is_err());
        assert!(serde_json::from_str::<Fault>(r#"{"endpoint":"deleteFile"}"#).is_err());
    }

    #[test]
    fn faults_that_could_not_do_what_they_say_are_refused() {
        let impossible = [
            Fault::anywhere().times(0),
            Fault::anywhere().every(0),
            Fault::anywhere().status(101),
            Fault::anywhere().header("two words", "x"),
            Fault::anywhere().reset(Reset::BeforeRead).poison("-O"),
            Fault::anywhere().reset(Reset::BeforeRead).apply(Apply::Before),
            Fault::anywhere().lie().apply(Apply::Before),
            Fault::anywhere().close(Close::Silent).shape(Shape::Endless),
        ];
        for fault in impossible {
            assert!(fault.validate().is_err(), "{fault:?}");
        }
    }

    #[test]
    fn a_replaced_answer_applies_nothing_unless_told() {
        assert_eq!(Fault::anywhere().status(500).application(), Apply::Never);
        assert_eq!(Fault::anywhere().delay_ms(5).application(), Apply::Before);
        assert_eq!(
            Fault::anywhere().status(500).apply(Apply::Half).application(),
            Apply::Half
        );
    }
}
