//! Which files a rule means.

use std::collections::{BTreeMap, BTreeSet};

/// A rule's `match`. Keys are ANDed, the items of a list are ORed, `except` wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matcher {
    /// `match = "everything"`: written out, last policy only.
    Everything,
    /// At least one key is set: `config` refuses an empty match.
    Where {
        /// What a file must be.
        all_of: Criteria,
        /// What a file must not be: every key given here has to match for the exception to hold.
        except: Option<Criteria>,
    },
}

/// Keys of a match; a key that is absent does not restrict. An empty list is refused by `config`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Criteria {
    /// Classification ids, exact.
    pub classification: Option<BTreeSet<String>>,
    /// Extraction ids, exact.
    pub extraction: Option<BTreeSet<String>>,
    /// Batch ids: globs (`*`, `?`, `[…]`), case-sensitive.
    pub batch: Option<Vec<BatchGlob>>,
    /// Document types, exact.
    pub document_type: Option<BTreeSet<String>>,
    /// Label key → accepted values, exact; all keys must match.
    pub labels: BTreeMap<String, BTreeSet<String>>,
}

/// A compiled glob over batch ids; its `Debug` and equality are those of its text.
#[derive(Clone)]
pub struct BatchGlob {
    pub(super) text: String,
    pub(super) matcher: globset::GlobMatcher,
}

impl BatchGlob {
    /// Compiles a glob.
    ///
    /// # Errors
    /// The glob library's complaint, without the pattern.
    pub fn new(text: &str) -> Result<Self, String> {
        let glob = globset::Glob::new(text).map_err(|e| e.kind().to_string())?;
        Ok(Self {
            text: text.to_owned(),
            matcher: glob.compile_matcher(),
        })
    }
}

impl std::fmt::Debug for BatchGlob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl PartialEq for BatchGlob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for BatchGlob {}
