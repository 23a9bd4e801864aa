//! Holds by reference: the same reference again is the same hold.

use super::{Desk, HoldBody, Placed, Refusal, shapes};
use crate::model::{Hold, HoldScope, MAX_ID_BYTES, NewHold, Timestamp};
use crate::rules::policy::RuleSet;

impl Desk {
    /// Places a hold under `reference`, the operator's own, such as a case number. Again with the same
    /// scope it changes nothing.
    ///
    /// # Errors
    /// [`Refusal`]; `Conflict` when the reference stands for another scope, or its hold is released.
    pub async fn hold(&self, reference: &str, body: &[u8]) -> Result<Placed, Refusal> {
        let body: HoldBody = shapes::read(body)?;
        let ruled = (self.rules)();
        let hold = NewHold {
            scope: scope(&body, ruled.rules())?,
            reason: plain("reason", body.reason)?,
            reference: Some(plain("reference", reference.to_owned())?),
            owner: body.owner.map(|owner| plain("owner", owner)).transpose()?,
            review_by: body
                .review_by
                .as_deref()
                .map(|text| instant("review_by", text))
                .transpose()?,
        };
        let _turn = self.placing.lock().await;
        let holds = self.ledger.holds(None).await?;
        let earlier: Vec<&Hold> = holds
            .iter()
            .filter(|known| known.reference == hold.reference)
            .collect();
        if let Some(known) = earlier
            .iter()
            .find(|known| known.released_at.is_none() && known.scope == hold.scope)
        {
            return Ok(Placed {
                hold: known.id.0,
                known: true,
                covers: None,
                too_late_for: 0,
                already_deleted: 0,
            });
        }
        if !earlier.is_empty() {
            let help = "this reference stands for another hold, or for one that was released: use a new one";
            return Err(Refusal::Conflict {
                code: "reference-in-use",
                help: help.to_owned(),
            });
        }
        let placed = self.ledger.add_hold(&hold, (self.clock)()).await?;
        Ok(Placed {
            hold: placed.hold.0,
            known: false,
            covers: Some(placed.covers),
            too_late_for: placed.under_way.len() as u64,
            already_deleted: placed.already_deleted,
        })
    }
}

fn scope(body: &HoldBody, rules: &RuleSet) -> Result<HoldScope, Refusal> {
    let bad_id = |error: crate::model::InvalidId| Refusal::wrong("bad-id", error.to_string());
    match (&body.file_id, &body.batch_id, &body.label, &body.policy) {
        (Some(id), None, None, None) => Ok(HoldScope::File(id.parse().map_err(bad_id)?)),
        (None, Some(id), None, None) => Ok(HoldScope::Batch(id.parse().map_err(bad_id)?)),
        (None, None, Some(label), None) => {
            let (key, value) = one_label(label, rules)?;
            Ok(HoldScope::Label { key, value })
        }
        (None, None, None, Some(name)) => rules
            .policies
            .iter()
            .find(|policy| policy.name.as_str() == name)
            .map(|policy| HoldScope::Policy(policy.name.clone()))
            .ok_or_else(|| {
                Refusal::wrong(
                    "no-such-policy",
                    "the policy file in force has no policy of this name",
                )
            }),
        _ => Err(Refusal::wrong(
            "scope",
            "say exactly one of file_id, batch_id, label and policy",
        )),
    }
}

/// One declared key and its value.
pub(super) fn one_label(label: &crate::model::Labels, rules: &RuleSet) -> Result<(String, String), Refusal> {
    let mut entries = label.iter();
    match (entries.next(), entries.next()) {
        (Some((key, value)), None) if rules.label_keys.contains(key) && !value.is_empty() => {
            Ok((key.clone(), value.clone()))
        }
        (Some(_), None) => Err(Refusal::wrong(
            "undeclared-label",
            "the policy file declares no such label key, or the value is empty",
        )),
        (None, _) | (Some(_), Some(_)) => Err(Refusal::wrong(
            "bad-label",
            "label must hold one key and its value",
        )),
    }
}

pub(super) fn instant(key: &str, text: &str) -> Result<Timestamp, Refusal> {
    text.parse().map_err(|_| {
        Refusal::wrong(
            "bad-time",
            format!("{key} is not an RFC 3339 time with a zone, such as 2026-11-23T20:05:00Z"),
        )
    })
}

/// Text that is stored and shown as it is.
pub(super) fn plain(key: &str, text: String) -> Result<String, Refusal> {
    if text.trim().is_empty() || text.len() > MAX_ID_BYTES || text.chars().any(char::is_control) {
        let help = format!("{key} must be 1 to {MAX_ID_BYTES} bytes on one line");
        return Err(Refusal::wrong("bad-text", help));
    }
    Ok(text)
}
