//! A door before a PostgreSQL server that counts what a client asks of it, and does something to the client or to the
//! connection at the n-th question: before the server has heard it, or after the server has done it and before anybody
//! hears so.
//!
//! A question is what a client sends in one go and waits for: a simple query, or the messages up to a `Sync`
//! (<https://www.postgresql.org/docs/15/protocol-flow.html>). It is passed on whole or not at all.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What is done at the n-th question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hit {
    /// The client is killed; the server has not heard the question.
    KillBefore,
    /// The client is killed; the server has done what it was asked.
    KillAfter,
    /// The connection is cut; the server has not heard the question.
    CutBefore,
    /// The connection is cut; the server has done what it was asked.
    CutAfter,
    /// [`Proxy::reached`] says so, and the question waits for [`Proxy::go_on`].
    Hold,
}

impl Hit {
    const fn kills(self) -> bool {
        matches!(self, Self::KillBefore | Self::KillAfter)
    }
}

/// The door, in a directory of its own.
pub(crate) struct Proxy {
    dir: TempDir,
    shared: Arc<Shared>,
    doorkeeper: JoinHandle<()>,
}

struct Shared {
    server: PathBuf,
    asked: AtomicUsize,
    armed: Mutex<Option<(usize, Hit)>>,
    /// The question that was hit.
    hit: Mutex<Option<String>>,
    reached: watch::Sender<bool>,
    held: watch::Sender<bool>,
    victim: watch::Sender<Option<Pid>>,
    /// The client is dead: nothing of it reaches the server any more.
    dead: AtomicBool,
}

impl Proxy {
    /// Before the server whose socket is in `directory`.
    pub(crate) fn before(directory: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join(".s.PGSQL.5432")).unwrap();
        let shared = Arc::new(Shared {
            server: directory.join(".s.PGSQL.5432"),
            asked: AtomicUsize::new(0),
            armed: Mutex::new(None),
            hit: Mutex::new(None),
            reached: watch::Sender::new(false),
            held: watch::Sender::new(true),
            victim: watch::Sender::new(None),
            dead: AtomicBool::new(false),
        });
        let keeper = Arc::clone(&shared);
        let doorkeeper = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&keeper), client));
            }
        });
        Self {
            dir,
            shared,
            doorkeeper,
        }
    }

    /// Where a client finds the door.
    pub(crate) fn directory(&self) -> &Path {
        self.dir.path()
    }

    /// From now on the questions are counted anew, from 1.
    pub(crate) fn arm(&self, point: usize, hit: Hit) {
        self.shared.dead.store(false, Ordering::SeqCst);
        self.shared.victim.send_replace(None);
        self.shared.reached.send_replace(false);
        self.shared.held.send_replace(hit == Hit::Hold);
        *lock(&self.shared.hit) = None;
        self.shared.asked.store(0, Ordering::SeqCst);
        *lock(&self.shared.armed) = Some((point, hit));
    }

    /// Whom it hits.
    pub(crate) fn victim(&self, pid: u32) {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        self.shared.victim.send_replace(Some(pid.unwrap()));
    }

    /// Nothing happens any more. What was asked since the door was armed, and the question that was hit.
    pub(crate) fn disarm(&self) -> (usize, Option<String>) {
        *lock(&self.shared.armed) = None;
        self.shared.held.send_replace(false);
        self.shared.dead.store(false, Ordering::SeqCst);
        (
            self.shared.asked.load(Ordering::SeqCst),
            lock(&self.shared.hit).clone(),
        )
    }

    /// Waits until the question that is to be held is there.
    pub(crate) async fn reached(&self) {
        let mut reached = self.shared.reached.subscribe();
        reached.wait_for(|there| *there).await.unwrap();
    }

    pub(crate) fn go_on(&self) {
        self.shared.held.send_replace(false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.doorkeeper.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of this lock panics")
}

impl Shared {
    /// What happens at this question.
    fn next(&self, question: &[u8]) -> Option<Hit> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let hit = (*lock(&self.armed)).filter(|(point, _)| *point == number)?.1;
        let text: String = question
            .iter()
            .map(|byte| char::from(*byte))
            .filter(|c| c.is_ascii_graphic() || *c == ' ')
            .collect();
        *lock(&self.hit) = Some(text);
        Some(hit)
    }

    async fn kill(&self) {
        let mut victim = self.victim.subscribe();
        let Ok(pid) = victim.wait_for(Option::is_some).await.map(|pid| *pid) else {
            return;
        };
        self.dead.store(true, Ordering::SeqCst);
        // It is a child that nobody has waited for yet: the number is its own.
        kill_process(pid.expect("it was waited for"), Signal::KILL).unwrap();
    }
}

async fn serve(shared: Arc<Shared>, mut client: UnixStream) {
    let Some(start) = greeting(&mut client).await else {
        return;
    };
    let Ok(mut server) = UnixStream::connect(&shared.server).await else {
        return;
    };
    if server.write_all(&start).await.is_err() {
        return;
    }
    let (from_client, to_client) = tokio::io::split(client);
    let (from_server, to_server) = tokio::io::split(server);
    // Set when the answer to the question under way is the server's secret.
    let (secret, secrets) = watch::channel(None);
    // Whichever ends first ends both: the sockets close.
    tokio::select! {
        () = questions(&shared, from_client, to_server, &secret) => {}
        () = answers(&shared, from_server, to_client, &secrets) => {}
    }
}

/// The first message, which has no type. An offer to encrypt is declined.
async fn greeting(client: &mut UnixStream) -> Option<Vec<u8>> {
    const ENCRYPT: [u8; 4] = 80_877_103_u32.to_be_bytes();
    loop {
        let length = client.read_u32().await.ok()?;
        let mut message = length.to_be_bytes().to_vec();
        message.resize(length as usize, 0);
        client.read_exact(&mut message[4..]).await.ok()?;
        if message[4..8] != ENCRYPT {
            return Some(message);
        }
        client.write_all(b"N").await.ok()?;
    }
}

async fn message(from: &mut ReadHalf<UnixStream>) -> Option<Vec<u8>> {
    let kind = from.read_u8().await.ok()?;
    let length = from.read_u32().await.ok()?;
    let mut message = vec![kind];
    message.extend(length.to_be_bytes());
    message.resize(length as usize + 1, 0);
    from.read_exact(&mut message[5..]).await.ok()?;
    Some(message)
}

async fn questions(
    shared: &Shared,
    mut client: ReadHalf<UnixStream>,
    mut server: WriteHalf<UnixStream>,
    secret: &watch::Sender<Option<Hit>>,
) {
    let mut question = Vec::new();
    while let Some(message) = message(&mut client).await {
        let kind = message[0];
        question.extend(message);
        // Anything but a query, a sync, a password, a flush or the end goes on.
        if !matches!(kind, b'Q' | b'S' | b'p' | b'H' | b'X') {
            continue;
        }
        let hit = if matches!(kind, b'Q' | b'S') {
            shared.next(&question)
        } else {
            None
        };
        if shared.dead.load(Ordering::SeqCst) {
            return;
        }
        match hit {
            None => {}
            Some(Hit::CutBefore) => return,
            Some(Hit::KillBefore) => return shared.kill().await,
            Some(hit @ (Hit::CutAfter | Hit::KillAfter)) => drop(secret.send_replace(Some(hit))),
            Some(Hit::Hold) => {
                shared.reached.send_replace(true);
                let mut held = shared.held.subscribe();
                if held.wait_for(|held| !*held).await.is_err() {
                    return;
                }
            }
        }
        if server.write_all(&std::mem::take(&mut question)).await.is_err() {
            return;
        }
    }
}

async fn answers(
    shared: &Shared,
    mut server: ReadHalf<UnixStream>,
    mut client: WriteHalf<UnixStream>,
    secret: &watch::Receiver<Option<Hit>>,
) {
    while let Some(message) = message(&mut server).await {
        let hit = *secret.borrow();
        match hit {
            None => {
                if client.write_all(&message).await.is_err() {
                    return;
                }
            }
            // It is ready for the next question: it has done what it was asked.
            Some(hit) if message[0] == b'Z' => {
                if hit.kills() {
                    shared.kill().await;
                }
                return;
            }
            Some(_) => {}
        }
    }
}
