//! The messages of `feed_v3.proto` as Rust, made by `cargo xtask codegen`; change that file.

use std::collections::BTreeMap;

/// The last trade of one instrument.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct Ltpc {
    /// Price of the last trade, in rupees.
    #[prost(double, tag = "1")]
    pub ltp: f64,
    /// Time of the last trade, in milliseconds since 1970 UTC.
    #[prost(int64, tag = "2")]
    pub ltt: i64,
    /// Shares of the last trade.
    #[prost(int64, tag = "3")]
    pub ltq: i64,
    /// Official close of the day before, in rupees.
    #[prost(double, tag = "4")]
    pub cp: f64,
    /// Indicative equilibrium price of a running auction; absent outside auctions.
    #[prost(message, optional, tag = "5")]
    pub iep: Option<f64>,
}
/// The levels of the order book, best first.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct MarketLevel {
    #[prost(message, repeated, tag = "1")]
    pub bid_ask_quote: Vec<Quote>,
}
/// One level of both sides of the order book.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct Quote {
    #[prost(int64, tag = "1")]
    pub bid_q: i64,
    #[prost(double, tag = "2")]
    pub bid_p: f64,
    #[prost(int64, tag = "3")]
    pub ask_q: i64,
    #[prost(double, tag = "4")]
    pub ask_p: f64,
}
/// Bars of one instrument.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct MarketOhlc {
    #[prost(message, repeated, tag = "1")]
    pub ohlc: Vec<Ohlc>,
}
/// One bar.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Ohlc {
    /// `1d`: the running day; `I1`: the last minute that is complete.
    #[prost(string, tag = "1")]
    pub interval: String,
    #[prost(double, tag = "2")]
    pub open: f64,
    #[prost(double, tag = "3")]
    pub high: f64,
    #[prost(double, tag = "4")]
    pub low: f64,
    #[prost(double, tag = "5")]
    pub close: f64,
    /// Shares.
    #[prost(int64, tag = "6")]
    pub vol: i64,
    /// Start of the bar, in milliseconds since 1970 UTC.
    #[prost(int64, tag = "7")]
    pub ts: i64,
}
/// Sensitivities of an option.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct OptionGreeks {
    #[prost(double, tag = "1")]
    pub delta: f64,
    #[prost(double, tag = "2")]
    pub theta: f64,
    #[prost(double, tag = "3")]
    pub gamma: f64,
    #[prost(double, tag = "4")]
    pub vega: f64,
    #[prost(double, tag = "5")]
    pub rho: f64,
}
/// All there is about something that is traded. Absent parts have not changed.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct MarketFullFeed {
    #[prost(message, optional, tag = "1")]
    pub ltpc: Option<Ltpc>,
    #[prost(message, optional, tag = "2")]
    pub market_level: Option<MarketLevel>,
    #[prost(message, optional, tag = "3")]
    pub option_greeks: Option<OptionGreeks>,
    #[prost(message, optional, tag = "4")]
    pub market_ohlc: Option<MarketOhlc>,
    /// Average traded price of the day, in rupees.
    #[prost(double, tag = "5")]
    pub atp: f64,
    /// Shares traded today.
    #[prost(int64, tag = "6")]
    pub vtt: i64,
    #[prost(double, tag = "7")]
    pub oi: f64,
    #[prost(double, tag = "8")]
    pub iv: f64,
    /// Shares on the buying side of the whole book.
    #[prost(double, tag = "9")]
    pub tbq: f64,
    /// Shares on the selling side of the whole book.
    #[prost(double, tag = "10")]
    pub tsq: f64,
    /// Indicative equilibrium price of a running auction, in rupees.
    #[prost(double, tag = "11")]
    pub iep: f64,
    /// Reference price of the auction, in rupees.
    #[prost(double, tag = "12")]
    pub rp: f64,
    /// Indicative equilibrium quantity of the auction.
    #[prost(int64, tag = "13")]
    pub ieq: i64,
    /// Indicative imbalance of all orders.
    #[prost(int64, tag = "14")]
    pub iiq_total: i64,
    /// Indicative imbalance of the orders at market.
    #[prost(int64, tag = "15")]
    pub iiq_m: i64,
    /// Whether the day of this instrument ends with a closing auction.
    #[prost(bool, tag = "16")]
    pub cas_eligible: bool,
}
/// All there is about an index.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct IndexFullFeed {
    #[prost(message, optional, tag = "1")]
    pub ltpc: Option<Ltpc>,
    #[prost(message, optional, tag = "2")]
    pub market_ohlc: Option<MarketOhlc>,
}
/// One of the two.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct FullFeed {
    #[prost(oneof = "full_feed::FullFeedUnion", tags = "1, 2")]
    pub full_feed_union: Option<full_feed::FullFeedUnion>,
}
/// Nested message and enum types in `FullFeed`.
pub mod full_feed {
    #[derive(Clone, PartialEq, ::prost::Oneof)]
    pub enum FullFeedUnion {
        #[prost(message, tag = "1")]
        MarketFf(super::MarketFullFeed),
        #[prost(message, tag = "2")]
        IndexFf(super::IndexFullFeed),
    }
}
/// What the mode `option_greeks` sends.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct FirstLevelWithGreeks {
    #[prost(message, optional, tag = "1")]
    pub ltpc: Option<Ltpc>,
    #[prost(message, optional, tag = "2")]
    pub first_depth: Option<Quote>,
    #[prost(message, optional, tag = "3")]
    pub option_greeks: Option<OptionGreeks>,
    /// Shares traded today.
    #[prost(int64, tag = "4")]
    pub vtt: i64,
    #[prost(double, tag = "5")]
    pub oi: f64,
    #[prost(double, tag = "6")]
    pub iv: f64,
}
/// What is new about one instrument.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Feed {
    #[prost(enumeration = "RequestMode", tag = "4")]
    pub request_mode: i32,
    #[prost(oneof = "feed::FeedUnion", tags = "1, 2, 3")]
    pub feed_union: Option<feed::FeedUnion>,
}
/// Nested message and enum types in `Feed`.
pub mod feed {
    #[derive(Clone, PartialEq, ::prost::Oneof)]
    pub enum FeedUnion {
        #[prost(message, tag = "1")]
        Ltpc(super::Ltpc),
        #[prost(message, tag = "2")]
        FullFeed(super::FullFeed),
        #[prost(message, tag = "3")]
        FirstLevelWithGreeks(super::FirstLevelWithGreeks),
    }
}
/// Phases of the segments of the exchanges.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct MarketInfo {
    #[prost(btree_map = "string, enumeration(MarketStatus)", tag = "1")]
    pub segment_status: BTreeMap<String, i32>,
    #[prost(btree_map = "string, message", tag = "2")]
    pub cas_market_status: BTreeMap<String, StatusInfo>,
    #[prost(btree_map = "string, message", tag = "3")]
    pub pre_open_session_status: BTreeMap<String, StatusInfo>,
}
/// A phase that is told as a word.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct StatusInfo {
    #[prost(string, tag = "1")]
    pub status: String,
    /// In milliseconds since 1970 UTC.
    #[prost(int64, tag = "2")]
    pub updated_time: i64,
}
/// One message.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct FeedResponse {
    #[prost(enumeration = "Type", tag = "1")]
    pub r#type: i32,
    /// By instrument key.
    #[prost(btree_map = "string, message", tag = "2")]
    pub feeds: BTreeMap<String, Feed>,
    /// When the server built the message, in milliseconds since 1970 UTC.
    #[prost(int64, tag = "3")]
    pub current_ts: i64,
    #[prost(message, optional, tag = "4")]
    pub market_info: Option<MarketInfo>,
}
/// How much was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum RequestMode {
    Ltpc = 0,
    FullD5 = 1,
    OptionGreeks = 2,
    FullD30 = 3,
}
impl RequestMode {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Ltpc => "ltpc",
            Self::FullD5 => "full_d5",
            Self::OptionGreeks => "option_greeks",
            Self::FullD30 => "full_d30",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> Option<Self> {
        match value {
            "ltpc" => Some(Self::Ltpc),
            "full_d5" => Some(Self::FullD5),
            "option_greeks" => Some(Self::OptionGreeks),
            "full_d30" => Some(Self::FullD30),
            _ => None,
        }
    }
}
/// Phase of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum MarketStatus {
    PreOpenStart = 0,
    PreOpenEnd = 1,
    NormalOpen = 2,
    NormalClose = 3,
    ClosingStart = 4,
    ClosingEnd = 5,
}
impl MarketStatus {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::PreOpenStart => "PRE_OPEN_START",
            Self::PreOpenEnd => "PRE_OPEN_END",
            Self::NormalOpen => "NORMAL_OPEN",
            Self::NormalClose => "NORMAL_CLOSE",
            Self::ClosingStart => "CLOSING_START",
            Self::ClosingEnd => "CLOSING_END",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> Option<Self> {
        match value {
            "PRE_OPEN_START" => Some(Self::PreOpenStart),
            "PRE_OPEN_END" => Some(Self::PreOpenEnd),
            "NORMAL_OPEN" => Some(Self::NormalOpen),
            "NORMAL_CLOSE" => Some(Self::NormalClose),
            "CLOSING_START" => Some(Self::ClosingStart),
            "CLOSING_END" => Some(Self::ClosingEnd),
            _ => None,
        }
    }
}
/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Type {
    InitialFeed = 0,
    LiveFeed = 1,
    MarketInfo = 2,
}
impl Type {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::InitialFeed => "initial_feed",
            Self::LiveFeed => "live_feed",
            Self::MarketInfo => "market_info",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> Option<Self> {
        match value {
            "initial_feed" => Some(Self::InitialFeed),
            "live_feed" => Some(Self::LiveFeed),
            "market_info" => Some(Self::MarketInfo),
            _ => None,
        }
    }
}
