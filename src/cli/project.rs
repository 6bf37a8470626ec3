//! `lockstep project RUN`: the tables of a run, made from its journal. The journal is only read, so
//! a run that is under way can be projected like one that is over.

use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::domain::event::{Derived, Event, EventId};
use crate::journal::{End, Reader};
use crate::sinks::csv::{CsvFiles, FOLDER};
use crate::sinks::duckdb::{self, DuckError, Projected, Wish};
use crate::sinks::tables::{Rows, TableId, Tables};
use crate::sinks::{Say, Sink as _};

use super::exit::Exit;
use super::failure::Failure;
use super::terminal::{self, fact, grouped};

/// Which run, and where to.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = tables())]
pub struct ProjectArgs {
    /// The run's directory, or its log/
    #[arg(required_unless_present = "preflight")]
    run: Option<PathBuf>,
    /// The DuckDB file; where none is given, proj/<run>.duckdb in the run's directory
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also make a copy for readers in the run's snap/, and have CURRENT name it
    #[arg(long)]
    snapshot: bool,
    /// Write the CSV files below this directory; no DuckDB file unless --out or --snapshot is given
    #[arg(long, value_name = "DIR")]
    csv: Option<PathBuf>,
    /// Only open a DuckDB file, take its log in and close it
    #[arg(long, value_name = "FILE", hide = true, conflicts_with_all = ["run", "out", "csv"])]
    preflight: Option<PathBuf>,
}

/// What is in the file, for the help.
fn tables() -> String {
    let mut text = String::from("Tables:\n");
    for table in TableId::ALL {
        let _ = writeln!(text, "  {:<17}{}", table.name(), table.about());
    }
    text + "  projection_meta  which run, and the last event of the journal that is in the file\n\n\
            Times are the wall clock of India, UTC in columns that end in _utc; money is rupees.\n\
            SELECT column_name, comment FROM duckdb_columns() says what each column means.\n\
            The CSV files hold signals and trades, one file for each day, below data/live_tests/."
}

/// Runs `lockstep project`.
///
/// # Errors
/// When there is no journal, it is damaged, or the tables cannot be written.
pub fn run(args: &ProjectArgs) -> Result<Exit, Failure> {
    if let Some(file) = &args.preflight {
        terminal::print(&format!("{}\n", duckdb::preflight(file)?))?;
        return Ok(Exit::Same);
    }
    let Some(run) = &args.run else {
        return Err(Failure::new(Exit::Usage, "no run was given"));
    };
    if let Some(folder) = &args.csv {
        terminal::print(&csv(run, folder)?)?;
    }
    if args.csv.is_none() || args.out.is_some() || args.snapshot {
        let program = env::current_exe().ok();
        let say: Say = Box::new(|text: &str| terminal::say(format!("note: {text}")));
        let wish = Wish {
            out: args.out.as_deref(),
            snapshot: args.snapshot,
            program: program.as_deref(),
            say: &say,
        };
        let made = duckdb::project(run, &wish)?;
        terminal::print(&of_file(&made))?;
    }
    Ok(Exit::Same)
}

/// Writes the CSV files and says what all tables would hold.
fn csv(run: &Path, folder: &Path) -> Result<String, Failure> {
    let mut reader = Reader::open(run)?;
    let run_id = reader.header().run_id.to_string();
    let say = Box::new(|text: &str| terminal::say(format!("note: {text}")));
    let mut files = CsvFiles::new(folder, &run_id, say);
    let (mut tables, mut rows) = (Tables::default(), Rows::default());
    while let Some(record) = reader.next_record()? {
        match &record.event {
            Event::Input(input) => files.input(record.id.seq, input),
            Event::Output(output) => {
                let (cause, output) = (record.cause, output.clone());
                files.output(record.id, &Derived { cause, output });
            }
        }
        tables.record(record);
        rows.merge(tables.take());
    }
    tables.settle();
    rows.merge(tables.take());
    let (written, is_whole) = files.finish();
    if !is_whole {
        return Err(Failure::new(Exit::Io, "failed to write the CSV files").at(folder.display()));
    }
    let counts: Vec<(TableId, u64)> =
        TableId::ALL.iter().map(|table| (*table, rows.of(*table).len() as u64)).collect();
    let is_sealed = matches!(reader.end(), Some(End::Sealed(_)));
    let last = tables.last().unwrap_or(EventId::NONE);
    let mut text = said(&counts, last, &reader.digest().to_string(), is_sealed);
    text += &fact("Hash", &format!("rows {}", rows.hash().to_hex()));
    let files = grouped(written.len() as u64);
    let place = folder.join(FOLDER);
    Ok(text + &fact("CSV", &format!("{files} files in {}", place.display())))
}

fn of_file(made: &Projected) -> String {
    let mut text = said(&made.tables, made.last, &made.digest, made.is_sealed);
    text += &fact("Hash", &format!("rows {}", made.hash));
    text += &fact("File", &made.path.display().to_string());
    if let Some(path) = &made.snapshot {
        text += &fact("Snapshot", &path.display().to_string());
    }
    text
}

fn said(tables: &[(TableId, u64)], last: EventId, digest: &str, is_sealed: bool) -> String {
    let mut text = String::new();
    for (table, rows) in tables {
        let _ = writeln!(text, "   {:<12} {}", table.name(), grouped(*rows));
    }
    let end = if is_sealed { "sealed" } else { "goes on, or ended early" };
    let digest: String = digest.chars().take(12).collect();
    text + &fact("Position", &format!("event {last} · all events {digest} · {end}"))
}

/// In words for people.
impl From<DuckError> for Failure {
    fn from(error: DuckError) -> Failure {
        match error {
            DuckError::Disabled => Failure::new(Exit::Usage, error.to_string())
                .because("it is a large C++ build, so it is left out where nobody asks for it")
                .hint("build with it: `cargo build --features duckdb`")
                .hint("`lockstep project RUN --csv DIR` needs no DuckDB"),
            DuckError::Sql { doing, path, why } => {
                Failure::new(Exit::Io, "DuckDB cannot use the file")
                    .at(path.display())
                    .because(format!("{doing}: {why}"))
                    .hint("`lockstep project RUN` makes the tables again from the journal")
            }
            DuckError::Locked { path, why } => {
                Failure::new(Exit::Locked, "somebody else has the file open")
                    .at(path.display())
                    .because(why)
                    .hint("read the copy snap/CURRENT instead, or give another --out")
            }
            DuckError::Foreign { path, why } => {
                Failure::new(Exit::Usage, "the file is none of this run")
                    .at(path.display())
                    .because(why)
                    .hint("give another --out, or move this away")
            }
            DuckError::Io { doing, path, source } => {
                Failure::new(Exit::Io, "failed to write the tables")
                    .at(path.display())
                    .because(format!("{doing}: {source}"))
            }
            DuckError::Journal(error) => error.into(),
            DuckError::Empty { path } => Failure::new(Exit::Nothing, "nothing to project")
                .at(path.display())
                .because("the journal holds no committed record"),
        }
    }
}
