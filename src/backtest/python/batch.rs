//! Profile `compat-batch`: the batch backtest of the Python system (rules 8). Its swing points look
//! five bars ahead, so its results come as [`LookAhead`].

use super::LookAhead;
use crate::backtest::indicators::IndicatorColumns;
use crate::backtest::{Frame, Outcome, compat, signals, swings, timeline};
use crate::domain::config::RunConfig;
use crate::domain::event::RunStarted;
use crate::domain::fact::{Bar15m, Indicators, Signal};
use crate::domain::money::{Price, Qty};

/// What the batch generator makes of one instrument's bars: every condition that holds, sized, in
/// the order of time and, on one bar, of the rules.
///
/// What it would have made at the close of a bar is what it makes of the bars up to that one.
pub fn events(config: &RunConfig, bars: &[Bar15m]) -> LookAhead<Vec<Signal>> {
    let columns = indicators_of(config, bars);
    LookAhead(hits(config, bars, &columns).into_iter().flatten().collect())
}

/// What the batch generator sees at each bar of a series, and what it makes of it: as [`events`],
/// with the indicators.
pub fn seen(config: &RunConfig, bars: &[Bar15m]) -> LookAhead<(Vec<Indicators>, Vec<Signal>)> {
    let columns = indicators_of(config, bars);
    let events = hits(config, bars, &columns).into_iter().flatten().collect();
    LookAhead((columns.rows(bars), events))
}

/// The whole backtest. `bars[i]` are those of `run.instruments[i]`; one account trades them all.
///
/// The Python system runs each symbol by itself; see [`run_each`]. The execution's `trades_max` is
/// its lifetime limit of fills (100), `daily_loss_max` its drawdown limit (0.99 x capital).
pub fn run(run: &RunStarted, bars: &[Vec<Bar15m>]) -> LookAhead<Outcome> {
    let frames: Vec<Frame> = bars.iter().map(|bars| frame(&run.config, bars)).collect();
    LookAhead(compat::trade(run, &frames, &timeline::by_turns(&frames), 0))
}

/// One backtest per instrument, each with an account of its own, in the order of the instruments.
pub fn run_each(started: &RunStarted, bars: &[Vec<Bar15m>]) -> Vec<LookAhead<Outcome>> {
    (0..bars.len())
        .map(|place| {
            let alone = (0..bars.len()).map(|other| match other == place {
                true => bars[other].clone(),
                false => Vec::new(),
            });
            run(started, &alone.collect::<Vec<_>>())
        })
        .collect()
}

/// Indicators over the whole history, with swings as the batch run sees them.
fn indicators_of(config: &RunConfig, bars: &[Bar15m]) -> IndicatorColumns {
    IndicatorColumns::of_python(bars, swings::foreseen, config.strategy.swing_period as usize)
}

fn hits(config: &RunConfig, bars: &[Bar15m], columns: &IndicatorColumns) -> Vec<Vec<Signal>> {
    signals::hits(config, bars, columns, config.strategy.first_bar as usize..bars.len())
}

/// The first event of each bar that can be traded.
fn frame(config: &RunConfig, bars: &[Bar15m]) -> Frame {
    let columns = indicators_of(config, bars);
    let may_hold = config.strategy.time_stop_bars >= 1;
    let is_tradable = |signal: &Signal| {
        may_hold
            && signal.quantity > Qty::ZERO
            && signal.stop != Price(0)
            && signal.target != Price(0)
    };
    let signals = hits(config, bars, &columns)
        .into_iter()
        .map(|events| events.into_iter().find(is_tradable))
        .collect();
    Frame { indicators: columns.rows(bars), bars: bars.to_vec(), signals }
}
