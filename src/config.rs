//! The policy file: text → spanned tree → drafts → [`Checked`].
//!
//! Edge storey, and the only reader of files and environment. Everything that is wrong comes back at
//! once, each with a stable [`Code`], its place, and what to type instead. A file with one error takes
//! no effect at all. Knows nothing of the ledger, the network or the engine.

pub mod credentials;

mod accounts;
mod clocks;
mod code;
mod diagnostics;
mod endpoint;
mod erasure;
mod evidence;
mod keys;
mod ledger;
mod lines;
mod listening;
mod load;
mod matching;
mod notifying;
mod passing;
mod policies;
mod reader;
mod reference;
mod relations;
mod runtime;
mod schema;
mod secrets;
mod settings;
mod source;
mod statements;
mod suggest;
mod syntax;
mod takes;
mod urls;
mod values;
mod windows;
mod zone;

#[cfg(test)]
mod tests;

pub use accounts::AccountSettings;
pub use code::{Code, Severity};
pub use credentials::{
    CredentialError, account_key, api_key, audit_key, intake_token, ledger_password, subject_key,
};
pub use diagnostics::{Problem, ProblemRecord, Problems};
pub use endpoint::{IntakeSettings, Orphans};
pub use erasure::ErasureSettings;
pub use evidence::EvidenceSettings;
pub use ledger::{DEFAULT_LEDGER, LedgerSettings, ServerSettings};
pub use listening::HttpSettings;
pub use load::{Checked, Loaded, load, parse};
pub use notifying::{NotifySettings, SecretError, webhook_secret};
pub use passing::{GatewaySettings, WebhookSettings};
pub use reference::{KeyRow, KeyTable, key_tables};
pub use runtime::{control_socket, own_control_socket};
pub use schema::json_schema;
pub use secrets::{WebhookSecretError, webhook_secrets};
pub use settings::{ExtractaSettings, HoldSettings, LogFormat, LogLevel, LogSettings};
pub use statements::{ControllerSettings, Statement};

/// Where the policy file is, unless the command line says otherwise.
pub const DEFAULT_PATH: &str = "/etc/retentiond/policies.toml";

/// The smallest useful policy file, for `retentiond init`.
#[must_use]
pub const fn starter() -> &'static str {
    include_str!("config/starter.toml")
}
