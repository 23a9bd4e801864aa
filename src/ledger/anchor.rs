//! The anchor: a small file beside the ledger that says which ledger it is and how far it has come.
//!
//! A ledger that is restored from a backup does not know it. Its anchor, which is not restored with
//! it, does. Written after each commit, so it is never ahead of the ledger that it belongs to; not
//! synced at each, so a power failure may leave it behind, never ahead.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::LedgerError;
use super::common::problem::damaged;
use super::common::values::count;
use super::lock::{beside, entrust};

/// Format and its version, the first word of the one line.
const FORMAT: &str = "retentiond-anchor-1";

/// How far a ledger has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    /// The ledger's own random name: 32 hex digits.
    pub(super) ledger: String,
    /// Transactions committed since it was made.
    pub(super) sequence: u64,
}

impl Position {
    /// As a database keeps it.
    pub(super) fn read((ledger, sequence): (String, i64)) -> Result<Self, LedgerError> {
        let sequence = count(sequence)?;
        Ok(Self { ledger, sequence })
    }

    pub(super) fn signed(&self) -> Result<i64, LedgerError> {
        i64::try_from(self.sequence).map_err(|_| damaged("lineage: a count beyond all"))
    }
}

/// What the file holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Anchored {
    At(Position),
    Missing,
    Garbled,
}

/// The file of one ledger.
#[derive(Debug, Clone)]
pub(super) struct Anchor {
    path: PathBuf,
    ledger: PathBuf,
}

impl Anchor {
    /// `<ledger>.anchor`.
    pub(super) fn beside(ledger: &Path) -> Self {
        Self {
            path: beside(ledger, ".anchor"),
            ledger: ledger.to_owned(),
        }
    }

    pub(super) fn read(&self) -> Result<Anchored, LedgerError> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Anchored::Missing),
            Err(error) => return Err(self.refused(&error)),
        };
        file.lock_shared().map_err(|error| self.refused(&error))?;
        read(&mut file).map_err(|error| self.refused(&error))
    }

    /// Moves on with the ledger that it belongs to, never back. One that is missing, garbled or another
    /// ledger's is evidence and stays as it is.
    pub(super) fn follow(&self, to: &Position) -> Result<(), LedgerError> {
        let moved = || {
            let mut file = match OpenOptions::new().read(true).write(true).open(&self.path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            };
            file.lock()?;
            match read(&mut file)? {
                Anchored::At(at) if at.ledger == to.ledger && at.sequence < to.sequence => write(&file, to),
                Anchored::At(_) | Anchored::Missing | Anchored::Garbled => Ok(()),
            }
        };
        moved().map_err(|error| self.refused(&error))
    }

    /// Makes it, or makes it that of `to` whatever it was. Whole or not at all: half an anchor would stop
    /// deletion.
    pub(super) fn set(&self, to: &Position) -> Result<(), LedgerError> {
        let done = || {
            let directory = self.path.parent().unwrap_or(Path::new("."));
            let fresh = tempfile::Builder::new()
                .prefix(".anchor-")
                .tempfile_in(directory)?;
            entrust(fresh.as_file(), &self.ledger)?;
            write(fresh.as_file(), to)?;
            fresh.as_file().sync_all()?;
            fresh.persist(&self.path).map_err(|error| error.error)?;
            File::open(directory)?.sync_all()
        };
        done().map_err(|error: std::io::Error| self.refused(&error))
    }

    /// Power failures from now on leave it no further behind than here. A help, not a duty: one that is
    /// behind notices less, and alarms nobody wrongly.
    pub(super) fn sync(&self) {
        let synced = File::open(&self.path).and_then(|file| file.sync_data());
        if let Err(error) = synced {
            tracing::warn!(%error, path = %self.path.display(), "the ledger's anchor could not be synced");
        }
    }

    fn refused(&self, error: &std::io::Error) -> LedgerError {
        LedgerError::NotWritable {
            problem: format!("its anchor {}: {error}", self.path.display()),
        }
    }
}

fn read(file: &mut File) -> std::io::Result<Anchored> {
    let mut text = String::new();
    match file.take(256).read_to_string(&mut text) {
        Ok(_) => Ok(parse(&text).map_or(Anchored::Garbled, Anchored::At)),
        Err(error) if error.kind() == ErrorKind::InvalidData => Ok(Anchored::Garbled),
        Err(error) => Err(error),
    }
}

fn parse(text: &str) -> Option<Position> {
    let line = text.strip_suffix('\n')?;
    let mut words = line.split(' ');
    let (format, ledger, sequence) = (words.next()?, words.next()?, words.next()?);
    let whole = words.next().is_none() && format == FORMAT && ledger.len() == 32 && sequence.len() == 20;
    let position = Position {
        ledger: ledger.to_owned(),
        sequence: sequence.parse().ok()?,
    };
    whole.then_some(position)
}

/// One write of one length: no reader sees half of it.
fn write(file: &File, to: &Position) -> std::io::Result<()> {
    let line = format!("{FORMAT} {} {:020}\n", to.ledger, to.sequence);
    file.write_all_at(line.as_bytes(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(sequence: u64) -> Position {
        Position {
            ledger: "0123456789abcdef0123456789abcdef".to_owned(),
            sequence,
        }
    }

    #[test]
    fn an_anchor_follows_its_own_ledger_and_only_forwards() {
        let dir = tempfile::tempdir().unwrap();
        let anchor = Anchor::beside(&dir.path().join("ledger.db"));
        anchor.follow(&position(3)).unwrap();
        assert_eq!(anchor.read().unwrap(), Anchored::Missing, "missing is evidence");
        anchor.set(&position(3)).unwrap();
        anchor.follow(&position(12)).unwrap();
        anchor.follow(&position(7)).unwrap();
        assert_eq!(anchor.read().unwrap(), Anchored::At(position(12)));
        let other = Position {
            ledger: "f".repeat(32),
            sequence: 99,
        };
        anchor.follow(&other).unwrap();
        assert_eq!(anchor.read().unwrap(), Anchored::At(position(12)));
        anchor.set(&position(1)).unwrap();
        assert_eq!(anchor.read().unwrap(), Anchored::At(position(1)));
    }

    #[test]
    fn anything_else_is_garbled() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db.anchor");
        let anchor = Anchor::beside(&dir.path().join("ledger.db"));
        for text in [
            "",
            "\n",
            "retentiond-anchor-2 x 1\n",
            "retentiond-anchor-1 0123 00\n",
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(anchor.read().unwrap(), Anchored::Garbled, "{text:?}");
        }
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(anchor.read().unwrap(), Anchored::Garbled);
    }
}
