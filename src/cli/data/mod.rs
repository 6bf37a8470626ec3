//! `lockstep data`: history in, looked at, listed.
//!
//! - [`import`] other people's files into the store
//! - [`fetch`] minutes of the broker's archive into the store
//! - [`check`] what is wrong or remarkable in a store
//! - [`info`] what a store holds
//! - [`sample`] made-up history

mod check;
mod fetch;
mod import;
mod info;
mod sample;

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::exit::Exit;
use super::failure::Failure;
use crate::domain::session::UnlistedYear;
use crate::domain::time::Date;
use crate::sources::market::Market;
use crate::sources::store::StoreError;

/// Arguments of `lockstep data`.
#[derive(Debug, Args)]
pub struct DataArgs {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// Bring minute bars from CSV or Parquet files into a history
    Import(Box<import::ImportArgs>),
    /// Fetch minutes of finished days from the broker's archive into a history
    Fetch(Box<fetch::FetchArgs>),
    /// Look for gaps, duplicates, defects, splits and other oddities in a history
    Check(check::CheckArgs),
    /// List the files of a history
    Info(InfoArgs),
    /// Make up a history from a seed
    Sample(sample::SampleArgs),
}

/// Arguments of `lockstep data info`.
#[derive(Debug, Args)]
struct InfoArgs {
    /// Directory of the history
    dir: PathBuf,
}

/// How a result is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table that fits the terminal
    #[default]
    Human,
    /// JSON, one document
    Json,
    /// CSV, one finding per line
    Csv,
}

/// Runs `lockstep data`.
///
/// # Errors
/// What went wrong, in words and with the exit code.
pub fn run(args: DataArgs, market: &Market) -> Result<Exit, Failure> {
    run_to(args, market, &mut io::stdout().lock())
}

/// Runs `lockstep data` with the result going to `out`.
fn run_to(args: DataArgs, market: &Market, out: &mut dyn Write) -> Result<Exit, Failure> {
    let (text, exit) = match args.command {
        DataCommand::Import(args) => import::run(*args, market)?,
        DataCommand::Fetch(args) => fetch::run(&args, market)?,
        DataCommand::Check(args) => check::run(&args, market)?,
        DataCommand::Info(args) => info::run(&args.dir, market)?,
        DataCommand::Sample(args) => sample::run(&args, market)?,
    };
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever stops reading has seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Io, "failed to write the result").because(error))
        }
        _ => Ok(exit),
    }
}

/// An error of the history store in words, for every command that reads history.
pub fn store_failure(error: StoreError) -> Failure {
    let exit = match &error {
        StoreError::Io { .. } => Exit::Io,
        damaged if damaged.is_damage() => Exit::Damaged,
        _ => Exit::Usage,
    };
    let what = |what: &str| Failure::new(exit, what);
    match error {
        StoreError::NoStore { dir } => what("there is no such directory")
            .at(dir.display())
            .hint("`lockstep data import` makes a history"),
        StoreError::Io { path, source } => {
            what("failed to read or write a history").at(path.display()).because(source)
        }
        StoreError::UnknownKey { key, dir, available } => {
            let failure = what(&format!("the history has nothing of {key}")).at(dir.display());
            match available.is_empty() {
                true => failure.because("it is empty").hint("`lockstep data import` fills it"),
                false => failure
                    .because(format!("it has {}", available.join(", ")))
                    .hint("name one of these, or import what is missing"),
            }
        }
        StoreError::MissingMonth { path, first, last } => what("a month is missing")
            .at(path.display())
            .because(format!("the history goes from {first} to {last}"))
            .hint("import that month with `lockstep data import`"),
        StoreError::Stray { path } => what("a history file has a name that is no month")
            .at(path.display())
            .hint("rename it to YYYY-MM.parquet or move it away"),
        StoreError::Unreadable { path, why } => what("a history file is damaged")
            .at(path.display())
            .because(why)
            .hint("import it again with `lockstep data import --replace`"),
        StoreError::Schema { path, columns } => {
            let failure = what("a history file has the wrong columns").at(path.display());
            let failure = columns.iter().fold(failure, |failure, column| failure.because(column));
            failure.hint("bring foreign files in with `lockstep data import`")
        }
        StoreError::Metadata { path, entry, wanted, found } => {
            what("a history file is not what its place says")
                .at(path.display())
                .because(format!("its metadata {entry} is {found}, not `{wanted}`"))
                .hint("bring foreign files in with `lockstep data import`")
        }
        StoreError::BadRow { path, row, time, why } => what("a history has a row that is no bar")
            .at(format!("{}, row {row}", path.display()))
            .because(format!("the bar of {time}: {why}"))
            .hint("`lockstep data check` lists all such rows"),
    }
}

/// A year that the calendar does not list, in words.
fn unlisted_failure(error: &UnlistedYear) -> Failure {
    let listed: Vec<String> = error.listed.iter().map(i32::to_string).collect();
    Failure::new(Exit::Usage, format!("the calendar does not list the year {}", error.year))
        .because(format!("it lists {}", listed.join(", ")))
        .hint("narrow the range with --from and --to")
}

/// Reads a day for clap.
fn parse_date(text: &str) -> Result<Date, String> {
    Date::parse(text).ok_or_else(|| "a day is written YYYY-MM-DD".to_owned())
}

#[cfg(test)]
mod tests;
