//! Swing points: bars whose high (low) is the extreme of all bars near them.
//!
//! The Python batch code knows a swing at its own bar, five bars before the market does. Here a
//! swing exists once the bars after it have come.

use alloc::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::domain::money::Price;

/// The last confirmed swing high and swing low.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Swings {
    period: usize,
    highs: VecDeque<Price>,
    lows: VecDeque<Price>,
    swing_high: Option<Price>,
    swing_low: Option<Price>,
}

impl Swings {
    /// Swings that need `period` bars on either side.
    pub fn new(period: u32) -> Swings {
        let period = period as usize;
        let window = || VecDeque::with_capacity(2 * period + 2);
        Swings { period, highs: window(), lows: window(), swing_high: None, swing_low: None }
    }

    /// Takes the next bar and gives the last swing high and low that are confirmed by now. A tie
    /// with a neighbour still is a swing.
    pub fn update(&mut self, high: Price, low: Price) -> (Option<Price>, Option<Price>) {
        let width = 2 * self.period + 1;
        self.highs.push_back(high);
        self.lows.push_back(low);
        if self.highs.len() > width {
            self.highs.pop_front();
            self.lows.pop_front();
        }
        if self.highs.len() == width {
            let (middle_high, middle_low) = (self.highs[self.period], self.lows[self.period]);
            if self.highs.iter().all(|high| *high <= middle_high) {
                self.swing_high = Some(middle_high);
            }
            if self.lows.iter().all(|low| *low >= middle_low) {
                self.swing_low = Some(middle_low);
            }
        }
        (self.swing_high, self.swing_low)
    }
}
