//! What can be proved of two matches without seeing a file. Cautious: no proof, no claim.

use std::collections::{BTreeMap, BTreeSet};

use super::{BatchGlob, Criteria, Matcher};

fn parts(matcher: &Matcher) -> (Option<&Criteria>, Option<&Criteria>) {
    match matcher {
        Matcher::Everything => (None, None),
        Matcher::Where { all_of, except } => (Some(all_of), except.as_ref()),
    }
}

pub(super) fn covers(wide: &Matcher, narrow: &Matcher) -> bool {
    let (wide, wide_except) = parts(wide);
    let (narrow, narrow_except) = parts(narrow);
    let empty = Criteria::default();
    let inside = wide.is_none_or(|wide| criteria_cover(wide, narrow.unwrap_or(&empty)));
    // What the wide one leaves out must be nothing that the narrow one takes.
    let nothing_left_out = wide_except.is_none_or(|left_out| {
        narrow.is_some_and(|narrow| disjoint(narrow, left_out))
            || narrow_except.is_some_and(|except| criteria_cover(except, left_out))
    });
    inside && nothing_left_out
}

pub(super) fn may_overlap(a: &Matcher, b: &Matcher) -> bool {
    let (a_all, a_except) = parts(a);
    let (b_all, b_except) = parts(b);
    let empty = Criteria::default();
    let (a_all, b_all) = (a_all.unwrap_or(&empty), b_all.unwrap_or(&empty));
    let excepted = a_except.is_some_and(|except| criteria_cover(except, b_all))
        || b_except.is_some_and(|except| criteria_cover(except, a_all));
    !disjoint(a_all, b_all) && !excepted && !is_impossible(a) && !is_impossible(b)
}

pub(super) fn is_impossible(matcher: &Matcher) -> bool {
    match matcher {
        Matcher::Everything => false,
        Matcher::Where { all_of, except } => {
            all_of.classification.is_some() && all_of.extraction.is_some()
                || except
                    .as_ref()
                    .is_some_and(|except| criteria_cover(except, all_of))
        }
    }
}

/// Every file that fits `narrow` fits `wide`.
fn criteria_cover(wide: &Criteria, narrow: &Criteria) -> bool {
    set_covers(wide.classification.as_ref(), narrow.classification.as_ref())
        && set_covers(wide.extraction.as_ref(), narrow.extraction.as_ref())
        && set_covers(wide.document_type.as_ref(), narrow.document_type.as_ref())
        && wide
            .labels
            .iter()
            .all(|(key, values)| narrow.labels.get(key).is_some_and(|own| own.is_subset(values)))
        && globs_cover(wide.batch.as_deref(), narrow.batch.as_deref())
}

fn set_covers(wide: Option<&BTreeSet<String>>, narrow: Option<&BTreeSet<String>>) -> bool {
    wide.is_none_or(|wide| narrow.is_some_and(|narrow| narrow.is_subset(wide)))
}

fn globs_cover(wide: Option<&[BatchGlob]>, narrow: Option<&[BatchGlob]>) -> bool {
    let Some(wide) = wide else { return true };
    if wide.iter().any(|glob| glob.text == "*") {
        return true;
    }
    let covered = |own: &BatchGlob| {
        wide.iter().any(|glob| {
            glob == own || own.literal().is_some_and(|id| glob.matches(id)) || prefix_covers(glob, own)
        })
    };
    narrow.is_some_and(|narrow| narrow.iter().all(covered))
}

/// `PREFIX*` takes whatever begins with `PREFIX`.
fn prefix_covers(wide: &BatchGlob, narrow: &BatchGlob) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    wide.text
        .strip_suffix('*')
        .is_some_and(|prefix| prefix.chars().all(plain) && narrow.text.starts_with(prefix))
        && !narrow.text.contains(['{', ',', '\\'])
}

/// No file fits both.
fn disjoint(a: &Criteria, b: &Criteria) -> bool {
    let modules = a.classification.is_some() && b.extraction.is_some()
        || a.extraction.is_some() && b.classification.is_some();
    modules
        || sets_disjoint(a.classification.as_ref(), b.classification.as_ref())
        || sets_disjoint(a.extraction.as_ref(), b.extraction.as_ref())
        || sets_disjoint(a.document_type.as_ref(), b.document_type.as_ref())
        || labels_disjoint(&a.labels, &b.labels)
        || globs_disjoint(a.batch.as_deref(), b.batch.as_deref())
}

fn sets_disjoint(a: Option<&BTreeSet<String>>, b: Option<&BTreeSet<String>>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a.is_disjoint(b))
}

fn labels_disjoint(a: &BTreeMap<String, BTreeSet<String>>, b: &BTreeMap<String, BTreeSet<String>>) -> bool {
    a.iter()
        .any(|(key, values)| sets_disjoint(Some(values), b.get(key)))
}

fn globs_disjoint(a: Option<&[BatchGlob]>, b: Option<&[BatchGlob]>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    let apart = |a: &BatchGlob, b: &BatchGlob| match (a.literal(), b.literal()) {
        (Some(a), Some(b)) => a != b,
        (Some(id), None) => !b.matches(id),
        (None, Some(id)) => !a.matches(id),
        (None, None) => false,
    };
    a.iter().all(|a| b.iter().all(|b| apart(a, b)))
}
