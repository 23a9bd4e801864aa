//! What the shipped files promise, and what the checked values are. Messages: `tests/config.rs`.

mod reference;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeTable;

use super::keys::{self, Schema};
use super::*;
use crate::model::PolicyName;
use crate::rules::matching::Matcher;
use crate::rules::period::{Period, RoundUp};
use crate::rules::policy::{ApprovalRule, KeepFor, Limits, Mode, OnExcess, StartEvent};

const EXAMPLE: &str = include_str!("../../policies.example.toml");

/// `[[policy]] delete_after`-style paths of every key that stands in a table, tables included.
fn keys_in(table: &DeTable<'_>, place: &str, keys_are_labels: bool, found: &mut BTreeSet<String>) {
    for (key, value) in table {
        if !keys_are_labels {
            found.insert(format!("{place}{}", key.get_ref()));
        }
        let inner = format!("{} ", key.get_ref());
        let labels = key.get_ref() == "labels";
        let tables = value.get_ref().as_array().into_iter().flatten().chain([value]);
        for table in tables.filter_map(|value| value.get_ref().as_table()) {
            keys_in(table, &inner, labels, found);
        }
    }
}

fn path_of(schema: &Schema) -> &'static str {
    match schema.title {
        "the top of the file" => "",
        "[controller]" => "controller ",
        "[extracta]" => "extracta ",
        "[[account]]" => "account ",
        "[ledger]" => "ledger ",
        "[limits]" => "limits ",
        "[holds]" => "holds ",
        "[erasure]" => "erasure ",
        "[evidence]" => "evidence ",
        "[log]" => "log ",
        "[http]" => "http ",
        "[intake]" => "intake ",
        "[notify]" => "notify ",
        "[gateway]" => "gateway ",
        "[webhooks]" => "webhooks ",
        "[[policy]]" => "policy ",
        "[[keep]]" => "keep ",
        "`match`" => "match ",
        "`except`" => "except ",
        "`clock`" => "clock ",
        "`window`" => "window ",
        "`fallback`" => "fallback ",
        other => panic!("{other}: add its path"),
    }
}

/// The example with its ledger on PostgreSQL: the lines behind `#:` in place of the one before them.
fn example_on_a_server() -> String {
    EXAMPLE
        .replace("url = \"sqlite:/var/lib/retentiond/ledger.db\"\n", "")
        .replace("\n#: ", "\n")
}

#[test]
fn the_example_shows_every_key_and_no_other() {
    let text = example_on_a_server();
    let document = DeTable::parse(&text).unwrap();
    let mut shown = BTreeSet::new();
    keys_in(document.get_ref(), "", false, &mut shown);
    let known: BTreeSet<String> = keys::ALL
        .iter()
        .flat_map(|schema| {
            schema
                .keys
                .iter()
                .map(|key| format!("{}{}", path_of(schema), key.name))
        })
        .collect();
    // `except` takes what `match` takes, and one of them is enough to show it.
    let missing: Vec<_> = known
        .difference(&shown)
        .filter(|path| !path.starts_with("except "))
        .collect();
    assert!(missing.is_empty(), "not in the example: {missing:?}");
    assert!(shown.is_subset(&known), "{shown:?}");
}

#[test]
fn the_example_is_accepted_without_a_warning_and_says_what_it_seems_to_say() {
    let checked = parse("policies.example.toml", EXAMPLE).unwrap_or_else(|p| panic!("{p}"));
    assert!(checked.warnings.is_empty(), "{}", checked.warnings);
    let rules = &checked.rules;
    assert_eq!(rules.zone_name, "Europe/Berlin");
    assert_eq!(rules.label_keys, ["tenant", "department"]);
    assert_eq!(rules.policies.len(), 4);
    let first = &rules.policies[0];
    assert_eq!(first.name.as_str(), "applications");
    assert_eq!(first.delete_after, Period::parse("6 months").unwrap());
    assert_eq!(
        (first.mode, first.approval),
        (Mode::Enforce, ApprovalRule::OverLimit)
    );
    assert_eq!(first.schedule.as_str(), "0 3 * * *");
    let Matcher::Where {
        all_of,
        except: Some(except),
    } = &first.matcher
    else {
        panic!("{:?}", first.matcher)
    };
    assert!(all_of.labels["tenant"].contains("acme"));
    assert!(except.labels["department"].contains("legal"));
    let second = &rules.policies[1];
    assert_eq!(
        (second.clock.start.clone(), second.clock.round_up),
        (StartEvent::Processed, Some(RoundUp::Year))
    );
    assert_eq!(second.approval, ApprovalRule::Always);
    assert_eq!(rules.policies[2].matcher, Matcher::Everything);
    assert_eq!(rules.policies[3].account.as_ref(), Some(&rules.accounts[0]));
    assert_eq!(checked.accounts[0].name.as_str(), "acme");
    let floor = &rules.floors[0];
    assert_eq!(floor.keep_for, KeepFor::Period(Period::parse("8 years").unwrap()));
    assert!(floor.binding);
    assert_eq!(floor.basis.as_deref(), Some("§ 147 AO"));
    assert_eq!(rules.erasure.holidays.len(), 2);
    assert_eq!(rules.erasure.warn_before, Period::parse("7 days").unwrap());
    assert_eq!(rules.erasure.sweep.schedule.as_str(), "0 * * * *");
    assert!(checked.erasure.subject_key_file.is_some());
}

#[cfg(feature = "postgres")]
#[test]
fn the_example_is_accepted_with_its_ledger_on_a_server_too() {
    let checked = parse("policies.example.toml", &example_on_a_server()).unwrap_or_else(|p| panic!("{p}"));
    assert!(checked.warnings.is_empty(), "{}", checked.warnings);
    assert_eq!(
        checked.ledger.url,
        "postgres://retentiond@db.example/retentiond?sslmode=verify-full"
    );
    assert_eq!(checked.ledger.path, PathBuf::from("/var/lib/retentiond/ledger"));
    assert!(checked.ledger.server.unwrap().password_file.is_some());
}

#[test]
fn the_example_holds_plain_toml_1_0() {
    // 1.1 allows line ends inside inline tables; other readers of 1.0 do not.
    for line in EXAMPLE.lines().filter(|line| !line.starts_with('#')) {
        let open = line.matches('{').count();
        assert_eq!(open, line.matches('}').count(), "{line}");
        assert!(!line.contains("\\e") && !line.contains("\\x"), "{line}");
    }
}

#[test]
fn the_starter_has_seven_keys_and_only_observes() {
    let keys = starter().lines().filter(|line| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with(['#', '['])
    });
    assert_eq!(keys.count(), 7);
    let checked = parse("policies.toml", starter()).unwrap_or_else(|p| panic!("{p}"));
    let codes: Vec<_> = checked.warnings.iter().map(Problem::code).collect();
    assert_eq!(codes, [Code::OnlyObserves]);
    assert_eq!(checked.rules.policies[0].mode, Mode::Observe);
}

const SMALL: &str = "timezone = \"europe/berlin\"\n[[policy]]\nname = \"a\"\nmatch = \"everything\"\ndelete_after = \"30 days\"\nschedule = \"0 3 * * *\"\n";

#[test]
fn what_is_left_out_has_the_documented_default() {
    let checked = parse("x", SMALL).unwrap();
    assert_eq!(checked.rules.zone_name, "Europe/Berlin");
    assert_eq!(
        checked.extracta,
        ExtractaSettings {
            api_key_file: None,
            base_url: "https://api.extracta.ai/api/v1".to_owned(),
            proxy: None,
            files_per_request: 100,
            concurrency: 4,
            request_interval: Duration::ZERO,
            results_interval: Duration::from_secs(2),
            timeout: Duration::from_secs(60),
            verify: true,
            linked_copies: true,
        }
    );
    assert_eq!(
        checked.ledger.path,
        PathBuf::from("/var/lib/retentiond/ledger.db")
    );
    assert_eq!(checked.ledger.url, "sqlite:/var/lib/retentiond/ledger.db");
    assert_eq!(checked.holds.cool_down, Period::parse("24 hours").unwrap());
    assert_eq!(
        checked.log,
        LogSettings {
            format: LogFormat::Text,
            level: LogLevel::Info
        }
    );
    assert_eq!(
        checked.rules.limits,
        Limits {
            files_per_sweep: 1000,
            share_per_sweep: 25,
            on_excess: OnExcess::Stop,
            approve_shortening: true,
        }
    );
    let policy = &checked.rules.policies[0];
    assert_eq!(
        (policy.clock.start.clone(), policy.clock.round_up),
        (StartEvent::Uploaded, None)
    );
    assert_eq!((policy.delete_by, policy.mode), (None, Mode::Observe));
    let lines = &checked.rules.lines;
    assert_eq!(lines.of(&PolicyName::new("a").unwrap(), "name"), Some(3));
}

#[test]
fn every_key_knows_its_line_in_whatever_way_it_is_written() {
    let text = "timezone = \"UTC\"\n[limits]\nfiles_per_sweep = 5\n\n[[policy]]\nname = \"a\"\nmatch = { batch = \"x\" }\n\
        delete_after = \"1 day\"\nschedule = \"0 3 * * *\"\n[policy.clock]\nstart = \"processed\"\nfallback.start = \"uploaded\"\n\
        fallback.add = \"1 day\"\n[[keep]]\nname = \"k\"\nmatch.batch = \"x\"\nkeep_for = \"1 year\"\n";
    let lines = parse("p", text).unwrap().rules.lines;
    let rule = |name: &str, key: &str| lines.of(&PolicyName::new(name).unwrap(), key);
    assert_eq!(
        (lines.of_file("timezone"), lines.of_file("limits.files_per_sweep")),
        (Some(1), Some(3))
    );
    assert_eq!(
        (rule("a", "match"), rule("a", "delete_after"), rule("a", "mode")),
        (Some(7), Some(8), None)
    );
    assert_eq!(
        (rule("a", "clock.start"), rule("a", "clock.fallback.add")),
        (Some(11), Some(13))
    );
    assert_eq!(
        (rule("k", "match"), rule("k", "keep_for"), rule("b", "match")),
        (Some(16), Some(17), None)
    );
}

#[test]
fn what_is_stated_is_what_counts() {
    let text = "[extracta]\napi_key_file = \"/k\"\nbase_url = \"http://[::1]:9/api/\"\nfiles_per_request = 7\nconcurrency = 64\n\
        request_interval = \"1500ms\"\nresults_interval = \"0s\"\ntimeout = \"2 minutes\"\nverify = false\nlinked_copies = false\n\
        [ledger]\nurl = \"sqlite:///tmp/x.db\"\n[limits]\nfiles_per_sweep = 5\nshare_per_sweep = \"100 %\"\non_excess = \"oldest-first\"\napprove_shortening = false\n\
        [holds]\ncool_down = \"2 days\"\n[log]\nformat = \"journald\"\nlevel = \"trace\"\n";
    let checked =
        parse("x", &format!("{}{text}", SMALL.replace("[[", "\n[["))).unwrap_or_else(|p| panic!("{p}"));
    let e = &checked.extracta;
    assert_eq!(e.api_key_file.as_deref(), Some(std::path::Path::new("/k")));
    assert_eq!(
        (e.base_url.as_str(), e.is_loopback()),
        ("http://[::1]:9/api", true)
    );
    assert_eq!((e.files_per_request, e.concurrency), (7, 64));
    assert_eq!(
        (e.request_interval, e.results_interval, e.timeout),
        (
            Duration::from_millis(1500),
            Duration::ZERO,
            Duration::from_secs(120)
        )
    );
    assert!(!e.verify && !e.linked_copies);
    assert_eq!(checked.ledger.url, "sqlite:/tmp/x.db");
    assert_eq!(
        checked.rules.limits,
        Limits {
            files_per_sweep: 5,
            share_per_sweep: 100,
            on_excess: OnExcess::OldestFirst,
            approve_shortening: false,
        }
    );
    assert!(checked.holds.cool_down.is_civil());
    assert_eq!(
        (checked.log.format, checked.log.level.as_str()),
        (LogFormat::Journald, "trace")
    );
}

#[test]
fn every_known_key_is_read_so_that_a_wrong_type_is_noticed() {
    let list = "[[[1]]]";
    for schema in keys::ALL {
        for key in schema.keys {
            let line = format!("{} = {list}", key.name);
            let text = match path_of(schema).trim() {
                "" => line,
                "policy" | "keep" | "account" => format!("[[{}]]\n{line}", path_of(schema).trim()),
                "match" | "clock" | "window" => {
                    format!("[[policy]]\n[policy.{}]\n{line}", path_of(schema).trim())
                }
                "fallback" => format!("[[policy]]\n[policy.clock.fallback]\n{line}"),
                "except" => format!("[[policy]]\n[policy.match.except]\n{line}"),
                table => format!("[{table}]\n{line}"),
            };
            let problems = parse("x", &text).unwrap_err();
            let noticed = problems.iter().any(|problem| {
                matches!(problem.code(), Code::WrongType | Code::BadPercentage)
                    && problem.message().contains(&format!("`{}`", key.name))
            });
            assert!(noticed, "{text}\n{problems}");
        }
    }
}

#[test]
fn only_rules_change_the_digest_and_every_byte_the_fingerprint() {
    let digest = |text: &str| parse("x", text).unwrap().rules.digest;
    let fingerprint = |text: &str| parse("x", text).unwrap().fingerprint;
    let commented = format!("# by hand\n{SMALL}");
    let longer = SMALL.replace("30 days", "31 days");
    assert_eq!(digest(SMALL), digest(&commented));
    assert_ne!(digest(SMALL), digest(&longer));
    assert_ne!(fingerprint(SMALL), fingerprint(&commented));
    assert_eq!(fingerprint(SMALL).len(), 64);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_do_no_harm() {
    let text = format!("\u{feff}{}", SMALL.replace('\n', "\r\n"));
    assert_eq!(parse("x", &text).unwrap().rules.policies.len(), 1);
    let problems = parse("x", &text.replace("30 days", "30")).unwrap_err();
    let record = &problems.records()[0];
    assert_eq!((record.code, record.line, record.column), ("E301", 5, 16));
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_next_step() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policies.toml");
    let told = |path: &std::path::Path| {
        let problems = load(path).unwrap_err();
        assert_eq!(problems.len(), 1);
        (problems.iter().next().unwrap().code(), problems.render(false))
    };
    let (code, text) = told(&path);
    assert_eq!(code, Code::Unreadable);
    assert!(
        text.contains("policies.toml") && text.contains("retentiond init"),
        "{text}"
    );

    std::fs::write(&path, b"timezone = \"UTC\"\nx = \"\xff\"\n").unwrap();
    let (code, text) = told(&path);
    assert_eq!(code, Code::NotUtf8);
    assert!(text.contains("line 2"), "{text}");

    std::fs::write(&path, " ".repeat(1 << 21)).unwrap();
    assert_eq!(told(&path).0, Code::TooLarge);

    std::fs::write(&path, SMALL).unwrap();
    let loaded = load(&path).unwrap();
    assert_eq!(loaded.path, path);
    assert_eq!(loaded.checked.rules.policies.len(), 1);
}
