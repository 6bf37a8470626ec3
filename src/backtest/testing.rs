//! What the tests of this room share: small runs with signals where a test wants them, a log of
//! what became of them, and the facts in `tests/fixtures/reference`.

use std::path::Path;

use super::indicators::IndicatorColumns;
use super::{Frame, Outcome, follow, run_with};
use crate::domain::config::{ExecutionConfig, FeePeriod, FeeSchedule, RunConfig, StrategyConfig};
use crate::domain::event::{CORE_VERSION, RunStarted};
use crate::domain::fact::{Bar, Bar15m, Signal, SignalKind, SignalRef};
use crate::domain::instrument::{Instrument, InstrumentId, Listing};
use crate::domain::money::{Cash, Price, Qty, Rate, Side};
use crate::domain::session::{Session, SessionKind};
use crate::domain::time::{Date, Timestamp, Window};
use crate::sources::columns::BarColumns;

/// The day of tests that need only one.
pub const DAY: &str = "2024-10-01";

pub fn date(text: &str) -> Date {
    Date::parse(text).unwrap()
}

/// A time of [`DAY`] such as `09:15`, or a full one.
pub fn time(text: &str) -> Timestamp {
    let full = if text.len() == 5 { format!("{DAY}T{text}") } else { text.to_owned() };
    Timestamp::parse(&full).unwrap()
}

pub fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}

/// Continuous trading from 09:15 to 15:30.
pub fn session(text: &str) -> Session {
    let day = date(text);
    let window =
        Window { open: Timestamp::from_ist(day, 9, 15), close: Timestamp::from_ist(day, 15, 30) };
    Session {
        date: day,
        kind: SessionKind::Regular,
        windows: vec![window],
        auction_windows: Vec::new(),
        own_hours: Vec::new(),
    }
}

fn instrument(key: &str) -> Instrument {
    let listing = Listing {
        from: Date(0),
        to: None,
        symbol: key.to_owned(),
        name: key.to_owned(),
        tick: price("0.05"),
        lot: 1,
        closing_auction: false,
    };
    Instrument { key: key.to_owned(), isin: String::new(), listings: vec![listing] }
}

/// A run of those instruments and days, without fees.
pub fn run_started(keys: &[&str], days: &[&str]) -> RunStarted {
    RunStarted {
        core_version: CORE_VERSION,
        build: String::new(),
        config: RunConfig {
            strategy: StrategyConfig::default(),
            execution: ExecutionConfig::default(),
            fees: FeeSchedule { name: String::new(), version: String::new(), periods: Vec::new() },
            active_from: Timestamp::MIN,
        },
        instruments: keys.iter().map(|key| instrument(key)).collect(),
        calendar_version: String::new(),
        sessions: days.iter().map(|day| session(day)).collect(),
        data: Vec::new(),
    }
}

/// A minute from `open high low close` in rupees, with a volume of 100.
pub fn minute(start: Timestamp, prices: &str) -> Bar {
    let prices: Vec<Price> = prices.split(' ').map(price).collect();
    let [open, high, low, close] = prices[..] else { panic!("four prices") };
    let volume = Qty(100);
    Bar { instrument: InstrumentId(0), open_time: start, open, high, low, close, volume }
}

/// A run in the making: minutes as rows of a file, and signals by decree.
pub struct Scenario {
    pub run: RunStarted,
    minutes: Vec<Vec<Bar>>,
    signals: Vec<Signal>,
}

impl Scenario {
    /// Two instruments, one day, no fees, no slippage.
    pub fn new() -> Scenario {
        let mut run = run_started(&["A", "B"], &[DAY]);
        run.config.execution.slippage_ticks = 0;
        Scenario { run, minutes: vec![Vec::new(), Vec::new()], signals: Vec::new() }
    }

    /// One minute of instrument `id`.
    pub fn minute(mut self, id: usize, start: &str, prices: &str) -> Scenario {
        self.minutes[id].push(minute(time(start), prices));
        self
    }

    /// Minutes of instrument `id` from `from` up to `to`, all at one price.
    pub fn quiet(mut self, id: usize, from: &str, to: &str, price: &str) -> Scenario {
        let mut start = time(from);
        while start < time(to) {
            self.minutes[id].push(minute(start, &[price; 4].join(" ")));
            start = start.plus_minutes(1);
        }
        self
    }

    /// A signal for 100 shares at 100.00 on the bar of instrument `id` that starts at `label`.
    pub fn signal(
        mut self,
        id: u16,
        label: &str,
        side: Side,
        stop: &str,
        target: &str,
    ) -> Scenario {
        let origin = SignalRef { bar_time: time(label), side, kind: SignalKind::Trend };
        let at = time(label).plus_minutes(15);
        let (stop, target) = (price(stop), price(target));
        self.signals.push(signal(id, origin, at, price("100"), Qty(100), stop, target));
        self
    }

    /// Changes the rules.
    pub fn with(mut self, change: impl FnOnce(&mut RunConfig)) -> Scenario {
        change(&mut self.run.config);
        self
    }

    /// The signals so far.
    pub fn signals_mut(&mut self) -> &mut [Signal] {
        &mut self.signals
    }

    /// What becomes of it, without the rules that make signals.
    pub fn trade(&self) -> Outcome {
        run_with(&self.run, &self.columns(), &[], |bars, _| self.signals_of(bars))
    }

    /// The same with the cooldown of the Python system's live path.
    pub fn trade_as_live(&self) -> Outcome {
        let frame_of = |bars: Vec<Bar15m>, _: &BarColumns| {
            let indicators = IndicatorColumns::of(&bars, 5).rows(&bars);
            Frame { indicators, signals: self.signals_of(&bars), bars }
        };
        let cooldown_bars = self.run.config.execution.cooldown_bars;
        follow(&self.run, &self.columns(), &[], frame_of, cooldown_bars)
    }

    fn columns(&self) -> Vec<BarColumns> {
        self.minutes.iter().map(|rows| BarColumns::from_bars(rows.iter())).collect()
    }

    fn signals_of(&self, bars: &[Bar15m]) -> Vec<Option<Signal>> {
        let signal_of = |bar: &Bar15m| {
            let is_of = |signal: &&Signal| {
                signal.instrument == bar.instrument && signal.bar_time == bar.open_time
            };
            self.signals.iter().find(is_of).cloned()
        };
        bars.iter().map(signal_of).collect()
    }

    /// [`log`] of what becomes of it.
    pub fn log(&self) -> String {
        log(&self.trade())
    }
}

/// A signal with everything that execution looks at.
pub fn signal(
    id: u16,
    origin: SignalRef,
    at: Timestamp,
    price: Price,
    quantity: Qty,
    stop: Price,
    target: Price,
) -> Signal {
    Signal {
        instrument: InstrumentId(id),
        bar_time: origin.bar_time,
        time: at,
        side: origin.side,
        kind: origin.kind,
        price,
        quantity,
        stop,
        target,
        atr: 1.0,
        vwap_dist: 0.0,
        ema_slope: 0.0,
        atr_pct: 0.0,
        adx: 0.0,
        vol_z: 0.0,
        margins: Vec::new(),
    }
}

/// Orders, fills, refusals and ends, one line each.
pub fn log(outcome: &Outcome) -> String {
    let clock = |time: Timestamp| format!("{:02}:{:02}", time.hour(), time.minute());
    let name = |id: InstrumentId| ["A", "B"][id.index()];
    let mut lines = Vec::new();
    for order in &outcome.orders {
        let (at, of) = (clock(order.time), name(order.instrument));
        lines.push(format!("order  {at} {of} {} {} {}", order.side, order.quantity, order.reason));
    }
    for fill in &outcome.fills {
        let (at, of) = (clock(fill.time), name(fill.instrument));
        let (side, quantity, price) = (fill.side, fill.quantity, fill.price);
        lines.push(format!("fill   {at} {of} {side} {quantity} @ {price} {}", fill.reason));
    }
    for no in &outcome.rejections {
        lines.push(format!("no     {} {} {}", clock(no.time), name(no.instrument), no.reason));
    }
    for halt in &outcome.halts {
        let (at, profit) = (clock(halt.time), halt.day_profit);
        lines.push(format!("halt   {at} {} at {profit}", halt.reason));
    }
    for day in &outcome.sessions {
        let (gross, fees, equity) = (day.gross, day.fees, day.equity);
        lines.push(format!("day    {} gross {gross} fees {fees} equity {equity}", day.date));
    }
    lines.join("\n")
}

/// A file of `tests/fixtures/reference`, as rows of fields without the header.
pub fn reference(name: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// The strategy bars of a reference symbol.
pub fn reference_bars(rows: &[Vec<String>], id: u16) -> Vec<Bar15m> {
    let bar = |row: &Vec<String>| Bar15m {
        instrument: InstrumentId(id),
        open_time: time(&row[0]),
        close_time: time(&row[0]).plus_minutes(15),
        open: price(&row[1]),
        high: price(&row[2]),
        low: price(&row[3]),
        close: price(&row[4]),
        volume: Qty(row[5].parse().unwrap()),
        minutes: 15,
        minutes_expected: 15,
    };
    rows.iter().map(bar).collect()
}

/// What the Python system charges, on both sides.
pub fn python_fees() -> FeePeriod {
    FeePeriod {
        from: date("2025-01-01"),
        brokerage_flat: rupees(20),
        brokerage_rate: Rate::ONE,
        stt_buy: Rate(2_500),
        stt_sell: Rate(2_500),
        transaction: Rate(345),
        ipft: Rate(0),
        sebi: Rate(10),
        stamp_buy: Rate(300),
        stamp_sell: Rate(300),
        gst: Rate(1_800_000),
        gst_on_ipft: false,
        gst_on_sebi: true,
    }
}

/// Rupees as an amount.
pub fn rupees(amount: i64) -> Cash {
    Cash::from_rupees(amount)
}
