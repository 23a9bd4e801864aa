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
    next: Vec<Timestamp>,
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
            Row {
                policy: policy.name.to_string(),
                schedule: policy.schedule.as_str().to_owned(),
                mode: policy.mode,
                next: next.take(usize::from(args.next)).collect(),
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
            text.push_str(&format!("\n{}  ({})\n", row.policy, row.schedule));
            for at in &row.next {
                let local = at.to_jiff().to_zoned_datetime(rules.zone.clone());
                text.push_str(&format!(
                    "  {}  {at}\n",
                    local.strftime("%a %Y-%m-%d %H:%M:%S %z")
                ));
            }
        }
        text
    })?;
    Ok(Exit::Done)
}
