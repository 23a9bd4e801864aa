//! The Host header: a page on the web must not read this listener through a name of its own that
//! resolves to this machine (DNS rebinding).

use std::net::IpAddr;
use std::sync::Arc;

/// The names under which a listener may be asked.
///
/// An address written out is always accepted: a rebinding page can only come under its own name.
#[derive(Debug, Clone)]
pub enum Hosts {
    /// Whatever is said: for sockets that no browser reaches.
    Any,
    /// `localhost`, addresses, and these names, in lower case.
    Named(Arc<[String]>),
}

impl Hosts {
    /// `localhost`, addresses, and `names`.
    #[must_use]
    pub fn named(names: impl IntoIterator<Item = String>) -> Self {
        Self::Named(names.into_iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    /// Whether a request for this authority (`host` or `host:port`) is for us.
    #[must_use]
    pub fn admit(&self, authority: &str) -> bool {
        let names = match self {
            Self::Any => return true,
            Self::Named(names) => names,
        };
        let Some(host) = host_of(authority) else {
            return false;
        };
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        host == "localhost" || is_address(&host) || names.contains(&host)
    }
}

/// The host of `host`, `host:port`, `[v6]` or `[v6]:port`.
fn host_of(authority: &str) -> Option<&str> {
    let (host, rest) = if authority.starts_with('[') {
        authority.split_at(authority.find(']')? + 1)
    } else {
        authority.split_at(authority.find(':').unwrap_or(authority.len()))
    };
    let port_fits = match rest.strip_prefix(':') {
        Some(port) => port.parse::<u16>().is_ok(),
        None => rest.is_empty(),
    };
    (port_fits && !host.is_empty()).then_some(host)
}

fn is_address(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(v6) => matches!(v6.parse(), Ok(IpAddr::V6(_))),
        None => matches!(host.parse(), Ok(IpAddr::V4(_))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_named_hosts_are_admitted_and_other_names_are_not() {
        let hosts = Hosts::named(["Retention.Example".to_owned()]);
        for authority in [
            "127.0.0.1:9464",
            "127.0.0.1",
            "10.1.2.3:80",
            "[::1]:9464",
            "[::1]",
            "localhost:1",
            "LOCALHOST",
            "localhost.",
            "retention.example:9464",
        ] {
            assert!(hosts.admit(authority), "{authority} is ours");
        }
        for authority in [
            "",
            ":9464",
            "evil.example",
            "evil.example:9464",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "evil-retention.example",
            "127.0.0.1:port",
            "127.0.0.1:99999",
            "::1",
            "[::1",
            "[127.0.0.1]",
            "[::1]x",
            "user@127.0.0.1",
            "0x7f.1",
        ] {
            assert!(!hosts.admit(authority), "{authority} is not ours");
        }
        assert!(Hosts::Any.admit("anything at all"));
    }
}
