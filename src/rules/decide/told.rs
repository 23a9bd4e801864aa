//! The teller that a person hears: sentences with values, each with the place where it is written.

use super::erasing::{Erasing, Fate};
use super::start::Start;
use super::tell::{Tell, event};
use super::{Doubt, Source, Step};
use crate::model::{FileRecord, Hold, PolicyName, Timestamp};
use crate::rules::period::{Period, PeriodEnd};
use crate::rules::policy::{
    DEFAULT_GRACE_MILLIS, Floor, KeepFor, Mode, Policy, RuleSet, StartClock, StartEvent,
};

/// Collects the sentences.
pub(super) struct Told<'r> {
    rules: &'r RuleSet,
    pub(super) steps: Vec<Step>,
    zone_told: bool,
}

impl<'r> Told<'r> {
    pub(super) const fn new(rules: &'r RuleSet) -> Self {
        Self {
            rules,
            steps: Vec::new(),
            zone_told: false,
        }
    }

    fn say(&mut self, step: &'static str, source: Source, text: String) {
        self.steps.push(Step { step, source, text });
    }

    fn key(&self, rule: &PolicyName, keys: &[&str]) -> Source {
        Source::of_rule(&self.rules.lines, rule, keys)
    }

    /// The instant in UTC, and what the clock on the wall of the policy's zone says.
    fn both(&self, at: Timestamp) -> String {
        let wall = self.rules.zone.to_datetime(at.to_jiff());
        format!(
            "{at} ({} in {})",
            wall.strftime("%Y-%m-%d %H:%M"),
            self.rules.zone_name
        )
    }

    /// Zone and rounding, where days are counted.
    fn counted_by(&mut self, rule: &PolicyName, clock: &StartClock, start: Timestamp, end: &PeriodEnd) {
        let Some(from) = end.counted_from else { return };
        if !self.zone_told {
            self.zone_told = true;
            let source = Source::of_file(&self.rules.lines, "timezone");
            self.say(
                "zone",
                source,
                format!("days are those of {}", self.rules.zone_name),
            );
        }
        if let Some(unit) = clock.round_up {
            let day = self.rules.zone.to_datetime(start.to_jiff()).date();
            let source = self.key(rule, &["clock.round_up", "clock"]);
            let unit = unit.name();
            self.say(
                "rounding",
                source,
                format!("{day} is rounded up to the last day of its {unit}: {from}"),
            );
        }
    }

    fn start_text(
        &self,
        file: &FileRecord,
        clock: &StartClock,
        start: Option<&Start<'_>>,
        doubt: Option<Doubt>,
    ) -> String {
        let own = event(&clock.start);
        let what = start.map_or_else(|| own.clone(), |start| event(start.event));
        let when = start.map_or_else(
            || "at an unknown time".to_owned(),
            |start| format!("{}{}", self.both(start.at), recorded_for(file, start)),
        );
        match doubt {
            None => match start.and_then(|start| Some((start, start.fallback?))) {
                None => format!("the period starts with the {what}: {when}"),
                Some((start, fallback)) => {
                    let (add, from) = (fallback.add, self.both(start.counts_from));
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

/// The arithmetic of a period, up to where it ends.
fn counted(period: Period, end: &PeriodEnd) -> String {
    match (end.counted_from, end.last_day) {
        (Some(from), Some(last)) => {
            format!("{period} counted from {from}, which itself does not count; {last} is the last day")
        }
        (_, None) | (None, _) => format!("{period}, counted exactly"),
    }
}

impl Tell for Told<'_> {
    fn hold(&mut self, hold: Option<&Hold>) {
        let Some(hold) = hold else {
            self.say("hold", Source::Ledger, "no hold covers it".to_owned());
            return;
        };
        let until = hold.ends_at.map_or_else(
            || "until it is released".to_owned(),
            |end| format!("until {end}: it was released, and its cool-down is not over"),
        );
        let (id, reason, since) = (hold.id.0, &hold.reason, hold.placed_at);
        let text = format!("hold {id} ({reason}) covers it since {since} and keeps it {until}");
        self.say("hold", Source::Hold { hold: hold.id }, text);
    }

    fn erasure(&mut self, erasing: Option<&Erasing<'_>>) {
        let Some(Erasing { request, fate }) = erasing else {
            let text = "no erasure request covers it".to_owned();
            self.say("erasure", Source::Ledger, text);
            return;
        };
        let source = Source::Erasure { erasure: request.id };
        let (id, reference, received) = (request.id.0, &request.reference, request.received);
        let (effect, bound) = match fate {
            Fate::Free { since } => (format!("it goes, whatever the policies say, since {since}"), None),
            Fate::Bound { floor, until } => (
                "something binding stands against it".to_owned(),
                Some((floor, until)),
            ),
            Fate::Doubtful(doubt) => (
                format!(
                    "what is binding cannot be told, so it is kept: {}",
                    doubt.sentence()
                ),
                None,
            ),
        };
        let text = format!("erasure request {id} ({reference}), received on {received}, covers it: {effect}");
        self.say("erasure", source, text);
        if let Some((floor, until)) = bound {
            let until = until.map_or_else(|| "for ever".to_owned(), |at| format!("until {}", self.both(at)));
            let (source, basis) = (self.key(&floor.name, &["binding"]), basis(floor));
            let text = format!(
                "binding floor `{}`{basis} keeps it {until} all the same",
                floor.name
            );
            self.say("binding", source, text);
        }
    }

    fn owner(&mut self, owner: Option<&Policy>) {
        let Some(policy) = owner else {
            let text = "no policy matches: it is kept, and shown as unowned".to_owned();
            self.say("owner", Source::Ledger, text);
            return;
        };
        let policies = &self.rules.policies;
        let place = policies.iter().position(|p| p.name == policy.name).unwrap_or(0) + 1;
        let text = format!(
            "policy `{}` owns it: number {place} of {}, the first that matches",
            policy.name,
            policies.len()
        );
        let source = self.key(&policy.name, &["match"]);
        self.say("owner", source, text);
    }

    fn start(
        &mut self,
        file: &FileRecord,
        rule: &PolicyName,
        clock: &StartClock,
        start: Option<&Start<'_>>,
        doubt: Option<Doubt>,
    ) {
        let source = if start.is_some_and(|start| start.fallback.is_some()) {
            self.key(rule, &["clock.fallback", "clock"])
        } else {
            self.key(rule, &["clock.start", "clock"])
        };
        let text = self.start_text(file, clock, start, doubt);
        self.say("start", source, text);
    }

    fn period(&mut self, policy: &Policy, start: Timestamp, end: &PeriodEnd) {
        self.counted_by(&policy.name, &policy.clock, start, end);
        let text = format!(
            "{}: the period ends {}",
            counted(policy.delete_after, end),
            self.both(end.ends_at)
        );
        let source = self.key(&policy.name, &["delete_after"]);
        self.say("period", source, text);
    }

    fn floor(&mut self, floor: &Floor) {
        let source = self.key(&floor.name, &["match"]);
        let text = format!("floor `{}`{} covers it", floor.name, basis(floor));
        self.say("floor", source, text);
    }

    fn keep(&mut self, floor: &Floor, kept: Option<(Timestamp, &PeriodEnd)>, due: Option<Timestamp>) {
        let text = match (floor.keep_for, kept) {
            (KeepFor::Period(period), Some((start, end))) => {
                self.counted_by(&floor.name, &floor.clock, start, end);
                let effect = if due.is_none_or(|due| end.ends_at > due) {
                    "later than what was found so far: it postpones"
                } else {
                    "not later than what was found so far: it changes nothing"
                };
                let (counted, until) = (counted(period, end), self.both(end.ends_at));
                format!("{counted}: it keeps until {until}, {effect}")
            }
            (KeepFor::Forever, _) | (KeepFor::Period(_), None) => "it keeps for ever".to_owned(),
        };
        let source = self.key(&floor.name, &["keep_for"]);
        self.say("keep", source, text);
    }

    fn type_unknown(&mut self) {
        let text = format!("{}: it is kept", Doubt::NoType.sentence());
        self.say("type", Source::Ledger, text);
    }

    fn deadline(&mut self, policy: &Policy, deadline: Timestamp, due: Timestamp) {
        let default = due.checked_add_millis(DEFAULT_GRACE_MILLIS) == Some(deadline);
        let why = match policy.delete_by {
            None => "24 hours after it is due".to_owned(),
            Some(stated) if default => format!(
                "24 hours after it is due, because {stated} from the same start ends before that or together with it"
            ),
            Some(stated) => format!("{stated} from the same start"),
        };
        let text = format!("overdue from {}: {why}", self.both(deadline));
        let source = self.key(&policy.name, &["delete_by"]);
        self.say("deadline", source, text);
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
        let source = self.key(name, &["mode"]);
        self.say("mode", source, text);
    }
}
