//! `timezone`: which zone, and whether anything needs one.

use std::ops::Range;

use jiff::tz::TimeZone;
use toml::Spanned;

use super::code::Code;
use super::diagnostics::Problem;
use super::policies::{FloorDraft, PolicyDraft};
use super::reader::{Findings, Section};
use super::suggest::nearest;
use crate::rules::period::Period;
use crate::rules::policy::KeepFor;

/// What the file says of its zone.
#[derive(Debug)]
pub(super) enum Zone {
    /// A known zone, with the name that the database gives it.
    Known(TimeZone, String),
    /// A text that is no zone; reported.
    Unknown,
    /// Nothing.
    Unstated,
    /// Nothing, but a key that was probably meant to say it; reported.
    Misspelt,
}

impl Zone {
    pub(super) fn read(top: &Section<'_>, findings: &mut Findings) -> Self {
        if top.value("timezone").is_none() {
            return if top.has_slip_for("timezone") {
                Self::Misspelt
            } else {
                Self::Unstated
            };
        }
        let Some(text) = top.string("timezone", findings) else {
            return Self::Unknown;
        };
        match lookup(text.get_ref()) {
            Some((zone, name)) => Self::Known(zone, name),
            None => {
                findings.push(unknown(&text));
                Self::Unknown
            }
        }
    }

    /// The zone, or UTC where the file needs none.
    pub(super) fn or_utc(self) -> (TimeZone, String) {
        match self {
            Self::Known(zone, name) => (zone, name),
            Self::Unknown | Self::Unstated | Self::Misspelt => (TimeZone::UTC, "UTC".to_owned()),
        }
    }
}

/// Only real IANA names: the directories `posix/` and `right/` (which counts leap seconds) and the
/// machine's own `localtime` would make the rules depend on the machine.
fn is_of_the_machine(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    ["posix", "right/", "local", "etc/unknown", "factory"]
        .iter()
        .any(|prefix| lower.starts_with(prefix))
}

fn lookup(name: &str) -> Option<(TimeZone, String)> {
    if is_of_the_machine(name) {
        return None;
    }
    let zone = jiff::tz::db().get(name).ok()?;
    let name = zone.iana_name()?.to_owned();
    Some((zone, name))
}

fn unknown(text: &Spanned<String>) -> Problem {
    let given = text.get_ref();
    let problem = Problem::at(
        Code::UnknownTimezone,
        text.span(),
        format!("`{given}` is no time zone"),
    );
    if jiff::tz::db().is_definitively_empty() {
        return problem.help("this machine has no time zone data: install the package tzdata");
    }
    let names: Vec<String> = jiff::tz::db()
        .available()
        .map(|name| name.to_string())
        .filter(|name| !is_of_the_machine(name))
        .collect();
    let city = |name: &&String| {
        name.rsplit('/')
            .next()
            .is_some_and(|city| city.eq_ignore_ascii_case(&given.replace(' ', "_")))
    };
    let near = names
        .iter()
        .find(city)
        .map(String::as_str)
        .or_else(|| nearest(given, names.iter().map(String::as_str)));
    match near {
        Some(near) => problem
            .label(format!("did you mean `{near}`?"))
            .help(format!("write `timezone = \"{near}\"`")),
        None => problem.label("not in the IANA time zone database").help(
            "write the IANA name of the zone, such as `timezone = \"Europe/Berlin\"` or `timezone = \"UTC\"`",
        ),
    }
}

/// Reports a missing `timezone` at the first place that needs one.
pub(super) fn required(
    zone: &Zone,
    policies: &[PolicyDraft],
    floors: &[FloorDraft],
    others: &[Option<&Spanned<Period>>],
    findings: &mut Findings,
) {
    if !matches!(zone, Zone::Unstated) {
        return;
    }
    let calendar = "days and longer are counted on a calendar";
    let mut needs: Vec<(Range<usize>, &str)> = Vec::new();
    let mut civil = |period: Option<&Spanned<Period>>| {
        if let Some(period) = period.filter(|period| period.get_ref().is_civil()) {
            needs.push((period.span(), calendar));
        }
    };
    for period in others {
        civil(*period);
    }
    for policy in policies {
        civil(policy.delete_after.as_ref());
    }
    for floor in floors {
        civil(kept(floor).as_ref());
    }
    for policy in policies {
        if let Some(schedule) = &policy.schedule {
            needs.push((schedule.span(), "a schedule is a time of day somewhere"));
        }
    }
    if let Some((span, why)) = needs.into_iter().min_by_key(|(span, _)| span.start) {
        findings.push(
            Problem::at(Code::TimezoneMissing, span, "`timezone` is missing")
                .label(why)
                .help("add `timezone = \"Europe/Berlin\"` (your own zone, or \"UTC\") at the top of the file, above the first [table]"),
        );
    }
}

fn kept(floor: &FloorDraft) -> Option<Spanned<Period>> {
    let keep = floor.keep_for.as_ref()?;
    match keep.get_ref() {
        KeepFor::Period(period) => Some(Spanned::new(keep.span(), *period)),
        KeepFor::Forever => None,
    }
}
