//! How a decision is told: sentences with values. The silent teller costs nothing.

use std::borrow::Cow;

use super::erasing::{Erasing, Fate};
use super::start::Start;
use super::{Doubt, Step};
use crate::model::{FileRecord, Hold, Timestamp};
use crate::rules::period::{Period, PeriodEnd};
use crate::rules::policy::{Floor, Mode, Policy, RuleSet, StartClock, StartEvent};

/// Hears each finding of a decision as it is made. A teller decides nothing.
pub(super) trait Tell {
    fn hold(&mut self, _hold: Option<&Hold>) {}
    fn erasure(&mut self, _erasing: Option<&Erasing<'_>>, _rules: &RuleSet) {}
    fn owner(&mut self, _owner: Option<&Policy>, _rules: &RuleSet) {}
    fn start(
        &mut self,
        _file: &FileRecord,
        _clock: &StartClock,
        _start: Option<&Start<'_>>,
        _doubt: Option<Doubt>,
        _rules: &RuleSet,
    ) {
    }
    fn period(&mut self, _policy: &Policy, _start: Timestamp, _end: &PeriodEnd, _rules: &RuleSet) {}
    fn floor(
        &mut self,
        _floor: &Floor,
        _keep_for: Period,
        _until: Timestamp,
        _due: Timestamp,
        _rules: &RuleSet,
    ) {
    }
    fn floor_forever(&mut self, _floor: &Floor) {}
    fn type_unknown(&mut self) {}
    fn deadline(&mut self, _policy: &Policy, _deadline: Timestamp, _due: Timestamp, _rules: &RuleSet) {}
    fn mode(&mut self, _owner: Option<&Policy>, _due: Timestamp, _now: Timestamp) {}
}

/// For the hot path.
pub(super) struct Silent;

impl Tell for Silent {}

/// Collects the sentences.
#[derive(Default)]
pub(super) struct Told {
    pub(super) steps: Vec<Step>,
}

impl Told {
    fn say(&mut self, step: &'static str, text: String) {
        self.steps.push(Step { step, text });
    }
}

/// The instant in UTC, and what the clock on the wall of the policy's zone says.
fn both(at: Timestamp, rules: &RuleSet) -> String {
    let wall = rules.zone.to_datetime(at.to_jiff());
    format!(
        "{at} ({} in {})",
        wall.strftime("%Y-%m-%d %H:%M"),
        rules.zone_name
    )
}

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

/// Which record of an event counts, and of how many.
fn recorded_for(file: &FileRecord, start: &Start<'_>) -> String {
    let Some(record) = start.record(file) else {
        return String::new();
    };
    match file.occurred.count(&record.name) {
        0 | 1 => format!(", recorded for {}", record.scope),
        several => format!(
            ", recorded for {}: the latest of the {several} times on record that cover the file",
            record.scope
        ),
    }
}

fn basis(floor: &Floor) -> String {
    floor
        .basis
        .as_ref()
        .map_or_else(String::new, |basis| format!(" ({basis})"))
}

impl Tell for Told {
    fn hold(&mut self, hold: Option<&Hold>) {
        let text = match hold {
            None => "no hold covers it".to_owned(),
            Some(hold) => {
                let until = hold.ends_at.map_or_else(
                    || "until it is released".to_owned(),
                    |end| format!("until {end}: it was released, and its cool-down is not over"),
                );
                let (id, reason, since) = (hold.id.0, &hold.reason, hold.placed_at);
                format!("hold {id} ({reason}) covers it since {since} and keeps it {until}")
            }
        };
        self.say("hold", text);
    }

    fn erasure(&mut self, erasing: Option<&Erasing<'_>>, rules: &RuleSet) {
        let Some(Erasing { request, fate }) = erasing else {
            self.say("erasure", "no erasure request covers it".to_owned());
            return;
        };
        let (id, reference, received) = (request.id.0, &request.reference, request.received);
        let effect = match fate {
            Fate::Free { since } => format!("it goes, whatever the policies say, since {since}"),
            Fate::Bound { floor, until } => {
                let until = until.map_or_else(
                    || "for ever".to_owned(),
                    |at| format!("until {}", both(at, rules)),
                );
                format!(
                    "binding floor `{}`{} keeps it {until} all the same",
                    floor.name,
                    basis(floor)
                )
            }
            Fate::Doubtful(doubt) => format!(
                "what is binding cannot be told, so it is kept: {}",
                doubt.sentence()
            ),
        };
        self.say(
            "erasure",
            format!("erasure request {id} ({reference}), received on {received}, covers it: {effect}"),
        );
    }

    fn owner(&mut self, owner: Option<&Policy>, rules: &RuleSet) {
        let text = match owner {
            Some(policy) => {
                let place = rules
                    .policies
                    .iter()
                    .position(|p| p.name == policy.name)
                    .unwrap_or(0)
                    + 1;
                let count = rules.policies.len();
                format!(
                    "policy `{}` owns it: number {place} of {count}, the first that matches",
                    policy.name
                )
            }
            None => "no policy matches: it is kept, and shown as unowned".to_owned(),
        };
        self.say("owner", text);
    }

    fn start(
        &mut self,
        file: &FileRecord,
        clock: &StartClock,
        start: Option<&Start<'_>>,
        doubt: Option<Doubt>,
        rules: &RuleSet,
    ) {
        let own = event(&clock.start);
        let what = start.map_or_else(|| own.clone(), |start| event(start.event));
        let when = start.map_or_else(
            || "at an unknown time".to_owned(),
            |start| format!("{}{}", both(start.at, rules), recorded_for(file, start)),
        );
        let text = match doubt {
            None => match start.and_then(|start| Some((start, start.fallback?))) {
                None => format!("the period starts with the {what}: {when}"),
                Some((start, fallback)) => {
                    let (add, from) = (fallback.add, both(start.counts_from, rules));
                    format!(
                        "the period would start with the {own}, which is not recorded; instead it counts from {add} after the {what}: {when} and {add} is {from}"
                    )
                }
            },
            Some(Doubt::NoStart) => {
                let help = match &clock.start {
                    StartEvent::Uploaded | StartEvent::Processed => String::new(),
                    StartEvent::Event(name) => format!("; `retentiond event add {name}` records it"),
                };
                format!("the period starts with the {own}, whose time is not known: it is kept{help}")
            }
            Some(Doubt::FutureStart) => {
                format!("the {what} is recorded for the future, {when}: in doubt, so it is kept")
            }
            Some(Doubt::FutureUpload) => {
                format!("{}: in doubt, so it is kept", Doubt::FutureUpload.sentence())
            }
            Some(Doubt::BeforeId) => format!(
                "the {what} is recorded at {when}, more than 24 hours before the time inside the file's own id: in doubt, so it is kept"
            ),
            Some(Doubt::BeforeUpload) => {
                format!(
                    "the {what} is recorded more than 24 hours before the upload: in doubt, so it is kept"
                )
            }
            // Told before any start is asked for.
            Some(Doubt::NoType) => Doubt::NoType.sentence().to_owned(),
            Some(Doubt::OutOfCalendar) => {
                format!("the {what}, {when}, leads outside the calendar: it is kept")
            }
        };
        self.say("start", text);
    }

    fn period(&mut self, policy: &Policy, start: Timestamp, end: &PeriodEnd, rules: &RuleSet) {
        let (period, due) = (policy.delete_after, both(end.ends_at, rules));
        let text = match (end.counted_from, end.last_day) {
            (Some(from), Some(last)) => {
                let day = rules.zone.to_datetime(start.to_jiff()).date();
                let rounded = match policy.clock.round_up {
                    Some(unit) => format!(" ({day} rounded up to the last day of its {})", unit.name()),
                    None => String::new(),
                };
                format!(
                    "{period} counted from {from}{rounded}, which itself does not count; {last} is the last day: the period ends {due}"
                )
            }
            (_, None) | (None, _) => format!("{period}, counted exactly: the period ends {due}"),
        };
        self.say("period", text);
    }

    fn floor(&mut self, floor: &Floor, keep_for: Period, until: Timestamp, due: Timestamp, rules: &RuleSet) {
        let effect = if until > due {
            "later than what was found so far: it postpones"
        } else {
            "not later than what was found so far: it changes nothing"
        };
        let (name, basis, until) = (&floor.name, basis(floor), both(until, rules));
        self.say(
            "floor",
            format!("floor `{name}`{basis} keeps it {keep_for}, until {until}: {effect}"),
        );
    }

    fn type_unknown(&mut self) {
        self.say("type", format!("{}: it is kept", Doubt::NoType.sentence()));
    }

    fn floor_forever(&mut self, floor: &Floor) {
        self.say(
            "floor",
            format!("floor `{}`{} keeps it for ever", floor.name, basis(floor)),
        );
    }

    fn deadline(&mut self, policy: &Policy, deadline: Timestamp, due: Timestamp, rules: &RuleSet) {
        let default = due.checked_add_millis(crate::rules::policy::DEFAULT_GRACE_MILLIS) == Some(deadline);
        let why = match policy.delete_by {
            None => "24 hours after it is due".to_owned(),
            Some(stated) if default => format!(
                "24 hours after it is due, because {stated} from the same start ends before that or together with it"
            ),
            Some(stated) => format!("{stated} from the same start"),
        };
        self.say(
            "deadline",
            format!("overdue from {}: {why}", both(deadline, rules)),
        );
    }

    fn mode(&mut self, owner: Option<&Policy>, due: Timestamp, now: Timestamp) {
        let Some(policy) = owner else { return };
        let name = &policy.name;
        let text = match (policy.mode, now >= due) {
            (Mode::Enforce, true) => format!("policy `{name}` enforces, and it is due since {due}"),
            (Mode::Enforce, false) => format!("policy `{name}` enforces, and it is not due before {due}"),
            (Mode::Observe, true) => {
                format!("policy `{name}` only observes: it is due since {due} and would be deleted")
            }
            (Mode::Observe, false) => {
                format!("policy `{name}` only observes, and it is not due before {due}")
            }
        };
        self.say("mode", text);
    }
}
