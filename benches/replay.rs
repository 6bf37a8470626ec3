//! How fast a replay is, as ratios within one run: decoding alone is the floor under everybody, so
//! each further stage is shown as a share of it. Absolute figures change from machine to machine
//! and from minute to minute.
//!
//! The floor is Parquet's own reader of record batches over the same files, as it comes: batches of
//! 1,024 rows, which fit into memory that is at hand. It knows nothing of a replay, so it stays
//! where it is when that decodes in another way. How a replay decodes, checks of every bar
//! included, is a stage of its own.
//!
//! ```text
//! cargo xtask bench                   all sets, then what was aimed at beside what was measured
//! cargo xtask bench --small           without L, the set of 200 symbols
//! cargo xtask bench --only M core     one stage of one set again and again, for a profiler;
//!                                     on two threads with a 2 behind it
//! cargo xtask bench --keep DIR        the made-up history stays in DIR for the next time
//! ```

#![expect(clippy::disallowed_methods, reason = "a bench is about time")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use arrow::record_batch::RecordBatch;
use comfy_table::{CellAlignment, Table, presets};
use lockstep::core::Core;
use lockstep::crew::Crew;
use lockstep::domain::config::{ExecutionConfig, StrategyConfig};
use lockstep::domain::event::{Input, Output};
use lockstep::domain::instrument::Instrument;
use lockstep::domain::money::Price;
use lockstep::driver::Source as _;
use lockstep::driver::history::History;
use lockstep::driver::plan::{DateRange, Request};
use lockstep::driver::replay::Replay;
use lockstep::driver::verify::{Verdict, verify};
use lockstep::journal::reader::Reader;
use lockstep::sources::columns::BarColumns;
use lockstep::sources::market::Market;
use lockstep::sources::store::{Decoded, Store, write_month};
use lockstep::sources::synthetic::{Knobs, Subject, generate};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rayon::prelude::*;

/// Counts allocations, so that "none per bar" is a figure and not a hope. Only while somebody wants
/// to know: two threads that count together wait for each other.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static COUNTS: AtomicBool = AtomicBool::new(false);

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTS.load(Ordering::Relaxed) {
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: as promised by our caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as promised by our caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A set of made-up history.
struct Set {
    name: &'static str,
    symbols: usize,
    from: &'static str,
    to: &'static str,
}

const SETS: [Set; 3] = [
    Set { name: "S", symbols: 2, from: "2024-10", to: "2024-12" },
    Set { name: "M", symbols: 2, from: "2024-10", to: "2025-12" },
    Set { name: "L", symbols: 200, from: "2025-01", to: "2025-12" },
];

/// A set on disk, and the replay over it.
struct Ground {
    market: Market,
    request: Request,
    data: PathBuf,
}

/// One stage of a replay, and how long it took at best.
struct Stage {
    name: &'static str,
    threads: usize,
    seconds: f64,
}

/// Stages in the order in which they are shown. The journal that is read is the one written last.
const STAGES: [(&str, usize); 12] = [
    ("floor", 1),
    ("decode", 1),
    ("order", 1),
    ("core", 1),
    ("journal", 1),
    ("floor", 2),
    ("decode", 2),
    ("order", 2),
    ("core", 2),
    ("journal", 2),
    ("read", 1),
    ("verify", 1),
];

/// What is shown for the name of a stage.
fn title(name: &str) -> &'static str {
    match name {
        "floor" => "floor: Parquet's own reader",
        "decode" => "decode + check",
        "order" => "decode + check + order",
        "core" => "replay: the same + core + digest",
        "journal" => "replay: the same + journal",
        "read" => "read the journal back",
        _ => "verify the journal",
    }
}

/// What came out for one set.
struct Measured {
    set: &'static Set,
    bars: u64,
    stages: Vec<Stage>,
    /// The core alone.
    core: CoreAlone,
    /// The peak of a replay with its journal on two threads.
    megabytes: f64,
}

/// The core over inputs that are in memory already.
struct CoreAlone {
    /// Nanoseconds per bar.
    nanos: f64,
    /// Allocations per bar.
    allocations: f64,
    /// Steps after the first five sessions that made no signal and allocated all the same.
    steps_allocating: u64,
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let after = |flag: &str, by: usize| {
        let place = args.iter().position(|arg| arg == flag)?;
        Some(args.get(place + by).unwrap_or_else(|| panic!("{flag} wants {by} more words")))
    };
    if let (Some(name), Some(data)) = (after("--memory-of", 1), after("--memory-of", 2)) {
        return memory_child(name, Path::new(data));
    }
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let kept = after("--keep", 1).map(PathBuf::from);
    let data = kept.unwrap_or_else(|| scratch.path().to_path_buf());
    let run_dir = scratch.path().join("run");
    if let (Some(name), Some(stage)) = (after("--only", 1), after("--only", 2)) {
        let set = set_named(name);
        // Not the last word: cargo adds one of its own.
        let is_on_two = args.windows(4).any(|words| words[0] == "--only" && words[3] == "2");
        let threads = if is_on_two { 2 } else { 1 };
        return only(stage, threads, &Ground::make(set, &data.join(set.name)), &run_dir);
    }
    let is_small = args.iter().any(|arg| arg == "--small");
    let mut measured = Vec::new();
    for set in SETS.iter().filter(|set| set.name != "L" || !is_small) {
        let ground = Ground::make(set, &data.join(set.name));
        measured.push(measure(set, &ground, &run_dir));
        print(measured.last().expect("one was measured"));
    }
    print_aims(&measured);
}

fn set_named(name: &str) -> &'static Set {
    SETS.iter().find(|set| set.name == name).unwrap_or_else(|| panic!("no set is called {name}"))
}

/// Runs one stage again and again.
fn only(stage: &str, threads: usize, ground: &Ground, run_dir: &Path) {
    let replay = ground.replay();
    let bars = floor(ground, &replay, 1).1 as f64;
    if ["read", "verify"].contains(&stage) {
        core(&replay, Some(run_dir), 1);
    }
    for _ in 0..(20_000_000 / bars as u64).clamp(10, 100) {
        println!("{:.0} ns/bar", run(stage, threads, ground, &replay, run_dir) * 1e9 / bars);
    }
}

impl Ground {
    fn make(set: &Set, data: &Path) -> Ground {
        let mut market = Market::embedded().expect("built-in facts");
        let model = market.instrument("NSE_EQ|INE118H01025").expect("a listed stock").clone();
        market.instruments = (0..set.symbols).map(|place| named(&model, place)).collect();
        let ground = Ground { request: request(set, &market), market, data: data.to_path_buf() };
        if !data.exists() {
            ground.fill();
        }
        ground
    }

    fn fill(&self) {
        let DateRange { first, last } = self.request.range;
        for instrument in &self.market.instruments {
            let (start, finish) = (Price(8_000_000), Price(9_000_000));
            let subject = Subject { instrument, start, finish, volatility: 0.000_8, volume: 4_200 };
            let calendar = &self.market.calendar;
            let series = generate(7, calendar, &[subject], first, last, &Knobs::default());
            let (key, bars) = series.expect("a series").remove(0);
            let month = |bar: &lockstep::domain::fact::Bar| bar.open_time.date().first_of_month();
            for bars in bars.chunk_by(|a, b| month(a) == month(b)) {
                let columns = BarColumns::from_bars(bars.iter());
                write_month(&self.data, &key, month(&bars[0]), &columns).expect("written");
            }
        }
    }

    fn replay(&self) -> Replay {
        Replay::prepare(&self.request, &self.market, &self.data).expect("everything is there")
    }

    fn history(&self, replay: &Replay, crew: Option<&Crew>) -> History {
        let store = Store::open(&self.data).expect("a store");
        History::new(&replay.run, &[], &store, replay.range, crew)
    }
}

fn named(model: &Instrument, place: usize) -> Instrument {
    Instrument { key: format!("NSE_EQ|MADEUP{place:03}"), ..model.clone() }
}

fn request(set: &Set, market: &Market) -> Request {
    Request {
        range: DateRange::parse(set.from, set.to).expect("a range"),
        warmup_sessions: 0,
        keys: market.instruments.iter().map(|instrument| instrument.key.clone()).collect(),
        strategy: StrategyConfig::default(),
        execution: ExecutionConfig::default(),
        fees: "nse".to_owned(),
        commands: Vec::new(),
    }
}

/// Runs every stage six times, those of small sets more often, in turn, and keeps the best of each,
/// since everything else on the machine only ever makes it slower. Always twice in a row: a journal
/// that is written right after something else took the system up to five times as long per page.
fn measure(set: &'static Set, ground: &Ground, run_dir: &Path) -> Measured {
    let replay = ground.replay();
    let bars = floor(ground, &replay, 1).1;
    assert_eq!(bars, decode(ground, &replay, 1).1, "both read all there is");
    let stage = |(name, threads)| Stage { name, threads, seconds: f64::INFINITY };
    let mut stages: Vec<Stage> = STAGES.into_iter().map(stage).collect();
    for _ in 0..(2_000_000 / bars).max(3) {
        for stage in &mut stages {
            for _ in 0..2 {
                let seconds = run(stage.name, stage.threads, ground, &replay, run_dir);
                stage.seconds = stage.seconds.min(seconds);
            }
        }
    }
    fs::remove_dir_all(run_dir).expect("the run's folder goes");
    let megabytes = peak_memory(set.name, &ground.data);
    Measured { set, bars, stages, core: core_alone(ground, &replay), megabytes }
}

/// Runs one stage and says how many seconds it took.
fn run(stage: &str, threads: usize, ground: &Ground, replay: &Replay, run_dir: &Path) -> f64 {
    match stage {
        "floor" => floor(ground, replay, threads).0,
        "decode" => decode(ground, replay, threads).0,
        "order" if threads == 1 => ordered(ground, replay, None),
        "order" => {
            let crew = Crew::new(threads).expect("threads");
            ordered(ground, replay, Some(&crew))
        }
        "core" => core(replay, None, threads),
        "journal" => core(replay, Some(run_dir), threads),
        "read" => read_back(run_dir),
        "verify" => verified(run_dir),
        other => panic!("no stage is called {other}"),
    }
}

/// Has Parquet's own reader decode every month. Returns seconds and bars.
fn floor(ground: &Ground, replay: &Replay, threads: usize) -> (f64, u64) {
    let DateRange { first, last } = replay.range;
    let wanted = first.first_of_month()..=last;
    each_key(ground, replay, threads, |store, key| {
        let months = store.months(key).expect("months").into_iter();
        let months = months.filter(|month| wanted.contains(month));
        months.map(|month| read_batches(&store.path(key, month))).sum()
    })
}

/// Decodes a whole file and says how many rows it has.
fn read_batches(path: &Path) -> u64 {
    let file = fs::File::open(path).expect("a month");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a footer");
    let batches = reader.build().expect("a reader");
    let rows = |batch| std::hint::black_box::<RecordBatch>(batch).num_rows() as u64;
    batches.map(|batch| rows(batch.expect("rows"))).sum()
}

/// Decodes and checks every month as a replay does. Returns seconds and bars.
fn decode(ground: &Ground, replay: &Replay, threads: usize) -> (f64, u64) {
    let DateRange { first, last } = replay.range;
    each_key(ground, replay, threads, |store, key| {
        let (mut parts, mut decoded, mut rows) =
            (store.parts(key, first, last), Decoded::default(), 0);
        while let Some(part) = parts.next_part(&mut decoded).expect("history") {
            rows += std::hint::black_box(part).len() as u64;
        }
        rows
    })
}

/// Loads what there is of each instrument, on so many threads. Returns seconds and bars.
fn each_key(
    ground: &Ground,
    replay: &Replay,
    threads: usize,
    load: impl Fn(&Store, &str) -> u64 + Sync,
) -> (f64, u64) {
    let store = Store::open(&ground.data).expect("a store");
    let keys: Vec<&str> = replay.run.instruments.iter().map(|it| it.key.as_str()).collect();
    let started = Instant::now();
    let bars = match threads {
        1 => keys.iter().map(|key| load(&store, key)).sum(),
        _ => {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let all = || keys.par_iter().map(|key| load(&store, key)).sum();
            pool.expect("threads").install(all)
        }
    };
    (started.elapsed().as_secs_f64(), bars)
}

fn ordered(ground: &Ground, replay: &Replay, crew: Option<&Crew>) -> f64 {
    let started = Instant::now();
    let mut history = ground.history(replay, crew);
    let mut inputs = Vec::new();
    loop {
        history.next(&mut inputs).expect("history");
        if std::hint::black_box(&inputs).is_empty() {
            break;
        }
    }
    started.elapsed().as_secs_f64()
}

fn core(replay: &Replay, run_dir: Option<&Path>, threads: usize) -> f64 {
    if let Some(dir) = run_dir.filter(|dir| dir.exists()) {
        fs::remove_dir_all(dir).expect("the run before goes");
    }
    let started = Instant::now();
    replay.run(run_dir, threads, &mut []).expect("a run");
    started.elapsed().as_secs_f64()
}

fn read_back(run_dir: &Path) -> f64 {
    let started = Instant::now();
    let mut reader = Reader::open(run_dir).expect("a journal");
    while let Some(record) = reader.next_record().expect("an intact journal") {
        std::hint::black_box(&record);
    }
    started.elapsed().as_secs_f64()
}

fn verified(run_dir: &Path) -> f64 {
    let started = Instant::now();
    let mut reader = Reader::open(run_dir).expect("a journal");
    let verified = verify(&mut reader, false, &mut |_| {});
    assert_eq!(verified.verdict(), Verdict::Identical, "a replay's journal proves itself");
    started.elapsed().as_secs_f64()
}

/// The core over inputs that are in memory already.
fn core_alone(ground: &Ground, replay: &Replay) -> CoreAlone {
    let mut history = ground.history(replay, None);
    let (mut inputs, mut next) = (Vec::new(), Vec::new());
    while inputs.len() < 3_000_000 {
        history.next(&mut next).expect("history");
        if next.is_empty() {
            break;
        }
        inputs.append(&mut next);
    }
    let bars = inputs.iter().filter(|input| matches!(input, Input::Bar(_))).count() as f64;
    COUNTS.store(true, Ordering::Relaxed);
    let mut core = Core::new(&replay.run);
    let mut out = Vec::with_capacity(4_096);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let started = Instant::now();
    for (seq, input) in (1..).zip(&inputs) {
        out.clear();
        core.step(seq, input, &mut out);
    }
    let seconds = started.elapsed().as_secs_f64();
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    let steps_allocating = steps_allocating(&inputs, replay);
    COUNTS.store(false, Ordering::Relaxed);
    CoreAlone {
        nanos: seconds * 1e9 / bars,
        allocations: allocations as f64 / bars,
        steps_allocating,
    }
}

/// Steps that made no signal and allocated all the same. The longest window
/// of an indicator, 100 strategy bars, is full within five sessions; until then buffers grow.
fn steps_allocating(inputs: &[Input], replay: &Replay) -> u64 {
    let mut core = Core::new(&replay.run);
    let mut out = Vec::with_capacity(4_096);
    let (mut steps, mut sessions) = (0, 0);
    for (seq, input) in (1..).zip(inputs) {
        out.clear();
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        core.step(seq, input, &mut out);
        let allocated = ALLOCATIONS.load(Ordering::Relaxed) != before;
        let has = |kind: fn(&Output) -> bool| out.iter().any(|derived| kind(&derived.output));
        steps +=
            u64::from(allocated && sessions >= 5 && !has(|it| matches!(it, Output::Signal(_))));
        sessions += u64::from(has(|it| matches!(it, Output::SessionEnded(_))));
    }
    assert!(sessions > 5, "there are sessions to look at");
    steps
}

impl Measured {
    /// Bars per second of a stage.
    fn rate(&self, name: &str, threads: usize) -> f64 {
        let mut stages = self.stages.iter();
        let stage = stages.find(|stage| stage.name == name && stage.threads == threads);
        self.bars as f64 / stage.expect("every stage was measured").seconds
    }

    /// The rate of a stage as a share of the floor on as many threads.
    fn share(&self, name: &str, threads: usize) -> f64 {
        self.rate(name, threads) / self.rate("floor", threads)
    }
}

fn print(measured: &Measured) {
    let Measured { set, bars, stages, core, megabytes } = measured;
    println!("{} · {} symbols · {} to {} · {bars} bars", set.name, set.symbols, set.from, set.to);
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    table.set_header([
        "Stage",
        "Threads",
        "Million bars/s",
        "ns/bar",
        "of the floor, same threads",
    ]);
    for Stage { name, threads, .. } in stages {
        let rate = measured.rate(name, *threads);
        table.add_row([
            title(name).to_owned(),
            threads.to_string(),
            format!("{:.2}", rate / 1e6),
            format!("{:.0}", 1e9 / rate),
            format!("{:.0} %", 100.0 * measured.share(name, *threads)),
        ]);
    }
    align_right(&mut table, 1..5);
    println!("{table}");
    let CoreAlone { nanos, allocations, steps_allocating } = core;
    println!(
        "core alone: {nanos:.0} ns and {allocations:.4} allocations per bar, all with signals"
    );
    println!("but for those of {steps_allocating} steps · peak memory {megabytes:.0} MB\n");
}

/// Something that was aimed at.
struct Aim {
    what: &'static str,
    whole: f64,
    half: f64,
    unit: Unit,
    /// Whether less is better.
    is_limit: bool,
    value: fn(&Measured, &[Measured]) -> Option<f64>,
}

enum Unit {
    Percent,
    Times,
    Count,
}

/// The aims, whole and half: a share is halved, of a gain the part above 1 is, of a loss or an
/// excess twice as much is allowed.
const AIMS: [Aim; 8] = [
    Aim {
        what: "core + digest of the floor, 1 thread",
        value: |it, _| Some(it.share("core", 1)),
        ..share(0.75)
    },
    Aim {
        what: "with journal of the floor, 1 thread",
        value: |it, _| Some(it.share("journal", 1)),
        ..share(0.50)
    },
    Aim {
        what: "with journal of the floor, 2 threads",
        value: |it, _| Some(it.share("journal", 2)),
        ..share(0.60)
    },
    Aim {
        what: "core + digest, 2 threads over 1",
        // S is over in a few milliseconds, which is what it takes to begin and end a thread.
        value: |it, _| (it.set.name != "S").then(|| it.rate("core", 2) / it.rate("core", 1)),
        unit: Unit::Times,
        half: 1.35,
        ..share(1.7)
    },
    Aim {
        what: "verify over core + digest, 1 thread",
        value: |it, _| Some(it.rate("verify", 1) / it.rate("core", 1)),
        unit: Unit::Times,
        ..share(1.0)
    },
    Aim {
        what: "core + digest, bars/s of those on M",
        value: |it, all| Some(it.rate("core", 1) / on_m(it, all)?.rate("core", 1)),
        half: 0.8,
        ..share(0.9)
    },
    Aim {
        what: "peak memory over that of M",
        value: |it, all| Some(it.megabytes / on_m(it, all)?.megabytes),
        unit: Unit::Times,
        is_limit: true,
        half: 3.0,
        ..share(1.5)
    },
    Aim {
        what: "steps without a signal that allocate",
        value: |it, _| Some(it.core.steps_allocating as f64),
        unit: Unit::Count,
        is_limit: true,
        ..share(0.0)
    },
];

const fn share(whole: f64) -> Aim {
    let value = |_: &Measured, _: &[Measured]| None;
    Aim { what: "", whole, half: whole / 2.0, unit: Unit::Percent, is_limit: false, value }
}

/// What L is held against; nothing for the other sets.
fn on_m<'a>(measured: &Measured, all: &'a [Measured]) -> Option<&'a Measured> {
    all.iter().find(|it| it.set.name == "M" && measured.set.name == "L")
}

/// What was aimed at beside what was measured; `!` stands where not even the half is reached.
fn print_aims(all: &[Measured]) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    let names = all.iter().map(|measured| measured.set.name);
    table.set_header(["Aim", "Whole", "Half"].into_iter().chain(names));
    for aim in AIMS {
        let text = |value: f64| match aim.unit {
            Unit::Percent => format!("{:.1} %", 100.0 * value),
            Unit::Times => format!("{value:.2} x"),
            Unit::Count => format!("{value:.0}"),
        };
        let cell = |measured: &Measured| match (aim.value)(measured, all) {
            Some(value) if (value < aim.half) != aim.is_limit && value != aim.half => {
                format!("! {}", text(value))
            }
            Some(value) => text(value),
            None => "-".to_owned(),
        };
        let sign = if aim.is_limit { "<=" } else { ">=" };
        let aimed = [aim.whole, aim.half].map(|value| format!("{sign} {}", text(value)));
        let [whole, half] = aimed;
        table.add_row([aim.what.to_owned(), whole, half].into_iter().chain(all.iter().map(cell)));
    }
    align_right(&mut table, 1..3 + all.len());
    println!("{table}");
    println!("! not even half of what was aimed at");
}

fn align_right(table: &mut Table, columns: std::ops::Range<usize>) {
    for column in columns {
        let column = table.column_mut(column).expect("the table has that many columns");
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// The peak memory of a replay in a process of its own, in MB.
fn peak_memory(name: &str, data: &Path) -> f64 {
    let program = std::env::current_exe().expect("this program");
    let child = std::process::Command::new(program).arg("--memory-of").arg(name).arg(data).output();
    let output = child.expect("the child ran").stdout;
    String::from_utf8_lossy(&output).trim().parse().unwrap_or(f64::NAN)
}

fn memory_child(name: &str, data: &Path) {
    let ground = Ground::make(set_named(name), data);
    let scratch = tempfile::tempdir().expect("a temporary directory");
    ground.replay().run(Some(scratch.path()), 2, &mut []).expect("a run");
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse::<f64>().ok());
    println!("{}", kilobytes.unwrap_or(f64::NAN) / 1_000.0);
}
