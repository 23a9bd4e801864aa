//! Where rows are read from: a stream of bytes, its name if it has one, its head looked at once.

use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::rows::Format;

/// As much of an input as is looked at to tell its format, in bytes.
const HEAD_BYTES: u64 = 8192;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// An input of rows. It is read once, from front to back, and never held in memory.
pub struct Input<'a> {
    name: Option<String>,
    reader: Box<dyn Read + Send + 'a>,
}

/// The head, then the rest.
type Whole<'a> = io::Chain<Cursor<Vec<u8>>, Box<dyn Read + Send + 'a>>;

/// An input whose head has been read: its byte order mark is gone, its bytes are counted.
pub(super) struct Opened<'a> {
    /// What the input looks like; `None` when nothing fits.
    pub(super) detected: Option<Format>,
    /// All of the input, from the start.
    pub(super) reader: Counted<Whole<'a>>,
    /// Bytes read so far.
    pub(super) bytes: Arc<AtomicU64>,
}

impl<'a> Input<'a> {
    /// `name` is the file's name, if there is one: only its ending is looked at.
    pub fn new(name: Option<&str>, reader: impl Read + Send + 'a) -> Self {
        Self {
            name: name.map(str::to_owned),
            reader: Box::new(reader),
        }
    }

    /// An input that is in memory already: the body of a request.
    #[must_use]
    pub fn from_bytes(bytes: &'a [u8]) -> Self {
        Self::new(None, bytes)
    }

    /// Reads the head.
    pub(super) fn open(self) -> io::Result<Opened<'a>> {
        let mut reader = self.reader;
        let mut head = Vec::new();
        reader.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
        if head.starts_with(BOM) {
            head.drain(..BOM.len());
        }
        let detected = Format::detect(self.name.as_deref(), &head);
        let bytes = Arc::new(AtomicU64::new(0));
        let reader = Counted {
            inner: Cursor::new(head).chain(reader),
            bytes: Arc::clone(&bytes),
        };
        Ok(Opened {
            detected,
            reader,
            bytes,
        })
    }
}

/// Counts what passes through.
pub(super) struct Counted<R> {
    inner: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.bytes
            .fetch_add(u64::try_from(read).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(read)
    }
}
