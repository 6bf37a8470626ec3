//! Execution `honest` (rules 5), one moment after the other. A run over history has no commands, so
//! nothing is ever paused or killed here.

use super::account::Account;
use super::hours::Hours;
use super::timeline::Moment;
use super::{Frame, Outcome};
use crate::domain::config::ExecutionConfig;
use crate::domain::event::RunStarted;
use crate::domain::fact::{Bar, Bar15m, Halt, Order, OrderReason, RejectReason, Signal, SignalRef};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Price, Qty, Side};
use crate::domain::time::{Date, MINUTE_US, Timestamp};

/// An open position.
struct Open {
    side: Side,
    quantity: Qty,
    stop: Price,
    target: Price,
    held: u32,
    origin: SignalRef,
}

/// A market order that waits for a price, with the signal that an entry comes from.
struct Pending<'a> {
    order: Order,
    entry: Option<&'a Signal>,
}

/// The state of one instrument.
struct Book<'a> {
    open: Option<Open>,
    pending: Option<Pending<'a>>,
    bars_since_exit: u32,
}

impl Book<'_> {
    /// The position, unless it is already being closed.
    fn open_without_exit(&self) -> Option<&Open> {
        // A pending order next to an open position is always an exit.
        self.open.as_ref().filter(|_| self.pending.is_none())
    }
}

struct Desk<'a> {
    run: &'a RunStarted,
    hours: &'a [Hours<'a>],
    account: Account<'a>,
    books: Vec<Book<'a>>,
    entries_filled: usize,
    halted: bool,
}

/// Trades the signals of `frames`.
pub fn trade<'a>(
    run: &'a RunStarted,
    hours: &'a [Hours<'a>],
    frames: &'a [Frame],
    moments: &[Moment],
) -> Outcome {
    let book = |_| Book { open: None, pending: None, bars_since_exit: u32::MAX };
    let mut desk = Desk {
        run,
        hours,
        account: Account::new(run),
        books: run.instruments.iter().map(book).collect(),
        entries_filled: 0,
        halted: false,
    };
    for moment in moments {
        match *moment {
            Moment::Minute(bar) => desk.minute(&bar),
            Moment::Refused(rejection) => desk.account.outcome.rejections.push(rejection),
            Moment::StrategyBar(id, row) => {
                let (bar, signal) = desk.account.observe(&frames[id.index()], row);
                desk.strategy_bar(bar, signal);
            }
            Moment::Flatten(id, boundary) => {
                desk.order_exit(id, OrderReason::SessionEnd, boundary);
            }
            Moment::SessionOver(date, end) => desk.session_over(date, end),
        }
    }
    desk.account.outcome
}

impl<'a> Desk<'a> {
    fn rules(&self) -> &'a ExecutionConfig {
        &self.run.config.execution
    }

    fn ids(&self) -> impl Iterator<Item = InstrumentId> + use<> {
        (0..self.books.len() as u16).map(InstrumentId)
    }

    fn book(&mut self, id: InstrumentId) -> &mut Book<'a> {
        &mut self.books[id.index()]
    }

    /// "At a minute bar".
    fn minute(&mut self, bar: &Bar) {
        let filled = self.fill_pending(bar) | self.exit_at_level(bar);
        self.account.mark(bar.instrument, bar.close);
        if filled || self.book(bar.instrument).open.is_some() {
            self.check_daily_loss(bar.close_time());
        }
    }

    /// Step 1: the pending order at the open. Whether there was one.
    fn fill_pending(&mut self, bar: &Bar) -> bool {
        let id = bar.instrument;
        let is_due = |pending: &mut Pending<'_>| pending.order.time <= bar.open_time;
        let Some(Pending { order, entry }) = self.book(id).pending.take_if(is_due) else {
            return false;
        };
        let price = self.worse(bar.open, order.side, bar);
        self.account.fill(&order, bar.open_time, price);
        match entry {
            None => self.closed(id),
            Some(signal) => self.entered(signal, &order, bar),
        }
        true
    }

    /// An exit was filled.
    fn closed(&mut self, id: InstrumentId) {
        let book = self.book(id);
        book.open = None;
        book.bars_since_exit = 0;
    }

    /// An entry was filled at the bar's open.
    fn entered(&mut self, signal: &Signal, order: &Order, bar: &Bar) {
        let tick = self.tick(bar.instrument, bar.open_time.date());
        let (stop, target) = match order.side {
            Side::Buy => (signal.stop.floor_to(tick), signal.target.ceil_to(tick)),
            Side::Sell => (signal.stop.ceil_to(tick), signal.target.floor_to(tick)),
        };
        let &Order { side, quantity, origin, .. } = order;
        self.book(bar.instrument).open =
            Some(Open { side, quantity, stop, target, held: 0, origin });
        self.entries_filled += 1;
        let flatten_us = i64::from(self.rules().flatten_minutes) * MINUTE_US;
        let end = self.hours[bar.instrument.index()].end(bar.open_time.date());
        if end.is_some_and(|end| bar.open_time >= end.plus_us(-flatten_us)) {
            self.order_exit(bar.instrument, OrderReason::SessionEnd, bar.open_time);
        }
    }

    /// Step 2: stop and target of an open position. Whether one was reached.
    fn exit_at_level(&mut self, bar: &Bar) -> bool {
        let id = bar.instrument;
        let Some(open) = self.book(id).open_without_exit() else { return false };
        let Some((reason, level, time)) = level_reached(open, bar) else { return false };
        let order = exit_order(id, open, reason, time);
        let price = match reason {
            OrderReason::Stop => self.worse(level, order.side, bar),
            _ => level,
        };
        self.account.outcome.orders.push(order);
        self.account.fill(&order, time, price);
        self.closed(id);
        true
    }

    /// An exit order for an open position that has none yet.
    fn order_exit(&mut self, id: InstrumentId, reason: OrderReason, time: Timestamp) {
        if let Some(open) = self.book(id).open_without_exit() {
            let order = exit_order(id, open, reason, time);
            self.place(order, None);
        }
    }

    /// An order that waits for the next price.
    fn place(&mut self, order: Order, entry: Option<&'a Signal>) {
        self.account.outcome.orders.push(order);
        self.book(order.instrument).pending = Some(Pending { order, entry });
    }

    /// 5.6, at the close of a price event.
    fn check_daily_loss(&mut self, time: Timestamp) {
        let day_profit = self.account.day_profit();
        if self.halted || day_profit.0 > -self.rules().daily_loss_max.0 {
            return;
        }
        self.halted = true;
        let reason = RejectReason::DailyLoss;
        self.account.outcome.halts.push(Halt { time, reason, day_profit });
        for id in self.ids() {
            self.order_exit(id, OrderReason::DailyLoss, time);
        }
        self.withdraw_entries(reason);
    }

    /// Pending entries go, with that reason.
    fn withdraw_entries(&mut self, reason: RejectReason) {
        for id in self.ids() {
            let entry = self.book(id).pending.take_if(|pending| pending.entry.is_some());
            if let Some(Pending { order, .. }) = entry {
                self.account.reject(id, order.time, reason);
            }
        }
    }

    /// "At a strategy bar".
    fn strategy_bar(&mut self, bar: &Bar15m, signal: Option<&'a Signal>) {
        let time_stop_bars = self.run.config.strategy.time_stop_bars;
        let book = self.book(bar.instrument);
        if let Some(open) = &mut book.open {
            open.held += 1;
            if open.held >= time_stop_bars {
                self.order_exit(bar.instrument, OrderReason::TimeStop, bar.close_time);
            }
        } else {
            book.bars_since_exit = book.bars_since_exit.saturating_add(1);
        }
        let Some(signal) = signal else { return };
        match self.objection(bar, signal) {
            Some(reason) => self.account.reject(signal.instrument, signal.time, reason),
            None => {
                let order = Order {
                    instrument: signal.instrument,
                    time: signal.time,
                    side: signal.side,
                    quantity: signal.quantity,
                    reason: OrderReason::Entry,
                    origin: signal.origin(),
                };
                self.place(order, Some(signal));
            }
        }
    }

    /// The first reason not to take the signal.
    fn objection(&self, bar: &Bar15m, signal: &Signal) -> Option<RejectReason> {
        let rules = self.rules();
        let book = &self.books[signal.instrument.index()];
        let cutoff_us = i64::from(rules.entry_cutoff_minutes) * MINUTE_US;
        let end = self.hours[signal.instrument.index()].end(signal.time.date());
        let is_cut_off = end.is_none_or(|end| end.0 - signal.time.0 <= cutoff_us);
        let entries = self.entries_filled + self.pending_entries().count();
        let no_quantity = [signal.quantity.0, signal.stop.0, signal.target.0].contains(&0);
        [
            (self.halted, RejectReason::DailyLoss),
            (!bar.is_complete() && !rules.enter_on_incomplete, RejectReason::IncompleteBar),
            (book.open.is_some() || book.pending.is_some(), RejectReason::PositionOpen),
            (book.bars_since_exit < rules.cooldown_bars, RejectReason::Cooldown),
            (is_cut_off, RejectReason::EntryCutoff),
            (entries >= rules.trades_max as usize, RejectReason::TradesMax),
            (no_quantity, RejectReason::NoQuantity),
            (self.exceeds_capital(signal), RejectReason::Capital),
        ]
        .into_iter()
        .find_map(|(objects, reason)| objects.then_some(reason))
    }

    /// Signals whose orders wait for a price.
    fn pending_entries(&self) -> impl Iterator<Item = &Signal> {
        self.books.iter().filter_map(|book| book.pending.as_ref()?.entry)
    }

    /// Whether the worth of all positions and entries would pass the capital times the leverage.
    fn exceeds_capital(&self, signal: &Signal) -> bool {
        let worth = |signal: &Signal| i128::from(signal.price.times(signal.quantity).0);
        let waiting: i128 = self.pending_entries().map(worth).sum();
        let limit =
            i128::from(self.rules().capital.0) * i128::from(self.run.config.strategy.leverage);
        i128::from(self.account.exposure().0) + waiting + worth(signal) > limit
    }

    /// "Session over".
    fn session_over(&mut self, date: Date, end: Timestamp) {
        self.withdraw_entries(RejectReason::Expired);
        self.account.close_day(date, end);
        self.entries_filled = 0;
        self.halted = false;
    }

    /// `price` with the slippage of an order of that side.
    fn worse(&self, price: Price, side: Side, bar: &Bar) -> Price {
        let tick = self.tick(bar.instrument, bar.open_time.date());
        let slippage = tick.0 * i64::from(self.rules().slippage_ticks);
        let moved = match side {
            Side::Buy => price.plus(Price(slippage)),
            Side::Sell => price.plus(Price(-slippage)),
        };
        moved.max(tick)
    }

    /// The price grid on that date: the unit of prices where nothing is listed.
    fn tick(&self, id: InstrumentId, date: Date) -> Price {
        self.run.instruments[id.index()].at(date).map_or(Price(1), |listing| listing.tick)
    }
}

/// Which level the bar reached first, at what price and when: gaps at the open, and the stop before
/// the target where both lie inside the bar.
fn level_reached(open: &Open, bar: &Bar) -> Option<(OrderReason, Price, Timestamp)> {
    let &Open { stop, target, .. } = open;
    let (opens, closes) = (bar.open_time, bar.close_time());
    let hits = match open.side {
        Side::Buy => [bar.open <= stop, bar.open >= target, bar.low <= stop, bar.high >= target],
        Side::Sell => [bar.open >= stop, bar.open <= target, bar.high >= stop, bar.low <= target],
    };
    let exits = [
        (OrderReason::Stop, bar.open, opens),
        (OrderReason::Target, bar.open, opens),
        (OrderReason::Stop, stop, closes),
        (OrderReason::Target, target, closes),
    ];
    hits.iter().position(|hit| *hit).map(|first| exits[first])
}

fn exit_order(id: InstrumentId, open: &Open, reason: OrderReason, time: Timestamp) -> Order {
    Order {
        instrument: id,
        time,
        side: open.side.opposite(),
        quantity: open.quantity,
        reason,
        origin: open.origin,
    }
}
