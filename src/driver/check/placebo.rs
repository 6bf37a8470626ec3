//! Whether a profile earns where nobody can: its signals, with the plainest exits, on random walks
//! and on the case's own minutes shuffled. The expectation there is zero for every rule that knows
//! only the past, so what is left over is knowledge of the future.
//!
//! A trade enters at the close of the signal's bar and leaves at the first minute's close that is
//! one ATR against it or two in its favour, else after the time stop, always at that close. Levels
//! that are filled to the paisa would earn by themselves whenever a price jumps over them. Trades
//! of a series do not overlap: signals during one are left out, so results are uncorrelated and the
//! standard error is the plain one.

use rayon::prelude::*;

use crate::backtest::python::{bars, batch};
use crate::domain::event::RunStarted;
use crate::domain::fact::{Bar, Bar15m, Signal};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::Side;
use crate::domain::time::Timestamp;
use crate::sources::columns::BarColumns;
use crate::sources::synthetic::placebo;

use super::causality::Rules;
use super::core_signals;

/// Standard errors beyond which an edge is no accident.
pub const Z_MAX: f64 = 5.0;
/// Sessions of one walk.
const WALK_SESSIONS: u32 = 100;
/// ATRs against a trade that end it.
const STOP_ATRS: f64 = 1.0;
/// ATRs in its favour that end it.
const TARGET_ATRS: f64 = 2.0;

/// Where there is nothing to earn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Market {
    /// Random walks.
    Walks,
    /// The case's own minutes, shuffled and turned upside down at random.
    Shuffled,
}

impl Market {
    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            Market::Walks => "random walks",
            Market::Shuffled => "shuffled sessions",
        }
    }
}

/// Results in R, the ATR at the signal, before costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Expectancy {
    /// Trades.
    pub trades: usize,
    /// Mean result of a trade.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
}

impl Expectancy {
    /// Mean, deviation and error of some results; nothing can be said of fewer than two.
    pub fn of(results: &[f64]) -> Expectancy {
        let n = results.len() as f64;
        if results.len() < 2 {
            return Expectancy { trades: results.len(), ..Expectancy::default() };
        }
        let mean = results.iter().sum::<f64>() / n;
        let squares: f64 = results.iter().map(|r| (r - mean) * (r - mean)).sum();
        let error = (squares / (n - 1.0)).sqrt() / n.sqrt();
        Expectancy { trades: results.len(), mean, error }
    }

    /// Standard errors between the mean and zero.
    pub fn z(&self) -> f64 {
        if self.error > 0.0 { self.mean / self.error } else { 0.0 }
    }
}

/// The signals of the rules on random walks of so many sessions in all.
pub fn on_walks(rules: Rules, run: &RunStarted, seed: u64, sessions: u32) -> Expectancy {
    let walks = sessions.div_ceil(WALK_SESSIONS);
    on_series(rules, run, walks, |number| placebo::walk(seed, number, WALK_SESSIONS))
}

/// The signals of the rules on so many shuffles of each of these instruments' minutes.
pub fn on_shuffles(
    rules: Rules,
    run: &RunStarted,
    seed: u64,
    shuffles: u32,
    minutes: &[Vec<Bar>],
) -> Expectancy {
    let count = minutes.len() as u32;
    on_series(rules, run, shuffles * count, |number| {
        placebo::shuffled(seed, number, &minutes[(number % count.max(1)) as usize])
    })
}

fn on_series(
    rules: Rules,
    run: &RunStarted,
    count: u32,
    series: impl Fn(u32) -> Vec<Bar> + Sync,
) -> Expectancy {
    let mut run = rules.in_run(run);
    run.config.active_from = Timestamp(i64::MIN);
    run.instruments.truncate(1);
    let of_one = |number: u32| {
        let mut minutes = series(number);
        minutes.iter_mut().for_each(|minute| minute.instrument = InstrumentId(0));
        let columns = BarColumns::from_bars(minutes.iter());
        let bars = bars::resampled(&columns, run.config.strategy.bar_minutes, InstrumentId(0));
        let held_bars = run.config.strategy.time_stop_bars as usize;
        results(&minutes, &signals(rules, &run, &bars), held_bars)
    };
    let results: Vec<Vec<f64>> = (0..count).into_par_iter().map(of_one).collect();
    Expectancy::of(&results.concat())
}

fn signals(rules: Rules, run: &RunStarted, bars: &[Bar15m]) -> Vec<Signal> {
    match rules {
        Rules::Of(_) => core_signals(run, bars),
        Rules::CompatBatch => batch::events(&run.config, bars).in_hindsight(),
    }
}

/// What the signals come to, in ATRs, one trade after the other.
fn results(minutes: &[Bar], signals: &[Signal], held_bars: usize) -> Vec<f64> {
    let mut results = Vec::new();
    let mut free_from = 0;
    for signal in signals {
        let known = signal.bar_time.plus_minutes(15);
        let start = minutes.partition_point(|minute| minute.open_time < known);
        if start < free_from || start == minutes.len() || signal.atr <= 0.0 {
            continue;
        }
        let (mut place, mut result) = (start, 0.0);
        while place < minutes.len() && place < start + 15 * held_bars {
            let moved = (minutes[place].close.0 - signal.price.0) as f64 / 10_000.0 / signal.atr;
            result = if signal.side == Side::Buy { moved } else { -moved };
            place += 1;
            if result <= -STOP_ATRS || result >= TARGET_ATRS {
                break;
            }
        }
        results.push(result);
        free_from = place;
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::config::Profile;
    use crate::journal::samples;

    #[test]
    fn a_mean_comes_with_its_error() {
        let four = Expectancy::of(&[1.0, 3.0, 1.0, 3.0]);
        assert_eq!((four.trades, four.mean), (4, 2.0));
        assert!((four.error - (4.0_f64 / 3.0).sqrt() / 2.0).abs() < 1e-15);
        assert_eq!(Expectancy::of(&[7.0]).z(), 0.0);
    }

    #[test]
    fn only_the_look_ahead_earns_where_nobody_can() {
        let run = samples::run();
        let z = |rules, sessions| on_walks(rules, &run, 1, sessions).z();
        assert!(z(Rules::CompatBatch, 6_000) > Z_MAX);
        assert!(z(Rules::Of(Profile::Causal), 6_000).abs() < 3.0);
        assert!(z(Rules::Of(Profile::CompatLive), 600).abs() < 3.0);
    }
}
