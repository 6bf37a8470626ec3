//! Everything that may change a decision. It is the first record of every run, so a run can be
//! repeated from its journal alone.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::money::{Cash, Price, Qty, Rate, Side};
use super::tags::tagged;
use super::time::{Date, Timestamp};

tagged! {
    /// Which rules make signals.
    Profile {
        /// The batch rules, with swing points known only once they are confirmed.
        Causal = 1 "causal",
        /// What the Python system does when it runs live: a window of 100 bars, and a bar is known
        /// only when a later one has begun.
        CompatLive = 2 "compat-live",
    }
}

impl Profile {
    /// The execution that belongs to these signals, where nobody says otherwise.
    pub const fn execution(self) -> ExecutionProfile {
        match self {
            Profile::Causal => ExecutionProfile::Honest,
            Profile::CompatLive => ExecutionProfile::Compat,
        }
    }
}

tagged! {
    /// Which rules turn signals into fills.
    ExecutionProfile {
        /// Fills at the next observed price, gaps at the open, flat before the session ends.
        Honest = 1 "honest",
        /// What the Python system does: fills at the bar's close, exits exactly at the level.
        Compat = 2 "compat",
        /// No order at all: signals are made and looked at.
        Observe = 3 "observe",
    }
}

/// The strategy's parameters (PixityAI; names as in its configuration file).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrategyConfig {
    /// Identifier, part of every signal id.
    pub id: String,
    /// Which rules make signals.
    pub profile: Profile,
    /// Minutes in one strategy bar. A divisor of 60.
    pub bar_minutes: u32,
    /// Bars on either side of a swing point.
    pub swing_period: u32,
    /// Width of the reversion band, in ATRs.
    pub reversion_k: f64,
    /// Reversion needs an ADX below this.
    pub adx_gate: f64,
    /// Index of the first bar that is evaluated, counted from the start of the history (causal;
    /// compat-live has [`COMPAT_LIVE_BARS_MIN`]).
    pub first_bar: u32,
    /// Bars after which a position is closed whatever happened.
    pub time_stop_bars: u32,
    /// Rupees put at risk by one signal: the quantity is this over the ATR.
    pub risk_per_trade: Cash,
    /// A signal's worth is at most this many times the capital.
    pub leverage: u32,
}

impl Default for StrategyConfig {
    fn default() -> StrategyConfig {
        StrategyConfig {
            id: String::from("pixityAI_meta"),
            profile: Profile::Causal,
            bar_minutes: 15,
            swing_period: 5,
            reversion_k: 2.0,
            adx_gate: 25.0,
            first_bar: 50,
            time_stop_bars: 12,
            risk_per_trade: Cash::from_rupees(500),
            leverage: 5,
        }
    }
}

/// How orders become fills, and which limits stand before them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutionConfig {
    /// Which rules turn signals into fills.
    pub profile: ExecutionProfile,
    /// Ticks that every market or stop fill is worse than the price seen (honest).
    pub slippage_ticks: u32,
    /// No entry once the session has this many minutes left or fewer (honest).
    pub entry_cutoff_minutes: u32,
    /// Positions are closed once the session has this many minutes left (honest).
    pub flatten_minutes: u32,
    /// A signal may enter once this many bars have closed since the exit, the exit's own bar and
    /// the signal's included; so 3 silences the bar of the exit and the next (honest, and compat
    /// with compat-live).
    pub cooldown_bars: u32,
    /// Whether a bar with missing minutes may enter (honest).
    pub enter_on_incomplete: bool,
    /// Entries in one day, over all symbols (honest); fills in a run (compat).
    pub trades_max: u32,
    /// Cash at the start, and the base of sizing (compat-live sizes by
    /// [`COMPAT_LIVE_SIZING_CAPITAL`]).
    pub capital: Cash,
    /// Loss in one day, open positions and fees included, that stops trading for the day (honest)
    /// or the drawdown from the peak that stops it for good (compat).
    pub daily_loss_max: Cash,
    /// Largest position in shares (compat).
    pub position_max: Qty,
    /// What a position of one symbol may be worth when it is entered (honest).
    pub exposure_max: Cash,
}

impl Default for ExecutionConfig {
    fn default() -> ExecutionConfig {
        ExecutionConfig {
            profile: ExecutionProfile::Honest,
            slippage_ticks: 1,
            entry_cutoff_minutes: 30,
            flatten_minutes: 15,
            cooldown_bars: 3,
            enter_on_incomplete: false,
            trades_max: 100,
            capital: Cash::from_rupees(100_000),
            daily_loss_max: Cash::from_rupees(5_000),
            position_max: Qty(100_000),
            exposure_max: Cash::from_rupees(1_000_000_000),
        }
    }
}

/// Charges by date. One formula serves all schedules; see [`FeePeriod`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeSchedule {
    /// Name, such as `nse` or `plan`.
    pub name: String,
    /// The version of the data, as its file says.
    pub version: String,
    /// Periods, ascending by their first day.
    pub periods: Vec<FeePeriod>,
}

impl FeeSchedule {
    /// The period that holds on `date`; the earliest for days before all of them.
    pub fn at(&self, date: Date) -> Option<&FeePeriod> {
        let after = self.periods.partition_point(|period| period.from <= date);
        self.periods.get(after.saturating_sub(1))
    }
}

/// Charges of one executed order from one day on.
///
/// brokerage = min(`brokerage_flat`, turnover x `brokerage_rate`); each other charge is a share of
/// the turnover; GST is a share of brokerage + transaction (+ IPFT, + SEBI as the flags say). Each
/// charge is rounded to 1/10,000 rupee by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeePeriod {
    /// First day.
    pub from: Date,
    /// Most that one order pays in brokerage.
    pub brokerage_flat: Cash,
    /// Share of the turnover that a small order pays instead; the whole for a flat brokerage.
    pub brokerage_rate: Rate,
    /// Securities transaction tax on buys.
    pub stt_buy: Rate,
    /// Securities transaction tax on sells.
    pub stt_sell: Rate,
    /// The exchange's transaction charge.
    pub transaction: Rate,
    /// Investor protection fund.
    pub ipft: Rate,
    /// SEBI turnover fee.
    pub sebi: Rate,
    /// Stamp duty on buys.
    pub stamp_buy: Rate,
    /// Stamp duty on sells.
    pub stamp_sell: Rate,
    /// Goods and services tax on the service part.
    pub gst: Rate,
    /// Whether GST is also due on IPFT.
    pub gst_on_ipft: bool,
    /// Whether GST is also due on the SEBI fee.
    pub gst_on_sebi: bool,
}

impl FeePeriod {
    /// Charges of one executed order of `turnover` rupees.
    pub fn charge(&self, side: Side, turnover: Cash) -> Cash {
        let brokerage = self.brokerage_flat.min(turnover.share(self.brokerage_rate));
        let (stt, stamp) = match side {
            Side::Buy => (self.stt_buy, self.stamp_buy),
            Side::Sell => (self.stt_sell, self.stamp_sell),
        };
        let transaction = turnover.share(self.transaction);
        let ipft = turnover.share(self.ipft);
        let sebi = turnover.share(self.sebi);
        let mut service = brokerage.plus(transaction);
        if self.gst_on_ipft {
            service = service.plus(ipft);
        }
        if self.gst_on_sebi {
            service = service.plus(sebi);
        }
        [transaction, ipft, sebi, turnover.share(stt), turnover.share(stamp)]
            .into_iter()
            .fold(brokerage.plus(service.share(self.gst)), Cash::plus)
    }
}

/// Everything that may change a decision, apart from the instruments and the calendar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// The strategy's parameters.
    pub strategy: StrategyConfig,
    /// How orders become fills.
    pub execution: ExecutionConfig,
    /// Charges by date.
    pub fees: FeeSchedule,
    /// Bars that close at or before this instant are history: they warm the indicators up and
    /// never make a signal.
    pub active_from: Timestamp,
}

/// The price improvement that the Python system takes from every fill: one paisa, always adverse.
pub const COMPAT_SLIPPAGE: Price = Price(100);

/// Bars that the live Python system looks back on, the newest included.
pub const COMPAT_LIVE_WINDOW: usize = 100;

/// Bars that must be in its window before it looks for a signal.
pub const COMPAT_LIVE_BARS_MIN: u32 = 50;

/// The capital that it sizes by, whatever there is.
pub const COMPAT_LIVE_SIZING_CAPITAL: Cash = Cash::from_rupees(100_000);
