//! What the fold keeps of one instrument, and the rows that are made of it.

use std::sync::Arc;

use crate::domain::config::{ExecutionProfile, Profile, RunConfig};
use crate::domain::event::EventId;
use crate::domain::fact::{
    Bar, Bar15m, Fill, Order, OrderReason, RejectReason, Signal, SignalRef, signal_id,
};
use crate::domain::instrument::Instrument;
use crate::domain::money::{Cash, Qty, Side, UNITS_PER_RUPEE};
use crate::domain::time::Timestamp;

use super::cell::Cell;
use super::rows::Row;
use super::trades::{Holding, Trade};

/// What the Python system says of every signal that no model has judged. It is no score: a signal
/// here either holds or does not, and nothing grades it.
pub const SIGNAL_CONFIDENCE: f64 = 0.5;

/// What all rows of a run share.
#[derive(Debug)]
pub struct Shared {
    pub strategy: Arc<str>,
    /// Width of a strategy bar, such as `15m`.
    pub timeframe: Arc<str>,
    /// Bars after an exit for which a signal is refused or not made.
    cooldown_bars: u32,
    /// Whether the bar that ends a position is counted among these, as Python does.
    exit_bar_counts: bool,
}

impl Shared {
    pub fn new(config: &RunConfig) -> Shared {
        let is_compat = config.execution.profile == ExecutionProfile::Compat;
        let is_mute = is_compat && config.strategy.profile == Profile::Causal;
        Shared {
            strategy: Arc::from(config.strategy.id.as_str()),
            timeframe: Arc::from(format!("{}m", config.strategy.bar_minutes)),
            cooldown_bars: if is_mute { 0 } else { config.execution.cooldown_bars },
            exit_bar_counts: is_compat,
        }
    }

    fn strategy(&self) -> Cell {
        Cell::Text(Arc::clone(&self.strategy))
    }
}

/// What is kept of one instrument.
#[derive(Debug)]
pub struct Lane {
    instrument: Instrument,
    symbol: Arc<str>,
    last_bar: Option<Timestamp>,
    /// The signal of the newest bar.
    triggered: Option<Side>,
    holding: Holding,
    /// Strategy bars since the position ended, if one did.
    bars_since_exit: Option<u32>,
    /// The order that waits for its price, and the row of the signal that it would enter for.
    waiting: Option<Waiting>,
    /// The row of the signal that was made in this step, and its index.
    pub signal: Option<(u32, Row)>,
}

/// An order that waits for its price.
#[derive(Debug)]
pub struct Waiting {
    id: EventId,
    order: Row,
    signal: Option<Row>,
}

/// Where the status of a signal stands in its row; the reason stands behind it.
const SIGNAL_STATUS: usize = 7;
const DECLINE_REASON: usize = 8;
/// Where the status of an order stands in its row.
const ORDER_STATUS: usize = 7;

impl Lane {
    pub fn new(instrument: &Instrument) -> Lane {
        Lane {
            instrument: instrument.clone(),
            symbol: Arc::from(instrument.key.as_str()),
            last_bar: None,
            triggered: None,
            holding: Holding::default(),
            bars_since_exit: None,
            waiting: None,
            signal: None,
        }
    }

    pub fn symbol(&self) -> Cell {
        Cell::Text(Arc::clone(&self.symbol))
    }

    fn trading_symbol(&self, time: Timestamp) -> Cell {
        Cell::text(self.instrument.symbol_at(time.date()))
    }

    fn signal_id(&self, shared: &Shared, origin: SignalRef) -> Cell {
        Cell::text(signal_id(&self.symbol, &shared.strategy, origin))
    }

    /// A strategy bar is known: it has no signal yet.
    pub fn bar(&mut self, bar: &Bar15m) {
        self.last_bar = Some(bar.open_time);
        self.triggered = None;
        self.bars_since_exit = self.bars_since_exit.map(|bars| bars.saturating_add(1));
    }

    /// The row of a new signal.
    pub fn signal(&mut self, id: EventId, signal: &Signal, shared: &Shared) -> Row {
        self.triggered = Some(signal.side);
        let row = vec![
            self.signal_id(shared, signal.origin()),
            shared.strategy(),
            self.symbol(),
            Cell::text(signal.side.word()),
            Cell::text(signal.kind.word()),
            Cell::Double(SIGNAL_CONFIDENCE),
            Cell::ist(signal.bar_time),
            Cell::text("PENDING"),
            Cell::Null,
            Cell::price(signal.price),
            Cell::Int(signal.quantity.0),
            Cell::price(signal.stop),
            Cell::price(signal.target),
            Cell::number(signal.atr),
            Cell::ist(signal.time),
            Cell::utc(signal.time),
            self.trading_symbol(signal.time),
            Cell::Int(id.seq.cast_signed()),
            Cell::Int(i64::from(id.index)),
        ];
        self.signal = Some((id.index, row.clone()));
        row
    }

    /// The signal of this step was refused, if `cause` is its index: its row.
    pub fn decline(&mut self, cause: u32, reason: RejectReason) -> Option<Row> {
        let (_, row) = self.signal.take_if(|(index, _)| *index == cause)?;
        Some(declined(row, reason))
    }

    /// The rows of a new order, and of its signal if that was made in this step.
    pub fn order(
        &mut self,
        id: EventId,
        order: &Order,
        cause: u32,
        shared: &Shared,
    ) -> (Row, Option<Row>) {
        let signal = self.signal.take_if(|(index, _)| *index == cause).map(|(_, mut row)| {
            row[SIGNAL_STATUS] = Cell::text("TAKEN");
            row
        });
        let row = vec![
            Cell::text(id.to_string()),
            self.signal_id(shared, order.origin),
            shared.strategy(),
            self.symbol(),
            Cell::text(order.side.word()),
            Cell::Int(order.quantity.0),
            Cell::text(order.reason.word()),
            Cell::text("OPEN"),
            Cell::ist(order.time),
            self.trading_symbol(order.time),
        ];
        self.waiting = Some(Waiting { id, order: row.clone(), signal: signal.clone() });
        (row, signal)
    }

    /// The entry that waits for its price was withdrawn, if one does: the rows of the order and of
    /// its signal.
    pub fn withdraw(&mut self, reason: RejectReason) -> Option<(Row, Row)> {
        let waiting = self.waiting.take_if(|waiting| waiting.signal.is_some())?;
        let Waiting { mut order, signal, .. } = waiting;
        order[ORDER_STATUS] = Cell::text("WITHDRAWN");
        Some((order, declined(signal?, reason)))
    }

    /// An order was executed: the row of the fill, and the order's.
    pub fn fill(&mut self, id: EventId, fill: &Fill, shared: &Shared) -> (Row, Option<Row>) {
        let order = self.waiting.take_if(|waiting| waiting.id == fill.order).map(|waiting| {
            let mut row = waiting.order;
            row[ORDER_STATUS] = Cell::text("FILLED");
            row
        });
        let row = vec![
            Cell::text(id.to_string()),
            Cell::text(fill.order.to_string()),
            self.signal_id(shared, fill.origin),
            shared.strategy(),
            self.symbol(),
            Cell::text(fill.side.word()),
            Cell::Int(fill.quantity.0),
            Cell::price(fill.price),
            Cell::cash(fill.fee),
            Cell::text(fill.reason.word()),
            Cell::ist(fill.time),
            Cell::utc(fill.time),
            self.trading_symbol(fill.time),
        ];
        (row, order)
    }

    /// Books the fill: the rows of the trades that it changed.
    pub fn trades(&mut self, id: EventId, fill: &Fill, shared: &Shared) -> Vec<Row> {
        let trades: Vec<Trade> = self.holding.fill(id, fill).collect();
        if self.holding.quantity() == Qty::ZERO {
            let counts = shared.exit_bar_counts && fill.reason != OrderReason::Entry;
            self.bars_since_exit = Some(u32::from(counts));
        } else {
            self.bars_since_exit = None;
        }
        trades.iter().map(|trade| self.trade(trade, shared)).collect()
    }

    fn trade(&self, trade: &Trade, shared: &Shared) -> Row {
        let over = |cell: Cell| trade.exit.map_or(Cell::Null, |_| cell);
        // One division of two whole doubles: the double that is nearest to the average.
        let average = |worth: Cash, quantity: Qty| {
            Cell::number(worth.0 as f64 / (quantity.0 as f64 * UNITS_PER_RUPEE as f64))
        };
        let exit_time = trade.exit.map_or(trade.entry_time, |(time, _)| time);
        vec![
            Cell::text(trade.id.to_string()),
            self.signal_id(shared, trade.origin),
            shared.strategy(),
            self.symbol(),
            Cell::text(trade.side.word()),
            Cell::ist(trade.entry_time),
            over(Cell::ist(exit_time)),
            average(trade.entry_worth, trade.entered),
            over(average(trade.exit_worth, trade.left)),
            Cell::Int(trade.entered.0),
            over(Cell::cash(trade.gross())),
            Cell::cash(trade.fees),
            over(Cell::cash(trade.gross().minus(trade.fees))),
            trade.exit.map_or(Cell::Null, |(_, why)| Cell::text(why)),
            Cell::text(if trade.exit.is_some() { "CLOSED" } else { "OPEN" }),
            Cell::utc(trade.entry_time),
            over(Cell::utc(exit_time)),
            self.trading_symbol(trade.entry_time),
        ]
    }

    /// The row of what the strategy makes of the instrument now.
    pub fn state(&self, status: &'static str, updated_at: Timestamp, shared: &Shared) -> Row {
        let is_resting = self.bars_since_exit.is_some_and(|bars| bars < shared.cooldown_bars);
        let (bias, state, confidence) = match self.triggered {
            Some(side) => (side.word(), "TRIGGERED", SIGNAL_CONFIDENCE),
            None if self.holding.quantity() != Qty::ZERO => ("NEUTRAL", "IN_POSITION", 0.0),
            None if is_resting => ("NEUTRAL", "COOLDOWN", 0.0),
            None => ("NEUTRAL", "PENDING", 0.0),
        };
        vec![
            self.symbol(),
            shared.strategy(),
            Cell::Text(Arc::clone(&shared.timeframe)),
            Cell::text(bias),
            Cell::text(state),
            Cell::Double(confidence),
            self.last_bar.map_or(Cell::Null, Cell::ist),
            Cell::text(status),
            Cell::ist(updated_at),
            Cell::utc(updated_at),
            self.trading_symbol(updated_at),
            Cell::Int(self.holding.quantity().0),
        ]
    }

    /// The row of a minute.
    pub fn minute(&self, bar: &Bar, source: &'static str) -> Row {
        vec![
            self.symbol(),
            Cell::text("1m"),
            Cell::ist(bar.open_time),
            Cell::price(bar.open),
            Cell::price(bar.high),
            Cell::price(bar.low),
            Cell::price(bar.close),
            Cell::Int(bar.volume.0),
            Cell::Flag(true),
            Cell::text(source),
        ]
    }

    /// The row of a strategy bar.
    pub fn quarter(&self, bar: &Bar15m, shared: &Shared, source: &'static str) -> Row {
        vec![
            self.symbol(),
            Cell::Text(Arc::clone(&shared.timeframe)),
            Cell::ist(bar.open_time),
            Cell::price(bar.open),
            Cell::price(bar.high),
            Cell::price(bar.low),
            Cell::price(bar.close),
            Cell::Int(bar.volume.0),
            Cell::Flag(bar.is_complete()),
            Cell::text(source),
        ]
    }
}

fn declined(mut row: Row, reason: RejectReason) -> Row {
    row[SIGNAL_STATUS] = Cell::text("DECLINED");
    row[DECLINE_REASON] = Cell::text(reason.word());
    row
}
