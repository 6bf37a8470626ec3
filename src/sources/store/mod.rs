//! The history store: minute bars as one Parquet file per instrument and month.
//!
//! ```text
//! <dir>/NSE_EQ_INE155A01022/2024-10.parquet      every character of the key outside [A-Za-z0-9-]
//!                                                becomes `_`; the file itself says the whole key
//! ```
//!
//! | column | type | what |
//! |---|---|---|
//! | `open_time` | timestamp, microseconds, UTC | start of the minute |
//! | `open`, `high`, `low`, `close` | decimal(14,4) stored as a 64-bit integer | rupees |
//! | `volume` | 64-bit integer | shares |
//!
//! No column may hold nulls. The file's metadata holds `lockstep.key` (the instrument's key),
//! `lockstep.schema` (`1`) and `lockstep.label` (`start`: a bar is labelled by the start of its
//! minute). Rows stand in any order; a well-made file has them by time. All of a file's rows lie in
//! its month on the Indian calendar.
//!
//! Prices are decimals so that any Parquet reader shows rupees and none of them a rounded double.
//! They cost nothing: up to 18 digits are stored as plain 64-bit integers, and it is these that are
//! decoded. What this program sees is the very integer of 1/10,000 rupee that it computes with.

mod error;
mod files;
mod footer;
mod parts;
mod read;
mod schema;
mod validate;
mod write;

pub use error::StoreError;
pub use files::{Folder, MonthFile, Store};
pub use parts::Parts;
pub use read::Decoded;
pub use schema::SCHEMA;
#[cfg(test)]
pub(in crate::sources) use write::encode;
pub(in crate::sources) use write::replace_file;
pub use write::write_month;

#[cfg(test)]
mod tests;
