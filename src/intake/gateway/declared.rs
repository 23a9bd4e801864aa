//! What an uploader declares in headers: labels and the data subject.

use std::fmt;

use super::super::check::{Checker, RecordOptions};
use super::super::record::InForce;
use super::super::rows::{Format, suggestion};
use crate::model::{Labels, Timestamp};

/// Headers with this beginning are for retentiond alone: none is passed on.
pub const OWN_HEADERS: &str = "x-retentiond-";

const LABEL: &str = "label-";
const SUBJECT: &str = "subject";

/// Labels and subject of one upload, checked. No `Debug`: it holds a data subject in clear.
#[derive(Clone, Default)]
pub struct Declared {
    pub(super) labels: Labels,
    pub(super) subject: Option<String>,
}

/// Why an upload is refused before it is sent: recorded without a label it could be owned by a policy
/// that deletes it too early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undeclarable {
    /// A short, stable name of the reason, such as `undeclared-label`.
    pub code: &'static str,
    /// The reason in words, and what to do about it.
    pub message: String,
}

impl fmt::Display for Undeclarable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

fn refuse(code: &'static str, message: impl Into<String>) -> Undeclarable {
    Undeclarable {
        code,
        message: message.into(),
    }
}

impl Declared {
    /// From a request's headers, their names in lower case.
    ///
    /// # Errors
    /// [`Undeclarable`]: an unknown header of ours, a label that the policy file does not declare, a value
    /// that is no plain text, a subject where there is no key to hash it with.
    pub(super) fn read<'h>(
        headers: impl Iterator<Item = (&'h str, &'h [u8])>,
        rules: &InForce<'_>,
        now: Timestamp,
    ) -> Result<Self, Undeclarable> {
        let mut declared = Self::default();
        for (name, value) in headers {
            let Some(what) = name.strip_prefix(OWN_HEADERS) else {
                continue;
            };
            let value = std::str::from_utf8(value)
                .map_err(|_| refuse("bad-text", format!("the header {name} is not UTF-8")))?;
            if let Some(key) = what.strip_prefix(LABEL) {
                let key = declared_key(key, rules.label_keys)?;
                if declared.labels.insert(key, value.to_owned()).is_some() {
                    return Err(refuse("duplicate-key", format!("the header {name} stands twice")));
                }
            } else if what == SUBJECT {
                if declared.subject.replace(value.to_owned()).is_some() {
                    return Err(refuse("duplicate-key", format!("the header {name} stands twice")));
                }
            } else {
                return Err(refuse(
                    "unknown-header",
                    format!(
                        "there is no header {name}: write X-Retentiond-Label-KEY or X-Retentiond-Subject"
                    ),
                ));
            }
        }
        let options = declared.options();
        match Checker::new(&options, rules, now) {
            Ok(_) => Ok(declared),
            Err(problem) => Err(refuse(problem.code, problem.message)),
        }
    }

    /// How the answer's rows are taken.
    pub(super) fn options(&self) -> RecordOptions {
        RecordOptions {
            format: Some(Format::Response),
            keep_good: true,
            labels: self.labels.clone(),
            subject: self.subject.clone(),
            ..RecordOptions::default()
        }
    }
}

/// The declared label key that a header names; header names know no upper case.
fn declared_key(given: &str, known: &[String]) -> Result<String, Undeclarable> {
    let mut fitting = known.iter().filter(|key| key.to_lowercase() == given);
    match (fitting.next(), fitting.next()) {
        (Some(key), None) => Ok(key.clone()),
        (Some(_), Some(_)) => Err(refuse(
            "undeclared-label",
            format!(
                "`labels` of the policy file declares more than one key that a header may call `{given}`"
            ),
        )),
        (None, _) => {
            let hint = suggestion(given, known.iter().map(String::as_str));
            let message =
                format!("the label key `{given}` is not declared in `labels` of the policy file{hint}");
            Err(refuse("undeclared-label", message))
        }
    }
}
