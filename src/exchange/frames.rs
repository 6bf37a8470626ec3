//! The market as a feed tells it: protobuf frames in the order and at the market time at which a
//! server sends them. No socket, no clock, no chance; the same market always says the same.
//!
//! Two habits are this exchange's own. Where nothing is traded it sends a `market_info` at every
//! whole minute, and three seconds after each end of trading, so that the clock of whoever listens
//! goes on; the real server sends WebSocket pings. And a frame never tells two trades of one
//! instrument, so that nothing is lost between frames; the real one leaves some out.
//!
//! Half a second after each end of trading every key is told once more as it stands, and so it is
//! every minute while orders for a closing auction are taken. Where it is asked for
//! ([`Frames::with_books`]), order books are told all the time, which the real server does many
//! times a second: they are the sign that there is nothing else to say.

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
/// How long after it every key is told once more.
const STANDING_US: i64 = SECOND_US / 2;
/// Keys in a frame of order books at most.
const BOOKS_MAX: usize = 50;
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
    /// How often order books are told during trading, and whose turn it is; not at all without it.
    books_us: Option<i64>,
    book: usize,
}

/// What is told at its time, whether anything is traded or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// The phases, and with them the time.
    Clock,
    /// Where every key stands.
    Standing,
    /// Some order books.
    Books,
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
        let mut frames =
            Frames { market, tickers, queue, day, minute, from, books_us: None, book: 0 };
        frames.skip_to_minute();
        frames
    }

    /// The same with frames of order books during trading, every so many microseconds of market
    /// time, a whole number of milliseconds.
    #[must_use]
    pub fn with_books(self, every_us: i64) -> Frames {
        Frames { books_us: Some(every_us), ..self }
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
        let books_us = self.books_us;
        *self = Frames { books_us, ..Frames::silent(&Arc::clone(&self.market), wanted, from) };
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
        let auction = self.day.as_ref().and_then(|day| day.auction);
        let session = self.market.session(at.date());
        let is_auctioned = auction.is_some_and(|it| it.open <= at && at < it.close)
            && session.and_then(|session| lane.auction_from(session)).is_some();
        let feed = ticker.feed(lane, at);
        let feed = if is_auctioned { ticker.in_auction(feed) } else { feed };
        (lane.instrument.key.clone(), feed)
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
        let mut dues = self.dues(minute, opens).into_iter().peekable();
        let mut group = Group::default();
        for (trade, ticker, bar) in trades {
            while let Some(due) = dues.next_if(|(at, _)| *at <= trade.time) {
                self.queue.extend(group.take());
                let told = self.told(due);
                self.queue.extend(told);
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
        for due in dues {
            let told = self.told(due);
            self.queue.extend(told);
        }
    }

    /// The frame that is due, if there is anything to say.
    fn told(&mut self, (at, due): (Timestamp, Due)) -> Option<Sent> {
        match due {
            Due::Clock => Some(self.info(at)),
            Due::Standing => {
                let feeds: BTreeMap<String, Feed> =
                    self.tickers.iter().map(|ticker| self.feed_of(ticker, at)).collect();
                (!feeds.is_empty()).then(|| sent(at, at, Type::LiveFeed, feeds))
            }
            Due::Books => self.books(at),
        }
    }

    /// The order books of those whose turn it is.
    fn books(&mut self, at: Timestamp) -> Option<Sent> {
        let count = self.tickers.len().min(BOOKS_MAX);
        let first = self.book;
        self.book = (first + count).checked_rem(self.tickers.len())?;
        let turn = (first..first + count).map(|place| &self.tickers[place % self.tickers.len()]);
        let book = |ticker: &Ticker| {
            let lane = &self.market.lanes[ticker.place];
            Some((lane.instrument.key.clone(), ticker.book_alone(lane)?))
        };
        let feeds: BTreeMap<String, Feed> = turn.filter_map(book).collect();
        (!feeds.is_empty()).then(|| sent(at, at, Type::LiveFeed, feeds))
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

    /// What is told within a minute besides trades, by time.
    fn dues(&self, minute: Timestamp, opens: bool) -> Vec<(Timestamp, Due)> {
        let Some(day) = &self.day else { return Vec::new() };
        let clocks = day.steps.iter().map(|(time, _)| *time);
        let clocks = clocks.chain(day.closes.iter().map(|close| close.plus_us(AFTER_CLOSE_US)));
        let clocks = clocks.chain((!opens).then_some(minute));
        let mut all: Vec<(Timestamp, Due)> = clocks.map(|time| (time, Due::Clock)).collect();
        let standing = day.closes.iter().map(|close| close.plus_us(STANDING_US));
        let auction = day.auction.filter(|window| window.open <= minute && minute < window.close);
        let standing = standing.chain(auction.map(|_| minute));
        all.extend(standing.map(|time| (time, Due::Standing)));
        if let Some(every_us) = self.books_us {
            let times = (0..MINUTE_US.div_euclid(every_us)).map(|it| minute.plus_us(it * every_us));
            let is_open = |time: &Timestamp| {
                day.windows.iter().any(|window| window.open <= *time && *time < window.close)
            };
            all.extend(times.filter(is_open).map(|time| (time, Due::Books)));
        }
        all.retain(|(time, _)| minute <= *time && *time < minute.plus_minutes(1));
        all.retain(|(time, _)| *time >= self.from);
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

#[cfg(test)]
mod tests {
    use super::super::fixture::{
        BSE, TATA, at, date, decoded, full, history, ltpc, market, minutes, played, short, trades,
    };
    use super::*;

    fn frames(market: &Arc<Market>, from: Timestamp) -> Vec<Sent> {
        Frames::new(market, [BSE, TATA], Mode::Full, from).collect()
    }

    fn bytes(frames: &[Sent]) -> impl Iterator<Item = &Bytes> {
        frames.iter().map(|sent| &sent.bytes)
    }

    #[test]
    fn the_minutes_of_the_frames_are_those_of_the_history() {
        let market = market();
        let heard = minutes(&trades(bytes(&frames(&market, market.start()))));
        assert_eq!(heard.len(), played(&market).len());
        assert_eq!(heard, played(&market));
    }

    #[test]
    fn a_day_begins_with_the_phase_and_the_snapshot_and_the_phases_follow() {
        let market = short();
        let all = frames(&market, market.start());
        let mut lines = Vec::new();
        let mut status = String::new();
        for sent in &all {
            let response = decoded(&sent.bytes);
            let kind = response.r#type();
            if kind == Type::LiveFeed {
                continue;
            }
            let now = match &response.market_info {
                Some(info) => format!("{:?}", info.segment_status["NSE_EQ"]),
                None => response.feeds.keys().cloned().collect::<Vec<_>>().join(" "),
            };
            if kind == Type::InitialFeed || now != status {
                lines.push(format!("{} {kind:?} {now}", sent.at));
            }
            if kind == Type::MarketInfo {
                status = now;
            }
        }
        insta::assert_snapshot!(lines.join("\n"), @r"
        2024-10-01T09:00 MarketInfo 0
        2024-10-01T09:00 InitialFeed NSE_EQ|INE118H01025 NSE_EQ|INE155A01022
        2024-10-01T09:08 MarketInfo 1
        2024-10-01T09:15 MarketInfo 2
        2024-10-01T09:23 MarketInfo 3
        2024-10-03T09:00 MarketInfo 0
        2024-10-03T09:08 MarketInfo 1
        2024-10-03T09:15 MarketInfo 2
        2024-10-03T09:23 MarketInfo 3
        ");
    }

    #[test]
    fn time_goes_on_although_nothing_is_traded() {
        let market = short();
        let all = frames(&market, market.start());
        assert!(all.is_sorted_by_key(|sent| sent.at));
        for sent in &all {
            assert_eq!(decoded(&sent.bytes).current_ts * 1_000, sent.at.0);
            assert!(sent.first <= sent.at && sent.at.0 - sent.first.0 <= TOGETHER_US);
        }
        for day in market.days() {
            let of_day: Vec<Timestamp> =
                all.iter().map(|sent| sent.at).filter(|at| at.date() == day.date).collect();
            let mut minute = day.begin;
            while minute < day.end {
                assert!(of_day.contains(&minute), "nothing at {minute}");
                minute = minute.plus_minutes(1);
            }
            for close in &day.closes {
                assert!(of_day.contains(&close.plus_us(AFTER_CLOSE_US)), "nothing after {close}");
            }
            assert_eq!(day.closes.len(), 2, "the session's and that of the last print");
        }
    }

    #[test]
    fn a_frame_tells_what_is_known_at_its_time() {
        let market = short();
        let lane = &market.lanes[1];
        let mut told = 0;
        for sent in frames(&market, market.start()) {
            let response = decoded(&sent.bytes);
            let Some(feed) = response.feeds.get(TATA) else { continue };
            let (full, last) = (full(feed), ltpc(feed));
            let time = Timestamp(last.ltt * 1_000);
            let day = &lane.bars[lane.on(time.date())];
            let yesterday = &lane.bars[..lane.on(time.date()).start];
            assert_eq!(last.cp, yesterday.last().map_or(0.0, |bar| bar.close.rupees()));
            let ohlc = &full.market_ohlc.as_ref().unwrap().ohlc;
            assert_eq!((ohlc[0].interval.as_str(), ohlc[0].vol), ("1d", full.vtt));
            assert_eq!(ohlc[0].ts * 1_000, time.date().start().0);
            assert_eq!((ohlc[0].open, ohlc[0].close), (day[0].open.rupees(), last.ltp));
            assert!(ohlc[0].low <= last.ltp && last.ltp <= ohlc[0].high);
            assert!(ohlc[0].low <= full.atp && full.atp <= ohlc[0].high, "{full:?}");
            let over = day.iter().rev().find(|bar| bar.close_time() <= sent.at);
            assert_eq!(ohlc.len(), 1 + usize::from(over.is_some()));
            if let (Some(bar), Some(i1)) = (over, ohlc.get(1)) {
                let prices = [bar.open, bar.high, bar.low, bar.close].map(|price| price.rupees());
                assert_eq!([i1.open, i1.high, i1.low, i1.close], prices);
                assert_eq!((i1.vol, i1.ts * 1_000), (bar.volume.0, bar.open_time.0));
                assert_eq!(i1.interval, "I1");
            }
            let book = &full.market_level.as_ref().unwrap().bid_ask_quote;
            assert_eq!(book.len(), 5);
            assert!(book.iter().all(|q| q.bid_p < q.ask_p && q.bid_q > 0 && q.ask_q > 0));
            assert!(book[0].bid_p <= last.ltp && last.ltp <= book[0].ask_p);
            told += 1;
        }
        assert!(told > 50, "{told}");
    }

    #[test]
    fn whoever_comes_later_has_a_snapshot_and_the_rest() {
        let market = short();
        let all = frames(&market, market.start());
        let whole = trades(bytes(&all));
        for from in ["2024-10-01T09:15", "2024-10-01T09:17:30.250", "2024-10-01T16:30"].map(at) {
            let late = frames(&market, from);
            assert_eq!(decoded(&late[0].bytes).r#type(), Type::MarketInfo);
            let snapshot = decoded(&late[1].bytes);
            assert_eq!(snapshot.r#type(), Type::InitialFeed);
            let rest = trades(bytes(&late));
            for (key, trades) in &whole {
                let (before, after): (Vec<Trade>, Vec<Trade>) =
                    trades.iter().partition(|trade| trade.time < from);
                assert_eq!(rest[key], after, "{key} from {from}");
                let feed = &snapshot.feeds[key];
                match before.last() {
                    Some(last) => {
                        assert_eq!(ltpc(feed).ltt * 1_000, last.time.0);
                        assert_eq!(full(feed).vtt, last.day_volume.0);
                    }
                    None => assert!(ltpc(feed).ltt * 1_000 < at("2024-10-01T00:00").0),
                }
            }
            // The rest is the same to the last byte, once frames are cut alike again.
            let next_day = |sent: &&Sent| sent.at >= at("2024-10-03T00:00");
            assert!(all.iter().filter(next_day).eq(late.iter().filter(next_day)));
        }
    }

    #[test]
    fn keys_change_in_the_middle_and_nothing_is_lost_or_doubled() {
        let market = short();
        let mut frames = Frames::new(&market, [TATA], Mode::Full, market.start());
        let mut heard: Vec<Sent> = frames.by_ref().take(40).collect();
        let last = heard[39].at;
        let both: Wanted = [(0, Mode::Full), (1, Mode::Full)].into();
        frames.change(&both, &[0], last.plus_us(1));
        let rest: Vec<Sent> = frames.collect();
        let snapshot = decoded(&rest[0].bytes);
        assert_eq!(snapshot.r#type(), Type::InitialFeed);
        assert_eq!(snapshot.feeds.keys().collect::<Vec<_>>(), [BSE]);
        heard.extend(rest);
        let (heard, whole) =
            (trades(bytes(&heard)), trades(bytes(&self::frames(&market, market.start()))));
        assert_eq!(heard[TATA], whole[TATA]);
        let after: Vec<Trade> =
            whole[BSE].iter().filter(|trade| trade.time > last).copied().collect();
        assert!(!after.is_empty());
        assert_eq!(heard[BSE], after);
    }

    #[test]
    fn mode_ltpc_has_no_volume_and_unknown_keys_are_ignored() {
        let market = short();
        let keys = [TATA, "NSE_EQ|INE000000000"];
        let mut frames = Frames::new(&market, keys, Mode::Ltpc, at("2024-10-01T09:16"));
        let snapshot = decoded(&frames.nth(1).unwrap().bytes);
        let (key, feed) = snapshot.feeds.first_key_value().unwrap();
        assert_eq!((key.as_str(), snapshot.feeds.len(), feed.request_mode), (TATA, 1, 0));
        assert!(ltpc(feed).ltp > 0.0);
        let mut greeks = Frames::new(&market, [TATA], Mode::OptionGreeks, at("2024-10-01T09:16"));
        let snapshot = decoded(&greeks.nth(1).unwrap().bytes);
        assert_eq!(snapshot.feeds[TATA].request_mode, 2);
    }

    #[test]
    fn nothing_was_traded_ever_and_the_key_is_there_all_the_same() {
        let (mut lanes, sessions) = history("2024-10-01", "2024-10-01");
        lanes[1].1.clear();
        let market = Arc::new(Market::new(lanes, sessions, date("2024-10-01")).unwrap());
        let mut frames = Frames::new(&market, [TATA], Mode::Full, market.start());
        let snapshot = decoded(&frames.nth(1).unwrap().bytes);
        assert_eq!(ltpc(&snapshot.feeds[TATA]), crate::sources::upstox::proto::Ltpc::default());
        let mut live = 0;
        for sent in frames {
            let response = decoded(&sent.bytes);
            live += usize::from(response.r#type() == Type::LiveFeed);
            assert!(response.feeds.values().all(|feed| ltpc(feed).ltt == 0));
        }
        assert_eq!(live, 2, "it is told as it stands after each end of trading");
    }

    #[test]
    fn a_day_with_a_closing_auction_tells_its_phases() {
        let (lanes, sessions) = history("2026-08-03", "2026-08-03");
        let market = Arc::new(Market::new(lanes, sessions, date("2026-08-03")).unwrap());
        let mut words = Vec::new();
        for sent in Frames::new(&market, [TATA], Mode::Full, market.start()) {
            let response = decoded(&sent.bytes);
            if let Some(feed) = response.feeds.get(TATA) {
                assert!(full(feed).cas_eligible || response.r#type() == Type::InitialFeed);
            }
            let Some(info) = response.market_info else { continue };
            let Some(cas) = info.cas_market_status.get("NSE_EQ") else { continue };
            let line = format!("{} {}", Timestamp(cas.updated_time * 1_000), cas.status);
            if words.last() != Some(&line) {
                assert_eq!(cas.updated_time * 1_000, sent.at.0, "it is told when it changes");
                words.push(line);
            }
        }
        insta::assert_snapshot!(words.join("\n"), @r"
        2026-08-03T15:15 CTS_CLOSE
        2026-08-03T15:20 CAS_LM_START
        2026-08-03T15:25 CAS_M_STOP
        2026-08-03T15:30 CAS_STOP
        ");
    }

    #[test]
    fn a_closing_auction_is_told_by_its_price_and_not_as_trades() {
        let (lanes, sessions) = history("2026-08-03", "2026-08-03");
        let market = Arc::new(Market::new(lanes, sessions, date("2026-08-03")).unwrap());
        let (close, end) = (at("2026-08-03T15:15"), at("2026-08-03T15:30"));
        let mut told = 0;
        for sent in Frames::new(&market, [TATA], Mode::Full, market.start()) {
            let Some(feed) = decoded(&sent.bytes).feeds.get(TATA).cloned() else { continue };
            let (full, last) = (full(&feed).clone(), ltpc(&feed));
            let is_indication = close <= sent.at && sent.at < end && full.iep > 0.0;
            assert_eq!(full.iep > 0.0, full.rp > 0.0 && full.ieq > 0);
            assert_eq!(last.iep.is_some(), full.iep > 0.0, "at {}", sent.at);
            assert!(full.iep == 0.0 || is_indication, "at {}", sent.at);
            told += usize::from(is_indication);
        }
        assert!(told >= 15, "{told}");
    }

    #[test]
    fn order_books_are_told_in_turn_and_say_nothing_of_trades() {
        let market = short();
        let (plain, from) = (frames(&market, market.start()), market.start());
        let with = Frames::new(&market, [BSE, TATA], Mode::Full, from).with_books(SECOND_US);
        let (mut rest, mut books) = (Vec::new(), 0);
        for sent in with {
            let response = decoded(&sent.bytes);
            let is_book = |feed: &Feed| full(feed).ltpc.is_none();
            if !response.feeds.is_empty() && response.feeds.values().all(is_book) {
                assert_eq!(sent.at.0 % SECOND_US, 0);
                assert!(response.feeds.values().all(|feed| full(feed).market_level.is_some()));
                books += 1;
            } else {
                rest.push(sent);
            }
        }
        // From the first trade on: each second of eight minutes, on two days.
        assert!((950..=960).contains(&books), "{books}");
        assert_eq!(trades(bytes(&rest)), trades(bytes(&plain)));
    }
}
