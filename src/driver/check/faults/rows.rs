//! Faults of a list of signals: what somebody's file has when his program works by other rules, or
//! when the file was made badly. None of this knows how a difference is explained.

use crate::backtest::python::batch;
use crate::core::aggregate::Known;
use crate::core::strategy::Strategy;
use crate::domain::config::Profile;
use crate::domain::fact::{Bar15m, Signal, SignalKind};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Cash, Price, Qty};
use crate::domain::time::Timestamp;
use crate::golden::align::Given;
use crate::sources::synthetic::dice::Dice;

use super::stretch::Stretch;

/// Fills after which his runs stop for good.
const FILLS_MAX: usize = 100;

/// The rules of live, and the list that is held against it.
pub type Planted = (Profile, Vec<Given>);

/// Plants a fault; none where the dice chose what cannot be.
pub type Plant = fn(&Stretch, &mut Dice) -> Option<Planted>;

fn given(signals: &[Signal]) -> Vec<Given> {
    signals.iter().map(Given::of).collect()
}

/// The untouched list.
pub fn untouched(stretch: &Stretch, profile: Profile) -> Planted {
    (profile, given(stretch.ground.live(profile)))
}

fn causal(stretch: &Stretch) -> Vec<Given> {
    untouched(stretch, Profile::Causal).1
}

fn one_of<T: Copy>(dice: &mut Dice, values: &[T]) -> T {
    values[dice.below(values.len() as u32) as usize]
}

/// The batch run with so many of its five bars of the future.
pub fn look_ahead(stretch: &Stretch, dice: &mut Dice) -> Option<Planted> {
    let ahead = dice.below(stretch.ahead.len() as u32) as usize;
    Some((Profile::Causal, given(&stretch.ahead[ahead])))
}

/// The live path's window with the causal swings.
pub fn swing_rule(stretch: &Stretch, dice: &mut Dice) -> Option<Planted> {
    let all = given(&stretch.signals_of_window(100, Profile::CompatLive));
    Some((Profile::CompatLive, part_of(&all, stretch, dice)))
}

/// A window in place of the whole history.
pub fn window(stretch: &Stretch, dice: &mut Dice) -> Option<Planted> {
    let bars = one_of(dice, &[50, 60, 75, 100, 120, 150, 200]);
    Some((Profile::Causal, given(&stretch.signals_of_window(bars, Profile::Causal))))
}

/// A history that begins with a session of the stretch.
pub fn late_history(stretch: &Stretch, dice: &mut Dice) -> Option<Planted> {
    let start = one_of(dice, &stretch.traded[1..9]).start();
    let mut strategy = Strategy::new(&stretch.world.run);
    let bars = stretch.ground.bars.iter().flatten().filter(|bar| bar.open_time >= start);
    let said = bars.filter_map(|bar| strategy.bar(&Known::live(bar), bar.close_time).1);
    Some((Profile::Causal, given(&said.collect::<Vec<Signal>>())))
}

/// Rows that follow the first of their bar.
pub fn second_event(stretch: &Stretch, dice: &mut Dice) -> Option<Planted> {
    let mut rows = causal(stretch);
    for _ in 0..1 + dice.below(4) {
        let first = rows[dice.below(rows.len() as u32) as usize].clone();
        let kind = match first.kind {
            Some(SignalKind::Trend) => SignalKind::Reversion,
            _ => SignalKind::Trend,
        };
        rows.push(Given { kind: Some(kind), side: first.side.opposite(), ..first });
    }
    rows.sort_by_key(|row| (row.instrument, row.bar_time));
    rows.dedup();
    Some((Profile::Causal, rows))
}

/// The live path with exits and cooldown.
pub fn cooldown(stretch: &Stretch, dice: &mut Dice) -> Option<Planted> {
    let mut all = given(&stretch.live_path.1.signals);
    // The last bar of a run is never handed over, traded or not.
    let lasts: Vec<_> = stretch.ground.bars.iter().filter_map(|bars| bars.last()).collect();
    let is_last = |signal: &&Signal| {
        lasts
            .iter()
            .any(|bar| (bar.instrument, bar.open_time) == (signal.instrument, signal.bar_time))
    };
    let unseen = stretch.ground.live(Profile::CompatLive).iter().filter(is_last);
    all.extend(unseen.map(Given::of));
    all.sort_by_key(|row| (row.instrument, row.bar_time));
    Some((Profile::CompatLive, part_of(&all, stretch, dice)))
}

/// No more than so many rows a day.
pub fn day_cap(stretch: &Stretch, dice: &mut Dice) -> Option<Planted> {
    let count = 1 + dice.below(3) as usize;
    let mut rows = causal(stretch);
    rows.sort_by_key(|row| (row.bar_time, row.instrument));
    let days = rows.chunk_by(|one, next| one.bar_time.date() == next.bar_time.date());
    let mut rows: Vec<Given> = days.flat_map(|day| day.iter().take(count).cloned()).collect();
    rows.sort_by_key(|row| (row.instrument, row.bar_time));
    Some((Profile::Causal, rows))
}

/// Some rows a bar late or early.
pub fn shifted_rows(stretch: &Stretch, dice: &mut Dice) -> Option<Planted> {
    let minutes = one_of(dice, &[15, -15]);
    let mut rows = causal(stretch);
    for row in &mut rows {
        if dice.chance(250) {
            row.bar_time = row.bar_time.plus_minutes(minutes);
        }
    }
    rows.sort_by_key(|row| (row.instrument, row.bar_time));
    Some((Profile::Causal, rows))
}

/// The batch run, which trades each symbol by itself and stops for good at its hundredth fill; of
/// one symbol alone, or of all. None where no symbol comes so far.
pub fn lifetime_cap(stretch: &Stretch, dice: &mut Dice) -> Option<Planted> {
    let count = stretch.ground.bars.len();
    let alone = dice.chance(500).then(|| dice.below(count as u32) as usize);
    // Against the live path its levels would be others too, since that looks back less far.
    let mut rows = causal(stretch);
    let mut planted = 0;
    for place in (0..count).filter(|place| alone.is_none_or(|alone| alone == *place)) {
        let Some(last_fill) = hundredth_fill(stretch, place) else { continue };
        let events = batch::events(&stretch.world.run.config, &stretch.ground.bars[place]);
        let mut theirs = events.in_hindsight();
        theirs.dedup_by_key(|signal| signal.bar_time);
        theirs.retain(|signal| signal.time <= last_fill);
        rows.retain(|row| row.instrument.index() != place);
        rows.extend(theirs.iter().map(Given::of));
        planted += 1;
    }
    rows.sort_by_key(|row| (row.instrument, row.bar_time));
    (planted > 0).then_some((Profile::Causal, rows))
}

/// When the batch run of one symbol by itself fills for the hundredth time.
pub fn hundredth_fill(stretch: &Stretch, place: usize) -> Option<Timestamp> {
    let bars = stretch.ground.bars.iter().enumerate();
    let bars: Vec<Vec<Bar15m>> =
        bars.map(|(other, bars)| if other == place { bars.clone() } else { Vec::new() }).collect();
    // The limits of the live path are out of reach; the execution is the same.
    let run = batch::run(&stretch.live_path.0.run, &bars).in_hindsight();
    run.fills.get(FILLS_MAX - 1).map(|fill| fill.time)
}

/// Bars that were taken for whole after some of their minutes: rows that these make.
pub fn cut_bars(stretch: &Stretch, dice: &mut Dice) -> Option<Planted> {
    let mut rows = causal(stretch);
    let mut planted = 0;
    for _ in 0..60 {
        let id = InstrumentId(dice.below(stretch.ground.bars.len() as u32) as u16);
        let bars = &stretch.ground.bars[id.index()];
        let place = 100 + dice.below(bars.len() as u32 - 100) as usize;
        let whole = bars[place];
        let minutes = stretch.ground.minutes[id.index()].iter();
        let of_bar = minutes
            .filter(|bar| whole.open_time <= bar.open_time && bar.open_time < whole.close_time);
        let of_bar: Vec<_> = of_bar.take(1 + dice.below(14) as usize).collect();
        let (Some(first), Some(last)) = (of_bar.first(), of_bar.last()) else { continue };
        let cut = Bar15m {
            open: first.open,
            high: of_bar.iter().map(|bar| bar.high).max()?,
            low: of_bar.iter().map(|bar| bar.low).min()?,
            close: last.close,
            volume: Qty(of_bar.iter().map(|bar| bar.volume.0).sum()),
            ..whole
        };
        let mut strategy = Strategy::new(&stretch.world.run);
        let seen = bars[..place].iter().chain([&cut]);
        let said = seen.map(|bar| strategy.bar(&Known::live(bar), bar.close_time).1).last();
        let Some(signal) = said.flatten() else { continue };
        let row = Given::of(&signal);
        let is_here = |row: &Given| (row.instrument, row.bar_time) == (id, whole.open_time);
        if rows.contains(&row) {
            continue;
        }
        rows.retain(|row| !is_here(row));
        rows.push(row);
        planted += 1;
        if planted == 2 {
            break;
        }
    }
    rows.sort_by_key(|row| (row.instrument, row.bar_time));
    (planted > 0).then_some((Profile::Causal, rows))
}

/// Another value of a setting that decides.
pub fn configured(stretch: &Stretch, dice: &mut Dice) -> Option<Planted> {
    let which = dice.below(3);
    let (k, gate) = (one_of(dice, &[1.0, 1.5, 2.5, 3.0]), one_of(dice, &[15.0, 20.0, 30.0, 35.0]));
    let period = one_of(dice, &[3, 4, 6, 7, 8, 10]);
    let signals = stretch.signals_with(|run| match which {
        0 => run.config.strategy.reversion_k = k,
        1 => run.config.strategy.adx_gate = gate,
        _ => run.config.strategy.swing_period = period,
    });
    Some((Profile::Causal, given(&signals)))
}

/// Another risk by trade, other grids of levels, other lots.
pub fn sized(stretch: &Stretch, dice: &mut Dice) -> Option<Planted> {
    let risk = one_of(dice, &[100, 200, 250, 750, 1_000, 2_000, 5_000]);
    let (lot, grid) = (one_of(dice, &[5, 10, 25, 50, 100]), one_of(dice, &[500, 1_000, 10_000]));
    let rows = match dice.below(3) {
        0 => given(&stretch.signals_with(|run| {
            run.config.strategy.risk_per_trade = Cash::from_rupees(risk);
        })),
        1 => causal(stretch)
            .into_iter()
            .map(|row| Given { quantity: row.quantity.map(|it| Qty(it.0 - it.0 % lot)), ..row })
            .collect(),
        _ => {
            let round = |price: Price| Price((price.0 as f64 / grid as f64).round() as i64 * grid);
            let rounded = |row: Given| Given {
                stop: row.stop.map(round),
                target: row.target.map(round),
                ..row
            };
            causal(stretch).into_iter().map(rounded).collect()
        }
    };
    Some((Profile::Causal, rows))
}

/// Rows at night and on days without trading.
pub fn closed_hours(stretch: &Stretch, dice: &mut Dice) -> Option<Planted> {
    let mut rows = causal(stretch);
    for _ in 0..1 + dice.below(4) {
        let row = rows[dice.below(rows.len() as u32) as usize].clone();
        let night = row.bar_time.date().start().plus_minutes(i64::from(dice.below(30)) * 15);
        let days = (1..=7).map(|days| row.bar_time.date().plus_days(days));
        let mut closed = days.filter(|date| !stretch.traded.contains(date));
        let closed = closed.next().map(|date| date.start().plus_minutes(10 * 60));
        let bar_time = if dice.chance(500) { closed.unwrap_or(night) } else { night };
        let last = stretch.traded.last()?.start();
        rows.push(Given { bar_time: if bar_time > last { night } else { bar_time }, ..row });
    }
    rows.sort_by_key(|row| (row.instrument, row.bar_time));
    rows.dedup_by_key(|row| (row.instrument, row.bar_time));
    Some((Profile::Causal, rows))
}

/// Rows under the other company's key.
pub fn other_company(stretch: &Stretch, dice: &mut Dice) -> Option<Planted> {
    let mut rows = causal(stretch);
    let count = stretch.world.run.instruments.len() as u16;
    for row in &mut rows {
        if dice.chance(150) {
            row.instrument = InstrumentId((row.instrument.0 + 1) % count);
        }
    }
    rows.sort_by_key(|row| (row.instrument, row.bar_time));
    Some((Profile::Causal, rows))
}

/// One symbol's prices as after a split or a bonus, and its quantities the other way round.
pub fn adjusted(stretch: &Stretch, dice: &mut Dice) -> Option<Planted> {
    let (up, down) = one_of(dice, &[(1, 2), (1, 5), (1, 10), (2, 1), (5, 1), (2, 3), (1, 3)]);
    let id = InstrumentId(dice.below(stretch.world.run.instruments.len() as u32) as u16);
    let scaled = |price: Price| Price((price.0 * up / down + 50).div_euclid(100) * 100);
    let mut rows = causal(stretch);
    for row in rows.iter_mut().filter(|row| row.instrument == id) {
        row.price = row.price.map(scaled);
        row.stop = row.stop.map(scaled);
        row.target = row.target.map(scaled);
        row.quantity = row.quantity.map(|shares| Qty(shares.0 * down / up));
    }
    Some((Profile::Causal, rows))
}

/// A list that begins later or ends earlier.
pub fn cut_list(stretch: &Stretch, dice: &mut Dice) -> Option<Planted> {
    let mut rows = causal(stretch);
    let edge = one_of(dice, &stretch.traded[3..12]).start();
    let keeps_end = dice.chance(500);
    rows.retain(|row| (row.bar_time >= edge) == keeps_end);
    Some((Profile::Causal, rows))
}

/// Rows that somebody took out, or made up.
pub fn tampered(stretch: &Stretch, dice: &mut Dice) -> Option<Planted> {
    let mut rows = causal(stretch);
    for _ in 0..1 + dice.below(2) {
        // Not the first or last of its symbol: a list that lacks these begins or ends elsewhere.
        let place = 1 + dice.below(rows.len() as u32 - 2) as usize;
        let is_inside = [place - 1, place + 1]
            .iter()
            .all(|other| rows[*other].instrument == rows[place].instrument);
        if !is_inside {
            continue;
        }
        if dice.chance(500) {
            rows.remove(place);
        } else {
            rows[place].side = rows[place].side.opposite();
        }
    }
    Some((Profile::Causal, rows))
}

/// A list with a row more or less at random is not what a rule makes: the days of one symbol alone.
fn part_of(rows: &[Given], stretch: &Stretch, dice: &mut Dice) -> Vec<Given> {
    let count = stretch.world.run.instruments.len() as u32;
    let id = InstrumentId(dice.below(count) as u16);
    if dice.chance(500) {
        return rows.to_vec();
    }
    // The other symbols' rows are those of live.
    let others = stretch.ground.live(Profile::CompatLive).iter().map(Given::of);
    let mut mixed: Vec<Given> = rows.iter().filter(|row| row.instrument == id).cloned().collect();
    mixed.extend(others.filter(|row| row.instrument != id));
    mixed.sort_by_key(|row| (row.instrument, row.bar_time));
    mixed
}
