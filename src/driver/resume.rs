//! A run that was left, taken up where it stopped: the core goes through everything that the
//! journal holds, every output must be the recorded one, and the next input is the one that would
//! have come. Nothing is carried over but the journal, so a run that was stopped at any moment,
//! in whatever way, and goes on has the same events as one that never was.

use std::sync::Arc;

use crate::core::Core;
use crate::domain::event::{CORE_VERSION, Derived, Event, EventId, Input, Record, RunStarted};
use crate::journal::checkpoint::{self, Checkpoint};
use crate::journal::error::JournalError;
use crate::journal::reader::Reader;
use crate::journal::recover::{self, Report};
use crate::journal::writer::{Setup, Writer};
use crate::sinks::Sink;

use super::plan::BUILD;
use super::run::Run;
use super::state;

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The journal is damaged, over, or of another run.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The core that goes on is not the one that began.
    #[error("up to input {next_seq} the core derives {got} and not the recorded {want}")]
    OtherCore {
        /// The input after the last that was compared.
        next_seq: u64,
        /// The recorded digest.
        want: String,
        /// The derived one.
        got: String,
    },
}

/// A run that can go on, and what it took.
pub struct Resumed {
    /// The run.
    pub run: Run,
    /// The number of the next input.
    pub next_seq: u64,
    /// What the recovery did.
    pub report: Report,
    /// The input before which the core was taken from a checkpoint; 0 where it saw everything.
    pub checkpoint_seq: u64,
}

/// Takes up the run in `setup`, described by `started`. Sinks are told of everything again. With
/// `from_checkpoint` the core begins with the latest state that fits.
///
/// # Errors
/// When there is no journal, it cannot go on, or this core is another.
pub fn take_up(
    setup: &Setup,
    started: &RunStarted,
    from_checkpoint: bool,
    sinks: &mut [&mut dyn Sink],
) -> Result<Resumed, ResumeError> {
    let findings = recover::examine(&setup.disk, &setup.run_dir)?;
    findings.check(setup)?;
    let next_seq = findings.next_seq;
    if next_seq == 0 {
        let (journal, report) = recover::resume(setup, findings)?;
        let run = Run::begin(started, journal, sinks)?;
        return Ok(Resumed { run, next_seq: 1, report, checkpoint_seq: 0 });
    }
    sinks.iter_mut().for_each(|sink| sink.resumed(next_seq));
    let checkpoint = match from_checkpoint {
        true => fitting(setup, sinks)?,
        false => None,
    };
    let checkpoint_seq = checkpoint.as_ref().map_or(0, |(seq, _)| *seq);
    let core = step_through(setup, started, checkpoint, sinks)?;
    // Only now is anything written: a run that cannot go on is left as it is.
    let (journal, report) = recover::resume(setup, findings)?;
    Ok(Resumed { run: Run::new(core, journal), next_seq, report, checkpoint_seq })
}

/// The latest checkpoint that fits the journal, as the input after it and the state.
fn fitting(
    setup: &Setup,
    sinks: &mut [&mut dyn Sink],
) -> Result<Option<(u64, Core)>, JournalError> {
    let (checkpoints, unusable) = checkpoint::load(&*setup.disk, &setup.run_dir)?;
    let mut notes: Vec<String> = unusable.iter().map(ToString::to_string).collect();
    let mut waiting: Vec<(Checkpoint, Core)> = Vec::new();
    for checkpoint in checkpoints {
        match state_of(&checkpoint, setup) {
            Ok(core) => waiting.push((checkpoint, core)),
            Err(why) => notes.push(format!("the checkpoint at {}: {why}", checkpoint.next_seq)),
        }
    }
    let mut found = None;
    let mut reader = Reader::open_on(Arc::clone(&setup.disk), &setup.run_dir)?;
    // They come latest first, and the journal goes the other way.
    while let Some((next, _)) = waiting.last() {
        if reader.is_between_batches() && reader.inputs() >= next.next_seq {
            let (next, core) = waiting.pop().expect("looked at right above");
            match reader.inputs() == next.next_seq && reader.digest() == next.digest {
                true => found = Some((next.next_seq, core)),
                false => {
                    let seq = next.next_seq;
                    notes.push(format!("the checkpoint at {seq} is of another history"));
                }
            }
        } else if reader.next_raw()?.is_none() {
            let ahead = waiting.drain(..).map(|(next, _)| next.next_seq);
            notes.extend(
                ahead.map(|seq| format!("the checkpoint at {seq} is ahead of the journal")),
            );
        }
    }
    for note in notes {
        sinks.iter_mut().for_each(|sink| sink.note(&format!("passed over: {note}")));
    }
    Ok(found)
}

/// The state in a checkpoint, or why this program cannot use it.
fn state_of(checkpoint: &Checkpoint, setup: &Setup) -> Result<Core, String> {
    if checkpoint.run_id != setup.identity.run_id {
        return Err(format!("it is of run {}", checkpoint.run_id));
    }
    if (checkpoint.core_version, checkpoint.build.as_str()) != (CORE_VERSION, BUILD) {
        let Checkpoint { core_version, build, .. } = checkpoint;
        return Err(format!("it is of core {core_version} in {build}"));
    }
    state::decode(&checkpoint.state).map_err(|error| error.to_string())
}

/// The core after everything in the journal. What it derives must be what was recorded; before a
/// checkpoint the recorded outputs are taken as they are.
fn step_through(
    setup: &Setup,
    started: &RunStarted,
    checkpoint: Option<(u64, Core)>,
    sinks: &mut [&mut dyn Sink],
) -> Result<Core, ResumeError> {
    let (from, mut core) = checkpoint.unwrap_or_else(|| (1, Core::new(started)));
    let mut reader = Reader::open_on(Arc::clone(&setup.disk), &setup.run_dir)?;
    let (mut digest, mut derived) = (Writer::digest_only(), Vec::new());
    while let Some(record) = reader.next_record()? {
        let Record { id, cause, received_ns, event } = record;
        match event {
            Event::Input(input) => {
                digest.input(id.seq, received_ns, &input)?;
                sinks.iter_mut().for_each(|sink| sink.input(id.seq, &input));
                derived.clear();
                if id.seq >= from && !matches!(input, Input::RunStarted(_)) {
                    core.step(id.seq, &input, &mut derived);
                }
                for (index, derived) in (1..).zip(&derived) {
                    output(&mut digest, EventId { seq: id.seq, index }, derived, sinks)?;
                }
            }
            Event::Output(_) if id.seq >= from => {}
            Event::Output(it) => output(&mut digest, id, &Derived { cause, output: it }, sinks)?,
        }
    }
    let (want, got) = (reader.digest(), digest.seal()?.digest);
    match want == got {
        true => Ok(core),
        false => {
            let next_seq = reader.inputs();
            Err(ResumeError::OtherCore { next_seq, want: want.short(), got: got.short() })
        }
    }
}

fn output(
    digest: &mut Writer,
    id: EventId,
    derived: &Derived,
    sinks: &mut [&mut dyn Sink],
) -> Result<(), JournalError> {
    digest.output(id.seq, id.index, derived)?;
    sinks.iter_mut().for_each(|sink| sink.output(id, derived));
    Ok(())
}
