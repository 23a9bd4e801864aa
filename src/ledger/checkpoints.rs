//! The checkpoints that went out, in a file beside the ledger: `<ledger>.checkpoints`, one note after the other.
//!
//! Whoever restores the ledger from a backup does not restore this file with it, and whoever rebuilds the tree has
//! to rebuild it as well: copies of it elsewhere are what an audit rests on.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::LedgerError;
use super::lock::beside;
use crate::evidence::Checkpoint;
use crate::evidence::series::Series;

/// The last note is shorter than this, in bytes.
const TAIL: u64 = 4096;

/// The file of one ledger.
#[derive(Debug, Clone)]
pub(super) struct CheckpointFile {
    path: PathBuf,
    ledger: PathBuf,
}

impl CheckpointFile {
    pub(super) fn beside(ledger: &Path) -> Self {
        Self {
            path: beside(ledger, ".checkpoints"),
            ledger: ledger.to_owned(),
        }
    }

    /// Adds a note at the end, and has it on the disk.
    pub(super) fn append(&self, note: &str) -> Result<(), LedgerError> {
        let done = || {
            let mut file = OpenOptions::new()
                .create(true)
                .read(true)
                .append(true)
                .open(&self.path)?;
            file.lock()?;
            if file.metadata()?.len() == 0
                && let Ok(ledger) = std::fs::metadata(&self.ledger)
            {
                let _ = std::os::unix::fs::fchown(&file, Some(ledger.uid()), Some(ledger.gid()));
                file.set_permissions(ledger.permissions())?;
            }
            let before = Series::before_next(&tail(&mut file)?);
            if before.len() > 1 {
                tracing::warn!(file = %self.path.display(), "the last checkpoint in it was cut off; the next one follows");
            }
            file.write_all(format!("{before}{note}\n").as_bytes())?;
            file.sync_data()
        };
        done().map_err(|error: std::io::Error| self.refused(&error))
    }

    /// Every note; none where there is no file.
    pub(super) fn read(&self) -> Result<Series, LedgerError> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(self.refused(&error)),
        };
        Series::parse(&bytes).map_err(|error| LedgerError::Damaged {
            problem: format!("{}: {error}", self.path.display()),
        })
    }

    /// What the last note says. `None` where there is none that can be read: an audit tells what is wrong with it.
    pub(super) fn last(&self) -> Option<Checkpoint> {
        let bytes = tail(&mut File::open(&self.path).ok()?).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        // The first one may be cut.
        let whole = text.split("\n\n").filter_map(|part| {
            let part = part.trim_matches('\n');
            Checkpoint::parse(&format!("{part}\n")).ok()
        });
        whole.last()
    }

    /// Out of the way, unless they are of the tree `present`: under a name that says of which ledger they are.
    pub(super) fn set_aside(&self, present: &str) -> Result<(), LedgerError> {
        let of = self.last().map_or("unreadable".to_owned(), |last| last.origin);
        if of == present {
            return Ok(());
        }
        match std::fs::rename(&self.path, self.aside(&of)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.refused(&error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Those that were put aside of the tree `origin`.
    pub(super) fn read_aside(&self, origin: &str) -> Result<Series, LedgerError> {
        Self {
            path: self.aside(origin),
            ledger: self.ledger.clone(),
        }
        .read()
    }

    fn aside(&self, origin: &str) -> PathBuf {
        let ledger = origin.rsplit('/').next().unwrap_or(origin);
        let name: String = ledger.chars().take(8).collect();
        beside(&self.ledger, &format!(".checkpoints.{name}"))
    }

    fn refused(&self, error: &std::io::Error) -> LedgerError {
        LedgerError::NotWritable {
            problem: format!("its checkpoints {}: {error}", self.path.display()),
        }
    }
}

/// The last note, and perhaps more before it.
fn tail(file: &mut File) -> std::io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(bytes)
}
