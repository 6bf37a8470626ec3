//! Bars, signals, trades and days of a run, folded for the pages that show them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::event::{Event, EventId, Input, Output, Record, RunStarted};
use crate::domain::fact::{
    Bar15m, Fill, Indicators, OrderReason, Position, RejectReason, SessionEnded, Signal, SignalRef,
    signal_id,
};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Cash, Price, Qty, Side};
use crate::domain::time::Timestamp;
use crate::sinks::scanner::is_notable;
use crate::sinks::scanner::view::india;

/// The facts.
#[derive(Default)]
pub struct Facts {
    /// The run's description; none before the first record.
    pub run: Option<Box<RunStarted>>,
    /// Strategy bars of each instrument, in order.
    pub bars: Vec<Vec<BarFact>>,
    /// Signals, in order.
    pub signals: Vec<SignalFact>,
    /// Round trips, in order of their end.
    pub trades: Vec<Trade>,
    /// Trading days, warm-up excluded.
    pub days: Vec<SessionEnded>,
    /// The events that people care for, whole.
    pub notable: Vec<Record>,
    /// Events of each kind of input and output that the metrics tell.
    pub counts: BTreeMap<&'static str, u64>,
    open: BTreeMap<u16, OpenTrade>,
    last_fill: Option<(EventId, Fill)>,
}

/// A strategy bar with its indicators.
#[derive(Clone, Debug)]
pub struct BarFact {
    /// Its event.
    pub id: EventId,
    /// The bar.
    pub bar: Bar15m,
    /// Indicators after it.
    pub row: Option<Indicators>,
}

/// A signal with what became of it.
#[derive(Clone, Debug)]
pub struct SignalFact {
    /// Its event.
    pub id: EventId,
    /// Its name.
    pub name: String,
    /// The signal.
    pub signal: Signal,
    /// Why it was declined.
    pub declined: Option<RejectReason>,
    /// The fill that it led to.
    pub filled: Option<(Timestamp, Price)>,
}

/// One round trip, from flat to flat.
#[derive(Clone, Debug)]
pub struct Trade {
    /// The event of the fill that ended it.
    pub id: EventId,
    /// What was traded.
    pub instrument: InstrumentId,
    /// Which way it was entered.
    pub side: Side,
    /// Shares at the entry.
    pub quantity: Qty,
    /// When and at what price it was entered.
    pub entry: (Timestamp, Price),
    /// When and at what price it ended.
    pub exit: (Timestamp, Price),
    /// Profit before fees.
    pub gross: Cash,
    /// Fees of all its fills.
    pub fees: Cash,
    /// Why it ended.
    pub reason: OrderReason,
    /// The signal that opened it.
    pub origin: SignalRef,
}

#[derive(Clone, Debug, Default)]
struct OpenTrade {
    entry: Option<(Timestamp, Price, Side, Qty)>,
    quantity: Qty,
    realized: Cash,
    realized_before: Cash,
    fees: Cash,
}

impl Facts {
    /// Takes the next record.
    pub fn take(&mut self, record: &Record) {
        if is_notable(&record.event) {
            self.notable.push(record.clone());
        }
        match &record.event {
            Event::Input(input) => self.input(input),
            Event::Output(output) => self.output(record, output),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn input(&mut self, input: &Input) {
        self.count("inputs");
        match input {
            Input::RunStarted(run) => {
                self.bars = vec![Vec::new(); run.instruments.len()];
                self.run = Some(run.clone());
            }
            Input::Bar(_) => self.count("bars"),
            Input::Tick(_) => self.count("ticks"),
            Input::Command(_) => self.count("commands"),
            Input::Backfill(_) => self.count("backfills"),
            Input::Gap(_) => self.count("gaps"),
            Input::Notice(_) => self.count("notices"),
            _ => {}
        }
    }

    fn output(&mut self, record: &Record, output: &Output) {
        let id = record.id;
        match output {
            Output::Bar15m(bar) => {
                self.count("strategy_bars");
                if let Some(bars) = self.bars.get_mut(bar.instrument.index()) {
                    bars.push(BarFact { id, bar: *bar, row: None });
                }
            }
            Output::BarRevised(bar) => {
                self.count("bars_revised");
                if let Some(fact) = self.bar_mut(bar.instrument, bar.open_time) {
                    fact.bar = *bar;
                }
            }
            Output::Indicators(row) => {
                if let Some(fact) = self.bar_mut(row.instrument, row.open_time) {
                    fact.row = Some(*row);
                }
            }
            Output::Signal(signal) => self.signal(id, signal),
            Output::Rejection(no) => {
                self.count("rejections");
                let caused_by = EventId { seq: id.seq, index: record.cause };
                if let Some(fact) = self.signals.last_mut().filter(|fact| fact.id == caused_by) {
                    fact.declined = Some(no.reason);
                }
            }
            Output::Fill(fill) => {
                self.count("fills");
                self.fill(id, fill);
            }
            Output::Position(position) => self.position(position),
            Output::Halt(_) => self.count("halts"),
            Output::SessionEnded(day) => self.days.push(*day),
            _ => {}
        }
    }

    fn bar_mut(&mut self, of: InstrumentId, open_time: Timestamp) -> Option<&mut BarFact> {
        let bars = self.bars.get_mut(of.index())?;
        bars.iter_mut().rev().find(|fact| fact.bar.open_time == open_time)
    }

    fn signal(&mut self, id: EventId, signal: &Signal) {
        self.count("signals");
        let Some(run) = &self.run else { return };
        let key = run.instruments.get(signal.instrument.index()).map_or("", |it| &it.key);
        let name = signal_id(key, &run.config.strategy.id, signal.origin());
        let signal = signal.clone();
        self.signals.push(SignalFact { id, name, signal, declined: None, filled: None });
    }

    fn fill(&mut self, id: EventId, fill: &Fill) {
        self.last_fill = Some((id, *fill));
        if fill.reason != OrderReason::Entry {
            return;
        }
        let is_origin = |fact: &&mut SignalFact| {
            fact.signal.instrument == fill.instrument && fact.signal.origin() == fill.origin
        };
        if let Some(fact) = self.signals.iter_mut().rev().take(64).find(is_origin) {
            fact.filled = Some((fill.time, fill.price));
        }
    }

    fn position(&mut self, position: &Position) {
        let Some((id, fill)) = self.last_fill.take() else { return };
        let open = self.open.entry(position.instrument.0).or_default();
        let before = open.quantity;
        open.fees = open.fees.plus(fill.fee);
        open.realized = position.realized;
        open.quantity = position.quantity;
        let was_flat = before == Qty::ZERO;
        let is_over = !was_flat && before.0.signum() != position.quantity.0.signum();
        if is_over && let Some((time, price, side, quantity)) = open.entry.take() {
            self.trades.push(Trade {
                id,
                instrument: position.instrument,
                side,
                quantity,
                entry: (time, price),
                exit: (fill.time, fill.price),
                gross: open.realized.minus(open.realized_before),
                fees: std::mem::take(&mut open.fees),
                reason: fill.reason,
                origin: fill.origin,
            });
            open.realized_before = open.realized;
        }
        if (was_flat || is_over) && position.quantity != Qty::ZERO {
            open.entry = Some((fill.time, fill.price, fill.side, position.quantity.abs()));
        }
    }

    /// The instrument of that key.
    pub fn instrument(&self, key: &str) -> Option<InstrumentId> {
        let run = self.run.as_ref()?;
        let place = run.instruments.binary_search_by(|it| it.key.as_str().cmp(key)).ok();
        let place = place.or_else(|| run.instruments.iter().position(|it| it.key == key))?;
        u16::try_from(place).ok().map(InstrumentId)
    }

    /// The signal that was made of a bar, such as `BUY TREND`.
    pub fn signal_of(&self, fact: &BarFact) -> Option<String> {
        let first = self.signals.partition_point(|signal| signal.id < fact.id);
        let signal =
            self.signals[first..].iter().take_while(|it| it.id.seq == fact.id.seq).find(|it| {
                let signal = &it.signal;
                (signal.instrument, signal.bar_time) == (fact.bar.instrument, fact.bar.open_time)
            })?;
        Some(format!("{} {}", signal.signal.side, signal.signal.kind))
    }

    /// The key of an instrument.
    pub fn key(&self, instrument: InstrumentId) -> Option<&str> {
        let run = self.run.as_ref()?;
        run.instruments.get(instrument.index()).map(|it| it.key.as_str())
    }

    /// Its symbol at an instant; the key where nothing is listed.
    pub fn symbol(&self, instrument: InstrumentId, at: Timestamp) -> &str {
        let run = self.run.as_ref();
        let found = run.and_then(|run| run.instruments.get(instrument.index()));
        found.map_or("", |it| it.symbol_at(at.date()))
    }

    /// The days' results by month: the month, days, profit after fees.
    pub fn months(&self) -> BTreeMap<String, (u64, Cash)> {
        let mut months = BTreeMap::new();
        for day in &self.days {
            let month: &mut (u64, Cash) =
                months.entry(day.date.month_name()).or_insert((0, Cash::ZERO));
            *month = (month.0 + 1, month.1.plus(day.gross.minus(day.fees)));
        }
        months
    }
}

/// A bar for the interface.
#[derive(Serialize)]
pub struct BarJson {
    id: String,
    open_time: String,
    /// Start of the bar as a clock in India shows it, in seconds, for charts.
    chart_time: i64,
    close_time: String,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: i64,
    minutes: u32,
    minutes_expected: u32,
    indicators: Option<IndicatorsJson>,
}

/// Indicators for the interface; null where a value is not known yet.
#[derive(Serialize)]
pub struct IndicatorsJson {
    ema20: Option<f64>,
    ema50: Option<f64>,
    atr: Option<f64>,
    adx: Option<f64>,
    vwap: Option<f64>,
    vol_z: Option<f64>,
    swing_high: Option<f64>,
    swing_low: Option<f64>,
}

/// Seconds as a clock in India shows them, which is what charts without time zones need.
pub const fn chart_time(time: Timestamp) -> i64 {
    time.plus_us(crate::domain::time::IST_OFFSET_US).0.div_euclid(1_000_000)
}

fn known(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

impl BarFact {
    /// For the interface.
    pub fn json(&self) -> BarJson {
        let bar = &self.bar;
        BarJson {
            id: self.id.to_string(),
            open_time: india(bar.open_time),
            chart_time: chart_time(bar.open_time),
            close_time: india(bar.close_time),
            open: bar.open.rupees(),
            high: bar.high.rupees(),
            low: bar.low.rupees(),
            close: bar.close.rupees(),
            volume: bar.volume.0,
            minutes: bar.minutes,
            minutes_expected: bar.minutes_expected,
            indicators: self.row.map(|row| IndicatorsJson {
                ema20: known(row.ema20),
                ema50: known(row.ema50),
                atr: known(row.atr),
                adx: known(row.adx),
                vwap: known(row.vwap),
                vol_z: known(row.vol_z),
                swing_high: row.swing_high.map(Price::rupees),
                swing_low: row.swing_low.map(Price::rupees),
            }),
        }
    }
}

/// A signal for the interface.
#[derive(Serialize)]
pub struct SignalJson {
    id: String,
    signal_id: String,
    key: String,
    symbol: String,
    bar_time: String,
    chart_time: i64,
    time: String,
    side: &'static str,
    kind: &'static str,
    price: f64,
    quantity: i64,
    stop: f64,
    target: f64,
    declined: Option<&'static str>,
    filled_at: Option<String>,
    fill_price: Option<f64>,
}

/// A trade for the interface.
#[derive(Serialize)]
pub struct TradeJson {
    /// The event that ended it.
    pub id: String,
    /// The instrument's key.
    pub key: String,
    /// Its symbol at the end.
    pub symbol: String,
    /// Which way it was entered.
    pub side: &'static str,
    /// Shares at the entry.
    pub quantity: i64,
    /// When it was entered, India.
    pub entry_time: String,
    /// The same for charts.
    pub entry_chart_time: i64,
    /// At what price, rupees.
    pub entry_price: f64,
    /// When it ended, India.
    pub exit_time: String,
    /// The same for charts.
    pub exit_chart_time: i64,
    /// At what price, rupees.
    pub exit_price: f64,
    /// Profit before fees, rupees.
    pub gross: f64,
    /// Fees, rupees.
    pub fees: f64,
    /// Profit after fees, rupees.
    pub net: f64,
    /// Why it ended.
    pub reason: &'static str,
    /// Start of the signal's bar, India.
    pub signal_bar: String,
    /// Kind of the signal.
    pub signal_kind: &'static str,
}

impl Facts {
    /// A signal for the interface.
    pub fn signal_json(&self, fact: &SignalFact) -> SignalJson {
        let signal = &fact.signal;
        SignalJson {
            id: fact.id.to_string(),
            signal_id: fact.name.clone(),
            key: self.key(signal.instrument).unwrap_or_default().to_owned(),
            symbol: self.symbol(signal.instrument, signal.time).to_owned(),
            bar_time: india(signal.bar_time),
            chart_time: chart_time(signal.bar_time),
            time: india(signal.time),
            side: signal.side.word(),
            kind: signal.kind.word(),
            price: signal.price.rupees(),
            quantity: signal.quantity.0,
            stop: signal.stop.rupees(),
            target: signal.target.rupees(),
            declined: fact.declined.map(|reason| reason.word()),
            filled_at: fact.filled.map(|(time, _)| india(time)),
            fill_price: fact.filled.map(|(_, price)| price.rupees()),
        }
    }

    /// A trade for the interface.
    pub fn trade_json(&self, trade: &Trade) -> TradeJson {
        TradeJson {
            id: trade.id.to_string(),
            key: self.key(trade.instrument).unwrap_or_default().to_owned(),
            symbol: self.symbol(trade.instrument, trade.exit.0).to_owned(),
            side: trade.side.word(),
            quantity: trade.quantity.0,
            entry_time: india(trade.entry.0),
            entry_chart_time: chart_time(trade.entry.0),
            entry_price: trade.entry.1.rupees(),
            exit_time: india(trade.exit.0),
            exit_chart_time: chart_time(trade.exit.0),
            exit_price: trade.exit.1.rupees(),
            gross: trade.gross.rupees(),
            fees: trade.fees.rupees(),
            net: trade.gross.minus(trade.fees).rupees(),
            reason: trade.reason.word(),
            signal_bar: india(trade.origin.bar_time),
            signal_kind: trade.origin.kind.word(),
        }
    }
}
