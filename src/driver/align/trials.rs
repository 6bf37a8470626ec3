//! The changes that are tried on a difference, always in the same order. The first that removes it
//! is the witness.
//!
//! What is wrong with a row by itself comes first: a second event on its bar, another key, another
//! scale, a neighbouring bar, no such bar. Then the parts in which live's minutes and settings
//! differ from the golden's, where both are known. Then, if live has five signals or more beyond
//! the golden's rows, where the golden begins and ends, unless one of the next leaves nothing to
//! explain. Then what would change many signals: what live enters of its signals, a limit by day,
//! one setting, and the choices of the rule (later bars, the swing rule, the window, rounding).
//! Then the first bar, an unfinished or revised bar, and where the golden begins and ends after
//! all.
//!
//! A change that would show everywhere must be seen everywhere: it is tried only if with it golden
//! and live have fewer differences in all than without. So a row that somebody took out is not laid
//! to a rule that would have silenced it. Of several such changes the one that leaves least comes
//! first. A change to the rule counts only if the rule is asked again with it and then says what
//! the golden has.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use crate::backtest::python::variant::{Swings, Variant};
use crate::domain::config::{COMPAT_LIVE_WINDOW, Profile};
use crate::domain::fact::{RejectReason, Signal};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::Price;
use crate::domain::time::Timestamp;
use crate::golden::align::class::{Change, Class, Explained, Piece};
use crate::golden::align::{Alignment, Difference, Given, What};

use super::Origin;
use super::ask::with_setting;
use super::ground::Ground;
use super::pieces::{self, OtherSymbols};
use super::world::World;

/// His lifetime limit of fills.
const FILLS_MAX: u32 = 100;
/// Grids to which somebody may round levels, in 1/10,000 rupee.
const GRIDS: [i64; 4] = [500, 1_000, 5_000, 10_000];
/// Lots to which somebody may round quantities.
const LOTS: [i64; 5] = [5, 10, 25, 50, 100];
/// Windows that are tried, in bars.
const WINDOWS: [usize; 8] = [50, 60, 75, COMPAT_LIVE_WINDOW, 120, 150, 200, 250];
/// Sessions at which a golden's history is tried to begin.
const STARTS_MAX: usize = 20;
/// Signals of live beyond the golden's rows with which it is no accident that there are none.
const CUT_MIN: usize = 5;
/// Revised closes that are tried on one difference, the nearest first.
const REVISIONS_MAX: usize = 3;
/// A setting explains something only if it removes this many differences and one in four.
const SETTING_GAIN_MIN: usize = 3;

/// Values that settings are tried with.
const SETTINGS: [(&str, Class, &[f64]); 4] = [
    ("strategy.reversion_k", Class::Configuration, &[1.0, 1.5, 2.0, 2.5, 3.0]),
    ("strategy.adx_gate", Class::Configuration, &[15.0, 20.0, 25.0, 30.0, 35.0]),
    ("strategy.swing_period", Class::Configuration, &[3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0]),
    (
        "strategy.risk_per_trade",
        Class::Sizing,
        &[100.0, 200.0, 250.0, 500.0, 750.0, 1_000.0, 2_000.0, 5_000.0],
    ),
];

/// A change, and the class of what it removes.
pub(super) type Trial = (Class, Change);

/// What live said, and how its world differs from the golden's.
pub struct Lived<'a> {
    /// The rules of live.
    pub profile: Profile,
    /// Its signals, by instrument and bar.
    pub signals: &'a [Signal],
    /// Parts of the golden's world that live has not, and what live says with each.
    pub pieces: Vec<(Class, Piece, Vec<Signal>)>,
}

impl<'a> Lived<'a> {
    /// The signals of a rule over the golden's own history.
    pub fn of_rule(ground: &'a Ground, profile: Profile) -> Lived<'a> {
        Lived { profile, signals: ground.live(profile), pieces: Vec::new() }
    }

    /// The signals of a run that was recorded, while the golden is about the world `golden`.
    ///
    /// # Errors
    /// When the two have other symbols.
    pub fn of_run(
        golden: &World,
        live: &World,
        signals: &'a [Signal],
    ) -> Result<Lived<'a>, OtherSymbols> {
        let again = live.ask().signals;
        let in_time = (again != signals).then_some((Class::DataGap, Piece::InTime, again));
        let apart = pieces::between(golden, live)?.into_iter().map(|(class, piece)| {
            let said = pieces::taken(golden, live, &piece).ask().signals;
            (class, piece, said)
        });
        let pieces = in_time.into_iter().chain(apart).collect();
        Ok(Lived { profile: live.run.config.strategy.profile, signals, pieces })
    }
}

/// A golden, live, and the ground that both stand on.
pub struct Trials<'a> {
    pub(super) ground: &'a Ground,
    pub(super) base: Variant,
    pub(super) golden: &'a [Given],
    pub(super) live: &'a [Signal],
    pub(super) pieces: &'a [(Class, Piece, Vec<Signal>)],
    pub(super) stops: OnceCell<Vec<Option<Timestamp>>>,
    beginnings: Vec<OnceCell<Vec<Trial>>>,
}

impl<'a> Trials<'a> {
    /// Trials of `golden` against what was lived on `ground`.
    pub fn new(ground: &'a Ground, lived: &'a Lived<'a>, golden: &'a [Given]) -> Trials<'a> {
        Trials {
            ground,
            base: ground.variant(lived.profile),
            golden,
            live: lived.signals,
            pieces: &lived.pieces,
            stops: OnceCell::new(),
            beginnings: ground.bars.iter().map(|_| OnceCell::new()).collect(),
        }
    }

    /// Every difference with its class and the change that removes it.
    pub fn explain(&self, alignment: &Alignment) -> Vec<Explained> {
        let (likely, left) = self.likely(alignment);
        let explain = |difference: &Difference| {
            let mut trials = self.of(difference, &likely, left == 0).into_iter();
            let found = trials.find(|(_, change)| self.removes(change, difference));
            let (class, witness) = match found {
                Some((class, change)) => (self.class_at(class, difference), Some(change)),
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

    /// What live did not enter it did not enter for a reason of its own.
    fn class_at(&self, class: Class, difference: &Difference) -> Class {
        let What::LiveOnly(signal) = &difference.what else { return class };
        let is_own = class == Class::Cooldown && self.traded() == Origin::CausalTraded;
        match self.ground.declined(signal).filter(|_| is_own) {
            Some(RejectReason::PositionOpen | RejectReason::Cooldown) | None => class,
            Some(RejectReason::IncompleteBar) => Class::PartialBar,
            Some(_) => Class::Limits,
        }
    }

    /// Changes that would show everywhere and do: those first that leave least, and how many
    /// differences the first leaves.
    fn likely(&self, alignment: &Alignment) -> (Vec<Trial>, usize) {
        let now = alignment.differences.len();
        let period = self.base.config.strategy.swing_period as usize;
        let is_whole = matches!(self.base.swings, Swings::Whole { .. });
        let ahead: Vec<Change> = (1..=period).map(Change::ShowBars).collect();
        let day_max = self.signals_of_a_day();
        let mut groups: Vec<(Class, Vec<Change>)> = vec![
            (Class::Cooldown, vec![Change::Execute]),
            (Class::Limits, vec![Change::CapDay(day_max)]),
            (Class::LookAhead, ahead),
            (Class::SwingRule, vec![Change::TruncateSwings(is_whole)]),
        ];
        let windows = [None].into_iter().chain(WINDOWS.map(Some));
        let windows = windows.filter(|window| *window != self.base.window_bars);
        groups.extend(windows.map(|bars| (Class::WindowLength, vec![Change::Window(bars)])));
        groups.extend(GRIDS.map(|units| (Class::Sizing, vec![Change::RoundLevels(units)])));
        groups.extend(LOTS.map(|lot| (Class::Sizing, vec![Change::RoundShares(lot)])));
        let left = |changes: &[Change]| {
            changes.iter().map(|change| self.left_with(change, alignment)).min().unwrap_or(now)
        };
        let mut found: Vec<(usize, Class, Vec<Change>)> =
            groups.into_iter().map(|(class, changes)| (left(&changes), class, changes)).collect();
        found.retain(|(left, ..)| *left < now);
        found.extend(self.best_setting(now));
        found.sort_by_key(|(left, ..)| *left);
        let least = found.first().map_or(now, |(left, ..)| *left);
        let one = |(_, class, changes): (usize, Class, Vec<Change>)| {
            changes.into_iter().map(move |change| (class, change))
        };
        (found.into_iter().flat_map(one).collect(), least)
    }

    /// How many differences there are in all once a change is made.
    fn left_with(&self, change: &Change, alignment: &Alignment) -> usize {
        let left = |signals: &[Signal]| Alignment::of(self.golden, signals).differences.len();
        match change {
            Change::Execute => left(self.ground.run_of(self.traded())),
            Change::CapDay(count) => left(&self.capped(*count)),
            Change::RoundLevels(_) | Change::RoundShares(_) => {
                let stays = |one: &&Difference| !self.removes(change, one);
                alignment.differences.iter().filter(stays).count()
            }
            change => match self.changed_rule(change) {
                Some(variant) => left(&self.where_it_matters(&variant)),
                None => alignment.differences.len(),
            },
        }
    }

    /// The run that trades the signals of live.
    pub(super) fn traded(&self) -> Origin {
        match self.base.window_bars {
            Some(_) => Origin::CompatLiveTraded,
            None => Origin::CausalTraded,
        }
    }

    /// Where the golden may begin and end: what explains that it has nothing there.
    fn edges(&self, instrument: InstrumentId) -> (Vec<Trial>, Vec<Trial>) {
        let rows = self.golden.iter().filter(|given| given.instrument == instrument);
        let mut after = vec![(Class::Limits, Change::LimitFills(FILLS_MAX))];
        let last = rows.map(|given| given.bar_time).max();
        after.extend(last.map(|last| (Class::Coverage, Change::EndAt(last))));
        let before = &self.beginnings[instrument.index()];
        (before.get_or_init(|| self.beginnings_of(instrument)).clone(), after)
    }

    /// The golden's history may begin later, or its rows alone: first what leaves least differences
    /// of the instrument. A history that begins later shows in the first rows after it too.
    fn beginnings_of(&self, instrument: InstrumentId) -> Vec<Trial> {
        let of = |given: &&Given| given.instrument == instrument;
        let golden: Vec<Given> = self.golden.iter().filter(of).cloned().collect();
        let live: Vec<Signal> =
            self.live.iter().filter(|signal| signal.instrument == instrument).cloned().collect();
        let Some(first) = golden.first().map(|given| given.bar_time) else { return Vec::new() };
        let left = |signals: &[Signal]| Alignment::of(&golden, signals).differences.len();
        let now = left(&live);
        let starts = self.starts(instrument).into_iter();
        let later = live.partition_point(|signal| signal.bar_time < first);
        // Where both leave as many, no number shows that the history is another.
        let mut found = vec![(left(&live[later..]), (Class::Coverage, Change::BeginAt(first)))];
        found.extend(starts.map(|start| {
            let said = self.said_since(instrument, start, &golden, &live);
            (left(&said), (Class::WarmUp, Change::HistoryFrom(start)))
        }));
        found.retain(|(left, _)| *left < now);
        found.sort_by_key(|(left, _)| *left);
        found.into_iter().map(|(_, trial)| trial).collect()
    }

    /// What live says of the bars of these rows if its history begins at `start`.
    fn said_since(
        &self,
        instrument: InstrumentId,
        start: Timestamp,
        golden: &[Given],
        live: &[Signal],
    ) -> Vec<Signal> {
        let bars = &self.ground.bars[instrument.index()];
        let bars = &bars[bars.partition_point(|bar| bar.open_time < start)..];
        if self.base.window_bars.is_none() {
            let all = self.base.all(bars).in_hindsight();
            return all.into_iter().filter_map(|events| events.into_iter().next()).collect();
        }
        let times = golden.iter().map(|given| given.bar_time);
        let times: BTreeSet<Timestamp> =
            times.chain(live.iter().map(|signal| signal.bar_time)).collect();
        let ask = |time: Timestamp| {
            let place = bars.binary_search_by_key(&time, |bar| bar.open_time).ok()?;
            self.base.at(bars, place).in_hindsight().into_iter().next()
        };
        times.into_iter().filter_map(ask).collect()
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

    /// The trials of one difference, in their order. A likely change that `explains_all` comes
    /// before the golden's ends.
    fn of(&self, difference: &Difference, likely: &[Trial], explains_all: bool) -> Vec<Trial> {
        let instrument = difference.instrument;
        let mut trials = vec![(Class::SecondEvent, Change::FirstOfBar)];
        let others = self.ground.run.instruments.iter();
        trials.extend(others.map(|other| (Class::Instrument, Change::OtherKey(other.key.clone()))));
        trials.extend(self.scale_of(difference).map(|change| (Class::Instrument, change)));
        trials.extend([-1, 1].map(|bars| (Class::Label, Change::MoveBars(bars))));
        let is_open = self.is_open(instrument, difference.bar_time);
        let no_bar = if is_open { Class::DataGap } else { Class::Calendar };
        trials.push((no_bar, Change::LeaveOut));
        let pieces = self.pieces.iter();
        trials.extend(pieces.map(|(class, piece, _)| (*class, Change::Take(piece.clone()))));
        trials.extend(likely.iter().filter(|_| explains_all).cloned());
        let ((before, after), is_cut) = (self.edges(instrument), self.is_cut(instrument));
        trials.extend(before.iter().filter(|_| is_cut.0).cloned());
        trials.extend(after.iter().filter(|_| is_cut.1).cloned());
        trials.extend(likely.iter().cloned());
        trials
            .extend(self.is_traded_alone(instrument).then_some((Class::Cooldown, Change::Execute)));
        let first = if self.base.first_index == 50 { 49 } else { 50 };
        trials.push((Class::WarmUp, Change::FirstIndex(first)));
        trials.extend((1..15).map(|minutes| (Class::PartialBar, Change::CutBar(minutes))));
        trials.extend(self.revisions(difference));
        trials.extend(before);
        trials.extend(after);
        trials
    }

    /// Whether of one instrument, whatever there is of the others, the golden has what is left of
    /// live's signals when these are traded.
    fn is_traded_alone(&self, instrument: InstrumentId) -> bool {
        let of = |given: &&Given| given.instrument == instrument;
        let golden: Vec<Given> = self.golden.iter().filter(of).cloned().collect();
        let left = |signals: &[Signal]| {
            let of = |signal: &&Signal| signal.instrument == instrument;
            let signals: Vec<Signal> = signals.iter().filter(of).cloned().collect();
            Alignment::of(&golden, &signals).differences.len()
        };
        left(self.ground.run_of(self.traded())) < left(self.live)
    }

    /// Rows whose price is not the close of their bar, as if the bar had closed there.
    fn revisions(&self, difference: &Difference) -> Vec<Trial> {
        let Difference { instrument, bar_time, .. } = difference;
        let bars = &self.ground.bars[instrument.index()];
        let revised = |given: &Given| {
            let place = self.ground.place(*instrument, given.bar_time)?;
            given.price.filter(|price| *price != bars[place].close)
        };
        let rows = self.golden.iter().rev();
        let rows = rows.filter(|it| it.instrument == *instrument && it.bar_time <= *bar_time);
        let revised = rows.filter_map(|given| Some((given.bar_time, revised(given)?)));
        let change = |(time, price): (Timestamp, Price)| {
            (Class::DataRevision, Change::ReviseClose(time, price))
        };
        revised.take(REVISIONS_MAX).map(change).collect()
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

    /// The setting whose other value leaves least differences, if it removes a good part of `now`.
    fn best_setting(&self, now: usize) -> Option<(usize, Class, Vec<Change>)> {
        if now < SETTING_GAIN_MIN {
            return None;
        }
        let values = |(name, class, values): &(&'static str, Class, &'static [f64])| {
            let (name, class) = (*name, *class);
            values.iter().map(move |value| (name, class, *value)).collect::<Vec<_>>()
        };
        let best = SETTINGS.iter().flat_map(values).min_by_key(|(name, _, value)| {
            let signals = self.where_it_matters(&with_setting(&self.base, name, *value));
            Alignment::of(self.golden, &signals).differences.len()
        });
        let (name, class, value) = best?;
        let everywhere = self.ground.first_of_bars(&with_setting(&self.base, name, value));
        let left = Alignment::of(self.golden, &everywhere).differences.len();
        let gain = now.saturating_sub(left);
        let is_good = gain >= SETTING_GAIN_MIN && gain * 4 >= now;
        is_good.then(|| (left, class, vec![Change::Set(name, value)]))
    }

    /// What a rule says, of the bars of the golden's and live's signals alone where it is made anew
    /// at every bar and asking everywhere would take long.
    fn where_it_matters(&self, variant: &Variant) -> Vec<Signal> {
        let period = variant.config.strategy.swing_period as usize;
        let is_quick = match variant.swings {
            Swings::Whole { ahead } => ahead == 0 || ahead == period,
            Swings::Truncated { .. } => false,
        };
        if variant.window_bars.is_none() && is_quick {
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
