//! An upload's answer: which files there are now, and whether that is all of them.

use super::form::Fields;
use super::{Declared, Gate};
use crate::extracta::UploadError;
use crate::extracta::upload::creation_body;
use crate::intake::check::{Checked, Checker, RecordOptions};
use crate::intake::page::{Row, settle};
use crate::intake::provisional;
use crate::intake::rows::{Format, Rows};
use crate::ledger::Hinted;
use crate::model::{BatchAddress, ClassificationId, Parent, UploadState};
use crate::outcome::Reply;
use crate::rules::decide::hint;
use crate::rules::policy::RuleSet;

/// What an answer comes to.
pub(super) struct Read {
    /// How the upload has ended.
    pub(super) state: UploadState,
    /// The files that the answer names, those that can be recorded.
    pub(super) files: Vec<Hinted>,
    /// Where they are; of a list over several batches the first.
    pub(super) batch: Option<BatchAddress>,
    /// Why it is in doubt, or brought nothing.
    pub(super) reason: Option<String>,
}

impl Read {
    fn without_files(state: UploadState, reason: String) -> Self {
        Self {
            state,
            files: Vec::new(),
            batch: None,
            reason: Some(reason),
        }
    }
}

impl Gate {
    /// Reads the reply to an upload whose form said `fields`.
    pub(super) fn read_upload(
        &self,
        reply: Reply,
        fields: &Fields,
        declared: &Declared,
        rules: &RuleSet,
    ) -> Read {
        let body = match creation_body(reply) {
            Ok(body) => body,
            Err(UploadError::NotSent { reason }) => {
                return Read::without_files(UploadState::Nothing, format!("not sent: {reason}"));
            }
            Err(UploadError::Refused { reason, .. }) => {
                return Read::without_files(UploadState::Nothing, format!("refused: {reason}"));
            }
            Err(UploadError::Unclear { reason }) => {
                return Read::without_files(UploadState::Doubtful, reason);
            }
        };
        let options = RecordOptions {
            // The answer's own word wins; it is known to carry it, but not by contract.
            classification: fields
                .classification
                .as_deref()
                .and_then(|id| ClassificationId::new(id).ok()),
            ..declared.options()
        };
        let in_force = self.in_force(rules);
        let (files, problem) = match Checker::new(&options, &in_force, self.now()) {
            Ok(checker) => files_of(&body, &checker),
            // The rules have changed since the headers were checked.
            Err(problem) => (Vec::new(), Some(problem.message)),
        };
        let batch = files.first().map(|checked| checked.file.address.batch.clone());
        let problem = problem.or_else(|| contradiction(&files, fields));
        let files = files
            .into_iter()
            .map(|Checked { file, .. }| Hinted {
                hint: hint(&provisional(&file), rules),
                file,
            })
            .collect();
        Read {
            state: match problem {
                Some(_) => UploadState::Doubtful,
                None => UploadState::Recorded,
            },
            files,
            batch,
            reason: problem,
        }
    }
}

/// The good rows of an answer, and the first thing that is wrong with it.
fn files_of(body: &[u8], checker: &Checker<'_>) -> (Vec<Checked>, Option<String>) {
    let mut rows = Rows::new(Format::Response, body);
    let (mut page, mut problem) = (Vec::new(), None);
    loop {
        match rows.next(checker) {
            Ok(Some((line, Ok(checked)))) => page.push(Row { line, checked }),
            Ok(Some((_, Err(refused)))) => problem = problem.or(Some(refused.message)),
            Ok(None) => break,
            Err(_) => {
                problem = problem.or_else(|| Some("the answer cannot be read".to_owned()));
                break;
            }
        }
    }
    let settled = settle(page);
    let refused = settled.refused.into_iter().next().map(|error| error.message);
    let problem = problem.or(refused);
    if settled.rows.is_empty() && problem.is_none() {
        return (Vec::new(), Some("the answer lists no file".to_owned()));
    }
    (settled.rows, problem)
}

/// Where the answer and the form do not speak of the same files.
fn contradiction(files: &[Checked], fields: &Fields) -> Option<String> {
    let listed = files.len() as u64;
    if let Some(sent) = fields.files().filter(|sent| *sent != listed) {
        return Some(format!("{sent} files were sent, the answer lists {listed}"));
    }
    let named = |file: &Checked| {
        let BatchAddress { parent, batch, .. } = &file.file.address.batch;
        let asked = match parent {
            Parent::Classification(_) => fields.classification.as_deref(),
            Parent::Extraction(_) => fields.extraction.as_deref(),
        };
        let differ = |asked: Option<&str>, named: &str| asked.is_some_and(|asked| asked != named);
        differ(asked, parent.as_str()) || differ(fields.batch.as_deref(), batch.as_str())
    };
    let elsewhere = files.iter().any(named);
    elsewhere.then(|| "the answer names another batch, classification or extraction".to_owned())
}
