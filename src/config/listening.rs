//! `[http]`: where page, metrics and health are shown.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use toml::Spanned;

use super::code::Code;
use super::diagnostics::Problem;
use super::reader::{Findings, Section};

/// `[http]`: the listener for people and scrapers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Where it listens; port 0 takes any. `None`: nowhere. Default 127.0.0.1:9464.
    pub listen: Option<SocketAddr>,
    /// Names besides `localhost` under which it may be asked, in lower case. Addresses always may.
    pub hosts: Vec<String>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464)),
            hosts: Vec::new(),
        }
    }
}

impl HttpSettings {
    pub(super) fn read(section: Option<&Section<'_>>, findings: &mut Findings) -> Self {
        let Some(section) = section else {
            return Self::default();
        };
        let listen = section.string("listen", findings).map(|text| {
            let listen = address("listen", &text, findings);
            if let Some(at) = listen.filter(|at| !at.ip().is_loopback()) {
                findings.push(reachable(&text, at));
            }
            listen
        });
        Self {
            listen: listen.unwrap_or(Self::default().listen),
            hosts: section
                .strings("hosts", findings)
                .unwrap_or_default()
                .iter()
                .filter_map(|text| host(text, findings))
                .collect(),
        }
    }
}

/// `address:port`, or `off`, which is `None`. So is a mistake, which is reported.
pub(super) fn address(key: &str, text: &Spanned<String>, findings: &mut Findings) -> Option<SocketAddr> {
    if text.get_ref() == "off" {
        return None;
    }
    let parsed = text.get_ref().parse().ok();
    if parsed.is_none() {
        findings.push(
            Problem::at(
                Code::BadAddress,
                text.span(),
                format!("`{key}` is no address with a port"),
            )
            .label("not understood")
            .help(format!(
                "write `{key} = \"127.0.0.1:9464\"`, `{key} = \"[::1]:9464\"`, or `{key} = \"off\"`; names such as `localhost` are not looked up"
            )),
        );
    }
    parsed
}

fn reachable(text: &Spanned<String>, at: SocketAddr) -> Problem {
    Problem::at(
        Code::ReachableListener,
        text.span(),
        format!("`listen` opens {at} to other machines"),
    )
    .label("whoever reaches it reads page and metrics: they ask for no password")
    .help(format!(
        "write `listen = \"127.0.0.1:{}\"` and let a proxy with a password stand in front, unless the network keeps strangers out",
        at.port()
    ))
}

fn host(text: &Spanned<String>, findings: &mut Findings) -> Option<String> {
    let name = text.get_ref().to_ascii_lowercase();
    let plain = |label: &str| {
        let inside = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(inside)
    };
    if name.len() <= 253 && name.split('.').all(plain) {
        return Some(name);
    }
    findings.push(
        Problem::at(Code::BadName, text.span(), "this cannot be a host name")
            .label("a name alone, without a port")
            .help("write it as browsers and scrapers say it: `hosts = [\"retention.example.com\"]`"),
    );
    None
}
