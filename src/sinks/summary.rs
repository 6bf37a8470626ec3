//! What a run amounts to: how much was read, what the strategy wanted, what became of it.

use std::collections::BTreeMap;

use crate::domain::event::{Derived, EventId, Input, Output};
use crate::domain::fact::{Fill, OrderReason, Position, RejectReason, SessionEnded, SignalKind};
use crate::domain::money::{Cash, Qty, Side};
use crate::domain::time::Timestamp;

use super::Sink;

/// Counts, trades and profit of a run.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Minute bars that were handed over, warm-up included.
    pub bars: u64,
    /// Of these, how many were refused, by reason.
    pub bars_refused: BTreeMap<RejectReason, u64>,
    /// Strategy bars, warm-up included.
    pub strategy_bars: u64,
    /// Of these, how many lacked minutes.
    pub strategy_bars_incomplete: u64,
    /// Signals by condition and side.
    pub signals: BTreeMap<(SignalKind, Side), u64>,
    /// Signals that were not taken, by reason.
    pub signals_refused: BTreeMap<RejectReason, u64>,
    /// Fills.
    pub fills: u64,
    /// Fills that ended a position, by the order's reason.
    pub exits: BTreeMap<OrderReason, u64>,
    /// Round trips from flat to flat, in order of their end.
    pub trades: Vec<Trade>,
    /// The trading days, warm-up excluded.
    pub days: Vec<SessionEnded>,
    /// How often trading was halted.
    pub halts: u64,
    open: BTreeMap<u16, OpenTrade>,
    last_fill: Option<Fill>,
    since: Timestamp,
}

/// One round trip, from flat to flat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Profit before fees.
    pub gross: Cash,
    /// Fees of all its fills.
    pub fees: Cash,
    /// Why it ended.
    pub reason: OrderReason,
}

#[derive(Clone, Copy, Debug, Default)]
struct OpenTrade {
    quantity: Qty,
    realized_before: Cash,
    realized: Cash,
    fees: Cash,
}

impl Summary {
    /// A summary of the signals, trades and days from `since` on. Bars are counted all the same.
    pub fn since(since: Timestamp) -> Summary {
        Summary { since, ..Summary::default() }
    }

    /// Signals of all kinds.
    pub fn signals_total(&self) -> u64 {
        self.signals.values().sum()
    }

    /// Trades with a profit after fees.
    pub fn wins(&self) -> usize {
        self.trades.iter().filter(|trade| trade.gross > trade.fees).count()
    }

    /// Profit of all trades before fees.
    pub fn gross(&self) -> Cash {
        self.trades.iter().map(|trade| trade.gross).fold(Cash::ZERO, Cash::plus)
    }

    /// Fees of all trades.
    pub fn fees(&self) -> Cash {
        self.trades.iter().map(|trade| trade.fees).fold(Cash::ZERO, Cash::plus)
    }

    /// Profit of all trades after fees.
    pub fn net(&self) -> Cash {
        self.gross().minus(self.fees())
    }

    fn position(&mut self, position: &Position) {
        let Some(fill) = self.last_fill.take() else {
            return;
        };
        let trade = self.open.entry(position.instrument.0).or_default();
        let before = trade.quantity;
        trade.quantity = position.quantity;
        trade.realized = position.realized;
        trade.fees = trade.fees.plus(fill.fee);
        let is_over = before != Qty::ZERO && before.0.signum() != position.quantity.0.signum();
        if is_over {
            let gross = trade.realized.minus(trade.realized_before);
            let fees = std::mem::take(&mut trade.fees);
            trade.realized_before = trade.realized;
            if fill.time < self.since {
                return;
            }
            self.trades.push(Trade { gross, fees, reason: fill.reason });
            *self.exits.entry(fill.reason).or_default() += 1;
        }
    }
}

impl Sink for Summary {
    fn input(&mut self, _: u64, input: &Input) {
        if let Input::Bar(_) = input {
            self.bars += 1;
        }
    }

    fn output(&mut self, _: EventId, derived: &Derived) {
        match &derived.output {
            Output::Bar15m(bar) => {
                self.strategy_bars += 1;
                self.strategy_bars_incomplete += u64::from(!bar.is_complete());
            }
            Output::Signal(signal) if signal.time >= self.since => {
                *self.signals.entry((signal.kind, signal.side)).or_default() += 1;
            }
            Output::Rejection(rejection)
                if rejection.reason.is_of_input() || rejection.time >= self.since =>
            {
                let counts = match rejection.reason.is_of_input() {
                    true => &mut self.bars_refused,
                    false => &mut self.signals_refused,
                };
                *counts.entry(rejection.reason).or_default() += 1;
            }
            Output::Fill(fill) => {
                self.fills += u64::from(fill.time >= self.since);
                self.last_fill = Some(*fill);
            }
            Output::Position(position) => self.position(position),
            Output::SessionEnded(day) if day.date.start() >= self.since => self.days.push(*day),
            Output::Halt(halt) => self.halts += u64::from(halt.time >= self.since),
            Output::Signal(_)
            | Output::Rejection(_)
            | Output::SessionEnded(_)
            | Output::Bar1m(_)
            | Output::BarRevised(_)
            | Output::Indicators(_)
            | Output::Order(_) => {}
        }
    }
}
