//! The account: cash, positions, fees, and the record of what happened to them (rules 5.4, 5.5).

use super::{Frame, Outcome};
use crate::domain::event::{EventId, RunStarted};
use crate::domain::fact::{
    Bar15m, Fill, Order, Position, RejectReason, Rejection, SessionEnded, Signal,
};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Cash, Price, Qty};
use crate::domain::time::{Date, Timestamp};

/// What is held of one instrument.
#[derive(Clone, Copy, Default)]
struct Holding {
    quantity: Qty,
    cost: Cash,
    realized: Cash,
    last_price: Price,
}

/// The account, with all that has happened so far.
pub struct Account<'a> {
    run: &'a RunStarted,
    cash: Cash,
    holdings: Vec<Holding>,
    day_start: Cash,
    day_fees: Cash,
    /// What has happened so far.
    pub outcome: Outcome,
}

impl<'a> Account<'a> {
    /// An account with the run's capital and no positions.
    pub fn new(run: &'a RunStarted) -> Account<'a> {
        let capital = run.config.execution.capital;
        Account {
            run,
            cash: capital,
            holdings: vec![Holding::default(); run.instruments.len()],
            day_start: capital,
            day_fees: Cash::ZERO,
            outcome: Outcome::default(),
        }
    }

    /// Shares held; negative for a short position.
    pub fn quantity(&self, instrument: InstrumentId) -> Qty {
        self.holdings[instrument.index()].quantity
    }

    /// Cash alone.
    pub fn cash(&self) -> Cash {
        self.cash
    }

    /// Cash and all positions at their last price.
    pub fn equity(&self) -> Cash {
        let worth = |holding: &Holding| holding.last_price.times(holding.quantity);
        self.holdings.iter().map(worth).fold(self.cash, Cash::plus)
    }

    /// Equity less that at the start of the day.
    pub fn day_profit(&self) -> Cash {
        self.equity().minus(self.day_start)
    }

    /// Worth of all positions at their last price, long and short alike.
    pub fn exposure(&self) -> Cash {
        let worth = |holding: &Holding| holding.last_price.times(holding.quantity.abs());
        self.holdings.iter().map(worth).fold(Cash::ZERO, Cash::plus)
    }

    /// `price` is the instrument's last price.
    pub fn mark(&mut self, instrument: InstrumentId, price: Price) {
        self.holdings[instrument.index()].last_price = price;
    }

    /// Notes a strategy bar with its indicators, and returns it.
    pub fn observe<'f>(&mut self, frame: &'f Frame, row: usize) -> &'f Bar15m {
        self.outcome.bars.push(frame.bars[row]);
        self.outcome.indicators.push(frame.indicators[row]);
        &frame.bars[row]
    }

    /// Notes a signal.
    pub fn announce(&mut self, signal: &Signal) {
        self.outcome.signals.push(signal.clone());
    }

    /// Notes that something was refused.
    pub fn reject(&mut self, instrument: InstrumentId, time: Timestamp, reason: RejectReason) {
        self.outcome.rejections.push(Rejection { instrument, time, reason });
    }

    /// Executes `order` at `price`, which includes the slippage.
    pub fn fill(&mut self, order: &Order, time: Timestamp, price: Price) {
        let &Order { instrument, side, quantity, reason, origin, .. } = order;
        let turnover = price.times(quantity);
        let period = self.run.config.fees.at(time.date());
        let fee = period.map_or(Cash::ZERO, |period| period.charge(side, turnover));
        let signed = side.signed(quantity);
        self.cash = self.cash.minus(price.times(signed)).minus(fee);
        self.day_fees = self.day_fees.plus(fee);
        let holding = &mut self.holdings[instrument.index()];
        holding.trade(signed, price);
        let order = EventId::NONE;
        let fill = Fill { order, instrument, time, side, quantity, price, fee, reason, origin };
        self.outcome.fills.push(fill);
        let Holding { quantity, cost, realized, .. } = *holding;
        let position = Position { instrument, quantity, cost, realized, cash: self.cash };
        self.outcome.positions.push(position);
    }

    /// The session of `date` ended at `end`; the next day starts from here.
    pub fn close_day(&mut self, date: Date, end: Timestamp) {
        let (equity, fees) = (self.equity(), self.day_fees);
        let gross = self.day_profit().plus(fees);
        if end > self.run.config.active_from {
            self.outcome.sessions.push(SessionEnded { date, gross, fees, equity });
        }
        self.day_start = equity;
        self.day_fees = Cash::ZERO;
    }
}

impl Holding {
    /// Adds `signed` shares at `price`. Shares that close take their part of the cost with them,
    /// cut to whole units; what is left of `signed` opens.
    fn trade(&mut self, signed: Qty, price: Price) {
        let closes = if self.quantity.0.signum() == -signed.0.signum() {
            Qty(self.quantity.abs().min(signed.abs()).0 * signed.0.signum())
        } else {
            Qty::ZERO
        };
        if closes != Qty::ZERO {
            // Opposite signs: what is released has the sign of `closes` and lessens the cost.
            let part = i128::from(self.cost.0) * i128::from(closes.0) / i128::from(self.quantity.0);
            let released = Cash(i64::try_from(part).expect("a part of the cost is smaller"));
            self.realized = self.realized.minus(price.times(closes)).plus(released);
            self.cost = self.cost.plus(released);
        }
        let opens = Qty(signed.0 - closes.0);
        self.cost = self.cost.plus(price.times(opens));
        self.quantity = self.quantity.plus(signed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_that_close_take_their_part_of_the_cost() {
        let mut holding = Holding::default();
        let steps =
            [(100, 1_000_000), (50, 1_030_000), (-60, 1_000_000), (-190, 990_000), (100, 0)].map(
                |(shares, price)| {
                    holding.trade(Qty(shares), Price(price));
                    format!(
                        "{} cost {} realized {}",
                        holding.quantity, holding.cost, holding.realized
                    )
                },
            );
        insta::assert_snapshot!(steps.join("\n"), @r"
        100 cost 10000.00 realized 0.00
        150 cost 15150.00 realized 0.00
        90 cost 9090.00 realized -60.00
        -100 cost -9900.00 realized -240.00
        0 cost 0.00 realized 9660.00
        ");
    }
}
