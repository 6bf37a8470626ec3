//! The one loop: input into the journal, then the core, then outputs into the journal, then
//! everybody else, once the journal says that all of it is kept.

use std::mem::take;
use std::path::PathBuf;
use std::sync::Arc;

use crate::core::Core;
use crate::domain::event::{
    CORE_VERSION, Derived, EndReason, EventId, Input, Output, RunEnded, RunStarted,
};
use crate::journal::checkpoint::Checkpoint;
use crate::journal::disk::Disk;
use crate::journal::error::JournalError;
use crate::journal::segment::RunId;
use crate::journal::writer::{Sealed, Writer};
use crate::sinks::Sink;

use super::plan::BUILD;
use super::{DriveError, Source, state};

/// Inputs after which a checkpoint is made, where no session has ended meanwhile.
const CHECKPOINT_INPUTS: u64 = 1_000_000;

/// A run under way.
pub struct Run {
    pub(super) core: Core,
    pub(super) journal: Writer,
    /// Steps that the world was not told of yet.
    held: Vec<Step>,
    checkpoints: Option<Checkpoints>,
}

/// An input and what the core made of it.
struct Step {
    seq: u64,
    input: Input,
    derived: Vec<Derived>,
}

/// Where checkpoints are kept.
pub struct Checkpoints {
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// The run's directory.
    pub run_dir: PathBuf,
    /// The run.
    pub run_id: RunId,
    /// The input after the last one.
    pub last: u64,
}

/// How a run came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It is over.
    Sealed(Sealed),
    /// Somebody stopped it. Everything is kept, and it can be taken up.
    Interrupted {
        /// The number of the input that comes next.
        next_seq: u64,
    },
}

impl Run {
    /// A run before its first market event: its description is journalled.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn begin(
        started: &RunStarted,
        journal: Writer,
        sinks: &mut [&mut dyn Sink],
    ) -> Result<Run, JournalError> {
        let mut run = Run::new(Core::new(started), journal);
        let input = Input::RunStarted(Box::new(started.clone()));
        run.journal.input(0, 0, &input)?;
        run.journal.settle(true)?;
        tell(sinks, &Step { seq: 0, input, derived: Vec::new() });
        Ok(run)
    }

    /// A run whose core has seen everything that the journal holds.
    pub(super) fn new(core: Core, journal: Writer) -> Run {
        Run { core, journal, held: Vec::new(), checkpoints: None }
    }

    /// The same run, with checkpoints.
    #[must_use]
    pub fn with_checkpoints(self, checkpoints: Checkpoints) -> Run {
        Run { checkpoints: Some(checkpoints), ..self }
    }

    /// Runs the core over everything that the source says.
    ///
    /// # Errors
    /// When the source or the journal fails; then the journal is not sealed.
    pub fn go_on<S: Source>(
        mut self,
        source: &mut S,
        sinks: &mut [&mut dyn Sink],
    ) -> Result<Ended, DriveError<S::Error>> {
        let (mut inputs, mut derived) = (Vec::new(), Vec::new());
        loop {
            source.next(&mut inputs).map_err(DriveError::Source)?;
            let Some(last) = inputs.len().checked_sub(1) else { break };
            for (place, input) in inputs.iter().enumerate() {
                let is_quiet = place == last && source.is_quiet();
                self.step((input, source.received_ns()), &mut derived, is_quiet, sinks)?;
            }
        }
        match source.is_interrupted() {
            true => self.interrupt(sinks).map_err(DriveError::Journal),
            false => self.end(source, sinks).map_err(DriveError::Journal),
        }
    }

    /// One input: into the journal, then the core, then what it made into the journal, and then
    /// the world is told, if all of it is kept by now.
    #[inline]
    fn step(
        &mut self,
        (input, received_ns): (&Input, i64),
        derived: &mut Vec<Derived>,
        is_quiet: bool,
        sinks: &mut [&mut dyn Sink],
    ) -> Result<(), JournalError> {
        let seq = self.journal.next_seq();
        self.journal.input(seq, received_ns, input)?;
        derived.clear();
        self.core.step(seq, input, derived);
        for (index, derived) in (1..).zip(&*derived) {
            self.journal.output(seq, index, derived)?;
        }
        let is_due = self.is_checkpoint_due(seq, derived);
        let is_kept = self.journal.settle(is_due || is_quiet || is_urgent(input, derived))?;
        if is_kept && self.held.is_empty() {
            told(sinks, seq, input, derived);
        } else {
            self.held.push(Step { seq, input: input.clone(), derived: take(derived) });
            self.publish(is_kept, sinks);
        }
        if is_due {
            self.checkpoint(sinks);
        }
        Ok(())
    }

    fn publish(&mut self, is_kept: bool, sinks: &mut [&mut dyn Sink]) {
        if is_kept {
            self.held.drain(..).for_each(|step| tell(sinks, &step));
        }
    }

    fn interrupt(mut self, sinks: &mut [&mut dyn Sink]) -> Result<Ended, JournalError> {
        self.journal.settle(true)?;
        self.publish(true, sinks);
        self.checkpoint(sinks);
        Ok(Ended::Interrupted { next_seq: self.journal.next_seq() })
    }

    fn end<S: Source>(
        mut self,
        source: &S,
        sinks: &mut [&mut dyn Sink],
    ) -> Result<Ended, JournalError> {
        let seq = self.journal.next_seq();
        let ended = RunEnded { time: source.watermark(), reason: EndReason::Completed };
        let input = Input::RunEnded(ended);
        self.journal.input(seq, 0, &input)?;
        self.held.push(Step { seq, input, derived: Vec::new() });
        let sealed = take(&mut self.held);
        let ended = self.journal.seal()?;
        sealed.iter().for_each(|step| tell(sinks, step));
        Ok(Ended::Sealed(ended))
    }

    fn is_checkpoint_due(&self, seq: u64, derived: &[Derived]) -> bool {
        let is_over = |derived: &Derived| matches!(derived.output, Output::SessionEnded(_));
        self.checkpoints.as_ref().is_some_and(|checkpoints| {
            seq >= checkpoints.last + CHECKPOINT_INPUTS || derived.iter().any(is_over)
        })
    }

    /// Keeps the state, where everything up to here is kept. A run goes on without it, but it is
    /// not passed over in silence.
    fn checkpoint(&mut self, sinks: &mut [&mut dyn Sink]) {
        let next_seq = self.journal.next_seq();
        let Some(digest) = self.journal.digest() else { return };
        let Some(checkpoints) = &mut self.checkpoints else { return };
        let checkpoint = Checkpoint {
            next_seq,
            run_id: checkpoints.run_id,
            digest,
            core_version: CORE_VERSION,
            build: BUILD.to_owned(),
            state: state::encode(&self.core),
        };
        checkpoints.last = next_seq;
        if let Err(error) = checkpoint.save(&*checkpoints.disk, &checkpoints.run_dir) {
            sinks
                .iter_mut()
                .for_each(|sink| sink.note(&format!("no checkpoint was made: {error}")));
        }
    }
}

/// What nobody may wait for: money moves, trading stops, somebody commands.
fn is_urgent(input: &Input, derived: &[Derived]) -> bool {
    matches!(input, Input::Command(_))
        || derived.iter().any(|derived| {
            matches!(derived.output, Output::Order(_) | Output::Fill(_) | Output::Halt(_))
        })
}

fn tell(sinks: &mut [&mut dyn Sink], step: &Step) {
    told(sinks, step.seq, &step.input, &step.derived);
}

#[inline]
fn told(sinks: &mut [&mut dyn Sink], seq: u64, input: &Input, derived: &[Derived]) {
    for sink in sinks {
        sink.input(seq, input);
        for (index, derived) in (1..).zip(derived) {
            sink.output(EventId { seq, index }, derived);
        }
        sink.told();
    }
}
