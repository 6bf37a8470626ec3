//! Facts: the payloads of events. What the market printed, what the indicators made of it, what the
//! strategy wanted, and what became of that.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::event::EventId;
use super::instrument::InstrumentId;
use super::money::{Cash, Price, Qty, Side};
use super::tags::tagged;
use super::time::{Date, MINUTE_US, Timestamp};

/// One minute of trading, `[open_time, open_time + 1 min)`. Known at its close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// What was traded.
    pub instrument: InstrumentId,
    /// Start of the minute.
    pub open_time: Timestamp,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Shares traded.
    pub volume: Qty,
}

impl Bar {
    /// End of the minute: when the bar is known.
    pub const fn close_time(&self) -> Timestamp {
        self.open_time.plus_us(MINUTE_US)
    }
}

/// The last trade, as a feed tells it, and what was traded that day: feeds leave trades out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// What was traded.
    pub instrument: InstrumentId,
    /// The exchange's time of the trade.
    pub time: Timestamp,
    /// At what price.
    pub price: Price,
    /// Shares of this trade.
    pub quantity: Qty,
    /// Shares traded that day up to this trade, itself included; 0 where the feed does not say.
    pub day_volume: Qty,
}

tagged! {
    /// Which archive a minute comes from.
    BackfillOrigin {
        /// The local history.
        Store = 1 "store",
        /// The feed's candles of the day.
        Intraday = 2 "intraday",
        /// The feed's candles of earlier days.
        Historical = 3 "historical",
    }
}

/// A minute from an archive: no price for anybody who waits for one, and no signal comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    /// The minute.
    pub bar: Bar,
    /// Where it comes from.
    pub origin: BackfillOrigin,
}

/// Trades of `[from, to)` may be missing. Minutes that overlap are not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Of what.
    pub instrument: InstrumentId,
    /// The last moment that was seen.
    pub from: Timestamp,
    /// The first moment that is seen again.
    pub to: Timestamp,
}

tagged! {
    /// What happened at a feed.
    NoticeKind {
        /// The feed is there, and has said how each instrument stands.
        FeedUp = 1 "feed-up",
        /// The feed is gone.
        FeedDown = 2 "feed-down",
        /// The feed is there but says nothing.
        FeedSilent = 3 "feed-silent",
        /// The exchange changed the phase of its day.
        Phase = 4 "phase",
        /// The clock of this machine jumped.
        ClockJump = 5 "clock-jump",
        /// The feed's own minute is not the one that the ticks make.
        MinuteDiffers = 6 "minute-differs",
        /// Something from the feed could not be used.
        Refused = 7 "refused",
        /// What was left out or repaired since the last such notice.
        Repaired = 8 "repaired",
        /// An archive was asked, or answered.
        Archive = 9 "archive",
        /// A request to this program was refused.
        Control = 10 "control",
    }
}

/// Something happened at the feed that decides nothing, and that people want to read later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// When, by the exchange's clock.
    pub time: Timestamp,
    /// What.
    pub kind: NoticeKind,
    /// About which instrument; none: all of them.
    pub instrument: Option<InstrumentId>,
    /// In words, one line.
    pub detail: String,
}

/// One strategy bar (15 minutes), made of the minutes that there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar15m {
    /// What was traded.
    pub instrument: InstrumentId,
    /// Start of the bar: its label.
    pub open_time: Timestamp,
    /// End of the bar, cut off at the session's end: the bar is known then, under the profile
    /// compat-live once a later bar has begun.
    pub close_time: Timestamp,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Shares traded.
    pub volume: Qty,
    /// Minutes that had a bar.
    pub minutes: u32,
    /// Minutes of continuous trading in the bar.
    pub minutes_expected: u32,
}

impl Bar15m {
    /// Whether every minute of the bar was there.
    pub const fn is_complete(&self) -> bool {
        self.minutes == self.minutes_expected
    }
}

/// Indicator values after one strategy bar, in rupees unless said otherwise. NaN: not yet known.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Indicators {
    /// What was traded.
    pub instrument: InstrumentId,
    /// Start of the bar.
    pub open_time: Timestamp,
    /// Exponential mean of the close, span 20.
    pub ema20: f64,
    /// Exponential mean of the close, span 50.
    pub ema50: f64,
    /// Average true range, 14 bars.
    pub atr: f64,
    /// Average directional index, 14 bars, 0..=100.
    pub adx: f64,
    /// Volume-weighted average price since the session began.
    pub vwap: f64,
    /// Deviation of the volume from its mean over 100 bars, in standard deviations.
    pub vol_z: f64,
    /// High of the last swing high: confirmed, or not beaten yet (compat-live).
    pub swing_high: Option<Price>,
    /// Low of the last swing low: confirmed, or not beaten yet (compat-live).
    pub swing_low: Option<Price>,
}

/// By bits, so that two NaNs are equal and 0.0 is not -0.0: the promise is identical bytes.
impl PartialEq for Indicators {
    fn eq(&self, other: &Indicators) -> bool {
        let bits = |row: &Indicators| {
            [row.ema20, row.ema50, row.atr, row.adx, row.vwap, row.vol_z].map(f64::to_bits)
        };
        self.instrument == other.instrument
            && self.open_time == other.open_time
            && bits(self) == bits(other)
            && self.swing_high == other.swing_high
            && self.swing_low == other.swing_low
    }
}

tagged! {
    /// Which condition made a signal.
    SignalKind {
        /// A break of the last swing, with the trend.
        Trend = 1 "TREND",
        /// A return into the band around VWAP, without a trend.
        Reversion = 2 "REVERSION",
    }
}

/// The strategy wants a position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// What to trade.
    pub instrument: InstrumentId,
    /// Start of the bar that made the signal.
    pub bar_time: Timestamp,
    /// When that bar was known, and so the signal.
    pub time: Timestamp,
    /// Which way.
    pub side: Side,
    /// Why.
    pub kind: SignalKind,
    /// The bar's close.
    pub price: Price,
    /// Shares: risk per trade over ATR.
    pub quantity: Qty,
    /// Where the position is given up: one ATR away.
    pub stop: Price,
    /// Where the profit is taken: two ATRs away.
    pub target: Price,
    /// Average true range at the bar, in rupees.
    pub atr: f64,
    /// (close - vwap) / vwap.
    pub vwap_dist: f64,
    /// (ema20 - its value one bar before) / that value.
    pub ema_slope: f64,
    /// atr / close.
    pub atr_pct: f64,
    /// ADX at the bar.
    pub adx: f64,
    /// vol_z at the bar.
    pub vol_z: f64,
    /// By how much each comparison of the condition held, in rupees (ADX points for the gate), in
    /// the order of [`margin_names`]. All are >= 0.
    pub margins: Vec<f64>,
}

/// What a signal's margins measure, in order.
pub const fn margin_names(kind: SignalKind) -> &'static [&'static str] {
    match kind {
        SignalKind::Trend => &["close-vwap", "ema20-ema50", "swing-previous", "close-swing"],
        SignalKind::Reversion => &["gate-adx", "band-previous", "close-band"],
    }
}

/// The name of a signal for people and other systems: a hash, so that it can be recomputed anywhere
/// and no signal can be counted twice. BLAKE3 of `key|strategy|YYYY-MM-DDTHH:MM|SIDE|TYPE`, the
/// first 16 bytes in hexadecimal.
pub fn signal_id(key: &str, strategy: &str, origin: SignalRef) -> String {
    let SignalRef { bar_time, side, kind } = origin;
    let name = alloc::format!("{key}|{strategy}|{bar_time}|{side}|{kind}");
    let hash = blake3::hash(name.as_bytes());
    let mut text = String::with_capacity(32);
    for byte in &hash.as_bytes()[..16] {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
    }
    text
}

/// Which signal of an instrument something goes back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalRef {
    /// Start of the bar that made the signal.
    pub bar_time: Timestamp,
    /// Which way the signal went.
    pub side: Side,
    /// Which condition it was.
    pub kind: SignalKind,
}

impl Signal {
    /// What orders and fills keep of this signal.
    pub const fn origin(&self) -> SignalRef {
        SignalRef { bar_time: self.bar_time, side: self.side, kind: self.kind }
    }
}

tagged! {
    /// Why an order exists.
    OrderReason {
        /// A signal was taken.
        Entry = 1 "entry",
        /// The stop was reached.
        Stop = 2 "stop",
        /// The target was reached.
        Target = 3 "target",
        /// The position was held for its full time.
        TimeStop = 4 "time-stop",
        /// The session is about to end.
        SessionEnd = 5 "session-end",
        /// The day's loss limit was reached.
        DailyLoss = 6 "daily-loss",
        /// Somebody said so.
        Command = 7 "command",
    }
}

/// Something is to be bought or sold. Its id is the id of its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What to trade.
    pub instrument: InstrumentId,
    /// From when on it may be filled.
    pub time: Timestamp,
    /// Which way.
    pub side: Side,
    /// Shares.
    pub quantity: Qty,
    /// Why.
    pub reason: OrderReason,
    /// The signal that opened the position.
    pub origin: SignalRef,
}

/// An order was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// The order; `EventId::NONE` where a fill is compared by content only.
    pub order: EventId,
    /// What was traded.
    pub instrument: InstrumentId,
    /// When: the open of a minute for a market order, the close of the minute for a level that was
    /// touched inside it, the trade's time for a tick.
    pub time: Timestamp,
    /// Which way.
    pub side: Side,
    /// Shares.
    pub quantity: Qty,
    /// Price, slippage included.
    pub price: Price,
    /// Charges.
    pub fee: Cash,
    /// Why the order existed.
    pub reason: OrderReason,
    /// The signal that opened the position.
    pub origin: SignalRef,
}

/// What is held of one instrument after a fill, and the cash that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// What is held.
    pub instrument: InstrumentId,
    /// Shares; negative for a short position.
    pub quantity: Qty,
    /// What the shares cost; negative for a short position.
    pub cost: Cash,
    /// Profit of all closed shares of the run, before fees.
    pub realized: Cash,
    /// Cash of the account, fees paid.
    pub cash: Cash,
}

tagged! {
    /// Why the core said no.
    RejectReason {
        /// The bar or tick closed before the watermark.
        Late = 1 "late",
        /// The bar is older than the instrument's newest.
        OutOfOrder = 2 "out-of-order",
        /// The instrument already has a bar of that minute.
        Duplicate = 3 "duplicate",
        /// Nothing is traded continuously at that time.
        OutsideSession = 4 "outside-session",
        /// The bar of the signal lacks minutes.
        IncompleteBar = 5 "incomplete-bar",
        /// A position or an order of the instrument is open.
        PositionOpen = 6 "position-open",
        /// The last exit is too fresh.
        Cooldown = 7 "cooldown",
        /// The session is almost over.
        EntryCutoff = 8 "entry-cutoff",
        /// The day has had its number of entries.
        TradesMax = 9 "trades-max",
        /// The day's loss limit was reached.
        DailyLoss = 10 "daily-loss",
        /// The capital does not carry another position of that size.
        Capital = 11 "capital",
        /// The sizing rule gives no shares.
        NoQuantity = 12 "no-quantity",
        /// Trading is paused by command.
        Paused = 13 "paused",
        /// Trading was stopped for good.
        Killed = 14 "killed",
        /// No price came before the session ended.
        Expired = 15 "expired",
        /// The position would grow beyond its largest size.
        PositionMax = 16 "position-max",
        /// More of one symbol than is allowed.
        Exposure = 17 "exposure",
        /// The run only looks on.
        Observing = 18 "observing",
        /// Trades of the minute may be missing.
        Gap = 19 "gap",
    }
}

impl RejectReason {
    /// Whether it is a bar or a tick that was rejected, and not a signal or an order.
    pub const fn is_of_input(self) -> bool {
        matches!(
            self,
            RejectReason::Late
                | RejectReason::OutOfOrder
                | RejectReason::Duplicate
                | RejectReason::OutsideSession
                | RejectReason::Gap
        )
    }
}

/// The core said no to an input or a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// Of what.
    pub instrument: InstrumentId,
    /// Time of what was rejected: a bar's start, a tick's or an order's time.
    pub time: Timestamp,
    /// Why.
    pub reason: RejectReason,
}

/// Trading stopped, for the day or for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// When.
    pub time: Timestamp,
    /// Why: `DailyLoss`, `Paused` or `Killed`.
    pub reason: RejectReason,
    /// Profit of the day at that moment, open positions and fees included.
    pub day_profit: Cash,
}

/// A trading day is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEnded {
    /// The day.
    pub date: Date,
    /// Profit of the day before fees, open positions at their last price.
    pub gross: Cash,
    /// Fees of the day.
    pub fees: Cash,
    /// Cash and open positions at their last price.
    pub equity: Cash,
}
