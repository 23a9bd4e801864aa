//! Forms as clients send them, cut in pieces at every place.

use super::*;

/// As Python's `requests` sends it: the fields first, file names quoted.
const REQUESTS: &str = "--b0undary\r\nContent-Disposition: form-data; name=\"classificationId\"\r\n\r\n-OKI_FueqSWiExyfS310\r\n\
--b0undary\r\nContent-Disposition: form-data; name=\"batchId\"\r\n\r\nabcdefghij\r\n\
--b0undary\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a; name=\\\"x\\\".pdf\"\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n--b0undarx\r\n--\r\n\
--b0undary\r\nContent-Disposition: form-data; name=\"files\"; filename*=utf-8''%C3%BC.pdf\r\n\r\n\r\n\
--b0undary--\r\n";

/// As others do: a preamble, heads in another case, a file before the field.
const OTHERS: &str = "preamble\r\n--x\r\ncontent-type: text/plain\r\ncontent-disposition:form-data;filename=a.txt;name=files\r\n\r\nhello\r\n--x\r\nContent-Disposition: form-data; name=extractionId\r\n\r\nE1\r\n--x--";

fn read(content_type: &str, body: &[u8], piece: usize) -> Fields {
    let mut form = Form::new(Some(content_type));
    for piece in body.chunks(piece) {
        form.push(piece);
    }
    form.fields().clone()
}

#[test]
fn fields_and_files_are_found_wherever_the_body_is_cut() {
    for piece in 1..REQUESTS.len() {
        let fields = read(
            "multipart/form-data; boundary=b0undary",
            REQUESTS.as_bytes(),
            piece,
        );
        assert_eq!(
            (
                fields.classification.as_deref(),
                fields.batch.as_deref(),
                fields.files()
            ),
            (Some("-OKI_FueqSWiExyfS310"), Some("abcdefghij"), Some(2)),
            "cut every {piece} bytes"
        );
    }
    for piece in 1..OTHERS.len() {
        let fields = read(
            "Multipart/Form-Data; charset=utf-8; boundary=\"x\"",
            OTHERS.as_bytes(),
            piece,
        );
        assert_eq!(
            (fields.extraction.as_deref(), fields.files()),
            (Some("E1"), Some(1)),
            "cut every {piece} bytes"
        );
    }
}

#[test]
fn a_form_that_breaks_off_or_is_none_counts_nothing() {
    let cut = &REQUESTS[..REQUESTS.len() - 6];
    let fields = read("multipart/form-data; boundary=b0undary", cut.as_bytes(), 7);
    assert_eq!(fields.files(), None);
    assert!(fields.has_file());
    for content_type in [
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=b0undary",
    ] {
        let fields = read(content_type, REQUESTS.as_bytes(), 100);
        assert_eq!(fields, Fields::default(), "{content_type}");
    }
}

#[test]
fn memory_does_not_grow_with_the_file() {
    let mut form = Form::new(Some("multipart/form-data; boundary=b"));
    form.push(b"--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a\"\r\n\r\n");
    for _ in 0..100 {
        form.push(&[b'-'; 64 * 1024]);
        assert!(form.rest.len() < 16, "{} bytes are kept", form.rest.len());
    }
    form.push(b"\r\n--b--");
    assert_eq!(form.fields().files(), Some(1));
}

#[test]
fn a_text_field_without_end_is_not_kept() {
    let mut form = Form::new(Some("multipart/form-data; boundary=b"));
    form.push(b"--b\r\nContent-Disposition: form-data; name=\"batchId\"\r\n\r\n");
    for _ in 0..100 {
        form.push(&[b'x'; 1024]);
    }
    assert!(form.rest.len() < 16, "{} bytes are kept", form.rest.len());
    form.push(b"\r\n--b--");
    assert_eq!(
        (form.fields().batch.as_deref(), form.fields().files()),
        (None, Some(0))
    );
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_followed_without_a_panic(body: Vec<u8>, piece in 1_usize..64) {
        read("multipart/form-data; boundary=b", &body, piece);
        let mut framed = b"--b\r\n".to_vec();
        framed.extend(body);
        read("multipart/form-data; boundary=b", &framed, piece);
    }
}
