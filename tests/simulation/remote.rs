//! A model of the remote store: it really deletes, and it fails in every way that the seed asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use retentiond::extracta::remote::{
    Copy, DeleteExtractionFile, DeleteFiles, ListedFile, Listing, Probe, Remote,
};
use retentiond::model::{BatchAddress, FileId, FileState, Parent};
use retentiond::outcome::{Answer, Reply};

use crate::crash::{happen, short};
use crate::rules::{at, is_extraction};
use crate::shared::{Death, Shared, State};

/// A file at the remote.
#[derive(Debug, Clone)]
pub struct Stored {
    /// `processed`, `waiting`, …
    pub status: &'static str,
    /// Its linked copy, once processing has made one.
    pub copy: Option<Copy>,
}

/// The remote's own truth.
#[derive(Debug, Default)]
pub struct Store {
    pub batches: BTreeMap<BatchAddress, BTreeMap<FileId, Stored>>,
    /// What a lagging listing still shows.
    stale: BTreeMap<BatchAddress, (u32, BTreeMap<FileId, Stored>)>,
}

impl Store {
    pub fn holds(&self, batch: &BatchAddress, file: &FileId) -> bool {
        self.batches
            .get(batch)
            .is_some_and(|files| files.contains_key(file))
    }

    fn remove(&mut self, batch: &BatchAddress, file: &FileId, keep_empty: bool) -> bool {
        let Some(files) = self.batches.get_mut(batch) else {
            return false;
        };
        let removed = files.remove(file).is_some();
        if files.is_empty() && !keep_empty {
            self.batches.remove(batch);
        }
        removed
    }
}

/// Why the API does not delete a file, whatever is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poison {
    Refused,
    Error500,
}

/// How the remote behaves.
#[derive(Debug, Default)]
pub struct Plan {
    /// Calls that go wrong, of a hundred.
    pub storm: u64,
    pub other_account: bool,
    /// A batch that was emptied is still listed, as empty.
    pub keeps_empty: bool,
    /// A list with one id that does not exist is refused as a whole.
    pub strict: bool,
    pub longest_list: usize,
    pub poison: BTreeMap<FileId, Poison>,
    /// The API's clock against the truth.
    pub skew: i64,
    pub sends_date: bool,
    /// Neighbours that vanished in this sweep: whether a look since must have noticed.
    pub vanished: BTreeMap<BatchAddress, Noticed>,
    /// `deleteAll` was claimed in this sweep over files that the ledger knows.
    pub emptied: bool,
}

/// What looks have shown since a neighbour vanished.
#[derive(Debug, Default, Clone, Copy)]
pub struct Noticed {
    pub truthful: u32,
    pub unclear: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    NotSent,
    LostBefore,
    LostAfter,
    WrongStatus,
    BadRequest,
    SaysMissing,
    Unauthorized,
    Forbidden,
    Html404,
    TooLarge,
    WaitNow,
    WaitShort,
    WaitLong,
    WaitUnsaid,
    Error500,
    Error500After,
    Html502,
    Html502After,
    CutJson,
    Accepted202,
    Refusal4xxSuccess,
    Redirect,
    Lie,
    DeleteAll,
    Neighbour,
    Partly500,
}

const FAULTS: [(Fault, &str); 26] = [
    (Fault::NotSent, "not sent"),
    (Fault::LostBefore, "lost before applying"),
    (Fault::LostAfter, "lost after applying"),
    (Fault::WrongStatus, "200 with another status"),
    (Fault::BadRequest, "400 other"),
    (Fault::SaysMissing, "400 does not exist, a lie"),
    (Fault::Unauthorized, "401"),
    (Fault::Forbidden, "403"),
    (Fault::Html404, "404 html"),
    (Fault::TooLarge, "413"),
    (Fault::WaitNow, "429, now"),
    (Fault::WaitShort, "429, seconds"),
    (Fault::WaitLong, "429, long"),
    (Fault::WaitUnsaid, "429, unsaid"),
    (Fault::Error500, "500 before applying"),
    (Fault::Error500After, "500 after applying"),
    (Fault::Html502, "502 before applying"),
    (Fault::Html502After, "502 after applying"),
    (Fault::CutJson, "cut json"),
    (Fault::Accepted202, "202"),
    (Fault::Refusal4xxSuccess, "400 that says success"),
    (Fault::Redirect, "302"),
    (Fault::Lie, "success, a lie"),
    (Fault::DeleteAll, "deleteAll true"),
    (Fault::Neighbour, "neighbour vanishes"),
    (Fault::Partly500, "500 after half"),
];

/// Names of every fault of a delete, for the counters that have to be hit.
pub fn delete_faults() -> impl Iterator<Item = &'static str> {
    FAULTS.iter().map(|(_, name)| *name)
}

pub struct SimRemote(pub Arc<Shared>);

impl SimRemote {
    /// G8: a ledger that has failed or was put back lets nothing go, beyond what was already on its way.
    fn may_anything_leave(&self) {
        let mut state = self.0.state();
        if state.rolled_back {
            state.violate(
                "G8",
                "a request leaves while nobody has looked at the restored ledger",
            );
        }
        if state.sync_failed {
            state.after_failure += 1;
            if state.after_failure >= state.concurrency {
                state.violate("G8", "a request leaves after an fsync has failed");
            }
        }
    }

    async fn delete(&self, batch: BatchAddress, files: Vec<FileId>) -> Reply {
        let (fault, fresh) = {
            let _turn = self.0.turn.lock().await;
            self.step_begins("request").await;
            self.may_anything_leave();
            self.is_in_the_ledger(&batch, &files).await;
            self.request_arrives(&batch, &files)
        };
        // Others may take their steps while the request is under way.
        let _turn = self.0.turn.lock().await;
        let (event, death) = self.0.state().next_step();
        let death = death.or_else(|| self.0.state().script.death_in_request.take());
        if let Some(event) = event {
            happen(&self.0, event).await;
        }
        if matches!(death, Some(Death::Before)) {
            self.0.state().note("dies before the request is applied");
            return self.0.die().await;
        }
        self.copies_are_known(&batch, &files).await;
        let reply = {
            let mut state = self.0.state();
            let reply = answer(&mut state, fault, &batch, &files);
            reply_leaves(&mut state, &reply, &batch, &files, fresh);
            reply
        };
        // An answer drawn with a status that hides its body (413, say) claims nothing.
        let claims_all = matches!(&reply, Reply::Answered(answer) if answer.status == 200);
        if fault == Some(Fault::DeleteAll) && claims_all {
            self.expect_alarm(&batch, &files).await;
        }
        if death.is_some() {
            self.0.state().note("dies with the answer");
            return self.0.die().await;
        }
        reply
    }

    async fn step_begins(&self, what: &str) {
        let (event, death) = self.0.state().next_step();
        if let Some(event) = event {
            happen(&self.0, event).await;
        }
        if death.is_some() {
            self.0.state().note(format_args!("dies before the {what}"));
            self.0.die::<()>().await;
        }
    }

    /// G3: the intent is durable before the request: asked of the ledger past every wrapper.
    async fn is_in_the_ledger(&self, batch: &BatchAddress, files: &[FileId]) {
        let intents = self.0.eye().intents().await;
        let asked: BTreeSet<FileId> = files.iter().cloned().collect();
        let intended = intents
            .values()
            .any(|intent| intent.batch == *batch && intent.files == asked && intent.deleting == asked);
        let mut state = self.0.state();
        if !intended {
            state.violate(
                "G3",
                format_args!("no intent names exactly the {} files of a request", files.len()),
            );
        }
        if files.is_empty() || asked.len() != files.len() {
            state.violate("G9", "a request names no file, or one twice");
        }
    }

    fn request_arrives(&self, batch: &BatchAddress, files: &[FileId]) -> (Option<Fault>, Vec<FileId>) {
        let mut state = self.0.state();
        let storm = state.plan.storm;
        let fault = state.rng.chance(storm).then(|| {
            let at = state.rng.index(FAULTS.len());
            FAULTS[at]
        });
        state.note(format_args!(
            "delete {} {:?} fault {:?}",
            batch.batch,
            short(files),
            fault.map(|f| f.1)
        ));
        if let Some((_, name)) = fault {
            state.count(name);
        }
        let fault = fault.map(|(fault, _)| fault);
        judge_canary(&mut state, files);
        let mut fresh = Vec::new();
        for file in files {
            judge_sent(&mut state, batch, file);
            if fault != Some(Fault::NotSent) && note_sent(&mut state, file) {
                fresh.push(file.clone());
            }
        }
        (fault, fresh)
    }

    /// A copy's ids are readable only while the original is there: they are in the ledger before it goes.
    async fn copies_are_known(&self, batch: &BatchAddress, files: &[FileId]) {
        let copies: Vec<_> = {
            let state = self.0.state();
            if state.script.write_faults > 0 || !state.counts.contains_key("linked copies on") {
                return;
            }
            let Some(stored) = state.store.batches.get(batch) else {
                return;
            };
            let copies = files.iter().filter_map(|file| stored.get(file)?.copy.clone());
            copies
                .filter_map(|copy| Some(state.files.get(&copy.file)?.address.clone()))
                .collect()
        };
        for copy in copies {
            if self.0.real().locate(&copy).await.unwrap().is_none() {
                self.0
                    .state()
                    .violate("I8", "an original is deleted while its copy is not in the ledger");
            }
        }
    }

    async fn expect_alarm(&self, batch: &BatchAddress, files: &[FileId]) {
        let real = self.0.real();
        let others: Vec<FileId> = {
            let state = self.0.state();
            let same = state.files.values().filter(|file| file.address.batch == *batch);
            same.map(|file| file.address.file.clone())
                .filter(|file| !files.contains(file))
                .collect()
        };
        let Some(key) = real.batch_key(batch).await.unwrap() else {
            return;
        };
        let states = real.states(key, &others).await.unwrap();
        // One whose request got no answer may have gone by it.
        let alive = states
            .iter()
            .any(|(_, s)| matches!(s, FileState::Live | FileState::Quarantined));
        let mut state = self.0.state();
        state.plan.emptied |= alive && !is_extraction(batch);
    }
}

/// G1, G2, G4, G7, G9 for one file of a request.
fn judge_sent(state: &mut State, batch: &BatchAddress, file: &FileId) {
    let Some(claimed) = state.claimed.get(file).cloned() else {
        state.violate("G3", format_args!("{file} is sent without a committed claim"));
        return;
    };
    if let Some(objection) = claimed.objection {
        let (invariant, text) = objection.split_at(2);
        state.violate(invariant, format_args!("{file} is sent{text}"));
    }
    let home = state.files.get(file).map(|known| known.address.batch.clone());
    if home.as_ref() != Some(batch) || claimed.batch != *batch {
        state.violate(
            "G9",
            format_args!("{file} does not lie in the batch of the request"),
        );
    }
}

/// The first request of a sweep for files of its own names one file: copies go before, uncounted.
fn judge_canary(state: &mut State, files: &[FileId]) {
    let is_copy = |file: &FileId| state.files.get(file).is_some_and(|known| known.copy_of.is_some());
    if files.iter().all(is_copy) {
        return;
    }
    if state.requests == 0 && files.len() > 1 {
        let text = format!("{} files in the first request of a sweep", files.len());
        state.violate("CANARY", text);
    }
    state.requests += 1;
}

/// Counts a file against its sweep's limit; whether it is new to the sweep.
fn note_sent(state: &mut State, file: &FileId) -> bool {
    let is_copy = state.files.get(file).is_some_and(|known| known.copy_of.is_some());
    let Some(sweep) = state.claimed.get(file).map(|claimed| claimed.sweep) else {
        return false;
    };
    if is_copy || !state.sent.entry(sweep.0).or_default().insert(file.clone()) {
        return false;
    }
    if let Some(text) = state.over_limit(sweep, file) {
        state.violate("G7", text);
    }
    true
}

fn reply_leaves(
    state: &mut State,
    reply: &Reply,
    batch: &BatchAddress,
    files: &[FileId],
    fresh: Vec<FileId>,
) {
    let word = if is_extraction(batch) {
        "deleted"
    } else {
        "success"
    };
    if let Reply::Answered(answer) = reply {
        let released = matches!(answer.status, 400 | 401 | 403 | 404 | 413 | 429);
        let says = |text: &str| {
            answer
                .body
                .starts_with(format!("{{\"status\":\"{text}\"").as_bytes())
        };
        if released && !says("success") {
            for file in fresh {
                let claimed = state.claimed.get(&file).map(|claimed| claimed.sweep.0);
                if let Some(sent) = claimed.and_then(|sweep| state.sent.get_mut(&sweep)) {
                    sent.remove(&file);
                }
            }
        }
        if answer.status == 200 && says(word) && answer.body.ends_with(b"}") {
            state.confirmed.extend(files.iter().cloned());
        }
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        state.note(format_args!("answer {} {text}", answer.status));
    } else {
        state.note(format_args!("answer {reply:?}"));
    }
}

fn answered(status: u16, body: &str) -> Reply {
    let html = body.starts_with('<');
    Reply::Answered(Answer {
        status,
        content_type: Some(if html { "text/html" } else { "application/json" }.to_owned()),
        retry_after: Vec::new(),
        date: None,
        redirect_host: (status == 302).then(|| "login.example".to_owned()),
        body: body.as_bytes().to_vec(),
        cut: false,
    })
}

fn later(retry_after: Option<&str>) -> Reply {
    match answered(429, r#"{"status":"error","message":"Too many requests"}"#) {
        Reply::Answered(answer) => {
            let retry_after = retry_after.into_iter().map(str::to_owned).collect();
            Reply::Answered(Answer {
                retry_after,
                ..answer
            })
        }
        other @ (Reply::NotSent { .. } | Reply::TooLong { .. } | Reply::Lost { .. }) => other,
    }
}

const ERROR_500: &str = r#"{"status":"error","message":"Internal server error"}"#;

fn answer(state: &mut State, fault: Option<Fault>, batch: &BatchAddress, files: &[FileId]) -> Reply {
    let Some(fault) = fault else {
        return honest(state, batch, files);
    };
    let lost = || Reply::Lost {
        reason: "reset".to_owned(),
    };
    match fault {
        Fault::NotSent => Reply::NotSent {
            reason: "connection refused".to_owned(),
        },
        Fault::LostBefore => lost(),
        Fault::LostAfter => {
            honest(state, batch, files);
            lost()
        }
        Fault::WrongStatus => {
            if state.rng.chance(50) {
                honest(state, batch, files);
            }
            answered(200, r#"{"status":"queued","message":"Working on it"}"#)
        }
        Fault::BadRequest => answered(400, r#"{"status":"error","message":"Invalid payload"}"#),
        Fault::SaysMissing => {
            if files.len() == 1 && state.store.holds(batch, &files[0]) {
                state.lied.insert(files[0].clone());
            }
            missing()
        }
        Fault::Unauthorized => answered(401, r#"{"status":"error","message":"Unauthorized"}"#),
        Fault::Forbidden => answered(403, r#"{"status":"error","message":"Forbidden"}"#),
        Fault::Html404 => answered(404, "<html>Not found</html>"),
        Fault::TooLarge => answered(413, "<html>Too large</html>"),
        Fault::WaitNow => later(Some("0")),
        Fault::WaitShort => later(Some("7")),
        Fault::WaitLong => later(Some("5400")),
        Fault::WaitUnsaid => later(None),
        Fault::Error500 => answered(500, ERROR_500),
        Fault::Error500After => {
            honest(state, batch, files);
            answered(500, ERROR_500)
        }
        Fault::Partly500 => {
            honest(state, batch, &files[..files.len() / 2]);
            answered(500, ERROR_500)
        }
        Fault::Html502 => answered(502, "<html>Bad gateway</html>"),
        Fault::Html502After => {
            honest(state, batch, files);
            answered(502, "<html>Bad gateway</html>")
        }
        Fault::CutJson => {
            if state.rng.chance(50) {
                honest(state, batch, files);
            }
            answered(200, r#"{"status":"success","mess"#)
        }
        Fault::Accepted202 => {
            if state.rng.chance(50) {
                honest(state, batch, files);
            }
            answered(202, r#"{"status":"success","message":"Accepted"}"#)
        }
        Fault::Refusal4xxSuccess => {
            if state.rng.chance(50) {
                honest(state, batch, files);
            }
            answered(400, r#"{"status":"success","message":"Files deleted"}"#)
        }
        Fault::Redirect => answered(302, ""),
        Fault::Lie => {
            let there: Vec<FileId> = files
                .iter()
                .filter(|f| state.store.holds(batch, f))
                .cloned()
                .collect();
            state.lied.extend(there);
            success(batch, false)
        }
        Fault::DeleteAll => {
            let done = honest(state, batch, files);
            if matches!(&done, Reply::Answered(a) if a.status == 200) && !is_extraction(batch) {
                return success(batch, true);
            }
            done
        }
        Fault::Neighbour => {
            let done = honest(state, batch, files);
            neighbour_vanishes(state, batch, files);
            done
        }
    }
}

/// A file beside the asked-for ones goes: one that the sweep has no business with.
fn neighbour_vanishes(state: &mut State, batch: &BatchAddress, files: &[FileId]) {
    let Some(stored) = state.store.batches.get(batch) else {
        return;
    };
    let beside = stored.keys().filter(|file| !files.contains(file));
    let idle = beside.filter(|file| {
        state
            .files
            .get(*file)
            .is_some_and(|known| state.due(known).is_none_or(|due| state.truth + 86_400_000 < due))
    });
    let Some(victim) = idle.min().cloned() else { return };
    let keep = state.plan.keeps_empty;
    state.store.remove(batch, &victim, keep);
    state.plan.vanished.entry(batch.clone()).or_default();
    state.note(format_args!("neighbour {:?} vanishes", short(&[victim])));
    state.count("a neighbour vanished");
}

fn missing() -> Reply {
    answered(400, r#"{"status":"error","message":"File does not exist"}"#)
}

fn success(batch: &BatchAddress, all: bool) -> Reply {
    if is_extraction(batch) {
        answered(200, r#"{"status":"deleted","deletedAt":1740864032426}"#)
    } else if all {
        answered(
            200,
            r#"{"status":"success","message":"Files deleted","deleteAll":true}"#,
        )
    } else {
        answered(200, r#"{"status":"success","message":"Files deleted"}"#)
    }
}

/// What a sound API does.
fn honest(state: &mut State, batch: &BatchAddress, files: &[FileId]) -> Reply {
    if state.plan.other_account {
        return missing();
    }
    if files.len() > state.plan.longest_list {
        return answered(413, r#"{"status":"error","message":"Payload too large"}"#);
    }
    match files.iter().find_map(|file| state.plan.poison.get(file)) {
        Some(Poison::Refused) => {
            state.count("poison refused");
            return answered(400, r#"{"status":"error","message":"Invalid request"}"#);
        }
        Some(Poison::Error500) => {
            state.count("poison 500");
            return answered(500, ERROR_500);
        }
        None => {}
    }
    let absent = files
        .iter()
        .filter(|file| !state.store.holds(batch, file))
        .count();
    if absent > 0 && (state.plan.strict || absent == files.len()) {
        state.count("400 does not exist, true");
        return missing();
    }
    if let Some(before) = state.store.batches.get(batch).cloned() {
        let looks = if state.rng.chance(state.plan.storm / 2) {
            1 + u32::from(state.rng.chance(50))
        } else {
            0
        };
        if looks > 0 {
            state.store.stale.insert(batch.clone(), (looks, before));
        }
    }
    let keep = state.plan.keeps_empty;
    for file in files {
        if state.store.remove(batch, file, keep) {
            state.lied.remove(file);
        }
    }
    let empty = state.store.batches.get(batch).is_none_or(BTreeMap::is_empty);
    state.count(if empty { "batch emptied" } else { "deleted" });
    success(batch, empty)
}

#[async_trait]
impl Remote for SimRemote {
    async fn delete_files(&self, request: &DeleteFiles) -> Reply {
        let batch = BatchAddress {
            parent: Parent::Classification(request.classification().clone()),
            batch: request.batch().clone(),
            account: None,
        };
        self.delete(batch, request.files().to_vec()).await
    }

    async fn delete_extraction_file(&self, request: &DeleteExtractionFile) -> Reply {
        let batch = BatchAddress {
            parent: Parent::Extraction(request.extraction.clone()),
            batch: request.batch.clone(),
            account: None,
        };
        self.delete(batch, vec![request.file.clone()]).await
    }

    async fn list(&self, batch: &BatchAddress) -> Listing {
        let _turn = self.0.turn.lock().await;
        self.step_begins("look").await;
        let mut state = self.0.state();
        let listing = look(&mut state, batch);
        let seen = match &listing {
            Listing::Files(files) => format!(
                "{:?}",
                short(&files.iter().map(|f| f.file.clone()).collect::<Vec<_>>())
            ),
            Listing::NoBatch => "no batch".to_owned(),
            Listing::CannotTell { reason } => reason.clone(),
        };
        state.note(format_args!("look at {}: {seen}", batch.batch));
        listing
    }

    fn account(&self) -> String {
        if self.0.state().plan.other_account {
            "other"
        } else {
            "own"
        }
        .to_owned()
    }

    async fn probe(&self) -> Probe {
        let _turn = self.0.turn.lock().await;
        self.step_begins("probe").await;
        let mut state = self.0.state();
        let now = state.truth + state.plan.skew;
        let date = state.plan.sends_date.then(|| at(now));
        if date.is_none() {
            state.count("probe without date");
        }
        let storm = state.plan.storm;
        let probe = match state.rng.below(100) {
            roll if roll < storm / 4 => Probe::Refused {
                status: if roll % 2 == 0 { 401 } else { 403 },
                date,
            },
            roll if roll < storm / 2 => Probe::Unavailable {
                reason: "HTTP 502".to_owned(),
            },
            _ => Probe::Works { date },
        };
        state.count(match probe {
            Probe::Works { .. } => "probe works",
            Probe::Refused { .. } => "probe refused",
            Probe::Unavailable { .. } => "probe unavailable",
        });
        state.note(format_args!("probe: {probe:?}"));
        probe
    }
}

fn look(state: &mut State, batch: &BatchAddress) -> Listing {
    let storm = state.plan.storm;
    if state.plan.other_account {
        state.count("another account's listing");
        return Listing::NoBatch;
    }
    if state.rng.chance(storm) {
        state.count("listing cannot tell");
        unclear(state, batch);
        return Listing::CannotTell {
            reason: "HTTP 502".to_owned(),
        };
    }
    let lagging = state
        .store
        .stale
        .get_mut(batch)
        .filter(|(looks, _)| *looks > 0)
        .map(|(looks, files)| {
            *looks -= 1;
            files.clone()
        });
    if lagging.is_some() {
        state.count("listing lags");
        unclear(state, batch);
    } else if let Some(noticed) = state.plan.vanished.get_mut(batch) {
        noticed.truthful += 1;
    }
    let Some(files) = lagging.or_else(|| state.store.batches.get(batch).cloned()) else {
        state.count("listing without batch");
        return Listing::NoBatch;
    };
    if files.values().any(|file| file.status != "processed") {
        state.count("listing with pending files");
    }
    let listed = files.into_iter().map(|(file, stored)| ListedFile {
        file,
        status: stored.status.to_owned(),
        document_type: None,
        copy: stored.copy,
    });
    Listing::Files(listed.collect())
}

fn unclear(state: &mut State, batch: &BatchAddress) {
    if let Some(noticed) = state.plan.vanished.get_mut(batch) {
        noticed.unclear += 1;
    }
}

/// A new sweep begins: what listings lag behind is forgotten.
pub fn settle_down(state: &mut State) {
    state.store.stale.clear();
    state.plan.vanished.clear();
    state.plan.emptied = false;
}
