//! History as a source: month after month decoded ahead on other threads, handed over in one order
//! on this one. Memory holds two months at most, however long the run.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

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
    Ahead(Receiver<Chunk>, Option<JoinHandle<()>>),
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
            _ => {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
                Chunks::ahead(months, move |month| pool.install(|| loader.load_in_parallel(month)))
            }
        };
        let sequencer = Sequencer::new(run.instruments.len(), &session_ends(run), commands);
        Ok(History { chunks, sequencer, is_finished: false })
    }

    /// Adds the next month, or tells the sequencer that there is none.
    fn refill(&mut self) -> Result<(), StoreError> {
        let chunk = match &mut self.chunks {
            Chunks::Here(loader, months) => months.next().map(|month| loader.load(month)),
            Chunks::Ahead(receiver, thread) => receiver.recv().ok().or_else(|| {
                end_of(thread);
                None
            }),
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
}

impl Chunks {
    /// One month is used up here while the next is loaded on a thread of its own.
    fn ahead(months: Vec<DateRange>, load: impl Fn(DateRange) -> Chunk + Send + 'static) -> Chunks {
        let (sender, receiver) = sync_channel(0);
        // Ends by itself: after the last month, or when the receiver is gone.
        let thread = thread::spawn(move || {
            for month in months {
                if sender.send(load(month)).is_err() {
                    return;
                }
            }
        });
        Chunks::Ahead(receiver, Some(thread))
    }
}

/// A loader that broke off has not come to the end: its panic goes on here, since a history that is
/// cut short must never look like a whole one.
fn end_of(thread: &mut Option<JoinHandle<()>>) {
    if let Some(Err(panic)) = thread.take().map(JoinHandle::join) {
        std::panic::resume_unwind(panic);
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

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn history(load: impl Fn(DateRange) -> Chunk + Send + 'static) -> History {
        let day = |text| Date::parse(text).unwrap();
        let range = DateRange { first: day("2024-10-01"), last: day("2024-12-31") };
        let chunks = Chunks::ahead(months(range), load);
        History { chunks, sequencer: Sequencer::new(0, &[], &[]), is_finished: false }
    }

    #[test]
    fn a_loader_that_breaks_off_is_not_the_end_of_history() {
        let mut whole = history(|_| Ok(Vec::new()));
        assert!(matches!(whole.next(), Ok(None)));
        let mut broken = history(|month| match month.first.month_name().as_str() {
            "2024-11" => panic!("the loader breaks off in November"),
            _ => Ok(Vec::new()),
        });
        assert!(catch_unwind(AssertUnwindSafe(|| broken.next().is_ok())).is_err());
    }
}
