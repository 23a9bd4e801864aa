//! The policy file, its periods and its schedules: a slip of the pen is refused or means what it says.

use proptest::prelude::*;
use retentiond::config::{self, Checked};
use retentiond::rules::period::Period;
use retentiond::rules::policy::KeepFor;
use retentiond::rules::schedule::Schedule;

use super::oracles::{self, plainly_said};

const EXAMPLE: &str = include_str!("../../policies.example.toml");

/// A number of the example, and where it must arrive.
struct Number {
    /// The text around it, with `{}` for the number.
    place: &'static str,
    /// What the example says.
    given: &'static str,
    /// Where it ends up, as text.
    arrived: fn(&Checked) -> String,
    /// What must arrive there for a number, or `None` when it cannot be right.
    wanted: fn(u64) -> Option<String>,
}

fn whole(n: u64, most: u64) -> Option<String> {
    (1..=most).contains(&n).then(|| n.to_string())
}

fn plain(n: u64, unit: &str) -> Option<String> {
    plainly_said(&format!("{n} {unit}")).map(|period| format!("{period:?}"))
}

fn shown(period: Period) -> String {
    format!("{period:?}")
}

const NUMBERS: [Number; 12] = [
    Number {
        place: "files_per_request = {}",
        given: "100",
        arrived: |c| c.extracta.files_per_request.to_string(),
        wanted: |n| whole(n, 1000),
    },
    Number {
        place: "concurrency = {}",
        given: "4",
        arrived: |c| c.extracta.concurrency.to_string(),
        wanted: |n| whole(n, 64),
    },
    Number {
        place: "request_interval = \"{}s\"",
        given: "0",
        arrived: |c| c.extracta.request_interval.as_millis().to_string(),
        wanted: |n| (n <= 3600).then(|| (n * 1000).to_string()),
    },
    Number {
        place: "results_interval = \"{}s\"",
        given: "2",
        arrived: |c| c.extracta.results_interval.as_millis().to_string(),
        wanted: |n| (2..=3600).contains(&n).then(|| (n * 1000).to_string()),
    },
    Number {
        place: "timeout = \"{}s\"",
        given: "60",
        arrived: |c| c.extracta.timeout.as_millis().to_string(),
        wanted: |n| (1..=600).contains(&n).then(|| (n * 1000).to_string()),
    },
    Number {
        place: "files_per_sweep = {}",
        given: "1000",
        arrived: |c| c.rules.limits.files_per_sweep.to_string(),
        wanted: |n| whole(n, 1_000_000_000),
    },
    Number {
        place: "share_per_sweep = \"{}%\"",
        given: "25",
        arrived: |c| c.rules.limits.share_per_sweep.to_string(),
        wanted: |n| whole(n, 100),
    },
    Number {
        place: "cool_down = \"{} hours\"",
        given: "24",
        arrived: |c| shown(c.holds.cool_down),
        wanted: |n| plain(n, "hours"),
    },
    Number {
        place: "\ndelete_after = \"{} months\"",
        given: "6",
        arrived: |c| shown(c.rules.policies[0].delete_after),
        wanted: |n| plain(n, "months"),
    },
    Number {
        place: "delete_by = \"8 years {} month\"",
        given: "1",
        arrived: |c| format!("{:?}", c.rules.policies[1].delete_by),
        wanted: |n| {
            let months = u16::try_from(n).ok()?;
            let days = 0;
            Some(format!(
                "{:?}",
                Some(Period::Civil {
                    years: 8,
                    months,
                    days
                })
            ))
        },
    },
    Number {
        place: "delete_after = \"{} days\"",
        given: "30",
        arrived: |c| shown(c.rules.policies[2].delete_after),
        wanted: |n| plain(n, "days"),
    },
    Number {
        place: "keep_for = \"{} years\"",
        given: "8",
        arrived: |c| match c.rules.floors[0].keep_for {
            KeepFor::Period(period) => shown(period),
            KeepFor::Forever => "for ever".to_owned(),
        },
        wanted: |n| plain(n, "years"),
    },
];

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0_u64..70,
        0_u64..2000,
        any::<u16>().prop_map(u64::from),
        any::<u32>().prop_map(u64::from),
        any::<u64>(),
    ]
}

/// Zeros in front, signs, separators: another way to write it, or no way at all.
fn spelling() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        9 => Just("{}"),
        1 => prop::sample::select(vec!["+{}", "-{}", "0{}", "{}.0", "{}e0", "{}_0", "0x{}", " {} ", "{},0", "\u{ff11}{}", "{}\u{a0}"]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_changed_number_arrives_exactly_or_is_refused_by_code_and_place(
        at in 0..NUMBERS.len(), n in number(), spelling in spelling(),
    ) {
        let number = &NUMBERS[at];
        let old = number.place.replace("{}", number.given);
        prop_assert_eq!(EXAMPLE.matches(&old).count(), 1, "{}", old);
        let written = spelling.replace("{}", &n.to_string());
        let new = number.place.replace("{}", &written);
        let text = EXAMPLE.replace(&old, &new);
        oracles::policy_file(&text);
        match config::parse("p.toml", &text) {
            Ok(checked) => {
                let arrived = (number.arrived)(&checked);
                // `1_0` and `0x1` are other numbers in TOML; the others are one and the same.
                let meant = match spelling {
                    "{}_0" => n.checked_mul(10),
                    "0x{}" => u64::from_str_radix(&n.to_string(), 16).ok(),
                    _ => Some(n),
                };
                let wanted = meant.and_then(number.wanted);
                prop_assert!(wanted.as_ref() == Some(&arrived) && spelling != "-{}" || n == 0, "{} became {}", new, arrived);
                let original = config::parse("p.toml", EXAMPLE).unwrap();
                let same = (number.arrived)(&original) == arrived;
                let decides = number.place.contains("delete_") || number.place.contains("keep_for");
                prop_assert_eq!(checked.rules.digest != original.rules.digest, decides && !same);
            }
            Err(problems) => {
                let line = EXAMPLE[..EXAMPLE.find(&old).unwrap()].matches('\n').count() + 1
                    + usize::from(old.starts_with('\n'));
                let records = problems.records();
                // Refused where it stands, or where a rule about two numbers names both.
                prop_assert!(
                    records.iter().any(|r| r.line == line) || decided_elsewhere(&records),
                    "{}: {:?}", new, records
                );
                let sound = spelling == "{}" && (number.wanted)(n).is_some();
                prop_assert!(!sound || decided_elsewhere(&records) || too_long(&records, n), "{}: {:?}", new, records);
            }
        }
    }

    #[test]
    fn bytes_put_in_taken_out_and_doubled_change_the_digest_or_nothing_that_decides(
        edits in prop::collection::vec((0..EXAMPLE.len(), 0_usize..4, "[0-9a-z\"'=\\[\\]{}#,. \n%*-]{0,3}"), 1..4),
    ) {
        let mut text = EXAMPLE.to_owned();
        for (at, len, with) in edits {
            let start = text.floor_char_boundary(at.min(text.len()));
            let end = text.ceil_char_boundary((start + len).min(text.len()));
            text.replace_range(start..end, &with);
        }
        oracles::policy_file(&text);
        if let Ok(checked) = config::parse("p.toml", &text) {
            same_digest_same_rules(&checked);
        }
    }

    #[test]
    fn lines_taken_out_doubled_and_moved_change_the_digest_or_nothing_that_decides(
        from in 0_usize..160, to in 0_usize..160, how in 0_usize..3,
    ) {
        let mut lines: Vec<&str> = EXAMPLE.lines().collect();
        let (from, to) = (from % lines.len(), to % lines.len());
        match how {
            0 => drop(lines.remove(from)),
            1 => lines.insert(to, lines[from]),
            _ => lines.swap(from, to),
        }
        let text = lines.join("\n");
        oracles::policy_file(&text);
        if let Ok(checked) = config::parse("p.toml", &text) {
            same_digest_same_rules(&checked);
        }
    }

    #[test]
    fn any_text_is_no_policy_file_or_a_sound_one(text in any::<String>(), tail in "\\PC{0,60}") {
        oracles::policy_file(&text);
        oracles::policy_file(&format!("{EXAMPLE}\n{tail}"));
    }

    #[test]
    fn a_plain_period_means_its_number(n in number(), unit in prop::sample::select(
        vec!["years", "months", "weeks", "days", "hours", "minutes", "year", "d", "h", "mo", "fortnights"]), tail in "[ 0-9a-zP.,:+-]{0,6}",
    ) {
        oracles::period(&format!("{n} {unit}"));
        oracles::period(&format!("{n}{unit}"));
        oracles::period(&format!("P{n}M"));
        oracles::period(&format!("{n} {unit}{tail}"));
        match (Period::parse(&format!("{n} days")), plainly_said(&format!("{n} days"))) {
            (Ok(period), wanted) => prop_assert_eq!(Some(period), wanted),
            (Err(_), Some(_)) => prop_assert!(n == 0 || n > 365_000, "{} days refused", n),
            (Err(_), None) => {}
        }
    }

    #[test]
    fn a_plain_schedule_comes_at_its_own_minute_and_hour(
        minute in 0_u64..70, hour in 0_u64..30, day in 0_u64..35, month in 0_u64..15, weekday in 0_u64..10, which in 0_u8..32,
    ) {
        let field = |bit: u8, n: u64| if which & (1 << bit) != 0 { n.to_string() } else { "*".to_owned() };
        let fields = [field(0, minute), field(1, hour), field(2, day), field(3, month), field(4, weekday)];
        let text = fields.join(" ");
        oracles::cron(&text);
        oracles::cron(&format!("7 {text}"));
        let within = |text: &str, low: u64, high: u64| text.parse::<u64>().map_or(true, |n| (low..=high).contains(&n));
        let sound = within(&fields[0], 0, 59) && within(&fields[1], 0, 23) && within(&fields[2], 1, 31)
            && within(&fields[3], 1, 12) && within(&fields[4], 0, 7);
        let taken = Schedule::parse(&text);
        prop_assert!(sound || taken.is_err(), "{} was taken", text);
        if let (true, Err(error)) = (sound, taken) {
            prop_assert!(error.to_string().contains("never matches"), "{}: {}", text, error);
        }
    }

    #[test]
    fn any_schedule_text_is_refused_or_sound(text in "([0-9*/,LW#A-Z-]{1,6} ){4,5}[0-9A-Z*/,#L-]{1,6}|\\PC{0,30}") {
        oracles::cron(&text);
    }
}

/// A number that is fine by itself and wrong beside another one: a deadline before the due time, a
/// floor beyond a deadline.
fn decided_elsewhere(records: &[config::ProblemRecord]) -> bool {
    records.iter().any(|record| {
        matches!(
            record.name,
            "delete-by-too-short" | "delete-by-other-kind" | "keep-past-deadline"
        )
    })
}

/// Of no length, or beyond the calendar.
fn too_long(records: &[config::ProblemRecord], n: u64) -> bool {
    records.iter().any(|record| match record.name {
        "zero-period" => n == 0,
        "period-too-long" | "bad-period" => n > 1000,
        _ => false,
    })
}

/// Everything that decides when a file is due, in words of its own.
fn deciding(checked: &Checked) -> Vec<String> {
    let rules = &checked.rules;
    let policies = rules.policies.iter().map(|p| {
        format!(
            "{} {:?} {:?} {:?} {:?}",
            p.name, p.matcher, p.clock, p.delete_after, p.delete_by
        )
    });
    let floors = rules.floors.iter().map(|f| {
        format!(
            "{} {:?} {:?} {:?} {}",
            f.name, f.matcher, f.clock, f.keep_for, f.binding
        )
    });
    std::iter::once(rules.zone_name.clone())
        .chain(policies)
        .chain(floors)
        .collect()
}

fn same_digest_same_rules(checked: &Checked) {
    let original = config::parse("p.toml", EXAMPLE).unwrap();
    let same = deciding(checked) == deciding(&original);
    assert_eq!(checked.rules.digest == original.rules.digest, same);
}
