//! Records into rows. Rows of a step are handed out once the step is over, so that whoever keeps
//! them stands between two inputs and never inside one.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;

use crate::domain::event::{
    CommandKind, Derived, Event, EventId, Input, Output, Record, RunStarted,
};
use crate::domain::fact::{
    Backfill, BackfillOrigin, Bar, Bar15m, Fill, Gap, Halt, Order, RejectReason, Rejection,
};
use crate::domain::instrument::InstrumentId;
use crate::domain::time::Timestamp;
use crate::sinks::Sink;

use super::cell::Cell;
use super::lane::{Lane, Shared};
use super::rows::{Row, Rows};
use super::schema::TableId;

/// Where `updated_at` stands in a row of runner_state, and its UTC twin behind it.
const UPDATED_AT: usize = 8;

/// A fold over records that says which rows are there now.
#[derive(Debug, Default)]
pub struct Tables {
    run: Option<Shared>,
    lanes: Vec<Lane>,
    account: Account,
    refused: BTreeMap<(InstrumentId, RejectReason), u64>,
    /// The minute of the last input, until it is clear that the core did not refuse it.
    minute: Option<(Bar, &'static str)>,
    /// Instruments whose state may have changed in this step, and whether a bar of theirs closed.
    touched: BTreeMap<usize, bool>,
    states: Vec<Option<Row>>,
    /// The last event of the step that is being told.
    telling: Option<EventId>,
    /// Rows of that step.
    step: Rows,
    /// Rows of the steps before that nobody has taken yet.
    rows: Rows,
    last: Option<EventId>,
}

/// What holds for all instruments.
#[derive(Debug, Default)]
struct Account {
    active_from: Timestamp,
    /// The latest instant that the core was told of.
    now: Timestamp,
    is_warm: bool,
    has_ended: bool,
    halts: BTreeSet<RejectReason>,
}

impl Account {
    fn status(&self) -> &'static str {
        let is = |reason| self.halts.contains(&reason);
        match () {
            () if is(RejectReason::Killed) => "KILLED",
            () if self.has_ended => "ENDED",
            () if is(RejectReason::DailyLoss) => "HALTED",
            () if is(RejectReason::Paused) => "PAUSED",
            () if self.is_warm => "RUNNING",
            () => "WARMUP",
        }
    }
}

impl Tables {
    /// Takes the next record of a journal.
    pub fn record(&mut self, record: Record) {
        let Record { id, cause, event, .. } = record;
        match event {
            Event::Input(input) => self.input(id.seq, &input),
            Event::Output(output) => self.output(id, &Derived { cause, output }),
        }
    }

    /// The input after the last whose step is over.
    pub fn next_seq(&self) -> u64 {
        self.last.map_or(0, |last| last.seq + 1)
    }

    /// The last event of the last step that is over.
    pub const fn last(&self) -> Option<EventId> {
        self.last
    }

    /// The latest instant that the core was told of.
    pub const fn now(&self) -> Timestamp {
        self.account.now
    }

    /// Rows of finished steps that nobody has taken yet.
    pub const fn waiting(&self) -> usize {
        self.rows.len()
    }

    /// Takes the rows that finished steps have made or changed since they were taken last.
    pub fn take(&mut self) -> Rows {
        take(&mut self.rows)
    }

    /// The step that is being told is over.
    pub fn settle(&mut self) {
        let Some(last) = self.telling.take() else { return };
        if let Some((bar, source)) = self.minute.take()
            && let Some(lane) = self.lanes.get(bar.instrument.index())
        {
            self.step.put(TableId::Candles, lane.minute(&bar, source));
        }
        self.lanes.iter_mut().for_each(|lane| lane.signal = None);
        self.states_changed();
        self.rows.merge(take(&mut self.step));
        self.last = Some(last);
    }

    fn states_changed(&mut self) {
        let Some(shared) = &self.run else { return };
        let status = self.account.status();
        for (place, closed) in take(&mut self.touched) {
            let Some(lane) = self.lanes.get(place) else { continue };
            let row = lane.state(status, self.account.now, shared);
            let is_news = |old: &Row| {
                let cells = old.iter().zip(&row).enumerate();
                cells.into_iter().any(|(at, (a, b))| !is_clock(at) && a != b)
            };
            if closed || self.states[place].as_ref().is_none_or(is_news) {
                self.states[place] = Some(row.clone());
                self.step.put(TableId::RunnerState, row);
            }
        }
    }

    fn begin(&mut self, run: &RunStarted) {
        self.run = Some(Shared::new(&run.config));
        self.lanes = run.instruments.iter().map(Lane::new).collect();
        self.states = run.instruments.iter().map(|_| None).collect();
        self.account.active_from = run.config.active_from;
        let first = run.sessions.first().map(|session| session.date.start());
        self.account.now = first.unwrap_or(run.config.active_from);
        self.touch_all();
    }

    fn touch_all(&mut self) {
        for place in 0..self.lanes.len() {
            self.touched.entry(place).or_default();
        }
    }

    fn clock(&mut self, time: Timestamp) {
        let account = &mut self.account;
        account.now = account.now.max(time);
        if !account.is_warm && account.now > account.active_from {
            account.is_warm = true;
            self.touch_all();
        }
    }

    fn quarter(&mut self, bar: &Bar15m) {
        let place = bar.instrument.index();
        let (Some(lane), Some(shared)) = (self.lanes.get_mut(place), &self.run) else { return };
        lane.bar(bar);
        self.step.put(TableId::Candles, lane.quarter(bar, shared, "minutes"));
        self.touched.insert(place, true);
    }

    /// A bar of earlier is another now. What was made of it stays.
    fn revised(&mut self, bar: &Bar15m) {
        let lane = self.lanes.get(bar.instrument.index());
        if let (Some(lane), Some(shared)) = (lane, &self.run) {
            self.step.put(TableId::Candles, lane.quarter(bar, shared, "revised"));
        }
    }

    fn order(&mut self, id: EventId, order: &Order, cause: u32) {
        let place = order.instrument.index();
        let (Some(lane), Some(shared)) = (self.lanes.get_mut(place), &self.run) else { return };
        let (row, signal) = lane.order(id, order, cause, shared);
        self.step.put(TableId::Orders, row);
        if let Some(row) = signal {
            self.step.put(TableId::Signals, row);
        }
    }

    fn fill(&mut self, id: EventId, fill: &Fill) {
        self.clock(fill.time);
        let place = fill.instrument.index();
        let (Some(lane), Some(shared)) = (self.lanes.get_mut(place), &self.run) else { return };
        let (row, order) = lane.fill(id, fill, shared);
        self.step.put(TableId::Fills, row);
        if let Some(row) = order {
            self.step.put(TableId::Orders, row);
        }
        for row in lane.trades(id, fill, shared) {
            self.step.put(TableId::Trades, row);
        }
        self.touched.entry(place).or_default();
    }

    fn rejection(&mut self, id: EventId, rejection: &Rejection, cause: u32) {
        let Rejection { instrument, time, reason } = *rejection;
        let Some(lane) = self.lanes.get_mut(instrument.index()) else { return };
        let symbol = lane.symbol();
        if reason.is_of_input() {
            let is_of = |bar: &Bar| (bar.instrument, bar.open_time) == (instrument, time);
            self.minute.take_if(|(bar, _)| is_of(bar));
            let count = self.refused.entry((instrument, reason)).or_default();
            *count += 1;
            let count = Cell::Int(count.cast_signed());
            let row = vec![symbol, Cell::text(reason.word()), count, Cell::ist(time)];
            self.step.put(TableId::Refused, row);
            return;
        }
        let subject = if let Some(row) = lane.decline(cause, reason) {
            self.step.put(TableId::Signals, row);
            "signal"
        } else {
            if let Some((order, signal)) = lane.withdraw(reason) {
                self.step.put(TableId::Orders, order);
                self.step.put(TableId::Signals, signal);
            }
            "order"
        };
        let row = vec![
            Cell::Int(id.seq.cast_signed()),
            Cell::Int(i64::from(id.index)),
            symbol,
            Cell::text(subject),
            Cell::text(reason.word()),
            Cell::ist(time),
        ];
        self.step.put(TableId::Rejections, row);
    }

    /// Trading stops. Where a signal brought that about, it was not taken.
    fn halt(&mut self, halt: &Halt, cause: u32) {
        self.clock(halt.time);
        self.account.halts.insert(halt.reason);
        let declined = self.lanes.iter_mut().find_map(|lane| lane.decline(cause, halt.reason));
        if let Some(row) = declined {
            self.step.put(TableId::Signals, row);
        }
        self.touch_all();
    }

    fn command(&mut self, kind: CommandKind) {
        let over = match kind {
            CommandKind::Resume => RejectReason::Paused,
            CommandKind::Release => RejectReason::Killed,
            CommandKind::Pause | CommandKind::Flatten | CommandKind::Kill => return,
        };
        if self.account.halts.remove(&over) {
            self.touch_all();
        }
    }

    /// What happened at the feed.
    fn notice(
        &mut self,
        seq: u64,
        time: Timestamp,
        kind: &str,
        about: (Option<InstrumentId>, &str),
    ) {
        let (instrument, detail) = about;
        let lane = instrument.and_then(|id| self.lanes.get(id.index()));
        let row = vec![
            Cell::Int(seq.cast_signed()),
            Cell::ist(time),
            Cell::text(kind),
            lane.map_or(Cell::Null, Lane::symbol),
            Cell::text(detail),
        ];
        self.step.put(TableId::Notices, row);
    }

    fn gap(&mut self, seq: u64, gap: &Gap) {
        let detail = format!("from {} to {}", gap.from, gap.to);
        self.notice(seq, gap.to, "gap", (Some(gap.instrument), &detail));
    }
}

/// Where a minute of an archive comes from.
const fn archive(origin: BackfillOrigin) -> &'static str {
    match origin {
        BackfillOrigin::Store => "backfill-store",
        BackfillOrigin::Intraday => "backfill-intraday",
        BackfillOrigin::Historical => "backfill-historical",
    }
}

const fn is_clock(column: usize) -> bool {
    column == UPDATED_AT || column == UPDATED_AT + 1
}

impl Sink for Tables {
    fn input(&mut self, seq: u64, input: &Input) {
        self.settle();
        self.telling = Some(EventId::input(seq));
        match input {
            Input::RunStarted(run) => self.begin(run),
            Input::Bar(bar) => {
                self.clock(bar.close_time());
                self.minute = Some((*bar, "bar"));
            }
            Input::Watermark(time) => self.clock(*time),
            Input::Command(command) => {
                self.clock(command.time);
                self.command(command.kind);
            }
            Input::RunEnded(end) => {
                self.clock(end.time);
                self.account.has_ended = true;
                self.touch_all();
            }
            Input::Backfill(Backfill { bar, origin }) => {
                self.minute = Some((*bar, archive(*origin)));
            }
            Input::Gap(gap) => self.gap(seq, gap),
            Input::Notice(notice) => {
                let about = (notice.instrument, notice.detail.as_str());
                self.notice(seq, notice.time, notice.kind.word(), about);
            }
            Input::Tick(_) => {}
        }
    }

    fn output(&mut self, id: EventId, derived: &Derived) {
        let cause = derived.cause;
        self.telling = Some(id);
        match &derived.output {
            Output::Bar1m(bar) => {
                if let Some(lane) = self.lanes.get(bar.instrument.index()) {
                    self.step.put(TableId::Candles, lane.minute(bar, "tick"));
                }
            }
            Output::Bar15m(bar) => self.quarter(bar),
            Output::BarRevised(bar) => self.revised(bar),
            Output::Signal(signal) => {
                let place = signal.instrument.index();
                if let (Some(lane), Some(shared)) = (self.lanes.get_mut(place), &self.run) {
                    self.step.put(TableId::Signals, lane.signal(id, signal, shared));
                    self.touched.entry(place).or_default();
                }
            }
            Output::Order(order) => self.order(id, order, cause),
            Output::Fill(fill) => self.fill(id, fill),
            Output::Rejection(rejection) => self.rejection(id, rejection, cause),
            Output::Halt(halt) => self.halt(halt, cause),
            Output::SessionEnded(_) => {
                if self.account.halts.remove(&RejectReason::DailyLoss) {
                    self.touch_all();
                }
            }
            Output::Position(_) | Output::Indicators(_) => {}
        }
    }

    fn told(&mut self) {
        self.settle();
    }
}
