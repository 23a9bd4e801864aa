//! The thin binary: argv in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use retentiond::cli;

fn main() -> ExitCode {
    let parsed = cli::args::Cli::parse();
    ExitCode::from(cli::run(&parsed))
}
