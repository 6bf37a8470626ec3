//! The DuckDB tables of a run, kept as `lockstep live --duckdb` keeps them, and when each batch of
//! them was committed.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use lockstep::domain::event::EventId;
use lockstep::sinks::Sink;
use lockstep::sinks::duckdb::{DuckTables, IS_BUILT, Options, file_of};

/// Commits in order: the last event that is in the file after it, and the steady clock then.
pub type Commits = Vec<(EventId, i64)>;

/// The tables of one run, where this build has DuckDB.
pub struct Tables {
    sink: Option<DuckTables>,
    commits: Arc<Mutex<Commits>>,
    file: PathBuf,
}

/// What became of them.
pub struct Kept {
    pub commits: Commits,
    /// Rows of signals in the file.
    pub signals: usize,
}

impl Tables {
    pub fn start(
        run_dir: &Path,
        run_id: &str,
        now_us: fn() -> i64,
    ) -> Result<Tables, Box<dyn Error>> {
        let commits = Arc::new(Mutex::new(Vec::new()));
        let noting = Arc::clone(&commits);
        // A new run has no file that another process would have to open first.
        let mut options = Options::new(run_dir, run_id, None, Box::new(now_us));
        options.committed = Box::new(move |last| {
            noting.lock().expect("nobody panics with it").push((last, now_us()));
        });
        let say = |text: &str| panic!("the DuckDB tables: {text}");
        let sink = IS_BUILT.then(|| DuckTables::start(options, Box::new(say))).transpose()?;
        Ok(Tables { sink, commits, file: file_of(run_dir, run_id) })
    }

    pub fn sink(&mut self) -> Option<&mut dyn Sink> {
        self.sink.as_mut().map(|sink| sink as &mut dyn Sink)
    }

    /// Waits until everything is in the file. `None` where there is no DuckDB.
    pub fn finish(self) -> Result<Option<Kept>, Box<dyn Error>> {
        let Some(sink) = self.sink else { return Ok(None) };
        if !sink.finish() {
            return Err("the DuckDB tables are not whole".into());
        }
        let signals = signals(&self.file)?;
        let commits = std::mem::take(&mut *self.commits.lock().expect("the thread is over"));
        Ok(Some(Kept { commits, signals }))
    }
}

/// When the event's rows were committed, by the steady clock.
pub fn committed_us(commits: &Commits, id: EventId) -> Option<i64> {
    let place = commits.partition_point(|(last, _)| *last < id);
    commits.get(place).map(|(_, at_us)| *at_us)
}

/// How many signals are in the file.
#[cfg(feature = "duckdb")]
fn signals(file: &Path) -> Result<usize, Box<dyn Error>> {
    let connection = duckdb::Connection::open(file)?;
    Ok(connection.query_row("SELECT count(*) FROM signals", [], |row| row.get(0))?)
}

#[cfg(not(feature = "duckdb"))]
fn signals(file: &Path) -> Result<usize, Box<dyn Error>> {
    Err(format!("{}: this build has no DuckDB to read it with", file.display()).into())
}
