//! The only place that reads a clock: for the date of an acceptance and for how long a run took.
//! Nothing that is journalled comes from here.
#![expect(clippy::disallowed_methods, reason = "time that people see has to be read somewhere")]

use std::time::Instant;

use crate::domain::time::Timestamp;

/// What the machine's clock shows.
pub fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_microsecond())
}

/// A stopwatch that starts now.
pub fn stopwatch() -> Instant {
    Instant::now()
}
