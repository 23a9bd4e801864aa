//! The loop of one listener: connection by connection, behind its walls, until it is told to end.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::HOST;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::{Accept, Door};

/// After a failed accept: long enough for a descriptor to come free, and no busy loop.
const FIRST_REST: Duration = Duration::from_millis(10);
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Headers of one request.
const HEADERS: usize = 64;

/// Serves `router` on `socket` until `stop`; then answers under way are finished, within
/// [`Limits::farewell`](super::Limits::farewell).
///
/// Never fails and never panics: what goes wrong with a connection ends that connection, and a socket that
/// gives an error is asked again.
pub async fn listen<A: Accept>(socket: A, router: Router, door: Door, stop: CancellationToken) {
    let (seats, guests) = (
        Arc::new(Semaphore::new(door.limits.connections)),
        TaskTracker::new(),
    );
    let mut rest = FIRST_REST;
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            stream = socket.next() => stream,
        };
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) if concerns_one_client(&error) => continue,
            Err(error) => {
                door.figures.fail();
                if rest == FIRST_REST {
                    tracing::warn!(listener = door.name, %error, "no connection can be taken; trying again");
                }
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(rest) => rest = (rest * 2).min(LONGEST_REST),
                }
                continue;
            }
        };
        rest = FIRST_REST;
        let Ok(seat) = Arc::clone(&seats).try_acquire_owned() else {
            // Closed at once: it costs nothing, and those inside are not kept waiting.
            door.figures.refuse();
            continue;
        };
        door.figures.accept();
        let (router, door, stop) = (router.clone(), door.clone(), stop.clone());
        guests.spawn(async move {
            converse(stream, router, &door, &stop).await;
            drop(seat);
        });
    }
    drop(socket);
    guests.close();
    // Whoever is not done by then is cut when the runtime ends.
    let _ = timeout(door.limits.farewell, guests.wait()).await;
}

/// The client went away between its call and our taking it.
fn concerns_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

/// One connection, from its first request to its end.
async fn converse<S>(stream: S, router: Router, door: &Door, stop: &CancellationToken)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let limits = door.limits;
    let service = service_fn(|request| {
        let router = router.clone();
        async move { Ok::<_, Infallible>(answer(request, router, door).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(limits.head_bytes.max(8192))
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let grace = tokio::select! {
        // A connection that ends in an error has told its client so; there is nobody else to tell.
        _ = connection.as_mut() => return,
        () = tokio::time::sleep(limits.connection_time) => limits.answer_time,
        () = stop.cancelled() => limits.farewell,
    };
    connection.as_mut().graceful_shutdown();
    let _ = timeout(grace, connection).await;
}

async fn answer(request: Request<Incoming>, router: Router, door: &Door) -> Response<Body> {
    if !is_for_us(&request, door) {
        return (
            StatusCode::MISDIRECTED_REQUEST,
            "this host name is not served here; ask by address, or name it in `hosts`\n",
        )
            .into_response();
    }
    let most = door.limits.body_bytes;
    let request = request.map(|body| Body::new(Limited::new(body, most)));
    match timeout(door.limits.answer_time, router.oneshot(request)).await {
        Ok(Ok(answer)) => answer,
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "no answer in time\n").into_response(),
    }
}

/// The authority in the request line stands above the header; two headers are a trick.
fn is_for_us(request: &Request<Incoming>, door: &Door) -> bool {
    let mut said = request.headers().get_all(HOST).iter();
    let header = said.next().map(|host| host.to_str().unwrap_or("?"));
    if said.next().is_some() {
        return false;
    }
    let line = request.uri().authority().map(|authority| authority.as_str());
    match (line, header) {
        (Some(line), Some(header)) => door.hosts.admit(line) && door.hosts.admit(header),
        (Some(one), None) | (None, Some(one)) => door.hosts.admit(one),
        (None, None) => matches!(door.hosts, super::Hosts::Any),
    }
}
