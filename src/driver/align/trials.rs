//! The changes that are tried on a difference, always in the same order, and whether one removes
//! it. The first that does is the witness.
//!
//! What is wrong with a row by itself comes first: a second event on its bar, another key, a
//! neighbouring bar, no such bar. Then, if live has five signals or more beyond the golden's rows,
//! where the golden begins and ends. Where the live path with execution repeats the golden best,
//! positions and cooldown are next. Then one setting, if it removes a good part of all differences,
//! and the choices of the rule: later bars, the swing rule, the window, rounded levels; those first
//! that remove most. Then the first bar, an unfinished bar, positions and cooldown, and where the
//! golden begins and ends after all. A change to the rule counts only if the rule is asked again
//! with it and then says what the golden has.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::backtest::python::variant::{Swings, Variant};
use crate::domain::config::{COMPAT_LIVE_WINDOW, Profile};
use crate::domain::fact::Signal;
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Cash, Price};
use crate::domain::time::Timestamp;
use crate::golden::align::class::{Change, Class, Explained};
use crate::golden::align::{Alignment, Difference, Given, What};

use super::Origin;
use super::ground::Ground;

/// His lifetime limit of fills.
const FILLS_MAX: u32 = 100;
/// The finest grid of prices, to which somebody may round levels.
const TICK: i64 = 500;
/// Sessions at which a golden's history is tried to begin.
const STARTS_MAX: usize = 20;
/// Signals of live beyond the golden's rows with which it is no accident that there are none.
const CUT_MIN: usize = 5;
/// A setting explains something only if it removes this many differences and one in four.
const SETTING_GAIN_MIN: usize = 3;

/// Values that settings are tried with.
const SETTINGS: [(&str, &[f64]); 4] = [
    ("strategy.reversion_k", &[1.0, 1.5, 2.0, 2.5, 3.0]),
    ("strategy.adx_gate", &[15.0, 20.0, 25.0, 30.0, 35.0]),
    ("strategy.swing_period", &[3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0]),
    ("strategy.risk_per_trade", &[100.0, 200.0, 250.0, 500.0, 750.0, 1_000.0, 2_000.0, 5_000.0]),
];

/// A change, and the class of what it removes.
type Trial = (Class, Change);

/// A golden, live, and the ground that both stand on.
pub struct Trials<'a> {
    ground: &'a Ground,
    base: Variant,
    origin: Origin,
    golden: &'a [Given],
    live: &'a [Signal],
    stops: OnceCell<Vec<Option<Timestamp>>>,
}

impl<'a> Trials<'a> {
    /// Trials of `golden`, which `origin` repeats best, against `live`, the signals of `profile`.
    pub fn new(
        ground: &'a Ground,
        (profile, origin): (Profile, Origin),
        golden: &'a [Given],
        live: &'a [Signal],
    ) -> Trials<'a> {
        let base = ground.variant(profile);
        Trials { ground, base, origin, golden, live, stops: OnceCell::new() }
    }

    /// Every difference with its class and the change that removes it.
    pub fn explain(&self, alignment: &Alignment) -> Vec<Explained> {
        let setting = self.best_setting(alignment);
        let likely: Vec<Trial> = setting
            .map(|change| (Class::Configuration, change))
            .into_iter()
            .chain(self.ranked(alignment))
            .collect();
        let explain = |difference: &Difference| {
            let mut trials = self.of(difference, &likely).into_iter();
            let found = trials.find(|(_, change)| self.removes(change, difference));
            let (class, witness) = match found {
                Some((class, change)) => (class, Some(change)),
                None => (Class::Unexplained, None),
            };
            Explained { difference: difference.clone(), class, witness }
        };
        alignment.differences.iter().map(explain).collect()
    }

    /// The choices of the rule that may be others, those first that remove most of all differences:
    /// one cause of many is likelier than as many accidents.
    fn ranked(&self, alignment: &Alignment) -> Vec<Trial> {
        let period = self.base.config.strategy.swing_period as usize;
        let is_whole = matches!(self.base.swings, Swings::Whole { .. });
        let window = match self.base.window_bars {
            None => Some(COMPAT_LIVE_WINDOW),
            Some(_) => None,
        };
        let mut groups: Vec<Vec<Trial>> = vec![
            (1..=period).map(|bars| (Class::LookAhead, Change::ShowBars(bars))).collect(),
            vec![(Class::SwingRule, Change::TruncateSwings(is_whole))],
            vec![(Class::WindowLength, Change::Window(window))],
            vec![(Class::Sizing, Change::RoundLevels(TICK))],
        ];
        groups.sort_by_cached_key(|group| {
            let is_gone = |one: &&Difference| group.iter().any(|(_, it)| self.removes(it, one));
            Reverse(alignment.differences.iter().filter(is_gone).count())
        });
        groups.concat()
    }

    /// Where the golden may begin and end: what explains that it has nothing there.
    fn edges(&self, instrument: InstrumentId) -> (Vec<Trial>, Vec<Trial>) {
        let rows = self.golden.iter().filter(|given| given.instrument == instrument);
        let times = rows.map(|given| given.bar_time);
        let starts = self.starts(instrument).into_iter();
        let mut before: Vec<Trial> =
            starts.map(|time| (Class::WarmUp, Change::HistoryFrom(time))).collect();
        before.extend(times.clone().min().map(|first| (Class::Coverage, Change::BeginAt(first))));
        let mut after = vec![(Class::Limits, Change::LimitFills(FILLS_MAX))];
        after.extend(times.max().map(|last| (Class::Coverage, Change::EndAt(last))));
        (before, after)
    }

    /// Whether live has so many signals of the instrument before the golden's first row, or after
    /// its last, that it is no accident that the golden has none of them.
    fn is_cut(&self, instrument: InstrumentId) -> (bool, bool) {
        let rows = self.golden.iter().filter(|given| given.instrument == instrument);
        let times = rows.map(|given| given.bar_time);
        let (first, last) = (times.clone().min(), times.max());
        let live = self.live.iter().filter(|signal| signal.instrument == instrument);
        let before = live.clone().filter(|signal| Some(signal.bar_time) < first).count();
        let after = live.filter(|signal| last.is_some_and(|last| signal.bar_time > last)).count();
        (before >= CUT_MIN, after >= CUT_MIN)
    }

    /// Makes a witness's change once more, and says whether the difference is gone.
    pub fn vanishes(&self, explained: &Explained) -> bool {
        let change = explained.witness.as_ref();
        change.is_some_and(|change| self.removes(change, &explained.difference))
    }

    /// The trials of one difference, in their order.
    fn of(&self, difference: &Difference, likely: &[Trial]) -> Vec<Trial> {
        let instrument = difference.instrument;
        let mut trials = vec![(Class::SecondEvent, Change::FirstOfBar)];
        let others = self.ground.run.instruments.iter();
        trials.extend(others.map(|other| (Class::Instrument, Change::OtherKey(other.key.clone()))));
        trials.extend([-1, 1].map(|bars| (Class::Label, Change::MoveBars(bars))));
        let is_open = self.is_open(instrument, difference.bar_time);
        let no_bar = if is_open { Class::DataGap } else { Class::Calendar };
        trials.push((no_bar, Change::LeaveOut));
        let ((before, after), is_cut) = (self.edges(instrument), self.is_cut(instrument));
        trials.extend(before.iter().filter(|_| is_cut.0).cloned());
        trials.extend(after.iter().filter(|_| is_cut.1).cloned());
        let execute = (Class::Cooldown, Change::Execute);
        if self.origin == Origin::CompatLiveTraded {
            trials.push(execute.clone());
        }
        trials.extend(likely.iter().cloned());
        let first = if self.base.first_index == 50 { 49 } else { 50 };
        trials.push((Class::WarmUp, Change::FirstIndex(first)));
        trials.extend((1..15).map(|minutes| (Class::PartialBar, Change::CutBar(minutes))));
        trials.push(execute);
        trials.extend(before);
        trials.extend(after);
        trials
    }

    /// Whether golden and live agree about this once the change is made.
    fn removes(&self, change: &Change, difference: &Difference) -> bool {
        let Difference { instrument, bar_time, what } = difference;
        let place = self.ground.place(*instrument, *bar_time);
        match (change, what) {
            (Change::FirstOfBar, What::GoldenOnly(given)) => {
                self.here(*instrument, *bar_time).next().is_some_and(|first| first != given)
            }
            (Change::LeaveOut, What::GoldenOnly(_)) => place.is_none(),
            (Change::OtherKey(key), what) => self.is_of_other(key, what),
            (Change::MoveBars(bars), what) => self.is_neighbour(*bars, what),
            (Change::RoundLevels(units), What::Value { golden, live, .. }) => {
                is_same_rounded(golden, live, *units)
            }
            (Change::Execute, What::LiveOnly(signal)) => {
                let traded = self.ground.run_of(Origin::CompatLiveTraded);
                self.base.window_bars.is_some() && !traded.iter().any(|one| is_same(one, signal))
            }
            (Change::LimitFills(fills), What::LiveOnly(signal)) => {
                let stops = self.stops.get_or_init(|| self.ground.stops_after(*fills));
                let last = self.golden.iter().filter(|given| given.instrument == *instrument);
                let last = last.map(|given| given.bar_time).max();
                stops[instrument.index()].is_some_and(|stop| signal.time >= stop)
                    && last.is_some_and(|last| last < signal.bar_time)
            }
            // Of fourteen bars one is often silent by accident; a row with its price is none.
            (Change::CutBar(_), What::LiveOnly(_)) => false,
            (Change::BeginAt(first), What::LiveOnly(_)) => bar_time < first,
            (Change::EndAt(last), What::LiveOnly(_)) => bar_time > last,
            _ => place.is_some_and(|place| self.says_the_golden(change, difference, place)),
        }
    }

    /// Whether live, asked again with a change to its rule, says of the bar what the golden has.
    fn says_the_golden(&self, change: &Change, difference: &Difference, place: usize) -> bool {
        let Some(said) = self.asked_again(change, difference.instrument, place) else {
            return false;
        };
        let golden = self.here(difference.instrument, difference.bar_time).next();
        match (golden, said.first()) {
            (None, None) => true,
            (Some(given), Some(signal)) => {
                let apart = given.columns_apart(signal);
                let matters = match difference.what {
                    What::Value { .. } => !apart.is_empty(),
                    _ => apart.contains(&"price"),
                };
                given.is_like(signal) && !matters
            }
            _ => false,
        }
    }

    /// What the changed rule says of a bar; none for a change that is not about the rule.
    fn asked_again(
        &self,
        change: &Change,
        instrument: InstrumentId,
        place: usize,
    ) -> Option<Vec<Signal>> {
        let bars = &self.ground.bars[instrument.index()];
        let ask = |variant: &Variant| Some(variant.at(bars, place).in_hindsight());
        let base = &self.base;
        match *change {
            Change::ShowBars(ahead) => {
                let swings = match base.swings {
                    Swings::Whole { .. } => Swings::Whole { ahead },
                    Swings::Truncated { .. } => Swings::Truncated { ahead },
                };
                ask(&Variant { swings, ..base.clone() })
            }
            Change::TruncateSwings(is_truncated) => {
                let swings = match is_truncated {
                    true => Swings::Truncated { ahead: 0 },
                    false => Swings::Whole { ahead: 0 },
                };
                ask(&Variant { swings, ..base.clone() })
            }
            Change::Window(window_bars) => ask(&Variant { window_bars, ..base.clone() }),
            Change::FirstIndex(first_index) => ask(&Variant { first_index, ..base.clone() }),
            Change::Set(name, value) => ask(&with_setting(base, name, value)),
            Change::HistoryFrom(time) => {
                let start = bars.partition_point(|bar| bar.open_time < time);
                let later = place.checked_sub(start)?;
                Some(base.at(&bars[start..], later).in_hindsight())
            }
            Change::CutBar(minutes) => {
                let mut seen = bars[..=place].to_vec();
                seen[place] = self.ground.cut(instrument, place, minutes)?;
                Some(base.at(&seen, place).in_hindsight())
            }
            _ => None,
        }
    }

    /// The golden's rows of one bar, in the order of its file.
    fn here(&self, instrument: InstrumentId, time: Timestamp) -> impl Iterator<Item = &Given> {
        let is_here =
            move |given: &&Given| given.instrument == instrument && given.bar_time == time;
        self.golden.iter().filter(is_here)
    }

    fn is_open(&self, instrument: InstrumentId, time: Timestamp) -> bool {
        let run = &self.ground.run;
        let instrument = &run.instruments[instrument.index()];
        let windows = run.sessions.iter().flat_map(|session| session.windows_of(instrument));
        let width = i64::from(run.config.strategy.bar_minutes);
        windows
            .into_iter()
            .any(|window| window.open < time.plus_minutes(width) && time < window.close)
    }

    /// Whether the other key has the other half of this difference, price included.
    fn is_of_other(&self, key: &str, what: &What) -> bool {
        let instruments = &self.ground.run.instruments;
        let is_key = |id: InstrumentId| instruments[id.index()].key == key;
        match what {
            What::GoldenOnly(given) => self.live.iter().any(|signal| {
                is_key(signal.instrument)
                    && signal.instrument != given.instrument
                    && signal.bar_time == given.bar_time
                    && is_pair(given, signal)
            }),
            What::LiveOnly(signal) => self.golden.iter().any(|given| {
                is_key(given.instrument)
                    && signal.instrument != given.instrument
                    && signal.bar_time == given.bar_time
                    && is_pair(given, signal)
            }),
            What::Value { .. } => false,
        }
    }

    /// Whether the other half of this difference lies that many bars away.
    fn is_neighbour(&self, bars: i64, what: &What) -> bool {
        match what {
            What::GoldenOnly(given) => {
                let there = self.neighbours(given.instrument, given.bar_time, bars);
                self.live.iter().any(|signal| {
                    signal.instrument == given.instrument
                        && there.contains(&Some(signal.bar_time))
                        && is_pair(given, signal)
                        && self.here(signal.instrument, signal.bar_time).next().is_none()
                })
            }
            What::LiveOnly(signal) => {
                let there = self.neighbours(signal.instrument, signal.bar_time, -bars);
                there.into_iter().flatten().any(|there| {
                    self.here(signal.instrument, there).any(|given| is_pair(given, signal))
                })
            }
            What::Value { .. } => false,
        }
    }

    /// Where a row is that lies that many bars from a time: by the clock, which may be no bar, and
    /// by the bars that there are.
    fn neighbours(&self, id: InstrumentId, time: Timestamp, bars: i64) -> [Option<Timestamp>; 2] {
        let width = i64::from(self.base.config.strategy.bar_minutes);
        let place = self.ground.place(id, time);
        let place = place.and_then(|place| place.checked_add_signed(bars as isize));
        let by_bars = place.and_then(|place| self.ground.bars[id.index()].get(place));
        [Some(time.plus_minutes(bars * width)), by_bars.map(|bar| bar.open_time)]
    }

    /// Starts of sessions at which the golden's history may have begun: all its rows come after as
    /// many bars as its rule has to see first.
    fn starts(&self, instrument: InstrumentId) -> Vec<Timestamp> {
        let rows = self.golden.iter().filter(|given| given.instrument == instrument);
        let first = rows.filter_map(|given| self.ground.place(instrument, given.bar_time)).min();
        let bars = &self.ground.bars[instrument.index()];
        let is_start = |place: &usize| {
            *place > 0 && bars[*place].open_time.date() != bars[*place - 1].open_time.date()
        };
        let latest = first.and_then(|first| first.checked_sub(self.base.first_index));
        let places = (0..=latest.unwrap_or(0)).rev().filter(is_start).take(STARTS_MAX);
        places.map(|place| bars[place].open_time).collect()
    }

    /// The setting whose other value removes most differences, if it removes a good part of them.
    fn best_setting(&self, alignment: &Alignment) -> Option<Change> {
        let now = alignment.differences.len();
        if now < SETTING_GAIN_MIN {
            return None;
        }
        let all = SETTINGS.iter().flat_map(|(name, values)| values.iter().map(|&v| (*name, v)));
        let best = all.min_by_key(|(name, value)| {
            let signals = self.where_it_matters(&with_setting(&self.base, name, *value));
            Alignment::of(self.golden, &signals).differences.len()
        });
        let (name, value) = best?;
        let everywhere = self.ground.first_of_bars(&with_setting(&self.base, name, value));
        let left = Alignment::of(self.golden, &everywhere).differences.len();
        let gain = now.saturating_sub(left);
        (gain >= SETTING_GAIN_MIN && gain * 4 >= now).then_some(Change::Set(name, value))
    }

    /// What a rule says, of the bars of the golden's and live's signals alone where it is made anew
    /// from a window at every bar and asking everywhere would take long.
    fn where_it_matters(&self, variant: &Variant) -> Vec<Signal> {
        if variant.window_bars.is_none() {
            return self.ground.first_of_bars(variant);
        }
        let golden = self.golden.iter().map(|given| (given.instrument, given.bar_time));
        let live = self.live.iter().map(|signal| (signal.instrument, signal.bar_time));
        let places: BTreeSet<(InstrumentId, Timestamp)> = golden.chain(live).collect();
        let ask = |(instrument, time): (InstrumentId, Timestamp)| {
            let place = self.ground.place(instrument, time)?;
            let bars = &self.ground.bars[instrument.index()];
            variant.at(bars, place).in_hindsight().into_iter().next()
        };
        places.into_iter().filter_map(ask).collect()
    }
}

/// The same rule with another value of one setting.
fn with_setting(base: &Variant, name: &str, value: f64) -> Variant {
    let mut changed = base.clone();
    let strategy = &mut changed.config.strategy;
    match name {
        "strategy.reversion_k" => strategy.reversion_k = value,
        "strategy.adx_gate" => strategy.adx_gate = value,
        "strategy.swing_period" => strategy.swing_period = value as u32,
        "strategy.risk_per_trade" => strategy.risk_per_trade = Cash::from_rupees(value as i64),
        other => unreachable!("{other} is none of the settings that are tried"),
    }
    changed
}

fn is_same(one: &Signal, other: &Signal) -> bool {
    one.instrument == other.instrument && one.origin() == other.origin()
}

/// Whether they are one signal but for where they stand; without a price nobody can tell.
fn is_pair(given: &Given, signal: &Signal) -> bool {
    given.is_like(signal) && given.price == Some(signal.price)
}

/// Whether the levels are equal once live's are rounded to `units`, and all else is equal as it is.
fn is_same_rounded(given: &Given, live: &Signal, units: i64) -> bool {
    let rounded = |price: Price| Price((price.0 + units / 2).div_euclid(units) * units);
    let rounded = Signal { stop: rounded(live.stop), target: rounded(live.target), ..live.clone() };
    given.columns_apart(&rounded).is_empty()
}
