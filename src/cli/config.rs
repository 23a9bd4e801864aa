//! `config …`: what a policy file may hold, from the parser's own list.

use clap::Subcommand;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::config;

/// `config …`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the JSON Schema of the policy file; TOML editors take it (`#:schema policies.schema.json`).
    Schema,
    /// Print every key with its type, default, example and meaning.
    Keys,
}

pub(super) fn run(context: &Context, command: &ConfigCommand) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Schema => {
            let schema = config::json_schema();
            context.output.data(&schema, || format!("{schema:#}\n"))?;
        }
        ConfigCommand::Keys => {
            let tables = config::key_tables();
            let document = serde_json::json!({ "tables": tables });
            context.output.data(&document, || {
                let texts: Vec<String> = tables.iter().map(config::KeyTable::markdown).collect();
                texts.join("\n")
            })?;
        }
    }
    Ok(Exit::Done)
}
