//! Transport errors in words: what failed and why, never an address, an id or the key.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use crate::outcome::reason::{cleaned, shortened};

/// Says what went wrong.
pub(in crate::extracta) fn of(error: &reqwest::Error) -> String {
    if let Some(tls) = find::<rustls::Error>(error) {
        return format!("TLS: {}", tls_words(tls));
    }
    if error.is_dns() {
        return "DNS: the host's name cannot be resolved".to_owned();
    }
    if error.is_connect() && error.is_timeout() {
        return "no connection within the time allowed".to_owned();
    }
    if let Some(io) = find::<io::Error>(error) {
        return io_words(io, error.is_connect());
    }
    if let Some(http) = find::<hyper::Error>(error) {
        return http_words(http).to_owned();
    }
    let step = if error.is_connect() {
        "connection"
    } else {
        "request"
    };
    format!("{step} failed: {}", cleaned(&innermost(error).to_string()))
}

/// Looks for an error type in the chain, also inside I/O errors, which hide what they wrap from
/// `source`.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<E>() {
            // Of nested I/O errors the inner one says more.
            return inner_of(current).and_then(find::<E>).or(Some(found));
        }
        next = inner_of(current).or_else(|| current.source());
    }
    None
}

fn inner_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let wrapped = error.downcast_ref::<io::Error>()?.get_ref()?;
    Some(wrapped)
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut current = error;
    while let Some(inner) = inner_of(current).or_else(|| current.source()) {
        current = inner;
    }
    current
}

fn tls_words(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(certificate) = error else {
        // The library's own words: nothing of the certificate is in them.
        return shortened(&error.to_string());
    };
    use CertificateError as C;
    let known = if matches!(certificate, C::Expired | C::ExpiredContext { .. }) {
        "the server's certificate has expired"
    } else if matches!(certificate, C::NotValidYet | C::NotValidYetContext { .. }) {
        "the server's certificate is not valid yet"
    } else if matches!(certificate, C::UnknownIssuer) {
        "the server's certificate comes from an unknown issuer"
    } else if matches!(certificate, C::NotValidForName | C::NotValidForNameContext { .. }) {
        "the server's certificate is for another host"
    } else if matches!(certificate, C::Revoked) {
        "the server's certificate was revoked"
    } else if matches!(certificate, C::BadSignature) {
        "the server's certificate has a bad signature"
    } else {
        // Only the variant's name: what it carries may name hosts.
        let variant = format!("{certificate:?}");
        let name: String = variant.chars().take_while(char::is_ascii_alphanumeric).collect();
        return format!("the server's certificate is not acceptable ({name})");
    };
    known.to_owned()
}

fn io_words(error: &io::Error, connecting: bool) -> String {
    let known = [
        (io::ErrorKind::ConnectionRefused, "connection refused"),
        (io::ErrorKind::ConnectionReset, "connection reset"),
        (io::ErrorKind::ConnectionAborted, "connection aborted"),
        (io::ErrorKind::BrokenPipe, "connection closed while sending"),
        (io::ErrorKind::UnexpectedEof, "connection closed too early"),
        (io::ErrorKind::TimedOut, "connection timed out"),
        (io::ErrorKind::HostUnreachable, "host unreachable"),
        (io::ErrorKind::NetworkUnreachable, "network unreachable"),
    ];
    if let Some((_, text)) = known.iter().find(|(kind, _)| *kind == error.kind()) {
        return (*text).to_owned();
    }
    let step = if connecting { "connection" } else { "exchange" };
    format!("{step} failed: {}", cleaned(&error.to_string()))
}

fn http_words(error: &hyper::Error) -> &'static str {
    if error.is_incomplete_message() {
        "connection closed before the answer was complete"
    } else if error.is_parse() {
        "the answer is no valid HTTP"
    } else if error.is_canceled() || error.is_closed() {
        "connection closed before the request was taken"
    } else {
        "connection failed"
    }
}
