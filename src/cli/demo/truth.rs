//! Is the ledger right? The server is asked for its truth, file by file, and nothing is assumed.

use super::world::Upload;
use crate::cli::exit::Failure;
use crate::ledger::Ledger;
use crate::model::FileState;
use crate::sandbox::SandboxHandle;

/// Every difference between what the ledger says and what the server holds; none is good news.
pub(super) async fn compare(
    ledger: &dyn Ledger,
    server: &SandboxHandle,
    uploads: &[Upload],
) -> Result<Vec<String>, Failure> {
    let mut differences = Vec::new();
    let mut deleted = 0;
    for file in uploads.iter().flat_map(|upload| &upload.files) {
        let records = ledger.find(file).await?;
        let [record] = records.as_slice() else {
            differences.push(format!(
                "file {file}: {} rows in the ledger, one was expected",
                records.len()
            ));
            continue;
        };
        let there = server.exists(file.as_str());
        let should = record.state == FileState::Live;
        deleted += u64::from(record.state == FileState::Deleted);
        if there != should {
            let at_server = if there {
                "still at the server"
            } else {
                "not at the server"
            };
            differences.push(format!(
                "file {file}: {} in the ledger, {at_server}",
                record.state.name()
            ));
        }
    }
    let asked: Vec<_> = uploads.iter().flat_map(|upload| &upload.files).collect();
    for copy in server
        .files()
        .iter()
        .filter(|f| !asked.iter().any(|a| a.as_str() == f.file_id))
    {
        differences.push(format!(
            "file {}: a linked copy is still at the server",
            copy.file_id
        ));
    }
    if deleted == 0 {
        differences.push("nothing was deleted at all".to_owned());
    }
    Ok(differences)
}
