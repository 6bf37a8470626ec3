//! Positions, cash and the day's profit, in whole units of 1/10,000 rupee.

use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::domain::event::RunStarted;
use crate::domain::fact::{Fill, Position};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Cash, Price, Qty};

/// The account of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Portfolio {
    cash: Cash,
    holdings: Vec<Holding>,
    /// Sum of quantity x last price over all holdings.
    worth: Cash,
    day: Day,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Holding {
    quantity: Qty,
    cost: Cash,
    realized: Cash,
    last: Price,
}

/// Where the day began, and what it has paid in fees.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Day {
    equity_before: Cash,
    fees: Cash,
}

/// The result of a day that is over.
#[derive(Clone, Copy, Debug)]
pub struct DayResult {
    /// Profit before fees, open positions at their last price.
    pub gross: Cash,
    /// Fees paid.
    pub fees: Cash,
    /// Cash and open positions at their last price.
    pub equity: Cash,
}

impl Portfolio {
    /// The account before the first fill.
    pub fn new(run: &RunStarted) -> Portfolio {
        let cash = run.config.execution.capital;
        Portfolio {
            cash,
            holdings: vec![Holding::default(); run.instruments.len()],
            worth: Cash::ZERO,
            day: Day { equity_before: cash, fees: Cash::ZERO },
        }
    }

    /// Shares held of an instrument; negative for a short position.
    #[inline]
    pub fn quantity(&self, instrument: InstrumentId) -> Qty {
        self.holdings[instrument.index()].quantity
    }

    /// Cash of the account.
    pub const fn cash(&self) -> Cash {
        self.cash
    }

    /// Cash and open positions at their last price.
    pub fn equity(&self) -> Cash {
        self.cash.plus(self.worth)
    }

    /// Profit since the day began, fees included.
    pub fn day_profit(&self) -> Cash {
        self.equity().minus(self.day.equity_before)
    }

    /// Sum of the absolute worth of all positions at their last price.
    pub fn exposure(&self) -> Cash {
        let worth = |holding: &Holding| holding.last.times(holding.quantity.abs());
        self.holdings.iter().map(worth).fold(Cash::ZERO, Cash::plus)
    }

    /// A price was seen.
    #[inline]
    pub fn mark(&mut self, instrument: InstrumentId, price: Price) {
        let holding = &mut self.holdings[instrument.index()];
        if holding.quantity != Qty::ZERO {
            let moved = Price(price.0 - holding.last.0).times(holding.quantity);
            self.worth = self.worth.plus(moved);
        }
        holding.last = price;
    }

    /// An order was executed. Gives what is held now.
    ///
    /// Adding to a position adds to its cost; reducing it takes out a proportional share of the
    /// cost, which is what the closed shares had cost on average.
    pub fn fill(&mut self, fill: &Fill) -> Position {
        let holding = &mut self.holdings[fill.instrument.index()];
        let change = fill.side.signed(fill.quantity);
        let paid = fill.price.times(change);
        let before = holding.quantity;
        let same_way = before.0.signum() * change.0.signum() >= 0;
        if same_way {
            holding.cost = holding.cost.plus(paid);
        } else {
            let closed = before.abs().min(change.abs());
            let cost_closed = share_of(holding.cost, closed, before.abs());
            let proceeds = fill.price.times(Qty(closed.0 * before.0.signum()));
            holding.realized = holding.realized.plus(proceeds.minus(cost_closed));
            let left = before.plus(change);
            let is_flipped = left.0.signum() == change.0.signum();
            holding.cost =
                if is_flipped { fill.price.times(left) } else { holding.cost.minus(cost_closed) };
        }
        holding.quantity = before.plus(change);
        self.worth = self.worth.plus(holding.last.times(change));
        self.cash = self.cash.minus(paid).minus(fill.fee);
        self.day.fees = self.day.fees.plus(fill.fee);
        Position {
            instrument: fill.instrument,
            quantity: holding.quantity,
            cost: holding.cost,
            realized: holding.realized,
            cash: self.cash,
        }
    }

    /// Closes the day and begins the next.
    pub fn end_day(&mut self) -> DayResult {
        let (equity, fees) = (self.equity(), self.day.fees);
        let gross = self.day_profit().plus(fees);
        self.day = Day { equity_before: equity, fees: Cash::ZERO };
        DayResult { gross, fees, equity }
    }
}

/// `part` of `whole` shares' worth of `cost`, rounded towards zero.
fn share_of(cost: Cash, part: Qty, whole: Qty) -> Cash {
    let share = i128::from(cost.0) * i128::from(part.0) / i128::from(whole.0);
    Cash(i64::try_from(share).expect("a part is smaller than the whole"))
}
