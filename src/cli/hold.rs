//! `hold add|list|release`.

use super::args::{HoldAddArgs, HoldCommand};
use super::context::{Context, policy_name, typed};
use super::exit::{Exit, Failure};
use super::output::{files, lines, table};
use crate::config::Checked;
use crate::model::{Hold, HoldId, HoldScope, NewHold};

pub(super) async fn run(context: &Context, command: &HoldCommand) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    match command {
        HoldCommand::Add(args) => add(context, &checked, args).await,
        HoldCommand::List { all } => list(context, &checked, *all).await,
        HoldCommand::Release { id, reason } => release(context, &checked, HoldId(*id), reason).await,
    }
}

fn scope(checked: &Checked, args: &HoldAddArgs) -> Result<HoldScope, Failure> {
    if let Some(file) = &args.file {
        return Ok(HoldScope::File(typed(file)?));
    }
    if let Some(batch) = &args.batch {
        return Ok(HoldScope::Batch(typed(batch)?));
    }
    if let Some(policy) = &args.policy {
        return Ok(HoldScope::Policy(policy_name(&checked.rules, policy)?));
    }
    let label = args.label.as_deref().unwrap_or_default();
    let (key, value) = label
        .split_once('=')
        .filter(|(key, value)| !key.is_empty() && !value.is_empty())
        .ok_or_else(|| {
            Failure::usage(format!(
                "`{label}` is no label; write KEY=VALUE, such as tenant=acme"
            ))
        })?;
    if !checked.rules.label_keys.iter().any(|known| known == key) {
        let known = checked.rules.label_keys.join(", ");
        return Err(Failure::usage(format!(
            "the policy file declares no label `{key}`; it has: {known}"
        )));
    }
    Ok(HoldScope::Label {
        key: key.to_owned(),
        value: value.to_owned(),
    })
}

async fn add(context: &Context, checked: &Checked, args: &HoldAddArgs) -> Result<Exit, Failure> {
    let hold = NewHold {
        scope: scope(checked, args)?,
        reason: args.reason.clone(),
        reference: args.reference.clone(),
        owner: args.owner.clone(),
        review_by: args
            .review_by
            .as_deref()
            .map(|text| context.end_of(text, &checked.rules))
            .transpose()?,
    };
    let ledger = context.writer(checked).await?;
    let placed = ledger.add_hold(&hold, context.clock.now()).await?;
    context.output.data(&placed, || {
        let mut text = format!("hold {} covers {}\n", placed.hold.0, files(placed.covers));
        if !placed.under_way.is_empty() {
            let attempts: Vec<String> = placed.under_way.iter().map(|a| format!("#{}", a.0)).collect();
            text.push_str(&format!(
                "TOO LATE for files of the requests under way: {}; `retentiond history` shows how they end\n",
                attempts.join(", ")
            ));
        }
        if placed.already_deleted > 0 {
            text.push_str(&format!(
                "too late for {} already deleted or gone\n",
                files(placed.already_deleted)
            ));
        }
        if placed.covers == 0 && placed.under_way.is_empty() && placed.already_deleted == 0 {
            text.push_str("the ledger has no such file yet; files recorded later are covered\n");
        }
        text
    })?;
    Ok(Exit::Done)
}

async fn list(context: &Context, checked: &Checked, all: bool) -> Result<Exit, Failure> {
    let now = context.clock.now();
    let active = if all { None } else { Some(now) };
    let holds = context.reader(checked).await?.holds(active).await?;
    context.output.data(&serde_json::json!({ "holds": holds }), || {
        if holds.is_empty() {
            return "no hold is in force\n".to_owned();
        }
        let mut rows = table(&[
            "hold",
            "covers",
            "reason",
            "ref",
            "owner",
            "placed",
            "review by",
            "state",
        ]);
        for hold in &holds {
            let state = state(hold, now);
            let review = hold.review_by.map_or_else(String::new, |at| {
                if at <= now && hold.released_at.is_none() {
                    format!("{at} OVERDUE")
                } else {
                    at.to_string()
                }
            });
            let none = String::new();
            rows.add_row([
                &hold.id.0.to_string(),
                &covers(&hold.scope),
                &hold.reason,
                hold.reference.as_ref().unwrap_or(&none),
                hold.owner.as_ref().unwrap_or(&none),
                &hold.placed_at.to_string(),
                &review,
                &state,
            ]);
        }
        lines(&rows)
    })?;
    Ok(Exit::Done)
}

fn covers(scope: &HoldScope) -> String {
    match scope {
        HoldScope::File(id) => format!("file {id}"),
        HoldScope::Batch(id) => format!("batch {id}"),
        HoldScope::Label { key, value } => format!("label {key}={value}"),
        HoldScope::Policy(name) => format!("policy {name}"),
    }
}

fn state(hold: &Hold, now: crate::model::Timestamp) -> String {
    match (hold.released_at, hold.ends_at) {
        (Some(_), Some(end)) if now < end => format!("released, covers until {end}"),
        (Some(at), _) => format!("released {at}"),
        (None, _) => "in force".to_owned(),
    }
}

async fn release(context: &Context, checked: &Checked, id: HoldId, reason: &str) -> Result<Exit, Failure> {
    let now = context.clock.now();
    let beyond = || Failure::usage("the cool-down leaves the calendar");
    let end = checked
        .holds
        .cool_down
        .end(now, None, &checked.rules.zone)
        .ok_or_else(beyond)?;
    let ledger = context.writer(checked).await?;
    ledger.release_hold(id, reason, now, end.ends_at).await?;
    context.output.data(
        &serde_json::json!({ "hold": id, "released_at": now, "covers_until": end.ends_at }),
        || {
            format!(
                "hold {} is released; it covers its files until {} (cool-down)\n",
                id.0, end.ends_at
            )
        },
    )?;
    Ok(Exit::Done)
}
