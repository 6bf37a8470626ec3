//! The parts in which the worlds of two runs differ, each with the class of what it causes, and a
//! world with one such part taken from the other.

use std::collections::BTreeSet;

use toml::de::DeValue;

use crate::domain::config::RunConfig;
use crate::domain::event::Command;
use crate::domain::fact::Bar;
use crate::domain::time::{Date, Timestamp};
use crate::driver::settings::settings;
use crate::golden::align::class::{Class, Piece};

use super::minutes;
use super::world::{World, place};

/// The part of a configuration that is no setting of strategy or execution.
const ACTIVE_FROM: &str = "active_from";
const FEES: &str = "fees";

/// Why two worlds cannot be taken apart.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the runs have other symbols: {golden} and {live}")]
pub struct OtherSymbols {
    /// Those of the one.
    pub golden: String,
    /// Those of the other.
    pub live: String,
}

/// The parts in which `live` differs from `golden`, in the order in which they are asked about.
///
/// # Errors
/// When the two have other symbols.
pub fn between(golden: &World, live: &World) -> Result<Vec<(Class, Piece)>, OtherSymbols> {
    let keys = |world: &World| {
        let keys = world.run.instruments.iter().map(|instrument| instrument.key.as_str());
        keys.collect::<Vec<_>>().join(", ")
    };
    if keys(golden) != keys(live) {
        return Err(OtherSymbols { golden: keys(golden), live: keys(live) });
    }
    let mut found = settings_apart(&golden.run.config, &live.run.config);
    found.extend(commands_apart(golden, live));
    for (one, other) in golden.run.instruments.iter().zip(&live.run.instruments) {
        if one != other {
            found.push((Class::Instrument, Piece::Listing(one.key.clone())));
        }
    }
    let (days, skipped) = days_apart(golden, live);
    found.extend(days);
    for (place, instrument) in golden.run.instruments.iter().enumerate() {
        let others = golden.minutes.iter().zip(&live.minutes).enumerate();
        let others: Vec<(&[Bar], &[Bar])> = others
            .filter(|(other, _)| *other != place)
            .map(|(_, (ours, theirs))| (&ours[..], &theirs[..]))
            .collect();
        let (ours, theirs) = (&golden.minutes[place], &live.minutes[place]);
        found.extend(minutes::pieces(&instrument.key, ours, theirs, &others, &skipped));
    }
    Ok(found)
}

/// `live` with one part of `golden`.
pub fn taken(golden: &World, live: &World, piece: &Piece) -> World {
    let mut world = live.clone();
    match piece {
        Piece::InTime => {}
        Piece::Setting(name, _) if name == ACTIVE_FROM => {
            world.run.config.active_from = golden.run.config.active_from;
            let days = leading(golden, live);
            days.iter().for_each(|date| take_day(&mut world, golden, *date));
        }
        Piece::Setting(name, _) if name == FEES => {
            world.run.config.fees = golden.run.config.fees.clone();
        }
        Piece::Setting(name, value) => set(&mut world.run.config, name, value),
        Piece::Command(command, true) => {
            let place = world.commands.partition_point(|other| other.time <= command.time);
            world.commands.insert(place, *command);
        }
        Piece::Command(command, false) => {
            if let Some(place) = world.commands.iter().position(|other| other == command) {
                world.commands.remove(place);
            }
        }
        Piece::Listing(key) => {
            if let (Some(ours), Some(theirs)) = (world.place_of(key), golden.place_of(key)) {
                world.run.instruments[ours] = golden.run.instruments[theirs].clone();
            }
        }
        Piece::Days(dates) => dates.iter().for_each(|date| take_day(&mut world, golden, *date)),
        Piece::Minutes { key, times } => {
            if let (Some(ours), Some(theirs)) = (world.place_of(key), golden.place_of(key)) {
                take_minutes(&mut world.minutes[ours], &golden.minutes[theirs], times);
            }
        }
    }
    world
}

fn take_minutes(live: &mut Vec<Bar>, golden: &[Bar], times: &[Timestamp]) {
    let wanted: BTreeSet<Timestamp> = times.iter().copied().collect();
    live.retain(|bar| !wanted.contains(&bar.open_time));
    let theirs = wanted.iter().filter_map(|time| place(golden, *time).ok());
    live.extend(theirs.map(|place| golden[place]));
    live.sort_by_key(|bar| bar.open_time);
}

/// Hours and minutes of all symbols on that date.
fn take_day(world: &mut World, golden: &World, date: Date) {
    world.run.sessions.retain(|session| session.date != date);
    let sessions = golden.run.sessions.iter().filter(|session| session.date == date);
    world.run.sessions.extend(sessions.cloned());
    world.run.sessions.sort_by_key(|session| session.date);
    for (ours, theirs) in world.minutes.iter_mut().zip(&golden.minutes) {
        ours.retain(|bar| bar.open_time.date() != date);
        ours.extend(theirs.iter().filter(|bar| bar.open_time.date() == date));
        ours.sort_by_key(|bar| bar.open_time);
    }
}

/// The class of what another value of a setting causes.
fn class_of(name: &str) -> Class {
    match name {
        "strategy.risk_per_trade" | "strategy.leverage" | "execution.capital" => Class::Sizing,
        "strategy.first_bar" => Class::WarmUp,
        "execution.cooldown_bars" => Class::Cooldown,
        "execution.trades_max"
        | "execution.daily_loss_max"
        | "execution.position_max"
        | "execution.exposure_max" => Class::Limits,
        ACTIVE_FROM => Class::Coverage,
        _ => Class::Configuration,
    }
}

fn settings_apart(golden: &RunConfig, live: &RunConfig) -> Vec<(Class, Piece)> {
    let (mut one, mut other) = (golden.clone(), live.clone());
    let ours = settings(&mut one.strategy, &mut one.execution);
    let theirs = settings(&mut other.strategy, &mut other.execution);
    let mut found: Vec<(Class, Piece)> = ours
        .iter()
        .zip(&theirs)
        .filter(|(ours, theirs)| ours.shown() != theirs.shown())
        .map(|(ours, _)| (ours.full_name(), ours.shown()))
        .map(|(name, value)| (class_of(&name), Piece::Setting(name, value)))
        .collect();
    if golden.fees != live.fees {
        let piece = Piece::Setting(FEES.to_owned(), golden.fees.name.clone());
        found.push((class_of(FEES), piece));
    }
    if golden.active_from != live.active_from {
        let piece = Piece::Setting(ACTIVE_FROM.to_owned(), golden.active_from.to_string());
        found.push((class_of(ACTIVE_FROM), piece));
    }
    found
}

fn set(config: &mut RunConfig, name: &str, value: &str) {
    let value = DeValue::parse(value).expect("a setting is shown as TOML");
    let mut all = settings(&mut config.strategy, &mut config.execution);
    let setting = all.iter_mut().find(|setting| setting.full_name() == name);
    setting.expect("it was found in a configuration").take(value.get_ref());
}

/// Commands change what may be traded, so they stop like limits do.
fn commands_apart(golden: &World, live: &World) -> Vec<(Class, Piece)> {
    let lacks = |all: &[Command], command: &&Command| !all.contains(command);
    let ours = golden.commands.iter().filter(|one| lacks(&live.commands, one));
    let theirs = live.commands.iter().filter(|one| lacks(&golden.commands, one));
    let ours = ours.map(|command| Piece::Command(*command, true));
    let theirs = theirs.map(|command| Piece::Command(*command, false));
    ours.chain(theirs).map(|piece| (Class::Limits, piece)).collect()
}

fn dates(world: &World) -> BTreeSet<Date> {
    world.minutes.iter().flatten().map(|bar| bar.open_time.date()).collect()
}

/// Days before the first that both have.
fn leading(golden: &World, live: &World) -> Vec<Date> {
    let (ours, theirs) = (dates(golden), dates(live));
    let both = ours.intersection(&theirs).next().copied();
    let apart = ours.symmetric_difference(&theirs).copied();
    apart.filter(|date| both.is_some_and(|both| *date < both)).collect()
}

/// Days that one side has not at all, or with other hours: as pieces, and all of them. Those before
/// the first common day warm up, unless the runs are active from another day on.
fn days_apart(golden: &World, live: &World) -> (Vec<(Class, Piece)>, BTreeSet<Date>) {
    let (ours, theirs) = (dates(golden), dates(live));
    let hours = |world: &World, date: Date| {
        world.run.sessions.iter().find(|session| session.date == date).cloned()
    };
    let mut apart: BTreeSet<Date> = ours.symmetric_difference(&theirs).copied().collect();
    let both: Vec<Date> = ours.intersection(&theirs).copied().collect();
    apart.extend(both.iter().filter(|date| hours(golden, **date) != hours(live, **date)));
    let before = leading(golden, live);
    let last = both.last().copied();
    let after: Vec<Date> =
        apart.iter().copied().filter(|date| last.is_some_and(|last| *date > last)).collect();
    let mut found = Vec::new();
    if !before.is_empty() && golden.run.config.active_from == live.run.config.active_from {
        found.push((Class::WarmUp, Piece::Days(before.clone())));
    }
    let is_between = |date: &&Date| !before.contains(date) && !after.contains(date);
    let between = apart.iter().filter(is_between);
    found.extend(between.map(|date| (Class::Calendar, Piece::Days(vec![*date]))));
    if !after.is_empty() {
        found.push((Class::Coverage, Piece::Days(after)));
    }
    (found, apart)
}
