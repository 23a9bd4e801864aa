//! `completions` and `man`: made from the command line's own definition.

use clap::CommandFactory;

use super::args::Cli;
use super::context::Context;
use super::exit::{Exit, Failure};

pub(super) fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "retentiond", &mut script);
    super::output::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

pub(super) fn man(context: &Context, dir: &std::path::Path) -> Result<Exit, Failure> {
    std::fs::create_dir_all(dir)
        .map_err(|e| Failure::new(Exit::Failed, format!("{}: {e}", dir.display())))?;
    clap_mangen::generate_to(Cli::command(), dir)?;
    let mut pages: Vec<String> = std::fs::read_dir(dir)?
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".1"))
        .collect();
    pages.sort();
    context
        .output
        .data(&serde_json::json!({ "dir": dir, "pages": pages }), || {
            format!("wrote {} pages to {}\n", pages.len(), dir.display())
        })?;
    Ok(Exit::Done)
}
