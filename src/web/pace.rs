//! How often something may happen: so many times at once, and then so many times a second.

use std::sync::{Mutex, PoisonError};

use crate::domain::time::{SECOND_US, Timestamp};

/// A share that is used up and grows again.
#[derive(Debug)]
pub struct Pace {
    /// Times at once.
    most: i64,
    /// Microseconds after which it may happen once more.
    every_us: i64,
    /// What is left, in microseconds, and when that was so.
    left: Mutex<(i64, Timestamp)>,
}

impl Pace {
    /// `most` times at once, and then `per_second` times a second.
    pub const fn new(most: i64, per_second: i64) -> Pace {
        let every_us = SECOND_US / per_second;
        Pace { most, every_us, left: Mutex::new((most * every_us, Timestamp(i64::MIN / 2))) }
    }

    /// Whether it may happen now; then it counts. A clock that goes back gives nothing.
    pub fn takes(&self, now: Timestamp) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.0.saturating_sub(left.1.0).max(0);
        let full = self.most * self.every_us;
        *left = (left.0.saturating_add(passed).min(full), now);
        let is_enough = left.0 >= self.every_us;
        if is_enough {
            left.0 -= self.every_us;
        }
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_used_up_and_grows_again() {
        let pace = Pace::new(3, 2);
        let mut now = Timestamp(1_700_000_000_000_000);
        assert!((0..3).all(|_| pace.takes(now)));
        assert!(!pace.takes(now));
        now = now.plus_us(SECOND_US / 2);
        assert!(pace.takes(now) && !pace.takes(now));
        now = now.plus_us(3_600 * SECOND_US);
        assert!((0..3).all(|_| pace.takes(now)) && !pace.takes(now), "no more than at once");
        assert!(!pace.takes(now.plus_us(-SECOND_US)), "a clock that goes back");
    }
}
