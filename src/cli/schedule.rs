//! `schedule`: the coming run times, those of the erasure requests among them.

use serde::Serialize;

use super::args::ScheduleArgs;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::model::Timestamp;
use crate::rules::policy::Mode;

#[derive(Debug, Serialize)]
struct Document {
    timezone: String,
    policies: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    policy: String,
    schedule: String,
    mode: Mode,
    /// `mon,tue 22:00-05:00`; `null`: it may always delete.
    window: Option<String>,
    next: Vec<Timestamp>,
    /// When each run may delete: at once, or at the next opening of window and blackout days; `null` beyond two years.
    opens: Vec<Option<Timestamp>>,
}

pub(super) fn run(context: &Context, args: &ScheduleArgs) -> Result<Exit, Failure> {
    let rules = context.load()?.checked.rules;
    let from = context.instant(args.from.as_deref())?;
    // The requests are swept by a schedule of their own, whatever the policies are.
    let policies = rules
        .policies
        .iter()
        .chain(std::iter::once(&rules.erasure.sweep))
        .map(|policy| {
            let after = |at: &Timestamp| policy.schedule.next_after(*at, &rules.zone);
            let next = std::iter::successors(policy.schedule.next_after(from, &rules.zone), after);
            let next: Vec<Timestamp> = next.take(usize::from(args.next)).collect();
            let opening = rules.opening(policy);
            Row {
                policy: policy.name.to_string(),
                schedule: policy.schedule.as_str().to_owned(),
                mode: policy.mode,
                window: policy.window.map(|window| window.to_string()),
                opens: next.iter().map(|at| opening.opens_at(*at)).collect(),
                next,
            }
        })
        .collect();
    let document = Document {
        timezone: rules.zone_name.clone(),
        policies,
    };
    context.output.data(&document, || {
        let mut text = format!("times in {}, in UTC behind\n", document.timezone);
        for row in &document.policies {
            let window = row
                .window
                .as_ref()
                .map_or_else(String::new, |w| format!(", window {w}"));
            text.push_str(&format!("\n{}  ({}{window})\n", row.policy, row.schedule));
            let local = |at: &Timestamp| {
                let local = at.to_jiff().to_zoned_datetime(rules.zone.clone());
                local.strftime("%a %Y-%m-%d %H:%M:%S %z").to_string()
            };
            for (at, opens) in row.next.iter().zip(&row.opens) {
                let waits = match opens {
                    Some(opens) if opens == at => String::new(),
                    Some(opens) => format!("  closed: deletes from {}", local(opens)),
                    None => "  closed: deletes nothing within two years".to_owned(),
                };
                text.push_str(&format!("  {}  {at}{waits}\n", local(at)));
            }
        }
        text
    })?;
    Ok(Exit::Done)
}
