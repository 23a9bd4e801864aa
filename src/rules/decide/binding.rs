//! How long something binding keeps a file from every erasure request, requests and the time apart.

use super::dates::end_of;
use super::start::trusted;
use super::tell::Silent;
use crate::model::{FileRecord, Timestamp};
use crate::rules::policy::{Floor, KeepFor, RuleSet};

/// How long, the shortest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// Nothing binding keeps it.
    Free,
    /// Until then.
    Until(Timestamp),
    /// A start or a document type is missing: it is kept until that is known.
    Doubtful,
    /// For ever.
    Forever,
}

/// How long the binding floors of `rules` keep `file`.
#[must_use]
pub fn bound(file: &FileRecord, rules: &RuleSet) -> Bound {
    let binding = rules.floors.iter().filter(|floor| floor.binding);
    binding
        .map(|floor| by(floor, file, rules))
        .max()
        .unwrap_or(Bound::Free)
}

fn by(floor: &Floor, file: &FileRecord, rules: &RuleSet) -> Bound {
    let matches = floor.matcher.matches(file);
    match floor.keep_for {
        KeepFor::Forever if matches => Bound::Forever,
        _ if floor.matcher.hangs_on_type(file) => Bound::Doubtful,
        KeepFor::Period(keep_for) if matches => {
            let start = trusted(
                file,
                &floor.name,
                &floor.clock,
                keep_for,
                None,
                rules,
                &mut Silent,
            );
            let end = start.and_then(|start| end_of(keep_for, start, &floor.clock, rules));
            end.map_or(Bound::Doubtful, |end| Bound::Until(end.ends_at))
        }
        KeepFor::Forever | KeepFor::Period(_) => Bound::Free,
    }
}
