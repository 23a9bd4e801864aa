//! `window` and `blackout` → when a policy may delete. What follows of it is judged in [`judge`].

mod judge;

use jiff::civil::{Date, Time};
use toml::Spanned;

use super::code::Code;
use super::diagnostics::Problem;
use super::keys;
use super::reader::{Findings, Section};
use super::suggest::{listed, nearest};
use crate::rules::window::{Blackout, Window, WindowError};
pub(super) use judge::judge;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Reads `window`.
pub(super) fn window(section: &Section<'_>, findings: &mut Findings) -> Option<Spanned<Window>> {
    section.value("window")?;
    let inner = section.section("window", &keys::WINDOW, findings)?;
    let before = findings.len();
    if inner.table().is_empty() {
        findings.push(
            Problem::at(Code::EmptyValue, inner.at(), "`window` says nothing")
                .label("open at all times")
                .help("write `window = { from = \"22:00\", until = \"05:00\" }`, or leave it out: without a window a policy may always delete"),
        );
    }
    let days = days(&inner, findings);
    let from = time(&inner, "from", findings);
    let until = time(&inner, "until", findings);
    if findings.len() > before {
        return None;
    }
    match Window::new(days, from, until) {
        Ok(window) => Some(Spanned::new(inner.at(), window)),
        Err(error @ (WindowError::NoDay | WindowError::Empty)) => {
            findings.push(
                Problem::at(Code::BadWindow, inner.at(), format!("`window` never opens: {error}"))
                    .label("never open")
                    .help("write `window = { days = [\"mon..fri\"], from = \"22:00\", until = \"05:00\" }`; without `from` and `until` it is open all day"),
            );
            None
        }
    }
}

fn days(section: &Section<'_>, findings: &mut Findings) -> [bool; 7] {
    let Some(texts) = section.strings("days", findings) else {
        return [true; 7];
    };
    let mut open = [false; 7];
    for text in texts {
        let ends: Vec<&str> = text.get_ref().split("..").map(str::trim).collect();
        let places: Vec<Option<usize>> = ends
            .iter()
            .map(|end| DAYS.iter().position(|day| day.eq_ignore_ascii_case(end)))
            .collect();
        match places[..] {
            [Some(day)] => open[day] = true,
            [Some(first), Some(last)] => {
                let span = (last + 7 - first) % 7;
                (first..=first + span).for_each(|day| open[day % 7] = true);
            }
            _ => findings.push(no_day(&text, &ends)),
        }
    }
    open
}

fn no_day(text: &Spanned<String>, ends: &[&str]) -> Problem {
    let problem = Problem::at(
        Code::BadWindow,
        text.span(),
        format!("`days` cannot hold `{}`", text.get_ref()),
    );
    let near = ends
        .iter()
        .filter(|end| !DAYS.contains(end))
        .find_map(|end| nearest(end.get(..3).unwrap_or(end), DAYS));
    let problem = match near {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None => problem.label("no day of the week"),
    };
    problem.help(format!(
        "`days` takes {}, and ranges such as `\"mon..fri\"`",
        listed(&DAYS)
    ))
}

fn time(section: &Section<'_>, key: &str, findings: &mut Findings) -> Time {
    let Some(text) = section.string(key, findings) else {
        return Time::midnight();
    };
    let plain = text.get_ref().len() == 5 && text.get_ref().as_bytes()[2] == b':';
    let read = if plain {
        Time::strptime("%H:%M", text.get_ref()).ok()
    } else {
        None
    };
    read.unwrap_or_else(|| {
        findings.push(
            Problem::at(Code::BadWindow, text.span(), format!("`{key}` is no time of day"))
                .label("hours and minutes, 00:00 to 23:59")
                .help(format!(
                    "write two digits each: `{key} = \"{}\"`",
                    keys::WINDOW.example_text(key)
                )),
        );
        Time::midnight()
    })
}

/// Reads `blackout`.
pub(super) fn blackouts(top: &Section<'_>, findings: &mut Findings) -> Vec<Spanned<Blackout>> {
    let mut found = Vec::new();
    for text in top.strings("blackout", findings).unwrap_or_default() {
        let whole = text.get_ref();
        let (first, last) = whole.split_once("..").unwrap_or((whole, whole));
        match (date(first), date(last)) {
            (Some(first), Some(last)) if first <= last => {
                found.push(Spanned::new(text.span(), Blackout { first, last }));
            }
            (Some(_), Some(_)) => findings.push(
                Problem::at(Code::BadBlackout, text.span(), "`blackout` ends before it begins")
                    .label("the earlier date stands first")
                    .help(format!("write `blackout = [\"{}..{}\"]`", last.trim(), first.trim())),
            ),
            (None, _) | (_, None) => findings.push(
                Problem::at(Code::BadBlackout, text.span(), format!("`blackout` cannot hold `{whole}`"))
                    .label("no date")
                    .help("write a date, or a first and a last one: `blackout = [\"2026-12-24..2026-12-26\", \"2027-01-01\"]`"),
            ),
        }
    }
    found
}

/// Year, month and day: longer forms also parse, and mean something else.
fn date(text: &str) -> Option<Date> {
    let text = text.trim();
    text.parse().ok().filter(|_| text.len() == 10)
}
