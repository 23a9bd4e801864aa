//! The forecast as people read it: the answer, a table, and on a terminal a chart.

use std::io::IsTerminal;

use super::{Document, FirstMissed};
use crate::cli::output::{files, lines, table};

/// Where nobody says how wide the terminal is.
const USUAL_WIDTH: usize = 80;

/// Narrower than this a bar says nothing.
const NARROWEST: usize = 10;

/// Longest bar, in columns.
const WIDEST: usize = 100;

/// How wide a chart may be; `None`: no chart. On a terminal as wide as that is; elsewhere only if asked for.
pub(super) fn width(asked: bool) -> Option<usize> {
    let out = std::io::stdout();
    let window = rustix::termios::tcgetwinsize(&out).ok();
    let columns = window.map_or(USUAL_WIDTH, |size| usize::from(size.ws_col));
    (asked || out.is_terminal()).then_some(if columns == 0 { USUAL_WIDTH } else { columns })
}

/// All of it.
pub(super) fn text(document: &Document, chart: Option<usize>) -> String {
    let mut text = answer(document);
    let shown = document
        .days
        .iter()
        .any(|day| day.total > 0 || !day.left.is_empty() || !day.deleted.is_empty());
    if !shown {
        let days = document.days.len();
        return text + &format!("nothing falls due in the coming {days} days\n");
    }
    text.push_str(&format!(
        "days in {}; today includes all that is due already\n\n{}",
        document.timezone,
        rows(document)
    ));
    if let Some(width) = chart {
        text.push('\n');
        text.push_str(&bars(document, width));
    }
    let pace = &document.pace;
    text.push_str(&format!(
        "\nan estimate: {} ms a file in batches of {} (one request taken to last {} ms), one sweep at a time, no holds, no new uploads\n",
        pace.micros_per_file.div_ceil(1000),
        files(pace.files_per_batch),
        pace.request_ms
    ));
    text
}

fn answer(document: &Document) -> String {
    let mut text = String::new();
    if document.overdue > 0 {
        text.push_str(&format!("OVERDUE  {} now\n", files(document.overdue)));
    }
    match &document.first_missed {
        Some(miss) => text.push_str(&missed(miss)),
        None => text.push_str(&format!(
            "every deadline of the coming {} days can be kept\n",
            document.days.len()
        )),
    }
    text + "\n"
}

fn missed(miss: &FirstMissed) -> String {
    use crate::rules::drain::Cause;
    let cause = match miss.cause {
        Cause::Limits => "the limits of a sweep",
        Cause::Window => "the window or blackout days",
        Cause::Requests => "the time that the requests take",
        Cause::Schedule => "the schedule",
        Cause::Several => "limits, window and requests together",
    };
    format!(
        "WILL BE LATE  {} of `{}` on {} ({}): {cause}\n  {}\n",
        files(miss.files),
        miss.policy,
        miss.date,
        miss.deadline_at,
        miss.change
    )
}

/// A line for each day and policy on which anything happens.
fn rows(document: &Document) -> String {
    let mut rows = table(&["day", "policy", "falls due", "goes", "left at its end"]);
    for day in &document.days {
        let mut names: Vec<&String> = day
            .policies
            .keys()
            .chain(day.deleted.keys())
            .chain(day.left.keys())
            .collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let count =
                |of: &std::collections::BTreeMap<String, u64>| of.get(name).copied().unwrap_or(0).to_string();
            let cells = [&day.policies, &day.deleted, &day.left].map(count);
            let [due, goes, left] = cells;
            rows.add_row([&day.date, name, &due, &goes, &left]);
        }
    }
    lines(&rows)
}

/// A bar for each day: `#` falls due, `=` is left from before. No line is wider than `width`.
fn bars(document: &Document, width: usize) -> String {
    let left_before = |at: usize| -> u64 {
        let before = at.checked_sub(1).and_then(|at| document.days.get(at));
        before.map_or(0, |day| day.left.values().sum())
    };
    let heights: Vec<(u64, u64)> = document
        .days
        .iter()
        .enumerate()
        .map(|(at, day)| (day.total, left_before(at)))
        .collect();
    let most = heights
        .iter()
        .map(|(due, left)| due + left)
        .max()
        .unwrap_or(0)
        .max(1);
    let digits = most.to_string().len();
    let taken = "2026-01-01  ".len() + digits + 1;
    let room = width.saturating_sub(taken).clamp(NARROWEST, WIDEST);
    let scaled = |count: u64| {
        let columns = u128::from(count) * room as u128 / u128::from(most);
        usize::try_from(columns)
            .unwrap_or(room)
            .max(usize::from(count > 0))
    };
    let mut text = "#  falls due on the day    =  left from the days before\n".to_owned();
    for (day, (due, left)) in document.days.iter().zip(heights) {
        let new = scaled(due);
        let old = scaled(left).min(room.saturating_sub(new));
        let bar = format!("{}{}", "=".repeat(old), "#".repeat(new));
        let line = format!("{}  {:>digits$} {bar}", day.date, due + left);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Day;
    use super::super::pace::{Governs, Pace};
    use super::*;

    fn day(date: &str, due: u64, left: u64) -> Day {
        let one = |count: u64| -> BTreeMap<String, u64> {
            (count > 0).then(|| ("p".to_owned(), count)).into_iter().collect()
        };
        Day {
            date: date.to_owned(),
            policies: one(due),
            total: due,
            deleted: BTreeMap::new(),
            left: one(left),
        }
    }

    fn document(days: Vec<Day>) -> Document {
        Document {
            timezone: "UTC".to_owned(),
            days,
            pace: Pace {
                micros_per_file: 40_000,
                files_per_batch: 100,
                governed_by: Governs::ResultsInterval,
                request_ms: 500,
            },
            overdue: 0,
            first_missed: None,
        }
    }

    #[test]
    fn a_chart_is_as_wide_as_it_may_be_and_no_wider() {
        let days = vec![
            day("2026-11-23", 1_000_000, 1_000_000),
            day("2026-11-24", 1, 1_000_000),
            day("2026-11-25", 0, 0),
        ];
        let document = document(days);
        for width in [40, 57, 80, 200] {
            let chart = bars(&document, width);
            let longest = chart.lines().skip(1).map(str::len).max().unwrap();
            assert!(longest <= width, "{longest} > {width}:\n{chart}");
            assert!(
                width > 120 || longest >= width - 2,
                "{longest} of {width}:\n{chart}"
            );
        }
        let chart = bars(&document, 40);
        assert!(chart.contains("2026-11-24  1000001 ==="), "{chart}");
        assert!(
            chart.contains("=#\n"),
            "one file of a million still shows: {chart}"
        );
    }

    #[test]
    fn without_a_terminal_there_is_no_chart_and_the_answer_comes_first() {
        let document = document(vec![day("2026-11-23", 3, 0)]);
        let shown = text(&document, None);
        assert!(
            shown.starts_with("every deadline of the coming 1 days can be kept"),
            "{shown}"
        );
        assert!(!shown.contains('#') && shown.contains("2026-11-23"), "{shown}");
        assert!(text(&document, Some(60)).contains("2026-11-23  3 ###"));
    }
}
