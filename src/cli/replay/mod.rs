//! `lockstep replay`: history through the core, every event in a journal, the facts held against
//! golden. What was typed becomes what is meant here; [`report`] puts the result into words.

mod report;

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::progress::Progress;
use crate::cli::{clock, prepare};
use crate::domain::config::{ExecutionProfile, Profile};
use crate::domain::event::RunStarted;
use crate::driver::case::{self, Case};
use crate::driver::plan::{DateRange, Request};
use crate::driver::replay::Replay;
use crate::golden::book::{Book, Collector};
use crate::golden::compare::Comparison;
use crate::golden::store;
use crate::journal::writer::Sealed;
use crate::sinks::Sink;
use crate::sinks::summary::Summary;
use crate::sources::market::Market;

/// What `lockstep replay` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct ReplayArgs {
    /// First month or day, such as 2024-10 or 2024-10-01 [default: the case's]
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Last month or day, inclusive [default: the case's]
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
    /// The case to replay: a folder below the replays directory
    #[arg(long, value_name = "NAME", default_value = "sample")]
    case: String,
    /// Directory of the cases
    #[arg(long, value_name = "DIR", default_value = "replays")]
    replays: PathBuf,
    /// Replay this history instead of a case's; needs --from and --to
    #[arg(long, value_name = "DIR", requires = "from", requires = "to")]
    data: Option<PathBuf>,
    /// Keys of the symbols to trade [default: all]
    #[arg(long, value_name = "KEY", num_args = 1..)]
    symbols: Vec<String>,
    /// Rules that make signals: causal, or compat-live, which brings execution and fees compat
    /// [default: the case's]
    #[arg(long, value_name = "NAME", value_parser = profile)]
    profile: Option<Profile>,
    /// Rules that turn signals into fills: honest, compat, or observe, which fills nothing
    /// [default: the case's]
    #[arg(long, value_name = "NAME", value_parser = execution_profile)]
    execution: Option<ExecutionProfile>,
    /// Fee schedule: nse, plan or compat [default: the case's]
    #[arg(long, value_name = "NAME")]
    fees: Option<String>,
    /// Sessions (trading days) before the first day that warm the indicators up [default: the
    /// case's; 20 with --data]
    #[arg(long, value_name = "N")]
    warmup_sessions: Option<usize>,
    /// Directory of the golden to hold the facts against [default: golden/<CASE>]
    #[arg(long, value_name = "DIR")]
    golden: Option<PathBuf>,
    /// Directory below which the run's journal is written
    #[arg(long, value_name = "DIR", default_value = "runs")]
    journal: PathBuf,
    /// Write no journal, so nothing is left to explain, verify or serve
    #[arg(long)]
    no_journal: bool,
    /// How many differences from golden are shown: the first whole, the others one line each. All
    /// of them count, whatever is shown
    #[arg(long, value_name = "N", default_value = "5")]
    max_diffs: NonZeroUsize,
    /// Threads that decode history [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// What goes to stdout: human, json, or csv (the signals)
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

/// What goes to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Lines for people.
    Human,
    /// One JSON object.
    Json,
    /// The signals as CSV.
    Csv,
}

fn profile(word: &str) -> Result<Profile, String> {
    Profile::from_word(word).ok_or_else(|| "must be causal or compat-live".to_owned())
}

fn execution_profile(word: &str) -> Result<ExecutionProfile, String> {
    ExecutionProfile::from_word(word).ok_or_else(|| "must be honest, compat or observe".to_owned())
}

/// What is meant.
struct Meaning {
    /// The case's name, or `data` without a case.
    name: String,
    request: Request,
    data: PathBuf,
    /// The days that are reported and compared; a part of what is run.
    shown: DateRange,
    golden: GoldenChoice,
    labels: Vec<case::Symbol>,
    /// What the case itself says of its settings, such as `fees`.
    given: BTreeSet<String>,
    by_profile: ByProfile,
}

/// What nobody chose and the profile brought along, where that is not the default.
#[derive(Clone, Copy, Default)]
struct ByProfile {
    execution: bool,
    fees: bool,
}

/// Which golden the facts are held against.
enum GoldenChoice {
    At(PathBuf),
    /// None, and why.
    Skipped(String),
}

/// A replay that is done.
struct Done<'a> {
    name: &'a str,
    run: &'a RunStarted,
    by_profile: ByProfile,
    shown: DateRange,
    summary: Summary,
    sealed: Sealed,
    book: Book,
    golden: Result<(&'a Path, Comparison), &'a str>,
    run_id: String,
    run_dir: Option<PathBuf>,
    seconds: f64,
}

/// Runs `lockstep replay`.
///
/// # Errors
/// When something is missing, unknown or damaged. A difference from golden is no error but
/// [`Exit::Differs`].
pub fn run(args: &ReplayArgs, market: &Market) -> Result<Exit, Failure> {
    let meaning = resolve(args, market)?;
    for label in &meaning.labels {
        prepare::warn_of_label(label, market, meaning.shown.first);
    }
    let golden = load_golden(&meaning)?;
    let replay = Replay::prepare(&meaning.request, market, &meaning.data)
        .map_err(|error| prepare::failure(error, &meaning.data))?;
    let identity = replay.identity().map_err(prepare::broken_off)?;
    let run_id = identity.run_id.to_string();
    let target = RunDir::new(args, &meaning.name, &run_id);
    let threads = args.threads.or_else(|| std::thread::available_parallelism().ok());
    let threads = threads.map_or(1, NonZeroUsize::get);

    let mut summary = Summary::since(meaning.shown.first.start());
    let mut collector = Collector::new(&replay.run);
    let mut progress = Progress::new("Replay");
    let started = clock::stopwatch();
    let sinks: &mut [&mut dyn Sink] = &mut [&mut summary, &mut collector, &mut progress];
    let sealed = replay.run(target.building(), threads, sinks).map_err(prepare::broken_off)?;
    let seconds = started.elapsed().as_secs_f64();
    let run_dir = target.finish()?;

    let book = collector.finish();
    let book = book.between(meaning.shown.first, meaning.shown.last);
    let golden = match (&meaning.golden, golden) {
        (GoldenChoice::At(dir), Some(golden)) => Ok((dir.as_path(), judge(golden, &book, dir)?)),
        (GoldenChoice::Skipped(why), _) => Err(why.as_str()),
        (GoldenChoice::At(_), None) => Err("not loaded"),
    };
    let done = Done {
        name: &meaning.name,
        run: &replay.run,
        by_profile: meaning.by_profile,
        shown: meaning.shown,
        summary,
        sealed,
        book,
        golden,
        run_id,
        run_dir,
        seconds,
    };
    report::print(&done, args.format, args.max_diffs.get())
}

fn resolve(args: &ReplayArgs, market: &Market) -> Result<Meaning, Failure> {
    let mut meaning = match &args.data {
        Some(data) => of_data(args, data)?,
        None => of_case(args)?,
    };
    let mut changed = Vec::new();
    if !args.symbols.is_empty() {
        meaning.request.keys = args.symbols.clone();
        changed.push("--symbols");
    }
    let own_profile = meaning.request.strategy.profile;
    choose_rules(args, &mut meaning, &mut changed);
    if let Some(sessions) = args.warmup_sessions {
        meaning.request.warmup_sessions = sessions;
        changed.push("--warmup-sessions");
    }
    let is_case = args.data.is_none();
    let profile = meaning.request.strategy.profile;
    let of_case = Path::new("golden").join(&args.case);
    meaning.golden = match &args.golden {
        Some(dir) => GoldenChoice::At(dir.clone()),
        None if !is_case => GoldenChoice::Skipped("no --golden was given".to_owned()),
        None if profile != own_profile => GoldenChoice::Skipped(format!(
            "{} is for the profile {own_profile}, and this run has {profile}",
            of_case.display()
        )),
        None if changed.is_empty() => GoldenChoice::At(of_case),
        None => GoldenChoice::Skipped(format!("{} changes the case", changed.join(", "))),
    };
    meaning.labels.retain(|label| meaning.request.keys.contains(&label.key));
    let no_session = market.calendar.between(meaning.shown.first, meaning.shown.last);
    if no_session.is_ok_and(<[_]>::is_empty) {
        let DateRange { first, last } = meaning.shown;
        return Err(Failure::new(Exit::Nothing, "nothing to replay")
            .because(format!("there is no session from {first} to {last}")));
    }
    Ok(meaning)
}

/// Profile, execution and fees: what a flag says, else what the case says, else what belongs to the
/// profile.
fn choose_rules(args: &ReplayArgs, meaning: &mut Meaning, changed: &mut Vec<&str>) {
    let Meaning { request, given, by_profile, .. } = meaning;
    if let Some(profile) = args.profile {
        request.strategy.profile = profile;
    }
    let profile = request.strategy.profile;
    if let Some(execution) = args.execution {
        request.execution.profile = execution;
        changed.push("--execution");
    } else if !given.contains("execution.profile") {
        request.execution.profile = profile.execution();
        by_profile.execution = profile.execution() != Profile::Causal.execution();
    }
    if let Some(fees) = &args.fees {
        request.fees.clone_from(fees);
        changed.push("--fees");
    } else if !given.contains("fees") {
        request.fees = case::fees_of(profile).to_owned();
        by_profile.fees = request.fees != case::FEES;
    }
}

/// A case is always run from its own first day, so that a part of it has the same facts as the
/// whole; `--from` and `--to` say which part is shown.
fn of_case(args: &ReplayArgs) -> Result<Meaning, Failure> {
    let case = Case::load(&args.replays, &args.case)
        .map_err(|error| prepare::case_failure(error, &args.replays))?;
    let whole = case.range;
    let from = args.from.clone().unwrap_or_else(|| whole.first.to_string());
    let to = args.to.clone().unwrap_or_else(|| whole.last.to_string());
    let shown = DateRange::parse(&from, &to).map_err(|why| Failure::new(Exit::Usage, why))?;
    if shown.first < whole.first || shown.last > whole.last {
        let DateRange { first, last } = shown;
        return Err(Failure::new(Exit::Usage, format!("case '{}' does not cover that", case.name))
            .because(format!("asked for {first} to {last}"))
            .because(format!("the case covers {} to {}", whole.first, whole.last))
            .hint("give days within the case, or `--data DIR` with a history of your own"));
    }
    let mut request = case.request();
    request.range = DateRange { first: whole.first, last: shown.last };
    Ok(Meaning {
        name: case.name,
        request,
        data: case.data,
        shown,
        golden: GoldenChoice::Skipped(String::new()),
        labels: case.symbols,
        given: case.given,
        by_profile: ByProfile::default(),
    })
}

/// Sessions that warm up where nothing else is said: well over the 50 bars before the first signal.
const WARMUP_SESSIONS: usize = 20;

fn of_data(args: &ReplayArgs, data: &Path) -> Result<Meaning, Failure> {
    let end = |flag: &Option<String>| flag.clone().unwrap_or_default();
    let shown = DateRange::parse(&end(&args.from), &end(&args.to))
        .map_err(|why| Failure::new(Exit::Usage, why))?;
    let keys = match args.symbols.is_empty() {
        false => args.symbols.clone(),
        true => prepare::keys_of(data)?,
    };
    let request = Request {
        range: shown,
        warmup_sessions: WARMUP_SESSIONS,
        keys,
        strategy: Default::default(),
        execution: Default::default(),
        fees: case::FEES.to_owned(),
        commands: Vec::new(),
    };
    Ok(Meaning {
        name: "data".to_owned(),
        request,
        data: data.to_path_buf(),
        shown,
        golden: GoldenChoice::Skipped(String::new()),
        labels: Vec::new(),
        given: BTreeSet::new(),
        by_profile: ByProfile::default(),
    })
}

/// Reads the golden before anything runs, so that a missing one is said at once.
fn load_golden(meaning: &Meaning) -> Result<Option<store::Golden>, Failure> {
    let GoldenChoice::At(dir) = &meaning.golden else {
        return Ok(None);
    };
    let golden = store::load(dir).map_err(|error| super::golden::failure(error, &meaning.name))?;
    let DateRange { first, last } = meaning.shown;
    Ok(Some(store::Golden { book: golden.book.between(first, last), ..golden }))
}

fn judge(golden: store::Golden, book: &Book, dir: &Path) -> Result<Comparison, Failure> {
    let name = dir.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let compared = golden.judge(book, clock::now().date());
    compared.map_err(|error| super::golden::failure(error, &name))
}

/// The run's folder. It is built under another name and gets its own once the journal is sealed.
struct RunDir {
    building: PathBuf,
    finished: PathBuf,
    is_wanted: bool,
    /// The folders above it that were not there before, the innermost first.
    new_parents: Vec<PathBuf>,
}

impl RunDir {
    fn new(args: &ReplayArgs, name: &str, run_id: &str) -> RunDir {
        let name = format!("{name}-{}", run_id.chars().take(12).collect::<String>());
        RunDir {
            building: args.journal.join(format!(".{name}.{}", std::process::id())),
            finished: args.journal.join(name),
            is_wanted: !args.no_journal,
            new_parents: args
                .journal
                .ancestors()
                .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
                .map(Path::to_path_buf)
                .collect(),
        }
    }

    fn building(&self) -> Option<&Path> {
        self.is_wanted.then_some(self.building.as_path())
    }

    /// Gives the folder its name. An earlier run of that name was the same run.
    fn finish(mut self) -> Result<Option<PathBuf>, Failure> {
        if !self.is_wanted {
            return Ok(None);
        }
        let failed = |error: std::io::Error| {
            Failure::new(Exit::Io, "failed to put the run into its folder")
                .at(self.finished.display())
                .because(error)
        };
        if self.finished.exists() {
            fs::remove_dir_all(&self.finished).map_err(failed)?;
        }
        fs::rename(&self.building, &self.finished).map_err(failed)?;
        self.is_wanted = false;
        Ok(Some(std::mem::take(&mut self.finished)))
    }
}

/// What was not finished is not left lying around.
impl Drop for RunDir {
    fn drop(&mut self) {
        if self.is_wanted {
            // Nothing can be done about a failure here, and the name says that it is unfinished.
            let _ = fs::remove_dir_all(&self.building);
            for parent in &self.new_parents {
                // Only an empty folder can be removed: what another run put there stays.
                let _ = fs::remove_dir(parent);
            }
        }
    }
}
