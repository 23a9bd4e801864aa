//! The right to delete. Of a SQLite ledger: one process at a time, by an exclusive lock on a file beside it. Of one on
//! PostgreSQL: by the server, for several processes side by side (`postgres::right`).
//!
//! A separate file, because closing any descriptor of the database itself would drop SQLite's own
//! POSIX locks (sqlite.org, "How To Corrupt", 2.2). The kernel gives the lock back when its holder
//! dies, so nothing here can go stale, and the file itself is never removed: a second process could
//! otherwise lock a file that no name leads to any more.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::LedgerError;

/// Held by whoever may send deletes; given back when dropped.
#[derive(Debug)]
pub struct DeleterLock {
    held: Held,
}

#[derive(Debug)]
enum Held {
    File {
        file: File,
        path: PathBuf,
    },
    #[cfg(feature = "postgres")]
    Server(std::sync::Arc<super::postgres::Right>),
    #[cfg(feature = "postgres")]
    Alone {
        _right: super::postgres::Alone,
    },
}

impl Held {
    /// The lock on a file, without waiting, with our process id in it.
    fn file(path: PathBuf) -> Result<Self, LedgerError> {
        let refuse = |error: std::io::Error| LedgerError::NotWritable {
            problem: format!("{}: {error}", path.display()),
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(refuse)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LedgerError::InUse {
                    path: path.display().to_string(),
                    pid: holder(&mut file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(refuse(error)),
        }
        // The pid is a help for whoever is refused, the lock does not depend on it.
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(refuse)?;
        Ok(Self::File { file, path })
    }
}

impl DeleterLock {
    /// Takes the lock `<ledger>.lock`, without waiting, and writes our process id into it.
    ///
    /// # Errors
    /// [`LedgerError::InUse`] names the process that holds it; [`LedgerError::NotWritable`] when the
    /// lock file cannot be made or opened.
    pub fn acquire(ledger_path: &Path) -> Result<Self, LedgerError> {
        let held = Held::file(beside(ledger_path, ".lock"))?;
        Ok(Self { held })
    }

    /// Takes the right in the server that keeps the ledger, side by side with others who have it.
    #[cfg(feature = "postgres")]
    pub(super) async fn on_server(options: &super::PostgresOptions) -> Result<Self, LedgerError> {
        let right = super::postgres::Right::acquire(options).await?;
        Ok(Self {
            held: Held::Server(right),
        })
    }

    /// Takes it so that nobody else has it meanwhile. Nothing can be claimed under it.
    #[cfg(feature = "postgres")]
    pub(super) async fn alone_on_server(options: &super::PostgresOptions) -> Result<Self, LedgerError> {
        let right = super::postgres::Alone::acquire(options).await?;
        Ok(Self {
            held: Held::Alone { _right: right },
        })
    }

    /// The right to claim, where a server keeps it.
    #[cfg(feature = "postgres")]
    pub(super) const fn right(&self) -> Option<&std::sync::Arc<super::postgres::Right>> {
        match &self.held {
            Held::File { .. } | Held::Alone { .. } => None,
            Held::Server(right) => Some(right),
        }
    }

    /// The lock file; `None` where a server keeps the right.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.held {
            Held::File { path, .. } => Some(path),
            #[cfg(feature = "postgres")]
            Held::Server(_) | Held::Alone { .. } => None,
        }
    }
}

/// Held by whoever reconciles everything: where an interrupted run goes on is one place. Given back when dropped.
#[derive(Debug)]
pub struct ReconcileLock {
    _held: Held,
}

impl ReconcileLock {
    /// Takes the lock `<ledger>.reconcile.lock`, as [`DeleterLock::acquire`] does its own.
    pub(super) fn acquire(ledger_path: &Path) -> Result<Self, LedgerError> {
        let held = Held::file(beside(ledger_path, ".reconcile.lock"))?;
        match &held {
            Held::File { file, .. } => {
                // Whoever else may write to the ledger is refused then, and says which file it is.
                let _ = entrust(file, ledger_path);
            }
            #[cfg(feature = "postgres")]
            Held::Server(_) | Held::Alone { .. } => {}
        }
        Ok(Self { _held: held })
    }

    /// Takes it in the server that keeps the ledger.
    #[cfg(feature = "postgres")]
    pub(super) async fn on_server(options: &super::PostgresOptions) -> Result<Self, LedgerError> {
        let right = super::postgres::Alone::reconciling(options).await?;
        Ok(Self {
            _held: Held::Alone { _right: right },
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        match self {
            // An empty file says that nobody holds it; should this fail, the pid is merely out of date.
            Self::File { file, .. } => {
                let _ = file.set_len(0);
                let _ = file.unlock();
            }
            // Its session ends with it.
            #[cfg(feature = "postgres")]
            Self::Server(_) | Self::Alone { .. } => {}
        }
    }
}

/// `<ledger><suffix>`, beside the file that the path leads to: by whatever link it is reached, one
/// ledger has one lock.
pub(super) fn beside(ledger_path: &Path, suffix: &str) -> PathBuf {
    let real = ledger_path.canonicalize().or_else(|_| {
        // Not made yet: its directory is there, or nothing can be.
        let directory = ledger_path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let name = ledger_path.file_name().unwrap_or_default();
        directory
            .unwrap_or(Path::new("."))
            .canonicalize()
            .map(|dir| dir.join(name))
    });
    let mut name: OsString =
        real.map_or_else(|_| ledger_path.as_os_str().to_owned(), PathBuf::into_os_string);
    name.push(suffix);
    PathBuf::from(name)
}

/// What lies beside the ledger belongs to the ledger's owner, also where root made it for a daemon that is not; where
/// the ledger is in a server, to the owner of the directory, and to nobody else's eyes.
pub(super) fn entrust(file: &File, ledger: &Path) -> std::io::Result<()> {
    let directory = || ledger.parent().and_then(|directory| directory.metadata().ok());
    let (owner, mode) = match std::fs::metadata(ledger) {
        Ok(ledger) => (Some(ledger.clone()), ledger.permissions()),
        Err(_) => (directory(), Permissions::from_mode(0o600)),
    };
    if let Some(owner) = owner {
        // Only root can give away.
        let _ = std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()));
    }
    file.set_permissions(mode)
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(32).read_to_string(&mut text);
    let pid = text.trim();
    let plausible = read.is_ok() && !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit());
    if plausible {
        pid.to_owned()
    } else {
        "unknown".to_owned()
    }
}
