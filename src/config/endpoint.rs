//! `[intake]`: where uploaders may tell what they uploaded.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::code::Code;
use super::diagnostics::Problem;
use super::listening::address;
use super::reader::{Findings, Section};
use super::values::word;

/// What `reconcile` does with files at Extracta that the ledger lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Orphans {
    /// Names them.
    #[default]
    Report,
    /// Records them, with the time inside their ids.
    Record,
}

const ORPHANS: [(&str, Orphans); 2] = [("report", Orphans::Report), ("record", Orphans::Record)];

/// `[intake]`: the intake endpoint, and what is made of files that nobody recorded. Without `socket` and `listen` there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IntakeSettings {
    /// The Unix socket (mode 0660), an absolute path: whoever may open it needs no token.
    pub socket: Option<PathBuf>,
    /// The address on loopback; port 0 takes any. A token is asked for.
    pub listen: Option<SocketAddr>,
    /// File that holds the token, an absolute path; `None`: the systemd credential `intake-token`.
    pub token_file: Option<PathBuf>,
    /// What `reconcile` does with files that the ledger lacks.
    pub orphans: Orphans,
}

impl IntakeSettings {
    pub(super) fn read(section: Option<&Section<'_>>, findings: &mut Findings) -> Self {
        let Some(section) = section else {
            return Self::default();
        };
        let path = |key: &'static str, example: &str, findings: &mut Findings| {
            let text = section.string(key, findings)?;
            absolute(key, &text, example, findings)
        };
        let socket = path("socket", "/run/retentiond/intake.sock", findings);
        let token_file = path("token_file", "/etc/retentiond/credentials/intake-token", findings);
        let orphans = word(section, "orphans", &ORPHANS, findings).map(Spanned::into_inner);
        let listen = section.string("listen", findings).and_then(|text| {
            let at = address("listen", &text, findings)?;
            if at.ip().is_loopback() {
                return Some(at);
            }
            findings.push(remote(&text, at));
            None
        });
        Self {
            socket,
            listen,
            token_file,
            orphans: orphans.unwrap_or_default(),
        }
    }
}

fn absolute(
    key: &'static str,
    text: &Spanned<String>,
    example: &str,
    findings: &mut Findings,
) -> Option<PathBuf> {
    if Path::new(text.get_ref()).is_absolute() {
        return Some(PathBuf::from(text.get_ref()));
    }
    findings.push(
        Problem::at(
            Code::RelativePath,
            text.span(),
            format!("`{key}` is not an absolute path"),
        )
        .label("begins somewhere else for every process")
        .help(format!("write the path from `/` on: `{key} = \"{example}\"`")),
    );
    None
}

fn remote(text: &Spanned<String>, at: SocketAddr) -> Problem {
    Problem::at(
        Code::BadAddress,
        text.span(),
        format!("`listen` in [intake] opens {at} to other machines"),
    )
    .label("the token would cross the network in clear")
    .help(format!(
        "write `listen = \"127.0.0.1:{}\"`, and let a proxy with TLS stand in front for other machines",
        at.port()
    ))
}
