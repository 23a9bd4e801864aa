//! What the ledger's files say of the policies: who owns nothing, and where two policies mean the same files.

use serde::Serialize;

use crate::cli::exit::Failure;
use crate::cli::output::files;
use crate::config::{Checked, Code};
use crate::ledger::{After, AfterUpload, Ledger};
use crate::model::{PolicyName, Timestamp};
use crate::rules::overlap::{Overlap, Overlaps};
use crate::snapshot::BatchFiles;

/// The latest instant that the ledger stores.
const LAST_MS: i64 = 253_402_207_200_000;

/// Files a page.
const PAGE: u32 = 5_000;

/// Batches of unowned files that are named.
const NAMED: u32 = 20;

/// Counts over the live files of a ledger that carries hints of these rules.
#[derive(Debug, Serialize)]
pub(super) struct Coverage {
    /// Live files that no policy owns.
    unowned: u64,
    /// The batches with most unowned files.
    unowned_by_batch: Vec<BatchFiles>,
    /// Files that two policies mean, beyond what the order of the file is for. Linked copies count with
    /// their originals.
    overlaps: Vec<Place>,
}

/// One overlap, and where both policies say what they match.
#[derive(Debug, Serialize)]
struct Place {
    #[serde(flatten)]
    overlap: Overlap,
    /// Line of the owner's `match`, from 1.
    owner_line: Option<usize>,
    /// Line of the other one's `match`, from 1.
    other_line: Option<usize>,
}

/// Reads every file only where the policy file alone says that policies may overlap.
pub(super) async fn coverage(
    ledger: &dyn Ledger,
    checked: &Checked,
    now: Timestamp,
) -> Result<Coverage, Failure> {
    let unowned = ledger.unowned_by_batch(NAMED).await?;
    let tallies = ledger.tallies(now).await?;
    let of_nobody = tallies.get(&None).and_then(|tally| tally.by_state.get("live"));
    let mut overlaps = Overlaps::new(&checked.rules);
    if checked.warnings.iter().any(|w| w.code() == Code::PoliciesOverlap) {
        for policy in &checked.rules.policies {
            walk(ledger, &policy.name, &mut overlaps).await?;
        }
    }
    Ok(Coverage {
        unowned: of_nobody.copied().unwrap_or(0),
        unowned_by_batch: unowned
            .into_iter()
            .map(|(batch, files)| BatchFiles { batch, files })
            .collect(),
        overlaps: overlaps
            .found()
            .into_iter()
            .map(|overlap| Place {
                owner_line: checked.rules.lines.of(&overlap.owner, "match"),
                other_line: checked.rules.lines.of(&overlap.other, "match"),
                overlap,
            })
            .collect(),
    })
}

/// The end of the calendar.
fn last() -> Timestamp {
    Timestamp::from_millis(LAST_MS).expect("9999-12-30T22:00:00Z is in the calendar")
}

/// The live files of a policy: those with a due time, then those without one.
async fn walk(ledger: &dyn Ledger, policy: &PolicyName, overlaps: &mut Overlaps<'_>) -> Result<(), Failure> {
    let end = last();
    let mut after: Option<After> = None;
    loop {
        let page = ledger.due(policy, end, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(After {
            due_at: last.due_at.unwrap_or(end),
            key: last.key.clone(),
        });
        page.iter().for_each(|file| overlaps.consider(file));
    }
    let mut after: Option<AfterUpload> = None;
    loop {
        let page = ledger.without_due(policy, end, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(AfterUpload {
            uploaded_at: last.uploaded_at,
            key: last.key.clone(),
        });
        page.iter().for_each(|file| overlaps.consider(file));
    }
}

pub(super) fn text(coverage: &Coverage) -> String {
    let mut text = match coverage.unowned {
        0 => String::new(),
        unowned => format!(
            "{} belong to no policy by this file, and would be kept\n",
            files(unowned)
        ),
    };
    for batch in &coverage.unowned_by_batch {
        text.push_str(&format!("unowned: {} in {}\n", files(batch.files), batch.batch));
    }
    let place = |line: Option<usize>| line.map_or_else(String::new, |line| format!(" (line {line})"));
    for one in &coverage.overlaps {
        let Overlap {
            owner,
            other,
            files: count,
        } = &one.overlap;
        text.push_str(&format!(
            "overlap: {} of `{owner}`{} match `{other}`{} as well\n",
            files(*count),
            place(one.owner_line),
            place(one.other_line)
        ));
    }
    text
}
