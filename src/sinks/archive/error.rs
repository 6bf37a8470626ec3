//! Why a journal cannot be archived, or an archive not be brought back.

use std::io;
use std::path::{Path, PathBuf};

use crate::domain::event::EventId;
use crate::journal::JournalError;
use crate::journal::error::Damage;

/// Why a journal cannot be archived, or an archive not be brought back.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The operating system said no.
    #[error("{}: {doing} failed: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The journal cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A journal without a record that counts.
    #[error("{}: no committed record", path.display())]
    Empty {
        /// The journal.
        path: PathBuf,
    },
    /// Nothing is written over.
    #[error("{}: is there already", path.display())]
    Exists {
        /// What is there.
        path: PathBuf,
    },
    /// There is no archive.
    #[error("{}: no {} here", path.display(), super::MANIFEST)]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The manifest is none, or not what was written.
    #[error("{}: {why}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A later program wrote the archive, or an earlier one whose rules this one has left.
    #[error("{}: {what} {found}, this program has {known}", path.display())]
    Foreign {
        /// The manifest.
        path: PathBuf,
        /// What is not ours.
        what: &'static str,
        /// Its number.
        found: u32,
        /// The number that this program has.
        known: u32,
    },
    /// A file is not what the manifest says.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// How it differs.
        why: String,
    },
    /// A row is no record, or cannot stand where it stands.
    #[error("{}: record {id}: {why}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The address in the row.
        id: EventId,
        /// What is wrong with it.
        why: Damage,
    },
    /// What was written is not what was to be written.
    #[error("{}: {what} is {found} where it was {wanted}", path.display())]
    Differs {
        /// Where it was written.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// What was to be written.
        wanted: String,
        /// What is there.
        found: String,
    },
}

/// What the system said, with what was being done to which file.
pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ArchiveError {
    move |source| ArchiveError::Io { doing, path: path.into(), source }
}
