//! What a connection may do, and addresses at which nobody can be reached.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use retentiond::extracta::{ClientConfig, ExtractaClient};
use retentiond::sandbox::{Apply, Close, Endpoint, Fault, Reset, Shape};
use rustls::pki_types::PrivateKeyDer;

use super::answers::{delete, found_gone, row, tried_again};
use super::cases::{Case, Deletes, Place, Row};

/// A deadline that slow answers miss by far, and the others' work does not.
const SHORT: Duration = Duration::from_secs(2);

const WHOLE: Row = row(
    "confirmed 200",
    "2 requests, 11 deleted; done",
    "2 requests, 11 deleted",
);

pub fn cases() -> Vec<Case> {
    let reset = |when| delete().reset(when);
    let slow = || delete().shape(Shape::Slow { interval_ms: 500 });
    let close = |how| Fault::at(Endpoint::GetResults).close(how).always();
    vec![
        Case::new(
            "reset before the request was read",
            reset(Reset::BeforeRead),
            tried_again("unknown -"),
        ),
        Case::new(
            "reset, done",
            reset(Reset::AfterRead).apply(Apply::Before),
            found_gone("unknown -"),
        ),
        Case::new(
            "reset, not done",
            reset(Reset::AfterRead).apply(Apply::Never),
            tried_again("unknown -"),
        ),
        Case::new(
            "reset, half done",
            reset(Reset::AfterRead).apply(Apply::Half),
            row(
                "unknown -",
                "2 requests, 1 deleted, 5 gone, 5 live; 5 left for later",
                "4 requests, 6 deleted, 5 gone",
            ),
        ),
        Case::new("keep-alive closed without a word", close(Close::Silent), WHOLE),
        Case::new("keep-alive closed with a word", close(Close::Announced), WHOLE),
        Case::new("closed after the answer", delete().close(Close::Silent), WHOLE).confirms(),
        Case::new(
            "slow loris, done",
            slow().apply(Apply::Before),
            found_gone("unknown -"),
        )
        .within(SHORT),
        Case::new(
            "slow loris, not done",
            slow().apply(Apply::Never),
            tried_again("unknown -"),
        )
        .within(SHORT),
        Case::new(
            "no answer in time, done",
            delete().delay_ms(6000),
            found_gone("unknown -"),
        )
        .within(SHORT),
        Case::new(
            "endless, done",
            delete().shape(Shape::Endless).apply(Apply::Before),
            found_gone("unknown 200"),
        ),
        Case::new(
            "endless, not done",
            delete().shape(Shape::Endless).apply(Apply::Never),
            tried_again("unknown 200"),
        ),
        Case::new(
            "gzip bomb",
            delete().shape(bomb()).apply(Apply::Before),
            found_gone("unknown 200"),
        ),
        Case::new(
            "gzip bomb, not done",
            delete().shape(bomb()).apply(Apply::Never),
            tried_again("unknown 200"),
        ),
        Case::new(
            "cut by 10 bytes",
            delete().shape(Shape::Truncated { missing: 10 }),
            found_gone("unknown -"),
        ),
        Case::new(
            "cut by 1 byte",
            delete().shape(Shape::Truncated { missing: 1 }),
            found_gone("unknown -"),
        ),
        Case::new(
            "invalid UTF-8",
            delete().shape(Shape::InvalidUtf8),
            found_gone("unknown 200"),
        ),
        Case::new(
            "invalid UTF-8, not done",
            delete().shape(Shape::InvalidUtf8).apply(Apply::Never),
            tried_again("unknown 200"),
        ),
    ]
}

fn bomb() -> Shape {
    Shape::GzipBomb {
        bytes: 64 * 1024 * 1024,
    }
}

/// A listener to which no request may come through.
pub struct Server {
    pub name: &'static str,
    requests: Arc<AtomicUsize>,
}

impl Server {
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn client(base: &str, roots: Option<Vec<reqwest::Certificate>>) -> ExtractaClient {
    let key = secrecy::SecretString::from(retentiond::sandbox::DEFAULT_KEY);
    let config = ClientConfig {
        connect_timeout: SHORT,
        timeout: SHORT * 5,
        ..ClientConfig::new(base, key)
    };
    ExtractaClient::with_roots(config, roots).unwrap()
}

/// Nothing was sent: three tries, each written and not counted; every file is live; then the breaker.
const NOT_SENT: Row = row(
    "not-sent -",
    "0 requests, 11 live; breaker api",
    "2 requests, 11 deleted",
);

fn unsent(name: &str, client: ExtractaClient) -> Case {
    Case {
        fault: None,
        deletes: Deletes::Elsewhere(Box::new(client)),
        place: Place::List,
        ..Case::new(name, delete(), NOT_SENT)
    }
}

pub async fn unreachable() -> (Vec<Case>, Vec<Server>) {
    let mut cases = Vec::new();
    let mut servers = Vec::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    cases.push(unsent(
        "connection refused",
        client(&format!("http://{closed}/api/v1"), None),
    ));
    cases.push(unsent(
        "connection refused, TLS",
        client(&format!("https://{closed}/api/v1"), Some(Vec::new())),
    ));
    cases.push(unsent(
        "no such name",
        client("https://nowhere.invalid/api/v1", Some(Vec::new())),
    ));
    for (name, host, (from, to), signer) in [
        ("TLS: expired", "127.0.0.1", (2020, 2021), Signer::Trusted),
        ("TLS: not valid yet", "127.0.0.1", (3000, 3001), Signer::Trusted),
        (
            "TLS: wrong host",
            "api.extracta.ai",
            (2020, 3000),
            Signer::Trusted,
        ),
        ("TLS: self-signed", "127.0.0.1", (2020, 3000), Signer::Itself),
        (
            "TLS: untrusted issuer",
            "127.0.0.1",
            (2020, 3000),
            Signer::Stranger,
        ),
    ] {
        let (address, roots, server) = tls(name, host, (from, to), signer);
        cases.push(unsent(name, client(&address, Some(roots))));
        servers.push(server);
    }
    for (name, act) in [
        (
            "TLS: spoken to in clear",
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".as_slice(),
        ),
        ("TLS: hung up", b""),
    ] {
        let (address, server) = clear(name, act);
        cases.push(unsent(name, client(&address, Some(Vec::new()))));
        servers.push(server);
    }
    (cases, servers)
}

#[derive(Clone, Copy)]
enum Signer {
    Trusted,
    Stranger,
    Itself,
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A TLS server; its address, the certificates that its client trusts, and its count of requests.
fn tls(
    name: &'static str,
    host: &str,
    (from, to): (i32, i32),
    signer: Signer,
) -> (String, Vec<reqwest::Certificate>, Server) {
    let trusted = authority("trusted");
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    let certificate = match signer {
        Signer::Trusted => params.signed_by(&key, &trusted).unwrap(),
        Signer::Stranger => params.signed_by(&key, &authority("stranger")).unwrap(),
        Signer::Itself => params.self_signed(&key).unwrap(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let (address, server) = listen(name, move |stream, counter| {
        let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut tls = rustls::StreamOwned::new(session, stream);
        if tls.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    let root: &rcgen::Certificate = trusted.as_ref();
    (
        address,
        vec![reqwest::Certificate::from_der(root.der()).unwrap()],
        server,
    )
}

/// A server that speaks no TLS: it says `act` and hangs up. What it reads counts only if it is a request in clear.
fn clear(name: &'static str, act: &'static [u8]) -> (String, Server) {
    listen(name, move |mut stream, counter| {
        let mut read = [0; 4096];
        if let Ok(count) = stream.read(&mut read)
            && read[..count].starts_with(b"DELETE")
        {
            counter.fetch_add(1, Ordering::SeqCst);
        }
        stream.write_all(act).ok();
    })
}

fn listen(
    name: &'static str,
    serve: impl Fn(std::net::TcpStream, &AtomicUsize) + Send + 'static,
) -> (String, Server) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}/api/v1", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            serve(stream, &counter);
        }
    });
    (address, Server { name, requests })
}
