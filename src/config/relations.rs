//! What holds between tables: names, order, reach, floors against deadlines. Works on drafts, so that
//! a mistake in one policy does not hide those between others.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;

use super::code::Code;
use super::diagnostics::Problem;
use super::policies::{Common, FloorDraft, PolicyDraft};
use super::reader::Findings;
use crate::model::AccountName;
use crate::rules::matching::Matcher;
use crate::rules::policy::{KeepFor, Mode};

/// Judges policies and floors together; warnings are findings too.
pub(super) fn judge(policies: &[PolicyDraft], floors: &[FloorDraft], findings: &mut Findings) {
    if policies.is_empty() {
        findings.push(no_policy());
        return;
    }
    names(policies, floors, findings);
    // Policies of two accounts never meet; floors keep in all of them.
    let mut by_account: BTreeMap<Option<&AccountName>, Vec<&PolicyDraft>> = BTreeMap::new();
    for policy in policies {
        let account = policy.account.as_ref().map(Spanned::get_ref);
        by_account.entry(account).or_default().push(policy);
    }
    for policies in by_account.values() {
        order(policies, findings);
        reach(policies, findings);
        for floor in floors {
            for (at, policy) in policies.iter().enumerate() {
                findings.extend(outlasts(floor, policy, &policies[..at]));
            }
        }
    }
    observers(policies, findings);
}

fn no_policy() -> Problem {
    Problem::at(Code::NoPolicy, 0..0, "no `[[policy]]`: nothing would ever be deleted").help(
        "add one with `name`, `match`, `delete_after` and `schedule`; `retentiond init` writes a file to start from",
    )
}

fn names(policies: &[PolicyDraft], floors: &[FloorDraft], findings: &mut Findings) {
    let all = policies
        .iter()
        .map(|p| &p.common)
        .chain(floors.iter().map(|f| &f.common));
    let mut named: Vec<_> = all.filter_map(|common| common.name.as_ref()).collect();
    named.sort_by_key(|name| name.span().start);
    let mut seen: BTreeMap<&str, Range<usize>> = BTreeMap::new();
    for name in named {
        let text = name.get_ref().as_str();
        let Some(first) = seen.get(text) else {
            seen.insert(text, name.span());
            continue;
        };
        findings.push(
            Problem::at(
                Code::DuplicateName,
                name.span(),
                format!("the name `{text}` is given twice"),
            )
            .label("again here")
            .with(first.clone(), "first here")
            .help("policies and floors share their names: give this one a name of its own"),
        );
    }
}

fn order(policies: &[&PolicyDraft], findings: &mut Findings) {
    let Some((last, above)) = policies.split_last() else {
        return;
    };
    for policy in above {
        if let Some(found) = everything(&policy.common) {
            findings.push(
                Problem::at(
                    Code::EverythingNotLast,
                    found.span(),
                    format!(
                        "`{}` takes every file, so the policies below it get none",
                        policy.common.called()
                    ),
                )
                .label("allowed only in the last policy")
                .with(last.common.name_at(), "the last policy")
                .help("the first policy that matches owns a file: move this one to the end of the file"),
            );
        }
    }
    if last.common.matcher.is_some() && everything(&last.common).is_none() {
        let place = last
            .common
            .matcher
            .as_ref()
            .map_or(last.common.at.clone(), Spanned::span);
        findings.push(
            Problem::at(
                Code::NoCatchAll,
                place,
                "no policy takes the files that all others leave",
            )
            .label("the last policy does not match everything")
            .help("files that no policy matches are kept and shown as unowned; to delete them too, end the file with a policy that has `match = \"everything\"`"),
        );
    }
}

fn everything(common: &Common) -> Option<&Spanned<Matcher>> {
    common
        .matcher
        .as_ref()
        .filter(|matcher| matches!(matcher.get_ref(), Matcher::Everything))
}

/// Unreachable policies are refused, overlapping ones pointed out.
fn reach(policies: &[&PolicyDraft], findings: &mut Findings) {
    for (at, policy) in policies.iter().enumerate() {
        let Some(own) = &policy.common.matcher else {
            continue;
        };
        let above = policies[..at]
            .iter()
            .filter_map(|other| Some((&other.common, other.common.matcher.as_ref()?)))
            .filter(|(_, other)| !matches!(other.get_ref(), Matcher::Everything));
        let mut overlapping = Vec::new();
        let mut hidden = false;
        for (other, theirs) in above {
            if theirs.get_ref().covers(own.get_ref()) {
                findings.push(unreachable(&policy.common, own, other, theirs));
                hidden = true;
                break;
            }
            // The special above the general is what the order is for.
            let special = own.get_ref().covers(theirs.get_ref());
            if !special && theirs.get_ref().may_overlap(own.get_ref()) {
                overlapping.push((other, theirs));
            }
        }
        if !hidden && let Some(first) = overlapping.first() {
            findings.push(overlap(&policy.common, own, *first, overlapping.len() - 1));
        }
    }
}

fn unreachable(
    common: &Common,
    own: &Spanned<Matcher>,
    other: &Common,
    theirs: &Spanned<Matcher>,
) -> Problem {
    Problem::at(
        Code::UnreachablePolicy,
        own.span(),
        format!("`{}` can never own a file", common.called()),
    )
    .label("all of these files are taken")
    .with(theirs.span(), format!("`{}` takes them first", other.called()))
    .help(format!(
        "the first policy that matches owns a file: move `{}` above `{}`, make its `match` wider, or remove it",
        common.called(),
        other.called()
    ))
}

fn overlap(
    common: &Common,
    own: &Spanned<Matcher>,
    (other, theirs): (&Common, &Spanned<Matcher>),
    more: usize,
) -> Problem {
    let others = match more {
        0 => String::new(),
        1 => " and 1 more above".to_owned(),
        more => format!(" and {more} more above"),
    };
    Problem::at(
        Code::PoliciesOverlap,
        own.span(),
        format!(
            "a file may match both `{}` and `{}`{others}",
            common.called(),
            other.called()
        ),
    )
    .label(format!("`{}` gets only what is left", common.called()))
    .with(
        theirs.span(),
        format!("`{}` stands above and owns such a file", other.called()),
    )
    .help("if that is meant, leave it; else change the order, or add `except` to one of them")
}

/// A floor that keeps files of `policy` at least until they are overdue. Refused where it is proved for
/// the files that `policy` owns, a warning where it only may be so.
fn outlasts(floor: &FloorDraft, policy: &PolicyDraft, above: &[&PolicyDraft]) -> Option<Problem> {
    let (kept, owned) = (floor.common.matcher.as_ref()?, policy.common.matcher.as_ref()?);
    let keep = floor.keep_for.as_ref()?;
    let owned_above = above
        .iter()
        .filter_map(|other| other.common.matcher.as_ref())
        .any(|other| other.get_ref().covers(kept.get_ref()));
    if owned_above || !kept.get_ref().may_overlap(owned.get_ref()) {
        return None;
    }
    let all_kept = kept.get_ref().covers(owned.get_ref());
    let Some(by) = policy.delete_by.as_ref().filter(|_| too_long(floor, policy)) else {
        let forever = matches!(keep.get_ref(), KeepFor::Forever);
        return (forever && all_kept).then(|| never_deletes(floor, policy, keep));
    };
    let proved = all_kept || owned.get_ref().covers(kept.get_ref());
    let (floor, policy) = (floor.common.called(), policy.common.called());
    Some(if proved {
        Problem::at(
            Code::KeepPastDeadline,
            keep.span(),
            format!("`{floor}` keeps files of `{policy}` past their deadline"),
        )
        .label("kept at least this long")
        .with(by.span(), "to be deleted by then")
        .help(format!(
            "give these files a policy of their own above `{policy}`, with a `delete_after` that is not shorter than `keep_for`; or remove `delete_by`"
        ))
    } else {
        Problem::at(
            Code::KeepMayOutlast,
            keep.span(),
            format!("`{floor}` may keep files of `{policy}` past their deadline"),
        )
        .label("kept at least this long")
        .with(by.span(), "to be deleted by then")
        .help(format!(
            "a file that matches both will be overdue while it is kept; give such files a policy of their own above `{policy}`"
        ))
    })
}

/// Whether the floor's period provably ends no earlier than the policy's deadline.
fn too_long(floor: &FloorDraft, policy: &PolicyDraft) -> bool {
    let (Some(keep), Some(by)) = (&floor.keep_for, &policy.delete_by) else {
        return false;
    };
    match keep.get_ref() {
        KeepFor::Forever => true,
        KeepFor::Period(period) => {
            let clocks = (&floor.common.clock, &policy.common.clock);
            let same = matches!(clocks, (Some(a), Some(b)) if a.clock == b.clock);
            same && period.compare(by.get_ref()).is_some_and(Ordering::is_ge)
        }
    }
}

fn never_deletes(floor: &FloorDraft, policy: &PolicyDraft, keep: &Spanned<KeepFor>) -> Problem {
    let (floor, called) = (floor.common.called(), policy.common.called());
    Problem::at(
        Code::KeepMayOutlast,
        keep.span(),
        format!("`{called}` can never delete anything: `{floor}` keeps all of its files"),
    )
    .label("for ever")
    .with(policy.common.name_at(), "this policy")
    .help("if that is meant, leave it; else make the `match` of the floor narrower")
}

fn observers(policies: &[PolicyDraft], findings: &mut Findings) {
    for policy in policies {
        let place = match &policy.mode {
            Some(mode) if *mode.get_ref() == Mode::Enforce => continue,
            Some(mode) => mode.span(),
            None => policy.common.name_at(),
        };
        findings.push(
            Problem::at(
                Code::OnlyObserves,
                place,
                format!("`{}` only observes: it deletes nothing", policy.common.called()),
            )
            .help("look at `retentiond plan`; when it is right, write `mode = \"enforce\"`"),
        );
    }
}
