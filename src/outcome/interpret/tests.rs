use proptest::prelude::*;

use super::*;
use crate::outcome::wait::http_date;

const JSON: Option<&str> = Some("application/json; charset=utf-8");
const HTML: Option<&str> = Some("text/html; charset=utf-8");

fn answer(status: u16, content_type: Option<&str>, body: &[u8]) -> Answer {
    Answer {
        status,
        content_type: content_type.map(str::to_owned),
        retry_after: Vec::new(),
        date: None,
        redirect_host: None,
        body: body.to_vec(),
        cut: false,
    }
}

fn json(status: u16, body: &str) -> Outcome {
    json_for(status, body, 3)
}

fn json_for(status: u16, body: &str, files: usize) -> Outcome {
    interpret_delete(&Reply::Answered(answer(status, JSON, body.as_bytes())), files)
}

/// Outcomes as the table names them: label, and for refusals and unknowns what the reason holds.
fn row(outcome: &Outcome) -> (&'static str, &str) {
    (outcome.label(), outcome.reason().unwrap_or_default())
}

const SUCCESS: &str = r#"{"status":"success","message":"Files deleted"}"#;
const ERROR: &str = r#"{"status":"error","message":"Internal server error"}"#;
const MISSING: &str = r#"{"status":"error","message":"Classification does not exist"}"#;

#[test]
fn every_row_of_the_answer_table_has_its_outcome() {
    let table: &[(u16, Option<&str>, &str, &str)] = &[
        // Confirmed: code and body, nothing less.
        (200, JSON, SUCCESS, "confirmed"),
        (200, None, SUCCESS, "confirmed"),
        (
            200,
            JSON,
            r#"{"status":"success","deleteAll":false,"extra":[1,{}]}"#,
            "confirmed",
        ),
        // H10: other success codes.
        (201, JSON, SUCCESS, "unknown"),
        (202, JSON, SUCCESS, "unknown"),
        (203, JSON, SUCCESS, "unknown"),
        (204, None, "", "unknown"),
        (205, None, "", "unknown"),
        (206, JSON, SUCCESS, "unknown"),
        (100, JSON, SUCCESS, "unknown"),
        (101, JSON, SUCCESS, "unknown"),
        // B1, B2, B3: 200 with a body that does not confirm.
        (200, HTML, SUCCESS, "unknown"),
        (200, HTML, "<html>login</html>", "unknown"),
        (200, JSON, "", "unknown"),
        (
            200,
            JSON,
            r#"{"status":"success","message":"Files del"#,
            "unknown",
        ),
        (200, JSON, "\u{feff}{\"status\":\"success\"}", "unknown"),
        (200, JSON, r#"{"status":"success","status":"error"}"#, "unknown"),
        (200, JSON, r#"{"status":"error","status":"success"}"#, "unknown"),
        (200, JSON, r#"{"status":null,"status":"success"}"#, "unknown"),
        (200, JSON, r#"{"status":200}"#, "unknown"),
        (200, JSON, r#"{"status":true}"#, "unknown"),
        (200, JSON, r#"{"status":["success"]}"#, "unknown"),
        (200, JSON, r#"{"status":null}"#, "unknown"),
        (200, JSON, r#"{"status":"Success"}"#, "unknown"),
        (200, JSON, r#"{"status":"success "}"#, "unknown"),
        (200, JSON, r#"{"status":"deleted","deletedAt":1}"#, "unknown"),
        (200, JSON, r#"{"status":"ok"}"#, "unknown"),
        (200, JSON, r#"{"status":"not_found"}"#, "unknown"),
        (200, JSON, ERROR, "unknown"),
        (200, JSON, MISSING, "unknown"),
        (200, JSON, r#"{"message":"Files deleted"}"#, "unknown"),
        (200, JSON, r#"{"result":{"status":"success"}}"#, "unknown"),
        (200, JSON, r#"[{"status":"success"}]"#, "unknown"),
        (200, JSON, r#""success""#, "unknown"),
        // N6: redirects.
        (301, HTML, "", "unknown"),
        (302, JSON, SUCCESS, "unknown"),
        (303, HTML, "", "unknown"),
        (304, None, "", "unknown"),
        (307, HTML, "", "unknown"),
        (308, JSON, SUCCESS, "unknown"),
        // H4: a no with meaning.
        (
            400,
            JSON,
            r#"{"status":"error","message":"Invalid fileIds"}"#,
            "refused",
        ),
        (400, JSON, MISSING, "refused"),
        (404, JSON, MISSING, "refused"),
        (422, JSON, r#"{"status":"error","message":"bad"}"#, "refused"),
        (400, JSON, r#"{"error":"bad"}"#, "refused"),
        (400, JSON, "{}", "refused"),
        // H3: not the API's own 404.
        (404, HTML, "<pre>Cannot DELETE /x</pre>", "refused"),
        (404, Some("text/plain"), "not found", "refused"),
        (404, None, "", "refused"),
        // A proxy's no says nothing about the files.
        (400, HTML, "<h1>400 Bad Request</h1>", "unknown"),
        (400, JSON, r#"{"status":"err"#, "unknown"),
        (400, JSON, r#"{"status":"error","status":"error"}"#, "unknown"),
        (422, None, "", "unknown"),
        // H1, H2: the key.
        (
            401,
            JSON,
            r#"{"status":"error","message":"Unauthorized"}"#,
            "auth",
        ),
        (401, HTML, "<html>", "auth"),
        (401, None, "", "auth"),
        (403, JSON, ERROR, "auth"),
        (403, None, "", "auth"),
        // H6: too long.
        (413, HTML, "<html>", "too-large"),
        (413, JSON, ERROR, "too-large"),
        (414, None, "", "too-large"),
        (431, None, "", "too-large"),
        // H7.
        (429, JSON, ERROR, "wait"),
        (429, HTML, "", "wait"),
        // H5 and the other 4xx.
        (402, JSON, ERROR, "unknown"),
        (405, HTML, "", "unknown"),
        (408, JSON, ERROR, "unknown"),
        (409, JSON, ERROR, "unknown"),
        (410, JSON, MISSING, "unknown"),
        (425, JSON, ERROR, "unknown"),
        (418, None, "", "unknown"),
        // H11: a no that says success.
        (400, JSON, SUCCESS, "unknown"),
        (401, JSON, SUCCESS, "unknown"),
        (403, JSON, r#"{"status":"Deleted"}"#, "unknown"),
        (404, JSON, SUCCESS, "unknown"),
        (404, JSON, r#"{"status":"ok"}"#, "unknown"),
        (409, JSON, SUCCESS, "unknown"),
        (413, JSON, SUCCESS, "unknown"),
        (422, JSON, SUCCESS, "unknown"),
        (422, JSON, r#"{"status":true}"#, "unknown"),
        (429, JSON, SUCCESS, "unknown"),
        // H8, H9.
        (500, JSON, ERROR, "server-error"),
        (500, JSON, r#"{"status":"error"}"#, "server-error"),
        (500, JSON, SUCCESS, "unknown"),
        (500, HTML, ERROR, "unknown"),
        (500, JSON, "", "unknown"),
        (501, JSON, ERROR, "unknown"),
        (502, HTML, "<html>", "unknown"),
        (503, JSON, ERROR, "unknown"),
        (504, HTML, "", "unknown"),
        (520, None, "", "unknown"),
        (599, JSON, SUCCESS, "unknown"),
        (999, JSON, SUCCESS, "unknown"),
        (0, JSON, SUCCESS, "unknown"),
    ];
    for (status, content_type, body, label) in table {
        let outcome = interpret_delete(
            &Reply::Answered(answer(*status, *content_type, body.as_bytes())),
            3,
        );
        assert_eq!(
            outcome.label(),
            *label,
            "{status} {content_type:?} {body} gave {outcome:?}"
        );
    }
}

#[test]
fn invalid_utf_8_and_a_cut_body_confirm_nothing() {
    let mut cut = answer(200, JSON, SUCCESS.as_bytes());
    cut.cut = true;
    assert_eq!(
        row(&interpret_delete(&Reply::Answered(cut), 1)),
        ("unknown", "HTTP 200, a body beyond the limit (application/json)")
    );
    let broken = answer(200, JSON, b"{\"status\":\"success\",\"message\":\"\xff\"}");
    assert_eq!(interpret_delete(&Reply::Answered(broken), 1).label(), "unknown");
    let mut cut = answer(400, JSON, MISSING.as_bytes());
    cut.cut = true;
    assert_eq!(interpret_delete(&Reply::Answered(cut), 1).label(), "unknown");
}

#[test]
fn the_undocumented_flag_is_reported_only_when_it_is_true() {
    for (body, emptied_batch) in [
        (r#"{"status":"success"}"#, false),
        (r#"{"status":"success","deleteAll":true}"#, true),
        (r#"{"status":"success","deleteAll":false}"#, false),
        (r#"{"status":"success","deleteAll":"true"}"#, false),
        (r#"{"status":"success","deleteAll":null}"#, false),
    ] {
        assert_eq!(json(200, body), Outcome::Confirmed { emptied_batch }, "{body}");
    }
}

#[test]
fn a_missing_id_is_gone_for_one_file_and_a_refused_list_for_many() {
    for (status, body) in [
        (400, MISSING),
        (404, MISSING),
        (400, r#"{"status":"error","message":"File not found"}"#),
        (404, r#"{"status":"not_found","message":"Not found"}"#),
        (404, r#"{"message":"Batch does not exist."}"#),
    ] {
        assert_eq!(json_for(status, body, 1), Outcome::Gone, "{status} {body}");
        assert_eq!(json_for(status, body, 2).label(), "refused", "{status} {body}");
    }
}

#[test]
fn a_gateways_bare_not_found_never_means_that_a_file_is_gone() {
    for (status, body) in [
        (404, r#"{"message":"Not Found"}"#),
        (404, r#"{"message":"no Route matched with those values"}"#),
        (
            404,
            r#"{"message":"/documentClassification/deleteFiles not found"}"#,
        ),
        (404, r#"{"status":404,"message":"File not found"}"#),
        (400, r#"{"status":"error","message":"API key not found"}"#),
        (404, r#"{"status":"error","message":"User does not exist."}"#),
        (404, r#"{"status":"error","message":"Route not found"}"#),
        (422, MISSING),
        (400, r#"{"status":"error","message":"Invalid file"}"#),
        (404, r#"{"status":"error"}"#),
    ] {
        assert_eq!(json_for(status, body, 1).label(), "refused", "{status} {body}");
    }
}

#[test]
fn a_foreign_404_says_that_the_address_is_wrong() {
    let outcome = interpret_delete(
        &Reply::Answered(answer(404, HTML, b"<pre>Cannot DELETE /x</pre>")),
        1,
    );
    assert_eq!(
        outcome,
        Outcome::Refused(Refusal::WrongAddress {
            reason: "HTTP 404, no valid JSON object (text/html), not from the API: is base_url right?"
                .to_owned()
        })
    );
}

#[test]
fn an_extraction_delete_is_confirmed_by_its_own_status_only() {
    let read = |status, body: &str| {
        interpret_extraction_delete(&Reply::Answered(answer(status, JSON, body.as_bytes())))
    };
    let confirmed = Outcome::Confirmed { emptied_batch: false };
    assert_eq!(
        read(200, r#"{"status":"deleted","deletedAt":1740864032426}"#),
        confirmed
    );
    assert_eq!(read(200, r#"{"status":"deleted"}"#), confirmed);
    assert_eq!(read(200, SUCCESS).label(), "unknown");
    assert_eq!(read(200, r#"{"status":"Deleted"}"#).label(), "unknown");
    assert_eq!(read(404, r#"{"status":"deleted"}"#).label(), "unknown");
    assert_eq!(
        read(400, r#"{"status":"error","message":"Extraction does not exist"}"#),
        Outcome::Gone
    );
    assert_eq!(
        read(400, r#"{"status":"error","message":"bad id"}"#).label(),
        "refused"
    );
    assert_eq!(read(500, ERROR), Outcome::ServerError);
    assert_eq!(read(401, ERROR), Outcome::Refused(Refusal::Auth { status: 401 }));
}

#[test]
fn replies_without_an_answer_keep_their_meaning() {
    let not_sent = Reply::NotSent {
        reason: "connection refused".to_owned(),
    };
    assert_eq!(
        row(&interpret_delete(&not_sent, 1)),
        ("not-sent", "connection refused")
    );
    let lost = Reply::Lost {
        reason: "no answer within 60 s".to_owned(),
    };
    assert_eq!(
        row(&interpret_delete(&lost, 1)),
        ("unknown", "no answer within 60 s")
    );
    let long = Reply::TooLong { bytes: 70_000 };
    assert_eq!(interpret_delete(&long, 200), Outcome::Refused(Refusal::TooLarge));
}

#[test]
fn a_wait_is_read_from_the_headers_and_the_answers_own_date() {
    let mut wait = answer(429, JSON, ERROR.as_bytes());
    assert_eq!(
        interpret_delete(&Reply::Answered(wait.clone()), 1),
        Outcome::Wait { millis: None }
    );
    wait.retry_after = vec!["Mon, 23 Nov 2026 20:06:30 GMT".to_owned(), "30".to_owned()];
    wait.date = http_date("Mon, 23 Nov 2026 20:05:00 GMT");
    assert_eq!(
        interpret_delete(&Reply::Answered(wait), 1),
        Outcome::Wait { millis: Some(90_000) }
    );
}

#[test]
fn a_redirect_names_only_the_host_it_points_to() {
    let mut redirect = answer(307, HTML, b"");
    redirect.redirect_host = Some("evil.example\u{1b}/x?y".to_owned());
    assert_eq!(
        row(&interpret_delete(&Reply::Answered(redirect), 1)),
        ("unknown", "HTTP 307, not followed, to evil.examplexy")
    );
}

#[test]
fn reasons_carry_the_cleaned_message_and_nothing_else_of_the_body() {
    let body = r#"{"status":"error","message":"file -OKI_FueqSWiExyfS310 at https://x.test/cv.pdf?sig=1 is\u001b[31m locked","url":"https://y.test"}"#;
    assert_eq!(
        row(&json(400, body)),
        ("refused", "HTTP 400: file <id> at <link> is\\u{1b}[31m locked")
    );
    assert_eq!(
        row(&json(200, ERROR)),
        (
            "unknown",
            "HTTP 200, without the status that confirms: Internal server error"
        )
    );
    let long = format!(r#"{{"status":"error","message":"{}"}}"#, "very long ".repeat(100));
    assert_eq!(json(400, &long).reason().map(|r| r.chars().count()), Some(200));
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        "\\PC{0,80}".prop_map(String::into_bytes),
        r#"[ ]?\{"status":"(success|error|deleted|Success)?"(,"message":"[a-z .]{0,20}")?(,"deleteAll":(true|false|1))?\}?[ x]?"#
            .prop_map(String::into_bytes),
    ]
}

/// An independent, slower reading of "exactly the documented success".
fn is_exact_success(answer: &Answer, word: &str) -> bool {
    answer.status == 200
        && !answer.cut
        && answer
            .content_type
            .as_deref()
            .is_none_or(|t| t.starts_with("application/json"))
        && serde_json::from_slice::<serde_json::Value>(&answer.body)
            .is_ok_and(|v| v.is_object() && v["status"] == word)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_answer_panics_and_only_the_exact_success_confirms(
        status in prop_oneof![Just(200_u16), 100_u16..600, any::<u16>()],
        content_type in prop_oneof![Just(None), Just(JSON), Just(HTML)],
        body in bodies(),
        files in 0_usize..4,
        cut in proptest::bool::weighted(0.1),
        retry_after in proptest::collection::vec("\\PC{0,12}", 0..3),
    ) {
        let mut given = answer(status, content_type, &body);
        given.cut = cut;
        given.retry_after = retry_after;
        for (outcome, word) in [
            (interpret_delete(&Reply::Answered(given.clone()), files), "success"),
            (interpret_extraction_delete(&Reply::Answered(given.clone())), "deleted"),
        ] {
            let confirmed = matches!(outcome, Outcome::Confirmed { .. });
            prop_assert_eq!(confirmed, is_exact_success(&given, word), "{:?}", outcome);
            let reason = outcome.reason().unwrap_or_default();
            prop_assert!(reason.chars().count() <= 200);
            prop_assert!(!reason.chars().any(char::is_control));
        }
    }
}

#[test]
fn every_label_is_on_the_list_that_metrics_begin_with() {
    let reason = || String::new();
    let outcomes = [
        Outcome::NotSent { reason: reason() },
        Outcome::Confirmed { emptied_batch: false },
        Outcome::Gone,
        Outcome::Refused(Refusal::Auth { status: 401 }),
        Outcome::Refused(Refusal::TooLarge),
        Outcome::Refused(Refusal::WrongAddress { reason: reason() }),
        Outcome::Refused(Refusal::List { reason: reason() }),
        Outcome::Wait { millis: None },
        Outcome::ServerError,
        Outcome::Unknown { reason: reason() },
    ];
    let labels: std::collections::BTreeSet<_> = outcomes.iter().map(Outcome::label).collect();
    assert_eq!(labels, Outcome::LABELS.into_iter().collect());
}
