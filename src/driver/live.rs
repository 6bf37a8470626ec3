//! A run that is not repeated but lived: durable, taken up where it stopped, and stopped when
//! somebody says so. What it is fed with is a source like any other; until the live feed is there,
//! that is the history of a case as fast as it can be read.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::event::Input;
use crate::domain::time::Timestamp;
use crate::journal::error::JournalError;
use crate::journal::recover::Report;
use crate::journal::writer::{Setup, Writer};
use crate::sinks::Sink;
use crate::sources::store::StoreError;

use super::replay::{Replay, ReplayError};
use super::resume::{self, ResumeError};
use super::run::{Checkpoints, Ended, Run};
use super::{DriveError, Source};

/// Why a run could not be lived to its end.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// What it is fed with broke off, or the journal did.
    #[error(transparent)]
    Broken(#[from] ReplayError),
    /// It cannot be taken up.
    #[error(transparent)]
    Resume(#[from] ResumeError),
}

impl From<JournalError> for LiveError {
    fn from(error: JournalError) -> LiveError {
        ReplayError::from(error).into()
    }
}

/// How a run was lived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lived {
    /// How it came to rest.
    pub ended: Ended,
    /// Where it was taken up, if it had been left before.
    pub taken_up: Option<TakenUp>,
}

/// Where a run was taken up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenUp {
    /// The number of the first new input.
    pub next_seq: u64,
    /// The input before which the core was taken from a checkpoint; 0 where it saw everything.
    pub checkpoint_seq: u64,
    /// What the recovery did.
    pub report: Report,
}

/// Lives `replay` in `setup`: begins it, or goes on with what is there. `stop` may be set at any
/// time by anybody.
///
/// # Errors
/// When the history or the journal fails, or the run cannot be taken up.
pub fn live(
    replay: &Replay,
    setup: &Setup,
    from_checkpoint: bool,
    stop: &AtomicBool,
    sinks: &mut [&mut dyn Sink],
) -> Result<Lived, LiveError> {
    let (run, taken_up) = match resume::take_up(setup, &replay.run, from_checkpoint, sinks) {
        Err(ResumeError::Journal(JournalError::Absent { .. })) => {
            (Run::begin(&replay.run, Writer::begin(setup)?, sinks)?, None)
        }
        resumed => {
            let resume::Resumed { run, next_seq, report, checkpoint_seq } = resumed?;
            (run, Some(TakenUp { next_seq, checkpoint_seq, report }))
        }
    };
    let mut source = Stoppable { source: replay.history(1)?, stop, is_interrupted: false };
    let next_seq = taken_up.as_ref().map_or(1, |taken_up| taken_up.next_seq);
    skip(&mut source.source, next_seq - 1).map_err(ReplayError::from)?;
    let run = run.with_checkpoints(Checkpoints {
        disk: setup.disk.clone(),
        run_dir: setup.run_dir.clone(),
        run_id: setup.identity.run_id,
        last: next_seq,
    });
    let ended = run.go_on(&mut source, sinks).map_err(|error| match error {
        DriveError::Source(error) => ReplayError::Store(error),
        DriveError::Journal(error) => ReplayError::Journal(error),
    })?;
    Ok(Lived { ended, taken_up })
}

/// Passes over what a run has heard already: history says the same things in the same order.
fn skip(source: &mut impl Source<Error = StoreError>, inputs: u64) -> Result<(), StoreError> {
    for _ in 0..inputs {
        source.next()?;
    }
    Ok(())
}

/// A source that ends when somebody says so.
struct Stoppable<'a, S> {
    source: S,
    stop: &'a AtomicBool,
    is_interrupted: bool,
}

impl<S: Source> Source for Stoppable<'_, S> {
    type Error = S::Error;

    fn next(&mut self) -> Result<Option<Input>, S::Error> {
        self.is_interrupted = self.stop.load(Ordering::Relaxed);
        if self.is_interrupted {
            return Ok(None);
        }
        self.source.next()
    }

    fn watermark(&self) -> Timestamp {
        self.source.watermark()
    }

    fn is_quiet(&self) -> bool {
        self.source.is_quiet()
    }

    fn is_interrupted(&self) -> bool {
        self.is_interrupted
    }
}
