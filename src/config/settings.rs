//! What the daemon needs to know besides the rules: the API, holds, the log.
//!
//! The types are valid by construction: only this room builds them, from their tables.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

use super::code::Code;
use super::diagnostics::Problem;
use super::reader::{Findings, Section};
use super::urls;
use super::values::{interval, number, percentage, period, word};
use crate::rules::period::Period;
use crate::rules::policy::{Limits, OnExcess};

/// `[extracta]`: how to reach the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtractaSettings {
    /// File that holds the API key, an absolute path. `None`: `$CREDENTIALS_DIRECTORY/api-key`, else
    /// `$EXTRACTA_API_KEY`; see [`super::credentials::api_key`].
    pub api_key_file: Option<PathBuf>,
    /// Where the API is, without a slash at the end: https, or http on loopback; no user, query or fragment.
    pub base_url: String,
    /// HTTP proxy for an API beyond this machine, without user and password. `None`: none, whatever the environment says.
    pub proxy: Option<String>,
    /// Most files in one delete request, 1…1000. Default 100.
    pub files_per_request: usize,
    /// Batches worked on side by side, 1…64. Default 4.
    pub concurrency: usize,
    /// Least time between two delete requests, 0…1 hour. Default 0.
    pub request_interval: Duration,
    /// Least time between two getResults requests: the vendor asks for 2 seconds, less is accepted on
    /// loopback only. Default 2 seconds.
    pub results_interval: Duration,
    /// The whole time that one request may take, 100 ms…10 minutes. Default 60 seconds.
    pub timeout: Duration,
    /// Look again, after a delete, whether the files are gone and all others still there. Default true.
    pub verify: bool,
    /// Look for second copies (a classified file that was handed on to an extraction) before deleting, and
    /// delete them first. Default true.
    pub linked_copies: bool,
}

impl ExtractaSettings {
    /// Whether the API is on this very machine: a rehearsal against the sandbox.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        urls::is_loopback(&self.base_url)
    }
}

/// `[holds]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldSettings {
    /// How long a hold goes on to cover after its release. Default 24 hours.
    pub cool_down: Period,
}

/// `[log]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// How lines look. Default text.
    pub format: LogFormat,
    /// The least important level that is written. Default info.
    pub level: LogLevel,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people, on standard error.
    Text,
    /// One JSON object a line, on standard error.
    Json,
    /// Text without time and colour, each line with the priority prefix that journald reads.
    Journald,
}

/// How important a log line has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something needs a look.
    Warn,
    /// What was done.
    Info,
    /// Why it was done; the only level that shows file ids.
    Debug,
    /// Every step.
    Trace,
}

impl LogLevel {
    /// The level's name in the policy file and in log filters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

const FORMATS: [(&str, LogFormat); 3] = [
    ("text", LogFormat::Text),
    ("json", LogFormat::Json),
    ("journald", LogFormat::Journald),
];
const LEVELS: [(&str, LogLevel); 5] = [
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];
const EXCESS: [(&str, OnExcess); 2] = [("stop", OnExcess::Stop), ("oldest-first", OnExcess::OldestFirst)];

const DEFAULT_BASE_URL: &str = "https://api.extracta.ai/api/v1";
const REQUEST_INTERVALS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(3600);
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(600);

/// The vendor's rule for reads: one every two seconds.
const VENDOR_INTERVAL: Duration = Duration::from_secs(2);

impl Default for ExtractaSettings {
    fn default() -> Self {
        Self {
            api_key_file: None,
            base_url: DEFAULT_BASE_URL.to_owned(),
            proxy: None,
            files_per_request: 100,
            concurrency: 4,
            request_interval: Duration::ZERO,
            results_interval: VENDOR_INTERVAL,
            timeout: Duration::from_secs(60),
            verify: true,
            linked_copies: true,
        }
    }
}

impl ExtractaSettings {
    pub(super) fn read(section: &Section<'_>, findings: &mut Findings) -> Self {
        Self::read_over(section, &Self::default(), findings)
    }

    /// What the section does not say is as in `default`.
    pub(super) fn read_over(section: &Section<'_>, default: &Self, findings: &mut Findings) -> Self {
        let base_url = section
            .string("base_url", findings)
            .and_then(|text| urls::base_url(&text, findings))
            .unwrap_or_else(|| default.base_url.clone());
        let results = interval(
            section,
            "results_interval",
            REQUEST_INTERVALS,
            default.results_interval,
            findings,
        );
        if *results.get_ref() < VENDOR_INTERVAL && !urls::is_loopback(&base_url) {
            findings.push(too_eager(&results));
        }
        let request = interval(
            section,
            "request_interval",
            REQUEST_INTERVALS,
            default.request_interval,
            findings,
        );
        let timeout = interval(section, "timeout", TIMEOUTS, default.timeout, findings);
        Self {
            api_key_file: section
                .string("api_key_file", findings)
                .and_then(|text| secret_file("api_key_file", &text, findings))
                .or_else(|| default.api_key_file.clone()),
            base_url,
            proxy: section
                .string("proxy", findings)
                .and_then(|text| urls::proxy(&text, findings))
                .or_else(|| default.proxy.clone()),
            files_per_request: count(
                section,
                "files_per_request",
                1000,
                default.files_per_request,
                findings,
            ),
            concurrency: count(section, "concurrency", 64, default.concurrency, findings),
            request_interval: request.into_inner(),
            results_interval: results.into_inner(),
            timeout: timeout.into_inner(),
            verify: section.boolean("verify", findings).unwrap_or(default.verify),
            linked_copies: section
                .boolean("linked_copies", findings)
                .unwrap_or(default.linked_copies),
        }
    }
}

fn count(section: &Section<'_>, key: &str, most: i64, default: usize, findings: &mut Findings) -> usize {
    let default = i64::try_from(default).expect("the defaults lie in 1…1000");
    let read = number(section, key, 1..=most, default, findings);
    usize::try_from(read).expect("both the range and the defaults lie in 1…1000")
}

fn too_eager(results: &Spanned<Duration>) -> Problem {
    Problem::at(
        Code::OutOfRange,
        results.span(),
        "`results_interval` is shorter than Extracta allows",
    )
    .label("less than 2 seconds")
    .help("Extracta asks for 2 seconds between reads: write `results_interval = \"2s\"` or more")
}

/// The absolute path of a file that holds a secret.
pub(super) fn secret_file(key: &str, text: &Spanned<String>, findings: &mut Findings) -> Option<PathBuf> {
    if Path::new(text.get_ref()).is_absolute() {
        return Some(PathBuf::from(text.get_ref()));
    }
    let example = key.trim_end_matches("_file").replace('_', "-");
    findings.push(
        Problem::at(Code::RelativePath, text.span(), format!("`{key}` is not an absolute path"))
            .label("not shown, in case it is the key itself")
            .help(format!(
                "write the path of the file that holds the key, from `/` on: `{key} = \"/etc/retentiond/credentials/{example}\"`"
            )),
    );
    None
}

/// `[limits]`, with its defaults.
pub(super) fn limits(section: Option<&Section<'_>>, findings: &mut Findings) -> Limits {
    let (mut files_per_sweep, mut share_per_sweep, mut on_excess) = (1000, 25, OnExcess::Stop);
    let mut approve_shortening = true;
    if let Some(section) = section {
        let files = number(section, "files_per_sweep", 1..=1_000_000_000, 1000, findings);
        files_per_sweep = u64::try_from(files).expect("the range begins at 1");
        share_per_sweep = percentage(section, "share_per_sweep", share_per_sweep, findings);
        on_excess = word(section, "on_excess", &EXCESS, findings).map_or(on_excess, Spanned::into_inner);
        approve_shortening = section
            .boolean("approve_shortening", findings)
            .unwrap_or(approve_shortening);
    }
    Limits {
        files_per_sweep,
        share_per_sweep,
        on_excess,
        approve_shortening,
    }
}

/// `[holds]`: the cool-down as it is stated.
pub(super) fn cool_down(section: Option<&Section<'_>>, findings: &mut Findings) -> Option<Spanned<Period>> {
    period(section?, "cool_down", findings)
}

impl HoldSettings {
    /// The default: 24 hours.
    pub(super) const DEFAULT: Self = Self {
        cool_down: Period::Exact {
            millis: 24 * 3_600_000,
        },
    };
}

impl LogSettings {
    pub(super) fn read(section: Option<&Section<'_>>, findings: &mut Findings) -> Self {
        let (mut format, mut level) = (LogFormat::Text, LogLevel::Info);
        if let Some(section) = section {
            format = word(section, "format", &FORMATS, findings).map_or(format, Spanned::into_inner);
            level = word(section, "level", &LEVELS, findings).map_or(level, Spanned::into_inner);
        }
        Self { format, level }
    }
}
