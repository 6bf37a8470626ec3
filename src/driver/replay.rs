//! A replay from request to seal: the plan, the history that it needs, the run.

use std::path::{Path, PathBuf};

use crate::domain::event::RunStarted;
use crate::domain::time::Date;
use crate::golden::book::Book;
use crate::journal::writer::{Identity, Sealed, Writer};
use crate::sinks::Sink;
use crate::sources::market::Market;
use crate::sources::store::{Store, StoreError};

use super::books;
use super::history::History;
use super::plan::{DateRange, Plan, PlanError, Request};
use super::{DriveError, drive};

/// A replay whose every file is known to be there.
pub struct Replay {
    /// The run's first record.
    pub run: RunStarted,
    /// All days that are read, warm-up included.
    pub range: DateRange,
    store: Store,
}

/// Why a replay cannot start.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The request asks for what does not exist.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The history cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The history lacks a month.
    #[error("{key} has no history for {month}")]
    Uncovered {
        /// The instrument.
        key: String,
        /// The month, `YYYY-MM`.
        month: String,
        /// The file that should hold it.
        path: PathBuf,
        /// Whether the month is needed for warm-up only.
        is_warmup: bool,
    },
}

/// Why a replay broke off.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The history is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] crate::journal::error::JournalError),
    /// No threads can be had.
    #[error("start the threads that read history: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

impl Replay {
    /// Plans the request over the history in `data`, and hashes the files that it needs.
    ///
    /// # Errors
    /// The first thing that is missing, unknown or unreadable.
    pub fn prepare(
        request: &Request,
        market: &Market,
        data: &Path,
    ) -> Result<Replay, PrepareError> {
        let plan = Plan::new(request, market)?;
        let store = Store::open(data)?;
        let mut hashes = Vec::new();
        for instrument in &plan.run.instruments {
            let key = &instrument.key;
            uncovered(&plan, &store, key, request.range.first)?;
            hashes.extend(store.hashes(key, plan.range.first, plan.range.last)?);
        }
        let Plan { run, range } = plan.with_data(hashes);
        Ok(Replay { run, range, store })
    }

    /// Runs the core over the history. With a directory, its journal goes to `log` below that.
    ///
    /// # Errors
    /// When the history is damaged or the journal cannot be written.
    pub fn run(
        &self,
        run_dir: Option<&Path>,
        threads: usize,
        sinks: &mut [&mut dyn Sink],
    ) -> Result<Sealed, ReplayError> {
        let mut history = History::new(&self.run, &self.store, self.range, threads)?;
        let journal = match run_dir {
            Some(run_dir) => Writer::create(run_dir, self.identity()?)?,
            None => Writer::digest_only(),
        };
        let journal = if threads > 1 { journal.in_background() } else { journal };
        drive(&self.run, &mut history, journal, sinks).map_err(|error| match error {
            DriveError::Source(error) => ReplayError::Store(error),
            DriveError::Journal(error) => ReplayError::Journal(error),
        })
    }

    /// What the run is called: the same description always has the same name.
    ///
    /// # Errors
    /// When the description is too long to be written.
    pub fn identity(&self) -> Result<Identity, ReplayError> {
        Ok(Identity::of_replay(&self.run)?)
    }

    /// What the oracle makes of the same history.
    ///
    /// # Errors
    /// When the history is damaged.
    pub fn oracle(&self) -> Result<Book, ReplayError> {
        Ok(books::oracle(&self.run, &self.store, self.range)?)
    }
}

/// Refuses a plan with a month that has sessions but no file.
fn uncovered(
    plan: &Plan,
    store: &Store,
    key: &str,
    first_traded: Date,
) -> Result<(), PrepareError> {
    let present = store.months(key)?;
    for session in &plan.run.sessions {
        let month = session.date.first_of_month();
        if !present.contains(&month) {
            return Err(PrepareError::Uncovered {
                key: key.to_owned(),
                month: month.month_name(),
                path: store.path(key, month),
                is_warmup: session.date < first_traded,
            });
        }
    }
    Ok(())
}
