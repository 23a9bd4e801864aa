//! The knobs of the sandbox: one for every behaviour the vendor left undocumented.
//!
//! Knows nothing of HTTP; read by the endpoint rooms on every call, so a knob may be turned while the server runs
//! ([`SandboxHandle::configure`](super::SandboxHandle::configure)).

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The key that a sandbox accepts unless told otherwise.
pub const DEFAULT_KEY: &str = "sandbox-key";

/// Where the sandbox takes its wall clock from: now, in milliseconds UTC since 1970.
pub type SandboxClock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What a second delete of the same file is answered (I: both were thought possible).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecondDelete {
    /// The documented success, as a Firebase removal of nothing would be.
    #[default]
    Success,
    /// A deleted id is treated like one that never existed: see [`UnknownIds`].
    DoesNotExist,
}

/// What happens to a delete whose list holds an id that never existed (I).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownIds {
    /// 400 "File does not exist"; nothing is deleted.
    #[default]
    Refuse,
    /// Success; the known ids are deleted. A list of nothing but unknown ids is a success too, unless
    /// [`SecondDelete::DoesNotExist`] speaks for ids that were deleted before.
    Ignore,
    /// The known ids are deleted, then 500 with the documented error body.
    Partial,
}

/// What a read that names one absent file is answered (I: all four were thought possible).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AbsentFile {
    /// 400 "File does not exist".
    #[default]
    DoesNotExist,
    /// 404 with a JSON body.
    NotFound,
    /// 200 with an empty `files`.
    EmptyList,
    /// 200 with `status: "not_found"`.
    StatusNotFound,
}

/// How soon an uploaded file counts as processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Processing {
    /// At upload.
    #[default]
    Immediate,
    /// After it was listed this many times: first `waiting`, then `processing`, then `processed`. The linked copy
    /// appears only with the last.
    AfterReads(u32),
}

/// Everything that a sandbox can be told at its start.
#[derive(Clone)]
pub struct SandboxConfig {
    /// Where to listen. Loopback only; port 0 picks a free one (the default).
    pub addr: SocketAddr,
    /// Bearer keys that are accepted; any other answers 401.
    pub api_keys: Vec<String>,
    /// Bearer keys that answer 403.
    pub forbidden_keys: Vec<String>,
    /// Least time between two getResults calls of one key, likewise between two getBatchResults; a call that comes
    /// sooner answers 429. Runs on tokio's clock. Default: 2 s (D).
    pub read_spacing: Duration,
    /// The same for each delete endpoint. Default: zero (the vendor says nothing).
    pub delete_spacing: Duration,
    /// The most ids in one `deleteFiles`; above it the answer is 413. Default: no limit (the vendor says nothing).
    pub max_file_ids: Option<usize>,
    /// The answer to a second delete.
    pub second_delete: SecondDelete,
    /// The answer to a delete of ids that never existed.
    pub unknown_ids: UnknownIds,
    /// The answer to a read of one absent file.
    pub absent_file: AbsentFile,
    /// Whether the linked extraction copy outlives its classification file. Default: true (I).
    pub linked_copies_survive: bool,
    /// Whether a batch disappears with its last file, as an emptied Firebase node would. Default: false (I).
    pub emptied_batch_vanishes: bool,
    /// When files become processed.
    pub processing: Processing,
    /// Whether `deleteFiles` answers `deleteAll: true` when it emptied the batch. Default: true (C/I).
    pub include_delete_all: bool,
    /// The wall clock: creation times, push ids, the `Date` header. Default: the system's.
    pub clock: SandboxClock,
    /// A text placed inside every signed link, so that a leak test can search for it.
    pub canary: String,
    /// Where the random part of the ids begins; the same seed, clock and calls give the same ids.
    pub seed: u64,
    /// Requests kept in the journal; the oldest go first.
    pub journal_limit: usize,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            api_keys: vec![DEFAULT_KEY.to_owned()],
            forbidden_keys: Vec::new(),
            read_spacing: Duration::from_secs(2),
            delete_spacing: Duration::ZERO,
            max_file_ids: None,
            second_delete: SecondDelete::default(),
            unknown_ids: UnknownIds::default(),
            absent_file: AbsentFile::default(),
            linked_copies_survive: true,
            emptied_batch_vanishes: false,
            processing: Processing::default(),
            include_delete_all: true,
            clock: Arc::new(system_now),
            canary: "sandbox-canary".to_owned(),
            seed: 0x5EED,
            journal_limit: 65_536,
        }
    }
}

impl SandboxConfig {
    /// The defaults without any spacing between calls: what tests want.
    pub fn unpaced() -> Self {
        Self {
            read_spacing: Duration::ZERO,
            ..Self::default()
        }
    }
}

impl fmt::Debug for SandboxConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The keys are not real, but a habit of printing keys would be.
        out.debug_struct("SandboxConfig")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox plays another machine, whose clock is its own"
)]
fn system_now() -> i64 {
    let now = SystemTime::now();
    let milliseconds = match now.duration_since(UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_millis()).unwrap_or(i128::MAX),
        Err(before) => -i128::try_from(before.duration().as_millis()).unwrap_or(i128::MAX),
    };
    i64::try_from(milliseconds).unwrap_or(if milliseconds < 0 { i64::MIN } else { i64::MAX })
}
