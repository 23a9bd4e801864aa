//! Which files a rule means.
//!
//! `decide` asks whether a file matches; `config` asks whether one match provably covers another, or
//! may overlap it. A linked copy is matched by the address of its original. Knows nothing of time.

mod prove;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{FileRecord, Parent};

/// A rule's `match`. Keys are ANDed, the items of a list are ORed, `except` wins.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one per rule, and `config` builds it in place"
)]
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
    /// Classification ids, exact. Never matches an extraction file, unless it is a linked copy.
    pub classification: Option<BTreeSet<String>>,
    /// Extraction ids, exact. Never matches a classification file, nor a linked copy of one.
    pub extraction: Option<BTreeSet<String>>,
    /// Batch ids: globs (`*`, `?`, `[…]`), case-sensitive.
    pub batch: Option<Vec<BatchGlob>>,
    /// Document types, exact.
    pub document_type: Option<BTreeSet<String>>,
    /// Label key → accepted values, exact; all keys must match.
    pub labels: BTreeMap<String, BTreeSet<String>>,
}

impl Matcher {
    /// Whether `file` is meant. A linked copy is matched by its original's classification and batch,
    /// and by its own document type and labels, which the ledger takes from the original.
    #[must_use]
    pub fn matches(&self, file: &FileRecord) -> bool {
        match self {
            Self::Everything => true,
            Self::Where { all_of, except } => {
                all_of.matches(file) && !except.as_ref().is_some_and(|except| except.matches(file))
            }
        }
    }

    /// Whether the answer of [`matches`](Self::matches) hangs on a document type that is not known:
    /// with one type the file would be meant, with another it would not.
    #[must_use]
    pub fn hangs_on_type(&self, file: &FileRecord) -> bool {
        if file.document_type.is_some() {
            return false;
        }
        match self {
            Self::Everything => false,
            Self::Where { all_of, except } => {
                let excepted = |type_fits| {
                    except
                        .as_ref()
                        .filter(|except| except.fits(file, type_fits))
                        .is_some()
                };
                if !all_of.fits(file, true) || excepted(false) {
                    return false;
                }
                let left_out = except
                    .as_ref()
                    .and_then(|except| except.document_type.as_ref())
                    .filter(|_| excepted(true));
                match (&all_of.document_type, left_out) {
                    (None, left_out) => left_out.is_some(),
                    (Some(wanted), None) => !wanted.is_empty(),
                    // The two lists speak of one type: what one wants and the other leaves out never fits.
                    (Some(wanted), Some(left_out)) => !wanted.is_subset(left_out),
                }
            }
        }
    }

    /// Whether every file that `other` matches is provably matched here too, so that a policy with
    /// `other` below one with this would own nothing. `false` proves nothing.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        prove::covers(self, other)
    }

    /// Whether some file may match both. `false` is a proof that none can.
    #[must_use]
    pub fn may_overlap(&self, other: &Self) -> bool {
        prove::may_overlap(self, other)
    }

    /// Whether it provably matches no file at all: `classification` and `extraction` together, or an
    /// `except` as wide as the match itself.
    #[must_use]
    pub fn is_impossible(&self) -> bool {
        prove::is_impossible(self)
    }
}

impl Criteria {
    /// Whether no key is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.classification.is_none()
            && self.extraction.is_none()
            && self.batch.is_none()
            && self.document_type.is_none()
            && self.labels.is_empty()
    }

    fn matches(&self, file: &FileRecord) -> bool {
        let known =
            |types: &BTreeSet<String>| file.document_type.as_ref().is_some_and(|t| types.contains(&**t));
        self.fits(file, self.document_type.as_ref().is_none_or(known))
    }

    /// Whether `file` fits, if its document type does (`type_fits`; where no type is asked for, any does).
    fn fits(&self, file: &FileRecord, type_fits: bool) -> bool {
        let batch = file
            .copy_of
            .as_ref()
            .map_or(&*file.batch, |original| &original.batch);
        self.matches_parent(&batch.parent)
            && self
                .batch
                .as_ref()
                .is_none_or(|globs| globs.iter().any(|glob| glob.matches(batch.batch.as_str())))
            && (type_fits || self.document_type.is_none())
            && self
                .labels
                .iter()
                .all(|(key, values)| file.labels.get(key).is_some_and(|value| values.contains(value)))
    }

    fn matches_parent(&self, parent: &Parent) -> bool {
        let (wanted, other) = match parent {
            Parent::Classification(_) => (&self.classification, &self.extraction),
            Parent::Extraction(_) => (&self.extraction, &self.classification),
        };
        other.is_none() && wanted.as_ref().is_none_or(|ids| ids.contains(parent.as_str()))
    }
}

/// A compiled glob over batch ids; its `Debug` and equality are those of its text.
#[derive(Clone)]
pub struct BatchGlob {
    pub(super) text: String,
    pub(super) matcher: globset::GlobMatcher,
}

impl BatchGlob {
    /// Compiles a glob: `*`, `?`, `[a-z]`, `{a,b}`, case-sensitive, over the whole id.
    ///
    /// # Errors
    /// The glob library's complaint, without the pattern.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("the pattern is empty: write `*` for every batch".to_owned());
        }
        let glob = globset::GlobBuilder::new(text)
            .case_insensitive(false)
            .literal_separator(false)
            .backslash_escape(true)
            .build()
            .map_err(|e| e.kind().to_string())?;
        Ok(Self {
            text: text.to_owned(),
            matcher: glob.compile_matcher(),
        })
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole of `batch` fits.
    #[must_use]
    pub fn matches(&self, batch: &str) -> bool {
        self.matcher.is_match(batch)
    }

    /// The one id that it matches, if it has no wildcard.
    fn literal(&self) -> Option<&str> {
        let wild = |c: char| matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\' | '!' | ',');
        (!self.text.contains(wild)).then_some(&self.text)
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
