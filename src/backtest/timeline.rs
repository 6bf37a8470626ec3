//! Everything that happens in a run, in the order of rules 1.3, 2.4 and 5 (session end): by time.
//! None of it depends on what is traded, so the whole order is known before the first order is
//! placed.

use super::Frame;
use super::hours::Hours;
use super::resample::Minutes;
use crate::domain::event::{Command, RunStarted};
use crate::domain::fact::{Bar, Rejection};
use crate::domain::instrument::InstrumentId;
use crate::domain::time::{Date, Timestamp};

/// Something that happens.
pub enum Moment {
    /// An accepted minute.
    Minute(Bar),
    /// A minute that does not count.
    Refused(Rejection),
    /// The strategy bar in that row of the instrument's frame is known.
    StrategyBar(InstrumentId, usize),
    /// The instrument's positions have to be closed from that boundary on.
    Flatten(InstrumentId, Timestamp),
    /// The session of that date ended at that time.
    SessionOver(Date, Timestamp),
    /// Somebody wants something.
    Command(Command),
}

/// Where a moment stands: by its time, then by what orders the moments of one time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    time: Timestamp,
    phase: Phase,
    kind: Kind,
    instrument: InstrumentId,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// What is over by then.
    Prices,
    /// What time brings to an end.
    Boundaries,
    /// What somebody wants.
    Commands,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Bar,
    Flatten,
    SessionOver,
}

/// All moments, in order.
pub fn of(
    run: &RunStarted,
    hours: &[Hours<'_>],
    minutes: &[Minutes],
    frames: &[Frame],
    commands: &[Command],
) -> Vec<Moment> {
    let ends: Vec<(Date, Timestamp)> =
        run.sessions.iter().filter_map(|day| Some((day.date, run_end(hours, day.date)?))).collect();
    let mut moments = handed_over(minutes);
    for (time, kind, instrument, moment) in boundaries(run, hours, frames, &ends) {
        moments.push((Place { time, phase: Phase::Boundaries, kind, instrument }, moment));
    }
    for command in commands {
        let (phase, kind, instrument) = (Phase::Commands, Kind::Bar, InstrumentId(0));
        let place = Place { time: command.time, phase, kind, instrument };
        moments.push((place, Moment::Command(*command)));
    }
    // Stable, so that rows of one minute keep their order.
    moments.sort_by_key(|(place, _)| *place);
    moments.into_iter().map(|(_, moment)| moment).collect()
}

/// Strategy bars alone, in the order of the Python system: the instruments take turns, in their
/// order, one bar each. Where one lacks a bar, its later bars run ahead of those of the others.
pub fn by_turns(frames: &[Frame]) -> Vec<Moment> {
    let turns = frames.iter().map(|frame| frame.bars.len()).max().unwrap_or(0);
    let taken = |turn| {
        let has_bar = move |(_, frame): &(InstrumentId, &Frame)| turn < frame.bars.len();
        let bars = (0..).map(InstrumentId).zip(frames).filter(has_bar);
        bars.map(move |(id, _)| Moment::StrategyBar(id, turn))
    };
    (0..turns).flat_map(taken).collect()
}

/// The end of the session over all instruments.
fn run_end(hours: &[Hours<'_>], date: Date) -> Option<Timestamp> {
    hours.iter().filter_map(|hours| hours.end(date)).max()
}

/// Every minute, accepted or not, at its close.
fn handed_over(minutes: &[Minutes]) -> Vec<(Place, Moment)> {
    let mut moments = Vec::new();
    for (minutes, instrument) in minutes.iter().zip((0..).map(InstrumentId)) {
        for (row, refused) in minutes.refused.iter().enumerate() {
            let bar = minutes.columns.bar(row, instrument);
            let time = bar.close_time();
            let (phase, kind) = (Phase::Prices, Kind::Bar);
            let moment = match *refused {
                None => Moment::Minute(bar),
                Some(reason) => {
                    Moment::Refused(Rejection { instrument, time: bar.open_time, reason })
                }
            };
            moments.push((Place { time, phase, kind, instrument }, moment));
        }
    }
    moments
}

/// What happens when time has passed.
fn boundaries(
    run: &RunStarted,
    hours: &[Hours<'_>],
    frames: &[Frame],
    ends: &[(Date, Timestamp)],
) -> Vec<(Timestamp, Kind, InstrumentId, Moment)> {
    let flatten_minutes = i64::from(run.config.execution.flatten_minutes);
    let mut all = Vec::new();
    for ((frame, hours), id) in frames.iter().zip(hours).zip((0..).map(InstrumentId)) {
        for (row, bar) in frame.bars.iter().enumerate() {
            all.push((bar.close_time, Kind::Bar, id, Moment::StrategyBar(id, row)));
        }
        for end in run.sessions.iter().filter_map(|day| hours.end(day.date)) {
            let boundary = end.plus_minutes(-flatten_minutes);
            all.push((boundary, Kind::Flatten, id, Moment::Flatten(id, boundary)));
        }
    }
    for &(date, end) in ends {
        all.push((end, Kind::SessionOver, InstrumentId(0), Moment::SessionOver(date, end)));
    }
    all
}
