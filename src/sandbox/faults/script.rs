//! Writing faults in Rust, and refusing those that could not do what they say.

use std::fmt;

use hyper::header::{HeaderName, HeaderValue};
use serde_json::Value;

use super::{Apply, Close, Fault, Hits, InvalidFault, Reset, Shape, Target};
use crate::sandbox::route::Endpoint;

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
    pub(in crate::sandbox) fn application(&self) -> Apply {
        let replaced = self.status.is_some() || self.body.is_some() || self.reset.is_some() || self.lie;
        self.apply
            .unwrap_or(if replaced { Apply::Never } else { Apply::Before })
    }

    /// Refuses combinations that would silently do less than they say.
    pub(in crate::sandbox) fn validate(&self) -> Result<(), InvalidFault> {
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
