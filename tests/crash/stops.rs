//! Two stops in a row: a process stops at every operation of a short run, the next one at every
//! operation of its recovery and of what follows, and then the power goes. Here lie the gaps of one
//! operation that random stops find once in a hundred thousand runs.

use super::fate::Weather;
use super::plan::{Honesty, Plan};
use super::run::{Ended, Run, Script, Violation};
use super::seed::{Verdict, judged};

const SCRIPTS: [Script; 2] = [
    Script { steps: 3, urgent_once_in: 2, seals: false },
    Script { steps: 2, urgent_once_in: 2, seals: false },
];

/// What the power does after the first stop and after the second, and how often that is thrown.
const WEATHERS: [[Option<Weather>; 2]; 4] = [
    [None, Some(Weather::Patchy)],
    [None, Some(Weather::Reversed)],
    [None, Some(Weather::Wild)],
    [Some(Weather::Wild), Some(Weather::Wild)],
];
const THROWS: u64 = 3;

/// All cases of two stops.
pub struct Stops {
    /// Operations of the two lives when nothing stops them, and a few more.
    operations: [u64; 2],
}

impl Stops {
    /// Measures the lives.
    pub fn new() -> Result<Stops, Violation> {
        let mut run = begun(0, false);
        let mut operations = [0; 2];
        for (count, script) in operations.iter_mut().zip(SCRIPTS) {
            run.live(Plan::CALM, script)?;
            *count = run.disk.operations() + 5;
        }
        Ok(Stops { operations })
    }

    /// How many cases there are.
    pub fn cases(&self) -> u64 {
        self.operations.iter().product::<u64>() * WEATHERS.len() as u64 * THROWS
    }

    /// Runs a case.
    pub fn run(&self, number: u64, is_shown: bool) -> Verdict {
        let [first, second] = self.operations;
        let stops = [1 + number % first, 1 + number / first % second];
        let rest = number / (first * second);
        let weathers = WEATHERS[(rest / THROWS) as usize];
        let case = format!("stopped at {stops:?}, then {weathers:?}");
        judged(begun(number, is_shown), &case, |run| go(run, stops, weathers))
    }
}

fn begun(seed: u64, is_shown: bool) -> Run {
    Run::new(seed, 1 << 40, Honesty::Honest, is_shown)
}

fn go(run: &mut Run, stops: [u64; 2], weathers: [Option<Weather>; 2]) -> Result<(), Violation> {
    for ((stop_at, weather), script) in stops.into_iter().zip(weathers).zip(SCRIPTS) {
        run.live(Plan { stop_at: Some(stop_at), ..Plan::CALM }, script)?;
        if let Some(weather) = weather {
            run.power_cut(weather);
        }
        run.check()?;
    }
    match run.live(Plan::CALM, SCRIPTS[1])? {
        Ended::InOrder => {}
        Ended::With(error) => return Err(format!("cannot be taken up: {error}")),
    }
    run.power_cut(Weather::Dark);
    run.check()
}
