//! A small morning of two instruments, to be bent by tests: one warm-up bar, then three quarters of
//! an hour with a signal, its entry and its exit.

use crate::domain::config::{ExecutionConfig, FeeSchedule, RunConfig, StrategyConfig};
use crate::domain::event::{Derived, EventId, Input, Output, RunStarted};
use crate::domain::fact::{
    Bar, Bar15m, Fill, Indicators, OrderReason, Signal, SignalKind, SignalRef,
};
use crate::domain::instrument::{Instrument, InstrumentId, Listing};
use crate::domain::money::{Cash, Price, Qty, Side};
use crate::domain::time::{MINUTE_US, Timestamp};

use super::book::{Book, Collector};

/// The instrument that has the signal.
pub const TATA: InstrumentId = InstrumentId(1);

/// The facts of a run, each of which a test may change.
#[derive(Clone)]
pub struct Facts {
    pub run: RunStarted,
    pub minutes: Vec<Bar>,
    pub bars: Vec<Bar15m>,
    pub indicators: Vec<Indicators>,
    pub signals: Vec<Signal>,
    pub fills: Vec<Fill>,
}

/// The instant of that text.
pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("tests write proper times")
}

/// The price of that text.
pub fn price(text: &str) -> Price {
    Price::parse(text).expect("tests write proper prices")
}

/// The facts as they should be.
pub fn facts() -> Facts {
    let quarters = ["2024-11-01T15:15", "2024-11-04T09:15", "2024-11-04T09:30", "2024-11-04T09:45"];
    let ids = [InstrumentId(0), TATA];
    let all = quarters.iter().flat_map(|label| ids.map(|id| (at(label), id)));
    let bars: Vec<Bar15m> = all.map(|(label, id)| bar_of(&minutes_of(label, id))).collect();
    let mut minutes: Vec<Bar> =
        bars.iter().flat_map(|bar| minutes_of(bar.open_time, bar.instrument)).collect();
    minutes.sort_by_key(|bar| (bar.open_time, bar.instrument));
    let origin = SignalRef { bar_time: at(quarters[2]), side: Side::Buy, kind: SignalKind::Trend };
    let fill = |time, side, quote, reason| Fill {
        order: EventId::NONE,
        instrument: TATA,
        time: at(time),
        side,
        quantity: Qty(40),
        price: price(quote),
        fee: Cash(211_234),
        reason,
        origin,
    };
    Facts {
        run: run(),
        minutes,
        indicators: bars.iter().map(indicators_of).collect(),
        bars,
        signals: vec![signal(origin)],
        fills: vec![
            fill("2024-11-04T09:45", Side::Buy, "974.55", OrderReason::Entry),
            fill("2024-11-04T09:53", Side::Sell, "962.00", OrderReason::Stop),
        ],
    }
}

impl Facts {
    /// The book as the oracle makes it.
    pub fn book(&self) -> Book {
        let Facts { run, minutes, bars, indicators, signals, fills } = self;
        Book::from_parts(run, minutes.iter().copied(), bars, indicators, signals, fills)
    }

    /// The minute bar of that time.
    pub fn minute(&mut self, id: InstrumentId, time: &str) -> &mut Bar {
        let wanted = |bar: &&mut Bar| bar.instrument == id && bar.open_time == at(time);
        self.minutes.iter_mut().find(wanted).expect("tests name minutes that are there")
    }

    /// The place of the strategy bar of that label.
    pub fn place(&self, id: InstrumentId, label: &str) -> usize {
        let wanted = |bar: &Bar15m| bar.instrument == id && bar.open_time == at(label);
        self.bars.iter().position(wanted).expect("tests name bars that are there")
    }

    /// The run as a core would tell it: a watermark after each minute, outputs when they are known.
    pub fn steps(&self) -> Vec<(Input, Vec<Derived>)> {
        let mut steps = vec![(Input::RunStarted(Box::new(self.run.clone())), Vec::new())];
        let mut now = Timestamp::MIN;
        for (place, bar) in self.minutes.iter().enumerate() {
            steps.push((Input::Bar(*bar), Vec::new()));
            let next = self.minutes.get(place + 1).map_or(Timestamp::MAX, Bar::close_time);
            if next > bar.close_time() {
                let outputs = self.known_in(now, bar.close_time());
                let derive = |output| Derived { cause: 0, output };
                let outputs = outputs.into_iter().map(derive).collect();
                now = bar.close_time();
                steps.push((Input::Watermark(now), outputs));
            }
        }
        steps
    }

    /// What becomes known after `from` and up to `to`.
    fn known_in(&self, from: Timestamp, to: Timestamp) -> Vec<Output> {
        let now = |time: Timestamp| from < time && time <= to;
        let mut outputs = Vec::new();
        for (bar, row) in self.bars.iter().zip(&self.indicators) {
            if now(bar.close_time) {
                outputs.extend([Output::Bar15m(*bar), Output::Indicators(*row)]);
            }
        }
        let signals = self.signals.iter().filter(|signal| now(signal.time));
        outputs.extend(signals.map(|signal| Output::Signal(Box::new(signal.clone()))));
        outputs.extend(self.fills.iter().filter(|fill| now(fill.time)).map(|f| Output::Fill(*f)));
        outputs
    }
}

/// The book that a fold over the steps makes.
pub fn folded(run: &RunStarted, steps: &[(Input, Vec<Derived>)]) -> Book {
    let mut collector = Collector::new(run);
    for (seq, (input, outputs)) in (0..).zip(steps) {
        collector.input(input);
        for (index, derived) in (1..).zip(outputs) {
            collector.output(EventId { seq, index }, &derived.output);
        }
    }
    collector.finish()
}

/// Fifteen minutes from `label` on; every price and volume is another.
fn minutes_of(label: Timestamp, id: InstrumentId) -> Vec<Bar> {
    let minute = |slot: i64| {
        let base = 9_600_000 + i64::from(id.0) * 1_000_000 + label.0 / MINUTE_US % 1_440 * 100;
        let open = base + slot * 700;
        Bar {
            instrument: id,
            open_time: label.plus_minutes(slot),
            open: Price(open),
            high: Price(open + 900),
            low: Price(open - 500),
            close: Price(open + 300),
            volume: Qty(1_000 + slot * 13),
        }
    };
    (0..15).map(minute).collect()
}

/// The strategy bar of complete minutes.
fn bar_of(minutes: &[Bar]) -> Bar15m {
    let (first, last) = (minutes[0], minutes[minutes.len() - 1]);
    let label = first.open_time.floor_to(15 * MINUTE_US);
    Bar15m {
        instrument: first.instrument,
        open_time: label,
        close_time: label.plus_minutes(15),
        open: first.open,
        high: minutes.iter().fold(first.high, |high, bar| high.max(bar.high)),
        low: minutes.iter().fold(first.low, |low, bar| low.min(bar.low)),
        close: last.close,
        volume: minutes.iter().fold(Qty::ZERO, |sum, bar| sum.plus(bar.volume)),
        minutes: minutes.len() as u32,
        minutes_expected: 15,
    }
}

fn indicators_of(bar: &Bar15m) -> Indicators {
    let close = bar.close.rupees();
    Indicators {
        instrument: bar.instrument,
        open_time: bar.open_time,
        ema20: close - 0.1,
        ema50: close - 0.2,
        atr: f64::NAN,
        adx: 100.0 / 3.0,
        vwap: close / 1.01,
        vol_z: 0.0,
        swing_high: Some(bar.high),
        swing_low: None,
    }
}

fn signal(origin: SignalRef) -> Signal {
    Signal {
        instrument: TATA,
        bar_time: origin.bar_time,
        time: origin.bar_time.plus_minutes(15),
        side: origin.side,
        kind: origin.kind,
        price: price("974.50"),
        quantity: Qty(40),
        stop: price("962.00"),
        target: price("999.50"),
        atr: 12.5,
        vwap_dist: 0.001,
        ema_slope: 1e-7,
        atr_pct: 12.5 / 974.5,
        adx: 100.0 / 3.0,
        vol_z: 0.0,
        margins: vec![9.6, 0.1, 2.0, 0.05],
    }
}

fn run() -> RunStarted {
    let instrument = |key: &str, symbol: &str| Instrument {
        key: format!("NSE_EQ|{key}"),
        isin: key.to_string(),
        listings: vec![Listing {
            from: at("2020-01-01T00:00").date(),
            to: None,
            symbol: symbol.to_string(),
            name: symbol.to_string(),
            tick: price("0.05"),
            lot: 1,
            closing_auction: false,
        }],
    };
    RunStarted {
        core_version: 1,
        build: "lockstep test".to_string(),
        config: RunConfig {
            strategy: StrategyConfig::default(),
            execution: ExecutionConfig::default(),
            fees: FeeSchedule { name: "nse".into(), version: "1".into(), periods: Vec::new() },
            active_from: at("2024-11-04T00:00"),
        },
        instruments: vec![
            instrument("INE118H01025", "BSE"),
            instrument("INE155A01022", "TATAMOTORS"),
        ],
        calendar_version: "1".to_string(),
        sessions: Vec::new(),
        data: Vec::new(),
    }
}
