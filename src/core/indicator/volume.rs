//! What the volume says: the session's average price and how unusual a bar's volume is.

use alloc::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::domain::fact::Bar15m;
use crate::domain::money::Qty;
use crate::domain::time::Date;

/// Volume-weighted average price since the session's first bar, in rupees.
///
/// The sum of price x volume is compensated (Kahan), since that is what pandas' grouped cumulative
/// sum does; plain summation differs in the last bits on a third of all bars.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SessionVwap {
    date: Option<Date>,
    sum: f64,
    compensation: f64,
    volume: i64,
}

impl SessionVwap {
    /// The average after this bar; NaN while no share was traded.
    pub fn update(&mut self, bar: &Bar15m) -> f64 {
        let date = bar.open_time.date();
        if self.date != Some(date) {
            *self = SessionVwap { date: Some(date), ..SessionVwap::default() };
        }
        let typical = (bar.high.rupees() + bar.low.rupees() + bar.close.rupees()) / 3.0;
        let y = typical * bar.volume.0 as f64 - self.compensation;
        let t = self.sum + y;
        self.compensation = (t - self.sum) - y;
        self.sum = t;
        self.volume += bar.volume.0;
        if self.volume == 0 { f64::NAN } else { self.sum / self.volume as f64 }
    }
}

/// Bars that a volume is compared with, itself included.
const WINDOW: usize = 100;
/// Bars that must be there before anything is said.
const WINDOW_MIN: usize = 20;

/// Deviation of a bar's volume from the mean of the last 100 bars, in sample standard deviations.
///
/// Sums of integers are exact in any order, so a rolling sum and a fresh one give the same bits.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct VolumeScore {
    window: VecDeque<i64>,
    #[serde(with = "halves")]
    sum: i128,
    #[serde(with = "halves")]
    sum_of_squares: i128,
}

/// A wide integer as its upper and lower half, since not every text format has room for it.
mod halves {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub fn serialize<S: Serializer>(value: &i128, serializer: S) -> Result<S::Ok, S::Error> {
        ((value >> 64) as i64, *value as u64).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
        let (upper, lower) = <(i64, u64)>::deserialize(deserializer)?;
        Ok(i128::from(upper) << 64 | i128::from(lower))
    }
}

impl VolumeScore {
    /// The deviation of this volume; 0 while fewer than 20 bars came or all are alike.
    pub fn update(&mut self, volume: Qty) -> f64 {
        let x = i128::from(volume.0);
        if self.window.len() == WINDOW
            && let Some(old) = self.window.pop_front()
        {
            self.sum -= i128::from(old);
            self.sum_of_squares -= i128::from(old) * i128::from(old);
        }
        self.window.push_back(volume.0);
        self.sum += x;
        self.sum_of_squares += x * x;
        if self.window.len() < WINDOW_MIN {
            return 0.0;
        }
        let n = self.window.len() as i128;
        let spread = n * self.sum_of_squares - self.sum * self.sum;
        if spread == 0 {
            return 0.0;
        }
        let deviation = (n * x - self.sum) as f64 / n as f64;
        let variance = spread as f64 / (n * (n - 1)) as f64;
        deviation / sqrt(variance)
    }
}

/// The square root. IEEE 754 requires it to be correctly rounded, so every machine has the same
/// bits; but `f64::sqrt` lives in std, which does not exist behind the wall.
fn sqrt(x: f64) -> f64 {
    libm::sqrt(x)
}
