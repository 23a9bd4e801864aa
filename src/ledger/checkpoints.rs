//! The checkpoints that went out, in a file beside the ledger: `<ledger>.checkpoints`, one note after the other.
//!
//! Whoever restores the ledger from a backup does not restore this file with it, and whoever rebuilds the tree has
//! to rebuild it as well: copies of it elsewhere are what an audit rests on.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::LedgerError;
use super::lock::{beside, entrust};
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
            if file.metadata()?.len() == 0 {
                entrust(&file, &self.ledger)?;
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

    /// Takes what lies beside another place of the same ledger, of the tree `present`: the notes, and those that were put aside.
    pub(super) fn take_over(&self, from: &Self, present: &str) -> Result<(), LedgerError> {
        if self.path == from.path {
            return Ok(());
        }
        self.set_aside(present)?;
        let done = || {
            let directory = self.path.parent().unwrap_or(Path::new("."));
            for (theirs, suffix) in from.files()? {
                let mut ours = self.path.as_os_str().to_owned();
                ours.push(suffix);
                let mut fresh = tempfile::Builder::new()
                    .prefix(".checkpoints-")
                    .tempfile_in(directory)?;
                entrust(fresh.as_file(), &self.ledger)?;
                std::io::copy(&mut File::open(theirs)?, &mut fresh)?;
                fresh.as_file().sync_all()?;
                fresh.persist(ours).map_err(|error| error.error)?;
            }
            File::open(directory)?.sync_all()
        };
        done().map_err(|error: std::io::Error| self.refused(&error))
    }

    /// This file and those put aside, with what their names end with.
    fn files(&self) -> std::io::Result<Vec<(PathBuf, String)>> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let own = self.path.file_name().unwrap_or_default().to_string_lossy();
        let mut files = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if let Some(suffix) = name.strip_prefix(&*own)
                && (suffix.is_empty() || suffix.starts_with('.'))
            {
                files.push((path, suffix.to_owned()));
            }
        }
        Ok(files)
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
