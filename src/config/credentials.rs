//! The API key, the key that hides data subjects, the ledger's password: from a file of its own, systemd's credentials, or the environment.
//!
//! Errors name the place that was looked at, never what was found there.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::accounts::AccountSettings;
use super::endpoint::IntakeSettings;
use super::erasure::ErasureSettings;
use super::evidence::EvidenceSettings;
use super::ledger::ServerSettings;
use super::settings::ExtractaSettings;
use crate::model::AccountName;

/// A key longer than this, in bytes, is taken for another file.
const MAX_KEY_BYTES: u64 = 4096;

/// Why there is no usable API key.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// None of the three places holds one.
    #[error(
        "no API key: name its file as `api_key_file` in [extracta], or give the service the systemd credential `api-key`, or set EXTRACTA_API_KEY"
    )]
    Missing,
    /// A named account has no key of its own, and is never given another's.
    #[error(
        "no API key for the account `{account}`: name its file as `api_key_file` in its [[account]], or give the service the systemd credential `api-key-{account}`"
    )]
    MissingForAccount {
        /// The account.
        account: AccountName,
    },
    /// The intake endpoint has no token to ask for.
    #[error(
        "no token for `listen` in [intake]: name its file as `token_file`, or give the service the systemd credential `intake-token`"
    )]
    MissingToken,
    /// The file cannot be read.
    #[error("cannot read the key from {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Everybody on the machine may use the file.
    #[error("everybody on this machine may read or change the key in {path}: run `chmod 600 {path}`")]
    OpenToAll {
        /// The file.
        path: PathBuf,
    },
    /// There is nothing in it.
    #[error("the key in {place} is empty")]
    Empty {
        /// File or variable.
        place: String,
    },
    /// It holds what no key holds.
    #[error(
        "the key in {place} holds a space, a line break, or a character that is not ASCII: it must be one line with the key alone"
    )]
    Malformed {
        /// File or variable.
        place: String,
    },
    /// It is far too long.
    #[error("the key in {place} is longer than 4096 bytes: is this the right file?")]
    TooLong {
        /// File or variable.
        place: String,
    },
}

/// Finds the API key: `api_key_file`, else `$CREDENTIALS_DIRECTORY/api-key`, else `$EXTRACTA_API_KEY`.
///
/// A place that is named and cannot be used is an error; the next one is not tried in its stead. The one
/// exception: a named file that this process may not read, while systemd, which may, has handed over a
/// credential `api-key`. Line ends after the key are cut off.
///
/// # Errors
/// [`CredentialError`], naming the place and never the content.
pub fn api_key(
    settings: &ExtractaSettings,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<SecretString, CredentialError> {
    if let Some(path) = &settings.api_key_file {
        let refused = match File::open(path) {
            Ok(file) => return from_file(path, file),
            Err(source) => source,
        };
        if refused.kind() == std::io::ErrorKind::PermissionDenied
            && let Some((path, file)) = credential("api-key", env)?
        {
            return from_file(&path, file);
        }
        return Err(unreadable(path, refused));
    }
    if let Some((path, file)) = credential("api-key", env)? {
        return from_file(&path, file);
    }
    let value = env("EXTRACTA_API_KEY").ok_or(CredentialError::Missing)?;
    let place = "$EXTRACTA_API_KEY".to_owned();
    match value.into_string() {
        Ok(text) => checked(text, place),
        Err(_) => Err(CredentialError::Malformed { place }),
    }
}

/// Finds the API key of a named account: its `api_key_file`, else `$CREDENTIALS_DIRECTORY/api-key-NAME`, with the
/// exception that [`api_key`] makes. It is never the key of another account, and never in the environment.
///
/// # Errors
/// [`CredentialError`], naming the place and never the content; `MissingForAccount` where neither is set up.
pub fn account_key(
    settings: &AccountSettings,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<SecretString, CredentialError> {
    let name = format!("api-key-{}", settings.name);
    let found = optional(settings.extracta.api_key_file.as_deref(), &name, env)?;
    found.ok_or_else(|| CredentialError::MissingForAccount {
        account: settings.name.clone(),
    })
}

/// Finds the key that hides data subjects: `subject_key_file`, else `$CREDENTIALS_DIRECTORY/subject-key`, with
/// the exception that [`api_key`] makes. `None` where neither is set up.
///
/// # Errors
/// [`CredentialError`], naming the place and never the content.
pub fn subject_key(
    settings: &ErasureSettings,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<SecretString>, CredentialError> {
    optional(settings.subject_key_file.as_deref(), "subject-key", env)
}

/// Finds the key that signs checkpoints: `key_file` of `[evidence]`, else `$CREDENTIALS_DIRECTORY/audit-key`, with
/// the exception that [`api_key`] makes. `None` where neither is set up.
///
/// # Errors
/// [`CredentialError`], naming the place and never the content.
pub fn audit_key(
    settings: &EvidenceSettings,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<SecretString>, CredentialError> {
    optional(settings.key_file.as_deref(), "audit-key", env)
}

/// Finds the password for a ledger on PostgreSQL: `password_file` of `[ledger]`, else
/// `$CREDENTIALS_DIRECTORY/ledger-password`, with the exception that [`api_key`] makes. `None` where neither is set
/// up: the driver then asks libpq's password file (`$PGPASSFILE`), or none is needed.
///
/// # Errors
/// [`CredentialError`], naming the place and never the content.
pub fn ledger_password(
    settings: &ServerSettings,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<SecretString>, CredentialError> {
    optional(settings.password_file.as_deref(), "ledger-password", env)
}

fn optional(
    path: Option<&Path>,
    name: &str,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<SecretString>, CredentialError> {
    if let Some(path) = path {
        let refused = match File::open(path) {
            Ok(file) => return from_file(path, file).map(Some),
            Err(source) => source,
        };
        if refused.kind() != std::io::ErrorKind::PermissionDenied {
            return Err(unreadable(path, refused));
        }
        return match credential(name, env)? {
            Some((handed, file)) => from_file(&handed, file).map(Some),
            None => Err(unreadable(path, refused)),
        };
    }
    match credential(name, env)? {
        Some((path, file)) => from_file(&path, file).map(Some),
        None => Ok(None),
    }
}

/// systemd's credential of that name, if there is one.
fn credential(
    name: &str,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<(PathBuf, File)>, CredentialError> {
    let Some(directory) = env("CREDENTIALS_DIRECTORY").filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let path = Path::new(&directory).join(name);
    match File::open(&path) {
        Ok(file) => Ok(Some((path, file))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(unreadable(&path, source)),
    }
}

/// Finds the token of the intake endpoint: `token_file`, else `$CREDENTIALS_DIRECTORY/intake-token`.
///
/// # Errors
/// [`CredentialError`], naming the place and never the content; `MissingToken` where neither is set up.
pub fn intake_token(
    settings: &IntakeSettings,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<SecretString, CredentialError> {
    let directory = || env("CREDENTIALS_DIRECTORY").filter(|value| !value.is_empty());
    let path = match &settings.token_file {
        Some(path) => path.clone(),
        None => Path::new(&directory().ok_or(CredentialError::MissingToken)?).join("intake-token"),
    };
    match File::open(&path) {
        Ok(file) => from_file(&path, file),
        Err(error) if settings.token_file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            Err(CredentialError::MissingToken)
        }
        Err(source) => Err(unreadable(&path, source)),
    }
}

fn unreadable(path: &Path, source: std::io::Error) -> CredentialError {
    CredentialError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

/// The rights are those of the opened file, so it cannot be exchanged in between.
pub(super) fn from_file(path: &Path, file: File) -> Result<SecretString, CredentialError> {
    let metadata = file.metadata().map_err(|source| unreadable(path, source))?;
    if metadata.is_dir() {
        return Err(unreadable(path, std::io::ErrorKind::IsADirectory.into()));
    }
    if metadata.permissions().mode() & 0o007 != 0 {
        return Err(CredentialError::OpenToAll {
            path: path.to_owned(),
        });
    }
    let place = path.display().to_string();
    let mut bytes = Vec::new();
    file.take(MAX_KEY_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| unreadable(path, source))?;
    match String::from_utf8(bytes) {
        Ok(text) => checked(text, place),
        Err(_) => Err(CredentialError::Malformed { place }),
    }
}

fn checked(mut text: String, place: String) -> Result<SecretString, CredentialError> {
    text.truncate(text.trim_end_matches(['\n', '\r']).len());
    if text.trim().is_empty() {
        return Err(CredentialError::Empty { place });
    }
    if text.len() as u64 > MAX_KEY_BYTES {
        return Err(CredentialError::TooLong { place });
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(CredentialError::Malformed { place });
    }
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests;
