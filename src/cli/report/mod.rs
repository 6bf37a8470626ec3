//! `lockstep report`: what people decide by. Figures of a run, several days of looking on, and all
//! of it on one page that opens anywhere.
//!
//! - [`economics`] what a run earned, and whether paper keeps what the backtest promised
//! - [`figures`] the same as one JSON document, which the page shows as well
//! - [`observation`] signals that were written down on several days
//! - [`html`] one self-contained page per run
//! - [`sections`] what stands on it
//! - [`apart`] why it and another run differ
//! - [`cells`] its tables and numbers
//! - [`chart`] its charts

mod apart;
mod cells;
mod chart;
mod economics;
mod figures;
mod html;

mod observation;
mod sections;

use std::path::{Path, PathBuf};

use crate::domain::config::FeeSchedule;
use crate::driver::account::{self, AccountError, Recorded};
use crate::golden::store::{self, Golden};
use crate::golden::table::TableKind;
use crate::journal::Reader;
use crate::sinks::report::economics::{Account, Economics, Schedules, misfees};
use crate::sinks::report::promise::{Promise, Verdict};
use crate::sources::market::Market;

use super::exit::Exit;
use super::failure::Failure;

/// What `lockstep report` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct ReportArgs {
    /// What to report on
    #[command(subcommand)]
    pub command: ReportCommand,
}

/// The commands of `lockstep report`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ReportCommand {
    /// What a run earned: hit rates, fees under both schedules, the time stop, and whether paper is
    /// within 10 % of its backtest over five sessions in a row
    Economics(economics::EconomicsArgs),
    /// Merge the signal files of several days and judge them: bars, frequency, errors
    Observation(observation::ObservationArgs),
    /// One page for a run, with everything in it: figures, charts, hashes, configuration,
    /// differences
    Html(html::HtmlArgs),
}

/// Runs `lockstep report`.
///
/// # Errors
/// When what is asked for is not there, damaged, or contradicts itself.
pub fn run(args: &ReportArgs, market: &Market) -> Result<Exit, Failure> {
    match &args.command {
        ReportCommand::Economics(args) => economics::run(args, market),
        ReportCommand::Observation(args) => observation::run(args, market),
        ReportCommand::Html(args) => html::run(args, market),
    }
}

/// A run, and what its figures are held against.
struct Reported {
    place: PathBuf,
    recorded: Recorded,
    economics: Economics,
    /// Fills whose fee is not what the run's own schedule charges.
    misfees: usize,
    against: Option<Against>,
}

/// The other side.
struct Against {
    place: PathBuf,
    /// The golden, where it is one and not a run.
    golden: Option<Golden>,
    promise: Promise,
}

impl Reported {
    /// Reads a run, and the run or golden that it is held against.
    fn read(run: &Path, against: Option<&Path>, market: &Market) -> Result<Reported, Failure> {
        if let Some(against) = against {
            refuse_itself(run, against)?;
        }
        let recorded = read_run(run)?;
        let schedules = schedules(market)?;
        let economics = Economics::of(&recorded.account, schedules);
        let misfees = misfees(&recorded.account, &recorded.run.config.fees).len();
        let against =
            against.map(|place| Against::read(place, &economics, schedules)).transpose()?;
        let is_empty = |against: &Against| against.promise.backtest.trades == 0;
        if economics.trades.is_empty() && against.as_ref().is_none_or(is_empty) {
            return Err(Failure::new(Exit::Nothing, "the run has no trade that is over")
                .at(run.display())
                .because(format!(
                    "{} days are over, {} fills",
                    economics.days.len(),
                    economics.fills
                ))
                .hint(
                    "`lockstep journal stats` counts its events; an observing run never trades",
                ));
        }
        Ok(Reported { place: run.into(), recorded, economics, misfees, against })
    }

    /// The run that it is held against, where it is one and no golden.
    fn other_run(&self) -> Option<&Path> {
        let against = self.against.as_ref().filter(|against| against.golden.is_none());
        against.map(|against| against.place.as_path())
    }

    /// Whether positions are given up after their full time.
    fn keeps_time_stop(&self) -> bool {
        let stop = self.economics.time_stop(self.time_stop_bars());
        stop.early.is_empty() && stop.late.is_empty()
    }

    fn time_stop_bars(&self) -> usize {
        self.recorded.run.config.strategy.time_stop_bars as usize
    }

    /// Whether every criterion is met.
    fn exit(&self) -> Exit {
        let verdict = self.against.as_ref().map(|against| against.promise.verdict());
        let is_met = verdict.is_none_or(|verdict| verdict == Verdict::Met);
        match is_met && self.misfees == 0 && self.keeps_time_stop() {
            true => Exit::Same,
            false => Exit::Differs,
        }
    }
}

impl Against {
    fn read(place: &Path, paper: &Economics, schedules: Schedules<'_>) -> Result<Against, Failure> {
        let (account, golden) = match place.join(TableKind::Fills.file()).is_file() {
            true => read_golden(place).map(|(account, golden)| (account, Some(golden)))?,
            false => (read_run(place)?.account, None),
        };
        let backtest = Economics::of(&account, schedules);
        let promise = Promise::of(paper, &backtest).ok_or_else(|| {
            let span = |days: &[(crate::domain::time::Date, _)]| match (days.first(), days.last()) {
                (Some((first, _)), Some((last, _))) => format!("{first} to {last}"),
                _ => "no day that is over".to_owned(),
            };
            Failure::new(Exit::Nothing, "the two have no day in common")
                .at(place.display())
                .because(format!("the run has {}", span(&paper.days)))
                .because(format!("this has {}", span(&backtest.days)))
        })?;
        Ok(Against { place: place.into(), golden, promise })
    }
}

/// The two schedules that every report reckons with.
fn schedules(market: &Market) -> Result<Schedules<'_>, Failure> {
    let of = |name: &str| -> Result<&FeeSchedule, Failure> {
        market.fee_schedule(name).ok_or_else(|| {
            Failure::new(Exit::Damaged, format!("the built-in facts lack the fee schedule {name}"))
        })
    };
    Ok(Schedules { nse: of("nse")?, plan: of("plan")? })
}

fn read_run(place: &Path) -> Result<Recorded, Failure> {
    let reader = Reader::open(place).map_err(Failure::from)?;
    account::read(reader).map_err(|error| account_failure(error, place))
}

fn read_golden(place: &Path) -> Result<(Account, Golden), Failure> {
    let case = place.file_name().unwrap_or(place.as_os_str()).to_string_lossy();
    let golden = store::load(place).map_err(|error| super::golden::failure(error, &case))?;
    if !golden.problems.is_empty() {
        let failure = Failure::new(Exit::Damaged, "the golden is not what was accepted");
        let failure = failure.at(place.display());
        return Err(golden
            .problems
            .iter()
            .fold(failure, Failure::because)
            .hint(format!("`lockstep golden review --case {case}` shows where")));
    }
    let account = account::of_book(&golden.book).map_err(|error| account_failure(error, place))?;
    Ok((account, golden))
}

fn account_failure(error: AccountError, place: &Path) -> Failure {
    match error {
        AccountError::Journal(error) => Failure::from(error),
        other => Failure::new(Exit::Damaged, "the account cannot be made")
            .at(place.display())
            .because(other),
    }
}

/// A thing keeps its own promise, which proves nothing.
fn refuse_itself(run: &Path, against: &Path) -> Result<(), Failure> {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    match real(run).is_some() && real(run) == real(against) {
        true => Err(Failure::new(Exit::Usage, "the run is held against itself")
            .at(against.display())
            .because("every run keeps its own promise, which proves nothing")),
        false => Ok(()),
    }
}
