//! `lockstep golden import`: the signals of somebody's own program, under any names of columns,
//! placed on a history; and what is odd about them.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::prepare;
use crate::cli::terminal::fact;
use crate::domain::fact::SignalKind;
use crate::driver::align::ground::Ground;
use crate::driver::align::place::{PlaceError, Placed, place};
use crate::driver::case::{self, Case};
use crate::driver::plan::{DateRange, Request};
use crate::driver::replay::Replay;
use crate::golden::align::Given;
use crate::golden::table::TableKind;
use crate::sources::import::signals::{self, ROLES, SignalFile};
use crate::sources::import::{ImportError, Label, NaiveClock};
use crate::sources::market::Market;

/// Sessions that warm a history of one's own up.
const WARMUP_SESSIONS: usize = 20;

/// A file of signals, and the history that it is about.
#[derive(Clone, Debug, clap::Args)]
pub struct FileArgs {
    /// CSV or Parquet file with the signals
    file: PathBuf,
    /// The case whose history the signals are about
    #[arg(long, value_name = "CASE", default_value = "sample")]
    case: String,
    /// The signals are about this history instead of a case's
    #[arg(long, value_name = "DIR", conflicts_with = "case", requires = "from", requires = "to")]
    data: Option<PathBuf>,
    /// First month or day with --data, such as 2024-10
    #[arg(long, value_name = "DATE", requires = "data")]
    from: Option<String>,
    /// Last month or day with --data, inclusive
    #[arg(long, value_name = "DATE", requires = "data")]
    to: Option<String>,
    /// Columns that do not have a usual name, such as symbol=SCRIP,time=WHEN; the roles are symbol,
    /// time, side, type, price, quantity, stop and target
    #[arg(long, value_name = "ROLE=COLUMN", value_delimiter = ',', value_parser = role_and_column)]
    map: Vec<(String, String)>,
    /// Which end of its bar a time names [default: found out from the bars' closes]
    #[arg(long, value_name = "END")]
    time: Option<TimeChoice>,
    /// What times without an offset mean
    #[arg(long, value_name = "ZONE", default_value = "ist", ignore_case = true)]
    zone: Zone,
}

/// Which end of its bar a time names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum TimeChoice {
    /// 09:30 is the bar from 09:30 to 09:45.
    Start,
    /// 09:45 is the bar from 09:30 to 09:45.
    End,
}

/// What times without an offset mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Zone {
    /// Indian time.
    Ist,
    /// Universal time.
    Utc,
}

/// Arguments of `lockstep golden import`.
#[derive(Clone, Debug, clap::Args)]
pub struct ImportArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Name of what is written [default: the file's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Directory into which the signals are written under our names of columns
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn role_and_column(text: &str) -> Result<(String, String), String> {
    let roles = ROLES.map(|(role, ..)| role);
    match text.split_once('=') {
        Some((role, column)) if roles.contains(&role) && !column.is_empty() => {
            Ok((role.to_owned(), column.to_owned()))
        }
        _ => Err(format!("must be ROLE=COLUMN, where ROLE is one of {}", roles.join(", "))),
    }
}

/// A golden on its ground.
pub struct Imported {
    /// The history that the signals are about.
    pub replay: Replay,
    /// What they are held against, and its rules.
    pub ground: Ground,
    /// The signals.
    pub placed: Placed,
    file: SignalFile,
    path: PathBuf,
}

/// Reads and places the signals.
///
/// # Errors
/// When the file, its columns, its rows or its symbols are not what they must be, or there is no
/// such history.
pub fn import(args: &FileArgs, replays: &Path, market: &Market) -> Result<Imported, Failure> {
    refuse_own(&args.file)?;
    let naive = match args.zone {
        Zone::Ist => NaiveClock::India,
        Zone::Utc => NaiveClock::Utc,
    };
    let file = signals::read(&args.file, &args.map, naive).map_err(import_failure)?;
    let (request, data, mut notes) = match &args.data {
        Some(data) => (of_data(args, data)?, data.clone(), Vec::new()),
        None => of_case(args, replays, market)?,
    };
    let replay =
        Replay::prepare(&request, market, &data).map_err(|error| prepare::failure(error, &data))?;
    let columns = replay.columns().map_err(prepare::broken_off)?;
    let ground = Ground::of_minutes(&replay.run, &columns, &replay.commands);
    let label = args.time.map(|time| match time {
        TimeChoice::Start => Label::Start,
        TimeChoice::End => Label::End,
    });
    let mut placed = place(&file.rows, &ground, &market.instruments, label)
        .map_err(|error| place_failure(&error, &args.file))?;
    notes.append(&mut placed.notes);
    placed.notes = notes;
    Ok(Imported { replay, ground, placed, file, path: args.file.clone() })
}

/// A file that this program wrote itself would be compared with what made it.
fn refuse_own(path: &Path) -> Result<(), Failure> {
    let missing = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => {
            Failure::new(Exit::Usage, "there is no such file").at(path.display())
        }
        _ => Failure::new(Exit::Io, "failed to read a file").at(path.display()).because(error),
    };
    let mut first = Vec::new();
    let file = fs::File::open(path).map_err(missing)?;
    BufReader::new(file).read_until(b'\n', &mut first).map_err(missing)?;
    let first = String::from_utf8_lossy(&first);
    let is_own = |name: &str| TableKind::Signals.column(name.trim()).is_some();
    if first.contains(",known,") && first.split(',').all(is_own) {
        return Err(Failure::new(Exit::Usage, "this is a golden or a run of lockstep itself")
            .at(path.display())
            .because("held against what made it, it agrees and proves nothing")
            .hint("`lockstep golden review` and `lockstep diff` compare runs of lockstep"));
    }
    Ok(())
}

fn of_case(
    args: &FileArgs,
    replays: &Path,
    market: &Market,
) -> Result<(Request, PathBuf, Vec<String>), Failure> {
    let case =
        Case::load(replays, &args.case).map_err(|error| prepare::case_failure(error, replays))?;
    let warnings = case.symbols.iter();
    let warnings =
        warnings.filter_map(|symbol| prepare::label_warning(symbol, market, case.range.first));
    let first_line =
        |text: String| text.lines().next().unwrap_or_default().replace("warning: ", "");
    let notes = warnings.map(first_line).collect();
    Ok((case.request(), case.data.clone(), notes))
}

fn of_data(args: &FileArgs, data: &Path) -> Result<Request, Failure> {
    let end = |flag: &Option<String>| flag.clone().unwrap_or_default();
    let range = DateRange::parse(&end(&args.from), &end(&args.to))
        .map_err(|why| Failure::new(Exit::Usage, why))?;
    Ok(Request {
        range,
        warmup_sessions: WARMUP_SESSIONS,
        keys: prepare::keys_of(data)?,
        strategy: Default::default(),
        execution: Default::default(),
        fees: case::FEES.to_owned(),
        commands: Vec::new(),
    })
}

/// Runs `lockstep golden import`.
///
/// # Errors
/// See [`import`], or when nothing can be written.
pub fn execute(args: &ImportArgs, replays: &Path) -> Result<(String, Exit), Failure> {
    let imported = import(&args.file, replays, &prepare::market()?)?;
    let mut text = imported.facts();
    if let Some(out) = &args.out {
        let stem = args.file.file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let name = args.name.clone().or(stem).unwrap_or_else(|| "golden".to_owned());
        if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
            return Err(Failure::new(Exit::Usage, format!("'{name}' is no name for a golden")));
        }
        let path = out.join(format!("{name}.csv"));
        let io = |error: std::io::Error| {
            Failure::new(Exit::Io, "failed to write").at(path.display()).because(error)
        };
        fs::create_dir_all(out).map_err(io)?;
        fs::write(&path, imported.to_csv()).map_err(io)?;
        text.push_str(&fact("Wrote", &path.display().to_string()));
    }
    Ok((text, Exit::Same))
}

impl Imported {
    /// What was read, and what is odd about it: one line each.
    pub fn facts(&self) -> String {
        let Imported { placed, file, path, .. } = self;
        let label = match placed.label {
            Label::Start => "starts",
            Label::End => "ends",
        };
        let columns = ROLES.iter().zip(&file.columns);
        let columns: Vec<String> = columns
            .filter_map(|((role, ..), name)| Some(format!("{role}={}", name.as_ref()?)))
            .collect();
        let (path, signals) = (path.display(), placed.golden.len());
        let exits = file.exits;
        let golden = format!(
            "{path} · {signals} signals · {exits} exits left out · times are {label} of bars"
        );
        let mut text = fact("Golden", &golden) + &fact("Columns", &columns.join(" · "));
        for note in &placed.notes {
            text.push_str(&fact("note", note));
        }
        text
    }

    /// The signals under our names of columns, times as starts of bars.
    fn to_csv(&self) -> String {
        let mut text = "key,bar_time,side,type,price,quantity,stop,target\n".to_owned();
        for given in &self.placed.golden {
            let Given { bar_time, side, kind, price, quantity, stop, target, .. } = given;
            let key = &self.ground.run.instruments[given.instrument.index()].key;
            let kind = kind.map_or("", SignalKind::word);
            let quantity = quantity.map_or_else(String::new, |shares| shares.to_string());
            let [price, stop, target] = [price, stop, target]
                .map(|level| level.map_or_else(String::new, |level| level.to_string()));
            writeln!(text, "{key},{bar_time},{side},{kind},{price},{quantity},{stop},{target}")
                .expect("to a String");
        }
        text
    }
}

/// A refused file in words.
fn import_failure(error: ImportError) -> Failure {
    match error {
        ImportError::Column { path, role, names, found, .. } => {
            Failure::new(Exit::Usage, format!("no column is the {role}"))
                .at(path.display())
                .because(format!("wanted one of {}", names.join(", ")))
                .because(format!("the file has {}", found.join(", ")))
                .hint(format!("name the column with --map {role}=COLUMN"))
        }
        ImportError::BadRows { first, total } => {
            let failure = Failure::new(Exit::Damaged, format!("rows that are no signals: {total}"));
            first.iter().fold(failure, Failure::because)
        }
        ImportError::Empty { files, .. } => {
            let failure = Failure::new(Exit::Nothing, "the file holds no signal")
                .because("agreement about nothing proves nothing");
            files.iter().fold(failure, |failure, path| failure.at(path.display()))
        }
        ImportError::Unreadable { .. } => {
            Failure::new(Exit::Damaged, "the file is neither sound CSV nor sound Parquet")
                .because(error)
        }
        other => Failure::new(Exit::Usage, "the file cannot be read").because(other),
    }
}

/// Rows that have no place, in words.
fn place_failure(error: &PlaceError, path: &Path) -> Failure {
    let (exit, hint) = match error {
        PlaceError::UnknownSymbol { .. } => {
            (Exit::Usage, "`lockstep config market` lists the keys and their symbols by day")
        }
        PlaceError::Label { .. } => (Exit::Usage, "say which with --time start or --time end"),
        PlaceError::Nothing => {
            (Exit::Nothing, "choose the case or the days that the file is about")
        }
    };
    Failure::new(exit, error.to_string()).at(path.display()).hint(hint)
}
