//! The journal on a simulated disk. `cargo test` runs a small share of the seeds; `cargo xtask
//! crash` runs as many as one likes.
//!
//! - [`disk`] the model: what a disk may do; [`fate`] what a power cut makes of it; [`damage`] what
//!   years make of it; [`plan`] which operations fail
//! - [`world`] the records; [`run`] a run in several lives and what must hold after each
//! - [`forged`] what is checked besides checksums
//! - [`told`] the driver on top of it: what the world was told is on the disk
//! - [`seed`] the run of a seed; [`sweep`] scripts in which every operation fails;
//!   [`stops`] two stops in a row at every pair of operations
//! - [`farm`] many runs on all cores; [`tally`] what they came to; [`model`] tests of the model

mod damage;
mod dice;
mod disk;
mod farm;
mod fate;
mod forged;
mod model;
mod plan;
mod run;
mod seed;
mod stops;
mod sweep;
mod tally;
mod told;
mod trace;
mod world;

use std::panic;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Parser;
use libtest_mimic::{Arguments, Failed, Trial};
use trials::{simulated, timed, trial};

use farm::{Harvest, harvest};
use seed::Verdict;
use stops::Stops;
use sweep::Sweep;

/// Seeds and cases of damage for each, under `cargo test`.
const SEEDS: u64 = 400;
const DAMAGE: u64 = 4;
/// Of the sweep, under `cargo test`, every so many cases, and one for each operation.
const STRIDE: usize = 97;
/// And of the pairs of stops.
const STOPS_STRIDE: u64 = 41;

/// Runs the journal on a simulated disk.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask crash", bin_name = "cargo xtask crash")]
struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 20_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Only this seed, and print its trace's hash.
    #[arg(long, conflicts_with_all = ["seeds", "from", "sweep"])]
    seed: Option<u64>,
    /// Cases of damage for each seed.
    #[arg(long, default_value_t = 1)]
    damage: u64,
    /// The sweep instead of seeds: every operation of a script fails.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    sweep: bool,
    /// Two stops in a row instead of seeds, at every pair of operations.
    #[arg(long, conflicts_with_all = ["seeds", "from", "sweep"])]
    stops: bool,
    /// Only this case of the sweep or of the stops.
    #[arg(long, conflicts_with_all = ["seeds", "from", "seed"])]
    case: Option<u64>,
    /// Print every operation of a single seed or case.
    #[arg(long)]
    trace: bool,
    /// Stop soon after the first violation.
    #[arg(long)]
    fail_fast: bool,
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
    let mut trials: Vec<Trial> =
        model::TESTS.iter().map(|(name, test)| trial(&format!("model::{name}"), *test)).collect();
    let told = told::what_the_world_was_told_is_on_the_disk;
    trials.push(trial("what_the_world_was_told_is_on_the_disk", told));
    let forged = forged::a_forged_header_or_commit_is_damage;
    trials.push(trial("a_forged_header_or_commit_is_damage", forged));
    trials.push(Trial::test("seeds", some_seeds));
    trials.push(Trial::test("sweep", some_of_the_sweep));
    trials.push(Trial::test("stops", some_stops));
    trials.push(Trial::test("a_seed_has_one_trace", a_seed_has_one_trace));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn some_seeds() -> Result<(), Failed> {
    let run = |seed| seed::run(seed, DAMAGE, false);
    let harvest = harvest(0, SEEDS, cores(), false, run);
    no_violations(&harvest, |seed| rerun(&format!("--seed {seed} --damage {DAMAGE}")))?;
    let tally = harvest.tally;
    let empty = [tally.acknowledged, tally.stops, tally.failures, tally.resumed, tally.flagged]
        .contains(&0);
    if empty { Err(Failed::from(format!("nothing was tried:\n{tally}"))) } else { Ok(()) }
}

fn some_of_the_sweep() -> Result<(), Failed> {
    let sweep = Sweep::new()?;
    let strided = (0..sweep.cases()).step_by(STRIDE);
    let chosen: Vec<u64> = (0..sweep.operations()).map(Sweep::broken_once).chain(strided).collect();
    let run = |place: u64| sweep.run(chosen[place as usize], false);
    let harvest = harvest(0, chosen.len() as u64, cores(), false, run);
    no_violations(&harvest, |place| rerun(&format!("--sweep --case {}", chosen[place as usize])))
}

fn some_stops() -> Result<(), Failed> {
    let stops = Stops::new()?;
    let run = |place| stops.run(place * STOPS_STRIDE, false);
    let harvest = harvest(0, stops.cases() / STOPS_STRIDE, cores(), false, run);
    no_violations(&harvest, |place| rerun(&format!("--stops --case {}", place * STOPS_STRIDE)))
}

fn a_seed_has_one_trace() -> Result<(), Failed> {
    let hashes = |seed| seed::run(seed, 1, false).trace_hash;
    let (first, again): (Vec<_>, Vec<_>) =
        ((0..20).map(hashes).collect(), (0..20).map(hashes).collect());
    if first != again {
        return Err("the same seed went another way the second time".into());
    }
    let mut different = first;
    different.sort_unstable();
    different.dedup();
    if different.len() < 20 { Err("two seeds went the same way".into()) } else { Ok(()) }
}

fn no_violations(harvest: &Harvest, rerun: impl Fn(u64) -> String) -> Result<(), Failed> {
    if harvest.violations == 0 {
        return Ok(());
    }
    let lines = harvest.first.iter().map(|(number, what)| format!("{}: {what}", rerun(*number)));
    Err(Failed::from(lines.collect::<Vec<_>>().join("\n")))
}

/// The command that runs one thing again.
fn rerun(what: &str) -> String {
    format!("cargo xtask crash {what} --trace")
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn simulate(args: &Args) -> ExitCode {
    let done = if args.sweep {
        Sweep::new().map(|sweep| {
            println!("{:<36} {:>14}", "operations that fail", sweep.operations());
            cases(args, "--sweep", sweep.cases(), |case, shown| sweep.run(case, shown))
        })
    } else if args.stops {
        Stops::new().map(|stops| {
            cases(args, "--stops", stops.cases(), |case, shown| stops.run(case, shown))
        })
    } else if let Some(seed) = args.seed {
        Ok(single(seed::run(seed, args.damage, args.trace)))
    } else {
        let run = |seed| seed::run(seed, args.damage, false);
        let rerun = |seed| rerun(&format!("--seed {seed} --damage {}", args.damage));
        Ok(many(args, args.from, args.seeds, run, rerun))
    };
    done.unwrap_or_else(|violation| {
        println!("VIOLATION before the first case: {violation}");
        ExitCode::FAILURE
    })
}

/// All cases of a kind, or the one that is asked for.
fn cases(
    args: &Args,
    kind: &str,
    count: u64,
    run: impl Fn(u64, bool) -> Verdict + Sync,
) -> ExitCode {
    match args.case {
        Some(case) if case >= count => {
            println!("there are {count} cases, from 0 on");
            ExitCode::FAILURE
        }
        Some(case) => single(run(case, args.trace)),
        None => {
            let rerun = |case| rerun(&format!("{kind} --case {case}"));
            many(args, 0, count, |case| run(case, false), rerun)
        }
    }
}

fn many(
    args: &Args,
    from: u64,
    count: u64,
    run: impl Fn(u64) -> Verdict + Sync,
    rerun: impl Fn(u64) -> String,
) -> ExitCode {
    let threads = args.threads.unwrap_or_else(cores).max(1);
    let (harvest, time) = timed(|| harvest(from, count, threads, args.fail_fast, run));
    report(&harvest, time, rerun)
}

fn single(verdict: Verdict) -> ExitCode {
    print!("{}", verdict.tally);
    match verdict.violation {
        None => {
            println!("{:<36} {:>14}", "trace", format!("{:012x}", verdict.trace_hash >> 16));
            ExitCode::SUCCESS
        }
        Some(violation) => {
            println!("VIOLATION: {violation}");
            ExitCode::FAILURE
        }
    }
}

fn report(harvest: &Harvest, time: Duration, rerun: impl Fn(u64) -> String) -> ExitCode {
    print!("{}", harvest.tally);
    let speed = harvest.tally.seeds as f64 / time.as_secs_f64();
    println!("{:<36} {:>14.1}", "seconds", time.as_secs_f64());
    println!("{:<36} {:>14.0}", "seeds per second", speed);
    println!("{:<36} {:>14}", "violations", harvest.violations);
    for (number, violation) in &harvest.first {
        println!("{}: {violation}", rerun(*number));
    }
    if harvest.violations == 0 && harvest.tally.seeds > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
