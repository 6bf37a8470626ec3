//! What the stand-in exchange trades: instruments, the days that it plays, and the history that its
//! trades are made of. Values that are handed in; nothing here reads a file.

use std::ops::Range;

use crate::domain::defect::Defect;
use crate::domain::fact::Bar;
use crate::domain::instrument::Instrument;
use crate::domain::money::Price;
use crate::domain::session::Session;
use crate::domain::time::{Date, MINUTE_US, Timestamp, Window};

use super::script;

/// Minutes before continuous trading at which orders are taken, and at which none are any more.
const PRE_OPEN_MINUTES: i64 = 15;
const PRE_OPEN_END_MINUTES: i64 = 7;
/// Minutes in which orders for the closing auction are taken.
const AUCTION_MINUTES: i64 = 15;

/// Instruments, days and history.
#[derive(Clone, Debug)]
pub struct Market {
    /// One for each instrument, by key.
    pub(super) lanes: Vec<Lane>,
    /// The days of the history, ascending.
    pub(super) sessions: Vec<Session>,
    /// The first day that is played.
    first: Date,
    /// Bars that no market can have printed. They are not played.
    pub left_out: Vec<LeftOut>,
}

/// One instrument and its history.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) instrument: Instrument,
    /// Sound bars by time, one for each minute at most.
    pub(super) bars: Vec<Bar>,
    /// What its trades are drawn from.
    pub(super) seed: u64,
}

/// A bar that cannot be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The instrument's key.
    pub key: String,
    /// The minute.
    pub time: Timestamp,
    /// What is wrong with the bar; `None` where the minute had a bar already.
    pub defect: Option<Defect>,
}

/// Why there is no market.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarketError {
    /// Nothing to trade.
    #[error("the exchange has no instruments")]
    NoInstruments,
    /// Two instruments with one key.
    #[error("{0} is there twice")]
    Twice(String),
    /// No day to play.
    #[error("the exchange has no session to play")]
    NoSessions,
}

impl Market {
    /// A market that plays those of the `sessions`, which ascend, that are not before `first`, out
    /// of the minutes of each instrument. History before that is there for snapshots and candles.
    ///
    /// # Errors
    /// When there is nothing to trade, no day, or a key twice.
    pub fn new(
        instruments: Vec<(Instrument, Vec<Bar>)>,
        sessions: Vec<Session>,
        first: Date,
    ) -> Result<Market, MarketError> {
        let mut left_out = Vec::new();
        let lane = |(instrument, bars)| Lane::new(instrument, bars, &mut left_out);
        let mut lanes: Vec<Lane> = instruments.into_iter().map(lane).collect();
        lanes.sort_by(|a, b| a.instrument.key.cmp(&b.instrument.key));
        let same = |pair: &&[Lane]| pair[0].instrument.key == pair[1].instrument.key;
        if let Some(pair) = lanes.windows(2).find(same) {
            return Err(MarketError::Twice(pair[0].instrument.key.clone()));
        }
        if lanes.is_empty() {
            return Err(MarketError::NoInstruments);
        }
        match sessions.last() {
            Some(last) if first <= last.date => Ok(Market { lanes, sessions, first, left_out }),
            _ => Err(MarketError::NoSessions),
        }
    }

    /// The keys of all instruments, ascending.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.lanes.iter().map(|lane| lane.instrument.key.as_str())
    }

    /// When the first day begins.
    pub fn start(&self) -> Timestamp {
        self.days().next().map_or(Timestamp::MIN, |day| day.begin)
    }

    pub(super) fn place_of(&self, key: &str) -> Option<usize> {
        self.lanes.binary_search_by(|lane| lane.instrument.key.as_str().cmp(key)).ok()
    }

    /// The days that are played.
    pub(super) fn days(&self) -> impl Iterator<Item = Day> {
        let played = self.sessions.iter().filter(|session| self.first <= session.date);
        played.map(|session| self.day(session))
    }

    /// The next day that is not over at `from`.
    pub(super) fn day_at(&self, from: Timestamp) -> Option<Day> {
        let date = from.date().max(self.first);
        let first = self.sessions.partition_point(|session| session.date < date);
        let days = self.sessions[first..].iter().map(|session| self.day(session));
        days.take(2).find(|day| from < day.end)
    }

    /// The session of that day, if there is one.
    pub(super) fn session(&self, date: Date) -> Option<&Session> {
        let place = self.sessions.binary_search_by_key(&date, |session| session.date).ok()?;
        self.sessions.get(place)
    }

    fn day(&self, session: &Session) -> Day {
        let date = session.date;
        let steps = steps(session);
        let bars = self.lanes.iter().map(|lane| (lane, lane.on(date)));
        let bars = bars.filter_map(|(lane, on)| lane.bars[on].split_first());
        let mut begin = steps.first().map_or(date.start(), |(time, _)| *time);
        let mut last = steps.last().map_or(date.start(), |(time, _)| *time);
        for (first, more) in bars {
            begin = begin.min(first.open_time);
            last = last.max(more.last().unwrap_or(first).close_time());
        }
        let own = self.lanes.iter().flat_map(|lane| session.windows_of(&lane.instrument));
        let mut closes: Vec<Timestamp> = own.chain(&session.windows).map(|w| w.close).collect();
        closes.push(last);
        closes.sort_unstable();
        closes.dedup();
        let begin = begin.floor_to(MINUTE_US);
        let auction = session.auction_windows.last().map(|window| Window {
            open: window.close,
            close: window.close.plus_minutes(AUCTION_MINUTES),
        });
        let windows = session.windows.clone();
        let end = last.floor_to(MINUTE_US).plus_minutes(1);
        Day { date, begin, end, steps, closes, windows, auction }
    }
}

impl Lane {
    fn new(instrument: Instrument, bars: Vec<Bar>, left_out: &mut Vec<LeftOut>) -> Lane {
        let key = instrument.key.clone();
        let mut sound: Vec<Bar> = Vec::with_capacity(bars.len());
        let mut bars = bars;
        bars.sort_by_key(|bar| bar.open_time);
        for bar in bars {
            let defect = bar.defect();
            let again = sound.last().is_some_and(|last| last.open_time == bar.open_time);
            match defect.is_some() || again {
                true => left_out.push(LeftOut { key: key.clone(), time: bar.open_time, defect }),
                false => sound.push(bar),
            }
        }
        Lane { seed: script::seed_of(&key), instrument, bars: sound }
    }

    /// The places of the bars of that day.
    pub(super) fn on(&self, date: Date) -> Range<usize> {
        self.before(date.start())..self.before(date.plus_days(1).start())
    }

    /// How many bars begin before `time`.
    pub(super) fn before(&self, time: Timestamp) -> usize {
        self.bars.partition_point(|bar| bar.open_time < time)
    }

    /// The price grid on that day.
    pub(super) fn tick(&self, date: Date) -> Price {
        self.instrument.at(date).map_or(Price(500), |listing| listing.tick)
    }

    /// Whether continuous trading of this instrument ends earlier than the segment's on that day,
    /// with an auction after it.
    pub(super) fn auction_from(&self, session: &Session) -> Option<Timestamp> {
        let has_own = session.own_hours.iter().any(|own| own.key == self.instrument.key);
        let listing = self.instrument.at(session.date)?;
        let window = session.auction_windows.last()?;
        (listing.closing_auction && !has_own).then_some(window.close)
    }
}

/// One day as it is played.
#[derive(Clone, Debug)]
pub(super) struct Day {
    pub(super) date: Date,
    /// First minute.
    pub(super) begin: Timestamp,
    /// End of the last minute, in which nothing is traded any more.
    pub(super) end: Timestamp,
    /// What the segment passes through, ascending.
    pub(super) steps: Vec<(Timestamp, Step)>,
    /// Ends of continuous trading and of the day's last trades, ascending.
    pub(super) closes: Vec<Timestamp>,
    /// The segment's continuous trading.
    pub(super) windows: Vec<Window>,
    /// When orders for the closing auction are taken, on days that have one.
    pub(super) auction: Option<Window>,
}

/// A change of phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    PreOpenStart,
    PreOpenEnd,
    Open,
    Close,
    /// The closing auction, in the exchange's words.
    Auction(&'static str),
}

fn steps(session: &Session) -> Vec<(Timestamp, Step)> {
    let mut steps = Vec::new();
    for Window { open, close } in &session.windows {
        steps.extend([
            (open.plus_minutes(-PRE_OPEN_MINUTES), Step::PreOpenStart),
            (open.plus_minutes(-PRE_OPEN_END_MINUTES), Step::PreOpenEnd),
            (*open, Step::Open),
            (*close, Step::Close),
        ]);
    }
    if let Some(window) = session.auction_windows.last() {
        let auction = [(0, "CTS_CLOSE"), (5, "CAS_LM_START"), (10, "CAS_M_STOP"), (15, "CAS_STOP")];
        steps.extend(
            auction.map(|(after, word)| (window.close.plus_minutes(after), Step::Auction(word))),
        );
    }
    steps.sort_by_key(|(time, _)| *time);
    steps
}
