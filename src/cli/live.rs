//! `lockstep live`: a run that is lived and not repeated. Every event is on the disk before anybody
//! is told of it; stopped in any way, the same command goes on where it stopped.
//!
//! The only feed so far is `sim:CASE`, the history of a case as fast as it can be read.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::event::{Derived, Event, EventId, Input, Record, RunStarted};
use crate::domain::tape::{Names, write_record};
use crate::driver::case::Case;
use crate::driver::live::{LiveError, Lived, TakenUp, live};
use crate::driver::replay::{Replay, ReplayError};
use crate::driver::resume::ResumeError;
use crate::driver::run::Ended;
use crate::journal::lock::Lock;
use crate::journal::writer::{Identity, Setup, Stamp};
use crate::sinks::Sink;
use crate::sinks::summary::Summary;
use crate::sources::market::Market;

use super::exit::Exit;
use super::facts;
use super::failure::Failure;
use super::progress::Progress;
use super::terminal::{self, grouped};
use super::{clock, prepare};

/// What `lockstep live` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct LiveArgs {
    /// What the fills are: on paper, no order leaves this machine
    #[arg(long, value_name = "MODE", default_value = "paper")]
    mode: Mode,
    /// Where the market comes from: sim:CASE, the history of a case as fast as it can be read
    #[arg(long, value_name = "FEED", value_parser = feed)]
    feed: String,
    /// Directory of the cases
    #[arg(long, value_name = "DIR", default_value = "replays")]
    replays: PathBuf,
    /// Directory below which the run's journal is written
    #[arg(long, value_name = "DIR", default_value = "runs")]
    journal: PathBuf,
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

/// The case that a feed is made of.
fn feed(text: &str) -> Result<String, String> {
    match text.strip_prefix("sim:") {
        Some(case) if !case.is_empty() => Ok(case.to_owned()),
        _ => Err("must be sim:CASE, with the name of a case".to_owned()),
    }
}

/// Runs `lockstep live`.
///
/// # Errors
/// When something is missing, unknown, damaged or locked, or the journal cannot be written.
pub fn run(args: &LiveArgs, market: &Market) -> Result<Exit, Failure> {
    let Mode::Paper = args.mode;
    let case = Case::load(&args.replays, &args.feed)
        .map_err(|error| prepare::case_failure(error, &args.replays))?;
    for label in &case.symbols {
        prepare::warn_of_label(label, market, case.range.first);
    }
    let replay = Replay::prepare(&case.request(), market, &case.data)
        .map_err(|error| prepare::failure(error, &case.data))?;
    let Identity { run_id, .. } = replay.identity().map_err(prepare::broken_off)?;
    let short: String = run_id.to_string().chars().take(12).collect();
    let run_dir = args.journal.join(format!("live-{}-{short}", case.name));
    let stamp = clock::stamp();
    let _lock = Lock::take(&run_dir, &holder(stamp))?;
    let identity = Identity { run_id, salt_seed: salt_seed(stamp), created_ns: stamp.wall_ns };
    let setup = Setup::durable(&run_dir, identity, clock::stamp);

    let stop = stop_when_told()?;
    let mut summary = Summary::since(case.range.first.start());
    let mut progress = Progress::new("Live");
    let mut tape = Tape::new(args.format, Arc::clone(&stop));
    let sinks: &mut [&mut dyn Sink] = &mut [&mut summary, &mut tape, &mut progress];
    let started = clock::stopwatch();
    let lived = live(&replay, &setup, !args.genesis, &stop, sinks);
    let seconds = started.elapsed().as_secs_f64();
    progress.finish();
    let lived = lived.map_err(failure)?;
    tape.finish()?;
    if args.format == Format::Human {
        terminal::print(&human(&replay.run, &run_dir, &summary, &lived, seconds))?;
    }
    match lived.ended {
        Ended::Sealed(_) => Ok(Exit::Same),
        Ended::Interrupted { .. } => {
            terminal::say("interrupted: everything is kept, the same command goes on from here");
            Ok(Exit::Interrupted)
        }
    }
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

/// Set by Ctrl-C and by a polite kill.
fn stop_when_told() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let set = ctrlc::set_handler(move || told.store(true, Ordering::Relaxed));
    set.map_err(|error| Failure::new(Exit::Io, "failed to listen for Ctrl-C").because(error))?;
    Ok(stop)
}

/// Words for a run that broke off.
fn failure(error: LiveError) -> Failure {
    match error {
        LiveError::Broken(ReplayError::Journal(error)) => error.into(),
        LiveError::Broken(error) => prepare::broken_off(error),
        LiveError::Resume(ResumeError::Journal(error)) => error.into(),
        LiveError::Resume(ResumeError::OtherCore { next_seq, want, got }) => {
            Failure::new(Exit::Differs, "the run was begun by a core that derives other outputs")
                .because(format!("up to input {next_seq} the digest is {want}, derived is {got}"))
                .hint("`lockstep verify` names the first event that differs")
                .hint("go on with the version that began it, or begin another run")
        }
    }
}

fn human(
    run: &RunStarted,
    run_dir: &Path,
    summary: &Summary,
    lived: &Lived,
    seconds: f64,
) -> String {
    let mut all = vec![("Config", format!("PAPER · {}", facts::config(run)))];
    if let Some(TakenUp { next_seq, checkpoint_seq, report }) = &lived.taken_up {
        let core = match checkpoint_seq {
            0 => "core from the first event".to_owned(),
            seq => format!("core from the checkpoint at {}", grouped(*seq)),
        };
        let rewritten = format!("{} batches written anew", grouped(report.rewritten));
        all.push(("Taken up", format!("at input {} · {core} · {rewritten}", grouped(*next_seq))));
        if let Some(path) = &report.quarantined {
            all.push(("Torn", format!("unfinished bytes copied to {}", path.display())));
        }
    }
    all.push(("Run", format!("{} strategy bars · {seconds:.2} s", grouped(summary.strategy_bars))));
    all.extend(facts::outcome(summary));
    all.push(("Journal", run_dir.display().to_string()));
    all.push(match lived.ended {
        Ended::Sealed(sealed) => {
            let records = grouped(sealed.records);
            ("Digest", format!("all events {} · {records} events", sealed.digest.short()))
        }
        Ended::Interrupted { next_seq } => {
            ("Stopped", format!("before input {}", grouped(next_seq)))
        }
    });
    all.iter().map(|(label, fact)| terminal::fact(label, fact)).collect()
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
