//! The connection to the feed: when to try, when to give it up, what is still owed after it opened.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::domain::time::SECOND_US;

/// The first pause before another try, and the longest.
const PAUSE_MIN_US: i64 = SECOND_US;
const PAUSE_MAX_US: i64 = 30 * SECOND_US;
/// How long a connection may take to open.
const OPEN_US: i64 = 20 * SECOND_US;
/// How long it may be without any sign of life, pings included.
const LIFE_US: i64 = 30 * SECOND_US;
/// How long the feed may take to say where each key stands.
const SNAPSHOT_US: i64 = 10 * SECOND_US;

/// Where the connection stands. Times are of this machine's steady clock.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Waiting { until_us: i64 },
    Opening { since_us: i64 },
    Up { life_us: i64, asked_us: i64, is_told: bool },
}

/// The connection.
#[derive(Clone, Debug)]
pub struct Link {
    state: State,
    /// Keys, by place, of which nothing was heard on this connection.
    pub missing: BTreeSet<usize>,
    tries: u32,
    dice: ChaCha8Rng,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// Connect.
    Connect,
    /// Give the connection up; why.
    GiveUp(&'static str),
    /// Ask again for the keys that are missing.
    AskAgain,
}

impl Link {
    /// No connection yet; the first try is due at once.
    pub fn new(seed: u64) -> Link {
        let dice = ChaCha8Rng::seed_from_u64(seed);
        let state = State::Waiting { until_us: i64::MIN };
        Link { state, missing: BTreeSet::new(), tries: 0, dice }
    }

    /// Whether there is a connection.
    pub const fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// The connection is open, and `keys` places are subscribed.
    pub fn open(&mut self, keys: usize, now_us: i64) {
        self.missing = (0..keys).collect();
        self.state = State::Up { life_us: now_us, asked_us: now_us, is_told: false };
    }

    /// A sign of life.
    pub fn live(&mut self, now_us: i64) {
        if let State::Up { life_us, .. } = &mut self.state {
            *life_us = now_us;
        }
    }

    /// Something was heard of a key. Whether all have been heard of now, for the first time.
    pub fn hear(&mut self, place: usize) -> bool {
        self.missing.remove(&place);
        match &mut self.state {
            State::Up { is_told, .. } if self.missing.is_empty() && !*is_told => {
                *is_told = true;
                self.tries = 0;
                true
            }
            _ => false,
        }
    }

    /// There is no connection any more. The pause before the next try, in microseconds: longer each
    /// time, until one leads to something, and never the same for all who were cut off together.
    pub fn close(&mut self, now_us: i64) -> i64 {
        let pause = PAUSE_MIN_US.saturating_mul(1 << self.tries.min(16)).min(PAUSE_MAX_US);
        let share = i64::from(self.dice.next_u32() % 1_000);
        let pause = pause / 2 + pause * share / 2_000;
        self.tries += 1;
        self.missing.clear();
        self.state = State::Waiting { until_us: now_us + pause };
        pause
    }

    /// What time has made due.
    pub fn due(&mut self, now_us: i64) -> Option<Due> {
        match &mut self.state {
            State::Waiting { until_us } if *until_us <= now_us => {
                self.state = State::Opening { since_us: now_us };
                Some(Due::Connect)
            }
            State::Opening { since_us } if now_us - *since_us >= OPEN_US => {
                Some(Due::GiveUp("it did not open in time"))
            }
            State::Up { life_us, .. } if now_us - *life_us >= LIFE_US => {
                Some(Due::GiveUp("it gave no sign of life"))
            }
            State::Up { asked_us, .. }
                if !self.missing.is_empty() && now_us - *asked_us >= SNAPSHOT_US =>
            {
                *asked_us = now_us;
                Some(Due::AskAgain)
            }
            _ => None,
        }
    }

    /// When something will be due, by the steady clock.
    pub fn next_us(&self) -> i64 {
        match self.state {
            State::Waiting { until_us } => until_us,
            State::Opening { since_us } => since_us + OPEN_US,
            State::Up { life_us, .. } if self.missing.is_empty() => life_us + LIFE_US,
            State::Up { life_us, asked_us, .. } => (life_us + LIFE_US).min(asked_us + SNAPSHOT_US),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_more_and_more_seldom_until_one_leads_to_something() {
        let (mut link, mut now) = (Link::new(7), 0);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            assert_eq!(link.due(now), Some(Due::Connect));
            assert_eq!(link.due(now), None, "one try at a time");
            pauses.push(link.close(now) as f64 / SECOND_US as f64);
            now = link.next_us();
        }
        let bounds = [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0];
        assert!(pauses.iter().zip(bounds).all(|(it, low)| (low..=2.0 * low).contains(it)));
        link.due(now);
        link.open(2, now);
        assert!(!link.hear(1));
        assert!(link.hear(0), "now all were heard of");
        assert!(!link.hear(0));
        assert!(link.close(now) <= SECOND_US);
    }

    #[test]
    fn a_connection_that_does_nothing_is_given_up() {
        let mut link = Link::new(7);
        link.due(0);
        assert_eq!(link.due(OPEN_US), Some(Due::GiveUp("it did not open in time")));
        link.open(1, 0);
        assert_eq!(link.due(SNAPSHOT_US), Some(Due::AskAgain));
        assert_eq!(link.due(SNAPSHOT_US + 1), None);
        link.hear(0);
        link.live(SNAPSHOT_US);
        assert_eq!(link.due(SNAPSHOT_US + LIFE_US - 1), None);
        let silent = Some(Due::GiveUp("it gave no sign of life"));
        assert_eq!(link.due(SNAPSHOT_US + LIFE_US), silent);
    }
}
