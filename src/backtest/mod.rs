//! The oracle: the rules of `docs/rules.md` over whole columns, written to be read next to that
//! page. It is a second opinion on the event core and shares nothing with it but the words.
//!
//! - `hours` when an instrument trades
//! - `resample` which minutes count, and the strategy bars made of them
//! - `indicators` columns of indicator values
//! - `signals` columns of conditions, and the signals where they hold
//! - `timeline` everything that happens, in the order of the rules
//! - `account` cash, positions and fees
//! - `honest`, `compat` what becomes of the signals

mod account;
mod compat;
mod honest;
mod hours;
mod indicators;
mod resample;
mod signals;
mod timeline;

use crate::domain::config::ExecutionProfile;
use crate::domain::event::RunStarted;
use crate::domain::fact::{
    Bar15m, Fill, Halt, Indicators, Order, Position, Rejection, SessionEnded, Signal,
};
use crate::domain::instrument::InstrumentId;
use crate::sources::columns::BarColumns;

use hours::Hours;
use indicators::IndicatorColumns;
use resample::Minutes;

/// What a run comes to. Everything is in the order in which it becomes known or happens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// All strategy bars, warm-up included, by close time and instrument.
    pub bars: Vec<Bar15m>,
    /// The indicator values after each of `bars`.
    pub indicators: Vec<Indicators>,
    /// Signals, by time and instrument.
    pub signals: Vec<Signal>,
    /// Orders, those that were never filled included.
    pub orders: Vec<Order>,
    /// Fills; `Fill::order` is `EventId::NONE`, since nothing here has an address.
    pub fills: Vec<Fill>,
    /// One position for each of `fills`.
    pub positions: Vec<Position>,
    /// Refused minute bars, refused signals and withdrawn orders.
    pub rejections: Vec<Rejection>,
    /// Days that are over.
    pub sessions: Vec<SessionEnded>,
    /// Every time that trading stopped.
    pub halts: Vec<Halt>,
}

/// One instrument's strategy bars with everything that is computed from them, row by row.
struct Frame {
    bars: Vec<Bar15m>,
    indicators: Vec<Indicators>,
    signals: Vec<Option<Signal>>,
}

/// Follows the rules from the first minute to the last.
///
/// `columns[i]` holds the minutes of `run.instruments[i]` in the order of their file, in whatever
/// order that is, without bars that have a [`crate::domain::fact::Bar::defect`]. The configuration
/// must have been validated (`bar_minutes` is not zero).
pub fn run(run: &RunStarted, columns: &[BarColumns]) -> Outcome {
    let hours: Vec<Hours<'_>> =
        run.instruments.iter().map(|instrument| Hours::of(instrument, &run.sessions)).collect();
    let minutes: Vec<Minutes> =
        columns.iter().zip(&hours).map(|(columns, hours)| Minutes::admit(columns, hours)).collect();
    let frames: Vec<Frame> = minutes
        .iter()
        .zip(&hours)
        .zip(0..)
        .map(|((minutes, hours), id)| frame(run, minutes, hours, InstrumentId(id)))
        .collect();
    let moments = timeline::of(run, &hours, &minutes, &frames);
    match run.config.execution.profile {
        ExecutionProfile::Honest => honest::trade(run, &hours, &frames, &moments),
        ExecutionProfile::Compat => compat::trade(run, &frames, &moments),
    }
}

fn frame(run: &RunStarted, minutes: &Minutes, hours: &Hours<'_>, id: InstrumentId) -> Frame {
    let strategy = &run.config.strategy;
    let bars = resample::strategy_bars(&minutes.accepted(), hours, strategy.bar_minutes, id);
    let columns = IndicatorColumns::of(&bars, strategy.swing_period as usize);
    let signals = signals::of(&run.config, &bars, &columns);
    Frame { indicators: columns.rows(&bars), bars, signals }
}
