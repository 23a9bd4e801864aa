//! Reads an export against the ledger: where the two part, and what the ledger lacks from there on.

use std::path::Path;

use crate::cli::audit::export::{Head, Line, Opened};
use crate::cli::audit::verify::{Ended, from_export, open_export};
use crate::cli::exit::{Exit, Failure};
use crate::evidence::audit::Summary;
use crate::evidence::{Audit, Checkpoint, Hash, LostFact, LostLeaf, Note, Subset, VerifierKey, lost};
use crate::ledger::{LostLine, StoredLeaf};
use crate::model::Timestamp;

/// What an export has and the ledger has not.
pub(super) struct Missing {
    pub(super) head: Head,
    pub(super) checked: Summary,
    pub(super) line: LostLine,
    pub(super) leaves: Vec<LostLeaf>,
}

/// The ledger that it is held against.
pub(super) struct Ours<'o> {
    /// The hashes of its leaves.
    pub(super) hashes: &'o [Hash],
    /// Notes that went out of it, without those that it vouches for itself.
    pub(super) sent: &'o [String],
    pub(super) key: Option<&'o VerifierKey>,
}

/// Reads the export, and checks it: its bytes, its checkpoints, those that went out of this ledger, and that the
/// ledger is an older state of it.
pub(super) fn read(path: &Path, ours: &Ours<'_>) -> Result<Missing, Failure> {
    let refused = |problem: String| Failure::new(Exit::Integrity, format!("{}: {problem}", path.display()));
    let ended = |ended: Ended| match ended {
        Ended::Damaged(damage) => refused(format!("it is damaged: {}", damage.problem)),
        Ended::Failed(failure) => failure,
    };
    let Some((head, lines)) = open_export(path).map_err(ended)? else {
        return Err(Failure::usage(format!(
            "{} is no export: `retentiond audit export --with-ids` makes one",
            path.display()
        )));
    };
    let sent = Sent::of(ours.sent, &head);
    let audit = |notes: &[String]| {
        let all = notes.iter().chain(&sent.within).map(String::as_str);
        Ok(Audit::new(all, ours.key, Subset::WHOLE)?.knowing(head.forks.iter().cloned()))
    };
    let mut reading = Reading::new(ours.hashes);
    let mut seen = |line| {
        reading
            .take(line)
            .map_err(|problem| Ended::Failed(refused(problem)))
    };
    let checked = from_export(&head, lines, &audit, &mut seen).map_err(ended)?;
    reading.settle().map_err(refused)?;
    let line = LostLine {
        size: head.size,
        root: head.root,
        common: reading.common,
        until: sent.until,
    };
    if line.common == 0 {
        return Err(refused(
            "it is another ledger's: it has not even its first fact in common with this one".to_owned(),
        ));
    }
    if line.common == line.size {
        return Err(refused(format!(
            "the ledger holds all {} facts of it: nothing is missing that it could bring back",
            line.size
        )));
    }
    Ok(Missing {
        head,
        checked,
        line,
        leaves: reading.lost,
    })
}

/// Notes that went out, held against an export.
struct Sent {
    /// Those over leaves that the export has: they have to agree.
    within: Vec<String>,
    /// The size of the largest, at least the export's.
    until: u64,
}

impl Sent {
    fn of(notes: &[String], head: &Head) -> Self {
        let mut sent = Self {
            within: Vec::new(),
            until: head.size,
        };
        for text in notes {
            let said = Note::parse(text).ok();
            let said = said.and_then(|note| Checkpoint::parse(note.text()).ok());
            let Some(said) = said.filter(|said| said.origin == head.origin) else {
                continue;
            };
            sent.until = sent.until.max(said.size);
            if said.size <= head.size {
                sent.within.push(text.clone());
            }
        }
        sent
    }
}

/// Leaf by leaf: the common beginning, then what is missing.
struct Reading<'h> {
    hashes: &'h [Hash],
    common: u64,
    parted: bool,
    /// Not read yet: what opens it may follow.
    last: Option<(StoredLeaf, Option<Opened>)>,
    lost: Vec<LostLeaf>,
}

impl<'h> Reading<'h> {
    const fn new(hashes: &'h [Hash]) -> Self {
        Self {
            hashes,
            common: 0,
            parted: false,
            last: None,
            lost: Vec::new(),
        }
    }

    fn take(&mut self, line: Line) -> Result<(), String> {
        match line {
            Line::Checkpoint(_) => Ok(()),
            Line::Leaf(leaf) => {
                self.settle()?;
                let ours = usize::try_from(leaf.seq).ok().and_then(|at| self.hashes.get(at));
                self.parted |= ours != Some(&leaf.hash);
                if self.parted {
                    self.last = Some((leaf, None));
                } else {
                    self.common = leaf.seq + 1;
                }
                Ok(())
            }
            Line::Opening(opening) => {
                if let Some((_, open)) = &mut self.last {
                    *open = Some(opening);
                }
                Ok(())
            }
        }
    }

    /// The leaf whose opening has come, or never will.
    fn settle(&mut self) -> Result<(), String> {
        let Some((leaf, opening)) = self.last.take() else {
            return Ok(());
        };
        let (texts, files) = opening.map(|open| (open.texts, open.files)).unwrap_or_default();
        let fact = match &leaf.content {
            // Redacted: it comes back as the hash that it is.
            None => LostFact::Other,
            Some(content) => {
                let opened = lost::Opened {
                    content,
                    texts: &texts,
                    files: &files,
                };
                opened
                    .fact(leaf.seq, &leaf.kind)
                    .map_err(|error| error.to_string())?
            }
        };
        self.lost.push(LostLeaf {
            seq: leaf.seq,
            at: Timestamp::from_millis(leaf.at).map_err(|error| error.to_string())?,
            hash: leaf.hash,
            kind: leaf.kind,
            fact,
        });
        Ok(())
    }
}
