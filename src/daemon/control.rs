//! The control socket: whoever asks here is answered when it is done.
//!
//! A signal cannot be answered, and `systemctl reload` has to fail when the new file is refused. One line in
//! (`reload`), one JSON object out ([`Reloaded`]). Who may ask is a matter of the directory that the socket
//! lies in; a slow or silent client holds up nobody but other clients.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

/// The one thing that can be asked.
const RELOAD: &str = "reload";

/// A client has said by then what it wants.
const HEARING: Duration = Duration::from_secs(5);

/// The loop is back by then, or it hangs and the watchdog has its turn.
const ANSWERING: Duration = Duration::from_secs(60);

/// The longest question, in bytes.
const QUESTION: u64 = 64;

/// The longest answer, in bytes: every problem of a long policy file.
const ANSWER: u64 = 4 * 1024 * 1024;

/// How a reload went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Whether the file as it was read is now in force. If not, the last good one still is.
    pub taken: bool,
    /// The policies in force.
    pub policies: usize,
    /// Fingerprint of the file in force.
    pub fingerprint: String,
    /// Every problem of a file that was refused, rendered; empty otherwise.
    pub problems: String,
    /// Sections that have changed and take effect only with a restart.
    pub needs_restart: Vec<String>,
    /// What the file waits for, where its rules have to be approved first.
    pub waits: Option<String>,
}

/// Why the service did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens.
    #[error("no daemon can be asked at {path}: is the service running?")]
    NoDaemon {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It was asked and did not answer: what is in force is not known.
    #[error("the daemon at {path} gave no answer: {problem}")]
    NoAnswer {
        /// The socket.
        path: PathBuf,
        /// What came instead.
        problem: String,
    },
}

/// Asks the service behind `path` to read its policy file again, and waits for the outcome.
///
/// # Errors
/// [`ControlError`].
pub async fn ask_reload(path: &Path) -> Result<Reloaded, ControlError> {
    let mut stream = UnixStream::connect(path)
        .await
        .map_err(|source| ControlError::NoDaemon {
            path: path.to_owned(),
            source,
        })?;
    let exchange = async {
        stream.write_all(format!("{RELOAD}\n").as_bytes()).await?;
        let mut answer = Vec::new();
        (&mut stream).take(ANSWER).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let no_answer = |problem: String| ControlError::NoAnswer {
        path: path.to_owned(),
        problem,
    };
    let answer = match tokio::time::timeout(HEARING + ANSWERING, exchange).await {
        Ok(answer) => answer.map_err(|error| no_answer(error.to_string()))?,
        Err(elapsed) => return Err(no_answer(elapsed.to_string())),
    };
    serde_json::from_slice(&answer).map_err(|error| no_answer(error.to_string()))
}

/// Somebody wants the policy file read again and waits for the outcome.
pub(super) type Ask = oneshot::Sender<Reloaded>;

/// Listens until the handle is dropped.
///
/// # Errors
/// When the socket cannot be made.
pub(super) fn listen(path: &Path) -> std::io::Result<(mpsc::Receiver<Ask>, AbortOnDropHandle<()>)> {
    // Left by a process that was killed: who holds the deleter's lock is alone here.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    let (sender, asked) = mpsc::channel(1);
    let serving = tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    if let Err(error) = serve(stream, &sender).await {
                        tracing::warn!(%error, "a client of the control socket was not answered");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket accepts nobody at the moment");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    });
    Ok((asked, AbortOnDropHandle::new(serving)))
}

async fn serve(mut stream: UnixStream, sender: &mpsc::Sender<Ask>) -> std::io::Result<()> {
    let mut question = String::new();
    let mut reader = BufReader::new((&mut stream).take(QUESTION));
    tokio::time::timeout(HEARING, reader.read_line(&mut question)).await??;
    if question.trim_end() != RELOAD {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    let (ask, answer) = oneshot::channel();
    let answering = async {
        sender
            .send(ask)
            .await
            .map_err(|_| std::io::ErrorKind::BrokenPipe)?;
        answer.await.map_err(|_| std::io::ErrorKind::BrokenPipe)
    };
    let reloaded = tokio::time::timeout(ANSWERING, answering).await??;
    let answer = serde_json::to_vec(&reloaded)?;
    tokio::time::timeout(HEARING, stream.write_all(&answer)).await?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Reloaded {
        Reloaded {
            taken: false,
            policies: 2,
            fingerprint: "abc".to_owned(),
            problems: "error[E]: a problem".to_owned(),
            needs_restart: vec!["[log]".to_owned()],
            waits: None,
        }
    }

    #[tokio::test]
    async fn the_answer_is_the_outcome_and_a_stale_socket_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let (mut asked, _serving) = listen(&path).unwrap();
        let (answer, ()) = tokio::join!(ask_reload(&path), async {
            asked.recv().await.unwrap().send(outcome()).unwrap();
        });
        assert_eq!(answer.unwrap(), outcome());
    }

    #[tokio::test]
    async fn nobody_there_is_not_the_same_as_no_answer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let error = ask_reload(&path).await.unwrap_err();
        assert!(matches!(error, ControlError::NoDaemon { .. }), "{error}");
        let (mut asked, _serving) = listen(&path).unwrap();
        let (answer, ()) = tokio::join!(ask_reload(&path), async {
            drop(asked.recv().await.unwrap());
        });
        assert!(matches!(answer, Err(ControlError::NoAnswer { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_holds_up_the_next_for_a_moment_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let (mut asked, _serving) = listen(&path).unwrap();
        let silent = UnixStream::connect(&path).await.unwrap();
        let (answer, ()) = tokio::join!(ask_reload(&path), async {
            asked.recv().await.unwrap().send(outcome()).unwrap();
        });
        assert_eq!(answer.unwrap(), outcome());
        drop(silent);
    }

    #[tokio::test]
    async fn anything_else_that_is_asked_reaches_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let (mut asked, _serving) = listen(&path).unwrap();
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(b"delete everything\n").await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(answer.is_empty());
        assert!(asked.try_recv().is_err());
    }
}
