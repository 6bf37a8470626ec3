//! Orders, fills and the limits that stand before them (rules 5 and 6). Two ways to execute, behind
//! one set of questions: a price came, a strategy bar closed, a signal wants in, time ran out.

mod compat;
mod honest;

use serde::{Deserialize, Serialize};

use crate::domain::config::{ExecutionProfile, FeeSchedule};
use crate::domain::event::{Command, RunStarted};
use crate::domain::fact::{Bar, Bar15m, Fill, Order, SessionEnded, Signal, Tick};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Cash, Price};
use crate::domain::time::{Date, Timestamp};

use super::lanes::Lanes;
use super::outbox::{INPUT, Outbox};
use super::portfolio::Portfolio;

/// Prices that were seen: a whole minute, or a single trade as a minute of one price.
#[derive(Clone, Copy, Debug)]
pub struct PriceEvent {
    /// Of what.
    pub instrument: InstrumentId,
    /// When the first price was seen.
    pub open_time: Timestamp,
    /// When all of it was known.
    pub close_time: Timestamp,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
}

impl PriceEvent {
    /// The prices of a minute.
    #[inline]
    pub const fn of_bar(bar: &Bar) -> PriceEvent {
        PriceEvent {
            instrument: bar.instrument,
            open_time: bar.open_time,
            close_time: bar.close_time(),
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
        }
    }

    /// The price of a trade.
    pub const fn of_tick(tick: &Tick) -> PriceEvent {
        let price = tick.price;
        PriceEvent {
            instrument: tick.instrument,
            open_time: tick.time,
            close_time: tick.time,
            open: price,
            high: price,
            low: price,
            close: price,
        }
    }
}

/// The broker of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Broker {
    rules: Rules,
    active_from: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Rules {
    Honest(honest::Honest),
    Compat(compat::Compat),
}

impl Broker {
    /// The broker before the first order.
    pub fn new(run: &RunStarted) -> Broker {
        let rules = match run.config.execution.profile {
            ExecutionProfile::Honest => Rules::Honest(honest::Honest::new(run)),
            ExecutionProfile::Compat => Rules::Compat(compat::Compat::new(run)),
        };
        Broker { rules, active_from: run.config.active_from }
    }

    /// Prices were seen.
    #[inline]
    pub fn price(
        &mut self,
        event: &PriceEvent,
        lanes: &Lanes,
        portfolio: &mut Portfolio,
        out: &mut Outbox<'_>,
    ) {
        match &mut self.rules {
            Rules::Honest(honest) => honest.price(event, lanes, portfolio, out),
            Rules::Compat(_) => portfolio.mark(event.instrument, event.close),
        }
    }

    /// A strategy bar closed; `cause` is its index.
    pub fn bar(
        &mut self,
        bar: &Bar15m,
        cause: u32,
        portfolio: &mut Portfolio,
        out: &mut Outbox<'_>,
    ) {
        match &mut self.rules {
            Rules::Honest(honest) => honest.bar(bar, cause, portfolio, out),
            Rules::Compat(compat) => compat.bar(bar, cause, portfolio, out),
        }
    }

    /// A signal of the bar wants in; `cause` is the signal's index.
    pub fn signal(
        &mut self,
        signal: &Signal,
        bar: &Bar15m,
        cause: u32,
        lanes: &Lanes,
        portfolio: &mut Portfolio,
        out: &mut Outbox<'_>,
    ) {
        match &mut self.rules {
            Rules::Honest(honest) => honest.signal(signal, bar, cause, lanes, portfolio, out),
            Rules::Compat(compat) => compat.signal(signal, cause, portfolio, out),
        }
    }

    /// An instrument's session is about to end.
    pub fn flatten(
        &mut self,
        instrument: InstrumentId,
        time: Timestamp,
        portfolio: &Portfolio,
        out: &mut Outbox<'_>,
    ) {
        if let Rules::Honest(honest) = &mut self.rules {
            honest.flatten(instrument, time, portfolio, out);
        }
    }

    /// The trading day is over.
    pub fn session_over(
        &mut self,
        date: Date,
        time: Timestamp,
        portfolio: &mut Portfolio,
        out: &mut Outbox<'_>,
    ) {
        if let Rules::Honest(honest) = &mut self.rules {
            honest.session_over(out);
        }
        let result = portfolio.end_day();
        if time > self.active_from {
            let (gross, fees, equity) = (result.gross, result.fees, result.equity);
            out.push(INPUT, SessionEnded { date, gross, fees, equity });
        }
    }

    /// Somebody wants something.
    pub fn command(&mut self, command: &Command, portfolio: &mut Portfolio, out: &mut Outbox<'_>) {
        match &mut self.rules {
            Rules::Honest(honest) => honest.command(command, portfolio, out),
            Rules::Compat(compat) => compat.command(command, portfolio, out),
        }
    }
}

/// Writes down that `order`, whose index is `order_index` in this step or whose id is known from an
/// earlier one, was executed at `price`, and books it.
fn execute(
    execution: Execution<'_>,
    fees: &FeeSchedule,
    portfolio: &mut Portfolio,
    out: &mut Outbox<'_>,
) {
    let Execution { order, id, cause, time, price } = execution;
    let period = fees.at(time.date());
    let turnover = price.times(order.quantity);
    let fill = Fill {
        order: id,
        instrument: order.instrument,
        time,
        side: order.side,
        quantity: order.quantity,
        price,
        fee: period.map_or(Cash::ZERO, |period| period.charge(order.side, turnover)),
        reason: order.reason,
        origin: order.origin,
    };
    let index = out.push(cause, fill);
    let position = portfolio.fill(&fill);
    out.push(index, position);
}

/// An order's execution.
struct Execution<'a> {
    order: &'a Order,
    id: crate::domain::event::EventId,
    cause: u32,
    time: Timestamp,
    price: Price,
}
