//! How soon a signal is on the disk, in the CSV file and in DuckDB, at the market's own speed:
//! `cargo xtask latency`. A stand-in exchange trades as many keys as are asked for and tells them
//! over its WebSocket; the broker's client, the judge, the core, the durable journal, the fold of
//! tables, the CSV files and, in a build that has it, DuckDB (`--duckdb`) are those of `lockstep
//! live`. All keys have a signal at the same quarter hour.
//!
//! Four times are told of each signal: how long after its bar's close and the allowed lateness it
//! was on the disk, in the CSV file, and committed in DuckDB; and how long after the message that
//! closed the bar. With few keys, several runs are lived at once, a little apart, so that there are
//! more signals.

#![expect(clippy::disallowed_methods, reason = "a benchmark is about time")]

mod scene;
mod tables;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;
use lockstep::domain::event::{Derived, Event, EventId, Input, Output};
use lockstep::domain::time::{SECOND_US, Timestamp};
use lockstep::driver::listen::second::SecondOpinion;
use lockstep::driver::listen::{Network, Plan, Pulse, Unopened, Wanted};
use lockstep::driver::live::live;
use lockstep::driver::plan::DateRange;
use lockstep::driver::run::Ended;
use lockstep::exchange::faults::Faults;
use lockstep::exchange::market::Market;
use lockstep::exchange::pace::Speed;
use lockstep::exchange::server::{Options, Play, Serving, serve};
use lockstep::journal::reader::Reader;
use lockstep::journal::writer::{Identity, Setup, Stamp};
use lockstep::sinks::Sink;
use lockstep::sinks::csv::CsvFiles;
use lockstep::sinks::duckdb::IS_BUILT;
use lockstep::sinks::tables::TableId;
use lockstep::sources::feed::Settings;
use lockstep::sources::feed::clock::Pace;
use lockstep::sources::store::Store;
use lockstep::sources::upstox::endpoint::{Endpoints, Roots};
use lockstep::sources::upstox::socket::{self, EVENTS};
use lockstep::sources::upstox::token::{Token, TokenSource};

use scene::{DAY, Scene, at, date};
use tables::{Tables, committed_us};

/// How much later than its time a trade may be heard.
const LATENESS_MS: u32 = 2_000;
/// How long after close and lateness a signal may come.
const LATE_MS: f64 = 1_000.0;
/// How DuckDB is measured too.
const WITH_DUCKDB: &str = "`cargo xtask latency --duckdb` builds it in (C++, 20 minutes)";
/// How much before the open the market is entered, and how far runs are apart, in microseconds.
const LEAD_US: i64 = 10 * SECOND_US;
const APART_US: i64 = 137_000;
/// Runs that are lived at once to have about so many keys, and the most of them.
const KEYS_AT_ONCE: usize = 40;
const RUNS_MAX: usize = 20;

/// How soon a signal is on the disk, in the CSV file and in DuckDB, at the market's own speed.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask latency", bin_name = "cargo xtask latency")]
struct Args {
    /// How many keys are subscribed; one round of three and a half minutes for each.
    #[arg(long, value_delimiter = ',', default_value = "2,200,2000")]
    keys: Vec<usize>,
    /// DuckDB too; `cargo xtask` builds it in for this.
    #[arg(long)]
    duckdb: bool,
    /// Cargo says so; nothing depends on it.
    #[arg(long, hide = true)]
    bench: bool,
}

/// When one signal was where, by the market's time.
#[derive(Debug)]
struct Stages {
    /// Its bar's close.
    close: Timestamp,
    /// On the disk, and this machine's steady clock then.
    kept: Timestamp,
    kept_us: i64,
    /// In the CSV file.
    filed: Timestamp,
    /// Committed in DuckDB, where that is built in.
    tabled: Option<Timestamp>,
}

/// What was seen of one run.
#[derive(Debug, Default)]
struct Seen {
    signals: BTreeMap<EventId, Stages>,
    /// By input: this machine's time when it was known to be on the disk.
    kept_ns: BTreeMap<u64, i64>,
    /// Signals that are not in the file yet.
    unfiled: Vec<EventId>,
    /// Rows of signals in the CSV file, and in DuckDB where that is built in.
    rows: usize,
    table_rows: Option<usize>,
    messages: u64,
    /// From receiving the message that closed the bar, and from receiving a tick, to the disk.
    to_signal_ms: Vec<f64>,
    to_disk_ms: Vec<f64>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = Args::parse();
    if args.duckdb && !IS_BUILT {
        return Err(format!("this build has no DuckDB: {WITH_DUCKDB}").into());
    }
    println!(
        "at 1x, closed {LATENESS_MS} ms after the close; ms after that until a signal is on the \
         disk, in the CSV file and in DuckDB, and ms from a message to the signal and from a tick \
         to the disk"
    );
    println!(
        "{:>6} {:>5} {:>9} {:>8}  {:>21}  {:>21}  {:>21}  {:>16}  {:>16}",
        "keys",
        "runs",
        "messages",
        "signals",
        "disk p50/p99/max",
        "CSV p50/p99/max",
        "DuckDB p50/p99/max",
        "signal p50/p99",
        "tick p50/p99"
    );
    let mut is_sound = true;
    let mut ratios = Vec::new();
    for keys in args.keys {
        let (row, is_in_time) = round(keys)?;
        is_sound &= is_in_time;
        ratios.push((keys, row));
    }
    if let Some(((few, least), more)) = ratios.split_first() {
        for (keys, p99) in more {
            println!("{keys} keys: a signal's p99 is {:.1} times that of {few}", p99 / least);
        }
    }
    if !IS_BUILT {
        println!("DuckDB was not measured, this build has none: {WITH_DUCKDB}");
    }
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One line of the table: the p99 from message to signal, and whether all signals were in time.
fn round(keys: usize) -> Result<(f64, bool), Box<dyn Error>> {
    let scene = Arc::new(Scene::new(keys)?);
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("latency").join(keys.to_string());
    let _ = std::fs::remove_dir_all(&dir);
    scene.store(&dir.join("history"))?;
    let runs = (KEYS_AT_ONCE / keys.max(1)).clamp(1, RUNS_MAX);
    let lived: Vec<Result<Seen, String>> = thread::scope(|scope| {
        let one = |number: usize| {
            let (scene, dir) = (Arc::clone(&scene), dir.clone());
            scope.spawn(move || one_run(&scene, &dir, number).map_err(|error| error.to_string()))
        };
        let threads: Vec<_> = (0..runs).map(one).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Result<Seen, String>>| {
            thread.join().unwrap_or_else(|_| Err("a run panicked".to_owned()))
        };
        threads.into_iter().map(join).collect()
    });
    let seen: Vec<Seen> = lived.into_iter().collect::<Result<_, _>>()?;
    let _ = std::fs::remove_dir_all(&dir);
    table(keys, scene.signals * runs, &seen)
}

fn table(keys: usize, wanted: usize, seen: &[Seen]) -> Result<(f64, bool), Box<dyn Error>> {
    let signals = || seen.iter().flat_map(|seen| seen.signals.values());
    let after =
        |it: &Stages, to: Timestamp| (to.0 - it.close.0) as f64 / 1_000.0 - f64::from(LATENESS_MS);
    let disk = sorted(signals().map(|it| after(it, it.kept)));
    let file = sorted(signals().map(|it| after(it, it.filed)));
    let duck = sorted(signals().filter_map(|it| it.tabled.map(|tabled| after(it, tabled))));
    let signal = sorted(seen.iter().flat_map(|it| it.to_signal_ms.iter().copied()));
    let tick = sorted(seen.iter().flat_map(|it| it.to_disk_ms.iter().copied()));
    let rows: usize = seen.iter().map(|seen| seen.rows).sum();
    if disk.len() != wanted || rows != wanted || tick.is_empty() {
        let why = format!("{wanted} signals were due, {} came, {rows} are in the file", disk.len());
        return Err(why.into());
    }
    let table_rows: Option<usize> = seen.iter().map(|seen| seen.table_rows).sum();
    if IS_BUILT && (table_rows != Some(wanted) || duck.len() != wanted) {
        let (rows, told) = (table_rows.unwrap_or(0), duck.len());
        let why = format!("{wanted} signals were due, {rows} are in DuckDB, {told} were told");
        return Err(why.into());
    }
    let three = |times: &[f64]| match times {
        [] => "not measured".to_owned(),
        _ => format!("{:.1} / {:.1} / {:.1}", part(times, 50), part(times, 99), part(times, 100)),
    };
    let two = |times: &[f64]| format!("{:.2} / {:.2}", part(times, 50), part(times, 99));
    println!(
        "{keys:>6} {:>5} {:>9} {:>8}  {:>21}  {:>21}  {:>21}  {:>16}  {:>16}",
        seen.len(),
        seen.iter().map(|seen| seen.messages).sum::<u64>(),
        disk.len(),
        three(&disk),
        three(&file),
        three(&duck),
        two(&signal),
        two(&tick)
    );
    let places: [(&str, &[f64]); 3] =
        [("the journal", &disk), ("the CSV file", &file), ("DuckDB", &duck)];
    Ok((part(&signal, 99), are_in_time(&places)))
}

fn sorted(times: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    times
}

/// The value that so many percent of the sorted times do not exceed.
fn part(times: &[f64], percent: usize) -> f64 {
    times.get((times.len().saturating_sub(1)) * percent / 100).copied().unwrap_or(f64::NAN)
}

/// Says how many signals were later than they may be. Whether none was.
fn are_in_time(places: &[(&str, &[f64])]) -> bool {
    let late = |times: &[f64]| times.iter().filter(|ms| **ms > LATE_MS).count();
    for (place, times) in places.iter().filter(|(_, times)| late(times) > 0) {
        println!("       {} signals came later than {LATE_MS} ms into {place}", late(times));
    }
    places.iter().all(|(_, times)| late(times) == 0)
}

/// Lives the scene once.
fn one_run(scene: &Scene, dir: &Path, number: usize) -> Result<Seen, Box<dyn Error>> {
    let run_dir = dir.join(format!("run-{number}"));
    let identity = Identity::of_replay(&scene.run)?;
    let setup = Setup::durable(&run_dir, identity, Stamp::default);
    let (serving, pulse) = (Rc::new(RefCell::new(None)), Rc::new(Pulse::default()));
    let seen = Rc::new(RefCell::new(Seen::default()));
    let say = |text: &str| panic!("the CSV files: {text}");
    let mut csv = CsvFiles::new(&run_dir, &format!("run-{number}"), Box::new(say));
    let rows = csv.path(TableId::Signals, date(DAY));
    let mut tables = Tables::start(&run_dir, &identity.run_id.to_string(), steady_us)?;
    let mut kept = Kept { seen: Rc::clone(&seen), serving: Rc::clone(&serving) };
    let mut filed = Filed { seen: Rc::clone(&seen), serving: Rc::clone(&serving) };
    let stop = AtomicBool::new(false);
    let unopened = Unopened::new(Plan {
        run: &scene.run,
        settings: settings(),
        warmup: Some((Store::open(dir.join("history"))?, before())),
        commands: Vec::new(),
        wishes: Box::new(Wanted::default),
        run_dir: &run_dir,
        wall,
        steady_us,
        stop: &stop,
        second: Rc::new(RefCell::new(SecondOpinion::default())),
        pulse: Rc::clone(&pulse),
        connect: Box::new(|_| {
            let (network, opened) = network(scene, number).map_err(|error| error.to_string())?;
            *serving.borrow_mut() = Some(opened);
            Ok(network)
        }),
    });
    let mut sinks: Vec<&mut dyn Sink> = vec![&mut kept, &mut csv, &mut filed];
    sinks.extend(tables.sink());
    let lived = live(&scene.run, &setup, true, unopened, &mut sinks)?;
    if !matches!(lived.ended, Ended::Sealed(_)) {
        return Err(pulse.stopped.take().unwrap_or("the run was stopped".to_owned()).into());
    }
    let health = pulse.health.get();
    if health.gaps > 0 || health.late > 0 {
        return Err(format!("the day was not whole: {health:?}").into());
    }
    drop((kept, filed));
    csv.finish();
    let mut seen = Rc::into_inner(seen).expect("nobody looks on any more").into_inner();
    seen.messages = health.frames;
    seen.rows = std::fs::read_to_string(rows)?.lines().count() - 1;
    if let Some(tables) = tables.finish()? {
        seen.table_rows = Some(tables.signals);
        for (id, it) in &mut seen.signals {
            let at_us = committed_us(&tables.commits, *id);
            it.tabled = at_us.map(|at_us| it.kept.plus_us(at_us - it.kept_us));
        }
    }
    seen.compare(&run_dir)?;
    Ok(seen)
}

fn settings() -> Settings {
    Settings {
        pace: Pace::Times(1),
        lateness_ms: LATENESS_MS,
        silence_ms: 90_000,
        has_own_time: true,
        tells_each_trade: true,
        archive_delay_ms: 0,
        seed: 1,
    }
}

fn before() -> DateRange {
    DateRange { first: date(scene::BEFORE), last: date(scene::BEFORE) }
}

/// An exchange that opens ten seconds before its session, and the way to it.
fn network(scene: &Scene, number: usize) -> Result<(Network, Serving), Box<dyn Error>> {
    let lanes = scene.run.instruments.iter().cloned().zip(scene.bars.iter().cloned());
    let market = Market::new(lanes.collect(), scene.run.sessions.clone(), date(DAY))?;
    let serving = serve(Options {
        play: Play::Market(Arc::new(market)),
        port: 0,
        speed: Speed::Times(1),
        from: Some(at(9, 28).plus_us(-LEAD_US - APART_US * number as i64)),
        faults: Faults::default(),
        seed: 1,
        token: None,
        clock: steady_us,
        log: Box::new(|_| {}),
    })?;
    let endpoints =
        Endpoints { rest_base: serving.url(), roots: Roots::WebPki, allow_plain_loopback: true };
    let tokens = TokenSource::StandIn(Token::of_stand_in(&serving.token));
    let (sender, events) = sync_channel(EVENTS);
    let handle = socket::spawn(endpoints, tokens, wall_ns, sender, socket::Pace::BROKER)?;
    Ok((Network { handle, events, keeper: None }, serving))
}

fn wall_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(since.as_nanos()).expect("it is before 2262")
}

fn wall() -> Timestamp {
    Timestamp(wall_ns() / 1_000)
}

/// Since the first look at it.
fn steady_us() -> i64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_micros() as i64
}

/// Which time it is on the market, once it is open.
type Opened = Rc<RefCell<Option<Serving>>>;

fn market_time(serving: &Opened) -> Timestamp {
    serving.borrow().as_ref().map_or(Timestamp::MIN, Serving::market_time)
}

/// Looks at what is on the disk.
struct Kept {
    seen: Rc<RefCell<Seen>>,
    serving: Opened,
}

impl Sink for Kept {
    fn input(&mut self, seq: u64, input: &Input) {
        if let Input::Tick(_) = input {
            self.seen.borrow_mut().kept_ns.insert(seq, wall_ns());
        }
    }

    fn output(&mut self, id: EventId, derived: &Derived) {
        if let Output::Signal(signal) = &derived.output
            && signal.time >= at(9, 28)
        {
            let (mut seen, now) = (self.seen.borrow_mut(), market_time(&self.serving));
            seen.kept_ns.entry(id.seq).or_insert_with(wall_ns);
            let (close, kept_us) = (signal.time, steady_us());
            let (filed, tabled) = (Timestamp::MAX, None);
            seen.signals.insert(id, Stages { close, kept: now, kept_us, filed, tabled });
            seen.unfiled.push(id);
        }
    }
}

/// Looks on after the CSV files have written what there was.
struct Filed {
    seen: Rc<RefCell<Seen>>,
    serving: Opened,
}

impl Sink for Filed {
    fn input(&mut self, _: u64, _: &Input) {}

    fn output(&mut self, _: EventId, _: &Derived) {}

    fn told(&mut self) {
        let mut seen = self.seen.borrow_mut();
        let Seen { signals, unfiled, .. } = &mut *seen;
        if !unfiled.is_empty() {
            let now = market_time(&self.serving);
            for id in unfiled.drain(..) {
                signals.entry(id).and_modify(|signal| signal.filed = now);
            }
        }
    }
}

impl Seen {
    /// The journal knows when each input was received.
    fn compare(&mut self, run_dir: &Path) -> Result<(), Box<dyn Error>> {
        let made: BTreeMap<u64, usize> =
            self.signals.keys().fold(BTreeMap::new(), |mut made, id| {
                *made.entry(id.seq).or_default() += 1;
                made
            });
        for record in Reader::open(run_dir)? {
            let record = record?;
            let (Event::Input(input), Some(kept)) =
                (&record.event, self.kept_ns.get(&record.id.seq))
            else {
                continue;
            };
            let ms = (kept - record.received_ns) as f64 / 1e6;
            match (input, made.get(&record.id.seq)) {
                (_, Some(signals)) => self.to_signal_ms.extend(vec![ms; *signals]),
                (Input::Tick(_), None) => self.to_disk_ms.push(ms),
                _ => {}
            }
        }
        Ok(())
    }
}
