//! `reload`: the running daemon reads its policy file again; answers when the outcome stands.

use super::context::Context;
use super::exit::{Exit, Failure, chain};
use crate::config;
use crate::daemon::{ControlError, ask_reload};

pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let path = config::control_socket(&|name| std::env::var_os(name));
    let reloaded = ask_reload(&path).await.map_err(|error| match &error {
        ControlError::NoDaemon { .. } => Failure::new(
            Exit::Failed,
            format!(
                "{}\n  systemctl status retentiond\n  outside systemd: kill -HUP PID",
                chain(&error)
            ),
        ),
        ControlError::NoAnswer { .. } => Failure::new(Exit::Failed, chain(&error)),
    })?;
    if let Some(waits) = &reloaded.waits {
        return Err(Failure::new(Exit::Stopped, waits.clone()));
    }
    if !reloaded.taken {
        return Err(Failure {
            exit: Exit::Config,
            text: format!(
                "{}the policy file is refused; the last good one stays in force\n",
                reloaded.problems
            ),
            rendered: true,
        });
    }
    context.output.data(&reloaded, || {
        format!("{} policies are in force\n", reloaded.policies)
    })?;
    for part in &reloaded.needs_restart {
        context.output.say(&format!(
            "{part} has changed: that takes effect with  systemctl restart retentiond"
        ));
    }
    Ok(Exit::Done)
}
