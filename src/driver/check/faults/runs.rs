//! Faults of a run: what a feed loses, an archive revises, a config or a command changes. None of
//! this knows how a difference is explained.

use crate::domain::event::{Command, CommandKind};
use crate::domain::fact::Bar;
use crate::domain::money::{Cash, Price};
use crate::domain::time::{Date, MINUTE_US, Timestamp};
use crate::driver::align::world::World;
use crate::sources::synthetic::dice::Dice;

use super::stretch::Stretch;

/// Plants a fault into a world; none where the dice chose what cannot be.
pub type Plant = fn(&Stretch, &mut Dice) -> Option<World>;

/// The grid of prices.
const TICK: i64 = 500;

fn one_of<T: Copy>(dice: &mut Dice, values: &[T]) -> T {
    values[dice.below(values.len() as u32) as usize]
}

fn lane(world: &World, dice: &mut Dice) -> usize {
    dice.below(world.minutes.len() as u32) as usize
}

fn traded_day(stretch: &Stretch, dice: &mut Dice) -> Date {
    one_of(dice, &stretch.traded)
}

/// The rows of one symbol's day.
fn rows_of(minutes: &[Bar], day: Date) -> std::ops::Range<usize> {
    let from = minutes.partition_point(|bar| bar.open_time.date() < day);
    from..minutes.partition_point(|bar| bar.open_time.date() <= day)
}

/// A feed that was silent for some minutes.
pub fn lost_minutes(stretch: &Stretch, dice: &mut Dice) -> Option<World> {
    let mut world = stretch.world.clone();
    let (lane, day) = (lane(&world, dice), traded_day(stretch, dice));
    let minutes = &mut world.minutes[lane];
    let rows = rows_of(minutes, day);
    let from = rows.start + dice.below(rows.len() as u32) as usize;
    let to = (from + 1 + dice.below(40) as usize).min(rows.end);
    minutes.drain(from..to);
    Some(world)
}

/// A bar that was taken for whole before it was.
pub fn cut_bar(stretch: &Stretch, dice: &mut Dice) -> Option<World> {
    let mut world = stretch.world.clone();
    let (lane, day) = (lane(&world, dice), traded_day(stretch, dice));
    let minutes = &mut world.minutes[lane];
    let rows = rows_of(minutes, day);
    let width = 15 * MINUTE_US;
    let row = rows.start + dice.below(rows.len() as u32) as usize;
    let label = minutes[row].open_time.floor_to(width);
    let kept = label.plus_minutes(1 + i64::from(dice.below(14)));
    let is_cut = |bar: &Bar| bar.open_time >= kept && bar.open_time.floor_to(width) == label;
    let has_begun = minutes.iter().any(|bar| bar.open_time >= label && bar.open_time < kept);
    minutes.retain(|bar| !is_cut(bar));
    has_begun.then_some(world)
}

/// Minutes that an archive has with other prices.
pub fn revised(stretch: &Stretch, dice: &mut Dice) -> Option<World> {
    let mut world = stretch.world.clone();
    let (lane, day) = (lane(&world, dice), traded_day(stretch, dice));
    let minutes = &mut world.minutes[lane];
    let rows = rows_of(minutes, day);
    let from = rows.start + dice.below(rows.len() as u32) as usize;
    let to = (from + 1 + dice.below(3) as usize).min(rows.end);
    for bar in &mut minutes[from..to] {
        let ticks = 1 + i64::from(dice.below(40));
        let by = Price(if dice.chance(500) { ticks * TICK } else { -ticks * TICK });
        match dice.below(3) {
            0 => bar.close = Price(bar.close.0 + by.0),
            1 => bar.high = Price(bar.high.0 + ticks * TICK),
            _ => bar.low = Price(bar.low.0 - ticks * TICK),
        }
        bar.high = bar.high.max(bar.close);
        bar.low = bar.low.min(bar.close);
    }
    Some(world)
}

/// Volumes as another feed counts them.
pub fn other_volumes(stretch: &Stretch, dice: &mut Dice) -> Option<World> {
    let mut world = stretch.world.clone();
    let (lane, first) = (lane(&world, dice), dice.below(stretch.traded.len() as u32) as usize);
    let days = 1 + dice.below(8) as usize;
    let spread = f64::from(1 + dice.below(6)) / 10.0;
    for day in stretch.traded.iter().skip(first).take(days) {
        let rows = rows_of(&world.minutes[lane], *day);
        for bar in &mut world.minutes[lane][rows] {
            let factor = (1.0 + spread * dice.normal()).max(0.0);
            bar.volume.0 = (bar.volume.0 as f64 * factor).round() as i64;
        }
    }
    Some(world)
}

/// A day that was taken for a holiday.
pub fn lost_day(stretch: &Stretch, dice: &mut Dice) -> Option<World> {
    let mut world = stretch.world.clone();
    let inner = &stretch.traded[..stretch.traded.len() - 1];
    let day = one_of(dice, inner);
    world.run.sessions.retain(|session| session.date != day);
    world.minutes.iter_mut().for_each(|all| all.retain(|bar| bar.open_time.date() != day));
    world.commands.retain(|command| command.time.date() != day);
    (world.commands == stretch.world.commands).then_some(world)
}

/// Some days of another company under the key.
pub fn other_company(stretch: &Stretch, dice: &mut Dice) -> Option<World> {
    let mut world = stretch.world.clone();
    let lane = lane(&world, dice);
    let other = (lane + 1) % world.minutes.len();
    let first = dice.below(stretch.traded.len() as u32) as usize;
    let days = 1 + dice.below(4) as usize;
    for day in stretch.traded.iter().skip(first).take(days) {
        let id = world.minutes[lane].first()?.instrument;
        let theirs = rows_of(&world.minutes[other], *day);
        let theirs = world.minutes[other][theirs].iter().map(|bar| Bar { instrument: id, ..*bar });
        let theirs: Vec<Bar> = theirs.collect();
        let ours = rows_of(&world.minutes[lane], *day);
        world.minutes[lane].splice(ours, theirs);
    }
    Some(world)
}

/// Prices that an archive has adjusted for a split up to some day, or from it on.
pub fn split(stretch: &Stretch, dice: &mut Dice) -> Option<World> {
    let mut world = stretch.world.clone();
    let lane = lane(&world, dice);
    let (up, down) = one_of(dice, &[(1, 2), (1, 5), (1, 10), (2, 1), (2, 3)]);
    let day = one_of(dice, &stretch.traded[1..]);
    let is_before = dice.chance(500);
    for bar in &mut world.minutes[lane] {
        if (bar.open_time.date() < day) != is_before {
            continue;
        }
        for price in [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close] {
            price.0 = (price.0 * up / down + 50).div_euclid(100) * 100;
        }
        bar.volume.0 = bar.volume.0 * down / up;
    }
    Some(world)
}

/// Minutes named by their other end for some days.
pub fn other_ends(stretch: &Stretch, dice: &mut Dice) -> Option<World> {
    let mut world = stretch.world.clone();
    let lane = lane(&world, dice);
    let minutes = one_of(dice, &[1, -1]);
    let first = dice.below(stretch.traded.len() as u32) as usize;
    let days = 1 + dice.below(6) as usize;
    for day in stretch.traded.iter().skip(first).take(days) {
        let all = &mut world.minutes[lane];
        let rows = rows_of(all, *day);
        let (from, to) = (all[rows.start].open_time, all[rows.end - 1].open_time);
        let moved = all[rows.clone()]
            .iter()
            .map(|bar| Bar { open_time: bar.open_time.plus_minutes(minutes), ..*bar });
        // What falls out of the session is not accepted.
        let moved = moved.filter(|bar| (from..=to).contains(&bar.open_time));
        let moved: Vec<Bar> = moved.collect();
        all.splice(rows, moved);
    }
    Some(world)
}

/// A history that begins some sessions later.
pub fn short_history(stretch: &Stretch, dice: &mut Dice) -> Option<World> {
    let mut world = stretch.world.clone();
    let lost = 1 + dice.below(6) as usize;
    world.run.sessions.drain(..lost);
    let first = world.run.sessions.first()?.date.start();
    world.minutes.iter_mut().for_each(|all| all.retain(|bar| bar.open_time >= first));
    Some(world)
}

/// A run that begins later or stops earlier.
pub fn short_run(stretch: &Stretch, dice: &mut Dice) -> Option<World> {
    let mut world = stretch.world.clone();
    if dice.chance(500) {
        world.run.config.active_from = one_of(dice, &stretch.traded[1..10]).start();
        return Some(world);
    }
    let last = one_of(dice, &stretch.traded[5..14]);
    world.run.sessions.retain(|session| session.date <= last);
    world.minutes.iter_mut().for_each(|all| all.retain(|bar| bar.open_time.date() <= last));
    world.commands.retain(|command| command.time.date() <= last);
    (world.commands == stretch.world.commands).then_some(world)
}

/// Another cooldown after an exit.
pub fn cooldown(stretch: &Stretch, dice: &mut Dice) -> Option<World> {
    let mut world = stretch.world.clone();
    world.run.config.execution.cooldown_bars = one_of(dice, &[0, 1, 2, 5, 8, 12]);
    Some(world)
}

/// Another limit, or somebody who stops trading.
pub fn limit(stretch: &Stretch, dice: &mut Dice) -> Option<World> {
    let mut world = stretch.world.clone();
    let execution = &mut world.run.config.execution;
    match dice.below(4) {
        0 => execution.trades_max = 1 + dice.below(3),
        1 => execution.daily_loss_max = Cash::from_rupees(one_of(dice, &[200, 400, 2_000, 5_000])),
        2 => execution.exposure_max = Cash::from_rupees(one_of(dice, &[30_000, 60_000, 120_000])),
        _ => {
            let day = traded_day(stretch, dice);
            let time = Timestamp::from_ist(day, 10, 0).plus_minutes(i64::from(dice.below(240)));
            let time = time.plus_us(30_000_000);
            let kind = one_of(dice, &[CommandKind::Kill, CommandKind::Pause, CommandKind::Flatten]);
            world.commands.push(Command { time, kind });
            world.commands.sort_by_key(|command| command.time);
        }
    }
    Some(world)
}

/// The live path, stopped for good by the number of its fills, or by what it has lost since its
/// peak.
pub fn killed(stretch: &Stretch, dice: &mut Dice) -> Option<World> {
    let mut world = stretch.live_path.0.clone();
    let execution = &mut world.run.config.execution;
    if dice.chance(500) {
        execution.trades_max = one_of(dice, &[10, 20, 30, 40]);
    } else {
        let rupees = one_of(dice, &[250, 500, 1_000, 2_000, 3_000]);
        execution.daily_loss_max = Cash::from_rupees(rupees);
    }
    Some(world)
}

/// Another value of a setting of rules or execution.
pub fn configured(stretch: &Stretch, dice: &mut Dice) -> Option<World> {
    let mut world = stretch.world.clone();
    let config = &mut world.run.config;
    match dice.below(7) {
        0 => config.strategy.reversion_k = one_of(dice, &[1.0, 1.5, 1.9, 2.5]),
        1 => config.strategy.adx_gate = one_of(dice, &[15.0, 20.0, 24.0, 30.0]),
        2 => config.strategy.swing_period = one_of(dice, &[3, 4, 6, 7]),
        3 => config.strategy.time_stop_bars = one_of(dice, &[4, 6, 8]),
        4 => config.execution.slippage_ticks = one_of(dice, &[0, 2, 3]),
        5 => config.execution.entry_cutoff_minutes = one_of(dice, &[0, 60, 120]),
        _ => config.execution.flatten_minutes = one_of(dice, &[5, 30, 45]),
    }
    Some(world)
}

/// Another size of trades.
pub fn sized(stretch: &Stretch, dice: &mut Dice) -> Option<World> {
    let mut world = stretch.world.clone();
    let config = &mut world.run.config;
    match dice.below(3) {
        0 => {
            let rupees = one_of(dice, &[250, 400, 499, 750, 1_000]);
            config.strategy.risk_per_trade = Cash::from_rupees(rupees);
        }
        1 => config.strategy.leverage = one_of(dice, &[1, 2]),
        _ => config.execution.capital = Cash::from_rupees(one_of(dice, &[20_000, 50_000])),
    }
    Some(world)
}
