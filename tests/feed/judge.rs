//! What must hold of a lived day, whatever the weather: each bar ends as the replay has it, none is
//! lost, doubled or made up, and no bar that lacked trades makes a signal.

use std::collections::{BTreeMap, BTreeSet};

use lockstep::domain::event::{Derived, Event, EventId, Input, Output};
use lockstep::domain::fact::{Backfill, BackfillOrigin, Bar, Bar15m, Fill, Indicators, Signal};
use lockstep::domain::instrument::InstrumentId;
use lockstep::domain::tape::{Names, write_event};
use lockstep::domain::time::{SECOND_US, Timestamp};
use lockstep::exchange::faults::Faults;

use crate::day::live;
use crate::scene::{Scene, outputs};

const QUARTER_US: i64 = 900 * SECOND_US;

/// What befalls a line: in words of the command line, and whether it may lose anything.
pub const WEATHERS: [(&str, bool); 14] = [
    ("", false),
    ("dup=0.3", false),
    ("book=0.3", false),
    ("reorder=1000ms@0.5", false),
    ("dup=0.2,reorder=1200ms,garbage=0.02", false),
    ("drop=0.01", true),
    ("half=0.01,garbage=0.01", true),
    ("stall=200s@0.002", true),
    ("disconnect=120s@0.002", true),
    ("disconnect=0.003", true),
    ("missing=0.5,disconnect=20s@0.002", true),
    ("delay=120s@0.01", true),
    ("skew=3600s@0.003", true),
    ("drop=0.004,dup=0.1,delay=60s@0.004,disconnect=30s@0.001,book=0.1", true),
];

/// What came of some days.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub days: u64,
    /// Bars that ended as the replay has them.
    pub bars: u64,
    /// Those of them that lacked trades when they were told first.
    pub incomplete: u64,
    pub gaps: u64,
    pub lookups: u64,
    /// Minutes that the archive had.
    pub found: u64,
    /// Signals of the replay; of these, those that were not made; and others that were.
    pub signals: u64,
    pub lost: u64,
    pub others: u64,
}

impl Tally {
    /// Both together.
    pub fn add(&mut self, more: &Tally) {
        self.days += more.days;
        self.bars += more.bars;
        self.incomplete += more.incomplete;
        self.gaps += more.gaps;
        self.lookups += more.lookups;
        self.found += more.found;
        self.signals += more.signals;
        self.lost += more.lost;
        self.others += more.others;
    }
}

type Label = (InstrumentId, Timestamp);
type LastWord = (Option<Bar15m>, Option<Indicators>);

/// The last that was said of each strategy bar of the lived day.
pub fn bars(outputs: &[Vec<Derived>], since: Timestamp) -> BTreeMap<Label, LastWord> {
    let mut told: BTreeMap<Label, LastWord> = BTreeMap::new();
    for derived in outputs.iter().flatten() {
        match &derived.output {
            Output::Bar15m(bar) | Output::BarRevised(bar) if bar.open_time >= since => {
                told.entry((bar.instrument, bar.open_time)).or_default().0 = Some(*bar);
            }
            Output::Indicators(row) if row.open_time >= since => {
                told.entry((row.instrument, row.open_time)).or_default().1 = Some(*row);
            }
            _ => {}
        }
    }
    told
}

/// The signals, each without its address in the journal.
pub fn signals(outputs: &[Vec<Derived>]) -> BTreeMap<Label, Signal> {
    let signal = |derived: &Derived| match &derived.output {
        Output::Signal(signal) => {
            Some(((signal.instrument, signal.bar_time), Signal::clone(signal)))
        }
        _ => None,
    };
    outputs.iter().flatten().filter_map(signal).collect()
}

/// The fills, each without the address of its order.
pub fn fills(outputs: &[Vec<Derived>]) -> Vec<Fill> {
    let fill = |derived: &Derived| match derived.output {
        Output::Fill(fill) => Some(Fill { order: EventId::NONE, ..fill }),
        _ => None,
    };
    outputs.iter().flatten().filter_map(fill).collect()
}

/// The labels of the lived day's bars that lacked something before they were known: a gap lies in
/// them, or an archive had another minute than the run. A trade that came too late and of which the
/// minute is what it was without it, such as one of no shares, was not lacking.
fn touched(heard: &[Input], got: &[Vec<Derived>], since: Timestamp) -> BTreeSet<Label> {
    let mut touched = BTreeSet::new();
    let mut watermark = Timestamp::MIN;
    let mut minutes: BTreeMap<Label, Bar> = BTreeMap::new();
    let mut touch = |instrument, from: Timestamp, to: Timestamp, watermark: Timestamp| {
        let mut label = from.floor_to(QUARTER_US);
        while label < to {
            if watermark < label.plus_us(QUARTER_US) {
                touched.insert((instrument, label));
            }
            label = label.plus_us(QUARTER_US);
        }
    };
    for (input, outputs) in heard.iter().zip(got) {
        match input {
            Input::Watermark(time) => watermark = *time,
            Input::Gap(gap) => touch(gap.instrument, gap.from, gap.to, watermark),
            Input::Backfill(Backfill { bar, .. }) if bar.open_time >= since => {
                let had = minutes.insert((bar.instrument, bar.open_time), *bar);
                if had != Some(*bar) {
                    touch(bar.instrument, bar.open_time, bar.close_time(), watermark);
                }
            }
            _ => {}
        }
        for derived in outputs {
            if let Output::Bar1m(bar) = &derived.output {
                minutes.insert((bar.instrument, bar.open_time), *bar);
            }
        }
    }
    touched
}

/// Lives the scene's day in one weather.
///
/// # Panics
/// Where something does not hold.
pub fn judge(scene: &Scene, weather: usize, seed: u64) -> Tally {
    let (weather, may_lose) = WEATHERS[weather];
    let since = scene.run.config.active_from;
    let faults = Faults::parse(weather).expect("weather is written as faults are");
    let lived = live(scene, faults, seed, scene.hours().0.plus_minutes(-5));
    assert_eq!(lived.stopped, None);
    let heard = lived.heard();
    let got = outputs(&scene.run, &heard);
    let (want, have) = (bars(&scene.whole, since), bars(&got, since));
    for (label, told) in &want {
        assert_eq!(have.get(label), Some(told), "{label:?} is not as the replay has it");
    }
    assert_eq!(have.len(), want.len(), "a bar that never was");
    let (all, mine) = (signals(&scene.whole), signals(&got));
    let (all_labels, my_labels): (BTreeSet<_>, BTreeSet<_>) =
        (all.keys().copied().collect(), mine.keys().copied().collect());
    if !may_lose {
        assert_eq!(mine, all);
        assert_eq!(fills(&got), fills(&scene.whole));
        assert_eq!(lived.lookups, 0, "nothing was lost, and the archive was asked");
    }
    let touched = touched(&heard, &got, since);
    let made: Vec<&Label> = my_labels.intersection(&touched).collect();
    assert!(made.is_empty(), "a signal on a bar that lacked trades: {made:?}");
    let count = |wanted: fn(&Input) -> bool| heard.iter().filter(|it| wanted(it)).count() as u64;
    Tally {
        days: 1,
        bars: want.len() as u64,
        incomplete: touched.intersection(&want.keys().copied().collect()).count() as u64,
        gaps: count(|input| matches!(input, Input::Gap(_))),
        lookups: lived.lookups,
        found: count(
            |input| matches!(input, Input::Backfill(it) if it.origin == BackfillOrigin::Intraday),
        ),
        signals: all.len() as u64,
        lost: all_labels.difference(&my_labels).count() as u64,
        others: my_labels.difference(&all_labels).count() as u64,
    }
}

/// What was odd about the day, a line each: gaps and notices, trades that came too late for their
/// minute, and what the archive had.
pub fn oddities(scene: &Scene, weather: usize, seed: u64) -> Vec<String> {
    let faults = Faults::parse(WEATHERS[weather].0).expect("weather is written as faults are");
    let lived = live(scene, faults, seed, scene.hours().0.plus_minutes(-5));
    let names = Names::of(&scene.run);
    let mut watermark = Timestamp::MIN;
    let mut is_odd = |input: &Input| match input {
        Input::Watermark(time) => {
            watermark = *time;
            false
        }
        Input::Gap(_) | Input::Notice(_) => true,
        Input::Tick(tick) => tick.time < watermark,
        Input::Backfill(Backfill { origin, .. }) => *origin != BackfillOrigin::Store,
        _ => false,
    };
    let line = |(at, input): &(Timestamp, Input)| {
        format!("{at} {}", write_event(&Event::Input(input.clone()), &names))
    };
    lived.inputs.iter().filter(|(_, input)| is_odd(input)).map(line).collect()
}
