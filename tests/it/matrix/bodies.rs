//! 200, and a body that confirms nothing; or one that does, with something wrong all the same.

use retentiond::sandbox::{Apply, Fault};
use serde_json::{Value, json};

use super::answers::{delete, found_gone, html, row, tried_again};
use super::cases::Case;

pub fn cases() -> Vec<Case> {
    let mut cases = bodies();
    cases.extend(confirmations());
    cases
}

/// A body that is no JSON, declared as JSON.
fn raw(fault: Fault, body: &str) -> Fault {
    Fault {
        content_type: Some("application/json".to_owned()),
        ..fault.body(body)
    }
}

/// 200 with a body that confirms nothing.
fn bodies() -> Vec<Case> {
    let texts = [
        ("error", r#"{"status":"error","message":"Internal server error"}"#),
        (
            "Success in capitals",
            r#"{"status":"Success","message":"Files deleted"}"#,
        ),
        (
            "success and a blank",
            r#"{"status":"success ","message":"Files deleted"}"#,
        ),
        ("no status", r#"{"message":"Files deleted"}"#),
        ("status null", r#"{"status":null,"message":"Files deleted"}"#),
        ("status as number", r#"{"status":200,"message":"Files deleted"}"#),
        ("status as truth", r#"{"status":true,"message":"Files deleted"}"#),
        (
            "status as list",
            r#"{"status":["success"],"message":"Files deleted"}"#,
        ),
        ("status deeper", r#"{"data":{"status":"success"}}"#),
        (
            "status of another call",
            r#"{"status":"deleted","deletedAt":1740864032426}"#,
        ),
        ("not_found", r#"{"status":"not_found"}"#),
        (
            "duplicate keys, error last",
            r#"{"status":"success","status":"error"}"#,
        ),
        (
            "duplicate keys, success last",
            r#"{"status":"error","status":"success"}"#,
        ),
        (
            "duplicate keys, both success",
            r#"{"status":"success","status":"success"}"#,
        ),
        ("cut JSON", r#"{"status":"success","message":"Files del"#),
        ("JSON and more", r#"{"status":"success"}{"status":"error"}"#),
        ("list of envelopes", r#"[{"status":"success"}]"#),
        ("text", r#""success""#),
        (
            "BOM",
            "\u{feff}{\"status\":\"success\",\"message\":\"Files deleted\"}",
        ),
        ("HTML called JSON", "<html>success</html>"),
        ("nothing", ""),
    ];
    let mut cases = Vec::new();
    for (name, text) in texts {
        for (done, apply, row) in [
            ("not done", Apply::Never, tried_again("unknown 200")),
            ("done", Apply::Before, found_gone("unknown 200")),
        ] {
            let fault = raw(delete(), text).apply(apply);
            cases.push(Case::new(format!("200 {name}, {done}"), fault, row));
        }
    }
    let as_html = json!(r#"{"status":"success","message":"Files deleted"}"#);
    cases.push(Case::new(
        "200 HTML",
        delete().body(html()).apply(Apply::Never),
        tried_again("unknown 200"),
    ));
    let declared = delete().body(as_html).apply(Apply::Never);
    cases.push(Case::new(
        "200 success called HTML",
        declared,
        tried_again("unknown 200"),
    ));
    cases
}

/// Well-formed confirmations, and what is wrong all the same.
fn confirmations() -> Vec<Case> {
    let whole = row(
        "confirmed 200",
        "2 requests, 11 deleted; done",
        "2 requests, 11 deleted",
    );
    let alarm = row(
        "confirmed 200",
        "2 requests, 11 deleted; breaker collateral",
        "2 requests, 11 deleted",
    );
    let all = |value: Value| {
        let body = json!({"status": "success", "message": "Files deleted", "deleteAll": value});
        delete().body(body).apply(Apply::Before)
    };
    let lie = row(
        "confirmed 200",
        "2 requests, 1 deleted, 10 unknown; 10 left for later",
        "4 requests, 11 deleted",
    );
    vec![
        Case::new("nothing wrong", delete(), whole).confirms(),
        Case::new(
            "no message",
            raw(delete(), r#" {"status":"success"} "#).apply(Apply::Before),
            whole,
        )
        .confirms(),
        Case::new("deleteAll true", all(json!(true)), alarm).confirms(),
        Case::new("deleteAll false", all(json!(false)), whole).confirms(),
        Case::new("deleteAll as text", all(json!("true")), whole).confirms(),
        Case::new("a success that lies", delete().lie(), lie).confirms(),
        Case::new("a neighbour that vanishes", delete().neighbours(1), alarm).confirms(),
        Case::new("three neighbours that vanish", delete().neighbours(3), alarm).confirms(),
        Case::new(
            "a neighbour that vanishes with a 502",
            delete().status(502).apply(Apply::Before).neighbours(1),
            row(
                "unknown 502",
                "2 requests, 1 deleted, 10 gone; breaker collateral",
                "2 requests, 1 deleted, 10 gone",
            ),
        ),
    ]
}
