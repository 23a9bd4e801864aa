//! Answers of the API: `Retry-After` and bodies, damaged in every way that a network or a proxy knows.

use proptest::prelude::*;

use super::oracles;

const ANSWERS: [&str; 6] = [
    r#"{"status":"success","message":"Files deleted successfully"}"#,
    r#"{"status":"success","message":"Batch emptied","deleteAll":true,"remaining":[{"fileId":"F"}]}"#,
    r#"{"status":"deleted","deletedAt":"2026-11-23T20:06:30Z"}"#,
    r#"{"status":"error","message":"File does not exist"}"#,
    r#"{"status":"error","message":"Internal server error"}"#,
    r#"{"status":"success","classificationId":"C","batchId":"B","files":[{"fileId":"F","status":"processed","url":"https://x.test/a?sig=1","extraction":{"extractionId":"E","batchId":"X","fileId":"Y"}}]}"#,
];

/// What happens to bytes on the way.
#[derive(Debug, Clone)]
enum Damage {
    Put(usize, Vec<u8>),
    Cut(usize),
    Flip(usize, u8),
    Double(usize, usize),
    Lead(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let words = prop::sample::select(vec![
        &b"\""[..],
        b"\\",
        b"\\u0000",
        b"\\ud800",
        b"\xff",
        b"\xc3",
        b"\0",
        b"null",
        b"true",
        b",",
        b"}",
        b"{",
        b"[",
        b"]",
        b"\"status\":\"error\",",
        b"\"status\":\"success\",",
        b"\"status\":7,",
        b"S",
        b" ",
        b"\n",
        b"\xef\xbb\xbf",
        b"1e999",
    ])
    .prop_map(<[u8]>::to_vec);
    prop_oneof![
        3 => (any::<usize>(), words).prop_map(|(at, bytes)| Damage::Put(at, bytes)),
        1 => any::<usize>().prop_map(Damage::Cut),
        3 => (any::<usize>(), 0_u8..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        1 => (any::<usize>(), 1_usize..30).prop_map(|(at, len)| Damage::Double(at, len)),
        1 => prop::sample::select(vec![&b"\xef\xbb\xbf"[..], b" ", b"<html>", b"\x1f\x8b"]).prop_map(|b| Damage::Lead(b.to_vec())),
    ]
}

fn damaged(body: &str, damages: &[Damage]) -> Vec<u8> {
    let mut bytes = body.as_bytes().to_vec();
    for damage in damages {
        let within = |at: usize| at % (bytes.len() + 1);
        match damage {
            Damage::Put(at, with) => {
                let at = within(*at);
                bytes.splice(at..at, with.iter().copied());
            }
            Damage::Cut(at) => bytes.truncate(within(*at)),
            Damage::Flip(at, bit) => {
                let at = within(*at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Damage::Double(at, len) => {
                let at = within(*at);
                let again = bytes[at..(at + len).min(bytes.len())].to_vec();
                bytes.splice(at..at, again);
            }
            Damage::Lead(with) => drop(bytes.splice(0..0, with.iter().copied())),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6000))]

    #[test]
    fn a_damaged_answer_never_panics_and_only_the_exact_success_confirms(
        body in prop::sample::select(&ANSWERS[..]),
        damages in prop::collection::vec(damage(), 0..4),
        status in any::<u8>(),
        declared in any::<u8>(),
    ) {
        let body = damaged(body, &damages);
        let mut bytes = vec![status, declared];
        bytes.extend_from_slice(&body);
        oracles::response(&bytes);
        // As if it were the best of answers, whatever was drawn.
        oracles::judged(200, Some("application/json"), &body, false);
    }

    #[test]
    fn any_bytes_are_no_confirmation(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        oracles::response(&bytes);
    }

    #[test]
    fn any_retry_after_gives_a_wait_within_a_day_and_none_shorter_than_asked(
        headers in prop::collection::vec(prop_oneof![
            "\\PC{0,30}",
            any::<u64>().prop_map(|n| n.to_string()),
            any::<i16>().prop_map(|n| n.to_string()),
            "(Mon|Tue|Sun), [0-3][0-9] (Jan|Nov|Foo) [0-9]{2,5} [0-2][0-9]:[0-6][0-9]:[0-6][0-9] (GMT|UTC|CET)",
            "(Monday|Friday), [0-3][0-9]-(Jan|Nov)-[0-9]{2} [0-2][0-9]:[0-6][0-9]:[0-6][0-9] GMT",
            Just("Mon, 23 Nov 2026 20:06:30 GMT".to_owned()),
        ], 0..4),
    ) {
        oracles::retry_after(headers.join("\n").as_bytes());
    }
}

#[test]
fn broken_text_anywhere_in_an_answer_is_no_confirmation() {
    for body in [
        &b"{\"status\":\"success\",\"x\":\"\xff\"}"[..],
        b"{\"status\":\"success\",\"x\":{\"y\":[\"\xc3\"]}}",
        b"{\"status\":\"success\",\"\xff\":1}",
        b"{\"status\":\"succ\xffess\"}",
    ] {
        oracles::judged(200, Some("application/json"), body, false);
    }
}
