//! A checksum in the last 8 bytes of each page, so that damage is noticed when a page is read.
//!
//! SQLite's own checksum VFS (`vendor/sqlite`) writes and verifies them; it does so wherever the
//! header reserves exactly 8 bytes a page. One of two modules with `unsafe` code (`planner`): that VFS and
//! `sqlite3_file_control` have no safe side. Pages in the write-ahead log have its checksums instead.

use std::ffi::{c_char, c_int};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use libsqlite3_sys as ffi;
use sqlx::SqliteConnection;
use sqlx::sqlite::LockedSqliteHandle;

use super::fault::{damaged, during};
use crate::ledger::LedgerError;

/// Bytes that the checksum takes at the end of each page.
const RESERVED: u8 = 8;
/// Where the header says how many bytes are reserved.
const RESERVED_AT: usize = 20;
/// The page that holds this byte is never written: POSIX locks lie there.
const LOCK_BYTE: i64 = 0x4000_0000;
/// Most damaged pages named: the rest are as wrong.
const SHOWN: usize = 20;
/// Pages read before others have a turn.
const AT_A_TIME: i64 = 256;
/// A checkpoint may be writing a page just now: looked at so often before it counts as damaged.
const LOOKS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

#[expect(unsafe_code, reason = "vendor/sqlite/cksumvfs.c is C")]
// SAFETY: the signature is that of the C file, which build.rs links; its argument is unused.
unsafe extern "C" {
    fn sqlite3_register_cksumvfs(unused: *const c_char) -> c_int;
}

/// Makes the checksum VFS the default one, before the first connection.
pub(super) fn register() -> Result<(), LedgerError> {
    static REGISTERED: OnceLock<c_int> = OnceLock::new();
    #[expect(unsafe_code, reason = "vendor/sqlite/cksumvfs.c is C")]
    let code = *REGISTERED.get_or_init(|| {
        // SAFETY: both are called once, by one thread, and `sqlite3_initialize` may be called any
        // number of times; the VFS that is registered is a static of the C file.
        unsafe {
            match ffi::sqlite3_initialize() {
                ffi::SQLITE_OK => sqlite3_register_cksumvfs(std::ptr::null()),
                failed => failed,
            }
        }
    });
    if code == ffi::SQLITE_OK {
        return Ok(());
    }
    Err(damaged(format!(
        "SQLite's checksum module cannot be used (code {code})"
    )))
}

/// Reserves the bytes in a database that has no page yet.
pub(super) async fn reserve(connection: &mut SqliteConnection) -> Result<(), LedgerError> {
    let mut handle = connection
        .lock_handle()
        .await
        .map_err(during("making room for checksums"))?;
    let mut bytes = c_int::from(RESERVED);
    #[expect(unsafe_code, reason = "sqlite3_file_control has no safe side")]
    // SAFETY: the handle is locked for us and open; this operation wants a pointer to an int, which
    // outlives the call.
    let code = unsafe {
        ffi::sqlite3_file_control(
            handle.as_raw_handle().as_ptr(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_RESERVE_BYTES,
            (&raw mut bytes).cast(),
        )
    };
    if code == ffi::SQLITE_OK {
        return Ok(());
    }
    Err(LedgerError::NotWritable {
        problem: format!("no room can be made for checksums (code {code})"),
    })
}

/// A header that reserves nothing would turn every checksum off, silently.
pub(super) async fn ensure_on(connection: &mut SqliteConnection) -> Result<(), LedgerError> {
    let on: Option<String> = sqlx::query_scalar("PRAGMA checksum_verification")
        .fetch_optional(connection)
        .await
        .map_err(during("asking whether pages have checksums"))?;
    if on.as_deref() == Some("1") {
        return Ok(());
    }
    Err(damaged(
        "its header says that pages have no checksums, and every ledger is made with them: \
         restore a backup",
    ))
}

/// Every page of the file, free ones too, against its checksum; a line for each that differs.
pub(super) async fn damaged_pages(tx: &mut SqliteConnection) -> Result<Vec<String>, LedgerError> {
    let (pages, size): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT page_count FROM pragma_page_count),
                (SELECT page_size FROM pragma_page_size)",
    )
    .fetch_one(&mut *tx)
    .await
    .map_err(during("reading the ledger's size"))?;
    let mut page = vec![0_u8; usize::try_from(size).unwrap_or_default()];
    let mut problems = Vec::new();
    for from in (0..pages).step_by(AT_A_TIME as usize) {
        let mut handle = tx
            .lock_handle()
            .await
            .map_err(during("reading the ledger's pages"))?;
        let mut suspects = Vec::new();
        for number in from..pages.min(from + AT_A_TIME) {
            if verify(&mut handle, &mut page, number)?.is_some() {
                suspects.push(number);
            }
        }
        drop(handle);
        for number in suspects {
            problems.extend(look_again(tx, &mut page, number).await?);
            if problems.len() >= SHOWN {
                return Ok(problems);
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(problems)
}

async fn look_again(
    tx: &mut SqliteConnection,
    page: &mut [u8],
    number: i64,
) -> Result<Option<String>, LedgerError> {
    let mut problem = None;
    for _ in 0..LOOKS {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        let mut handle = tx
            .lock_handle()
            .await
            .map_err(during("reading the ledger's pages"))?;
        problem = verify(&mut handle, page, number)?;
        if problem.is_none() {
            return Ok(None);
        }
    }
    Ok(problem)
}

/// What is wrong with page `number`, counted from 0, as the file (not the log) has it.
fn verify(
    handle: &mut LockedSqliteHandle<'_>,
    page: &mut [u8],
    number: i64,
) -> Result<Option<String>, LedgerError> {
    let size = page.len() as i64;
    if number == LOCK_BYTE / size {
        return Ok(None);
    }
    match read(handle, page, number * size) {
        // The VFS holds a page against its checksum too, unless the header is what is damaged.
        ffi::SQLITE_OK | ffi::SQLITE_IOERR_DATA => {}
        // It lies in the log so far.
        ffi::SQLITE_IOERR_SHORT_READ => return Ok(None),
        code => {
            return Err(damaged(format!(
                "page {} cannot be read (code {code})",
                number + 1
            )));
        }
    }
    if number == 0 && page[RESERVED_AT] != RESERVED {
        return Ok(Some(
            "page 1: the header says that pages have no checksums".to_owned(),
        ));
    }
    Ok((!matches(page)).then(|| format!("page {}: it does not match its checksum", number + 1)))
}

/// Through the descriptor that SQLite has open: closing another one of the same file would drop the
/// locks of every connection of this process.
fn read(handle: &mut LockedSqliteHandle<'_>, page: &mut [u8], offset: i64) -> c_int {
    let mut file: *mut ffi::sqlite3_file = std::ptr::null_mut();
    let Ok(length) = c_int::try_from(page.len()) else {
        return ffi::SQLITE_TOOBIG;
    };
    #[expect(unsafe_code, reason = "the file behind a connection has no safe side")]
    // SAFETY: the handle is locked for us and open. FILE_POINTER stores a pointer to the connection's
    // file, which lives as long as the connection; `xRead` writes at most `length` bytes to `page`.
    unsafe {
        let code = ffi::sqlite3_file_control(
            handle.as_raw_handle().as_ptr(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_FILE_POINTER,
            (&raw mut file).cast(),
        );
        if code != ffi::SQLITE_OK || file.is_null() || (*file).pMethods.is_null() {
            return ffi::SQLITE_MISUSE;
        }
        match (*(*file).pMethods).xRead {
            Some(read) => read(file, page.as_mut_ptr().cast(), length, offset),
            None => ffi::SQLITE_MISUSE,
        }
    }
}

/// Writes the checksum of every page of a finished copy that nobody has open, and syncs it.
///
/// `VACUUM INTO` writes the header last: pages that left its cache before that went out without one.
pub(super) fn seal(copy: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(copy)?;
    let mut head = [0_u8; 100];
    file.read_exact_at(&mut head, 0)?;
    // 1 stands for 65,536.
    let size = match u16::from_be_bytes([head[16], head[17]]) {
        1 => 65_536,
        size => usize::from(size),
    };
    if head[RESERVED_AT] != RESERVED || size < 512 {
        return Err(std::io::Error::other("the copy has no room for checksums"));
    }
    let mut page = vec![0_u8; size];
    let pages = file.metadata()?.len() / size as u64;
    for number in (0..pages).filter(|number| *number != LOCK_BYTE as u64 / size as u64) {
        let offset = number * size as u64;
        file.read_exact_at(&mut page, offset)?;
        if !matches(&page) {
            let content = size - usize::from(RESERVED);
            file.write_all_at(&checksum(&page[..content]), offset + content as u64)?;
        }
    }
    file.sync_all()
}

fn matches(page: &[u8]) -> bool {
    let (content, kept) = page.split_at(page.len() - usize::from(RESERVED));
    checksum(content) == kept
}

/// As `cksmCompute` of the C file: two running sums over little-endian words.
fn checksum(content: &[u8]) -> [u8; 8] {
    let (mut first, mut second) = (0_u32, 0_u32);
    for words in content.as_chunks::<8>().0 {
        let [a, b, c, d, e, f, g, h] = *words;
        first = first
            .wrapping_add(u32::from_le_bytes([a, b, c, d]))
            .wrapping_add(second);
        second = second
            .wrapping_add(u32::from_le_bytes([e, f, g, h]))
            .wrapping_add(first);
    }
    let mut sum = [0_u8; 8];
    sum[..4].copy_from_slice(&first.to_le_bytes());
    sum[4..].copy_from_slice(&second.to_le_bytes());
    sum
}
