//! `clock` → where a period starts, what it falls back to, and whether rounding and fallback fit the
//! period.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::code::Code;
use super::diagnostics::Problem;
use super::keys;
use super::reader::{Findings, Section};
use super::suggest::nearest;
use super::values::{period, unknown_word, word};
use crate::model::EventName;
use crate::rules::period::{Period, RoundUp};
use crate::rules::policy::{Fallback, StartClock, StartEvent};

/// The words beside `event:NAME`.
const STARTS: [&str; 2] = ["uploaded", "processed"];
/// What `event:NAME` looks like in a list of words.
const EVENT: &str = "event:contract-ended";
const ROUNDINGS: [(&str, RoundUp); 4] = [
    ("day", RoundUp::Day),
    ("month", RoundUp::Month),
    ("quarter", RoundUp::Quarter),
    ("year", RoundUp::Year),
];

/// A start, with the places of its rounding and of what its fallback adds.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    pub(super) clock: StartClock,
    pub(super) round_up_at: Option<Range<usize>>,
    pub(super) add_at: Option<Range<usize>>,
}

impl Clock {
    fn plain(start: StartEvent) -> Self {
        Self {
            clock: StartClock {
                start,
                round_up: None,
                fallback: None,
            },
            round_up_at: None,
            add_at: None,
        }
    }
}

/// Reads `clock`; without one, the upload starts the period.
pub(super) fn clock(section: &Section<'_>, findings: &mut Findings) -> Option<Clock> {
    let Some(value) = section.value("clock") else {
        return Some(Clock::plain(StartEvent::Uploaded));
    };
    match value.get_ref() {
        DeValue::String(text) => {
            let text = Spanned::new(value.span(), text.clone().into_owned());
            start("clock", &text, findings).map(Clock::plain)
        }
        DeValue::Table(_) => {
            let inner = section.section("clock", &keys::CLOCKS, findings)?;
            let given = inner
                .string("start", findings)
                .and_then(|text| Some(Spanned::new(text.span(), start("start", &text, findings)?)));
            let given = inner.require("start", given, findings);
            let round_up = word(&inner, "round_up", &ROUNDINGS, findings);
            let fallback = fallback(&inner, given.as_ref(), findings);
            // A wrong fallback must not turn into none: the file is refused anyway.
            Some(Clock {
                round_up_at: round_up.as_ref().map(Spanned::span),
                add_at: fallback.as_ref().map(|(_, add_at)| add_at.clone()),
                clock: StartClock {
                    start: given?.into_inner(),
                    round_up: round_up.map(Spanned::into_inner),
                    fallback: fallback.map(|(fallback, _)| fallback),
                },
            })
        }
        DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_) => section.mistyped("clock", "a text or a table", value, findings),
    }
}

/// Reads `fallback = { start, add }`, with the place of `add`.
fn fallback(
    clock: &Section<'_>,
    own: Option<&Spanned<StartEvent>>,
    findings: &mut Findings,
) -> Option<(Fallback, Range<usize>)> {
    let inner = clock.section("fallback", &keys::FALLBACK, findings)?;
    let other = inner
        .string("start", findings)
        .and_then(|text| Some(Spanned::new(text.span(), start("start", &text, findings)?)));
    let other = inner.require("start", other, findings);
    let add = period(&inner, "add", findings);
    let add = inner.require("add", add, findings);
    if let (Some(own), Some(other)) = (own, &other) {
        findings.extend(useless(&inner, own, other));
    }
    let add = add?;
    let fallback = Fallback {
        start: other?.into_inner(),
        add: *add.get_ref(),
    };
    Some((fallback, add.span()))
}

/// A fallback that can never be asked for, or never help.
fn useless(
    fallback: &Section<'_>,
    own: &Spanned<StartEvent>,
    other: &Spanned<StartEvent>,
) -> Option<Problem> {
    if *own.get_ref() == StartEvent::Uploaded {
        return Some(
            Problem::at(
                Code::UselessFallback,
                fallback.at(),
                "`fallback` is never used: when a file was uploaded is always known",
            )
            .label("never used")
            .with(own.span(), "always known")
            .help("remove `fallback`; it is for `start = \"processed\"` and `start = \"event:NAME\"`"),
        );
    }
    (own.get_ref() == other.get_ref()).then(|| {
        Problem::at(
            Code::UselessFallback,
            other.span(),
            format!("`fallback` starts at `{}` too", other.get_ref()),
        )
        .label("not known either, where it is asked for")
        .with(own.span(), "the start itself")
        .help("write `start = \"uploaded\"`: that is always known")
    })
}

fn start(key: &str, text: &Spanned<String>, findings: &mut Findings) -> Option<StartEvent> {
    let given = text.get_ref();
    match given.as_str() {
        "uploaded" => return Some(StartEvent::Uploaded),
        "processed" => return Some(StartEvent::Processed),
        _ => {}
    }
    let Some(name) = given.strip_prefix("event:") else {
        findings.push(not_a_start(key, text));
        return None;
    };
    match EventName::new(name) {
        Ok(name) => Some(StartEvent::Event(name)),
        Err(_) => {
            findings.push(
                Problem::at(
                    Code::BadEvent,
                    text.span(),
                    format!("`{given}` names no event"),
                )
                .label("1 to 64 letters, digits, `-`, `_` and `.` after `event:`")
                .help(format!(
                    "write for example `{key} = \"{EVENT}\"`; `retentiond event add contract-ended` then records when it happened"
                )),
            );
            None
        }
    }
}

fn not_a_start(key: &str, text: &Spanned<String>) -> Problem {
    let given = text.get_ref();
    let problem = unknown_word(key, text, &[STARTS[0], STARTS[1], EVENT]);
    let is_word = nearest(given, STARTS.iter().copied()).is_some();
    match EventName::new(given) {
        // A word that could be an event's name, and is no slip for one of the others.
        Ok(name) if !is_word => problem.label("no such start").help(format!(
            "write `{key} = \"event:{name}\"` for an event that you record, or `{}` or `{}`",
            STARTS[0], STARTS[1]
        )),
        Ok(_) | Err(_) => problem,
    }
}

/// What a fallback adds is counted as the period is: on the calendar, or by the clock.
pub(super) fn fallback_of_other_kind(
    clock: Option<&Clock>,
    key: &str,
    period: &Spanned<Period>,
    findings: &mut Findings,
) {
    let Some(clock) = clock else { return };
    let (Some(fallback), Some(add_at)) = (&clock.clock.fallback, &clock.add_at) else {
        return;
    };
    let counted = |civil: bool| {
        if civil {
            "counted on the calendar"
        } else {
            "counted by the clock"
        }
    };
    let (adds, waits) = (fallback.add.is_civil(), period.get_ref().is_civil());
    if adds == waits {
        return;
    }
    findings.push(
        Problem::at(
            Code::FallbackOtherKind,
            add_at.clone(),
            format!("`add` and `{key}` are counted in different ways"),
        )
        .label(counted(adds))
        .with(period.span(), counted(waits))
        .help("write both in hours, or both in days and longer"),
    );
}

/// Rounding goes to the end of a day, so the period has to count days.
pub(super) fn rounded_hours(
    clock: Option<&Clock>,
    key: &str,
    period: &Spanned<Period>,
    findings: &mut Findings,
) {
    let Some(round_up_at) = clock.and_then(|clock| clock.round_up_at.clone()) else {
        return;
    };
    if period.get_ref().is_civil() {
        return;
    }
    findings.push(
        Problem::at(
            Code::RoundUpWithHours,
            round_up_at,
            format!("`round_up` goes to the end of a day, but `{key}` counts hours"),
        )
        .label("rounds to whole days")
        .with(period.span(), "counts by the clock")
        .help(format!(
            "write `{key}` in days or longer, such as `{key} = \"30 days\"`, or remove `round_up`"
        )),
    );
}
