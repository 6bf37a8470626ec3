//! What happens in the run of a seed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use trials::words_of;

use super::fate::Weather;
use super::plan::{Honesty, Plan};
use super::run::{Ended, Run, Script, Violation};
use super::tally::Tally;

/// The result of one seed.
pub struct Verdict {
    pub tally: Tally,
    /// One number for everything that was done to the disk.
    pub trace_hash: u64,
    pub violation: Option<Violation>,
}

/// Runs a seed, and so many cases of damage to what it leaves.
pub fn run(seed: u64, damage: u64, is_shown: bool) -> Verdict {
    judged(begin(seed, is_shown), "", |run| lives(run, damage))
}

/// What comes of a run in which that is done. A panic is a violation like any other.
pub fn judged(
    mut run: Run,
    case: &str,
    work: impl FnOnce(&mut Run) -> Result<(), Violation>,
) -> Verdict {
    let done = catch_unwind(AssertUnwindSafe(|| work(&mut run)));
    let result = done.unwrap_or_else(|panic| Err(format!("panic: {}", words_of(&*panic))));
    let violation = result.err().map(|what| match case {
        "" => what,
        case => format!("{what}, {case}"),
    });
    let trace_hash = match violation {
        // Whoever panicked may have held the disk.
        Some(_) => 0,
        None => run.disk.trace_hash(),
    };
    Verdict { tally: run.tally, trace_hash, violation }
}

fn begin(seed: u64, is_shown: bool) -> Run {
    let mut dice = super::dice::Dice::new(seed, 4);
    let honesty = match dice.below(24) {
        0 => Honesty::Lying(1 + dice.below(4)),
        1 => Honesty::Late(1 + dice.below(30)),
        _ => Honesty::Honest,
    };
    let capacity = if dice.once_in(8) { dice.within(20_000..120_000) } else { 1 << 40 };
    Run::new(seed, capacity, honesty, is_shown)
}

fn lives(run: &mut Run, damage: u64) -> Result<(), Violation> {
    let lives = 1 + run.dice.below(5);
    for life in 1..=lives {
        let reach = run.dice.one_of(&[12, 40, 150, 400]);
        let honesty = run.honesty();
        let plan = Plan::thrown(&mut run.dice, reach, honesty);
        let script = Script {
            steps: run.dice.below(40),
            urgent_once_in: run.dice.one_of(&[1, 3, 10]),
            seals: life == lives && run.dice.once_in(3),
        };
        run.live(plan, script)?;
        if run.dice.once_in(2) {
            let weather = run.dice.one_of(&Weather::ALL);
            run.power_cut(weather);
        }
        run.check()?;
        if run.dice.once_in(3) {
            let room = run.dice.within(20_000..100_000);
            run.disk.make_room(room);
        }
    }
    at_last(run)?;
    run.damage(damage)
}

/// Whatever has happened: once the disk is well and has room, the run can be taken up.
fn at_last(run: &mut Run) -> Result<(), Violation> {
    run.disk.make_room(1 << 40);
    let script = Script { steps: run.dice.below(12), urgent_once_in: 3, seals: false };
    let honesty = run.honesty();
    let ended = run.live(Plan { honesty, ..Plan::CALM }, script)?;
    if let (Ended::With(error), Honesty::Honest) = (ended, honesty) {
        return Err(format!("cannot be taken up: {error}"));
    }
    if run.dice.once_in(2) {
        let weather = run.dice.one_of(&Weather::ALL);
        run.power_cut(weather);
    }
    run.check()
}
