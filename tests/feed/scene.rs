//! Days of the calendar with a made-up history: what a run hears before such a day, the market that
//! is played on it, and what a replay of the same minutes makes of it.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use lockstep::core::Core;
use lockstep::domain::config::{ExecutionConfig, StrategyConfig};
use lockstep::domain::event::{Derived, Input, RunStarted};
use lockstep::domain::fact::{Backfill, BackfillOrigin, Bar};
use lockstep::domain::instrument::{Instrument, InstrumentId};
use lockstep::domain::money::{Price, Qty};
use lockstep::domain::session::Session;
use lockstep::domain::time::{Date, Timestamp};
use lockstep::driver::plan::{DateRange, Plan, Request, watermarks};
use lockstep::exchange::market::Market;
use lockstep::sources::columns::BarColumns;
use lockstep::sources::market::Market as Facts;
use lockstep::sources::sequencer::Sequencer;
use lockstep::sources::synthetic::{Knobs, Series, Subject, generate};

pub const BSE: &str = "NSE_EQ|INE118H01025";
pub const TATA: &str = "NSE_EQ|INE155A01022";

/// The days that are lived, each of another shape.
pub const DAYS: [(&str, &str); 5] = [
    ("2024-03-02", "split Saturday"),
    ("2024-11-01", "Muhurat"),
    ("2026-08-03", "closing auction"),
    ("2024-10-03", "ordinary"),
    ("2025-10-14", "hours of one stock"),
];

/// Sessions before the day, which warm up.
const WARMUP: usize = 2;

static FACTS: LazyLock<Facts> =
    LazyLock::new(|| Facts::embedded().expect("the market facts are sound"));

/// A day that is the same for every weather.
pub struct Scene {
    pub run: RunStarted,
    pub market: Arc<Market>,
    /// What the run hears before the day.
    pub warmup: Vec<Input>,
    /// What the whole run makes of undisturbed minutes.
    pub whole: Vec<Vec<Derived>>,
}

impl Scene {
    /// The day `date` with a history that is drawn from `seed`.
    pub fn new(date: &str, seed: u64) -> Scene {
        Scene::of(date, seed, |_, _| {})
    }

    /// The same, where somebody trades one share in each minute in which nobody else trades.
    pub fn of_small_trades(date: &str, seed: u64) -> Scene {
        Scene::of(date, seed, trade_always)
    }

    fn of(date: &str, seed: u64, change: fn(&RunStarted, &mut [Series])) -> Scene {
        let first = Date::parse(date).expect("a date");
        let run = run(first);
        let facts = &*FACTS;
        let subject = |key: &str, rupees: i64, volatility| Subject {
            instrument: facts.instrument(key).expect("a listed key"),
            start: Price(rupees * 10_000),
            finish: Price(rupees * 10_000),
            volatility,
            volume: 900,
        };
        let subjects = [subject(BSE, 4_120, 0.000_8), subject(TATA, 884, 0.000_6)];
        let begin = run.sessions.first().expect("there are sessions").date;
        // More holes than usual: a day has few minutes. There are some in which nobody trades.
        let knobs = Knobs { lone_holes_per_100: 300, stretches_per_100: 30, ..Knobs::default() };
        let series = generate(seed, &facts.calendar, &subjects, begin, first, &knobs);
        let mut series = series.expect("both are listed on all of these days");
        change(&run, &mut series);
        let told = inputs(&run, &series.iter().map(|(_, bars)| &bars[..]).collect::<Vec<_>>());
        let whole = outputs(&run, &told);
        let active = run.config.active_from;
        let warmup = told.iter().filter(|input| is_before(input, active)).map(as_history);
        let lanes: Vec<(Instrument, Vec<Bar>)> =
            run.instruments.iter().cloned().zip(series.into_iter().map(|it| it.1)).collect();
        let market = Market::new(lanes, run.sessions.clone(), first).expect("there is a day");
        Scene { market: Arc::new(market), warmup: warmup.collect(), whole, run }
    }

    /// The session that is lived.
    pub fn session(&self) -> &Session {
        self.run.sessions.last().expect("there is one")
    }

    /// When the first instrument begins to trade, and when the last one ends.
    pub fn hours(&self) -> (Timestamp, Timestamp) {
        let windows = self.run.instruments.iter().flat_map(|it| self.session().windows_of(it));
        let open = windows.clone().map(|window| window.open).min();
        let close = windows.map(|window| window.close).max();
        (open.expect("there is trading"), close.expect("there is trading"))
    }
}

/// Lets the first instrument trade a share where neither trades. A minute of one share has trades
/// of none.
fn trade_always(run: &RunStarted, series: &mut [Series]) {
    let [(_, first), (_, second)] = series else { return };
    let others: BTreeSet<Timestamp> = second.iter().map(|bar| bar.open_time).collect();
    let is_open = |time: &Timestamp| {
        let mut windows = run.sessions.iter().flat_map(|it| it.windows_of(&run.instruments[0]));
        windows.any(|window| window.open <= *time && *time < window.close)
    };
    let mut filled: Vec<Bar> = Vec::with_capacity(first.len());
    for bar in first.drain(..) {
        let last = filled.last().copied();
        if let Some(last) = last.filter(|it| it.open_time.date() == bar.open_time.date()) {
            let Bar { close, .. } = last;
            let missing = (1..).map(|minutes| last.open_time.plus_minutes(minutes));
            let missing = missing.take_while(|time| *time < bar.open_time);
            let missing = missing.filter(|time| is_open(time) && !others.contains(time));
            let flat = Bar { open: close, high: close, low: close, volume: Qty(1), ..last };
            filled.extend(missing.map(|open_time| Bar { open_time, ..flat }));
        }
        filled.push(bar);
    }
    *first = filled;
}

fn run(first: Date) -> RunStarted {
    let strategy = StrategyConfig {
        first_bar: 15,
        swing_period: 2,
        time_stop_bars: 6,
        reversion_k: 0.7,
        adx_gate: 45.0,
        ..StrategyConfig::default()
    };
    let execution =
        ExecutionConfig { cooldown_bars: 2, entry_cutoff_minutes: 0, ..ExecutionConfig::default() };
    let request = Request {
        range: DateRange { first, last: first },
        warmup_sessions: WARMUP,
        keys: vec![BSE.to_owned(), TATA.to_owned()],
        strategy,
        execution,
        fees: "nse".to_owned(),
        commands: Vec::new(),
    };
    Plan::new(&request, &FACTS).expect("a day of the calendar").run
}

fn is_before(input: &Input, active: Timestamp) -> bool {
    match input {
        Input::Bar(bar) => bar.open_time < active,
        Input::Watermark(time) => *time <= active,
        _ => false,
    }
}

fn as_history(input: &Input) -> Input {
    match input {
        Input::Bar(bar) => Input::Backfill(Backfill { bar: *bar, origin: BackfillOrigin::Store }),
        other => other.clone(),
    }
}

/// The inputs that a replay of these minutes hears.
fn inputs(run: &RunStarted, lanes: &[&[Bar]]) -> Vec<Input> {
    let mut sequencer = Sequencer::new(lanes.len(), &watermarks(run), &[]);
    for (id, bars) in (0..).map(InstrumentId).zip(lanes) {
        sequencer.add(id.index(), BarColumns::from_bars(bars.iter()));
        sequencer.end(id.index());
    }
    let mut inputs = Vec::new();
    let mut before = None;
    while before != Some(inputs.len()) {
        before = Some(inputs.len());
        sequencer.take(&mut inputs);
    }
    inputs
}

/// What the core makes of these inputs, one after the other.
pub fn outputs(run: &RunStarted, inputs: &[Input]) -> Vec<Vec<Derived>> {
    let mut core = Core::new(run);
    let step = |(seq, input)| {
        let mut out = Vec::new();
        core.step(seq, input, &mut out);
        out
    };
    (1..).zip(inputs).map(step).collect()
}
