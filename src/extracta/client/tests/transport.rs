//! What can happen to a connection.

use super::*;

/// A client that gives up after 200 ms.
fn impatient(server: &Server) -> ExtractaClient {
    let mut config = config(server.base());
    config.timeout = Duration::from_millis(200);
    ExtractaClient::new(config).expect("a client")
}

fn reason(reply: &Reply) -> &str {
    match reply {
        Reply::NotSent { reason } | Reply::Lost { reason } => reason,
        Reply::TooLong { .. } | Reply::Answered(_) => panic!("{reply:?}"),
    }
}

#[tokio::test]
async fn no_redirect_is_followed_and_the_target_hears_nothing() {
    let target = Server::start(|_| Act::Answer(json(200, SUCCESS))).await;
    for status in [300, 301, 302, 303, 304, 305, 307, 308] {
        let location = format!("Location: {}/x?canary=1\r\n", target.base());
        let server = Server::start(move |_| Act::Answer(canned(status, &location, "", ""))).await;
        let reply = client(&server).delete_files(&request(&["F"])).await;
        assert_eq!(
            interpret_delete(&reply, 1),
            Outcome::Unknown {
                reason: format!("HTTP {status}, not followed, to 127.0.0.1")
            }
        );
        assert!(matches!(
            client(&server).list(&batch()).await,
            Listing::CannotTell { .. }
        ));
        assert_eq!(server.seen().len(), 2, "{status}");
    }
    assert_eq!(target.seen().len(), 0);
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    let header = "Content-Type: application/json\r\n";
    let server = Server::start(move |_| Act::Answer(canned(200, header, interim, SUCCESS))).await;
    let reply = client(&server).delete_files(&request(&["F"])).await;
    assert_eq!(interpret_delete(&reply, 1).label(), "confirmed");
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_leaves_the_outcome_unknown_and_is_not_retried() {
    for act in [|| Act::Reset, || Act::Close] {
        let server = Server::start(move |_| act()).await;
        let reply = client(&server).delete_files(&request(&["F"])).await;
        assert!(matches!(reply, Reply::Lost { .. }), "{reply:?}");
        assert!(reason(&reply).starts_with("connection "), "{reply:?}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_shorter_than_it_says_is_lost() {
    let short = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{\"status\":\"success\"}";
    let server = Server::start(|_| Act::AnswerAndClose(short.to_vec())).await;
    let reply = client(&server).delete_files(&request(&["F"])).await;
    assert!(matches!(reply, Reply::Lost { .. }), "{reply:?}");
    assert!(
        reason(&reply).starts_with("the answer (HTTP 200) broke off"),
        "{reply:?}"
    );

    let server = Server::start(|_| Act::AnswerAndClose(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec())).await;
    let reply = client(&server).delete_files(&request(&["F"])).await;
    assert_eq!(reason(&reply), "the answer is no valid HTTP");
    assert!(matches!(reply, Reply::Lost { .. }), "{reply:?}");
}

#[tokio::test]
async fn silence_and_a_slow_drip_end_at_the_one_deadline() {
    const HEAD: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n      ";
    let acts: [fn() -> Act; 4] = [
        || Act::Silence,
        || Act::Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".to_vec()),
        || Act::Drip(b"X-Header: y\r\n".to_vec()),
        || Act::Drip(HEAD.to_vec()),
    ];
    for act in acts {
        let server = Server::start(move |_| act()).await;
        let begin = Instant::now();
        let reply = impatient(&server).delete_files(&request(&["F"])).await;
        let took = begin.elapsed();
        assert!(took < Duration::from_millis(1200), "{took:?}");
        assert!(matches!(reply, Reply::Lost { .. }), "{reply:?}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn an_endless_body_is_cut_at_the_limit_and_the_connection_left() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n",
    ] {
        let server = Server::start(move |_| Act::Endless(head.as_bytes().to_vec(), vec![b' '; 8192])).await;
        let reply = client(&server).delete_files(&request(&["F"])).await;
        let Reply::Answered(answer) = &reply else {
            panic!("{reply:?}");
        };
        assert!(answer.cut);
        assert_eq!(answer.body.len(), 64 * 1024);
        assert_eq!(interpret_delete(&reply, 1).label(), "unknown");
        server.closed(1).await;
    }
}

#[tokio::test]
async fn endless_headers_end_as_lost() {
    let head = b"HTTP/1.1 200 OK\r\n".to_vec();
    let server =
        Server::start(move |_| Act::Endless(head.clone(), b"X-Filler: yyyyyyyyyyyyyyyyyyy\r\n".to_vec()))
            .await;
    let reply = client(&server).delete_files(&request(&["F"])).await;
    assert!(matches!(reply, Reply::Lost { .. }), "{reply:?}");
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_means_not_sent() {
    let port = {
        let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        unused.local_addr().expect("bound").port()
    };
    let client = ExtractaClient::new(config(&format!("http://127.0.0.1:{port}"))).expect("a client");
    let reply = client.delete_files(&request(&["F"])).await;
    assert_eq!(
        reply,
        Reply::NotSent {
            reason: "connection refused".to_owned()
        }
    );
    let probe = client.probe().await;
    assert_eq!(
        probe,
        Probe::Unavailable {
            reason: "connection refused".to_owned()
        }
    );
}

/// A resolver that knows no name, so that no real one is asked.
struct NoNames;

impl reqwest::dns::Resolve for NoNames {
    fn resolve(&self, _: reqwest::dns::Name) -> reqwest::dns::Resolving {
        Box::pin(async { Err(std::io::Error::other("canary: no such name").into()) })
    }
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved_means_not_sent() {
    let base = "https://api.invalid/canary";
    let client = ExtractaClient::with_roots(config(base), Some(Vec::new())).expect("a client");
    #[expect(
        clippy::disallowed_methods,
        reason = "the only client with a resolver of its own"
    )]
    let nameless = reqwest::Client::builder()
        .tls_certs_only([])
        .dns_resolver(Arc::new(NoNames))
        .build()
        .expect("a client");
    let client = ExtractaClient {
        exchange: Exchange::new(nameless, base.to_owned(), HeaderValue::from_static(KEY)),
        ..client
    };
    let reply = client.delete_files(&request(&["F"])).await;
    assert_eq!(
        reply,
        Reply::NotSent {
            reason: "DNS: the host's name cannot be resolved".to_owned()
        }
    );
}

#[tokio::test]
async fn requests_share_one_connection_while_the_server_keeps_it() {
    let server = Server::start(|_| Act::Answer(json(200, SUCCESS))).await;
    let client = client(&server);
    for number in 0..200 {
        let reply = client.delete_files(&request(&[&format!("F{number}")])).await;
        assert_eq!(reply.status(), Some(200));
    }
    let connections: BTreeSet<usize> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!((server.seen().len(), connections.len()), (200, 1));
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced_and_the_request_seen_once() {
    let server = Server::start(|_| Act::AnswerAndClose(json(200, SUCCESS))).await;
    let client = client(&server);
    for number in 0..50 {
        let reply = client.delete_files(&request(&[&format!("F{number}")])).await;
        assert_eq!(interpret_delete(&reply, 1).label(), "confirmed", "{reply:?}");
        server.closed(number + 1).await;
        // The close has to travel through the loopback to the pool's reader, too.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(server.seen().len(), 50);
}

/// The race itself: the server closes in the very moment in which the next request goes out.
/// Whatever comes of it, no request may arrive twice, and none may be called unsent that arrived.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_that_races_with_the_next_request_never_doubles_it() {
    let server = Server::start(|_| Act::AnswerAndClose(json(200, SUCCESS))).await;
    let client = client(&server);
    let mut unsent = Vec::new();
    let mut confirmed = Vec::new();
    for number in 0..500 {
        let id = format!("F{number}");
        match client.delete_files(&request(&[&id])).await {
            Reply::Answered(_) => confirmed.push(id),
            Reply::NotSent { .. } | Reply::TooLong { .. } => unsent.push(id),
            Reply::Lost { .. } => {}
        }
    }
    let arrived: Vec<String> = server
        .seen()
        .iter()
        .map(|seen| {
            let body: serde_json::Value = serde_json::from_slice(&seen.body).expect("JSON");
            body["fileIds"][0].as_str().expect("an id").to_owned()
        })
        .collect();
    let distinct: BTreeSet<&String> = arrived.iter().collect();
    assert_eq!(distinct.len(), arrived.len(), "a request arrived twice");
    assert!(confirmed.iter().all(|id| distinct.contains(id)));
    assert!(
        unsent.iter().all(|id| !distinct.contains(id)),
        "an unsent request arrived"
    );
    assert!(confirmed.len() > 100, "only {} went through", confirmed.len());
}

#[tokio::test]
async fn what_stays_on_this_machine_goes_to_no_proxy() {
    let proxy = Server::start(|_| Act::Answer(json(200, SUCCESS))).await;
    let server = Server::start(|_| Act::Answer(json(200, SUCCESS))).await;
    let mut config = config(server.base());
    config.proxy = Some(proxy.base().to_owned());
    let client = ExtractaClient::new(config).expect("a client");
    assert_eq!(client.delete_files(&request(&["F"])).await.status(), Some(200));
    assert_eq!((server.seen().len(), proxy.seen().len()), (1, 0));
}

#[tokio::test]
async fn a_proxy_is_only_asked_for_a_tunnel_and_never_shown_the_key() {
    let proxy = Server::start(|_| Act::Answer(canned(407, "", "", ""))).await;
    let mut config = config("https://api.invalid/api/v1");
    config.proxy = Some(proxy.base().replace("/api/v1", ""));
    let client = ExtractaClient::with_roots(config, Some(Vec::new())).expect("a client");
    let reply = client.delete_files(&request(&["F"])).await;
    assert!(matches!(reply, Reply::NotSent { .. }), "{reply:?}");
    let seen = proxy.seen();
    assert_eq!(seen[0].line, "CONNECT api.invalid:443 HTTP/1.1");
    assert_eq!((seen[0].header("authorization"), seen[0].body.len()), (None, 0));
}
