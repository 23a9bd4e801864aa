//! Every key that a policy file may hold: what it takes, its default, an example, its meaning.
//!
//! The one list: messages quote it, [`super::schema`] makes the JSON Schema of it, and tests hold
//! `policies.example.toml`, `docs/policies.md` and the parser against it. A new key is a line here, a line
//! in the example, and `UPDATE_GOLDEN=1 cargo test --lib reference` for the document.

use super::takes::{
    Takes,
    Without::{self, Is, Required, Unset},
};

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
    /// What it takes.
    pub(super) takes: Takes,
    /// What counts without it.
    pub(super) default: Without,
    /// A value that it takes, as it is typed.
    pub(super) example: &'static str,
    /// What it says, in one sentence.
    pub(super) means: &'static str,
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

    /// The same, for a text, without its quotes.
    pub(super) fn example_text(&self, name: &str) -> &'static str {
        self.example(name).trim_matches('"')
    }

    /// A value that the key takes.
    pub(super) fn example(&self, name: &str) -> &'static str {
        self.key(name).map_or("…", |key| key.example)
    }
}

const fn key(
    name: &'static str,
    takes: Takes,
    default: Without,
    example: &'static str,
    means: &'static str,
) -> Key {
    Key {
        name,
        takes,
        default,
        example,
        means,
    }
}

#[rustfmt::skip]
const CLASSIFICATION: Key = key("classification", Takes::Texts, Unset, "\"-OKI_FueqSWiExyfS310\"", "files of these classifications");
#[rustfmt::skip]
const EXTRACTION: Key = key("extraction", Takes::Texts, Unset, "\"-OKI_FueqSWiExyfS311\"", "files of these extractions");
#[rustfmt::skip]
const BATCH: Key = key("batch", Takes::Texts, Unset, "\"invoices-*\"", "files of batches that fit one of these patterns: `*`, `?`, `[a-z]`");
#[rustfmt::skip]
const DOCUMENT_TYPE: Key = key("document_type", Takes::Texts, Unset, "\"resume\"", "files recorded with one of these document types");
#[rustfmt::skip]
const LABELS: Key = key("labels", Takes::Labels, Unset, "{ tenant = [\"acme\"] }", "files with one of these values of each label");
#[rustfmt::skip]
const NAME: Key = key("name", Takes::Text, Required, "\"applications\"", "unique among policies and floors; commands, reports and metrics repeat it");
#[rustfmt::skip]
const MATCH: Key = key("match", Takes::Matching, Required, "{ document_type = [\"resume\"] }", "which files; `\"everything\"` only in the last policy, and in floors");
#[rustfmt::skip]
const CLOCK: Key = key("clock", Takes::Clock, Is("`\"uploaded\"`"), "\"uploaded\"", "what the period counts from");

#[rustfmt::skip]
const BASE_URL: Key = key("base_url", Takes::Text, Is("`\"https://api.extracta.ai/api/v1\"`"), "\"https://api.extracta.ai/api/v1\"", "where the API is: https, or http on this machine");
#[rustfmt::skip]
const PROXY: Key = key("proxy", Takes::Text, Is("none, whatever the environment says"), "\"http://proxy.example:3128\"", "HTTP proxy through which the API is reached; what is on this machine is reached without");
#[rustfmt::skip]
const FILES_PER_REQUEST: Key = key("files_per_request", Takes::Whole(1, 1000), Is("`100`"), "100", "most files in one delete request");
#[rustfmt::skip]
const CONCURRENCY: Key = key("concurrency", Takes::Whole(1, 64), Is("`4`"), "4", "batches worked on side by side");
#[rustfmt::skip]
const REQUEST_INTERVAL: Key = key("request_interval", Takes::Interval, Is("`\"0s\"`"), "\"0s\"", "least time between two delete requests");
#[rustfmt::skip]
const RESULTS_INTERVAL: Key = key("results_interval", Takes::Interval, Is("`\"2s\"`"), "\"2s\"", "least time between two reads; Extracta asks for two seconds");
#[rustfmt::skip]
const TIMEOUT: Key = key("timeout", Takes::Interval, Is("`\"60s\"`"), "\"60s\"", "the whole time that one request may take");
#[rustfmt::skip]
const VERIFY: Key = key("verify", Takes::Switch, Is("`true`"), "true", "look again after a delete");
#[rustfmt::skip]
const LINKED_COPIES: Key = key("linked_copies", Takes::Switch, Is("`true`"), "true", "look for second copies in extractions, and delete them first");

/// A key of an account, which counts as in `[extracta]` where it is left out.
const fn over_extracta(key: Key) -> Key {
    Key {
        default: Is("as in [extracta]"),
        ..key
    }
}

/// The top of the file.
#[rustfmt::skip]
pub(super) static TOP: Schema = Schema {
    title: "the top of the file",
    place: "at the top of the file, above the first [table]",
    keys: &[
        key("timezone", Takes::Text, Is("none: required with a schedule, or a period of days or longer"), "\"Europe/Berlin\"", "the zone in which days are counted and schedules are read: an IANA name"),
        key("labels", Takes::Texts, Is("none"), "[\"tenant\"]", "the label keys that uploaders may give to files"),
        key("controller", Takes::Table(&CONTROLLER), Unset, "[controller]", "who answers for the retention: printed on reports and on the deletion concept"),
        key("blackout", Takes::Texts, Is("none"), "[\"2026-12-24..2026-12-26\"]", "days on which nothing is deleted, a date or a first and a last one, in `timezone`"),
        key("extracta", Takes::Table(&EXTRACTA), Unset, "[extracta]", "how to reach Extracta.ai"),
        key("account", Takes::Tables(&ACCOUNT), Unset, "[[account]]", "a further account at Extracta.ai, with its own key; policies name theirs"),
        key("ledger", Takes::Table(&LEDGER), Unset, "[ledger]", "where the ledger is"),
        key("limits", Takes::Table(&LIMITS), Unset, "[limits]", "what one sweep may delete without asking"),
        key("holds", Takes::Table(&HOLDS), Unset, "[holds]", "how holds end"),
        key("erasure", Takes::Table(&ERASURE), Unset, "[erasure]", "how erasure requests are carried out and watched"),
        key("evidence", Takes::Table(&EVIDENCE), Unset, "[evidence]", "how what was done can be proven"),
        key("log", Takes::Table(&LOG), Unset, "[log]", "how the log looks"),
        key("http", Takes::Table(&HTTP), Unset, "[http]", "page, metrics and health of the running service"),
        key("intake", Takes::Table(&INTAKE), Unset, "[intake]", "where uploaders may tell what they uploaded"),
        key("notify", Takes::Table(&NOTIFY), Unset, "[notify]", "who is told of what, and when a sweep begins and ends"),
        key("gateway", Takes::Table(&GATEWAY), Unset, "[gateway]", "lets other clients' requests pass, and records what they upload"),
        key("webhooks", Takes::Table(&WEBHOOKS), Unset, "[webhooks]", "takes what Extracta says by itself of files that it has processed"),
        key("policy", Takes::Tables(&POLICY), Required, "[[policy]]", "how long files stay; the first that matches a file owns it"),
        key("keep", Takes::Tables(&KEEP), Unset, "[[keep]]", "how long files must stay: a floor only ever postpones"),
    ],
};

/// `[controller]`.
#[rustfmt::skip]
pub(super) static CONTROLLER: Schema = Schema {
    title: "[controller]",
    place: "in [controller]",
    keys: &[
        key("name", Takes::Text, Unset, "\"Acme GmbH, Berlin\"", "who decides on purposes and means (Art. 4(7) GDPR)"),
        key("contact", Takes::Text, Unset, "\"privacy@acme.example\"", "how to reach them, or their data-protection officer"),
    ],
};

/// `[extracta]`.
#[rustfmt::skip]
pub(super) static EXTRACTA: Schema = Schema {
    title: "[extracta]",
    place: "in [extracta]",
    keys: &[
        key("api_key_file", Takes::Text, Is("the systemd credential `api-key`, else `$EXTRACTA_API_KEY`"), "\"/etc/retentiond/credentials/api-key\"", "absolute path of a file that holds the API key and nothing else"),
        BASE_URL,
        PROXY,
        FILES_PER_REQUEST,
        CONCURRENCY,
        REQUEST_INTERVAL,
        RESULTS_INTERVAL,
        TIMEOUT,
        VERIFY,
        LINKED_COPIES,
    ],
};

/// `[[account]]`.
#[rustfmt::skip]
pub(super) static ACCOUNT: Schema = Schema {
    title: "[[account]]",
    place: "in [[account]]",
    keys: &[
        key("name", Takes::Text, Required, "\"acme\"", "what policies and `--account` call it: `a` to `z`, `0` to `9` and `-`"),
        key("api_key_file", Takes::Text, Is("the systemd credential `api-key-NAME`; never the key of [extracta]"), "\"/etc/retentiond/credentials/api-key-acme\"", "absolute path of a file that holds this account's API key and nothing else"),
        over_extracta(BASE_URL),
        over_extracta(PROXY),
        over_extracta(FILES_PER_REQUEST),
        over_extracta(CONCURRENCY),
        over_extracta(REQUEST_INTERVAL),
        over_extracta(RESULTS_INTERVAL),
        over_extracta(TIMEOUT),
        over_extracta(VERIFY),
        over_extracta(LINKED_COPIES),
    ],
};

/// `[ledger]`.
#[rustfmt::skip]
pub(super) static LEDGER: Schema = Schema {
    title: "[ledger]",
    place: "in [ledger]",
    keys: &[
        key("url", Takes::Text, Is("`\"sqlite:/var/lib/retentiond/ledger.db\"`"), "\"sqlite:/var/lib/retentiond/ledger.db\"", "`sqlite:` and an absolute path, or `postgres://USER@HOST/DATABASE`"),
        key("password_file", Takes::Text, Is("the systemd credential `ledger-password`, else `$PGPASSFILE`"), "\"/etc/retentiond/credentials/ledger-password\"", "for PostgreSQL: absolute path of a file that holds the password and nothing else"),
        key("state_dir", Takes::Text, Is("`\"/var/lib/retentiond\"`"), "\"/var/lib/retentiond\"", "for PostgreSQL: where this host keeps its anchor and its copy of the checkpoints"),
    ],
};

/// `[limits]`.
#[rustfmt::skip]
pub(super) static LIMITS: Schema = Schema {
    title: "[limits]",
    place: "in [limits]",
    keys: &[
        key("files_per_sweep", Takes::Whole(1, 1_000_000_000), Is("`1000`"), "1000", "most files in one sweep of a policy"),
        key("share_per_sweep", Takes::Percentage, Is("`\"25%\"`"), "\"25%\"", "most of the policy's files in one sweep, judged from 50 files on"),
        key("on_excess", Takes::Word(&["stop", "oldest-first"]), Is("`\"stop\"`"), "\"stop\"", "above a limit: delete nothing and ask, or delete the oldest up to the limit"),
        key("approve_shortening", Takes::Switch, Is("`true`"), "true", "changed rules under which files would go sooner wait for `retentiond approve`"),
    ],
};

/// `[holds]`.
#[rustfmt::skip]
pub(super) static HOLDS: Schema = Schema {
    title: "[holds]",
    place: "in [holds]",
    keys: &[key("cool_down", Takes::Period, Is("`\"24 hours\"`"), "\"24 hours\"", "how long a hold goes on to protect after its release")],
};

/// `[erasure]`.
#[rustfmt::skip]
pub(super) static ERASURE: Schema = Schema {
    title: "[erasure]",
    place: "in [erasure]",
    keys: &[
        key("schedule", Takes::Schedule, Is("`\"0 * * * *\"`"), "\"0 * * * *\"", "when open erasure requests are swept, in `timezone`"),
        key("holidays", Takes::Texts, Is("none"), "[\"2026-12-25\"]", "days beside Saturdays and Sundays on which the time for an answer cannot end"),
        key("warn_before", Takes::Period, Is("`\"7 days\"`"), "\"7 days\"", "how long before the date of its answer an open request is warned of"),
        key("subject_key_file", Takes::Text, Is("the systemd credential `subject-key`"), "\"/etc/retentiond/credentials/subject-key\"", "absolute path of a file with the key that hides data subjects; without one none can be recorded"),
    ],
};

/// `[evidence]`.
#[rustfmt::skip]
pub(super) static EVIDENCE: Schema = Schema {
    title: "[evidence]",
    place: "in [evidence]",
    keys: &[
        key("key_file", Takes::Text, Is("the systemd credential `audit-key`"), "\"/etc/retentiond/credentials/audit-key\"", "absolute path of the file that `retentiond audit init-key` made; without a key checkpoints are not signed"),
        key("keep", Takes::Period, Is("for ever"), "\"3 years\"", "how long what was done stays on record once it is over, at least 3 months; then ids, reasons and salts go, and the tree of hashes stays"),
    ],
};

/// `[log]`.
#[rustfmt::skip]
pub(super) static LOG: Schema = Schema {
    title: "[log]",
    place: "in [log]",
    keys: &[
        key("format", Takes::Word(&["text", "json", "journald"]), Is("`\"text\"`"), "\"text\"", "how a line of the log looks"),
        key("level", Takes::Word(&["error", "warn", "info", "debug", "trace"]), Is("`\"info\"`"), "\"info\"", "the least important level that is written; file ids appear from `debug` on"),
    ],
};

/// `[http]`.
#[rustfmt::skip]
pub(super) static HTTP: Schema = Schema {
    title: "[http]",
    place: "in [http]",
    keys: &[
        key("listen", Takes::Text, Is("`\"127.0.0.1:9464\"`"), "\"127.0.0.1:9464\"", "an address with a port (0 takes any free one), or `off`; no password is asked for"),
        key("hosts", Takes::Texts, Is("none"), "[\"retention.example.com\"]", "names besides `localhost` under which it may be asked; addresses always may"),
    ],
};

/// `[intake]`.
#[rustfmt::skip]
pub(super) static INTAKE: Schema = Schema {
    title: "[intake]",
    place: "in [intake]",
    keys: &[
        key("socket", Takes::Text, Is("none"), "\"/run/retentiond/intake.sock\"", "absolute path of a Unix socket with mode 0660; no token is asked for"),
        key("listen", Takes::Text, Is("`\"off\"`"), "\"127.0.0.1:8318\"", "an address of this machine with a port (0 takes any free one), or `off`; the token is asked for"),
        key("token_file", Takes::Text, Is("the systemd credential `intake-token`"), "\"/etc/retentiond/credentials/intake-token\"", "absolute path of a file that holds the token for `listen` and nothing else"),
        key("orphans", Takes::Word(&["report", "record"]), Is("`\"report\"`"), "\"report\"", "what `retentiond reconcile` does with files at Extracta that the ledger lacks: name them, or record them with the time inside their ids"),
    ],
};

/// `[notify]`.
#[rustfmt::skip]
pub(super) static NOTIFY: Schema = Schema {
    title: "[notify]",
    place: "in [notify]",
    keys: &[
        key("webhook_url", Takes::Text, Is("none"), "\"https://hooks.example.com/retention\"", "where events are posted, signed: https, or http on this machine"),
        key("webhook_secret_file", Takes::Text, Is("the systemd credential `webhook-secret`"), "\"/etc/retentiond/credentials/webhook-secret\"", "absolute path of a file with the signing secret: `whsec_`, then base64"),
        key("ping_url", Takes::Text, Is("none"), "\"https://hc-ping.com/your-check\"", "each sweep's start and end are posted here: `/start`, then `/` and the exit code"),
    ],
};

/// `[gateway]`.
#[rustfmt::skip]
pub(super) static GATEWAY: Schema = Schema {
    title: "[gateway]",
    place: "in [gateway]",
    keys: &[
        key("listen", Takes::Text, Is("`\"off\"`"), "\"127.0.0.1:8317\"", "an address with a port (0 takes any free one), or `off`"),
        key("allow_remote", Takes::Switch, Is("`false`"), "false", "whether `listen` may be an address that other machines reach"),
    ],
};

/// `[webhooks]`.
#[rustfmt::skip]
pub(super) static WEBHOOKS: Schema = Schema {
    title: "[webhooks]",
    place: "in [webhooks]",
    keys: &[
        key("listen", Takes::Text, Is("`\"off\"`"), "\"127.0.0.1:8318\"", "an address with a port (0 takes any free one), or `off`"),
        key("allow_remote", Takes::Switch, Is("`false`"), "false", "whether `listen` may be an address that other machines reach"),
        key("secret_file", Takes::Texts, Is("the systemd credentials `webhook-secret` and `webhook-secret-2`"), "\"/etc/retentiond/credentials/webhook-secret\"", "absolute path of a file with the webhook secret; two of them while one replaces the other"),
    ],
};

/// `[[policy]]`.
#[rustfmt::skip]
pub(super) static POLICY: Schema = Schema {
    title: "[[policy]]",
    place: "in [[policy]]",
    keys: &[
        NAME,
        key("account", Takes::Text, Is("the account of [extracta]"), "\"acme\"", "the account whose files it owns: the `name` of an [[account]]"),
        MATCH,
        CLOCK,
        key("delete_after", Takes::Period, Required, "\"30 days\"", "from here on a file is due: the next sweep deletes it"),
        key("delete_by", Takes::Period, Is("24 hours after a file becomes due"), "\"44 days\"", "from here on a file is overdue, counted from the same start"),
        key("schedule", Takes::Schedule, Required, "\"0 3 * * *\"", "when to sweep: cron with five fields, or six with seconds first"),
        key("window", Takes::Table(&WINDOW), Is("always"), "{ days = [\"mon..fri\"], from = \"22:00\", until = \"05:00\" }", "when it may delete: outside of it nothing is sent, and what is under way goes on in the next window"),
        key("mode", Takes::Word(&["observe", "enforce"]), Is("`\"observe\"`"), "\"observe\"", "only plan and report, or delete"),
        key("approval", Takes::Word(&["over-limit", "always"]), Is("`\"over-limit\"`"), "\"over-limit\"", "which plans wait for `retentiond approve`"),
        key("approve_shortening", Takes::Switch, Is("as in [limits]"), "true", "the same, for the files that this policy comes to own"),
        key("title", Takes::Text, Unset, "\"Job applications\"", "the data type, in the words of the deletion concept (`retentiond concept`)"),
        key("purpose", Takes::Text, Unset, "\"filling vacancies\"", "what the files are processed for, for the deletion concept"),
        key("basis", Takes::Text, Unset, "\"§ 26 BDSG, § 15(4) AGG\"", "the legal basis of the period, for the deletion concept"),
        key("data_subjects", Takes::Text, Unset, "\"applicants\"", "whose data the files hold, for the deletion concept"),
        key("owner", Takes::Text, Unset, "\"head of human resources\"", "who answers for the rule, for the deletion concept: a function rather than a person"),
    ],
};

/// `[[keep]]`.
#[rustfmt::skip]
pub(super) static KEEP: Schema = Schema {
    title: "[[keep]]",
    place: "in [[keep]]",
    keys: &[
        NAME,
        MATCH,
        CLOCK,
        key("keep_for", Takes::PeriodOrForever, Required, "\"8 years\"", "how long the files stay, or `\"forever\"`"),
        key("binding", Takes::Switch, Is("`false`"), "true", "a legal obligation that an erasure request does not override"),
        key("basis", Takes::Text, Unset, "\"§ 147 AO\"", "the legal basis, shown beside each file that is kept because of it"),
    ],
};

/// `match = { … }`.
#[rustfmt::skip]
pub(super) static MATCHING: Schema = Schema {
    title: "`match`",
    place: "in `match = { … }`",
    keys: &[
        CLASSIFICATION,
        EXTRACTION,
        BATCH,
        DOCUMENT_TYPE,
        LABELS,
        key("except", Takes::Table(&EXCEPT), Unset, "{ document_type = [\"contract\"] }", "what fits this is left out"),
    ],
};

/// `except = { … }` inside a match.
#[rustfmt::skip]
pub(super) static EXCEPT: Schema = Schema {
    title: "`except`",
    place: "in `except = { … }`",
    keys: &[CLASSIFICATION, EXTRACTION, BATCH, DOCUMENT_TYPE, LABELS],
};

/// `clock = { … }`.
#[rustfmt::skip]
pub(super) static CLOCKS: Schema = Schema {
    title: "`clock`",
    place: "in `clock = { … }`",
    keys: &[
        key("start", Takes::Start, Required, "\"uploaded\"", "the event that the period counts from"),
        key("round_up", Takes::Word(&["day", "month", "quarter", "year"]), Unset, "\"year\"", "count from the last day of this unit"),
        key("fallback", Takes::Table(&FALLBACK), Unset, "{ start = \"uploaded\", add = \"2 years\" }", "what it counts from where `start` is not known; without it such a file is kept"),
    ],
};

/// `fallback = { … }` inside a clock.
#[rustfmt::skip]
pub(super) static FALLBACK: Schema = Schema {
    title: "`fallback`",
    place: "in `fallback = { … }`",
    keys: &[
        key("start", Takes::Start, Required, "\"uploaded\"", "the other event"),
        key("add", Takes::Period, Required, "\"2 years\"", "added to it, counted as the period itself is; the period counts from its last day"),
    ],
};

/// `window = { … }`.
#[rustfmt::skip]
pub(super) static WINDOW: Schema = Schema {
    title: "`window`",
    place: "in `window = { … }`",
    keys: &[
        key("days", Takes::Texts, Is("every day"), "[\"mon..fri\"]", "the days on which it opens: `mon` … `sun`, and ranges of them"),
        key("from", Takes::Text, Is("`\"00:00\"`"), "\"22:00\"", "the time of day at which it opens"),
        key("until", Takes::Text, Is("`\"00:00\"`, the end of the day"), "\"05:00\"", "the time of day at which it closes; the next day's, where it is not later than `from`"),
    ],
};

/// All of them, outermost first.
pub(super) static ALL: [&Schema; 22] = [
    &TOP,
    &CONTROLLER,
    &EXTRACTA,
    &ACCOUNT,
    &LEDGER,
    &LIMITS,
    &HOLDS,
    &ERASURE,
    &EVIDENCE,
    &LOG,
    &HTTP,
    &INTAKE,
    &NOTIFY,
    &GATEWAY,
    &WEBHOOKS,
    &POLICY,
    &KEEP,
    &MATCHING,
    &EXCEPT,
    &CLOCKS,
    &FALLBACK,
    &WINDOW,
];
