//! A run as tables: what SQL and spreadsheets are given. A pure fold over records that says which
//! rows are there now; who keeps them (a map, DuckDB, CSV files) is another's business.
//!
//! - [`schema`] the tables, their columns, and what these mean
//! - [`cell`] one value
//! - [`rows`] rows by table and key, and their hash
//! - [`fold`] records into rows
//! - [`lane`] what the fold keeps of one instrument
//! - [`trades`] fills into round trips
//!
//! Rows follow from the records alone: no clock is read, and it does not matter where the stream is
//! cut. So rows that came one by one are those that a rebuild from the journal gives, to the bit.

pub mod cell;
pub mod fold;
mod lane;
pub mod rows;
pub mod schema;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod trades;

pub use cell::Cell;
pub use fold::Tables;
pub use rows::{Row, RowHash, Rows};
pub use schema::{Column, ColumnKind, SCHEMA_VERSION, TableId};
