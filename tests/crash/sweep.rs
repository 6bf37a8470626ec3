//! The sweep: one fixed script, and every operation of the disk in it fails, once or from there on
//! for good, in every way there is; after that the process is gone, with the power or without.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::fate::Weather;
use super::plan::{Failing, Fault, Honesty, Plan};
use super::run::{Ended, Run, Script, Violation};
use super::seed::{Verdict, words_of};

/// The seed of the script.
const SEED: u64 = 20_241_001;
const ROOM: u64 = 1 << 40;

/// The lives of the script. The last one takes up what a power cut has left and brings the run to
/// its end.
const LIVES: [Script; 2] = [
    Script { steps: 60, urgent_once_in: 4, seals: false },
    Script { steps: 30, urgent_once_in: 4, seals: true },
];

/// All cases of the sweep.
pub struct Sweep {
    /// Operations of each life when nothing goes wrong.
    operations: [u64; LIVES.len()],
}

/// One case.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The life in which the operation fails.
    life: usize,
    failing: Failing,
    /// What the power does after it.
    weather: Option<Weather>,
}

/// What the power does after the fault: nothing, or one of these.
const WEATHERS: [Option<Weather>; 3] = [None, Some(Weather::Dark), Some(Weather::Wild)];
/// Cases for each operation.
const PER_OPERATION: u64 = (Fault::ALL.len() * 2 * WEATHERS.len()) as u64;

impl Sweep {
    /// Measures the script.
    pub fn new() -> Result<Sweep, Violation> {
        let mut run = script(false);
        let mut operations = [0; LIVES.len()];
        for (life, count) in operations.iter_mut().enumerate() {
            calm_life(&mut run, life)?;
            *count = run.disk.operations();
            run.power_cut(Weather::Patchy);
        }
        Ok(Sweep { operations })
    }

    /// Operations that fail.
    pub fn operations(&self) -> u64 {
        self.operations.iter().sum()
    }

    /// How many cases there are.
    pub fn cases(&self) -> u64 {
        self.operations() * PER_OPERATION
    }

    fn case(&self, number: u64) -> Case {
        let (place, mut number) = (number % PER_OPERATION, number / PER_OPERATION);
        let mut life = 0;
        while number >= self.operations[life] {
            number -= self.operations[life];
            life += 1;
        }
        let (kind, weather) = (place as usize / WEATHERS.len(), place as usize % WEATHERS.len());
        let (fault, for_good) = (Fault::ALL[kind / 2], kind.is_multiple_of(2));
        let failing = Failing { from: 1 + number, fault, for_good };
        Case { life, failing, weather: WEATHERS[weather] }
    }

    /// Runs a case.
    pub fn run(&self, number: u64, is_shown: bool) -> Verdict {
        let case = self.case(number);
        let mut run = script(is_shown);
        let done = catch_unwind(AssertUnwindSafe(|| go(&mut run, case)));
        let violation = match done {
            Ok(result) => result.err(),
            Err(panic) => Some(format!("panic: {}", words_of(&*panic))),
        };
        let violation = violation.map(|violation| format!("{violation}, in {case:?}"));
        let trace_hash = if violation.is_none() { run.disk.trace_hash() } else { 0 };
        Verdict { tally: run.tally, trace_hash, violation }
    }
}

fn script(is_shown: bool) -> Run {
    Run::new(SEED, ROOM, Honesty::Honest, is_shown)
}

fn calm_life(run: &mut Run, life: usize) -> Result<(), Violation> {
    match run.live(Plan::CALM, LIVES[life])? {
        Ended::InOrder => Ok(()),
        Ended::With(error) => Err(format!("nothing was wrong, and yet: {error}")),
    }
}

fn go(run: &mut Run, case: Case) -> Result<(), Violation> {
    for life in 0..case.life {
        calm_life(run, life)?;
        run.power_cut(Weather::Patchy);
    }
    let Failing { fault, .. } = case.failing;
    let plan = Plan { failing: Some(case.failing), ..Plan::CALM };
    let ended = run.live(plan, LIVES[case.life])?;
    if let (Ended::With(error), Fault::Short | Fault::Interrupted) = (&ended, fault) {
        return Err(format!("{fault:?} is no reason to stop: {error}"));
    }
    if let Some(weather) = case.weather {
        run.power_cut(weather);
    }
    run.check()?;
    // The fault is over: whoever comes next can go on, and what he finds outlasts the worst.
    let script = Script { steps: 5, urgent_once_in: 2, seals: false };
    if let Ended::With(error) = run.live(Plan::CALM, script)? {
        return Err(format!("cannot be taken up: {error}"));
    }
    run.power_cut(Weather::Dark);
    run.check()
}
