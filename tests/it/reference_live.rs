//! The core under the profile `compat-live` against what the first user's Python system printed
//! when it ran live. The facts and where they come from are in
//! `tests/fixtures/reference/README.md`.

use std::path::PathBuf;

use lockstep::domain::config::{COMPAT_LIVE_WINDOW, COMPAT_SLIPPAGE, ExecutionProfile, Profile};
use lockstep::domain::event::{Command, CommandKind, Output, RunStarted};
use lockstep::domain::fact::{
    Bar, Fill, Halt, Indicators, OrderReason, RejectReason, Rejection, Signal,
};
use lockstep::domain::instrument::InstrumentId;
use lockstep::domain::money::{Cash, Price, Qty, Side};
use lockstep::domain::time::{Date, MINUTE_US, Timestamp};
use lockstep::sources::columns::BarColumns;
use lockstep::sources::market::Market;

use crate::laws::{inputs, outputs};
use crate::world::{World, session};

pub const SYMBOLS: [&str; 2] = ["SYNA", "SYNB"];
/// Index of the first bar that the Python system looks at.
const FIRST: usize = 49;

pub type Minutes = [Vec<Bar>; 2];

/// What a run comes to.
#[derive(Default)]
struct Facts {
    indicators: [Vec<Indicators>; 2],
    signals: [Vec<Signal>; 2],
    fills: [Vec<Fill>; 2],
    halts: Vec<Halt>,
    refusals: Vec<Rejection>,
}

pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference").join(name)
}

pub fn records(path: PathBuf) -> Vec<csv::StringRecord> {
    let mut reader = csv::Reader::from_path(path).expect("the file is there");
    reader.records().map(|record| record.expect("the file is CSV")).collect()
}

/// The rows of one symbol, which stands first in them.
fn rows_of(symbol: &str, file: &str) -> Vec<csv::StringRecord> {
    let is_of = |row: &csv::StringRecord| row[0].strip_prefix("NSE_EQ|") == Some(symbol);
    records(fixture(file)).into_iter().filter(is_of).collect()
}

pub fn time(text: &str) -> Timestamp {
    Timestamp::parse(&text.replace(' ', "T")).expect("a time")
}

pub fn double(text: &str) -> f64 {
    text.parse().expect("a number")
}

/// Minutes from rows that begin with time, open, high, low, close and volume.
fn minutes(id: u16, records: &[csv::StringRecord]) -> Vec<Bar> {
    let price = |text: &str| Price::from_rupees(double(text)).expect("a price");
    let bar = |row: &csv::StringRecord| Bar {
        instrument: InstrumentId(id),
        open_time: time(&row[0]),
        open: price(&row[1]),
        high: price(&row[2]),
        low: price(&row[3]),
        close: price(&row[4]),
        volume: Qty(row[5].parse().expect("a volume")),
    };
    records.iter().map(bar).collect()
}

/// Both symbols under `compat-live`, with his fees and without his limits.
pub fn run_over(minutes: &Minutes) -> RunStarted {
    let world = World::new().with(|run| {
        let mut days: Vec<Date> =
            minutes.iter().flatten().map(|bar| bar.open_time.date()).collect();
        days.sort_unstable();
        days.dedup();
        run.config.active_from = days[0].start();
        run.sessions = days.into_iter().map(session).collect();
        let market = Market::embedded().expect("the market facts are built in");
        run.config.fees = market.fee_schedule("compat").expect("his schedule").clone();
        run.config.strategy = Default::default();
        run.config.strategy.profile = Profile::CompatLive;
        run.config.execution = Default::default();
        run.config.execution.profile = ExecutionProfile::Compat;
        run.config.execution.trades_max = 1_000_000;
        run.config.execution.daily_loss_max = Cash::from_rupees(1_000_000_000);
    });
    world.run
}

fn facts(minutes: &Minutes, commands: &[Command]) -> Facts {
    facts_of(&run_over(minutes), minutes, commands)
}

fn facts_of(run: &RunStarted, minutes: &Minutes, commands: &[Command]) -> Facts {
    let columns = minutes.each_ref().map(|bars| BarColumns::from_bars(bars.iter()));
    let mut facts = Facts::default();
    for derived in outputs(run, &inputs(run, &columns, commands)).into_iter().flatten() {
        match derived.output {
            Output::Indicators(row) => facts.indicators[row.instrument.index()].push(row),
            Output::Signal(signal) => facts.signals[signal.instrument.index()].push(*signal),
            Output::Fill(fill) => facts.fills[fill.instrument.index()].push(fill),
            Output::Halt(halt) => facts.halts.push(halt),
            Output::Rejection(refusal) => facts.refusals.push(refusal),
            _ => {}
        }
    }
    facts
}

/// Lines that are equal if and only if every fact of them is, doubles by their bits.
fn indicator_lines(ours: &[Indicators], symbol: &str) -> (Vec<String>, Vec<String>) {
    let price = |price: Option<Price>| price.map_or(f64::NAN, Price::rupees);
    let line = |row: &Indicators| {
        let Indicators { ema20, ema50, atr, adx, vwap, swing_high, swing_low, .. } = *row;
        let swings = [price(swing_high), price(swing_low)];
        format!("{} {:?} {swings:?}", row.open_time, [ema20, ema50, atr, adx, vwap])
    };
    let bars = records(fixture(&format!("{symbol}.csv")));
    let window = records(fixture(&format!("{symbol}.live.indicators.csv")));
    let theirs = window.iter().zip(&bars[FIRST..]).map(|(row, bar)| {
        assert_eq!(time(&row[0]), time(&bar[0]), "the rows go together");
        let means = [2, 3, 4, 5, 6].map(|column| double(&row[column]));
        let swings = [7, 8].map(|column| double(&row[column]));
        format!("{} {means:?} {swings:?}", time(&row[0]))
    });
    (ours.iter().map(line).collect(), theirs.collect())
}

fn signal_lines(ours: &[Signal], symbol: &str, file: &str) -> (Vec<String>, Vec<String>) {
    let line = |it: &Signal| {
        let Signal { bar_time, side, kind, quantity, .. } = it;
        let levels = [it.price, it.stop, it.target].map(Price::rupees);
        let values = [it.atr, it.vwap_dist, it.ema_slope, it.atr_pct, it.adx];
        format!("{bar_time} {side} {kind} {quantity} {levels:?} {values:?}")
    };
    let theirs = rows_of(symbol, file).into_iter().map(|row| {
        let levels = [4, 6, 7].map(|column| double(&row[column]));
        let values = [5, 9, 10, 11, 12].map(|column| double(&row[column]));
        format!("{} {} {} {} {levels:?} {values:?}", time(&row[1]), &row[2], &row[3], &row[8])
    });
    (ours.iter().map(line).collect(), theirs.collect())
}

fn fill_lines(ours: &[Fill], signals: &[Signal], symbol: &str) -> (Vec<String>, Vec<String>) {
    // A fill stands at the moment its bar was known; his has the start of the bar.
    let line = |fill: &Fill| {
        let Fill { side, quantity, time, .. } = *fill;
        let is_exit = fill.reason != OrderReason::Entry;
        let (price, fee) = python_doubles(fill);
        let off = (fill.fee.rupees() - fee).abs();
        assert!(off <= 0.000_3, "{fill:?}: six charges, each rounded to 1/10,000, are {off} off");
        assert!(is_exit || signals.iter().any(|signal| signal.time == time), "{fill:?}");
        let bar_time = time.plus_us(-MINUTE_US).floor_to(15 * MINUTE_US);
        format!("before {bar_time}: {side} {quantity} {price:?} {fee:?} exit {is_exit}")
    };
    let bars = records(fixture(&format!("{symbol}.csv")));
    let following = |label: &str| {
        let place = bars.iter().position(|bar| time(&bar[0]) == time(label)).expect("a bar");
        bars[place + 1][0].to_owned()
    };
    let theirs = rows_of(symbol, "live.fills.csv").into_iter().map(|row| {
        let (price, fee, is_exit) = (double(&row[4]), double(&row[5]), row[6].starts_with("exit_"));
        let (next, quantity) = (following(&row[1]), double(&row[3]));
        format!("before {next}: {} {quantity} {price:?} {fee:?} exit {is_exit}", &row[2])
    });
    (ours.iter().map(line).collect(), theirs.collect())
}

/// Price and fee of a fill in doubles, in his order of operations (rules 7.4): the core's integers
/// are the same numbers, without the dust that adding 0.01 leaves.
fn python_doubles(fill: &Fill) -> (f64, f64) {
    let price = match fill.side {
        Side::Buy => Price(fill.price.0 - COMPAT_SLIPPAGE.0).rupees() + 0.01,
        Side::Sell => Price(fill.price.0 + COMPAT_SLIPPAGE.0).rupees() - 0.01,
    };
    let turnover = fill.quantity.0 as f64 * price;
    let (brokerage, exchange, sebi) = (20.0, turnover * 3.45e-5, turnover * 1e-6);
    let (stt, stamp) = (turnover * 2.5e-4, turnover * 3e-5);
    let gst = 0.18 * (brokerage + exchange + sebi);
    (price, brokerage + exchange + sebi + stt + stamp + gst)
}

/// When a bar becomes known: at the close of the symbol's first minute of a later quarter.
fn known(minutes: &[Bar], bar_time: Timestamp) -> Timestamp {
    let end = bar_time.plus_minutes(15);
    minutes.iter().find(|bar| bar.open_time >= end).expect("it was known").close_time()
}

/// Holds everything that the core makes of these minutes against the reference, and counts.
fn conform(minutes: &Minutes) -> String {
    let pause = Command { time: Timestamp::MIN, kind: CommandKind::Pause };
    let (alone, traded) = (facts(minutes, &[pause]), facts(minutes, &[]));
    let mut closed = minutes.clone();
    for bars in &mut closed {
        let last = *bars.last().expect("minutes");
        let next_day = last.open_time.date().plus_days(1);
        bars.push(Bar { open_time: Timestamp::from_ist(next_day, 9, 15), ..last });
    }
    let closed = facts(&closed, &[pause]);
    let (mut rows, mut vol_z) = ([0; 4], 0.0_f64);
    for (id, symbol) in SYMBOLS.into_iter().enumerate() {
        let bars = closed.indicators[id].len();
        assert_eq!(alone.indicators[id].len(), bars - 1, "the last bar is never known");
        let mut same = |table: usize, (ours, theirs): (Vec<String>, Vec<String>)| {
            let first = ours.iter().zip(&theirs).find(|(ours, theirs)| ours != theirs);
            assert_eq!(first, None, "{symbol}");
            assert_eq!(ours.len(), theirs.len(), "{symbol}, table {table}");
            rows[table] += ours.len();
        };
        same(0, indicator_lines(&closed.indicators[id][FIRST..], symbol));
        same(1, signal_lines(&alone.signals[id], symbol, "live.signals_no_execution.csv"));
        same(2, signal_lines(&traded.signals[id], symbol, "live.signals.csv"));
        same(3, fill_lines(&traded.fills[id], &traded.signals[id], symbol));
        for (signals, file) in
            [(&alone, "live.signals_no_execution.csv"), (&traded, "live.signals.csv")]
        {
            for (signal, theirs) in signals.signals[id].iter().zip(rows_of(symbol, file)) {
                assert_eq!(signal.time, known(&minutes[id], signal.bar_time), "{signal:?}");
                vol_z = vol_z.max((signal.vol_z - double(&theirs[15])).abs());
            }
        }
        assert!(alone.fills[id].is_empty(), "nothing is traded while the run is paused");
        let theirs = records(fixture(&format!("{symbol}.csv")));
        for (row, theirs) in closed.indicators[id].iter().zip(&theirs).skip(FIRST) {
            vol_z = vol_z.max((row.vol_z - double(&theirs[11])).abs());
        }
    }
    assert!(vol_z <= 1e-12, "vol_z is {vol_z} off");
    let [indicators, alone, traded, fills] = rows;
    format!(
        "indicators {indicators}, signals alone {alone}, signals {traded}, fills {fills}: \
         0 differences"
    )
}

/// A quarter hour as one minute has the same strategy bars as its fifteen.
pub fn quarters() -> Minutes {
    let read = |symbol: &str| records(fixture(&format!("{symbol}.csv")));
    [0_u16, 1].map(|id| minutes(id, &read(SYMBOLS[usize::from(id)])))
}

#[test]
fn the_live_path_has_the_bits_that_python_has() {
    // The minutes themselves are too many for the repository; whoever has them names their folder.
    let folder = std::env::var_os("LOCKSTEP_REFERENCE_MINUTES").map(PathBuf::from);
    let read = |folder: PathBuf, id: u16| {
        let name = format!("{}_1m.csv", SYMBOLS[usize::from(id)]);
        minutes(id, &records(folder.join(name)))
    };
    let minutes = folder.map_or_else(quarters, |folder| [0, 1].map(|id| read(folder.clone(), id)));
    println!("{} minute bars", minutes.concat().len());
    insta::assert_snapshot!(conform(&minutes), @"indicators 3050, signals alone 126, signals 113, fills 213: 0 differences");
}

/// His counter of trades is meant for a day and never reset: of all fills, the first hundred.
#[test]
fn the_101st_fill_is_never_made_and_every_later_signal_is_refused() {
    let minutes = quarters();
    let mut run = run_over(&minutes);
    run.config.execution.trades_max = 100;
    let (free, limited) = (facts(&minutes, &[]), facts_of(&run, &minutes, &[]));
    let in_order = |facts: &Facts| {
        let mut fills = facts.fills.concat();
        fills.sort_by_key(|fill| (fill.time, fill.instrument));
        fills.into_iter().map(|fill| (fill.time, fill.price, fill.quantity)).collect::<Vec<_>>()
    };
    let (free, fills) = (in_order(&free), in_order(&limited));
    assert_eq!((fills.len(), &fills[..]), (100, &free[..100]));
    let halts: Vec<Timestamp> = limited.halts.iter().map(|halt| halt.time).collect();
    assert_eq!(halts, [free[100].0], "the run is killed when the 101st is tried");
    let later = |signal: &&Signal| signal.time > halts[0];
    let later = limited.signals.iter().flatten().filter(later).count();
    let killed = limited.refusals.iter().filter(|no| no.reason == RejectReason::Killed).count();
    assert_eq!((killed, killed > 50), (later, true), "signals go on, {later} of them in vain");
}

/// The mean of a window is seeded at its oldest bar and forgets everything before; the mean of the
/// whole history keeps a trace of its first bars until rounding swallows it. So the profiles part
/// at the 101st bar, and with a history that begins two days later a window has the same bits once
/// it is full, the whole history only hundreds of bars on.
#[test]
fn windows_forget_how_the_history_began() {
    let whole = quarters();
    let first = whole[0][0].open_time.date();
    let late: Minutes = whole.clone().map(|bars| {
        bars.into_iter().filter(|bar| bar.open_time.date() >= first.plus_days(2)).collect()
    });
    let rows = |minutes: &Minutes, profile: Profile| {
        let mut run = run_over(minutes);
        run.config.strategy.profile = profile;
        let [mut rows, _] = facts_of(&run, minutes, &[]).indicators;
        rows.truncate(whole[0].len() - 1);
        rows
    };
    let live = rows(&whole, Profile::CompatLive);
    let causal = &rows(&whole, Profile::Causal)[..live.len()];
    let means = |row: &Indicators| [row.ema20, row.ema50, row.atr, row.adx].map(f64::to_bits);
    let parted = (28..live.len()).find(|place| means(&live[*place]) != means(&causal[*place]));
    assert_eq!(parted, Some(COMPAT_LIVE_WINDOW), "when the first bar leaves the window");

    let cut = whole[0].len() - late[0].len();
    let alike = |profile: Profile, all: &[Indicators]| {
        let part = rows(&late, profile);
        let from = COMPAT_LIVE_WINDOW - 1;
        let pairs = all[cut + from..].iter().zip(&part[from..]);
        let alike = pairs.clone().filter(|(whole, part)| means(whole) == means(part)).count();
        format!("{profile} {alike} of {}", pairs.count())
    };
    let counts = [alike(Profile::CompatLive, &live), alike(Profile::Causal, causal)];
    insta::assert_snapshot!(counts.join(", "), @"compat-live 1449 of 1449, causal 762 of 1449");
}
