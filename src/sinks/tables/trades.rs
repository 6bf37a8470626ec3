//! Round trips of one instrument: from flat to flat, in whole units of 1/10,000 rupee, so that the
//! profit of a trade is exactly what was taken in less what was paid.

use crate::domain::event::EventId;
use crate::domain::fact::{Fill, OrderReason, SignalRef};
use crate::domain::money::{Cash, Qty, Side};
use crate::domain::time::Timestamp;

/// What a position that is open by a signal of the other side is closed for.
const OPPOSITE_SIGNAL: &str = "opposite-signal";

/// One round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The first fill.
    pub id: EventId,
    /// The signal that opened it.
    pub origin: SignalRef,
    /// BUY for a long position.
    pub side: Side,
    /// When the first fill was.
    pub entry_time: Timestamp,
    /// Shares that were opened.
    pub entered: Qty,
    /// What they were worth when they were.
    pub entry_worth: Cash,
    /// Shares that were closed.
    pub left: Qty,
    /// What they were worth when they were.
    pub exit_worth: Cash,
    /// Charges.
    pub fees: Cash,
    /// When and why it ended.
    pub exit: Option<(Timestamp, &'static str)>,
}

impl Trade {
    /// Shares held, without a sign.
    pub fn open(&self) -> Qty {
        self.entered.plus(self.left.negated())
    }

    /// Profit before fees of what was closed; of a trade that is over, all of it.
    pub fn gross(&self) -> Cash {
        match self.side {
            Side::Buy => self.exit_worth.minus(self.entry_worth),
            Side::Sell => self.entry_worth.minus(self.exit_worth),
        }
    }

    fn begin(id: EventId, fill: &Fill) -> Trade {
        Trade {
            id,
            origin: fill.origin,
            side: fill.side,
            entry_time: fill.time,
            entered: Qty::ZERO,
            entry_worth: Cash::ZERO,
            left: Qty::ZERO,
            exit_worth: Cash::ZERO,
            fees: Cash::ZERO,
            exit: None,
        }
    }

    fn enter(&mut self, quantity: Qty, fee: Cash, fill: &Fill) {
        self.entered = self.entered.plus(quantity);
        self.entry_worth = self.entry_worth.plus(fill.price.times(quantity));
        self.fees = self.fees.plus(fee);
    }

    fn leave(&mut self, quantity: Qty, fee: Cash, fill: &Fill) {
        self.left = self.left.plus(quantity);
        self.exit_worth = self.exit_worth.plus(fill.price.times(quantity));
        self.fees = self.fees.plus(fee);
        if self.open() == Qty::ZERO {
            let why = match fill.reason {
                OrderReason::Entry => OPPOSITE_SIGNAL,
                reason => reason.word(),
            };
            self.exit = Some((fill.time, why));
        }
    }
}

/// The trade of an instrument that is open, if one is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Holding {
    trade: Option<Trade>,
}

impl Holding {
    /// Shares held; negative for a short position.
    pub fn quantity(&self) -> Qty {
        self.trade.map_or(Qty::ZERO, |trade| trade.side.signed(trade.open()))
    }

    /// Books a fill and gives the trades that it changed: one, or, where it turns a long position
    /// into a short one or the other way, the one that it ended and the one that it began. Then
    /// each bears the fee for its share of the shares, and nothing of it is lost to rounding.
    pub fn fill(&mut self, id: EventId, fill: &Fill) -> impl Iterator<Item = Trade> {
        let mut rest = (fill.quantity.abs(), fill.fee);
        let ended = self.trade.filter(|trade| trade.side != fill.side).map(|mut trade| {
            let closing = trade.open().min(rest.0);
            let fee = if closing == rest.0 { rest.1 } else { share(fill.fee, closing, rest.0) };
            trade.leave(closing, fee, fill);
            rest = (rest.0.plus(closing.negated()), rest.1.minus(fee));
            trade
        });
        if let Some(trade) = ended {
            self.trade = Some(trade).filter(|trade| trade.exit.is_none());
        }
        let begun = (rest.0 != Qty::ZERO).then(|| {
            let mut trade = self.trade.unwrap_or_else(|| Trade::begin(id, fill));
            trade.enter(rest.0, rest.1, fill);
            self.trade = Some(trade);
            trade
        });
        ended.into_iter().chain(begun)
    }
}

/// `part` of `whole` shares' share of a fee, rounded towards zero.
fn share(fee: Cash, part: Qty, whole: Qty) -> Cash {
    let share = i128::from(fee.0) * i128::from(part.0) / i128::from(whole.0.max(1));
    Cash(i64::try_from(share).unwrap_or(fee.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::fact::SignalKind;
    use crate::domain::instrument::InstrumentId;
    use crate::domain::money::Price;

    fn fill(side: Side, quantity: i64, price: i64, fee: i64) -> Fill {
        let origin = SignalRef { bar_time: Timestamp(0), side, kind: SignalKind::Trend };
        Fill {
            order: EventId::NONE,
            instrument: InstrumentId(0),
            time: Timestamp(quantity),
            side,
            quantity: Qty(quantity),
            price: Price(price),
            fee: Cash(fee),
            reason: OrderReason::Entry,
            origin,
        }
    }

    fn at(seq: u64) -> EventId {
        EventId::input(seq)
    }

    #[test]
    fn a_fill_that_turns_the_position_round_ends_one_trade_and_begins_another() {
        let mut holding = Holding::default();
        let opened: Vec<Trade> = holding.fill(at(1), &fill(Side::Buy, 10, 1_000, 5)).collect();
        assert_eq!((opened.len(), opened[0].open(), opened[0].exit), (1, Qty(10), None));
        let turned: Vec<Trade> = holding.fill(at(2), &fill(Side::Sell, 15, 1_100, 10)).collect();
        let [long, short] = turned[..] else { panic!("{turned:?}") };
        assert_eq!((long.id, long.gross(), long.fees), (at(1), Cash(1_000), Cash(5 + 6)));
        assert_eq!(long.exit, Some((Timestamp(15), OPPOSITE_SIGNAL)));
        assert_eq!((short.id, short.side, short.entered), (at(2), Side::Sell, Qty(5)));
        assert_eq!((short.entry_worth, short.fees, short.exit), (Cash(5_500), Cash(4), None));
        assert_eq!(holding.quantity(), Qty(-5));
    }

    #[test]
    fn adding_and_reducing_stay_in_one_trade() {
        let mut holding = Holding::default();
        let deals = [(Side::Sell, 10, 1_000), (Side::Sell, 10, 1_100), (Side::Buy, 5, 900)];
        let mut last = None;
        for (seq, (side, quantity, price)) in (1..).zip(deals) {
            last = holding.fill(at(seq), &fill(side, quantity, price, 1)).last();
        }
        let trade = last.unwrap();
        assert_eq!((trade.id, trade.entered, trade.open()), (at(1), Qty(20), Qty(15)));
        let over = holding.fill(at(4), &fill(Side::Buy, 15, 800, 1)).last().unwrap();
        assert_eq!(over.gross(), Cash(21_000 - 5 * 900 - 15 * 800));
        assert_eq!((over.fees, holding.quantity()), (Cash(4), Qty::ZERO));
    }

    proptest! {
        /// Whatever is traded: what is held is the sum of the fills, all fees are borne by the
        /// trades, and profits less what the open shares cost is the cash that came in.
        #[test]
        fn nothing_is_lost_between_trades(
            deals in prop::collection::vec((any::<bool>(), 1..50i64, 1..9_999i64, 0..99i64), 1..40)
        ) {
            let mut holding = Holding::default();
            let mut trades = std::collections::BTreeMap::new();
            let (mut held, mut fees, mut cash) = (0, 0, 0);
            for (seq, (buy, quantity, price, fee)) in (0..).zip(deals) {
                let side = if buy { Side::Buy } else { Side::Sell };
                let fill = fill(side, quantity, price, fee);
                held += side.signed(fill.quantity).0;
                cash -= side.signed(fill.quantity).0 * price;
                fees += fee;
                for trade in holding.fill(at(seq), &fill) {
                    trades.insert(trade.id, trade);
                }
                prop_assert_eq!(holding.quantity(), Qty(held));
            }
            let sum = |of: fn(&Trade) -> i64| trades.values().map(of).sum::<i64>();
            prop_assert_eq!(sum(|trade| trade.fees.0), fees);
            prop_assert_eq!(sum(|trade| trade.gross().0), cash);
            let open = trades.values().filter(|trade| trade.exit.is_none()).count();
            prop_assert_eq!(open, usize::from(held != 0));
        }
    }
}
