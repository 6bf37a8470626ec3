//! Why a golden cannot be judged or written. Each is a fragment after "failed to …".

use std::io;
use std::path::{Path, PathBuf};

/// Why a golden cannot be judged or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the golden is not there.
    #[error("find {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The operating system said no.
    #[error("read or write {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("read {}, line {line}: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1; 0 where the file as a whole is meant.
        line: u64,
        /// What is wrong there.
        what: String,
    },
    /// Both sides are empty.
    #[error("compare: both sides are empty, so nothing was compared")]
    NothingCompared,
    /// A golden may not be written now.
    #[error("accept: {why}")]
    Refused {
        /// Why not.
        why: String,
    },
}

impl Error {
    /// An I/O error with its path; a file that is not there becomes [`Error::Missing`].
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| match source.kind() {
            io::ErrorKind::NotFound => Error::Missing { path },
            _ => Error::Io { path, source },
        }
    }

    /// A malformed line.
    pub(super) fn malformed(path: &Path, line: u64, what: impl Into<String>) -> Error {
        Error::Malformed { path: path.to_path_buf(), line, what: what.into() }
    }
}
