//! The market as a feed tells it: protobuf frames in the order and at the market time at which a
//! server sends them. No socket, no clock, no chance; the same market always says the same.
//!
//! Two habits are this exchange's own. Where nothing is traded it sends a `market_info` at every
//! whole minute, and three seconds after each end of trading, so that the clock of whoever listens
//! goes on; the real server sends WebSocket pings. And a frame never tells two trades of one
//! instrument, so that nothing is lost between frames; the real one leaves some out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;

use crate::domain::time::{MINUTE_US, SECOND_US, Timestamp};
use crate::sources::upstox::proto::{
    Feed, FeedResponse, MarketInfo, MarketStatus, StatusInfo, Type,
};

use super::market::{Day, Market, Step};
use super::script::Trade;
use super::ticker::{Mode, Ticker, millis};

/// Trades so close to each other share a frame.
const TOGETHER_US: i64 = 250_000;
/// After the end of trading the clock is told once more.
const AFTER_CLOSE_US: i64 = 3 * SECOND_US;
/// The segments whose phases are told.
const SEGMENTS: [&str; 3] = ["NSE_EQ", "NSE_INDEX", "BSE_EQ"];

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Market time at which it is sent; its `currentTs`.
    pub at: Timestamp,
    /// The earliest trade that it tells, or `at`: whoever goes on from here has missed nothing.
    pub first: Timestamp,
    /// A `FeedResponse`.
    pub bytes: Bytes,
}

/// The frames that somebody hears who follows some instruments: first `market_info`, then the
/// snapshot, then what happens, to the end of the last day. Nights are left out.
#[derive(Clone, Debug)]
pub struct Frames {
    market: Arc<Market>,
    /// By place.
    tickers: Vec<Ticker>,
    /// Made and not sent.
    queue: VecDeque<Sent>,
    day: Option<Day>,
    /// The minute that is made next.
    minute: Timestamp,
    /// Nothing before this is told but in the snapshot.
    from: Timestamp,
}

/// What somebody follows: by place, and how.
pub(super) type Wanted = BTreeMap<usize, Mode>;

impl Frames {
    /// The frames from market time `from` on. Keys that the market does not have are ignored, as
    /// the real server does.
    pub fn new<'a>(
        market: &Arc<Market>,
        keys: impl IntoIterator<Item = &'a str>,
        mode: Mode,
        from: Timestamp,
    ) -> Frames {
        let places = keys.into_iter().filter_map(|key| market.place_of(key));
        let wanted: Wanted = places.map(|place| (place, mode)).collect();
        Frames::of(market, &wanted, from)
    }

    pub(super) fn of(market: &Arc<Market>, wanted: &Wanted, from: Timestamp) -> Frames {
        let mut frames = Frames::silent(market, wanted, from);
        frames.queue.push_back(frames.info(from));
        let fresh: Vec<usize> = wanted.keys().copied().collect();
        frames.queue.extend(frames.snapshot(&fresh));
        frames
    }

    /// The same without a beginning.
    fn silent(market: &Arc<Market>, wanted: &Wanted, from: Timestamp) -> Frames {
        let ticker =
            |(place, mode): (&usize, &Mode)| Ticker::at(*place, *mode, &market.lanes[*place], from);
        let day = market.day_at(from);
        let minute = day.as_ref().map_or(from, |day| day.begin.max(from.floor_to(MINUTE_US)));
        let tickers = wanted.iter().map(ticker).collect();
        let (market, queue) = (Arc::clone(market), VecDeque::new());
        let mut frames = Frames { market, tickers, queue, day, minute, from };
        frames.skip_to_minute();
        frames
    }

    /// Bars of days that are not played are passed over.
    fn skip_to_minute(&mut self) {
        for ticker in &mut self.tickers {
            ticker.skip_to(&self.market.lanes[ticker.place], self.minute);
        }
    }

    /// From here on, or from `at` if that is earlier, somebody follows what is wanted now; `fresh`
    /// are the places of which a snapshot is due.
    pub(super) fn change(&mut self, wanted: &Wanted, fresh: &[usize], at: Timestamp) {
        let from = self.untold().min(at);
        *self = Frames::silent(&Arc::clone(&self.market), wanted, from);
        self.queue.extend(self.snapshot(fresh));
    }

    /// Market time from which nothing was told yet.
    pub fn untold(&self) -> Timestamp {
        let next = self.day.as_ref().map(|_| self.minute.max(self.from));
        let waiting = self.queue.front().map(|sent| sent.first);
        waiting.or(next).unwrap_or(Timestamp::MAX)
    }

    /// The last known trade of each of these places.
    fn snapshot(&self, fresh: &[usize]) -> Option<Sent> {
        let tickers = self.tickers.iter().filter(|ticker| fresh.contains(&ticker.place));
        let feeds: BTreeMap<String, Feed> = tickers.map(|it| self.feed_of(it, self.from)).collect();
        (!feeds.is_empty()).then(|| sent(self.from, self.from, Type::InitialFeed, feeds))
    }

    fn feed_of(&self, ticker: &Ticker, at: Timestamp) -> (String, Feed) {
        let lane = &self.market.lanes[ticker.place];
        (lane.instrument.key.clone(), ticker.feed(lane, at))
    }

    /// The phases at that time.
    fn info(&self, at: Timestamp) -> Sent {
        let mut status = MarketStatus::NormalClose;
        let mut cas = BTreeMap::new();
        let day = self.day.as_ref().filter(|day| day.date == at.date());
        let steps = day.map_or(&[][..], |day| &day.steps);
        for (time, step) in steps.iter().filter(|(time, _)| *time <= at) {
            match step {
                Step::PreOpenStart => status = MarketStatus::PreOpenStart,
                Step::PreOpenEnd => status = MarketStatus::PreOpenEnd,
                Step::Open => status = MarketStatus::NormalOpen,
                Step::Close => status = MarketStatus::NormalClose,
                Step::Auction(word) => {
                    let updated_time = millis(*time);
                    let info = StatusInfo { status: (*word).to_owned(), updated_time };
                    cas.insert("NSE_EQ".to_owned(), info);
                }
            }
        }
        let info = MarketInfo {
            segment_status: SEGMENTS.map(|it| (it.to_owned(), status.into())).into(),
            cas_market_status: cas,
            pre_open_session_status: BTreeMap::new(),
        };
        let response = FeedResponse {
            r#type: Type::MarketInfo.into(),
            current_ts: millis(at),
            market_info: Some(info),
            ..FeedResponse::default()
        };
        Sent { at, first: at, bytes: response.encode_to_vec().into() }
    }

    /// Makes frames until there is one, or the last day is over.
    fn refill(&mut self) {
        while self.queue.is_empty() {
            let Some(day) = &self.day else { return };
            if self.minute >= day.end {
                self.day = self.market.day_at(day.date.plus_days(1).start());
                self.minute = self.day.as_ref().map_or(self.minute, |day| day.begin);
                self.skip_to_minute();
            } else {
                self.make_minute();
            }
        }
    }

    /// The frames of one minute: the clock and the phases where they are due, and what is traded.
    fn make_minute(&mut self) {
        let minute = self.minute;
        self.minute = minute.plus_minutes(1);
        let trades = self.trades(minute);
        let opens = trades.first().is_some_and(|(trade, ..)| trade.time == minute);
        let mut infos = self.infos(minute, opens).into_iter().peekable();
        let mut group = Group::default();
        for (trade, ticker, bar) in trades {
            while let Some(at) = infos.next_if(|at| *at <= trade.time) {
                self.queue.extend(group.take());
                self.queue.push_back(self.info(at));
            }
            let ticker = &mut self.tickers[ticker];
            let lane = &self.market.lanes[ticker.place];
            if !group.takes(&lane.instrument.key, trade.time) {
                self.queue.extend(group.take());
            }
            ticker.hear(lane, bar, trade);
            group.add(&lane.instrument.key, ticker.feed(lane, trade.time), trade.time);
        }
        self.queue.extend(group.take());
        let rest: Vec<Sent> = infos.map(|at| self.info(at)).collect();
        self.queue.extend(rest);
    }

    /// The trades of a minute by time, with the ticker's place among the tickers and the bar's.
    fn trades(&mut self, minute: Timestamp) -> Vec<(Trade, usize, usize)> {
        let mut all = Vec::new();
        for (place, ticker) in self.tickers.iter_mut().enumerate() {
            let lane = &self.market.lanes[ticker.place];
            let Some((bar, trades)) = ticker.minute(lane, minute) else { continue };
            let due = trades.into_iter().filter(|trade| trade.time >= self.from);
            all.extend(due.map(|trade| (trade, place, bar)));
        }
        all.sort_by_key(|(trade, place, _)| (trade.time, *place));
        all
    }

    /// When the phases, or the clock alone, are told within a minute.
    fn infos(&self, minute: Timestamp, opens: bool) -> Vec<Timestamp> {
        let Some(day) = &self.day else { return Vec::new() };
        let within = |time: &Timestamp| minute <= *time && *time < minute.plus_minutes(1);
        let mut all: Vec<Timestamp> = day.steps.iter().map(|(time, _)| *time).collect();
        all.extend(day.closes.iter().map(|close| close.plus_us(AFTER_CLOSE_US)));
        all.extend((!opens).then_some(minute));
        all.retain(|time| within(time) && *time >= self.from);
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Iterator for Frames {
    type Item = Sent;

    fn next(&mut self) -> Option<Sent> {
        self.refill();
        self.queue.pop_front()
    }
}

/// Trades that share a frame.
#[derive(Default)]
struct Group {
    first: Option<Timestamp>,
    last: Timestamp,
    feeds: BTreeMap<String, Feed>,
}

impl Group {
    /// Whether a trade of that key and time may be added.
    fn takes(&self, key: &str, time: Timestamp) -> bool {
        let is_near = self.first.is_none_or(|first| time.0 - first.0 <= TOGETHER_US);
        is_near && !self.feeds.contains_key(key)
    }

    fn add(&mut self, key: &str, feed: Feed, time: Timestamp) {
        self.first.get_or_insert(time);
        self.last = time;
        self.feeds.insert(key.to_owned(), feed);
    }

    fn take(&mut self) -> Option<Sent> {
        let Group { first, last, feeds } = std::mem::take(self);
        first.map(|first| sent(last, first, Type::LiveFeed, feeds))
    }
}

fn sent(at: Timestamp, first: Timestamp, kind: Type, feeds: BTreeMap<String, Feed>) -> Sent {
    let response =
        FeedResponse { r#type: kind.into(), feeds, current_ts: millis(at), market_info: None };
    Sent { at, first, bytes: response.encode_to_vec().into() }
}
