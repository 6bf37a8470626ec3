//! Laws of ticks: a run that hears trades has the facts of one that hears minutes; neither order
//! nor repetition matters; and what an archive completes is as if it had never been missing.

use std::collections::{BTreeMap, BTreeSet};

use lockstep::domain::config::{ExecutionProfile, Profile};
use lockstep::domain::event::{Derived, Event, EventId, Input, Output, Record, RunStarted};
use lockstep::domain::fact::{Backfill, BackfillOrigin, Bar, Bar15m, Gap, Indicators, Tick};
use lockstep::domain::instrument::InstrumentId;
use lockstep::domain::money::{Price, Qty};
use lockstep::domain::session::Session;
use lockstep::domain::time::{Date, MINUTE_US, Timestamp};
use lockstep::driver::explain::Recorded;
use lockstep::driver::plan::watermarks;
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::laws::{Shape, columns, inputs, outputs, shapes, time_of};

const QUARTER_US: i64 = 15 * MINUTE_US;

/// A history as a feed tells it.
struct Feed {
    dice: ChaCha8Rng,
    traded: BTreeMap<(InstrumentId, Date), i64>,
}

impl Feed {
    fn new(seed: u64) -> Feed {
        Feed { dice: ChaCha8Rng::seed_from_u64(seed), traded: BTreeMap::new() }
    }

    /// The trades of a minute: first at its open, last at its close, and its extremes between.
    fn ticks(&mut self, bar: &Bar) -> Vec<Tick> {
        let traded = self.traded.entry((bar.instrument, bar.open_time.date())).or_default();
        let prices: [(i64, Price); 4] =
            [(0, bar.open), (19_500, bar.low), (41_250, bar.high), (59_999, bar.close)];
        let parts = [bar.volume.0 / 2, bar.volume.0 / 3, 0];
        let last = bar.volume.0 - parts.iter().sum::<i64>();
        let mut ticks = Vec::new();
        for ((ms, price), quantity) in prices.into_iter().zip(parts.into_iter().chain([last])) {
            *traded += quantity;
            ticks.push(Tick {
                instrument: bar.instrument,
                time: bar.open_time.plus_us(ms * 1_000),
                price,
                quantity: Qty(quantity),
                day_volume: Qty(*traded),
            });
        }
        ticks
    }

    /// The same in another order, some of them more than once.
    fn shuffled(&mut self, mut ticks: Vec<Tick>) -> Vec<Tick> {
        let mut roll = |below: usize| self.dice.next_u32() as usize % below;
        for _ in 0..roll(3) {
            let again = ticks[roll(ticks.len())];
            ticks.push(again);
        }
        for place in (1..ticks.len()).rev() {
            ticks.swap(place, roll(place + 1));
        }
        ticks
    }
}

/// What a replay hears, as a feed tells it: with a watermark for every minute of the market,
/// whether anybody traded in it or not.
fn by_the_minute(run: &RunStarted, inputs: Vec<Input>) -> Vec<Input> {
    let mut every_minute = run.clone();
    every_minute.config.strategy.profile = Profile::CompatLive;
    let marks = watermarks(&every_minute).into_iter().map(|time| (time, Input::Watermark(time)));
    let inputs = inputs.into_iter().map(|input| (time_of(&input), input));
    let mut told: Vec<(Timestamp, Input)> = inputs.chain(marks).collect();
    let phase = |input: &Input| match input {
        Input::Bar(_) => 0,
        Input::Watermark(_) => 1,
        _ => 2,
    };
    told.sort_by_key(|(time, input)| (*time, phase(input)));
    told.dedup_by(|a, b| a == b && matches!(a.1, Input::Watermark(_)));
    told.into_iter().map(|(_, input)| input).collect()
}

/// When each session is over.
fn ends(run: &RunStarted) -> BTreeSet<Timestamp> {
    let windows = |session| {
        let of = move |instrument| Session::windows_of(session, instrument);
        run.instruments.iter().flat_map(of).map(|window| window.close)
    };
    run.sessions.iter().filter_map(|session| windows(session).max()).collect()
}

/// Groups of inputs, each up to its watermark.
fn minutes(inputs: &[Input]) -> impl Iterator<Item = &[Input]> {
    inputs.split_inclusive(|input| matches!(input, Input::Watermark(_)))
}

/// What is the same however the minutes came about. Refused inputs are not: a bar is one, its
/// ticks are many.
fn facts(outputs: &[Vec<Derived>]) -> Vec<Output> {
    let mut facts = Vec::new();
    for derived in outputs.iter().flatten() {
        match derived.output.clone() {
            Output::Bar1m(_) | Output::Order(_) | Output::BarRevised(_) => {}
            Output::Rejection(rejection) if rejection.reason.is_of_input() => {}
            Output::Fill(mut fill) => {
                fill.order = EventId::NONE;
                facts.push(Output::Fill(fill));
            }
            other => facts.push(other),
        }
    }
    facts
}

/// The last that was said of each strategy bar.
fn last_told(outputs: &[Vec<Derived>]) -> BTreeMap<(InstrumentId, Timestamp), Told> {
    let mut told: BTreeMap<_, Told> = BTreeMap::new();
    for derived in outputs.iter().flatten() {
        match &derived.output {
            Output::Bar15m(bar) | Output::BarRevised(bar) => {
                told.entry((bar.instrument, bar.open_time)).or_default().0 = Some(*bar);
            }
            Output::Indicators(row) => {
                told.entry((row.instrument, row.open_time)).or_default().1 = Some(*row);
            }
            _ => {}
        }
    }
    told
}

type Told = (Option<Bar15m>, Option<Indicators>);

/// The labels of the bars with signals.
fn signals(outputs: &[Vec<Derived>]) -> BTreeSet<(InstrumentId, Timestamp)> {
    let signal = |derived: &Derived| match &derived.output {
        Output::Signal(signal) => Some((signal.instrument, signal.bar_time)),
        _ => None,
    };
    outputs.iter().flatten().filter_map(signal).collect()
}

fn clean(shape: Shape) -> Shape {
    Shape { doubled: 0, shuffled: 0, ..shape }
}

/// A time without ticks of one instrument, and how long its archive takes.
#[derive(Clone, Debug)]
struct Outage {
    instrument: u16,
    /// Minutes since the run's first midnight.
    from: i64,
    minutes: i64,
    delay: i64,
}

prop_compose! {
    fn outages()(
        outages in prop::collection::vec((0..2u16, 555..4_000i64, 1..40i64, 0..60i64), 1..5),
    ) -> Vec<Outage> {
        let outage = |it: (u16, i64, i64, i64)| {
            Outage { instrument: it.0, from: it.1, minutes: it.2, delay: it.3 }
        };
        outages.into_iter().map(outage).collect()
    }
}

/// The same inputs as ticks, with outages, gaps and what the archive says later the same day.
struct Broken<'a> {
    feed: Feed,
    outages: &'a [Outage],
    first: Timestamp,
    /// What the archive has still to say, and when.
    owed: Vec<(Timestamp, Bar)>,
    patched: BTreeSet<(InstrumentId, Timestamp)>,
}

impl Broken<'_> {
    fn outage_of(&self, bar: &Bar) -> Option<&Outage> {
        self.outages.iter().find(|outage| {
            let from = self.first.plus_minutes(outage.from);
            let to = from.plus_minutes(outage.minutes);
            InstrumentId(outage.instrument) == bar.instrument && (from..to).contains(&bar.open_time)
        })
    }

    /// The inputs of one minute.
    fn minute(&mut self, group: &[Input], ends: &BTreeSet<Timestamp>, out: &mut Vec<Input>) {
        for input in group {
            match *input {
                Input::Bar(bar) => self.bar(&bar, out),
                Input::Watermark(time) if ends.contains(&time) => {
                    // The last moment at which the day's archive helps.
                    self.say(Timestamp::MAX, out);
                    out.push(Input::Watermark(time));
                }
                Input::Watermark(time) => {
                    out.push(Input::Watermark(time));
                    self.say(time, out);
                }
                ref other => out.push(other.clone()),
            }
        }
    }

    fn bar(&mut self, bar: &Bar, out: &mut Vec<Input>) {
        let ticks = self.feed.ticks(bar);
        let Some(outage) = self.outage_of(bar).cloned() else {
            let ticks = self.feed.shuffled(ticks);
            return out.extend(ticks.into_iter().map(Input::Tick));
        };
        // The last tick is heard again: the minute is there, but not all of it.
        out.push(Input::Tick(ticks[3]));
        let (from, to) = (bar.open_time, bar.open_time.plus_us(59_000_000));
        out.push(Input::Gap(Gap { instrument: bar.instrument, from, to }));
        self.owed.push((bar.close_time().plus_minutes(outage.delay), *bar));
        self.patched.insert((bar.instrument, bar.open_time.floor_to(QUARTER_US)));
    }

    fn say(&mut self, now: Timestamp, out: &mut Vec<Input>) {
        let origin = BackfillOrigin::Intraday;
        let mut due = |(time, bar): &(Timestamp, Bar)| {
            let is_due = *time <= now;
            if is_due {
                out.push(Input::Backfill(Backfill { bar: *bar, origin }));
            }
            !is_due
        };
        self.owed.retain(|owed| due(owed));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(48)
    })]

    #[test]
    fn trades_in_any_order_make_the_facts_that_minutes_make(
        shape in shapes(),
        missing in prop::sample::select(vec![0, 30, 300, 800]),
    ) {
        // With most minutes missing, nobody trades at many a boundary.
        let shape = Shape { missing, ..clean(shape) };
        let run = shape.run();
        let bars = inputs(&run, &columns(&shape, &run), &shape.commands);
        let mut feed = Feed::new(shape.seed);
        let mut ticks = Vec::new();
        for input in by_the_minute(&run, bars.clone()) {
            match input {
                Input::Bar(bar) => {
                    let trades = feed.ticks(&bar);
                    ticks.extend(feed.shuffled(trades).into_iter().map(Input::Tick));
                }
                other => ticks.push(other),
            }
        }
        prop_assert_eq!(facts(&outputs(&run, &ticks)), facts(&outputs(&run, &bars)));
    }

    #[test]
    fn what_an_archive_completes_is_as_if_it_had_never_been_missing(
        shape in shapes(),
        outages in outages(),
    ) {
        let shape = Shape { profile: ExecutionProfile::Observe, ..clean(shape) };
        let run = shape.run();
        let bars = by_the_minute(&run, inputs(&run, &columns(&shape, &run), &[]));
        let ends = ends(&run);
        let first = run.sessions[0].date.start();
        let (owed, patched) = (Vec::new(), BTreeSet::new());
        let feed = Feed::new(shape.seed);
        let mut broken = Broken { feed, outages: &outages, first, owed, patched };
        let mut told = Vec::new();
        for group in minutes(&bars) {
            broken.minute(group, &ends, &mut told);
        }
        let (whole, mended) = (outputs(&run, &bars), outputs(&run, &told));
        prop_assert_eq!(last_told(&mended), last_told(&whole));
        let (wanted, got) = (signals(&whole), signals(&mended));
        prop_assert!(got.is_disjoint(&broken.patched), "a bar that was completed signals");
        // What was told before the archive answered rests on what was known then.
        let is_of_a_whole_day = |place: &&(InstrumentId, Timestamp)| {
            let of_day = |(id, label): &&(InstrumentId, Timestamp)| {
                *id == place.0 && label.date() == place.1.date()
            };
            !broken.patched.iter().any(|patched| of_day(&patched))
        };
        let untouched = |all: &BTreeSet<(InstrumentId, Timestamp)>| {
            all.iter().filter(is_of_a_whole_day).copied().collect::<Vec<_>>()
        };
        prop_assert_eq!(untouched(&got), untouched(&wanted));
        explained_as_told(&run, &told, &mended)?;
    }
}

/// Whatever an archive did to bars before or after: a bar that is explained has the indicators that
/// it was told with, and the decision that was made then.
fn explained_as_told(
    run: &RunStarted,
    inputs: &[Input],
    outputs: &[Vec<Derived>],
) -> Result<(), TestCaseError> {
    let mut recorded = Recorded::new(run);
    let (mut rows, mut signals) = (BTreeMap::new(), BTreeSet::new());
    for (seq, (input, derived)) in (1..).zip(inputs.iter().zip(outputs)) {
        let record = |index, cause, event| Record {
            id: EventId { seq, index },
            cause,
            received_ns: 0,
            event,
        };
        recorded.take(&record(0, 0, Event::Input(input.clone())));
        for (index, Derived { cause, output }) in (1..).zip(derived) {
            recorded.take(&record(index, *cause, Event::Output(output.clone())));
            match output {
                // A bar that is told again has its row before it already.
                Output::Indicators(row) => {
                    rows.entry((row.instrument, row.open_time)).or_insert(*row);
                }
                Output::Signal(signal) => {
                    signals.insert((signal.instrument, signal.bar_time));
                }
                _ => {}
            }
        }
    }
    for (instrument, count) in recorded.bars() {
        for place in (0..count).step_by(7) {
            let strategy = recorded.strategy_before(instrument, place);
            let seen = recorded.explain(&strategy, instrument, place);
            let at = (instrument, seen.bar.open_time);
            prop_assert_eq!(Some(&seen.row), rows.get(&at), "{:?}", at);
            prop_assert_eq!(seen.decision.is_some(), signals.contains(&at), "{:?}", at);
            prop_assert!(seen.agrees(), "{:?}", at);
            prop_assert!(!(seen.is_patched && seen.flip.is_some()), "{:?}", at);
        }
    }
    Ok(())
}
