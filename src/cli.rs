//! argv → verb → exit code. One file a verb; each prints text for people or one JSON object.

pub mod args;
pub mod context;
pub mod exit;
pub mod output;

mod accounts;
mod approve;
mod audit;
mod breaker;
mod check;
mod concept;
mod config;
mod cores;
mod daemon;
mod demo;
mod erase;
mod event;
mod explain;
mod forecast;
mod generate;
mod history;
mod hold;
mod init;
mod ledger;
mod logging;
mod notify;
mod pacing;
mod pause;
mod plan;
mod progress;
mod quarantine;
mod reconcile;
mod record;
mod reload;
mod report;
mod sandbox;
mod schedule;
mod status;
mod sweep;
mod upload;
mod uploads;

use std::io::Write;

use args::{Cli, Command};
use context::Context;
use exit::{Exit, Failure};

/// Runs the command line and returns its exit code. Errors are printed here, once.
#[must_use]
pub fn run(cli: &Cli) -> u8 {
    cores::forbid();
    let context = Context::new(cli);
    logging::start(cli);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(verb(&context, &cli.command)),
        Err(error) => Err(Failure::new(
            Exit::Failed,
            format!("the runtime cannot start: {error}"),
        )),
    };
    match outcome {
        Ok(exit) => exit.code(),
        Err(failure) => {
            report(&failure);
            failure.exit.code()
        }
    }
}

/// The one place where errors are printed. Nobody has to be there to read them.
fn report(failure: &Failure) {
    let mut err = std::io::stderr().lock();
    let written = if failure.rendered {
        write!(err, "{}", failure.text)
    } else {
        writeln!(err, "error: {}", failure.text)
    };
    drop(written);
}

async fn verb(context: &Context, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Demo(args) => demo::run(context, args).await,
        Command::Init(args) => init::run(context, args),
        Command::Check(args) => check::run(context, args).await,
        Command::Config(command) => config::run(context, command),
        Command::Daemon => daemon::run(context).await,
        Command::Reload => reload::run(context).await,
        Command::Sweep(args) => sweep::run(context, args).await,
        Command::Plan(args) => plan::run(context, args).await,
        Command::Explain(args) => explain::run(context, args).await,
        Command::Forecast(args) => forecast::run(context, args).await,
        Command::Schedule(args) => schedule::run(context, args),
        Command::Status => status::run(context).await,
        Command::History(args) => history::run(context, args).await,
        Command::Record(args) => record::run(context, args).await,
        Command::Reconcile(args) => reconcile::run(context, args).await,
        Command::Upload(args) => upload::run(context, args).await,
        Command::Uploads(args) => uploads::run(context, args).await,
        Command::Event(command) => event::run(context, command).await,
        Command::Hold(command) => hold::run(context, command).await,
        Command::Erase(command) => erase::run(context, command).await,
        Command::Approve(args) => approve::run(context, args).await,
        Command::Audit(command) => audit::run(context, command).await,
        Command::Notify(command) => notify::run(context, command).await,
        Command::Pause(args) => pause::pause(context, args).await,
        Command::Resume => pause::resume(context).await,
        Command::Breaker(command) => breaker::run(context, command).await,
        Command::Quarantine(command) => quarantine::run(context, command).await,
        Command::Concept(args) => concept::run(context, args).await,
        Command::Report(args) => report::run(context, args).await,
        Command::Ledger(command) => ledger::run(context, command).await,
        Command::Sandbox(args) => sandbox::run(context, args).await,
        Command::Completions { shell } => generate::completions(*shell),
        Command::Man { dir } => generate::man(context, dir),
    }
}
