//! `daemon`: the service in the foreground.

use std::sync::Arc;

use super::accounts::keys_of_named;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::config;
use crate::daemon::{Daemon, DaemonError, Parts, counting};

pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let loaded = context.load()?;
    let checked = loaded.checked;
    let (activity, ear) = counting();
    let (engine, ledger, lock) = context.engine_heard_by(&checked, ear).await?;
    let path = context.config_path().to_owned();
    // Without the key nobody's name is taken in; that is no reason to delete late.
    let subjects = context.subjects(&checked).unwrap_or_else(|failure| {
        tracing::error!(
            "no data subject can be recorded, deletion goes on: {}",
            failure.text
        );
        None
    });
    let parts = Parts {
        engine,
        ledger,
        clock: Arc::clone(&context.clock),
        webhook_secrets: config::webhook_secrets(&checked.webhooks, &|name| std::env::var_os(name)),
        account_keys: keys_of_named(&checked)?,
        checked,
        activity,
        subjects,
        read_again: Box::new(move || config::load(&path).map(|loaded| loaded.checked)),
        control: config::own_control_socket(&|name| std::env::var_os(name)),
    };
    let ended = Daemon::new(parts).run().await;
    drop(lock);
    match ended {
        Ok(()) => Ok(Exit::Done),
        Err(DaemonError::Fatal(error)) => Err(error.into()),
        Err(DaemonError::Ledger(error)) => Err(error.into()),
        Err(error @ (DaemonError::Trigger(_) | DaemonError::Signals(_))) => {
            Err(Failure::new(Exit::Failed, error.to_string()))
        }
    }
}
