//! `concept`: the deletion concept, from the policy file and what the ledger shows of its practice.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::context::Context;
use super::exit::{Exit, Failure};
use super::report::{deliver, made};
use crate::ledger::ReportPeriod;
use crate::model::Timestamp;
use crate::report::{self, Stated};

/// `concept`.
#[derive(Debug, Args)]
pub struct ConceptArgs {
    /// The format.
    #[arg(long = "as", value_enum, value_name = "FORMAT", default_value_t = ConceptFormat::Html)]
    pub format: ConceptFormat,
    /// Write it to a new file instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Renderings of a concept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConceptFormat {
    /// One page for screen and paper.
    Html,
    /// For a wiki or a repository.
    Markdown,
}

pub(super) async fn run(context: &Context, args: &ConceptArgs) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let now = context.clock.now();
    // All that the ledger knows.
    let period = ReportPeriod {
        from: Timestamp::from_millis(0).expect("1970 is within the calendar"),
        to: now,
        now,
    };
    let report = made(context, &checked, period, false).await?;
    let states = checked
        .statements
        .iter()
        .map(|(policy, statement)| {
            let stated = Stated {
                title: statement.title.clone(),
                purpose: statement.purpose.clone(),
                basis: statement.basis.clone(),
                data_subjects: statement.data_subjects.clone(),
                owner: statement.owner.clone(),
            };
            (policy.clone(), stated)
        })
        .collect();
    let concept = report::concept(&checked.rules, &states, &report);
    let text = if context.output.json {
        serde_json::to_string_pretty(&concept).expect("a concept is plain data") + "\n"
    } else {
        match args.format {
            ConceptFormat::Html => report::concept_html(&concept),
            ConceptFormat::Markdown => report::concept_markdown(&concept),
        }
    };
    deliver(context, &text, args.out.as_deref())?;
    Ok(Exit::Done)
}
