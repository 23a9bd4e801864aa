//! What holds whatever was answered: file by file at the server, row by row in the ledger.

use std::collections::{BTreeMap, BTreeSet};

use retentiond::model::{FileId, FileState};
use retentiond::sandbox::{Cause, Endpoint, SandboxFile};

use super::cases::Scene;

impl Scene {
    /// What holds at any time, whatever was answered.
    pub(super) async fn judge(&mut self, when: &str) {
        let due: BTreeSet<&str> = self.due.files.iter().map(FileId::as_str).collect();
        let requests = self.world.server.requests();
        let mut problems = Vec::new();
        for request in &requests {
            let known = [Endpoint::DeleteFiles, Endpoint::GetResults, Endpoint::Credits];
            if !known.contains(&request.endpoint) {
                problems.push(format!("{} was asked for", request.line));
            }
            if request.endpoint != Endpoint::DeleteFiles || request.body_bytes == 0 {
                continue;
            }
            let asked: BTreeSet<&str> = request.file_ids.iter().map(String::as_str).collect();
            let whole = asked.len() == request.file_ids.len() && !asked.is_empty();
            if !whole || !asked.is_subset(&due) || request.batch_id.as_deref() != Some(&self.due.id) {
                problems.push(format!(
                    "a request reached further than the due files: {request:?}"
                ));
            }
        }
        let mut gone = BTreeSet::new();
        let mut taken = 0;
        for removed in self.world.server.deleted() {
            let request = requests.iter().find(|r| r.sequence == removed.request);
            let listed = request.is_some_and(|r| r.file_ids.contains(&removed.file_id));
            match removed.cause {
                Cause::Listed if listed => {}
                Cause::Neighbour => taken += 1,
                cause => problems.push(format!("{} went by {cause:?}", removed.file_id)),
            }
            gone.insert(removed.file_id);
        }
        if taken > self.neighbours {
            problems.push(format!("{taken} neighbours are gone"));
        }
        // File by file: what was there and was not removed is there, and as it was.
        let there: BTreeMap<String, SandboxFile> = self
            .world
            .server
            .files()
            .into_iter()
            .map(|file| (file.file_id.clone(), file))
            .collect();
        let left: BTreeMap<String, SandboxFile> = self
            .before
            .iter()
            .filter(|(id, _)| !gone.contains(*id))
            .map(|(id, f)| (id.clone(), f.clone()))
            .collect();
        if there != left {
            problems.push("the files left are not those that nobody asked for".to_owned());
        }
        self.problems
            .extend(problems.into_iter().map(|p| format!("{when}: {p}")));
        self.judge_ledger(when).await;
    }

    async fn judge_ledger(&mut self, when: &str) {
        let mut problems = self.world.ledger.check(true).await.unwrap();
        for file in self.young.files.iter().chain(&self.beside.files) {
            if self.world.state(file).await != FileState::Live {
                problems.push(format!("{file}, not due, is not live"));
            }
        }
        let attempts = self.history().await;
        if let Some(open) = attempts.iter().find(|a| a.settled_at.is_none()) {
            problems.push(format!("attempt {:?} is under way for ever", open.attempt));
        }
        let (requests, faults) = (self.world.server.requests(), self.confirms);
        for file in &self.due.files {
            if self.world.state(file).await != FileState::Deleted {
                continue;
            }
            let written = attempts.iter().any(|a| {
                let ours = a
                    .files
                    .iter()
                    .any(|f| f.file_id == *file && f.result == Some(FileState::Deleted));
                ours && a.outcome.as_deref() == Some("confirmed") && a.http_status == Some(200)
            });
            let said = requests.iter().any(|r| {
                let honest = r.fault.is_none() || faults;
                honest && r.status == Some(200) && r.file_ids.iter().any(|id| id == file.as_str())
            });
            if !written || !said {
                problems.push(format!("{file} is deleted without a well-formed confirmation"));
            }
        }
        self.problems
            .extend(problems.into_iter().map(|p| format!("{when}: {p}")));
    }

    /// Every due file is settled, and the ledger and the server agree on each.
    pub(super) async fn judge_end(&mut self) {
        for file in self.due.files.clone() {
            let state = self.world.state(&file).await;
            let there = self.world.server.exists(file.as_str());
            let settled = matches!(state, FileState::Deleted | FileState::Gone);
            self.claim(settled && !there, || {
                format!("{file} ends {} ({there})", state.name())
            });
        }
        let open = self.world.ledger.breakers().await.unwrap();
        self.claim(open.is_empty(), || format!("{open:?} is open at the end"));
        let kept = self.before.len() - self.due.files.len() - self.neighbours;
        let left = self.world.server.files().len();
        self.claim(left >= kept, || format!("{left} files are left of {kept}"));
    }
}
