//! Keeps batches: folds them into the run digest and writes them to the journal, if there is one.
//! It does so where it is called, or on a thread of its own; the bytes are the same.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::batch::Batch;
use super::digest::RunDigest;
use super::error::JournalError;
use super::log::Log;
use super::writer::Sealed;

/// Batches that go from thread to thread together: to wake somebody takes as long as to hash one.
const TOGETHER: usize = 8;
/// Stacks of these that are under way between two threads.
const UNDER_WAY: usize = 2;

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
    /// On a thread of its own.
    Away(Worker),
}

/// A keeper on a thread of its own.
pub struct Worker {
    /// Batches to be kept. `None` once there are no more.
    full: Option<SyncSender<Vec<Batch>>>,
    /// Batches that were kept and can be used again.
    empty: Receiver<Vec<Batch>>,
    /// Batches that are to be handed over with the next ones.
    filled: Vec<Batch>,
    /// Batches that can be filled before.
    spare: Vec<Batch>,
    thread: Option<JoinHandle<(Keeper, Result<(), JournalError>)>>,
}

impl Desk {
    /// Has the batch kept, and gives back another to be filled. On another thread a failure shows
    /// at a later call. After it nothing more is written. Of an `urgent` batch it is also known
    /// after a power cut that it was kept.
    ///
    /// # Errors
    /// When writing fails, now or before.
    pub fn hand_over(&mut self, batch: Batch, urgent: bool) -> Result<Batch, JournalError> {
        match self {
            Desk::Here(keeper) => keeper.keep(&batch, urgent).map(|()| batch),
            Desk::Away(worker) => match worker.pass(batch) {
                Some(empty) => Ok(empty),
                None => {
                    let (keeper, result) = worker.finish();
                    *self = Desk::Here(Box::new(keeper));
                    result.map(|()| Batch::default())
                }
            },
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
        Ok(self.keeper()?.so_far())
    }

    fn keeper(self) -> Result<Keeper, JournalError> {
        match self {
            Desk::Here(keeper) => Ok(*keeper),
            Desk::Away(worker) => worker.retire(),
        }
    }
}

impl Worker {
    /// Waits until everything is kept; then nobody keeps anything any more.
    fn retire(mut self) -> Result<Keeper, JournalError> {
        let (keeper, result) = self.finish();
        result.map(|()| keeper)
    }

    /// Puts a keeper on a thread of its own.
    pub fn start(mut keeper: Keeper) -> Worker {
        let (full, stacks) = sync_channel::<Vec<Batch>>(UNDER_WAY);
        let (kept, empty) = sync_channel(UNDER_WAY + 1);
        // Each gets its room when it is first filled: a short run fills few.
        let stack = |batches| (0..batches).map(|_| Batch::default()).collect();
        for _ in 0..UNDER_WAY {
            kept.send(stack(TOGETHER)).expect("both ends of the channel are here");
        }
        let thread = thread::spawn(move || {
            for stack in stacks {
                for batch in &stack {
                    if let Err(error) = keeper.keep(batch, false) {
                        return (keeper, Err(error));
                    }
                }
                if kept.send(stack).is_err() {
                    break;
                }
            }
            (keeper, Ok(()))
        });
        // One less: whoever writes has a batch already.
        let (filled, spare) = (Vec::new(), stack(TOGETHER - 1));
        Worker { full: Some(full), empty, filled, spare, thread: Some(thread) }
    }

    /// An empty batch for a full one; `None` when the thread has ended.
    fn pass(&mut self, batch: Batch) -> Option<Batch> {
        self.filled.push(batch);
        if self.spare.is_empty() {
            self.full.as_ref()?.send(std::mem::take(&mut self.filled)).ok()?;
            self.spare = self.empty.recv().ok()?;
        }
        self.spare.pop()
    }

    /// Waits until everything is kept, and takes the keeper back.
    fn finish(&mut self) -> (Keeper, Result<(), JournalError>) {
        if let Some(full) = self.full.take() {
            // Where nobody takes them any more, the thread says why.
            let _ = full.send(std::mem::take(&mut self.filled));
        }
        let thread = self.thread.take().expect("a thread is finished once");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Whoever drops a writer finds its files at rest.
impl Drop for Worker {
    fn drop(&mut self) {
        if self.thread.is_some() && !thread::panicking() {
            // Whoever wants to know whether all went well seals the writer.
            let _ = self.finish();
        }
    }
}
