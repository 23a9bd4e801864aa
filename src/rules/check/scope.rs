//! First match, spelled out.

use crate::model::{ErasureScope, FileRecord, Parent};
use crate::rules::matching::{Criteria, Matcher};
use crate::rules::policy::Policy;

/// Whether the file lies where the policy deletes at all.
pub(super) fn in_account_of(policy: &Policy, file: &FileRecord) -> bool {
    match (&policy.account, &file.batch.account) {
        (None, None) => true,
        (Some(named), Some(there)) => named.as_str() == there.as_str(),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

pub(super) fn means(matcher: &Matcher, file: &FileRecord) -> bool {
    match matcher {
        Matcher::Everything => true,
        Matcher::Where { all_of, except: None } => fits(all_of, file),
        Matcher::Where {
            all_of,
            except: Some(except),
        } => fits(all_of, file) && !fits(except, file),
    }
}

/// Whether an unknown document type could turn the answer: tried out with a type that every key names
/// and with one that none does.
pub(super) fn may_mean(matcher: &Matcher, file: &FileRecord) -> bool {
    let Matcher::Where { all_of, except } = matcher else {
        return false;
    };
    if file.document_type.is_some() {
        return false;
    }
    let names = |criteria: &Criteria| {
        criteria
            .document_type
            .iter()
            .flatten()
            .cloned()
            .collect::<Vec<_>>()
    };
    let mut tries: Vec<String> = names(all_of);
    tries.extend(except.iter().flat_map(names));
    // A control character: no document type that a rule could name.
    tries.push("\u{1}".to_owned());
    let answers: Vec<bool> = tries
        .into_iter()
        .map(|kind| {
            means(
                matcher,
                &FileRecord {
                    document_type: Some(kind.into()),
                    ..file.clone()
                },
            )
        })
        .collect();
    answers.iter().any(|answer| *answer) && !answers.iter().all(|answer| *answer)
}

/// Whether an erasure request of that scope means the file, or the original that it copies.
pub(super) fn requested(scope: &ErasureScope, file: &FileRecord) -> bool {
    match scope {
        ErasureScope::Subject(hmac) => match &file.subject {
            Some(subject) => subject == hmac,
            None => false,
        },
        ErasureScope::File(id) => match &file.copy_of {
            Some(original) if original.file == *id => true,
            Some(_) | None => file.key.file == *id,
        },
        ErasureScope::Batch(id) => match &file.copy_of {
            Some(original) if original.batch.batch == *id => true,
            Some(_) | None => file.batch.batch == *id,
        },
    }
}

fn fits(wanted: &Criteria, file: &FileRecord) -> bool {
    let address = match &file.copy_of {
        Some(original) => &original.batch,
        None => &*file.batch,
    };
    if let Some(ids) = &wanted.classification {
        match &address.parent {
            Parent::Classification(id) if ids.contains(id.as_str()) => {}
            Parent::Classification(_) | Parent::Extraction(_) => return false,
        }
    }
    if let Some(ids) = &wanted.extraction {
        match &address.parent {
            Parent::Extraction(id) if ids.contains(id.as_str()) => {}
            Parent::Classification(_) | Parent::Extraction(_) => return false,
        }
    }
    if let Some(globs) = &wanted.batch {
        let mut any = false;
        for glob in globs {
            any |= glob.matcher.is_match(address.batch.as_str());
        }
        if !any {
            return false;
        }
    }
    if let Some(types) = &wanted.document_type {
        match &file.document_type {
            Some(own) if types.iter().any(|t| **t == **own) => {}
            Some(_) | None => return false,
        }
    }
    for (key, values) in &wanted.labels {
        match file.labels.get(key) {
            Some(own) if values.iter().any(|value| value == own) => {}
            Some(_) | None => return false,
        }
    }
    true
}
