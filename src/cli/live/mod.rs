//! `lockstep live`: a run that is lived and not repeated. Every event is on the disk before anybody
//! is told of it; stopped in any way, the same command goes on where it stopped.
//!
//! - `resolve` from flags to a run
//! - `network` the broker's network, or a stand-in's
//! - `wishes` what people want meanwhile
//! - `beside` scanner, tables and CSV files
//! - `health` how quickly things go, and what was repaired
//! - `acks` and `spread` how long the disk takes, and how times are spread
//! - `status` what the terminal shows meanwhile, and `report` what is said at the end
//! - `stood` whether a limit or the kill switch had the last word

mod acks;
mod beside;
mod health;
mod network;
mod report;
mod resolve;
mod spread;
mod status;
mod stood;
mod wishes;

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::event::{Derived, Event, EventId, Input, Record};
use crate::domain::tape::{Names, write_record};
use crate::driver::listen::second::{OwnMinutes, SecondOpinion};
use crate::driver::listen::{Plan, Pulse, Unopened};
use crate::driver::live::{HEALTH_FILE, LiveError, Lived, Told, live};
use crate::driver::replay::ReplayError;
use crate::driver::resume::ResumeError;
use crate::driver::run::Ended;
use crate::exchange::faults::Faults;
use crate::exchange::pace::Speed;
use crate::golden::book::Collector;
use crate::golden::compare::Comparison;
use crate::golden::store;
use crate::journal::lock::Lock;
use crate::journal::writer::{Identity, Setup, Stamp};
use crate::sinks::Sink;
use crate::sinks::summary::Summary;
use crate::sources::market::Market;

use super::broker::TokenArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::terminal;
use super::{clock, prepare};
use acks::Acks;
use beside::Beside;
use health::Watch;
use report::Report;
pub use resolve::DATA;
use resolve::Life;
use status::Status;
use stood::Stood;
pub use wishes::FOLDER as CONTROL;
use wishes::Wishes;

/// What `lockstep live` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct LiveArgs {
    /// What the fills are: on paper, no order leaves this machine
    #[arg(long, value_name = "MODE", default_value = "paper")]
    mode: Mode,
    /// Where the market comes from: upstox; sim:CASE, the history of a case over the same protocol
    /// from a stand-in exchange; history:CASE, the same without a feed
    #[arg(long, value_name = "FEED", value_parser = feed, default_value = "upstox")]
    feed: Feed,
    /// Keys of what is traded, such as 'NSE_EQ|INE155A01022'; those of the case without it
    #[arg(long, value_name = "KEY", num_args = 1..)]
    symbols: Vec<String>,
    /// Which strategies run
    #[arg(long, value_name = "ID", num_args = 1.., default_value = "pixityAI_meta")]
    strategies: Vec<String>,
    /// Rupees at the start, the base of sizes [default: 100000, or what the case says]
    #[arg(long, value_name = "RUPEES", value_parser = rupees)]
    max_capital: Option<i64>,
    /// Rupees lost that stop the day [default: 5000, or what the case says]
    #[arg(long, value_name = "RUPEES", value_parser = rupees)]
    max_daily_loss: Option<i64>,
    /// Rupees that an entry of one symbol may be worth [default: 50000, or what the case says]
    #[arg(long, value_name = "RUPEES", value_parser = rupees)]
    max_exposure: Option<i64>,
    /// Journal signals and place nothing, not even on paper
    #[arg(long)]
    observe: bool,
    /// Directory of the stored history that warms the indicators up
    #[arg(long, value_name = "DIR", default_value = resolve::DATA)]
    data: PathBuf,
    /// Sessions of history before the day; 0 to begin cold
    #[arg(long, value_name = "N", default_value_t = 20)]
    warmup_sessions: usize,
    #[command(flatten)]
    token: TokenArgs,
    /// How much later than its time a trade may come, in milliseconds; bars close so much later
    #[arg(long, value_name = "MS", default_value_t = 2_000, value_parser = lateness)]
    lateness_ms: u32,
    /// How fast a stand-in's market goes: max (as fast as it is read), 60x, 1x
    #[arg(long, value_name = "SPEED", default_value = "max", value_parser = Speed::parse)]
    speed: Speed,
    /// What goes wrong on the line of a stand-in, as for `lockstep feed serve` [default: nothing]
    #[arg(long, value_name = "FAULTS", default_value = "", hide_default_value = true)]
    #[arg(value_parser = Faults::parse)]
    faults: Faults,
    /// What the chances of faults are drawn from: the same number, the same faults
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Directory of the cases
    #[arg(long, value_name = "DIR", default_value = "replays")]
    replays: PathBuf,
    /// Directory below which the run's journal is written
    #[arg(long, value_name = "DIR", default_value = "runs")]
    journal: PathBuf,
    /// Port of the scanner at http://127.0.0.1:PORT/scanner [default: 5000 with upstox, else none]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Directory below which data/live_tests/ gets CSV files per day [default: . with upstox]
    #[arg(long, value_name = "DIR")]
    csv: Option<PathBuf>,
    /// Tables for SQL as the run goes (needs the feature duckdb; with upstox they are made without
    /// being asked for in a build that has it)
    #[arg(long)]
    duckdb: bool,
    /// Take a run up from its first event even where a checkpoint fits
    #[arg(long)]
    genesis: bool,
    /// What goes to stdout: a summary, or each event as a line of tape once it is on the disk
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

/// What the fills are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Mode {
    /// Made up by rules; no order leaves this machine.
    Paper,
}

/// What goes to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Lines for people, at the end.
    Human,
    /// Each event as a line of tape, once it is on the disk.
    Tape,
}

/// Where the market comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Feed {
    /// The broker.
    Upstox,
    /// A stand-in exchange that plays a case.
    Sim(String),
    /// A case's history itself.
    History(String),
}

impl fmt::Display for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Feed::Upstox => f.write_str("upstox"),
            Feed::Sim(case) => write!(f, "sim:{case}"),
            Feed::History(case) => write!(f, "history:{case}"),
        }
    }
}

fn feed(text: &str) -> Result<Feed, String> {
    match text.split_once(':') {
        None if text == "upstox" => Ok(Feed::Upstox),
        Some(("sim", case)) if !case.is_empty() => Ok(Feed::Sim(case.to_owned())),
        Some(("history", case)) if !case.is_empty() => Ok(Feed::History(case.to_owned())),
        _ => Err("must be upstox, sim:CASE or history:CASE, with the name of a case".to_owned()),
    }
}

fn lateness(text: &str) -> Result<u32, String> {
    let ms = text.parse().ok().filter(|ms| *ms <= 60_000);
    ms.ok_or_else(|| "must be milliseconds from 0 to 60000".to_owned())
}

/// Whole rupees of a limit. `100000.0` is how other systems write it.
fn rupees(text: &str) -> Result<i64, String> {
    let whole = text.strip_suffix(".0").unwrap_or(text);
    match whole.parse() {
        Ok(rupees @ 1..=1_000_000_000) => Ok(rupees),
        _ => Err("must be whole rupees from 1 to 1000000000".to_owned()),
    }
}

/// Runs `lockstep live`.
///
/// # Errors
/// When something is missing, unknown, damaged or locked, or the journal cannot be written.
pub fn run(args: &LiveArgs, market: &Market) -> Result<Exit, Failure> {
    let Mode::Paper = args.mode;
    let life = resolve::resolve(args, market, clock::now())?;
    network::check_token(args, &life, clock::now())?;
    let golden = golden_of(&life)?;
    let identity =
        Identity::of_replay(&life.run).map_err(|error| prepare::broken_off(error.into()))?;
    let run_id = identity.run_id;
    let short: String = run_id.to_string().chars().take(12).collect();
    let run_dir = args.journal.join(format!("live-{}-{short}", life.name));
    let stamp = clock::stamp();
    let _lock = Lock::take(&run_dir, &holder(stamp))?;
    let identity = Identity { run_id, salt_seed: salt_seed(stamp), created_ns: stamp.wall_ns };
    let acks = Acks::default();
    let mut setup = Setup::durable(&run_dir, identity, clock::stamp);
    setup.disk = acks.over(setup.disk);
    network::announce(args, &life, &run_dir, clock::now());

    let stop = stop_when_told()?;
    let mut beside = Beside::open(args, &run_dir, &run_id.to_string());
    let wishes = Wishes::new(&run_dir)?;
    let pulse = Rc::new(Pulse::default());
    let mut summary = Summary::since(life.run.config.active_from);
    let mut collector = Collector::new(&life.run);
    let mut watch = Watch::new(Rc::clone(&pulse), acks, run_dir.join(HEALTH_FILE));
    let mut status = Status::new(network::is_paced(args));
    let mut stood = Stood::default();
    let mut tape = Tape::new(args.format, Arc::clone(&stop));
    let started = clock::stopwatch();
    let lived = {
        let mut sinks: Vec<&mut dyn Sink> =
            vec![&mut summary, &mut collector, &mut watch, &mut tape, &mut status, &mut stood];
        sinks.extend(beside.sinks());
        lived(args, &life, &setup, (&stop, &pulse, wishes), &mut sinks)
    };
    let seconds = started.elapsed().as_secs_f64();
    status.finish();
    let health = watch.finish();
    let lived = lived.map_err(failure)?;
    tape.finish()?;
    let beside = beside.finish();
    let is_over = matches!(lived.ended, Ended::Sealed(_));
    let comparison = golden.filter(|_| is_over).map(|golden| judge(&golden, collector, &life));
    let comparison = comparison.transpose()?;
    if args.format == Format::Human {
        let report = Report {
            life: &life,
            run_dir: &run_dir,
            summary: &summary,
            lived: &lived,
            health,
            beside,
            comparison: comparison.as_ref(),
            seconds,
        };
        terminal::print(&report.human())?;
    }
    if let Some(why) = pulse.stopped.take() {
        return Err(Failure::new(Exit::Interrupted, "the feed cannot go on")
            .because(why)
            .hint("everything is kept; the same command goes on from here"));
    }
    match lived.ended {
        Ended::Sealed(_) => Ok(verdict(comparison.as_ref(), &stood)),
        Ended::Interrupted { .. } => {
            terminal::say("interrupted: everything is kept, the same command goes on from here");
            Ok(Exit::Interrupted)
        }
    }
}

/// How a run that is over ended. Where it was held against a golden, that is the answer; else
/// whoever waits for it wants to know whether it still traded.
fn verdict(comparison: Option<&Comparison>, stood: &Stood) -> Exit {
    match (comparison.map(Comparison::is_same), stood.words()) {
        (Some(true), _) | (None, None) => Exit::Same,
        (Some(false), _) => Exit::Differs,
        (None, Some(words)) => {
            terminal::say(format!("stopped: {words}"));
            Exit::Stopped
        }
    }
}

/// What the facts are held against, if anything.
fn golden_of(life: &Life) -> Result<Option<store::Golden>, Failure> {
    let golden = life.golden.as_ref().ok().map(|dir| store::load(dir)).transpose();
    golden.map_err(|error| super::golden::failure(error, &life.name))
}

/// Holds the run's facts against the golden.
fn judge(golden: &store::Golden, run: Collector, life: &Life) -> Result<Comparison, Failure> {
    let compared = golden.judge(&run.finish(), clock::now().date());
    compared.map_err(|error| super::golden::failure(error, &life.name))
}

/// Lives it, whatever it is fed with.
fn lived(
    args: &LiveArgs,
    life: &Life,
    setup: &Setup,
    (stop, pulse, mut wishes): (&AtomicBool, &Rc<Pulse>, Wishes),
    sinks: &mut [&mut dyn Sink],
) -> Result<Lived, LiveError> {
    let from_checkpoint = !args.genesis;
    if let (Feed::History(_), Some(replay)) = (&args.feed, &life.replay) {
        return live(&life.run, setup, from_checkpoint, Told { replay, stop }, sinks);
    }
    let second = Rc::new(RefCell::new(SecondOpinion::default()));
    let plan = Plan {
        run: &life.run,
        settings: network::settings(args),
        warmup: life.warmup.clone(),
        commands: life.replay.as_ref().map(|replay| replay.commands.clone()).unwrap_or_default(),
        wishes: Box::new(move || wishes.look()),
        run_dir: &setup.run_dir,
        wall: clock::now,
        steady_us: super::feed::monotonic_us,
        stop,
        second: Rc::clone(&second),
        pulse: Rc::clone(pulse),
        connect: Box::new(|from| network::open(args, life.replay.as_ref(), from)),
    };
    let mut own = OwnMinutes(second);
    let mut all: Vec<&mut dyn Sink> = vec![&mut own];
    all.extend(sinks.iter_mut().map(|sink| &mut **sink as &mut dyn Sink));
    live(&life.run, setup, from_checkpoint, Unopened::new(plan), &mut all)
}

/// What others are told of who holds the lock.
pub fn holder(stamp: Stamp) -> String {
    let pid = std::process::id();
    let boot: String = stamp.boot_id.iter().map(|byte| format!("{byte:02x}")).collect();
    let (date, time) = (clock::now().date(), clock::now());
    let clock = format!("{:02}:{:02}", time.hour(), time.minute());
    format!("process {pid} of boot {boot}, since {date} {clock} IST")
}

/// No two writers of a run salt their segments alike, so that bytes of one never pass for
/// another's.
pub fn salt_seed(stamp: Stamp) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&stamp.wall_ns.to_le_bytes());
    hasher.update(&stamp.mono_ns.to_le_bytes());
    hasher.update(&stamp.boot_id);
    hasher.update(&std::process::id().to_le_bytes());
    u64::from_le_bytes(crate::journal::frame::array(hasher.finalize().as_bytes(), 0))
}

/// Set by Ctrl-C and by a polite kill: by the signal's handler itself and not by a thread that has
/// to come to it first, so the run's very next look finds it.
fn stop_when_told() -> Result<Arc<AtomicBool>, Failure> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(|error| {
            Failure::new(Exit::Io, "failed to listen for Ctrl-C").because(error)
        })?;
    }
    Ok(stop)
}

/// Words for a run that broke off.
fn failure(error: LiveError) -> Failure {
    match error {
        LiveError::Broken(ReplayError::Journal(error)) => error.into(),
        LiveError::Broken(error) => prepare::broken_off(error),
        LiveError::Feed(error) => Failure::new(Exit::Io, "the feed broke off")
            .because(error)
            .hint("everything is kept; the same command goes on from here"),
        LiveError::Raw(why) => Failure::new(Exit::Io, why),
        LiveError::Resume(ResumeError::Journal(error)) => error.into(),
        LiveError::Resume(ResumeError::OtherCore { next_seq, want, got }) => {
            Failure::new(Exit::Differs, "the run was begun by a core that derives other outputs")
                .because(format!("up to input {next_seq} the digest is {want}, derived is {got}"))
                .hint("`lockstep verify` names the first event that differs")
                .hint("go on with the version that began it, or begin another run")
        }
    }
}

/// Prints each event that was not told before.
struct Tape {
    format: Format,
    /// It writes line by line, so that nobody waits for the next one.
    out: io::Stdout,
    names: Names,
    /// Events before this input were told by an earlier process.
    told: u64,
    failed: Option<io::Error>,
    stop: Arc<AtomicBool>,
}

impl Tape {
    fn new(format: Format, stop: Arc<AtomicBool>) -> Tape {
        Tape { format, out: io::stdout(), names: Names::default(), told: 0, failed: None, stop }
    }

    fn line(&mut self, id: EventId, cause: u32, event: Event) {
        if self.format != Format::Tape || id.seq < self.told || self.failed.is_some() {
            return;
        }
        let record = Record { id, cause, received_ns: 0, event };
        let line = write_record(&record, &self.names);
        if let Err(error) = writeln!(self.out, "{line}") {
            self.failed = Some(error);
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    /// A reader that has gone away is no error, but the run was stopped by it.
    fn finish(&mut self) -> Result<(), Failure> {
        let flushed = self.failed.take().map_or_else(|| self.out.flush(), Err);
        match flushed {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::new(Exit::Io, "failed to write to stdout").because(error))
            }
            _ => Ok(()),
        }
    }
}

impl Sink for Tape {
    fn input(&mut self, seq: u64, input: &Input) {
        if let Input::RunStarted(run) = input {
            self.names = Names::of(run);
        }
        self.line(EventId::input(seq), 0, Event::Input(input.clone()));
    }

    fn output(&mut self, id: EventId, derived: &Derived) {
        self.line(id, derived.cause, Event::Output(derived.output.clone()));
    }

    fn resumed(&mut self, next_seq: u64) {
        self.told = next_seq;
    }
}
