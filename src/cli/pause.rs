//! `pause` and `resume`.

use super::args::PauseArgs;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::model::Pause;

pub(super) async fn pause(context: &Context, args: &PauseArgs) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let now = context.clock.now();
    let until = context.instant(Some(&args.until))?;
    if until <= now {
        return Err(Failure::usage(format!(
            "a pause until {until} would be over already (it is {now})"
        )));
    }
    let pause = Pause {
        until,
        reason: args.reason.clone(),
        since: now,
    };
    context
        .writer(&checked)
        .await?
        .set_pause(Some(&pause), now)
        .await?;
    context.output.data(&serde_json::json!({ "pause": pause }), || {
        format!(
            "no new request is sent until {until}; one that is under way still ends\nfiles may become overdue meanwhile; `retentiond resume` ends the pause\n"
        )
    })?;
    Ok(Exit::Done)
}

pub(super) async fn resume(context: &Context) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let now = context.clock.now();
    let ledger = context.writer(&checked).await?;
    let before = ledger.pause().await?.filter(|pause| now < pause.until);
    ledger.set_pause(None, now).await?;
    context
        .output
        .data(&serde_json::json!({ "ended": before }), || match &before {
            Some(pause) => format!("the pause since {} has ended\n", pause.since),
            None => "there was no pause\n".to_owned(),
        })?;
    Ok(Exit::Done)
}
