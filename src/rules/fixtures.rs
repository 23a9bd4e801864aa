//! Files and rules for this room's tests.

use std::sync::Arc;

use super::matching::{Criteria, Matcher};
use super::period::Period;
use super::policy::{
    ApprovalRule, ErasureRules, Floor, KeepFor, Limits, Mode, OnExcess, Policy, RuleSet, StartClock,
    StartEvent,
};
use super::schedule::Schedule;
use crate::model::{
    BatchAddress, BatchId, BatchKey, ClassificationId, Erasure, ErasureId, ErasureScope, ExtractionId,
    FileAddress, FileId, FileKey, FileRecord, FileState, Hold, HoldId, HoldScope, Holds, Parent, PolicyName,
    Timestamp,
};

/// A classification file, by what a test cares about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Classified<'a> {
    pub(crate) classification: &'a str,
    pub(crate) batch: &'a str,
    pub(crate) file: &'a str,
    pub(crate) document_type: Option<&'a str>,
    pub(crate) labels: &'a [(&'a str, &'a str)],
    pub(crate) uploaded_at: &'a str,
    pub(crate) processed_at: Option<&'a str>,
}

impl Default for Classified<'_> {
    fn default() -> Self {
        Self {
            classification: "c1",
            batch: "b1",
            file: "f1",
            document_type: None,
            labels: &[],
            uploaded_at: "2026-01-15T09:30:00Z",
            processed_at: None,
        }
    }
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn file(of: Classified<'_>) -> FileRecord {
    let parent = Parent::Classification(ClassificationId::new(of.classification).unwrap());
    let mut record = record(parent, of.batch, of.file);
    record.document_type = of.document_type.map(Arc::from);
    record.labels = Arc::new(
        of.labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    );
    record.uploaded_at = at(of.uploaded_at);
    record.processed_at = of.processed_at.map(at);
    record
}

pub(crate) fn extracted(extraction: &str, batch: &str, file: &str) -> FileRecord {
    record(
        Parent::Extraction(ExtractionId::new(extraction).unwrap()),
        batch,
        file,
    )
}

/// A linked copy: the original's facts at its own address, as the ledger gives it.
pub(crate) fn copy_of(original: &FileRecord, extraction: &str, batch: &str, file: &str) -> FileRecord {
    let own = extracted(extraction, batch, file);
    FileRecord {
        key: own.key,
        batch: own.batch,
        copy_of: Some(original.address()),
        ..original.clone()
    }
}

fn record(parent: Parent, batch: &str, file: &str) -> FileRecord {
    let address = FileAddress {
        batch: BatchAddress {
            parent,
            batch: BatchId::new(batch).unwrap(),
            account: None,
        },
        file: FileId::new(file).unwrap(),
    };
    let key = batch
        .bytes()
        .fold(0_i64, |sum, b| (sum * 31 + i64::from(b)) % 1_000_003);
    FileRecord {
        key: FileKey {
            batch: BatchKey(key),
            file: address.file,
        },
        batch: Arc::new(address.batch),
        state: FileState::Live,
        uploaded_at: at("2026-01-15T09:30:00Z"),
        processed_at: None,
        document_type: None,
        labels: Arc::default(),
        subject: None,
        copy_of: None,
        occurred: Arc::default(),
        owner: None,
        due_at: None,
        deadline_at: None,
    }
}

pub(crate) fn period(text: &str) -> Period {
    Period::parse(text).unwrap()
}

/// Matches every file with label `kind = value`.
pub(crate) fn kind(value: &str) -> Matcher {
    Matcher::Where {
        all_of: Criteria {
            labels: [("kind".to_owned(), [value.to_owned()].into())].into(),
            ..Criteria::default()
        },
        except: None,
    }
}

/// Matches every file of a classification.
pub(crate) fn of_classification(id: &str) -> Matcher {
    Matcher::Where {
        all_of: Criteria {
            classification: Some([id.to_owned()].into()),
            ..Criteria::default()
        },
        except: None,
    }
}

pub(crate) const UPLOADED: StartClock = StartClock {
    start: StartEvent::Uploaded,
    round_up: None,
    fallback: None,
};

pub(crate) const PROCESSED: StartClock = StartClock {
    start: StartEvent::Processed,
    round_up: None,
    fallback: None,
};

/// An enforcing policy, counted from the upload.
pub(crate) fn policy(name: &str, matcher: Matcher, delete_after: &str) -> Policy {
    Policy {
        name: PolicyName::new(name).unwrap(),
        matcher,
        clock: UPLOADED,
        delete_after: period(delete_after),
        delete_by: None,
        schedule: Schedule::parse("0 3 * * *").unwrap(),
        window: None,
        mode: Mode::Enforce,
        approval: ApprovalRule::OverLimit,
        approve_shortening: None,
        account: None,
    }
}

/// A floor, counted from the upload; `forever` keeps for ever.
pub(crate) fn floor(name: &str, matcher: Matcher, keep_for: &str) -> Floor {
    Floor {
        name: PolicyName::new(name).unwrap(),
        matcher,
        clock: UPLOADED,
        keep_for: match keep_for {
            "forever" => KeepFor::Forever,
            text => KeepFor::Period(period(text)),
        },
        binding: false,
        basis: None,
    }
}

pub(crate) const LIMITS: Limits = Limits {
    files_per_sweep: 1000,
    share_per_sweep: 25,
    on_excess: OnExcess::Stop,
    approve_shortening: true,
};

pub(crate) fn rules_in(zone: &str, policies: Vec<Policy>, floors: Vec<Floor>) -> RuleSet {
    RuleSet {
        zone: jiff::tz::TimeZone::get(zone).unwrap(),
        zone_name: zone.to_owned(),
        label_keys: vec!["kind".to_owned()],
        accounts: Vec::new(),
        digest: RuleSet::digest_of(zone, &policies, &floors),
        policies,
        floors,
        blackouts: Vec::new(),
        limits: LIMITS,
        source: "".into(),
        lines: Arc::default(),
        awaiting: None,
        erasure: ErasureRules::default(),
        keep_evidence: None,
    }
}

pub(crate) fn rules(policies: Vec<Policy>, floors: Vec<Floor>) -> RuleSet {
    rules_in("Europe/Berlin", policies, floors)
}

pub(crate) fn hold(id: i64, scope: HoldScope) -> Hold {
    Hold {
        id: HoldId(id),
        scope,
        reason: "litigation".to_owned(),
        reference: None,
        owner: None,
        review_by: None,
        placed_at: at("2026-02-01T00:00:00Z"),
        released_at: None,
        ends_at: None,
    }
}

/// An open erasure request, entered with the holds of [`hold`].
pub(crate) fn erasure(id: i64, scope: ErasureScope) -> Erasure {
    Erasure {
        id: ErasureId(id),
        scope,
        reference: format!("request {id}"),
        received: "2026-01-30".parse().unwrap(),
        placed_at: at("2026-02-01T00:00:00Z"),
        closed_at: None,
        closing: None,
    }
}

pub(crate) fn no_holds() -> Holds {
    Holds::default()
}
