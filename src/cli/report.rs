//! `report`: the evidence of a period, for whoever has to show it.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::context::Context;
use super::exit::{Exit, Failure};
use super::output::print;
use crate::config::{self, Checked};
use crate::ledger::ReportPeriod;
use crate::model::Timestamp;
use crate::report::{self, Ask, Report};
use crate::rules::period::day_begins;
use crate::rules::policy::RuleSet;

/// `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The period's first day, or its first instant (RFC 3339 with zone).
    #[arg(long, value_name = "TIME")]
    pub from: String,
    /// The first day that does not belong to it any more, or that instant.
    #[arg(long, value_name = "TIME")]
    pub to: String,
    /// The format; html by default, json with --json.
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    pub format: Option<ReportFormat>,
    /// Write it to a new file instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print the ids of files that were exceptions, and operators' own references. For inside only.
    #[arg(long)]
    pub with_ids: bool,
}

/// Renderings of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// One page for screen and paper.
    Html,
    /// One fact a line, for spreadsheets.
    Csv,
    /// One object; docs/report.schema.json describes it.
    Json,
}

pub(super) async fn run(context: &Context, args: &ReportArgs) -> Result<Exit, Failure> {
    let format = match (args.format, context.output.json) {
        (None, false) => ReportFormat::Html,
        (None | Some(ReportFormat::Json), _) => ReportFormat::Json,
        (Some(format), false) => format,
        (Some(ReportFormat::Html | ReportFormat::Csv), true) => {
            return Err(Failure::usage(
                "--json and --as say different things; leave one out",
            ));
        }
    };
    let checked = context.load()?.checked;
    let period = period(
        day_or_instant(&args.from, &checked.rules)?,
        day_or_instant(&args.to, &checked.rules)?,
        context.clock.now(),
    )?;
    let report = made(context, &checked, period, args.with_ids).await?;
    let text = match format {
        ReportFormat::Html => report::html(&report),
        ReportFormat::Csv => report::csv(&report),
        ReportFormat::Json => serde_json::to_string_pretty(&report).expect("a report is plain data") + "\n",
    };
    deliver(context, &text, args.out.as_deref())?;
    Ok(Exit::Done)
}

/// The report over `period`, from the ledger as it is.
pub(super) async fn made(
    context: &Context,
    checked: &Checked,
    period: ReportPeriod,
    with_ids: bool,
) -> Result<Report, Failure> {
    let ledger = context.reader(checked).await?;
    let ask = Ask {
        period,
        with_ids,
        rules: &checked.rules,
        compile: &compile,
        controller: checked.controller.name.clone(),
        contact: checked.controller.contact.clone(),
        processor_address: checked.extracta.base_url.to_string(),
        verify: checked.extracta.verify,
    };
    Ok(report::gather(ledger.as_ref(), &ask).await?)
}

/// A policy file that the ledger kept; `None` where this version does not take it any more.
fn compile(text: &str) -> Option<RuleSet> {
    config::parse("the rules of then", text)
        .ok()
        .map(|checked| checked.rules)
}

fn period(from: Timestamp, to: Timestamp, now: Timestamp) -> Result<ReportPeriod, Failure> {
    if to <= from {
        return Err(Failure::usage(
            "--to is not after --from; it is the first day that does not belong to the period any more",
        ));
    }
    if now <= from {
        return Err(Failure::usage(
            "--from lies in the future: nothing has happened yet",
        ));
    }
    Ok(ReportPeriod { from, to, now })
}

/// The beginning of a day in the policy file's zone, or an instant.
pub(super) fn day_or_instant(typed: &str, rules: &RuleSet) -> Result<Timestamp, Failure> {
    let day = typed
        .parse::<jiff::civil::Date>()
        .ok()
        .filter(|_| typed.len() == 10);
    match day {
        Some(day) => {
            day_begins(day, &rules.zone).ok_or_else(|| Failure::usage(format!("{day} leaves the calendar")))
        }
        None => typed
            .parse()
            .map_err(|error| Failure::usage(format!("{error}; or write a day, such as 2026-07-01"))),
    }
}

/// To a new file, never over an existing one and never through a link; or to standard output.
pub(super) fn deliver(context: &Context, text: &str, out: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = out else { return print(text) };
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, format!("{}: {error}", path.display()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    context.output.say(&format!("wrote {}", path.display()));
    Ok(())
}
