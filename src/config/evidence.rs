//! `[evidence]`: the key that signs checkpoints.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::code::Code;
use super::diagnostics::Problem;
use super::reader::{Findings, Section};

/// `[evidence]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EvidenceSettings {
    /// File that holds the key for signing checkpoints, an absolute path. `None`:
    /// `$CREDENTIALS_DIRECTORY/audit-key`; see [`super::credentials::audit_key`].
    pub key_file: Option<PathBuf>,
}

impl EvidenceSettings {
    pub(super) fn read(section: Option<&Section<'_>>, findings: &mut Findings) -> Self {
        let Some(section) = section else {
            return Self::default();
        };
        Self {
            key_file: section
                .string("key_file", findings)
                .and_then(|text| key_file(&text, findings)),
        }
    }
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
