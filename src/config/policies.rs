//! `[[policy]]` and `[[keep]]` → drafts: values checked one by one and against their neighbours in
//! the same table. What holds between tables is judged in [`super::relations`].

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::accounts::account;
use super::clocks::{Clock, clock, fallback_of_other_kind, rounded_hours};
use super::code::Code;
use super::diagnostics::Problem;
use super::matching::matcher;
use super::reader::{Findings, Section};
use super::statements::Statement;
use super::values::{filled, period, word};
use super::windows::window;
use crate::model::{AccountName, PolicyName};
use crate::rules::matching::Matcher;
use crate::rules::period::Period;
use crate::rules::policy::{ApprovalRule, ERASURE, Floor, KeepFor, Mode, Policy};
use crate::rules::schedule::Schedule;
use crate::rules::window::Window;

const MODES: [(&str, Mode); 2] = [("observe", Mode::Observe), ("enforce", Mode::Enforce)];
const APPROVALS: [(&str, ApprovalRule); 2] = [
    ("over-limit", ApprovalRule::OverLimit),
    ("always", ApprovalRule::Always),
];

/// What policies and floors have in common, with places. `None`: missing or wrong, and reported.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) at: Range<usize>,
    pub(super) name: Option<Spanned<PolicyName>>,
    pub(super) matcher: Option<Spanned<Matcher>>,
    pub(super) clock: Option<Clock>,
}

/// A `[[policy]]` with places.
#[derive(Debug)]
pub(super) struct PolicyDraft {
    pub(super) common: Common,
    pub(super) account: Option<Spanned<AccountName>>,
    pub(super) delete_after: Option<Spanned<Period>>,
    pub(super) delete_by: Option<Spanned<Period>>,
    pub(super) schedule: Option<Spanned<Schedule>>,
    pub(super) window: Option<Spanned<Window>>,
    pub(super) mode: Option<Spanned<Mode>>,
    pub(super) approval: ApprovalRule,
    approve_shortening: Option<bool>,
    pub(super) statement: Statement,
}

/// A `[[keep]]` with places.
#[derive(Debug)]
pub(super) struct FloorDraft {
    pub(super) common: Common,
    pub(super) keep_for: Option<Spanned<KeepFor>>,
    binding: bool,
    basis: Option<String>,
}

impl Common {
    fn read(section: &Section<'_>, labels: &[String], findings: &mut Findings) -> Self {
        let name = name(section, findings);
        let matcher = matcher(section, labels, findings);
        Self {
            at: section.at(),
            name: section.require("name", name, findings),
            matcher: section.require("match", matcher, findings),
            clock: clock(section, findings),
        }
    }

    /// The name, or what to call it without one.
    pub(super) fn called(&self) -> &str {
        self.name.as_ref().map_or("?", |name| name.get_ref().as_str())
    }

    /// Where to point for the policy as a whole.
    pub(super) fn name_at(&self) -> Range<usize> {
        self.name.as_ref().map_or(self.at.clone(), Spanned::span)
    }
}

impl PolicyDraft {
    pub(super) fn read(section: &Section<'_>, labels: &[String], findings: &mut Findings) -> Self {
        let common = Common::read(section, labels, findings);
        let delete_after = period(section, "delete_after", findings);
        let schedule = schedule(section, findings);
        let draft = Self {
            account: account(section, "account", findings),
            delete_after: section.require("delete_after", delete_after, findings),
            delete_by: period(section, "delete_by", findings),
            schedule: section.require("schedule", schedule, findings),
            window: window(section, findings),
            mode: word(section, "mode", &MODES, findings),
            approval: word(section, "approval", &APPROVALS, findings)
                .map_or(ApprovalRule::OverLimit, Spanned::into_inner),
            approve_shortening: section.boolean("approve_shortening", findings),
            statement: Statement::read(section, findings),
            common,
        };
        draft.check(findings);
        draft
    }

    fn check(&self, findings: &mut Findings) {
        if let Some(after) = &self.delete_after {
            rounded_hours(self.common.clock.as_ref(), "delete_after", after, findings);
            fallback_of_other_kind(self.common.clock.as_ref(), "delete_after", after, findings);
        }
        if let (Some(after), Some(by)) = (&self.delete_after, &self.delete_by) {
            findings.extend(deadline(after, by));
        }
    }

    /// The policy, if nothing is missing.
    pub(super) fn finish(self) -> Option<Policy> {
        Some(Policy {
            name: self.common.name?.into_inner(),
            account: self.account.map(Spanned::into_inner),
            matcher: self.common.matcher?.into_inner(),
            clock: self.common.clock?.clock,
            delete_after: self.delete_after?.into_inner(),
            delete_by: self.delete_by.map(Spanned::into_inner),
            schedule: self.schedule?.into_inner(),
            window: self.window.map(Spanned::into_inner),
            mode: self.mode.map_or(Mode::Observe, Spanned::into_inner),
            approval: self.approval,
            approve_shortening: self.approve_shortening,
        })
    }
}

impl FloorDraft {
    pub(super) fn read(section: &Section<'_>, labels: &[String], findings: &mut Findings) -> Self {
        let common = Common::read(section, labels, findings);
        let keep_for = keep_for(section, findings);
        let draft = Self {
            keep_for: section.require("keep_for", keep_for, findings),
            binding: section.boolean("binding", findings).unwrap_or(false),
            basis: section
                .string("basis", findings)
                .and_then(|text| filled("`basis`", &text, "\"§ 147 AO\"", findings)),
            common,
        };
        if let Some(keep) = &draft.keep_for
            && let KeepFor::Period(period) = *keep.get_ref()
        {
            let period = Spanned::new(keep.span(), period);
            rounded_hours(draft.common.clock.as_ref(), "keep_for", &period, findings);
            fallback_of_other_kind(draft.common.clock.as_ref(), "keep_for", &period, findings);
        }
        draft
    }

    /// The floor, if nothing is missing.
    pub(super) fn finish(self) -> Option<Floor> {
        Some(Floor {
            name: self.common.name?.into_inner(),
            matcher: self.common.matcher?.into_inner(),
            clock: self.common.clock?.clock,
            keep_for: self.keep_for?.into_inner(),
            binding: self.binding,
            basis: self.basis,
        })
    }
}

fn name(section: &Section<'_>, findings: &mut Findings) -> Option<Spanned<PolicyName>> {
    let text = section.string("name", findings)?;
    filled("`name`", &text, "\"applications\"", findings)?;
    let problem = match PolicyName::new(text.get_ref().as_str()) {
        Ok(name) if name.as_str() == ERASURE => {
            findings.push(
                Problem::at(
                    Code::BadName,
                    text.span(),
                    format!("`{ERASURE}` is a name of retentiond's own"),
                )
                .label("the sweep of erasure requests has it")
                .help(
                    "choose another name; commands, reports and metrics show erasure requests under this one",
                ),
            );
            return None;
        }
        Ok(name) => return Some(Spanned::new(text.span(), name)),
        Err(error) => Problem::at(Code::BadName, text.span(), error.to_string()),
    };
    findings.push(problem.help("write a short name on one line; commands and metrics repeat it"));
    None
}

pub(super) fn schedule(section: &Section<'_>, findings: &mut Findings) -> Option<Spanned<Schedule>> {
    let text = section.string("schedule", findings)?;
    match Schedule::parse(text.get_ref()) {
        Ok(schedule) => Some(Spanned::new(text.span(), schedule)),
        Err(error) => {
            let problem = Problem::at(
                Code::BadSchedule,
                text.span(),
                "`schedule` is no usable cron expression",
            );
            findings.push(problem.label("when to sweep").help(error.to_string()));
            None
        }
    }
}

fn keep_for(section: &Section<'_>, findings: &mut Findings) -> Option<Spanned<KeepFor>> {
    let value = section.value("keep_for")?;
    if matches!(value.get_ref(), DeValue::String(text) if text == "forever") {
        return Some(Spanned::new(value.span(), KeepFor::Forever));
    }
    let read = period(section, "keep_for", findings)?;
    Some(Spanned::new(read.span(), KeepFor::Period(*read.get_ref())))
}

fn deadline(after: &Spanned<Period>, by: &Spanned<Period>) -> Option<Problem> {
    let (due, latest) = (after.get_ref(), by.get_ref());
    if due.is_civil() != latest.is_civil() {
        let problem = Problem::at(
            Code::DeleteByOtherKind,
            by.span(),
            "`delete_by` and `delete_after` are counted in different ways",
        );
        return Some(
            problem
                .label(counted(latest))
                .with(after.span(), counted(due))
                .help("write both in hours, or both in days and longer; without `delete_by` the deadline is 24 hours after a file becomes due"),
        );
    }
    if latest.compare(due).is_none_or(std::cmp::Ordering::is_gt) {
        return None;
    }
    let problem = Problem::at(
        Code::DeleteByTooShort,
        by.span(),
        "`delete_by` must be longer than `delete_after`",
    );
    Some(
        problem
            .label("overdue from here on")
            .with(after.span(), "due from here on")
            .help("both count from the same start: for a deadline two weeks after a file becomes due, write `delete_after = \"6 months\"` and `delete_by = \"6 months 14 days\"`"),
    )
}

fn counted(period: &Period) -> &'static str {
    if period.is_civil() {
        "counted on the calendar"
    } else {
        "counted by the clock"
    }
}
