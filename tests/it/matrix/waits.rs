//! 429, and every form of `Retry-After`.

use retentiond::sandbox::{Apply, Fault};

use super::answers::{delete, row, stopped};
use super::cases::{Case, Row};

/// The rest waits for the time that was asked for; not one request before it.
const LATER: Row = stopped("wait 429", "2 requests, 1 deleted, 10 live; not before");

/// A wait short enough to be sat out within the sweep.
const SAT_OUT: Row = row(
    "wait 429",
    "3 requests, 11 deleted; done",
    "3 requests, 11 deleted",
);

fn later(headers: &[&str]) -> Fault {
    headers
        .iter()
        .fold(delete().status(429).apply(Apply::Never), |fault, value| {
            fault.header("Retry-After", *value)
        })
}

/// The sandbox's clock stands at Friday, 15 May 2026, 10:00:00.
pub fn cases() -> Vec<Case> {
    let table: &[(&str, &[&str], Row)] = &[
        ("no Retry-After", &[], SAT_OUT),
        ("a second", &["1"], SAT_OUT),
        ("zero", &["0"], SAT_OUT),
        ("negative", &["-5"], SAT_OUT),
        ("garbage", &["soon"], SAT_OUT),
        ("a fraction", &["1.5"], SAT_OUT),
        ("empty", &[""], SAT_OUT),
        ("an hour", &["3600"], LATER),
        ("a date", &["Fri, 15 May 2026 12:00:00 GMT"], LATER),
        ("an old form of date", &["Friday, 15-May-26 12:00:00 GMT"], LATER),
        ("a date that is past", &["Fri, 15 May 2026 09:00:00 GMT"], SAT_OUT),
        ("ten years", &["315360000"], LATER),
        ("a date in ten years", &["Thu, 15 May 2036 12:00:00 GMT"], LATER),
        ("beyond all numbers", &["99999999999999999999999"], LATER),
        ("twice, the longer last", &["0", "3600"], LATER),
        ("twice, the longer first", &["3600", "1"], LATER),
        ("twice, one garbage", &["soon", "0"], SAT_OUT),
    ];
    let mut cases: Vec<Case> = table
        .iter()
        .map(|(name, headers, row)| Case::new(format!("429, {name}"), later(headers), *row))
        .collect();
    let patient = row(
        "wait 429",
        "7 requests, 1 deleted, 10 live; not before",
        "9 requests, 11 deleted",
    );
    cases.push(Case::new("429 without end", later(&["0"]).times(50), patient));
    cases
}
