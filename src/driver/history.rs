//! History as a source: decoded part by part, on other threads ahead of use where there are any,
//! and handed over in one order on this one. Memory holds two parts of each instrument, about a
//! week each, however long the run.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use rayon::prelude::*;

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

/// Where the rows come from: the same thread, or a loader that is one round ahead.
enum Rounds {
    Here(Loader),
    Ahead(Receiver<Round>, Option<JoinHandle<()>>),
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
    memory: Memory,
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
    /// The history of `run` over `range` with what somebody wants meanwhile, on `threads` threads,
    /// of which this is one. The inputs are the same for every number of threads.
    ///
    /// # Errors
    /// When no threads can be had.
    pub fn new(
        run: &RunStarted,
        commands: &[Command],
        store: &Store,
        range: DateRange,
        threads: usize,
    ) -> Result<History, rayon::ThreadPoolBuildError> {
        let instruments = run.instruments.len();
        let mut loader = Loader::new(run, store, range);
        if threads > 1 {
            loader.rows_at_a_time = ROWS_AHEAD / instruments.max(1);
        }
        let rounds = match threads {
            0 | 1 => Rounds::Here(loader),
            // One thread loads while this one works; a pool of one would only be in their way.
            2 => Rounds::ahead(move || loader.next_round()),
            _ => {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads - 1).build()?;
                Rounds::ahead(move || pool.install(|| loader.next_round_in_parallel()))
            }
        };
        let sequencer = Sequencer::new(instruments, &watermarks(run), commands);
        Ok(History { rounds, sequencer, is_finished: false })
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
        Loader {
            lanes: (0..).zip(keys).map(lane).collect(),
            rows_at_a_time: 1,
            memory: Memory::default(),
        }
    }

    /// More rows of the instruments that are furthest behind; `None` when all are at their end.
    fn next_round(&mut self) -> Option<Round> {
        let (until, rows) = (self.due_until()?, self.rows_at_a_time);
        let due = self.lanes.iter_mut().filter(|lane| lane.loaded_to <= until);
        Some(due.map(|lane| lane.load(rows, &mut self.memory)).collect())
    }

    /// The same, on all threads of the pool.
    fn next_round_in_parallel(&mut self) -> Option<Round> {
        let (until, rows) = (self.due_until()?, self.rows_at_a_time);
        let due = self.lanes.par_iter_mut().filter(|lane| lane.loaded_to <= until);
        let load = |memory: &mut Memory, lane: &mut Lane| lane.load(rows, memory);
        Some(due.map_init(Memory::default, load).collect())
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
            Rounds::Here(loader) => {
                loader.memory.spent.extend(spent);
                loader.next_round()
            }
            Rounds::Ahead(receiver, thread) => receiver.recv().ok().or_else(|| {
                end_of(thread);
                None
            }),
        }
    }

    /// One round is used up here while the next is loaded on a thread of its own.
    fn ahead(mut load: impl FnMut() -> Option<Round> + Send + 'static) -> Rounds {
        let (sender, receiver) = sync_channel(0);
        // Ends by itself: after the last round, or when the receiver is gone.
        let thread = thread::spawn(move || {
            while let Some(round) = load() {
                if sender.send(round).is_err() {
                    return;
                }
            }
        });
        Rounds::Ahead(receiver, Some(thread))
    }
}

/// A loader that broke off has not come to the end: its panic goes on here, since a history that is
/// cut short must never look like a whole one.
fn end_of(thread: &mut Option<JoinHandle<()>>) {
    if let Some(Err(panic)) = thread.take().map(JoinHandle::join) {
        std::panic::resume_unwind(panic);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn history(load: impl FnMut() -> Option<Round> + Send + 'static) -> History {
        let rounds = Rounds::ahead(load);
        History { rounds, sequencer: Sequencer::new(0, &[], &[]), is_finished: false }
    }

    #[test]
    fn a_loader_that_breaks_off_is_not_the_end_of_history() {
        let mut inputs = Vec::new();
        let mut rounds = 0..3;
        let mut whole = history(move || rounds.next().map(|_| Ok(Vec::new())));
        assert!(whole.next(&mut inputs).is_ok());
        assert!(inputs.is_empty());
        let mut rounds = 0..3;
        let mut broken = history(move || match rounds.next() {
            Some(1) => panic!("the loader breaks off in its second round"),
            round => round.map(|_| Ok(Vec::new())),
        });
        assert!(catch_unwind(AssertUnwindSafe(|| broken.next(&mut inputs).is_ok())).is_err());
    }
}
