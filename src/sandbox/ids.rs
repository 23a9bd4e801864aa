//! Ids of the shapes seen in public client code: Firebase push ids for classifications, extractions and files; ten
//! letters and digits for batches (C).
//!
//! Knows nothing of what the ids name.

use std::sync::Arc;

/// The push id alphabet, in ASCII order, so that ids sort by creation time (Firebase, "The 2^120 Ways to Ensure
/// Unique Identifiers").
const PUSH: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Eight characters of six bits hold 48 bits of milliseconds.
const TIME_MASK: u64 = (1 << 48) - 1;
const TIME_CHARACTERS: usize = 8;
const RANDOM_CHARACTERS: usize = 12;

/// Makes ids; deterministic for a seed, a clock and a sequence of calls.
#[derive(Debug)]
pub(super) struct IdSource {
    random: u64,
    last_ms: Option<i64>,
    tail: [u8; RANDOM_CHARACTERS],
}

impl IdSource {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: seed,
            last_ms: None,
            tail: [0; RANDOM_CHARACTERS],
        }
    }

    /// A push id for `now_ms`. Within one millisecond ids rise by one, exactly as Firebase's own generator does.
    pub(super) fn push_id(&mut self, now_ms: i64) -> Arc<str> {
        if self.last_ms == Some(now_ms) {
            self.increment_tail();
        } else {
            self.tail = std::array::from_fn(|_| (self.next_random() & 63) as u8);
            self.last_ms = Some(now_ms);
        }
        let time = now_ms.max(0).unsigned_abs() & TIME_MASK;
        let mut id = String::with_capacity(TIME_CHARACTERS + RANDOM_CHARACTERS);
        for position in (0..TIME_CHARACTERS).rev() {
            id.push(char::from(PUSH[((time >> (6 * position)) & 63) as usize]));
        }
        id.extend(
            self.tail
                .iter()
                .map(|digit| char::from(PUSH[usize::from(*digit)])),
        );
        Arc::from(id)
    }

    /// A batch id: ten of `[A-Za-z0-9]`, without a time.
    pub(super) fn batch_id(&mut self) -> Arc<str> {
        let id: String = (0..10)
            .map(|_| char::from(ALPHANUMERIC[(self.next_random() % 62) as usize]))
            .collect();
        Arc::from(id)
    }

    fn increment_tail(&mut self) {
        for digit in self.tail.iter_mut().rev() {
            if *digit < 63 {
                *digit += 1;
                return;
            }
            *digit = 0;
        }
    }

    /// splitmix64: small, well spread, and no dependency for something that need not be secret.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn push_id_begins_with_its_time() {
        let id = IdSource::new(1).push_id(1_740_864_032_426);
        assert_eq!(&id[..8], "-OKI_Fue");
        assert_eq!(id.len(), 20);
        assert!(id.bytes().all(|byte| PUSH.contains(&byte)));
    }

    #[test]
    fn push_ids_of_one_millisecond_rise_by_one() {
        let mut source = IdSource::new(2);
        let ids: Vec<_> = (0..10_000).map(|_| source.push_id(1_740_864_032_426)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn push_ids_sort_by_time_and_carry_over_a_full_tail() {
        let mut source = IdSource::new(3);
        let first = source.push_id(1_000);
        assert!(first < source.push_id(1_001));
        source.tail = [63; RANDOM_CHARACTERS];
        source.tail[0] = 5;
        assert_eq!(&source.push_id(1_001)[8..], "5-----------");
    }

    #[test]
    fn batch_id_has_ten_letters_or_digits() {
        let mut source = IdSource::new(4);
        let (one, two) = (source.batch_id(), source.batch_id());
        assert_ne!(one, two);
        assert!(one.len() == 10 && one.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }

    #[test]
    fn same_seed_gives_the_same_ids() {
        assert_eq!(IdSource::new(5).push_id(7), IdSource::new(5).push_id(7));
    }
}
