//! What the Python system does with a signal (rules 6 and 7.4): it trades at the close that made
//! the signal, leaves exactly at the level, holds over nights, and lets opposite signals net
//! against the position. Kept to reproduce his numbers, not to believe them.

use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::domain::config::{COMPAT_SLIPPAGE, ExecutionConfig, FeeSchedule, Profile};
use crate::domain::event::{Command, CommandKind, RunStarted};
use crate::domain::fact::{
    Bar15m, Halt, Order, OrderReason, RejectReason, Rejection, Signal, SignalRef,
};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Cash, Price, Qty, Side};
use crate::domain::time::Timestamp;

use super::super::outbox::{INPUT, Outbox};
use super::super::portfolio::Portfolio;
use super::{Execution, execute};

/// Shares that every signal is checked with, whatever its own quantity.
const CHECKED_QUANTITY: i64 = 100;
/// Shares of a signal without a quantity: 100 x (0.5 + 0.5 x confidence 0.5).
const QUANTITY_WITHOUT_SIZE: Qty = Qty(75);

/// Python's execution over all instruments.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Compat {
    config: ExecutionConfig,
    fees: FeeSchedule,
    time_stop_bars: u32,
    /// Bars that the strategy is mute for after an instrument became flat; 0 if it never is.
    cooldown_bars: u32,
    slots: Vec<Slot>,
    peak: Cash,
    fills: u32,
    is_killed: bool,
    is_paused: bool,
}

/// What is known of one instrument.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Slot {
    exit: Option<ExitRule>,
    /// Strategy bars that the strategy has seen. One that ends the position is looked at before.
    bars: u32,
    /// How many that were when the position last became exactly 0.
    flat_since: Option<u32>,
}

/// How the position ends. Kept from the first entry until the position is exactly 0, whatever
/// happens to the position in between.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct ExitRule {
    side: Side,
    stop: Price,
    target: Price,
    bars_held: u32,
    origin: SignalRef,
}

impl Compat {
    pub fn new(run: &RunStarted) -> Compat {
        let config = run.config.execution.clone();
        Compat {
            fees: run.config.fees.clone(),
            time_stop_bars: run.config.strategy.time_stop_bars,
            cooldown_bars: match run.config.strategy.profile {
                Profile::Causal => 0,
                Profile::CompatLive => config.cooldown_bars,
            },
            slots: vec![Slot::default(); run.instruments.len()],
            peak: config.capital,
            fills: 0,
            is_killed: false,
            is_paused: false,
            config,
        }
    }

    /// Rule 6.1; then the strategy sees the bar.
    pub fn bar(
        &mut self,
        bar: &Bar15m,
        time: Timestamp,
        cause: u32,
        portfolio: &mut Portfolio,
        out: &mut Outbox<'_>,
    ) {
        self.exit(bar, time, cause, portfolio, out);
        self.slots[bar.instrument.index()].bars += 1;
    }

    /// Rule 7.4: whether the instrument became flat less than the cooldown ago.
    pub fn is_resting(&self, instrument: InstrumentId) -> bool {
        let Slot { bars, flat_since, .. } = self.slots[instrument.index()];
        flat_since.is_some_and(|flat_since| bars - flat_since < self.cooldown_bars)
    }

    fn exit(
        &mut self,
        bar: &Bar15m,
        time: Timestamp,
        cause: u32,
        portfolio: &mut Portfolio,
        out: &mut Outbox<'_>,
    ) {
        let Some(exit) = &mut self.slots[bar.instrument.index()].exit else {
            return;
        };
        exit.bars_held += 1;
        let exit = *exit;
        let Some((reason, price)) = exit.reached(bar, self.time_stop_bars) else {
            return;
        };
        let instrument = bar.instrument;
        if self.is_killed || !self.may_trade(instrument, price, time, cause, portfolio, out) {
            return;
        }
        let quantity = portfolio.quantity(instrument);
        let side = if quantity.0 > 0 { Side::Sell } else { Side::Buy };
        let quantity = quantity.abs();
        let order = Order { instrument, time, side, quantity, reason, origin: exit.origin };
        self.trade(&order, price, cause, portfolio, out);
    }

    /// Rule 6.2.
    pub fn signal(
        &mut self,
        signal: &Signal,
        cause: u32,
        portfolio: &mut Portfolio,
        out: &mut Outbox<'_>,
    ) {
        let Signal { instrument, time, side, price, .. } = *signal;
        let forbidden = if self.is_killed {
            Some(RejectReason::Killed)
        } else {
            self.is_paused.then_some(RejectReason::Paused)
        };
        if let Some(reason) = forbidden {
            out.push(cause, Rejection { instrument, time, reason });
            return;
        }
        if !self.may_trade(instrument, price, time, cause, portfolio, out) {
            return;
        }
        let held = portfolio.quantity(instrument).0;
        let checked = match side {
            Side::Buy => held + CHECKED_QUANTITY,
            Side::Sell => (held - CHECKED_QUANTITY).abs(),
        };
        if checked > self.config.position_max.0 {
            let reason = RejectReason::PositionMax;
            out.push(cause, Rejection { instrument, time, reason });
            return;
        }
        let sized = signal.quantity.min(self.config.position_max);
        let quantity = if signal.quantity.0 > 0 { sized } else { QUANTITY_WITHOUT_SIZE };
        let (reason, origin) = (OrderReason::Entry, signal.origin());
        let order = Order { instrument, time, side, quantity, reason, origin };
        self.trade(&order, price, cause, portfolio, out);
        let exit = &mut self.slots[instrument.index()].exit;
        if portfolio.quantity(instrument) != Qty::ZERO && exit.is_none() {
            let (stop, target) = (signal.stop, signal.target);
            *exit = Some(ExitRule { side, stop, target, bars_held: 0, origin });
        }
    }

    /// The number of fills and the drawdown, which looks at this instrument's position alone.
    fn may_trade(
        &mut self,
        instrument: InstrumentId,
        price: Price,
        time: Timestamp,
        cause: u32,
        portfolio: &Portfolio,
        out: &mut Outbox<'_>,
    ) -> bool {
        let equity = portfolio.cash().plus(price.times(portfolio.quantity(instrument)));
        let too_many = self.fills >= self.config.trades_max;
        if !too_many {
            self.peak = self.peak.max(equity);
        }
        let drawdown = i128::from(self.peak.minus(equity).0) * i128::from(self.config.capital.0);
        let limit = i128::from(self.config.daily_loss_max.0) * i128::from(self.peak.0);
        if too_many || drawdown >= limit {
            self.is_killed = true;
            let day_profit = equity.minus(self.config.capital);
            out.push(cause, Halt { time, reason: RejectReason::Killed, day_profit });
            return false;
        }
        true
    }

    fn trade(
        &mut self,
        order: &Order,
        price: Price,
        cause: u32,
        portfolio: &mut Portfolio,
        out: &mut Outbox<'_>,
    ) {
        let price = match order.side {
            Side::Buy => Price(price.0 + COMPAT_SLIPPAGE.0),
            Side::Sell => Price(price.0 - COMPAT_SLIPPAGE.0),
        };
        let cause = out.push(cause, *order);
        let (id, time) = (out.id(cause), order.time);
        execute(Execution { order, id, cause, time, price }, &self.fees, portfolio, out);
        self.fills += 1;
        if portfolio.quantity(order.instrument) == Qty::ZERO {
            let slot = &mut self.slots[order.instrument.index()];
            (slot.exit, slot.flat_since) = (None, Some(slot.bars));
        }
    }

    /// Commands forbid and allow; the Python system has no command that trades.
    pub fn command(&mut self, command: &Command, portfolio: &Portfolio, out: &mut Outbox<'_>) {
        let reason = match command.kind {
            CommandKind::Resume => {
                self.is_paused = false;
                return;
            }
            CommandKind::Release => {
                self.is_killed = false;
                return;
            }
            CommandKind::Kill => {
                self.is_killed = true;
                RejectReason::Killed
            }
            CommandKind::Pause | CommandKind::Flatten => {
                self.is_paused = true;
                RejectReason::Paused
            }
        };
        let day_profit = portfolio.day_profit();
        out.push(INPUT, Halt { time: command.time, reason, day_profit });
    }
}

impl ExitRule {
    /// Why and at which price the bar ends the position, if it does. The stop wins; a level of 0 is
    /// none.
    fn reached(&self, bar: &Bar15m, time_stop_bars: u32) -> Option<(OrderReason, Price)> {
        let (stopped, reached) = match self.side {
            Side::Buy => (bar.low <= self.stop, bar.high >= self.target),
            Side::Sell => (bar.high >= self.stop, bar.low <= self.target),
        };
        let stopped = stopped && self.stop.0 > 0;
        let reached = reached && self.target.0 > 0;
        if stopped {
            Some((OrderReason::Stop, self.stop))
        } else if reached {
            Some((OrderReason::Target, self.target))
        } else {
            (self.bars_held >= time_stop_bars).then_some((OrderReason::TimeStop, bar.close))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fact::SignalKind;
    use crate::domain::time::Date;

    /// What a signal without a size leads to: 75 shares and no levels.
    #[test]
    fn a_level_of_zero_is_never_reached() {
        let time = Timestamp::from_ist(Date::default(), 9, 15);
        let price = Price(1_000_000);
        let bar = Bar15m {
            instrument: InstrumentId(0),
            open_time: time,
            close_time: time.plus_minutes(15),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Qty::ZERO,
            minutes: 15,
            minutes_expected: 15,
        };
        for side in [Side::Buy, Side::Sell] {
            let origin = SignalRef { bar_time: time, side, kind: SignalKind::Trend };
            let (stop, target) = (Price(0), Price(0));
            let mut rule = ExitRule { side, stop, target, bars_held: 1, origin };
            assert_eq!(rule.reached(&bar, 2), None);
            rule.bars_held = 2;
            assert_eq!(rule.reached(&bar, 2), Some((OrderReason::TimeStop, price)));
        }
    }
}
