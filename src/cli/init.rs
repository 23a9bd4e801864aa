//! `init`: a first policy file, never over an existing one.

use std::io::Write;

use super::args::InitArgs;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::config;

pub(super) fn run(context: &Context, args: &InitArgs) -> Result<Exit, Failure> {
    let path = args.dir.join("policies.toml");
    std::fs::create_dir_all(&args.dir)
        .map_err(|e| Failure::new(Exit::Failed, format!("{}: {e}", args.dir.display())))?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(|e| {
            let why = if e.kind() == std::io::ErrorKind::AlreadyExists {
                "is there already and was left as it is".to_owned()
            } else {
                e.to_string()
            };
            Failure::new(Exit::Failed, format!("{} {why}", path.display()))
        })?;
    file.write_all(config::starter().as_bytes())?;
    let shown = path.display().to_string();
    let next = format!("retentiond -c {shown} check");
    context
        .output
        .data(&serde_json::json!({ "written": shown, "next": next }), || {
            format!("wrote {shown}\nnext:  edit it, then  {next}\n")
        })?;
    Ok(Exit::Done)
}
