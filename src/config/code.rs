//! The stable codes of everything that can be wrong with a policy file.
//!
//! A code is a promise to scripts and to the documentation: it is never reused and never renumbered.

use std::fmt;

use serde::Serialize;

/// Whether a problem stops the file from taking effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The file is refused as a whole.
    Error,
    /// The file is accepted; somebody should look at this.
    Warning,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal $name:literal $severity:ident;)*) => {
        /// What kind of problem it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code, in order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable number, such as `E103`.
            #[must_use]
            pub const fn number(self) -> &'static str {
                match self { $(Self::$variant => $number,)* }
            }

            /// The stable name, such as `unknown-key`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whether it refuses the file.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    /// The file cannot be read.
    Unreadable = "E001" "unreadable" Error;
    /// The file is not UTF-8.
    NotUtf8 = "E002" "not-utf8" Error;
    /// The file is larger than any policy file can sensibly be.
    TooLarge = "E003" "too-large" Error;

    /// Not TOML.
    Syntax = "E101" "syntax" Error;
    /// A key or table is given twice.
    DuplicateKey = "E102" "duplicate-key" Error;
    /// A key that does not exist here.
    UnknownKey = "E103" "unknown-key" Error;
    /// A value of another type than the key takes.
    WrongType = "E104" "wrong-type" Error;
    /// A key without which the table means nothing.
    MissingKey = "E105" "missing-key" Error;
    /// A word that is none of those which the key takes.
    UnknownValue = "E106" "unknown-value" Error;
    /// An empty text or list.
    EmptyValue = "E107" "empty-value" Error;
    /// A secret in the policy file.
    SecretInFile = "E108" "secret-in-file" Error;

    /// No `[[policy]]` at all.
    NoPolicy = "E201" "no-policy" Error;
    /// Two policies or floors of one name.
    DuplicateName = "E202" "duplicate-name" Error;
    /// A text that cannot be a name or an id.
    BadName = "E203" "bad-name" Error;
    /// A `match` that says nothing.
    EmptyMatch = "E204" "empty-match" Error;
    /// A label key that `labels` does not declare.
    UndeclaredLabel = "E205" "undeclared-label" Error;
    /// `match = "everything"` above another policy.
    EverythingNotLast = "E206" "everything-not-last" Error;
    /// A policy that can never own a file, because one above it takes all of them.
    UnreachablePolicy = "E207" "unreachable-policy" Error;
    /// A batch glob that does not compile.
    BadGlob = "E208" "bad-glob" Error;
    /// `event:` with something after it that no event can be called.
    BadEvent = "E209" "bad-event" Error;
    /// A `match` that no file can meet.
    ImpossibleMatch = "E210" "impossible-match" Error;
    /// A `fallback` that is never asked for, or never helps.
    UselessFallback = "E211" "useless-fallback" Error;
    /// A policy for an account that the file does not have.
    UnknownAccount = "E212" "unknown-account" Error;
    /// Two accounts with one key at one address.
    SharedKey = "E213" "shared-key" Error;

    /// A period without a unit.
    PeriodWithoutUnit = "E301" "period-without-unit" Error;
    /// A bare `m`: months or minutes.
    AmbiguousUnit = "E302" "ambiguous-unit" Error;
    /// A period of no length, or a negative one.
    ZeroPeriod = "E303" "zero-period" Error;
    /// Hours and days in one period.
    MixedPeriod = "E304" "mixed-period" Error;
    /// A period beyond the calendar.
    PeriodTooLong = "E305" "period-too-long" Error;
    /// A text that is no period.
    BadPeriod = "E306" "bad-period" Error;
    /// `round_up` with a period of hours.
    RoundUpWithHours = "E307" "round-up-with-hours" Error;
    /// `delete_by` not later than `delete_after`.
    DeleteByTooShort = "E308" "delete-by-too-short" Error;
    /// `delete_by` counts hours where `delete_after` counts days, or the reverse.
    DeleteByOtherKind = "E309" "delete-by-other-kind" Error;
    /// A floor keeps files past the deadline of the policy that owns them.
    KeepPastDeadline = "E310" "keep-past-deadline" Error;
    /// No `timezone`, although something needs one.
    TimezoneMissing = "E311" "timezone-missing" Error;
    /// A `timezone` that the zone database does not hold.
    UnknownTimezone = "E312" "unknown-timezone" Error;
    /// A `schedule` that is no cron expression.
    BadSchedule = "E313" "bad-schedule" Error;
    /// A window that is none.
    BadWindow = "E315" "bad-window" Error;
    /// A `blackout` that is no date, or no range of dates.
    BadBlackout = "E316" "bad-blackout" Error;
    /// A fallback adds hours to a period of days, or days to one of hours.
    FallbackOtherKind = "E314" "fallback-other-kind" Error;
    /// A text that is no date.
    BadDate = "E320" "bad-date" Error;

    /// A percentage that is none.
    BadPercentage = "E401" "bad-percentage" Error;
    /// A number or interval outside its range.
    OutOfRange = "E402" "out-of-range" Error;
    /// A base URL that must not be called.
    BadUrl = "E403" "bad-url" Error;
    /// A ledger URL that names neither a SQLite file nor a PostgreSQL database.
    BadLedgerUrl = "E404" "bad-ledger-url" Error;
    /// A ledger on PostgreSQL, and a build without it.
    LedgerNotAvailable = "E405" "ledger-not-available" Error;
    /// A path that depends on where the daemon was started.
    RelativePath = "E406" "relative-path" Error;
    /// A text that is no interval.
    BadInterval = "E407" "bad-interval" Error;
    /// A text that is no address with a port.
    BadAddress = "E408" "bad-address" Error;
    /// A key of `[ledger]` that says nothing about a SQLite file.
    OnlyForPostgres = "E409" "only-for-postgres" Error;
    /// A connection to the ledger beyond this machine whose other end is not checked.
    WeakTls = "E410" "weak-tls" Error;
    /// A listener that other machines can reach, although nobody allowed it.
    RemoteListener = "E420" "remote-listener" Error;
    /// The gateway's own address as the API's.
    GatewayLoop = "E421" "gateway-loop" Error;

    /// Two policies may match one file; the upper one owns it.
    PoliciesOverlap = "W901" "policies-overlap" Warning;
    /// A policy deletes nothing, because it only observes.
    OnlyObserves = "W902" "only-observes" Warning;
    /// Files that no policy matches are kept.
    NoCatchAll = "W903" "no-catch-all" Warning;
    /// A floor may keep files past a policy's deadline, or keeps all of its files for ever.
    KeepMayOutlast = "W904" "keep-may-outlast" Warning;
    /// No run of the schedule falls into the policy's window.
    WindowNeverMet = "W906" "window-never-met" Warning;
    /// Files become overdue before the window opens, or before blackout days are over.
    WindowMissesDeadline = "W907" "window-misses-deadline" Warning;
    /// Blackout days that may last longer than the time for an erasure request.
    LongBlackout = "W908" "long-blackout" Warning;
    /// The page and the metrics can be read from other machines.
    ReachableListener = "W905" "reachable-listener" Warning;
}

impl Code {
    /// Whether the problem is about what the file does *not* say, or about parts taken together: not
    /// to be judged while a syntax error hides some of them.
    pub(super) const fn needs_the_whole_file(self) -> bool {
        matches!(
            self,
            Self::MissingKey
                | Self::NoPolicy
                | Self::EmptyMatch
                | Self::UndeclaredLabel
                | Self::EverythingNotLast
                | Self::UnreachablePolicy
                | Self::KeepPastDeadline
                | Self::TimezoneMissing
                | Self::UnknownAccount
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number(), self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_number_of_its_own_and_its_letter_is_its_severity() {
        let numbers: std::collections::BTreeSet<_> = Code::ALL.iter().map(|c| c.number()).collect();
        let names: std::collections::BTreeSet<_> = Code::ALL.iter().map(|c| c.name()).collect();
        assert_eq!(numbers.len(), Code::ALL.len());
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            let letter = match code.severity() {
                Severity::Error => 'E',
                Severity::Warning => 'W',
            };
            assert!(code.number().starts_with(letter), "{code}");
        }
    }
}
