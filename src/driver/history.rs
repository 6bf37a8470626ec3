//! History as a source: month after month decoded ahead on other threads, handed over in one order
//! on this one. Memory holds two months at most, however long the run.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use rayon::prelude::*;

use crate::domain::event::{Command, Input, RunStarted};
use crate::domain::time::{Date, Timestamp};
use crate::sources::columns::BarColumns;
use crate::sources::sequencer::Sequencer;
use crate::sources::store::{Store, StoreError};

use super::Source;
use super::plan::{DateRange, session_ends};

/// One month of all instruments, in the order of their ids.
type Chunk = Result<Vec<BarColumns>, StoreError>;

/// The stored history of a run's instruments.
pub struct History {
    chunks: Chunks,
    sequencer: Sequencer,
    is_finished: bool,
}

/// Where the months come from: the same thread, or a loader that is one month ahead.
enum Chunks {
    Here(Loader, std::vec::IntoIter<DateRange>),
    Ahead(Receiver<Chunk>),
}

/// Reads the months of a run.
#[derive(Clone)]
struct Loader {
    store: Store,
    keys: Vec<String>,
}

impl History {
    /// The history of `run` over `range` with what somebody wants meanwhile, decoded on `threads`
    /// threads. The inputs are the same for every number of threads.
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
        let keys = run.instruments.iter().map(|instrument| instrument.key.clone()).collect();
        let loader = Loader { store: store.clone(), keys };
        let months = months(range);
        let chunks = match threads {
            0 | 1 => Chunks::Here(loader, months.into_iter()),
            _ => loader.ahead(months, threads)?,
        };
        let sequencer = Sequencer::new(run.instruments.len(), &session_ends(run), commands);
        Ok(History { chunks, sequencer, is_finished: false })
    }

    /// Adds the next month, or tells the sequencer that there is none.
    fn refill(&mut self) -> Result<(), StoreError> {
        let chunk = match &mut self.chunks {
            Chunks::Here(loader, months) => months.next().map(|month| loader.load(month)),
            Chunks::Ahead(receiver) => receiver.recv().ok(),
        };
        match chunk {
            Some(chunk) => self.sequencer.add_chunk(chunk?),
            None => {
                self.is_finished = true;
                self.sequencer.finish();
            }
        }
        Ok(())
    }
}

impl Source for History {
    type Error = StoreError;

    #[inline]
    fn next(&mut self) -> Result<Option<Input>, StoreError> {
        loop {
            if let Some(input) = self.sequencer.next_input() {
                return Ok(Some(input));
            }
            if self.is_finished {
                return Ok(None);
            }
            self.refill()?;
        }
    }

    fn watermark(&self) -> Timestamp {
        self.sequencer.watermark()
    }
}

impl Loader {
    fn load(&self, range: DateRange) -> Chunk {
        self.keys.iter().map(|key| self.store.load(key, range.first, range.last)).collect()
    }

    fn load_in_parallel(&self, range: DateRange) -> Chunk {
        self.keys.par_iter().map(|key| self.store.load(key, range.first, range.last)).collect()
    }

    fn ahead(
        self,
        months: Vec<DateRange>,
        threads: usize,
    ) -> Result<Chunks, rayon::ThreadPoolBuildError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        // Without room in between: one month is used up while the next is decoded.
        let (sender, receiver) = sync_channel(0);
        // Ends by itself: after the last month, or when the receiver is gone.
        thread::spawn(move || {
            for month in months {
                let chunk = pool.install(|| self.load_in_parallel(month));
                if sender.send(chunk).is_err() {
                    return;
                }
            }
        });
        Ok(Chunks::Ahead(receiver))
    }
}

/// The range cut at the ends of months.
fn months(range: DateRange) -> Vec<DateRange> {
    let mut months = Vec::new();
    let mut first: Date = range.first;
    while first <= range.last {
        let last = first.next_month().plus_days(-1).min(range.last);
        months.push(DateRange { first, last });
        first = last.plus_days(1);
    }
    months
}
