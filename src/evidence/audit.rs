//! Holding leaves against their hashes, the tree, and the checkpoints that went out.
//!
//! Fed leaf by leaf, from a ledger or from an export; keeps no more than the edge of the tree.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::checkpoint::{Checkpoint, origin};
use super::fork::Walk;
use super::seal::{opens, unopened};
use super::{Fact, Fork, Frontier, Hash, Note, VerifierKey, canonical};

/// What is wrong, and from which leaf on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{problem}")]
pub struct Damage {
    /// The first leaf that is not what it was; `None` where no leaf can be named.
    pub leaf: Option<u64>,
    /// In words, with the leaf.
    pub problem: String,
}

/// A leaf as it was handed over.
#[derive(Debug, Clone, Copy)]
pub struct Given<'l> {
    /// Its place, as it says itself.
    pub seq: u64,
    /// Its time beside the content, in ms UTC.
    pub at: i64,
    /// Its kind beside the content.
    pub kind: &'l str,
    /// Its hash.
    pub hash: Hash,
    /// Its bytes, unless they were redacted.
    pub content: Option<&'l str>,
}

/// Part `part` of `of`: each part looks into other leaves, all of them hold the whole tree against the checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subset {
    /// From 1 to `of`.
    pub part: u64,
    /// At least 1.
    pub of: u64,
}

impl Subset {
    /// Every leaf.
    pub const WHOLE: Self = Self { part: 1, of: 1 };

    /// Whether leaf `seq` is in it.
    #[must_use]
    pub const fn takes(self, seq: u64) -> bool {
        seq % self.of == self.part - 1
    }
}

/// What was found to be whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Leaves of the tree.
    pub leaves: u64,
    /// Those whose bytes were looked into.
    pub looked_into: u64,
    /// Those with names and ids in clear beside them, which are what the leaf committed to. An export without ids
    /// has none; one with ids that lost some says less, and nothing false.
    pub opened: u64,
    /// Those whose bytes were redacted.
    pub redacted: u64,
    /// Checkpoints that the tree agrees with.
    pub checkpoints: u64,
    /// Leaves under a checkpoint signed by the key asked for.
    pub signed: u64,
    /// Root over all.
    pub root: Option<Hash>,
    /// Notes beside the ledger that were cut off while they were written: no checkpoints, and no damage.
    pub torn: u64,
    /// Lines that restored backups cut off, each named by a leaf of this tree.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forks: Vec<Named>,
}

/// A fork that the tree itself names, and the checkpoints of the line that was cut off there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// What its leaf says.
    #[serde(flatten)]
    pub fork: Fork,
    /// Checkpoints of that line beyond the common beginning, all of them explained.
    pub checkpoints: u64,
    /// Those of them over leaves that nobody brought back.
    pub beyond: u64,
}

/// What a checkpoint said.
#[derive(Debug)]
struct Expected {
    root: Hash,
    signed: bool,
    origin: String,
    /// It agreed with the tree.
    met: bool,
}

/// An audit under way.
#[derive(Debug)]
pub struct Audit {
    tree: Frontier,
    subset: Subset,
    /// By size; more than one may speak of the same tree.
    expected: BTreeMap<u64, Vec<Expected>>,
    walks: Vec<Walk>,
    origins: BTreeSet<String>,
    names: BTreeSet<String>,
    agreed_until: u64,
    /// Leaves that redactions say went, and the last leaf that any of them may have taken.
    accounted: (u64, Option<u64>),
    /// The last leaf without bytes.
    last_redacted: Option<u64>,
    summary: Summary,
}

impl Audit {
    /// Over these notes, in the order in which they went out. With a key, every note after the first that it
    /// signed must carry its signature.
    ///
    /// # Errors
    /// A note that cannot be read, or whose signature is missing or wrong.
    pub fn new<'n>(
        notes: impl IntoIterator<Item = &'n str>,
        key: Option<&VerifierKey>,
        subset: Subset,
    ) -> Result<Self, Damage> {
        let mut audit = Self {
            tree: Frontier::new(),
            subset,
            expected: BTreeMap::new(),
            walks: Vec::new(),
            origins: BTreeSet::new(),
            names: BTreeSet::new(),
            agreed_until: 0,
            accounted: (0, None),
            last_redacted: None,
            summary: Summary::default(),
        };
        let mut signed_before = false;
        for (place, text) in notes.into_iter().enumerate() {
            let wrong = |problem: String| damage(None, format!("checkpoint {}: {problem}", place + 1));
            let note = Note::parse(text).map_err(|error| wrong(error.to_string()))?;
            let said = Checkpoint::parse(note.text()).map_err(|error| wrong(error.to_string()))?;
            let signed = match key {
                // Unsigned ones are from before there was a key.
                Some(_) if !note.is_signed() && !signed_before => false,
                Some(key) => {
                    note.verify(key).map_err(|error| wrong(error.to_string()))?;
                    true
                }
                None => false,
            };
            signed_before |= signed;
            audit.origins.insert(said.origin.clone());
            audit.expected.entry(said.size).or_default().push(Expected {
                root: said.root,
                signed,
                origin: said.origin,
                met: false,
            });
        }
        if key.is_some() && !signed_before {
            let name = key.map_or("", VerifierKey::name);
            return Err(damage(None, format!("no checkpoint is signed by {name}")));
        }
        audit.compare()?;
        Ok(audit)
    }

    /// With the forks that leaves `recovered` of this tree name: known before the first leaf, so that each is
    /// followed from where it begins. A leaf that names another one, or none that does, is damage.
    #[must_use]
    pub fn knowing(mut self, forks: impl IntoIterator<Item = Fork>) -> Self {
        self.walks = forks.into_iter().map(Walk::along).collect();
        self.walks.iter_mut().for_each(|walk| walk.pass(&self.tree));
        self
    }

    /// The next leaf.
    ///
    /// # Errors
    /// What is wrong with it, or with those since the last checkpoint that agreed.
    pub fn leaf(&mut self, leaf: &Given<'_>) -> Result<(), Damage> {
        let expected = self.tree.size();
        if leaf.seq != expected {
            let problem = if leaf.seq > expected {
                format!("leaf {expected} is missing")
            } else {
                format!("leaf {} stands where leaf {expected} belongs", leaf.seq)
            };
            return Err(damage(Some(expected), problem));
        }
        match leaf.content {
            Some(content) if self.subset.takes(leaf.seq) || speaks_of_others(leaf.kind) => {
                self.look_into(leaf, content)?;
                self.summary.looked_into += 1;
            }
            Some(_) => {}
            None => self.without_bytes(leaf)?,
        }
        match (leaf.content, leaf.kind) {
            (Some(content), "genesis" | "lineage-accepted" | "recovered") => self.learn_name(content),
            (Some(content), "redaction") => self.account(content),
            _ => {}
        }
        self.walk(leaf)?;
        self.tree.append(leaf.hash);
        self.walks.iter_mut().for_each(|walk| walk.pass(&self.tree));
        self.compare()
    }

    /// What stands in clear beside `leaf`: the salt, and texts and files by their fields.
    ///
    /// # Errors
    /// A field of which the leaf says something else.
    pub fn opening(
        &mut self,
        leaf: &Given<'_>,
        salt: &[u8; 32],
        texts: &BTreeMap<String, String>,
        files: &BTreeMap<String, Vec<String>>,
    ) -> Result<(), Damage> {
        let Some(content) = leaf.content.filter(|_| self.subset.takes(leaf.seq)) else {
            return Ok(());
        };
        opens(content, salt, texts, files).map_err(|field| {
            let problem = format!(
                "leaf {}: `{field}` beside it is not what it committed to",
                leaf.seq
            );
            damage(Some(leaf.seq), problem)
        })?;
        self.summary.opened += u64::from(!(texts.is_empty() && files.is_empty()));
        Ok(())
    }

    /// After the openings: that they leave no files of `leaf` out. So it is in a ledger, where what opens a leaf
    /// goes with its bytes; of an export anybody may have taken some away.
    ///
    /// # Errors
    /// A field whose files nobody can name any more.
    pub fn opened_whole(
        &self,
        leaf: &Given<'_>,
        files: &BTreeMap<String, Vec<String>>,
    ) -> Result<(), Damage> {
        let content = leaf.content.filter(|_| self.subset.takes(leaf.seq));
        match content.and_then(|content| unopened(content, files)) {
            None => Ok(()),
            Some(field) => Err(damage(
                Some(leaf.seq),
                format!(
                    "leaf {}: what opens its `{field}` is gone, and no redaction tells of it",
                    leaf.seq
                ),
            )),
        }
    }

    /// Along every fork that this leaf tells of.
    fn walk(&mut self, leaf: &Given<'_>) -> Result<(), Damage> {
        if let (Some(content), "brought-back") = (leaf.content, leaf.kind) {
            for walk in &mut self.walks {
                walk.step(content, |size| self.expected.contains_key(&size));
            }
        }
        let (Some(content), "recovered") = (leaf.content, leaf.kind) else {
            return Ok(());
        };
        let seq = leaf.seq;
        let said = Fork::named_by(seq, content);
        let ended = said.is_some_and(|said| self.walks.iter_mut().any(|walk| walk.end(&said)));
        if ended {
            return Ok(());
        }
        Err(damage(
            Some(seq),
            format!(
                "leaf {seq} names a line that was brought back, and the leaves brought back are not those of that line"
            ),
        ))
    }

    /// After the last leaf; `head` is what the ledger itself keeps: size and root.
    ///
    /// # Errors
    /// Leaves that a checkpoint or the head knows and that are not there.
    pub fn finish(mut self, head: Option<(u64, Hash)>) -> Result<Summary, Damage> {
        let size = self.tree.size();
        let own = |(size, said): &(&u64, &Vec<Expected>)| {
            let forked = |said: &Expected| {
                self.walks
                    .iter()
                    .any(|walk| walk.fork.takes(&said.origin, **size))
            };
            !said.iter().all(forked)
        };
        let furthest = self.expected.iter().rev().find(own).map_or(0, |(size, _)| *size);
        let furthest = furthest.max(head.map_or(0, |(size, _)| size));
        if furthest > size {
            return Err(damage(
                Some(size),
                format!("leaves {size} to {} are missing at the end", furthest - 1),
            ));
        }
        if let Some((kept, root)) = head
            && (kept, root) != (size, self.tree.root())
        {
            return Err(self.rebuilt("the edge of the tree that the ledger keeps is another one"));
        }
        if !self.names.is_empty()
            && let Some(foreign) = self.origins.difference(&self.names).next()
        {
            return Err(damage(
                None,
                format!("a checkpoint is of another tree, {foreign}"),
            ));
        }
        self.forked()?;
        self.redactions_fit()?;
        self.summary.leaves = size;
        self.summary.root = Some(self.tree.root());
        Ok(self.summary)
    }

    /// Every checkpoint that the tree did not agree with is one of a line that was cut off, as it was.
    fn forked(&mut self) -> Result<(), Damage> {
        for walk in &self.walks {
            let fork = &walk.fork;
            if !walk.named {
                let problem = format!(
                    "leaf {} was to name a line that was brought back, and does not",
                    fork.leaf
                );
                return Err(damage(Some(fork.leaf), problem));
            }
            let (mut checkpoints, mut beyond) = (0, 0);
            for (size, said) in &self.expected {
                for said in said
                    .iter()
                    .filter(|said| !said.met && fork.takes(&said.origin, *size))
                {
                    if !walk.explains(*size, said.root) {
                        return Err(damage(
                            Some(fork.leaf),
                            format!(
                                "the checkpoint over {size} leaves is not of the line that leaf {} names",
                                fork.leaf
                            ),
                        ));
                    }
                    checkpoints += 1;
                    beyond += u64::from(*size > fork.size);
                }
            }
            self.summary.forks.push(Named {
                fork: fork.clone(),
                checkpoints,
                beyond,
            });
        }
        Ok(())
    }

    fn look_into(&self, leaf: &Given<'_>, content: &str) -> Result<(), Damage> {
        let seq = leaf.seq;
        let changed = |what: &str| damage(Some(seq), format!("leaf {seq}: {what}"));
        if Hash::of_leaf(content.as_bytes()) != leaf.hash {
            return Err(changed("its bytes are not those that were hashed"));
        }
        let read: Value = serde_json::from_str(content).map_err(|_| changed("it is no JSON"))?;
        if canonical::spell(&read).as_deref() != Some(content) {
            return Err(changed("it is not spelled canonically"));
        }
        let says_so = read["seq"].as_u64() == Some(seq)
            && read["at"].as_i64() == Some(leaf.at)
            && read["kind"].as_str() == Some(leaf.kind);
        if says_so {
            Ok(())
        } else {
            Err(changed("its place, time or kind is not what its bytes say"))
        }
    }

    fn without_bytes(&mut self, leaf: &Given<'_>) -> Result<(), Damage> {
        if Fact::LASTING.contains(&leaf.kind) {
            let seq = leaf.seq;
            let problem = format!(
                "leaf {seq}: its bytes are gone, and those of `{}` never go",
                leaf.kind
            );
            return Err(damage(Some(seq), problem));
        }
        self.summary.redacted += 1;
        self.last_redacted = Some(leaf.seq);
        Ok(())
    }

    /// What a redaction says went.
    fn account(&mut self, content: &str) {
        let read: Value = serde_json::from_str(content).unwrap_or_default();
        self.accounted.0 += read["fact"]["leaves"].as_u64().unwrap_or(0);
        self.accounted.1 = self.accounted.1.max(read["fact"]["last"].as_u64());
    }

    /// Bytes go by a redaction, which is a leaf itself, or they were taken away.
    fn redactions_fit(&self) -> Result<(), Damage> {
        let (said, last) = self.accounted;
        let gone = self.summary.redacted;
        if self.last_redacted > last {
            let seq = self.last_redacted.unwrap_or_default();
            let problem = format!("leaf {seq}: its bytes are gone, and no redaction tells of it");
            return Err(damage(Some(seq), problem));
        }
        if gone != said {
            let problem = format!("the bytes of {gone} leaves are gone, and redactions tell of {said}");
            return Err(damage(None, problem));
        }
        Ok(())
    }

    fn learn_name(&mut self, content: &str) {
        let read: Option<Value> = serde_json::from_str(content).ok();
        let name = read.as_ref().and_then(|read| read["fact"]["ledger"].as_str());
        self.names.extend(name.map(origin));
    }

    /// Whether the tree as it is now is what the checkpoints of its size say.
    fn compare(&mut self) -> Result<(), Damage> {
        let size = self.tree.size();
        let Some(said) = self.expected.get_mut(&size) else {
            return Ok(());
        };
        let root = self.tree.root();
        let mut apart = false;
        for said in said.iter_mut() {
            said.met = said.root == root;
            let forked = self.walks.iter().any(|walk| walk.fork.takes(&said.origin, size));
            apart |= !said.met && !forked;
        }
        if apart {
            return Err(self.rebuilt(&format!("the checkpoint over {size} leaves has another root")));
        }
        let met = said.iter().filter(|said| said.met);
        self.summary.checkpoints += met.clone().count() as u64;
        if met.clone().any(|said| said.signed) {
            self.summary.signed = size;
        }
        if met.count() == 0 {
            return Ok(());
        }
        self.agreed_until = size;
        Ok(())
    }

    /// Leaves were changed together with their hashes: only a checkpoint can say that they were others.
    fn rebuilt(&self, why: &str) -> Damage {
        let (from, size) = (self.agreed_until, self.tree.size());
        damage(
            Some(from),
            format!(
                "a leaf from {from} to {} was changed together with its hash: {why}",
                size.saturating_sub(1)
            ),
        )
    }
}

/// Looked into by every part of an audit: what was said before, or what has gone, rests on them.
fn speaks_of_others(kind: &str) -> bool {
    matches!(kind, "brought-back" | "recovered" | "redaction")
}

fn damage(leaf: Option<u64>, problem: String) -> Damage {
    Damage { leaf, problem }
}
