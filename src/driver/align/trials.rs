//! The changes that are tried on a difference, always in the same order, and whether one removes
//! it. The first that does is the witness.
//!
//! What is wrong with a row by itself comes first: a second event on its bar, no such bar, another
//! key, a neighbouring bar. Where the live path with execution repeats the golden best, positions and
//! cooldown are next. Then one setting, if it removes a good part of all differences. Then one
//! choice of the rule: later bars, the swing rule, the window, the first bar, an unfinished bar.
//! Then the account: positions and cooldown, the limit of fills. Then where the golden's history or
//! its rows begin and end. A rule's change counts only if the rule is asked again with it and then
//! says what the golden has.

use std::cell::OnceCell;

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
/// A setting explains something only if it removes this many differences and one in four.
const SETTING_GAIN_MIN: usize = 3;

/// Values that settings are tried with.
const SETTINGS: [(&str, &[f64]); 4] = [
    ("strategy.reversion_k", &[1.0, 1.5, 2.0, 2.5, 3.0]),
    ("strategy.adx_gate", &[15.0, 20.0, 25.0, 30.0, 35.0]),
    ("strategy.swing_period", &[3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0]),
    ("strategy.risk_per_trade", &[100.0, 200.0, 250.0, 500.0, 750.0, 1_000.0, 2_000.0, 5_000.0]),
];

/// A golden, live, and the ground that both stand on.
pub struct Trials<'a> {
    ground: &'a Ground,
    base: Variant,
    origin: Origin,
    golden: &'a [Given],
    live: &'a [Signal],
    traded: OnceCell<Vec<Signal>>,
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
        let (traded, stops) = (OnceCell::new(), OnceCell::new());
        Trials { ground, base, origin, golden, live, traded, stops }
    }

    /// Every difference with its class and the change that removes it.
    pub fn explain(&self, alignment: &Alignment) -> Vec<Explained> {
        let setting = self.best_setting(alignment);
        let explain = |difference: &Difference| {
            let mut trials = self.of(difference, setting.as_ref()).into_iter();
            let found = trials.find(|(_, change)| self.removes(change, difference));
            let (class, witness) = match found {
                Some((class, change)) => (class, Some(change)),
                None => (Class::Unexplained, None),
            };
            Explained { difference: difference.clone(), class, witness }
        };
        alignment.differences.iter().map(explain).collect()
    }

    /// Makes a witness's change once more, and says whether the difference is gone.
    pub fn vanishes(&self, explained: &Explained) -> bool {
        let change = explained.witness.as_ref();
        change.is_some_and(|change| self.removes(change, &explained.difference))
    }

    /// The trials of one difference, in their order.
    fn of(&self, difference: &Difference, setting: Option<&Change>) -> Vec<(Class, Change)> {
        let is_open = self.is_open(difference.instrument, difference.bar_time);
        let mut trials = vec![
            (Class::SecondEvent, Change::FirstOfBar),
            (if is_open { Class::DataGap } else { Class::Calendar }, Change::LeaveOut),
        ];
        let others = self.ground.run.instruments.iter();
        trials.extend(others.map(|other| (Class::Instrument, Change::OtherKey(other.key.clone()))));
        trials.extend([-1, 1].map(|bars| (Class::Label, Change::MoveBars(bars))));
        if self.origin == Origin::CompatLiveTraded {
            trials.push((Class::Cooldown, Change::Execute));
        }
        trials.extend(setting.map(|change| (Class::Configuration, change.clone())));
        let period = self.base.config.strategy.swing_period as usize;
        trials.extend((1..=period).map(|bars| (Class::LookAhead, Change::ShowBars(bars))));
        let is_whole = matches!(self.base.swings, Swings::Whole { .. });
        trials.push((Class::SwingRule, Change::TruncateSwings(is_whole)));
        let window = match self.base.window_bars {
            None => Some(COMPAT_LIVE_WINDOW),
            Some(_) => None,
        };
        trials.push((Class::WindowLength, Change::Window(window)));
        let first = if self.base.first_index == 50 { 49 } else { 50 };
        trials.push((Class::WarmUp, Change::FirstIndex(first)));
        trials.extend((1..15).map(|minutes| (Class::PartialBar, Change::CutBar(minutes))));
        trials.push((Class::Sizing, Change::RoundLevels(TICK)));
        trials.push((Class::Cooldown, Change::Execute));
        trials.push((Class::Limits, Change::LimitFills(FILLS_MAX)));
        let starts = self.starts(difference.instrument).into_iter();
        trials.extend(starts.map(|time| (Class::WarmUp, Change::HistoryFrom(time))));
        let mut rows = self.golden.iter().filter(|given| given.instrument == difference.instrument);
        if let Some(first) = rows.clone().map(|given| given.bar_time).min() {
            trials.push((Class::Coverage, Change::BeginAt(first)));
        }
        if let Some(last) = rows.by_ref().map(|given| given.bar_time).max() {
            trials.push((Class::Coverage, Change::EndAt(last)));
        }
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
                let traded = self.traded.get_or_init(|| self.ground.traded());
                self.base.window_bars.is_some() && !traded.iter().any(|one| is_same(one, signal))
            }
            (Change::LimitFills(fills), What::LiveOnly(signal)) => {
                let stops = self.stops.get_or_init(|| self.ground.stops_after(*fills));
                let last = self.golden.iter().filter(|given| given.instrument == *instrument);
                let last = last.map(|given| given.bar_time).max();
                stops[instrument.index()].is_some_and(|stop| signal.time > stop)
                    && last.is_some_and(|last| last < signal.bar_time)
            }
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
        let away = |instrument: InstrumentId, time: Timestamp, by: i64| {
            let place = self.ground.place(instrument, time)?.checked_add_signed(by as isize)?;
            self.ground.bars[instrument.index()].get(place).map(|bar| bar.open_time)
        };
        match what {
            What::GoldenOnly(given) => {
                let there = away(given.instrument, given.bar_time, bars);
                self.live.iter().any(|signal| {
                    signal.instrument == given.instrument
                        && Some(signal.bar_time) == there
                        && is_pair(given, signal)
                        && self.here(signal.instrument, signal.bar_time).next().is_none()
                })
            }
            What::LiveOnly(signal) => {
                let there = away(signal.instrument, signal.bar_time, -bars);
                there.is_some_and(|there| {
                    self.here(signal.instrument, there).any(|given| is_pair(given, signal))
                })
            }
            What::Value { .. } => false,
        }
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
        let count = |variant: &Variant| {
            Alignment::of(self.golden, &self.ground.first_of_bars(variant)).differences.len()
        };
        let now = alignment.differences.len();
        if now < SETTING_GAIN_MIN {
            return None;
        }
        let all = SETTINGS.iter().flat_map(|(name, values)| values.iter().map(|&v| (*name, v)));
        let best = all
            .map(|(name, value)| (count(&with_setting(&self.base, name, value)), name, value))
            .min_by_key(|(left, ..)| *left)?;
        let gain = now.saturating_sub(best.0);
        (gain >= SETTING_GAIN_MIN && gain * 4 >= now).then_some(Change::Set(best.1, best.2))
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
