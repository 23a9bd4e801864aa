//! `clock` → where a period starts, and whether its rounding fits the period.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::code::Code;
use super::diagnostics::Problem;
use super::keys;
use super::reader::{Findings, Section};
use super::values::{unknown_word, word};
use crate::rules::period::{Period, RoundUp};
use crate::rules::policy::{StartClock, StartEvent};

const STARTS: [(&str, StartEvent); 2] = [
    ("uploaded", StartEvent::Uploaded),
    ("processed", StartEvent::Processed),
];
const ROUNDINGS: [(&str, RoundUp); 4] = [
    ("day", RoundUp::Day),
    ("month", RoundUp::Month),
    ("quarter", RoundUp::Quarter),
    ("year", RoundUp::Year),
];
/// A start, with the place of its rounding.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    pub(super) clock: StartClock,
    pub(super) round_up_at: Option<Range<usize>>,
}

/// Reads `clock`; without one, the upload starts the period.
pub(super) fn clock(section: &Section<'_>, findings: &mut Findings) -> Option<Clock> {
    let Some(value) = section.value("clock") else {
        let clock = StartClock {
            start: StartEvent::Uploaded,
            round_up: None,
        };
        return Some(Clock {
            clock,
            round_up_at: None,
        });
    };
    match value.get_ref() {
        DeValue::String(text) => {
            let text = Spanned::new(value.span(), text.clone().into_owned());
            start("clock", &text, findings).map(|start| Clock {
                clock: StartClock {
                    start,
                    round_up: None,
                },
                round_up_at: None,
            })
        }
        DeValue::Table(_) => {
            let inner = section.section("clock", &keys::CLOCKS, findings)?;
            let given = inner
                .string("start", findings)
                .and_then(|text| start("start", &text, findings));
            let given = inner.require("start", given, findings);
            let round_up = word(&inner, "round_up", &ROUNDINGS, findings);
            Some(Clock {
                round_up_at: round_up.as_ref().map(Spanned::span),
                clock: StartClock {
                    start: given?,
                    round_up: round_up.map(Spanned::into_inner),
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

fn start(key: &str, text: &Spanned<String>, findings: &mut Findings) -> Option<StartEvent> {
    let given = text.get_ref();
    if let Some((_, start)) = STARTS.iter().find(|(word, _)| word == given) {
        return Some(*start);
    }
    findings.push(if given.starts_with("event:") || given == "event" {
        Problem::at(
            Code::EventNotAvailable,
            text.span(),
            "clocks that start at an event are not available in this version",
        )
        .label("not available yet")
        .help(format!(
            "start from the upload or the end of processing: `{key} = \"uploaded\"` or `{key} = \"processed\"`"
        ))
    } else {
        unknown_word(key, text, &STARTS.map(|(word, _)| word))
    });
    None
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
