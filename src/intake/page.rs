//! A page of rows: sorted by address, and no file twice.
//!
//! Rows that name the same file are made one where they agree or fill each other's gaps. Where they
//! contradict each other none of them is believed. This is seen within a page only: across pages
//! the ledger's own rule holds (the later upload time wins, so nothing is deleted early).

use super::check::Checked;
use super::rows::{Problem, RowError};
use crate::model::NewFile;

/// A checked row and the line it came from.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) checked: Checked,
}

/// What a page came to.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Sorted by address, none twice.
    pub(super) rows: Vec<Checked>,
    /// Rows that said nothing new.
    pub(super) duplicates: u64,
    /// Rows that contradict each other.
    pub(super) refused: Vec<RowError>,
}

/// Sorts a page and settles its duplicates.
pub(super) fn settle(mut rows: Vec<Row>) -> Settled {
    rows.sort_unstable_by(|a, b| {
        let by_address = a.checked.file.address.cmp(&b.checked.file.address);
        by_address.then(a.line.cmp(&b.line))
    });
    let mut settled = Settled {
        rows: Vec::with_capacity(rows.len()),
        ..Settled::default()
    };
    let mut group: Vec<Row> = Vec::new();
    for row in rows {
        let same = |first: &Row| first.checked.file.address == row.checked.file.address;
        if !group.first().is_none_or(same) {
            close(&mut group, &mut settled);
        }
        group.push(row);
    }
    close(&mut group, &mut settled);
    settled
}

fn close(group: &mut Vec<Row>, settled: &mut Settled) {
    if group.len() == 1 {
        settled.rows.extend(group.drain(..).map(|row| row.checked));
        return;
    }
    let lines: Vec<u64> = group.iter().map(|row| row.line).collect();
    let rows = group.len() as u64;
    let mut whole = group.drain(..);
    let Some(Row {
        line: first,
        checked: mut merged,
    }) = whole.next()
    else {
        return;
    };
    for row in whole {
        let Err(what) = merge(&mut merged, row.checked) else {
            continue;
        };
        let message = format!(
            "lines {first} and {} name the same file with different {what}",
            row.line
        );
        let refused = lines
            .into_iter()
            .map(|line| Problem::new("contradiction", message.clone()).at(line));
        settled.refused.extend(refused);
        return;
    }
    settled.duplicates += rows - 1;
    settled.rows.push(merged);
}

/// Takes over from `other` what `into` lacks; `Err` names what they disagree on.
fn merge(into: &mut Checked, other: Checked) -> Result<(), &'static str> {
    let NewFile {
        address: _,
        uploaded_at,
        processed_at,
        document_type,
        labels,
        subject,
        copy_of: _,
    } = other.file;
    let file = &mut into.file;
    if into.assumed && !other.assumed {
        file.uploaded_at = uploaded_at;
        into.assumed = false;
    } else if !other.assumed && file.uploaded_at != uploaded_at {
        return Err("uploaded_at");
    }
    fill(&mut file.processed_at, processed_at).ok_or("processed_at")?;
    fill(&mut file.document_type, document_type).ok_or("document_type")?;
    fill(&mut file.subject, subject).ok_or("subject")?;
    if file.labels.is_empty() {
        file.labels = labels;
    } else if !labels.is_empty() && file.labels != labels {
        return Err("labels");
    }
    Ok(())
}

fn fill<T: PartialEq>(into: &mut Option<T>, other: Option<T>) -> Option<()> {
    match (&*into, &other) {
        (Some(mine), Some(theirs)) => (mine == theirs).then_some(()),
        (Some(_), None) => Some(()),
        (None, _) => {
            *into = other;
            Some(())
        }
    }
}
