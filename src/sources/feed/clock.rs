//! The exchange's clock, as far as the feed tells it. Messages say when they were built, but a
//! message that claims an odd time must not move the market: what came before, this machine's
//! steady clock and the trades in the message have a say.

use crate::domain::time::{SECOND_US, Timestamp};

use super::hours::Hours;

/// How market time goes on while nothing is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Not at all: a market that is played as fast as it is read.
    ByFrames,
    /// So many times as fast as this machine's steady clock: 1 for a real market.
    Times(u32),
}

/// How far a message without fresh trades may be off, either way, where the pace is known.
const OFF_US: i64 = 10 * SECOND_US;
/// How far it may be ahead where the pace is not known.
const AHEAD_US: i64 = 90 * SECOND_US;
/// How old the newest trade of a message is at most, if it is to vouch for the message's time.
const FRESH_US: i64 = 5 * SECOND_US;
/// How far this machine's clock may be off when the first message comes.
const FIRST_OFF_US: i64 = 300 * SECOND_US;

/// Market time against this machine's steady clock.
#[derive(Clone, Debug)]
pub struct MarketClock {
    pace: Pace,
    time: Timestamp,
    /// When that was, by the steady clock.
    at_us: i64,
    /// Whether a message has set it, and whether the first may set it to anything.
    is_set: bool,
    trusts_first: bool,
}

/// What a message's time is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// It is the market's time now.
    Taken,
    /// It is, and the clock jumped by so much to get there.
    Jumped(i64),
    /// It is older than what is known; nothing is wrong with that.
    Behind,
    /// It is odd, by so much. The clock did not move.
    Doubted(i64),
}

impl MarketClock {
    /// A clock that shows `time` at `at_us` of the steady clock, until a message comes.
    pub fn new(pace: Pace, trusts_first: bool, time: Timestamp, at_us: i64) -> MarketClock {
        MarketClock { pace, time, at_us, is_set: false, trusts_first }
    }

    /// Market time at `at_us` of the steady clock.
    pub fn now(&self, at_us: i64) -> Timestamp {
        match self.pace {
            Pace::ByFrames => self.time,
            Pace::Times(times) => {
                self.time.plus_us((at_us - self.at_us).max(0).saturating_mul(i64::from(times)))
            }
        }
    }

    /// The market is over: it is `time` at least, at `at_us` of the steady clock.
    pub fn finish(&mut self, time: Timestamp, at_us: i64) {
        (self.time, self.at_us) = (self.now(at_us).max(time), at_us);
    }

    /// A message says that it was built at `sent`; `trade` is the newest trade in it.
    pub fn hear(
        &mut self,
        sent: Timestamp,
        trade: Option<Timestamp>,
        at_us: i64,
        hours: &Hours,
    ) -> Belief {
        let expected = self.now(at_us);
        let off = sent.0 - expected.0;
        let is_fresh =
            trade.is_some_and(|trade| (-FRESH_US..=FRESH_US).contains(&(sent.0 - trade.0)));
        let is_usual = match self.pace {
            Pace::ByFrames => off <= AHEAD_US || self.is_next_day(sent, hours),
            Pace::Times(times) => off.abs() <= OFF_US * i64::from(times.max(1)),
        };
        let is_first = !self.is_set && (off.abs() <= FIRST_OFF_US || self.trusts_first);
        if !(is_usual || is_fresh || is_first) {
            return if off < 0 { Belief::Behind } else { Belief::Doubted(off) };
        }
        if off <= 0 && self.is_set {
            return Belief::Behind;
        }
        (self.time, self.at_us, self.is_set) = (sent, at_us, true);
        if is_usual { Belief::Taken } else { Belief::Jumped(off) }
    }

    /// From one day to the next, where nothing is said at night.
    fn is_next_day(&self, sent: Timestamp, hours: &Hours) -> bool {
        let is_early = hours.session_open(sent).is_none_or(|open| sent.0 < open.0 + AHEAD_US);
        !hours.is_any_open(self.time) && is_early
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Window;

    fn at(clock: &str) -> Timestamp {
        Timestamp::parse(&format!("2024-10-01T{clock}")).unwrap()
    }

    #[test]
    fn a_real_market_goes_on_by_itself_and_odd_times_do_not_move_it() {
        let hours = Hours::of(vec![Window { open: at("09:15"), close: at("15:30") }]);
        let mut clock = MarketClock::new(Pace::Times(1), false, at("09:59:30"), 0);
        let second = SECOND_US;
        assert_eq!(clock.hear(at("10:00"), None, 0, &hours), Belief::Jumped(30 * second));
        assert_eq!(clock.now(2 * second), at("10:00:02"));
        let hour = 3_600 * second;
        let odd = clock.hear(at("11:00:02"), Some(at("10:00:02")), 2 * second, &hours);
        assert_eq!(odd, Belief::Doubted(hour));
        assert_eq!(clock.hear(at("09:00:02"), None, 2 * second, &hours), Belief::Behind);
        assert_eq!(clock.hear(at("10:00:03"), None, 2 * second, &hours), Belief::Taken);
        // This machine slept. The trades say that the message is right.
        let woken = clock.hear(at("10:30"), Some(at("10:29:59")), 3 * second, &hours);
        assert_eq!(woken, Belief::Jumped(1_796 * second));
    }

    #[test]
    fn a_played_market_moves_by_its_messages_and_skips_the_night() {
        let hours = Hours::of(vec![Window { open: at("09:15"), close: at("15:30") }]);
        let mut clock = MarketClock::new(Pace::ByFrames, true, at("09:00"), 0);
        assert_eq!(clock.hear(at("09:15"), None, 0, &hours), Belief::Taken);
        assert_eq!(clock.hear(at("09:16"), None, 0, &hours), Belief::Taken);
        assert!(matches!(clock.hear(at("10:16"), None, 0, &hours), Belief::Doubted(_)));
        assert_eq!(clock.now(1 << 40), at("09:16"));
        let fresh = clock.hear(at("10:16"), Some(at("10:16")), 0, &hours);
        assert_eq!(fresh, Belief::Jumped(3_600 * SECOND_US));
    }
}
