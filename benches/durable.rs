//! What a promise costs: a durable journal beside the bare disk below it, in one run.
//!
//! The bare disk is a file of zeros that was synced, into which blocks of the size of a batch are
//! written, each with an `fdatasync`. The journal takes minute bars and settles after as many as
//! make a batch, and then one by one, each urgent. `cargo bench --bench durable [-- --seconds N]`.

#![expect(clippy::disallowed_methods, reason = "a benchmark is about time")]

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lockstep::domain::config::{ExecutionConfig, FeeSchedule, RunConfig, StrategyConfig};
use lockstep::domain::event::{CORE_VERSION, Input, RunStarted};
use lockstep::domain::fact::Bar;
use lockstep::domain::instrument::InstrumentId;
use lockstep::domain::money::{Price, Qty};
use lockstep::domain::time::Timestamp;
use lockstep::journal::frame::{self, Head};
use lockstep::journal::writer::{Identity, Setup, Stamp, Writer};

/// Records in a full batch of a durable journal.
const BATCH: u64 = 1_024;
/// Bytes of a bar's frame, received at some time, and of a commit's.
const BAR_BYTES: usize = Head::input(2, 1, 0, 1).frame_bytes(26);
const COMMIT_BYTES: usize = frame::control_bytes(frame::Commit::BYTES);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = seconds();
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("durable");
    println!("{} s each, in {}", seconds.as_secs(), dir.display());
    println!(
        "{:<34} {:>9} {:>9} {:>9} {:>13}",
        "what is waited for", "p50 ms", "p99 ms", "syncs", "events/s"
    );
    for (name, batch) in [("batches of 1,024 bars", BATCH), ("one urgent bar", 1)] {
        let bytes = batch as usize * BAR_BYTES + COMMIT_BYTES;
        let mut bare = Vec::new();
        let mut journal = Vec::new();
        // In turns, so that both have the same weather.
        let rounds = 5;
        for round in 0..rounds {
            let _ = std::fs::remove_dir_all(&dir);
            std::fs::create_dir_all(&dir)?;
            bare.extend(bare_disk(&dir, bytes, seconds / rounds)?);
            journal.extend(journalled(&dir.join(round.to_string()), batch, seconds / rounds)?);
        }
        let bare = Row::of(&format!("bare write and fdatasync, {bytes} B"), batch, &mut bare);
        let journal = Row::of(&format!("journal, {name}"), batch, &mut journal);
        bare.print();
        journal.print();
        println!("{:<34} {:>9.2} {:>9.2}", "ratio", journal.p50 / bare.p50, journal.p99 / bare.p99);
    }
    let _ = std::fs::remove_dir_all(&dir);
    Ok(())
}

/// One line of the table.
struct Row {
    name: String,
    p50: f64,
    p99: f64,
    syncs: usize,
    rate: f64,
}

impl Row {
    fn of(name: &str, batch: u64, waits: &mut [Duration]) -> Row {
        waits.sort_unstable();
        let at = |share: f64| {
            let place = ((waits.len() - 1) as f64 * share).round() as usize;
            waits[place].as_secs_f64() * 1_000.0
        };
        let total: Duration = waits.iter().sum();
        let rate = waits.len() as f64 * batch as f64 / total.as_secs_f64();
        Row { name: name.to_owned(), p50: at(0.5), p99: at(0.99), syncs: waits.len(), rate }
    }

    fn print(&self) {
        let Row { name, p50, p99, syncs, rate } = self;
        println!("{name:<34} {p50:>9.2} {p99:>9.2} {syncs:>9} {rate:>13.0}");
    }
}

fn seconds() -> Duration {
    let words: Vec<String> = std::env::args().collect();
    let given = words.windows(2).find(|pair| pair[0] == "--seconds");
    let seconds = given.and_then(|pair| pair[1].parse().ok()).unwrap_or(20);
    Duration::from_secs(seconds)
}

/// Writes blocks into a file that is there and waits for each.
fn bare_disk(dir: &Path, bytes: usize, time: Duration) -> std::io::Result<Vec<Duration>> {
    const FILE_BYTES: u64 = 16 << 20;
    let file: File = OpenOptions::new().create_new(true).write(true).open(dir.join("bare"))?;
    let zeros = vec![0; 1 << 20];
    for place in (0..FILE_BYTES).step_by(zeros.len()) {
        file.write_all_at(&zeros, place)?;
    }
    file.sync_all()?;
    let block = vec![7; bytes];
    let (mut waits, mut place, start) = (Vec::new(), 0, Instant::now());
    while start.elapsed() < time {
        let wait = Instant::now();
        file.write_all_at(&block, place)?;
        file.sync_data()?;
        waits.push(wait.elapsed());
        place = (place + bytes as u64) % (FILE_BYTES - bytes as u64);
    }
    Ok(waits)
}

/// Journals bars and waits for each batch, from its first bar on.
fn journalled(
    dir: &Path,
    batch: u64,
    time: Duration,
) -> Result<Vec<Duration>, Box<dyn std::error::Error>> {
    let run = run();
    let identity = Identity::of_replay(&run)?;
    let mut writer = Writer::begin(&Setup::durable(dir, identity, Stamp::default))?;
    writer.input(0, 0, &Input::RunStarted(Box::new(run)))?;
    writer.settle(true)?;
    let bar = Bar {
        instrument: InstrumentId(0),
        open_time: Timestamp(0),
        open: Price(1_000_000),
        high: Price(1_001_000),
        low: Price(999_000),
        close: Price(1_000_500),
        volume: Qty(500),
    };
    let (mut waits, start) = (Vec::new(), Instant::now());
    while start.elapsed() < time {
        let wait = Instant::now();
        for _ in 0..batch {
            writer.input(writer.next_seq(), 0, &Input::Bar(bar))?;
            writer.settle(false)?;
        }
        writer.settle(batch == 1)?;
        waits.push(wait.elapsed());
    }
    writer.seal()?;
    Ok(waits)
}

fn run() -> RunStarted {
    RunStarted {
        core_version: CORE_VERSION,
        build: "bench".to_owned(),
        config: RunConfig {
            strategy: StrategyConfig::default(),
            execution: ExecutionConfig::default(),
            fees: FeeSchedule { name: "none".into(), version: "1".into(), periods: Vec::new() },
            active_from: Timestamp(0),
        },
        instruments: Vec::new(),
        calendar_version: "bench".to_owned(),
        sessions: Vec::new(),
        data: Vec::new(),
    }
}
