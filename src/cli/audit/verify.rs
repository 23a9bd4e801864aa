//! `audit verify`: the ledger, an export, or a proof. Only the first needs a policy file.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Serialize;

use super::export::{self, Head, Line, Opened, PAGE, places};
use super::{UNSIGNED, VerifyArgs};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::config::Checked;
use crate::evidence::audit::{Named, Summary};
use crate::evidence::receipt::Proven;
use crate::evidence::{Audit, Damage, Given, Note, Receipt, Subset, VerifierKey};
use crate::ledger::{Ledger, Opening, StoredLeaf};
use crate::model::Timestamp;

/// What is printed as JSON.
#[derive(Debug, Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
enum Verdict {
    Whole(Summary),
    Proven(Proven),
    Damaged(Damage),
}

/// Damage is a finding; all else keeps the audit from being made.
pub(in crate::cli) enum Ended {
    Damaged(Damage),
    Failed(Failure),
}

impl From<Damage> for Ended {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

impl<E: Into<Failure>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

pub(super) async fn run(context: &Context, args: &VerifyArgs) -> Result<Exit, Failure> {
    let key = args.key.as_deref().map(public_key).transpose()?;
    let subset = args.subset.as_deref().map_or(Ok(Subset::WHOLE), part)?;
    let found = match &args.file {
        None => ledger(context, key, subset).await.map(Verdict::Whole),
        Some(path) => file(path, key.as_ref(), subset),
    };
    let verdict = match found {
        Ok(verdict) => verdict,
        Err(Ended::Damaged(damage)) => Verdict::Damaged(damage),
        Err(Ended::Failed(failure)) => return Err(failure),
    };
    context.output.data(&verdict, || sentence(&verdict))?;
    Ok(match verdict {
        Verdict::Whole(_) | Verdict::Proven(_) => Exit::Done,
        Verdict::Damaged(_) => Exit::Integrity,
    })
}

async fn ledger(context: &Context, key: Option<VerifierKey>, subset: Subset) -> Result<Summary, Ended> {
    let checked = context.load()?.checked;
    let ledger = context.reader(&checked).await?;
    loop {
        let before = ledger.redacted().await?;
        let found = whole(context, &checked, ledger.as_ref(), key.clone(), subset).await;
        // Leaves that a redaction took while they were read are told of behind where the reading ended.
        if !matches!(found, Err(Ended::Damaged(_))) || ledger.redacted().await? == before {
            return found;
        }
    }
}

async fn whole(
    context: &Context,
    checked: &Checked,
    ledger: &dyn Ledger,
    key: Option<VerifierKey>,
    subset: Subset,
) -> Result<Summary, Ended> {
    // Notes first: the tree only grows, so it is never behind one that was read before.
    let kept = export::notes(ledger).await?;
    let known: HashSet<&str> = kept.iter().map(|(_, note)| note.as_str()).collect();
    let sent = ledger.sent_checkpoints().await?;
    let lost = sent.notes.iter().filter(|note| !known.contains(note.as_str()));
    let notes = kept
        .iter()
        .map(|(_, note)| note.as_str())
        .chain(lost.map(String::as_str));
    let notes: Vec<&str> = notes.collect();
    let head = ledger.tree().await?;
    let key = match key {
        Some(key) => Some(key),
        None => own_key(context, checked, &notes)?,
    };
    let forks = ledger.forks().await?;
    let mut audit = Audit::new(notes, key.as_ref(), subset)?.knowing(forks);
    let mut next = 0;
    loop {
        let page = ledger.leaves(next, PAGE).await?;
        let mut wanted = places(&page);
        wanted.retain(|seq| subset.takes(*seq));
        let mut openings = ledger.openings(&wanted).await?;
        for leaf in page.iter().filter(|leaf| leaf.seq < head.size) {
            let given = given(leaf);
            audit.leaf(&given)?;
            let opening = openings.remove(&leaf.seq);
            if let Some(Opening { salt, texts, files }) = &opening {
                audit.opening(&given, salt, texts, files)?;
            }
            let files = opening.map(|opening| opening.files).unwrap_or_default();
            audit.opened_whole(&given, &files)?;
        }
        match page.last() {
            Some(last) if last.seq + 1 < head.size => next = last.seq + 1,
            Some(_) | None => break,
        }
    }
    let found = audit.finish(Some((head.size, head.root)))?;
    Ok(Summary {
        torn: name_torn(context, &sent.torn),
        ..found
    })
}

/// The ledger itself keeps each note as well: nothing is lost with one that was cut off.
fn name_torn(context: &Context, torn: &[String]) -> u64 {
    for left in torn {
        let left = left.trim_end().escape_debug();
        context.output.say(&format!(
            "note: a checkpoint in the file beside the ledger was cut off while it was written: `{left}`; the ledger has it whole"
        ));
    }
    torn.len() as u64
}

/// The public half of the key in use, once it has signed anything.
pub(in crate::cli) fn own_key(
    context: &Context,
    checked: &Checked,
    notes: &[&str],
) -> Result<Option<VerifierKey>, Failure> {
    let Some(key) = context.audit_key(checked)? else {
        context.output.say(UNSIGNED);
        return Ok(None);
    };
    let signed = notes
        .iter()
        .any(|note| Note::parse(note).is_ok_and(|note| note.is_signed()));
    if !signed {
        context
            .output
            .say("note: no checkpoint has been signed yet: `retentiond audit checkpoint` makes one");
    }
    Ok(signed.then(|| key.verifier()))
}

fn file(path: &Path, key: Option<&VerifierKey>, subset: Subset) -> Result<Verdict, Ended> {
    let unreadable = unreadable(path);
    if let Some((head, lines)) = open_export(path)? {
        let audit = |notes: &[String]| begin(notes, &head, key, subset);
        return from_export(&head, lines, &audit, &mut |_| Ok(())).map(Verdict::Whole);
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let receipt: Receipt = serde_json::from_str(&text).map_err(|_| {
        damage(
            None,
            format!("{}: it is neither an export nor a proof", path.display()),
        )
    })?;
    let proven = receipt
        .verify(key)
        .map_err(|error| damage(None, error.to_string()))?;
    Ok(Verdict::Proven(proven))
}

fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> Ended {
    move |error| Ended::Failed(Failure::new(Exit::Failed, format!("{}: {error}", path.display())))
}

/// The lines of an export behind its head.
pub(in crate::cli) type Lines = Box<dyn Iterator<Item = Result<String, Ended>>>;

/// The head of an export, and the lines behind it; `None` where the file is none.
pub(in crate::cli) fn open_export(path: &Path) -> Result<Option<(Head, Lines)>, Ended> {
    let file = File::open(path).map_err(unreadable(path))?;
    let mut lines = BufReader::new(file).lines();
    let first = lines.next().transpose().map_err(unreadable(path))?;
    let head = serde_json::from_str::<Head>(&first.unwrap_or_default()).ok();
    let head = head.filter(|head| head.format == export::FORMAT);
    let path = path.to_owned();
    let lines: Lines = Box::new(lines.map(move |line| line.map_err(unreadable(&path))));
    Ok(head.map(|head| (head, lines)))
}

fn begin(notes: &[String], head: &Head, key: Option<&VerifierKey>, subset: Subset) -> Result<Audit, Ended> {
    let audit = Audit::new(notes.iter().map(String::as_str), key, subset)?;
    Ok(audit.knowing(head.forks.iter().cloned()))
}

/// Checks an export line by line; `begin` makes the audit once its notes are read, `seen` is handed each line
/// that agrees.
pub(in crate::cli) fn from_export(
    head: &Head,
    lines: Lines,
    begin: &dyn Fn(&[String]) -> Result<Audit, Ended>,
    seen: &mut dyn FnMut(Line) -> Result<(), Ended>,
) -> Result<Summary, Ended> {
    let mut notes = Vec::new();
    let mut audit: Option<Audit> = None;
    let mut last: Option<StoredLeaf> = None;
    for (number, line) in lines.enumerate() {
        let read: Line = serde_json::from_str(&line?).map_err(|_| {
            damage(
                last.as_ref().map(|leaf| leaf.seq + 1),
                format!("line {} of the export cannot be read", number + 2),
            )
        })?;
        match &read {
            Line::Checkpoint(note) if audit.is_none() => notes.push(note.clone()),
            Line::Checkpoint(_) => {
                return Err(damage(None, "a checkpoint among the leaves".to_owned()).into());
            }
            Line::Leaf(leaf) => {
                if audit.is_none() {
                    audit = Some(begin(&notes)?);
                }
                if let Some(audit) = &mut audit {
                    audit.leaf(&given(leaf))?;
                }
                last = Some(leaf.clone());
            }
            Line::Opening(Opened { salt, texts, files }) => {
                let (Some(leaf), Some(audit)) = (&last, &mut audit) else {
                    return Err(damage(None, "what opens a leaf stands before the first".to_owned()).into());
                };
                audit.opening(&given(leaf), &salt.0, texts, files)?;
            }
        }
        seen(read)?;
    }
    let audit = match audit {
        Some(audit) => audit,
        None => begin(&notes)?,
    };
    Ok(audit.finish(Some((head.size, head.root)))?)
}

fn given(leaf: &StoredLeaf) -> Given<'_> {
    Given {
        seq: leaf.seq,
        at: leaf.at,
        kind: &leaf.kind,
        hash: leaf.hash,
        content: leaf.content.as_deref(),
    }
}

const fn damage(leaf: Option<u64>, problem: String) -> Damage {
    Damage { leaf, problem }
}

fn sentence(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Damaged(damage) => format!("DAMAGED: {}\n", damage.problem),
        Verdict::Proven(proven) => {
            let mut text = format!("PROVEN for {} in {}\n", proven.file, proven.origin);
            for fact in &proven.facts {
                let at =
                    Timestamp::from_millis(fact.at).map_or_else(|_| fact.at.to_string(), |at| at.to_string());
                text.push_str(&format!(
                    "{at}  {} ({}), leaf {}\n",
                    fact.kind, fact.field, fact.seq
                ));
            }
            if !proven.signed {
                text.push_str("whose checkpoint it is was not checked: give the public key with --key\n");
            }
            text
        }
        Verdict::Whole(found) => {
            let root = found.root.map_or_else(String::new, |root| root.to_string());
            let signed = match found.signed {
                0 => "no signature was checked".to_owned(),
                size => format!("signed up to leaf {}", size - 1),
            };
            let forks: String = found.forks.iter().map(fork).collect();
            format!(
                "WHOLE: {} facts ({} looked into, {} with ids in clear, {} redacted) agree with {} checkpoints; {signed}\nroot {root}\n{forks}",
                found.leaves, found.looked_into, found.opened, found.redacted, found.checkpoints
            )
        }
    }
}

fn fork(named: &Named) -> String {
    let fork = &named.fork;
    let mut text = format!(
        "FORK, named by leaf {}: a backup was restored; facts {} to {} of {} were brought back into this tree",
        fork.leaf,
        fork.common,
        fork.size - 1,
        fork.before
    );
    if fork.until > fork.size {
        text.push_str(&format!(", facts {} to {} are lost", fork.size, fork.until - 1));
    }
    let agree = named.checkpoints - named.beyond;
    text.push_str(&format!(
        "; {agree} of its checkpoints agree with what was brought back"
    ));
    if named.beyond > 0 {
        text.push_str(&format!(", {} are over facts that were not", named.beyond));
    }
    text.push('\n');
    text
}

/// A key as it was typed, or the file that holds it.
pub(in crate::cli) fn public_key(typed: &str) -> Result<VerifierKey, Failure> {
    let text = match std::fs::read_to_string(typed) {
        Ok(text) => text,
        Err(_) => typed.to_owned(),
    };
    VerifierKey::parse(&text).map_err(|error| Failure::usage(format!("--key: {error}")))
}

fn part(typed: &str) -> Result<Subset, Failure> {
    let numbers = typed.split_once('/');
    let numbers = numbers.and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
    match numbers {
        Some((part, of)) if (1..=of).contains(&part) => Ok(Subset { part, of }),
        Some(_) | None => Err(Failure::usage(format!(
            "`{typed}` is no part; write N/T, such as 1/30"
        ))),
    }
}
