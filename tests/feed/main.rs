//! Days of the calendar, lived in simulated time in every weather. `cargo test` lives a few;
//! `cargo xtask feed` as many as one likes.
//!
//! - [`scene`] a day, its history and what a replay makes of it; [`day`] how it is lived
//! - [`judge`] the weathers, and what must hold in each; [`farm`] many days on all cores
//! - [`stories`] what is special about single days

mod day;
mod farm;
mod judge;
mod scene;
mod stories;

use std::panic;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use libtest_mimic::{Arguments, Failed, Trial};
use trials::{simulated, timed, trial};

use farm::{Harvest, harvest};
use judge::{Tally, WEATHERS};
use scene::{DAYS, Scene};

/// Histories under `cargo test`, each in every weather: one for each kind of day.
const HISTORIES: u64 = DAYS.len() as u64;

/// Lives days of the calendar in every weather.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask feed", bin_name = "cargo xtask feed")]
struct Args {
    /// How many seeds: each is a day with a history of its own in one weather.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Only this seed, and print what was odd about it.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// How many threads; as many as there are cores if not given.
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> ExitCode {
    // A panic is a violation like any other and is told with its seed.
    panic::set_hook(Box::new(|_| {}));
    if let Some(typed) = simulated() {
        return simulate(&Args::parse_from(typed));
    }
    let mut trials: Vec<Trial> = stories::TESTS
        .iter()
        .map(|(name, test)| trial(&format!("stories::{name}"), *test))
        .collect();
    trials.push(Trial::test("no_weather_loses_or_doubles_a_bar_or_makes_one_up", some_seeds));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn some_seeds() -> Result<(), Failed> {
    let harvest = harvest(0..HISTORIES * WEATHERS.len() as u64, None)?;
    if harvest.violations > 0 {
        return Err(Failed::from(violations(&harvest)));
    }
    did_something(&harvest).map_err(Failed::from)
}

/// Weather that does nothing would prove nothing.
fn did_something(harvest: &Harvest) -> Result<(), String> {
    let whole = harvest.whole();
    for (word, count) in
        [("bars", whole.bars), ("signals", whole.signals), ("incomplete bars", whole.incomplete)]
    {
        if count == 0 {
            return Err(format!("there were no {word} on these days"));
        }
    }
    let is_idle = |(weather, tally): (&usize, &Tally)| {
        let (words, may_lose) = WEATHERS[*weather];
        (may_lose && tally.gaps == 0 && tally.days > 20).then_some(words)
    };
    match harvest.tallies.iter().find_map(is_idle) {
        Some(words) => Err(format!("the weather '{words}' did nothing")),
        None => Ok(()),
    }
}

fn violations(harvest: &Harvest) -> String {
    let line = |(seed, why): &(u64, String)| {
        format!("cargo xtask feed --seed {seed}, weather '{}': {why}", weather_of(*seed))
    };
    harvest.first.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn weather_of(seed: u64) -> &'static str {
    WEATHERS[farm::weather(seed)].0
}

fn simulate(args: &Args) -> ExitCode {
    if let Some(seed) = args.seed {
        let (history, date) = farm::scene(seed);
        println!("seed {seed}: {date}, weather '{}'", weather_of(seed));
        let scene = Scene::new(date, history);
        for line in judge::oddities(&scene, farm::weather(seed), seed) {
            println!("{line}");
        }
    }
    let seeds = match args.seed {
        Some(seed) => seed..seed + 1,
        None => args.from..args.from.saturating_add(args.seeds),
    };
    let (harvest, time) = timed(|| harvest(seeds, args.threads));
    match harvest {
        Ok(harvest) => report(&harvest, time, args.seed.is_some()),
        Err(error) => {
            println!("no threads: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The table by weather, and what went wrong.
fn report(harvest: &Harvest, time: Duration, is_single: bool) -> ExitCode {
    let heads =
        ["seeds", "bars", "incompl.", "gaps", "lookups", "found", "signals", "lost", "other"];
    let heads: String = heads.iter().map(|head| format!("{head:>10}")).collect();
    println!("{:<66}{heads}", "weather");
    for (weather, tally) in &harvest.tallies {
        let words = WEATHERS[*weather].0;
        row(if words.is_empty() { "fair" } else { words }, tally);
    }
    let whole = harvest.whole();
    row("all", &whole);
    println!(
        "bars end as the replay has them, an incomplete one without a signal; {:.1} s, {:.0} seeds \
         a second, {} violations",
        time.as_secs_f64(),
        (whole.days + harvest.violations) as f64 / time.as_secs_f64(),
        harvest.violations
    );
    if harvest.violations > 0 {
        println!("{}", violations(harvest));
    }
    let idle = if is_single { None } else { did_something(harvest).err() };
    if let Some(why) = &idle {
        println!("nothing was tried: {why}");
    }
    let is_sound = harvest.violations == 0 && whole.days > 0 && idle.is_none();
    if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn row(words: &str, tally: &Tally) {
    let Tally { days, bars, incomplete, gaps, lookups, found, signals, lost, others } = *tally;
    let counts = [days, bars, incomplete, gaps, lookups, found, signals, lost, others];
    let counts: String = counts.iter().map(|count| format!("{count:>10}")).collect();
    println!("{words:<66}{counts}");
}
