//! `plan --compare FILE`: a plan that was written down, or is stored, against what would run now, file by file.

use std::path::Path;

use super::drift::{Change, Difference, Drift};
use super::file::{Head, Item, Line, Reader};
use crate::cli::exit::Failure;
use crate::engine::planning::{in_force, make_plan};
use crate::ledger::{Ledger, StoredFile, StoredPlan};
use crate::model::{BatchAddress, FileAddress, FileId, FileState, Holds, PolicyName, Timestamp};
use crate::rules::decide::{Verdict, decide};
use crate::rules::plan::{Plan, PlannedFile};
use crate::rules::policy::RuleSet;

/// Files a page when a stored plan is read.
const PAGE: u32 = 10_000;

/// One side of the comparison: the rules as they are, and the ledger now.
pub(crate) struct Today<'a> {
    pub(crate) ledger: &'a dyn Ledger,
    pub(crate) rules: &'a RuleSet,
    pub(crate) now: Timestamp,
}

impl Today<'_> {
    /// A plan file of which no byte was changed, against today.
    ///
    /// # Errors
    /// As the reader's, and the ledger's.
    pub(crate) async fn against_file(&self, path: &Path, drift: &mut Drift) -> Result<(), Failure> {
        let mut reader = Reader::open(path)?;
        let mut open: Option<Section> = None;
        while let Some(item) = reader.item()? {
            match item {
                Item::Plan(Head { policy, rules, .. }) => {
                    if let Some(section) = open.take() {
                        section.end(drift);
                    }
                    open = Some(self.begin(policy, rules).await?);
                }
                Item::File(line) => {
                    if let Some(section) = &mut open {
                        self.compare(section, &line, drift).await?;
                    }
                }
            }
        }
        if let Some(section) = open {
            section.end(drift);
        }
        Ok(())
    }

    /// A stored plan against today.
    ///
    /// # Errors
    /// The ledger's.
    pub(crate) async fn against_stored(&self, stored: &StoredPlan, drift: &mut Drift) -> Result<(), Failure> {
        let mut section = self.begin(stored.policy.clone(), stored.rules.0.clone()).await?;
        let mut from = 0;
        loop {
            let page = self.ledger.plan_files(&stored.hash, from, PAGE).await?;
            let read = page.len();
            for file in page {
                self.compare(&mut section, &line_of(file), drift).await?;
            }
            if read < PAGE as usize {
                break;
            }
            from += u64::from(PAGE);
        }
        section.end(drift);
        Ok(())
    }

    async fn begin(&self, policy: PolicyName, rules: String) -> Result<Section, Failure> {
        let plan = match self.rules.swept(&policy) {
            Some(swept) => Some(make_plan(self.ledger, self.rules, swept, self.now).await?),
            None => None,
        };
        let holds = in_force(self.ledger, self.now).await?;
        Ok(Section::new(policy, rules, plan, holds))
    }

    async fn compare(&self, section: &mut Section, line: &Line, drift: &mut Drift) -> Result<(), Failure> {
        let found = section.find(&line.file.batch, line.file.file.as_str());
        let (change, (because, reason)) = match found {
            Some(dates) if dates == (line.starts_at, line.due_at) => return Ok(()),
            Some((starts_at, due_at)) => (
                Change::Moved,
                self.other_dates(section, line, Some(starts_at), due_at),
            ),
            None => (Change::Gone, self.why_not(section, line).await?),
        };
        drift.add(Difference {
            change,
            because,
            file: line.file.clone(),
            policy: section.policy.clone(),
            reason,
        });
        Ok(())
    }

    /// Why a file that was planned would not go now.
    async fn why_not(&self, section: &Section, line: &Line) -> Result<(&'static str, String), Failure> {
        let Some(file) = self.ledger.locate(&line.file).await? else {
            return Ok(("not-recorded", "the ledger does not know it".to_owned()));
        };
        match file.state {
            FileState::Live => {}
            state @ (FileState::Deleting
            | FileState::Deleted
            | FileState::Gone
            | FileState::Unknown
            | FileState::Quarantined) => {
                return Ok((state.name(), format!("it is {} by now", state.name())));
            }
        }
        let decision = decide(&file, self.rules, &section.holds, self.now);
        let owned = decision.owner.as_ref() == Some(&section.policy);
        Ok(match (&decision.verdict, &decision.owner) {
            (Verdict::Held { hold, .. }, _) => ("held", format!("hold {} keeps it", hold.0)),
            (_, Some(owner)) if !owned && !self.rules.is_erasure(&section.policy) => {
                ("owner-changed", format!("`{owner}` owns it now"))
            }
            (Verdict::Erasure { request }, _) => {
                ("erasure", format!("erasure request {} takes it", request.0))
            }
            (Verdict::NotYet, _) => match decision.due_at {
                Some(due_at) => self.other_dates(section, line, decision.starts_at, due_at),
                None => ("not-yet", "its time has not come".to_owned()),
            },
            (Verdict::Bound { floor, .. }, _) => ("bound", format!("the binding floor `{floor}` keeps it")),
            (Verdict::KeptForever { floor }, _) => {
                ("kept-forever", format!("the floor `{floor}` keeps it for ever"))
            }
            (Verdict::NotEligible(doubt), _) => ("not-eligible", doubt.sentence().to_owned()),
            (Verdict::Unowned, _) => ("unowned", "no policy matches it any more".to_owned()),
            (Verdict::Due | Verdict::DueObserved, _) => (
                "waits",
                "due, but something else has to be settled before it".to_owned(),
            ),
        })
    }

    /// What has moved a file's dates.
    fn other_dates(
        &self,
        section: &Section,
        line: &Line,
        starts_at: Option<Timestamp>,
        due_at: Timestamp,
    ) -> (&'static str, String) {
        let dates = format!("due {due_at}, not {}", line.due_at);
        match starts_at {
            Some(starts_at) if starts_at != line.starts_at => (
                "start-changed",
                format!(
                    "its period starts {starts_at}, not {} (an event, an upload time or a processing time was corrected, or the rules were); {dates}",
                    line.starts_at
                ),
            ),
            Some(_) | None if section.rules != self.rules.digest.0 => {
                ("rules-changed", format!("the rules have changed: {dates}"))
            }
            Some(_) | None => ("dates-changed", dates),
        }
    }
}

fn line_of(file: StoredFile) -> Line {
    Line {
        file: FileAddress {
            batch: (*file.batch).clone(),
            file: file.key.file,
        },
        starts_at: file.starts_at,
        due_at: file.due_at,
    }
}

/// One policy's plan of today, and which of its files the other side has named.
struct Section {
    policy: PolicyName,
    /// The rules that the other side was made by.
    rules: String,
    plan: Option<Plan>,
    holds: Holds,
    /// The places of the plan's files by address.
    places: Vec<u32>,
    named: Vec<bool>,
}

impl Section {
    fn new(policy: PolicyName, rules: String, plan: Option<Plan>, holds: Holds) -> Self {
        let files = plan.as_ref().map_or(&[][..], |plan| &plan.files);
        let most = u32::try_from(files.len()).expect("a plan holds fewer than four thousand million files");
        let mut places: Vec<u32> = (0..most).collect();
        places.sort_unstable_by_key(|at| address(&files[*at as usize]));
        let named = vec![false; files.len()];
        Self {
            policy,
            rules,
            plan,
            holds,
            places,
            named,
        }
    }

    /// Start and due time of the file as it would go now; from then on it counts as named.
    fn find(&mut self, batch: &BatchAddress, file: &str) -> Option<(Timestamp, Timestamp)> {
        let files = &self.plan.as_ref()?.files;
        let found = self
            .places
            .binary_search_by(|at| address(&files[*at as usize]).cmp(&(batch, file)))
            .ok()?;
        let place = self.places[found] as usize;
        self.named[place] = true;
        files.get(place).map(|file| (file.starts_at, file.due_at))
    }

    /// What was not named falls due besides.
    fn end(self, drift: &mut Drift) {
        let files = self.plan.map_or_else(Vec::new, |plan| plan.files);
        for (file, _) in files.iter().zip(self.named).filter(|(_, named)| !named) {
            drift.add(Difference {
                change: Change::Added,
                because: "newly-due",
                file: FileAddress {
                    batch: (**file.batch()).clone(),
                    file: FileId::new(file.id()).expect("it was a file id when it was planned"),
                },
                policy: self.policy.clone(),
                reason: format!("due since {}", file.due_at),
            });
        }
    }
}

fn address(file: &PlannedFile) -> (&BatchAddress, &str) {
    (file.batch().as_ref(), file.id())
}
