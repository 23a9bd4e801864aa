//! Where practice differed from the rule, as the ledger shows it.

use crate::model::PolicyName;
use crate::report::document::{Exception, Report};
use crate::report::words::{files, length, number};

/// A sentence each; at least one.
pub(super) fn of(policy: &PolicyName, report: &Report) -> Vec<String> {
    let name = Some(policy.as_str());
    let Some(figures) = report.policies.iter().find(|line| line.policy.as_deref() == name) else {
        return vec!["no file of it is in the ledger".to_owned()];
    };
    let mut lines = vec![format!(
        "since the ledger began: {} ended in time, {} late, {} due and still there",
        number(figures.in_time),
        number(figures.late),
        number(figures.open)
    )];
    let own = report
        .exceptions
        .iter()
        .filter(|one| one.policy.as_deref() == name);
    let differences: Vec<String> = own.filter_map(difference).collect();
    if differences.is_empty() {
        lines.push("no difference from the rule is on record".to_owned());
    }
    lines.extend(differences);
    lines
}

fn difference(one: &Exception) -> Option<String> {
    let count = one.files?;
    let cause = &one.cause;
    match one.kind.as_str() {
        "deleted-late" => {
            let worst = one
                .worst_minutes
                .map_or_else(String::new, |worst| format!(", by {} at most", length(worst)));
            Some(format!("deleted late: {}{worst}; cause: {cause}", files(count)))
        }
        "not-deleted" if one.past_deadline > 0 => Some(format!(
            "past the deadline and still there: {}; cause: {cause}",
            files(one.past_deadline)
        )),
        "deleted-early" => Some(format!("deleted before they were due: {}; {cause}", files(count))),
        "gone-early" => Some(format!("gone before they were due: {}; {cause}", files(count))),
        "revived" => Some(format!(
            "found still there after their deletion: {}",
            files(count)
        )),
        _ => None,
    }
}
