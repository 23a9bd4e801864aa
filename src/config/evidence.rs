//! `[evidence]`: the key that signs checkpoints, and how long what was done stays on record.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::code::Code;
use super::diagnostics::Problem;
use super::reader::{Findings, Section};
use super::values::period;
use crate::rules::period::Period;

/// A quarter has to be reported on from what is left.
const SHORTEST: Period = Period::Civil {
    years: 0,
    months: 3,
    days: 0,
};

/// `[evidence]`, apart from what the rules take of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EvidenceSettings {
    /// File that holds the key for signing checkpoints, an absolute path. `None`:
    /// `$CREDENTIALS_DIRECTORY/audit-key`; see [`super::credentials::audit_key`].
    pub key_file: Option<PathBuf>,
}

/// The table with its places.
#[derive(Default)]
pub(super) struct EvidenceDraft {
    pub(super) keep: Option<Spanned<Period>>,
    pub(super) settings: EvidenceSettings,
}

impl EvidenceDraft {
    pub(super) fn read(section: Option<&Section<'_>>, findings: &mut Findings) -> Self {
        let Some(section) = section else {
            return Self::default();
        };
        let keep = period(section, "keep", findings);
        findings.extend(keep.as_ref().and_then(too_short));
        Self {
            keep,
            settings: EvidenceSettings {
                key_file: section
                    .string("key_file", findings)
                    .and_then(|text| key_file(&text, findings)),
            },
        }
    }
}

fn too_short(keep: &Spanned<Period>) -> Option<Problem> {
    (keep.get_ref().compare(&SHORTEST) == Some(Ordering::Less)).then(|| {
        Problem::at(Code::OutOfRange, keep.span(), "`keep` is shorter than 3 months")
            .label("no quarter could be reported on any more")
            .help("write how long the record of what was done stays, such as `keep = \"3 years\"`; without the line it stays for ever")
    })
}

fn key_file(text: &Spanned<String>, findings: &mut Findings) -> Option<PathBuf> {
    if Path::new(text.get_ref()).is_absolute() {
        return Some(PathBuf::from(text.get_ref()));
    }
    findings.push(
        Problem::at(Code::RelativePath, text.span(), "`key_file` is not an absolute path")
            .label("not shown, in case it is the key itself")
            .help("write the path of the file that holds the key, from `/` on: `key_file = \"/etc/retentiond/credentials/audit-key\"`"),
    );
    None
}
