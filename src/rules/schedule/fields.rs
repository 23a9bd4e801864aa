//! The grammar of the fields, checked before croner sees them.
//!
//! croner is generous: it takes `MONMON` for 11, `*/90` minutes for hourly, an empty list item for
//! nothing at all. What a person may have meant otherwise is refused here, with the field's name.

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Neither 5 nor 6 fields.
    #[error(
        "{found} fields found, 5 needed (minute, hour, day of month, month, day of week) or 6 (seconds first): write `0 3 * * *` for daily at 03:00"
    )]
    FieldCount {
        /// Fields found.
        found: usize,
    },
    /// A field that cannot be read.
    #[error("{field} `{text}`: {detail}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// The field as given, shortened to 40 characters.
        text: String,
        /// What is wrong, and what to type.
        detail: String,
    },
    /// A stepped star in one day field beside a restricted other one.
    #[error(
        "crons disagree whether `*/n` in one day field and a restriction in the other mean AND or OR; write the step as a range (`1-31/2`), which means OR"
    )]
    StarStepDays,
    /// No date satisfies it.
    #[error("it never matches a date, such as 30 February: check day of month and month")]
    NeverMatches,
    /// The cron library's own complaint.
    #[error("not a schedule ({detail}): write `0 3 * * *` for daily at 03:00")]
    Unreadable {
        /// What it says.
        detail: String,
    },
}

struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    names: &'static [&'static str],
    /// The number of the first name.
    first: u32,
}

const fn numbers(name: &'static str, low: u32, high: u32) -> Field {
    Field {
        name,
        low,
        high,
        names: &[],
        first: 0,
    }
}

const MONTHS: &[&str] = &[
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const DAY_OF_MONTH: usize = 3;
const DAY_OF_WEEK: usize = 5;

const FIELDS: [Field; 6] = [
    numbers("seconds", 0, 59),
    numbers("minute", 0, 59),
    numbers("hour", 0, 23),
    numbers("day of month", 1, 31),
    Field {
        name: "month",
        low: 1,
        high: 12,
        names: MONTHS,
        first: 1,
    },
    Field {
        name: "day of week",
        low: 0,
        high: 7,
        names: DAYS,
        first: 0,
    },
];

/// The fields as given, seconds only if they were.
pub(super) fn check(text: &str) -> Result<Vec<&str>, ScheduleError> {
    let given: Vec<&str> = text.split_whitespace().collect();
    let skip = match given.len() {
        5 => 1,
        6 => 0,
        found => return Err(ScheduleError::FieldCount { found }),
    };
    for (at, text) in given.iter().enumerate() {
        check_field(at + skip, text).map_err(|detail| ScheduleError::Field {
            field: FIELDS[at + skip].name,
            text: text.chars().take(40).flat_map(char::escape_default).collect(),
            detail,
        })?;
    }
    let days = [given[DAY_OF_MONTH - skip], given[DAY_OF_WEEK - skip]];
    let stepped = days.iter().any(|field| field.contains("*/"));
    if stepped && days.iter().all(|field| *field != "*") {
        return Err(ScheduleError::StarStepDays);
    }
    Ok(given)
}

fn check_field(at: usize, text: &str) -> Result<(), String> {
    if text.split(',').count() > 1 && text.split(',').any(|item| item == "*") {
        return Err("`*` cannot stand in a list: write `*` alone".to_owned());
    }
    text.split(',').try_for_each(|item| check_item(at, item))
}

fn check_item(at: usize, item: &str) -> Result<(), String> {
    let field = &FIELDS[at];
    if item.is_empty() {
        return Err("an item of the list is empty".to_owned());
    }
    if item == "*" || is_special_day(at, item) {
        return Ok(());
    }
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (item, None),
    };
    if let Some(step) = step {
        check_step(field, range, step)?;
    }
    if range == "*" {
        return Ok(());
    }
    let Some((low, high)) = range.split_once('-') else {
        return field.value(range).map(|_| ());
    };
    let (low, mut high) = (field.value(low)?, field.value(high)?);
    if at == DAY_OF_WEEK && high == 0 && low > 0 {
        high = 7;
    }
    if low > high {
        return Err("the range runs backwards: write two ranges, such as `22-23,0-5`".to_owned());
    }
    Ok(())
}

fn check_step(field: &Field, range: &str, step: &str) -> Result<(), String> {
    let span = field.high - field.low;
    let example = format!("{}-{}/{}", field.low, field.high, step);
    if range != "*" && !range.contains('-') {
        return Err(format!(
            "a step needs `*` or a range: write `*/{step}` or `{example}`"
        ));
    }
    match digits(step) {
        Some(step) if (1..=span).contains(&step) => Ok(()),
        Some(_) | None => Err(format!("the step must be a number from 1 to {span}")),
    }
}

/// `L`, `LW`, `15W` as day of month; `FRI#2`, `5L` as day of week.
fn is_special_day(at: usize, item: &str) -> bool {
    let item = item.to_ascii_uppercase();
    let field = &FIELDS[at];
    match at {
        DAY_OF_MONTH => {
            matches!(item.as_str(), "L" | "LW")
                || item.strip_suffix('W').is_some_and(|day| field.value(day).is_ok())
        }
        DAY_OF_WEEK => {
            let nth = |(day, nth): (&str, &str)| {
                field.value(day).is_ok() && digits(nth).is_some_and(|n| (1..=5).contains(&n))
            };
            item.split_once('#').is_some_and(nth)
                || item.strip_suffix('L').is_some_and(|day| field.value(day).is_ok())
        }
        _ => false,
    }
}

impl Field {
    fn value(&self, text: &str) -> Result<u32, String> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(at) => Some(self.first + u32::try_from(at).expect("twelve names at most")),
            None => digits(text),
        };
        match value {
            Some(value) if (self.low..=self.high).contains(&value) => Ok(value),
            Some(_) => Err(format!("must lie between {} and {}", self.low, self.high)),
            None if self.names.is_empty() => Err(format!(
                "not readable: write a number from {} to {}, `*`, a list, a range or a step",
                self.low, self.high
            )),
            None => Err(format!(
                "not readable: write a number from {} to {} or a name such as `{}`",
                self.low, self.high, self.names[1]
            )),
        }
    }
}

fn digits(text: &str) -> Option<u32> {
    let plain = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}
