//! Why an import was refused, down to the row.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sources::store::StoreError;

/// How many bad rows an error shows.
pub(super) const BAD_ROWS_SHOWN: usize = 5;

/// A row that cannot be a bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// The file.
    pub path: Arc<Path>,
    /// The line of a CSV file, or the row of a Parquet file; both from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
    /// What stands there, fields parted by commas.
    pub text: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} in `{}`", self.path.display(), self.line, self.why, self.text)
    }
}

/// Why an import was refused.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The bytes are neither sound CSV nor sound Parquet.
    #[error("{}: not readable: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        why: String,
    },
    /// A column is not there, or there are several that could be it.
    #[error("{}: {count} columns for {role} (wanted one of {}; found {})",
        path.display(), names.join(", "), found.join(", "))]
    Column {
        /// The file.
        path: PathBuf,
        /// What the column is for, such as `time`.
        role: &'static str,
        /// How many columns have one of the names: not one.
        count: usize,
        /// The names that were looked for.
        names: Vec<String>,
        /// The columns that there are.
        found: Vec<String>,
    },
    /// A Parquet column has a type that no time or number is read from.
    #[error("{}: column {column} has the type {found}", path.display())]
    ColumnType {
        /// The file.
        path: PathBuf,
        /// The column's name.
        column: String,
        /// Its type.
        found: String,
    },
    /// The sessions' first bars do not say how bars are labelled.
    #[error("{}: start or end label is not certain: {seen}", path.display())]
    Label {
        /// The file.
        path: PathBuf,
        /// What was seen.
        seen: String,
    },
    /// Rows that cannot be bars, with nowhere to put them.
    #[error("rows that are no bars: {total}")]
    BadRows {
        /// The first of them.
        first: Vec<BadRow>,
        /// How many there are.
        total: usize,
    },
    /// Files would be overwritten.
    #[error("{}: there already (files in the way: {})", paths[0].display(), paths.len())]
    Exists {
        /// The files, at least one.
        paths: Vec<PathBuf>,
    },
    /// No row is left to import.
    #[error("no bar to import (files: {}, bad rows: {bad})", files.len())]
    Empty {
        /// The files.
        files: Vec<PathBuf>,
        /// How many bad rows there were.
        bad: usize,
    },
    /// Writing failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Bad rows as CSV: file, line, reason, text.
pub(super) fn quarantine_text(bad: &[BadRow]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = ["file".into(), "line".into(), "reason".into(), "text".into()];
    let rows = bad.iter().map(|row| {
        [row.path.display().to_string(), row.line.to_string(), row.why.clone(), row.text.clone()]
    });
    for record in std::iter::once(header).chain(rows) {
        writer.write_record(&record).expect("memory takes every write");
    }
    writer.into_inner().expect("memory takes every write")
}
