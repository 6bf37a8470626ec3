//! The exchange's clock, as far as the feed tells it. Messages say when they were built, but none
//! moves the market by its word alone: this machine's steady clock, the trades in the message and
//! other messages have a say.
//!
//! - A message that says about what was expected is believed, and moves the clock forward a little.
//! - One that says anything else is put aside until others agree with it: three, or twenty where
//!   this machine's own clock is against them by more than five minutes.
//! - Once the clock is agreed on, only messages whose trades are as fresh as they are can move it
//!   far. It goes back where for half a minute none of these is as late as it is itself.
//! - A stand-in exchange has a time of its own, so this machine's clock is no witness. Its first
//!   message has to lie in the days of the run, and nothing closes until three agree.

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

/// How far a message may be ahead to be believed by itself, where the pace is known. This and the
/// next lengths are of this machine's time: a market that runs faster has longer ones.
const NEAR_US: i64 = SECOND_US;
/// How far two messages may part that agree, and how far one without fresh trades may be off.
const OFF_US: i64 = 10 * SECOND_US;
/// How far this machine's clock may be off without any doubt, and how old a message may be.
const BOUND_US: i64 = 300 * SECOND_US;
/// How far a message may be ahead where the pace is not known.
const AHEAD_US: i64 = 90 * SECOND_US;
/// How old the newest trade of a message is at most, if it is to vouch for the message's time.
const FRESH_US: i64 = 5 * SECOND_US;
/// Messages that have to agree, and how many where this machine's clock is much against them.
const AGREED: u32 = 3;
const AGREED_AGAINST: u32 = 20;
/// How long a clock is ahead of all messages, and of how many at least, before it goes back. Where
/// the pace is not known there are only messages to count.
const BACK_US: i64 = 30 * SECOND_US;
const BACK_COUNT: u32 = 8;
const BACK_COUNT_BY_FRAMES: u32 = 32;
/// How long after the last session a stand-in may speak.
const AFTER_US: i64 = 3_600 * SECOND_US;

/// Market time against this machine's steady clock.
#[derive(Clone, Debug)]
pub struct MarketClock {
    pace: Pace,
    has_own_time: bool,
    /// The steady clock when this began.
    start_us: i64,
    /// Market time at that moment, as far as is known now; where the pace is not known, market
    /// time. In microseconds of the exchange's clock.
    offset_us: i64,
    /// The same by this machine's own clock, or the earliest that a stand-in can mean.
    own_us: i64,
    state: State,
    /// What some messages agree on, against the clock.
    rival: Option<Rival>,
    back: Back,
    /// Whether the last message that was judged was put aside.
    is_doubting: bool,
}

/// What the clock's time rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing: a stand-in has not spoken.
    Unheard,
    /// This machine's clock, or so many messages without a trade that vouches for them.
    Provisional(u32),
    /// Witnesses that do not know of each other.
    Agreed,
}

#[derive(Clone, Copy, Debug)]
struct Rival {
    /// The least of what they say, as an offset.
    least_us: i64,
    count: u32,
    are_fresh: bool,
}

/// Whether the clock is ahead of all that is said.
#[derive(Clone, Copy, Debug)]
struct Back {
    since_us: i64,
    count: u32,
    /// The most that was said since, as an offset.
    most_us: i64,
}

/// One message's time.
#[derive(Clone, Copy)]
struct Word {
    /// As an offset.
    offset_us: i64,
    at_us: i64,
    /// How far it is ahead of the clock.
    off_us: i64,
    /// Whether a trade in it is about as old as it is itself.
    is_fresh: bool,
    /// Whether a trade in it is younger than it is itself.
    is_contradicted: bool,
}

/// What a message's time is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// It is about what was expected, or older, and nothing is wrong with that.
    Taken,
    /// The clock jumped by so much to get there, because so many messages agree.
    Jumped {
        /// Forward, or back where negative; in microseconds.
        us: i64,
        /// How many.
        count: u32,
    },
    /// It is put aside. The clock did not move.
    Doubted {
        /// How far it is ahead of the clock, in microseconds.
        us: i64,
        /// Whether the one before it was not.
        is_news: bool,
    },
}

impl MarketClock {
    /// A clock that shows `time` at `at_us` of the steady clock, until messages know better. Where
    /// the exchange `has_own_time`, `time` is the earliest that it can mean.
    pub const fn new(pace: Pace, has_own_time: bool, time: Timestamp, at_us: i64) -> MarketClock {
        let state = if has_own_time { State::Unheard } else { State::Provisional(0) };
        let back = Back::since(at_us);
        let (start_us, offset_us, own_us) = (at_us, time.0, time.0);
        let (rival, is_doubting) = (None, false);
        MarketClock {
            pace,
            has_own_time,
            start_us,
            offset_us,
            own_us,
            state,
            rival,
            back,
            is_doubting,
        }
    }

    /// Market time at `at_us` of the steady clock.
    pub fn now(&self, at_us: i64) -> Timestamp {
        Timestamp(self.offset_us.saturating_add(self.passed_us(at_us)))
    }

    /// Whether minutes may close by it. This machine's clock will do until the feed has spoken, and
    /// what the feed said will where it `is_gone`.
    pub fn is_settled(&self, is_gone: bool) -> bool {
        match self.state {
            State::Agreed => true,
            State::Provisional(votes) => !self.has_own_time && (votes == 0 || is_gone),
            State::Unheard => false,
        }
    }

    /// The run was there already: a stand-in goes on from `time` and not from before.
    pub fn recall(&mut self, time: Timestamp) {
        if self.state == State::Unheard {
            self.own_us = self.own_us.max(time.0);
        }
    }

    /// The market is over: it is `time` at least, at `at_us` of the steady clock.
    pub fn finish(&mut self, time: Timestamp, at_us: i64) {
        self.offset_us += (time.0 - self.now(at_us).0).max(0);
        self.state = State::Agreed;
    }

    /// A message says that it was built at `sent`; `trade` is the newest trade in it.
    pub fn hear(
        &mut self,
        sent: Timestamp,
        trade: Option<Timestamp>,
        at_us: i64,
        hours: &Hours,
    ) -> Belief {
        let now = self.now(at_us);
        let word = Word {
            offset_us: sent.0 - self.passed_us(at_us),
            at_us,
            off_us: sent.0 - now.0,
            is_fresh: trade.is_some_and(|trade| (sent.0 - trade.0).abs() <= FRESH_US),
            is_contradicted: trade.is_some_and(|trade| sent.0 + FRESH_US < trade.0),
        };
        if self.has_own_time && !self.is_in_run(sent, hours) {
            return self.doubt(word);
        }
        if self.state == State::Unheard {
            (self.offset_us, self.state) = (word.offset_us, State::Provisional(1));
            self.back = Back::since(at_us);
            return Belief::Taken;
        }
        let ahead_us = match self.pace {
            Pace::ByFrames => AHEAD_US,
            Pace::Times(_) => self.scaled(NEAR_US),
        };
        let is_usual = (-self.scaled(OFF_US)..=ahead_us).contains(&word.off_us);
        let is_morning = self.has_own_time && is_next_morning(now, sent, hours);
        if is_usual || is_morning && !hours.is_any_open(now) {
            return self.confirm(word);
        }
        if word.is_contradicted {
            return self.doubt(word);
        }
        match self.state {
            State::Agreed if word.off_us < 0 => self.behind(word),
            State::Agreed if !(word.is_fresh || is_morning || self.is_little(word)) => {
                self.doubt(word)
            }
            State::Provisional(_) if !word.is_fresh && self.is_against(word) => self.doubt(word),
            _ => self.against(word),
        }
    }

    /// It is as expected, more or less.
    fn confirm(&mut self, word: Word) -> Belief {
        (self.rival, self.is_doubting) = (None, false);
        self.offset_us = self.offset_us.max(word.offset_us);
        if let State::Provisional(votes) = self.state {
            let is_known = match self.has_own_time {
                true => votes + 1 >= AGREED,
                false => word.is_fresh || !self.is_far(word, self.scaled(OFF_US)),
            };
            self.state = if is_known { State::Agreed } else { State::Provisional(votes + 1) };
        }
        if word.off_us > self.scaled(OFF_US) {
            // A long step. Those that follow come as far, or it is taken back.
            self.back = Back::since(word.at_us);
            return Belief::Taken;
        }
        self.look_back(word)
    }

    /// It is much older than the clock: it was on its way for long, or the clock is wrong.
    fn behind(&mut self, word: Word) -> Belief {
        if word.is_fresh {
            return self.look_back(word);
        }
        if word.off_us < -self.scaled(BOUND_US) { self.doubt(word) } else { Belief::Taken }
    }

    /// It says something else than the clock.
    fn against(&mut self, word: Word) -> Belief {
        let reach_us = match self.pace {
            Pace::ByFrames => AHEAD_US,
            Pace::Times(_) => self.scaled(OFF_US),
        };
        let agrees = |it: &Rival| (word.offset_us - it.least_us).abs() <= reach_us;
        let rival = match self.rival.filter(agrees) {
            Some(Rival { least_us, count, are_fresh }) => Rival {
                least_us: least_us.min(word.offset_us),
                count: count + 1,
                are_fresh: are_fresh && word.is_fresh,
            },
            None => Rival { least_us: word.offset_us, count: 1, are_fresh: word.is_fresh },
        };
        let needed = if self.is_against(word) { AGREED_AGAINST } else { AGREED };
        if rival.count < needed {
            self.rival = Some(rival);
            return if self.is_little(word) { Belief::Taken } else { self.doubt(word) };
        }
        let is_known = self.has_own_time || rival.are_fresh || self.state == State::Agreed;
        self.state = if is_known { State::Agreed } else { State::Provisional(rival.count) };
        self.jump(rival.least_us, word.at_us, rival.count)
    }

    /// Goes back if nobody has said for long that it is as late as this.
    fn look_back(&mut self, word: Word) -> Belief {
        self.back.count += 1;
        self.back.most_us = self.back.most_us.max(word.offset_us);
        let Back { since_us, count, most_us } = self.back;
        let (is_due, lead_us) = match self.pace {
            Pace::ByFrames => (count >= BACK_COUNT_BY_FRAMES, OFF_US),
            Pace::Times(_) => {
                let is_long = word.at_us - since_us >= BACK_US;
                (is_long && count >= BACK_COUNT, self.scaled(NEAR_US))
            }
        };
        if !is_due {
            return Belief::Taken;
        }
        self.back = Back::since(word.at_us);
        match self.offset_us - most_us > lead_us {
            true => self.jump(most_us, word.at_us, count),
            false => Belief::Taken,
        }
    }

    fn jump(&mut self, offset_us: i64, at_us: i64, count: u32) -> Belief {
        let us = offset_us - self.offset_us;
        (self.offset_us, self.rival, self.is_doubting) = (offset_us, None, false);
        self.back = Back::since(at_us);
        Belief::Jumped { us, count }
    }

    fn doubt(&mut self, word: Word) -> Belief {
        let is_news = !self.is_doubting;
        self.is_doubting = true;
        Belief::Doubted { us: word.off_us, is_news }
    }

    /// How much market time has passed by itself.
    fn passed_us(&self, at_us: i64) -> i64 {
        match self.pace {
            Pace::ByFrames => 0,
            Pace::Times(times) => (at_us - self.start_us).max(0).saturating_mul(i64::from(times)),
        }
    }

    /// A length of this machine's time as market time.
    fn scaled(&self, us: i64) -> i64 {
        match self.pace {
            Pace::ByFrames => us,
            Pace::Times(times) => us.saturating_mul(i64::from(times.max(1))),
        }
    }

    fn is_little(&self, word: Word) -> bool {
        word.off_us.abs() <= self.scaled(OFF_US)
    }

    /// Whether this machine's clock says something quite different.
    fn is_against(&self, word: Word) -> bool {
        !self.has_own_time && self.is_far(word, self.scaled(BOUND_US))
    }

    fn is_far(&self, word: Word, us: i64) -> bool {
        (word.offset_us - self.own_us).abs() > us
    }

    /// Whether a stand-in that plays the run's days can mean that time.
    fn is_in_run(&self, sent: Timestamp, hours: &Hours) -> bool {
        self.own_us <= sent.0 && hours.end().is_some_and(|end| sent.0 <= end.0 + AFTER_US)
    }
}

/// Whether `sent` is before the next session that begins after `now`: a stand-in says nothing at
/// night. Where there is none any more, all that is later is like that.
fn is_next_morning(now: Timestamp, sent: Timestamp, hours: &Hours) -> bool {
    let next = hours.next_open(now);
    now < sent && next.is_none_or(|open| sent.0 < open.0 + AHEAD_US)
}

impl Back {
    const fn since(at_us: i64) -> Back {
        Back { since_us: at_us, count: 0, most_us: i64::MIN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Window;

    fn at(clock: &str) -> Timestamp {
        Timestamp::parse(&format!("2024-10-01T{clock}")).unwrap()
    }

    fn hours() -> Hours {
        Hours::of(vec![Window { open: at("09:15"), close: at("15:30") }])
    }

    const SECOND: i64 = SECOND_US;

    /// What a broker's clock makes of messages with a trade or without, a second after each other.
    fn hear_all(clock: &mut MarketClock, from_us: i64, words: &[(&str, bool)]) -> Vec<Belief> {
        let one = |(place, (sent, is_fresh)): (i64, &(&str, bool))| {
            let trade = is_fresh.then(|| at(sent));
            clock.hear(at(sent), trade, from_us + place * SECOND, &hours())
        };
        (0..).zip(words).map(one).collect()
    }

    const fn doubted(seconds: i64, is_news: bool) -> Belief {
        Belief::Doubted { us: seconds * SECOND, is_news }
    }

    fn broker() -> MarketClock {
        MarketClock::new(Pace::Times(1), false, at("10:00"), 0)
    }

    #[test]
    fn a_real_market_goes_on_by_itself_and_odd_times_do_not_move_it() {
        let mut clock = broker();
        assert_eq!(hear_all(&mut clock, 0, &[("10:00", true)]), [Belief::Taken]);
        assert_eq!(clock.now(2 * SECOND), at("10:00:02"));
        // Built in an hour, and half a minute before the trade that it tells.
        let odd = clock.hear(at("11:00:02"), Some(at("10:00:02")), 2 * SECOND, &hours());
        assert_eq!(odd, doubted(3_600, true));
        let odd = clock.hear(at("09:59:32"), Some(at("10:00:02")), 2 * SECOND, &hours());
        assert_eq!(odd, doubted(-30, false));
        // A message that was on its way for a minute is no wonder, and one of an hour ago is.
        assert_eq!(hear_all(&mut clock, 2 * SECOND, &[("09:59:02", false)]), [Belief::Taken]);
        let old = hear_all(&mut clock, 2 * SECOND, &[("09:00:02", false)]);
        assert_eq!(old, [doubted(-3_600, false)]);
        assert_eq!(hear_all(&mut clock, 3 * SECOND, &[("10:00:03", false)]), [Belief::Taken]);
        assert_eq!(clock.now(3 * SECOND), at("10:00:03"));
    }

    #[test]
    fn a_first_message_that_is_off_is_put_aside() {
        for (first, off) in [("10:04:50", 290), ("09:55:10", -290), ("12:00", 7_200)] {
            let mut clock = broker();
            let words = [(first, true), ("10:00:01", true), ("10:00:02", false)];
            let told = hear_all(&mut clock, 0, &words);
            assert_eq!(told, [doubted(off, true), Belief::Taken, Belief::Taken]);
            assert_eq!(clock.now(2 * SECOND), at("10:00:02"));
        }
    }

    #[test]
    fn what_three_messages_say_is_right_and_not_this_machine() {
        for (words, seconds) in [
            ([("10:02", false), ("10:02:01", false), ("10:02:02", false)], 120),
            ([("09:58", true), ("09:58:01", false), ("09:58:02", true)], -120),
        ] {
            let mut clock = broker();
            let told = hear_all(&mut clock, 0, &words);
            let jumped = Belief::Jumped { us: seconds * SECOND, count: 3 };
            assert_eq!(told, [doubted(seconds, true), doubted(seconds, false), jumped]);
            assert_eq!(clock.now(2 * SECOND), at(words[2].0));
        }
    }

    #[test]
    fn five_minutes_against_this_machine_need_twenty_messages_with_trades() {
        let mut clock = broker();
        let later: Vec<String> = (0..20).map(|second| format!("10:30:{second:02}")).collect();
        let words: Vec<(&str, bool)> = later.iter().map(|it| (it.as_str(), true)).collect();
        let told = hear_all(&mut clock, 0, &words);
        assert!(told[..19].iter().all(|it| matches!(it, Belief::Doubted { .. })));
        assert_eq!(told[19], Belief::Jumped { us: 1_800 * SECOND, count: 20 });
        let mut clock = broker();
        let words: Vec<(&str, bool)> = later.iter().map(|it| (it.as_str(), false)).collect();
        hear_all(&mut clock, 0, &words);
        assert_eq!(clock.now(19 * SECOND), at("10:00:19"), "none without trades");
    }

    #[test]
    fn a_clock_that_is_ahead_of_everybody_goes_back() {
        for lead in [200, 3] {
            let mut clock = MarketClock::new(Pace::Times(1), false, at("10:00"), 0);
            clock.offset_us += lead * SECOND;
            clock.state = State::Agreed;
            let hear = |clock: &mut MarketClock, second: i64| {
                let sent = at("10:00").plus_us(second * SECOND);
                clock.hear(sent, Some(sent), second * SECOND, &hours())
            };
            let told: Vec<Belief> = (0..30).map(|second| hear(&mut clock, second)).collect();
            assert!(told.iter().all(|it| *it == Belief::Taken), "{told:?}");
            let back = Belief::Jumped { us: -lead * SECOND, count: 31 };
            assert_eq!(hear(&mut clock, 30), back);
            assert_eq!(clock.now(31 * SECOND), at("10:00:31"));
        }
    }

    #[test]
    fn a_stand_in_has_its_own_time_once_three_messages_agree() {
        for pace in [Pace::ByFrames, Pace::Times(60)] {
            let mut clock = MarketClock::new(pace, true, at("00:00"), 0);
            clock.recall(at("09:30"));
            let mut hear = |sent| clock.hear(at(sent), None, 0, &hours());
            let early = hear("09:29:59");
            assert!(matches!(early, Belief::Doubted { is_news: true, .. }), "the run was there");
            assert_eq!(hear("13:00"), Belief::Taken, "for want of anything better");
            assert!(matches!(hear("09:30"), Belief::Doubted { .. }));
            assert!(matches!(hear("17:00"), Belief::Doubted { .. }), "long after the last day");
            assert!(matches!(hear("09:30:01"), Belief::Doubted { .. }));
            let back = hear("09:30:02");
            assert!(matches!(back, Belief::Jumped { count: 3, us } if us < 0), "{back:?}");
            assert_eq!((clock.now(0), clock.is_settled(false)), (at("09:30"), true));
        }
    }

    #[test]
    fn a_played_market_moves_by_its_messages_and_skips_the_night() {
        let morning = at("09:15").plus_minutes(24 * 60);
        let next = Window { open: morning, close: morning.plus_minutes(375) };
        let hours = Hours::of(vec![Window { open: at("09:15"), close: at("15:30") }, next]);
        let mut clock = MarketClock::new(Pace::ByFrames, true, at("00:00"), 0);
        let mut hear = |sent, trade| clock.hear(sent, trade, 0, &hours);
        for sent in ["09:15", "09:16", "09:17"] {
            assert_eq!(hear(at(sent), None), Belief::Taken);
        }
        assert!(matches!(hear(at("10:17"), None), Belief::Doubted { .. }));
        let before_open = morning.plus_minutes(-15);
        assert!(matches!(hear(before_open, None), Belief::Doubted { .. }), "it trades now");
        let fresh = ["10:17", "10:17:01", "10:17:02"].map(|sent| hear(at(sent), Some(at(sent))));
        assert_eq!(fresh[2], Belief::Jumped { us: 3_600 * SECOND, count: 3 });
        for sent in ["15:28", "15:28:01", "15:28:02", "15:29:30", "15:30:30"] {
            hear(at(sent), Some(at(sent)));
        }
        assert_eq!(hear(before_open, None), Belief::Taken, "the night is over at once");
        assert_eq!(clock.now(1 << 40), before_open);
    }

    #[test]
    fn a_played_market_that_ran_ahead_of_itself_goes_back() {
        let mut clock = MarketClock::new(Pace::ByFrames, true, at("00:00"), 0);
        let mut hear = |sent: Timestamp| clock.hear(sent, Some(sent), 0, &hours());
        let second = |second: i64| at("10:00").plus_us(second * SECOND);
        (0..3).for_each(|it| assert_eq!(hear(second(it)), Belief::Taken));
        assert_eq!(hear(second(80)), Belief::Taken, "nobody can know");
        let told: Vec<Belief> = (3..40).map(|it| hear(second(it))).collect();
        let back = told.iter().filter(|it| matches!(it, Belief::Jumped { us, .. } if *us < 0));
        assert_eq!(back.count(), 1, "{told:?}");
        assert_eq!(clock.now(0), second(39));
    }
}
