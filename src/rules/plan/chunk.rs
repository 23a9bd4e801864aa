//! How a plan is cut into requests.

use std::collections::HashMap;
use std::sync::Arc;

use super::Plan;
use crate::model::{BatchAddress, BatchKey, FileId, Module};

/// The files of one request: always of one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The ledger's batch key.
    pub key: BatchKey,
    /// The batch at Extracta.
    pub batch: Arc<BatchAddress>,
    /// Places in [`Plan::files`] of the plan that was cut, in its order; never empty.
    pub files: Vec<u32>,
}

impl Chunk {
    /// The ids, from the plan that was cut.
    #[must_use]
    pub fn file_ids(&self, plan: &Plan) -> Vec<FileId> {
        self.files
            .iter()
            .map(|at| plan.files[*at as usize].file())
            .collect()
    }
}

impl Plan {
    /// The requests, batch by batch: the batch with the oldest due file first, within it the oldest
    /// files first. At most `files_per_request` files each (0 counts as 1); an extraction file always
    /// goes alone, because `deleteExtraction` takes one.
    #[must_use]
    pub fn chunks(&self, files_per_request: usize) -> Vec<Chunk> {
        let mut place_of: HashMap<BatchKey, usize> = HashMap::new();
        let mut batches: Vec<Chunk> = Vec::new();
        for (at, file) in self.files.iter().enumerate() {
            let at = u32::try_from(at).expect("a plan holds fewer than four thousand million files");
            let place = *place_of.entry(file.key()).or_insert(batches.len());
            match batches.get_mut(place) {
                Some(batch) => batch.files.push(at),
                None => batches.push(Chunk {
                    key: file.key(),
                    batch: Arc::clone(file.batch()),
                    files: vec![at],
                }),
            }
        }
        batches
            .iter()
            .flat_map(|batch| cut(batch, files_per_request))
            .collect()
    }
}

fn cut(batch: &Chunk, files_per_request: usize) -> impl Iterator<Item = Chunk> {
    let most = match batch.batch.parent.module() {
        Module::Classification => files_per_request.max(1),
        Module::Extraction => 1,
    };
    batch.files.chunks(most).map(|files| Chunk {
        key: batch.key,
        batch: Arc::clone(&batch.batch),
        files: files.to_vec(),
    })
}
