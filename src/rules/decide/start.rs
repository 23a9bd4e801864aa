//! Where a rule's period starts for one file, and whether that can be relied on.

use super::tell::Tell;
use super::{CLOCK_TOLERANCE_MILLIS, Doubt};
use crate::model::{FileRecord, Occurrence, PolicyName, Timestamp, push_id_time};
use crate::rules::period::{Period, day_begins};
use crate::rules::policy::{Fallback, RuleSet, StartClock, StartEvent};

/// The start of a period, as far as it is known.
pub(super) struct Start<'r> {
    /// What it is: the clock's own start, or that of its fallback.
    pub(super) event: &'r StartEvent,
    /// When that happened.
    pub(super) at: Timestamp,
    /// From when on the period counts: `at`, and with a fallback what is added to it.
    pub(super) counts_from: Timestamp,
    /// Set where the clock's own start is not known.
    pub(super) fallback: Option<&'r Fallback>,
}

/// `None` where neither the start nor what it falls back to is known, or where the fallback leaves the
/// calendar.
pub(super) fn find<'r>(file: &FileRecord, clock: &'r StartClock, rules: &RuleSet) -> Option<Start<'r>> {
    if let Some(at) = known(file, &clock.start) {
        return Some(Start {
            event: &clock.start,
            at,
            counts_from: at,
            fallback: None,
        });
    }
    let fallback = clock.fallback.as_ref()?;
    let at = known(file, &fallback.start)?;
    Some(Start {
        event: &fallback.start,
        at,
        counts_from: lengthened(at, fallback.add, rules)?,
        fallback: Some(fallback),
    })
}

/// Nothing is processed before it is uploaded: where clocks differ, the later of the two counts.
fn known(file: &FileRecord, event: &StartEvent) -> Option<Timestamp> {
    match event {
        StartEvent::Uploaded => Some(file.uploaded_at),
        StartEvent::Processed => file.processed_at.map(|at| at.max(file.uploaded_at)),
        StartEvent::Event(name) => file.occurred.latest(name).map(|record| record.at),
    }
}

/// Exact time is added by the clock. After a civil one the period counts from its last day, by the same
/// arithmetic: the first instant whose date is that day or later stands for it.
fn lengthened(at: Timestamp, add: Period, rules: &RuleSet) -> Option<Timestamp> {
    let end = add.end(at, None, &rules.zone)?;
    match end.last_day {
        Some(day) => day_begins(day, &rules.zone),
        None => Some(end.ends_at),
    }
}

/// The instant that `period` counts from, unless it is missing or in doubt.
///
/// `rule` is the policy or floor whose clock it is.
pub(super) fn trusted(
    file: &FileRecord,
    rule: &PolicyName,
    clock: &StartClock,
    period: Period,
    now: Option<Timestamp>,
    rules: &RuleSet,
    tell: &mut impl Tell,
) -> Result<Timestamp, Doubt> {
    let start = find(file, clock, rules);
    let doubt = match &start {
        None => Some(no_start(file, clock)),
        Some(start) => doubt_of(file, start, period, now),
    };
    tell.start(file, rule, clock, start.as_ref(), doubt);
    match (start, doubt) {
        (Some(start), None) => Ok(start.counts_from),
        (_, Some(doubt)) => Err(doubt),
        (None, None) => Err(Doubt::NoStart),
    }
}

fn no_start(file: &FileRecord, clock: &StartClock) -> Doubt {
    let fallback_known = clock
        .fallback
        .as_ref()
        .is_some_and(|fallback| known(file, &fallback.start).is_some());
    if fallback_known {
        Doubt::OutOfCalendar
    } else {
        Doubt::NoStart
    }
}

fn doubt_of(file: &FileRecord, start: &Start<'_>, period: Period, now: Option<Timestamp>) -> Option<Doubt> {
    if now.is_some_and(|now| start.at > now) {
        return Some(Doubt::FutureStart);
    }
    // Whatever starts the period: a file that is still to be uploaded is not what its row says.
    if now.is_some_and(|now| file.uploaded_at > now) {
        return Some(Doubt::FutureUpload);
    }
    // `config` refuses to add days to a period of hours and the other way round.
    if start
        .fallback
        .is_some_and(|fallback| fallback.add.is_civil() != period.is_civil())
    {
        return Some(Doubt::OutOfCalendar);
    }
    match start.event {
        // What happened outside may well have happened before the upload: a document's date.
        StartEvent::Event(_) => return None,
        StartEvent::Processed
            if file
                .processed_at
                .is_some_and(|at| file.uploaded_at.millis_since(at) > CLOCK_TOLERANCE_MILLIS) =>
        {
            return Some(Doubt::BeforeUpload);
        }
        StartEvent::Uploaded | StartEvent::Processed => {}
    }
    // A copy carries its original's times, and was made later: the original's id is the witness.
    let id = file
        .copy_of
        .as_ref()
        .map_or(&file.key.file, |original| &original.file);
    let too_early =
        push_id_time(id.as_str()).is_some_and(|made| made.millis_since(start.at) > CLOCK_TOLERANCE_MILLIS);
    too_early.then_some(Doubt::BeforeId)
}

impl<'r> Start<'r> {
    /// The record that counts, where the start is an event.
    pub(super) fn record<'f>(&self, file: &'f FileRecord) -> Option<&'f Occurrence> {
        match self.event {
            StartEvent::Uploaded | StartEvent::Processed => None,
            StartEvent::Event(name) => file.occurred.latest(name),
        }
    }
}

#[cfg(test)]
mod tests;
