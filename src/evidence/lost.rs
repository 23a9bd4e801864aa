//! A leaf of an export, with what opens it, read back as the fact that it told of: what a restored backup lacks.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Hash;
use super::seal::file_of;
use crate::model::{
    AttemptKind, BatchId, BreakerKind, ErasureScope, FileAddress, FileId, FileState, HoldScope, NewErasure,
    NewHold, PolicyName, SweepState, Timestamp, Trigger,
};

/// A leaf that the ledger lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostLeaf {
    /// Its place in the tree that was lost.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// Its hash.
    pub hash: Hash,
    /// Its kind.
    pub kind: String,
    /// What it told of.
    pub fact: LostFact,
}

/// What it told of, with the numbers that the lost tree gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LostFact {
    /// A hold.
    Hold {
        /// Its number.
        hold: i64,
        /// As it was placed.
        new: NewHold,
    },
    /// A release.
    Release {
        /// The hold's number.
        hold: i64,
        /// Reason code.
        reason: String,
        /// When it stops covering.
        ends_at: Timestamp,
    },
    /// An erasure request.
    ErasureRequest {
        /// Its number.
        erasure: i64,
        /// As it was entered.
        new: NewErasure,
    },
    /// A request was closed; without a reason: every file was verified gone.
    ErasureClosed {
        /// Its number.
        erasure: i64,
        /// The operator's reason.
        reason: Option<String>,
    },
    /// A sweep began.
    SweepOpened {
        /// Its number.
        sweep: i64,
        /// Its policy.
        policy: PolicyName,
        /// The scheduled instant.
        occurrence: Option<Timestamp>,
        /// What started it.
        trigger: Trigger,
        /// Digest of its rules.
        rules: String,
        /// It had been begun before.
        resumed: bool,
    },
    /// A sweep ended.
    SweepClosed {
        /// Its number.
        sweep: i64,
        /// How.
        state: SweepState,
        /// Files that it sent.
        sent: u64,
    },
    /// A request was about to leave.
    Intent {
        /// Its number.
        attempt: i64,
        /// The sweep's number.
        sweep: i64,
        /// The call.
        call: AttemptKind,
        /// The files asked for, all of one batch.
        files: Vec<FileAddress>,
    },
    /// What came of it.
    Outcome {
        /// The attempt's number.
        attempt: i64,
        /// The outcome's label.
        outcome: String,
        /// HTTP status.
        http_status: Option<u16>,
        /// The files, and where each went.
        files: Vec<(FileAddress, FileState)>,
    },
    /// A crash cut attempts off.
    Interrupted,
    /// Files moved outside an attempt.
    Moved {
        /// What happened.
        event: String,
        /// Why.
        reason: String,
        /// The files, and where each went.
        files: Vec<(FileAddress, FileState)>,
    },
    /// A second look.
    Verification {
        /// Gone.
        absent: Vec<FileAddress>,
        /// Not gone.
        still_there: Vec<FileAddress>,
    },
    /// A breaker opened.
    BreakerOpened {
        /// Which.
        kind: BreakerKind,
        /// Why.
        reason: String,
    },
    /// A breaker was closed.
    BreakerClosed {
        /// Which.
        kind: BreakerKind,
        /// By whom or what.
        by: String,
    },
    /// A pause.
    Pause {
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// The end of a pause.
    Resume,
    /// Nothing that is brought back: rules, plans and approvals are decided anew.
    Other,
}

/// Why a leaf cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("leaf {seq} ({kind}): {problem}")]
pub struct Unreadable {
    /// Its place.
    pub seq: u64,
    /// Its kind.
    pub kind: String,
    /// What is missing or wrong.
    pub problem: String,
}

/// A leaf with what opens it.
#[derive(Debug, Clone, Copy)]
pub struct Opened<'o> {
    /// Its bytes.
    pub content: &'o str,
    /// Texts by field.
    pub texts: &'o BTreeMap<String, String>,
    /// Files by field.
    pub files: &'o BTreeMap<String, Vec<String>>,
}

impl Opened<'_> {
    /// The fact behind the leaf. Whether the opening is what the leaf committed to has been checked before.
    ///
    /// # Errors
    /// [`Unreadable`] when something is not opened, or is of a shape that this version does not know.
    pub fn fact(&self, seq: u64, kind: &str) -> Result<LostFact, Unreadable> {
        let wrong = |problem: &str| Unreadable {
            seq,
            kind: kind.to_owned(),
            problem: problem.to_owned(),
        };
        let read: Value = serde_json::from_str(self.content).map_err(|_| wrong("it is no JSON"))?;
        self.read(kind, &read["fact"]).map_err(wrong)
    }

    fn read(&self, kind: &str, fact: &Value) -> Result<LostFact, &'static str> {
        let number = |field: &str| fact[field].as_i64().ok_or("a number is missing");
        let time = |field: &str| number(field).and_then(|at| instant(at));
        let word = |field: &str| fact[field].as_str().ok_or("a word is missing");
        Ok(match kind {
            "hold" => LostFact::Hold {
                hold: number("hold")?,
                new: NewHold {
                    scope: hold_scope(word("scope")?, self.text("covers")?)?,
                    reason: self.text("reason")?.to_owned(),
                    reference: self.optional(fact, "reference")?,
                    owner: self.optional(fact, "owner")?,
                    review_by: fact["review_by"].as_i64().map(instant).transpose()?,
                },
            },
            "release" => LostFact::Release {
                hold: number("hold")?,
                reason: self.text("reason")?.to_owned(),
                ends_at: time("ends_at")?,
            },
            "erasure-request" => LostFact::ErasureRequest {
                erasure: number("erasure")?,
                new: NewErasure {
                    scope: erasure_scope(word("scope")?, self.text("covers")?)?,
                    reference: self.text("reference")?.to_owned(),
                    received: word("received")?.parse().map_err(|_| "it has no date")?,
                },
            },
            "erasure-closed" => LostFact::ErasureClosed {
                erasure: number("erasure")?,
                reason: self.optional(fact, "reason")?,
            },
            "sweep-opened" => LostFact::SweepOpened {
                sweep: number("sweep")?,
                policy: PolicyName::new(word("policy")?).map_err(|_| "it names no policy")?,
                occurrence: fact["occurrence"].as_i64().map(instant).transpose()?,
                trigger: named(fact, "trigger")?,
                rules: word("rules")?.to_owned(),
                resumed: fact["resumed"].as_bool().ok_or("a word is missing")?,
            },
            "sweep-closed" => LostFact::SweepClosed {
                sweep: number("sweep")?,
                state: named(fact, "state")?,
                sent: fact["sent"].as_u64().ok_or("a number is missing")?,
            },
            "intent" => LostFact::Intent {
                attempt: number("attempt")?,
                sweep: number("sweep")?,
                call: named(fact, "call")?,
                files: self.files(fact, "files")?,
            },
            "outcome" => LostFact::Outcome {
                attempt: number("attempt")?,
                outcome: word("outcome")?.to_owned(),
                http_status: fact["http_status"]
                    .as_u64()
                    .and_then(|code| u16::try_from(code).ok()),
                files: self.by_state(fact)?,
            },
            "interrupted" => LostFact::Interrupted,
            "moved" => LostFact::Moved {
                event: word("event")?.to_owned(),
                reason: self.text("reason")?.to_owned(),
                files: self.by_state(fact)?,
            },
            "verification" => LostFact::Verification {
                absent: self.files(fact, "absent")?,
                still_there: self.files(fact, "still_there")?,
            },
            "breaker-opened" => LostFact::BreakerOpened {
                kind: breaker(fact)?,
                reason: self.text("reason")?.to_owned(),
            },
            "breaker-closed" => LostFact::BreakerClosed {
                kind: breaker(fact)?,
                by: self.text("by")?.to_owned(),
            },
            "pause" => LostFact::Pause {
                until: time("until")?,
                reason: self.text("reason")?.to_owned(),
            },
            "resume" => LostFact::Resume,
            _ => LostFact::Other,
        })
    }

    fn text(&self, field: &str) -> Result<&str, &'static str> {
        self.texts
            .get(field)
            .map(String::as_str)
            .ok_or("what opens it is not in the export: it has to be made with --with-ids")
    }

    /// A text that the leaf may do without.
    fn optional(&self, fact: &Value, field: &str) -> Result<Option<String>, &'static str> {
        if fact[field].is_null() {
            return Ok(None);
        }
        self.text(field).map(|text| Some(text.to_owned()))
    }

    /// The files of a field; none where the leaf has none.
    fn files(&self, fact: &Value, field: &str) -> Result<Vec<FileAddress>, &'static str> {
        if fact[field].is_null() {
            return Ok(Vec::new());
        }
        let texts = self
            .files
            .get(field)
            .ok_or("its files are not in the export: it has to be made with --with-ids")?;
        texts
            .iter()
            .map(|text| file_of(text).ok_or("a file of it is garbled"))
            .collect()
    }

    fn by_state(&self, fact: &Value) -> Result<Vec<(FileAddress, FileState)>, &'static str> {
        let mut all = Vec::new();
        for state in FileState::ALL {
            let files = self.files(fact, state.name())?;
            all.extend(files.into_iter().map(|file| (file, state)));
        }
        Ok(all)
    }
}

/// Which breaker; the account behind an `@` has its own way to heal.
fn breaker(fact: &Value) -> Result<BreakerKind, &'static str> {
    let name = fact["breaker"].as_str().unwrap_or_default();
    let name = name.split('@').next().unwrap_or(name);
    let kind = BreakerKind::ALL.into_iter().find(|kind| kind.name() == name);
    kind.ok_or("a word in it is not known to this version")
}

/// A word of ours, as serde spells it.
fn named<T: serde::de::DeserializeOwned>(fact: &Value, field: &str) -> Result<T, &'static str> {
    serde_json::from_value(fact[field].clone()).map_err(|_| "a word in it is not known to this version")
}

fn instant(millis: i64) -> Result<Timestamp, &'static str> {
    Timestamp::from_millis(millis).map_err(|_| "a time in it is none")
}

fn hold_scope(scope: &str, covers: &str) -> Result<HoldScope, &'static str> {
    const NONE: &str = "what it covers is garbled";
    Ok(match scope {
        "file" => HoldScope::File(FileId::new(covers).map_err(|_| NONE)?),
        "batch" => HoldScope::Batch(BatchId::new(covers).map_err(|_| NONE)?),
        "policy" => HoldScope::Policy(PolicyName::new(covers).map_err(|_| NONE)?),
        "label" => {
            let (key, value) = covers.split_once('=').ok_or(NONE)?;
            HoldScope::Label {
                key: key.to_owned(),
                value: value.to_owned(),
            }
        }
        _ => return Err(NONE),
    })
}

fn erasure_scope(scope: &str, covers: &str) -> Result<ErasureScope, &'static str> {
    const NONE: &str = "what it covers is garbled";
    Ok(match scope {
        "subject" => ErasureScope::Subject(covers.to_owned()),
        "file" => ErasureScope::File(FileId::new(covers).map_err(|_| NONE)?),
        "batch" => ErasureScope::Batch(BatchId::new(covers).map_err(|_| NONE)?),
        _ => return Err(NONE),
    })
}
