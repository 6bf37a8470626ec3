//! What several commands need before they start: market facts, cases, and the words for what is
//! missing.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::domain::event::{Event, Input};
use crate::domain::time::Date;
use crate::driver::align::pieces::OtherSymbols;
use crate::driver::align::world::{Told, World};
use crate::driver::case::{self, Case, CaseError, Symbol};
use crate::driver::plan::PlanError;
use crate::driver::replay::{PrepareError, Replay, ReplayError};
use crate::golden::book::{Book, Collector};
use crate::golden::table::{Row, TableKind};
use crate::journal::reader::Reader;
use crate::sources::market::Market;
use crate::sources::store::Store;

use super::data::store_failure;
use super::exit::Exit;
use super::failure::Failure;
use super::golden::Bench;
use super::terminal::say;

/// The market facts that are built in.
///
/// # Errors
/// When the built-in files contradict themselves, which the tests rule out.
pub fn market() -> Result<Market, Failure> {
    Market::embedded().map_err(|error| {
        Failure::new(Exit::Damaged, "the built-in market facts cannot be read").because(error)
    })
}

/// Says loudly on stderr when a key is not the company that the user takes it for.
pub fn warn_of_label(symbol: &Symbol, market: &Market, on: Date) {
    if let Some(warning) = label_warning(symbol, market, on) {
        say(warning);
    }
}

/// What is to be said when a key is not the company that the user takes it for.
pub fn label_warning(symbol: &Symbol, market: &Market, on: Date) -> Option<String> {
    let label = symbol.label.as_ref()?;
    let found = market.disagreement(&symbol.key, label, on)?;
    let truth = &found.truth;
    let meant = found.meant.as_ref().map_or_else(String::new, |meant| {
        format!("\n   = {label} is {} ({}, {})", meant.key, meant.name, meant.symbol)
    });
    Some(format!(
        "warning: {} is not {label} but {} ({})\n   \
         = the instrument master says so for {on}{meant}\n  \
         help: carrying on as {}; correct the label or the key",
        truth.key, truth.name, truth.symbol, truth.symbol
    ))
}

/// The keys of all symbols in a history.
///
/// # Errors
/// When there is no history.
pub fn keys_of(data: &Path) -> Result<Vec<String>, Failure> {
    let keys = Store::open(data).and_then(|store| store.keys());
    let keys = keys.map_err(store_failure)?;
    match keys.is_empty() {
        false => Ok(keys),
        true => Err(Failure::new(Exit::Nothing, "the history holds no symbols")
            .at(data.display())
            .hint("`lockstep data import` fills it")),
    }
}

/// Words for a case that cannot be read.
pub fn case_failure(error: CaseError, replays: &Path) -> Failure {
    let cases = case::names(replays).unwrap_or_default().join(", ");
    match error {
        CaseError::Read { path, source } => match source.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => {
                Failure::new(Exit::Usage, "there is no such case")
                    .at(path.display())
                    .because(source)
                    .hint(match cases.is_empty() {
                        true => format!("there are no cases below {}", replays.display()),
                        false => format!("the cases are: {cases}"),
                    })
            }
            _ => {
                Failure::new(Exit::Io, "failed to read the case").at(path.display()).because(source)
            }
        },
        CaseError::Parse { path, faults } => {
            let failure = Failure::new(Exit::Usage, "the case's file is wrong").at(path.display());
            faults.iter().fold(failure, Failure::because)
        }
    }
}

/// Words for a replay that cannot start.
pub fn failure(error: PrepareError, data: &Path) -> Failure {
    match error {
        PrepareError::Plan(error) => plan_failure(&error),
        PrepareError::Store(error) => store_failure(error),
        PrepareError::Uncovered { key, when, path, is_warmup } => {
            let failure = Failure::new(Exit::Usage, format!("{key} has no history for {when}"))
                .at(path.display())
                .hint(format!("`lockstep data info {}` shows what is there", data.display()));
            match is_warmup {
                true => failure
                    .because("that is needed to warm the indicators up")
                    .hint("a later --from or fewer --warmup-sessions need less"),
                false => failure,
            }
        }
    }
}

/// Words for a request that does not fit the market facts.
pub fn plan_failure(error: &PlanError) -> Failure {
    let exit = match error {
        PlanError::NoSymbols | PlanError::NoSession(..) => Exit::Nothing,
        _ => Exit::Usage,
    };
    let failure = Failure::new(exit, error.to_string());
    match error {
        PlanError::NoSymbols => failure.hint("name keys with --symbols or in the case's file"),
        PlanError::UnknownKey(_) => failure
            .hint("keys look like NSE_EQ|INE155A01022; check it for a typing error")
            .hint("`lockstep config market` lists the instruments"),
        PlanError::UnlistedYear(_) => failure
            .because("holidays are announced a year at a time; a guess would invent sessions")
            .hint("choose listed years, or add the year to market/nse_calendar.toml"),
        PlanError::NoWarmup { .. } => failure.hint("ask for fewer --warmup-sessions"),
        _ => failure,
    }
}

/// Words for a replay that broke off.
pub fn broken_off(error: ReplayError) -> Failure {
    match error {
        ReplayError::Store(error) => store_failure(error),
        ReplayError::Journal(error) => Failure::new(Exit::Io, "failed to write the journal")
            .because(chain(&error))
            .hint("check the space and the rights of the folder given by --journal"),
        ReplayError::Threads(error) => Failure::new(Exit::Io, "failed to start threads")
            .because(error)
            .hint("--threads 1 needs none"),
    }
}

/// An error with everything that it comes from, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let part = error.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        source = error.source();
    }
    text
}

/// Makes the books of cases for `lockstep golden`.
pub struct CaseBench {
    /// The market facts.
    pub market: Market,
    /// Directory of the cases.
    pub replays: PathBuf,
}

impl CaseBench {
    /// The replay of a case.
    ///
    /// # Errors
    /// When there is no such case, or it cannot be run.
    pub fn replay(&self, name: &str) -> Result<Replay, Failure> {
        let case =
            Case::load(&self.replays, name).map_err(|error| case_failure(error, &self.replays))?;
        Replay::prepare(&case.request(), &self.market, &case.data)
            .map_err(|error| failure(error, &case.data))
    }
}

impl Bench for CaseBench {
    fn core_book(&self, case: &str) -> Result<Book, Failure> {
        let replay = self.replay(case)?;
        let mut collector = Collector::new(&replay.run);
        replay.run(None, 1, &mut [&mut collector]).map_err(broken_off)?;
        Ok(collector.finish())
    }

    fn oracle_book(&self, case: &str) -> Result<Book, Failure> {
        self.replay(case)?.oracle().map_err(broken_off)
    }
}

/// The world of a run and what it said in it, from its journal.
///
/// # Errors
/// When there is no journal, or it is damaged.
pub fn world_of_run(dir: &Path) -> Result<(World, Told), Failure> {
    let reader = Reader::open(dir).map_err(Failure::from)?;
    let empty = || Failure::new(Exit::Damaged, "the journal holds no run").at(dir.display());
    World::of_journal(reader).map_err(Failure::from)?.ok_or_else(empty)
}

/// The world of a golden, which is that of its case, and how many rows of the golden the case makes
/// otherwise by now.
///
/// # Errors
/// When there is no such case, or it cannot be run.
pub fn world_of_golden(
    golden: &Book,
    case: &str,
    bench: &CaseBench,
) -> Result<(World, usize), Failure> {
    let replay = bench.replay(case)?;
    let (world, told) = World::of_replay(&replay, 1).map_err(broken_off)?;
    let apart = TableKind::ALL.into_iter().map(|kind| {
        let theirs = &told.book.table(kind).rows;
        let is_made = |row: &&Row| {
            let known = theirs.partition_point(|it| it.known < row.known);
            let mut same_time = theirs[known..].iter().take_while(|it| it.known == row.known);
            same_time.any(|it| it.cells == row.cells)
        };
        golden.table(kind).rows.iter().filter(|row| !is_made(row)).count()
    });
    Ok((world, apart.sum()))
}

/// Words for two runs whose worlds cannot be taken apart.
pub fn other_symbols(error: &OtherSymbols, place: &Path) -> Failure {
    Failure::new(Exit::Usage, "the two sides are about other symbols")
        .at(place.display())
        .because(error)
        .hint("compare runs of the same symbols, or choose the case that the run is about")
}

/// The facts of a run, folded from its journal.
///
/// # Errors
/// When there is no journal, or it is damaged.
pub fn book_of_run(dir: &Path) -> Result<Book, Failure> {
    let mut reader = Reader::open(dir).map_err(Failure::from)?;
    let mut collector = None;
    while let Some(record) = reader.next_record().map_err(Failure::from)? {
        match (&record.event, &mut collector) {
            (Event::Input(Input::RunStarted(run)), None) => collector = Some(Collector::new(run)),
            (Event::Input(input), Some(collector)) => collector.input(input),
            (Event::Output(output), Some(collector)) => collector.output(record.id, output),
            (_, None) => {}
        }
    }
    let empty = || Failure::new(Exit::Damaged, "the journal holds no run").at(dir.display());
    Ok(collector.ok_or_else(empty)?.finish())
}
