//! `audit export`: a line of JSON each for the head, the checkpoints, and the leaves.

use std::collections::BTreeMap;
use std::io::Write;

use serde::{Deserialize, Serialize};

use super::ExportArgs;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::evidence::{Checkpoint, Fork, Hash, Note};
use crate::ledger::{Ledger, Opening, StoredLeaf};
use crate::model::Timestamp;

/// The format and its version.
pub(in crate::cli) const FORMAT: &str = "retentiond-export-1";

/// Leaves read at once.
pub(super) const PAGE: u32 = 1000;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Head {
    pub(in crate::cli) format: String,
    pub(in crate::cli) at: Timestamp,
    pub(in crate::cli) origin: String,
    pub(in crate::cli) size: u64,
    pub(in crate::cli) root: Hash,
    /// Lines that restored backups cut off, as leaves of this tree name them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) forks: Vec<Fork>,
}

/// Every other line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum Line {
    /// A note; all come before the first leaf.
    Checkpoint(String),
    /// The next leaf.
    Leaf(StoredLeaf),
    /// What opens the leaf before it.
    Opening(Opened),
}

/// [`Opening`] as it is written.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Opened {
    pub(in crate::cli) salt: Hash,
    pub(in crate::cli) texts: BTreeMap<String, String>,
    pub(in crate::cli) files: BTreeMap<String, Vec<String>>,
}

impl From<Opening> for Opened {
    fn from(opening: Opening) -> Self {
        Self {
            salt: Hash(opening.salt),
            texts: opening.texts,
            files: opening.files,
        }
    }
}

pub(super) async fn run(context: &Context, args: &ExportArgs) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let ledger = context.reader(&checked).await?;
    let mut out = super::sink(args.out.as_deref())?;
    let head = write(ledger.as_ref(), args.with_ids, context.clock.now(), &mut out).await?;
    out.flush()?;
    if let Some(path) = &args.out {
        context.output.data(
            &serde_json::json!({ "export": path, "leaves": head.size, "root": head.root }),
            || format!("wrote {} ({} facts)\n", path.display(), head.size),
        )?;
    }
    Ok(Exit::Done)
}

async fn write(
    ledger: &dyn Ledger,
    with_ids: bool,
    at: Timestamp,
    out: &mut dyn Write,
) -> Result<Head, Failure> {
    let before = ledger.redacted().await?;
    let tree = ledger.tree().await?;
    let head = Head {
        format: FORMAT.to_owned(),
        at,
        origin: tree.origin,
        size: tree.size,
        root: tree.root,
        forks: ledger.forks().await?,
    };
    line(out, &head)?;
    for note in cut_off(ledger, &head.forks).await? {
        line(out, &Line::Checkpoint(note))?;
    }
    for (size, note) in notes(ledger).await? {
        // Made after the head was read.
        if size <= head.size {
            line(out, &Line::Checkpoint(note))?;
        }
    }
    let mut next = 0;
    while next < head.size {
        let page = ledger.leaves(next, PAGE).await?;
        let mut openings = match with_ids {
            true => ledger.openings(&places(&page)).await?,
            false => BTreeMap::new(),
        };
        for leaf in page {
            if leaf.seq >= head.size {
                break;
            }
            let opening = openings.remove(&leaf.seq);
            line(out, &Line::Leaf(leaf))?;
            if let Some(opening) = opening {
                line(out, &Line::Opening(opening.into()))?;
            }
        }
        next += u64::from(PAGE);
    }
    if ledger.redacted().await? != before {
        return Err(Failure::new(
            Exit::Failed,
            "facts were redacted while they were written down: export once more",
        ));
    }
    Ok(head)
}

/// The places of a page of leaves.
pub(super) fn places(page: &[StoredLeaf]) -> Vec<u64> {
    page.iter().map(|leaf| leaf.seq).collect()
}

/// Every note that the ledger keeps, with its size.
pub(in crate::cli) async fn notes(ledger: &dyn Ledger) -> Result<Vec<(u64, String)>, Failure> {
    let (mut notes, mut after) = (Vec::new(), 0);
    loop {
        let page = ledger.checkpoints(after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            return Ok(notes);
        };
        after = *last;
        notes.extend(page.into_iter().map(|(_, kept)| (kept.size, kept.note)));
    }
}

/// Notes of the lines that were cut off, beyond what they have in common with the tree.
async fn cut_off(ledger: &dyn Ledger, forks: &[Fork]) -> Result<Vec<String>, Failure> {
    if forks.is_empty() {
        return Ok(Vec::new());
    }
    let mut sent = ledger.sent_checkpoints().await?.notes;
    sent.retain(|note| {
        let said = Note::parse(note).ok();
        let said = said.and_then(|note| Checkpoint::parse(note.text()).ok());
        said.is_some_and(|said| forks.iter().any(|fork| fork.takes(&said.origin, said.size)))
    });
    Ok(sent)
}

fn line(out: &mut dyn Write, value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).expect("plain data");
    Ok(writeln!(out, "{text}")?)
}
