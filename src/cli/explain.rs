//! `explain FILE_ID`: verdict first, then every step with where it is written, then every request that named
//! it. From the ledger alone: the policy file only says where the ledger is, and whether it has changed.

mod sources;
mod text;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::context::{Context, typed};
use super::exit::{Exit, Failure};
use crate::config;
use crate::engine::account::{Account, Basis, Books, account, under};
use crate::ledger::Move;
use crate::model::{Attempt, BatchAddress, FileId, FileState, PolicyName, Timestamp};
use crate::rules::decide::Step;
use crate::rules::policy::{RuleDigest, RuleSet};
use sources::{PolicyFile, Sources};

/// `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The file's id at Extracta.
    #[arg(value_name = "FILE_ID", allow_hyphen_values = true)]
    pub file: String,
    /// The ledger, where the policy file cannot say which: explain needs nothing else.
    #[arg(long, value_name = "PATH")]
    pub ledger: Option<PathBuf>,
    /// Print the policy file that decided, as the ledger keeps it: the lines are of this text.
    #[arg(long)]
    pub rules: bool,
}

/// The document that `explain --json` prints, one for each batch that holds such a file.
#[derive(Debug, Serialize)]
struct Document {
    file_id: String,
    #[serde(flatten)]
    batch: BatchAddress,
    verdict: String,
    state: FileState,
    /// The verdict of the rules in one word; `null` where their text is lost.
    decision: Option<&'static str>,
    /// Whether a sweep that ran now would ask for its deletion.
    goes: bool,
    /// Whether what was decided once more bears out the request; `null` where there was none.
    agrees: Option<bool>,
    policy: Option<PolicyName>,
    starts_at: Option<Timestamp>,
    due_at: Option<Timestamp>,
    deadline_at: Option<Timestamp>,
    /// As of when it was decided.
    as_of: Timestamp,
    rules: Rules,
    steps: Vec<Step>,
    attempts: Vec<Attempt>,
    moves: Vec<Move>,
}

/// The rules that decided, and which text the lines are of.
#[derive(Debug, Serialize)]
struct Rules {
    digest: Option<RuleDigest>,
    adopted_at: Option<Timestamp>,
    /// Whether the lines are those of the policy file as it is; else of the text that the ledger keeps.
    lines_of_policy_file: bool,
    policy_file: PolicyFile,
    /// What the policy file as it is would say, where it says something else.
    policy_file_says: Option<String>,
}

pub(super) async fn run(context: &Context, args: &ExplainArgs) -> Result<Exit, Failure> {
    let sources = Sources::find(context, args.ledger.as_deref()).await?;
    let file: FileId = typed(&args.file)?;
    let ledger = sources.ledger.as_ref();
    let found = ledger.find(&file).await?;
    if found.is_empty() {
        let problem = match ledger.redacted().await? {
            None => format!(
                "the ledger does not know a file `{file}`: what was never recorded is never deleted. \
                 `retentiond record` takes it in"
            ),
            Some(redacted) => format!(
                "the ledger does not know a file `{file}`, or knows it no more: {}",
                redacted.sentence()
            ),
        };
        return Err(Failure::new(Exit::Failed, problem));
    }
    let compile = |text: &str| -> Option<RuleSet> {
        let kept = config::parse("the text that the ledger keeps", text).ok()?;
        Some(kept.rules)
    };
    let books = Books {
        ledger,
        compile: &compile,
        policy_file: sources.rules.as_ref(),
        now: context.clock.now(),
    };
    let mut documents = Vec::new();
    for record in &found {
        let account = account(&books, record).await?;
        if args.rules {
            return print_rules(context, &account);
        }
        let rules = rules(&books, &sources, &account).await?;
        documents.push(document(account, rules));
    }
    let name = sources.name.as_str();
    match documents.as_slice() {
        [one] => context.output.data(one, || text::text(one, name))?,
        several => {
            let all = serde_json::json!({ "file_id": file, "files": several });
            context.output.data(&all, || {
                several
                    .iter()
                    .map(|one| text::text(one, name))
                    .collect::<Vec<_>>()
                    .join("\n")
            })?;
        }
    }
    Ok(Exit::Done)
}

fn print_rules(context: &Context, account: &Account) -> Result<Exit, Failure> {
    let Some(basis) = &account.basis else {
        return Err(Failure::new(
            Exit::Failed,
            "the ledger keeps no text of the rules that decided",
        ));
    };
    let document = serde_json::json!({ "digest": basis.digest, "text": &*basis.text });
    context.output.data(&document, || basis.text.to_string())?;
    Ok(Exit::Done)
}

async fn rules(books: &Books<'_>, sources: &Sources, account: &Account) -> Result<Rules, Failure> {
    let text = account.basis.as_ref().map(|basis| basis.text.as_ref());
    let basis = account.basis.as_ref();
    let same = |rules: &RuleSet| basis.is_some_and(|basis| basis.digest == rules.digest);
    let other = sources
        .rules
        .as_ref()
        .filter(|rules| account.file.state == FileState::Live && !same(rules));
    let policy_file_says = match other {
        Some(rules) => Some(under(books, &account.file, rules).await?),
        None => None,
    };
    let state = sources.against(text);
    Ok(Rules {
        digest: basis.map(|basis: &Basis| basis.digest.clone()),
        adopted_at: basis.and_then(|basis| basis.adopted_at),
        lines_of_policy_file: state == PolicyFile::Same,
        policy_file: state,
        policy_file_says,
    })
}

fn document(account: Account, rules: Rules) -> Document {
    let decision = account.decision;
    let verdict = decision.as_ref().map(|decision| decision.verdict.name());
    let (starts_at, due_at, deadline_at) = decision.as_ref().map_or((None, None, None), |decision| {
        (decision.starts_at, decision.due_at, decision.deadline_at)
    });
    Document {
        file_id: account.file.key.file.to_string(),
        batch: (*account.file.batch).clone(),
        verdict: account.verdict,
        state: account.file.state,
        decision: verdict,
        goes: account.goes,
        agrees: account.agrees,
        policy: decision.and_then(|decision| decision.owner),
        starts_at,
        due_at,
        deadline_at,
        as_of: account.as_of,
        rules,
        steps: account.steps,
        attempts: account.attempts,
        moves: account.moves,
    }
}
