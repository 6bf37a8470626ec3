//! History as a source: decoded part by part, by a crew ahead of use where there is one, and handed
//! over in one order on this thread. Memory holds two parts of each instrument, about a week each,
//! however long the run.

use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::crew::{Crew, Job, Turn};
use crate::domain::event::{Command, Input, RunStarted};
use crate::domain::instrument::InstrumentId;
use crate::domain::time::{DAY_US, Timestamp};
use crate::sources::rows::Rows;
use crate::sources::sequencer::Sequencer;
use crate::sources::store::{Decoded, Parts, Store, StoreError};

use super::Source;
use super::plan::{DateRange, watermarks};

/// The stored history of a run's instruments.
pub struct History {
    rounds: Rounds,
    sequencer: Sequencer,
    is_finished: bool,
}

/// Where the rows come from: this thread, or a crew that is one round ahead.
enum Rounds {
    Here(Loader, Memory),
    Ahead(Ahead),
}

/// Rounds that a crew loads, instrument by instrument.
struct Ahead {
    crew: Crew,
    /// Without the instruments that are being loaded.
    loader: Loader,
    /// The next round; empty after the last one.
    next: Vec<Job<(Lane, Result<Loaded, StoreError>)>>,
    /// One for each that loads at the same time.
    memory: Arc<Mutex<Vec<Memory>>>,
}

/// What is loaded in one go.
type Round = Result<Vec<Loaded>, StoreError>;

/// Rows of one instrument.
struct Loaded {
    instrument: InstrumentId,
    parts: Vec<Rows>,
    is_ended: bool,
}

/// Reads the rows of a run.
struct Loader {
    lanes: Vec<Lane>,
    /// No instrument gets more rows in a round than these and the rest of a part.
    rows_at_a_time: usize,
}

/// Memory that serves for part after part.
#[derive(Default)]
struct Memory {
    decoded: Decoded,
    /// Rows whose bars were all told.
    spent: Vec<Rows>,
}

/// One instrument's rows that were not loaded yet.
struct Lane {
    instrument: InstrumentId,
    parts: Parts,
    /// Start of the last minute that was loaded; `Timestamp::MAX` at the end.
    loaded_to: Timestamp,
}

/// Instruments are loaded together that are so close to each other in time.
const TOGETHER_US: i64 = 2 * DAY_US;

/// Rows of a round that is loaded ahead: enough to be worth handing over from thread to thread.
const ROWS_AHEAD: usize = 16_384;

impl History {
    /// The history of `run` over `range` with what somebody wants meanwhile, loaded by `crew`, or
    /// here. The inputs are the same either way.
    pub fn new(
        run: &RunStarted,
        commands: &[Command],
        store: &Store,
        range: DateRange,
        crew: Option<&Crew>,
    ) -> History {
        let instruments = run.instruments.len();
        let loader = Loader::new(run, store, range);
        let rounds = match crew {
            None => Rounds::Here(loader, Memory::default()),
            Some(crew) => Rounds::Ahead(Ahead::new(crew, loader)),
        };
        let sequencer = Sequencer::new(instruments, &watermarks(run), commands);
        History { rounds, sequencer, is_finished: false }
    }

    /// Adds the next round, or notes that there is none.
    fn refill(&mut self) -> Result<(), StoreError> {
        match self.rounds.next(self.sequencer.spent()) {
            Some(round) => round?.into_iter().for_each(|loaded| self.add(loaded)),
            None => self.is_finished = true,
        }
        Ok(())
    }

    fn add(&mut self, loaded: Loaded) {
        let Loaded { instrument, parts, is_ended } = loaded;
        let lane = instrument.index();
        parts.into_iter().for_each(|bars| self.sequencer.add(lane, bars));
        if is_ended {
            self.sequencer.end(lane);
        }
    }
}

impl Source for History {
    type Error = StoreError;

    fn next(&mut self, inputs: &mut Vec<Input>) -> Result<(), StoreError> {
        inputs.clear();
        loop {
            self.sequencer.take(inputs);
            if let Rounds::Ahead(..) = self.rounds {
                // For whatever the loader loads meanwhile: it takes its memory from the allocator.
                self.sequencer.spent().for_each(drop);
            }
            if !inputs.is_empty() || self.is_finished {
                return Ok(());
            }
            self.refill()?;
        }
    }

    fn watermark(&self) -> Timestamp {
        self.sequencer.watermark()
    }
}

impl Loader {
    fn new(run: &RunStarted, store: &Store, range: DateRange) -> Loader {
        let lane = |(id, key): (u16, &str)| Lane {
            instrument: InstrumentId(id),
            parts: store.parts(key, range.first, range.last),
            loaded_to: Timestamp::MIN,
        };
        let keys = run.instruments.iter().map(|instrument| instrument.key.as_str());
        Loader { lanes: (0..).zip(keys).map(lane).collect(), rows_at_a_time: 1 }
    }

    /// More rows of the instruments that are furthest behind; `None` when all are at their end.
    fn next_round(&mut self, memory: &mut Memory) -> Option<Round> {
        let (until, rows) = (self.due_until()?, self.rows_at_a_time);
        let due = self.lanes.iter_mut().filter(|lane| lane.loaded_to <= until);
        Some(due.map(|lane| lane.load(rows, memory)).collect())
    }

    /// Up to where an instrument may be loaded to be due. Whoever is ahead of that waits, or the
    /// rows of an instrument that trades little would pile up.
    fn due_until(&self) -> Option<Timestamp> {
        let behind = self.lanes.iter().map(|lane| lane.loaded_to).min()?;
        (behind < Timestamp::MAX).then(|| behind.plus_us(TOGETHER_US).min(LAST))
    }
}

/// Before `Timestamp::MAX`, which is the end.
const LAST: Timestamp = Timestamp(i64::MAX - 1);

impl Lane {
    /// At least so many rows, if there are so many.
    fn load(&mut self, rows: usize, memory: &mut Memory) -> Result<Loaded, StoreError> {
        let (mut parts, mut loaded) = (Vec::new(), 0);
        while loaded < rows && self.loaded_to < Timestamp::MAX {
            match self.parts.next_part(&mut memory.decoded)? {
                Some(part) => {
                    let bars = Rows::packed(part, memory.spent.pop().unwrap_or_default());
                    self.loaded_to = bars.last_open_time().unwrap_or(self.loaded_to);
                    loaded += bars.len();
                    parts.push(bars);
                }
                None => self.loaded_to = Timestamp::MAX,
            }
        }
        let (instrument, is_ended) = (self.instrument, self.loaded_to == Timestamp::MAX);
        Ok(Loaded { instrument, parts, is_ended })
    }
}

impl Rounds {
    /// The next round. Where it is loaded here, `spent` is memory for it.
    fn next(&mut self, spent: impl Iterator<Item = Rows>) -> Option<Round> {
        match self {
            Rounds::Here(loader, memory) => {
                memory.spent.extend(spent);
                loader.next_round(memory)
            }
            Rounds::Ahead(ahead) => ahead.next_round(),
        }
    }
}

impl Ahead {
    fn new(crew: &Crew, mut loader: Loader) -> Ahead {
        loader.rows_at_a_time = ROWS_AHEAD / loader.lanes.len().max(1);
        let (crew, memory) = (crew.clone(), Arc::default());
        let mut ahead = Ahead { crew, loader, next: Vec::new(), memory };
        ahead.start();
        ahead
    }

    /// Waits for the next round and has the one after it loaded meanwhile.
    fn next_round(&mut self) -> Option<Round> {
        if self.next.is_empty() {
            return None;
        }
        let loaded = take(&mut self.next).into_iter().map(|job| {
            let (lane, loaded) = job.wait();
            self.loader.lanes.push(lane);
            loaded
        });
        let round: Round = loaded.collect();
        if round.is_ok() {
            self.start();
        }
        Some(round)
    }

    fn start(&mut self) {
        let Some(until) = self.loader.due_until() else { return };
        let rows = self.loader.rows_at_a_time;
        for mut lane in self.loader.lanes.extract_if(.., |lane| lane.loaded_to <= until) {
            let memory = Arc::clone(&self.memory);
            self.next.push(self.crew.start(Turn::Later, move || {
                let mut own = lock(&memory).pop().unwrap_or_default();
                let loaded = lane.load(rows, &mut own);
                lock(&memory).push(own);
                (lane, loaded)
            }));
        }
    }
}

/// Memory is as good as before, whatever happened to whoever had it.
fn lock(memory: &Mutex<Vec<Memory>>) -> MutexGuard<'_, Vec<Memory>> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_loader_that_breaks_off_is_not_the_end_of_history() {
        let crew = Crew::new(2).unwrap();
        let history = |next| {
            let nobody = Loader { lanes: Vec::new(), rows_at_a_time: 1 };
            let rounds = Rounds::Ahead(Ahead { next, ..Ahead::new(&crew, nobody) });
            History { rounds, sequencer: Sequencer::new(0, &[], &[]), is_finished: false }
        };
        let mut inputs = Vec::new();
        assert!(history(Vec::new()).next(&mut inputs).is_ok());
        assert!(inputs.is_empty());
        let broken = crew.start(Turn::Later, || panic!("the loader breaks off"));
        let mut history = history(vec![broken]);
        assert!(catch_unwind(AssertUnwindSafe(|| history.next(&mut inputs).is_ok())).is_err());
    }
}
