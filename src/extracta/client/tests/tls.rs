//! Certificates that must not be accepted. The server is rustls on a plain thread.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;

use super::*;

/// A server that counts the requests which reach it through TLS.
struct TlsServer {
    base: String,
    requests: Arc<AtomicUsize>,
}

fn start(certificate: &rcgen::Certificate, key: &KeyPair) -> TlsServer {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a matching key");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let base = format!("https://{}", listener.local_addr().expect("bound"));
    let requests = Arc::new(AtomicUsize::new(0));
    let (config, counter) = (Arc::new(config), Arc::clone(&requests));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).expect("a session");
            let mut tls = rustls::StreamOwned::new(session, stream);
            let mut buffer = [0; 4096];
            if tls.read(&mut buffer).is_ok_and(|count| count > 0) {
                counter.fetch_add(1, Ordering::SeqCst);
                tls.write_all(&server::json(200, SUCCESS)).ok();
                tls.conn.send_close_notify();
                tls.flush().ok();
            }
        }
    });
    TlsServer { base, requests }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "the authority of these tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

/// Sends one delete to a server with this certificate; the client trusts `trusted` only.
async fn delete_at(
    trusted: &rcgen::Certificate,
    certificate: &rcgen::Certificate,
    key: &KeyPair,
) -> (Reply, usize) {
    let server = start(certificate, key);
    let root = reqwest::Certificate::from_der(trusted.der()).expect("a certificate");
    let client = ExtractaClient::with_roots(config(&server.base), Some(vec![root])).expect("a client");
    let reply = client.delete_files(&request(&["F"])).await;
    (reply, server.requests.load(Ordering::SeqCst))
}

fn params(host: &str) -> (CertificateParams, KeyPair) {
    let params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
    (params, KeyPair::generate().expect("a key"))
}

async fn signed(params: CertificateParams, key: KeyPair) -> (Reply, usize) {
    let authority = authority();
    let certificate = params.signed_by(&key, &authority).expect("signed");
    delete_at(authority.as_ref(), &certificate, &key).await
}

fn not_sent(why: &str) -> (Reply, usize) {
    let reason = format!("TLS: the server's certificate {why}");
    (Reply::NotSent { reason }, 0)
}

#[tokio::test]
async fn a_good_certificate_lets_the_request_through() {
    let (params, key) = params("127.0.0.1");
    let (reply, requests) = signed(params, key).await;
    assert_eq!(interpret_delete(&reply, 1).label(), "confirmed", "{reply:?}");
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn a_certificate_for_another_host_means_not_sent() {
    let (params, key) = params("elsewhere.example");
    assert_eq!(signed(params, key).await, not_sent("is for another host"));
}

#[tokio::test]
async fn an_expired_or_future_certificate_means_not_sent() {
    let (mut old, key) = params("127.0.0.1");
    old.not_before = rcgen::date_time_ymd(2020, 1, 1);
    old.not_after = rcgen::date_time_ymd(2021, 1, 1);
    assert_eq!(signed(old, key).await, not_sent("has expired"));
    let (mut early, key) = params("127.0.0.1");
    early.not_before = rcgen::date_time_ymd(3000, 1, 1);
    early.not_after = rcgen::date_time_ymd(3001, 1, 1);
    assert_eq!(signed(early, key).await, not_sent("is not valid yet"));
}

#[tokio::test]
async fn a_self_signed_certificate_means_not_sent() {
    let (params, key) = params("127.0.0.1");
    let certificate = params.self_signed(&key).expect("signed");
    let found = delete_at(authority().as_ref(), &certificate, &key).await;
    assert_eq!(found, not_sent("comes from an unknown issuer"));
}

#[tokio::test]
async fn a_server_without_tls_is_never_spoken_to_in_clear() {
    let server = Server::start(|_| Act::Answer(json(200, SUCCESS))).await;
    let base = server.base().replace("http://", "https://");
    let mut config = config(&base);
    config.connect_timeout = Duration::from_millis(200);
    let client = ExtractaClient::with_roots(config, Some(Vec::new())).expect("a client");
    let reply = client.delete_files(&request(&["F"])).await;
    assert!(matches!(reply, Reply::NotSent { .. }), "{reply:?}");
    assert!(server.seen().is_empty());
}
