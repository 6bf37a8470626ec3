//! Days of a bad line, by seed, in simulated time: the stand-in exchange plays a day, faults befall
//! it, the feed judges what arrives, the core hears that. No socket, no clock, no sleep.
//!
//! `FEED_SEEDS=10000 cargo test --release feed_seeds` tries many; `FEED_SEED=N` one again.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::sync::Arc;

use lockstep::domain::config::ExecutionProfile;
use lockstep::domain::event::{Derived, Input, Output, RunStarted};
use lockstep::domain::fact::{Backfill, BackfillOrigin, Bar15m, Fill, Indicators};
use lockstep::domain::instrument::InstrumentId;
use lockstep::domain::time::{SECOND_US, Timestamp};
use lockstep::exchange::candles::{self, Query};
use lockstep::exchange::faults::Faults;
use lockstep::exchange::frames::Frames;
use lockstep::exchange::line::{Faulty, What};
use lockstep::exchange::market::Market;
use lockstep::exchange::ticker::Mode;
use lockstep::sources::feed::clock::Pace;
use lockstep::sources::feed::{Feed, Settings, Told};
use lockstep::sources::upstox::candles::Candles;
use lockstep::sources::upstox::fetch::{CandleReply, CandleRequest};
use lockstep::sources::upstox::socket::{Down, Heard, Say};

use crate::laws::{Shape, columns, inputs, outputs};

/// Sessions of the run; the last one is lived.
const DAYS: i32 = 3;

/// What befalls a line: in words of the command line, and whether it may lose anything.
const WEATHERS: [(&str, bool); 12] = [
    ("", false),
    ("dup=0.3", false),
    ("reorder=1000ms@0.5", false),
    ("dup=0.2,reorder=1200ms,garbage=0.02", false),
    ("drop=0.01", true),
    ("half=0.01,garbage=0.01", true),
    ("stall=200s@0.002", true),
    ("disconnect=120s@0.002", true),
    ("disconnect=0.003", true),
    ("missing=0.5,disconnect=20s@0.002", true),
    ("delay=120s@0.01", true),
    ("skew=3600s@0.003", true),
];

/// A day that is the same for every weather.
struct Scene {
    run: RunStarted,
    market: Arc<Market>,
    /// What the run hears before the day.
    warmup: Vec<Input>,
    /// What the whole run makes of undisturbed minutes.
    whole: Vec<Vec<Derived>>,
}

impl Scene {
    fn new(seed: u64) -> Scene {
        let shape = Shape {
            seed,
            days: DAYS,
            missing: 3,
            doubled: 0,
            shuffled: 0,
            step: 6,
            regime: 40,
            profile: ExecutionProfile::Honest,
            daily_loss: 5_000,
            slippage: 1,
            cooldown: 2,
            time_stop: 6,
            swing_period: 2,
            enter_on_incomplete: false,
            trades_max: 20,
            warmup_days: DAYS - 1,
            commands: Vec::new(),
        };
        let mut run = shape.run();
        // Two whole days warm up; the one to live is a Wednesday with two short blocks.
        for (instrument, key) in run.instruments.iter_mut().zip(["NSE_EQ|A", "NSE_EQ|B"]) {
            instrument.key = key.to_owned();
        }
        let rows = columns(&shape, &run);
        let told = inputs(&run, &rows, &[]);
        let whole = outputs(&run, &told);
        let active = run.config.active_from;
        let is_before = |input: &&Input| match input {
            Input::Bar(bar) => bar.open_time < active,
            Input::Watermark(time) => *time <= active,
            _ => false,
        };
        let warmup = told.iter().filter(is_before).map(|input| match input {
            Input::Bar(bar) => {
                Input::Backfill(Backfill { bar: *bar, origin: BackfillOrigin::Store })
            }
            other => other.clone(),
        });
        let lanes = (0_u16..)
            .zip(&run.instruments)
            .map(|(id, instrument)| (instrument.clone(), shape.rows(&run, id)));
        let market = Market::new(lanes.collect(), run.sessions.clone(), active.date()).unwrap();
        Scene { market: Arc::new(market), warmup: warmup.collect(), whole, run }
    }
}

/// A day as it is lived.
struct Day<'a> {
    scene: &'a Scene,
    faults: Faults,
    seed: u64,
    feed: Feed,
    /// What the run heard.
    heard: Vec<Input>,
    now: Timestamp,
    line: Option<Faulty<Frames>>,
    connections: u64,
    /// Until when nobody gets through.
    closed_until: Timestamp,
    /// Whether a connection was asked for.
    knocks: bool,
    /// What the archive will answer, and when.
    answers: Vec<(Timestamp, CandleRequest)>,
}

impl Day<'_> {
    fn us(&self) -> i64 {
        self.now.0
    }

    fn does(&mut self, told: Told) {
        self.heard.extend(told.inputs);
        for say in told.says {
            match say {
                Say::Connect => self.knocks = true,
                Say::Disconnect => self.line = None,
                Say::Fetch(request) => {
                    self.answers.push((self.now.plus_us(2 * SECOND_US), request));
                }
                Say::Send(_) | Say::Quit => {}
            }
        }
    }

    fn hear(&mut self, heard: &Heard) {
        let mut told = Told::default();
        self.feed.hear(heard, self.us(), &mut told);
        self.does(told);
    }

    fn connect(&mut self) {
        if !self.knocks || self.now < self.closed_until {
            return;
        }
        self.knocks = false;
        let keys = self.scene.market.keys();
        let frames = Frames::new(&self.scene.market, keys, Mode::Full, self.now);
        self.line = Some(Faulty::new(frames, self.faults, self.seed, self.connections));
        self.connections += 1;
        self.hear(&Heard::Up);
    }

    /// Everything that arrives up to now.
    fn arrive(&mut self) {
        while let Some(happening) = self.line.as_mut().and_then(|it| it.next_until(self.now)) {
            match happening.what {
                What::Frame(bytes) => self.hear(&Heard::Frame(bytes.to_vec())),
                What::Disconnect { code, resume } => {
                    self.closed_until = resume;
                    self.line = None;
                    self.hear(&Heard::Down(Down::Closed { code, reason: String::new() }));
                }
                What::Connected | What::Refused(_) | What::Stall { .. } => {}
            }
        }
    }

    fn answer(&mut self) {
        let (due, open) =
            std::mem::take(&mut self.answers).into_iter().partition(|(time, _)| *time <= self.now);
        self.answers = open;
        let due: Vec<(Timestamp, CandleRequest)> = due;
        for (_, request) in due {
            let query = Query { key: &request.key, unit: "minutes", interval: "1" };
            let json = candles::intraday(&self.scene.market, self.now, query).unwrap();
            let result = Ok(Candles::parse(json.to_string().as_bytes()).unwrap());
            self.hear(&Heard::Candles(CandleReply { request, result }));
        }
    }

    /// The day, second by second.
    fn live(&mut self, end: Timestamp) {
        while !self.feed.is_over() {
            assert!(self.now < end.plus_minutes(10), "the day does not end");
            self.connect();
            self.arrive();
            self.answer();
            if self.line.is_some() && self.now.0 % (10 * SECOND_US) == 0 {
                self.hear(&Heard::Alive);
            }
            let mut told = Told::default();
            self.feed.pass(self.us(), &mut told);
            self.does(told);
            self.now = self.now.plus_us(SECOND_US / 2);
        }
    }
}

/// The last that was said of each strategy bar of the lived day.
fn bars(outputs: &[Vec<Derived>], since: Timestamp) -> BTreeMap<(InstrumentId, Timestamp), Told2> {
    let mut told: BTreeMap<_, Told2> = BTreeMap::new();
    for derived in outputs.iter().flatten() {
        match &derived.output {
            Output::Bar15m(bar) | Output::BarRevised(bar) if bar.open_time >= since => {
                told.entry((bar.instrument, bar.open_time)).or_default().0 = Some(*bar);
            }
            Output::Indicators(row) if row.open_time >= since => {
                told.entry((row.instrument, row.open_time)).or_default().1 = Some(*row);
            }
            _ => {}
        }
    }
    told
}

type Told2 = (Option<Bar15m>, Option<Indicators>);

fn signals(outputs: &[Vec<Derived>]) -> BTreeSet<(InstrumentId, Timestamp)> {
    let signal = |derived: &Derived| match &derived.output {
        Output::Signal(signal) => Some((signal.instrument, signal.bar_time)),
        _ => None,
    };
    outputs.iter().flatten().filter_map(signal).collect()
}

fn fills(outputs: &[Vec<Derived>]) -> Vec<Fill> {
    let fill = |derived: &Derived| match derived.output {
        Output::Fill(fill) => Some(Fill { order: lockstep::domain::event::EventId::NONE, ..fill }),
        _ => None,
    };
    outputs.iter().flatten().filter_map(fill).collect()
}

/// Lives the scene's day in one weather.
fn lived(scene: &Scene, weather: &str, seed: u64) -> Vec<Input> {
    let active = scene.run.config.active_from;
    let session = scene.run.sessions.last().unwrap();
    let (open, end) = (session.windows[0].open, session.windows.last().unwrap().close);
    let settings = Settings {
        pace: Pace::Times(1),
        lateness_ms: 2_000,
        silence_ms: 90_000,
        trusts_first: true,
        tells_each_trade: true,
        archive_delay_ms: 5_000,
        seed,
    };
    let now = open.plus_minutes(-5);
    assert!(active < now);
    let mut day = Day {
        scene,
        faults: Faults::parse(weather).unwrap(),
        seed,
        feed: Feed::new(&scene.run, settings, now, now.0),
        heard: scene.warmup.clone(),
        now,
        line: None,
        connections: 0,
        closed_until: Timestamp::MIN,
        knocks: false,
        answers: Vec::new(),
    };
    day.live(end);
    day.heard
}

/// The labels of the lived day's bars that a gap or an archive touched before they were known.
fn touched(heard: &[Input], since: Timestamp) -> BTreeSet<(InstrumentId, Timestamp)> {
    const QUARTER_US: i64 = 900 * SECOND_US;
    let mut touched = BTreeSet::new();
    let mut watermark = Timestamp::MIN;
    for input in heard {
        match input {
            Input::Watermark(time) => watermark = *time,
            Input::Gap(gap) => {
                let mut label = gap.from.floor_to(QUARTER_US);
                while label < gap.to {
                    if watermark < label.plus_us(QUARTER_US) {
                        touched.insert((gap.instrument, label));
                    }
                    label = label.plus_us(QUARTER_US);
                }
            }
            Input::Backfill(Backfill { bar, .. }) if bar.open_time >= since => {
                let label = bar.open_time.floor_to(QUARTER_US);
                if watermark < label.plus_us(QUARTER_US) {
                    touched.insert((bar.instrument, label));
                }
            }
            _ => {}
        }
    }
    touched
}

#[derive(Debug, Default)]
struct Tally {
    days: u64,
    gaps: u64,
    backfilled: u64,
    revised: u64,
    signals: u64,
    signals_lost: u64,
    signals_other: u64,
}

fn judge(scene: &Scene, weather: &str, may_lose: bool, seed: u64, tally: &mut Tally) {
    let since = scene.run.config.active_from;
    let heard = lived(scene, weather, seed);
    let got = outputs(&scene.run, &heard);
    let place = format!("FEED_SEED={seed}, weather '{weather}'");
    let (mut want, mut have) = (bars(&scene.whole, since), bars(&got, since));
    if number("FEED_SEED").is_some() {
        let names = lockstep::domain::tape::Names::of(&scene.run);
        let is_odd = |input: &&Input| matches!(input, Input::Gap(_) | Input::Notice(_));
        for input in heard.iter().filter(is_odd) {
            let event = lockstep::domain::event::Event::Input(input.clone());
            println!("{}", lockstep::domain::tape::write_event(&event, &names));
        }
    }
    if may_lose {
        // A trade that was left out is noticed by the next one. After the last there is none.
        let last = want.keys().map(|(_, label)| *label).max().unwrap();
        want.retain(|(_, label), _| *label != last);
        have.retain(|(_, label), _| *label != last);
    } else {
        assert_eq!(fills(&got), fills(&scene.whole), "{place}");
        assert_eq!(signals(&got), signals(&scene.whole), "{place}");
    }
    for (label, told) in &want {
        assert_eq!(have.get(label), Some(told), "{place}: {label:?}");
    }
    assert_eq!(have.len(), want.len(), "{place}: a bar that never was");
    let (all, mine) = (signals(&scene.whole), signals(&got));
    let touched = touched(&heard, since);
    assert!(mine.is_disjoint(&touched), "{place}: a signal on a bar that lacked trades");
    let count = |wanted: fn(&Input) -> bool| heard.iter().filter(|it| wanted(it)).count() as u64;
    tally.days += 1;
    tally.gaps += count(|input| matches!(input, Input::Gap(_)));
    tally.backfilled += count(
        |input| matches!(input, Input::Backfill(it) if it.origin == BackfillOrigin::Intraday),
    );
    let is_revised = |derived: &&Derived| matches!(derived.output, Output::BarRevised(_));
    tally.revised += got.iter().flatten().filter(is_revised).count() as u64;
    tally.signals += all.len() as u64;
    tally.signals_lost += all.difference(&mine).count() as u64;
    tally.signals_other += mine.difference(&all).count() as u64;
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn no_weather_loses_or_doubles_a_bar_or_makes_one_up() {
    let (first, count) = match number("FEED_SEED") {
        Some(seed) => (seed, 1),
        None => (0, number("FEED_SEEDS").unwrap_or(24)),
    };
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    for seed in first..first + count {
        let scene = Scene::new(seed / WEATHERS.len() as u64);
        let (weather, may_lose) = WEATHERS[(seed % WEATHERS.len() as u64) as usize];
        judge(&scene, weather, may_lose, seed, tallies.entry(weather).or_default());
    }
    for (weather, tally) in &tallies {
        println!("{weather:<36} {tally:?}");
    }
    // Weather that does nothing would prove nothing.
    let gaps: u64 = tallies.values().map(|tally| tally.gaps).sum();
    assert!(count < 12 || gaps > 0, "no weather did anything");
}
