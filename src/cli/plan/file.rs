//! The plan as a file (`plan --out`): JSON lines that anybody can read and nobody can change unnoticed.
//!
//! For each policy a head, then a line a file, in the plan's order, as [`PlanLines`] spells them; so the
//! SHA-256 of the text, the head cut off before `,"at"`, is the plan's hash. `seal` is the SHA-256 of hash and
//! time (`HASH AT`): with it no byte of the file is free. Read as it is written, line by line: a plan may hold
//! a million files.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::cli::exit::{Exit, Failure};
use crate::model::{FileAddress, PolicyName, Timestamp};
use crate::rules::plan::{Plan, PlanHasher, PlanLines, VERSION};
use crate::rules::policy::RuleDigest;

/// No line that this version writes is longer, in bytes.
const LONGEST_LINE: u64 = 64 * 1024;

/// What a plan's head says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    retentiond_plan: u32,
    pub(crate) policy: PolicyName,
    pub(crate) rules: String,
    pub(crate) files: u64,
    pub(crate) at: Timestamp,
    pub(crate) hash: String,
    seal: String,
}

/// One planned file, as its line says.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Line {
    #[serde(flatten)]
    pub(crate) file: FileAddress,
    pub(crate) starts_at: Timestamp,
    pub(crate) due_at: Timestamp,
}

/// What comes next in a plan file.
#[derive(Debug)]
pub(crate) enum Item {
    /// Another policy's plan begins.
    Plan(Head),
    /// A file of the plan that began last.
    File(Line),
}

fn seal(hash: &str, at: Timestamp) -> String {
    hex::encode(Sha256::digest(format!("{hash} {at}")))
}

/// Writes the plans; never over an existing file, never through a link.
pub(super) fn write(path: &Path, plans: &[Plan]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, format!("{}: {error}", path.display()));
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(failed)?;
    let mut out = BufWriter::new(file);
    let written = plans.iter().try_for_each(|plan| section(&mut out, plan));
    written
        .and_then(|()| out.flush())
        .and_then(|()| out.get_ref().sync_all())
        .map_err(failed)
}

fn section(out: &mut impl Write, plan: &Plan) -> std::io::Result<()> {
    let mut lines = PlanLines::default();
    out.write_all(lines.head(&plan.policy, &plan.rules, plan.due()))?;
    out.write_all(rest_of_head(plan.at, &plan.hash).as_bytes())?;
    for file in &plan.files {
        out.write_all(lines.file(file.batch(), file.id(), file.starts_at, file.due_at))?;
    }
    Ok(())
}

/// What a file's head says and the hash does not cover: equal plans of two days have one hash.
fn rest_of_head(at: Timestamp, hash: &str) -> String {
    let seal = seal(hash, at);
    format!(",\"at\":\"{at}\",\"hash\":\"{hash}\",\"seal\":\"{seal}\"}}\n")
}

/// A plan file, checked as it is read: after the last item nothing of it was changed.
pub(crate) struct Reader<'p> {
    path: &'p Path,
    reader: BufReader<File>,
    open: Option<(Head, PlanHasher, u64)>,
    spelling: PlanLines,
    line: Vec<u8>,
    number: u64,
}

impl<'p> Reader<'p> {
    /// Opens a plan file.
    ///
    /// # Errors
    /// Exit 1 when it cannot be read.
    pub(crate) fn open(path: &'p Path) -> Result<Self, Failure> {
        let file = File::open(path)
            .map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", path.display())))?;
        Ok(Self {
            path,
            reader: BufReader::new(file),
            open: None,
            spelling: PlanLines::default(),
            line: Vec::new(),
            number: 0,
        })
    }

    /// The heads of all plans in a file of which no byte was changed.
    ///
    /// # Errors
    /// Exit 4 with the line at fault.
    pub(crate) fn verify(path: &'p Path) -> Result<Vec<Head>, Failure> {
        let mut reader = Self::open(path)?;
        let mut heads = Vec::new();
        while let Some(item) = reader.item()? {
            if let Item::Plan(head) = item {
                heads.push(head);
            }
        }
        Ok(heads)
    }

    /// What comes next; `None` at the end of a whole file.
    ///
    /// # Errors
    /// Exit 4 with the line at fault.
    pub(crate) fn item(&mut self) -> Result<Option<Item>, Failure> {
        self.line.clear();
        let read = (&mut self.reader)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut self.line)
            .map_err(|error| self.refused(&error.to_string()))?;
        self.number += 1;
        if read == 0 {
            if self.number == 1 {
                return Err(self.refused("it is empty; `retentiond plan --out FILE` writes one"));
            }
            self.whole()?;
            return Ok(None);
        }
        if self.line.starts_with(b"{\"retentiond_plan\"") {
            self.whole()?;
            return self.begin().map(|head| Some(Item::Plan(head)));
        }
        let line: Line = serde_json::from_slice(&self.line)
            .map_err(|_| self.refused("no line of a plan; `retentiond plan --out FILE` writes one"))?;
        let (batch, file) = (&line.file.batch, line.file.file.as_str());
        if self.spelling.file(batch, file, line.starts_at, line.due_at) != self.line {
            return Err(self.refused("changed since it was written; make a new plan"));
        }
        let Some((_, hasher, files)) = &mut self.open else {
            return Err(self.refused("no plan begins here; `retentiond plan --out FILE` writes one"));
        };
        hasher.add(batch, file, line.starts_at, line.due_at);
        *files += 1;
        Ok(Some(Item::File(line)))
    }

    fn begin(&mut self) -> Result<Head, Failure> {
        let head: Head = serde_json::from_slice(&self.line)
            .map_err(|_| self.refused("changed since it was written; make a new plan"))?;
        if head.retentiond_plan != VERSION {
            return Err(self.refused("another version of retentiond wrote it; make a new plan"));
        }
        let rules = RuleDigest(head.rules.clone());
        let mut spelt = self.spelling.head(&head.policy, &rules, head.files).to_vec();
        spelt.extend_from_slice(rest_of_head(head.at, &head.hash).as_bytes());
        if spelt != self.line || head.seal != seal(&head.hash, head.at) {
            return Err(self.refused("changed since it was written; make a new plan"));
        }
        self.open = Some((head.clone(), PlanHasher::new(&head.policy, &rules, head.files), 0));
        Ok(head)
    }

    /// The plan that was open is whole.
    fn whole(&mut self) -> Result<(), Failure> {
        let Some((head, hasher, files)) = self.open.take() else {
            return Ok(());
        };
        if files == head.files && hasher.finish() == head.hash {
            return Ok(());
        }
        let policy = &head.policy;
        Err(self.refused(&format!(
            "the files of `{policy}` are not those that its hash was made of; make a new plan"
        )))
    }

    fn refused(&self, problem: &str) -> Failure {
        let (path, number) = (self.path.display(), self.number);
        Failure::new(Exit::Integrity, format!("{path}:{number}: {problem}"))
    }
}

#[cfg(test)]
mod tests;
