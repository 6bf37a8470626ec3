//! The archive: a run's journal as Parquet files that any tool can read, and back into a journal
//! with the same records and the same run digest.
//!
//! An archive is a directory: `manifest.json`, and below `date=YYYY-MM-DD/` files
//! `<first>-<last>.parquet` with the inputs of these numbers and their outputs. A file ends where
//! the date goes on, or where it has grown large, and never inside a step. The columns from `seq`
//! to `payload` are the truth, byte for byte what the journal holds; those from `word` on are made
//! of them for people and are never read back.
//!
//! - [`schema`] the columns
//! - [`manifest`] what an archive says about itself, and what holds it together
//! - [`fold`] the digests of the records as they pass by
//! - [`staging`] a directory that is there as a whole or not at all
//! - [`write`](mod@write) journal to archive
//! - [`read`] archive to journal
//!
//! What is promised: nothing is believed that was not committed; what was exported was decoded
//! again from its files and has the journal's digest; what is imported has the hashes that the
//! manifest names and the digest that the journal had. A hash is no signature: whoever rewrites
//! the records and every hash has made another archive, of another run digest.

mod error;
mod fold;
mod manifest;
mod read;
mod schema;
mod staging;
#[cfg(test)]
mod tests;
mod write;

pub use error::ArchiveError;
pub use manifest::{FileEntry, MANIFEST, Manifest, SegmentEntry};
pub use read::{Imported, import};
pub use write::export;
