//! The comparable facts of one run. Folded from its events as they happen, or taken from whole
//! columns; both go through one [`Collector`], so that the same facts give the same bytes.

use std::collections::VecDeque;

use csv::StringRecord;

use crate::domain::event::{EventId, Input, Output, RunStarted};
use crate::domain::fact::{
    Backfill, Bar, Bar15m, Fill, Indicators, RejectReason, Rejection, Signal, SignalRef, signal_id,
};
use crate::domain::instrument::{Instrument, InstrumentId};
use crate::domain::money::Price;
use crate::domain::time::{Date, MINUTE_US, Timestamp};

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

    /// The part of the book from `first` to `last`, both inclusive. Where that is not all of it,
    /// what the inputs were is not known of the part alone.
    pub fn between(mut self, first: Date, last: Date) -> Book {
        let before = self.rows();
        for table in [&mut self.bars, &mut self.signals, &mut self.fills] {
            table.rows.retain(|row| (first..=last).contains(&row.known.date()));
        }
        if self.rows() != before {
            self.inputs = None;
        }
        self
    }

    /// Rows of all tables.
    pub fn rows(&self) -> usize {
        TableKind::ALL.iter().map(|kind| self.table(*kind).rows.len()).sum()
    }

    /// A book from whole columns: `minutes` are the accepted minute bars, and `indicators` has at
    /// each place the row of the bar at that place. Each instrument's minutes and bars ascend in
    /// time; how instruments are interleaved changes nothing.
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
    /// Its label.
    told: Option<Timestamp>,
}

#[derive(Clone, Debug)]
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
        if let Input::Bar(bar) | Input::Backfill(Backfill { bar, .. }) = input {
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
            Output::BarRevised(bar) => self.revised(id, bar),
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
        let check = Some(crc32c::crc32c(&bytes) as u16);
        if minutes.told.is_some_and(|told| label <= told) {
            // An archive completes a bar that was told already.
            if let Some(place) = self.place_of(bar.instrument, label) {
                self.bars[place].checks[slot as usize] = check;
            }
            return;
        }
        if minutes.open.back().is_none_or(|(newest, _)| *newest < label) {
            minutes.open.push_back((label, Checks::default()));
        }
        let holding = minutes.open.iter_mut().rev().find(|(open, _)| *open == label);
        if let Some((_, checks)) = holding {
            checks[slot as usize] = check;
        }
    }

    /// The row of a strategy bar that was told already; nearly always one of the last.
    fn place_of(&self, instrument: InstrumentId, label: Timestamp) -> Option<usize> {
        let is_it = |row: &BarRow| (row.bar.instrument, row.bar.open_time) == (instrument, label);
        self.bars.iter().rposition(is_it)
    }

    /// A strategy bar as it is after an archive completed it. What was decided stays.
    fn revised(&mut self, event: EventId, bar: &Bar15m) {
        let Some(place) = self.place_of(bar.instrument, bar.open_time) else {
            return self.bar(event, bar);
        };
        self.bars[place] = BarRow { event, bar: *bar, ..self.bars[place].clone() };
        if let Some(minutes) = self.minutes.get_mut(bar.instrument.index()) {
            minutes.newest = Some(place);
        }
    }

    fn bar(&mut self, event: EventId, bar: &Bar15m) {
        let Some(minutes) = self.minutes.get_mut(bar.instrument.index()) else { return };
        let checks = minutes.checks_of(bar.open_time);
        minutes.told = minutes.told.max(Some(bar.open_time));
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
        | RejectReason::OutsideSession
        | RejectReason::Gap => true,
        RejectReason::IncompleteBar
        | RejectReason::PositionOpen
        | RejectReason::Cooldown
        | RejectReason::EntryCutoff
        | RejectReason::TradesMax
        | RejectReason::DailyLoss
        | RejectReason::Capital
        | RejectReason::Exposure
        | RejectReason::Observing
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

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, TATA, at, facts, folded};
    use super::*;
    use crate::domain::event::Derived;

    fn csv(table: &Table) -> String {
        String::from_utf8(table.to_csv()).unwrap()
    }

    #[test]
    fn a_fold_and_the_oracle_write_the_same_book() {
        let facts = facts();
        let (folded, whole) = (folded(&facts.run, &facts.steps()), facts.book());
        for kind in TableKind::ALL {
            assert_eq!(csv(folded.table(kind)), csv(whole.table(kind)));
        }
        assert_eq!(folded.inputs, whole.inputs);
        assert_eq!(folded.bars.rows.len(), 6, "the warm-up is no part of the book");
        assert_ne!(folded.bars.rows[0].event, EventId::NONE);
    }

    #[test]
    fn instruments_may_be_interleaved_in_any_way() {
        let (one, mut other) = (facts(), facts());
        other.minutes.sort_by_key(|bar| (bar.instrument, bar.open_time));
        assert_eq!(one.book(), other.book());
    }

    #[test]
    fn the_book_as_text() {
        let mut facts = facts();
        facts.minutes.retain(|bar| bar.open_time != at("2024-11-04T09:31"));
        let Book { bars, signals, fills, .. } = facts.book();
        let bars: Vec<_> = csv(&bars).lines().take(4).map(str::to_string).collect();
        insta::assert_snapshot!(bars.join("\n"), @"
        time,known,key,open,high,low,close,volume,minutes,expected,ema20,ema50,atr,adx,vwap,vol_z,swing_high,swing_low,check
        2024-11-04T09:15,2024-11-04T09:30,NSE_EQ|INE118H01025,962.25,963.32,962.20,963.26,16365,15,15,963.16,963.06,nan,33.333333333333336,953.7227722772277,0,963.32,,cfdf667a15629820ca15f68d2170cda238a9f0604c63729596c7051a068b
        2024-11-04T09:15,2024-11-04T09:30,NSE_EQ|INE155A01022,1062.25,1063.32,1062.20,1063.26,16365,15,15,1063.16,1063.06,nan,33.333333333333336,1052.7326732673266,0,1063.32,,5f18719400828648e233358443ea6959e30f6eb644cd555cb320b2f1ecb9
        2024-11-04T09:30,2024-11-04T09:45,NSE_EQ|INE118H01025,962.40,963.47,962.35,963.41,16365,15,15,963.31,963.2099999999999,nan,33.333333333333336,953.8712871287129,0,963.47,,b443----293e9ee84473fc3cd00258e8d7bc27352626dcee4451cec01ce2
        ");
        insta::assert_snapshot!(csv(&signals), @"
        time,known,key,symbol,side,type,price,quantity,stop,target,atr,vwap_dist,ema_slope,atr_pct,adx,vol_z,margins,signal_id
        2024-11-04T09:30,2024-11-04T09:45,NSE_EQ|INE155A01022,TATAMOTORS,BUY,TREND,974.50,40,962.00,999.50,12.5,0.001,0.0000001,0.012827090815802977,33.333333333333336,0,9.6;0.1;2;0.05,b1ee9b5dedb542a9a8c0f68b1536beb4
        ");
        insta::assert_snapshot!(csv(&fills), @"
        time,key,symbol,side,quantity,price,fee,reason,signal_id
        2024-11-04T09:45,NSE_EQ|INE155A01022,TATAMOTORS,BUY,40,974.55,21.1234,entry,b1ee9b5dedb542a9a8c0f68b1536beb4
        2024-11-04T09:53,NSE_EQ|INE155A01022,TATAMOTORS,SELL,40,962.00,21.1234,stop,b1ee9b5dedb542a9a8c0f68b1536beb4
        ");
    }

    #[test]
    fn a_bar_that_the_core_refused_is_not_accepted() {
        let facts = facts();
        let clean = folded(&facts.run, &facts.steps());
        let mut steps = facts.steps();
        let twin = Bar { close: Price(1), ..facts.minutes[40] };
        let refusal = |reason| Derived {
            cause: 0,
            output: Output::Rejection(Rejection {
                instrument: twin.instrument,
                time: twin.open_time,
                reason,
            }),
        };
        let place = steps.iter().position(|(input, _)| *input == Input::Bar(facts.minutes[40]));
        let place = place.unwrap() + 1;
        steps.insert(place, (Input::Bar(twin), vec![refusal(RejectReason::Duplicate)]));
        assert_eq!(folded(&facts.run, &steps).inputs, clean.inputs);
        // A rejection that withdraws an order says nothing about the bar of its step.
        steps[place].1 = vec![refusal(RejectReason::DailyLoss)];
        assert_ne!(folded(&facts.run, &steps).inputs, clean.inputs);
    }

    #[test]
    fn minutes_made_of_ticks_count() {
        let facts = facts();
        let mut steps = facts.steps();
        for (input, outputs) in &mut steps {
            if let Input::Bar(bar) = *input {
                *input = Input::Watermark(bar.close_time());
                outputs.push(Derived { cause: 0, output: Output::Bar1m(bar) });
            }
        }
        assert_eq!(folded(&facts.run, &steps).bars.to_csv(), facts.book().bars.to_csv());
    }

    #[test]
    fn a_minute_of_the_next_bar_may_come_before_the_watermark() {
        let facts = facts();
        let mut steps = facts.steps();
        let watermark = Input::Watermark(at("2024-11-04T09:30"));
        let place = steps.iter().position(|(input, _)| *input == watermark).unwrap();
        steps.swap(place, place + 1);
        assert_eq!(folded(&facts.run, &steps).bars.to_csv(), facts.book().bars.to_csv());
    }

    #[test]
    fn every_field_of_every_minute_is_in_the_check() {
        let changes: [fn(&mut Bar); 5] = [
            |bar| bar.open.0 += 1,
            |bar| bar.high.0 += 1,
            |bar| bar.low.0 += 1,
            |bar| bar.close.0 += 1,
            |bar| bar.volume.0 += 1,
        ];
        let golden = facts().book();
        for change in changes {
            for minute in 0..45 {
                let mut facts = facts();
                let time = at("2024-11-04T09:15").plus_minutes(minute).to_string();
                change(facts.minute(TATA, &time));
                assert_ne!(facts.book().bars, golden.bars, "{time}");
                assert_ne!(facts.book().inputs, golden.inputs, "{time}");
            }
        }
    }

    #[test]
    fn a_bar_without_its_indicators_is_kept_and_differs() {
        let mut facts = facts();
        facts.indicators.pop();
        let bars = facts.book().bars;
        assert_eq!(bars.rows.len(), 6);
        assert_eq!(bars.cell(&bars.rows[5], "ema20"), "");
        assert_ne!(bars, fixture::facts().book().bars);
    }
}
