//! Checked rows, set aside until the last row of the input is known to be good.
//!
//! The file is anonymous: it has no name, and is gone with the process, killed or not. It holds
//! facts, never the input itself: no subject in clear, no file name, no signed link.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::check::Checked;
use crate::model::{
    AccountName, BatchAddress, BatchId, ClassificationId, ExtractionId, FileAddress, FileId, Labels, Module,
    NewFile, Parent, Timestamp,
};

const BUFFER_BYTES: usize = 256 << 10;

/// Being written.
pub(super) struct Spool {
    file: BufWriter<File>,
}

/// Being read back.
pub(super) struct Replay {
    file: BufReader<File>,
    line: String,
}

/// One row: module, parent, batch, file, uploaded_at, assumed, processed_at (ms), type, labels, subject, account.
#[derive(Serialize, Deserialize)]
struct Kept<S, L>(
    Module,
    S,
    S,
    S,
    i64,
    bool,
    Option<i64>,
    Option<S>,
    L,
    Option<S>,
    Option<S>,
);

impl Spool {
    pub(super) fn new(dir: Option<&Path>) -> io::Result<Self> {
        let file = match dir {
            Some(dir) => tempfile::tempfile_in(dir),
            None => tempfile::tempfile(),
        }?;
        Ok(Self {
            file: BufWriter::with_capacity(BUFFER_BYTES, file),
        })
    }

    pub(super) fn append(&mut self, rows: &[Checked]) -> io::Result<()> {
        for Checked { file, assumed } in rows {
            let FileAddress { batch, file: id } = &file.address;
            let kept = Kept(
                batch.parent.module(),
                batch.parent.as_str(),
                batch.batch.as_str(),
                id.as_str(),
                file.uploaded_at.as_millis(),
                *assumed,
                file.processed_at.map(Timestamp::as_millis),
                file.document_type.as_deref(),
                &file.labels,
                file.subject.as_deref(),
                batch.account.as_ref().map(AccountName::as_str),
            );
            serde_json::to_writer(&mut self.file, &kept)?;
            self.file.write_all(b"\n")?;
        }
        Ok(())
    }

    pub(super) fn replay(self) -> io::Result<Replay> {
        let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(Replay {
            file: BufReader::with_capacity(BUFFER_BYTES, file),
            line: String::new(),
        })
    }
}

impl Replay {
    /// The next rows, at most `page`; none at the end.
    pub(super) fn next_page(&mut self, page: usize) -> io::Result<Vec<Checked>> {
        let mut rows = Vec::new();
        while rows.len() < page {
            self.line.clear();
            if self.file.read_line(&mut self.line)? == 0 {
                break;
            }
            let kept = serde_json::from_str(&self.line)?;
            rows.push(restore(kept).map_err(io::Error::other)?);
        }
        Ok(rows)
    }
}

fn restore(kept: Kept<String, Labels>) -> Result<Checked, Box<dyn std::error::Error + Send + Sync>> {
    let Kept(
        module,
        parent,
        batch,
        file,
        uploaded,
        assumed,
        processed,
        document_type,
        labels,
        subject,
        account,
    ) = kept;
    let parent = match module {
        Module::Classification => Parent::Classification(ClassificationId::new(parent)?),
        Module::Extraction => Parent::Extraction(ExtractionId::new(parent)?),
    };
    let batch = BatchAddress {
        parent,
        batch: BatchId::new(batch)?,
        account: account.map(AccountName::new).transpose()?,
    };
    let file = NewFile {
        address: FileAddress {
            batch,
            file: FileId::new(file)?,
        },
        uploaded_at: Timestamp::from_millis(uploaded)?,
        processed_at: processed.map(Timestamp::from_millis).transpose()?,
        document_type,
        labels,
        subject,
        copy_of: None,
    };
    Ok(Checked { file, assumed })
}
