//! Rules of a world, twice: as the text that the program reads, and as the oracle that judges it. The
//! oracle shares no code with `rules`: its own matching, its own arithmetic.

use std::fmt::Write as _;

use retentiond::model::{BatchAddress, FileAddress, FileId, Parent, Timestamp, push_id_time};
use retentiond::rules::policy::RuleSet;

use crate::events::ENDED;
use crate::rng::Rng;

pub const HOUR: i64 = 3_600_000;
pub const DAY: i64 = 24 * HOUR;

pub const CLASSES: [&str; 2] = ["-OclassAAAAAAAAAAAAA", "-OclassBBBBBBBBBBBBB"];
pub const TEMPLATES: [&str; 2] = ["-OtemplateAAAAAAAAAA", "-OtemplateCopiesAAAA"];
const ZONE: &str = "Europe/Berlin";
/// Berlin is two hours ahead of UTC in summer.
const SUMMER: i64 = 2 * HOUR;

/// What the simulation knows of a file: the truth, and what was recorded of it.
#[derive(Debug, Clone)]
pub struct SimFile {
    pub address: FileAddress,
    pub uploaded_at: i64,
    pub processed_at: Option<i64>,
    pub tenant: Option<&'static str>,
    /// The keyed hash of its data subject.
    pub subject: Option<&'static str>,
    /// The classification file that this is a linked copy of.
    pub copy_of: Option<FileId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Class(usize),
    Template,
    Tenant(&'static str),
    Everything,
}

#[derive(Debug, Clone, Copy)]
enum Span {
    Hours(i64),
    Days(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Uploaded,
    Processed,
    Event,
}

#[derive(Debug, Clone)]
pub struct PolicySpec {
    pub name: &'static str,
    target: Target,
    period: Span,
    start: Start,
    pub enforce: bool,
    pub always: bool,
}

#[derive(Debug, Clone)]
pub struct RulesSpec {
    pub policies: Vec<PolicySpec>,
    /// Hours that files of tenant `fin` stay at least.
    floor: Option<i64>,
    /// That floor is a legal duty.
    binding: bool,
    pub files_per_sweep: u64,
    oldest_first: bool,
}

impl PolicySpec {
    pub fn is_by_event(&self) -> bool {
        self.start == Start::Event
    }
}

impl RulesSpec {
    pub fn random(rng: &mut Rng) -> Self {
        let mut policies = Vec::new();
        let mut add = |name, target, rng: &mut Rng| {
            let hours = rng.pick(&[24, 36, 72]);
            let days = rng.pick(&[1, 3]);
            policies.push(PolicySpec {
                name,
                target,
                period: if rng.chance(70) {
                    Span::Hours(hours)
                } else {
                    Span::Days(days)
                },
                start: match rng.below(100) {
                    0..10 => Start::Processed,
                    10..30 => Start::Event,
                    _ => Start::Uploaded,
                },
                enforce: rng.chance(90),
                always: rng.chance(12),
            });
        };
        if rng.chance(35) {
            add("acme", Target::Tenant("acme"), rng);
        }
        add("alpha", Target::Class(0), rng);
        if rng.chance(80) {
            add("beta", Target::Class(1), rng);
        }
        if rng.chance(80) {
            add("gamma", Target::Template, rng);
        }
        if rng.chance(50) {
            add("rest", Target::Everything, rng);
        }
        Self {
            policies,
            floor: rng.chance(35).then(|| rng.pick(&[60, 96])),
            binding: rng.chance(60),
            files_per_sweep: rng.pick(&[4, 9, 1000, 1000]),
            oldest_first: rng.chance(50),
        }
    }

    pub fn compile(&self) -> RuleSet {
        let text = self.text();
        let checked = retentiond::config::parse("policies.toml", &text);
        checked
            .unwrap_or_else(|problems| panic!("{}\n{text}", problems.render(false)))
            .rules
    }

    fn text(&self) -> String {
        let excess = if self.oldest_first { "oldest-first" } else { "stop" };
        let mut text = format!(
            "timezone = \"{ZONE}\"\nlabels = [\"tenant\"]\n\n[extracta]\nbase_url = \"http://127.0.0.1:1\"\n\n[ledger]\nurl = \"sqlite:/nowhere/ledger.db\"\n\n[limits]\nfiles_per_sweep = {}\nshare_per_sweep = \"100%\"\non_excess = \"{excess}\"\n",
            self.files_per_sweep
        );
        for policy in &self.policies {
            let (after, by) = match policy.period {
                Span::Hours(hours) => (format!("{hours} hours"), format!("{} hours", hours + 120)),
                Span::Days(days) => (format!("{days} days"), format!("{} days", days + 5)),
            };
            let target = match policy.target {
                Target::Class(at) => format!("{{ classification = \"{}\" }}", CLASSES[at]),
                Target::Template => format!("{{ extraction = \"{}\" }}", TEMPLATES[0]),
                Target::Tenant(tenant) => format!("{{ labels = {{ tenant = \"{tenant}\" }} }}"),
                Target::Everything => "\"everything\"".to_owned(),
            };
            let _ = write!(
                text,
                "\n[[policy]]\nname = \"{}\"\nmatch = {target}\nclock = \"{}\"\ndelete_after = \"{after}\"\ndelete_by = \"{by}\"\nschedule = \"0 3 * * *\"\nmode = \"{}\"\napproval = \"{}\"\n",
                policy.name,
                match policy.start {
                    Start::Uploaded => "uploaded".to_owned(),
                    Start::Processed => "processed".to_owned(),
                    Start::Event => format!("event:{ENDED}"),
                },
                if policy.enforce { "enforce" } else { "observe" },
                if policy.always { "always" } else { "over-limit" },
            );
        }
        if let Some(hours) = self.floor {
            let _ = write!(
                text,
                "\n[[keep]]\nname = \"books\"\nmatch = {{ labels = {{ tenant = \"fin\" }} }}\nkeep_for = \"{hours} hours\"\nbinding = {}\n",
                self.binding
            );
        }
        text
    }

    pub fn policy(&self, name: &str) -> Option<&PolicySpec> {
        self.policies.iter().find(|policy| policy.name == name)
    }

    /// The owner of a file; `original` stands for it where it is a copy.
    pub fn owner(&self, original: &SimFile) -> Option<&PolicySpec> {
        self.policies
            .iter()
            .find(|policy| match (policy.target, &original.address.batch.parent) {
                (Target::Everything, _) => true,
                (Target::Tenant(tenant), _) => original.tenant == Some(tenant),
                (Target::Class(at), Parent::Classification(id)) => id.as_str() == CLASSES[at],
                (Target::Template, Parent::Extraction(id)) => id.as_str() == TEMPLATES[0],
                (Target::Class(_), Parent::Extraction(_)) | (Target::Template, Parent::Classification(_)) => {
                    false
                }
            })
    }

    /// When a file is due, in milliseconds of true time; `ended` is when its event happened. `None`: never,
    /// or in doubt.
    pub fn due(&self, original: &SimFile, ended: Option<i64>) -> Option<i64> {
        let owner = self.owner(original)?;
        let start = match owner.start {
            Start::Uploaded => original.uploaded_at,
            Start::Processed => original.processed_at?.max(original.uploaded_at),
            Start::Event => ended?,
        };
        let made = push_id_time(original.address.file.as_str())?.as_millis();
        // What happened outside may well have happened before the upload.
        let doubtful = owner.start != Start::Event && start + DAY < made;
        if doubtful || original.uploaded_at + DAY < made && self.floor_of(original).is_some() {
            return None;
        }
        let own = end(start, owner.period);
        let floor = self
            .floor_of(original)
            .map(|hours| original.uploaded_at + hours * HOUR);
        Some(floor.map_or(own, |floor| floor.max(own)))
    }

    /// Until when a legal duty keeps a file whatever is requested: `Err` where that cannot be told.
    pub fn bound_until(&self, original: &SimFile) -> Result<Option<i64>, ()> {
        let Some(hours) = self.floor_of(original).filter(|_| self.binding) else {
            return Ok(None);
        };
        let made = push_id_time(original.address.file.as_str())
            .ok_or(())?
            .as_millis();
        if original.uploaded_at + DAY < made {
            return Err(());
        }
        Ok(Some(original.uploaded_at + hours * HOUR))
    }

    fn floor_of(&self, original: &SimFile) -> Option<i64> {
        self.floor.filter(|_| original.tenant == Some("fin"))
    }
}

fn end(start: i64, period: Span) -> i64 {
    match period {
        Span::Hours(hours) => start + hours * HOUR,
        Span::Days(days) => {
            // The day of the event does not count, and the last day counts to its end. Summer time all
            // along: a world begins in May and lasts two months at most.
            let day = (start + SUMMER).div_euclid(DAY);
            (day + days + 1) * DAY - SUMMER
        }
    }
}

pub fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

/// A push id made at `millis`; `serial` makes it unique.
pub fn push_id(millis: i64, serial: u64) -> String {
    const ALPHABET: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
    let digit = |value: u64, place: u32| char::from(ALPHABET[((value >> (6 * place)) & 63) as usize]);
    let time = u64::try_from(millis).unwrap();
    let head = (0..8).rev().map(|place| digit(time, place));
    let tail = (0..6).rev().map(|place| digit(serial, place));
    head.chain("simula".chars()).chain(tail).collect()
}

pub fn is_extraction(batch: &BatchAddress) -> bool {
    matches!(batch.parent, Parent::Extraction(_))
}
