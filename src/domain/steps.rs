//! The prices of a bar as ways from one to the other, counted in steps: a third of the bytes, and
//! nothing is lost. So bars wait in memory, and so they lie in a journal.

use serde::{Deserialize, Serialize};

use super::money::Price;

/// Prices step by paise, or by the smallest unit where a history was adjusted.
pub const PAISA: u32 = 100;

/// How far the other prices of a bar lie from its open, in steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ways {
    /// From open up to high.
    pub up: u16,
    /// From open down to low.
    pub down: u16,
    /// From low up to close.
    pub close: u16,
}

impl Ways {
    /// The ways between prices in steps of `STEP`, and something other than 0 where one does not
    /// fit. Nobody has to look before many of these were taken together.
    #[inline]
    pub fn between<const STEP: u32>(open: i64, high: i64, low: i64, close: i64) -> (Ways, i64) {
        let (up, no_up) = steps::<STEP>(open, high);
        let (down, no_down) = steps::<STEP>(low, open);
        let (close, no_close) = steps::<STEP>(low, close);
        (Ways { up, down, close }, no_up | no_down | no_close)
    }

    /// High, low and close of a bar with that open, a step being worth `step`.
    #[inline]
    pub fn prices(self, open: u32, step: u32) -> [Price; 3] {
        let (open, steps) = (i64::from(open), |count| i64::from(count) * i64::from(step));
        let low = open - steps(self.down);
        [open + steps(self.up), low, low + steps(self.close)].map(Price)
    }
}

/// The way up from price to price in steps, and something other than 0 where that does not fit.
#[inline]
fn steps<const STEP: u32>(from: i64, to: i64) -> (u16, i64) {
    let way = to.wrapping_sub(from);
    let steps = way as u32 / STEP;
    let misfit = way >> 32 | i64::from(steps >> 16 | (steps.wrapping_mul(STEP) ^ way as u32));
    (steps as u16, misfit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Prices at and around what fits, below zero too.
    fn price() -> impl Strategy<Value = i64> {
        let edge = i64::from(u32::MAX);
        prop_oneof![
            9 => (0..80_000_i64).prop_map(|paise| paise * 100),
            9 => 0..80_000_i64,
            1 => edge - 2..edge + 3,
            1 => any::<i64>(),
        ]
    }

    fn fits<const STEP: u32>(from: i64, to: i64) -> bool {
        let way = i128::from(to) - i128::from(from);
        way % i128::from(STEP) == 0 && (0..=65_535).contains(&(way / i128::from(STEP)))
    }

    fn go_round<const STEP: u32>(prices: [i64; 4]) -> Result<(), TestCaseError> {
        let [open, high, low, close] = prices;
        let (ways, misfit) = Ways::between::<STEP>(open, high, low, close);
        let all = [(open, high), (low, open), (low, close)];
        let expected = all.into_iter().all(|(from, to)| fits::<STEP>(from, to));
        prop_assert_eq!(misfit == 0, expected);
        if let (true, Ok(open)) = (expected, u32::try_from(open)) {
            prop_assert_eq!(ways.prices(open, STEP), [high, low, close].map(Price));
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn ways_that_fit_lead_to_the_same_prices(
            open in price(), low in price(), up in 0..4_000_i64, prices in [price(), price()],
        ) {
            go_round::<PAISA>([open, prices[0], low, prices[1]])?;
            go_round::<1>([open, prices[0], low, prices[1]])?;
            let near = [up * 50, up * 100, up * 2_000].map(|way| low.saturating_add(way));
            go_round::<PAISA>([near[1], near[2], low, near[0]])?;
            go_round::<1>([near[0], near[1], low, near[0]])?;
        }
    }
}
