//! The world in. Everything that can fail fails here, at the door, before an event exists.
//!
//! - [`columns`] minute bars of one instrument, column by column
//! - [`sequencer`] one total order over all instruments

pub mod columns;
pub mod sequencer;
