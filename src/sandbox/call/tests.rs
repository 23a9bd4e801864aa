use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use hyper::Method;
use hyper::body::Frame;
use serde_json::json;

use super::*;
use crate::sandbox::route::route;

/// A piece of a body that knows how many of its kind are alive.
struct Piece {
    bytes: Vec<u8>,
    alive: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An upload of one large file, made as it is read; remembers the most pieces ever alive.
struct LargeUpload {
    pieces_left: usize,
    ended: bool,
    begun: bool,
    alive: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

const PIECE: usize = 64 * 1024;

impl Body for LargeUpload {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let bytes = if !self.begun {
            self.begun = true;
            b"--XX\r\ncontent-disposition: form-data; name=\"files\"; filename=\"a.pdf\"\r\n\r\n".to_vec()
        } else if self.pieces_left > 0 {
            self.pieces_left -= 1;
            vec![b'x'; PIECE]
        } else if !self.ended {
            self.ended = true;
            b"\r\n--XX--\r\n".to_vec()
        } else {
            return Poll::Ready(None);
        };
        let alive = self.alive.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(alive, Ordering::SeqCst);
        let piece = Piece {
            bytes,
            alive: Arc::clone(&self.alive),
        };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(piece)))))
    }
}

#[tokio::test]
async fn a_large_upload_is_never_held_in_memory() {
    let (alive, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let pieces = 512;
    let body = LargeUpload {
        pieces_left: pieces,
        ended: false,
        begun: false,
        alive: Arc::clone(&alive),
        most: Arc::clone(&most),
    };
    let request = Request::builder()
        .method(Method::POST)
        .header(CONTENT_TYPE, "multipart/form-data; boundary=XX")
        .body(body)
        .unwrap();
    let route = route(&Method::POST, "/api/v1/uploadFiles");
    let call = Call::read(route, String::new(), request).await.unwrap();
    let Payload::Upload { files, .. } = &call.payload else {
        panic!("{:?}", call.payload)
    };
    assert_eq!(files[0].bytes, (pieces * PIECE) as u64);
    assert_eq!(
        (call.body_bytes, alive.load(Ordering::SeqCst)),
        (files[0].bytes, 0)
    );
    assert!(
        most.load(Ordering::SeqCst) <= 8,
        "{} pieces at once",
        most.load(Ordering::SeqCst)
    );
}

fn json_call(body: Value) -> Call {
    Call {
        route: route(&Method::DELETE, "/api/v1/documentClassification/deleteFiles"),
        line: String::new(),
        key: None,
        payload: Payload::Json(body),
        body_bytes: 0,
    }
}

#[test]
fn references_are_falsy_as_in_javascript() {
    let body = json!({"a": null, "b": "", "c": 0, "d": false, "e": 0.0, "f": "-O", "g": [], "h": {}, "i": 1, "j": true});
    let call = json_call(body);
    for key in ["a", "b", "c", "d", "e", "missing"] {
        assert_eq!(call.reference(key), Reference::Falsy, "{key}");
    }
    for key in ["g", "h", "i", "j"] {
        assert_eq!(call.reference(key), Reference::Odd, "{key}");
    }
    assert_eq!(call.reference("f"), Reference::Id("-O"));
}

#[test]
fn file_lists_widen_when_anything_in_them_is_falsy() {
    let table = [
        (json!(["a", "b"]), FileList::Ids(vec!["a", "b"])),
        (json!([]), FileList::Widens),
        (json!(["a", ""]), FileList::Widens),
        (json!(null), FileList::Widens),
        (json!(["a", 7]), FileList::Odd),
        (json!("a"), FileList::Odd),
        (json!({}), FileList::Odd),
    ];
    for (list, expected) in table {
        assert_eq!(
            json_call(json!({"fileIds": list})).file_list(),
            expected,
            "{list}"
        );
    }
    assert_eq!(json_call(json!({})).file_list(), FileList::Widens);
}
