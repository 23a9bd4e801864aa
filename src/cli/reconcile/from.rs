//! `reconcile --from EXPORT`: what a restored backup lacks is shown, brought back, and looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::export::{Missing, Ours, read};
use super::words::{Found, text};
use super::{ReconcileArgs, usable};
use crate::cli::audit::export::notes;
use crate::cli::audit::prove::hashes;
use crate::cli::audit::verify::{own_key, public_key};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::progress::Bar;
use crate::config::Checked;
use crate::engine::recovery::{Looked, bring_back, ended, look};
use crate::ledger::Ledger;
use crate::model::{AccountName, BatchAddress, FileId};

/// Files that ended, batch by batch.
type Ended = BTreeMap<BatchAddress, BTreeSet<FileId>>;

pub(super) async fn run(
    context: &Context,
    checked: &Checked,
    args: &ReconcileArgs,
    path: &Path,
) -> Result<Exit, Failure> {
    let ledger = if args.dry_run {
        context.reader(checked).await?
    } else {
        context.writer(checked).await?
    };
    let missing = missing(context, checked, ledger.as_ref(), args, path).await?;
    let mut found = Found::of(&missing);
    if args.dry_run {
        context.output.data(&found, || text(&found))?;
        return Ok(Exit::Done);
    }
    if ledger.rollback().await?.is_none() {
        return Err(Failure::usage(
            "nothing says that this ledger is an older copy (breaker rollback is not open): there is nothing to bring back; --dry-run shows what the export has more",
        ));
    }
    let now = || context.clock.now();
    let bar = Bar::new(context.output.progress, "bringing facts back");
    let progress = |done, of| bar.set("bringing facts back", done, Some(of));
    bring_back(ledger.as_ref(), &missing.line, &missing.leaves, &now, &progress).await?;
    let files = ended(&missing.leaves);
    if !files.is_empty() {
        let mut by_account: BTreeMap<Option<AccountName>, Ended> = BTreeMap::new();
        for (batch, files) in files {
            let of_account = by_account.entry(batch.account.clone()).or_default();
            of_account.insert(batch, files);
        }
        let mut looked = Looked::default();
        for (account, files) in by_account {
            let remote = usable(context, checked, account.as_ref()).await.map_err(|mut failure| {
                failure.text.push_str(
                    "\nholds and outcomes are back; the files that ended have to be looked at yet: run it again",
                );
                failure
            })?;
            let progress = |done, of| bar.set("looking at batches", done, Some(of));
            looked.add(look(ledger.as_ref(), &remote, &files, &now, &progress).await?);
        }
        found.looked = Some(looked);
    }
    if found.all_looked_at() {
        found.brought_back = Some(ledger.finish_recovery(now()).await?);
    }
    bar.clear();
    ledger.tidy().await?;
    context.output.data(&found, || text(&found))?;
    Ok(if found.brought_back.is_some() {
        Exit::Done
    } else {
        Exit::Unsettled
    })
}

/// What the export has and the ledger has not.
async fn missing(
    context: &Context,
    checked: &Checked,
    ledger: &dyn Ledger,
    args: &ReconcileArgs,
    path: &Path,
) -> Result<Missing, Failure> {
    let head = ledger.tree().await?;
    let hashes = hashes(ledger, head.size).await?;
    let kept: Vec<String> = notes(ledger).await?.into_iter().map(|(_, note)| note).collect();
    let mut sent = ledger.sent_checkpoints().await?.notes;
    // Those that the ledger itself keeps are in what both have in common, or were made since.
    sent.retain(|note| !kept.contains(note));
    let all: Vec<&str> = kept.iter().chain(&sent).map(String::as_str).collect();
    let key = match &args.key {
        Some(typed) => Some(public_key(typed)?),
        None => own_key(context, checked, &all)?,
    };
    let ours = Ours {
        hashes: &hashes,
        sent: &sent,
        key: key.as_ref(),
    };
    read(path, &ours)
}
