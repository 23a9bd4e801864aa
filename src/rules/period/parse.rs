//! Text → [`Period`]: friendly or ISO 8601, with what is ambiguous refused.
//!
//! jiff reads the text; the checks around it refuse what jiff would accept and a person could mean
//! otherwise: `5m` (minutes there), zero, `ago`, days mixed with hours.

use super::{MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND, Period};

/// No period may be longer than this many years.
const MAX_YEARS: i64 = 1000;

/// Why a text is no period. Each says what to type instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// A number without a unit.
    #[error("no unit: write `{number} days` or `{number} hours`")]
    NoUnit {
        /// The number found, shortened to 20 characters.
        number: String,
    },
    /// `5m`: jiff and Go say minutes, others months.
    #[error("minutes or months? write `{number} minutes` or `{number} months`")]
    BareM {
        /// The number found before the `m`, shortened to 20 characters.
        number: String,
    },
    /// A period of no length.
    #[error("a period must be longer than zero: write `30 days` or `72 hours`")]
    Zero,
    /// A period into the past.
    #[error("a period cannot be negative: write `30 days`, without a sign and without `ago`")]
    Negative,
    /// Days or longer together with hours or shorter.
    #[error(
        "days and longer are counted on the calendar, hours and shorter exactly; they cannot be mixed: write `2 days` or `48 hours`"
    )]
    Mixed,
    /// Longer than the calendar can carry.
    #[error("longer than 1000 years: write a period that can end, such as `10 years`")]
    Overflow,
    /// A fraction, or finer than a millisecond.
    #[error("only whole units: write `90 minutes` for 1.5 hours, `36 hours` for 1.5 days")]
    Fraction,
    /// Anything else.
    #[error("not a period ({detail}): write `30 days`, `6 months 14 days`, `72 hours` or `P6M`")]
    Unreadable {
        /// What is wrong with it.
        detail: String,
    },
}

impl Period {
    /// Reads `30 days`, `6 months 14 days`, `72h`, `90 minutes`, `P6M`, `PT72H`.
    ///
    /// # Errors
    /// [`PeriodError`], whose text says what to type instead.
    pub fn parse(text: &str) -> Result<Self, PeriodError> {
        let text = text.trim();
        refuse_before_jiff(text)?;
        let lower = text.to_ascii_lowercase();
        let span: jiff::Span = if is_iso(text) { text } else { &lower }
            .parse()
            .map_err(|_| unreadable(text))?;
        if span.is_zero() {
            return Err(PeriodError::Zero);
        }
        if span.is_negative() {
            return Err(PeriodError::Negative);
        }
        from_span(&span)
    }
}

/// ISO 8601 names its units by place (`P6M`, `PT6M`), so a bare `M` is plain there.
fn is_iso(text: &str) -> bool {
    text.trim_start_matches(['+', '-']).starts_with(['P', 'p'])
}

fn refuse_before_jiff(text: &str) -> Result<(), PeriodError> {
    if text.is_empty() {
        return Err(PeriodError::Unreadable {
            detail: "it is empty".to_owned(),
        });
    }
    if !text.is_ascii() || text.len() > 200 {
        return Err(unreadable(text));
    }
    let ends_with_ago = text
        .rsplit(|c: char| !c.is_ascii_alphabetic())
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case("ago"));
    if text.starts_with(['-', '\u{2212}']) || ends_with_ago {
        return Err(PeriodError::Negative);
    }
    if text.contains(':') {
        return Err(unreadable(text));
    }
    if has_fraction(text) {
        return Err(PeriodError::Fraction);
    }
    if text.trim_start_matches('+').bytes().all(|b| b.is_ascii_digit()) {
        return Err(PeriodError::NoUnit {
            number: text.trim_start_matches('+').chars().take(20).collect(),
        });
    }
    if !is_iso(text)
        && let Some(number) = bare_m(text)
    {
        return Err(PeriodError::BareM { number });
    }
    if !is_iso(text) && ends_with_number(text) {
        return Err(PeriodError::NoUnit {
            number: last_number(text),
        });
    }
    Ok(())
}

/// A point or comma between digits.
fn has_fraction(text: &str) -> bool {
    text.as_bytes().windows(2).any(|pair| {
        matches!(pair[0], b'.' | b',') && pair[1].is_ascii_digit()
            || pair[0].is_ascii_digit() && pair[1] == b'.'
    })
}

/// The number before the first unit that is just `m` or `M`.
fn bare_m(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic);
    let at = (0..bytes.len()).find(|&at| {
        bytes[at].eq_ignore_ascii_case(&b'm') && !letter(at + 1) && (at == 0 || !letter(at - 1))
    })?;
    let number = last_number(text[..at].trim_end());
    Some(if number.is_empty() { "5".to_owned() } else { number })
}

fn ends_with_number(text: &str) -> bool {
    text.bytes().next_back().is_some_and(|b| b.is_ascii_digit())
}

/// The run of digits at the end of `text`, at most 20 of them.
fn last_number(text: &str) -> String {
    let start = text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    text[start..].chars().take(20).collect()
}

fn unreadable(text: &str) -> PeriodError {
    let shown: String = text.chars().take(40).flat_map(char::escape_default).collect();
    PeriodError::Unreadable {
        detail: format!("`{shown}`"),
    }
}

fn from_span(span: &jiff::Span) -> Result<Period, PeriodError> {
    if span.get_microseconds() != 0 || span.get_nanoseconds() != 0 {
        return Err(PeriodError::Fraction);
    }
    let days = i64::from(span.get_weeks()) * 7 + i64::from(span.get_days());
    let (years, months) = (i64::from(span.get_years()), i64::from(span.get_months()));
    let millis = exact_millis(span).ok_or(PeriodError::Overflow)?;
    match (years + months + days > 0, millis > 0) {
        (true, true) => Err(PeriodError::Mixed),
        (false, _) if millis > MAX_YEARS * 366 * 24 * MS_PER_HOUR => Err(PeriodError::Overflow),
        (false, _) => Ok(Period::Exact { millis }),
        (true, false) => civil(years, months, days),
    }
}

fn civil(years: i64, months: i64, days: i64) -> Result<Period, PeriodError> {
    if years * 366 + months * 31 + days > MAX_YEARS * 366 {
        return Err(PeriodError::Overflow);
    }
    let too_long = |_| PeriodError::Overflow;
    Ok(Period::Civil {
        years: u16::try_from(years).map_err(too_long)?,
        months: u16::try_from(months).map_err(too_long)?,
        days: u32::try_from(days).map_err(|_| PeriodError::Overflow)?,
    })
}

fn exact_millis(span: &jiff::Span) -> Option<i64> {
    i64::from(span.get_hours())
        .checked_mul(MS_PER_HOUR)?
        .checked_add(span.get_minutes().checked_mul(MS_PER_MINUTE)?)?
        .checked_add(span.get_seconds().checked_mul(MS_PER_SECOND)?)?
        .checked_add(span.get_milliseconds())
}
