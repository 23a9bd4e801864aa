//! `[notify]`: who is told, and where the secret that signs it comes from.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretSlice};

use super::credentials::{CredentialError, from_file};
use super::reader::{Findings, Section};
use super::settings::secret_file;
use super::urls;

/// Where the secret is, besides its own file.
const CREDENTIAL: &str = "webhook-secret";

/// Standard Webhooks asks for 24 to 64 bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// `[notify]`: nobody is told, unless it says so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotifySettings {
    /// Where events are posted, signed: https, or http on this machine.
    pub webhook_url: Option<String>,
    /// File that holds the signing secret, an absolute path. `None`: `$CREDENTIALS_DIRECTORY/webhook-secret`.
    pub webhook_secret_file: Option<PathBuf>,
    /// What each sweep's start and end are reported to: `URL/start`, `URL/EXIT-CODE`.
    pub ping_url: Option<String>,
}

impl NotifySettings {
    pub(super) fn read(section: Option<&Section<'_>>, findings: &mut Findings) -> Self {
        let Some(section) = section else {
            return Self::default();
        };
        let mut url = |key: &str, example: &str| {
            let text = section.string(key, findings)?;
            urls::callable(key, &text, example, findings)
        };
        let webhook_url = url("webhook_url", "https://hooks.example.com/retention");
        let ping_url = url("ping_url", "https://hc-ping.com/your-check");
        Self {
            webhook_url,
            ping_url,
            webhook_secret_file: section
                .string("webhook_secret_file", findings)
                .and_then(|text| secret_file("webhook_secret_file", &text, findings)),
        }
    }
}

/// Why events cannot be signed. Names the place, never what was found there.
#[derive(Debug, thiserror::Error)]
#[error("no webhook secret: {problem}")]
pub struct SecretError {
    problem: String,
}

/// The secret that signs events: `webhook_secret_file`, else `$CREDENTIALS_DIRECTORY/webhook-secret`. It is
/// written as Standard Webhooks does: `whsec_`, then 24 to 64 bytes in base64.
///
/// # Errors
/// [`SecretError`].
pub fn webhook_secret(
    settings: &NotifySettings,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<SecretSlice<u8>, SecretError> {
    let directory = env("CREDENTIALS_DIRECTORY").filter(|value| !value.is_empty());
    let credential = directory.map(|directory| Path::new(&directory).join(CREDENTIAL));
    let path = settings.webhook_secret_file.clone().or(credential).ok_or_else(|| refused(
        "name its file as `webhook_secret_file` in [notify], or give the service the systemd credential `webhook-secret`",
    ))?;
    let file =
        File::open(&path).map_err(|error| refused(&format!("cannot read {}: {error}", path.display())))?;
    let text = from_file(&path, file).map_err(|error| refused(&why(&error)))?;
    let text = text.expose_secret();
    let decoded = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text));
    match decoded {
        Ok(bytes) if SECRET_BYTES.contains(&bytes.len()) => Ok(bytes.into()),
        Ok(_) | Err(_) => Err(refused(&format!(
            "{} does not hold `whsec_` and 24 to 64 bytes in base64: `echo whsec_$(head -c 32 /dev/urandom | base64)` makes one",
            path.display()
        ))),
    }
}

fn refused(problem: &str) -> SecretError {
    SecretError {
        problem: problem.to_owned(),
    }
}

fn why(error: &CredentialError) -> String {
    match error {
        CredentialError::Missing
        | CredentialError::MissingToken
        | CredentialError::MissingForAccount { .. } => "there is none".to_owned(),
        CredentialError::Unreadable { path, source } => format!("cannot read {}: {source}", path.display()),
        CredentialError::OpenToAll { path } => format!(
            "everybody on this machine may read or change {}: run `chmod 600` on it",
            path.display()
        ),
        CredentialError::Empty { place } => format!("{place} is empty"),
        CredentialError::Malformed { place } => format!("{place} must be one line with the secret alone"),
        CredentialError::TooLong { place } => format!("{place} is longer than any secret"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn secret_in(text: &str, mode: u32) -> Result<Vec<u8>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("webhook-secret");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let env = |name: &str| (name == "CREDENTIALS_DIRECTORY").then(|| dir.path().as_os_str().to_owned());
        let by_credential = webhook_secret(&NotifySettings::default(), &env);
        let settings = NotifySettings {
            webhook_secret_file: Some(path),
            ..NotifySettings::default()
        };
        let by_file = webhook_secret(&settings, &|_| None);
        let read = |secret: Result<SecretSlice<u8>, SecretError>| {
            secret
                .map(|s| s.expose_secret().to_vec())
                .map_err(|e| e.to_string())
        };
        let (by_credential, by_file) = (read(by_credential), read(by_file));
        assert_eq!(by_credential, by_file);
        by_file
    }

    #[test]
    fn a_secret_is_taken_from_its_file_or_from_the_credential_and_never_shown() {
        let encoded = STANDARD.encode([7; 32]);
        assert_eq!(secret_in(&format!("whsec_{encoded}\n"), 0o600).unwrap(), [7; 32]);
        assert_eq!(secret_in(&encoded, 0o600).unwrap(), [7; 32]);
        for (text, mode) in [
            (format!("whsec_{encoded}"), 0o604),
            (String::new(), 0o600),
            ("not base64!".to_owned(), 0o600),
            (STANDARD.encode([7; 23]), 0o600),
            (STANDARD.encode([7; 65]), 0o600),
            (format!("whsec_{encoded} {encoded}"), 0o600),
        ] {
            let error = secret_in(&text, mode).unwrap_err();
            assert!(text.is_empty() || !error.contains(&text), "{error}");
            assert!(error.starts_with("no webhook secret: "), "{error}");
        }
        assert!(webhook_secret(&NotifySettings::default(), &|_| None).is_err());
    }
}
