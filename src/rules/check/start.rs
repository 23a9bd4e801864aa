//! Starts, found in plain loops; what cannot be relied on is no start.

use crate::model::{FileRecord, Timestamp, push_id_time};
use crate::rules::period::Period;
use crate::rules::policy::{StartClock, StartEvent};

const DAY: i64 = 86_400_000;

/// What a period counts from: a trusted start, and time to be added to it.
pub(super) struct Base {
    pub(super) at: Timestamp,
    pub(super) add: Option<Period>,
}

pub(super) fn base(file: &FileRecord, clock: &StartClock, now: Timestamp) -> Option<Base> {
    let (event, add) = match (&clock.fallback, is_missing(file, &clock.start)) {
        (Some(fallback), true) => (&fallback.start, Some(fallback.add)),
        (Some(_) | None, _) => (&clock.start, None),
    };
    let at = match event {
        StartEvent::Event(name) => {
            let mut latest = None;
            for record in file.occurred.all() {
                if record.name.as_str() == name.as_str() && latest.is_none_or(|at| record.at > at) {
                    latest = Some(record.at);
                }
            }
            latest?
        }
        StartEvent::Uploaded => file.uploaded_at,
        StartEvent::Processed => {
            let at = file.processed_at?;
            if at.as_millis() + DAY < file.uploaded_at.as_millis() {
                return None;
            }
            if at < file.uploaded_at {
                file.uploaded_at
            } else {
                at
            }
        }
    };
    let doubted = at > now
        || file.uploaded_at > now
        || !matches!(event, StartEvent::Event(_)) && before_its_id(file, at);
    (!doubted).then_some(Base { at, add })
}

fn is_missing(file: &FileRecord, event: &StartEvent) -> bool {
    match event {
        StartEvent::Uploaded => false,
        StartEvent::Processed => file.processed_at.is_none(),
        StartEvent::Event(name) => !file
            .occurred
            .all()
            .iter()
            .any(|record| record.name.as_str() == name.as_str()),
    }
}

/// More than a day earlier than the time inside the id of the file, or of the file that it copies.
fn before_its_id(file: &FileRecord, start: Timestamp) -> bool {
    let id = match &file.copy_of {
        Some(original) => original.file.as_str(),
        None => file.key.file.as_str(),
    };
    push_id_time(id).is_some_and(|made| start.as_millis() + DAY < made.as_millis())
}
