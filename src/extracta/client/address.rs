//! Which base address the key may be sent to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;

use super::ClientError;

/// Where `localhost` is, whatever a resolver says; port 0 stands for the address's own.
pub(super) const LOOPBACK: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0),
];

/// A base address that passed.
#[derive(Debug)]
pub(super) struct Address {
    /// The address without a slash at its end.
    pub(super) base: String,
    /// `http`, not `https`.
    pub(super) plain: bool,
    /// On this machine.
    pub(super) local: bool,
}

/// `https` anywhere but link-local addresses, `http` only to this machine; no user, password, query
/// or fragment.
pub(super) fn checked(base_url: &str) -> Result<Address, ClientError> {
    let refuse = |reason| Err(ClientError::Address { reason });
    let Ok(url) = Url::parse(base_url.trim()) else {
        return refuse("is not a valid address such as https://api.extracta.ai/api/v1");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("must not hold a user name or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("must not hold a query or fragment");
    }
    let Some(host) = url.host_str() else {
        return refuse("names no host");
    };
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    if ip.is_some_and(is_forbidden) {
        return refuse("must not be a link-local or unspecified address");
    }
    let local = host == "localhost" || ip.is_some_and(|ip| ip.to_canonical().is_loopback());
    let plain = match url.scheme() {
        "https" => false,
        "http" if local => true,
        "http" => return refuse("must be https: http would show the key to the network"),
        _ => return refuse("must be https"),
    };
    Ok(Address {
        base: url.as_str().trim_end_matches('/').to_owned(),
        plain,
        local,
    })
}

/// Link-local addresses lead to cloud metadata services; the unspecified one to who knows where.
fn is_forbidden(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_unspecified() || v4.is_broadcast() || v4.is_multicast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_may_see_the_key_pass() {
        for (given, base, plain) in [
            (
                "https://api.extracta.ai/api/v1",
                "https://api.extracta.ai/api/v1",
                false,
            ),
            (
                "https://api.extracta.ai/api/v1/",
                "https://api.extracta.ai/api/v1",
                false,
            ),
            ("HTTPS://API.extracta.ai", "https://api.extracta.ai", false),
            ("http://127.0.0.1:8080/api", "http://127.0.0.1:8080/api", true),
            ("http://127.9.9.9", "http://127.9.9.9", true),
            ("http://[::1]:80", "http://[::1]", true),
            ("http://localhost:1/", "http://localhost:1", true),
            ("https://localhost", "https://localhost", false),
        ] {
            let address = checked(given).expect(given);
            assert_eq!((address.base.as_str(), address.plain), (base, plain));
        }
        for bad in [
            "",
            "api.extracta.ai",
            "http://api.extracta.ai",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
            "https://user@api.extracta.ai",
            "https://:canary-key@api.extracta.ai",
            "https://api.extracta.ai?x=canary-key",
            "https://api.extracta.ai#x",
            "https://169.254.169.254/latest",
            "https://[fe80::1]",
            "https://[::ffff:169.254.169.254]",
            "http://0.0.0.0",
            "http://2852039166/",
        ] {
            let error = checked(bad).expect_err(bad);
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }
}
