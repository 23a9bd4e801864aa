//! Every key that a policy file may hold, with an example of its value for messages.
//!
//! What each key means stands with the settings and rules that it becomes ([`super::settings`],
//! [`crate::rules::policy`]) and, for users, in `policies.example.toml`; a test holds that file against
//! this table.

/// One kind of table.
#[derive(Debug)]
pub(super) struct Schema {
    /// How messages call it.
    pub(super) title: &'static str,
    /// Where it stands, for "belongs …".
    pub(super) place: &'static str,
    /// Its keys.
    pub(super) keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    /// As it is typed.
    pub(super) name: &'static str,
    /// A value that it takes, as it is typed.
    pub(super) example: &'static str,
}

impl Schema {
    /// Where a key was found.
    pub(super) fn inside(&self) -> String {
        let preposition = if self.title == TOP.title { "at" } else { "in" };
        format!("{preposition} {}", self.title)
    }

    /// The key of that name.
    pub(super) fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// A value that the key takes.
    pub(super) fn example(&self, name: &str) -> &'static str {
        self.key(name).map_or("…", |key| key.example)
    }
}

const fn key(name: &'static str, example: &'static str) -> Key {
    Key { name, example }
}

const CLASSIFICATION: Key = key("classification", "\"-OKI_FueqSWiExyfS310\"");
const EXTRACTION: Key = key("extraction", "\"-OKI_FueqSWiExyfS311\"");
const BATCH: Key = key("batch", "\"invoices-*\"");
const DOCUMENT_TYPE: Key = key("document_type", "\"resume\"");
const LABELS: Key = key("labels", "{ tenant = [\"acme\"] }");
const NAME: Key = key("name", "\"applications\"");
const MATCH: Key = key("match", "{ document_type = [\"resume\"] }");
const CLOCK: Key = key("clock", "\"uploaded\"");

/// The top of the file.
pub(super) static TOP: Schema = Schema {
    title: "the top of the file",
    place: "at the top of the file, above the first [table]",
    keys: &[
        key("timezone", "\"Europe/Berlin\""),
        key("labels", "[\"tenant\"]"),
        key("extracta", "[extracta]"),
        key("ledger", "[ledger]"),
        key("limits", "[limits]"),
        key("holds", "[holds]"),
        key("erasure", "[erasure]"),
        key("log", "[log]"),
        key("policy", "[[policy]]"),
        key("keep", "[[keep]]"),
    ],
};

/// `[extracta]`.
pub(super) static EXTRACTA: Schema = Schema {
    title: "[extracta]",
    place: "in [extracta]",
    keys: &[
        key("api_key_file", "\"/etc/retentiond/credentials/api-key\""),
        key("base_url", "\"https://api.extracta.ai/api/v1\""),
        key("files_per_request", "100"),
        key("concurrency", "4"),
        key("request_interval", "\"0s\""),
        key("results_interval", "\"2s\""),
        key("timeout", "\"60s\""),
        key("verify", "true"),
        key("linked_copies", "true"),
    ],
};

/// `[ledger]`.
pub(super) static LEDGER: Schema = Schema {
    title: "[ledger]",
    place: "in [ledger]",
    keys: &[key("url", "\"sqlite:/var/lib/retentiond/ledger.db\"")],
};

/// `[limits]`.
pub(super) static LIMITS: Schema = Schema {
    title: "[limits]",
    place: "in [limits]",
    keys: &[
        key("files_per_sweep", "1000"),
        key("share_per_sweep", "\"25%\""),
        key("on_excess", "\"stop\""),
    ],
};

/// `[holds]`.
pub(super) static HOLDS: Schema = Schema {
    title: "[holds]",
    place: "in [holds]",
    keys: &[key("cool_down", "\"24 hours\"")],
};

/// `[erasure]`.
pub(super) static ERASURE: Schema = Schema {
    title: "[erasure]",
    place: "in [erasure]",
    keys: &[
        key("schedule", "\"0 * * * *\""),
        key("holidays", "[\"2026-12-25\"]"),
        key("warn_before", "\"7 days\""),
        key("subject_key_file", "\"/etc/retentiond/credentials/subject-key\""),
    ],
};

/// `[log]`.
pub(super) static LOG: Schema = Schema {
    title: "[log]",
    place: "in [log]",
    keys: &[key("format", "\"text\""), key("level", "\"info\"")],
};

/// `[[policy]]`.
pub(super) static POLICY: Schema = Schema {
    title: "[[policy]]",
    place: "in [[policy]]",
    keys: &[
        NAME,
        MATCH,
        CLOCK,
        key("delete_after", "\"30 days\""),
        key("delete_by", "\"44 days\""),
        key("schedule", "\"0 3 * * *\""),
        key("mode", "\"observe\""),
        key("approval", "\"over-limit\""),
    ],
};

/// `[[keep]]`.
pub(super) static KEEP: Schema = Schema {
    title: "[[keep]]",
    place: "in [[keep]]",
    keys: &[
        NAME,
        MATCH,
        CLOCK,
        key("keep_for", "\"8 years\""),
        key("binding", "true"),
        key("basis", "\"§ 147 AO\""),
    ],
};

/// `match = { … }`.
pub(super) static MATCHING: Schema = Schema {
    title: "`match`",
    place: "in `match = { … }`",
    keys: &[
        CLASSIFICATION,
        EXTRACTION,
        BATCH,
        DOCUMENT_TYPE,
        LABELS,
        key("except", "{ document_type = [\"contract\"] }"),
    ],
};

/// `except = { … }` inside a match.
pub(super) static EXCEPT: Schema = Schema {
    title: "`except`",
    place: "in `except = { … }`",
    keys: &[CLASSIFICATION, EXTRACTION, BATCH, DOCUMENT_TYPE, LABELS],
};

/// `clock = { … }`.
pub(super) static CLOCKS: Schema = Schema {
    title: "`clock`",
    place: "in `clock = { … }`",
    keys: &[key("start", "\"uploaded\""), key("round_up", "\"year\"")],
};

/// All of them, outermost first.
pub(super) static ALL: [&Schema; 12] = [
    &TOP, &EXTRACTA, &LEDGER, &LIMITS, &HOLDS, &ERASURE, &LOG, &POLICY, &KEEP, &MATCHING, &EXCEPT, &CLOCKS,
];
