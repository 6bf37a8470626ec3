//! The only place where source, sequencer, journal, core and sinks meet. Live and replay differ in
//! the source that they hand in here, and nowhere else.
//!
//! - [`account`] what reports are made of
//! - [`case`] a named replay, as its file says
//! - [`settings`] what can be set in it, and to what
//! - [`live`] a run that is lived and not repeated
//! - [`listen`] a live feed as a source
//! - [`check`] trials of the rules: what they know in advance, how much they remember
//! - [`control`] what people ask of a run that is lived
//! - [`explain`] one bar of a recorded run, and what would have changed its signal
//! - [`plan`] from what is asked to a run's first record
//! - [`history`] the history store as a source
//! - [`align`] signals that somebody brings: what they part from live by, and why
//! - [`books`] the comparable facts of a case, by the core and by the oracle
//! - [`replay`] a replay from request to seal
//! - [`run`] the one loop
//! - [`resume`] a run that was left, taken up where it stopped
//! - [`state`] the state of the core in its parts
//! - [`verify`] a recorded run held against the core, and two recorded runs against each other

pub mod account;
pub mod align;
pub mod books;
pub mod case;
pub mod check;
pub mod control;
pub mod explain;
pub mod history;
pub mod listen;
pub mod live;
pub mod plan;
pub mod replay;
pub mod resume;
pub mod run;
pub mod settings;
pub mod state;
pub mod verify;

use crate::domain::event::{Input, RunStarted};
use crate::domain::time::Timestamp;
use crate::journal::error::JournalError;
use crate::journal::writer::{Sealed, Writer};
use crate::sinks::Sink;

use run::{Ended, Run};

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

    /// Whether the next input is not at hand yet, so that the world may be told of what is there.
    #[inline]
    fn is_quiet(&self) -> bool {
        false
    }

    /// When the inputs that were handed over last were received: nanoseconds since 1970 UTC, 0 for
    /// history.
    #[inline]
    fn received_ns(&self) -> i64 {
        0
    }

    /// Once there is nothing more: whether somebody stopped the source before its end, so that the
    /// run can go on another time.
    fn is_interrupted(&self) -> bool {
        false
    }
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

/// Runs the core over everything that the source says, from the first record to the seal.
///
/// # Errors
/// When the source or the journal fails; then the journal is not sealed.
pub fn drive<S: Source>(
    started: &RunStarted,
    source: &mut S,
    journal: Writer,
    sinks: &mut [&mut dyn Sink],
) -> Result<Sealed, DriveError<S::Error>> {
    match Run::begin(started, journal, sinks)?.go_on(source, sinks)? {
        Ended::Sealed(sealed) => Ok(sealed),
        Ended::Interrupted { .. } => unreachable!("history is never interrupted"),
    }
}
