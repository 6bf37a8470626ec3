//! The world in. Everything that can fail fails here, at the door, before an event exists.
//!
//! - [`columns`] minute bars of one instrument, column by column
//! - [`import`] other people's CSV and Parquet files into the store
//! - [`inspect`] what is wrong or remarkable in a history
//! - [`market`] instruments, trading days and charges
//! - [`store`] history as Parquet files, one per instrument and month

pub mod columns;
pub mod import;
pub mod inspect;
pub mod market;
pub mod store;
