//! Indicators, one strategy bar at a time (rules 3). Each value has the same bits as the pandas
//! expression it comes from; the state is the whole history's, never a window's.

pub mod direction;
pub mod kernel;
pub mod swing;
pub mod volume;

use serde::{Deserialize, Serialize};

use crate::domain::fact::{Bar15m, Indicators};
use direction::{Direction, Range};
use kernel::{COM_14, Kernel};
use swing::Swings;
use volume::{SessionVwap, VolumeScore};

/// All indicators of one instrument.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IndicatorSet {
    ema20: Kernel,
    ema50: Kernel,
    range: Range,
    atr: Kernel,
    direction: Direction,
    vwap: SessionVwap,
    score: VolumeScore,
    swings: Swings,
}

impl IndicatorSet {
    /// Indicators before the first bar; `swing_period` is the bars on either side of a swing.
    pub fn new(swing_period: u32) -> IndicatorSet {
        IndicatorSet {
            ema20: Kernel::new(9.5, 1),
            ema50: Kernel::new(24.5, 1),
            range: Range::default(),
            atr: Kernel::new(COM_14, 14),
            direction: Direction::new(),
            vwap: SessionVwap::default(),
            score: VolumeScore::default(),
            swings: Swings::new(swing_period),
        }
    }

    /// Takes the next bar and gives the values after it.
    pub fn update(&mut self, bar: &Bar15m) -> Indicators {
        let close = bar.close.rupees();
        let true_range = self.range.update(bar);
        let (swing_high, swing_low) = self.swings.update(bar.high, bar.low);
        Indicators {
            instrument: bar.instrument,
            open_time: bar.open_time,
            ema20: self.ema20.update(close),
            ema50: self.ema50.update(close),
            atr: self.atr.update(true_range),
            adx: self.direction.update(bar, true_range),
            vwap: self.vwap.update(bar),
            vol_z: self.score.update(bar.volume),
            swing_high,
            swing_low,
        }
    }
}
