//! How many delete requests may be under way at once: fewer when the API is busy, one more when it has recovered.
//!
//! Additive increase, multiplicative decrease: a 429 halves the number, answers that take much longer than
//! usual take one off it, and a run of good answers gives one back, up to `[extracta] concurrency`.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Good answers in a row that give one request more.
const RECOVERY: u32 = 16;

/// An answer is slow when it takes so many times the usual…
const SLOW_TIMES: u32 = 4;

/// …and so much longer: a server that is asked in vain about milliseconds is not busy.
const SLOW_BY: Duration = Duration::from_millis(250);

/// The usual time moves by this part towards each answer.
const INERTIA: u32 = 8;

/// What an answer says about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// It answered.
    Answered,
    /// It asked to be left alone (429).
    TooMany,
    /// Nothing can be said: nothing was sent, or nothing came back.
    None,
}

/// Leave for requests, a changing number of them at once.
#[derive(Debug)]
pub(super) struct Throttle {
    most: u32,
    places: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    allowed: u32,
    /// Places that are taken away as soon as they are given back.
    owed: u32,
    good: u32,
    /// Answers to hear before the next one may count as slow again.
    deaf: u32,
    usual: Option<Duration>,
}

/// Leave for one request, until it is dropped.
#[derive(Debug)]
#[must_use = "the request may be made while this is held"]
pub(super) struct Leave<'a> {
    throttle: &'a Throttle,
    place: Option<SemaphorePermit<'a>>,
}

impl Throttle {
    /// At most `most` requests at once, and never none.
    pub(super) fn new(most: usize) -> Self {
        let most = u32::try_from(most).unwrap_or(u32::MAX).max(1);
        Self {
            most,
            places: Semaphore::new(most as usize),
            state: Mutex::new(State {
                allowed: most,
                owed: 0,
                good: 0,
                deaf: 0,
                usual: None,
            }),
        }
    }

    /// Waits for a place.
    pub(super) async fn enter(&self) -> Leave<'_> {
        let place = self.places.acquire().await.expect("the throttle is never closed");
        Leave {
            throttle: self,
            place: Some(place),
        }
    }

    /// An answer came after `took`.
    pub(super) fn heard(&self, sign: Sign, took: Duration) {
        let mut state = self.state();
        let before = state.allowed;
        match sign {
            Sign::None => return,
            Sign::TooMany => {
                state.good = 0;
                state.allowed = (before / 2).max(1);
            }
            Sign::Answered => state.answered(took, self.most),
        }
        let after = state.allowed;
        if after > before {
            // One that is owed is simply not taken away.
            if state.owed > 0 {
                state.owed -= 1;
            } else {
                self.places.add_permits(1);
            }
        } else if after < before {
            let free = self.places.forget_permits((before - after) as usize);
            state.owed += before - after - u32::try_from(free).expect("no more than asked for");
        }
        drop(state);
        if after < before {
            tracing::info!(requests_at_once = after, "the API is busy: slowing down");
        } else if after > before {
            tracing::debug!(
                requests_at_once = after,
                "the API answers well: one more request at once"
            );
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

impl State {
    fn answered(&mut self, took: Duration, most: u32) {
        let usual = *self.usual.get_or_insert(took);
        self.deaf = self.deaf.saturating_sub(1);
        if took > usual * SLOW_TIMES && took > usual + SLOW_BY {
            self.good = 0;
            // The others that are under way are slow for the same reason: they count once together.
            if self.deaf == 0 {
                self.deaf = self.allowed;
                self.allowed = (self.allowed - 1).max(1);
            }
        } else {
            self.good += 1;
            if self.good >= RECOVERY {
                self.good = 0;
                self.allowed = (self.allowed + 1).min(most);
            }
        }
        // A server that stays slow is what is usual, after a while.
        self.usual = Some(usual * (INERTIA - 1) / INERTIA + took / INERTIA);
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut state = self.throttle.state();
        if state.owed > 0 {
            state.owed -= 1;
            if let Some(place) = self.place.take() {
                place.forget();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(20);
    const SLOW: Duration = Duration::from_millis(600);

    impl Throttle {
        fn allowed(&self) -> u32 {
            self.state().allowed
        }
    }

    /// Enters as often as there is room.
    fn room(throttle: &Throttle) -> usize {
        let mut inside = Vec::new();
        while let Ok(place) = throttle.places.try_acquire() {
            inside.push(place);
        }
        inside.len()
    }

    #[tokio::test]
    async fn too_many_requests_halve_the_number_and_good_answers_bring_it_back_one_by_one() {
        let throttle = Throttle::new(8);
        throttle.heard(Sign::TooMany, QUICK);
        assert_eq!((throttle.allowed(), room(&throttle)), (4, 4));
        throttle.heard(Sign::TooMany, QUICK);
        throttle.heard(Sign::TooMany, QUICK);
        throttle.heard(Sign::TooMany, QUICK);
        assert_eq!((throttle.allowed(), room(&throttle)), (1, 1));
        for more in 1..=10 {
            for _ in 0..RECOVERY {
                throttle.heard(Sign::Answered, QUICK);
            }
            let expected = (1 + more).min(8);
            assert_eq!(
                (throttle.allowed(), room(&throttle)),
                (expected, expected as usize)
            );
        }
    }

    #[tokio::test]
    async fn requests_under_way_are_let_finish_and_nobody_takes_their_place() {
        let throttle = Throttle::new(4);
        let mut inside = Vec::new();
        for _ in 0..4 {
            inside.push(throttle.enter().await);
        }
        throttle.heard(Sign::TooMany, QUICK);
        assert_eq!(room(&throttle), 0);
        inside.pop();
        inside.pop();
        assert_eq!(room(&throttle), 0);
        inside.pop();
        assert_eq!(room(&throttle), 1);
        inside.pop();
        assert_eq!((throttle.allowed(), room(&throttle)), (2, 2));
        for _ in 0..2 * RECOVERY {
            throttle.heard(Sign::Answered, QUICK);
        }
        assert_eq!(room(&throttle), 4);
    }

    #[tokio::test]
    async fn slow_answers_take_one_step_together_and_a_slow_server_becomes_the_usual_one() {
        let throttle = Throttle::new(4);
        for _ in 0..5 {
            throttle.heard(Sign::Answered, QUICK);
        }
        for _ in 0..4 {
            throttle.heard(Sign::Answered, SLOW);
        }
        assert_eq!(throttle.allowed(), 3);
        for _ in 0..100 {
            throttle.heard(Sign::Answered, SLOW);
        }
        assert_eq!(throttle.allowed(), 4);
    }

    #[tokio::test]
    async fn milliseconds_and_lost_answers_change_nothing() {
        let throttle = Throttle::new(4);
        throttle.heard(Sign::Answered, Duration::from_millis(1));
        for _ in 0..9 {
            throttle.heard(Sign::Answered, Duration::from_millis(90));
            throttle.heard(Sign::None, Duration::from_secs(60));
        }
        assert_eq!(throttle.allowed(), 4);
    }
}
