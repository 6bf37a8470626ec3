//! Where two histories of one instrument part, minute by minute, and what that looks like: another
//! company, another scale, times that name the other end, volumes of another feed, minutes that are
//! missing or were revised. Only what both were told is judged, nothing that came of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::fact::Bar;
use crate::domain::time::{Date, MINUTE_US, Timestamp};
use crate::golden::align::class::{Class, Piece};

use super::world::place;

/// Minutes of a day without which its kind cannot be told.
const DAY_MINUTES_MIN: usize = 30;
/// Farthest that times are tried to be moved, in minutes.
const SHIFT_MAX: i64 = 15;
/// How far a ratio of prices may stray from its middle, and how far that must be from 1 to be
/// another scale.
const RATIO_SPREAD: f64 = 0.002;
const RATIO_MIN: f64 = 0.01;
/// Width of a strategy bar.
const QUARTER_US: i64 = 15 * MINUTE_US;

/// What a whole day of one instrument looks like beside the other history's.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// The day of another instrument: its place.
    Other(usize),
    /// Prices on another scale, in thousandths.
    Scaled(i64),
    /// Minutes that stand so many minutes from where they should.
    Shifted(i64),
    /// Nothing but volumes.
    Volumes,
    /// Single minutes.
    Mixed,
}

/// How one minute differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Missing,
    Extra,
    Revised,
    Volume,
}

/// One minute on either side; at least one of them is there.
type Pair<'a> = (Option<&'a Bar>, Option<&'a Bar>);

/// The pieces in which `live` differs from `golden`, both of the instrument `key`. `others` are the
/// histories of all other instruments, on the golden's side and on live's; `skipped` days are
/// judged elsewhere.
pub fn pieces(
    key: &str,
    golden: &[Bar],
    live: &[Bar],
    others: &[(&[Bar], &[Bar])],
    skipped: &BTreeSet<Date>,
) -> Vec<(Class, Piece)> {
    let mut found = Found { key, pieces: Vec::new(), volumes: Vec::new(), open: None };
    for (date, pairs) in by_day(golden, live) {
        let differing: Vec<Timestamp> =
            pairs.iter().filter(|pair| state(pair).is_some()).map(|pair| time(pair)).collect();
        if differing.is_empty() || skipped.contains(&date) {
            found.close();
            continue;
        }
        match kind(&pairs, (golden, live), others) {
            Kind::Mixed => {
                found.close();
                found.stretches(&pairs);
            }
            Kind::Volumes => {
                found.close();
                found.volumes.extend(differing);
            }
            kind => found.extend(kind, differing),
        }
    }
    found.finish()
}

/// Pieces as they are found, those of a run of days still open.
struct Found<'a> {
    key: &'a str,
    pieces: Vec<(Class, Piece)>,
    volumes: Vec<Timestamp>,
    open: Option<(Kind, Vec<Timestamp>)>,
}

impl Found<'_> {
    fn add(&mut self, class: Class, times: Vec<Timestamp>) {
        let key = self.key.to_owned();
        self.pieces.push((class, Piece::Minutes { key, times }));
    }

    /// Days in a row that look alike are one piece.
    fn extend(&mut self, kind: Kind, times: Vec<Timestamp>) {
        match &mut self.open {
            Some((open, all)) if *open == kind => all.extend(times),
            _ => {
                self.close();
                self.open = Some((kind, times));
            }
        }
    }

    fn close(&mut self) {
        let Some((kind, times)) = self.open.take() else { return };
        let class = if matches!(kind, Kind::Shifted(_)) { Class::Label } else { Class::Instrument };
        self.add(class, times);
    }

    /// Minutes in a row that differ alike are one piece.
    fn stretches(&mut self, pairs: &[Pair<'_>]) {
        for stretch in pairs.chunk_by(|one, next| state(one) == state(next)) {
            let times = || stretch.iter().map(time).collect::<Vec<Timestamp>>();
            match state(&stretch[0]) {
                None => {}
                Some(State::Volume) => self.volumes.extend(times()),
                Some(State::Revised) => self.add(Class::DataRevision, times()),
                Some(state @ (State::Missing | State::Extra)) => {
                    let is_cut = is_end_of_bar(stretch, pairs, state);
                    let class = if is_cut { Class::PartialBar } else { Class::DataGap };
                    self.add(class, times());
                }
            }
        }
    }

    fn finish(mut self) -> Vec<(Class, Piece)> {
        self.close();
        if !self.volumes.is_empty() {
            let volumes = std::mem::take(&mut self.volumes);
            self.add(Class::FeedVolume, volumes);
        }
        self.pieces
    }
}

/// Both sides side by side, day by day.
fn by_day<'a>(golden: &'a [Bar], live: &'a [Bar]) -> BTreeMap<Date, Vec<Pair<'a>>> {
    let mut all: BTreeMap<Timestamp, Pair<'a>> =
        golden.iter().map(|bar| (bar.open_time, (Some(bar), None))).collect();
    for bar in live {
        all.entry(bar.open_time).or_default().1 = Some(bar);
    }
    let mut days: BTreeMap<Date, Vec<Pair<'a>>> = BTreeMap::new();
    for (time, pair) in all {
        days.entry(time.date()).or_default().push(pair);
    }
    days
}

fn time(pair: &Pair<'_>) -> Timestamp {
    pair.0.or(pair.1).expect("one side is there").open_time
}

fn prices(bar: &Bar) -> [i64; 4] {
    [bar.open, bar.high, bar.low, bar.close].map(|price| price.0)
}

fn state(pair: &Pair<'_>) -> Option<State> {
    match pair {
        (Some(_), None) => Some(State::Missing),
        (None, Some(_)) => Some(State::Extra),
        (Some(golden), Some(live)) if prices(golden) != prices(live) => Some(State::Revised),
        (Some(golden), Some(live)) => (golden.volume != live.volume).then_some(State::Volume),
        (None, None) => None,
    }
}

fn kind(pairs: &[Pair<'_>], (golden, live): (&[Bar], &[Bar]), others: &[(&[Bar], &[Bar])]) -> Kind {
    let states: Vec<State> = pairs.iter().filter_map(state).collect();
    if states.iter().all(|state| *state == State::Volume) {
        return Kind::Volumes;
    }
    let of_golden: Vec<&Bar> = pairs.iter().filter_map(|pair| pair.0).collect();
    let of_live: Vec<&Bar> = pairs.iter().filter_map(|pair| pair.1).collect();
    let is_other = |(their_golden, their_live): &(&[Bar], &[Bar])| {
        is_found_in(&of_live, their_golden, 0) || is_found_in(&of_golden, their_live, 0)
    };
    if let Some(other) = others.iter().position(is_other) {
        return Kind::Other(other);
    }
    if let Some(scale) = scale(pairs).filter(|_| of_live.len() >= DAY_MINUTES_MIN) {
        return Kind::Scaled(scale);
    }
    let mut shifts = (1..=SHIFT_MAX).flat_map(|minutes| [minutes, -minutes]);
    let is_shift = |minutes: &i64| {
        is_found_in(&of_live, golden, *minutes) || is_found_in(&of_golden, live, -*minutes)
    };
    match shifts.find(is_shift) {
        Some(minutes) => Kind::Shifted(minutes),
        None => Kind::Mixed,
    }
}

/// Whether nearly all minutes of a day stand in a history, so many minutes later.
fn is_found_in(day: &[&Bar], history: &[Bar], minutes: i64) -> bool {
    let is_there = |bar: &&&Bar| {
        let there = place(history, bar.open_time.plus_minutes(minutes));
        there.is_ok_and(|there| prices(&history[there]) == prices(bar))
    };
    day.len() >= DAY_MINUTES_MIN && day.iter().filter(is_there).count() * 10 >= day.len() * 9
}

/// The one ratio that nearly all prices of a day have to the golden's, in thousandths.
fn scale(pairs: &[Pair<'_>]) -> Option<i64> {
    let common = || pairs.iter().filter_map(|pair| Some((pair.0?, pair.1?)));
    let count = common().count();
    let mut ratios: Vec<f64> =
        common().map(|(golden, live)| live.close.rupees() / golden.close.rupees()).collect();
    ratios.sort_by(f64::total_cmp);
    let middle = *ratios.get(count / 2)?;
    let near = ratios.iter().filter(|ratio| (*ratio / middle - 1.0).abs() < RATIO_SPREAD).count();
    let is_one = near * 10 >= count * 9 && (middle - 1.0).abs() > RATIO_MIN;
    is_one.then(|| (middle * 1_000.0).round() as i64)
}

/// Whether a stretch that one side lacks is the end of a bar whose beginning it has: so looks a bar
/// that was taken for whole before it was.
fn is_end_of_bar(stretch: &[Pair<'_>], pairs: &[Pair<'_>], state_of: State) -> bool {
    let (first, last) = (time(&stretch[0]), time(&stretch[stretch.len() - 1]));
    let label = first.floor_to(QUARTER_US);
    let of_bar = || pairs.iter().filter(|pair| time(pair).floor_to(QUARTER_US) == label);
    let begins = of_bar().any(|pair| time(pair) < first && state(pair) != Some(state_of));
    last.floor_to(QUARTER_US) == label && begins && of_bar().all(|pair| time(pair) <= last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::InstrumentId;
    use crate::domain::money::{Price, Qty};

    /// An hour of minutes from 09:15 on, each with prices of its own.
    fn hour(from: i64) -> Vec<Bar> {
        let open = Timestamp::parse("2024-10-01T09:15").expect("a time");
        let bar = |minute: i64| {
            let close = Price(1_000_000 + (from + minute) * (from + minute) % 97 * 500);
            Bar {
                instrument: InstrumentId(0),
                open_time: open.plus_minutes(minute),
                open: close,
                high: close,
                low: close,
                close,
                volume: Qty(100 + minute),
            }
        };
        (0..60).map(bar).collect()
    }

    /// What is found when the hour is changed so.
    fn found(change: impl FnOnce(&mut Vec<Bar>)) -> String {
        let (golden, mut live, other) = (hour(1), hour(1), hour(40));
        change(&mut live);
        let found = pieces("A", &golden, &live, &[(&other, &other)], &BTreeSet::new());
        let word = |(class, piece): &(Class, Piece)| match piece {
            Piece::Minutes { times, .. } => format!("{} {}", class.word(), times.len()),
            other => panic!("{other} is no piece of minutes"),
        };
        found.iter().map(word).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn each_kind_of_difference_has_a_name() {
        assert_eq!(found(|_| {}), "");
        assert_eq!(found(|live| drop(live.drain(20..27))), "data-gap 7");
        assert_eq!(found(|live| drop(live.drain(24..30))), "partial-bar 6");
        assert_eq!(found(|live| drop(live.drain(15..30))), "data-gap 15");
        assert_eq!(found(|live| live[7].close.0 += 500), "data-revision 1");
        let sparse = |live: &mut Vec<Bar>| live.iter_mut().for_each(|bar| bar.volume.0 /= 2);
        assert_eq!(found(sparse), "feed-volume 60");
        let split = |live: &mut Vec<Bar>| {
            for bar in live {
                for price in [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close] {
                    price.0 /= 5;
                }
            }
        };
        assert_eq!(found(split), "instrument 60");
        // By chance the two companies are alike in one minute.
        assert_eq!(found(|live| *live = hour(40)), "instrument 59");
        let late = |live: &mut Vec<Bar>| {
            live.iter_mut().for_each(|bar| bar.open_time = bar.open_time.plus_minutes(1));
        };
        assert_eq!(found(late), "label 61");
    }

    #[test]
    fn two_causes_on_one_day_are_two_pieces() {
        let both = |live: &mut Vec<Bar>| {
            live[50].low.0 -= 500;
            live[51].volume.0 += 1;
            live.drain(5..8);
        };
        assert_eq!(found(both), "data-gap 3, data-revision 1, feed-volume 1");
    }
}
