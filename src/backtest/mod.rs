//! The oracle: the rules of `docs/rules.md` over whole columns, written to be read next to that
//! page. It is a second opinion on the event core and shares nothing with it but the words.
//!
//! - `hours` when an instrument trades
//! - `resample` which minutes count, and the strategy bars made of them
//! - `indicators` columns of indicator values
//! - `swings` where swing points are, and who knows it when
//! - `signals` columns of what conditions compare, and the signals where they hold
//! - `timeline` everything that happens, in the order of the rules
//! - `account` cash, positions and fees
//! - `honest`, `compat` what becomes of the signals
//! - `python` the two paths of the Python system: its bars, windows and swings
//! - `trial` which bars of the future a rule reads

mod account;
mod compat;
mod honest;
mod hours;
mod indicators;
mod observe;
pub mod python;
mod resample;
mod signals;
mod swings;
#[cfg(test)]
mod testing;
mod timeline;
pub mod trial;

use crate::domain::config::{ExecutionProfile, RunConfig};
use crate::domain::event::{Command, RunStarted};
use crate::domain::fact::{
    Bar, Bar15m, Fill, Halt, Indicators, Order, Position, Rejection, SessionEnded, Signal,
};
use crate::domain::instrument::InstrumentId;
use crate::sources::columns::BarColumns;

use hours::Hours;
use indicators::IndicatorColumns;
use resample::Minutes;

/// What a run comes to. Everything is in the order in which it becomes known or happens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The minutes that count, instrument by instrument.
    pub minutes: Vec<Bar>,
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
pub fn run(run: &RunStarted, columns: &[BarColumns], commands: &[Command]) -> Outcome {
    run_with(run, columns, commands, |bars, indicators| signals::of(&run.config, bars, indicators))
}

/// The signals of one instrument's strategy bars by the rules of profile `causal` (3 and 4),
/// without regard for what is traded.
pub fn causal_signals(config: &RunConfig, bars: &[Bar15m]) -> Vec<Signal> {
    let columns = IndicatorColumns::of(bars, config.strategy.swing_period as usize);
    signals::of(config, bars, &columns).into_iter().flatten().collect()
}

/// The same with other signals: `signals_of` makes those of one instrument, one place per bar.
fn run_with(
    run: &RunStarted,
    columns: &[BarColumns],
    commands: &[Command],
    signals_of: impl Fn(&[Bar15m], &IndicatorColumns) -> Vec<Option<Signal>>,
) -> Outcome {
    let frame_of = |bars: Vec<Bar15m>, _: &BarColumns| {
        let columns = IndicatorColumns::of(&bars, run.config.strategy.swing_period as usize);
        let signals = signals_of(&bars, &columns);
        Frame { indicators: columns.rows(&bars), bars, signals }
    };
    follow(run, columns, commands, frame_of, 0)
}

/// The same with other indicators too: `frame_of` makes everything of one instrument's bars and the
/// minutes that count.
/// `cooldown_bars` is that of execution `compat`; `honest` has its own.
fn follow(
    run: &RunStarted,
    columns: &[BarColumns],
    commands: &[Command],
    frame_of: impl Fn(Vec<Bar15m>, &BarColumns) -> Frame,
    cooldown_bars: u32,
) -> Outcome {
    let width = run.config.strategy.bar_minutes;
    let hours: Vec<Hours<'_>> =
        run.instruments.iter().map(|instrument| Hours::of(instrument, &run.sessions)).collect();
    let minutes: Vec<Minutes> =
        columns.iter().zip(&hours).map(|(columns, hours)| Minutes::admit(columns, hours)).collect();
    let frames: Vec<Frame> = minutes
        .iter()
        .zip(&hours)
        .zip((0..).map(InstrumentId))
        .map(|((minutes, hours), id)| {
            let accepted = minutes.accepted();
            frame_of(resample::strategy_bars(&accepted, hours, width, id), &accepted)
        })
        .collect();
    let moments = timeline::of(run, &hours, &minutes, &frames, commands);
    let outcome = match run.config.execution.profile {
        ExecutionProfile::Honest => honest::trade(run, &hours, &frames, &moments),
        ExecutionProfile::Observe => observe::look_on(run, &frames, &moments),
        ExecutionProfile::Compat => compat::trade(run, &frames, &moments, cooldown_bars),
    };
    let rows = |(minutes, id): (&Minutes, u16)| {
        let accepted = minutes.accepted();
        (0..accepted.len()).map(move |row| accepted.bar(row, InstrumentId(id)))
    };
    Outcome { minutes: minutes.iter().zip(0..).flat_map(rows).collect(), ..outcome }
}

#[cfg(test)]
mod tests {
    use super::testing::{DAY, Scenario, minute, run_started, session, time};
    use super::*;
    use crate::domain::fact::RejectReason;
    use crate::domain::money::Side;

    /// The bars of a run over one instrument's rows.
    fn bars_of(run: &RunStarted, rows: &[Bar]) -> Outcome {
        super::run(run, &[BarColumns::from_bars(rows.iter())], &[])
    }

    #[test]
    fn a_file_out_of_order_is_the_same_run() {
        let run = run_started(&["A"], &[DAY]);
        let rows: Vec<Bar> = (0..60)
            .map(|i| minute(time("09:15").plus_minutes(i), &format!("{} 200 1 100", 50 + i)))
            .collect();
        let turned: Vec<Bar> = rows.iter().rev().copied().collect();
        let outcome = bars_of(&run, &rows);
        assert_eq!(outcome.bars.len(), 4);
        assert_eq!(outcome, bars_of(&run, &turned));
    }

    #[test]
    fn of_two_rows_for_one_minute_the_first_in_the_file_counts() {
        let run = run_started(&["A"], &[DAY]);
        let rows = [
            minute(time("09:16"), "100 100 100 100"),
            minute(time("09:15"), "90 90 90 90"),
            minute(time("09:16"), "300 300 300 300"),
        ];
        let outcome = bars_of(&run, &rows);
        let (instrument, reason) = (InstrumentId(0), RejectReason::Duplicate);
        assert_eq!(outcome.rejections, [Rejection { instrument, time: time("09:16"), reason }]);
        assert_eq!(outcome.bars[0].close.to_string(), "100.00");
    }

    #[test]
    fn what_lies_outside_the_windows_is_refused() {
        let run = run_started(&["A"], &[DAY]);
        let times = ["09:14", "09:15", "15:29", "15:30", "15:45", "2024-10-02T09:15"];
        let rows = times.map(|text| minute(time(text), "100 100 100 100"));
        let outcome = bars_of(&run, &rows);
        let refused: Vec<_> = outcome.rejections.iter().map(|no| (no.time, no.reason)).collect();
        let outside = [times[0], times[3], times[4], times[5]]
            .map(|text| (time(text), RejectReason::OutsideSession));
        assert_eq!(refused, outside);
        let kept: Vec<_> = outcome.bars.iter().map(|bar| (bar.open_time, bar.minutes)).collect();
        assert_eq!(kept, [(time("09:15"), 1), (time("15:15"), 1)]);
    }

    #[test]
    fn a_window_that_ends_inside_a_quarter_cuts_the_bar_off() {
        let mut run = run_started(&["A"], &[DAY]);
        let split = &mut run.sessions[0].windows;
        split[0].close = time("10:05");
        split.push(crate::domain::time::Window { open: time("11:25"), close: time("12:28") });
        let rows =
            ["10:00", "10:01", "11:26", "12:27"].map(|text| minute(time(text), "100 100 100 100"));
        let bars = bars_of(&run, &rows).bars;
        let shape: Vec<String> = bars
            .iter()
            .map(|bar| {
                let (known, of) = (bar.close_time, bar.minutes_expected);
                format!("{} known {known} has {} of {of}", bar.open_time, bar.minutes)
            })
            .collect();
        insta::assert_snapshot!(shape.join("\n"), @r"
        2024-10-01T10:00 known 2024-10-01T10:05 has 2 of 5
        2024-10-01T11:15 known 2024-10-01T11:30 has 1 of 5
        2024-10-01T12:15 known 2024-10-01T12:28 has 1 of 13
        ");
    }

    #[test]
    fn a_session_without_bars_ends_all_the_same() {
        let mut run = run_started(&["A"], &[DAY]);
        run.sessions.push(session("2024-10-02"));
        let ended = bars_of(&run, &[]).sessions;
        assert_eq!(
            ended.iter().map(|day| day.date).collect::<Vec<_>>(),
            [run.sessions[0].date, run.sessions[1].date]
        );
    }

    #[test]
    fn bars_come_by_close_time_and_then_by_instrument() {
        let outcome = Scenario::new()
            .quiet(1, "09:15", "09:45", "100")
            .quiet(0, "09:15", "09:45", "100")
            .signal(1, "09:15", Side::Buy, "98", "104")
            .signal(0, "09:15", Side::Buy, "98", "104")
            .trade();
        let places: Vec<_> =
            outcome.bars.iter().map(|bar| (bar.close_time, bar.instrument.0)).collect();
        let (first, second) = (time("09:30"), time("09:45"));
        assert_eq!(places, [(first, 0), (first, 1), (second, 0), (second, 1)]);
        let signals: Vec<u16> = outcome.signals.iter().map(|signal| signal.instrument.0).collect();
        assert_eq!(signals, [0, 1]);
        assert_eq!(outcome.indicators.len(), outcome.bars.len());
    }
}
