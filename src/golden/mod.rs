//! Judgement. What a run produced, as three tables of text; whether it is what was accepted; and if
//! not, at which row, in which field, and which minute stands behind it.
//!
//! - [`table`] rows of text with a time and an address, read from and written as CSV
//! - [`align`] signals that somebody brings, held against what live says
//! - [`book`] the comparable facts of one run, folded from its events or taken from the oracle
//! - [`compare`] rows matched by what they are about, differences in the order of their causes
//! - [`minute`] the minute of trading behind a difference
//! - [`render`] a comparison in words
//! - [`export`] a comparison as JSON and CSV
//! - [`digest`] a book in five lines
//! - [`exceptions`] differences that somebody approved for a while
//! - [`ledger`] who accepted which golden when, and why
//! - [`store`] the files of a golden: load, save, take stock

pub mod align;
pub mod book;
pub mod compare;
pub mod digest;
pub mod error;
pub mod exceptions;
pub mod export;
#[cfg(test)]
pub(crate) mod fixture;
pub mod ledger;
pub mod minute;
pub mod render;
pub mod store;
pub mod table;

pub use book::{Book, Collector};
pub use compare::{Comparison, compare};
pub use error::Error;
pub use render::Paint;
