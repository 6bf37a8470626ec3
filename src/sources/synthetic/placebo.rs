//! Markets without any edge: at every minute the next close is as likely to lie above as below by
//! the same amount. Whoever knows only the past expects nothing here, whatever the rule; a rule
//! that earns knows the future.

use crate::domain::fact::Bar;
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Price, Qty};
use crate::domain::time::{Date, Timestamp};

use super::dice::Dice;

/// Minutes of a session.
const SESSION_MINUTES: i64 = 375;
/// The first minute of a session, in minutes since midnight.
const SESSION_START_MINUTE: i64 = 9 * 60 + 15;
/// Where a walk begins: Rs 2,000.
const START: i64 = 20_000_000;
/// Divides a step, so that a minute moves by about Rs 0.8, 0.04 % of the price.
const STEP_DIVISOR: i64 = 9;
/// A walk's first day, 2024-01-01. It has a session on each day of the week.
const FIRST_DAY: Date = Date(19_723);

/// Minute bars of a random walk over `sessions` days. Walk `number` of a seed is always the same.
/// Steps do not depend on the price, so over some hundred sessions it stays far from zero.
pub fn walk(seed: u64, number: u32, sessions: u32) -> Vec<Bar> {
    let mut dice = Dice::new(seed, &number.to_string(), "placebo walk");
    let mut price = START;
    let mut bars = Vec::with_capacity(sessions as usize * SESSION_MINUTES as usize);
    for day in 0..sessions as i32 {
        let start = FIRST_DAY.plus_days(day).start().plus_minutes(SESSION_START_MINUTE);
        for minute in 0..SESSION_MINUTES {
            let open = price;
            let (mut high, mut low) = (open, open);
            for step in dice.four_steps() {
                price += step / STEP_DIVISOR;
                (high, low) = (high.max(price), low.min(price));
            }
            bars.push(Bar {
                instrument: InstrumentId(0),
                open_time: start.plus_minutes(minute),
                open: Price(open),
                high: Price(high),
                low: Price(low),
                close: Price(price),
                volume: Qty(1_000),
            });
        }
    }
    bars
}

/// The minutes of one instrument, ascending, in another order: sessions change places, so do the
/// minutes of a session but for its first (which holds the night), and each minute is turned upside
/// down or not by the toss of a coin. What a minute is like stays: how far it moved, its volume.
///
/// The coin is what takes every edge away: a trend that lasts for hours has it as often against it.
pub fn shuffled(seed: u64, number: u32, minutes: &[Bar]) -> Vec<Bar> {
    let Some(first) = minutes.first() else { return Vec::new() };
    let mut dice = Dice::new(seed, &number.to_string(), "placebo shuffle");
    let mut moves: Vec<(Timestamp, Move)> = Vec::with_capacity(minutes.len());
    let mut before = first.open;
    for bar in minutes {
        moves.push((bar.open_time, Move::of(bar, before)));
        before = bar.close;
    }
    let sessions: Vec<&[(Timestamp, Move)]> =
        moves.chunk_by(|one, next| one.0.date() == next.0.date()).collect();
    let order = permuted(&mut dice, sessions.len());
    let mut price = first.open.0 as f64;
    let mut shuffled = Vec::with_capacity(minutes.len());
    for (place, from) in order.into_iter().enumerate() {
        let (slot, session) = (sessions[place], sessions[from]);
        let days_us = slot[0].0.date().start().0 - session[0].0.date().start().0;
        let inside = permuted(&mut dice, session.len() - 1).into_iter().map(|place| place + 1);
        for (minute, taken) in [0].into_iter().chain(inside).enumerate() {
            let open_time = session[minute].0.plus_us(days_us);
            let bar = session[taken].1.bar(price, dice.chance(500), open_time, first.instrument);
            price = bar.close.0 as f64;
            shuffled.push(bar);
        }
    }
    shuffled
}

/// The places 0..n in some order.
fn permuted(dice: &mut Dice, n: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        places.swap(last, dice.below(last as u32 + 1) as usize);
    }
    places
}

/// How a minute lies to the close before it, as shares of that.
struct Move {
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: Qty,
}

impl Move {
    fn of(bar: &Bar, before: Price) -> Move {
        let share = |price: Price| (price.0 - before.0) as f64 / before.0 as f64;
        Move {
            open: share(bar.open),
            high: share(bar.high),
            low: share(bar.low),
            close: share(bar.close),
            volume: bar.volume,
        }
    }

    /// The minute after the close `before`.
    fn bar(&self, before: f64, is_mirrored: bool, open_time: Timestamp, of: InstrumentId) -> Bar {
        let at = |share: f64| {
            let share = if is_mirrored { -share } else { share };
            Price((before + before * share).round() as i64)
        };
        let (high, low) = match is_mirrored {
            true => (self.low, self.high),
            false => (self.high, self.low),
        };
        Bar {
            instrument: of,
            open_time,
            open: at(self.open),
            high: at(high),
            low: at(low),
            close: at(self.close),
            volume: self.volume,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_is_always_the_same_and_could_have_been_a_market() {
        let bars = walk(1, 0, 3);
        assert_eq!(bars.len(), 3 * 375);
        assert!(bars.iter().all(|bar| bar.defect().is_none()));
        assert_eq!(bars, walk(1, 0, 3));
        assert_ne!(bars, walk(1, 1, 3));
        assert_ne!(bars, walk(2, 0, 3));
    }

    #[test]
    fn a_walk_goes_nowhere() {
        let ends = (0..400).map(|number| walk(1, number, 1)[374].close.0 - START);
        let ends: Vec<f64> = ends.map(|end| end as f64).collect();
        let mean = ends.iter().sum::<f64>() / 400.0;
        let error = (ends.iter().map(|end| end * end).sum::<f64>()).sqrt() / 400.0;
        assert!((mean / error).abs() < 3.0, "{mean} +- {error}");
    }

    #[test]
    fn shuffled_minutes_keep_their_volumes_their_hours_and_their_size() {
        let mut minutes = walk(1, 0, 4);
        (0..).zip(&mut minutes).for_each(|(place, bar)| bar.volume = Qty(place));
        let other = shuffled(1, 0, &minutes);
        assert_ne!(other, minutes);
        assert_eq!(other, shuffled(1, 0, &minutes));
        assert!(other.iter().all(|bar| bar.defect().is_none()));
        let times = |bars: &[Bar]| bars.iter().map(|bar| bar.open_time).collect::<Vec<_>>();
        assert_eq!(times(&other), times(&minutes));
        let sorted = |bars: &[Bar]| {
            let mut volumes: Vec<i64> = bars.iter().map(|bar| bar.volume.0).collect();
            volumes.sort_unstable();
            volumes
        };
        assert_eq!(sorted(&other), sorted(&minutes));
        let spread = |bars: &[Bar]| bars.iter().map(|bar| bar.high.0 - bar.low.0).sum::<i64>();
        let ratio = spread(&other) as f64 / spread(&minutes) as f64;
        assert!((0.9..1.1).contains(&ratio), "{ratio}");
    }
}
