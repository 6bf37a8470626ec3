//! Execution `honest` (rules 5), one moment after the other.

use super::account::Account;
use super::hours::Hours;
use super::timeline::Moment;
use super::{Frame, Outcome};
use crate::domain::config::ExecutionConfig;
use crate::domain::event::{Command, CommandKind, RunStarted};
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
    paused: bool,
    killed: bool,
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
        paused: false,
        killed: false,
    };
    for moment in moments {
        match *moment {
            Moment::Minute(bar) => desk.minute(&bar),
            Moment::Refused(rejection) => desk.account.outcome.rejections.push(rejection),
            Moment::StrategyBar(id, row) => {
                let frame = &frames[id.index()];
                let bar = desk.account.observe(frame, row);
                let signal = frame.signals[row].as_ref();
                signal.into_iter().for_each(|signal| desk.account.announce(signal));
                desk.strategy_bar(bar, signal);
            }
            Moment::Flatten(id, boundary) => {
                desk.order_exit(id, OrderReason::SessionEnd, boundary);
            }
            Moment::SessionOver(date, end) => desk.session_over(date, end),
            Moment::Command(command) => desk.command(&command),
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
        self.leave_market(OrderReason::DailyLoss, time, reason);
    }

    /// Exit orders for everything that is open, and no entry waits any longer.
    fn leave_market(&mut self, exit: OrderReason, time: Timestamp, reason: RejectReason) {
        for id in self.ids() {
            self.order_exit(id, exit, time);
        }
        self.withdraw_entries(reason);
    }

    /// 5.7.
    fn command(&mut self, command: &Command) {
        let (time, day_profit) = (command.time, self.account.day_profit());
        let halt = |reason| Halt { time, reason, day_profit };
        match command.kind {
            CommandKind::Resume => self.paused = false,
            CommandKind::Release => self.killed = false,
            CommandKind::Pause => {
                self.paused = true;
                self.account.outcome.halts.push(halt(RejectReason::Paused));
            }
            CommandKind::Flatten => {
                self.leave_market(OrderReason::Command, time, RejectReason::Paused);
            }
            CommandKind::Kill => {
                self.killed = true;
                self.account.outcome.halts.push(halt(RejectReason::Killed));
                self.leave_market(OrderReason::Command, time, RejectReason::Killed);
            }
        }
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
            (self.killed, RejectReason::Killed),
            (self.paused, RejectReason::Paused),
            (self.halted, RejectReason::DailyLoss),
            (!bar.is_complete() && !rules.enter_on_incomplete, RejectReason::IncompleteBar),
            (book.open.is_some() || book.pending.is_some(), RejectReason::PositionOpen),
            (book.bars_since_exit < rules.cooldown_bars, RejectReason::Cooldown),
            (is_cut_off, RejectReason::EntryCutoff),
            (entries >= rules.trades_max as usize, RejectReason::TradesMax),
            (no_quantity, RejectReason::NoQuantity),
            (self.exceeds_capital(signal), RejectReason::Capital),
            (signal.price.times(signal.quantity) > rules.exposure_max, RejectReason::Exposure),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::testing::{Scenario, date, price, rupees, session, time};
    use crate::domain::config::{FeePeriod, RunConfig};
    use crate::domain::money::Rate;

    /// A complete quarter at 100.
    fn calm() -> Scenario {
        Scenario::new().quiet(0, "09:15", "09:30", "100")
    }

    /// The same, then a signal to buy 100 shares with a stop at 98 and a target at 104.
    fn long() -> Scenario {
        calm().signal(0, "09:15", Side::Buy, "98", "104")
    }

    /// The same the other way round.
    fn short() -> Scenario {
        calm().signal(0, "09:15", Side::Sell, "102", "96")
    }

    #[test]
    fn an_entry_is_filled_at_the_next_open() {
        let scenario = long().minute(0, "09:30", "100.50 101 100 101");
        insta::assert_snapshot!(scenario.log(), @r"
        order  09:30 A BUY 100 entry
        order  15:15 A SELL 100 session-end
        fill   09:30 A BUY 100 @ 100.50 entry
        day    2024-10-01 gross 50.00 fees 0.00 equity 100050.00
        ");
    }

    #[test]
    fn an_order_waits_for_the_next_minute_there_is() {
        let scenario = long().minute(0, "09:47", "101 101 101 101");
        insta::assert_snapshot!(scenario.log(), @r"
        order  09:30 A BUY 100 entry
        order  15:15 A SELL 100 session-end
        fill   09:47 A BUY 100 @ 101.00 entry
        day    2024-10-01 gross 0.00 fees 0.00 equity 100000.00
        ");
    }

    #[test]
    fn a_bar_is_known_at_its_close_though_nobody_trades_then() {
        let scenario = Scenario::new()
            .with(|config| config.execution.enter_on_incomplete = true)
            .quiet(0, "09:15", "09:29", "100")
            .signal(0, "09:15", Side::Buy, "98", "104")
            .minute(0, "09:30", "101 101 101 101")
            .minute(0, "09:31", "102 102 102 102");
        insta::assert_snapshot!(scenario.log(), @"
        order  09:30 A BUY 100 entry
        order  15:15 A SELL 100 session-end
        fill   09:30 A BUY 100 @ 101.00 entry
        day    2024-10-01 gross 100.00 fees 0.00 equity 100100.00
        ");
    }

    #[test]
    fn a_stop_inside_the_minute_is_filled_at_the_stop() {
        let scenario =
            long().minute(0, "09:30", "100 100 99 100").minute(0, "09:31", "100 105 97 100");
        insta::assert_snapshot!(scenario.log(), @r"
        order  09:30 A BUY 100 entry
        order  09:32 A SELL 100 stop
        fill   09:30 A BUY 100 @ 100.00 entry
        fill   09:32 A SELL 100 @ 98.00 stop
        day    2024-10-01 gross -200.00 fees 0.00 equity 99800.00
        ");
    }

    #[test]
    fn a_gap_through_the_stop_is_filled_at_the_open() {
        let scenario =
            long().minute(0, "09:30", "100 100 99 100").minute(0, "09:31", "95 99 94 99");
        insta::assert_snapshot!(scenario.log(), @r"
        order  09:30 A BUY 100 entry
        order  09:31 A SELL 100 stop
        fill   09:30 A BUY 100 @ 100.00 entry
        fill   09:31 A SELL 100 @ 95.00 stop
        day    2024-10-01 gross -500.00 fees 0.00 equity 99500.00
        ");
    }

    #[test]
    fn the_minute_of_the_entry_can_stop_it_out() {
        let scenario = long().minute(0, "09:30", "100 100 97 99");
        insta::assert_snapshot!(scenario.log(), @r"
        order  09:30 A BUY 100 entry
        order  09:31 A SELL 100 stop
        fill   09:30 A BUY 100 @ 100.00 entry
        fill   09:31 A SELL 100 @ 98.00 stop
        day    2024-10-01 gross -200.00 fees 0.00 equity 99800.00
        ");
    }

    #[test]
    fn an_entry_that_opens_beyond_its_stop_is_closed_at_once() {
        let scenario = long().minute(0, "09:30", "97 99 96 99");
        insta::assert_snapshot!(scenario.log(), @r"
        order  09:30 A BUY 100 entry
        order  09:30 A SELL 100 stop
        fill   09:30 A BUY 100 @ 97.00 entry
        fill   09:30 A SELL 100 @ 97.00 stop
        day    2024-10-01 gross 0.00 fees 0.00 equity 100000.00
        ");
    }

    #[test]
    fn slippage_is_paid_at_market_and_stop_but_not_at_the_target() {
        let slip = |config: &mut RunConfig| config.execution.slippage_ticks = 2;
        let stopped = long().with(slip).minute(0, "09:30", "100 100 98 100");
        insta::assert_snapshot!(stopped.log(), @r"
        order  09:30 A BUY 100 entry
        order  09:31 A SELL 100 stop
        fill   09:30 A BUY 100 @ 100.10 entry
        fill   09:31 A SELL 100 @ 97.90 stop
        day    2024-10-01 gross -220.00 fees 0.00 equity 99780.00
        ");
        let won = long().with(slip).minute(0, "09:30", "100 104 99 100");
        insta::assert_snapshot!(won.log(), @r"
        order  09:30 A BUY 100 entry
        order  09:31 A SELL 100 target
        fill   09:30 A BUY 100 @ 100.10 entry
        fill   09:31 A SELL 100 @ 104.00 target
        day    2024-10-01 gross 390.00 fees 0.00 equity 100390.00
        ");
    }

    #[test]
    fn a_short_position_mirrors_all_of_it() {
        let opened = short().minute(0, "09:30", "100 101 99 100");
        let stopped = opened.minute(0, "09:31", "100 102 95 100");
        insta::assert_snapshot!(stopped.log(), @r"
        order  09:30 A SELL 100 entry
        order  09:32 A BUY 100 stop
        fill   09:30 A SELL 100 @ 100.00 entry
        fill   09:32 A BUY 100 @ 102.00 stop
        day    2024-10-01 gross -200.00 fees 0.00 equity 99800.00
        ");
        let gap = short().minute(0, "09:30", "100 101 99 100").minute(0, "09:31", "95 96 94 95");
        insta::assert_snapshot!(gap.log(), @r"
        order  09:30 A SELL 100 entry
        order  09:31 A BUY 100 target
        fill   09:30 A SELL 100 @ 100.00 entry
        fill   09:31 A BUY 100 @ 95.00 target
        day    2024-10-01 gross 500.00 fees 0.00 equity 100500.00
        ");
    }

    #[test]
    fn levels_move_onto_the_grid_away_from_the_entry() {
        let off_grid = calm()
            .signal(0, "09:15", Side::Buy, "98.03", "103.96")
            .minute(0, "09:30", "100 103.95 98.05 100")
            .minute(0, "09:31", "100 104 99 100");
        insta::assert_snapshot!(off_grid.log(), @r"
        order  09:30 A BUY 100 entry
        order  09:32 A SELL 100 target
        fill   09:30 A BUY 100 @ 100.00 entry
        fill   09:32 A SELL 100 @ 104.00 target
        day    2024-10-01 gross 400.00 fees 0.00 equity 100400.00
        ");
    }

    #[test]
    fn a_position_is_closed_after_its_bars() {
        let scenario = long()
            .with(|config| config.strategy.time_stop_bars = 2)
            .quiet(0, "09:30", "10:01", "100");
        insta::assert_snapshot!(scenario.log(), @r"
        order  09:30 A BUY 100 entry
        order  10:00 A SELL 100 time-stop
        fill   09:30 A BUY 100 @ 100.00 entry
        fill   10:00 A SELL 100 @ 100.00 time-stop
        day    2024-10-01 gross 0.00 fees 0.00 equity 100000.00
        ");
    }

    #[test]
    fn a_position_is_closed_before_the_session_ends() {
        let scenario = long()
            .with(|config| config.strategy.time_stop_bars = 100)
            .minute(0, "09:30", "100 100 100 100")
            .quiet(0, "15:10", "15:20", "101");
        insta::assert_snapshot!(scenario.log(), @r"
        order  09:30 A BUY 100 entry
        order  15:15 A SELL 100 session-end
        fill   09:30 A BUY 100 @ 100.00 entry
        fill   15:15 A SELL 100 @ 101.00 session-end
        day    2024-10-01 gross 100.00 fees 0.00 equity 100100.00
        ");
    }

    #[test]
    fn an_entry_after_the_flattening_is_closed_at_the_next_price() {
        let scenario =
            long().minute(0, "15:20", "101 101 101 101").minute(0, "15:21", "102 102 102 102");
        insta::assert_snapshot!(scenario.log(), @r"
        order  09:30 A BUY 100 entry
        order  15:20 A SELL 100 session-end
        fill   15:20 A BUY 100 @ 101.00 entry
        fill   15:21 A SELL 100 @ 102.00 session-end
        day    2024-10-01 gross 100.00 fees 0.00 equity 100100.00
        ");
    }

    #[test]
    fn an_exit_without_a_price_waits_for_the_next_day() {
        let mut scenario = long().minute(0, "09:30", "100 100 100 100");
        scenario.run.sessions.push(session("2024-10-02"));
        let scenario = scenario.minute(0, "2024-10-02T09:15", "90 90 90 90");
        insta::assert_snapshot!(scenario.log(), @r"
        order  09:30 A BUY 100 entry
        order  15:15 A SELL 100 session-end
        fill   09:30 A BUY 100 @ 100.00 entry
        fill   09:15 A SELL 100 @ 90.00 session-end
        day    2024-10-01 gross 0.00 fees 0.00 equity 100000.00
        day    2024-10-02 gross -1000.00 fees 0.00 equity 99000.00
        ");
    }

    #[test]
    fn an_entry_without_a_price_expires() {
        insta::assert_snapshot!(long().log(), @r"
        order  09:30 A BUY 100 entry
        no     09:30 A expired
        day    2024-10-01 gross 0.00 fees 0.00 equity 100000.00
        ");
    }

    #[test]
    fn after_an_exit_the_next_bars_are_mute() {
        let mut scenario =
            long().minute(0, "09:30", "100 100 97 100").quiet(0, "09:31", "10:16", "100");
        for label in ["09:30", "09:45", "10:00"] {
            scenario = scenario.signal(0, label, Side::Buy, "98", "104");
        }
        insta::assert_snapshot!(scenario.log(), @r"
        order  09:30 A BUY 100 entry
        order  09:31 A SELL 100 stop
        order  10:15 A BUY 100 entry
        order  15:15 A SELL 100 session-end
        fill   09:30 A BUY 100 @ 100.00 entry
        fill   09:31 A SELL 100 @ 98.00 stop
        fill   10:15 A BUY 100 @ 100.00 entry
        no     09:45 A cooldown
        no     10:00 A cooldown
        day    2024-10-01 gross -200.00 fees 0.00 equity 99800.00
        ");
    }

    #[test]
    fn one_position_per_instrument() {
        let scenario =
            long().quiet(0, "09:30", "09:45", "100").signal(0, "09:30", Side::Sell, "102", "96");
        assert_eq!(scenario.trade().rejections[0].reason, RejectReason::PositionOpen);
    }

    #[test]
    fn the_days_loss_closes_everything_and_withdraws_what_waits() {
        let scenario = Scenario::new()
            .with(|config| config.execution.daily_loss_max = rupees(150))
            .quiet(0, "09:15", "09:45", "100")
            .signal(0, "09:15", Side::Buy, "90", "110")
            .quiet(1, "09:30", "09:45", "100")
            .signal(1, "09:30", Side::Buy, "90", "110")
            .minute(0, "09:45", "100 100 98 98.50")
            .quiet(0, "09:46", "10:01", "98")
            .signal(0, "09:45", Side::Buy, "90", "110");
        insta::assert_snapshot!(scenario.log(), @r"
        order  09:30 A BUY 100 entry
        order  09:45 B BUY 100 entry
        order  09:46 A SELL 100 daily-loss
        fill   09:30 A BUY 100 @ 100.00 entry
        fill   09:46 A SELL 100 @ 98.00 daily-loss
        no     09:45 B daily-loss
        no     10:00 A daily-loss
        halt   09:46 daily-loss at -150.00
        day    2024-10-01 gross -200.00 fees 0.00 equity 99800.00
        ");
    }

    #[test]
    fn a_loss_that_is_realized_halts_as_well_and_the_next_day_starts_anew() {
        let mut scenario = long()
            .with(|config| config.execution.daily_loss_max = rupees(200))
            .minute(0, "09:30", "100 100 97 100")
            .quiet(0, "09:31", "10:30", "100")
            .signal(0, "10:00", Side::Buy, "98", "104");
        scenario.run.sessions.push(session("2024-10-02"));
        let next = "2024-10-02T09:15";
        let scenario = scenario.quiet(0, next, "2024-10-02T09:31", "100").signal(
            0,
            next,
            Side::Buy,
            "98",
            "104",
        );
        insta::assert_snapshot!(scenario.log(), @r"
        order  09:30 A BUY 100 entry
        order  09:31 A SELL 100 stop
        order  09:30 A BUY 100 entry
        order  15:15 A SELL 100 session-end
        fill   09:30 A BUY 100 @ 100.00 entry
        fill   09:31 A SELL 100 @ 98.00 stop
        fill   09:30 A BUY 100 @ 100.00 entry
        no     10:15 A daily-loss
        halt   09:31 daily-loss at -200.00
        day    2024-10-01 gross -200.00 fees 0.00 equity 99800.00
        day    2024-10-02 gross 0.00 fees 0.00 equity 99800.00
        ");
    }

    #[test]
    fn every_objection_has_its_reason() {
        let reason = |scenario: Scenario| scenario.trade().rejections[0].reason;
        let at = |label: &str, to: &str| {
            Scenario::new().quiet(0, label, to, "100").signal(0, label, Side::Buy, "98", "104")
        };
        assert_eq!(reason(at("09:15", "09:29")), RejectReason::IncompleteBar);
        assert_eq!(reason(at("14:45", "15:00")), RejectReason::EntryCutoff);
        let none_left = long().with(|config| config.execution.trades_max = 0);
        assert_eq!(reason(none_left), RejectReason::TradesMax);
        let no_stop = calm().signal(0, "09:15", Side::Buy, "0", "104");
        assert_eq!(reason(no_stop), RejectReason::NoQuantity);
        let too_dear = long().with(|config| config.execution.capital = rupees(1_999));
        assert_eq!(reason(too_dear), RejectReason::Capital);
        let just_enough = long().with(|config| config.execution.capital = rupees(2_000));
        assert_eq!(reason(just_enough), RejectReason::Expired);
    }

    #[test]
    fn limits_count_all_instruments_and_what_waits() {
        let both = long()
            .quiet(1, "09:15", "09:30", "100")
            .signal(1, "09:15", Side::Buy, "98", "104")
            .quiet(0, "09:30", "09:31", "100");
        let one_trade = both.with(|config| config.execution.trades_max = 1);
        assert_eq!(one_trade.trade().rejections[0].reason, RejectReason::TradesMax);
        let one_position = one_trade.with(|config| {
            config.execution.trades_max = 2;
            config.execution.capital = rupees(3_999);
        });
        assert_eq!(one_position.trade().rejections[0].reason, RejectReason::Capital);
    }

    #[test]
    fn fees_are_paid_from_cash_and_told_apart_from_the_gross_profit() {
        let flat = FeePeriod {
            from: date("2024-01-01"),
            brokerage_flat: rupees(20),
            brokerage_rate: Rate::ONE,
            stt_buy: Rate(0),
            stt_sell: Rate(0),
            transaction: Rate(0),
            ipft: Rate(0),
            sebi: Rate(0),
            stamp_buy: Rate(0),
            stamp_sell: Rate(0),
            gst: Rate(0),
            gst_on_ipft: false,
            gst_on_sebi: false,
        };
        let outcome = long()
            .with(|config| config.fees.periods.push(flat))
            .minute(0, "09:30", "100 104 100 104")
            .trade();
        let (day, last) = (outcome.sessions[0], outcome.positions[1]);
        assert_eq!((day.gross, day.fees, day.equity), (rupees(400), rupees(40), rupees(100_360)));
        assert_eq!((last.quantity, last.cost), (Qty::ZERO, rupees(0)));
        assert_eq!((last.realized, last.cash), (rupees(400), rupees(100_360)));
    }

    #[test]
    fn days_of_the_warm_up_end_silently() {
        let mut scenario = long().with(|config| config.active_from = time("15:30"));
        scenario.run.sessions.push(session("2024-10-02"));
        let days: Vec<Date> = scenario.trade().sessions.iter().map(|day| day.date).collect();
        assert_eq!(days, [date("2024-10-02")]);
    }

    #[test]
    fn a_fill_never_costs_less_than_a_tick() {
        let scenario = Scenario::new()
            .with(|config| config.execution.slippage_ticks = 3)
            .quiet(0, "09:15", "09:30", "0.10")
            .signal(0, "09:15", Side::Sell, "1", "0.05")
            .minute(0, "09:30", "0.10 0.10 0.10 0.10");
        assert_eq!(scenario.trade().fills[0].price, price("0.05"));
    }
}
