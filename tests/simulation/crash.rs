//! The real ledger behind a wrapper that can die, fail or let something happen at every step.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use retentiond::evidence::{Fork, LostLeaf};
use retentiond::ledger::{Shared as Parts, *};
use retentiond::model::*;
use retentiond::outcome::FileEvent;
use retentiond::rules::impact::Impact;
use retentiond::rules::policy::RuleDigest;

use crate::erasures::{ERASURE, request, withdraw};
use crate::events::tell;
use crate::place::Real;
use crate::rules::DAY;
use crate::shared::{Claimed, Death, Event, Shared, SimHold, State};

pub struct CrashLedger {
    pub shared: Arc<Shared>,
    pub real: Arc<Real>,
}

/// Writes that another process or the disk may spoil.
const MAY_FAIL: [&str; 16] = [
    "claim",
    "close_erased",
    "settle",
    "note",
    "verified",
    "strike",
    "open_breaker",
    "store_plan",
    "add_to_plan",
    "use_up",
    "recover_orphans",
    "open_sweep",
    "close_sweep",
    "set_setting",
    "rehint",
    "record",
];

/// How a write fails.
#[derive(Debug, Clone, Copy)]
enum WriteFault {
    /// Another process writes.
    Busy,
    /// The disk is full: nothing of it was kept.
    Full,
    /// It was committed, and nobody hears of it.
    AnswerLost,
    /// The commit's fsync fails; from then on the ledger is not to be written.
    Sync,
    /// Beside a server there is no such thing; there the connections are cut.
    Cut,
}

impl CrashLedger {
    /// One step: what the script says, then (or not) the operation.
    async fn step<T>(
        &self,
        name: &'static str,
        operation: impl Future<Output = Result<T, LedgerError>> + Send,
    ) -> Result<T, LedgerError> {
        let _turn = self.shared.turn.lock().await;
        self.take_step(name, operation).await
    }

    async fn take_step<T>(
        &self,
        name: &'static str,
        operation: impl Future<Output = Result<T, LedgerError>> + Send,
    ) -> Result<T, LedgerError> {
        let _still = self.shared.still();
        let (event, death) = self.shared.state().next_step();
        if let Some(event) = event {
            happen(&self.shared, event).await;
        }
        if self.shared.state().sync_failed && MAY_FAIL.contains(&name) {
            return Err(sync_failed());
        }
        match self.fault(name) {
            None => {}
            Some(WriteFault::Sync) => return Err(sync_failed()),
            Some(WriteFault::Busy) => return Err(LedgerError::Busy),
            Some(WriteFault::Full) => return Err(not_writable("database or disk is full")),
            Some(WriteFault::AnswerLost) => {
                operation.await?;
                return Err(not_writable("disk I/O error"));
            }
            Some(WriteFault::Cut) => return self.shared.place.cut(&self.shared, operation).await,
        }
        match death {
            None => operation.await,
            Some(death) => {
                self.shared.state().note(format_args!("dies {death:?} `{name}`"));
                match death {
                    Death::Before => {}
                    // One poll begins the transaction; nobody waits for its end.
                    Death::During => {
                        let mut operation = std::pin::pin!(operation);
                        let begun = std::future::poll_fn(|cx| {
                            let _ = operation.as_mut().poll(cx);
                            std::task::Poll::Ready(())
                        });
                        let writes = MAY_FAIL.contains(&name);
                        self.shared
                            .place
                            .die_in_the_middle(&self.shared, begun, writes)
                            .await;
                    }
                    Death::After => drop(operation.await),
                }
                self.shared.die().await
            }
        }
    }

    fn fault(&self, name: &'static str) -> Option<WriteFault> {
        let beside_a_file = self.shared.place.is_a_file();
        let mut state = self.shared.state();
        if MAY_FAIL.contains(&name) && self.shared.place.loses_its_connections() {
            state.note(format_args!("`{name}`: connections are cut"));
            return Some(WriteFault::Cut);
        }
        let percent = state.script.write_faults;
        if percent == 0 || !MAY_FAIL.contains(&name) || !state.rng.chance(percent) {
            return None;
        }
        let fault = state.rng.pick(&[
            WriteFault::Busy,
            WriteFault::Full,
            WriteFault::AnswerLost,
            if beside_a_file {
                WriteFault::Sync
            } else {
                WriteFault::Cut
            },
        ]);
        state.count(match fault {
            WriteFault::Busy => "ledger busy",
            WriteFault::Full => "ledger full",
            WriteFault::AnswerLost => "ledger commits, its answer is lost",
            WriteFault::Sync => "ledger's fsync fails",
            WriteFault::Cut => "connections cut",
        });
        state.sync_failed |= matches!(fault, WriteFault::Sync);
        // What was cut is opened again, and nobody notices.
        state.injected += u64::from(!matches!(fault, WriteFault::Cut));
        state.note(format_args!("`{name}` fails: {fault:?}"));
        Some(fault)
    }

    /// Notes what the oracle says of each file that a claim lets through.
    async fn witness(&self, request: &ClaimRequest<'_>, claim: &Claim) {
        let Some(attempt) = claim.attempt else { return };
        let intents = self.shared.eye().intents().await;
        let mut state = self.shared.state();
        state.note(format_args!(
            "claim {} of sweep {}: {:?}",
            attempt.0,
            request.sweep.0,
            short(&claim.files)
        ));
        let (at, most) = (request.at.as_millis(), state.concurrency);
        if let Some((until, claims)) = state.pause.as_mut().filter(|(until, _)| at < *until) {
            *claims += 1;
            if *claims > most {
                let text = format!("claims go on under a pause until {until}");
                state.violate("STOP", text);
            }
        }
        let Some(intent) = intents.get(&attempt) else {
            state.violate("G3", "a claim that was granted is not committed");
            return;
        };
        for file in intent.files.clone() {
            let objection = state.files.get(&file).map_or_else(
                || Some("G1: the world does not know it".to_owned()),
                |known| state.objection(known),
            );
            let by_event = state
                .files
                .get(&file)
                .is_some_and(|known| state.counts_from_event(known));
            if by_event && state.sweeping.as_deref() != Some(ERASURE) {
                state.count("sent once its event was long enough ago");
            }
            if state.goes_by_request_alone(&file) {
                state.count("erased before its time");
            }
            let claimed = Claimed {
                sweep: request.sweep,
                batch: intent.batch.clone(),
                objection,
            };
            state.claimed.insert(file, claimed);
        }
    }
}

pub fn short(files: &[FileId]) -> Vec<String> {
    files
        .iter()
        .map(|file| file.as_str()[14..].trim_start_matches('-').to_owned())
        .collect()
}

/// Something happens from outside: another process, an operator, the clock.
pub async fn happen(shared: &Shared, event: Event) {
    shared.state().note(format_args!("meanwhile: {event:?}"));
    match event {
        Event::Hold(scope) => {
            shared.state().count("hold placed in a sweep");
            place_hold(shared, scope).await;
        }
        Event::Tell(scope, happened) => {
            shared.state().count("event told in a sweep");
            tell(shared, scope, happened).await;
        }
        Event::Request(scope) => {
            shared.state().count("erasure requested in a sweep");
            request(shared, scope).await;
        }
        Event::Withdraw => withdraw(shared).await,
        Event::Pause => {
            let now = retentiond::model::Timestamp::from_millis(shared.wall()).unwrap();
            let pause = Pause {
                until: now.checked_add_millis(DAY).unwrap(),
                reason: "sim".to_owned(),
                since: now,
            };
            shared.real().set_pause(Some(&pause), now).await.unwrap();
            let mut state = shared.state();
            state.pause = Some((pause.until.as_millis(), 0));
            state.count("pause in a sweep");
        }
        Event::Jump(by) => {
            shared.clock.jump(by);
            shared.state().count(if by > 0 {
                "clock jump ahead in a sweep"
            } else {
                "clock jump back in a sweep"
            });
        }
        Event::Outsider => outsider_deletes(&mut shared.state()),
        Event::Cancel => {
            let mut state = shared.state();
            state.cancel.cancel();
            state.count("sweep cancelled");
        }
    }
}

fn sync_failed() -> LedgerError {
    LedgerError::Damaged {
        problem: "an fsync or write failed: disk I/O error".to_owned(),
    }
}

fn not_writable(problem: &str) -> LedgerError {
    LedgerError::NotWritable {
        problem: problem.to_owned(),
    }
}

/// Somebody else deletes a file, rather one that this sweep is about to ask for.
fn outsider_deletes(state: &mut State) {
    let held = |state: &State, file: &FileId, batch: &BatchAddress| state.store.holds(batch, file);
    let claimed = state
        .claimed
        .iter()
        .map(|(file, claim)| (claim.batch.clone(), file.clone()));
    let mut targets: Vec<_> = claimed.filter(|(batch, file)| held(state, file, batch)).collect();
    if targets.is_empty() {
        let all = state.store.batches.iter();
        targets = all
            .flat_map(|(batch, files)| files.keys().map(|file| (batch.clone(), file.clone())))
            .collect();
    }
    if targets.is_empty() {
        return;
    }
    let (batch, file) = targets[state.rng.index(targets.len())].clone();
    if let Some(files) = state.store.batches.get_mut(&batch) {
        files.remove(&file);
    }
    state.note(format_args!("somebody else deletes {:?}", short(&[file])));
    state.count("deleted by somebody else in a sweep");
}

pub async fn place_hold(shared: &Shared, scope: HoldScope) {
    let hold = NewHold {
        scope: scope.clone(),
        reason: "sim".to_owned(),
        reference: None,
        owner: None,
        review_by: None,
    };
    let now = retentiond::model::Timestamp::from_millis(shared.wall()).unwrap();
    let placed = shared.real().add_hold(&hold, now).await.unwrap();
    let mut state = shared.state();
    state
        .holds
        .insert(placed.hold.0, SimHold { scope, ends_at: None });
    // G4, the other half: what is under way is named as too late.
    let late: Vec<FileId> = state
        .claimed
        .keys()
        .filter(|id| state.files.get(*id).is_some_and(|file| state.held(file, true)))
        .cloned()
        .collect();
    if !late.is_empty() && placed.under_way.is_empty() {
        state.violate("G4", "a hold that came too late does not say so");
    }
}

macro_rules! steps {
    ($($trait:ident { $($name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)* })*) => {
        $(#[async_trait]
        impl $trait for CrashLedger {
            $(async fn $name(&self $(, $arg: $ty)*) -> Result<$out, LedgerError> {
                self.step(stringify!($name), self.real.$name($($arg),*)).await
            })*
        })*
    };
}

#[async_trait]
impl Claims for CrashLedger {
    async fn due(
        &self,
        policy: &PolicyName,
        now: Timestamp,
        after: Option<&After>,
        page: u32,
    ) -> Result<Vec<FileRecord>, LedgerError> {
        // Small pages, so that paging is walked too.
        self.step("due", self.real.due(policy, now, after, page.min(7)))
            .await
    }

    async fn unknown(&self, page: u32) -> Result<Vec<FileRecord>, LedgerError> {
        self.step("unknown", self.real.unknown(page)).await
    }
    async fn unknown_in(
        &self,
        account: Option<&AccountName>,
        page: u32,
    ) -> Result<Vec<FileRecord>, LedgerError> {
        self.step("unknown", self.real.unknown_in(account, page)).await
    }

    async fn unverified(&self, since: Timestamp, page: u32) -> Result<Vec<FileRecord>, LedgerError> {
        self.step("unverified", self.real.unverified(since, page)).await
    }

    async fn copies_of(&self, batch: BatchKey, files: &[FileId]) -> Result<Vec<FileRecord>, LedgerError> {
        self.step("copies_of", self.real.copies_of(batch, files)).await
    }

    async fn claim(&self, request: &ClaimRequest<'_>, permit: Permit<'_>) -> Result<Claim, LedgerError> {
        let _turn = self.shared.turn.lock().await;
        let claim = self.take_step("claim", self.real.claim(request, permit)).await?;
        self.witness(request, &claim).await;
        Ok(claim)
    }

    async fn settle(&self, attempt: AttemptId, settlement: &Settlement) -> Result<(), LedgerError> {
        let _turn = self.shared.turn.lock().await;
        let done = self
            .take_step("settle", self.real.settle(attempt, settlement))
            .await;
        // What was committed without an answer is settled too.
        if done.is_err() && self.shared.eye().intents().await.contains_key(&attempt) {
            return done;
        }
        let mut state = self.shared.state();
        state.note(format_args!("settled {}: {}", attempt.0, settlement.outcome));
        for (file, _) in &settlement.files {
            state.claimed.remove(file);
        }
        done
    }

    async fn note(
        &self,
        batch: BatchKey,
        files: &[FileId],
        event: FileEvent,
        reason: &str,
        at: Timestamp,
    ) -> Result<u64, LedgerError> {
        if !files.is_empty() {
            let mut state = self.shared.state();
            state.note(format_args!("note {event:?} {:?}", short(files)));
        }
        self.step("note", self.real.note(batch, files, event, reason, at))
            .await
    }

    async fn recover_orphans(&self, at: Timestamp) -> Result<u64, LedgerError> {
        self.step("recover_orphans", self.real.recover_orphans(at)).await
    }

    async fn verified(
        &self,
        batch: BatchKey,
        files: &[(FileId, Finding)],
        at: Timestamp,
    ) -> Result<u64, LedgerError> {
        self.step("verified", self.real.verified(batch, files, at)).await
    }

    async fn strike(
        &self,
        batch: BatchKey,
        files: &[FileId],
        by: u32,
        reason: &str,
    ) -> Result<Vec<(FileId, u32)>, LedgerError> {
        self.step("strike", self.real.strike(batch, files, by, reason))
            .await
    }
}

#[async_trait]
impl Rules for CrashLedger {
    async fn adopt_rules(
        &self,
        digest: &RuleDigest,
        description: &str,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        self.step("adopt_rules", self.real.adopt_rules(digest, description, now))
            .await
    }

    async fn hints_are_current(&self, digest: &RuleDigest) -> Result<bool, LedgerError> {
        self.step("hints_are_current", self.real.hints_are_current(digest))
            .await
    }

    async fn rehint(
        &self,
        digest: &RuleDigest,
        page: u32,
        hint: Rehint<'_>,
    ) -> Result<Rehinted, LedgerError> {
        self.step("rehint", self.real.rehint(digest, page.min(11), hint))
            .await
    }
}

steps! {
    Changes {
        rules_in_force() -> Option<RulesInForce>;
        keep_rule_text(digest: &RuleDigest, text: &str, at: Timestamp) -> ();
        decided(after: Option<&FileKey>, page: u32) -> Vec<FileRecord>;
        undecided() -> u64;
        propose(after: &RuleDigest, impact: &Impact, at: Timestamp) -> RuleChange;
        waiting_change() -> Option<RuleChange>;
        approve_change(digest: &str, at: Timestamp, valid_until: Timestamp) -> RuleChange;
        withdraw_change(at: Timestamp) -> ();
    }
    Past {
        rules_at(at: Timestamp) -> Option<RulesInForce>;
        rule_text(digest: &RuleDigest) -> Option<String>;
        sweep(id: SweepId) -> Option<Sweep>;
        approval_used_by(sweep: SweepId) -> Option<Approval>;
        moves(file: &FileKey) -> Vec<Move>;
        events_of(file: &FileRecord) -> Vec<RecordedEvent>;
    }
    Parts {
        offer(offer: &Offer, parts: &[Part]) -> bool;
        clear_parts(sweep: SweepId) -> ();
        take_part(of: Option<SweepId>, rules: &RuleDigest) -> Option<TakenPart>;
        end_part(part: i64, summary: &SweepSummary, left: u64) -> ();
        hand_on(part: i64, summary: &SweepSummary) -> ();
        give_parts_back() -> u64;
        let_go(at: Timestamp) -> ();
        withdraw(sweep: SweepId) -> ();
        asked_by_others(sweep: SweepId) -> Vec<(BatchKey, Vec<FileId>)>;
        parts_left(sweep: SweepId) -> PartsLeft;
        parts_done(sweep: SweepId) -> (SweepSummary, u64);
        peers() -> Vec<Peer>;
    }
    Standing {
        space() -> Space;
        last_done(policy: &PolicyName) -> Option<Timestamp>;
    }
    Intake {
        record(rows: &[Hinted], digest: &RuleDigest, now: Timestamp) -> Recorded;
    }
    Uploads {
        begin_upload(upload: &NewUpload) -> UploadId;
        end_upload(id: UploadId, end: &UploadEnd<'_>) -> Recorded;
        interrupt_uploads(source: UploadSource, at: Timestamp) -> u64;
        unsettled_uploads(limit: u32) -> Vec<Upload>;
        uploads(before: Option<UploadId>, limit: u32) -> Vec<Upload>;
    }
    Others {
        gone_by_others(removed: &Removed, reason: &str, at: Timestamp) -> u64;
    }
    Batches {
        known_batches(after: Option<BatchKey>, page: u32) -> Vec<KnownBatch>;
        count_batches(after: Option<BatchKey>) -> u64;
        files_left_in(batches: &[BatchKey]) -> Vec<(BatchKey, FileId)>;
        note_missing(batch: BatchKey, files: &[FileId], reason: &str, at: Timestamp) -> u64;
    }
    Sweeps {
        open_sweep(open: &OpenSweep) -> Opened;
        sent(sweep: SweepId) -> u64;
        came_to(sweep: SweepId) -> SweepSummary;
        sent_in(sweep: SweepId, among: &[FileKey]) -> Vec<FileKey>;
        close_sweep(sweep: SweepId, state: SweepState, summary: &SweepSummary, at: Timestamp) -> ();
        sweeps(policy: Option<&PolicyName>, limit: u32) -> Vec<Sweep>;
        last_occurrence(policy: &PolicyName, now: Timestamp) -> Option<(Timestamp, SweepState)>;
        scheduled_since(policy: &PolicyName, now: Timestamp) -> Timestamp;
        store_plan(plan: &StoredPlan, files: &[StoredFile], sweep: SweepId) -> ();
        recomputed_hash(hash: &str) -> Option<String>;
        waiting_plans(since: Timestamp) -> Vec<StoredPlan>;
        add_to_plan(hash: &str, files: &[StoredFile]) -> ();
        plan_files(hash: &str, from: u64, page: u32) -> Vec<StoredFile>;
        approve(hash: &str, at: Timestamp, valid_until: Timestamp) -> Approval;
        approvals(now: Timestamp) -> Vec<Approval>;
        use_up(hash: &str, sweep: SweepId, at: Timestamp) -> ();
    }
    Controls {
        add_hold(hold: &NewHold, at: Timestamp) -> Placed;
        release_hold(id: HoldId, reason: &str, at: Timestamp, ends_at: Timestamp) -> ();
        holds(active_at: Option<Timestamp>) -> Vec<Hold>;
        tidy() -> ();
        open_breaker_of(kind: BreakerKind, account: Option<&AccountName>, reason: &str, at: Timestamp) -> ();
        close_breaker_of(kind: BreakerKind, account: Option<&AccountName>, by: &str, at: Timestamp) -> bool;
        breakers() -> Vec<Breaker>;
        barriers() -> Barriers;
        set_pause(pause: Option<&Pause>, at: Timestamp) -> ();
        pause() -> Option<Pause>;
        clock_mark() -> Option<(ClockMark, Timestamp)>;
        set_clock_mark(mark: &ClockMark) -> ();
        reset_high_water(mark: &ClockMark) -> ();
        add_anomaly(anomaly: &ClockAnomaly) -> bool;
        resolve_anomalies(at: Timestamp) -> ();
        anomalies() -> (u64, Vec<ClockAnomaly>);
        rollback() -> Option<String>;
        closed() -> Option<String>;
        accept_lineage(at: Timestamp) -> ();
        setting(name: &str) -> Option<String>;
        set_setting(name: &str, value: Option<&str>) -> ();
    }
    Clocks {
        other_clocks() -> OtherClocks;
        vouch_for_clock(mark: &ClockMark, at: Timestamp) -> ();
    }
    ErasureRequests {
        add_erasure(new: &NewErasure, at: Timestamp) -> Entered;
        close_erasure(id: ErasureId, reason: &str, at: Timestamp) -> ();
        erasures(open_only: bool) -> Vec<Erasure>;
        erasure_progress(open_only: bool) -> Vec<(ErasureId, ErasureFiles)>;
        erasure_files(id: ErasureId, after: Option<&FileKey>, page: u32) -> Vec<FileRecord>;
        erasable(after: Option<&FileKey>, page: u32) -> Vec<FileRecord>;
        erased_unverified(page: u32) -> Vec<FileRecord>;
        close_erased(at: Timestamp) -> Vec<ErasureId>;
        live_in_all() -> u64;
    }
    Evidence {
        tree() -> TreeHead;
        leaves(from: u64, page: u32) -> Vec<StoredLeaf>;
        keep_checkpoint(checkpoint: &StoredCheckpoint) -> ();
        checkpoints(after: i64, page: u32) -> Vec<(i64, StoredCheckpoint)>;
        sent_checkpoints() -> SentCheckpoints;
        leaves_naming(file: &FileId) -> Vec<u64>;
        openings(leaves: &[u64]) -> BTreeMap<u64, Opening>;
    }
    Recovery {
        recovery() -> Option<UnderWay>;
        begin_recovery(line: &LostLine, at: Timestamp) -> UnderWay;
        bring_back(leaves: &[LostLeaf], at: Timestamp) -> BroughtBack;
        finish_recovery(at: Timestamp) -> BroughtBack;
        forks() -> Vec<Fork>;
    }
    Redaction {
        redact(step: RedactionStep, before: Timestamp, at: Timestamp) -> (Gone, Option<RedactionStep>);
        redacted() -> Option<Redacted>;
        redaction_finished() -> Option<Timestamp>;
        redactable(before: Timestamp, at: Timestamp) -> Redactable;
    }
    Events {
        add_event(event: &NewEvent, at: Timestamp) -> EventNoted;
        events(replaced: bool) -> Vec<RecordedEvent>;
        in_scope(scope: &EventScope, after: Option<&FileKey>, page: u32) -> Vec<FileRecord>;
    }
    Coverage {
        without_due(policy: &PolicyName, until: Timestamp, after: Option<&AfterUpload>, page: u32) -> Vec<FileRecord>;
        unowned_by_batch(limit: u32) -> Vec<(BatchAddress, u64)>;
    }
    Reports {
        facts(period: ReportPeriod, addresses: bool, pages: tokio::sync::mpsc::Sender<ReportPage>) -> ();
    }
    Figures {
        find(file: &FileId) -> Vec<FileRecord>;
        locate(address: &FileAddress) -> Option<FileRecord>;
        batch_key(batch: &BatchAddress) -> Option<BatchKey>;
        states(batch: BatchKey, files: &[FileId]) -> Vec<(FileId, FileState)>;
        live(policy: &PolicyName) -> u64;
        tallies(now: Timestamp) -> BTreeMap<Option<PolicyName>, Tally>;
        falling_due(from: Timestamp, bounds: &[Timestamp]) -> BTreeMap<PolicyName, Vec<u64>>;
        history(filter: &HistoryFilter) -> Vec<Attempt>;
        quarantined(limit: u32) -> Vec<(FileRecord, String)>;
        stats() -> Vec<Stat>;
        check(deep: bool) -> Vec<String>;
        backup(to: &Path) -> ();
        batch_is_live(batch: BatchKey) -> bool;
        intact() -> bool;
    }
}
