//! Execution `compat` (rules 6): what the Python system does with the same signals, on the close of
//! strategy bars and without regard for sessions.

use super::account::Account;
use super::timeline::Moment;
use super::{Frame, Outcome};
use crate::domain::config::{COMPAT_SLIPPAGE, ExecutionConfig};
use crate::domain::event::RunStarted;
use crate::domain::fact::{Bar15m, Halt, Order, OrderReason, RejectReason, Signal, SignalRef};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Cash, Price, Qty, Side};
use crate::domain::time::Timestamp;

/// What the Python system trades where its sizing gives nothing.
const QUANTITY_DEFAULT: Qty = Qty(75);
/// By how much its check supposes that a position grows.
const QUANTITY_SUPPOSED: i64 = 100;

/// Exit parameters: they outlive changes of the position's size and even of its sign.
struct Exit {
    stop: Price,
    target: Price,
    side: Side,
    held: u32,
    origin: SignalRef,
}

struct Desk<'a> {
    rules: &'a ExecutionConfig,
    time_stop_bars: u32,
    account: Account<'a>,
    exits: Vec<Option<Exit>>,
    peak: Cash,
    killed: bool,
}

/// Trades the signals of `frames`.
pub fn trade(run: &RunStarted, frames: &[Frame], moments: &[Moment]) -> Outcome {
    let rules = &run.config.execution;
    let mut desk = Desk {
        rules,
        time_stop_bars: run.config.strategy.time_stop_bars,
        account: Account::new(run),
        exits: run.instruments.iter().map(|_| None).collect(),
        peak: rules.capital,
        killed: false,
    };
    for moment in moments {
        match *moment {
            Moment::Minute(_) | Moment::Flatten(..) => {}
            Moment::Refused(rejection) => desk.account.outcome.rejections.push(rejection),
            Moment::StrategyBar(id, row) => {
                let (bar, signal) = desk.account.observe(&frames[id.index()], row);
                desk.account.mark(id, bar.close);
                desk.try_exit(bar);
                if let Some(signal) = signal {
                    desk.try_signal(signal);
                }
            }
            Moment::SessionOver(date, end) => desk.account.close_day(date, end),
        }
    }
    desk.account.outcome
}

impl Desk<'_> {
    /// Step 1: stop, target and time stop.
    fn try_exit(&mut self, bar: &Bar15m) {
        let id = bar.instrument;
        let Some(exit) = &mut self.exits[id.index()] else { return };
        exit.held += 1;
        let Some((reason, price)) = exit.reached(bar, self.time_stop_bars) else { return };
        let (origin, held) = (exit.origin, self.account.quantity(id));
        if self.may_trade(id, price, bar.close_time) {
            let side = if held > Qty::ZERO { Side::Sell } else { Side::Buy };
            let time = bar.close_time;
            let order = Order { instrument: id, time, side, quantity: held.abs(), reason, origin };
            self.fill(&order, price);
        }
    }

    /// Step 2: the bar's signal.
    fn try_signal(&mut self, signal: &Signal) {
        let &Signal { instrument, time, side, .. } = signal;
        if self.killed {
            self.account.reject(instrument, time, RejectReason::Killed);
            return;
        }
        if !self.may_trade(instrument, signal.price, time) {
            return;
        }
        let held = self.account.quantity(instrument).0;
        let supposed = match side {
            Side::Buy => held + QUANTITY_SUPPOSED,
            Side::Sell => (held - QUANTITY_SUPPOSED).abs(),
        };
        if supposed > self.rules.position_max.0 {
            self.account.reject(instrument, time, RejectReason::PositionMax);
            return;
        }
        let quantity = match signal.quantity {
            Qty::ZERO => QUANTITY_DEFAULT,
            quantity => quantity.min(self.rules.position_max),
        };
        let (reason, origin) = (OrderReason::Entry, signal.origin());
        self.fill(&Order { instrument, time, side, quantity, reason, origin }, signal.price);
        let &Signal { stop, target, .. } = signal;
        if self.account.quantity(instrument) != Qty::ZERO {
            self.exits[instrument.index()].get_or_insert(Exit {
                stop,
                target,
                side,
                held: 0,
                origin,
            });
        }
    }

    /// The checks before every trade at `price`; one that fails kills the account.
    fn may_trade(&mut self, id: InstrumentId, price: Price, time: Timestamp) -> bool {
        if self.killed {
            return false;
        }
        let equity = self.account.cash().plus(price.times(self.account.quantity(id)));
        let too_many = self.account.outcome.fills.len() >= self.rules.trades_max as usize;
        if too_many || self.is_drawdown(equity) {
            self.killed = true;
            let day_profit = equity.minus(self.rules.capital);
            self.account.outcome.halts.push(Halt {
                time,
                reason: RejectReason::Killed,
                day_profit,
            });
        }
        !self.killed
    }

    /// Whether `equity` has fallen too far from its peak, itself included.
    fn is_drawdown(&mut self, equity: Cash) -> bool {
        let wide = |cash: Cash| i128::from(cash.0);
        self.peak = self.peak.max(equity);
        let drawdown = wide(self.peak.minus(equity)) * wide(self.rules.capital);
        drawdown >= wide(self.rules.daily_loss_max) * wide(self.peak)
    }

    /// Executes `order` at a paisa worse than `price`. Exit parameters end with the position.
    fn fill(&mut self, order: &Order, price: Price) {
        let slippage = match order.side {
            Side::Buy => COMPAT_SLIPPAGE,
            Side::Sell => Price(-COMPAT_SLIPPAGE.0),
        };
        self.account.outcome.orders.push(*order);
        self.account.fill(order, order.time, price.plus(slippage));
        if self.account.quantity(order.instrument) == Qty::ZERO {
            self.exits[order.instrument.index()] = None;
        }
    }
}

impl Exit {
    /// Why and at what price the bar closes the position, if it does.
    fn reached(&self, bar: &Bar15m, time_stop_bars: u32) -> Option<(OrderReason, Price)> {
        let (stop_hit, target_hit) = match self.side {
            Side::Buy => (bar.low <= self.stop, bar.high >= self.target),
            Side::Sell => (bar.high >= self.stop, bar.low <= self.target),
        };
        if stop_hit {
            Some((OrderReason::Stop, self.stop))
        } else if target_hit {
            Some((OrderReason::Target, self.target))
        } else {
            (self.held >= time_stop_bars).then_some((OrderReason::TimeStop, bar.close))
        }
    }
}
