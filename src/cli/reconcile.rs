//! `reconcile`: hold the ledger against what is at Extracta, or (`--from`) against an export of what it was before
//! a backup was restored. Deletes nothing.

mod export;
mod from;
mod words;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::accounts::account;
use super::context::{Context, typed};
use super::exit::{Exit, Failure};
use super::output::files;
use super::progress::Bar;
use crate::config::{Checked, Orphans};
use crate::engine::planning::renew_hints;
use crate::extracta::{ExtractaClient, Probe, Remote};
use crate::intake::InForce;
use crate::intake::reconcile::{BLIND_SPOT, Reconciled, Wanted, reconcile};
use crate::ledger::LedgerError;
use crate::model::AccountName;
use crate::rules::decide::hint;

/// Lines of one kind shown as text.
const SHOWN: usize = 20;

/// `reconcile`.
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// In this account, as the policy file calls it; in that of [extracta] by default.
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    pub account: Option<String>,
    /// Only this batch (repeatable); every batch of the ledger by default.
    #[arg(long = "batch", value_name = "ID", allow_hyphen_values = true)]
    pub batches: Vec<String>,
    /// Only batches of this classification.
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub classification: Option<String>,
    /// Record files that the ledger lacks, with the time inside their ids. They have no labels, unless an
    /// upload in doubt of the same batch says them: see first which policy would own them. The same as
    /// `orphans = "record"` in [intake].
    #[arg(long)]
    pub record: bool,
    /// Begin from the first batch, although an earlier run was interrupted.
    #[arg(long)]
    pub restart: bool,
    /// Bring back what a restored backup lacks (holds, releases, erasure requests, outcomes) from an
    /// `audit export --with-ids` of the ledger as it was. Settles breaker `rollback`.
    #[arg(
        long,
        value_name = "EXPORT",
        conflicts_with_all = ["batches", "classification", "record", "restart"]
    )]
    pub from: Option<PathBuf>,
    /// The public key, or a file that holds it: the export's checkpoints must be signed with it. That of the
    /// audit key in use by default.
    #[arg(long, value_name = "KEY", requires = "from")]
    pub key: Option<String>,
    /// Only show what the export would bring back.
    #[arg(long, requires = "from")]
    pub dry_run: bool,
}

/// What the verb prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    found: &'a Reconciled,
    /// What it cannot find.
    blind_spot: &'static str,
}

pub(super) async fn run(context: &Context, args: &ReconcileArgs) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    if let Some(path) = &args.from {
        return from::run(context, &checked, args, path).await;
    }
    let wanted = Wanted {
        account: account(&checked, args.account.as_deref())?,
        batches: args
            .batches
            .iter()
            .map(|id| typed(id))
            .collect::<Result<_, _>>()?,
        classification: args.classification.as_deref().map(typed).transpose()?,
        record: args.record || checked.intake.orphans == Orphans::Record,
        restart: args.restart,
    };
    let remote = usable(context, &checked, wanted.account.as_ref()).await?;
    let subjects = context.subjects(&checked)?;
    let ledger = context.writer(&checked).await?;
    let _turn = if wanted.is_everything() {
        let turn = context.place(&checked)?.lock_reconcile().await;
        Some(turn.map_err(another_is_at_it)?)
    } else {
        None
    };
    let rules = &checked.rules;
    let in_force = InForce {
        label_keys: &rules.label_keys,
        accounts: &rules.accounts,
        digest: &rules.digest,
        hint: &|file| hint(file, rules),
        subjects: subjects.as_ref(),
    };
    let bar = Bar::new(context.output.progress, "looking at batches");
    let progress = |done, of| bar.set("looking at batches", done, Some(of));
    let clock = || context.clock.now();
    let found = reconcile(&remote, ledger.as_ref(), in_force, &wanted, &clock, &progress).await?;
    bar.clear();
    let report = Report {
        found: &found,
        blind_spot: BLIND_SPOT,
    };
    context.output.data(&report, || text(&found))?;
    // Files that a start event covers, or whose facts changed, wait for a second decision.
    if !ledger.hints_are_current(&rules.digest).await? {
        renew_hints(ledger.as_ref(), rules).await?;
    }
    ledger.tidy().await?;
    Ok(if found.is_settled() {
        Exit::Done
    } else {
        Exit::Unsettled
    })
}

/// Two runs over everything would each go on where the other one stands.
fn another_is_at_it(error: LedgerError) -> Failure {
    if let LedgerError::InUse { pid, .. } = error {
        return Failure::new(
            Exit::InUse,
            format!(
                "another `retentiond reconcile` of everything is at it: process {pid}; wait for its end, or name batches (`--batch`)"
            ),
        );
    }
    error.into()
}

/// The API, once it has taken the key.
async fn usable(
    context: &Context,
    checked: &Checked,
    account: Option<&AccountName>,
) -> Result<ExtractaClient, Failure> {
    let remote = context.remote_beside(checked, account)?;
    match remote.probe().await {
        Probe::Works { .. } => Ok(remote),
        Probe::Refused { status, .. } => Err(Failure::new(
            Exit::Credentials,
            format!("the API refused the key (HTTP {status}); `retentiond check --online` tries it"),
        )),
        Probe::Unavailable { reason } => Err(Failure::new(Exit::Unavailable, reason)),
    }
}

fn text(found: &Reconciled) -> String {
    let mut text = String::new();
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    if found.resumed {
        line("(an interrupted run goes on; what it found before was said then)".to_owned());
    }
    line(format!(
        "{} batches looked at, {} listed",
        found.batches,
        files(found.files)
    ));
    let left = found.orphans_total - found.orphans_recorded;
    if found.orphans_recorded > 0 {
        line(format!(
            "recorded: {} that the ledger lacked",
            files(found.orphans_recorded)
        ));
    }
    if left > 0 {
        line(format!(
            "NOT IN THE LEDGER: {}; `retentiond reconcile --record` records them",
            files(left)
        ));
        for orphan in found.orphans.iter().filter(|orphan| !orphan.recorded).take(SHOWN) {
            let time = orphan
                .id_time
                .map_or_else(String::new, |at| format!(" (made {at}, says its id)"));
            line(format!(
                "  {}/{}{time}",
                orphan.address.batch, orphan.address.file
            ));
        }
        if left > SHOWN as u64 {
            line(format!(
                "  … and {} more (--json lists them)",
                left - SHOWN as u64
            ));
        }
    }
    if found.gone > 0 {
        line(format!("gone by others: {}", files(found.gone)));
    }
    if found.copies > 0 {
        line(format!("linked copies taken in: {}", found.copies));
    }
    for batch in found.missing_batches.iter().take(SHOWN) {
        line(format!(
            "NOT AT EXTRACTA: batch {batch}; its files are left as they are (is it the right key?)"
        ));
    }
    for unclear in found.unclear.iter().take(SHOWN) {
        let batch = unclear
            .batch
            .as_ref()
            .map_or_else(String::new, |batch| format!("/{batch}"));
        line(format!(
            "COULD NOT BE LOOKED AT: {}{batch}: {}",
            unclear.parent.as_str(),
            unclear.reason
        ));
    }
    if !found.settled_uploads.is_empty() {
        line(format!(
            "uploads in doubt that are settled now: {}",
            found.settled_uploads.len()
        ));
    }
    if !found.uploads_in_doubt.is_empty() {
        line(format!(
            "uploads still in doubt: {}, of which the batch of {} is not known; `retentiond uploads` names them",
            found.uploads_in_doubt.len(),
            found.without_batch
        ));
    }
    line(format!("\n{BLIND_SPOT}"));
    text
}
