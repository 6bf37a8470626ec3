//! The comparable facts of one run. Folded from its events as they happen, or taken from whole
//! columns; both go through one [`Collector`], so that the same facts give the same bytes.

use std::collections::VecDeque;

use csv::StringRecord;

use crate::domain::event::{EventId, Input, Output, RunStarted};
use crate::domain::fact::{
    Bar, Bar15m, Fill, Indicators, RejectReason, Rejection, Signal, SignalRef, signal_id,
};
use crate::domain::instrument::{Instrument, InstrumentId};
use crate::domain::money::Price;
use crate::domain::time::{MINUTE_US, Timestamp};

use super::table::{Table, TableKind};

/// Minutes that a strategy bar has places for.
pub const SLOTS: usize = 15;
/// What stands in `check` for a minute without a bar.
pub const NO_MINUTE: &str = "----";
/// Bytes of minute bars that are hashed at once: enough for the hash to work in parallel.
const HASH_CHUNK: usize = 1 << 16;

/// The comparable facts of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    /// Strategy bars with their indicators, warm-up excluded.
    pub bars: Table,
    /// Signals.
    pub signals: Table,
    /// Fills.
    pub fills: Table,
    /// BLAKE3 over all accepted minute bars, warm-up included, in hexadecimal. `None` where the
    /// book comes from tables alone.
    pub inputs: Option<String>,
}

impl Book {
    /// A table of the book.
    pub const fn table(&self, kind: TableKind) -> &Table {
        match kind {
            TableKind::Bars => &self.bars,
            TableKind::Signals => &self.signals,
            TableKind::Fills => &self.fills,
        }
    }

    /// Rows of all tables.
    pub fn rows(&self) -> usize {
        TableKind::ALL.iter().map(|kind| self.table(*kind).rows.len()).sum()
    }

    /// A book from whole columns: `minutes` are the accepted minute bars, and `indicators` has at
    /// each place the row of the bar at that place. Each instrument's minutes and bars ascend in time; how instruments are
    /// interleaved changes nothing.
    pub fn from_parts(
        run: &RunStarted,
        minutes: impl IntoIterator<Item = Bar>,
        bars: &[Bar15m],
        indicators: &[Indicators],
        signals: &[Signal],
        fills: &[Fill],
    ) -> Book {
        let mut collector = Collector::new(run);
        minutes.into_iter().for_each(|bar| collector.accept(&bar));
        for (place, bar) in bars.iter().enumerate() {
            collector.bar(EventId::NONE, bar);
            indicators.get(place).into_iter().for_each(|row| collector.indicators(row));
        }
        for signal in signals {
            collector.signals.push((EventId::NONE, signal.clone()));
        }
        collector.fills.extend(fills.iter().map(|fill| (EventId::NONE, *fill)));
        collector.finish()
    }
}

/// The check digits of the minutes of one strategy bar.
type Checks = [Option<u16>; SLOTS];

/// Folds the events of a run into a [`Book`]. Events are only kept; text is made at the end.
#[derive(Debug)]
pub struct Collector {
    instruments: Vec<Instrument>,
    strategy: String,
    active_from: Timestamp,
    /// The bar of the last input, until it is clear that the core did not refuse it.
    pending: Option<Bar>,
    minutes: Vec<Minutes>,
    bars: Vec<BarRow>,
    signals: Vec<(EventId, Signal)>,
    fills: Vec<(EventId, Fill)>,
}

/// What is kept of the minute bars of one instrument.
#[derive(Debug, Default)]
struct Minutes {
    hasher: blake3::Hasher,
    unhashed: Vec<u8>,
    /// Check digits of strategy bars that are not known yet, by label, ascending.
    open: VecDeque<(Timestamp, Checks)>,
    /// The place of the instrument's newest strategy bar.
    newest: Option<usize>,
}

#[derive(Debug)]
struct BarRow {
    event: EventId,
    bar: Bar15m,
    indicators: Option<Indicators>,
    checks: Checks,
}

impl Collector {
    /// An empty fold over the run that begins so.
    pub fn new(run: &RunStarted) -> Collector {
        Collector {
            instruments: run.instruments.clone(),
            strategy: run.config.strategy.id.clone(),
            active_from: run.config.active_from,
            pending: None,
            minutes: run.instruments.iter().map(|_| Minutes::default()).collect(),
            bars: Vec::new(),
            signals: Vec::new(),
            fills: Vec::new(),
        }
    }

    /// Takes note of an input. Its outputs follow through [`Collector::output`].
    pub fn input(&mut self, input: &Input) {
        self.settle();
        if let Input::Bar(bar) = input {
            self.pending = Some(*bar);
        }
    }

    /// Takes note of an output of the last input.
    pub fn output(&mut self, id: EventId, output: &Output) {
        match output {
            Output::Rejection(rejection) => {
                self.pending = self.pending.take().filter(|bar| !is_refusal(rejection, bar));
            }
            Output::Bar1m(bar) => self.accept(bar),
            Output::Bar15m(bar) => self.bar(id, bar),
            Output::Indicators(row) => self.indicators(row),
            Output::Signal(signal) => self.signals.push((id, (**signal).clone())),
            Output::Fill(fill) => self.fills.push((id, *fill)),
            Output::Order(_) | Output::Position(_) | Output::Halt(_) | Output::SessionEnded(_) => {}
        }
    }

    /// The book of everything so far.
    pub fn finish(mut self) -> Book {
        self.settle();
        self.bars.sort_by_key(|row| (row.bar.close_time, row.bar.instrument));
        self.signals.sort_by_key(|(_, signal)| (signal.time, signal.instrument));
        self.fills.sort_by_key(|(_, fill)| (fill.time, fill.instrument));
        let mut book = Book {
            bars: Table::new(TableKind::Bars),
            signals: Table::new(TableKind::Signals),
            fills: Table::new(TableKind::Fills),
            inputs: Some(self.inputs_hash()),
        };
        for row in &self.bars {
            book.bars.push(row.bar.close_time, row.event, self.bar_cells(row));
        }
        for (event, signal) in &self.signals {
            book.signals.push(signal.time, *event, self.signal_cells(signal));
        }
        for (event, fill) in &self.fills {
            book.fills.push(fill.time, *event, self.fill_cells(fill));
        }
        book
    }

    fn settle(&mut self) {
        if let Some(bar) = self.pending.take() {
            self.accept(&bar);
        }
    }

    fn accept(&mut self, bar: &Bar) {
        let Some(minutes) = self.minutes.get_mut(bar.instrument.index()) else { return };
        let numbers = [bar.open.0, bar.high.0, bar.low.0, bar.close.0, bar.volume.0];
        let mut bytes = [0; 40];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        minutes.hash(bar.open_time, &bytes);
        let label = bar.open_time.floor_to(SLOTS as i64 * MINUTE_US);
        let slot = (bar.open_time.0 - label.0) / MINUTE_US;
        if minutes.open.back().is_none_or(|(newest, _)| *newest < label) {
            minutes.open.push_back((label, Checks::default()));
        }
        let holding = minutes.open.iter_mut().rev().find(|(open, _)| *open == label);
        if let Some((_, checks)) = holding {
            checks[slot as usize] = Some(crc32c::crc32c(&bytes) as u16);
        }
    }

    fn bar(&mut self, event: EventId, bar: &Bar15m) {
        let Some(minutes) = self.minutes.get_mut(bar.instrument.index()) else { return };
        let checks = minutes.checks_of(bar.open_time);
        minutes.newest = None;
        if bar.close_time > self.active_from {
            minutes.newest = Some(self.bars.len());
            self.bars.push(BarRow { event, bar: *bar, indicators: None, checks });
        }
    }

    fn indicators(&mut self, row: &Indicators) {
        let newest = self.minutes.get(row.instrument.index()).and_then(|minutes| minutes.newest);
        if let Some(bar) = newest.and_then(|place| self.bars.get_mut(place))
            && bar.bar.open_time == row.open_time
        {
            bar.indicators = Some(*row);
        }
    }

    /// One hash over the hash of each instrument, so that it does not matter how the instruments
    /// were interleaved.
    fn inputs_hash(&mut self) -> String {
        let mut all = blake3::Hasher::new();
        for (instrument, minutes) in self.instruments.iter().zip(&mut self.minutes) {
            minutes.flush();
            all.update(&(instrument.key.len() as u64).to_le_bytes());
            all.update(instrument.key.as_bytes());
            all.update(minutes.hasher.finalize().as_bytes());
        }
        all.finalize().to_hex().to_string()
    }

    fn key(&self, id: InstrumentId) -> &str {
        self.instruments.get(id.index()).map_or("?", |instrument| &instrument.key)
    }

    fn symbol(&self, id: InstrumentId, time: Timestamp) -> &str {
        self.instruments.get(id.index()).map_or("?", |listed| listed.symbol_at(time.date()))
    }

    fn id_of(&self, instrument: InstrumentId, origin: SignalRef) -> String {
        signal_id(self.key(instrument), &self.strategy, origin)
    }

    fn bar_cells(&self, BarRow { bar, indicators, checks, .. }: &BarRow) -> StringRecord {
        let mut cells = Cells::default();
        cells.text(bar.open_time).text(bar.close_time).text(self.key(bar.instrument));
        cells.text(bar.open).text(bar.high).text(bar.low).text(bar.close).text(bar.volume);
        cells.text(bar.minutes).text(bar.minutes_expected);
        match indicators {
            Some(row) => {
                let numbers = [row.ema20, row.ema50, row.atr, row.adx, row.vwap, row.vol_z];
                for number in numbers {
                    cells.number(number);
                }
                cells.price(row.swing_high).price(row.swing_low);
            }
            None => (0..8).for_each(|_| cells.0.push_field("")),
        }
        let digits = |check: &Option<u16>| match check {
            Some(check) => format!("{check:04x}"),
            None => NO_MINUTE.to_string(),
        };
        cells.text(checks.iter().map(digits).collect::<String>());
        cells.0
    }

    fn signal_cells(&self, signal: &Signal) -> StringRecord {
        let mut cells = Cells::default();
        cells.text(signal.bar_time).text(signal.time).text(self.key(signal.instrument));
        cells.text(self.symbol(signal.instrument, signal.time));
        cells.text(signal.side).text(signal.kind).text(signal.price).text(signal.quantity);
        cells.text(signal.stop).text(signal.target).number(signal.atr).number(signal.vwap_dist);
        cells.number(signal.ema_slope).number(signal.atr_pct).number(signal.adx);
        cells.number(signal.vol_z);
        cells.text(signal.margins.iter().map(|x| show(*x)).collect::<Vec<String>>().join(";"));
        cells.text(self.id_of(signal.instrument, signal.origin()));
        cells.0
    }

    fn fill_cells(&self, fill: &Fill) -> StringRecord {
        let mut cells = Cells::default();
        cells.text(fill.time).text(self.key(fill.instrument));
        cells.text(self.symbol(fill.instrument, fill.time)).text(fill.side).text(fill.quantity);
        cells.text(fill.price).text(fill.fee).text(fill.reason);
        cells.text(self.id_of(fill.instrument, fill.origin));
        cells.0
    }
}

impl Minutes {
    fn hash(&mut self, open_time: Timestamp, numbers: &[u8; 40]) {
        self.unhashed.extend_from_slice(&open_time.0.to_le_bytes());
        self.unhashed.extend_from_slice(numbers);
        if self.unhashed.len() >= HASH_CHUNK {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.hasher.update(&self.unhashed);
        self.unhashed.clear();
    }

    /// Takes the check digits of the bar of that label, and forgets those of older bars.
    fn checks_of(&mut self, label: Timestamp) -> Checks {
        while self.open.front().is_some_and(|(open, _)| *open < label) {
            self.open.pop_front();
        }
        match self.open.front() {
            Some((open, checks)) if *open == label => *checks,
            _ => Checks::default(),
        }
    }
}

/// Whether the rejection says that the bar itself was not accepted. A bar that was accepted may
/// have other rejections in its step, such as an entry that the day's loss withdraws.
fn is_refusal(rejection: &Rejection, bar: &Bar) -> bool {
    let of_an_input = match rejection.reason {
        RejectReason::Late
        | RejectReason::OutOfOrder
        | RejectReason::Duplicate
        | RejectReason::OutsideSession => true,
        RejectReason::IncompleteBar
        | RejectReason::PositionOpen
        | RejectReason::Cooldown
        | RejectReason::EntryCutoff
        | RejectReason::TradesMax
        | RejectReason::DailyLoss
        | RejectReason::Capital
        | RejectReason::NoQuantity
        | RejectReason::Paused
        | RejectReason::Killed
        | RejectReason::Expired
        | RejectReason::PositionMax => false,
    };
    of_an_input && rejection.instrument == bar.instrument && rejection.time == bar.open_time
}

/// A row in the making.
#[derive(Default)]
struct Cells(StringRecord);

impl Cells {
    fn text(&mut self, value: impl ToString) -> &mut Cells {
        self.0.push_field(&value.to_string());
        self
    }

    fn number(&mut self, value: f64) -> &mut Cells {
        self.text(show(value))
    }

    fn price(&mut self, value: Option<Price>) -> &mut Cells {
        self.text(value.map(|price| price.to_string()).unwrap_or_default())
    }
}

/// A double so that reading gives the same bits; every NaN is `nan`.
fn show(value: f64) -> String {
    if value.is_nan() { "nan".to_string() } else { value.to_string() }
}
