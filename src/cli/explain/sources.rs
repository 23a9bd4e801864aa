//! Where an explanation comes from: the ledger, and the policy file as far as there is one.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::config;
use crate::ledger::{Ledger, OpenMode, Place};
use crate::rules::policy::RuleSet;

/// How the policy file stands to the text that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum PolicyFile {
    /// It is that text, byte for byte.
    Same,
    /// It is another text.
    Changed,
    /// There is none, or it cannot be read.
    Missing,
    /// It has errors.
    Refused,
}

/// What was found.
pub(super) struct Sources {
    pub(super) ledger: Arc<dyn Ledger>,
    /// The policy file's rules, where it is good.
    pub(super) rules: Option<RuleSet>,
    /// What the policy file is called: its last name.
    pub(super) name: String,
    exists: bool,
}

impl Sources {
    /// The ledger that was named; else the one that the policy file names; else the usual one.
    pub(super) async fn find(context: &Context, named: Option<&Path>) -> Result<Self, Failure> {
        let path = context.config_path();
        let loaded = config::load(path);
        let place = match (named, &loaded) {
            (Some(named), _) => Place::File(named.to_owned()),
            (None, Ok(loaded)) => context.place(&loaded.checked)?,
            (None, Err(_)) if Path::new(config::DEFAULT_LEDGER).exists() => {
                Place::File(config::DEFAULT_LEDGER.into())
            }
            (None, Err(problems)) => {
                let mut text = problems.render(context.output.colour_err);
                text.push_str("\nhelp: `--ledger PATH` names the ledger, and explain needs nothing else\n");
                return Err(Failure {
                    exit: Exit::Config,
                    text,
                    rendered: true,
                });
            }
        };
        let name = path.file_name().map_or_else(
            || path.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        );
        Ok(Self {
            ledger: place.open(OpenMode::ReadOnly).await?,
            rules: loaded.ok().map(|loaded| loaded.checked.rules),
            name,
            exists: path.exists(),
        })
    }

    /// How the policy file stands to the text that decided.
    pub(super) fn against(&self, text: Option<&str>) -> PolicyFile {
        match &self.rules {
            Some(rules) if Some(&*rules.source) == text => PolicyFile::Same,
            Some(_) => PolicyFile::Changed,
            None if self.exists => PolicyFile::Refused,
            None => PolicyFile::Missing,
        }
    }
}
