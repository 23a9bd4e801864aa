//! Single values: words, periods, intervals, percentages, numbers in a range. Each reads one key of
//! a section and says what to type where it cannot.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::code::Code;
use super::diagnostics::Problem;
use super::reader::{Findings, Section};
use super::suggest::{listed, nearest};
use crate::rules::period::{Period, PeriodError};

/// One of a few words.
pub(super) fn word<T: Copy>(
    section: &Section<'_>,
    key: &str,
    words: &[(&str, T)],
    findings: &mut Findings,
) -> Option<Spanned<T>> {
    let text = section.string(key, findings)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| word == text.get_ref()) {
        return Some(Spanned::new(text.span(), *value));
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    findings.push(unknown_word(key, &text, &known));
    None
}

/// A word that is none of `known`.
pub(super) fn unknown_word(key: &str, text: &Spanned<String>, known: &[&str]) -> Problem {
    let given = text.get_ref();
    let problem = Problem::at(
        Code::UnknownValue,
        text.span(),
        format!("`{key}` cannot be `{given}`"),
    );
    match nearest(given, known.iter().copied()) {
        Some(near) => problem
            .label(format!("did you mean `{near}`?"))
            .help(format!("write `{key} = \"{near}\"`; it takes {}", listed(known))),
        None => problem
            .label("no such word")
            .help(format!("`{key}` takes {}", listed(known))),
    }
}

/// A text that may not be empty or blank.
pub(super) fn filled(
    name: &str,
    text: &Spanned<String>,
    example: &str,
    findings: &mut Findings,
) -> Option<String> {
    if text.get_ref().trim().is_empty() {
        findings.push(
            Problem::at(Code::EmptyValue, text.span(), format!("{name} is empty"))
                .help(format!("write a text, for example {example}")),
        );
        return None;
    }
    Some(text.get_ref().clone())
}

/// A period. A bare number is told what it lacks, rather than that it is no text.
pub(super) fn period(section: &Section<'_>, key: &str, findings: &mut Findings) -> Option<Spanned<Period>> {
    let value = section.value(key)?;
    let text = match value.get_ref() {
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::String(text) => text.clone().into_owned(),
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            return section.mistyped(key, "a period in quotes", value, findings);
        }
    };
    match Period::parse(&text) {
        Ok(period) => Some(Spanned::new(value.span(), period)),
        Err(error) => {
            findings.push(bad_period(key, value.span(), &error));
            None
        }
    }
}

fn bad_period(key: &str, span: Range<usize>, error: &PeriodError) -> Problem {
    let (code, message, label, help) = match error {
        PeriodError::NoUnit { number } => (
            Code::PeriodWithoutUnit,
            "has no unit",
            "a number of what?".to_owned(),
            format!("write `{key} = \"{number} days\"`, or weeks, months, years, hours"),
        ),
        PeriodError::BareM { number } => (
            Code::AmbiguousUnit,
            "has the unit `m`, which is read as minutes by some and as months by others",
            "minutes or months?".to_owned(),
            format!("write `{key} = \"{number} months\"` or `{key} = \"{number} minutes\"`"),
        ),
        PeriodError::Zero => (
            Code::ZeroPeriod,
            "has no length",
            "zero".to_owned(),
            format!("write how long, for example `{key} = \"30 days\"`; nothing is deleted at once"),
        ),
        PeriodError::Negative => (
            Code::ZeroPeriod,
            "is negative",
            "before the start".to_owned(),
            format!("write `{key} = \"30 days\"`, without a sign and without `ago`"),
        ),
        PeriodError::Mixed => (
            Code::MixedPeriod,
            "mixes days and hours",
            "one or the other".to_owned(),
            "days and longer are counted on the calendar, hours and shorter by the clock: write `2 days` or `48 hours`"
                .to_owned(),
        ),
        PeriodError::Overflow => (
            Code::PeriodTooLong,
            "is longer than 1000 years",
            "beyond the calendar".to_owned(),
            "write a period that can end, such as `10 years`; `[[keep]]` also takes `keep_for = \"forever\"`"
                .to_owned(),
        ),
        PeriodError::Fraction => (
            Code::BadPeriod,
            "has a fraction",
            "whole units only".to_owned(),
            "write `90 minutes` for 1.5 hours, `36 hours` for 1.5 days".to_owned(),
        ),
        PeriodError::Unreadable { .. } => (
            Code::BadPeriod,
            "is no period",
            "not understood".to_owned(),
            format!("write a number and a unit, such as `{key} = \"30 days\"`, `\"6 months 14 days\"`, `\"72 hours\"` or `\"P6M\"`"),
        ),
    };
    Problem::at(code, span, format!("`{key}` {message}"))
        .label(label)
        .help(help)
}

/// An exact interval inside `range`, or `default`.
pub(super) fn interval(
    section: &Section<'_>,
    key: &str,
    range: RangeInclusive<Duration>,
    default: Duration,
    findings: &mut Findings,
) -> Spanned<Duration> {
    let read = section
        .string(key, findings)
        .and_then(|text| match exact(text.get_ref()) {
            Some(length) => Some(Spanned::new(text.span(), length)),
            None => {
                findings.push(
                    Problem::at(Code::BadInterval, text.span(), format!("`{key}` is no interval"))
                        .label("not understood")
                        .help("write a number and a unit: `500ms`, `2s`, `1 minute`, `1 hour`"),
                );
                None
            }
        });
    let Some(read) = read else {
        return Spanned::new(section.at(), default);
    };
    if !range.contains(read.get_ref()) {
        findings.push(
            Problem::at(
                Code::OutOfRange,
                read.span(),
                format!("`{key}` is outside its range"),
            )
            .label("too short or too long")
            .help(format!(
                "write an interval from {} to {}",
                spoken(*range.start()),
                spoken(*range.end())
            )),
        );
    }
    read
}

fn spoken(length: Duration) -> String {
    match length.as_millis() {
        0 => "0s".to_owned(),
        ms if ms % 60_000 == 0 => format!("{} minutes", ms / 60_000),
        ms if ms % 1000 == 0 => format!("{}s", ms / 1000),
        ms => format!("{ms}ms"),
    }
}

fn exact(text: &str) -> Option<Duration> {
    match Period::parse(text) {
        Ok(Period::Exact { millis }) => u64::try_from(millis).ok().map(Duration::from_millis),
        Ok(Period::Civil { .. }) => None,
        Err(PeriodError::Zero) => Some(Duration::ZERO),
        Err(
            PeriodError::NoUnit { .. }
            | PeriodError::BareM { .. }
            | PeriodError::Negative
            | PeriodError::Mixed
            | PeriodError::Overflow
            | PeriodError::Fraction
            | PeriodError::Unreadable { .. },
        ) => None,
    }
}

/// A whole number inside `range`, or `default`.
pub(super) fn number(
    section: &Section<'_>,
    key: &str,
    range: RangeInclusive<i64>,
    default: i64,
    findings: &mut Findings,
) -> i64 {
    let Some(read) = section.integer(key, findings) else {
        return default;
    };
    if range.contains(read.get_ref()) {
        return *read.get_ref();
    }
    let (low, high) = (range.start(), range.end());
    let label = format!("not in {low} to {high}");
    let help = format!("write a number from {low} to {high}; the default is {default}");
    findings.push(
        Problem::at(
            Code::OutOfRange,
            read.span(),
            format!("`{key}` is outside its range"),
        )
        .label(label)
        .help(help),
    );
    default
}

/// A whole percentage from 1 % to 100 %, or `default`.
pub(super) fn percentage(section: &Section<'_>, key: &str, default: u8, findings: &mut Findings) -> u8 {
    let Some(value) = section.value(key) else {
        return default;
    };
    let text = value.get_ref().as_str();
    let read = text
        .and_then(|text| text.trim().strip_suffix('%'))
        .and_then(percent);
    read.unwrap_or_else(|| {
        findings.push(
            Problem::at(
                Code::BadPercentage,
                value.span(),
                format!("`{key}` is no percentage"),
            )
            .label("not 1% to 100%")
            .help(format!(
                "write a whole percentage from 1% to 100% in quotes: `{key} = \"{default}%\"`"
            )),
        );
        default
    })
}

fn percent(digits: &str) -> Option<u8> {
    let digits = digits.trim_end();
    let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let value: u8 = if plain { digits.parse().ok()? } else { return None };
    (1..=100).contains(&value).then_some(value)
}
