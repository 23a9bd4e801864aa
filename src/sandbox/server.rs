//! The listener, and the connections: hyper over a stream that a fault can reset or close without a word.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::exchange::{Shared, exchange};

/// Accepts until cancelled; then every connection is dropped.
pub(super) async fn listen(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, Arc::clone(&shared)));
                }
                // Out of descriptors, or a peer gone already: the next accept may do.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
        }
    }
    connections.shutdown().await;
}

async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    // Only latency is lost if the socket refuses.
    let _ = stream.set_nodelay(true);
    let wire = Arc::new(Wire::default());
    let stream = ControlledStream {
        inner: stream,
        wire: Arc::clone(&wire),
    };
    let service = service_fn(|request| exchange(request, Arc::clone(&shared), Arc::clone(&wire)));
    // A connection that ends in an error has told its client so; there is nobody else to tell.
    let _ = http1::Builder::new()
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The answer that is being given is the last.
const LAST_ANSWER: u8 = 1;
/// It is written: nothing more is read.
const CLOSED: u8 = 2;

/// What an exchange may ask of its connection.
#[derive(Debug, Default)]
pub(super) struct Wire {
    reset: AtomicBool,
    /// Zero while the connection stays open, else one of the two above.
    ending: AtomicU8,
    reader: Mutex<Option<Waker>>,
}

impl Wire {
    /// The socket will be closed by a TCP reset.
    pub(super) fn demand_reset(&self) {
        self.reset.store(true, Ordering::Release);
    }

    /// The socket will be closed after the answer, without `Connection: close`.
    pub(super) fn close_silently(&self) {
        self.ending.store(LAST_ANSWER, Ordering::Release);
    }

    fn remember_reader(&self, context: &Context<'_>) {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        *reader = Some(context.waker().clone());
    }

    /// Once the last answer has left, the reader is told that nothing more will come.
    fn answer_flushed(&self) {
        let ended = self
            .ending
            .compare_exchange(LAST_ANSWER, CLOSED, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if ended && let Some(reader) = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take() {
            reader.wake();
        }
    }
}

/// The socket, under the exchange's control.
struct ControlledStream {
    inner: TcpStream,
    wire: Arc<Wire>,
}

impl Drop for ControlledStream {
    fn drop(&mut self) {
        if self.wire.reset.load(Ordering::Acquire) {
            // Linger zero turns the close into a reset; should it fail, the client sees an end instead.
            let _ = SockRef::from(&self.inner).set_linger(Some(Duration::ZERO));
        }
    }
}

impl AsyncRead for ControlledStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.wire.ending.load(Ordering::Acquire) == CLOSED {
            return Poll::Ready(Ok(()));
        }
        self.wire.remember_reader(context);
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for ControlledStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        if flushed.is_ready() {
            self.wire.answer_flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
