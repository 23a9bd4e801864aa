//! Rules in words.

use crate::report::document::Report;
use crate::rules::matching::{Criteria, Matcher};
use crate::rules::policy::{
    ApprovalRule, Floor, KeepFor, Mode, OnExcess, Policy, RuleSet, StartClock, StartEvent,
};

/// What holds for every policy.
pub(super) fn general(rules: &RuleSet, verify: bool) -> Vec<String> {
    let mut sentences = vec![
        format!(
            "Periods of days and longer are counted on the calendar of {} as Regulation (EEC, Euratom) No 1182/71 has it; \
             periods of hours are exact.",
            rules.zone_name
        ),
        "The first policy that matches a file owns it, in the order below. A file that no policy matches is kept and \
         shown as unowned."
            .to_owned(),
        "Before a file is deleted, these come first: a hold; then an erasure request, unless a binding minimum period keeps \
         the file; then the latest minimum period; then the policy. In doubt about a file's start or owner it is kept, counted \
         and alarmed on."
            .to_owned(),
        "Erasure requests are carried out before any period has ended; they are to be answered within one month (Art. 12(3) \
         GDPR)."
            .to_owned(),
        "Each delete request is on record before it is sent, and its answer after it. An answer that is not clear is never \
         counted as a deletion."
            .to_owned(),
    ];
    sentences.push(
        if verify {
            "After a deletion the processor is asked again whether the file is gone."
        } else {
            "Deletions are not looked at a second time (verify = false)."
        }
        .to_owned(),
    );
    sentences
}

/// Which files a rule means.
pub(super) fn files(matcher: &Matcher) -> Vec<String> {
    match matcher {
        Matcher::Everything => vec!["all files that no rule above owns".to_owned()],
        Matcher::Where { all_of, except } => {
            let mut lines = criteria(all_of);
            if let Some(except) = except {
                lines.push(format!("except: {}", criteria(except).join("; ")));
            }
            lines
        }
    }
}

fn criteria(criteria: &Criteria) -> Vec<String> {
    let listed = |what: &str, values: Vec<&str>| format!("{what}: {}", values.join(", "));
    let mut lines = Vec::new();
    if let Some(ids) = &criteria.classification {
        lines.push(listed("classification", ids.iter().map(String::as_str).collect()));
    }
    if let Some(ids) = &criteria.extraction {
        lines.push(listed("extraction", ids.iter().map(String::as_str).collect()));
    }
    if let Some(patterns) = &criteria.batch {
        lines.push(listed(
            "batch",
            patterns.iter().map(|pattern| pattern.as_str()).collect(),
        ));
    }
    if let Some(types) = &criteria.document_type {
        lines.push(listed(
            "document type",
            types.iter().map(String::as_str).collect(),
        ));
    }
    for (key, values) in &criteria.labels {
        let label = format!("label {key}");
        lines.push(listed(&label, values.iter().map(String::as_str).collect()));
    }
    lines
}

fn event(start: &StartEvent) -> String {
    match start {
        StartEvent::Uploaded => "the upload".to_owned(),
        StartEvent::Processed => "the end of processing at Extracta.ai".to_owned(),
        StartEvent::Event(name) => format!("the event {name}, as recorded by the controller"),
    }
}

/// Where a period starts.
pub(super) fn start(clock: &StartClock) -> String {
    let mut text = event(&clock.start);
    if let Some(unit) = clock.round_up {
        text.push_str(&format!(", counted from the end of its {}", unit.name()));
    }
    if let Some(fallback) = &clock.fallback {
        text.push_str(&format!(
            "; where that is not known, {} after {}",
            fallback.add,
            event(&fallback.start)
        ));
    }
    text
}

/// Until when a due file has to be deleted.
pub(super) fn deadline(policy: &Policy) -> String {
    match policy.delete_by {
        Some(by) => format!("{by} from the same start"),
        None => "24 hours after a file becomes due".to_owned(),
    }
}

/// What keeps files of the policy longer, or has them deleted sooner.
pub(super) fn exceptions(rules: &RuleSet, policy: &Policy, report: &Report) -> Vec<String> {
    let mut lines: Vec<String> = rules
        .floors
        .iter()
        .filter(|floor| floor.matcher.may_overlap(&policy.matcher))
        .map(|floor| format!("minimum period “{}”, where it fits: {}", floor.name, kept(floor)))
        .collect();
    let now = report.cover.made_at;
    let in_force = report
        .holds
        .iter()
        .filter(|hold| hold.ends_at.is_none_or(|end| now < end));
    lines.push(match in_force.count() {
        0 => "holds: none is in force at present".to_owned(),
        1 => "holds: 1 is in force at present, over this or other policies".to_owned(),
        n => format!("holds: {n} are in force at present, over this or other policies"),
    });
    lines.push("erasure requests: sooner, at the next sweep of requests".to_owned());
    lines
}

/// How long a floor keeps.
pub(super) fn kept(floor: &Floor) -> String {
    match floor.keep_for {
        KeepFor::Period(period) => period.to_string(),
        KeepFor::Forever => "without end".to_owned(),
    }
}

/// Whether a floor beats an erasure request.
pub(super) fn binds(floor: &Floor) -> String {
    if floor.binding {
        "do not override it: it is a legal obligation"
    } else {
        "override it"
    }
    .to_owned()
}

/// How it is carried out at the processor.
pub(super) fn implementation(rules: &RuleSet, policy: &Policy) -> Vec<String> {
    let limits = &rules.limits;
    let above = match limits.on_excess {
        OnExcess::Stop => "above that nothing is deleted until an operator approves the plan",
        OnExcess::OldestFirst => "above that the oldest are deleted, up to the limit",
    };
    vec![
        match policy.mode {
            Mode::Enforce => {
                "deleted at Extracta.ai by its own delete call, with the results; that cannot be undone"
                    .to_owned()
            }
            Mode::Observe => "not carried out: the policy only observes and deletes nothing".to_owned(),
        },
        format!("swept on the schedule {} in {}", policy.schedule, rules.zone_name),
        format!(
            "at most {} files and {} % of the policy's files in one sweep; {above}",
            limits.files_per_sweep, limits.share_per_sweep
        ),
        match policy.approval {
            ApprovalRule::OverLimit => "an operator's approval is needed above the limit only".to_owned(),
            ApprovalRule::Always => "every plan needs an operator's approval".to_owned(),
        },
    ]
}
