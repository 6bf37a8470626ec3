//! What the exchange knows of one instrument at one moment: its last trade and its day so far, and
//! how a feed tells that.

use crate::domain::fact::Bar;
use crate::domain::money::{Price, Qty};
use crate::domain::time::{Date, Timestamp};
use crate::sources::upstox::proto::{
    Feed, FirstLevelWithGreeks, FullFeed, Ltpc, MarketFullFeed, MarketLevel, MarketOhlc, Ohlc,
    Quote, RequestMode, feed, full_feed,
};

use super::market::Lane;
use super::script::{Dice, Trade, trades};

/// Levels of the order book in mode full.
const LEVELS: i64 = 5;

/// How much is told of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// The last trade without the day's volume.
    Ltpc,
    /// The last trade, the day's volume, bars, five levels of the book.
    Full,
    /// The last trade, the day's volume, one level, and sensitivities of options.
    OptionGreeks,
}

impl Mode {
    /// The mode of that word, if the exchange has it.
    pub fn from_word(word: &str) -> Option<Mode> {
        match word {
            "ltpc" => Some(Mode::Ltpc),
            "full" => Some(Mode::Full),
            "option_greeks" => Some(Mode::OptionGreeks),
            _ => None,
        }
    }

    /// Keys that one connection may have in this mode: where it is the only one, and where not.
    pub(super) const fn limits(self) -> (usize, usize) {
        match self {
            Mode::Ltpc => (5_000, 2_000),
            Mode::OptionGreeks => (3_000, 2_000),
            Mode::Full => (2_000, 1_500),
        }
    }
}

/// One instrument as somebody follows it.
#[derive(Clone, Debug)]
pub(super) struct Ticker {
    pub(super) place: usize,
    pub(super) mode: Mode,
    /// Place of the next bar that is played.
    next: usize,
    /// The day of the last trade, if there was one.
    day: Option<Day>,
}

#[derive(Clone, Debug)]
struct Day {
    date: Date,
    /// Place of its first bar, and of the one that the last trade is in.
    bars: (usize, usize),
    /// Shares that were sold before that one.
    before: Qty,
    open: Price,
    high: Price,
    low: Price,
    last: Trade,
    /// What was paid in the bars before that one, each at the mean of its four prices.
    worth: i128,
}

impl Ticker {
    /// As it stands when everything before `from` was traded.
    pub(super) fn at(place: usize, mode: Mode, lane: &Lane, from: Timestamp) -> Ticker {
        let begun = lane.before(from);
        let mut ticker = Ticker { place, mode, next: begun, day: None };
        let Some(last) = begun.checked_sub(1) else { return ticker };
        for bar in lane.on(lane.bars[last].open_time.date()).start..last {
            ticker.pass(lane, bar);
        }
        ticker.next = last;
        for trade in ticker.play(lane).into_iter().filter(|trade| trade.time < from) {
            ticker.hear(lane, last, trade);
        }
        if lane.bars[last].close_time() > from {
            ticker.next = last;
        }
        ticker
    }

    /// The next bar's place and trades, if it is that minute's.
    pub(super) fn minute(&mut self, lane: &Lane, minute: Timestamp) -> Option<(usize, Vec<Trade>)> {
        let bar = self.next;
        let is_due = lane.bars.get(bar).is_some_and(|bar| bar.open_time == minute);
        is_due.then(|| (bar, self.play(lane)))
    }

    /// Passes over bars before `minute`, which are not on a day that is played.
    pub(super) fn skip_to(&mut self, lane: &Lane, minute: Timestamp) {
        self.next = self.next.max(lane.before(minute));
    }

    fn play(&mut self, lane: &Lane) -> Vec<Trade> {
        let (place, bar) = (self.next, &lane.bars[self.next]);
        let before = match &self.day {
            // Some of the trades of this very bar were heard already.
            Some(day) if day.bars.1 == place => day.before,
            Some(day) if day.date == bar.open_time.date() => day.last.day_volume,
            _ => Qty::ZERO,
        };
        self.next += 1;
        trades(bar, lane.seed, before)
    }

    /// A whole bar at once: what hearing all its trades comes to.
    fn pass(&mut self, lane: &Lane, place: usize) {
        let bar = &lane.bars[place];
        let sold = self.day.as_ref().map_or(0, |day| day.last.day_volume.0);
        for price in [bar.open, bar.high, bar.low, bar.close] {
            let day_volume = Qty(sold + bar.volume.0);
            let trade = Trade { time: bar.open_time, price, quantity: Qty::ZERO, day_volume };
            self.hear(lane, place, trade);
        }
    }

    /// A trade happens, in the bar of that place.
    pub(super) fn hear(&mut self, lane: &Lane, place: usize, trade: Trade) {
        let (date, price) = (trade.time.date(), trade.price);
        let day = match &mut self.day {
            Some(day) if day.date == date => day,
            day => day.insert(Day {
                date,
                bars: (lane.on(date).start, place),
                before: Qty::ZERO,
                open: price,
                high: price,
                low: price,
                last: trade,
                worth: 0,
            }),
        };
        if day.bars.1 != place {
            let over = &lane.bars[day.bars.1];
            let prices = [over.open, over.high, over.low, over.close];
            let mean = prices.iter().map(|price| price.0).sum::<i64>() / 4;
            day.worth += i128::from(mean) * i128::from(over.volume.0);
            day.before = day.before.plus(over.volume);
            day.bars.1 = place;
        }
        day.high = day.high.max(price);
        day.low = day.low.min(price);
        day.last = trade;
    }

    /// What a frame of that time says of the instrument.
    pub(super) fn feed(&self, lane: &Lane, at: Timestamp) -> Feed {
        let ltpc = self.ltpc(lane);
        let (mode, union) = match self.mode {
            Mode::Ltpc => (RequestMode::Ltpc, feed::FeedUnion::Ltpc(ltpc)),
            Mode::Full => {
                let market_ff = full_feed::FullFeedUnion::MarketFf(self.full(lane, ltpc, at));
                let full = FullFeed { full_feed_union: Some(market_ff) };
                (RequestMode::FullD5, feed::FeedUnion::FullFeed(full))
            }
            Mode::OptionGreeks => {
                let first = FirstLevelWithGreeks {
                    ltpc: Some(ltpc),
                    first_depth: self.book(lane).first().copied(),
                    vtt: self.day.as_ref().map_or(0, |day| day.last.day_volume.0),
                    ..FirstLevelWithGreeks::default()
                };
                (RequestMode::OptionGreeks, feed::FeedUnion::FirstLevelWithGreeks(first))
            }
        };
        Feed { request_mode: mode.into(), feed_union: Some(union) }
    }

    /// What a frame says that has nothing but the order book; `None` where there is none.
    pub(super) fn book_alone(&self, lane: &Lane) -> Option<Feed> {
        self.day.as_ref().filter(|_| self.mode == Mode::Full)?;
        let market_level = Some(MarketLevel { bid_ask_quote: self.book(lane) });
        let market = MarketFullFeed { market_level, ..MarketFullFeed::default() };
        let market_ff = full_feed::FullFeedUnion::MarketFf(market);
        let full = FullFeed { full_feed_union: Some(market_ff) };
        let union = Some(feed::FeedUnion::FullFeed(full));
        Some(Feed { request_mode: RequestMode::FullD5.into(), feed_union: union })
    }

    /// The same entry while orders for the closing auction are taken: at which price and for how
    /// many shares it would match now. Made up from the last trade.
    pub(super) fn in_auction(&self, mut feed: Feed) -> Feed {
        let Some(last) = self.day.as_ref().map(|day| day.last) else { return feed };
        if let Some(feed::FeedUnion::FullFeed(full)) = &mut feed.feed_union
            && let Some(full_feed::FullFeedUnion::MarketFf(market)) = &mut full.full_feed_union
        {
            market.iep = last.price.rupees();
            market.rp = last.price.rupees();
            market.ieq = last.quantity.0;
            market.iiq_total = last.quantity.0;
            if let Some(ltpc) = &mut market.ltpc {
                ltpc.iep = Some(last.price.rupees());
            }
        }
        feed
    }

    fn ltpc(&self, lane: &Lane) -> Ltpc {
        let Some(day) = &self.day else { return Ltpc::default() };
        let close = day.bars.0.checked_sub(1).map(|last| lane.bars[last].close.rupees());
        Ltpc {
            ltp: day.last.price.rupees(),
            ltt: millis(day.last.time),
            ltq: day.last.quantity.0,
            cp: close.unwrap_or_default(),
            iep: None,
        }
    }

    fn full(&self, lane: &Lane, ltpc: Ltpc, at: Timestamp) -> MarketFullFeed {
        let Some(day) = &self.day else {
            return MarketFullFeed { ltpc: Some(ltpc), ..MarketFullFeed::default() };
        };
        let volume = day.last.day_volume.0;
        let mut ohlc = vec![Ohlc {
            interval: "1d".to_owned(),
            open: day.open.rupees(),
            high: day.high.rupees(),
            low: day.low.rupees(),
            close: day.last.price.rupees(),
            vol: volume,
            ts: millis(day.date.start()),
        }];
        ohlc.extend(self.complete(lane, at).map(|bar| Ohlc {
            interval: "I1".to_owned(),
            open: bar.open.rupees(),
            high: bar.high.rupees(),
            low: bar.low.rupees(),
            close: bar.close.rupees(),
            vol: bar.volume.0,
            ts: millis(bar.open_time),
        }));
        let here = i128::from(volume - day.before.0) * i128::from(day.last.price.0);
        let average = (day.worth + here).checked_div(i128::from(volume));
        let average = average.and_then(|units| i64::try_from(units).ok()).map(Price);
        let quotes = self.book(lane);
        let whole = |side: fn(&Quote) -> i64| 90.0 * quotes.iter().map(side).sum::<i64>() as f64;
        MarketFullFeed {
            ltpc: Some(ltpc),
            market_ohlc: Some(MarketOhlc { ohlc }),
            atp: average.map_or(0.0, Price::rupees),
            vtt: volume,
            tbq: whole(|quote| quote.bid_q),
            tsq: whole(|quote| quote.ask_q),
            market_level: Some(MarketLevel { bid_ask_quote: quotes }),
            cas_eligible: lane.instrument.at(day.date).is_some_and(|it| it.closing_auction),
            ..MarketFullFeed::default()
        }
    }

    /// The last minute of the day that is over at that time.
    fn complete<'a>(&self, lane: &'a Lane, at: Timestamp) -> Option<&'a Bar> {
        let (first, last) = self.day.as_ref()?.bars;
        let bars = lane.bars[first..=last].iter().rev();
        bars.take(2).find(|bar| bar.close_time() <= at)
    }

    /// A made-up order book around the last price. The trade itself does not depend on it.
    fn book(&self, lane: &Lane) -> Vec<Quote> {
        let Some(day) = &self.day else { return Vec::new() };
        let tick = lane.tick(day.date).0.max(1);
        let mut dice = Dice::of(lane.seed, day.last.time);
        let below = 1 + dice.below(2) as i64;
        let level = |level: i64| {
            let bid = Price((day.last.price.0 - (below + level) * tick).max(0));
            let ask = Price(day.last.price.0 + (3 - below + level) * tick);
            let mut size = || 1 + dice.below(2_000) as i64;
            let bid_q = if bid.0 > 0 { size() } else { 0 };
            Quote { bid_q, bid_p: bid.rupees(), ask_q: size(), ask_p: ask.rupees() }
        };
        (0..LEVELS).map(level).collect()
    }
}

pub(super) const fn millis(time: Timestamp) -> i64 {
    time.0.div_euclid(1_000)
}
