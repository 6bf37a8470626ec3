//! What a feed makes of a day: minutes that never arrive, and prints after the end.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::dice::Dice;
use super::knobs::Knobs;
use crate::domain::fact::Bar;
use crate::domain::money::{Price, Qty};
use crate::domain::session::SessionKind;
use crate::domain::time::{MINUTE_US, Timestamp};

/// Minutes after a session's end at which the official close is printed.
const OFFICIAL_CLOSE_AFTER: i64 = 10;
/// Minutes before a session's end whose average price is the official close.
const OFFICIAL_CLOSE_OVER: i64 = 30;

/// Places in a run, as session and minute of that session, both counted from 0.
pub(super) type Places = BTreeSet<(usize, usize)>;

/// `per_100` stretches of minutes for every 100 of the sessions, whose lengths in minutes are
/// given, at random places of the run. Stretches may meet.
pub(super) fn scatter(
    dice: &mut Dice,
    sessions: &[usize],
    per_100: u32,
    minutes: &RangeInclusive<u32>,
) -> Places {
    let count = (per_100 as usize * sessions.len()).div_ceil(100);
    let mut places = Places::new();
    for _ in 0..count {
        let session = dice.below(sessions.len() as u32) as usize;
        let length = dice.within(minutes) as usize;
        let starts = sessions[session].saturating_sub(length).max(1);
        let start = dice.below(starts as u32) as usize;
        places.extend((start..start + length).map(|minute| (session, minute)));
    }
    places
}

/// The minutes that never arrive.
pub(super) fn holes(dice: &mut Dice, sessions: &[usize], knobs: &Knobs) -> Places {
    let mut places = scatter(dice, sessions, knobs.lone_holes_per_100, &(1..=1));
    places.extend(scatter(dice, sessions, knobs.stretches_per_100, &knobs.stretch_minutes));
    places.extend(scatter(dice, sessions, knobs.outages_per_100, &knobs.outage_minutes));
    places
}

/// Prints after the end of a full session: often a small one in the very next minute, and always
/// the official close, which is an average and not the last price. Other sessions have none.
pub(super) fn late_prints(
    dice: &mut Dice,
    knobs: &Knobs,
    kind: SessionKind,
    end: Timestamp,
    tick: Price,
    bars: &[Bar],
) -> Vec<Bar> {
    let full = matches!(kind, SessionKind::Regular | SessionKind::Weekend);
    let Some(last) = bars.last().filter(|_| full) else {
        return Vec::new();
    };
    let print = |minutes: i64, price: Price, volume: u32| Bar {
        open_time: end.plus_minutes(minutes),
        open: price,
        high: price,
        low: price,
        close: price,
        volume: Qty(i64::from(volume)),
        ..*last
    };
    let mut prints = Vec::new();
    if dice.chance(knobs.late_print_per_mille) {
        prints.push(print(0, last.close, 1 + dice.below(400)));
    }
    let close = official_close(bars, end, tick).unwrap_or(last.close);
    prints.push(print(OFFICIAL_CLOSE_AFTER, close, 500 + dice.below(20_000)));
    prints
}

/// The average price by volume of the session's last half hour, on the nearest tick.
fn official_close(bars: &[Bar], end: Timestamp, tick: Price) -> Option<Price> {
    let from = Timestamp(end.0 - OFFICIAL_CLOSE_OVER * MINUTE_US);
    let half_hour = bars.iter().filter(|bar| bar.open_time >= from);
    let (worth, volume) = half_hour.fold((0_i128, 0_i128), |(worth, volume), bar| {
        let shares = i128::from(bar.volume.0);
        (worth + i128::from(bar.close.0) * shares, volume + shares)
    });
    let ticks =
        (2 * worth + volume * i128::from(tick.0)).checked_div(2 * volume * i128::from(tick.0))?;
    i64::try_from(ticks).ok().map(|ticks| Price(ticks * tick.0))
}
