//! How fast a replay is, as ratios within one run: decoding alone is the floor under everybody, so
//! each further stage is shown as a share of it. Absolute figures change from machine to machine
//! and from minute to minute.
//!
//! ```text
//! cargo xtask bench                 M: 2 symbols x 15 months, and S: 2 x 3 months
//! cargo xtask bench -- --large      L as well: 200 symbols x 12 months
//! cargo xtask bench -- --only core  one stage over and over, to be looked at with a profiler
//! ```

#![expect(clippy::disallowed_methods, reason = "a bench is about time")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use comfy_table::{CellAlignment, Table, presets};
use lockstep::core::Core;
use lockstep::domain::config::{ExecutionConfig, StrategyConfig};
use lockstep::domain::event::Input;
use lockstep::domain::instrument::Instrument;
use lockstep::domain::money::Price;
use lockstep::driver::Source as _;
use lockstep::driver::history::History;
use lockstep::driver::plan::{DateRange, Request};
use lockstep::driver::replay::Replay;
use lockstep::journal::reader::Reader;
use lockstep::sources::columns::BarColumns;
use lockstep::sources::market::Market;
use lockstep::sources::store::{Store, write_month};
use lockstep::sources::synthetic::{Knobs, Subject, generate};

/// Counts allocations, so that "none per bar" is a figure and not a hope.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
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

/// One line of the result.
struct Stage {
    name: &'static str,
    threads: usize,
    seconds: f64,
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(place) = args.iter().position(|arg| arg == "--memory-of") {
        return memory_child(&args[place + 1], Path::new(&args[place + 2]));
    }
    if let Some(place) = args.iter().position(|arg| arg == "--only") {
        return only(&args[place + 1]);
    }
    let is_large = args.iter().any(|arg| arg == "--large");
    let sets = SETS.iter().filter(|set| set.name != "L" || is_large);
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let mut memory = Vec::new();
    for set in sets {
        let ground = Ground::make(set, &scratch.path().join(set.name));
        measure(set, &ground, scratch.path());
        memory.push((set.name, peak_memory(set.name, &ground.data)));
    }
    println!("Peak memory of a replay with its journal");
    for (name, megabytes) in memory {
        println!("   {name}  {megabytes:.0} MB");
    }
}

/// Runs one stage over M again and again: `decode`, `core` or `journal`.
fn only(stage: &str) {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let ground = Ground::make(&SETS[1], &scratch.path().join("M"));
    let replay = ground.replay();
    let run_dir = scratch.path().join("run");
    for _ in 0..20 {
        let seconds = match stage {
            "decode" => decode(&ground, &replay, 1).0,
            "core" => core(&replay, None, 1),
            "journal" => core(&replay, Some(&run_dir), 1),
            other => panic!("no stage is called {other}"),
        };
        println!("{:.0} ns/bar", seconds * 1e9 / 232_061.0);
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

    fn history(&self, replay: &Replay, threads: usize) -> History {
        let store = Store::open(&self.data).expect("a store");
        History::new(&replay.run, &[], &store, replay.range, threads).expect("threads")
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

fn measure(set: &Set, ground: &Ground, scratch: &Path) {
    let replay = ground.replay();
    let bars = decode(ground, &replay, 1).1;
    let run_dir = scratch.join("run");
    let mut stages = Vec::new();
    for threads in [1, 2] {
        stages.push(best("decode", threads, || decode(ground, &replay, threads).0));
        stages.push(best("decode + order", threads, || ordered(ground, &replay, threads)));
        stages.push(best("decode + core + digest", threads, || core(&replay, None, threads)));
        stages.push(best("decode + core + digest + journal", threads, || {
            core(&replay, Some(&run_dir), threads)
        }));
    }
    core(&replay, Some(&run_dir), 1);
    stages.push(best("read the journal back", 1, || read_back(&run_dir)));
    let rate = core_alone(ground, &replay);
    print(set, bars, &stages, rate);
    fs::remove_dir_all(&run_dir).expect("the run's folder goes");
}

/// The best of three, since everything else on the machine only ever makes it slower.
fn best(name: &'static str, threads: usize, mut run: impl FnMut() -> f64) -> Stage {
    let seconds = (0..3).map(|_| run()).fold(f64::INFINITY, f64::min);
    Stage { name, threads, seconds }
}

/// Decodes every month as the replay does, and looks at each value once.
fn decode(ground: &Ground, replay: &Replay, threads: usize) -> (f64, u64) {
    let store = Store::open(&ground.data).expect("a store");
    let keys: Vec<&str> = replay.run.instruments.iter().map(|it| it.key.as_str()).collect();
    let DateRange { first, last } = replay.range;
    let started = Instant::now();
    let load = |key: &str| {
        let columns = store.load(key, first, last).expect("history");
        std::hint::black_box(columns.close.values().iter().copied().fold(0, i64::wrapping_add));
        columns.len() as u64
    };
    let bars = match threads {
        1 => keys.iter().map(|key| load(key)).sum(),
        _ => {
            use rayon::prelude::*;
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("threads").install(|| keys.par_iter().map(|key| load(key)).sum())
        }
    };
    (started.elapsed().as_secs_f64(), bars)
}

fn ordered(ground: &Ground, replay: &Replay, threads: usize) -> f64 {
    let started = Instant::now();
    let mut history = ground.history(replay, threads);
    while let Some(input) = history.next().expect("history") {
        std::hint::black_box(&input);
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

/// The core over inputs that are in memory already: nanoseconds and allocations per bar.
fn core_alone(ground: &Ground, replay: &Replay) -> (f64, f64) {
    let mut history = ground.history(replay, 1);
    let mut inputs = Vec::new();
    while let Some(input) = history.next().expect("history") {
        inputs.push(input);
        if inputs.len() == 3_000_000 {
            break;
        }
    }
    let bars = inputs.iter().filter(|input| matches!(input, Input::Bar(_))).count() as f64;
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
    (seconds * 1e9 / bars, allocations as f64 / bars)
}

fn print(set: &Set, bars: u64, stages: &[Stage], (nanos, allocations): (f64, f64)) {
    println!("{} · {} symbols · {} to {} · {bars} bars", set.name, set.symbols, set.from, set.to);
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    table.set_header(["Stage", "Threads", "Million bars/s", "ns/bar", "of decode, same threads"]);
    for stage in stages {
        let floor = stages.iter().find(|it| it.threads == stage.threads).expect("decode is first");
        let rate = bars as f64 / stage.seconds;
        table.add_row([
            stage.name.to_owned(),
            stage.threads.to_string(),
            format!("{:.2}", rate / 1e6),
            format!("{:.0}", 1e9 / rate),
            format!("{:.0} %", 100.0 * floor.seconds / stage.seconds),
        ]);
    }
    for column in 1..5 {
        let column = table.column_mut(column).expect("five columns");
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    println!("core alone: {nanos:.0} ns and {allocations:.4} allocations per bar\n");
}

/// The peak memory of a replay in a process of its own, in MB.
fn peak_memory(name: &str, data: &Path) -> f64 {
    let program = std::env::current_exe().expect("this program");
    let child = std::process::Command::new(program).arg("--memory-of").arg(name).arg(data).output();
    let output = child.expect("the child ran").stdout;
    String::from_utf8_lossy(&output).trim().parse().unwrap_or(f64::NAN)
}

fn memory_child(name: &str, data: &Path) {
    let set = SETS.iter().find(|set| set.name == name).expect("a set");
    let ground = Ground::make(set, data);
    let run_dir = data.join("memory-run");
    ground.replay().run(Some(&run_dir), 2, &mut []).expect("a run");
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse::<f64>().ok());
    println!("{}", kilobytes.unwrap_or(f64::NAN) / 1_000.0);
}
