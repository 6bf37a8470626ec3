//! The world in. Everything that can fail fails here, at the door, before an event exists.
//!
//! - [`columns`] minute bars of one instrument, column by column
//! - [`market`] what is known about the market: trading days, instruments, charges
//! - [`synthetic`] made-up minute bars to try things with

pub mod columns;
pub mod market;
pub mod synthetic;
