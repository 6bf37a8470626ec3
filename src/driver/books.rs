//! The comparable facts of a run twice over: as the core derives them one event at a time, and as
//! the oracle computes them over whole columns.

use crate::backtest;
use crate::backtest::python::live;
use crate::domain::config::Profile;
use crate::domain::event::{Command, Derived, EventId, Input, RunStarted};
use crate::domain::fact::Bar;
use crate::golden::book::{Book, Collector};
use crate::sinks::Sink;
use crate::sources::columns::BarColumns;
use crate::sources::store::{Store, StoreError};

use super::plan::DateRange;

/// The core's facts, collected while the run happens.
impl Sink for Collector {
    fn input(&mut self, _: u64, input: &Input) {
        Collector::input(self, input);
    }

    fn output(&mut self, id: EventId, derived: &Derived) {
        Collector::output(self, id, &derived.output);
    }
}

/// The oracle's facts over the same history. It holds all of it in memory at once.
///
/// # Errors
/// When the history cannot be read.
pub fn oracle(
    run: &RunStarted,
    store: &Store,
    range: DateRange,
    commands: &[Command],
) -> Result<Book, StoreError> {
    let columns = columns(run, store, range)?;
    let outcome = match run.config.strategy.profile {
        Profile::Causal => backtest::run(run, &columns, commands),
        Profile::CompatLive => live::run(run, &columns, commands),
    };
    let backtest::Outcome { minutes, bars, indicators, signals, fills, .. } = outcome;
    let minutes: Vec<Bar> = minutes;
    Ok(Book::from_parts(run, minutes, &bars, &indicators, &signals, &fills))
}

/// The minutes of a run's instruments, in their order.
///
/// # Errors
/// When the history cannot be read.
pub fn columns(
    run: &RunStarted,
    store: &Store,
    range: DateRange,
) -> Result<Vec<BarColumns>, StoreError> {
    let instruments = run.instruments.iter();
    instruments.map(|instrument| store.load(&instrument.key, range.first, range.last)).collect()
}
