//! Execution that could have happened (rules 5): the next price after the decision, gaps at the
//! open, the stop before the target, flat before the session ends, limits over all instruments.

use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::domain::config::{ExecutionConfig, FeeSchedule};
use crate::domain::event::{Command, CommandKind, EventId, RunStarted};
use crate::domain::fact::{
    Bar15m, Halt, Order, OrderReason, RejectReason, Rejection, Signal, SignalRef,
};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Cash, Price, Qty, Side};
use crate::domain::time::{MINUTE_US, Timestamp};

use super::super::lanes::Lanes;
use super::super::outbox::{INPUT, Outbox};
use super::super::portfolio::Portfolio;
use super::{Execution, PriceEvent, execute};

/// Honest execution over all instruments.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Honest {
    config: ExecutionConfig,
    fees: FeeSchedule,
    time_stop_bars: u32,
    exposure_max: Cash,
    slots: Vec<Slot>,
    entries_today: u32,
    is_halted: bool,
    is_paused: bool,
    is_killed: bool,
}

/// What the broker knows of one instrument.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Slot {
    pending: Option<Pending>,
    exit: Option<Levels>,
    bars_held: u32,
    bars_since_exit: u32,
}

/// An order that waits for a price.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pending {
    order: Order,
    id: EventId,
    /// For an entry, the levels it will set and the price its signal saw.
    entry: Option<(Levels, Price)>,
}

/// Where an open position ends, and the signal that opened it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Levels {
    stop: Price,
    target: Price,
    origin: SignalRef,
}

const LONG_AGO: u32 = u32::MAX;

impl Honest {
    pub fn new(run: &RunStarted) -> Honest {
        let config = run.config.execution.clone();
        let slot = Slot { pending: None, exit: None, bars_held: 0, bars_since_exit: LONG_AGO };
        let leverage = i64::from(run.config.strategy.leverage);
        Honest {
            fees: run.config.fees.clone(),
            time_stop_bars: run.config.strategy.time_stop_bars,
            exposure_max: Cash(config.capital.0.saturating_mul(leverage)),
            slots: vec![slot; run.instruments.len()],
            entries_today: 0,
            is_halted: false,
            is_paused: false,
            is_killed: false,
            config,
        }
    }

    #[inline]
    pub fn price(
        &mut self,
        event: &PriceEvent,
        lanes: &Lanes,
        portfolio: &mut Portfolio,
        out: &mut Outbox<'_>,
    ) {
        let slot = &self.slots[event.instrument.index()];
        match slot.pending.is_none() && slot.exit.is_none() {
            true => portfolio.mark(event.instrument, event.close),
            false => self.act(event, lanes, portfolio, out),
        }
    }

    /// Out of the way, so that little is left where nothing waits for a price, as at most minutes.
    #[inline(never)]
    fn act(
        &mut self,
        event: &PriceEvent,
        lanes: &Lanes,
        portfolio: &mut Portfolio,
        out: &mut Outbox<'_>,
    ) {
        let filled = self.fill_pending(event, lanes, portfolio, out);
        let exited = self.touch_levels(event, lanes, portfolio, out);
        portfolio.mark(event.instrument, event.close);
        if filled || exited || portfolio.quantity(event.instrument) != Qty::ZERO {
            self.check_daily_loss(event, portfolio, out);
        }
    }

    /// Rule 5, at a minute bar, 1.
    fn fill_pending(
        &mut self,
        event: &PriceEvent,
        lanes: &Lanes,
        portfolio: &mut Portfolio,
        out: &mut Outbox<'_>,
    ) -> bool {
        let slot = &mut self.slots[event.instrument.index()];
        let Some(pending) = slot.pending.take_if(|pending| pending.order.time <= event.open_time)
        else {
            return false;
        };
        let price = self.slipped(event.open, &pending.order, event.open_time, lanes);
        let (order, id, time) = (&pending.order, pending.id, event.open_time);
        let cause = event.cause;
        execute(Execution { order, id, cause, time, price }, &self.fees, portfolio, out);
        match pending.entry {
            Some((levels, _)) => self.entered(event, levels, lanes, portfolio, out),
            None => self.exited(event.instrument),
        }
        true
    }

    fn entered(
        &mut self,
        event: &PriceEvent,
        levels: Levels,
        lanes: &Lanes,
        portfolio: &Portfolio,
        out: &mut Outbox<'_>,
    ) {
        let slot = &mut self.slots[event.instrument.index()];
        slot.exit = Some(levels);
        slot.bars_held = 0;
        let flatten_time = lanes.flatten_time(event.instrument, event.open_time);
        if flatten_time.is_some_and(|time| event.open_time >= time) {
            let (reason, time) = (OrderReason::SessionEnd, event.open_time);
            self.close(event.instrument, reason, time, event.cause, portfolio, out);
        }
    }

    fn exited(&mut self, instrument: InstrumentId) {
        let slot = &mut self.slots[instrument.index()];
        slot.exit = None;
        slot.bars_since_exit = 0;
    }

    /// Rule 5, at a minute bar, 2.
    fn touch_levels(
        &mut self,
        event: &PriceEvent,
        lanes: &Lanes,
        portfolio: &mut Portfolio,
        out: &mut Outbox<'_>,
    ) -> bool {
        let slot = &self.slots[event.instrument.index()];
        let (Some(levels), None) = (slot.exit, &slot.pending) else {
            return false;
        };
        let quantity = portfolio.quantity(event.instrument);
        let Some((reason, price, time)) = touched(event, &levels, quantity) else {
            return false;
        };
        let order = Order {
            instrument: event.instrument,
            time,
            side: closing_side(quantity),
            quantity: quantity.abs(),
            reason,
            origin: levels.origin,
        };
        let price = match reason {
            OrderReason::Stop => self.slipped(price, &order, time, lanes),
            _ => price,
        };
        let cause = out.push(event.cause, order);
        let id = out.id(cause);
        execute(Execution { order: &order, id, cause, time, price }, &self.fees, portfolio, out);
        self.exited(event.instrument);
        true
    }

    fn slipped(&self, price: Price, order: &Order, time: Timestamp, lanes: &Lanes) -> Price {
        let tick = lanes.tick(order.instrument, time);
        let slip = tick.0 * i64::from(self.config.slippage_ticks);
        match order.side {
            Side::Buy => Price(price.0 + slip),
            Side::Sell => Price((price.0 - slip).max(tick.0)),
        }
    }

    /// Rule 5.6.
    fn check_daily_loss(
        &mut self,
        event: &PriceEvent,
        portfolio: &Portfolio,
        out: &mut Outbox<'_>,
    ) {
        let time = event.close_time;
        let day_profit = portfolio.day_profit();
        if self.is_halted || day_profit.0 > -self.config.daily_loss_max.0 {
            return;
        }
        self.is_halted = true;
        let reason = RejectReason::DailyLoss;
        let cause = out.push(event.cause, Halt { time, reason, day_profit });
        self.close_all(OrderReason::DailyLoss, time, cause, portfolio, out);
        self.withdraw_entries(reason, cause, out);
    }

    /// Exit orders for every open position that has none, by instrument.
    fn close_all(
        &mut self,
        reason: OrderReason,
        time: Timestamp,
        cause: u32,
        portfolio: &Portfolio,
        out: &mut Outbox<'_>,
    ) {
        for place in 0..self.slots.len() {
            let instrument = InstrumentId(u16::try_from(place).expect("ids are u16"));
            self.close(instrument, reason, time, cause, portfolio, out);
        }
    }

    /// An exit order, if a position is open and none waits yet.
    fn close(
        &mut self,
        instrument: InstrumentId,
        reason: OrderReason,
        time: Timestamp,
        cause: u32,
        portfolio: &Portfolio,
        out: &mut Outbox<'_>,
    ) {
        let slot = &mut self.slots[instrument.index()];
        let (Some(levels), None) = (slot.exit, &slot.pending) else {
            return;
        };
        let quantity = portfolio.quantity(instrument);
        let order = Order {
            instrument,
            time,
            side: closing_side(quantity),
            quantity: quantity.abs(),
            reason,
            origin: levels.origin,
        };
        let index = out.push(cause, order);
        slot.pending = Some(Pending { order, id: out.id(index), entry: None });
    }

    fn withdraw_entries(&mut self, reason: RejectReason, cause: u32, out: &mut Outbox<'_>) {
        for slot in &mut self.slots {
            if let Some(pending) = slot.pending.take_if(|pending| pending.entry.is_some()) {
                let Order { instrument, time, .. } = pending.order;
                out.push(cause, Rejection { instrument, time, reason });
                self.entries_today -= 1;
            }
        }
    }

    /// Rule 5, at a strategy bar, 1.
    pub fn bar(
        &mut self,
        bar: &Bar15m,
        time: Timestamp,
        cause: u32,
        portfolio: &Portfolio,
        out: &mut Outbox<'_>,
    ) {
        let slot = &mut self.slots[bar.instrument.index()];
        if slot.exit.is_none() {
            slot.bars_since_exit = slot.bars_since_exit.saturating_add(1);
            return;
        }
        slot.bars_held += 1;
        if slot.bars_held >= self.time_stop_bars {
            let reason = OrderReason::TimeStop;
            self.close(bar.instrument, reason, time, cause, portfolio, out);
        }
    }

    /// Rule 5, at a strategy bar, 2.
    pub fn signal(
        &mut self,
        signal: &Signal,
        bar: &Bar15m,
        cause: u32,
        lanes: &Lanes,
        portfolio: &Portfolio,
        out: &mut Outbox<'_>,
    ) {
        let (instrument, time) = (signal.instrument, signal.time);
        if let Some(reason) = self.refusal(signal, bar, lanes, portfolio) {
            out.push(cause, Rejection { instrument, time, reason });
            return;
        }
        let tick = lanes.tick(instrument, time);
        let (stop, target) = match signal.side {
            Side::Buy => (signal.stop.floor_to(tick), signal.target.ceil_to(tick)),
            Side::Sell => (signal.stop.ceil_to(tick), signal.target.floor_to(tick)),
        };
        let order = Order {
            instrument,
            time,
            side: signal.side,
            quantity: signal.quantity,
            reason: OrderReason::Entry,
            origin: signal.origin(),
        };
        let index = out.push(cause, order);
        let levels = Levels { stop, target, origin: signal.origin() };
        let entry = Some((levels, signal.price));
        self.slots[instrument.index()].pending = Some(Pending { order, id: out.id(index), entry });
        self.entries_today += 1;
    }

    /// Why the signal may not enter, if it may not; the first reason that holds.
    fn refusal(
        &self,
        signal: &Signal,
        bar: &Bar15m,
        lanes: &Lanes,
        portfolio: &Portfolio,
    ) -> Option<RejectReason> {
        let slot = &self.slots[signal.instrument.index()];
        let cutoff_us = i64::from(self.config.entry_cutoff_minutes) * MINUTE_US;
        let session_end = lanes.session_end(signal.instrument, signal.time);
        let is_too_late = session_end.is_none_or(|end| end.0 - signal.time.0 <= cutoff_us);
        let wanted = signal.price.times(signal.quantity);
        let has_no_level = signal.stop.0 == 0 || signal.target.0 == 0;
        let refusals = [
            (self.is_killed, RejectReason::Killed),
            (self.is_paused, RejectReason::Paused),
            (self.is_halted, RejectReason::DailyLoss),
            (!bar.is_complete() && !self.config.enter_on_incomplete, RejectReason::IncompleteBar),
            (slot.exit.is_some() || slot.pending.is_some(), RejectReason::PositionOpen),
            (slot.bars_since_exit < self.config.cooldown_bars, RejectReason::Cooldown),
            (is_too_late, RejectReason::EntryCutoff),
            (self.entries_today >= self.config.trades_max, RejectReason::TradesMax),
            (signal.quantity == Qty::ZERO || has_no_level, RejectReason::NoQuantity),
            (self.exposure_with(signal, portfolio) > self.exposure_max, RejectReason::Capital),
            (wanted > self.config.exposure_max, RejectReason::Exposure),
        ];
        refusals.into_iter().find(|(holds, _)| *holds).map(|(_, reason)| reason)
    }

    /// Worth of all positions and pending entries, were this signal taken.
    fn exposure_with(&self, signal: &Signal, portfolio: &Portfolio) -> Cash {
        let waiting = |slot: &Slot| {
            let pending = slot.pending.as_ref()?;
            let (_, price) = pending.entry?;
            Some(price.times(pending.order.quantity))
        };
        let wanted = signal.price.times(signal.quantity);
        let base = portfolio.exposure().plus(wanted);
        self.slots.iter().filter_map(waiting).fold(base, Cash::plus)
    }

    /// Rule 5.3.
    pub fn flatten(
        &mut self,
        instrument: InstrumentId,
        time: Timestamp,
        portfolio: &Portfolio,
        out: &mut Outbox<'_>,
    ) {
        self.close(instrument, OrderReason::SessionEnd, time, INPUT, portfolio, out);
    }

    /// Rule 5.4.
    pub fn session_over(&mut self, out: &mut Outbox<'_>) {
        self.withdraw_entries(RejectReason::Expired, INPUT, out);
        self.entries_today = 0;
        self.is_halted = false;
    }

    /// Rule 5.7.
    pub fn command(&mut self, command: &Command, portfolio: &Portfolio, out: &mut Outbox<'_>) {
        let time = command.time;
        let day_profit = portfolio.day_profit();
        let (reason, cause) = match command.kind {
            CommandKind::Resume => {
                self.is_paused = false;
                return;
            }
            CommandKind::Release => {
                self.is_killed = false;
                return;
            }
            CommandKind::Pause => {
                self.is_paused = true;
                out.push(INPUT, Halt { time, reason: RejectReason::Paused, day_profit });
                return;
            }
            CommandKind::Flatten => (RejectReason::Paused, INPUT),
            CommandKind::Kill => {
                self.is_killed = true;
                let reason = RejectReason::Killed;
                (reason, out.push(INPUT, Halt { time, reason, day_profit }))
            }
        };
        self.close_all(OrderReason::Command, time, cause, portfolio, out);
        self.withdraw_entries(reason, cause, out);
    }
}

/// Which way a position is closed.
const fn closing_side(quantity: Qty) -> Side {
    if quantity.0 > 0 { Side::Sell } else { Side::Buy }
}

/// What the prices do to a position with levels: why it ends, at which price and when. At the open
/// the order of events is known; inside the minute the stop is taken to have come first.
fn touched(
    event: &PriceEvent,
    levels: &Levels,
    quantity: Qty,
) -> Option<(OrderReason, Price, Timestamp)> {
    let Levels { stop, target, .. } = *levels;
    let is_long = quantity.0 > 0;
    let beyond_stop = |price: Price| if is_long { price <= stop } else { price >= stop };
    let beyond_target = |price: Price| if is_long { price >= target } else { price <= target };
    let (worst, best) = if is_long { (event.low, event.high) } else { (event.high, event.low) };
    if beyond_stop(event.open) {
        Some((OrderReason::Stop, event.open, event.open_time))
    } else if beyond_target(event.open) {
        Some((OrderReason::Target, event.open, event.open_time))
    } else if beyond_stop(worst) {
        Some((OrderReason::Stop, stop, event.close_time))
    } else if beyond_target(best) {
        Some((OrderReason::Target, target, event.close_time))
    } else {
        None
    }
}
