//! Money and size as integers: prices and cash in 1/10,000 rupee, quantities in shares. Nothing
//! here can round without saying so, and nothing can wrap around.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::tags::tagged;

/// Units of 1/10,000 rupee in one rupee.
pub const UNITS_PER_RUPEE: i64 = 10_000;
/// The largest price that is admitted: Rs 10 crore a share.
pub const PRICE_MAX: Price = Price(100_000_000 * UNITS_PER_RUPEE);
/// The largest volume that is admitted in one event.
pub const QTY_MAX: Qty = Qty(1_000_000_000_000);

/// A price of one share, in 1/10,000 rupee.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Price(pub i64);

impl Price {
    /// The nearest double, in rupees. Exact division of two integers, so it equals the double that
    /// the price's decimal text is read as.
    pub fn rupees(self) -> f64 {
        self.0 as f64 / UNITS_PER_RUPEE as f64
    }

    /// The price that `rupees` stands for, if it is finite, positive and within a millionth of a
    /// rupee of a multiple of 1/10,000 (doubles read from decimal text always are).
    pub fn from_rupees(rupees: f64) -> Option<Price> {
        let scaled = rupees * UNITS_PER_RUPEE as f64;
        if !(scaled > 0.0 && scaled <= PRICE_MAX.0 as f64) {
            return None;
        }
        let units = (scaled + 0.5) as i64;
        let off = scaled - units as f64;
        (-0.01..=0.01).contains(&off).then_some(Price(units))
    }

    /// Reads decimal rupees with at most four decimals, such as `394.95`.
    pub fn parse(text: &str) -> Option<Price> {
        parse_units(text).map(Price)
    }

    /// Whether the price is a multiple of `tick`.
    pub const fn is_on(self, tick: Price) -> bool {
        tick.0 > 0 && self.0 % tick.0 == 0
    }

    /// The largest multiple of `tick` that is not above this price.
    pub const fn floor_to(self, tick: Price) -> Price {
        Price(self.0.div_euclid(tick.0) * tick.0)
    }

    /// The smallest multiple of `tick` that is not below this price.
    pub const fn ceil_to(self, tick: Price) -> Price {
        Price(-(-self.0).div_euclid(tick.0) * tick.0)
    }

    /// This price moved by `by`, which may be negative.
    pub fn plus(self, by: Price) -> Price {
        Price(self.0.checked_add(by.0).expect("prices stay far below 2^63"))
    }

    /// Worth of `quantity` shares at this price.
    pub fn times(self, quantity: Qty) -> Cash {
        Cash(self.0.checked_mul(quantity.0).expect("PRICE_MAX and the capital limit bound worth"))
    }
}

/// A number of shares; negative for a short position.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Qty(pub i64);

impl Qty {
    /// No shares.
    pub const ZERO: Qty = Qty(0);

    /// Sum, checked.
    pub fn plus(self, other: Qty) -> Qty {
        Qty(self.0.checked_add(other.0).expect("quantities stay far below 2^63"))
    }

    /// The same number of shares on the other side.
    pub const fn negated(self) -> Qty {
        Qty(-self.0)
    }

    /// Without its sign.
    pub const fn abs(self) -> Qty {
        Qty(self.0.abs())
    }
}

impl fmt::Display for Qty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An amount of money, in 1/10,000 rupee; may be negative.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Cash(pub i64);

impl Cash {
    /// Nothing.
    pub const ZERO: Cash = Cash(0);

    /// A whole number of rupees.
    pub const fn from_rupees(rupees: i64) -> Cash {
        Cash(rupees * UNITS_PER_RUPEE)
    }

    /// The nearest double, in rupees.
    pub fn rupees(self) -> f64 {
        self.0 as f64 / UNITS_PER_RUPEE as f64
    }

    /// Reads decimal rupees with at most four decimals, such as `-12.5`.
    pub fn parse(text: &str) -> Option<Cash> {
        match text.strip_prefix('-') {
            Some(rest) => parse_units(rest).map(|units| Cash(-units)),
            None => parse_units(text).map(Cash),
        }
    }

    /// Sum, checked.
    pub fn plus(self, other: Cash) -> Cash {
        Cash(self.0.checked_add(other.0).expect("cash stays far below 2^63"))
    }

    /// Difference, checked.
    pub fn minus(self, other: Cash) -> Cash {
        Cash(self.0.checked_sub(other.0).expect("cash stays far below 2^63"))
    }

    /// The share `rate` of this amount, to the nearest 1/10,000 rupee, halves away from zero.
    pub fn share(self, rate: Rate) -> Cash {
        let scaled = i128::from(self.0) * i128::from(rate.0);
        let half = i128::from(Rate::ONE.0 / 2) * scaled.signum();
        Cash(i64::try_from((scaled + half) / i128::from(Rate::ONE.0)).expect("a share is smaller"))
    }
}

/// A rate in parts of ten million, so that 0.00297 % is `Rate(297)`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Rate(pub i64);

impl Rate {
    /// The whole: 100 %.
    pub const ONE: Rate = Rate(10_000_000);
}

tagged! {
    /// Which way an order, a signal or a fill goes.
    Side {
        /// Adds shares.
        Buy = 1 "BUY",
        /// Takes shares away.
        Sell = 2 "SELL",
    }
}

impl Side {
    /// The other way.
    pub const fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }

    /// `quantity` with this side's sign: positive for BUY.
    pub const fn signed(self, quantity: Qty) -> Qty {
        match self {
            Side::Buy => quantity,
            Side::Sell => quantity.negated(),
        }
    }
}

/// Unsigned decimal text with at most four decimals, in units of 1/10,000.
fn parse_units(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 13 || fraction.len() > 4 {
        return None;
    }
    if !digits(whole) || !digits(fraction) || text.ends_with('.') {
        return None;
    }
    let mut units: i64 = whole.parse().ok()?;
    for position in 0..4 {
        let digit = fraction.as_bytes().get(position).map_or(0, |byte| i64::from(byte - b'0'));
        units = units * 10 + digit;
    }
    Some(units)
}

/// Rupees with two decimals, or with four where they are needed.
fn show_units(units: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sign = if units < 0 { "-" } else { "" };
    let (whole, fraction) = (units.unsigned_abs() / 10_000, units.unsigned_abs() % 10_000);
    let text: String = if fraction.is_multiple_of(100) {
        alloc::format!("{sign}{whole}.{:02}", fraction / 100)
    } else {
        alloc::format!("{sign}{whole}.{fraction:04}")
    };
    f.pad(&text)
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show_units(self.0, f)
    }
}

impl fmt::Display for Cash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show_units(self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_doubles_agree_on_every_paisa() {
        for paise in (1..200_000).step_by(7) {
            let text = alloc::format!("{}.{:02}", paise / 100, paise % 100);
            let price = Price::parse(&text).unwrap();
            assert_eq!(alloc::format!("{price}"), text);
            let double: f64 = text.parse().unwrap();
            assert_eq!(price.rupees().to_bits(), double.to_bits());
            assert_eq!(Price::from_rupees(double), Some(price));
        }
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for text in ["", "-1", "1.", ".5", "1e3", "1.00001", "NaN", "+1"] {
            assert_eq!(Price::parse(text), None, "{text}");
        }
        for rupees in [f64::NAN, f64::INFINITY, 0.0, -3.0, 1.000_05, 1e18] {
            assert_eq!(Price::from_rupees(rupees), None, "{rupees}");
        }
    }

    #[test]
    fn grid_and_shares_round_as_told() {
        let (price, tick) = (Price::parse("100.07").unwrap(), Price::parse("0.05").unwrap());
        assert_eq!(
            alloc::format!("{} {}", price.floor_to(tick), price.ceil_to(tick)),
            "100.05 100.10"
        );
        assert_eq!(Cash::from_rupees(45_100).share(Rate(2_500)), Cash::parse("11.275").unwrap());
        assert_eq!(Cash(-1).share(Rate(5_000_000)), Cash(-1), "half goes away from zero");
    }
}
