//! The exponential mean that everything else is built from.

use serde::{Deserialize, Serialize};

/// `com` of Wilder's smoothing over 14 bars, as pandas gets it from alpha = 1/14:
/// 13.000000000000002.
pub const COM_14: f64 = (1.0 - 1.0 / 14.0) / (1.0 / 14.0);

/// The pandas non-adjusted exponential mean with missing values not ignored:
/// `Series.ewm(com=com, adjust=False, min_periods=count_min).mean()`.
///
/// A NaN repeats the value before and lets older data decay one step more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kernel {
    alpha: f64,
    keep: f64,
    count_min: u32,
    value: f64,
    old_weight: f64,
    count: u32,
    is_first: bool,
}

impl Kernel {
    /// A mean with centre of mass `com` that is NaN until `count_min` numbers have come.
    pub fn new(com: f64, count_min: u32) -> Kernel {
        let alpha = 1.0 / (1.0 + com);
        Kernel {
            alpha,
            keep: 1.0 - alpha,
            count_min,
            value: f64::NAN,
            old_weight: 1.0,
            count: 0,
            is_first: true,
        }
    }

    /// Takes the next number (or NaN) and gives the mean after it.
    pub fn update(&mut self, x: f64) -> f64 {
        // There are many NaNs, and which one a division gives depends on the machine.
        let x = if x.is_nan() { f64::NAN } else { x };
        if self.is_first {
            self.is_first = false;
            self.value = x;
        } else if !self.value.is_nan() {
            self.old_weight *= self.keep;
            if !x.is_nan() {
                if self.value != x {
                    let weighted = self.old_weight * self.value + self.alpha * x;
                    self.value = weighted / (self.old_weight + self.alpha);
                }
                self.old_weight = 1.0;
            }
        } else if !x.is_nan() {
            self.value = x;
        }
        if !x.is_nan() {
            self.count = self.count.saturating_add(1);
        }
        if self.count >= self.count_min { self.value } else { f64::NAN }
    }
}

#[cfg(test)]
mod tests {
    use super::Kernel;

    /// What `pandas.Series([1, nan, nan, 4, 4]).ewm(com=1, adjust=False).mean()` gives: the weight
    /// of the 1 has halved three times when the 4 comes.
    #[test]
    fn a_gap_lets_the_past_decay() {
        let mut mean = Kernel::new(1.0, 1);
        let values = [1.0, f64::NAN, f64::NAN, 4.0, 4.0].map(|x| mean.update(x));
        let after_gap = (0.125 * 1.0 + 0.5 * 4.0) / (0.125 + 0.5);
        assert_eq!(values, [1.0, 1.0, 1.0, after_gap, (0.5 * after_gap + 2.0) / 1.0]);
    }

    #[test]
    fn nothing_is_said_before_enough_numbers_came() {
        let mut mean = Kernel::new(1.0, 2);
        assert!(mean.update(f64::NAN).is_nan());
        assert!(mean.update(3.0).is_nan());
        assert_eq!(mean.update(3.0), 3.0);
    }
}
