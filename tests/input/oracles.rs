//! What must hold of any input whatever: asked by the properties beside this file, and by the fuzz
//! targets (`fuzz/`), which include it. A panic is the answer "no".

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::tz::TimeZone;
use retentiond::config::{self, Checked, Problems};
use retentiond::extracta::listing::parse_listing;
use retentiond::extracta::wire::{body_of_delete_files, guard_delete_files};
use retentiond::extracta::{DeleteFiles, Listing};
use retentiond::intake::{
    Format, InForce, Input, Recall, RecordOptions, RecordResult, RecordSummary, record,
};
use retentiond::ledger::{Hinted, Intake, LedgerError, Recorded};
use retentiond::model::{
    BatchAddress, BatchId, ClassificationId, FileAddress, FileId, NewFile, Parent, Timestamp,
};
use retentiond::outcome::wait::{LONGEST_WAIT_MS, http_date, wait_asked_for};
use retentiond::outcome::{Answer, Outcome, Reply, interpret_delete, interpret_extraction_delete};
use retentiond::rules::period::Period;
use retentiond::rules::policy::{Hint, KeepFor, RuleDigest, RuleSet};
use retentiond::rules::schedule::Schedule;
use serde_json::Value;
use serde_json::value::RawValue;

pub const NOW: &str = "2026-11-23T20:00:00Z";

pub fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A policy file is taken with values inside their ranges, or refused with a code and a place.
pub fn policy_file(text: &str) {
    match config::parse("p.toml", text) {
        Ok(checked) => {
            accepted(&checked);
            let again = config::parse("other.toml", text).unwrap();
            assert_eq!(again.rules.digest, checked.rules.digest);
            assert_eq!(again.fingerprint, checked.fingerprint);
        }
        Err(problems) => refused(text, &problems),
    }
}

fn accepted(checked: &Checked) {
    let rules = &checked.rules;
    assert_eq!(
        rules.digest,
        RuleSet::digest_of(&rules.zone_name, &rules.policies, &rules.floors)
    );
    assert!(!rules.policies.is_empty(), "a file without a policy");
    assert!((1..=100).contains(&rules.limits.share_per_sweep));
    assert!(rules.limits.files_per_sweep >= 1);
    assert!((1..=1000).contains(&checked.extracta.files_per_request));
    assert!((1..=64).contains(&checked.extracta.concurrency));
    assert!(checked.extracta.base_url.starts_with("https://") || checked.extracta.is_loopback());
    let mut periods = vec![checked.holds.cool_down];
    for policy in &rules.policies {
        periods.push(policy.delete_after);
        periods.extend(policy.delete_by);
        assert!(policy.schedule.next_after(now(), &rules.zone).is_some());
        assert!(checked.rules.lines.of(&policy.name, "name").is_some());
    }
    for floor in &rules.floors {
        match floor.keep_for {
            KeepFor::Period(period) => periods.push(period),
            KeepFor::Forever => {}
        }
    }
    for period in periods {
        is_sound(period);
    }
}

fn refused(text: &str, problems: &Problems) {
    let lines = text.split('\n').count();
    assert!(!problems.is_empty());
    let records = problems.records();
    for record in &records {
        assert!(record.code.len() == 4 && !record.message.is_empty(), "{record:?}");
        assert!(record.line <= lines && record.end_line <= lines, "{record:?}");
        assert_eq!(record.line == 0, record.column == 0, "{record:?}");
        assert!(
            (record.line, record.column) <= (record.end_line, record.end_column),
            "{record:?}"
        );
    }
    assert!(records.iter().any(|record| record.code.starts_with('E')));
    let shown = problems.render(false);
    let foreign = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    assert!(!shown.contains(foreign), "{shown:?}");
    serde_json::to_string(problems).unwrap();
}

/// A period is longer than nothing, ends after its start, and what it is shown as means the same.
pub fn period(text: &str) {
    if let Ok(period) = Period::parse(text) {
        is_sound(period);
        if let Some(expected) = plainly_said(text) {
            assert_eq!(period, expected, "{text}");
        }
    }
}

fn is_sound(period: Period) {
    match period {
        Period::Exact { millis } => assert!(millis > 0),
        Period::Civil { years, months, days } => assert!(u32::from(years) + u32::from(months) + days > 0),
    }
    assert_eq!(Period::parse(&period.to_string()), Ok(period));
    if let Some(end) = period.end(now(), None, &TimeZone::UTC) {
        assert!(end.ends_at > now());
    }
}

/// `N unit`, read without the library: the number must come out as it went in.
pub fn plainly_said(text: &str) -> Option<Period> {
    let (number, unit) = text.split_once(' ')?;
    let plain = !number.is_empty() && number.len() < 10 && number.bytes().all(|b| b.is_ascii_digit());
    let n: u32 = if plain { number.parse().ok()? } else { return None };
    let civil = |years, months, days| Period::Civil { years, months, days };
    let small = u16::try_from(n).ok();
    Some(match unit {
        "years" => civil(small?, 0, 0),
        "months" => civil(0, small?, 0),
        "weeks" => civil(0, 0, n.checked_mul(7)?),
        "days" => civil(0, 0, n),
        "hours" => Period::Exact {
            millis: i64::from(n) * 3_600_000,
        },
        "minutes" => Period::Exact {
            millis: i64::from(n) * 60_000,
        },
        _ => return None,
    })
}

/// A schedule has a next time; where its fields are written in plain digits, that time has them.
pub fn cron(text: &str) {
    let Ok(schedule) = Schedule::parse(text) else {
        return;
    };
    assert_eq!(
        Schedule::parse(schedule.as_str()).map(|again| again.as_str().to_owned()),
        Ok(schedule.as_str().to_owned())
    );
    let mut at = now();
    for _ in 0..3 {
        let next = schedule
            .next_after(at, &TimeZone::UTC)
            .expect("a schedule that was taken comes");
        assert!(next > at);
        fits(&schedule, next);
        assert_eq!(schedule.latest_at_or_before(next, &TimeZone::UTC, at), Some(next));
        at = next;
    }
}

fn fits(schedule: &Schedule, at: Timestamp) {
    let given: Vec<&str> = schedule.as_str().split(' ').collect();
    let fields = match given.len() {
        5 => [&["0"], &given[..]].concat(),
        _ => given,
    };
    let time = TimeZone::UTC.to_datetime(at.to_jiff());
    let found = [time.second(), time.minute(), time.hour()];
    for (field, found) in fields[..3].iter().zip(found) {
        if let Ok(wanted) = field.parse::<i8>() {
            assert_eq!(found, wanted, "{schedule:?} at {at}");
        }
    }
    if let Ok(month) = fields[4].parse::<i8>() {
        assert_eq!(time.month(), month, "{schedule:?} at {at}");
    }
    if let (Ok(day), "*") = (fields[3].parse::<i8>(), fields[5]) {
        assert_eq!(time.day(), day, "{schedule:?} at {at}");
    }
    if let (Ok(day), "*") = (fields[5].parse::<i8>(), fields[3]) {
        assert_eq!(
            time.weekday().to_sunday_zero_offset(),
            day % 7,
            "{schedule:?} at {at}"
        );
    }
}

/// `Retry-After` headers, a line each: a wait within a day, and never shorter than a plain number of
/// seconds among them.
pub fn retry_after(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let headers: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let date = headers.first().and_then(|first| http_date(first));
    for date in [None, date, Some(now())] {
        let wait = wait_asked_for(&headers, date);
        assert!(wait.is_none_or(|millis| (0..=LONGEST_WAIT_MS).contains(&millis)));
        for header in &headers {
            let plain = !header.is_empty() && header.bytes().all(|b| b.is_ascii_digit());
            if plain {
                let seconds = header.parse::<i64>().unwrap_or(i64::MAX);
                assert!(
                    wait.unwrap() >= seconds.saturating_mul(1000).min(LONGEST_WAIT_MS),
                    "{headers:?}"
                );
            }
        }
    }
}

const CONTENT_TYPES: [Option<&str>; 4] = [
    None,
    Some("application/json; charset=utf-8"),
    Some("text/html"),
    Some("application/problem+json"),
];

/// A reply to a delete, and to a look: the first two bytes choose status and declared type, the rest is
/// the body. Only the exact success confirms, and a listing names only files that stand in it.
pub fn response(bytes: &[u8]) {
    let (head, body) = bytes.split_at(bytes.len().min(2));
    let statuses = [
        200, 200, 200, 201, 202, 204, 206, 302, 400, 401, 404, 413, 422, 429, 500, 503,
    ];
    let status = statuses[usize::from(head.first().copied().unwrap_or(0)) % statuses.len()];
    let declared = CONTENT_TYPES[usize::from(head.get(1).copied().unwrap_or(0)) % CONTENT_TYPES.len()];
    judged(status, declared, body, false);
    judged(status, declared, body, true);
    listed(status, declared, body);
}

/// What any answer to a delete may come to.
pub fn judged(status: u16, declared: Option<&str>, body: &[u8], cut: bool) {
    let reply = Reply::Answered(Answer {
        status,
        content_type: declared.map(str::to_owned),
        retry_after: Vec::new(),
        date: None,
        redirect_host: None,
        body: body.to_vec(),
        cut,
    });
    for (outcome, word) in [
        (interpret_delete(&reply, 3), "success"),
        (interpret_delete(&reply, 1), "success"),
        (interpret_extraction_delete(&reply), "deleted"),
    ] {
        let exact = status == 200
            && !cut
            && declared != Some("text/html")
            && status_of(body).as_deref() == Some(word);
        let confirmed = matches!(outcome, Outcome::Confirmed { .. });
        assert_eq!(
            confirmed,
            exact,
            "{outcome:?} for {}",
            String::from_utf8_lossy(body)
        );
        let reason = outcome.reason().unwrap_or_default();
        assert!(reason.chars().count() <= 200 && !reason.contains(char::is_control));
        if outcome == Outcome::Gone {
            assert!(matches!(status, 400 | 404), "gone by {status}");
        }
    }
    assert_ne!(
        interpret_delete(&reply, 3),
        Outcome::Gone,
        "nobody knows which of three"
    );
}

/// An independent, slower reading of `status`: valid UTF-8, one JSON object, the deciding keys once.
fn status_of(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    if !text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        return None;
    }
    let Pairs(pairs) = serde_json::from_str(text).ok()?;
    for key in ["status", "message", "deleteAll"] {
        if pairs.iter().filter(|(name, _)| name == key).count() > 1 {
            return None;
        }
        // What stands there must be sound to its depth; elsewhere the grammar is enough.
        if let Some((_, value)) = pairs.iter().find(|(name, _)| name == key) {
            serde_json::from_str::<Value>(value.get()).ok()?;
        }
    }
    let (_, status) = pairs.iter().find(|(name, _)| name == "status")?;
    serde_json::from_str(status.get()).ok()
}

/// An object's pairs as they stand, doubles included.
struct Pairs(Vec<(String, Box<RawValue>)>);

impl<'de> serde::Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Pairs;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        from.deserialize_map(Visitor)
    }
}

fn listed(status: u16, declared: Option<&str>, body: &[u8]) {
    let batch = address("C", "B");
    match parse_listing(status, declared, body, &batch) {
        Listing::Files(files) => {
            assert_eq!(status, 200);
            let text = std::str::from_utf8(body).expect("a listing of broken text");
            if let Ok(value) = serde_json::from_str::<Value>(text) {
                let named: Vec<&str> = value["files"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|file| file["fileId"].as_str())
                    .collect();
                let found: Vec<&str> = files.iter().map(|file| file.file.as_str()).collect();
                assert_eq!(found, named);
            }
        }
        Listing::NoBatch => assert!(matches!(status, 200 | 400 | 404)),
        Listing::CannotTell { reason } => assert!(!reason.contains(char::is_control)),
    }
}

pub fn address(classification: &str, batch: &str) -> BatchAddress {
    BatchAddress {
        parent: Parent::Classification(ClassificationId::new(classification).unwrap()),
        batch: BatchId::new(batch).unwrap(),
        account: None,
    }
}

/// As much of a ledger as an intake sees.
#[derive(Default)]
pub struct Memory(Mutex<BTreeMap<FileAddress, NewFile>>);

impl Memory {
    pub fn files(&self) -> Vec<NewFile> {
        self.0.lock().unwrap().values().cloned().collect()
    }
}

#[async_trait]
impl Intake for Memory {
    async fn record(&self, rows: &[Hinted], _: &RuleDigest, _: Timestamp) -> Result<Recorded, LedgerError> {
        let mut files = self.0.lock().unwrap();
        let mut recorded = Recorded::default();
        for row in rows {
            match files.insert(row.file.address.clone(), row.file.clone()) {
                None => recorded.added += 1,
                Some(_) => recorded.known += 1,
            }
        }
        Ok(recorded)
    }
}

#[async_trait]
impl Recall for Memory {
    async fn uploads(&self, _: &BatchAddress, _: &[FileId]) -> Result<Vec<(FileId, Timestamp)>, LedgerError> {
        Ok(Vec::new())
    }
}

/// Records into a fresh memory; it never waits, so no runtime is needed.
pub fn recorded(format: Format, input: &[u8], keep_good: bool) -> (RecordSummary, Vec<NewFile>) {
    let labels = ["tenant".to_owned()];
    let digest = RuleDigest("digest".to_owned());
    let rules = InForce {
        label_keys: &labels,
        accounts: &[],
        digest: &digest,
        hint: &|_| Hint {
            owner: None,
            due_at: None,
            deadline_at: None,
        },
        subjects: None,
    };
    let options = RecordOptions {
        format: Some(format),
        keep_good,
        ..RecordOptions::default()
    };
    let ledger = Memory::default();
    let summary = record(Input::from_bytes(input), &options, rules, &ledger, now(), &|_| ())
        .now_or_never()
        .expect("a memory does not wait")
        .expect("a memory does not fail");
    (summary, ledger.files())
}

/// Rows: all or nothing, each bad one told with its line, and the sum holds.
pub fn rows(format: Format, input: &[u8]) {
    let lines = input.split(|byte| *byte == b'\n').count() as u64;
    let (whole, files) = recorded(format, input, false);
    told_well(&whole, lines);
    let bad = whole.refused_total > 0;
    assert_eq!(whole.result == RecordResult::Refused, bad);
    if bad {
        assert_eq!((whole.added, files.len()), (0, 0), "all or nothing");
    }
    let (good, kept) = recorded(format, input, true);
    told_well(&good, lines);
    assert_eq!(good.refused, whole.refused);
    assert_eq!(
        good.added + good.known + good.updated + good.duplicates + good.refused_total,
        good.rows
    );
    if !bad {
        assert_eq!(kept, files);
    }
    if format == Format::Jsonl && lines <= 40 {
        each_line_alone(input, &good);
    }
}

fn told_well(summary: &RecordSummary, lines: u64) {
    assert!(summary.refused.is_sorted_by_key(|row| row.line));
    for row in &summary.refused {
        assert!((1..=lines).contains(&row.line), "{row:?}");
        assert!(
            !row.code.is_empty() && !row.message.contains(char::is_control),
            "{row:?}"
        );
    }
}

/// A line of JSONL is bad by itself or not at all; only a contradiction takes two.
fn each_line_alone(input: &[u8], summary: &RecordSummary) {
    let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let mut expected = Vec::new();
    for (number, line) in (1_u64..).zip(input.split(|byte| *byte == b'\n')) {
        if line.starts_with(b"\xef\xbb\xbf") {
            return;
        }
        let (alone, _) = recorded(Format::Jsonl, line, true);
        assert!(alone.rows <= 1 && alone.refused.iter().all(|row| row.line == 1));
        expected.extend(alone.refused.into_iter().map(|row| (number, row.code)));
    }
    let found: Vec<_> = summary
        .refused
        .iter()
        .filter(|row| row.code != "contradiction")
        .map(|row| (row.line, row.code))
        .collect();
    assert_eq!(found, expected);
}

/// An id is refused at the door, by its line, or goes through byte for byte and can be sent.
pub fn ids(text: &str) {
    let row = serde_json::json!({"classification_id": text, "batch_id": text, "file_id": text});
    let (summary, files) = recorded(Format::Jsonl, format!("\n{row}\n").as_bytes(), false);
    match FileId::new(text) {
        Ok(file) => {
            assert_eq!(file.as_str().as_bytes(), text.as_bytes());
            let address = FileAddress {
                batch: address(text, text),
                file: file.clone(),
            };
            if summary.refused.first().map(|row| row.code) != Some("before-id") {
                assert_eq!(summary.refused, []);
                assert_eq!(files[0].address, address);
            }
            can_be_sent(text, file);
        }
        Err(error) => {
            assert!(!error.to_string().contains(char::is_control));
            let told: Vec<_> = summary.refused.iter().map(|row| (row.line, row.code)).collect();
            assert_eq!(told, [(2, "bad-id")]);
            assert!(files.is_empty());
        }
    }
}

fn can_be_sent(text: &str, file: FileId) {
    let other = FileId::new(format!("{}x", &text[..text.floor_char_boundary(400)])).unwrap();
    if other == file {
        return;
    }
    let classification = ClassificationId::new(text).unwrap();
    let request = DeleteFiles::new(
        classification,
        BatchId::new(text).unwrap(),
        vec![file, other.clone()],
    )
    .unwrap();
    let body = body_of_delete_files(&request);
    assert_eq!(guard_delete_files(&body), Ok(()), "taken, but never to be sent");
    let expected = serde_json::json!({
        "classificationId": text, "batchId": text, "fileIds": [text, other.as_str()],
    });
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
}
