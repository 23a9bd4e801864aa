//! Start events.

use super::holds::{instant, one_label, plain};
use super::{Desk, EventBody, Refusal, shapes};
use crate::ledger::{EventNoted, LedgerError};
use crate::model::{EventScope, NewEvent};

impl Desk {
    /// Records a start event. Idempotent; another time for the same event needs a reason.
    ///
    /// # Errors
    /// [`Refusal`]; `Conflict` for another time without a reason.
    pub async fn event(&self, body: &[u8]) -> Result<EventNoted, Refusal> {
        let body: EventBody = shapes::read(body)?;
        let ruled = (self.rules)();
        let now = (self.clock)();
        let bad_id = |error: crate::model::InvalidId| Refusal::wrong("bad-id", error.to_string());
        let scope = match (&body.file_id, &body.batch_id, &body.label) {
            (Some(id), None, None) => EventScope::File(id.parse().map_err(bad_id)?),
            (None, Some(id), None) => EventScope::Batch(id.parse().map_err(bad_id)?),
            (None, None, Some(label)) => {
                let (key, value) = one_label(label, ruled.rules())?;
                EventScope::Label { key, value }
            }
            _ => {
                let help = "say exactly one of file_id, batch_id and label";
                return Err(Refusal::wrong("scope", help));
            }
        };
        let event = NewEvent {
            name: body.name.parse().map_err(|_| {
                Refusal::wrong(
                    "bad-name",
                    "name must be 1 to 64 letters, digits, `-`, `_` and `.`",
                )
            })?,
            scope,
            at: instant("at", &body.at)?,
            reason: body.reason.map(|reason| plain("reason", reason)).transpose()?,
        };
        if event.at > now {
            let help = "at lies in the future: record an event once it has happened";
            return Err(Refusal::wrong("future-event", help));
        }
        match self.ledger.add_event(&event, now).await {
            Ok(noted) => Ok(noted),
            Err(LedgerError::Conflict { .. }) => Err(Refusal::Conflict {
                code: "another-time",
                help: "this event is on record with another time: give a reason to replace it".to_owned(),
            }),
            Err(error) => Err(error.into()),
        }
    }
}
