//! Which headers pass: all but those of one hop, and those that are for us.

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{
    ACCEPT_ENCODING, CONNECTION, EXPECT, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::body::Body as _;

use crate::intake::gateway::{Call, OWN_HEADERS};

/// Headers of one hop (RFC 9110, section 7.6.1), besides those that `Connection` names.
const ONE_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What is sent on of a request's headers. The host is the API's, and what `Expect` asks for the listener
/// has answered. Of calls whose answer is read, the API is asked for it as it is, uncompressed: a copy that
/// cannot be read would be an upload in doubt.
pub(super) fn request_headers(headers: &HeaderMap, call: Call) -> HeaderMap {
    let mut kept = of_all_hops(headers);
    kept.remove(HOST);
    kept.remove(EXPECT);
    let own: Vec<HeaderName> = kept
        .keys()
        .filter(|name| name.as_str().starts_with(OWN_HEADERS))
        .cloned()
        .collect();
    for name in own {
        kept.remove(name);
    }
    if call != Call::Other && kept.contains_key(ACCEPT_ENCODING) {
        kept.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    kept
}

/// What the client gets of an answer's headers.
pub(super) fn answer_headers(headers: &HeaderMap) -> HeaderMap {
    of_all_hops(headers)
}

fn of_all_hops(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if !ONE_HOP.contains(name) && !named.iter().any(|named| named == name.as_str()) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

/// Whether a request carries a body at all.
pub(super) fn has_body(body: &Body) -> bool {
    !body.is_end_stream()
}

/// A header's text, if it has one.
pub(super) fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Module;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn headers_of_one_hop_and_our_own_stay_here_and_all_others_pass() {
        let said = map(&[
            ("host", "127.0.0.1:8317"),
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "Basic x"),
            ("expect", "100-continue"),
            ("x-retentiond-label-tenant", "acme"),
            ("x-retentiond-subject", "somebody"),
            ("authorization", "Bearer key"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("accept-encoding", "gzip"),
        ]);
        let sent = request_headers(&said, Call::Other);
        assert_eq!(
            sent,
            map(&[
                ("authorization", "Bearer key"),
                ("cookie", "a=1"),
                ("cookie", "b=2"),
                ("accept-encoding", "gzip"),
            ])
        );
    }

    #[test]
    fn an_answer_that_is_read_is_asked_for_uncompressed() {
        let upload = Call::Upload(Module::Extraction);
        let sent = request_headers(&map(&[("accept-encoding", "gzip, br")]), upload);
        assert_eq!(sent, map(&[("accept-encoding", "identity")]));
        assert_eq!(request_headers(&HeaderMap::new(), upload), HeaderMap::new());
    }
}
