//! `[gateway]`: where other clients' requests pass through; `[webhooks]`: where Extracta's deliveries come in.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::code::Code;
use super::diagnostics::Problem;
use super::listening::address;
use super::reader::{Findings, Section};
use super::urls;

/// `[gateway]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GatewaySettings {
    /// Where it listens; port 0 takes any. `None`: nowhere, the default.
    pub listen: Option<SocketAddr>,
}

impl GatewaySettings {
    pub(super) fn read(section: Option<&Section<'_>>, base_url: &str, findings: &mut Findings) -> Self {
        let Some(section) = section else {
            return Self::default();
        };
        let listen = listen(
            section,
            "[gateway]",
            "clients send their API key through it, unencrypted",
            findings,
        );
        if let Some((text, at)) = &listen
            && urls::is_at(base_url, *at)
        {
            findings.push(
                Problem::at(
                    Code::GatewayLoop,
                    text.span(),
                    "the gateway would pass every request on to itself",
                )
                .label("`base_url` in [extracta] is this address")
                .help("write the API's own address as `base_url`: clients come to the gateway, the gateway goes to `base_url`"),
            );
        }
        Self {
            listen: listen.map(|(_, at)| at),
        }
    }
}

/// `listen`, on this machine unless `allow_remote` says otherwise.
pub(super) fn listen(
    section: &Section<'_>,
    table: &str,
    danger: &str,
    findings: &mut Findings,
) -> Option<(Spanned<String>, SocketAddr)> {
    let allowed = section.boolean("allow_remote", findings).unwrap_or(false);
    let text = section.string("listen", findings)?;
    let at = address("listen", &text, findings)?;
    if !at.ip().is_loopback() && !allowed {
        findings.push(
            Problem::at(
                Code::RemoteListener,
                text.span(),
                format!("`listen` in {table} opens {at} to other machines"),
            )
            .label(danger)
            .help(format!(
                "write `listen = \"127.0.0.1:{}\"` and let a proxy with a certificate stand in front, or say `allow_remote = true`",
                at.port()
            )),
        );
    }
    Some((text, at))
}

/// Secrets at a time: the one in use, and the one that replaces it.
const MOST_SECRETS: usize = 2;

/// `[webhooks]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebhookSettings {
    /// Where they come in; port 0 takes any. `None`: nowhere, the default.
    pub listen: Option<SocketAddr>,
    /// Files that hold a secret each, absolute paths, at most two. Empty: systemd's credentials; see
    /// [`super::webhook_secrets`].
    pub secret_files: Vec<PathBuf>,
}

impl WebhookSettings {
    pub(super) fn read(section: Option<&Section<'_>>, findings: &mut Findings) -> Self {
        let Some(section) = section else {
            return Self::default();
        };
        let listen = listen(
            section,
            "[webhooks]",
            "deliveries are signed, but not encrypted",
            findings,
        );
        let files = section.strings("secret_file", findings).unwrap_or_default();
        if let Some(third) = files.get(MOST_SECRETS) {
            findings.push(
                Problem::at(
                    Code::OutOfRange,
                    third.span(),
                    "`secret_file` names more than two files",
                )
                .label("one too many")
                .help("name the secret in use and, while it is replaced, the new one"),
            );
        }
        for file in &files {
            if !Path::new(file.get_ref()).is_absolute() {
                findings.push(
                    Problem::at(Code::RelativePath, file.span(), "`secret_file` is not an absolute path")
                        .label("not shown, in case it is the secret itself")
                        .help("write the path of the file that holds the secret, from `/` on: `secret_file = \"/etc/retentiond/credentials/webhook-secret\"`"),
                );
            }
        }
        Self {
            listen: listen.map(|(_, at)| at),
            secret_files: files
                .into_iter()
                .map(|file| PathBuf::from(file.into_inner()))
                .collect(),
        }
    }
}
