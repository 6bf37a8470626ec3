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
        let y = typical(bar) * bar.volume.0 as f64 - self.compensation;
        let t = self.sum + y;
        self.compensation = (t - self.sum) - y;
        self.sum = t;
        self.volume += bar.volume.0;
        if self.volume == 0 { f64::NAN } else { self.sum / self.volume as f64 }
    }
}

/// The price that stands for a bar: a third of high, low and close, in rupees.
fn typical(bar: &Bar15m) -> f64 {
    (bar.high.rupees() + bar.low.rupees() + bar.close.rupees()) / 3.0
}

/// Plain mean of the typical prices since the session's first bar, in rupees, as pandas'
/// `expanding().mean()` has it: the sum compensated, and a price that never changed taken as it is.
#[derive(Clone, Debug, Default)]
pub struct SessionMean {
    date: Option<Date>,
    sum: f64,
    compensation: f64,
    count: u32,
    newest: f64,
    has_changed: bool,
}

impl SessionMean {
    /// The mean after this bar.
    pub fn update(&mut self, bar: &Bar15m) -> f64 {
        let (date, price) = (bar.open_time.date(), typical(bar));
        if self.date != Some(date) {
            *self = SessionMean { date: Some(date), newest: price, ..SessionMean::default() };
        }
        self.has_changed |= price != self.newest;
        self.newest = price;
        let y = price - self.compensation;
        let t = self.sum + y;
        self.compensation = t - self.sum - y;
        self.sum = t;
        self.count += 1;
        if self.has_changed { self.sum / f64::from(self.count) } else { price }
    }
}

/// Bars that a volume is compared with, itself included.
const WINDOW: usize = 100;
/// Bars that must be there before anything is said.
const WINDOW_MIN: usize = 20;

/// Deviation of a bar's volume from the mean of the last 100 bars, in sample standard deviations.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct VolumeScore {
    window: VecDeque<Qty>,
    deviation: Deviation,
}

impl VolumeScore {
    /// The deviation of this volume; 0 while fewer than 20 bars came or all are alike.
    pub fn update(&mut self, volume: Qty) -> f64 {
        if self.window.len() == WINDOW
            && let Some(old) = self.window.pop_front()
        {
            self.deviation.remove(old);
        }
        self.window.push_back(volume);
        self.deviation.add(volume);
        if self.window.len() < WINDOW_MIN { 0.0 } else { self.deviation.of(volume) }
    }
}

/// Mean and spread of some volumes.
///
/// Sums of integers are exact in any order, so a rolling sum and a fresh one give the same bits.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Deviation {
    count: i64,
    sum: Wide,
    sum_of_squares: Wide,
}

/// A wide integer as its upper and lower half, since not every text format has room for it whole.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Wide {
    upper: i64,
    lower: u64,
}

impl Wide {
    const fn get(self) -> i128 {
        (self.upper as i128) << 64 | self.lower as i128
    }

    const fn add(&mut self, value: i128) {
        let sum = self.get() + value;
        *self = Wide { upper: (sum >> 64) as i64, lower: sum as u64 };
    }
}

impl Deviation {
    /// Takes a volume in.
    pub fn add(&mut self, volume: Qty) {
        let x = i128::from(volume.0);
        self.count += 1;
        self.sum.add(x);
        self.sum_of_squares.add(x * x);
    }

    /// Leaves a volume out that was taken in before.
    pub fn remove(&mut self, volume: Qty) {
        let x = i128::from(volume.0);
        self.count -= 1;
        self.sum.add(-x);
        self.sum_of_squares.add(-(x * x));
    }

    /// How far a volume lies from the mean, in sample standard deviations; 0 if all are alike.
    pub fn of(&self, volume: Qty) -> f64 {
        let (n, sum) = (i128::from(self.count), self.sum.get());
        let spread = n * self.sum_of_squares.get() - sum * sum;
        if spread == 0 {
            return 0.0;
        }
        let deviation = (n * i128::from(volume.0) - sum) as f64 / n as f64;
        let variance = spread as f64 / (n * (n - 1)) as f64;
        deviation / sqrt(variance)
    }
}

/// The square root. IEEE 754 requires it to be correctly rounded, so every machine has the same
/// bits; but `f64::sqrt` lives in std, which does not exist behind the wall.
fn sqrt(x: f64) -> f64 {
    libm::sqrt(x)
}
