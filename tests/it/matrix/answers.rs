//! What the API may answer to a delete.

use retentiond::sandbox::{Apply, Endpoint, Fault};
use serde_json::{Value, json};

use super::cases::{Case, Row};

pub const fn row(answer: &'static str, sweep: &'static str, end: &'static str) -> Row {
    Row { answer, sweep, end }
}

/// Nobody knows, and the look shows that it was done: two requests are all there ever are.
pub const fn found_gone(answer: &'static str) -> Row {
    let end = "2 requests, 1 deleted, 10 gone";
    row(answer, "2 requests, 1 deleted, 10 gone; done", end)
}

/// Nobody knows, and the look shows that it was not done: live again, and asked for by the next sweep.
pub const fn tried_again(answer: &'static str) -> Row {
    row(
        answer,
        "2 requests, 1 deleted, 10 live; 10 left for later",
        "4 requests, 11 deleted",
    )
}

/// Something in the list was refused, and then nothing in its parts: 10, 5, 3, 1, 1. The halves known to hold what
/// was refused are not sent whole.
const fn bisected(answer: &'static str) -> Row {
    row(answer, "6 requests, 11 deleted; done", "6 requests, 11 deleted")
}

/// The list was too long: 10, 5, 5.
const fn cut_in_two(answer: &'static str) -> Row {
    row(answer, "4 requests, 11 deleted; done", "4 requests, 11 deleted")
}

/// A stop at once; the rest when its cause is over.
pub const fn stopped(answer: &'static str, sweep: &'static str) -> Row {
    row(answer, sweep, "4 requests, 11 deleted")
}

pub fn delete() -> Fault {
    Fault::at(Endpoint::DeleteFiles).times(1)
}

fn success() -> Value {
    json!({"status": "success", "message": "Files deleted"})
}

fn error(message: &str) -> Value {
    json!({"status": "error", "message": message})
}

pub fn html() -> Value {
    json!("<!DOCTYPE html><html><body>success</body></html>")
}

pub fn cases(trap: &str) -> Vec<Case> {
    let mut cases = other_successes();
    cases.extend(redirects(trap));
    cases.extend(refusals());
    cases.extend(failures());
    cases
}

/// 2xx other than 200: not what is documented, so not a confirmation, whatever the body says.
fn other_successes() -> Vec<Case> {
    let mut cases = Vec::new();
    for (code, unknown) in [
        (201, "unknown 201"),
        (202, "unknown 202"),
        (203, "unknown 203"),
        (204, "unknown 204"),
        (205, "unknown 205"),
        (206, "unknown 206"),
    ] {
        let answer = || {
            let fault = delete().status(code);
            if matches!(code, 204 | 205) {
                fault
            } else {
                fault.body(success())
            }
        };
        let done = Case::new(
            format!("{code}, done"),
            answer().apply(Apply::Before),
            found_gone(unknown),
        );
        let not = Case::new(
            format!("{code}, not done"),
            answer().apply(Apply::Never),
            tried_again(unknown),
        );
        cases.extend([done, not]);
    }
    cases
}

fn redirects(trap: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for (code, unknown) in [
        (300, "unknown 300"),
        (301, "unknown 301"),
        (302, "unknown 302"),
        (303, "unknown 303"),
        (304, "unknown 304"),
        (307, "unknown 307"),
        (308, "unknown 308"),
    ] {
        for (to, target) in [
            ("elsewhere", trap),
            ("a wider call", "/api/v1/documentClassification/deleteBatch"),
        ] {
            let fault = delete()
                .status(code)
                .header("Location", target)
                .apply(Apply::Never);
            cases.push(Case::new(format!("{code} to {to}"), fault, tried_again(unknown)));
        }
    }
    let done = delete()
        .status(307)
        .header("Location", trap)
        .body(success())
        .apply(Apply::Before);
    cases.push(Case::new(
        "307 that says success, done",
        done,
        found_gone("unknown 307"),
    ));
    cases
}

fn refusals() -> Vec<Case> {
    let refuse = |code: u16| delete().status(code).apply(Apply::Never);
    let auth = "2 requests, 1 deleted, 10 live; breaker auth";
    let api = "2 requests, 1 deleted, 10 live; breaker api";
    let mut cases = vec![
        Case::new(
            "400 JSON",
            refuse(400).body(error("Bad request")),
            bisected("refused 400"),
        ),
        Case::new(
            "400 does not exist",
            refuse(400).body(error("File does not exist")),
            bisected("refused 400"),
        ),
        Case::new("400 HTML", refuse(400).body(html()), tried_again("unknown 400")),
        Case::new(
            "401 JSON",
            refuse(401).body(error("Unauthorized")),
            stopped("auth 401", auth),
        ),
        Case::new("401 HTML", refuse(401).body(html()), stopped("auth 401", auth)),
        Case::new(
            "403 JSON",
            refuse(403).body(error("Forbidden")),
            stopped("auth 403", auth),
        ),
        Case::new("403 HTML", refuse(403).body(html()), stopped("auth 403", auth)),
        Case::new(
            "404 JSON",
            refuse(404).body(error("Files not found")),
            bisected("refused 404"),
        ),
        Case::new("404 HTML", refuse(404).body(html()), stopped("refused 404", api)),
        Case::new("413 JSON", refuse(413), cut_in_two("too-large 413")),
        Case::new("413 HTML", refuse(413).body(html()), cut_in_two("too-large 413")),
        Case::new("414", refuse(414), cut_in_two("too-large 414")),
        Case::new("431", refuse(431), cut_in_two("too-large 431")),
        Case::new(
            "422 JSON",
            refuse(422).body(error("Unprocessable")),
            bisected("refused 422"),
        ),
        Case::new("422 HTML", refuse(422).body(html()), tried_again("unknown 422")),
    ];
    for (code, unknown) in [
        (402, "unknown 402"),
        (405, "unknown 405"),
        (408, "unknown 408"),
        (409, "unknown 409"),
        (410, "unknown 410"),
        (425, "unknown 425"),
        (451, "unknown 451"),
    ] {
        cases.push(Case::new(
            format!("{code}, not done"),
            refuse(code),
            tried_again(unknown),
        ));
        cases.push(Case::new(
            format!("{code}, done"),
            refuse(code).apply(Apply::Before),
            found_gone(unknown),
        ));
    }
    for (code, unknown) in [
        (400, "unknown 400"),
        (401, "unknown 401"),
        (403, "unknown 403"),
        (404, "unknown 404"),
        (409, "unknown 409"),
        (413, "unknown 413"),
        (422, "unknown 422"),
        (429, "unknown 429"),
    ] {
        let says = |apply| refuse(code).body(success()).apply(apply);
        cases.push(Case::new(
            format!("{code} that says success"),
            says(Apply::Never),
            tried_again(unknown),
        ));
        cases.push(Case::new(
            format!("{code} that says success, done"),
            says(Apply::Before),
            found_gone(unknown),
        ));
    }
    cases
}

fn failures() -> Vec<Case> {
    let fail = |code: u16| delete().status(code).apply(Apply::Never);
    let documented = || fail(500).body(error("Internal server error"));
    let half = row(
        "server-error 500",
        "5 requests, 6 deleted, 5 gone; done",
        "5 requests, 6 deleted, 5 gone",
    );
    let mut cases = vec![
        Case::new("500", documented(), bisected("server-error 500")),
        Case::new(
            "500, done",
            documented().apply(Apply::Before),
            found_gone("server-error 500"),
        ),
        Case::new("500, half done", documented().apply(Apply::Half), half),
        Case::new("500 HTML", fail(500).body(html()), tried_again("unknown 500")),
        Case::new(
            "500 HTML, done",
            fail(500).body(html()).apply(Apply::Before),
            found_gone("unknown 500"),
        ),
        Case::new(
            "500 that says success",
            fail(500).body(success()),
            tried_again("unknown 500"),
        ),
        Case::new(
            "503 that says success",
            fail(503).body(success()),
            tried_again("unknown 503"),
        ),
        Case::new(
            "503, come back in an hour",
            fail(503).header("Retry-After", "3600"),
            tried_again("unknown 503"),
        ),
    ];
    for (code, unknown) in [
        (501, "unknown 501"),
        (502, "unknown 502"),
        (503, "unknown 503"),
        (504, "unknown 504"),
        (599, "unknown 599"),
    ] {
        for (kind, body) in [("HTML", html()), ("JSON", error("Bad gateway"))] {
            let not = fail(code).body(body.clone());
            let done = fail(code).body(body).apply(Apply::Before);
            cases.push(Case::new(
                format!("{code} {kind}, not done"),
                not,
                tried_again(unknown),
            ));
            cases.push(Case::new(
                format!("{code} {kind}, done"),
                done,
                found_gone(unknown),
            ));
        }
    }
    cases
}
