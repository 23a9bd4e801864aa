//! The secrets that webhooks are signed with: from files of their own, or systemd's credentials.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::passing::WebhookSettings;

/// Names of systemd's credentials: the secret, and the one that replaces it or that it replaces.
const CREDENTIALS: [&str; 2] = ["webhook-secret", "webhook-secret-2"];

/// Longer ones are taken for another file, in bytes.
const MAX_BYTES: u64 = 4096;

/// Why there is no usable secret. Names places, never what was found there.
#[derive(Debug, thiserror::Error)]
pub enum WebhookSecretError {
    /// Neither a file nor a credential.
    #[error(
        "no webhook secret: name its file as `secret_file` in [webhooks], or give the service the systemd credential `webhook-secret`"
    )]
    Missing,
    /// The file cannot be read.
    #[error("cannot read the webhook secret from {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Everybody on the machine may use the file.
    #[error(
        "everybody on this machine may read or change the webhook secret in {path}: run `chmod 600 {path}`"
    )]
    OpenToAll {
        /// The file.
        path: PathBuf,
    },
    /// Empty, too long, or no single line of plain characters.
    #[error("{path} must hold the webhook secret alone, on one line")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

/// Finds the secrets, one or two: `secret_file`, else systemd's credentials.
///
/// # Errors
/// [`WebhookSecretError`], naming the place and never the content.
pub fn webhook_secrets(
    settings: &WebhookSettings,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Vec<SecretString>, WebhookSecretError> {
    if !settings.secret_files.is_empty() {
        return settings.secret_files.iter().map(|path| read(path)).collect();
    }
    let directory = env("CREDENTIALS_DIRECTORY").filter(|value| !value.is_empty());
    let directory = directory.ok_or(WebhookSecretError::Missing)?;
    let mut found = Vec::new();
    for name in CREDENTIALS {
        let path = Path::new(&directory).join(name);
        if path.exists() {
            found.push(read(&path)?);
        }
    }
    if found.is_empty() {
        return Err(WebhookSecretError::Missing);
    }
    Ok(found)
}

fn read(path: &Path) -> Result<SecretString, WebhookSecretError> {
    let path = path.to_owned();
    let mut bytes = Vec::new();
    let opened = File::open(&path).and_then(|file| {
        let mode = file.metadata()?.permissions().mode();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(mode)
    });
    match opened {
        Err(source) => return Err(WebhookSecretError::Unreadable { path, source }),
        // The rights are those of the opened file, so it cannot be exchanged in between.
        Ok(mode) if mode & 0o007 != 0 => return Err(WebhookSecretError::OpenToAll { path }),
        Ok(_) => {}
    }
    let text = String::from_utf8(bytes).unwrap_or_default();
    let text = text.trim_end_matches(['\n', '\r']);
    let plain = !text.is_empty() && text.len() as u64 <= MAX_BYTES;
    if !plain || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(WebhookSecretError::Malformed { path });
    }
    Ok(SecretString::from(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(dir: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn settings(secret_files: Vec<PathBuf>) -> WebhookSettings {
        WebhookSettings {
            listen: None,
            secret_files,
        }
    }

    #[test]
    fn two_files_or_two_credentials_are_two_secrets() {
        use secrecy::ExposeSecret;
        let dir = tempfile::tempdir().unwrap();
        let one = place(dir.path(), "webhook-secret", "E_AI_K_one\n", 0o600);
        let two = place(dir.path(), "webhook-secret-2", "two", 0o640);
        let told = |secrets: Vec<SecretString>| -> Vec<String> {
            secrets.iter().map(|s| s.expose_secret().to_owned()).collect()
        };
        let files = webhook_secrets(&settings(vec![one, two]), &|_| None).unwrap();
        assert_eq!(told(files), ["E_AI_K_one", "two"]);
        let env = |name: &str| (name == "CREDENTIALS_DIRECTORY").then(|| dir.path().into());
        let credentials = webhook_secrets(&settings(Vec::new()), &env).unwrap();
        assert_eq!(told(credentials), ["E_AI_K_one", "two"]);
    }

    #[test]
    fn a_secret_that_cannot_be_used_is_named_by_its_place_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let open = place(dir.path(), "open", "canary", 0o644);
        let empty = place(dir.path(), "empty", "\n", 0o600);
        let lines = place(dir.path(), "lines", "canary\ncanary", 0o600);
        for (path, why) in [
            (open, "chmod 600"),
            (empty, "on one line"),
            (lines, "on one line"),
            (dir.path().join("none"), "cannot read"),
        ] {
            let error = webhook_secrets(&settings(vec![path]), &|_| None).err().unwrap();
            let words = format!("{error} {error:?}");
            assert!(words.contains(why) && !words.contains("canary"), "{words}");
        }
        let missing = webhook_secrets(&settings(Vec::new()), &|_| None).err().unwrap();
        assert!(matches!(missing, WebhookSecretError::Missing));
    }
}
