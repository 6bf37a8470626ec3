//! True range and the directional index (Wilder), with the order of clipping that the Python
//! system has.

use serde::{Deserialize, Serialize};

use crate::domain::fact::Bar15m;

use super::kernel::{COM_14, Kernel};

/// The true range of each bar, in rupees.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Range {
    previous_close: Option<f64>,
}

impl Range {
    /// The largest of high - low and the distances of high and low from the close before.
    pub fn update(&mut self, bar: &Bar15m) -> f64 {
        let (high, low) = (bar.high.rupees(), bar.low.rupees());
        match self.previous_close.replace(bar.close.rupees()) {
            None => high - low,
            Some(previous) => (high - low).max((high - previous).abs()).max((low - previous).abs()),
        }
    }
}

/// The average directional index over 14 bars. It has no warm-up mask: it is a number from the
/// second bar on, as in the Python system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Direction {
    previous: Option<(f64, f64)>,
    range: Kernel,
    up: Kernel,
    down: Kernel,
    index: Kernel,
}

impl Direction {
    /// Before the first bar.
    pub fn new() -> Direction {
        let wilder = || Kernel::new(COM_14, 1);
        Direction { previous: None, range: wilder(), up: wilder(), down: wilder(), index: wilder() }
    }

    /// The index after this bar, whose true range is given, 0..=100 or NaN.
    pub fn update(&mut self, bar: &Bar15m, true_range: f64) -> f64 {
        let (high, low) = (bar.high.rupees(), bar.low.rupees());
        let (up, down) = match self.previous.replace((high, low)) {
            None => (f64::NAN, f64::NAN),
            Some((high_before, low_before)) => movement(high - high_before, low_before - low),
        };
        let range = self.range.update(true_range);
        let plus = 100.0 * (self.up.update(up) / range);
        let minus = 100.0 * (self.down.update(down) / range);
        let sum = plus + minus;
        let spread = if sum == 0.0 { f64::NAN } else { 100.0 * (plus - minus).abs() / sum };
        self.index.update(spread)
    }
}

impl Default for Direction {
    fn default() -> Direction {
        Direction::new()
    }
}

/// The parts of a move that count. The four steps see what the earlier ones changed; a tie keeps
/// both.
fn movement(mut up: f64, mut down: f64) -> (f64, f64) {
    if up < 0.0 {
        up = 0.0;
    }
    if up < down {
        up = 0.0;
    }
    if down < 0.0 {
        down = 0.0;
    }
    if down < up {
        down = 0.0;
    }
    (up, down)
}
