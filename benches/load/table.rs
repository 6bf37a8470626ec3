//! A table of many rows: what its state takes, the first time after each input and again.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use lockstep::core::Core;
use lockstep::domain::event::{Input, RunStarted};
use lockstep::domain::fact::Bar;
use lockstep::domain::instrument::{Instrument, InstrumentId};
use lockstep::domain::money::{Price, Qty};
use lockstep::domain::time::Timestamp;
use lockstep::journal::{Identity, Setup, Writer};

use super::report::percentile;
use super::{Done, serving, stamp};

/// A state of so many rows: asked for the first time after each input, and again.
pub fn table(dir: &Path, rows: usize) -> Done {
    let run = run(rows)?;
    let identity = Identity::of_replay(&run)?;
    let mut writer = Writer::begin(&Setup::durable(dir, identity, stamp))?;
    let mut core = Core::new(&run);
    writer.input(0, 0, &Input::RunStarted(Box::new(run)))?;
    let serving = serving(dir)?;
    let first = Timestamp::parse("2024-10-01T09:15").ok_or("a time")?;
    let mut seq = 0;
    let mut step = |writer: &mut Writer, input: Input| -> Done<u64> {
        seq += 1;
        let mut derived = Vec::new();
        writer.input(seq, 0, &input)?;
        core.step(seq, &input, &mut derived);
        (1..).zip(&derived).try_for_each(|(index, one)| writer.output(seq, index, one))?;
        Ok(seq)
    };
    let paths = ["/api/v1/state", "/api/scanner-state", "/scanner"];
    let mut took = [const { Vec::new() }; 4];
    for minute in 0..40 {
        let time = first.plus_minutes(minute);
        for place in 0..rows {
            let bar = bar(InstrumentId(u16::try_from(place)?), time, minute);
            step(&mut writer, Input::Bar(bar))?;
        }
        let last = step(&mut writer, Input::Watermark(time.plus_minutes(1)))?;
        writer.settle(true)?;
        while position(serving.addr)? < last {}
        for (place, path) in paths.iter().enumerate() {
            took[place].push(answered(serving.addr, path, rows)?);
        }
        took[3].push(answered(serving.addr, paths[0], rows)?);
    }
    println!("{:<44} {:>9} {:>9}", format!("a table of {rows} rows"), "p50 ms", "p99 ms");
    let names = paths.map(|path| format!("{path}, first after an input"));
    let again = format!("{}, again", paths[0]);
    for (name, took) in names.iter().chain([&again]).zip(&mut took) {
        took.sort_unstable();
        let [half, most] = [0.5, 0.99].map(|share| percentile(took, share, |took| *took));
        println!("{name:<44} {half:>9.2} {most:>9.2}");
    }
    serving.stop();
    Ok(())
}

/// How long a whole answer took, which has to have that many rows.
fn answered(addr: SocketAddr, path: &str, rows: usize) -> Done<Duration> {
    let begun = Instant::now();
    let answer = get(addr, path)?;
    let took = begun.elapsed();
    let keys = answer.matches("NSE_EQ|ROW").count();
    if !answer.starts_with("HTTP/1.1 200") || keys < rows {
        return Err(format!("{path} has {keys} rows").into());
    }
    Ok(took)
}

fn get(addr: SocketAddr, path: &str) -> Done<String> {
    let mut stream = TcpStream::connect(addr)?;
    let head = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn position(addr: SocketAddr) -> Done<u64> {
    let metrics = get(addr, "/metrics")?;
    let line = metrics.lines().find_map(|line| line.strip_prefix("lockstep_position "));
    Ok(line.ok_or("no position")?.parse()?)
}

fn bar(instrument: InstrumentId, open_time: Timestamp, minute: i64) -> Bar {
    let close = Price(1_000_000 + i64::from(instrument.0) * 500 + minute * 1_000);
    let high = Price(close.0 + 500);
    Bar { instrument, open_time, open: close, high, low: close, close, volume: Qty(100) }
}

/// A day of so many instruments, made from a description in JSON, as tools outside would.
fn run(rows: usize) -> Done<RunStarted> {
    use lockstep::domain::config::{ExecutionConfig, FeeSchedule, RunConfig, StrategyConfig};
    use lockstep::domain::event::CORE_VERSION;
    use lockstep::domain::instrument::Listing;
    use lockstep::domain::session::{Session, SessionKind};
    use lockstep::domain::time::{Date, Window};
    let date = Date::parse("2024-10-01").ok_or("a date")?;
    let time = |hour, minute| Timestamp::from_ist(date, hour, minute);
    let windows = vec![Window { open: time(9, 15), close: time(15, 30) }];
    let instrument = |place: usize| {
        let key = format!("NSE_EQ|ROW{place:05}");
        let listing = Listing {
            from: date,
            to: None,
            symbol: format!("ROW{place}"),
            name: format!("Row {place} Ltd"),
            tick: Price(500),
            lot: 1,
            closing_auction: false,
        };
        Instrument { key, isin: String::new(), listings: vec![listing] }
    };
    Ok(RunStarted {
        core_version: CORE_VERSION,
        build: "bench".to_owned(),
        config: RunConfig {
            strategy: StrategyConfig::default(),
            execution: ExecutionConfig::default(),
            fees: FeeSchedule { name: "none".into(), version: "1".into(), periods: Vec::new() },
            active_from: date.start(),
        },
        instruments: (0..rows).map(instrument).collect(),
        calendar_version: "bench".to_owned(),
        sessions: vec![Session {
            date,
            kind: SessionKind::Regular,
            windows,
            auction_windows: Vec::new(),
            own_hours: Vec::new(),
        }],
        data: Vec::new(),
    })
}
