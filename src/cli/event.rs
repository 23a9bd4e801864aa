//! `event add|list`: what happened outside, from which clocks `event:NAME` count.

use std::collections::BTreeSet;

use clap::{ArgGroup, Args, Subcommand};
use jiff::civil::Date;
use serde::Serialize;

use super::context::{Context, declared_label, typed};
use super::exit::{Exit, Failure};
use super::output::{files, lines, table};
use crate::config::Checked;
use crate::engine::effect::{Effect, effect_of};
use crate::engine::planning::renew_hints;
use crate::ledger::{EventNoted, Ledger};
use crate::model::{EventName, EventScope, NewEvent, Timestamp};
use crate::rules::period::day_begins;
use crate::rules::policy::{RuleSet, StartClock, StartEvent};

/// `event …`.
#[derive(Debug, Subcommand)]
pub enum EventCommand {
    /// Record when an event happened; clocks `event:NAME` count from it.
    Add(EventAddArgs),
    /// List the events on record.
    List {
        /// Times that were corrected too.
        #[arg(long)]
        all: bool,
    },
}

/// `event add`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("scope").required(true).multiple(false))]
pub struct EventAddArgs {
    /// The event's name, as the policy file has it after `event:`.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// It happened to the file with this id.
    #[arg(long, group = "scope", value_name = "FILE_ID", allow_hyphen_values = true)]
    pub file: Option<String>,
    /// It happened to every file of this batch, also to those recorded later.
    #[arg(long, group = "scope", value_name = "BATCH_ID", allow_hyphen_values = true)]
    pub batch: Option<String>,
    /// It happened to every file with this label, also to those recorded later.
    #[arg(long, group = "scope", value_name = "KEY=VALUE")]
    pub label: Option<String>,
    /// When: RFC 3339 with zone, or a date, which stands for its last moment in `timezone`.
    #[arg(long, value_name = "TIME")]
    pub at: String,
    /// Why this time replaces the one on record, as a code of your own. Needed for a correction.
    #[arg(long, value_name = "CODE")]
    pub reason: Option<String>,
}

/// The document that `event add --json` prints.
#[derive(Debug, Serialize)]
struct Document<'a> {
    name: &'a EventName,
    scope: &'a EventScope,
    at: Timestamp,
    #[serde(flatten)]
    noted: EventNoted,
    effect: Effect,
    /// Policies and floors that count from it.
    used_by: Vec<&'a str>,
    /// Whether the files it covers are decided again already; if not, the next sweep does so first.
    decided: bool,
}

pub(super) async fn run(context: &Context, command: &EventCommand) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    match command {
        EventCommand::Add(args) => add(context, &checked, args).await,
        EventCommand::List { all } => list(context, &checked, *all).await,
    }
}

async fn add(context: &Context, checked: &Checked, args: &EventAddArgs) -> Result<Exit, Failure> {
    let rules = &checked.rules;
    let now = context.clock.now();
    let event = NewEvent {
        name: args
            .name
            .parse()
            .map_err(|error| Failure::usage(format!("{error}")))?,
        scope: scope(checked, args)?,
        at: happened(&args.at, rules, now)?,
        reason: reason(args)?,
    };
    let used_by = users(rules, &event.name);
    if used_by.is_empty() {
        context.output.say(&unused(rules, &event.name));
    }
    let ledger = context.writer(checked).await?;
    refuse_unexplained(ledger.as_ref(), &event).await?;
    let effect = effect_of(ledger.as_ref(), rules, &event, now).await?;
    let noted = ledger.add_event(&event, now).await?;
    let decided = renew_hints(ledger.as_ref(), rules).await?;
    let document = Document {
        name: &event.name,
        scope: &event.scope,
        at: event.at,
        noted,
        effect,
        used_by,
        decided,
    };
    context.output.data(&document, || text(&document))?;
    ledger.tidy().await?;
    Ok(Exit::Done)
}

fn scope(checked: &Checked, args: &EventAddArgs) -> Result<EventScope, Failure> {
    if let Some(file) = &args.file {
        return Ok(EventScope::File(typed(file)?));
    }
    if let Some(batch) = &args.batch {
        return Ok(EventScope::Batch(typed(batch)?));
    }
    let (key, value) = declared_label(&checked.rules, args.label.as_deref().unwrap_or_default())?;
    Ok(EventScope::Label { key, value })
}

fn reason(args: &EventAddArgs) -> Result<Option<String>, Failure> {
    match args.reason.as_deref().map(str::trim) {
        Some("") => Err(Failure::usage(
            "`--reason` is empty: give a code of your own, such as typo",
        )),
        reason => Ok(reason.map(str::to_owned)),
    }
}

/// A date stands for its last moment: a period counted by the clock is then not early, and one counted on
/// the calendar counts from that date.
fn happened(text: &str, rules: &RuleSet, now: Timestamp) -> Result<Timestamp, Failure> {
    let future = || {
        Failure::usage(format!(
            "`{text}` lies in the future: record an event once it has happened"
        ))
    };
    let Ok(date) = text.parse::<Date>() else {
        let at: Timestamp = text.parse().map_err(|_| {
            Failure::usage(format!(
                "`{text}` is no time: write RFC 3339 with a zone, such as 2026-11-23T20:05:00Z, or a date, such as 2026-11-23"
            ))
        })?;
        return if at > now { Err(future()) } else { Ok(at) };
    };
    let beyond = || Failure::usage(format!("`{text}` leaves the calendar"));
    let next = date.tomorrow().map_err(|_| beyond())?;
    let ends = day_begins(next, &rules.zone).ok_or_else(beyond)?;
    // Today has begun, so its event may have happened; its last moment is still to come.
    if day_begins(date, &rules.zone).is_none_or(|begins| begins > now) {
        return Err(future());
    }
    ends.checked_add_millis(-1).ok_or_else(beyond)
}

/// The ledger refuses it too; here the next thing to type is known.
async fn refuse_unexplained(ledger: &dyn Ledger, event: &NewEvent) -> Result<(), Failure> {
    if event.reason.is_some() {
        return Ok(());
    }
    let known = ledger.events(false).await?;
    let same = known
        .iter()
        .find(|known| known.name == event.name && known.scope == event.scope && known.at != event.at);
    match same {
        None => Ok(()),
        Some(known) => Err(Failure::usage(format!(
            "{} for {} is on record at {}; nothing was changed. To correct it, add `--reason CODE`: the old time is kept",
            event.name, event.scope, known.at
        ))),
    }
}

fn counts_from(clock: &StartClock, name: &EventName) -> bool {
    let fallback = clock.fallback.as_ref().map(|fallback| &fallback.start);
    [Some(&clock.start), fallback]
        .into_iter()
        .flatten()
        .any(|start| matches!(start, StartEvent::Event(own) if own == name))
}

/// Policies and floors that count from the event.
fn users<'r>(rules: &'r RuleSet, name: &EventName) -> Vec<&'r str> {
    let policies = rules.policies.iter().map(|p| (&p.clock, p.name.as_str()));
    let floors = rules.floors.iter().map(|f| (&f.clock, f.name.as_str()));
    policies
        .chain(floors)
        .filter(|(clock, _)| counts_from(clock, name))
        .map(|(_, user)| user)
        .collect()
}

fn unused(rules: &RuleSet, name: &EventName) -> String {
    let clocks = rules.policies.iter().map(|p| &p.clock);
    let clocks = clocks.chain(rules.floors.iter().map(|f| &f.clock));
    let known: BTreeSet<&EventName> = clocks
        .flat_map(|clock| [Some(&clock.start), clock.fallback.as_ref().map(|f| &f.start)])
        .flatten()
        .filter_map(|start| match start {
            StartEvent::Event(name) => Some(name),
            StartEvent::Uploaded | StartEvent::Processed => None,
        })
        .collect();
    let near = known
        .iter()
        .map(|known| (strsim::jaro_winkler(known.as_str(), name.as_str()), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = near.map_or_else(String::new, |(_, near)| format!("; did you mean `{near}`?"));
    format!("warning: no policy or floor has the clock `event:{name}`{hint}")
}

fn text(document: &Document<'_>) -> String {
    let (name, scope, at) = (document.name, document.scope, document.at);
    let mut text = match document.noted {
        EventNoted::Known => {
            return format!("{name} for {scope} is on record at {at} already: nothing changed\n");
        }
        EventNoted::New { .. } => format!("{name} for {scope} is on record: {at}\n"),
        EventNoted::Corrected { before, .. } => {
            format!("{name} for {scope} is corrected: {at}; before it was {before}, which is kept\n")
        }
    };
    let effect = &document.effect;
    for (what, count) in [
        ("had no due time and have one now", effect.dated),
        ("due EARLIER than before", effect.earlier),
        ("due later than before", effect.later),
        ("without a due time from now on", effect.undated),
        ("due when they were", effect.unchanged),
    ] {
        if count > 0 {
            text.push_str(&format!("  {what}: {}\n", files(count)));
        }
    }
    if effect.due_at_once > 0 {
        text.push_str(&format!(
            "  DUE AT ONCE: {} (`retentiond plan` shows them, `retentiond hold add` keeps them)\n",
            files(effect.due_at_once)
        ));
    }
    if *effect == Effect::default() {
        text.push_str("the ledger has no such file yet; files recorded later count from it\n");
    }
    if !document.decided {
        text.push_str(
            "this policy file is not in force yet: the counts are by it, and the next sweep decides by the rules in force\n",
        );
    }
    text
}

async fn list(context: &Context, checked: &Checked, all: bool) -> Result<Exit, Failure> {
    let events = context.reader(checked).await?.events(all).await?;
    context
        .output
        .data(&serde_json::json!({ "events": events }), || {
            if events.is_empty() {
                return "no event is on record\n".to_owned();
            }
            let mut rows = table(&["event", "for", "happened", "recorded", "reason", "state"]);
            for event in &events {
                let state = event
                    .replaced_at
                    .map_or_else(|| "in force".to_owned(), |at| format!("corrected {at}"));
                rows.add_row([
                    event.name.to_string(),
                    event.scope.to_string(),
                    event.at.to_string(),
                    event.recorded_at.to_string(),
                    event.reason.clone().unwrap_or_default(),
                    state,
                ]);
            }
            lines(&rows)
        })?;
    Ok(Exit::Done)
}
