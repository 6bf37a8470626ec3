//! Why history could not be read or written.

use std::io;
use std::path::{Path, PathBuf};

use crate::domain::time::Timestamp;

/// Why history could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory is not there.
    #[error("{}: no such directory", dir.display())]
    NoStore {
        /// The directory that was asked for.
        dir: PathBuf,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The store has no file of that instrument.
    #[error("{}: no history of {key}", dir.display())]
    UnknownKey {
        /// The instrument's key.
        key: String,
        /// The store's directory.
        dir: PathBuf,
        /// The keys that the store has, in order.
        available: Vec<String>,
    },
    /// A month between the first and the last one is not there.
    #[error("{}: no such file, but the history goes from {first} to {last}", path.display())]
    MissingMonth {
        /// The file that should be there.
        path: PathBuf,
        /// The first month of the instrument, `YYYY-MM`.
        first: String,
        /// The last month of the instrument, `YYYY-MM`.
        last: String,
    },
    /// A Parquet file whose name is no month.
    #[error("{}: the name of a history file is YYYY-MM.parquet", path.display())]
    Stray {
        /// The file.
        path: PathBuf,
    },
    /// The bytes are no Parquet file, or a truncated or damaged one.
    #[error("{}: not readable as Parquet: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        why: String,
    },
    /// The columns are not those of the store.
    #[error("{}: wrong columns: {}", path.display(), columns.join("; "))]
    Schema {
        /// The file.
        path: PathBuf,
        /// One text per wrong, missing or surplus column.
        columns: Vec<String>,
    },
    /// The file's metadata say something else than they should.
    #[error("{}: metadata {entry} is {found}, not `{wanted}`", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// The entry's name.
        entry: &'static str,
        /// What it should say.
        wanted: String,
        /// What it says: a quoted text, or `absent`.
        found: String,
    },
    /// A row that no market can have printed, or that belongs to another file.
    #[error("{}: row {row} ({time}): {why}", path.display())]
    BadRow {
        /// The file.
        path: PathBuf,
        /// The row's number among those that were read, from 0.
        row: usize,
        /// The row's time.
        time: Timestamp,
        /// What is wrong with it.
        why: String,
    },
}

impl StoreError {
    /// Whether data is there but damaged, rather than absent or out of reach.
    pub fn is_damage(&self) -> bool {
        use StoreError::{BadRow, Metadata, Schema, Stray, Unreadable};
        matches!(
            self,
            Unreadable { .. } | Schema { .. } | Metadata { .. } | BadRow { .. } | Stray { .. }
        )
    }

    /// Gives an error of the operating system its path.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.to_owned();
        move |source| StoreError::Io { path, source }
    }
}
