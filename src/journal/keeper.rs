//! Keeps batches: folds them into the run digest and writes them to the journal, if there is one.
//! It does so where it is called, or has a crew do it; the bytes are the same.

use std::mem::{replace, take};
use std::thread;

use crate::crew::{Crew, Job, Turn};

use super::batch::Batch;
use super::digest::RunDigest;
use super::error::JournalError;
use super::log::Log;
use super::writer::Sealed;

/// Batches that are kept in one go: to wake somebody takes as long as to hash one. While they are
/// kept as many are filled.
const TOGETHER: usize = 8;

/// Takes batches in their order.
#[derive(Default)]
pub struct Keeper {
    pub(super) digest: RunDigest,
    pub(super) log: Option<Log>,
    records: u64,
    inputs: u64,
}

impl Keeper {
    /// A keeper of a journal in `log`, which is empty yet.
    pub fn of(log: Log) -> Keeper {
        Keeper { log: Some(log), ..Keeper::default() }
    }

    /// A keeper that goes on behind `records` in `log`, whose digest so far is given.
    pub fn resumed(log: Log, digest: RunDigest, records: u64, inputs: u64) -> Keeper {
        Keeper { digest, log: Some(log), records, inputs }
    }

    /// What there is so far.
    pub(super) fn so_far(&self) -> Sealed {
        Sealed {
            records: self.records,
            inputs: self.inputs,
            bytes: self.log.as_ref().map_or(0, Log::bytes),
            digest: self.digest.value(),
        }
    }

    /// Takes the next batch.
    ///
    /// # Errors
    /// When writing fails, now or before.
    pub(super) fn keep(&mut self, batch: &Batch, urgent: bool) -> Result<(), JournalError> {
        if batch.count() == 0 {
            return self.log.as_ref().map_or(Ok(()), Log::check);
        }
        self.digest.extend(batch.block(), batch.records());
        self.records += batch.count();
        self.inputs = batch.next_seq();
        let so_far = self.so_far();
        self.log.as_mut().map_or(Ok(()), |log| log.commit(batch, &so_far, urgent))
    }

    fn seal(mut self) -> Result<Sealed, JournalError> {
        let so_far = self.so_far();
        if let Some(log) = &mut self.log {
            log.end_segment(&so_far, true)?;
        }
        Ok(self.so_far())
    }
}

/// Where the keeper works.
pub enum Desk {
    /// On the thread that writes.
    Here(Box<Keeper>),
    /// Wherever somebody of a crew comes to it.
    Away(Worker),
}

/// A keeper that somebody of a crew works for.
pub struct Worker {
    crew: Crew,
    /// What is being kept. `None` once nobody is to keep anything any more.
    kept: Option<Job<Kept>>,
    /// Batches that are to be kept next.
    filled: Vec<Batch>,
    /// Batches that can be filled before.
    spare: Vec<Batch>,
}

/// A keeper, the batches that it has taken, and whether it could keep them all.
struct Kept {
    keeper: Keeper,
    batches: Vec<Batch>,
    result: Result<(), JournalError>,
}

impl Kept {
    fn of(mut keeper: Keeper, batches: Vec<Batch>) -> Kept {
        let result = batches.iter().try_for_each(|batch| keeper.keep(batch, false));
        Kept { keeper, batches, result }
    }
}

impl Desk {
    /// Has the batch kept, and gives back another to be filled. Where a crew keeps it a failure
    /// shows at a later call. After it nothing more is written. Of an `urgent` batch it is also
    /// known after a power cut that it was kept.
    ///
    /// # Errors
    /// When writing fails, now or before.
    pub fn hand_over(&mut self, batch: Batch, urgent: bool) -> Result<Batch, JournalError> {
        match self {
            Desk::Here(keeper) => keeper.keep(&batch, urgent).map(|()| batch),
            Desk::Away(worker) => worker.pass(batch).map_err(|(keeper, error)| {
                *self = Desk::Here(keeper);
                error
            }),
        }
    }

    /// Says that no batch follows.
    ///
    /// # Errors
    /// When writing fails, now or before.
    pub fn seal(self) -> Result<Sealed, JournalError> {
        self.keeper()?.seal()
    }

    /// The same without a seal.
    ///
    /// # Errors
    /// When writing has failed.
    pub fn leave(self) -> Result<Sealed, JournalError> {
        let mut keeper = self.keeper()?;
        keeper.log.as_mut().map_or(Ok(()), Log::write_all)?;
        Ok(keeper.so_far())
    }

    fn keeper(self) -> Result<Keeper, JournalError> {
        match self {
            Desk::Here(keeper) => Ok(*keeper),
            Desk::Away(worker) => worker.retire(),
        }
    }
}

impl Worker {
    /// Has the crew work for a keeper.
    pub fn start(keeper: Keeper, crew: &Crew) -> Worker {
        // Each gets its room when it is first filled: a short run fills few.
        let stack = |batches| (0..batches).map(|_| Batch::default()).collect();
        let (none, spare) = (stack(TOGETHER), stack(TOGETHER - 1));
        let kept = crew.start(Turn::Soon, move || Kept { keeper, batches: none, result: Ok(()) });
        // One less: whoever writes has a batch already.
        Worker { crew: crew.clone(), kept: Some(kept), filled: Vec::new(), spare }
    }

    /// An empty batch for a full one; the keeper back where something could not be kept.
    fn pass(&mut self, batch: Batch) -> Result<Batch, (Box<Keeper>, JournalError)> {
        self.filled.push(batch);
        if self.spare.is_empty() {
            let Kept { keeper, batches, result } = self.wait();
            if let Err(error) = result {
                return Err((Box::new(keeper), error));
            }
            let filled = replace(&mut self.filled, Vec::with_capacity(TOGETHER));
            self.kept = Some(self.crew.start(Turn::Soon, move || Kept::of(keeper, filled)));
            self.spare = batches;
        }
        Ok(self.spare.pop().unwrap_or_default())
    }

    fn wait(&mut self) -> Kept {
        self.kept.take().expect("a keeper is taken back once").wait()
    }

    /// Waits until everything is kept; then nobody keeps anything any more.
    fn retire(mut self) -> Result<Keeper, JournalError> {
        let Kept { keeper, result, .. } = self.wait();
        result?;
        let Kept { keeper, result, .. } = Kept::of(keeper, take(&mut self.filled));
        result.map(|()| keeper)
    }
}

/// Whoever drops a writer finds its files at rest.
impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(kept) = self.kept.take().filter(|_| !thread::panicking()) {
            let Kept { keeper, result, .. } = kept.wait();
            if result.is_ok() {
                // Whoever wants to know whether all went well seals the writer.
                Kept::of(keeper, take(&mut self.filled));
            }
        }
    }
}
