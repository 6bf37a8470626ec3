//! Orders, fills and the limits that stand before them (rules 5 to 7). Two ways to execute, behind
//! one set of questions: a price came, a strategy bar closed, a signal wants in, time ran out.

mod compat;
mod honest;
mod observe;

use serde::{Deserialize, Serialize};

use crate::domain::config::{ExecutionProfile, FeeSchedule};
use crate::domain::event::{Command, RunStarted};
use crate::domain::fact::{Bar, Bar15m, Fill, Order, SessionEnded, Signal};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Cash, Price};
use crate::domain::time::{Date, Timestamp};

use super::lanes::Lanes;
use super::outbox::{INPUT, Outbox};
use super::portfolio::Portfolio;

/// Prices that were seen: a minute.
#[derive(Clone, Copy, Debug)]
pub struct PriceEvent {
    /// Index of the minute's event in this step.
    pub cause: u32,
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
    /// The prices of a minute, whose event has the index `cause`.
    #[inline]
    pub const fn of_bar(bar: &Bar, cause: u32) -> PriceEvent {
        PriceEvent {
            cause,
            instrument: bar.instrument,
            open_time: bar.open_time,
            close_time: bar.close_time(),
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
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
    Observe(observe::Observe),
}

impl Broker {
    /// The broker before the first order.
    pub fn new(run: &RunStarted) -> Broker {
        let rules = match run.config.execution.profile {
            ExecutionProfile::Honest => Rules::Honest(honest::Honest::new(run)),
            ExecutionProfile::Compat => Rules::Compat(compat::Compat::new(run)),
            ExecutionProfile::Observe => Rules::Observe(observe::Observe::default()),
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
            Rules::Compat(_) | Rules::Observe(_) => portfolio.mark(event.instrument, event.close),
        }
    }

    /// A strategy bar became known at `time`; `cause` is its index.
    pub fn bar(
        &mut self,
        bar: &Bar15m,
        time: Timestamp,
        cause: u32,
        portfolio: &mut Portfolio,
        out: &mut Outbox<'_>,
    ) {
        match &mut self.rules {
            Rules::Honest(honest) => honest.bar(bar, time, cause, portfolio, out),
            Rules::Compat(compat) => compat.bar(bar, time, cause, portfolio, out),
            Rules::Observe(_) => {}
        }
    }

    /// Whether the strategy is mute on the instrument's newest bar, since it was flattened a short
    /// while ago (rules 7.4). Honest execution says no to a signal instead.
    pub fn is_resting(&self, instrument: InstrumentId) -> bool {
        match &self.rules {
            Rules::Honest(_) | Rules::Observe(_) => false,
            Rules::Compat(compat) => compat.is_resting(instrument),
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
            Rules::Observe(observe) => observe.signal(signal, cause, out),
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
            Rules::Observe(observe) => observe.command(command, out),
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
