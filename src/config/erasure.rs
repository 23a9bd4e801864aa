//! `[erasure]`: when erasure requests are swept, which days are holidays, when to warn, and the key that
//! hides data subjects.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use toml::Spanned;

use super::code::Code;
use super::diagnostics::Problem;
use super::policies::schedule;
use super::reader::{Findings, Section};
use super::values::period;
use crate::rules::period::Period;
use crate::rules::policy::ErasureRules;

/// `[erasure]`, apart from the rules in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErasureSettings {
    /// File that holds the key for hashing data subjects, an absolute path. `None`:
    /// `$CREDENTIALS_DIRECTORY/subject-key`; see [`super::credentials::subject_key`].
    pub subject_key_file: Option<PathBuf>,
}

/// The table with its places.
pub(super) struct ErasureDraft {
    pub(super) warn_before: Option<Spanned<Period>>,
    rules: ErasureRules,
    settings: ErasureSettings,
}

impl ErasureDraft {
    pub(super) fn read(section: Option<&Section<'_>>, findings: &mut Findings) -> Self {
        let default = ErasureRules::default();
        let Some(section) = section else {
            return Self {
                warn_before: None,
                rules: default,
                settings: ErasureSettings::default(),
            };
        };
        let warn_before = period(section, "warn_before", findings);
        let schedule = schedule(section, findings).map_or(default.sweep.schedule, Spanned::into_inner);
        let warned = warn_before
            .as_ref()
            .map_or(default.warn_before, |period| *period.get_ref());
        Self {
            rules: ErasureRules::new(schedule, holidays(section, findings), warned),
            settings: ErasureSettings {
                subject_key_file: section
                    .string("subject_key_file", findings)
                    .and_then(|text| key_file(&text, findings)),
            },
            warn_before,
        }
    }

    pub(super) fn finish(self) -> (ErasureRules, ErasureSettings) {
        (self.rules, self.settings)
    }
}

fn holidays(section: &Section<'_>, findings: &mut Findings) -> BTreeSet<Date> {
    let mut days = BTreeSet::new();
    for text in section.strings("holidays", findings).unwrap_or_default() {
        match text.get_ref().parse::<Date>() {
            // Longer forms also parse: a holiday is a date and nothing else.
            Ok(day) if text.get_ref().len() == 10 => {
                days.insert(day);
            }
            Ok(_) | Err(_) => findings.push(
                Problem::at(Code::BadDate, text.span(), "a holiday is no date")
                    .label("not understood")
                    .help("write year, month and day: `holidays = [\"2026-12-25\"]`"),
            ),
        }
    }
    days
}

fn key_file(text: &Spanned<String>, findings: &mut Findings) -> Option<PathBuf> {
    if Path::new(text.get_ref()).is_absolute() {
        return Some(PathBuf::from(text.get_ref()));
    }
    findings.push(
        Problem::at(Code::RelativePath, text.span(), "`subject_key_file` is not an absolute path")
            .label("not shown, in case it is the key itself")
            .help("write the path of the file that holds the key, from `/` on: `subject_key_file = \"/etc/retentiond/credentials/subject-key\"`"),
    );
    None
}
