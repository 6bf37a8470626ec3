//! Trials of the rules over a case's own history.
//!
//! - [`causality`] whether a profile knows bars that have not happened
//! - [`placebo`] whether it earns where nobody can
//! - [`warmup`] how much history the same signals and the same state need
//! - [`determinism`] whether the same inputs always lead to the same events
//! - [`faults`] whether what explains differences names faults that were planted

pub mod causality;
pub mod determinism;
pub mod faults;
pub mod placebo;
pub mod warmup;

use crate::core::aggregate::Known;
use crate::core::strategy::Strategy;
use crate::domain::event::{Derived, EventId, Input, Output, RunStarted};
use crate::domain::fact::{Bar, Bar15m, Signal};
use crate::sinks::Sink;

use super::replay::{Replay, ReplayError};

/// What a case brings to a trial, instrument by instrument in the order of their ids.
pub struct Material {
    /// The accepted minutes, ascending.
    pub minutes: Vec<Vec<Bar>>,
    /// The strategy bars, warm-up included, ascending.
    pub bars: Vec<Vec<Bar15m>>,
}

impl Material {
    /// Everything that the replay's core accepts and makes of it.
    ///
    /// # Errors
    /// When the history is damaged.
    pub fn of(replay: &Replay, threads: usize) -> Result<Material, ReplayError> {
        let count = replay.run.instruments.len();
        let mut material =
            Material { minutes: vec![Vec::new(); count], bars: vec![Vec::new(); count] };
        replay.run(None, threads, &mut [&mut material])?;
        Ok(material)
    }
}

impl Sink for Material {
    fn input(&mut self, _: u64, input: &Input) {
        if let Input::Bar(bar) = input {
            self.minutes[bar.instrument.index()].push(*bar);
        }
    }

    fn output(&mut self, _: EventId, derived: &Derived) {
        match &derived.output {
            Output::Bar15m(bar) => self.bars[bar.instrument.index()].push(*bar),
            Output::Rejection(no) if no.reason.is_of_input() => {
                self.minutes[no.instrument.index()].pop();
            }
            _ => {}
        }
    }
}

/// The signals that the event core's strategy makes of one instrument's bars, each taken as known
/// at its close, without regard for what is traded.
pub fn core_signals(run: &RunStarted, bars: &[Bar15m]) -> Vec<Signal> {
    let mut strategy = Strategy::new(run);
    let signal = |bar: &Bar15m| strategy.bar(&Known::live(bar), bar.close_time).1;
    bars.iter().filter_map(signal).collect()
}

#[cfg(test)]
mod testing {
    use crate::backtest::python::bars;
    use crate::domain::event::RunStarted;
    use crate::domain::fact::Bar15m;
    use crate::domain::instrument::InstrumentId;
    use crate::sources::columns::BarColumns;
    use crate::sources::synthetic::placebo;

    /// Strategy bars of so many sessions of a random walk.
    pub fn bars(run: &RunStarted, sessions: u32) -> Vec<Bar15m> {
        let minutes = placebo::walk(1, 0, sessions);
        let columns = BarColumns::from_bars(minutes.iter());
        bars::resampled(&columns, run.config.strategy.bar_minutes, InstrumentId(0))
    }
}
