//! The sweep: fixed scripts, and every operation of the disk in them fails, once or from there on
//! for good, in every way there is; after that the process is gone, with the power or without.

use lockstep::journal::Limits;
use lockstep::journal::frame::{Commit, Seal, control_bytes};
use lockstep::journal::segment::HEADER_BYTES;

use super::fate::Weather;
use super::plan::{Failing, Fault, Honesty, Plan};
use super::run::{Ended, Run, Script, Violation};
use super::seed::{Verdict, judged};

/// The seed of the scripts.
const SEED: u64 = 20_241_001;
const ROOM: u64 = 1 << 40;
/// What the power does between the lives.
const BETWEEN: Weather = Weather::Patchy;

/// The lives of a script. Each takes up what a power cut has left of the one before, and the last
/// brings the run to its end.
const LIVES: [Script; 3] = [
    Script { steps: 50, urgent_once_in: 4, seals: false },
    Script { steps: 20, urgent_once_in: 4, seals: false },
    Script { steps: 20, urgent_once_in: 4, seals: true },
];

/// Bytes of a segment whose reserve, which grows by two bytes for each of a batch, is whole when
/// there is no room for another batch.
const WHOLE_WHEN_FULL: usize =
    2 * (HEADER_BYTES + 900 + control_bytes(Commit::BYTES) + control_bytes(Seal::BYTES));

/// In one script several batches share a segment, and the next one is whole with the very batch
/// that fills it; in the other each batch fills its own, and the next one is never whole in time.
const LIMITS: [Limits; 2] = [
    Limits { batch_records: 4, batch_bytes: 900, segment_bytes: WHOLE_WHEN_FULL as u64 },
    Limits { batch_records: 3, batch_bytes: 400, segment_bytes: 5_200 },
];

/// All cases of the sweep.
pub struct Sweep {
    /// Operations of each life of each script when nothing goes wrong.
    operations: Vec<(Place, u64)>,
}

/// A life of a script.
#[derive(Clone, Copy, Debug)]
struct Place {
    limits: Limits,
    life: usize,
}

/// One case.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Where the operation fails.
    place: Place,
    failing: Failing,
    /// What the power does after it.
    weather: Option<Weather>,
}

/// What the power does after the fault: nothing, or one of these.
const WEATHERS: [Option<Weather>; 3] = [None, Some(Weather::Dark), Some(Weather::Wild)];
/// Cases for each operation.
const PER_OPERATION: u64 = (Fault::ALL.len() * 2 * WEATHERS.len()) as u64;

impl Sweep {
    /// Measures the scripts.
    pub fn new() -> Result<Sweep, Violation> {
        let mut operations = Vec::new();
        for limits in LIMITS {
            let mut run = script(limits, false);
            for life in 0..LIVES.len() {
                calm_life(&mut run, life)?;
                operations.push((Place { limits, life }, run.disk.operations()));
                run.power_cut(BETWEEN);
            }
        }
        Ok(Sweep { operations })
    }

    /// Operations that fail.
    pub fn operations(&self) -> u64 {
        self.operations.iter().map(|(_, count)| count).sum()
    }

    /// How many cases there are.
    pub fn cases(&self) -> u64 {
        self.operations() * PER_OPERATION
    }

    /// The case in which that operation is broken once and only the process dies of it.
    pub fn broken_once(operation: u64) -> u64 {
        operation * PER_OPERATION + WEATHERS.len() as u64
    }

    fn case(&self, number: u64) -> Case {
        let (variant, mut operation) = (number % PER_OPERATION, number / PER_OPERATION);
        let mut places = self.operations.iter();
        let place = loop {
            let (place, count) = places.next().expect("the number is one of a case");
            match operation.checked_sub(*count) {
                Some(rest) => operation = rest,
                None => break *place,
            }
        };
        let variant = variant as usize;
        let (kind, weather) = (variant / WEATHERS.len(), WEATHERS[variant % WEATHERS.len()]);
        let (fault, for_good) = (Fault::ALL[kind / 2], kind.is_multiple_of(2));
        Case { place, failing: Failing { from: 1 + operation, fault, for_good }, weather }
    }

    /// Runs a case.
    pub fn run(&self, number: u64, is_shown: bool) -> Verdict {
        let case = self.case(number);
        let run = script(case.place.limits, is_shown);
        judged(run, &format!("{case:?}"), |run| go(run, case))
    }
}

fn script(limits: Limits, is_shown: bool) -> Run {
    let mut run = Run::new(SEED, ROOM, Honesty::Honest, is_shown);
    run.limits = limits;
    run
}

fn calm_life(run: &mut Run, life: usize) -> Result<(), Violation> {
    match run.live(Plan::CALM, LIVES[life])? {
        Ended::InOrder => Ok(()),
        Ended::With(error) => Err(format!("nothing was wrong, and yet: {error}")),
    }
}

fn go(run: &mut Run, case: Case) -> Result<(), Violation> {
    for life in 0..case.place.life {
        calm_life(run, life)?;
        run.power_cut(BETWEEN);
    }
    let Failing { fault, .. } = case.failing;
    let plan = Plan { failing: Some(case.failing), ..Plan::CALM };
    let ended = run.live(plan, LIVES[case.place.life])?;
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
