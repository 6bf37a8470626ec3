//! Laws that hold for all histories: the core agrees with the oracle on every fact, and what was
//! said is never taken back.

use lockstep::backtest::{self, Outcome};
use lockstep::core::Core;
use lockstep::domain::config::{ExecutionProfile, FeePeriod, Profile};
use lockstep::domain::event::{Command, CommandKind, Derived, Input, Output, RunStarted};
use lockstep::domain::fact::Bar;
use lockstep::domain::instrument::InstrumentId;
use lockstep::domain::money::{Cash, Price, Qty, Rate};
use lockstep::domain::session::Session;
use lockstep::domain::time::{Date, MINUTE_US, Timestamp, Window};
use lockstep::driver::plan::watermarks;
use lockstep::sources::columns::BarColumns;
use lockstep::sources::sequencer::Sequencer;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::world::{World, date, session};

/// What a made-up history is like.
#[derive(Clone, Debug)]
pub struct Shape {
    pub seed: u64,
    pub days: i32,
    /// Minutes out of 1,000 that are missing, come twice, or are handed over out of order.
    pub missing: u32,
    pub doubled: u32,
    pub shuffled: u32,
    /// Ticks that a minute moves at most, and how many minutes a direction lasts.
    pub step: u32,
    pub regime: u32,
    pub profile: ExecutionProfile,
    pub daily_loss: i64,
    pub slippage: u32,
    pub cooldown: u32,
    pub time_stop: u32,
    pub swing_period: u32,
    pub enter_on_incomplete: bool,
    pub trades_max: u32,
    pub warmup_days: i32,
    pub commands: Vec<Command>,
}

prop_compose! {
    pub fn shapes()(
        (seed, days) in (any::<u64>(), 2..5),
        (missing, doubled, shuffled) in (0..40u32, 0..20u32, 0..20u32),
        (step, regime, swing_period, time_stop) in (1..12u32, 5..90u32, 1..5u32, 1..8u32),
        profile in prop::sample::select(ExecutionProfile::ALL),
        (daily_loss, slippage, cooldown) in (200..6_000i64, 0..3u32, 0..4u32),
        (enter_on_incomplete, trades_max, warmup_days) in (any::<bool>(), 1..12u32, 0..2),
        commands in commands(),
    ) -> Shape {
        Shape { seed, days, missing, doubled, shuffled, step, regime, profile, daily_loss, slippage,
            cooldown, time_stop, swing_period, enter_on_incomplete, trades_max, warmup_days,
            commands }
    }
}

/// Up to four commands at any half minute of the first days, in order of time.
fn commands() -> impl Strategy<Value = Vec<Command>> {
    let one =
        (0..10_000_i64, prop::sample::select(CommandKind::ALL)).prop_map(|(half_minutes, kind)| {
            let time = date("2024-10-28").start().plus_us(half_minutes * MINUTE_US / 2);
            Command { time, kind }
        });
    prop::collection::vec(one, 0..4).prop_map(|mut commands| {
        commands.sort_by_key(|command| command.time);
        commands
    })
}

impl Shape {
    pub fn run(&self) -> RunStarted {
        let first = date("2024-10-28");
        World::new()
            .with(|run| {
                run.sessions =
                    (0..self.days).map(|day| odd_session(first.plus_days(day))).collect();
                run.config.active_from = first.plus_days(self.warmup_days).start();
                let strategy = &mut run.config.strategy;
                strategy.first_bar = 15;
                strategy.swing_period = self.swing_period;
                strategy.time_stop_bars = self.time_stop;
                strategy.reversion_k = 0.7;
                strategy.adx_gate = 45.0;
                let execution = &mut run.config.execution;
                execution.profile = self.profile;
                execution.daily_loss_max = Cash::from_rupees(self.daily_loss);
                execution.slippage_ticks = self.slippage;
                execution.cooldown_bars = self.cooldown;
                execution.enter_on_incomplete = self.enter_on_incomplete;
                execution.trades_max = self.trades_max;
                run.config.fees.periods = vec![fees()];
            })
            .run
    }

    /// Rows of one instrument as a file might hold them.
    pub fn rows(&self, run: &RunStarted, instrument: u16) -> Vec<Bar> {
        let mut dice = ChaCha8Rng::seed_from_u64(self.seed);
        dice.set_stream(u64::from(instrument));
        let mut walk = Walk { price: 2_000 + 7_000 * i64::from(instrument), drift: 0, left: 0 };
        let mut rows = Vec::new();
        for session in &run.sessions {
            for time in minutes(session) {
                let bar = walk.minute(self, &mut dice, InstrumentId(instrument), time);
                if dice.next_u32() % 1_000 < self.missing {
                    continue;
                }
                rows.push(bar);
                if dice.next_u32() % 1_000 < self.doubled {
                    rows.push(Bar { close: bar.open, ..bar });
                }
                let last = rows.len() - 1;
                if last > 0 && dice.next_u32() % 1_000 < self.shuffled {
                    rows.swap(last, last - 1);
                }
            }
        }
        rows
    }
}

/// 28 October is a Monday; Friday the 1st has its hour of Muhurat, Wednesday two short blocks.
fn odd_session(day: Date) -> Session {
    let window = |from: (u32, u32), to: (u32, u32)| Window {
        open: Timestamp::from_ist(day, from.0, from.1),
        close: Timestamp::from_ist(day, to.0, to.1),
    };
    let mut session = session(day);
    match day.weekday() {
        1 => session.windows = vec![window((18, 0), (19, 0))],
        2 => session.windows = vec![window((9, 15), (10, 0)), window((11, 35), (12, 30))],
        _ => session.auction_windows = vec![window((9, 15), (15, 15))],
    }
    session
}

fn fees() -> FeePeriod {
    FeePeriod {
        from: date("2024-01-01"),
        brokerage_flat: Cash::from_rupees(20),
        brokerage_rate: Rate(5_000),
        stt_buy: Rate(0),
        stt_sell: Rate(2_500),
        transaction: Rate(297),
        ipft: Rate(10),
        sebi: Rate(10),
        stamp_buy: Rate(300),
        stamp_sell: Rate(0),
        gst: Rate(1_800_000),
        gst_on_ipft: true,
        gst_on_sebi: false,
    }
}

/// Every minute of the session, and some after it.
fn minutes(session: &Session) -> Vec<Timestamp> {
    let mut times = Vec::new();
    for window in &session.windows {
        let mut time = window.open;
        while time < window.close {
            times.push(time);
            time = time.plus_minutes(1);
        }
    }
    let end = session.windows.last().expect("a session has hours").close;
    times.push(end.plus_minutes(10));
    times
}

/// A price in ticks of 0.05 that keeps its direction for a while.
struct Walk {
    price: i64,
    drift: i64,
    left: u32,
}

impl Walk {
    fn minute(
        &mut self,
        shape: &Shape,
        dice: &mut ChaCha8Rng,
        instrument: InstrumentId,
        open_time: Timestamp,
    ) -> Bar {
        if self.left == 0 {
            self.left = 1 + dice.next_u32() % shape.regime;
            self.drift = i64::from(dice.next_u32() % 3) - 1;
        }
        self.left -= 1;
        let mut roll = |most: u32| i64::from(dice.next_u32() % (most + 1));
        let open = self.price + roll(2) - 1;
        let close = (open + self.drift * roll(shape.step) + roll(2) - 1).max(100);
        let (high, low) = (open.max(close) + roll(2), open.min(close) - roll(2));
        let volume = Qty(roll(5_000));
        self.price = close;
        let ticks = |ticks: i64| Price(ticks * 500);
        let (open, high, low, close) = (ticks(open), ticks(high), ticks(low), ticks(close));
        Bar { instrument, open_time, open, high, low, close, volume }
    }
}

/// The inputs that a replay of these columns hears.
pub fn inputs(run: &RunStarted, columns: &[BarColumns], commands: &[Command]) -> Vec<Input> {
    let mut sequencer = Sequencer::new(columns.len(), &watermarks(run), commands);
    for (id, columns) in (0..).zip(columns) {
        let id = InstrumentId(id);
        sequencer.add(id.index(), columns.clone());
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

pub fn outputs(run: &RunStarted, inputs: &[Input]) -> Vec<Vec<Derived>> {
    let mut core = Core::new(run);
    let step = |(seq, input)| {
        let mut out = Vec::new();
        core.step(seq, input, &mut out);
        out
    };
    (1..).zip(inputs).map(step).collect()
}

/// The core's facts in the oracle's shape; the ids of orders are the journal's business.
fn facts(outputs: &[Vec<Derived>]) -> Outcome {
    let mut facts = Outcome::default();
    for derived in outputs.iter().flatten() {
        match derived.output.clone() {
            Output::Bar15m(bar) => facts.bars.push(bar),
            Output::Indicators(row) => facts.indicators.push(row),
            Output::Signal(signal) => facts.signals.push(*signal),
            Output::Rejection(rejection) => facts.rejections.push(rejection),
            Output::Fill(mut fill) => {
                fill.order = lockstep::domain::event::EventId::NONE;
                facts.fills.push(fill);
            }
            Output::Halt(halt) => facts.halts.push(halt),
            Output::SessionEnded(day) => facts.sessions.push(day),
            Output::Bar1m(_) | Output::BarRevised(_) | Output::Order(_) | Output::Position(_) => {}
        }
    }
    facts
}

pub fn columns(shape: &Shape, run: &RunStarted) -> Vec<BarColumns> {
    (0..2).map(|id| BarColumns::from_bars(shape.rows(run, id).iter())).collect()
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_core_agrees_with_the_oracle_on_every_fact(shape in shapes()) {
        let run = shape.run();
        let columns = columns(&shape, &run);
        let core = facts(&outputs(&run, &inputs(&run, &columns, &shape.commands)));
        let oracle = backtest::run(&run, &columns, &shape.commands);
        prop_assert_eq!(&core.bars, &oracle.bars);
        prop_assert_eq!(&core.indicators, &oracle.indicators);
        prop_assert_eq!(&core.signals, &oracle.signals);
        prop_assert_eq!(&core.fills, &oracle.fills);
        prop_assert_eq!(&core.halts, &oracle.halts);
        prop_assert_eq!(&core.sessions, &oracle.sessions);
        prop_assert_eq!(&core.rejections, &oracle.rejections);
    }

    /// The same for the live path: bars that are known late, the last ones never.
    #[test]
    fn the_core_says_live_what_the_oracle_says_over_columns(
        shape in shapes(),
        more_days in 3..7,
        cooldown in 0..6u32,
    ) {
        let shape = Shape { days: shape.days + more_days, cooldown, ..shape };
        let mut run = shape.run();
        let columns = columns(&shape, &run);
        run.config.strategy.profile = Profile::CompatLive;
        let core = facts(&outputs(&run, &inputs(&run, &columns, &shape.commands)));
        let oracle = backtest::python::live::run(&run, &columns, &shape.commands);
        prop_assert_eq!(&core.bars, &oracle.bars);
        prop_assert_eq!(&core.indicators, &oracle.indicators);
        prop_assert_eq!(&core.signals, &oracle.signals);
        prop_assert_eq!(&core.fills, &oracle.fills);
        prop_assert_eq!(&core.halts, &oracle.halts);
    }

    #[test]
    fn what_was_said_is_never_taken_back(shape in shapes(), cut in 0..2_000usize) {
        let run = shape.run();
        let columns = columns(&shape, &run);
        let whole = inputs(&run, &columns, &shape.commands);
        let cut_time = time_of(&whole[cut % whole.len()]);
        let known: Vec<BarColumns> =
            (0..2).map(|id| known_at(&shape.rows(&run, id), cut_time)).collect();
        let said: Vec<Command> =
            shape.commands.iter().filter(|command| command.time <= cut_time).copied().collect();
        let early = backtest::run(&run, &known, &said);
        let late = backtest::run(&run, &columns, &shape.commands);
        prop_assert_eq!(until(&early, cut_time), until(&late, cut_time));
        let part = inputs(&run, &known, &said);
        let same = whole.iter().zip(&part).take_while(|(a, b)| a == b).count();
        prop_assert_eq!(&outputs(&run, &whole)[..same], &outputs(&run, &part)[..same]);
    }
}

pub fn time_of(input: &Input) -> Timestamp {
    match input {
        Input::Bar(bar) => bar.close_time(),
        Input::Watermark(time) => *time,
        Input::Command(command) => command.time,
        other => panic!("a replay hears no {other:?}"),
    }
}

/// The rows that are known at `time`, in the order of the file.
fn known_at(rows: &[Bar], time: Timestamp) -> BarColumns {
    BarColumns::from_bars(rows.iter().filter(|bar| bar.close_time() <= time))
}

/// How much of an outcome is known at `time`, and that much of it.
fn until(facts: &Outcome, time: Timestamp) -> Outcome {
    let mut known = facts.clone();
    known.bars.retain(|bar| bar.close_time <= time);
    known.indicators.truncate(known.bars.len());
    known.signals.retain(|signal| signal.time <= time);
    known.fills.retain(|fill| fill.time < time);
    let fills = known.fills.len();
    known.positions.truncate(fills);
    known.minutes.clear();
    known.orders.clear();
    known.rejections.clear();
    known.halts.retain(|halt| halt.time <= time);
    known.sessions.retain(|day| day.date < time.date());
    known
}

/// The laws above prove nothing about what their histories never contain.
#[test]
fn the_made_up_histories_hold_every_kind_of_fact() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    for _ in 0..150 {
        let shape = shapes().new_tree(&mut runner).expect("shapes are never refused").current();
        let run = shape.run();
        let facts = facts(&outputs(&run, &inputs(&run, &columns(&shape, &run), &shape.commands)));
        let fills = facts.fills.iter().map(|fill| fill.reason.to_string());
        let rejections = facts.rejections.iter().map(|rejection| rejection.reason.to_string());
        let signals = facts.signals.iter().map(|signal| format!("{} {}", signal.side, signal.kind));
        for word in fills.chain(rejections).chain(signals) {
            *seen.entry(word).or_default() += 1;
        }
    }
    let wanted = [
        "entry",
        "stop",
        "target",
        "time-stop",
        "session-end",
        "daily-loss",
        "BUY TREND",
        "SELL TREND",
        "BUY REVERSION",
        "SELL REVERSION",
        "duplicate",
        "outside-session",
        "incomplete-bar",
        "position-open",
        "cooldown",
        "entry-cutoff",
        "trades-max",
        "killed",
    ];
    let missing: Vec<&str> = wanted.into_iter().filter(|word| !seen.contains_key(*word)).collect();
    assert!(missing.is_empty(), "never seen: {missing:?} in {seen:?}");
}
