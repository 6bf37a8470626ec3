//! The history that a golden is held against, and what each rule says over it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::backtest;
use crate::backtest::python::variant::Variant;
use crate::backtest::python::{batch, live};
use crate::domain::config::{ExecutionProfile, Profile};
use crate::domain::event::{Command, RunStarted};
use crate::domain::fact::{Bar, Bar15m, OrderReason, RejectReason, Signal};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Cash, Qty};
use crate::domain::time::Timestamp;
use crate::sources::columns::BarColumns;

use super::Origin;

/// Limits so wide that only positions and the cooldown are left of the execution.
const NO_LOSS_LIMIT: Cash = Cash::from_rupees(1_000_000_000);
const NO_POSITION_LIMIT: Qty = Qty(1_000_000_000);

/// Strategy bars and minutes of a run's instruments.
pub struct Ground {
    /// The run's description.
    pub run: RunStarted,
    /// Strategy bars, in the order of the run's instruments.
    pub bars: Vec<Vec<Bar15m>>,
    /// Minutes that count, in the same order.
    pub minutes: Vec<Vec<Bar>>,
    /// Why the run does not enter a signal, by instrument and end of bar.
    declined: BTreeMap<(InstrumentId, Timestamp), RejectReason>,
    /// The signals that the run enters, by instrument and bar.
    entered: Vec<Signal>,
    /// The signals of the runs that a golden is compared with, by [`Origin`], once they were made.
    runs: [OnceLock<Vec<Signal>>; 5],
}

impl Ground {
    /// The ground that minutes make, and what somebody wanted meanwhile. `columns[i]` are those of
    /// `run.instruments[i]`.
    pub fn of_minutes(run: &RunStarted, columns: &[BarColumns], commands: &[Command]) -> Ground {
        let outcome = backtest::run(run, columns, commands);
        let count = run.instruments.len();
        let (mut bars, mut minutes) = (vec![Vec::new(); count], vec![Vec::new(); count]);
        let refusals = outcome.rejections.iter().filter(|no| !no.reason.is_of_input());
        let declined = refusals.map(|no| ((no.instrument, no.time), no.reason)).collect();
        let entries = outcome.orders.iter().filter(|order| order.reason == OrderReason::Entry);
        let entries: Vec<_> = entries.map(|order| (order.instrument, order.origin)).collect();
        let mut entered = outcome.signals;
        entered.retain(|signal| entries.contains(&(signal.instrument, signal.origin())));
        entered.sort_by_key(|signal| (signal.instrument, signal.bar_time));
        for bar in outcome.bars {
            bars[bar.instrument.index()].push(bar);
        }
        for minute in outcome.minutes {
            minutes[minute.instrument.index()].push(minute);
        }
        Ground { run: run.clone(), bars, minutes, declined, entered, runs: Default::default() }
    }

    /// The place of the bar that begins at `time`.
    pub fn place(&self, instrument: InstrumentId, time: Timestamp) -> Option<usize> {
        self.bars[instrument.index()].binary_search_by_key(&time, |bar| bar.open_time).ok()
    }

    /// The rule of a profile as a list of choices.
    pub fn variant(&self, profile: Profile) -> Variant {
        match profile {
            Profile::Causal => Variant::causal(&self.run.config),
            Profile::CompatLive => Variant::compat_live(&self.run.config),
        }
    }

    /// The signals of a profile, nothing traded.
    pub fn live(&self, profile: Profile) -> &[Signal] {
        self.run_of(match profile {
            Profile::Causal => Origin::Causal,
            Profile::CompatLive => Origin::CompatLive,
        })
    }

    /// The first event of every bar under a rule, by instrument and bar.
    pub fn first_of_bars(&self, variant: &Variant) -> Vec<Signal> {
        let of = |bars: &Vec<Bar15m>| variant.all(bars).in_hindsight();
        self.bars.iter().flat_map(of).filter_map(|events| events.into_iter().next()).collect()
    }

    /// The signals of one of the runs that a golden is compared with, by instrument and bar.
    pub fn run_of(&self, origin: Origin) -> &[Signal] {
        self.runs[origin as usize].get_or_init(|| match origin {
            Origin::CompatBatch => self.first_of_bars(&Variant::compat_batch(&self.run.config)),
            Origin::CompatLive => self.first_of_bars(&self.variant(Profile::CompatLive)),
            Origin::CompatLiveTraded => self.traded(),
            Origin::Causal => self.first_of_bars(&self.variant(Profile::Causal)),
            Origin::CausalTraded => self.entered.clone(),
        })
    }

    /// Why the run, causal and with its own execution, does not enter a signal.
    pub fn declined(&self, signal: &Signal) -> Option<RejectReason> {
        self.declined.get(&(signal.instrument, signal.time)).copied()
    }

    /// The signals of the live path with exits and cooldown, limits lifted.
    fn traded(&self) -> Vec<Signal> {
        let mut signals = live::run_by_turns(&self.lifted(u32::MAX), &self.bars).signals;
        signals.sort_by_key(|signal| (signal.instrument, signal.bar_time));
        signals
    }

    /// When his batch run, which trades each symbol by itself, stops for good after that many
    /// fills: one time per instrument, none where it does not.
    pub fn stops_after(&self, fills_max: u32) -> Vec<Option<Timestamp>> {
        let runs = batch::run_each(&self.lifted(fills_max), &self.bars).into_iter();
        let stop = |run: backtest::Outcome| run.halts.first().map(|halt| halt.time);
        runs.map(|run| stop(run.in_hindsight())).collect()
    }

    fn lifted(&self, fills_max: u32) -> RunStarted {
        let mut run = self.run.clone();
        let execution = &mut run.config.execution;
        execution.profile = ExecutionProfile::Compat;
        execution.trades_max = fills_max;
        execution.daily_loss_max = NO_LOSS_LIMIT;
        execution.position_max = NO_POSITION_LIMIT;
        run
    }

    /// Bar `place` of an instrument as it was after its first `count` minutes, if it has more.
    pub fn cut(&self, instrument: InstrumentId, place: usize, count: usize) -> Option<Bar15m> {
        let whole = self.bars[instrument.index()][place];
        let minutes = self.minutes.get(instrument.index())?;
        let from = minutes.partition_point(|minute| minute.open_time < whole.open_time);
        let to = minutes.partition_point(|minute| minute.open_time < whole.close_time);
        let part = minutes[from..to].get(..count).filter(|_| to - from > count)?;
        let (first, last) = (part.first()?, part.last()?);
        Some(Bar15m {
            open: first.open,
            high: part.iter().map(|minute| minute.high).max()?,
            low: part.iter().map(|minute| minute.low).min()?,
            close: last.close,
            volume: Qty(part.iter().map(|minute| minute.volume.0).sum()),
            minutes: count as u32,
            ..whole
        })
    }
}
