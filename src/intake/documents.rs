//! Documents on the disk: hashed before they are sent, then read in pieces while they are.
//!
//! A document's name goes into the request and nowhere else: not into the ledger, an error or the log.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use crate::extracta::upload::Document;

/// Read at once, in bytes: what one upload holds of its documents in memory.
const PIECE_BYTES: usize = 256 << 10;

/// Bytes sent so far, to be looked at while an upload is under way.
#[derive(Debug, Clone, Default)]
pub struct Sent(Arc<AtomicU64>);

impl Sent {
    /// Bytes of documents handed to the network.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A document that was read once.
#[derive(Debug, Clone)]
pub struct OnDisk {
    path: PathBuf,
    pub(super) sha256: [u8; 32],
    pub(super) bytes: u64,
}

impl OnDisk {
    /// Reads a document through. Blocks; memory does not grow with its size.
    ///
    /// # Errors
    /// The system's; a directory, or a path without a file name in UTF-8.
    pub fn examine(path: &Path) -> io::Result<Self> {
        let refuse = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        if path.file_name().and_then(|name| name.to_str()).is_none() {
            return refuse("it has no file name in UTF-8");
        }
        let mut file = std::fs::File::open(path)?;
        if !file.metadata()?.is_file() {
            return refuse("it is not a file");
        }
        let mut hasher = Sha256::new();
        let mut piece = vec![0; PIECE_BYTES];
        let mut bytes = 0;
        loop {
            match file.read(&mut piece)? {
                0 => break,
                read => {
                    hasher.update(&piece[..read]);
                    bytes += read as u64;
                }
            }
        }
        Ok(Self {
            path: path.to_owned(),
            sha256: hasher.finalize().into(),
            bytes,
        })
    }

    /// Its length, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Opens it for being sent; what is read of it is added to `sent`.
    pub(super) async fn open(&self, sent: &Sent) -> io::Result<Document> {
        let file = tokio::fs::File::open(&self.path).await?;
        if file.metadata().await?.len() != self.bytes {
            return Err(io::Error::other("it has changed since it was looked at"));
        }
        let name = self.path.file_name().and_then(|name| name.to_str());
        let name = name.expect("`examine` refuses others").to_owned();
        let sent = sent.clone();
        let pieces = stream::unfold(Some(file), move |file| next_piece(file, sent.clone()));
        Ok(Document::from_stream(name, self.bytes, pieces))
    }
}

async fn next_piece(
    file: Option<tokio::fs::File>,
    sent: Sent,
) -> Option<(io::Result<Bytes>, Option<tokio::fs::File>)> {
    let mut file = file?;
    let mut piece = BytesMut::with_capacity(PIECE_BYTES);
    match file.read_buf(&mut piece).await {
        Ok(0) => None,
        Ok(read) => {
            sent.0.fetch_add(read as u64, Ordering::Relaxed);
            Some((Ok(piece.freeze()), Some(file)))
        }
        Err(error) => Some((Err(error), None)),
    }
}
