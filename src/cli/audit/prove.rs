//! `audit prove`: every leaf that tells of one file, each with its path to the last checkpoint.

use std::io::Write;

use super::ProveArgs;
use super::export::PAGE;
use crate::cli::context::{Context, typed};
use crate::cli::exit::{Exit, Failure};
use crate::evidence::receipt::{FORMAT, Shown};
use crate::evidence::seal::FileTexts;
use crate::evidence::{Hash, Receipt, Seal, proof};
use crate::ledger::Ledger;
use crate::model::{FileId, FileRecord};

pub(super) async fn run(context: &Context, args: &ProveArgs) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let ledger = context.reader(&checked).await?;
    let file = one_file(ledger.as_ref(), args).await?;
    let receipt = prove(ledger.as_ref(), &file).await?;
    let text = serde_json::to_string_pretty(&receipt).expect("plain data");
    let mut out = super::sink(args.out.as_deref())?;
    writeln!(out, "{text}")?;
    out.flush()?;
    if let Some(path) = &args.out {
        context.output.data(
            &serde_json::json!({ "proof": path, "leaves": receipt.leaves.len() }),
            || {
                format!(
                    "wrote {}: check it with `retentiond audit verify`\n",
                    path.display()
                )
            },
        )?;
    }
    Ok(Exit::Done)
}

async fn one_file(ledger: &dyn Ledger, args: &ProveArgs) -> Result<FileRecord, Failure> {
    let id: FileId = typed(&args.file)?;
    let mut found = ledger.find(&id).await?;
    if let Some(batch) = &args.batch {
        found.retain(|file| file.batch.batch.as_str() == batch);
    }
    match found.len() {
        0 => Err(unknown(ledger).await?),
        1 => Ok(found.remove(0)),
        many => Err(Failure::usage(format!(
            "{many} batches hold a file with this id: name one with --batch"
        ))),
    }
}

/// Of a file that was redacted nothing is left, not even that it was one.
async fn unknown(ledger: &dyn Ledger) -> Result<Failure, Failure> {
    let problem = match ledger.redacted().await? {
        None => "the ledger does not know this file".to_owned(),
        Some(redacted) => format!(
            "the ledger does not know this file, or knows it no more and cannot prove anything of it: {}",
            redacted.sentence()
        ),
    };
    Ok(Failure::new(Exit::Failed, problem))
}

async fn prove(ledger: &dyn Ledger, file: &FileRecord) -> Result<Receipt, Failure> {
    let places = ledger.leaves_naming(&file.key.file).await?;
    let spelled = FileTexts::of(&file.batch).text(&file.key.file);
    let checkpoint = ledger.tree().await?.checkpoint;
    let newer =
        "there is no checkpoint over all that is on record of this file: run `retentiond audit checkpoint`";
    let checkpoint = checkpoint.ok_or_else(|| Failure::new(Exit::Failed, newer))?;
    let mut shown = Vec::new();
    for seq in places {
        shown.extend(fields(ledger, seq, &spelled).await?);
        if !shown.is_empty() && seq >= checkpoint.size {
            return Err(Failure::new(Exit::Failed, newer));
        }
    }
    if shown.is_empty() {
        let problem = match ledger.redacted().await? {
            None => "nothing has been done to this file yet: there is nothing to prove".to_owned(),
            Some(redacted) => format!(
                "there is nothing to prove of this file any more, or not yet: {}",
                redacted.sentence()
            ),
        };
        return Err(Failure::new(Exit::Failed, problem));
    }
    let hashes = hashes(ledger, checkpoint.size).await?;
    for (seq, shown) in &mut shown {
        let index = usize::try_from(*seq).unwrap_or(usize::MAX);
        shown.path = proof::inclusion(&hashes, index).ok_or_else(|| {
            Failure::new(
                Exit::Integrity,
                format!("leaf {seq} is missing: run `retentiond audit verify`"),
            )
        })?;
    }
    Ok(Receipt {
        format: FORMAT.to_owned(),
        checkpoint: checkpoint.note,
        leaves: shown.into_iter().map(|(_, shown)| shown).collect(),
    })
}

/// The fields of a leaf that the file is in; the path comes later.
async fn fields(ledger: &dyn Ledger, seq: u64, file: &str) -> Result<Vec<(u64, Shown)>, Failure> {
    let leaf = ledger.leaves(seq, 1).await?.into_iter().next();
    let opening = ledger.openings(&[seq]).await?.remove(&seq);
    let (Some(content), Some(opening)) = (leaf.and_then(|leaf| leaf.content), opening) else {
        return Ok(Vec::new());
    };
    let seal = Seal::new(&opening.salt);
    let mut shown = Vec::new();
    for (field, mut files) in opening.files {
        if let Some(proof) = seal.prove(&field, &mut files, file) {
            let leaf = content.clone();
            let path = Vec::new();
            shown.push((
                seq,
                Shown {
                    leaf,
                    path,
                    field,
                    file: proof,
                },
            ));
        }
    }
    Ok(shown)
}

/// Every leaf's hash, up to `size`.
pub(in crate::cli) async fn hashes(ledger: &dyn Ledger, size: u64) -> Result<Vec<Hash>, Failure> {
    let mut hashes = Vec::new();
    while (hashes.len() as u64) < size {
        let page = ledger.leaves(hashes.len() as u64, PAGE).await?;
        if page.is_empty() {
            break;
        }
        hashes.extend(page.into_iter().map(|leaf| leaf.hash));
    }
    hashes.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    Ok(hashes)
}
