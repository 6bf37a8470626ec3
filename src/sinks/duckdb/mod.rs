//! The rows of a run for SQL: a DuckDB file that a live run keeps up to date, snapshots of it for
//! readers, and the same file made anew from the journal. Only with the feature `duckdb`: without
//! it every door says so.
//!
//! - `store` one file: tables, batches, `projection_meta`, hash
//! - `place` which file: preflight, quarantine
//! - `snapshot` copies for readers, since a live file is locked against them
//! - `worker` the thread behind a live run's sink
//! - `rebuild` journal to file
//!
//! What is promised: rows and `projection_meta` are committed together, so every row is there
//! exactly once however often the process dies; rows are those that a rebuild gives, to the bit;
//! and nothing here can hold up a run or end it. The sink hands finished steps to a thread through
//! a bounded queue. Where the thread cannot keep up the queue is full, and steps are left out, not
//! waited for; then, and after a restart, the thread reads them from the journal instead, which
//! holds everything that was ever told. Any error ends the thread with a word to the user.

#[cfg(not(feature = "duckdb"))]
mod disabled;
#[cfg(feature = "duckdb")]
mod place;
#[cfg(feature = "duckdb")]
mod rebuild;
#[cfg(feature = "duckdb")]
mod snapshot;
#[cfg(feature = "duckdb")]
mod store;
#[cfg(test)]
mod tests;
#[cfg(feature = "duckdb")]
mod worker;

use std::io;
use std::path::{Path, PathBuf};

use crate::domain::event::EventId;
use crate::journal::JournalError;

use super::Say;
use super::tables::TableId;

#[cfg(not(feature = "duckdb"))]
pub use disabled::{DuckTables, preflight, project};
#[cfg(feature = "duckdb")]
pub use {
    place::preflight,
    rebuild::{hash_of, project},
    worker::DuckTables,
};

/// Whether this program was built with DuckDB.
pub const IS_BUILT: bool = cfg!(feature = "duckdb");

/// Below a run's directory: where its file is.
pub const PROJECTIONS: &str = "proj";
/// Below a run's directory: where its snapshots are.
pub const SNAPSHOTS: &str = "snap";
/// In there: the name of the newest snapshot, a link.
pub const CURRENT: &str = "CURRENT";
/// Below a run's directory: where files go that cannot be used.
pub const QUARANTINE: &str = "quarantine";

/// What `project --preflight` exits with for a file that another process has open.
#[cfg(feature = "duckdb")]
const LOCKED: i32 = 73;

/// The file of a run.
pub fn file_of(run_dir: &Path, run_id: &str) -> PathBuf {
    run_dir.join(PROJECTIONS).join(format!("{run_id}.duckdb"))
}

/// How a live run keeps its file.
pub struct Options {
    /// The run's directory: its journal is read from there when the thread has fallen behind.
    pub run_dir: PathBuf,
    /// The run.
    pub run_id: String,
    /// The program that opens an existing file first, as `PROGRAM project --preflight FILE`, since
    /// a damaged one can end the process that opens it. `None`: it is opened right away.
    pub program: Option<PathBuf>,
    /// A clock that never goes back, in microseconds.
    pub now_us: Box<dyn Fn() -> i64 + Send>,
    /// Rows after which a batch is committed whatever the clock says.
    pub batch_rows: usize,
    /// Steps that may wait for the thread.
    pub queue: usize,
    /// Microseconds between snapshots; `None`: only at the end.
    pub snapshot_us: Option<i64>,
    /// Is told, by the thread, after each batch that was committed: the last event in the file.
    pub committed: Box<dyn Fn(EventId) + Send>,
}

impl Options {
    /// A second between commits, less where a signal or a fill waits; a minute between snapshots.
    pub fn new(
        run_dir: &Path,
        run_id: &str,
        program: Option<PathBuf>,
        now_us: Box<dyn Fn() -> i64 + Send>,
    ) -> Options {
        Options {
            run_dir: run_dir.into(),
            run_id: run_id.into(),
            program,
            now_us,
            batch_rows: 50_000,
            queue: 65_536,
            snapshot_us: Some(60_000_000),
            committed: Box::new(|_| {}),
        }
    }
}

/// How a file is to be made from a journal.
pub struct Wish<'a> {
    /// Where to. `None`: where a live run has it.
    pub out: Option<&'a Path>,
    /// Whether a copy for readers is to be made too.
    pub snapshot: bool,
    /// As in [`Options`]: the program that opens what is there first.
    pub program: Option<&'a Path>,
    /// Tells people what was moved away.
    pub say: &'a Say,
}

/// A file that was made from a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projected {
    /// The file.
    pub path: PathBuf,
    /// A copy for readers, where one was asked for.
    pub snapshot: Option<PathBuf>,
    /// How many rows each table has.
    pub tables: Vec<(TableId, u64)>,
    /// The last event that is in it.
    pub last: EventId,
    /// The run digest after it.
    pub digest: String,
    /// BLAKE3 of all rows, see [`RowHash`](super::tables::RowHash).
    pub hash: String,
    /// Whether the journal ends in order there.
    pub is_sealed: bool,
}

#[cfg(feature = "duckdb")]
impl DuckError {
    /// The reason, where the place is known.
    fn why(&self) -> String {
        match self {
            DuckError::Sql { why, .. } | DuckError::Foreign { why, .. } => why.clone(),
            other => other.to_string(),
        }
    }
}

/// Why there are no tables.
#[derive(Debug, thiserror::Error)]
pub enum DuckError {
    /// The program was built without DuckDB.
    #[error("this program was built without DuckDB")]
    Disabled,
    /// The database said no.
    #[error("{}: {doing} failed: {why}", path.display())]
    Sql {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What DuckDB said.
        why: String,
    },
    /// Another process has the file open.
    #[error("{}: another process has it open: {why}", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
        /// What DuckDB said.
        why: String,
    },
    /// The file is not what this run has written.
    #[error("{}: {why}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        why: String,
    },
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
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal holds no record.
    #[error("{}: no committed record", path.display())]
    Empty {
        /// The run.
        path: PathBuf,
    },
}
