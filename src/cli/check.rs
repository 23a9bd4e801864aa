//! `check`: every problem of the policy file at once; `--online` tests key, TLS and clock,
//! `--against-ledger` shows what the file changes.

mod against;
mod coverage;
mod online;

use serde::Serialize;

use against::Against;
use coverage::{Coverage, coverage};
use online::{Online, online};

use super::args::CheckArgs;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::output::files;
use crate::config::{self, Checked, ProblemRecord};
use crate::ledger::{LedgerError, OpenMode};

#[derive(Debug, Serialize)]
struct Report {
    verdict: &'static str,
    policies: usize,
    floors: usize,
    fingerprint: Option<String>,
    problems: Vec<ProblemRecord>,
    unowned: Option<u64>,
    online: Option<Online>,
    against_ledger: Option<Against>,
    coverage: Option<Coverage>,
}

pub(super) async fn run(context: &Context, args: &CheckArgs) -> Result<Exit, Failure> {
    let loaded = match config::load(context.config_path()) {
        Ok(loaded) => loaded,
        Err(problems) if context.output.json => {
            let report = Report {
                verdict: "refused",
                policies: 0,
                floors: 0,
                fingerprint: None,
                problems: problems.records(),
                unowned: None,
                online: None,
                against_ledger: None,
                coverage: None,
            };
            context.output.data(&report, String::new)?;
            return Ok(Exit::Config);
        }
        Err(_) => return context.load().map(|_| Exit::Done),
    };
    let checked = loaded.checked;
    if !context.output.json && !checked.warnings.is_empty() {
        context
            .output
            .say(checked.warnings.render(context.output.colour_err).trim_end());
    }
    if !context.output.json && context.audit_key(&checked).is_ok_and(|key| key.is_none()) {
        context.output.say(super::audit::UNSIGNED);
    }
    let unowned = unowned(context, &checked).await?;
    let online = if args.online {
        Some(online(context, &checked).await?)
    } else {
        None
    };
    let (against_ledger, coverage) = if args.against_ledger {
        let against = against::against(context, &checked).await?;
        let current = context.current(&checked).await?;
        let coverage = coverage(&*current, &checked, context.clock.now()).await?;
        (Some(against), Some(coverage))
    } else {
        (None, None)
    };
    let report = Report {
        verdict: "ok",
        policies: checked.rules.policies.len(),
        floors: checked.rules.floors.len(),
        fingerprint: Some(checked.fingerprint.clone()),
        problems: checked.warnings.records(),
        unowned,
        online,
        against_ledger,
        coverage,
    };
    context
        .output
        .data(&report, || text(context, &checked, &report))?;
    Ok(report.online.map_or(Exit::Done, |online| online.exit))
}

/// Live files that no policy owns, where there is a ledger whose hints are of these rules.
async fn unowned(context: &Context, checked: &Checked) -> Result<Option<u64>, Failure> {
    let place = context.place(checked)?;
    let ledger = match place.open(OpenMode::ReadOnly).await {
        Ok(ledger) => ledger,
        Err(LedgerError::Missing { .. }) => return Ok(None),
        Err(error) => {
            context.output.say(&format!(
                "note: the ledger cannot be read ({error}); its files are not counted"
            ));
            return Ok(None);
        }
    };
    if !ledger.hints_are_current(&checked.rules.digest).await? {
        return Ok(None);
    }
    let tallies = ledger.tallies(context.clock.now()).await?;
    Ok(Some(
        tallies
            .get(&None)
            .and_then(|tally| tally.by_state.get("live"))
            .copied()
            .unwrap_or(0),
    ))
}

fn text(context: &Context, checked: &Checked, report: &Report) -> String {
    let enforcing = checked
        .rules
        .policies
        .iter()
        .filter(|p| p.mode == crate::rules::policy::Mode::Enforce)
        .count();
    let mut text = format!(
        "{}: ok, {} policies ({enforcing} enforced), {} floors, {} warnings\n",
        context.config_path().display(),
        report.policies,
        report.floors,
        report.problems.len()
    );
    // By this file, `coverage` says it.
    let unowned = report.unowned.filter(|n| *n > 0 && report.coverage.is_none());
    if let Some(unowned) = unowned {
        text.push_str(&format!(
            "{} in the ledger belong to no policy and are kept\n",
            files(unowned)
        ));
    }
    if let Some(against) = &report.against_ledger {
        text.push_str(&against::text(against));
    }
    if let Some(coverage) = &report.coverage {
        text.push_str(&coverage::text(coverage));
    }
    if let Some(online) = &report.online {
        text.push_str(&online::text(online));
    }
    text
}
