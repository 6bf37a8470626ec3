//! The only place where source, sequencer, journal, core and sinks meet. Live and replay differ in
//! the source that they hand in here, and nowhere else.
//!
//! - [`case`] a named replay, as its file says
//! - [`settings`] what can be set in it, and to what
//! - [`plan`] from what is asked to a run's first record
//! - [`history`] the history store as a source
//! - [`books`] the comparable facts of a case, by the core and by the oracle
//! - [`replay`] a replay from request to seal
//! - [`verify`] a recorded run held against the core, and two recorded runs against each other

pub mod books;
pub mod case;
pub mod history;
pub mod plan;
pub mod replay;
pub mod settings;
pub mod verify;

use crate::core::Core;
use crate::domain::event::{EndReason, EventId, Input, RunEnded, RunStarted};
use crate::domain::time::Timestamp;
use crate::journal::error::JournalError;
use crate::journal::writer::{Sealed, Writer};
use crate::sinks::Sink;

/// Where inputs come from, in their one order.
pub trait Source {
    /// Why the next input cannot be had.
    type Error;

    /// Puts the inputs that come next in the place of those in `inputs`: as many as are at hand,
    /// none when there is nothing more. History hands over many at a time and so saves ways.
    ///
    /// # Errors
    /// When the source is damaged or gone.
    fn next(&mut self, inputs: &mut Vec<Input>) -> Result<(), Self::Error>;

    /// The last watermark that was handed over.
    fn watermark(&self) -> Timestamp;
}

/// Why a run broke off.
#[derive(Debug, thiserror::Error)]
pub enum DriveError<E> {
    /// The next input cannot be had.
    #[error("the source broke off")]
    Source(E),
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Runs the core over everything that the source says. Each input is in the journal before the core
/// sees it, and each output before anybody else does.
///
/// # Errors
/// When the source or the journal fails; then the journal is not sealed.
pub fn drive<S: Source>(
    run: &RunStarted,
    source: &mut S,
    mut journal: Writer,
    sinks: &mut [&mut dyn Sink],
) -> Result<Sealed, DriveError<S::Error>> {
    let mut core = Core::new(run);
    let (mut inputs, mut derived) = (Vec::new(), Vec::new());
    let started = Input::RunStarted(Box::new(run.clone()));
    journal.input(0, 0, &started)?;
    tell(sinks, |sink| sink.input(0, &started));
    let mut seq = 1;
    loop {
        source.next(&mut inputs).map_err(DriveError::Source)?;
        if inputs.is_empty() {
            break;
        }
        for input in &inputs {
            journal.input(seq, 0, input)?;
            tell(sinks, |sink| sink.input(seq, input));
            derived.clear();
            core.step(seq, input, &mut derived);
            for (index, derived) in (1..).zip(&derived) {
                journal.output(seq, index, derived)?;
                tell(sinks, |sink| sink.output(EventId { seq, index }, &derived.output));
            }
            seq += 1;
        }
    }
    let ended = RunEnded { time: source.watermark(), reason: EndReason::Completed };
    journal.input(seq, 0, &Input::RunEnded(ended))?;
    tell(sinks, |sink| sink.input(seq, &Input::RunEnded(ended)));
    Ok(journal.seal()?)
}

#[inline]
fn tell(sinks: &mut [&mut dyn Sink], what: impl Fn(&mut dyn Sink)) {
    for sink in sinks {
        what(*sink);
    }
}
