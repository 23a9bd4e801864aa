//! Logs go to standard error: text, JSON lines, or the journal's native protocol.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::args::{Cli, Command};
use crate::config::{self, LogFormat, LogSettings};

/// Starts logging. The daemon says `info` by default, every other verb only warnings; `-v` says
/// more, `-q` less, and `$RETENTIOND_LOG` overrides both. `[log]` of the policy file sets the form.
pub(super) fn start(cli: &Cli) {
    let settings = settings(cli);
    let daemon = matches!(cli.command, Command::Daemon);
    let level = match (cli.quiet, cli.verbose) {
        (true, _) => "error".to_owned(),
        (false, 0) if daemon => settings
            .as_ref()
            .map_or_else(|| "info".to_owned(), |s| s.level.as_str().to_owned()),
        (false, 0) => "error".to_owned(),
        (false, 1) => "info".to_owned(),
        (false, 2) => "debug".to_owned(),
        (false, _) => "trace".to_owned(),
    };
    let filter = EnvFilter::try_from_env("RETENTIOND_LOG")
        .unwrap_or_else(|_| EnvFilter::new(format!("warn,retentiond={level}")));
    let registry = tracing_subscriber::registry().with(filter);
    let text = || {
        tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_target(false)
            // A closed standard error ends nothing, least of all a sweep: no complaint, no panic.
            .log_internal_errors(false)
    };
    let format = if daemon {
        settings.map_or(LogFormat::Text, |s| s.format)
    } else {
        LogFormat::Text
    };
    let started = match format {
        LogFormat::Text => registry.with(text().with_ansi(false)).try_init(),
        LogFormat::Json => registry.with(text().json().with_ansi(false)).try_init(),
        LogFormat::Journald => match tracing_journald::layer() {
            Ok(journal) => registry.with(journal).try_init(),
            // No journal here (a container, a terminal): text is better than nothing.
            Err(_) => registry.with(text().with_ansi(false)).try_init(),
        },
    };
    // A second start within one process (tests) keeps the first subscriber.
    drop(started);
}

/// `[log]`, where the policy file can be read; its problems are reported by the verb itself.
fn settings(cli: &Cli) -> Option<LogSettings> {
    let path = cli.config.clone().unwrap_or_else(|| config::DEFAULT_PATH.into());
    config::load(&path).ok().map(|loaded| loaded.checked.log)
}
