//! `lockstep check`: trials of the rules over a case or a history.

mod causality;
mod determinism;
mod faults;
mod warmup;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::prepare;
use crate::driver::case::{self, Case};
use crate::driver::plan::{DateRange, Request};
use crate::driver::replay::Replay;
use crate::sources::market::Market;

/// What `lockstep check` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum What {
    /// Whether a profile knows bars that have not happened, and earns where nobody can
    Causality(causality::CausalityArgs),
    /// How much history the same indicators and the same signals need
    Warmup(warmup::WarmupArgs),
    /// Whether the same inputs always lead to the same events
    Determinism(determinism::DeterminismArgs),
    /// Whether faults that are planted are named when differences are explained
    Faults(faults::FaultsArgs),
}

/// Over what.
#[derive(Clone, Debug, clap::Args)]
struct Selection {
    /// The case: a folder below the replays directory
    #[arg(long, value_name = "NAME", default_value = "sample")]
    case: String,
    /// Directory of the cases
    #[arg(long, value_name = "DIR", default_value = "replays")]
    replays: PathBuf,
    /// A history instead of a case's
    #[arg(long, value_name = "DIR", requires = "from", requires = "to")]
    data: Option<PathBuf>,
    /// First month or day [default: the case's]
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Last month or day, inclusive [default: the case's]
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
    /// Sessions before the first day that are read too [default: the case's, or 20]
    #[arg(long, value_name = "N")]
    warmup_sessions: Option<usize>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// How the result is written
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

/// How the result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON object
    Json,
}

/// Runs `lockstep check`.
///
/// # Errors
/// When something is missing, unknown or damaged, or the trial saw nothing. What a trial finds is
/// no error but [`Exit::Differs`].
pub fn run(args: &CheckArgs, market: &Market) -> Result<Exit, Failure> {
    match &args.what {
        What::Causality(args) => causality::run(args, market),
        What::Warmup(args) => warmup::run(args, market),
        What::Determinism(args) => determinism::run(args, market),
        What::Faults(args) => faults::run(args, market),
    }
}

/// Sessions of warm-up where nothing says otherwise.
const WARMUP_SESSIONS: usize = 20;

impl Selection {
    /// The replay that is meant, under a profile's own rules where `change` says so.
    fn replay(
        &self,
        market: &Market,
        change: impl FnOnce(&mut Request),
    ) -> Result<Replay, Failure> {
        let (mut request, data) = match &self.data {
            Some(data) => (self.of_data(data.clone())?, data.clone()),
            None => self.of_case()?,
        };
        if let Some(sessions) = self.warmup_sessions {
            request.warmup_sessions = sessions;
        }
        change(&mut request);
        Replay::prepare(&request, market, &data).map_err(|error| prepare::failure(error, &data))
    }

    fn range(&self, from: String, to: String) -> Result<DateRange, Failure> {
        let from = self.from.clone().unwrap_or(from);
        let to = self.to.clone().unwrap_or(to);
        DateRange::parse(&from, &to).map_err(|why| Failure::new(Exit::Usage, why))
    }

    fn of_case(&self) -> Result<(Request, PathBuf), Failure> {
        let case = Case::load(&self.replays, &self.case)
            .map_err(|error| prepare::case_failure(error, &self.replays))?;
        let DateRange { first, last } = case.range;
        let range = self.range(first.to_string(), last.to_string())?;
        Ok((Request { range, ..case.request() }, case.data))
    }

    fn of_data(&self, data: PathBuf) -> Result<Request, Failure> {
        Ok(Request {
            range: self.range(String::new(), String::new())?,
            warmup_sessions: WARMUP_SESSIONS,
            keys: prepare::keys_of(&data)?,
            strategy: Default::default(),
            execution: Default::default(),
            fees: case::FEES.to_owned(),
            commands: Vec::new(),
        })
    }

    fn threads(&self) -> usize {
        let threads = self.threads.or_else(|| std::thread::available_parallelism().ok());
        threads.map_or(1, NonZeroUsize::get)
    }

    /// What was tried, in words.
    fn shown(&self) -> String {
        match &self.data {
            Some(data) => data.display().to_string(),
            None => format!("case {}", self.case),
        }
    }
}
