//! Whether a change removes a difference: rows are moved, renamed or scaled, or the rule is asked
//! again with the change and then has to say what the golden has.

use crate::backtest::python::variant::{Swings, Variant};
use crate::domain::fact::{Bar15m, Signal};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Cash, Price, Qty};
use crate::domain::time::Timestamp;
use crate::golden::align::class::Change;
use crate::golden::align::{Alignment, Difference, Given, What};

use super::Origin;
use super::trials::Trials;

/// Largest numerator and denominator of a ratio of prices, as splits and bonuses have them.
const RATIO_MAX: i64 = 20;
/// How far a price on another scale may be off by rounding, in 1/10,000 rupee.
const SCALED_SLACK: i64 = 100;

impl Trials<'_> {
    /// Whether golden and live agree about this once the change is made.
    pub(super) fn removes(&self, change: &Change, difference: &Difference) -> bool {
        let Difference { instrument, bar_time, what } = difference;
        let place = self.ground.place(*instrument, *bar_time);
        match (change, what) {
            (Change::FirstOfBar, What::GoldenOnly(given)) => {
                self.here(*instrument, *bar_time).next().is_some_and(|first| first != given)
            }
            (Change::LeaveOut, What::GoldenOnly(_)) => {
                place.is_none() && !self.pieces_say(difference)
            }
            (Change::OtherKey(key), what) => self.is_of_other(key, what),
            (Change::MoveBars(bars), what) => self.is_neighbour(*bars, what),
            (Change::RoundLevels(_) | Change::RoundShares(_), What::Value { golden, live, .. }) => {
                is_same_rounded(golden, live, change)
            }
            (Change::Rescale(up, down), What::Value { golden, live, .. }) => {
                is_same_scaled(golden, live, *up, *down)
            }
            (Change::Execute, What::LiveOnly(signal)) => {
                let traded = self.ground.run_of(self.traded());
                !traded.iter().any(|one| is_same(one, signal))
            }
            (Change::CapDay(count), What::LiveOnly(signal)) => {
                !self.capped(*count).iter().any(|one| is_same(one, signal))
            }
            (Change::LimitFills(fills), What::LiveOnly(signal)) => {
                self.stop_of(*instrument, *fills).is_some_and(|stop| signal.time >= stop)
            }
            (Change::Take(piece), _) => {
                let mut pieces = self.pieces.iter();
                let said = pieces.find(|(_, one, _)| one == piece).map(|(.., said)| said);
                said.is_some_and(|said| self.agree_here(said, difference))
            }
            // Of fourteen bars one is often silent by accident; a row with its price is none.
            (Change::CutBar(_) | Change::ReviseClose(..), What::LiveOnly(_)) => false,
            (Change::BeginAt(first), What::LiveOnly(_)) => bar_time < first,
            (Change::EndAt(last), What::LiveOnly(_)) => bar_time > last,
            _ => place.is_some_and(|place| self.says_the_golden(change, difference, place)),
        }
    }

    /// When his batch run stops for good after so many fills, if the golden ends there: it has no
    /// row after that, and his run has no signal between its last row and that.
    fn stop_of(&self, instrument: InstrumentId, fills: u32) -> Option<Timestamp> {
        let stops = self.stops.get_or_init(|| self.ground.stops_after(fills));
        let stop = stops[instrument.index()]?;
        let rows = self.golden.iter().filter(|given| given.instrument == instrument);
        let last = rows.map(|given| given.bar_time).max()?;
        let is_between = |signal: &Signal| {
            signal.instrument == instrument && signal.bar_time > last && signal.time < stop
        };
        let ends_there =
            last < stop && !self.ground.run_of(Origin::CompatBatch).iter().any(is_between);
        ends_there.then_some(stop)
    }

    /// Whether live, with a part of the golden's world, says of the bar what the golden has.
    fn agree_here(&self, said: &[Signal], difference: &Difference) -> bool {
        let Difference { instrument, bar_time, .. } = difference;
        let golden: Vec<Given> = self.here(*instrument, *bar_time).cloned().collect();
        let is_here =
            |signal: &&Signal| (signal.instrument, signal.bar_time) == (*instrument, *bar_time);
        let said: Vec<Signal> = said.iter().filter(is_here).cloned().collect();
        !Alignment::of(&golden, &said).differences.contains(difference)
            && said.len() <= golden.len()
    }

    /// Whether live would have the row with some part of the golden's world.
    fn pieces_say(&self, difference: &Difference) -> bool {
        self.pieces.iter().any(|(.., said)| self.agree_here(said, difference))
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
                let matters = match (change, &difference.what) {
                    (Change::ReviseClose(..), _) | (_, What::Value { .. }) => !apart.is_empty(),
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
        match *change {
            Change::HistoryFrom(time) => {
                let start = bars.partition_point(|bar| bar.open_time < time);
                // Before its history begins it says nothing.
                let later = place.checked_sub(start);
                let said = later.map(|later| self.base.at(&bars[start..], later).in_hindsight());
                Some(said.unwrap_or_default())
            }
            Change::CutBar(minutes) => {
                let mut seen = bars[..=place].to_vec();
                seen[place] = self.ground.cut(instrument, place, minutes)?;
                Some(self.base.at(&seen, place).in_hindsight())
            }
            Change::ReviseClose(time, price) => {
                let revised = self.ground.place(instrument, time)?;
                let mut seen = bars[..=place].to_vec();
                let bar = seen.get_mut(revised)?;
                *bar = closing_at(bar, price);
                Some(self.base.at(&seen, place).in_hindsight())
            }
            _ => Some(self.changed_rule(change)?.at(bars, place).in_hindsight()),
        }
    }

    /// The rule with a change; none for a change that is not about the rule.
    pub(super) fn changed_rule(&self, change: &Change) -> Option<Variant> {
        let base = &self.base;
        Some(match *change {
            Change::ShowBars(ahead) => {
                let swings = match base.swings {
                    Swings::Whole { .. } => Swings::Whole { ahead },
                    Swings::Truncated { .. } => Swings::Truncated { ahead },
                };
                Variant { swings, ..base.clone() }
            }
            Change::TruncateSwings(is_truncated) => {
                let swings = match is_truncated {
                    true => Swings::Truncated { ahead: 0 },
                    false => Swings::Whole { ahead: 0 },
                };
                Variant { swings, ..base.clone() }
            }
            Change::Window(window_bars) => Variant { window_bars, ..base.clone() },
            Change::FirstIndex(first_index) => Variant { first_index, ..base.clone() },
            Change::Set(name, value) => with_setting(base, name, value),
            _ => return None,
        })
    }

    /// Live's signals if it makes no more than so many a day, over all symbols.
    pub(super) fn capped(&self, count: usize) -> Vec<Signal> {
        let mut signals = self.live.to_vec();
        signals.sort_by_key(|signal| (signal.time, signal.instrument));
        let days = signals.chunk_by(|one, next| one.time.date() == next.time.date());
        days.flat_map(|day| day.iter().take(count)).cloned().collect()
    }

    /// The most rows that the golden has on one day.
    pub(super) fn signals_of_a_day(&self) -> usize {
        let mut days: Vec<_> = self.golden.iter().map(|given| given.bar_time.date()).collect();
        days.sort_unstable();
        days.chunk_by(|one, next| one == next).map(<[_]>::len).max().unwrap_or(0)
    }

    /// The golden's rows of one bar, in the order of its file.
    fn here(&self, instrument: InstrumentId, time: Timestamp) -> impl Iterator<Item = &Given> {
        let is_here =
            move |given: &&Given| given.instrument == instrument && given.bar_time == time;
        self.golden.iter().filter(is_here)
    }

    pub(super) fn is_open(&self, instrument: InstrumentId, time: Timestamp) -> bool {
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

    /// The ratio of small numbers that a row's price has to live's, if it is one.
    pub(super) fn scale_of(&self, difference: &Difference) -> Option<Change> {
        let What::Value { golden, live, .. } = &difference.what else { return None };
        let price = golden.price?;
        let ratios = (1..=RATIO_MAX).flat_map(|up| (1..=RATIO_MAX).map(move |down| (up, down)));
        let mut fitting =
            ratios.filter(|(up, down)| up != down && is_scaled(price, live.price, *up, *down));
        fitting.next().map(|(up, down)| Change::Rescale(up, down))
    }
}

/// The same rule with another value of one setting.
pub(super) fn with_setting(base: &Variant, name: &str, value: f64) -> Variant {
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

/// The bar as if its last price had been another.
fn closing_at(bar: &Bar15m, close: Price) -> Bar15m {
    Bar15m { close, high: bar.high.max(close), low: bar.low.min(close), ..*bar }
}

/// Whether all is equal once live's levels or shares are rounded.
fn is_same_rounded(given: &Given, live: &Signal, change: &Change) -> bool {
    let rounded = match *change {
        Change::RoundLevels(units) => {
            let to = |price: Price| Price((price.0 + units / 2).div_euclid(units) * units);
            Signal { stop: to(live.stop), target: to(live.target), ..live.clone() }
        }
        Change::RoundShares(lot) => {
            Signal { quantity: Qty(live.quantity.0 / lot * lot), ..live.clone() }
        }
        _ => return false,
    };
    given.columns_apart(&rounded).is_empty()
}

/// Whether a price is `up / down` times another, but for rounding.
fn is_scaled(price: Price, of: Price, up: i64, down: i64) -> bool {
    (price.0 * down - of.0 * up).abs() <= SCALED_SLACK * down.max(up)
}

/// Whether all that the row has is live's on another scale.
fn is_same_scaled(given: &Given, live: &Signal, up: i64, down: i64) -> bool {
    let fits = |ours: Option<Price>, theirs: Price| {
        ours.is_none_or(|ours| is_scaled(ours, theirs, up, down))
    };
    let shares = given.quantity.is_none_or(|shares| {
        let scaled = live.quantity.0 * down / up;
        // The rule rounds a quantity of its own down, a file may have ours.
        shares == live.quantity || (shares.0 - scaled).abs() <= 1 + down / up
    });
    fits(given.price, live.price)
        && fits(given.stop, live.stop)
        && fits(given.target, live.target)
        && shares
}
