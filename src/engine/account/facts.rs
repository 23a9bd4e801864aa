//! What the ledger was told of a file: where its start comes from.

use super::moment::step;
use crate::model::{FileRecord, RecordedEvent, Timestamp, push_id_time};
use crate::rules::decide::{Source, Step};

/// The recorded row, the time inside the id, and every event with what corrected it.
pub(super) fn steps(file: &FileRecord, events: &[RecordedEvent], as_of: Timestamp) -> Vec<Step> {
    let mut steps = vec![step("recorded", Source::Ledger, recorded(file))];
    if let Some(original) = &file.copy_of {
        let text = format!(
            "it is a linked copy of {} in {}: matched, held and timed as that one",
            original.file, original.batch
        );
        steps.push(step("copy", Source::Ledger, text));
    }
    let known = events.iter().filter(|event| event.recorded_at <= as_of);
    for event in known {
        let source = Source::Event { event: event.id };
        steps.push(step("event", source, told(event, as_of)));
    }
    steps
}

fn recorded(file: &FileRecord) -> String {
    let mut text = format!("uploaded {}", file.uploaded_at);
    // A copy carries its original's times.
    let id = file
        .copy_of
        .as_ref()
        .map_or(&file.key.file, |original| &original.file);
    if let Some(made) = push_id_time(id.as_str()) {
        let apart = file.uploaded_at.millis_since(made);
        text.push_str(&match apart {
            0 => ", which is the time inside its own id".to_owned(),
            later if later > 0 => format!(", {} after the time inside its own id, {made}", seconds(later)),
            earlier => format!(", {} before the time inside its own id, {made}", seconds(earlier)),
        });
    }
    if let Some(at) = file.processed_at {
        text.push_str(&format!("; processed {at}"));
    }
    if let Some(kind) = &file.document_type {
        text.push_str(&format!("; document type `{kind}`"));
    }
    for (key, value) in file.labels.iter() {
        text.push_str(&format!("; label {key}={value}"));
    }
    text
}

fn seconds(millis: i64) -> String {
    let millis = millis.unsigned_abs();
    format!("{}.{:03} s", millis / 1000, millis % 1000)
}

fn told(event: &RecordedEvent, as_of: Timestamp) -> String {
    let mut text = format!(
        "event `{}` for {}: {}, recorded {}",
        event.name, event.scope, event.at, event.recorded_at
    );
    if let Some(reason) = &event.reason {
        text.push_str(&format!(", a correction ({reason})"));
    }
    if let Some(at) = event.replaced_at.filter(|at| *at <= as_of) {
        text.push_str(&format!("; replaced {at}: it does not count any more"));
    }
    text
}
