//! The only place where source, sequencer, journal, core and sinks meet. Live and replay differ in
//! the source that they hand in here, and nowhere else.
//!
//! - [`case`] a named replay, as its file says
//! - [`plan`] from what is asked to a run's first record
//! - [`history`] the history store as a source

pub mod case;
pub mod history;
pub mod plan;

use crate::domain::event::Input;
use crate::domain::time::Timestamp;

/// Where inputs come from, in their one order.
pub trait Source {
    /// Why the next input cannot be had.
    type Error;

    /// The next input, or `None` when there is nothing more.
    ///
    /// # Errors
    /// When the source is damaged or gone.
    fn next(&mut self) -> Result<Option<Input>, Self::Error>;

    /// The last watermark that was handed over.
    fn watermark(&self) -> Timestamp;
}
