//! Minute bars become trades: a few of them in each minute, such that the minute that is made of
//! them again is exactly the bar. Pure and the same on every machine: what is not in the bar comes
//! from a hash of the key and the minute.

use crate::domain::fact::Bar;
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Price, Qty};
use crate::domain::time::{MINUTE_US, Timestamp};

/// Most trades that a minute becomes.
pub const TRADES_MAX: usize = 6;

const MS_US: i64 = 1_000;
/// The last trade of a minute comes in its last second.
const LAST_SECOND_MS: u64 = 59_000;

/// One trade, as the feed tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// When; a whole millisecond.
    pub time: Timestamp,
    /// At what price.
    pub price: Price,
    /// How many shares; 0 where the bar has too few for all its trades.
    pub quantity: Qty,
    /// Shares traded on this day up to and with this trade.
    pub day_volume: Qty,
}

/// The number from which everything about an instrument is drawn.
pub fn seed_of(key: &str) -> u64 {
    let hash = blake3::hash(key.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(first)
}

/// The trades of a sound bar by time, 1 to [`TRADES_MAX`]: the first at the minute's start and at
/// the open; the last, where there are two or more, in its last second and at the close. `before`
/// is the day's volume before this minute.
pub fn trades(bar: &Bar, seed: u64, before: Qty) -> Vec<Trade> {
    let mut dice = Dice::of(seed, bar.open_time);
    let prices = prices(bar, &mut dice);
    let count = prices.len();
    let times = offsets_ms(count, &mut dice);
    let mut sold = 0;
    let trade = |(place, (price, offset_ms)): (usize, (Price, u64))| {
        let until = sold_until(bar.volume.0, place + 1, count, &mut dice);
        let quantity = Qty(until - sold);
        sold = until;
        Trade {
            time: bar.open_time.plus_us(offset_ms as i64 * MS_US),
            price,
            quantity,
            day_volume: before.plus(Qty(until)),
        }
    };
    prices.into_iter().zip(times).enumerate().map(trade).collect()
}

/// What trades say of a minute. The oracle of the feed: no order of the trades is relied upon.
/// `before` is the day's volume before the minute. `None` without a trade.
pub fn fold(trades: &[Trade], instrument: InstrumentId, before: Qty) -> Option<Bar> {
    let first = trades.iter().min_by_key(|trade| trade.time)?;
    let last = trades.iter().max_by_key(|trade| trade.time)?;
    let prices = trades.iter().map(|trade| trade.price);
    let volume = trades.iter().map(|trade| trade.day_volume).max()?;
    Some(Bar {
        instrument,
        open_time: first.time.floor_to(MINUTE_US),
        open: first.price,
        high: prices.clone().max()?,
        low: prices.min()?,
        close: last.price,
        volume: Qty(volume.0 - before.0),
    })
}

/// The prices of a minute in order: the open, high and low in either order where they are not told
/// otherwise, a few that were there anyhow, the close.
fn prices(bar: &Bar, dice: &mut Dice) -> Vec<Price> {
    let mut between = Vec::with_capacity(TRADES_MAX);
    between.extend((bar.high > bar.open.max(bar.close)).then_some(bar.high));
    between.extend((bar.low < bar.open.min(bar.close)).then_some(bar.low));
    if dice.below(2) == 0 {
        between.reverse();
    }
    let room = (TRADES_MAX - 2 - between.len()) as u64;
    for _ in 0..dice.below(room + 1) {
        let seen = [bar.open, bar.high, bar.low, bar.close];
        let place = dice.below(between.len() as u64 + 1) as usize;
        between.insert(place, seen[dice.below(4) as usize]);
    }
    let mut all = vec![bar.open];
    let is_lone = between.is_empty() && bar.open == bar.close;
    all.append(&mut between);
    all.extend((!is_lone).then_some(bar.close));
    all
}

/// Distinct offsets from the minute's start, ascending, in milliseconds.
fn offsets_ms(count: usize, dice: &mut Dice) -> Vec<u64> {
    let between = count.saturating_sub(2) as u64;
    let mut offsets = vec![0];
    for place in 0..between {
        // One in each of so many stretches of equal length.
        let stretch = (LAST_SECOND_MS - 1) / between;
        offsets.push(1 + place * stretch + dice.below(stretch));
    }
    if count > 1 {
        offsets.push(LAST_SECOND_MS + dice.below(1_000));
    }
    offsets
}

/// Shares of the minute that are sold after `place` of `count` trades: even parts, moved a little.
/// It ascends, by at least one share where there is one for each trade.
fn sold_until(volume: i64, place: usize, count: usize, dice: &mut Dice) -> i64 {
    let even = volume * place as i64 / count as i64;
    let third = volume / count as i64 / 3;
    if place == count || third == 0 {
        return even;
    }
    even - third + dice.below(2 * third.unsigned_abs() + 1) as i64
}

/// Numbers that depend on a seed and a minute alone (SplitMix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn of(seed: u64, minute: Timestamp) -> Dice {
        Dice(seed ^ (minute.0 as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// One of `0..n`, or 0 if that is empty.
    pub(super) const fn below(&mut self, n: u64) -> u64 {
        ((self.next() as u128 * n as u128) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bar(minute: i64, prices: [i64; 4], volume: i64) -> Bar {
        let (high, low) = (*prices.iter().max().unwrap(), *prices.iter().min().unwrap());
        Bar {
            instrument: InstrumentId(3),
            open_time: Timestamp::parse("2024-10-01T09:15").unwrap().plus_minutes(minute),
            open: Price(prices[0]),
            high: Price(high),
            low: Price(low),
            close: Price(prices[3]),
            volume: Qty(volume),
        }
    }

    fn any_bar() -> impl Strategy<Value = Bar> {
        // Few prices, so that they are often the same; volumes around the number of trades too.
        let volume = prop_oneof![0_i64..10, 0_i64..1_000_000_000_000];
        (0_i64..375, prop::array::uniform4(1_i64..6), volume)
            .prop_map(|(minute, prices, volume)| bar(minute, prices, volume))
    }

    proptest! {
        #[test]
        fn the_minute_of_the_trades_is_the_bar(
            bar in any_bar(),
            seed: u64,
            before in 0_i64..1_000_000_000,
            order: u64,
        ) {
            let mut told = trades(&bar, seed, Qty(before));
            prop_assert!((1..=TRADES_MAX).contains(&told.len()));
            prop_assert_eq!(told[0].time, bar.open_time);
            prop_assert!(told.is_sorted_by(|a, b| a.time < b.time));
            prop_assert!(told.iter().all(|trade| trade.time.0 % MS_US == 0));
            let last = told[told.len() - 1];
            prop_assert_eq!(last.day_volume, Qty(before + bar.volume.0));
            if told.len() > 1 {
                prop_assert!(last.time >= bar.open_time.plus_us(59_000_000));
            }
            prop_assert!(last.time < bar.close_time());
            let sold: i64 = told.iter().map(|trade| trade.quantity.0).sum();
            prop_assert_eq!(sold, bar.volume.0);
            let least = i64::from(bar.volume.0 >= told.len() as i64);
            prop_assert!(told.iter().all(|trade| trade.quantity.0 >= least));
            let mut until = before;
            for trade in &told {
                until += trade.quantity.0;
                prop_assert_eq!(trade.day_volume.0, until);
            }
            let turn = order as usize % told.len();
            told.rotate_left(turn);
            prop_assert_eq!(fold(&told, bar.instrument, Qty(before)), Some(bar));
        }
    }

    #[test]
    fn without_a_trade_there_is_no_minute() {
        assert_eq!(fold(&[], InstrumentId(3), Qty(0)), None);
    }

    #[test]
    fn the_script_of_a_minute_is_this_on_every_machine() {
        let bar = bar(1, [100_000, 101_000, 99_000, 100_500], 700);
        let told = trades(&bar, seed_of("NSE_EQ|INE155A01022"), Qty(1_000));
        let lines: Vec<String> = told
            .iter()
            .map(|t| format!("{} {} x{} {}", t.time, t.price, t.quantity, t.day_volume))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        2024-10-01T09:16 10.00 x173 1173
        2024-10-01T09:16:00.170000 9.90 x132 1305
        2024-10-01T09:16:30.253000 10.00 x115 1420
        2024-10-01T09:16:43.951000 10.10 x110 1530
        2024-10-01T09:16:59.286000 10.05 x170 1700
        ");
    }

    #[test]
    fn both_orders_of_high_and_low_and_all_counts_are_there() {
        let seed = seed_of("NSE_EQ|INE155A01022");
        let all = (0..375).map(|minute| trades(&bar(minute, [5, 9, 1, 6], 60), seed, Qty(0)));
        let place = |told: &[Trade], price| told.iter().position(|trade| trade.price == price);
        let (mut counts, mut high_first) = ([0; TRADES_MAX + 1], 0);
        for told in all {
            counts[told.len()] += 1;
            high_first += usize::from(place(&told, Price(9)) < place(&told, Price(1)));
        }
        assert_eq!(counts[..4], [0; 4], "open, high, low and close are four prices");
        assert!(counts[4..].iter().all(|count| *count > 50), "{counts:?}");
        assert!((100..275).contains(&high_first), "{high_first}");
    }
}
