//! What a run amounts to: how much was read, what the strategy wanted, what became of it.

use std::collections::BTreeMap;

use crate::domain::event::{EventId, Input, Output};
use crate::domain::fact::{Fill, OrderReason, Position, RejectReason, SessionEnded, SignalKind};
use crate::domain::money::{Cash, Qty, Side};

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
            self.trades.push(Trade {
                gross: trade.realized.minus(trade.realized_before),
                fees: trade.fees,
                reason: fill.reason,
            });
            *self.exits.entry(fill.reason).or_default() += 1;
            trade.realized_before = trade.realized;
            trade.fees = Cash::ZERO;
        }
    }
}

impl Sink for Summary {
    fn input(&mut self, _: u64, input: &Input) {
        if let Input::Bar(_) = input {
            self.bars += 1;
        }
    }

    fn output(&mut self, _: EventId, output: &Output) {
        match output {
            Output::Bar15m(bar) => {
                self.strategy_bars += 1;
                self.strategy_bars_incomplete += u64::from(!bar.is_complete());
            }
            Output::Signal(signal) => {
                *self.signals.entry((signal.kind, signal.side)).or_default() += 1;
            }
            Output::Rejection(rejection) => {
                let counts = match rejection.reason.is_of_input() {
                    true => &mut self.bars_refused,
                    false => &mut self.signals_refused,
                };
                *counts.entry(rejection.reason).or_default() += 1;
            }
            Output::Fill(fill) => {
                self.fills += 1;
                self.last_fill = Some(*fill);
            }
            Output::Position(position) => self.position(position),
            Output::SessionEnded(day) => self.days.push(*day),
            Output::Halt(_) => self.halts += 1,
            Output::Bar1m(_) | Output::Indicators(_) | Output::Order(_) => {}
        }
    }
}
