//! `audit redact`: takes from the record what is over for as long as `[evidence] keep` says, now instead of at the
//! next sweep's end.

use super::RedactArgs;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::files;
use crate::cli::progress::Bar;
use crate::config::Checked;
use crate::engine::redaction::{Redacting, cut};
use crate::ledger::{Gone, Redactable};
use crate::model::Timestamp;

const UNSET: &str =
    "nothing is ever redacted: the policy file has no `[evidence] keep`, such as `keep = \"3 years\"`";

pub(super) async fn run(context: &Context, args: &RedactArgs) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let before = cut(&checked.rules, context.clock.now()).ok_or_else(|| Failure::usage(UNSET))?;
    if args.dry_run {
        return dry(context, &checked, before).await;
    }
    let (engine, ledger, _lock) = context.engine(&checked).await?;
    let bar = Bar::new(context.output.progress, "redacting");
    let heard = |gone: Gone| bar.set("redacting", gone.leaves + gone.files + gone.records, None);
    let done = engine.redact(&checked.rules, u32::MAX, &heard).await;
    bar.clear();
    let gone = match done? {
        Redacting::Done(gone) | Redacting::More(gone) => gone,
        Redacting::Stopped(stop) => return Err(Failure::new(Exit::from(&stop), stop.sentence())),
        Redacting::KeptForEver => return Err(Failure::usage(UNSET)),
    };
    ledger.tidy().await?;
    let document = serde_json::json!({ "before": before, "gone": gone });
    context.output.data(&document, || {
        format!(
            "redacted what was over before {before}: {} facts, {}, {} other records\n",
            gone.leaves,
            files(gone.files),
            gone.records
        )
    })?;
    Ok(Exit::Done)
}

async fn dry(context: &Context, checked: &Checked, before: Timestamp) -> Result<Exit, Failure> {
    let ledger = context.reader(checked).await?;
    let found = ledger.redactable(before, context.clock.now()).await?;
    let document = serde_json::json!({ "before": before, "would_go": found });
    context.output.data(&document, || sentence(before, found))?;
    Ok(Exit::Done)
}

fn sentence(before: Timestamp, found: Redactable) -> String {
    format!(
        "before {before}: {} facts would be redacted, {} would stay (what they tell of is not over, or they name the tree)\n",
        found.leaves, found.kept
    )
}
