//! Where the ledger of a world is: in a file, or in a database of a server. No other part of a world knows.
#![cfg_attr(
    not(feature = "postgres"),
    expect(unused_variables, dead_code, reason = "what only a server needs")
)]

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use retentiond::ledger::{DeleterLock, Ledger, LedgerError, OpenMode, SqliteLedger};
use retentiond::model::{AttemptId, FileId, FileState};

use crate::eye::{Eye, Intent};
#[cfg(feature = "postgres")]
use crate::server::{self, Server};
#[cfg(feature = "postgres")]
use crate::server_eye::ServerEye;
use crate::shared::{Death, Shared};

/// In which ledger a run of worlds lives.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    File,
    #[cfg(feature = "postgres")]
    Server,
}

/// The place of one world.
pub enum Place {
    File,
    #[cfg(feature = "postgres")]
    Server(Box<Server>),
}

/// The ledger that is under test. (Its calls are boxed by `async_trait` either way: to ask it as `dyn` costs nothing.)
pub enum Real {
    File(SqliteLedger),
    #[cfg(feature = "postgres")]
    Server(retentiond::ledger::PostgresLedger),
}

impl Deref for Real {
    type Target = dyn Ledger;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::File(ledger) => ledger,
            #[cfg(feature = "postgres")]
            Self::Server(ledger) => ledger,
        }
    }
}

impl Real {
    pub async fn close(&self) {
        match self {
            Self::File(ledger) => ledger.close().await,
            #[cfg(feature = "postgres")]
            Self::Server(ledger) => ledger.close().await,
        }
    }
}

/// The ledger, for as long as somebody asks it.
pub struct Asked {
    real: Arc<Real>,
    _still: Option<Still>,
}

impl Deref for Asked {
    type Target = dyn Ledger;

    fn deref(&self) -> &Self::Target {
        &**self.real
    }
}

/// As long as it lives the paused clock of the runtime stands: what waits for a server is not idle. Otherwise every
/// answer of the server would come after the next timer, whenever that is.
pub struct Still {
    _end: std::sync::mpsc::Sender<()>,
}

impl Still {
    pub fn begin() -> Self {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        // The runtime does not advance its clock while a blocking task runs.
        drop(tokio::task::spawn_blocking(move || ended.recv()));
        Self { _end: end }
    }
}

impl Place {
    pub async fn of(kind: Kind, seed: u64, beside: &Path) -> Self {
        match kind {
            Kind::File => {
                std::fs::write(beside, crate::world::template().await).unwrap();
                Self::File
            }
            #[cfg(feature = "postgres")]
            Kind::Server => {
                let _still = Still::begin();
                Self::Server(Box::new(Server::new(seed, beside).await))
            }
        }
    }

    #[cfg(feature = "postgres")]
    pub fn server(&self) -> Option<&Server> {
        match self {
            Self::File => None,
            Self::Server(server) => Some(server),
        }
    }

    /// Held while the ledger is asked.
    pub fn still(&self) -> Option<Still> {
        match self {
            Self::File => None,
            #[cfg(feature = "postgres")]
            Self::Server(_) => Some(Still::begin()),
        }
    }

    pub fn ask(&self, real: Arc<Real>) -> Asked {
        Asked {
            real,
            _still: self.still(),
        }
    }

    pub fn is_a_file(&self) -> bool {
        matches!(self, Self::File)
    }

    /// Whether it is time for connections to be cut, whatever else goes wrong.
    pub fn loses_its_connections(&self) -> bool {
        match self {
            Self::File => false,
            #[cfg(feature = "postgres")]
            Self::Server(server) => server.is_unsteady(),
        }
    }

    /// Whether the sweep that begins dies while a request is under way, and how: only then a lease has something to keep.
    pub fn dies_in_a_request(&self) -> Option<Death> {
        match self {
            Self::File => None,
            #[cfg(feature = "postgres")]
            Self::Server(server) => server.dies_in_a_request(),
        }
    }

    /// What a server's clock says from now on.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(unused_variables, reason = "a file has no clock")
    )]
    pub fn tell(&self, truth: i64) {
        match self {
            Self::File => {}
            #[cfg(feature = "postgres")]
            Self::Server(server) => server.tell(truth),
        }
    }

    /// A process takes the right to delete and opens the ledger.
    pub async fn open(&self, path: &Path) -> (DeleterLock, Real) {
        match self {
            Self::File => {
                let lock = DeleterLock::acquire(path).unwrap();
                let ledger = SqliteLedger::open(&path.display().to_string(), OpenMode::ReadWrite).await;
                (lock, Real::File(ledger.unwrap()))
            }
            #[cfg(feature = "postgres")]
            Self::Server(server) => {
                let (lock, ledger) = server.open().await;
                (lock, Real::Server(ledger))
            }
        }
    }

    pub async fn eye(&self, path: &Path) -> Sight {
        match self {
            Self::File => Sight::File(Eye::open(path).await),
            #[cfg(feature = "postgres")]
            Self::Server(server) => Sight::Server(ServerEye::open(server.name()).await),
        }
    }

    /// The ledger as it lies at the moment of death: a file's bytes are taken elsewhere, a server cuts all connections.
    pub async fn as_a_dead_one_left_it(&self, path: &Path, image: PathBuf) -> (PathBuf, &'static str) {
        match self {
            Self::File => {
                // The anchor first: it is never ahead of what is copied after it.
                for end in [".anchor", "", "-wal"] {
                    let from = PathBuf::from(format!("{}{end}", path.display()));
                    if from.exists() {
                        std::fs::copy(from, format!("{}{end}", image.display())).unwrap();
                    }
                }
                (image, "ledger opened from a dead one's bytes")
            }
            #[cfg(feature = "postgres")]
            Self::Server(server) => {
                server.cut().await;
                (path.to_owned(), server::CUT_BY_DEATH)
            }
        }
    }

    /// Death comes while what has `begun` is under way: beside a file its write ends by itself, on a server it is cut.
    pub async fn die_in_the_middle(&self, shared: &Shared, begun: impl Future<Output = ()>, writes: bool) {
        match self {
            Self::File => begun.await,
            #[cfg(feature = "postgres")]
            Self::Server(server) => server.die_in_the_middle(shared, begun, writes).await,
        }
    }

    /// The connections are cut before the operation, or in it.
    pub async fn cut<T>(
        &self,
        shared: &Shared,
        operation: impl Future<Output = Result<T, LedgerError>>,
    ) -> Result<T, LedgerError> {
        match self {
            Self::File => unreachable!("a file has no connections, at {}", shared.wall()),
            #[cfg(feature = "postgres")]
            Self::Server(server) => server.cut_around(shared, operation).await,
        }
    }

    /// The copy takes the ledger's place; what tells how far the ledger had come stays.
    pub async fn put_back(&self, path: &Path, copy: PathBuf) -> PathBuf {
        match self {
            Self::File => {
                let anchor = format!("{}.anchor", path.display());
                std::fs::copy(anchor, format!("{}.anchor", copy.display())).unwrap();
                copy
            }
            #[cfg(feature = "postgres")]
            Self::Server(server) => {
                let _still = Still::begin();
                server.put_back().await;
                path.to_owned()
            }
        }
    }

    /// Nothing is left of the world but its directory.
    pub async fn end(&self) {
        match self {
            Self::File => {}
            #[cfg(feature = "postgres")]
            Self::Server(server) => server.end().await,
        }
    }

    /// The process has ended, or is taken for it.
    pub async fn close(&self, real: Arc<Real>, eye: Sight) {
        match (self, eye) {
            (Self::File, Sight::File(eye)) => {
                eye.close().await;
                real.close().await;
            }
            #[cfg(feature = "postgres")]
            (Self::Server(server), Sight::Server(eye)) => {
                real.close().await;
                server.process_has_ended(&eye).await;
                eye.close().await;
            }
            #[cfg(feature = "postgres")]
            (Self::File, Sight::Server(_)) | (Self::Server(_), Sight::File(_)) => {
                unreachable!("an eye is opened where the ledger is")
            }
        }
    }
}

/// What is committed, past the code that is under test.
pub enum Sight {
    File(Eye),
    #[cfg(feature = "postgres")]
    Server(ServerEye),
}

impl Sight {
    /// Every file with its state.
    pub async fn states(&self) -> BTreeMap<FileId, FileState> {
        match self {
            Self::File(eye) => eye.states().await,
            #[cfg(feature = "postgres")]
            Self::Server(eye) => {
                let _still = Still::begin();
                eye.states().await
            }
        }
    }

    /// The intents that no outcome has followed.
    pub async fn intents(&self) -> BTreeMap<AttemptId, Intent> {
        match self {
            Self::File(eye) => eye.intents().await,
            #[cfg(feature = "postgres")]
            Self::Server(eye) => {
                let _still = Still::begin();
                eye.intents().await
            }
        }
    }
}
