//! The addresses of the policy file: the API's and its proxy's.

use std::net::{IpAddr, SocketAddr};

use reqwest::Url;
use toml::Spanned;

use super::code::Code;
use super::diagnostics::Problem;
use super::reader::Findings;

/// The API's base URL.
pub(super) fn base_url(text: &Spanned<String>, findings: &mut Findings) -> Option<String> {
    callable("base_url", text, "https://api.extracta.ai/api/v1", findings)
}

/// A URL that may be called: https, or http on loopback; no user, query or fragment; no link-local host,
/// where cloud machines keep their own credentials.
pub(super) fn callable(
    key: &str,
    text: &Spanned<String>,
    example: &str,
    findings: &mut Findings,
) -> Option<String> {
    let refuse = |why: &str, help: &str| {
        Problem::at(Code::BadUrl, text.span(), format!("`{key}` {why}"))
            .label("must not be called")
            .help(help)
    };
    let usual = &format!("write `{key} = \"{example}\"`");
    let no_user = if key == "base_url" {
        "remove everything up to the `@`; the key belongs into a file: `api_key_file`"
    } else {
        "remove everything up to the `@`"
    };
    let problem = match Url::parse(text.get_ref()) {
        Err(_) => refuse("is no URL", usual),
        Ok(url) if url.host().is_none() || !matches!(url.scheme(), "http" | "https") => {
            refuse("is no https URL", usual)
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            refuse("holds a user or password", no_user)
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => refuse(
            "holds a query or fragment",
            "remove everything from the `?` or `#` on",
        ),
        Ok(url) if is_link_local(&url) => refuse("points to a link-local address", usual),
        Ok(url) if url.scheme() == "http" && !is_here(&url) => refuse(
            "is not encrypted",
            "write `https://`; plain http is accepted only for this machine (127.0.0.1, [::1], localhost)",
        ),
        Ok(url) => return Some(url.as_str().trim_end_matches('/').to_owned()),
    };
    findings.push(problem);
    None
}

/// A proxy: http or https, a host, no user, nothing after it.
pub(super) fn proxy(text: &Spanned<String>, findings: &mut Findings) -> Option<String> {
    let refuse = |why: &str, help: &str| {
        Problem::at(Code::BadUrl, text.span(), format!("`proxy` {why}"))
            .label("is no proxy")
            .help(help)
    };
    let usual = "write host and port: `proxy = \"http://proxy.example:3128\"`";
    let problem = match Url::parse(text.get_ref()) {
        Err(_) => refuse("is no URL", usual),
        Ok(url) if url.host().is_none() || !matches!(url.scheme(), "http" | "https") => {
            refuse("is no http or https URL", usual)
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => refuse(
            "holds a user or password",
            "a secret does not belong into this file: let the proxy know this machine by its address",
        ),
        Ok(url) if url.path() != "/" || url.query().is_some() || url.fragment().is_some() => {
            refuse("holds more than scheme, host and port", usual)
        }
        Ok(url) => return Some(url.as_str().trim_end_matches('/').to_owned()),
    };
    findings.push(problem);
    None
}

/// Whether a base URL points to this machine.
pub(super) fn is_loopback(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| is_here(&url))
}

/// Whether a base URL points to this very address and port.
pub(super) fn is_at(url: &str, at: SocketAddr) -> bool {
    Url::parse(url).is_ok_and(|url| {
        let same_host =
            address(&url).map_or_else(|| is_here(&url) && at.ip().is_loopback(), |ip| ip == at.ip());
        same_host && at.port() != 0 && url.port_or_known_default() == Some(at.port())
    })
}

/// Whether a URL's host is this machine.
pub(super) fn is_here(url: &Url) -> bool {
    address(url).is_some_and(|ip| ip.is_loopback()) || url.host_str() == Some("localhost")
}

fn is_link_local(url: &Url) -> bool {
    match address(url) {
        Some(IpAddr::V4(ip)) => ip.is_link_local() || ip.is_unspecified(),
        Some(IpAddr::V6(ip)) => {
            ip.is_unicast_link_local()
                || ip.is_unspecified()
                || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_link_local())
        }
        None => false,
    }
}

fn address(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}
