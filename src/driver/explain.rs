//! One bar of a recorded run: what each condition compared and by how much it held or failed, what
//! the bar was made of, what became of its signal, and the smallest change of its close that would
//! have made another decision.
//!
//! The comparisons are written out here once more, to be shown; what decides is the core's own
//! strategy, brought to the bar over the recorded bars before it. [`Explained::agrees`] says
//! whether the two are of one mind.
//!
//! A bar is explained as it was when it was told. Where it held a minute from an archive, or trades
//! may be missing in it, no condition was asked and no close would have made a signal (rule 2.5);
//! what an archive made of earlier bars is in the strategy's memory, as it was in the core's.
//!
//! - [`conditions`] the four conditions, written out
//! - [`lane`] what was recorded of one instrument

mod conditions;
mod lane;

use crate::core::aggregate::Known;
use crate::core::strategy::Strategy;
use crate::domain::event::{Derived, Event, EventId, Input, Output, Record, RunStarted};
use crate::domain::fact::{
    Backfill, Bar, Bar15m, Fill, Indicators, Order, RejectReason, Signal, SignalKind, SignalRef,
    signal_id,
};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Price, Side};
use crate::domain::time::{MINUTE_US, Timestamp};

use conditions::conditions;
use lane::{Lane, Memory, Told};

/// Share of the close, in hundredths, up to which changes are tried.
const CHANGE_MAX_PERCENT: i64 = 3;

/// Width of a strategy bar.
const QUARTER_US: i64 = 15 * MINUTE_US;

/// A run as far as explanations need it.
pub struct Recorded {
    /// Its description.
    pub run: RunStarted,
    lanes: Vec<Lane>,
    orders: Vec<(EventId, Order)>,
    fills: Vec<(EventId, Fill)>,
    watermark: Timestamp,
    /// Whether bars may be completed after they were told, as the core knows it.
    keeps_days: bool,
}

/// What is to be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An event, by its address.
    Event(EventId),
    /// A signal, by its name or the beginning of it.
    Signal(String),
    /// A bar, by its instrument's key and its start.
    Bar(String, Timestamp),
}

impl Target {
    /// Reads `KEY@2024-11-04T10:30`, `5117.3` or a signal's name of at least 8 digits.
    pub fn parse(text: &str) -> Option<Target> {
        if let Some((key, time)) = text.rsplit_once('@') {
            return Some(Target::Bar(key.to_owned(), Timestamp::parse(time)?));
        }
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex && (8..=32).contains(&text.len()) {
            return Some(Target::Signal(text.to_lowercase()));
        }
        EventId::parse(text).filter(|id| *id != EventId::NONE).map(Target::Event)
    }
}

/// One comparison of a condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What is compared, such as `close > vwap`.
    pub what: &'static str,
    /// The left side.
    pub left: f64,
    /// The right side.
    pub right: f64,
    /// By how much it holds; negative where it does not, NaN where a side is not known.
    pub margin: f64,
    /// Whether it holds.
    pub holds: bool,
}

/// One of the four conditions.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Which way it would trade.
    pub side: Side,
    /// Its kind.
    pub kind: SignalKind,
    /// Its comparisons, in the order of the rules.
    pub comparisons: Vec<Comparison>,
}

impl Condition {
    /// Whether all of it holds.
    pub fn holds(&self) -> bool {
        self.comparisons.iter().all(|one| one.holds)
    }
}

/// The smallest change of a bar's close that leads to another decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Flip {
    /// The change in ticks, up or down.
    pub ticks: i64,
    /// The close with it.
    pub close: Price,
    /// The decision with it.
    pub decision: Option<(Side, SignalKind)>,
    /// The decision with one tick less, which is that of the bar as it was.
    pub one_less: Option<(Side, SignalKind)>,
    /// The smallest change in 1/10,000 rupee that does it, off the grid of prices; it lies between
    /// one tick less and the tick.
    pub exact: Price,
    /// The decision with 99 % of that, rounded towards no change.
    pub with_99_percent: Option<(Side, SignalKind)>,
}

/// A bar, explained.
pub struct Explained {
    /// Its address.
    pub id: EventId,
    /// The bar.
    pub bar: Bar15m,
    /// When the run was told of it.
    pub known: Timestamp,
    /// Its place among the instrument's bars, from 0.
    pub place: usize,
    /// Whether its conditions were asked: not before the first active day, nor in the first bars,
    /// nor where it is patched.
    pub is_evaluated: bool,
    /// Whether it held a minute from an archive when it was told, or trades may be missing in it.
    pub is_patched: bool,
    /// The bar as an archive made it later, where it did. Nothing was decided by that.
    pub revised: Option<Bar15m>,
    /// Its indicators.
    pub row: Indicators,
    /// The conditions in the order in which they are tried.
    pub conditions: Vec<Condition>,
    /// What the core decides.
    pub decision: Option<Signal>,
    /// The signal that was recorded, with its address and its name.
    pub signal: Option<(EventId, String, Signal)>,
    /// Why it was declined at once.
    pub declined: Option<RejectReason>,
    /// Orders that go back to the signal.
    pub orders: Vec<(EventId, Order)>,
    /// Fills that go back to it.
    pub fills: Vec<(EventId, Fill)>,
    /// The minutes of the bar as it was told, with their addresses.
    pub minutes: Vec<(EventId, Bar)>,
    /// What would have changed the decision; none within 3 % of the close.
    pub flip: Option<Flip>,
}

impl Explained {
    /// Whether the comparisons shown lead to the core's decision.
    pub fn agrees(&self) -> bool {
        let first = self.conditions.iter().find(|condition| condition.holds());
        let shown = first.map(|condition| (condition.side, condition.kind));
        !self.is_evaluated || shown == decision(self.decision.as_ref())
    }

    /// Whether the bar has no signal, but one condition lacks a single comparison.
    pub fn is_near_miss(&self) -> bool {
        let lacks_one = |condition: &Condition| {
            condition.comparisons.iter().filter(|one| !one.holds).count() == 1
        };
        self.is_evaluated && self.decision.is_none() && self.conditions.iter().any(lacks_one)
    }
}

impl Recorded {
    /// An empty record of the run.
    pub fn new(run: &RunStarted) -> Recorded {
        Recorded {
            lanes: vec![Lane::default(); run.instruments.len()],
            run: run.clone(),
            orders: Vec::new(),
            fills: Vec::new(),
            watermark: Timestamp(0),
            keeps_days: false,
        }
    }

    /// Takes the next record of the run.
    pub fn take(&mut self, record: &Record) {
        match &record.event {
            Event::Input(input) => self.input(record.id.seq, input),
            Event::Output(output) => {
                let derived = Derived { cause: record.cause, output: output.clone() };
                self.output(record.id, &derived);
            }
        }
    }

    fn input(&mut self, seq: u64, input: &Input) {
        match input {
            Input::Bar(bar) => {
                self.lanes[bar.instrument.index()].minutes.push((EventId::input(seq), *bar));
            }
            Input::Backfill(Backfill { bar, .. }) => {
                self.keep_days();
                self.lanes[bar.instrument.index()].backfilled(EventId::input(seq), bar);
            }
            Input::Tick(_) => self.keep_days(),
            Input::Gap(gap) => self.lanes[gap.instrument.index()].gaps.push(*gap),
            Input::Watermark(time) => self.watermark = *time,
            _ => {}
        }
    }

    fn keep_days(&mut self) {
        if !std::mem::replace(&mut self.keeps_days, true) {
            self.lanes.iter_mut().for_each(|lane| lane.pending.push(Memory::KeepDays));
        }
    }

    fn output(&mut self, id: EventId, derived: &Derived) {
        match &derived.output {
            Output::Bar1m(bar) => self.lanes[bar.instrument.index()].minutes.push((id, *bar)),
            Output::Bar15m(bar) => {
                let known = self.watermark;
                self.lanes[bar.instrument.index()].told(id, known, bar);
            }
            Output::BarRevised(bar) => self.lanes[bar.instrument.index()].revised(bar),
            Output::SessionEnded(_) => self.lanes.iter_mut().for_each(Lane::session_over),
            Output::Signal(signal) => {
                let told = self.lanes[signal.instrument.index()].bars.last_mut();
                let told = told.filter(|told| told.bar.open_time == signal.bar_time);
                told.expect("a signal follows its bar").signal = Some((id, (**signal).clone()));
            }
            Output::Rejection(no) if no.reason.is_of_input() => {
                self.lanes[no.instrument.index()].refused(id.seq);
            }
            Output::Rejection(no) => {
                if let Some(told) = self.lanes[no.instrument.index()].bars.last_mut()
                    && told.signal.as_ref().is_some_and(|(signal, _)| {
                        (signal.seq, signal.index) == (id.seq, derived.cause)
                    })
                {
                    told.declined = Some(no.reason);
                }
            }
            Output::Order(order) => self.orders.push((id, *order)),
            Output::Fill(fill) => self.fills.push((id, *fill)),
            _ => {}
        }
    }

    /// Bars with a signal, and near misses, explained: the first, and every so many after it.
    pub fn notable(&self, every: usize, mut tell: impl FnMut(InstrumentId, Explained)) {
        let mut found = 0;
        for (instrument, count) in self.bars() {
            let mut strategy = Strategy::new(&self.run);
            for place in 0..count {
                let told = &self.lanes[instrument.index()].bars[place];
                told.memory.iter().for_each(|one| one.happen(&mut strategy));
                let seen = self.explain_without_flip(&strategy, instrument, place);
                let is_notable =
                    seen.decision.is_some() || seen.signal.is_some() || seen.is_near_miss();
                found += usize::from(is_notable);
                if is_notable && (found - 1).is_multiple_of(every.max(1)) {
                    let flip = seen.is_evaluated.then(|| self.flip(&strategy, told)).flatten();
                    tell(instrument, Explained { flip, ..seen });
                }
                strategy.bar(&told.known(), told.known);
            }
        }
    }

    /// Bars that the run has of each instrument.
    pub fn bars(&self) -> impl Iterator<Item = (InstrumentId, usize)> + '_ {
        (0..).map(InstrumentId).zip(self.lanes.iter().map(|lane| lane.bars.len()))
    }

    /// The bar behind what is to be explained: an event is followed up to it.
    pub fn find(&self, target: &Target) -> Option<(InstrumentId, usize)> {
        match target {
            Target::Bar(key, time) => {
                let id = self.run.instruments.iter().position(|it| it.key == *key)?;
                self.bar_at(InstrumentId(id as u16), *time)
            }
            Target::Signal(name) => self.places().find(|(instrument, place)| {
                let told = &self.lanes[instrument.index()].bars[*place];
                let signal = told.signal.as_ref();
                signal.is_some_and(|(_, signal)| self.name(signal).starts_with(name))
            }),
            Target::Event(id) => self.behind(*id),
        }
    }

    fn places(&self) -> impl Iterator<Item = (InstrumentId, usize)> + '_ {
        self.bars().flat_map(|(instrument, count)| (0..count).map(move |at| (instrument, at)))
    }

    fn behind(&self, id: EventId) -> Option<(InstrumentId, usize)> {
        let of =
            |instrument: InstrumentId, origin: SignalRef| self.bar_at(instrument, origin.bar_time);
        if let Some((_, fill)) = self.fills.iter().find(|(fill, _)| *fill == id) {
            return of(fill.instrument, fill.origin);
        }
        if let Some((_, order)) = self.orders.iter().find(|(order, _)| *order == id) {
            return of(order.instrument, order.origin);
        }
        let minute = self.lanes.iter().flat_map(|lane| &lane.minutes).find(|(at, _)| *at == id);
        if let Some((_, minute)) = minute {
            return self.bar_at(minute.instrument, minute.open_time.floor_to(QUARTER_US));
        }
        // The bar itself, or what follows from it in the same step.
        let is_before = |told: &Told| told.id.seq == id.seq && told.id.index <= id.index;
        let told = |(instrument, place): &(InstrumentId, usize)| {
            self.lanes[instrument.index()].bars[*place].clone()
        };
        let same_step = self.places().filter(|place| is_before(&told(place)));
        same_step.max_by_key(|place| told(place).id)
    }

    fn bar_at(&self, instrument: InstrumentId, time: Timestamp) -> Option<(InstrumentId, usize)> {
        let bars = &self.lanes[instrument.index()].bars;
        let place = bars.iter().position(|told| told.bar.open_time == time)?;
        Some((instrument, place))
    }

    fn name(&self, signal: &Signal) -> String {
        let key = &self.run.instruments[signal.instrument.index()].key;
        signal_id(key, &self.run.config.strategy.id, signal.origin())
    }

    /// The strategy before that bar of the instrument.
    pub fn strategy_before(&self, instrument: InstrumentId, place: usize) -> Strategy {
        let mut strategy = Strategy::new(&self.run);
        for (at, told) in self.lanes[instrument.index()].bars[..=place].iter().enumerate() {
            told.memory.iter().for_each(|one| one.happen(&mut strategy));
            if at < place {
                strategy.bar(&told.known(), told.known);
            }
        }
        strategy
    }

    /// What explaining that bar needs, and nothing else: it can be taken away and worked on.
    pub fn excerpt(&self, instrument: InstrumentId, place: usize) -> Recorded {
        let lane = self.lanes[instrument.index()].excerpt(place);
        let bar_time = lane.bars[place].bar.open_time;
        let goes_back =
            |of: InstrumentId, origin: SignalRef| of == instrument && origin.bar_time == bar_time;
        let orders = self.orders.iter().filter(|(_, it)| goes_back(it.instrument, it.origin));
        let fills = self.fills.iter().filter(|(_, it)| goes_back(it.instrument, it.origin));
        let mut excerpt = Recorded::new(&self.run);
        excerpt.lanes[instrument.index()] = lane;
        excerpt.orders = orders.copied().collect();
        excerpt.fills = fills.copied().collect();
        excerpt.watermark = self.watermark;
        excerpt
    }

    /// Explains that bar; `strategy` is the core's before it.
    pub fn explain(
        &self,
        strategy: &Strategy,
        instrument: InstrumentId,
        place: usize,
    ) -> Explained {
        let seen = self.explain_without_flip(strategy, instrument, place);
        let told = &self.lanes[instrument.index()].bars[place];
        let flip = seen.is_evaluated.then(|| self.flip(strategy, told)).flatten();
        Explained { flip, ..seen }
    }

    fn explain_without_flip(
        &self,
        strategy: &Strategy,
        instrument: InstrumentId,
        place: usize,
    ) -> Explained {
        let lane = &self.lanes[instrument.index()];
        let told = &lane.bars[place];
        let (row, decided) = strategy.clone().bar(&told.known(), told.known);
        let signal = told.signal.clone().map(|(id, signal)| (id, self.name(&signal), signal));
        let goes_back = |of: InstrumentId, origin: SignalRef| {
            let own = signal.as_ref().map(|(_, _, signal)| signal.origin());
            of == instrument && own == Some(origin)
        };
        let is_evaluated = told.seen >= first_bar(&self.run)
            && told.known > self.run.config.active_from
            && !told.is_patched;
        let orders = self.orders.iter().filter(|(_, it)| goes_back(it.instrument, it.origin));
        let fills = self.fills.iter().filter(|(_, it)| goes_back(it.instrument, it.origin));
        let now = lane.now.iter().find(|bar| bar.open_time == told.bar.open_time);
        let before = told.before.map_or(f64::NAN, Price::rupees);
        Explained {
            id: told.id,
            bar: told.bar,
            known: told.known,
            place,
            is_evaluated,
            is_patched: told.is_patched,
            revised: now.filter(|now| **now != told.bar).copied(),
            row,
            conditions: conditions(&self.run, &told.bar, before, &row),
            decision: decided,
            declined: told.declined,
            orders: orders.copied().collect(),
            fills: fills.copied().collect(),
            minutes: lane.minutes_of(told),
            flip: None,
            signal,
        }
    }

    /// Tries changes of the close from one tick on, up and down, until the decision is another. So
    /// no smaller change on the grid does it.
    fn flip(&self, strategy: &Strategy, told: &Told) -> Option<Flip> {
        let listing = &self.run.instruments[told.bar.instrument.index()];
        let tick = listing.at(told.bar.open_time.date())?.tick;
        let decide = |units: i64| {
            let bar = changed(&told.bar, units)?;
            Some(decision(strategy.clone().bar(&Known::live(&bar), told.known).1.as_ref()))
        };
        let decide_tick = |ticks: i64| decide(ticks * tick.0);
        let as_it_was = decide(0)?;
        let ticks_max = told.bar.close.0 * CHANGE_MAX_PERCENT / 100 / tick.0.max(1);
        let changes = (1..=ticks_max).flat_map(|ticks| [ticks, -ticks]);
        let ticks =
            { changes }.find(|ticks| decide_tick(*ticks).is_some_and(|it| it != as_it_was))?;
        // Between one tick less and the tick lies a first 1/10,000 rupee that does it.
        let (way, flips) =
            (ticks.signum(), |units: i64| decide(units).is_some_and(|it| it != as_it_was));
        let (mut not, mut does) = ((ticks - way).abs() * tick.0, ticks.abs() * tick.0);
        while does - not > 1 {
            let between = not + (does - not) / 2;
            *(if flips(way * between) { &mut does } else { &mut not }) = between;
        }
        Some(Flip {
            ticks,
            close: Price(told.bar.close.0 + ticks * tick.0),
            decision: decide_tick(ticks)?,
            one_less: decide_tick(ticks - way)?,
            exact: Price(way * does),
            with_99_percent: decide(way * (does * 99 / 100))?,
        })
    }
}

/// The condition of a bar without a signal that lacks a single comparison, with that comparison;
/// the one that failed by the least of its left side where there are several. `place` is the bar's
/// place among the instrument's, `before` the close of the one before it.
pub fn near_miss(
    run: &RunStarted,
    place: usize,
    before: Option<Price>,
    (bar, row): (&Bar15m, &Indicators),
) -> Option<(Condition, Comparison)> {
    if place < first_bar(run) || bar.close_time <= run.config.active_from {
        return None;
    }
    let before = before.map_or(f64::NAN, Price::rupees);
    let lacking = conditions(run, bar, before, row).into_iter().filter_map(|condition| {
        let mut failing = condition.comparisons.iter().filter(|one| !one.holds);
        let one = failing.next().filter(|one| one.margin.is_finite())?.clone();
        failing.next().is_none().then_some((condition, one))
    });
    let share = |one: &Comparison| (one.margin / one.left).abs();
    lacking.min_by(|(_, a), (_, b)| share(a).total_cmp(&share(b)))
}

/// The bar with another close; high and low give way where it lies beyond them.
fn changed(bar: &Bar15m, by: i64) -> Option<Bar15m> {
    let close = Price(bar.close.0 + by);
    let (high, low) = (bar.high.max(close), bar.low.min(close));
    (close.0 > 0).then_some(Bar15m { close, high, low, ..*bar })
}

fn decision(signal: Option<&Signal>) -> Option<(Side, SignalKind)> {
    signal.map(|signal| (signal.side, signal.kind))
}

/// The first bar whose conditions are asked.
fn first_bar(run: &RunStarted) -> usize {
    use crate::domain::config::{COMPAT_LIVE_BARS_MIN, Profile};
    let first = match run.config.strategy.profile {
        Profile::Causal => run.config.strategy.first_bar,
        Profile::CompatLive => COMPAT_LIVE_BARS_MIN - 1,
    };
    first as usize
}
