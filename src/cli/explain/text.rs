//! An explanation as people read it.

use super::Document;
use super::sources::PolicyFile;
use crate::cli::history;
use crate::engine::short;

/// What the kept text is called where the policy file is another one.
const KEPT: &str = "kept text";

pub(super) fn text(document: &Document, policy_file: &str) -> String {
    let mut text = format!("{}  {}\n", document.file_id, document.verdict);
    text.push_str(&format!("  in {}, as of {}\n", document.batch, document.as_of));
    text.push_str(&format!("  {}\n\n", rules(document, policy_file)));
    let name = if document.rules.lines_of_policy_file {
        policy_file
    } else {
        KEPT
    };
    let sources: Vec<String> = document
        .steps
        .iter()
        .map(|step| step.source.shown(name).to_string())
        .collect();
    let width = document
        .steps
        .iter()
        .map(|step| step.step.len())
        .max()
        .unwrap_or(0);
    let room = sources.iter().map(String::len).max().unwrap_or(0);
    for (step, source) in document.steps.iter().zip(&sources) {
        text.push_str(&format!(
            "  {:width$}  {source:room$}  {}\n",
            step.step, step.text
        ));
    }
    if document.attempts.is_empty() {
        text.push_str("\n  no delete request has named it\n");
    }
    for attempt in document.attempts.iter().rev() {
        text.push_str(&format!(
            "\n  {}",
            history::line(attempt, Some(&document.file_id))
        ));
    }
    for one in &document.moves {
        text.push_str(&format!(
            "\n  {}  {} → {}: {}\n",
            one.at,
            one.from.name(),
            one.to.name(),
            one.reason
        ));
    }
    text
}

/// Which rules, since when, and which text the lines are of.
fn rules(document: &Document, policy_file: &str) -> String {
    let rules = &document.rules;
    let Some(digest) = &rules.digest else {
        return "the ledger keeps no text of the rules that decided; lines cannot be given".to_owned();
    };
    let since = rules.adopted_at.map_or_else(
        || "not in force yet: the first sweep adopts them".to_owned(),
        |at| format!("in force since {at}"),
    );
    let how = match rules.policy_file {
        PolicyFile::Same => {
            return format!("rules {}, {since}; lines are of {policy_file}", short(&digest.0));
        }
        PolicyFile::Changed => "is another text by now",
        PolicyFile::Missing => "is missing",
        PolicyFile::Refused => "has errors",
    };
    let says = rules
        .policy_file_says
        .as_ref()
        .map_or_else(String::new, |says| format!("; by it: {says}"));
    format!(
        "rules {}, {since}; lines are of the text that the ledger keeps (`--rules` prints it): {policy_file} {how}{says}",
        short(&digest.0)
    )
}
