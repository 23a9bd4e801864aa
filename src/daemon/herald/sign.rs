//! Events as Standard Webhooks writes and signs them: `webhook-id`, `webhook-timestamp`, and
//! `webhook-signature: v1,` with the HMAC-SHA256 of `id.timestamp.body` in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::model::Timestamp;
use crate::snapshot::{Change, Snapshot};

/// The body of one event.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Event {
    /// When it was seen.
    timestamp: Timestamp,
    /// The verdict and its sentence at that time.
    status: Status,
    /// The note of the last checkpoint: one more copy that nobody on this machine can change.
    checkpoint: Option<String>,
    #[serde(flatten)]
    what: serde_json::Value,
}

#[derive(Debug, Clone, Serialize)]
struct Status {
    verdict: String,
    sentence: String,
}

impl Event {
    /// A change, seen in `after`.
    pub(super) fn of(change: &Change, after: &Snapshot) -> Self {
        Self {
            timestamp: after.at,
            status: Status {
                verdict: after.verdict.word().to_owned(),
                sentence: after.sentence.clone(),
            },
            checkpoint: after.checkpoint.as_ref().map(|last| last.note.clone()),
            what: serde_json::to_value(change).expect("names and numbers"),
        }
    }

    /// What `retentiond notify test` sends.
    pub(super) fn test(at: Timestamp) -> Self {
        Self {
            timestamp: at,
            status: Status {
                verdict: "TEST".to_owned(),
                sentence: "somebody ran `retentiond notify test`".to_owned(),
            },
            checkpoint: None,
            what: serde_json::json!({ "type": "test", "data": {} }),
        }
    }

    /// As it is sent.
    pub(super) fn body(&self) -> String {
        serde_json::to_string(self).expect("names and numbers")
    }
}

/// The name of a message: the same at each try, so that a receiver can tell a repetition.
pub(super) fn id_of(body: &str, number: u64) -> String {
    let mut hash = Sha256::new();
    hash.update(std::process::id().to_le_bytes());
    hash.update(number.to_le_bytes());
    hash.update(body);
    format!("msg_{}", hex::encode(&hash.finalize()[..16]))
}

/// The value of `webhook-signature`.
pub(super) fn signature(secret: &SecretSlice<u8>, id: &str, seconds: i64, body: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose_secret()).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{changes, fixture};

    #[test]
    fn the_signature_is_that_of_the_standards_own_example() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(
            &secret.into(),
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn an_event_has_a_type_a_time_and_data() {
        let snapshot = fixture::snapshot();
        for change in changes(None, &snapshot) {
            let body: serde_json::Value =
                serde_json::from_str(&Event::of(&change, &snapshot).body()).unwrap();
            assert!(body["type"].is_string() && body["data"].is_object(), "{body}");
            assert_eq!(body["timestamp"], "2026-05-04T10:00:00Z");
            assert_eq!(body["status"]["verdict"], "STOPPED");
            assert_eq!(body["checkpoint"], snapshot.checkpoint.as_ref().unwrap().note);
        }
    }

    #[test]
    fn two_messages_of_one_body_have_two_names() {
        assert_ne!(id_of("x", 1), id_of("x", 2));
        assert_eq!(id_of("x", 1), id_of("x", 1));
    }
}
