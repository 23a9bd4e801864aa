//! How a body travels: as it should, or as a scripted fault wants it.
//!
//! The last step of an exchange but one. Knows bytes and time, not what they mean.

use std::io;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream::{self, Stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;

use super::faults::Shape;

/// The body of every response of the sandbox.
pub(super) type ReplyBody = UnsyncBoxBody<Bytes, io::Error>;

/// A body and the headers that its shape needs.
pub(super) struct Shaped {
    pub(super) body: ReplyBody,
    /// Set where the length is promised apart from the bytes.
    pub(super) content_length: Option<u64>,
    pub(super) content_encoding: Option<&'static str>,
}

const ENDLESS_CHUNK: usize = 16 * 1024;

/// Shapes `bytes`, the body of the answer.
pub(super) fn shape(shape: Shape, bytes: Bytes) -> Shaped {
    let total = bytes.len() as u64;
    let (body, content_length, content_encoding) = match shape {
        Shape::Plain => (whole(bytes), None, None),
        Shape::Slow { interval_ms } => (slow(bytes, Duration::from_millis(interval_ms)), Some(total), None),
        Shape::Endless => (endless(), None, None),
        Shape::Truncated { missing } => (truncated(bytes, missing), Some(total), None),
        Shape::GzipBomb { bytes } => (whole(gzip_bomb(bytes)), None, Some("gzip")),
        Shape::InvalidUtf8 => {
            let body = b"{\"status\":\"success\",\"message\":\"Files \xFF\xFE deleted\"}";
            (whole(Bytes::from_static(body)), None, None)
        }
    };
    Shaped {
        body,
        content_length,
        content_encoding,
    }
}

fn whole(bytes: Bytes) -> ReplyBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn streamed(frames: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> ReplyBody {
    use futures_util::StreamExt as _;
    StreamBody::new(frames.map(|chunk| chunk.map(Frame::data))).boxed_unsync()
}

fn slow(bytes: Bytes, interval: Duration) -> ReplyBody {
    streamed(stream::unfold(bytes, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(interval).await;
        Some((Ok(rest.split_to(1)), rest))
    }))
}

fn endless() -> ReplyBody {
    let begin = Bytes::from_static(b"{\"status\":\"success\",\"message\":\"Files deleted\",\"padding\":\"");
    let more = Bytes::from(vec![b'a'; ENDLESS_CHUNK]);
    streamed(stream::unfold(begin, move |chunk| {
        let more = more.clone();
        async move { Some((Ok(chunk), more)) }
    }))
}

fn truncated(bytes: Bytes, missing: usize) -> ReplyBody {
    let kept = bytes.slice(..bytes.len().saturating_sub(missing));
    streamed(stream::unfold(Some(kept), |kept| async move {
        match kept {
            Some(kept) => Some((Ok(kept), None)),
            None => {
                // Lets the connection write out what it has before it is given up.
                tokio::task::yield_now().await;
                Some((Err(io::Error::from(io::ErrorKind::BrokenPipe)), None))
            }
        }
    }))
}

/// The longest match of deflate, in bytes.
const MATCH: u64 = 258;

/// A valid gzip member (RFC 1951, 1952) of at least `bytes` zeros: one literal, then matches of 258 at distance 1,
/// 13 bits each in the fixed code. About 159 to 1.
fn gzip_bomb(bytes: u64) -> Bytes {
    let matches = bytes.saturating_sub(1).div_ceil(MATCH);
    let mut out = BytesMut::new();
    out.put_slice(&[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3]);
    let mut bits = BitWriter {
        out: &mut out,
        held: 0,
        count: 0,
    };
    bits.number(0b011, 3); // the last block, fixed codes
    bits.code(0b0011_0000, 8); // literal 0
    for _ in 0..matches {
        bits.code(0b1100_0101, 8); // length 258
        bits.code(0, 5); // distance 1
    }
    bits.code(0, 7); // end of block
    bits.flush();
    let unpacked = 1 + matches * MATCH;
    out.put_u32_le(crc32_of_zeros(unpacked));
    out.put_u32_le(unpacked as u32);
    out.freeze()
}

struct BitWriter<'o> {
    out: &'o mut BytesMut,
    held: u32,
    count: u32,
}

impl BitWriter<'_> {
    /// Least significant bit first, as deflate writes numbers.
    fn number(&mut self, value: u32, width: u32) {
        self.held |= value << self.count;
        self.count += width;
        while self.count >= 8 {
            self.out.put_u8((self.held & 0xFF) as u8);
            self.held >>= 8;
            self.count -= 8;
        }
    }

    /// Most significant bit first, as deflate writes Huffman codes.
    fn code(&mut self, code: u32, width: u32) {
        self.number(code.reverse_bits() >> (32 - width), width);
    }

    fn flush(&mut self) {
        if self.count > 0 {
            self.number(0, 8 - self.count);
        }
    }
}

fn crc32_of_zeros(count: u64) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|byte| {
        (0..8).fold(byte as u32, |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            }
        })
    });
    !(0..count).fold(!0_u32, |crc, _| (crc >> 8) ^ table[(crc & 0xFF) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_zlib() {
        // zlib.crc32(bytes(1)), zlib.crc32(bytes(259))
        assert_eq!(crc32_of_zeros(1), 0xD202_EF8D);
        assert_eq!(crc32_of_zeros(259), 0xC276_FC68);
    }

    #[test]
    fn a_bomb_is_small_and_promises_much() {
        let bomb = gzip_bomb(16 * 1024 * 1024);
        assert!(bomb.len() < 110_000, "{} bytes", bomb.len());
        let size = u32::from_le_bytes(bomb[bomb.len() - 4..].try_into().unwrap());
        assert!(size >= 16 * 1024 * 1024);
        assert_eq!(&bomb[..3], &[0x1F, 0x8B, 8]);
    }
}
