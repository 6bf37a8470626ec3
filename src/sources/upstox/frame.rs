//! One message of the feed as plain values. What is not in the message has not changed and comes
//! out as `None`, never as zero; what cannot be true is refused alone, with the reason, and costs
//! neither the other keys nor the message.

use prost::Message;

use super::proto::{
    self, FeedResponse, IndexFullFeed, Ltpc, MarketFullFeed, MarketOhlc, MarketStatus, Type,
    feed::FeedUnion, full_feed::FullFeedUnion,
};
use super::value::{self, Absurd, Minute, is_name, words};
use crate::domain::money::{Price, Qty};
use crate::domain::time::Timestamp;

/// The longest message that is read. One with 2,000 keys has 160 kB.
pub const MESSAGE_MAX: usize = 4 << 20;

/// The bar of the last complete minute among those of a message.
const MINUTE: &str = "I1";

/// A message that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than any that the feed sends.
    #[error("a message of {bytes} bytes; the feed sends at most {MESSAGE_MAX}; it was not read")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Bytes that are not protobuf of this schema.
    #[error("not a message of the market data feed V3: {why}")]
    Broken {
        /// What the decoder met.
        why: String,
    },
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Where each key stands, sent once after it was subscribed. Its trades may be days old.
    Snapshot,
    /// What changed.
    Live,
    /// Phases of the segments.
    MarketInfo,
    /// A sort that this program does not know; its content is read all the same.
    Unknown(i32),
}

/// One message of the feed.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// What it is.
    pub kind: FrameKind,
    /// When the server built it.
    pub sent: Option<Timestamp>,
    /// What is new, in order of key.
    pub quotes: Vec<KeyQuote>,
    /// Phases, in order of what and segment.
    pub phases: Vec<SegmentPhase>,
    /// What could not be true.
    pub refused: Vec<Refused>,
}

/// What is new about one instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyQuote {
    /// The instrument's key, such as `NSE_EQ|INE245A01021`.
    pub key: String,
    /// The last trade. It is repeated when something else changed.
    pub trade: Option<LastTrade>,
    /// Shares traded today.
    pub day_volume: Option<Qty>,
    /// The last complete minute.
    pub minute: Option<Minute>,
    /// The price at which an auction that runs would be matched now. It is no trade.
    pub indicative: Option<Price>,
    /// How much was asked for, as the number of `RequestMode`.
    pub mode: i32,
}

/// The last trade of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastTrade {
    /// Its price.
    pub price: Price,
    /// The exchange's time of it.
    pub time: Timestamp,
    /// Its shares; 0 for an index.
    pub quantity: Qty,
}

/// Which clockwork a phase belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PhaseOf {
    /// The segment's normal market: `NORMAL_OPEN` and the like.
    Segment,
    /// The closing auction: `CTS_CLOSE`, `CAS_LM_START`, `CAS_M_STOP`, `CAS_STOP`.
    ClosingAuction,
    /// The auction before the open: `PRE_OPEN_START`, `PRE_OPEN_M_END`, `PRE_OPEN_END`.
    PreOpen,
}

/// The phase of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentPhase {
    /// Which clockwork.
    pub of: PhaseOf,
    /// The segment, such as `NSE_EQ`.
    pub segment: String,
    /// The phase in the feed's words; `STATUS_9` for a number it has no word for.
    pub status: String,
    /// Since when, if the feed says so.
    pub since: Option<Timestamp>,
}

/// Something of a message that cannot be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The key or segment it is about; empty for the message.
    pub key: String,
    /// Why.
    pub why: String,
}

/// Reads one message.
pub fn decode(bytes: &[u8]) -> Result<Frame, FrameError> {
    if bytes.len() > MESSAGE_MAX {
        return Err(FrameError::TooLong { bytes: bytes.len() });
    }
    let message = FeedResponse::decode(bytes)
        .map_err(|error| FrameError::Broken { why: words(&error.to_string()) })?;
    let kind = match Type::try_from(message.r#type) {
        Ok(Type::InitialFeed) => FrameKind::Snapshot,
        Ok(Type::LiveFeed) => FrameKind::Live,
        Ok(Type::MarketInfo) => FrameKind::MarketInfo,
        Err(_) => FrameKind::Unknown(message.r#type),
    };
    let (quotes, phases, refused) = (Vec::new(), Vec::new(), Vec::new());
    let mut frame = Frame { kind, sent: None, quotes, phases, refused };
    if message.current_ts != 0 {
        frame.sent = frame.take("", value::time("currentTs", message.current_ts));
    }
    for (key, feed) in message.feeds {
        frame.quote(key, feed);
    }
    if let Some(info) = message.market_info {
        frame.phases(info);
    }
    Ok(frame)
}

impl Frame {
    /// The value, or a line among the refused.
    fn take<T>(&mut self, key: &str, value: Result<T, Absurd>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(absurd) => {
                self.refuse(key, absurd.to_string());
                None
            }
        }
    }

    fn refuse(&mut self, key: &str, why: String) {
        self.refused.push(Refused { key: words(key), why });
    }

    fn quote(&mut self, key: String, feed: proto::Feed) {
        if !is_name(&key) {
            return self.refuse(&key, "is no instrument key".to_owned());
        }
        let mode = feed.request_mode;
        let news = News::of(feed.feed_union);
        // A trade without its day volume would look like one of an index, so they go together.
        let (trade, day_volume) = self.take(&key, news.traded()).unwrap_or((None, None));
        let indicative = self.take(&key, value::price_if_any("iep", news.iep)).flatten();
        let minute = self.minute(&key, news.bars.unwrap_or_default());
        self.quotes.push(KeyQuote { key, trade, day_volume, minute, indicative, mode });
    }

    /// The last complete minute. Of two it is unknown which is complete, so there is none.
    fn minute(&mut self, key: &str, bars: MarketOhlc) -> Option<Minute> {
        let mut bars = bars.ohlc.into_iter().filter(|bar| bar.interval == MINUTE);
        let bar = bars.next()?;
        if bars.next().is_some() {
            self.refuse(key, "more than one bar I1".to_owned());
            return None;
        }
        let prices = [bar.open, bar.high, bar.low, bar.close];
        if prices == [0.0; 4] {
            return None;
        }
        let minute = value::time("ts of I1", bar.ts)
            .and_then(|open_time| Minute::new(open_time, prices, bar.vol));
        self.take(key, minute)
    }

    fn phases(&mut self, info: proto::MarketInfo) {
        for (segment, status) in info.segment_status {
            let status = match MarketStatus::try_from(status) {
                Ok(status) => status.as_str_name().to_owned(),
                Err(_) => format!("STATUS_{status}"),
            };
            self.phase(PhaseOf::Segment, segment, status, 0);
        }
        let auctions = [
            (PhaseOf::ClosingAuction, info.cas_market_status),
            (PhaseOf::PreOpen, info.pre_open_session_status),
        ];
        for (of, segments) in auctions {
            for (segment, info) in segments {
                self.phase(of, segment, info.status, info.updated_time);
            }
        }
    }

    fn phase(&mut self, of: PhaseOf, segment: String, status: String, since_ms: i64) {
        if !is_name(&segment) || !is_name(&status) {
            return self.refuse(&segment, format!("`{}` is no phase", words(&status)));
        }
        let since = match since_ms {
            0 => None,
            ms => self.take(&segment, value::time("updatedTime", ms)),
        };
        self.phases.push(SegmentPhase { of, segment, status, since });
    }
}

/// What all the shapes of a feed entry have in common.
#[derive(Default)]
struct News {
    ltpc: Option<Ltpc>,
    vtt: i64,
    /// 0 for none.
    iep: f64,
    bars: Option<MarketOhlc>,
}

impl News {
    fn of(feed: Option<FeedUnion>) -> News {
        let mut news = match feed {
            None => News::default(),
            Some(FeedUnion::Ltpc(ltpc)) => News { ltpc: Some(ltpc), ..News::default() },
            Some(FeedUnion::FirstLevelWithGreeks(level)) => {
                News { ltpc: level.ltpc, vtt: level.vtt, ..News::default() }
            }
            Some(FeedUnion::FullFeed(full)) => match full.full_feed_union {
                None => News::default(),
                Some(FullFeedUnion::MarketFf(MarketFullFeed {
                    ltpc,
                    vtt,
                    iep,
                    market_ohlc: bars,
                    ..
                })) => News { ltpc, vtt, iep, bars },
                Some(FullFeedUnion::IndexFf(IndexFullFeed { ltpc, market_ohlc: bars })) => {
                    News { ltpc, bars, ..News::default() }
                }
            },
        };
        if news.iep == 0.0 {
            news.iep = news.ltpc.and_then(|ltpc| ltpc.iep).unwrap_or_default();
        }
        news
    }

    /// The last trade and the shares traded today. No price, no trade.
    fn traded(&self) -> Result<(Option<LastTrade>, Option<Qty>), Absurd> {
        let day_volume = value::quantity("vtt", self.vtt)?;
        let day_volume = Some(day_volume).filter(|volume| *volume != Qty::ZERO);
        let Some(ltpc) = self.ltpc else { return Ok((None, day_volume)) };
        let Some(price) = value::price_if_any("ltp", ltpc.ltp)? else {
            return Ok((None, day_volume));
        };
        let time = value::time("ltt", ltpc.ltt)?;
        let quantity = value::quantity("ltq", ltpc.ltq)?;
        Ok((Some(LastTrade { price, time, quantity }), day_volume))
    }
}

#[cfg(test)]
mod tests;
