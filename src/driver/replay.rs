//! A replay from request to seal: the plan, the history that it needs, the run.

use std::path::{Path, PathBuf};

use crate::crew::Crew;
use crate::domain::event::{Command, DataHash, Event, Input, RunStarted};
use crate::domain::tape::{Names, write_event};
use crate::domain::time::Date;
use crate::golden::book::Book;
use crate::journal::writer::{Identity, Sealed, Writer};
use crate::sinks::Sink;
use crate::sources::columns::BarColumns;
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
    /// What somebody wants during the run, ascending in time.
    pub commands: Vec<Command>,
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
    /// The history lacks a month, or begins or ends inside the run.
    #[error("{key} has no history for {when}")]
    Uncovered {
        /// The instrument.
        key: String,
        /// The month, `YYYY-MM`, or the day.
        when: String,
        /// The file that should hold it.
        path: PathBuf,
        /// Whether it is needed for warm-up only.
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
    #[error("start the threads of the run: {0}")]
    Threads(#[from] std::io::Error),
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
        let end = plan.range.last.plus_days(1).start();
        let mut commands = request.commands.clone();
        commands.retain(|command| command.time < end);
        hashes.extend(hash_of(&commands));
        let Plan { run, range } = plan.with_data(hashes);
        Ok(Replay { run, range, commands, store })
    }

    /// Runs the core over the history, on `threads` threads. With a directory, its journal goes to
    /// `log` below that.
    ///
    /// # Errors
    /// When the history is damaged or the journal cannot be written.
    pub fn run(
        &self,
        run_dir: Option<&Path>,
        threads: usize,
        sinks: &mut [&mut dyn Sink],
    ) -> Result<Sealed, ReplayError> {
        let crew = (threads > 1).then(|| Crew::new(threads)).transpose()?;
        let journal = match run_dir {
            Some(run_dir) => {
                let writer = Writer::create(run_dir, self.identity()?)?;
                match &crew {
                    Some(crew) => writer.kept_by(crew),
                    None => writer,
                }
            }
            // To hash takes less than to hand over.
            None => Writer::digest_only(),
        };
        let mut history = self.history(crew.as_ref());
        drive(&self.run, &mut history, journal, sinks).map_err(|error| match error {
            DriveError::Source(error) => ReplayError::Store(error),
            DriveError::Journal(error) => ReplayError::Journal(error),
        })
    }

    /// Everything that the run hears, in order, loaded by `crew` or by whoever asks for it.
    pub fn history(&self, crew: Option<&Crew>) -> History {
        History::new(&self.run, &self.commands, &self.store, self.range, crew)
    }

    /// The history that warms the run up, and its days; none where nothing does.
    pub fn warmup(&self) -> Option<(Store, DateRange)> {
        let last = self.run.config.active_from.date().plus_days(-1);
        let range = DateRange { first: self.range.first, last };
        (range.first <= range.last).then(|| (self.store.clone(), range))
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
        Ok(books::oracle(&self.run, &self.store, self.range, &self.commands)?)
    }

    /// The minutes of the run's instruments, in their order, warm-up included.
    ///
    /// # Errors
    /// When the history is damaged.
    pub fn columns(&self) -> Result<Vec<BarColumns>, ReplayError> {
        Ok(books::columns(&self.run, &self.store, self.range)?)
    }
}

/// What stands for the commands among the data, so that a run with other commands has another name.
fn hash_of(commands: &[Command]) -> Option<DataHash> {
    let event = |command: &Command| Event::Input(Input::Command(*command));
    let line = |command: &Command| write_event(&event(command), &Names::default()) + "\n";
    let tape: String = commands.iter().map(line).collect();
    let blake3 = blake3::hash(tape.as_bytes()).to_hex().to_string();
    (!commands.is_empty()).then(|| DataHash { name: "commands".to_owned(), blake3 })
}

/// Refuses a plan with a month that has sessions but no file, and one whose first or last session
/// has no bar: the run would not be as long, or not as warm, as it says.
///
/// # Errors
/// The first such month or session of `key`, or that its files cannot be read.
pub fn uncovered(
    plan: &Plan,
    store: &Store,
    key: &str,
    first_traded: Date,
) -> Result<(), PrepareError> {
    let present = store.months(key)?;
    let lacks = |date: Date, when: String| PrepareError::Uncovered {
        key: key.to_owned(),
        when,
        path: store.path(key, date.first_of_month()),
        is_warmup: date < first_traded,
    };
    let sessions = &plan.run.sessions;
    for session in sessions {
        let month = session.date.first_of_month();
        // Of an unknown key there is nothing at all; the store says that better.
        if !present.is_empty() && !present.contains(&month) {
            return Err(lacks(session.date, month.month_name()));
        }
    }
    for session in sessions.first().into_iter().chain(sessions.last()) {
        if store.load(key, session.date, session.date)?.is_empty() {
            return Err(lacks(session.date, session.date.to_string()));
        }
    }
    Ok(())
}
