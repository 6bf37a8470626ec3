//! The two paths of the Python system, whole columns at a time (rules 8): the batch backtest,
//! which looks five bars ahead, and the live path over a window of 100 bars. What becomes of
//! their signals is execution `compat` (`super::compat`).
//!
//! - `bars` strategy bars as that system makes them, without a calendar
//! - `batch` the profile `compat-batch`; exists only in this room
//! - `live` the profile `compat-live`
//! - `variant` his rule as a list of choices, of which one can be changed
//! - `report` what that system prints of its fills: doubles, and fills paired alternately

pub mod bars;
pub mod batch;
pub mod live;
pub mod report;
#[cfg(test)]
mod tests;
pub mod variant;

/// Something that was made with knowledge of bars that had not happened yet.
///
/// It is a type of its own so that it cannot be mistaken for what a run knew in time: nothing
/// outside this room makes one or takes one, no configuration can ask for one, and whoever wants
/// to look has to say so.
#[derive(Clone, Debug, PartialEq)]
pub struct LookAhead<T>(T);

impl<T> LookAhead<T> {
    /// What was made, for looking back at it: to compare it, never to trade on it.
    pub fn in_hindsight(self) -> T {
        self.0
    }
}
