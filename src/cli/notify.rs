//! `notify test`: does somebody hear it?

use clap::Subcommand;
use serde::Serialize;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::config;
use crate::daemon::Post;

/// `notify …`.
#[derive(Debug, Subcommand)]
pub enum NotifyCommand {
    /// Send a test message to each receiver of `[notify]`, once, and say what became of it.
    Test,
}

#[derive(Debug, Serialize)]
struct Told {
    receiver: &'static str,
    delivered: bool,
    /// Why not.
    error: Option<String>,
}

pub(super) async fn run(context: &Context, command: &NotifyCommand) -> Result<Exit, Failure> {
    match command {
        NotifyCommand::Test => test(context).await,
    }
}

async fn test(context: &Context) -> Result<Exit, Failure> {
    let settings = context.load()?.checked.notify;
    let mut posts = Vec::new();
    if settings.webhook_url.is_some() {
        let secret = config::webhook_secret(&settings, &|name| std::env::var_os(name))
            .map_err(|error| Failure::new(Exit::Credentials, error.to_string()))?;
        posts.push(("webhook", Post::webhook(&settings, secret)));
    }
    posts.push(("ping", Post::ping(&settings)));
    let mut told = Vec::new();
    for (receiver, post) in posts {
        let Some(post) = post.map_err(|problem| Failure::new(Exit::Failed, problem))? else {
            continue;
        };
        let error = post
            .test(context.clock.now())
            .await
            .err()
            .map(|error| error.to_string());
        told.push(Told {
            receiver,
            delivered: error.is_none(),
            error,
        });
    }
    if told.is_empty() {
        return Err(Failure::usage(
            "[notify] names no receiver: set `webhook_url` or `ping_url` in the policy file",
        ));
    }
    let line = |one: &Told| match &one.error {
        None => format!("{}: delivered\n", one.receiver),
        Some(error) => format!("{}: not delivered: {error}\n", one.receiver),
    };
    let document = serde_json::json!({ "receivers": told });
    context
        .output
        .data(&document, || told.iter().map(line).collect())?;
    let all = told.iter().all(|one| one.delivered);
    Ok(if all { Exit::Done } else { Exit::Failed })
}
