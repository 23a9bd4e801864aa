//! Sockets: taking connections, and opening a port that may still be somebody else's.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

/// Between two tries for a port in use.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(30);

/// A bound socket that connections come in on.
pub trait Accept: Send + 'static {
    /// One connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection.
    ///
    /// # Errors
    /// The system's; the next call may do.
    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.accept().await?;
        // Only latency is lost if the socket refuses.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

impl Accept for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<UnixStream> {
        Ok(self.accept().await?.0)
    }
}

/// Opens a Unix socket with mode 0660. A socket file that an earlier process left behind is taken away;
/// one that somebody answers on is left alone, and so is whatever is no socket.
///
/// # Errors
/// The system's; `AddrInUse` when somebody answers.
pub async fn bind_path(path: &Path) -> io::Result<UnixListener> {
    if let Ok(found) = std::fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "there is a file that is no socket",
            ));
        }
        if UnixStream::connect(path).await.is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Opens a port, however long it takes; `None` when cancelled first. A port in use is no reason for a
/// service that deletes on schedule to end: it is said once, and tried again. The port that was opened is
/// logged: port 0 takes any.
pub async fn bind_patiently(
    name: &'static str,
    at: SocketAddr,
    stop: &CancellationToken,
) -> Option<TcpListener> {
    let mut rest = FIRST_REST;
    let mut said = None;
    loop {
        let bound = TcpListener::bind(at)
            .await
            .and_then(|listener| Ok((listener.local_addr()?, listener)));
        match bound {
            Ok((address, listener)) => {
                tracing::info!(listener = name, %address, "listening on http://{address}");
                return Some(listener);
            }
            Err(error) if said == Some(error.kind()) => {
                tracing::debug!(listener = name, address = %at, %error, "still cannot be opened");
            }
            Err(error) => {
                said = Some(error.kind());
                tracing::warn!(
                    listener = name,
                    address = %at,
                    %error,
                    "the address cannot be opened; deletion goes on without it, and it is tried again"
                );
            }
        }
        tokio::select! {
            () = tokio::time::sleep(rest) => rest = (rest * 2).min(LONGEST_REST),
            () = stop.cancelled() => return None,
        }
    }
}
