//! A run that is not repeated but lived: durable, taken up where it stopped, and stopped when
//! somebody says so. What it is fed with is a source like any other.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::event::{Derived, EventId, Input, RunStarted};
use crate::domain::time::Timestamp;
use crate::journal::error::JournalError;
use crate::journal::recover::Report;
use crate::journal::writer::{Setup, Writer};
use crate::sinks::Sink;
use crate::sources::store::StoreError;

use super::history::History;
use super::listen::ListenError;
use super::replay::{Replay, ReplayError};
use super::resume::{self, ResumeError};
use super::run::{Checkpoints, Ended, Run};
use super::{DriveError, Source};

/// The file in a run's directory with what is measured beside it. It is no event: two runs of the
/// same inputs may differ in it.
pub const HEALTH_FILE: &str = "health.json";

/// Why a run could not be lived to its end.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// What it is fed with broke off, or the journal did.
    #[error(transparent)]
    Broken(#[from] ReplayError),
    /// It cannot be taken up.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// The feed broke off.
    #[error(transparent)]
    Feed(ListenError),
    /// There is no place for what the feed says.
    #[error("keep what the feed says: {0}")]
    Raw(String),
}

impl From<StoreError> for LiveError {
    fn from(error: StoreError) -> LiveError {
        ReplayError::from(error).into()
    }
}

impl From<ListenError> for LiveError {
    fn from(error: ListenError) -> LiveError {
        match error {
            ListenError::Store(error) => error.into(),
            other => LiveError::Feed(other),
        }
    }
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

/// A source that was not opened yet. A run that is taken up tells it what was heard before.
pub trait Beginning {
    /// The source.
    type Source: Source;

    /// An input that the run has heard already, in order.
    fn recall(&mut self, input: &Input);

    /// Opens the source; the next input has the number `next_seq`.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn begin(self, next_seq: u64) -> Result<Self::Source, LiveError>;
}

/// Lives the run that `started` describes in `setup`: begins it, or goes on with what is there.
///
/// # Errors
/// When the source or the journal fails, or the run cannot be taken up.
pub fn live<B: Beginning>(
    started: &RunStarted,
    setup: &Setup,
    from_checkpoint: bool,
    mut beginning: B,
    sinks: &mut [&mut dyn Sink],
) -> Result<Lived, LiveError>
where
    LiveError: From<<B::Source as Source>::Error>,
{
    look_at_space(setup, sinks);
    let taken = {
        let mut recaller = Recaller(&mut beginning);
        let mut all: Vec<&mut dyn Sink> = Vec::with_capacity(sinks.len() + 1);
        all.extend(sinks.iter_mut().map(|sink| &mut **sink as &mut dyn Sink));
        all.push(&mut recaller);
        resume::take_up(setup, started, from_checkpoint, &mut all)
    };
    let (run, taken_up) = match taken {
        Err(ResumeError::Journal(JournalError::Absent { .. })) => {
            (Run::begin(started, Writer::begin(setup)?, sinks)?, None)
        }
        resumed => {
            let resume::Resumed { run, next_seq, report, checkpoint_seq } = resumed?;
            (run, Some(TakenUp { next_seq, checkpoint_seq, report }))
        }
    };
    let next_seq = taken_up.as_ref().map_or(1, |taken_up| taken_up.next_seq);
    let mut source = beginning.begin(next_seq)?;
    let run = run.with_checkpoints(Checkpoints {
        disk: setup.disk.clone(),
        run_dir: setup.run_dir.clone(),
        run_id: setup.identity.run_id,
        last: next_seq,
    });
    let ended = run.go_on(&mut source, sinks).map_err(|error| match error {
        DriveError::Source(error) => LiveError::from(error),
        DriveError::Journal(error) => error.into(),
    })?;
    Ok(Lived { ended, taken_up })
}

/// Tells a source what the journal holds.
struct Recaller<'a, B>(&'a mut B);

impl<B: Beginning> Sink for Recaller<'_, B> {
    fn input(&mut self, _: u64, input: &Input) {
        self.0.recall(input);
    }

    fn output(&mut self, _: EventId, _: &Derived) {}
}

/// A case's own history, without a feed: as fast as it can be read.
pub struct Told<'a> {
    /// The history.
    pub replay: &'a Replay,
    /// Set when somebody says stop.
    pub stop: &'a AtomicBool,
}

impl<'a> Beginning for Told<'a> {
    type Source = Stoppable<'a, History>;

    fn recall(&mut self, _: &Input) {}

    fn begin(self, next_seq: u64) -> Result<Self::Source, LiveError> {
        Ok(Stoppable::new(self.replay.history(None), next_seq - 1, self.stop))
    }
}

/// Says that room is short while there still is some: a journal that is full stops the run.
fn look_at_space(setup: &Setup, sinks: &mut [&mut dyn Sink]) {
    // Where the run's directory is not there yet, the one above it is.
    let free = setup.run_dir.ancestors().find_map(|dir| setup.disk.free_bytes(dir).ok());
    let Some(free) = free.filter(|free| *free < FREE_BYTES_MIN) else { return };
    let free_mb = free / 1_000_000;
    let note = format!("only {free_mb} MB are free below {}", setup.run_dir.display());
    sinks.iter_mut().for_each(|sink| sink.note(&note));
}

/// With less room than this a run begins with a word of warning.
const FREE_BYTES_MIN: u64 = 5_000_000_000;

/// Inputs that are handed over at most before somebody may say stop again.
const AT_A_TIME: usize = 256;

/// A source that passes over what the run has heard already, since history says the same things in
/// the same order, and that ends when somebody says so.
pub struct Stoppable<'a, S> {
    source: S,
    heard: u64,
    stop: &'a AtomicBool,
    is_interrupted: bool,
    /// What the source has handed over and this has not.
    waiting: VecDeque<Input>,
    handed: Vec<Input>,
}

impl<S: Source> Stoppable<'_, S> {
    fn new(source: S, heard: u64, stop: &AtomicBool) -> Stoppable<'_, S> {
        let (waiting, handed) = (VecDeque::new(), Vec::new());
        Stoppable { source, heard, stop, is_interrupted: false, waiting, handed }
    }

    /// Sees to it that there is something to hand over, unless there is nothing more.
    fn refill(&mut self) -> Result<(), S::Error> {
        while self.waiting.is_empty() {
            self.source.next(&mut self.handed)?;
            if self.handed.is_empty() {
                return Ok(());
            }
            let heard = self.heard.min(self.handed.len() as u64);
            self.heard -= heard;
            self.waiting.extend(self.handed.drain(..).skip(heard as usize));
        }
        Ok(())
    }
}

impl<S: Source> Source for Stoppable<'_, S> {
    type Error = S::Error;

    fn next(&mut self, inputs: &mut Vec<Input>) -> Result<(), S::Error> {
        inputs.clear();
        self.is_interrupted = self.stop.load(Ordering::Relaxed);
        if !self.is_interrupted {
            self.refill()?;
            let count = self.waiting.len().min(AT_A_TIME);
            inputs.extend(self.waiting.drain(..count));
        }
        Ok(())
    }

    fn watermark(&self) -> Timestamp {
        self.source.watermark()
    }

    fn is_quiet(&self) -> bool {
        self.waiting.is_empty() && self.source.is_quiet()
    }

    fn is_interrupted(&self) -> bool {
        self.is_interrupted
    }
}
