//! `check --against-ledger`: what this policy file changes for the files at hand. Changes nothing.

use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::output::{lines, table};
use crate::config::Checked;
use crate::daemon::standing::compiled;
use crate::engine::change::weigh;
use crate::engine::planning::refresh_hints;
use crate::engine::short;
use crate::ledger::{OpenMode, Place};
use crate::rules::impact::Impact;
use crate::rules::policy::RuleDigest;

/// The file held against the rules in force.
#[derive(Debug, Serialize)]
pub(super) struct Against {
    /// Digest of the rules in force; `null` when none are.
    in_force: Option<RuleDigest>,
    /// Digest of the file's rules: what `retentiond approve` takes.
    rules: RuleDigest,
    /// Whether the file's rules would wait for an approval.
    waits: bool,
    /// What changes; `null` when these rules are in force, or none are.
    impact: Option<Impact>,
}

/// Weighs the file against the ledger; `None` where there is no ledger yet.
pub(super) async fn against(context: &Context, checked: &Checked) -> Result<Against, Failure> {
    let ledger = context.reader(checked).await?;
    let rules = checked.rules.digest.clone();
    let Some(in_force) = ledger.rules_in_force().await? else {
        return Ok(Against {
            in_force: None,
            rules,
            waits: false,
            impact: None,
        });
    };
    if in_force.digest == rules {
        return Ok(Against {
            in_force: Some(in_force.digest),
            rules,
            waits: false,
            impact: None,
        });
    }
    let old = compiled(&in_force, None);
    let impact = match &old {
        // What was recorded under another file is decided by the set in force first, on a copy.
        Some(old) if !ledger.hints_are_current(&old.digest).await? => {
            let dir = tempfile::Builder::new().prefix("retentiond-").tempdir()?;
            let path = dir.path().join("ledger.db");
            ledger.backup(&path).await?;
            let copy = Place::File(path).open(OpenMode::ReadWrite).await?;
            refresh_hints(copy.as_ref(), old, context.clock.now(), &|_, _| ()).await?;
            weigh(copy.as_ref(), &checked.rules, Some(old)).await?
        }
        Some(_) | None => weigh(ledger.as_ref(), &checked.rules, old.as_ref()).await?,
    };
    Ok(Against {
        in_force: Some(in_force.digest),
        rules,
        waits: impact.shortened > 0,
        impact: Some(impact),
    })
}

pub(super) fn text(against: &Against) -> String {
    if against.in_force.is_none() {
        return "against the ledger: no rules are in force yet; the first sweep adopts these\n".to_owned();
    }
    let Some(impact) = &against.impact else {
        return "against the ledger: these rules are in force\n".to_owned();
    };
    let mut text = format!("against the ledger: {}\n", impact.sentence());
    if !impact.policies.is_empty() {
        let mut rows = table(&[
            "policy",
            "earlier",
            "later",
            "newly owned",
            "newly unowned",
            "newly enforced",
            "less binding",
            "first affected",
        ]);
        for one in &impact.policies {
            let counts = [
                one.earlier,
                one.later,
                one.newly_owned,
                one.newly_unowned,
                one.newly_enforced,
                one.less_binding,
            ];
            let mut row = vec![
                one.policy
                    .as_ref()
                    .map_or("(none)", |name| name.as_str())
                    .to_owned(),
            ];
            row.extend(counts.iter().map(u64::to_string));
            row.push(
                one.first_affected
                    .map_or_else(|| "-".to_owned(), |at| at.to_string()),
            );
            rows.add_row(row);
        }
        text.push_str(&lines(&rows));
    }
    if against.waits {
        text.push_str(&format!(
            "files would go sooner: taken over, this file waits for `retentiond approve {}`\n",
            short(&against.rules.0)
        ));
    }
    text
}
