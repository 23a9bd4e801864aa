//! `forecast`: how many files fall due in the coming days.

use std::collections::BTreeMap;

use serde::Serialize;

use super::args::ForecastArgs;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::output::{lines, table};
use crate::model::Timestamp;
use crate::rules::period::day_begins;

#[derive(Debug, Serialize)]
struct Document {
    timezone: String,
    days: Vec<Day>,
}

#[derive(Debug, Serialize)]
struct Day {
    /// Civil date in the policy file's zone.
    date: String,
    /// Live files that fall due on that day, by policy; the first day also holds all that is due.
    policies: BTreeMap<String, u64>,
    total: u64,
}

pub(super) async fn run(context: &Context, args: &ForecastArgs) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let ledger = context.current(&checked).await?;
    if ledger.is_trial() {
        context.output.say(super::context::TRIAL);
    }
    let now = context.clock.now();
    let today = checked.rules.zone.to_datetime(now.to_jiff()).date();
    let mut dates = Vec::new();
    let mut ends = Vec::new();
    for offset in 0..i64::from(args.days) {
        let beyond = |_| Failure::usage("that many days leave the calendar");
        let date = today
            .checked_add(jiff::Span::new().days(offset))
            .map_err(beyond)?;
        let next = date.tomorrow().map_err(beyond)?;
        dates.push(date);
        ends.push(
            day_begins(next, &checked.rules.zone)
                .ok_or_else(|| Failure::usage("that many days leave the calendar"))?,
        );
    }
    let epoch = Timestamp::from_millis(0).map_err(|e| Failure::usage(e.to_string()))?;
    let falling = ledger.falling_due(epoch, &ends).await?;
    let days = dates
        .into_iter()
        .enumerate()
        .map(|(at, date)| {
            let policies: BTreeMap<String, u64> = falling
                .iter()
                .filter_map(|(policy, counts)| Some((policy.to_string(), *counts.get(at)?)))
                .filter(|(_, count)| *count > 0)
                .collect();
            Day {
                date: date.to_string(),
                total: policies.values().sum(),
                policies,
            }
        })
        .collect();
    let document = Document {
        timezone: checked.rules.zone_name.clone(),
        days,
    };
    context.output.data(&document, || text(&document))?;
    Ok(Exit::Done)
}

fn text(document: &Document) -> String {
    let most = document.days.iter().map(|day| day.total).max().unwrap_or(0);
    if most == 0 {
        return format!("nothing falls due in the coming {} days\n", document.days.len());
    }
    let mut rows = table(&["day", "files", "", "policies"]);
    for day in document.days.iter().filter(|day| day.total > 0) {
        let width = usize::try_from((day.total * 30).div_ceil(most)).unwrap_or(30);
        let policies: Vec<String> = day
            .policies
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        rows.add_row([
            day.date.clone(),
            day.total.to_string(),
            "#".repeat(width),
            policies.join(", "),
        ]);
    }
    format!(
        "days in {}; today includes all that is due already\n\n{}",
        document.timezone,
        lines(&rows)
    )
}
