//! A made-up market of many keys that all have a signal at the same quarter hour: the most that a
//! moment can bring. History before it, one short session to live.

use std::error::Error;
use std::path::Path;

use lockstep::core::Core;
use lockstep::domain::config::{ExecutionConfig, FeeSchedule, RunConfig, StrategyConfig};
use lockstep::domain::event::{CORE_VERSION, Output, RunStarted};
use lockstep::domain::fact::Bar;
use lockstep::domain::instrument::{Instrument, InstrumentId, Listing};
use lockstep::domain::money::{Price, Qty};
use lockstep::domain::session::{Session, SessionKind};
use lockstep::domain::time::{Date, Timestamp, Window};
use lockstep::driver::plan::watermarks;
use lockstep::sources::columns::BarColumns;
use lockstep::sources::sequencer::Sequencer;
use lockstep::sources::store::write_month;

/// The day that warms up, and the day that is lived.
pub const BEFORE: &str = "2024-10-01";
pub const DAY: &str = "2024-10-03";
/// Different histories that the keys share.
const HISTORIES: usize = 8;
/// Histories that are tried before it is given up.
const TRIES: u64 = 200_000;

/// The run and the history of each of its keys.
pub struct Scene {
    pub run: RunStarted,
    pub bars: Vec<Vec<Bar>>,
    /// How many signals a replay of these bars makes on the day.
    pub signals: usize,
}

/// That time of the day that is lived.
pub fn at(hour: u32, minute: u32) -> Timestamp {
    Timestamp::from_ist(date(DAY), hour, minute)
}

pub fn date(text: &str) -> Date {
    Date::parse(text).expect("a date")
}

impl Scene {
    /// A scene of so many keys.
    pub fn new(keys: usize) -> Result<Scene, Box<dyn Error>> {
        let alone = run(1);
        let found = (0..TRIES).map(|seed| (walk(seed), signals(&alone, &walk(seed))));
        let found: Vec<(Vec<Bar>, usize)> =
            found.filter(|(_, signals)| *signals > 0).take(HISTORIES).collect();
        if found.len() < HISTORIES {
            return Err("no made-up history has a signal at the quarter hour".into());
        }
        let turns = (0..keys).map(|place| &found[place % HISTORIES]);
        let signals = turns.clone().map(|it| it.1).sum();
        let with_id = |(place, (bars, _)): (usize, &(Vec<Bar>, usize))| {
            let instrument = id(place);
            bars.iter().map(|bar| Bar { instrument, ..*bar }).collect()
        };
        let bars = turns.enumerate().map(with_id).collect();
        Ok(Scene { run: run(keys), bars, signals })
    }

    /// Writes the history that warms up.
    pub fn store(&self, dir: &Path) -> Result<(), Box<dyn Error>> {
        for (instrument, bars) in self.run.instruments.iter().zip(&self.bars) {
            let before = bars.iter().filter(|bar| bar.open_time < date(DAY).start());
            let columns = BarColumns::from_bars(before);
            write_month(dir, &instrument.key, date("2024-10-01"), &columns)?;
        }
        Ok(())
    }
}

fn id(place: usize) -> InstrumentId {
    InstrumentId(u16::try_from(place).expect("a run has at most 65535 keys"))
}

/// The run over that many keys: four hours that warm up, and three minutes around 09:30.
fn run(keys: usize) -> RunStarted {
    let instrument = |place| {
        let key = format!("NSE_EQ|MADEUP{place:05}");
        let listing = Listing {
            from: date("2020-01-01"),
            to: None,
            symbol: format!("MADEUP{place:05}"),
            name: "made up".to_owned(),
            tick: Price(500),
            lot: 1,
            closing_auction: false,
        };
        Instrument { key, isin: String::new(), listings: vec![listing] }
    };
    let session = |day: &str, from: (u32, u32), to: (u32, u32)| Session {
        date: date(day),
        kind: SessionKind::Regular,
        windows: vec![Window {
            open: Timestamp::from_ist(date(day), from.0, from.1),
            close: Timestamp::from_ist(date(day), to.0, to.1),
        }],
        auction_windows: Vec::new(),
        own_hours: Vec::new(),
    };
    let strategy = StrategyConfig {
        first_bar: 15,
        swing_period: 2,
        reversion_k: 0.7,
        adx_gate: 45.0,
        ..StrategyConfig::default()
    };
    let fees = FeeSchedule { name: "none".into(), version: "1".into(), periods: Vec::new() };
    let execution = ExecutionConfig::default();
    RunStarted {
        core_version: CORE_VERSION,
        build: "bench".to_owned(),
        config: RunConfig { strategy, execution, fees, active_from: date(DAY).start() },
        instruments: (0..keys).map(instrument).collect(),
        calendar_version: "bench".to_owned(),
        sessions: vec![session(BEFORE, (9, 15), (13, 15)), session(DAY, (9, 28), (9, 31))],
        data: Vec::new(),
    }
}

/// A price on its way through all minutes of both sessions.
fn walk(seed: u64) -> Vec<Bar> {
    let mut dice = Dice(seed);
    let (mut price, mut drift, mut bars) = (2_000_i64, 0, Vec::new());
    for window in run(0).sessions.iter().flat_map(|session| &session.windows) {
        let mut open_time = window.open;
        while open_time < window.close {
            if dice.below(25) == 0 {
                drift = dice.below(3) - 1;
            }
            let open = price;
            price = (price + drift * dice.below(4) + dice.below(3) - 1).max(200);
            let (high, low) = (open.max(price) + dice.below(3), open.min(price) - dice.below(3));
            let ticks = |ticks: i64| Price(ticks * 500);
            bars.push(Bar {
                instrument: InstrumentId(0),
                open_time,
                open: ticks(open),
                high: ticks(high),
                low: ticks(low),
                close: ticks(price),
                volume: Qty(200 + dice.below(2_000)),
            });
            open_time = open_time.plus_minutes(1);
        }
    }
    bars
}

/// How many signals a replay of these bars makes at the quarter hour, and 0 if none is at 09:30.
fn signals(run: &RunStarted, bars: &[Bar]) -> usize {
    let mut sequencer = Sequencer::new(1, &watermarks(run), &[]);
    sequencer.add(0, BarColumns::from_bars(bars.iter()));
    sequencer.end(0);
    let (mut inputs, mut before) = (Vec::new(), None);
    while before != Some(inputs.len()) {
        before = Some(inputs.len());
        sequencer.take(&mut inputs);
    }
    let (mut core, mut out) = (Core::new(run), Vec::new());
    for (seq, input) in (1..).zip(&inputs) {
        core.step(seq, input, &mut out);
    }
    let signals = out.iter().filter_map(|derived| match &derived.output {
        Output::Signal(signal) if signal.bar_time.date() == date(DAY) => Some(signal.time),
        _ => None,
    });
    let times: Vec<Timestamp> = signals.collect();
    if times.contains(&at(9, 30)) { times.len() } else { 0 }
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    const fn below(&mut self, n: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % n.unsigned_abs()) as i64
    }
}
