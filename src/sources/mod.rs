//! The world in. Everything that can fail fails here, at the door, before an event exists.
//!
//! - [`columns`] minute bars of one instrument, column by column
//! - [`download`] minutes of the broker's archive into the store
//! - [`feed`] what a live feed means, without the network
//! - [`import`] other people's CSV and Parquet files into the store
//! - [`inspect`] what is wrong or remarkable in a history
//! - [`market`] the exchange as data: calendar, instruments, charges
//! - [`rows`] minute bars that wait for their turn, row by row
//! - [`sequencer`] one total order over all instruments
//! - [`shield`] a wall between a decoder that may panic and the program
//! - [`store`] the history: one Parquet file per symbol and month
//! - [`synthetic`] made-up history, the same bits on every machine
//! - [`upstox`] the broker's market data: between the network and plain values

pub mod columns;
pub mod download;
pub mod feed;
pub mod import;
pub mod inspect;
pub mod market;
pub mod rows;
pub mod sequencer;
pub mod shield;
pub mod store;
pub mod synthetic;
pub mod upstox;
