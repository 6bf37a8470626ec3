//! Small markets for tests, and what somebody makes of the frames who hears them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;

use crate::domain::fact::Bar;
use crate::domain::instrument::{Instrument, InstrumentId};
use crate::domain::money::{Price, Qty};
use crate::domain::session::Session;
use crate::domain::time::{Date, MINUTE_US, Timestamp};
use crate::sources::market::Market as Facts;
use crate::sources::synthetic::{Knobs, Subject, generate};
use crate::sources::upstox::proto::{Feed, FeedResponse, Ltpc, MarketFullFeed, Type};
use crate::sources::upstox::proto::{feed::FeedUnion, full_feed::FullFeedUnion};

use super::market::Market;
use super::script::{Trade, fold};

pub const BSE: &str = "NSE_EQ|INE118H01025";
pub const TATA: &str = "NSE_EQ|INE155A01022";

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub fn date(text: &str) -> Date {
    Date::parse(text).unwrap()
}

/// Made-up history of both instruments, and the sessions.
pub fn history(from: &str, to: &str) -> (Vec<(Instrument, Vec<Bar>)>, Vec<Session>) {
    let facts = Facts::embedded().unwrap();
    let subject = |key, start| Subject {
        instrument: facts.instrument(key).unwrap(),
        start: Price(start),
        finish: Price(start),
        volatility: 0.001,
        volume: 500,
    };
    let subjects = [subject(BSE, 41_200_000), subject(TATA, 8_840_000)];
    let (from, to) = (date(from), date(to));
    let series = generate(7, &facts.calendar, &subjects, from, to, &Knobs::default()).unwrap();
    let lane = |(key, bars): (String, Vec<Bar>)| (facts.instrument(&key).unwrap().clone(), bars);
    let sessions = facts.calendar.between(from, to).unwrap().to_vec();
    (series.into_iter().map(lane).collect(), sessions)
}

/// Two days, 2024-10-01 and 2024-10-03, after one that is history only.
pub fn market() -> Arc<Market> {
    let (lanes, sessions) = history("2024-09-30", "2024-10-03");
    Arc::new(Market::new(lanes, sessions, date("2024-10-01")).unwrap())
}

/// The same with eight minutes a day and a print after the close.
pub fn short() -> Arc<Market> {
    let (mut lanes, mut sessions) = history("2024-09-30", "2024-10-03");
    for session in &mut sessions {
        session.windows[0].close = session.windows[0].open.plus_minutes(8);
    }
    for (_, bars) in &mut lanes {
        bars.retain(|bar| {
            let minute = bar.open_time.time_of_day_us() / MINUTE_US - (9 * 60 + 15);
            (0..8).contains(&minute) || minute == 385
        });
    }
    Arc::new(Market::new(lanes, sessions, date("2024-10-01")).unwrap())
}

/// The bars that the market plays, by key and minute.
pub fn played(market: &Market) -> BTreeMap<(String, Timestamp), Bar> {
    let lanes = market.lanes.iter().map(|lane| (&lane.instrument.key, &lane.bars));
    let bars = lanes.flat_map(|(key, bars)| bars.iter().map(move |bar| (key, bar)));
    let bars = bars.filter(|(_, bar)| bar.open_time >= market.start());
    let id = InstrumentId(0);
    bars.map(|(key, bar)| ((key.clone(), bar.open_time), Bar { instrument: id, ..*bar })).collect()
}

pub fn decoded(bytes: &Bytes) -> FeedResponse {
    FeedResponse::decode(bytes.clone()).unwrap()
}

pub fn full(feed: &Feed) -> &MarketFullFeed {
    match feed.feed_union.as_ref().unwrap() {
        FeedUnion::FullFeed(full) => match full.full_feed_union.as_ref().unwrap() {
            FullFeedUnion::MarketFf(market) => market,
            FullFeedUnion::IndexFf(_) => panic!("no index is played"),
        },
        other => panic!("not in mode full: {other:?}"),
    }
}

pub fn ltpc(feed: &Feed) -> Ltpc {
    last(feed).unwrap()
}

/// The last trade; `None` where the order book alone is told.
pub fn last(feed: &Feed) -> Option<Ltpc> {
    match feed.feed_union.as_ref().unwrap() {
        FeedUnion::Ltpc(ltpc) => Some(*ltpc),
        _ => full(feed).ltpc,
    }
}

/// Every trade that these frames tell, snapshots left out, in mode full.
pub fn trades<'a>(frames: impl IntoIterator<Item = &'a Bytes>) -> BTreeMap<String, Vec<Trade>> {
    let mut all: BTreeMap<String, Vec<Trade>> = BTreeMap::new();
    for bytes in frames {
        // Some of them are garbage on purpose.
        let Ok(response) = FeedResponse::decode(bytes.clone()) else { continue };
        if response.r#type() != Type::LiveFeed {
            continue;
        }
        for (key, feed) in &response.feeds {
            let (Some(last), volume) = (last(feed), full(feed).vtt) else { continue };
            all.entry(key.clone()).or_default().push(Trade {
                time: Timestamp(last.ltt * 1_000),
                price: Price::from_rupees(last.ltp).unwrap(),
                quantity: Qty(last.ltq),
                day_volume: Qty(volume),
            });
        }
    }
    all
}

/// The minutes that are made of these trades; repetition does not matter.
pub fn minutes(trades: &BTreeMap<String, Vec<Trade>>) -> BTreeMap<(String, Timestamp), Bar> {
    let mut minutes = BTreeMap::new();
    for (key, trades) in trades {
        let distinct: BTreeSet<_> =
            trades.iter().map(|t| (t.time, t.day_volume, t.price, t.quantity)).collect();
        let distinct: Vec<Trade> = distinct
            .into_iter()
            .map(|(time, day_volume, price, quantity)| Trade { time, price, quantity, day_volume })
            .collect();
        let mut before = (Date(0), Qty(0));
        for minute in
            distinct.chunk_by(|a, b| a.time.floor_to(MINUTE_US) == b.time.floor_to(MINUTE_US))
        {
            let day = minute[0].time.date();
            if before.0 != day {
                before = (day, Qty(0));
            }
            let bar = fold(minute, InstrumentId(0), before.1).unwrap();
            before.1 = minute.iter().map(|trade| trade.day_volume).max().unwrap();
            minutes.insert((key.clone(), bar.open_time), bar);
        }
    }
    minutes
}
