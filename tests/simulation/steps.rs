//! What happens in a world, step by step, as its seed says.

use std::collections::BTreeSet;

use retentiond::engine::{Ending, Stop, SweepReport, SweepRequest};
use retentiond::extracta::Copy;
use retentiond::intake::provisional;
use retentiond::ledger::Hinted;
use retentiond::model::{
    BatchAddress, BatchId, BreakerKind, ClassificationId, ExtractionId, FileAddress, FileId, FileState,
    HoldId, HoldScope, Labels, NewFile, Parent, PolicyName, Trigger,
};
use retentiond::outcome::FileEvent;
use retentiond::rules::decide::hint;

use crate::crash::{happen, place_hold};
use crate::erasures::{ERASURE, SUBJECTS};
use crate::remote::{Poison, Stored, settle_down};
use crate::rules::{CLASSES, DAY, HOUR, RulesSpec, SimFile, TEMPLATES, at, is_extraction, push_id};
use crate::shared::{Death, Event, Script};
use crate::world::World;

const TENANTS: [Option<&str>; 4] = [None, Some("acme"), Some("fin"), Some("acme")];
const JUMPS: [i64; 7] = [
    3 * 60_000,
    -3 * 60_000,
    2 * HOUR,
    26 * HOUR,
    -2 * HOUR,
    30 * DAY,
    -30 * DAY,
];

/// Calls that go wrong, of a hundred.
pub const STORMS: [u64; 5] = [0, 20, 40, 60, 80];

/// How a sweep came to its end, as its driver sees it.
#[derive(Debug)]
pub enum Swept {
    Ended(Box<SweepReport>),
    Failed(String),
    Died,
}

impl World {
    /// What a world begins with: some batches, of which some files are soon due.
    pub async fn fill(&mut self) {
        for _ in 0..2 + self.rng.below(2) {
            self.upload().await;
        }
        let hours = 24 + self.rng.below(72);
        self.pass(hours).await;
    }

    /// One step of the seed's choosing.
    pub async fn step(&mut self) {
        self.nudge().await;
        match self.rng.below(100) {
            0..13 => self.upload().await,
            13..21 => self.request_or_withdraw().await,
            21..24 => self.record_event().await,
            24..34 => {
                let hours = 1 + self.rng.below(30);
                self.pass(hours).await;
            }
            34..38 => self.tick().await,
            38..62 => self.sweep_some(false).await,
            62..72 => self.sweep_some(true).await,
            72..77 => self.hold_or_release().await,
            77..79 => self.change_rules().await,
            79..83 => self.approve_some().await,
            83..86 => self.disturb_clock().await,
            86..90 => self.weather(),
            90..92 => self.operator().await,
            92 => self.restart().await,
            93 => self.backup_or_restore().await,
            94..96 => self.outsider(),
            96..98 => self.process(),
            _ => self.record_again().await,
        }
    }

    /// What stops everything is not left to stand for long, or nothing else would be seen.
    async fn nudge(&mut self) {
        let (paused, off) = {
            let state = self.state();
            (state.pause.is_some(), state.truth != self.shared.wall())
        };
        if paused && self.rng.chance(30) {
            self.resume().await;
        }
        if off && self.rng.chance(25) {
            self.set_clock_right();
        }
        if self.rng.chance(12) {
            self.reset_breakers().await;
        }
        if self.rng.chance(5) {
            self.retry_quarantined().await;
        }
    }

    pub fn begin(&self, text: impl std::fmt::Display) {
        let mut state = self.state();
        state.step = text.to_string();
        let line = format!("— {text}");
        state.note(line);
    }

    /// An upload, recorded as the seed says: soon or late, with or without its copies.
    async fn upload(&mut self) {
        let truth = self.state().truth;
        let count = 1 + self.rng.below(7);
        self.serial += 1;
        let extraction = self.rng.chance(25);
        // Files may also come late into a batch that is to be erased.
        let late = if self.rng.chance(25) {
            self.some_requested_batch()
        } else {
            None
        };
        let parent = if extraction {
            Parent::Extraction(ExtractionId::new(TEMPLATES[0]).unwrap())
        } else {
            Parent::Classification(ClassificationId::new(self.rng.pick(&CLASSES)).unwrap())
        };
        let new = BatchAddress {
            parent,
            batch: BatchId::new(format!("batch{:05}", self.serial)).unwrap(),
            account: None,
        };
        let batch = late.map_or(new, |file| {
            self.state().count("uploaded to a batch that is to be erased");
            file.address.batch
        });
        let extraction = is_extraction(&batch);
        self.begin(format_args!("{count} files are uploaded to {batch}"));
        let tenant = self.rng.pick(&TENANTS);
        let subject = self.rng.chance(60).then(|| self.rng.pick(&SUBJECTS));
        let linked = !extraction && self.rng.chance(40);
        let wrong_time = self.rng.chance(5);
        let mut files = Vec::new();
        for _ in 0..count {
            self.serial += 1;
            let id = FileId::new(push_id(truth, self.serial)).unwrap();
            let uploaded_at = if wrong_time { truth - 3 * DAY } else { truth };
            let file = SimFile {
                address: FileAddress {
                    batch: batch.clone(),
                    file: id.clone(),
                },
                uploaded_at,
                processed_at: self.rng.chance(80).then_some(uploaded_at.max(truth) + HOUR),
                tenant,
                subject,
                copy_of: None,
            };
            let pending = !extraction && self.rng.chance(15);
            let mut stored = Stored {
                status: if pending { "waiting" } else { "processed" },
                copy: None,
            };
            if linked && !pending {
                stored.copy = Some(self.link(&file));
            }
            if self.rng.chance(2) && self.state().plan.poison.len() < 2 {
                let poison = self.rng.pick(&[Poison::Refused, Poison::Error500]);
                self.state().plan.poison.insert(id.clone(), poison);
            }
            let mut state = self.state();
            state
                .store
                .batches
                .entry(batch.clone())
                .or_default()
                .insert(id.clone(), stored);
            state.files.insert(id, file.clone());
            drop(state);
            files.push(file);
        }
        self.record(&files).await;
        let counting = files
            .first()
            .is_some_and(|file| self.state().counts_from_event(file));
        if counting && self.rng.chance(60) {
            self.record_event().await;
        }
    }

    /// Processing makes a linked copy at the extraction module.
    fn link(&mut self, original: &SimFile) -> Copy {
        self.serial += 1;
        let extraction = ExtractionId::new(TEMPLATES[1]).unwrap();
        let batch = BatchId::new(format!("c{}", original.address.batch.batch)).unwrap();
        let file = FileId::new(push_id(self.state().truth, self.serial)).unwrap();
        let address = BatchAddress {
            parent: Parent::Extraction(extraction.clone()),
            batch: batch.clone(),
            account: None,
        };
        let mut state = self.state();
        state.count("linked copy made");
        let stored = Stored {
            status: "processed",
            copy: None,
        };
        state
            .store
            .batches
            .entry(address.clone())
            .or_default()
            .insert(file.clone(), stored);
        let copy = SimFile {
            address: FileAddress {
                batch: address,
                file: file.clone(),
            },
            copy_of: Some(original.address.file.clone()),
            ..original.clone()
        };
        state.files.insert(file.clone(), copy);
        Copy {
            extraction,
            batch,
            file,
        }
    }

    pub async fn record(&self, files: &[SimFile]) {
        let rows: Vec<Hinted> = files
            .iter()
            .map(|file| {
                let labels = file.tenant.map(|tenant| ("tenant".to_owned(), tenant.to_owned()));
                let file = NewFile {
                    address: file.address.clone(),
                    uploaded_at: at(file.uploaded_at),
                    processed_at: file.processed_at.map(at),
                    document_type: None,
                    labels: labels.into_iter().collect::<Labels>(),
                    subject: file.subject.map(str::to_owned),
                    copy_of: None,
                };
                Hinted {
                    hint: hint(&provisional(&file), &self.rules),
                    file,
                }
            })
            .collect();
        self.real()
            .record(&rows, &self.rules.digest, at(self.shared.wall()))
            .await
            .unwrap();
    }

    async fn pass(&self, hours: u64) {
        self.begin(format_args!("{hours} h pass"));
        self.time_passes(i64::try_from(hours).unwrap() * HOUR + 1000)
            .await;
    }

    /// The daemon's turn: the guard is asked also when nothing is due.
    pub async fn tick(&mut self) {
        self.begin("a tick");
        self.quietly();
        if let Err(error) = self.engine().guard(false).await {
            self.state()
                .violate("ERROR", format_args!("a tick failed: {error}"));
        }
    }

    fn quietly(&self) {
        self.state().script = Script::default();
    }

    async fn sweep_some(&mut self, deadly: bool) {
        let policy = self.some_policy().await;
        let mut script = Script::default();
        if deadly {
            let death = self.rng.pick(&[Death::Before, Death::During, Death::After]);
            script.death = Some((self.rng.below(70), death));
        } else if self.rng.chance(20) {
            script.write_faults = self.rng.pick(&[4, 12, 40]);
        }
        if self.rng.chance(30) {
            script.event = Some((self.rng.below(60), self.some_event()));
        }
        let by_schedule = self.rng.chance(60);
        let resume = self.rng.chance(80);
        let occurrence = match self.unfinished.get(policy) {
            Some(at) if resume => Some(*at),
            _ => by_schedule.then(|| self.shared.wall()),
        };
        let swept = self.sweep(policy, occurrence, script).await;
        match (&swept, occurrence) {
            (Swept::Ended(report), Some(_)) if is_over(report) => drop(self.unfinished.remove(policy)),
            (_, Some(at)) => drop(self.unfinished.insert(policy, at)),
            (_, None) => {}
        }
    }

    /// Mostly one that has something to do.
    async fn some_policy(&mut self) -> &'static str {
        let states = self.states().await;
        let (all, busy) = {
            let state = self.state();
            let due = state.files.values().filter(|file| {
                let open = matches!(
                    states.get(&file.address.file),
                    Some(FileState::Live | FileState::Unknown)
                );
                open && state.due(file).is_some_and(|due| due <= state.truth)
            });
            let busy: Vec<&'static str> = due
                .filter_map(|file| state.rules.owner(state.original(file)).map(|policy| policy.name))
                .collect();
            let all: Vec<&'static str> = state.rules.policies.iter().map(|p| p.name).collect();
            (all, busy)
        };
        let asked = !self.state().erasures.is_empty();
        if asked && self.rng.chance(35) || self.rng.chance(3) {
            return ERASURE;
        }
        if busy.is_empty() || self.rng.chance(15) {
            self.rng.pick(&all)
        } else {
            self.rng.pick(&busy)
        }
    }

    fn some_event(&mut self) -> Event {
        match self.rng.below(16) {
            0..5 => Event::Hold(self.some_scope()),
            5 => Event::Pause,
            6 | 7 => Event::Jump(self.rng.pick(&JUMPS)),
            8 => Event::Outsider,
            9 | 10 => Event::Request(self.some_request()),
            11 => Event::Withdraw,
            12 | 13 => match self.some_record() {
                Some((scope, happened)) => Event::Tell(scope, happened),
                None => Event::Cancel,
            },
            _ => Event::Cancel,
        }
    }

    pub fn some_scope(&mut self) -> HoldScope {
        let files: Vec<FileAddress> = self
            .state()
            .files
            .values()
            .map(|file| file.address.clone())
            .collect();
        let Some(last) = files.len().checked_sub(1) else {
            return HoldScope::Label {
                key: "tenant".to_owned(),
                value: "acme".to_owned(),
            };
        };
        let file = &files[self.rng.index(last + 1)];
        match self.rng.below(10) {
            0..5 => HoldScope::File(file.file.clone()),
            5..8 => HoldScope::Batch(file.batch.batch.clone()),
            8 => HoldScope::Label {
                key: "tenant".to_owned(),
                value: self.rng.pick(&["acme", "fin"]).to_owned(),
            },
            _ => HoldScope::Policy(PolicyName::new(self.rng.pick(&["alpha", "beta"])).unwrap()),
        }
    }

    /// One sweep of one policy, driven to its end or to its death.
    pub async fn sweep(&mut self, policy: &'static str, occurrence: Option<i64>, script: Script) -> Swept {
        self.begin(format_args!(
            "sweep of {policy}, occurrence {occurrence:?}, {script:?}"
        ));
        let script = Script {
            death_in_request: self.shared.place.dies_in_a_request(),
            ..script
        };
        let during = matches!(script.death, Some((_, Death::During)));
        let mut state = self.state();
        settle_down(&mut state);
        state.script = script;
        state.sweeping = Some(policy.to_owned());
        state.cancel = tokio_util::sync::CancellationToken::new();
        state.claimed.clear();
        state.injected = 0;
        state.requests = 0;
        let cancel = state.cancel.clone();
        drop(state);
        let request = SweepRequest {
            policy: PolicyName::new(policy).unwrap(),
            occurrence: occurrence.map(at),
            trigger: Trigger::Schedule,
        };
        let swept = tokio::select! {
            biased;
            () = self.shared.died.notified() => Swept::Died,
            done = self.engine().sweep(&self.rules, &request, &cancel) => match done {
                Ok(report) => Swept::Ended(Box::new(report)),
                Err(error) => Swept::Failed(error.to_string()),
            },
        };
        let line = match &swept {
            Swept::Ended(report) => format!("ends: {:?}", report.ending),
            Swept::Failed(error) => format!("fails: {error}"),
            Swept::Died => "died".to_owned(),
        };
        self.state().note(line);
        self.judge(&swept).await;
        self.approve_rules(&swept).await;
        self.quietly();
        if self.state().sync_failed {
            // The daemon ends with exit 4; somebody looks at the disk and starts it again.
            self.reopen(false).await;
        }
        if matches!(swept, Swept::Died) {
            self.state().count("crash");
            let image = !during && self.rng.chance(50);
            self.reopen(image).await;
        }
        self.state().sweeping = None;
        self.compare().await;
        self.judge_closed_requests().await;
        swept
    }

    /// What a sweep must have noticed.
    async fn judge(&self, swept: &Swept) {
        let breakers = self.real().breakers().await.unwrap();
        let mut state = self.state();
        match swept {
            Swept::Failed(error) if state.injected == 0 => {
                state.violate("ERROR", format_args!("a sweep failed without a cause: {error}"));
            }
            Swept::Ended(report) => {
                let name = ending_name(&report.ending);
                state.count(name);
                if state.sweeping.as_deref() == Some(ERASURE) && report.ending == Ending::Done {
                    if report.summary.held > 0 {
                        state.count("erasure stopped by a hold");
                    }
                    if state.a_floor_binds() {
                        state.count("erasure stopped by a binding floor");
                    }
                }
                let noticed = state
                    .plan
                    .vanished
                    .values()
                    .any(|n| n.truthful > 0 && n.unclear == 0);
                let alarm = breakers.iter().any(|b| b.kind == BreakerKind::Collateral);
                if self.settings.verify && noticed && !alarm && state.injected == 0 {
                    state.violate(
                        "G9",
                        "a neighbour vanished, a look showed it, and no breaker opened",
                    );
                }
                if state.plan.emptied && !alarm && state.injected == 0 {
                    state.violate(
                        "G9",
                        "`deleteAll` over files that the ledger knows, and no breaker opened",
                    );
                }
                if alarm {
                    state.count("breaker collateral");
                }
            }
            Swept::Failed(_) | Swept::Died => {}
        }
        for breaker in breakers {
            state.count(match breaker.kind {
                BreakerKind::Clock => "breaker clock",
                BreakerKind::Auth => "breaker auth",
                BreakerKind::Api => "breaker api",
                BreakerKind::Integrity | BreakerKind::Collateral | BreakerKind::Rollback => continue,
            });
        }
    }

    async fn hold_or_release(&mut self) {
        let wall = self.shared.wall();
        let open: Vec<i64> = self
            .state()
            .holds
            .iter()
            .filter(|(_, hold)| hold.ends_at.is_none())
            .map(|(id, _)| *id)
            .collect();
        if open.is_empty() || self.rng.chance(45) {
            let scope = self.some_scope();
            self.begin(format_args!("a hold on {scope:?}"));
            place_hold(&self.shared, scope).await;
            return;
        }
        let id = open[self.rng.index(open.len())];
        let ends_at = wall + self.rng.pick(&[0, 24]) * HOUR;
        self.begin(format_args!("hold {id} is released"));
        self.real()
            .release_hold(HoldId(id), "sim", at(wall), at(ends_at))
            .await
            .unwrap();
        let mut state = self.state();
        state.holds.get_mut(&id).unwrap().ends_at = Some(ends_at);
        state.count("hold released");
    }

    async fn change_rules(&mut self) {
        let spec = RulesSpec::random(&mut self.rng);
        self.begin(format_args!("other rules: {spec:?}"));
        self.rules = spec.compile();
        let names: BTreeSet<&str> = spec.policies.iter().map(|p| p.name).collect();
        self.unfinished
            .retain(|policy, _| names.contains(policy) || *policy == ERASURE);
        let mut state = self.state();
        state.rules = spec;
        state.count("rules changed");
    }

    /// Changed rules that have to wait are approved by an operator, and taken by the next sweep.
    async fn approve_rules(&self, swept: &Swept) {
        let Swept::Ended(report) = swept else { return };
        let Ending::Stopped {
            by: Stop::RulesWait { rules, .. },
        } = &report.ending
        else {
            return;
        };
        let until = at(self.shared.wall() + 3 * DAY);
        self.real()
            .approve_change(rules, at(self.shared.wall()), until)
            .await
            .unwrap();
        self.state().count("rules approved");
    }

    async fn approve_some(&mut self) {
        let waiting = self.real().waiting_plans(at(0)).await.unwrap();
        let newest = waiting.len().min(2);
        if newest > 0 {
            let plan = waiting[self.rng.index(newest)].clone();
            self.approve(plan.policy.as_str(), &plan.hash).await;
        }
    }

    pub async fn approve(&self, policy: &str, hash: &str) {
        let real = self.real();
        let wall = self.shared.wall();
        self.begin(format_args!("plan {} of {policy} is approved", &hash[..8]));
        real.approve(hash, at(wall), at(wall + 3 * DAY)).await.unwrap();
        let files = real.plan_files(hash, 0, u32::MAX).await.unwrap();
        let mut state = self.state();
        state.count("plan approved");
        let approved = state.approved.entry(policy.to_owned()).or_default();
        approved.extend(files.into_iter().map(|file| file.key.file));
    }

    async fn disturb_clock(&mut self) {
        match self.rng.below(4) {
            0 | 1 => {
                let by = self.rng.pick(&JUMPS);
                self.begin(format_args!("the clock jumps by {} s", by / 1000));
                self.shared.clock.jump(by);
                self.state().count(if by > 0 {
                    "clock jump ahead"
                } else {
                    "clock jump back"
                });
            }
            2 => {
                let error = self
                    .rng
                    .pick(&[0, 0, 2 * HOUR, 30 * DAY, -2 * HOUR, 40 * 365 * DAY]);
                self.begin(format_args!(
                    "the machine restarts, its clock off by {} s",
                    error / 1000
                ));
                self.shared.pass_unseen(HOUR);
                self.shared.clock.reboot(HOUR);
                self.shared.clock.jump(error);
                self.state().count("reboot");
                self.reopen(false).await;
            }
            _ => self.set_clock_right(),
        }
    }

    pub fn set_clock_right(&self) {
        self.begin("the clock is set right");
        let off = self.state().truth - self.shared.wall();
        self.shared.clock.jump(off);
    }

    fn weather(&mut self) {
        self.begin("the weather changes");
        let storm = self.rng.pick(&STORMS);
        let (other, date, skewed) = (self.rng.chance(8), self.rng.chance(80), self.rng.chance(10));
        let skew = if skewed {
            self.rng.pick(&[50 * 60_000, -50 * 60_000, 9 * HOUR])
        } else {
            0
        };
        let mut state = self.state();
        if skewed {
            state.count("the API's clock is wrong");
        }
        if other {
            state.count("another account");
        }
        state.plan.storm = storm;
        state.plan.other_account = other;
        state.plan.sends_date = date;
        state.plan.skew = skew;
        drop(state);
        #[cfg(feature = "postgres")]
        self.server_weather();
    }

    async fn operator(&mut self) {
        match self.rng.below(4) {
            0 => {
                self.begin("a pause");
                happen(&self.shared, Event::Pause).await;
            }
            1 => self.resume().await,
            2 => self.reset_breakers().await,
            _ => self.retry_quarantined().await,
        }
    }

    async fn retry_quarantined(&self) {
        self.begin("quarantined files are sent round again");
        let (real, now) = (self.real(), at(self.shared.wall()));
        for (record, _) in real.quarantined(100).await.unwrap() {
            let files = [record.key.file.clone()];
            real.note(record.key.batch, &files, FileEvent::Retried, "sim", now)
                .await
                .unwrap();
            self.state().count("quarantine retried");
        }
    }

    pub async fn resume(&self) {
        self.begin("the pause ends");
        self.real().set_pause(None, at(self.shared.wall())).await.unwrap();
        self.state().pause = None;
    }

    pub async fn reset_breakers(&self) {
        self.begin("breakers that do not heal are reset");
        let (real, now) = (self.real(), at(self.shared.wall()));
        for kind in BreakerKind::ALL {
            if !kind.heals() {
                real.close_breaker(kind, "sim", now).await.unwrap();
            }
        }
    }

    async fn restart(&mut self) {
        self.begin("a restart");
        self.state().count("restart");
        self.reopen(false).await;
    }

    /// Somebody else deletes a file.
    fn outsider(&mut self) {
        let mut state = self.state();
        let all: Vec<_> = state
            .store
            .batches
            .iter()
            .flat_map(|(b, files)| files.keys().map(|f| (b.clone(), f.clone())))
            .collect();
        drop(state);
        if all.is_empty() {
            return;
        }
        let (batch, file) = all[self.rng.index(all.len())].clone();
        self.begin("somebody else deletes a file");
        state = self.state();
        if let Some(files) = state.store.batches.get_mut(&batch) {
            files.remove(&file);
        }
        state.count("deleted by somebody else");
    }

    /// Processing ends; where the document type is linked, a copy appears.
    pub fn process(&mut self) {
        self.begin("processing ends");
        let waiting: Vec<(BatchAddress, FileId)> = {
            let state = self.state();
            let all = state
                .store
                .batches
                .iter()
                .flat_map(|(b, files)| files.iter().map(move |(f, s)| (b, f, s)));
            all.filter(|(_, _, stored)| stored.status == "waiting")
                .map(|(b, f, _)| (b.clone(), f.clone()))
                .collect()
        };
        for (batch, file) in waiting {
            let original = self.state().files[&file].clone();
            let copy = (!is_extraction(&batch) && self.rng.chance(50)).then(|| self.link(&original));
            let mut state = self.state();
            if let Some(stored) = state
                .store
                .batches
                .get_mut(&batch)
                .and_then(|files| files.get_mut(&file))
            {
                *stored = Stored {
                    status: "processed",
                    copy,
                };
            }
        }
    }

    /// The same upload is recorded once more: as it was, later, or earlier.
    async fn record_again(&mut self) {
        let states = self.states().await;
        let live: Vec<SimFile> = {
            let state = self.state();
            let originals = state.files.values().filter(|file| file.copy_of.is_none());
            originals
                .filter(|f| states.get(&f.address.file) == Some(&FileState::Live))
                .cloned()
                .collect()
        };
        if live.is_empty() {
            return;
        }
        let mut file = live[self.rng.index(live.len())].clone();
        let by = self.rng.pick(&[0, 5 * HOUR, -5 * HOUR]);
        self.begin(format_args!("a file is recorded again, {} h later", by / HOUR));
        file.uploaded_at += by;
        self.record(std::slice::from_ref(&file)).await;
        let mut state = self.state();
        let known = state.files.get_mut(&file.address.file).unwrap();
        known.uploaded_at = known.uploaded_at.max(file.uploaded_at);
        state.count("recorded again");
    }
}

fn is_over(report: &SweepReport) -> bool {
    match &report.ending {
        Ending::Done | Ending::Observed | Ending::AlreadyDone => true,
        Ending::Elsewhere { .. } => unreachable!("beside a file there is one process"),
        Ending::Stopped { by } => matches!(
            by,
            Stop::Canary { .. } | Stop::Limit { .. } | Stop::Approval { .. }
        ),
    }
}

fn ending_name(ending: &Ending) -> &'static str {
    match ending {
        Ending::Done => "sweep done",
        Ending::Observed => "sweep observed",
        Ending::AlreadyDone => "sweep already done",
        Ending::Elsewhere { .. } => unreachable!("beside a file there is one process"),
        Ending::Stopped { by } => match by {
            Stop::Paused { .. } => "sweep stopped by a pause",
            Stop::Breaker { .. } => "sweep stopped by a breaker",
            Stop::Limit { .. } => "sweep stopped by a limit",
            Stop::Approval { .. } => "sweep waits for an approval",
            Stop::NotBefore { .. } => "sweep put off by the API",
            Stop::NoAccount { .. } => "sweep of an account without a way",
            Stop::ClockAlone => "sweep stopped, the clock stands alone",
            Stop::Canary { .. } => "sweep stopped by its canary",
            Stop::Shutdown => "sweep cut by a shutdown",
            Stop::Incomplete { .. } => "sweep left files behind",
            Stop::HoldWithoutPolicy { .. } => "sweep stopped by a hold without its policy",
            Stop::OutsideWindow { .. } => "sweep stopped, its window is closed",
            Stop::RulesWait { .. } => "sweep stopped by changed rules",
            Stop::RulesChanged => unreachable!("beside a file nobody else adopts rules"),
        },
    }
}
