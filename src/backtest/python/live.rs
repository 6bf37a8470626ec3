//! Profile `compat-live`: the live path of the Python system (rules 8.9), recomputed from its
//! window at every bar. It shares its rules with the event core's `compat-live` and not a line
//! of code.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::backtest::indicators::{IndicatorColumns, volume_deviation};
use crate::backtest::{Frame, Outcome, compat, follow, signals, swings, timeline};
use crate::domain::config::{
    COMPAT_LIVE_BARS_MIN, COMPAT_LIVE_WINDOW, ExecutionConfig, RunConfig, StrategyConfig,
};
use crate::domain::event::{Command, RunStarted};
use crate::domain::fact::{Bar15m, Indicators, Signal};
use crate::domain::money::Cash;
use crate::domain::time::Timestamp;
use crate::sources::columns::BarColumns;

/// What the sizing takes for the equity, whatever the account holds.
const SIZING_EQUITY: Cash = Cash::from_rupees(100_000);

/// How many bars the live path remembers, and from how many on it looks for signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Older bars are forgotten.
    pub bars_max: usize,
    /// With fewer bars there is no signal.
    pub bars_min: usize,
}

impl Window {
    /// 100 bars, and no signal before there are `first_bar` of them (so by default from index 49).
    pub fn of(strategy: &StrategyConfig) -> Window {
        Window { bars_max: 100, bars_min: strategy.first_bar as usize }
    }
}

/// The signal of each of one instrument's bars, if it has one, without regard for what is traded.
pub fn signals(config: &RunConfig, bars: &[Bar15m], window: Window) -> Vec<Option<Signal>> {
    frame(config, bars.to_vec(), window).signals
}

/// What the window sees at each bar.
pub fn indicators(config: &RunConfig, bars: &[Bar15m], window: Window) -> Vec<Indicators> {
    frame(config, bars.to_vec(), window).indicators
}

/// A run of the profile over minutes, as the event core does it: bars of rules 1 and 2, each known
/// as late as the live path knows it (rules 7.1), at the close of the instrument's first minute of
/// a later bar; the last one never. All times are those, but for the bars' own. The oracle of the
/// core's `compat-live`; see [`super::super::run`].
pub fn run(run: &RunStarted, columns: &[BarColumns], commands: &[Command]) -> Outcome {
    let (width, bars_max) = (i64::from(run.config.strategy.bar_minutes), COMPAT_LIVE_WINDOW);
    let window = Window { bars_max, bars_min: COMPAT_LIVE_BARS_MIN as usize };
    let ends = RefCell::new(BTreeMap::new());
    let frame_of = |bars: Vec<Bar15m>, minutes: &BarColumns| {
        let times = minutes.open_time.values();
        let known = |bar: Bar15m| {
            let later = bar.open_time.plus_minutes(width);
            let next = times.get(times.partition_point(|time| *time < later.0))?;
            ends.borrow_mut().insert((bar.instrument, bar.open_time), bar.close_time);
            Some(Bar15m { close_time: Timestamp(*next).plus_minutes(1), ..bar })
        };
        frame(&run.config, bars.into_iter().filter_map(known).collect(), window)
    };
    let cooldown_bars = run.config.execution.cooldown_bars;
    let mut outcome = follow(run, columns, commands, frame_of, cooldown_bars);
    for bar in &mut outcome.bars {
        bar.close_time = ends.borrow()[&(bar.instrument, bar.open_time)];
    }
    outcome
}

/// A run over bars as the Python system does it: the instruments take turns, one bar each.
/// `bars[i]` are those of `run.instruments[i]`, as they are handed over (see
/// `super::bars::released`).
pub fn run_by_turns(run: &RunStarted, bars: &[Vec<Bar15m>]) -> Outcome {
    let window = Window::of(&run.config.strategy);
    let frames: Vec<Frame> =
        bars.iter().map(|bars| frame(&run.config, bars.clone(), window)).collect();
    let cooldown_bars = run.config.execution.cooldown_bars;
    compat::trade(run, &frames, &timeline::by_turns(&frames), cooldown_bars)
}

/// What the path makes of the newest of the bars that it `seen`, and of nothing else: what it sees,
/// and its signal if there is one.
///
/// # Panics
/// When there is no bar.
pub fn at_last(
    config: &RunConfig,
    seen: &[Bar15m],
    window: Window,
) -> (Indicators, Option<Signal>) {
    let execution = ExecutionConfig { capital: SIZING_EQUITY, ..config.execution.clone() };
    let config = RunConfig { execution, ..config.clone() };
    let seen = &seen[seen.len().saturating_sub(window.bars_max)..];
    let last = seen.len() - 1;
    let period = config.strategy.swing_period as usize;
    let columns = IndicatorColumns::of_python(seen, swings::truncated_at_last, period);
    let evaluated = if seen.len() >= window.bars_min { last..last + 1 } else { 0..0 };
    let hits = signals::hits(&config, seen, &columns, evaluated).pop();
    let mut row = columns.rows(seen).pop().expect("a row for each bar");
    // However few bars the window holds (rules 7.2).
    row.vol_z = volume_deviation(seen, 1).value(last);
    (row, hits.and_then(|hits| hits.into_iter().next()))
}

/// Everything anew at every bar, from the window that ends with it.
fn frame(config: &RunConfig, bars: Vec<Bar15m>, window: Window) -> Frame {
    let rows = (1..=bars.len()).map(|count| at_last(config, &bars[..count], window));
    let (indicators, signals) = rows.unzip();
    Frame { bars, indicators, signals }
}
