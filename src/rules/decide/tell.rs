//! How a decision is told. The silent teller costs nothing; the other one is in `told`.

use std::borrow::Cow;

use super::Doubt;
use super::erasing::Erasing;
use super::start::Start;
use crate::model::{FileRecord, Hold, PolicyName, Timestamp};
use crate::rules::period::PeriodEnd;
use crate::rules::policy::{Floor, Policy, StartClock, StartEvent};

/// Hears each finding of a decision as it is made. A teller decides nothing.
pub(super) trait Tell {
    fn hold(&mut self, _hold: Option<&Hold>) {}
    fn erasure(&mut self, _erasing: Option<&Erasing<'_>>) {}
    fn owner(&mut self, _owner: Option<&Policy>) {}
    /// `rule` is the policy or floor whose clock it is.
    fn start(
        &mut self,
        _file: &FileRecord,
        _rule: &PolicyName,
        _clock: &StartClock,
        _start: Option<&Start<'_>>,
        _doubt: Option<Doubt>,
    ) {
    }
    fn period(&mut self, _policy: &Policy, _start: Timestamp, _end: &PeriodEnd) {}
    fn floor(&mut self, _floor: &Floor) {}
    /// `end` is `None` where it keeps for ever; `due` is what was found before it.
    fn keep(&mut self, _floor: &Floor, _kept: Option<(Timestamp, &PeriodEnd)>, _due: Option<Timestamp>) {}
    fn type_unknown(&mut self) {}
    fn deadline(&mut self, _policy: &Policy, _deadline: Timestamp, _due: Timestamp) {}
    fn mode(&mut self, _owner: Option<&Policy>, _due: Timestamp, _now: Timestamp) {}
}

/// For the hot path.
pub(super) struct Silent;

impl Tell for Silent {}

/// `upload`, `end of processing`, or the event's name.
pub(in crate::rules) fn event(start: &StartEvent) -> Cow<'static, str> {
    match start {
        StartEvent::Uploaded => "upload".into(),
        StartEvent::Processed => "end of processing".into(),
        StartEvent::Event(name) => format!("event `{name}`").into(),
    }
}

/// What a period counts from, fallback included.
pub(in crate::rules) fn counts_from(clock: &StartClock) -> String {
    let own = event(&clock.start);
    match &clock.fallback {
        None => own.into_owned(),
        Some(fallback) => {
            let other = event(&fallback.start);
            format!(
                "{own} (where that is not known, {} after its {other})",
                fallback.add
            )
        }
    }
}
