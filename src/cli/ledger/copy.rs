//! `ledger copy` and `ledger reopen`.

use std::time::Duration;

use crate::cli::args::{LedgerCopyArgs, LedgerServerArgs};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::progress::Bar;
use crate::config::LedgerSettings;
use crate::ledger::copy::{self, Copied, CopyOptions, CopyStep};

/// Whoever copies or reopens asks nothing of the API.
const NO_REQUEST: Duration = Duration::ZERO;

const CHECKING: &str = "checking the ledger";
const COPYING: &str = "copying rows";
const COMPARING: &str = "comparing rows";

pub(super) async fn run(context: &Context, args: &LedgerCopyArgs) -> Result<Exit, Failure> {
    let from = named(context, "--from", &args.from, &args.server)?;
    let to = named(context, "--to", &args.to, &args.server)?;
    let servers = [&from, &to].map(|side| side.server.is_some());
    if servers == [true, true] {
        return Err(Failure::usage(
            "from one server to another the servers do it themselves: `pg_dump --schema=retentiond` and `pg_restore`, with `state_dir` taken along",
        ));
    }
    if servers == [false, false] && (args.server.password_file.is_some() || args.server.state_dir.is_some()) {
        return Err(Failure::usage(
            "`--password-file` and `--state-dir` are for a ledger on PostgreSQL, and both are files",
        ));
    }
    let bar = Bar::new(context.output.progress, CHECKING);
    let heard = |step| match step {
        CopyStep::Checking => bar.set(CHECKING, 0, None),
        CopyStep::Copying { rows, of } => bar.set(COPYING, rows, Some(of)),
        CopyStep::Comparing { rows, of } => bar.set(COMPARING, rows, Some(of)),
    };
    let options = CopyOptions::at(context.clock.now());
    let done = copy::copy(
        &context.place_of(&from, NO_REQUEST)?,
        &context.place_of(&to, NO_REQUEST)?,
        &options,
        &heard,
    )
    .await;
    bar.clear();
    let done = done?;
    context
        .output
        .data(&done, || sentence(&done, &to, context.config_path()))?;
    Ok(Exit::Done)
}

fn sentence(done: &Copied, to: &LedgerSettings, policies: &std::path::Path) -> String {
    let rows: u64 = done.tables.iter().map(|table| table.rows).sum();
    let said = if done.tables.is_empty() {
        format!("{} was copied to {} before\n", done.from, done.to)
    } else {
        format!(
            "copied {} to {}: {rows} rows in {} tables, found equal row by row\n",
            done.from,
            done.to,
            done.tables.len()
        )
    };
    format!(
        "{said}evidence: {} facts, root {}\n{} can only be read from now on\nnext: write `url = \"{}\"` under [ledger] in {}, then start the daemon\n",
        done.tree.size,
        done.tree.root,
        done.from,
        to.url,
        policies.display()
    )
}

pub(super) async fn reopen(
    context: &Context,
    ledger: Option<&str>,
    server: &LedgerServerArgs,
) -> Result<Exit, Failure> {
    let settings = match ledger {
        Some(url) => named(context, "the ledger", url, server)?,
        None => context.load()?.checked.ledger,
    };
    let done = copy::reopen(&context.place_of(&settings, NO_REQUEST)?).await?;
    context.output.data(&done, || {
        if done.was_whole {
            format!(
                "{} is open again, and nothing is deleted: what happened in {} since may be missing. See `retentiond breaker list` after the next sweep; let no daemon use the other one\n",
                done.ledger, done.copy
            )
        } else {
            format!(
                "{} is open again; the copy in {} was not finished and is not used\n",
                done.ledger, done.copy
            )
        }
    })?;
    Ok(Exit::Done)
}

/// A ledger that was typed; where the policy file names the same database, with what it says of it.
fn named(
    context: &Context,
    what: &str,
    url: &str,
    server: &LedgerServerArgs,
) -> Result<LedgerSettings, Failure> {
    let typed = |password_file, state_dir| {
        LedgerSettings::typed(url, password_file, state_dir)
            .map_err(|problem| Failure::usage(format!("{what}: {problem}")))
    };
    let flags = typed(server.password_file.clone(), server.state_dir.clone())?;
    if flags.server.is_none() || !context.config_path().exists() {
        return Ok(flags);
    }
    let own = context.load()?.checked.ledger;
    let Some(own_server) = own.server.as_ref().filter(|_| own.name() == flags.name()) else {
        return Ok(flags);
    };
    typed(
        server
            .password_file
            .clone()
            .or_else(|| own_server.password_file.clone()),
        server
            .state_dir
            .clone()
            .or_else(|| own.path.parent().map(Into::into)),
    )
}
