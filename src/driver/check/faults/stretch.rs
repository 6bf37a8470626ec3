//! Stretches of a case, on which faults are planted: some sessions that warm up and some that are
//! traded, with what the core says there. Some faults take months to show and have long ones.

use std::collections::BTreeSet;

use crate::backtest::python::batch;
use crate::core::aggregate::Known;
use crate::core::strategy::Strategy;
use crate::domain::config::{ExecutionProfile, Profile};
use crate::domain::event::RunStarted;
use crate::domain::fact::{Bar15m, Signal};
use crate::domain::money::{Cash, Qty};
use crate::domain::time::Date;
use crate::driver::align::ground::Ground;
use crate::driver::align::world::{Told, World};

/// Sessions that warm a stretch up.
const WARMUP_SESSIONS: usize = 8;
/// Sessions of a stretch that are traded.
const TRADED_SESSIONS: usize = 15;

/// Long stretches, at most.
const LONG_MAX: usize = 4;
/// Sessions by which each of them begins later.
const LONG_STEP: usize = 8;

/// One stretch.
pub struct Stretch {
    /// Its untouched world.
    pub world: World,
    /// What the core says in it.
    pub told: Told,
    /// What a golden is held against.
    pub ground: Ground,
    /// Its traded days.
    pub traded: Vec<Date>,
    /// What the batch run would say of each bar if so many later bars were there, from one on. A
    /// long stretch has none.
    pub ahead: Vec<Vec<Signal>>,
    /// The live path over the same minutes, with exits and cooldown and without limits, by the
    /// core.
    pub live_path: (World, Told),
}

/// At most so many stretches of a world, evenly over its sessions.
pub fn of_world(world: &World, count: usize) -> Vec<Stretch> {
    let length = WARMUP_SESSIONS + TRADED_SESSIONS;
    let sessions = world.run.sessions.len();
    let Some(last) = sessions.checked_sub(length) else { return Vec::new() };
    let starts: BTreeSet<usize> =
        (0..count).map(|place| last * place / count.saturating_sub(1).max(1)).collect();
    let stretch = |start| {
        let mut stretch = Stretch::new(world, start, length);
        stretch.ahead = ahead(&stretch.ground);
        stretch
    };
    starts.into_iter().map(stretch).collect()
}

/// At most so many stretches that go on to the end of a world.
pub fn long_of_world(world: &World, count: usize) -> Vec<Stretch> {
    let sessions = world.run.sessions.len();
    let starts = (0..count.min(LONG_MAX)).map(|place| place * LONG_STEP);
    let lengths = starts.map(|start| (start, sessions.saturating_sub(start)));
    let long = lengths.filter(|(_, length)| *length > WARMUP_SESSIONS + TRADED_SESSIONS);
    long.map(|(start, length)| Stretch::new(world, start, length)).collect()
}

impl Stretch {
    fn new(world: &World, start: usize, length: usize) -> Stretch {
        let mut part = world.clone();
        part.run.sessions = world.run.sessions[start..start + length].to_vec();
        let days: Vec<Date> = part.run.sessions.iter().map(|session| session.date).collect();
        let traded = days[WARMUP_SESSIONS..].to_vec();
        let is_inside = |date: Date| (days[0]..=days[length - 1]).contains(&date);
        part.minutes.iter_mut().for_each(|all| all.retain(|bar| is_inside(bar.open_time.date())));
        part.commands.retain(|command| is_inside(command.time.date()));
        part.run.config.active_from = traded[0].start();
        let live_path = live_path(&part);
        Stretch {
            told: part.ask(),
            ground: part.ground(),
            traded,
            ahead: Vec::new(),
            live_path: (live_path.clone(), live_path.ask()),
            world: part,
        }
    }

    /// The signals of the core's own strategy over the stretch's bars under other settings, by
    /// instrument and bar.
    pub fn signals_with(&self, change: impl Fn(&mut RunStarted)) -> Vec<Signal> {
        let mut run = self.world.run.clone();
        change(&mut run);
        let mut strategy = Strategy::new(&run);
        let bars = self.ground.bars.iter().flatten();
        bars.filter_map(|bar| strategy.bar(&Known::live(bar), bar.close_time).1).collect()
    }

    /// What the strategy says of each bar if it was begun anew so many bars before.
    pub fn signals_of_window(&self, bars_max: usize, sizing: Profile) -> Vec<Signal> {
        let mut run = self.world.run.clone();
        // Which bars are asked is said here, and the window may be shorter than the first bar.
        let first = match sizing {
            Profile::Causal => run.config.strategy.first_bar as usize,
            Profile::CompatLive => 49,
        };
        run.config.strategy.first_bar = 1;
        let of = |bars: &Vec<Bar15m>| -> Vec<Signal> {
            let at = |last: usize| {
                let mut strategy = Strategy::new(&run);
                let seen = &bars[(last + 1).saturating_sub(bars_max)..=last];
                let said = seen.iter().map(|bar| strategy.bar(&Known::live(bar), bar.close_time).1);
                said.last().flatten()
            };
            (first..bars.len()).filter_map(at).collect()
        };
        self.ground.bars.iter().flat_map(of).collect()
    }
}

/// What the batch run would say of each bar if so many later bars were there, from one to all that
/// it reads.
fn ahead(ground: &Ground) -> Vec<Vec<Signal>> {
    let (config, period) = (&ground.run.config, ground.run.config.strategy.swing_period as usize);
    let ahead = (1..=period).map(|count| {
        let of = |bars: &Vec<Bar15m>| -> Vec<Signal> {
            let at = |place: usize| {
                let seen = &bars[..bars.len().min(place + count + 1)];
                let events = batch::events(config, seen).in_hindsight();
                events.into_iter().find(|it| it.bar_time == bars[place].open_time)
            };
            (0..bars.len()).filter_map(at).collect()
        };
        ground.bars.iter().flat_map(of).collect()
    });
    ahead.collect()
}

/// The same minutes, traded as the live path trades them, with limits that nothing reaches.
fn live_path(world: &World) -> World {
    let mut world = world.clone();
    world.commands.clear();
    world.run.config.strategy.profile = Profile::CompatLive;
    let execution = &mut world.run.config.execution;
    execution.profile = ExecutionProfile::Compat;
    execution.trades_max = 1_000_000;
    execution.daily_loss_max = Cash::from_rupees(1_000_000_000);
    execution.position_max = Qty(1_000_000);
    world
}
