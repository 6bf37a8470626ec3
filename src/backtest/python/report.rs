//! What the Python system prints of its fills (rules 8.7): prices and fees as doubles, in the order
//! in which it computes them, and "trades" that are every other two fills.

use crate::domain::config::COMPAT_SLIPPAGE;
use crate::domain::fact::{Fill, OrderReason};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Price, Qty, Side};
use crate::domain::time::Timestamp;

use super::bars::bucket;

/// A fill as that system stores it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrintedFill {
    /// What was traded.
    pub instrument: InstrumentId,
    /// Start of the strategy bar on whose close it was made.
    pub bar_time: Timestamp,
    /// Which way.
    pub side: Side,
    /// Shares.
    pub quantity: Qty,
    /// Price in rupees, slippage included.
    pub price: f64,
    /// Charges in rupees.
    pub fee: f64,
    /// Why.
    pub reason: OrderReason,
}

impl PrintedFill {
    /// What that system prints for a fill of execution `compat` on bars of `bar_minutes`.
    pub fn of(fill: &Fill, bar_minutes: u32) -> PrintedFill {
        let &Fill { instrument, time, side, quantity, reason, .. } = fill;
        let slippage = COMPAT_SLIPPAGE.rupees();
        let price = match side {
            Side::Buy => fill.price.plus(Price(-COMPAT_SLIPPAGE.0)).rupees() + slippage,
            Side::Sell => fill.price.plus(COMPAT_SLIPPAGE).rupees() - slippage,
        };
        PrintedFill {
            instrument,
            // Of a bar that ends early, too, the last instant lies in it.
            bar_time: bucket(time.plus_us(-1), bar_minutes),
            side,
            quantity,
            price,
            fee: printed_fee(quantity.0 as f64 * price),
            reason,
        }
    }
}

/// What that system charges for one fill: brokerage, exchange, SEBI, STT, stamp and GST, on either
/// side, added in this order.
fn printed_fee(turnover: f64) -> f64 {
    let (brokerage, exchange, sebi) = (20.0, turnover * 3.45e-5, turnover * 1e-6);
    let (stt, stamp) = (turnover * 2.5e-4, turnover * 3e-5);
    let gst = 0.18 * (brokerage + exchange + sebi);
    brokerage + exchange + sebi + stt + stamp + gst
}

/// One row of its table of trades: two fills that follow each other, whatever they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReportedTrade {
    /// What was traded.
    pub instrument: InstrumentId,
    /// Start of the bar of the first fill.
    pub entry_time: Timestamp,
    /// Start of the bar of the second.
    pub exit_time: Timestamp,
    /// Side of the first fill: BUY is LONG.
    pub direction: Side,
    /// Price of the first fill.
    pub entry_price: f64,
    /// Price of the second.
    pub exit_price: f64,
    /// Shares of the first fill.
    pub quantity: Qty,
    /// Difference of the prices, times the first fill's quantity. No fees.
    pub profit: f64,
    /// Fees of both.
    pub fees: f64,
}

/// The trades that the batch run reports of the fills of one instrument: the first is an entry, the
/// second its exit, the third an entry, and so on. A last fill without a partner is not reported.
pub fn trades_as_reported(fills: &[PrintedFill]) -> Vec<ReportedTrade> {
    let pairs = fills.as_chunks::<2>().0;
    pairs.iter().map(|[first, second]| ReportedTrade::of(first, second)).collect()
}

impl ReportedTrade {
    fn of(first: &PrintedFill, second: &PrintedFill) -> ReportedTrade {
        let gain = match first.side {
            Side::Buy => second.price - first.price,
            Side::Sell => first.price - second.price,
        };
        ReportedTrade {
            instrument: first.instrument,
            entry_time: first.bar_time,
            exit_time: second.bar_time,
            direction: first.side,
            entry_price: first.price,
            exit_price: second.price,
            quantity: first.quantity,
            profit: gain * first.quantity.0 as f64,
            fees: first.fee + second.fee,
        }
    }
}
