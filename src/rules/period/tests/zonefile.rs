//! Zone files (RFC 8536), read by hand: what the machine's own database says, without jiff.

use std::path::Path;

/// Offsets of one zone, in seconds east of UTC.
pub(super) struct ZoneFile {
    /// From this second on, this offset; ascending.
    changes: Vec<(i64, i64)>,
    /// Before the first change.
    first: i64,
    /// After the last one.
    rule: Option<Rule>,
}

/// The POSIX rule at a zone file's end.
#[derive(Debug)]
struct Rule {
    standard: i64,
    /// Offset, begin and end of summer time.
    summer: Option<(i64, When, When)>,
}

/// `Mm.w.d/time`: weekday `d` of week `w` (5: the last) of month `m`, seconds after midnight.
#[derive(Debug, Clone, Copy)]
struct When {
    month: i64,
    week: i64,
    weekday: i64,
    seconds: i64,
}

fn number(bytes: &[u8]) -> i64 {
    let negative = bytes[0] & 0x80 != 0;
    bytes.iter().fold(if negative { -1 } else { 0 }, |sum, byte| {
        sum << 8 | i64::from(*byte)
    })
}

impl ZoneFile {
    /// `None` where this machine has no such file.
    pub(super) fn read(name: &str) -> Option<Self> {
        let bytes = std::fs::read(Path::new("/usr/share/zoneinfo").join(name)).ok()?;
        assert_eq!(&bytes[..4], b"TZif", "{name}");
        let counts = |at: usize| -> Vec<usize> {
            (0..6)
                .map(|n| usize::try_from(number(&bytes[at + 20 + 4 * n..at + 24 + 4 * n])).unwrap())
                .collect()
        };
        // Version 1 has times of four bytes; the second header and its body follow.
        let [isut, isstd, leap, times, types, chars] = counts(0)[..] else {
            unreachable!()
        };
        let second = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isut;
        let [isut, isstd, leap, times, types, chars] = counts(second)[..] else {
            unreachable!()
        };
        let at = second + 44;
        let (kinds, table) = (at + times * 8, at + times * 9);
        let offset = |kind: usize| number(&bytes[table + kind * 6..table + kind * 6 + 4]);
        let changes = (0..times)
            .map(|n| {
                let when = number(&bytes[at + n * 8..at + n * 8 + 8]);
                (when, offset(usize::from(bytes[kinds + n])))
            })
            .collect();
        let footer = table + types * 6 + chars + leap * 12 + isstd + isut;
        let text = std::str::from_utf8(&bytes[footer..]).unwrap().trim();
        Some(Self {
            changes,
            first: offset(0),
            rule: (!text.is_empty()).then(|| Rule::parse(text)),
        })
    }

    /// Seconds east of UTC at this second.
    pub(super) fn offset(&self, second: i64) -> i64 {
        let after = self.changes.partition_point(|(when, _)| *when <= second);
        match (&self.rule, self.changes.get(after)) {
            (Some(rule), None) => rule.offset(second),
            (None, None) | (_, Some(_)) => match after.checked_sub(1) {
                Some(last) => self.changes[last].1,
                None => self.first,
            },
        }
    }
}

impl Rule {
    /// `CET-1CEST,M3.5.0,M10.5.0/3`; names may stand in `<…>`, offsets are west of UTC.
    fn parse(text: &str) -> Self {
        let mut parts = text.split(',');
        let (standard, rest) = zone(parts.next().unwrap());
        let standard = standard.expect("a standard offset");
        let summer = (!rest.is_empty()).then(|| {
            let (own, _) = zone(rest);
            let begin = When::parse(parts.next().unwrap());
            (
                own.unwrap_or(standard + 3600),
                begin,
                When::parse(parts.next().unwrap()),
            )
        });
        Self { standard, summer }
    }

    fn offset(&self, second: i64) -> i64 {
        let Some((summer, begin, end)) = self.summer else {
            return self.standard;
        };
        let (year, _, _) = super::second::date_of((second + self.standard).div_euclid(86_400));
        let begins = begin.in_year(year) - self.standard;
        let ends = end.in_year(year) - summer;
        let inside = if begins < ends {
            (begins..ends).contains(&second)
        } else {
            !(ends..begins).contains(&second)
        };
        if inside { summer } else { self.standard }
    }
}

/// A name and an offset (seconds east), and what follows them.
fn zone(text: &str) -> (Option<i64>, &str) {
    let after_name = match text.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>').unwrap().1,
        None => text.trim_start_matches(|c: char| c.is_ascii_alphabetic()),
    };
    let end = after_name
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, '+' | '-' | ':'))
        .unwrap_or(after_name.len());
    let (offset, rest) = after_name.split_at(end);
    let offset = (!offset.is_empty()).then(|| -clock(offset));
    (offset, rest)
}

/// `[+-]hh[:mm[:ss]]` in seconds.
fn clock(text: &str) -> i64 {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.trim_start_matches('+')),
    };
    let mut unit = 3600;
    let mut sum = 0;
    for part in digits.split(':') {
        sum += part.parse::<i64>().unwrap() * unit;
        unit /= 60;
    }
    sign * sum
}

impl When {
    fn parse(text: &str) -> Self {
        let (date, time) = text.split_once('/').unwrap_or((text, "2"));
        let numbers: Vec<i64> = date
            .strip_prefix('M')
            .expect("a rule by weekdays")
            .split('.')
            .map(|n| n.parse().unwrap())
            .collect();
        let [month, week, weekday] = numbers[..] else {
            panic!("{text}")
        };
        Self {
            month,
            week,
            weekday,
            seconds: clock(time),
        }
    }

    /// Local seconds since 1970.
    fn in_year(self, year: i64) -> i64 {
        let first = super::second::number_of(year, self.month, 1);
        // 1970-01-01 was a Thursday.
        let to_weekday = (self.weekday - (first + 4)).rem_euclid(7);
        let mut day = first + to_weekday + 7 * (self.week - 1);
        while day >= first + super::second::length(year, self.month) {
            day -= 7;
        }
        day * 86_400 + self.seconds
    }
}

#[test]
fn rules_after_the_last_change_are_read() {
    let berlin = Rule::parse("CET-1CEST,M3.5.0,M10.5.0/3");
    // 2042-03-30T01:00:00Z and 2042-10-26T01:00:00Z.
    assert_eq!(
        [2_279_753_999, 2_279_754_000].map(|at| berlin.offset(at)),
        [3600, 7200]
    );
    assert_eq!(
        [2_297_897_999, 2_297_898_000].map(|at| berlin.offset(at)),
        [7200, 3600]
    );
    let havana = Rule::parse("CST5CDT,M3.2.0/0,M11.1.0/1");
    assert_eq!(havana.standard, -18_000);
    let apia = Rule::parse("<+13>-13");
    assert_eq!(apia.offset(0), 46_800);
    let nuuk = Rule::parse("<-02>2<-01>,M3.5.0/-1,M10.5.0/0");
    assert_eq!((nuuk.standard, nuuk.summer.unwrap().0), (-7200, -3600));
}
