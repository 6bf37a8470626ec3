//! The world in. Everything that can fail fails here, at the door, before an event exists.
//!
//! - [`columns`] minute bars of one instrument, column by column
//! - [`market`] the exchange as data: calendar, instruments, charges
//! - [`sequencer`] one total order over all instruments
//! - [`store`] the history: one Parquet file per symbol and month
//! - [`synthetic`] made-up history, the same bits on every machine

pub mod columns;
pub mod market;
pub mod sequencer;
pub mod store;
pub mod synthetic;
